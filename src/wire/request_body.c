/* request_body.c -- in this order: aws-chunked comes off, checksums are held against what is left (both in payload.c, the one place
 * for gathered bodies and for those on their way), gzip comes off. Of a body on its way gzip would have to be taken off piece by
 * piece, which is refused by name.
 *
 * Codes and sentences are S3's, whose requests have all of this; other services take checksums and gzip where their model
 * says so. Source: "Checking object integrity" (S3 user guide), "Error responses" of S3's API reference. */
#include "wire/request_body.h"
#include "auth/sigv4.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "base/gzip.h"
#include "base/panic.h"
#include "wire/chunked.h"
#include "wire/payload.h"

#define CHECKSUM_PREFIX "x-amz-checksum-"

static bool body_fail(struct call *call, const char *code, const char *message)
{
    call_fail(call, code, "%s", message);
    return false;
}

/* ---- aws-chunked ---- */

static bool is_chunked(const struct call *call)
{
    enum sigv4_payload payload = sigv4_payload(wire_exchange(call)->payload);
    return payload != SIGV4_PAYLOAD_HASHED && payload != SIGV4_PAYLOAD_UNSIGNED;
}

/* What takes it out of its chunks, by what the headers say. NULL: the call has failed. */
static struct chunked *unchunk(struct call *call)
{
    const struct http_request *request = wire_http(call);
    enum sigv4_payload payload = sigv4_payload(wire_exchange(call)->payload);
    bool is_signed = payload != SIGV4_PAYLOAD_UNSIGNED_TRAILER;
    struct chunked_options options = {.chain = is_signed ? wire_exchange(call)->chain : NULL,
                                      .trailer = payload != SIGV4_PAYLOAD_CHUNKS,
                                      .trailer_names = http_header(request, "x-amz-trailer")};
    if (!str_to_u64(http_header(request, "x-amz-decoded-content-length"), &options.length))
        body_fail(call, "MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header.");
    else if (is_signed && !options.chain)
        call_fault(call, FAULT_SIGNATURE_MISMATCH, STR_NONE);
    return call->failed ? NULL : chunked_new(call->arena, &options);
}

/* ---- checksums ---- */

static bool is_checksum_header(struct str name)
{
    struct str prefix = STR(CHECKSUM_PREFIX);
    return name.n > prefix.n && str_eq_nocase(str_slice(name, 0, prefix.n), prefix);
}

/* One more thing that the body has to be. */
static bool add_checksum(struct call *call, struct payload_options *options, enum checksum kind, struct str sent)
{
    struct str bytes;
    if (base64_decode(sent, call->arena, &bytes) != ERR_OK || bytes.n != checksum_bytes(kind))
        return body_fail(call, "InvalidDigest", "The Content-MD5 or checksum value that you specified is not valid.");
    ENSURE(options->checksum_count < PAYLOAD_CHECKSUMS_MAX);
    struct payload_checksum *checksum = &options->checksums[options->checksum_count++];
    checksum->kind = kind;
    memcpy(checksum->digest, bytes.p, bytes.n);
    return true;
}

/* Which algorithm a header's name says; x-amz-checksum-algorithm, -mode and -type say something else. */
static bool add_checksum_header(struct call *call, struct payload_options *options, const struct http_header *header)
{
    static const char *const others[] = {"algorithm", "mode", "type"};
    struct str algorithm = str_slice(header->name, sizeof CHECKSUM_PREFIX - 1, header->name.n);
    enum checksum kind;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        if (str_eq_nocase(algorithm, str_of(others[i])))
            return true;
    if (options->checksum_count)
        return body_fail(call, "InvalidRequest",
                         "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
    if (checksum_named(algorithm, &kind))
        return add_checksum(call, options, kind, header->value);
    call_fail_not_implemented(call, arena_cstr(call->arena, str_slice(header->name, 0, 64)));
    return false;
}

static bool add_announced(struct call *call, struct payload_options *ret)
{
    const struct http_request *request = wire_http(call);
    struct str md5 = http_header(request, "content-md5"), trailer = http_header(request, "x-amz-trailer");
    for (size_t i = 0; i < request->header_count; i++)
        if (is_checksum_header(request->headers[i].name) && !add_checksum_header(call, ret, &request->headers[i]))
            return false;
    if (md5.n && !add_checksum(call, ret, CHECKSUM_MD5, md5))
        return false;
    bool said = ret->checksum_count || (is_chunked(call) && str_starts(trailer, STR(CHECKSUM_PREFIX)));
    return said || !(call->operation->flags & MODEL_OP_CHECKSUM_REQUIRED) ||
           body_fail(call, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
}

static struct chunked_words fault_words(const struct call *call, enum fault fault)
{
    const struct service_error *row = &call->api->errors->faults[fault];
    return (struct chunked_words){row->code, row->message};
}

/* All that the request says of its body. False: the call has failed. */
static bool expect_body(struct call *call, struct payload_options *ret)
{
    *ret = (struct payload_options){
        .bad_signature = fault_words(call, FAULT_SIGNATURE_MISMATCH),
        .bad_sha256 = fault_words(call, call->api->model->signs_as_s3 ? FAULT_BODY_MISMATCH : FAULT_SIGNATURE_MISMATCH)};
    if (is_chunked(call) && !(ret->chunked = unchunk(call)))
        return false;
    return add_announced(call, ret);
}

/* ---- gzip ---- */

static bool ungzip(struct call *call)
{
    struct str body;
    enum err err = gzip_decode(wire_body(call), call->api->body_max, call->arena, &body);
    if (err == ERR_INVALID)
        call_fault(call, FAULT_SERIALIZATION, STR("The body is not in gzip."));
    else if (err != ERR_OK)
        wire_fail_parse(call, err);
    else
        wire_exchange(call)->body = body;
    return err == ERR_OK;
}

static bool is_gzip(const struct call *call)
{
    return (call->operation->flags & MODEL_OP_GZIP) && str_eq_nocase(http_header(wire_http(call), "content-encoding"), STR("gzip"));
}

bool request_body_encoded(const struct call *call)
{
    const struct model_operation *op = call->operation;
    return (op->flags & (MODEL_OP_CHECKSUM_REQUIRED | MODEL_OP_GZIP)) || op->checksum_member || wire_exchange(call)->payload.n;
}

/* Its SHA-256 has been compared, with the signature. */
bool request_body_open(struct call *call)
{
    struct payload_options options;
    struct chunked_words words;
    if (!expect_body(call, &options))
        return false;
    enum err err = payload_whole(call->arena, &options, wire_body(call), &wire_exchange(call)->body, &words);
    if (err == ERR_INVALID)
        return body_fail(call, words.code, words.message);
    if (err != ERR_OK) {
        wire_fail_parse(call, err);
        return false;
    }
    return !is_gzip(call) || ungzip(call);
}

void request_body_stream(struct call *call)
{
    struct payload_options options;
    if (is_gzip(call)) {
        call_fail_not_implemented(call, "the Content-Encoding gzip");
        return;
    }
    if (!expect_body(call, &options))
        return;
    options.sha256_hex = wire_exchange(call)->sha256_hex;
    call->body = payload_new(call->arena, &options, http_body(wire_exchange(call)->request), &call->body_code, &call->body_message);
}

/* request_body.c -- in this order: aws-chunked comes off, checksums are held against what is left, gzip comes off.
 *
 * A body that was sent in one chunk stays where it is; others are put together in the arena, no longer than what arrived.
 * Codes and sentences are S3's, whose requests have all of this; other services take checksums and gzip where their model
 * says so. Source: "Checking object integrity" (S3 user guide), "Error responses" of S3's API reference. */
#include "wire/request_body.h"
#include "auth/sigv4.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "base/gzip.h"
#include "wire/chunked.h"
#include "wire/payload.h"

#define CHECKSUM_PREFIX "x-amz-checksum-"

static bool body_fail(struct call *call, const char *code, const char *message)
{
    call_fail(call, code, "%s", message);
    return false;
}

/* ---- aws-chunked ---- */

static bool chunked_fail(struct call *call, enum chunked_status status)
{
    if (status != CHUNKED_SIGNATURE)
        return body_fail(call, chunked_words(status).code, chunked_words(status).message);
    call_fault(call, FAULT_SIGNATURE_MISMATCH, STR_NONE);      /* each service has its own words for that */
    return false;
}

bool request_body_chunked(const struct call *call)
{
    enum sigv4_payload payload = sigv4_payload(wire_exchange(call)->payload);
    return payload != SIGV4_PAYLOAD_HASHED && payload != SIGV4_PAYLOAD_UNSIGNED;
}

struct chunked *request_body_unchunked(struct call *call)
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
        chunked_fail(call, CHUNKED_SIGNATURE);
    return call->failed ? NULL : chunked_new(call->arena, &options);
}

static bool unchunk(struct call *call)
{
    struct str in = wire_body(call), piece, first = STR_NONE;
    struct buf joined;
    enum chunked_status status;
    struct chunked *chunked = request_body_unchunked(call);
    if (!chunked)
        return false;
    buf_init(&joined, call->arena, in.n);
    while ((status = chunked_next(chunked, &in, &piece)) == CHUNKED_DATA) {
        if (!first.p) {
            first = piece;
            continue;
        }
        if (!joined.n)
            buf_add(&joined, first);
        buf_add(&joined, piece);
    }
    if (status == CHUNKED_DONE && in.n)
        status = CHUNKED_MALFORMED;
    if (status != CHUNKED_DONE)
        return chunked_fail(call, status);
    if (joined.failed) {        /* over the budget */
        call_fail_err(call, ERR_BUSY);
        return false;
    }
    wire_exchange(call)->body = joined.n ? buf_str(&joined) : first;
    return true;
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
    if (options->checksum_count == PAYLOAD_CHECKSUMS_MAX)
        return body_fail(call, "InvalidRequest",
                         "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
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
    if (checksum_named(algorithm, &kind))
        return add_checksum(call, options, kind, header->value);
    call_fail_not_implemented(call, arena_cstr(call->arena, str_slice(header->name, 0, 64)));
    return false;
}

bool request_body_announced(struct call *call, struct payload_options *ret)
{
    const struct http_request *request = wire_http(call);
    struct str md5 = http_header(request, "content-md5"), trailer = http_header(request, "x-amz-trailer");
    for (size_t i = 0; i < request->header_count; i++)
        if (is_checksum_header(request->headers[i].name) && !add_checksum_header(call, ret, &request->headers[i]))
            return false;
    if (md5.n && !add_checksum(call, ret, CHECKSUM_MD5, md5))
        return false;
    bool said = ret->checksum_count || (request_body_chunked(call) && str_starts(trailer, STR(CHECKSUM_PREFIX)));
    return said || !(call->operation->flags & MODEL_OP_CHECKSUM_REQUIRED) ||
           body_fail(call, "InvalidRequest", "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
}

static bool check_checksums(struct call *call)
{
    struct payload_options said = {.checksum_count = 0};
    struct checksum_state state;
    uint8_t digest[CHECKSUM_BYTES_MAX];
    if (!request_body_announced(call, &said))
        return false;
    for (size_t i = 0; i < said.checksum_count; i++) {
        checksum_init(&state, said.checksums[i].kind);
        checksum_update(&state, wire_body(call));
        size_t n = checksum_finish(&state, digest);
        if (memcmp(digest, said.checksums[i].digest, n) != 0)
            return body_fail(call, "BadDigest", PAYLOAD_BAD_DIGEST);
    }
    return true;
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

bool request_body_open(struct call *call)
{
    if (request_body_chunked(call) && !unchunk(call))
        return false;
    return check_checksums(call) && (!is_gzip(call) || ungzip(call));
}

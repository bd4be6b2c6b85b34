/* s3_way_test.c -- an API that signs as S3 does, through a real server and the real auth: what stands for the body is what the
 * request says, and the body is held against it, gathered or on its way; presigned URLs; requests of nobody in particular.
 * Lambda's model, signed as "s3", stands for S3's, which is not served. */
#include "offline.h"
#include "auth/auth.h"
#include "base/clock.h"
#include "base/codec.h"
#include "net/body.h"
#include "site.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define STREAMED "/2015-03-31/functions/f/invocations"
#define GATHERED "/2014-11-13/functions/f/invoke-async/"
#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* ---- keys and policies ---- */

static enum err key_of_anybody(void *arg, struct str id, struct arena *arena, struct auth_key *ret)
{
    (void)arg;
    if (!str_eq(id, STR("AKIDEXAMPLE")))
        return ERR_NOT_FOUND;
    *ret = (struct auth_key){.secret = arena_dup(arena, STR(SECRET)), .active = true};
    ret->principal = (struct principal){.type = PRINCIPAL_ROOT, .account = STR("000000000000"), .arn = STR("arn:aws:iam::000000000000:root"),
                                        .name = STR("root")};
    return ERR_OK;
}

static uint64_t one_generation(void *arg)
{
    (void)arg;
    return 1;
}

/* ---- a service ---- */

struct counted {
    struct body_sink sink;
    struct call *call;
    size_t n;
};

static enum body_want counted_piece(struct body_sink *sink, struct str piece)
{
    CONTAINER_OF(sink, struct counted, sink)->n += piece.n;
    return BODY_MORE;
}

static void counted_end(struct body_sink *sink, enum body_end how)
{
    const struct counted *counted = CONTAINER_OF(sink, struct counted, sink);
    struct call *call = counted->call;
    if (how == BODY_WHOLE) {
        call->has_output_payload = true;
        call->output_payload = arena_printf(call->arena, "%zu bytes of " STR_FMT, counted->n, STR_ARG(call->caller->arn));
    } else {
        call_fail_body(call, how);
    }
    call_complete(call);
}

static void count_stream(struct call *call)
{
    struct counted *counted = arena_new_of(call->arena, struct counted);
    *counted = (struct counted){.sink = {.piece = counted_piece, .end = counted_end}, .call = call};
    body_read(call->body, &counted->sink);
}

static size_t gathered_bytes;

static void count_gathered(struct call *call)
{
    gathered_bytes = call->payload.n;
}

/* The header stands for the resource's policy. */
static void need_by_policy(struct call *call, struct needs *needs)
{
    need_add(needs, "s3:PutObject", STR("arn:aws:s3:::b/k"));
    struct str who = call_request_header(call, "x-policy");
    if (who.n)
        need_resource_policy(needs, arena_printf(call->arena, "{\"Version\":\"2012-10-17\",\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\""
                                                              STR_FMT "\"},\"Action\":\"s3:*\",\"Resource\":\"*\"}}", STR_ARG(who)));
}

static const struct row s3_rows[] = {
    {.name = "Invoke", .run = RUN_ASYNC, .caller = CALLER_SIGNED_OR_ANONYMOUS, .needs = need_by_policy, .handle = count_stream, .streams = true},
    {.name = "InvokeAsync", .run = RUN_INLINE, .needs = need_by_policy, .handle = count_gathered},
};
static const struct service_errors s3_errors = {
    .model_prefix = "", .coral_prefix = "", .validate_prefix = "", .faults = {SERVICE_QUERY_ROWS, SERVICE_SIGNS_AS_S3_ROWS}};
static struct model s3_model;
static const struct service_api s3 = {.model = &s3_model, .rows = s3_rows, .row_count = COUNT_OF(s3_rows), .errors = &s3_errors,
                                      .body_max = 1 << 20, .streams = true};
static struct model other_model;    /* the same, but it signs as all others do */
static const struct service_api other = {.model = &other_model,
                                         .rows = s3_rows,
                                         .row_count = COUNT_OF(s3_rows),
                                         .errors = &lambda_errors,
                                         .body_max = 1 << 20,
                                         .streams = true};
static const struct service_binding bindings[] = {{.api = &s3}, {.api = &other}, {0}};

/* ---- the server ---- */

static struct auth *s3_auth;

/* No operation that streams may come in gzip, of those that there are. */
static const struct model_operation *operations_with_gzip(void)
{
    struct model_operation *all = arena_array(site.arena, struct model_operation, model_lambda.operation_count);
    memcpy(all, model_lambda.operations, model_lambda.operation_count * sizeof *all);
    for (size_t i = 0; i < model_lambda.operation_count; i++)
        if (strcmp(model_text(&model_lambda, all[i].name), "Invoke") == 0)
            all[i].flags |= MODEL_OP_GZIP;
    return all;
}

static int open_s3(void **state)
{
    const struct auth_source source = {.find_key = key_of_anybody, .generation = one_generation};

    (void)state;
    site_make();
    ENSURE(auth_new(site.store, 2, &s3_auth) == ERR_OK);
    auth_set_source(s3_auth, &source);
    s3_model = model_lambda;
    s3_model.signing_name = "s3";
    s3_model.signs_as_s3 = true;
    other_model = model_lambda;
    other_model.signing_name = "other";
    other_model.operations = operations_with_gzip();
    site_serve(bindings, s3_auth);
    return 0;
}

static int close_s3(void **state)
{
    close_site(state);
    auth_free(s3_auth);
    return 0;
}

/* ---- a client, with a signer of its own ---- */

struct signer {
    struct arena *arena;
    struct str service;
    struct str date, scope;     /* 20260131/us-east-1/s3/aws4_request */
    struct str signature;
};

static struct signer signer_for(const char *service, int64_t now_ms)
{
    struct signer s = {.arena = arena_new(), .service = str_of(service)};
    s.date = clock_sigv4(s.arena, now_ms);
    s.scope = arena_printf(s.arena, STR_FMT "/us-east-1/%s/aws4_request", 8, s.date.p, service);
    return s;
}

static struct signer signer_at(int64_t now_ms)
{
    return signer_for("s3", now_ms);
}

static void sign_canonical(struct signer *s, struct str canonical)
{
    struct str text = arena_printf(s->arena, "AWS4-HMAC-SHA256\n" STR_FMT "\n" STR_FMT "\n" STR_FMT, STR_ARG(s->date), STR_ARG(s->scope),
                                   STR_ARG(sha256_hex(s->arena, canonical)));
    const struct str steps[] = {str_slice(s->date, 0, 8), STR("us-east-1"), s->service, STR("aws4_request"), text};
    struct str by = STR("AWS4" SECRET);
    uint8_t mac[SHA256_BYTES];
    for (size_t i = 0; i < COUNT_OF(steps); i++) {
        hmac_sha256(by, steps[i], mac);
        by = (struct str){(const char *)mac, sizeof mac};
    }
    char *hex = arena_alloc(s->arena, 2 * SHA256_BYTES);
    hex_put(hex, mac, sizeof mac);
    s->signature = (struct str){hex, 2 * SHA256_BYTES};
}

/* The headers of a signed POST that says its body is `payload`, and has signed `hashed`. */
static const char *headers_signing(struct signer *s, const char *path, const char *payload, const char *hashed)
{
    sign_canonical(s, arena_printf(s->arena, "POST\n%s\n\nhost:x\nx-amz-content-sha256:%s\nx-amz-date:" STR_FMT
                                             "\n\nhost;x-amz-content-sha256;x-amz-date\n%s", path, payload, STR_ARG(s->date), hashed));
    return arena_cstr(s->arena, arena_printf(s->arena, "x-amz-content-sha256: %s\r\nx-amz-date: " STR_FMT "\r\nAuthorization: AWS4-HMAC-SHA256 "
                                             "Credential=AKIDEXAMPLE/" STR_FMT ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature="
                                             STR_FMT "\r\n", payload, STR_ARG(s->date), STR_ARG(s->scope), STR_ARG(s->signature)));
}

static const char *signed_headers(struct signer *s, const char *path, const char *payload)
{
    return headers_signing(s, path, payload, payload);
}

static const char *presigned_target(struct signer *s, const char *path, const char *seconds, const char *payload)
{
    struct str day = str_slice(s->date, 0, 8);
    bool said = strcmp(payload, "UNSIGNED-PAYLOAD") != 0;
    struct str query = arena_printf(s->arena, "X-Amz-Algorithm=AWS4-HMAC-SHA256%s%s&X-Amz-Credential=AKIDEXAMPLE%%2F" STR_FMT
                                    "%%2Fus-east-1%%2Fs3%%2Faws4_request&X-Amz-Date=" STR_FMT "&X-Amz-Expires=%s&X-Amz-SignedHeaders=host",
                                    said ? "&X-Amz-Content-Sha256=" : "", said ? payload : "", STR_ARG(day), STR_ARG(s->date), seconds);
    sign_canonical(s, arena_printf(s->arena, "POST\n%s\n" STR_FMT "\nhost:x\n\nhost\n%s", path, STR_ARG(query), payload));
    return arena_cstr(s->arena, arena_printf(s->arena, "%s?" STR_FMT "&X-Amz-Signature=" STR_FMT, path, STR_ARG(query), STR_ARG(s->signature)));
}

static void post(const char *target, const char *headers, const char *body)
{
    exchange("POST", target, headers, body);
}

#define ROOT " bytes of arn:aws:iam::000000000000:root"

/* ---- tests ---- */

static void hashes_are_compared(void **state)
{
    (void)state;
    struct signer s = signer_at(clock_epoch_ms());
    const char *hash = arena_cstr(s.arena, sha256_hex(s.arena, STR("hello")));
    post(STREAMED, signed_headers(&s, STREAMED, hash), "hello");
    assert_has("5" ROOT);
    post(STREAMED, signed_headers(&s, STREAMED, hash), "jello");
    assert_has("XAmzContentSHA256Mismatch");
    post(STREAMED, signed_headers(&s, STREAMED, EMPTY_SHA256), "");
    assert_has("0" ROOT);
    post(GATHERED, signed_headers(&s, GATHERED, hash), "hello");
    assert_has("HTTP/1.1 202 ");
    assert_int_equal(gathered_bytes, 5);
    post(GATHERED, signed_headers(&s, GATHERED, hash), "jello");
    assert_has("HTTP/1.1 400 ");
    assert_has("XAmzContentSHA256Mismatch");
    assert_has("The provided 'x-amz-content-sha256' header does not match what was computed.");
    post(GATHERED, signed_headers(&s, GATHERED, "nonsense"), "hello");
    assert_has("InvalidArgument");
    arena_free(s.arena);
}

static void bodies_need_not_be_signed(void **state)
{
    (void)state;
    struct signer s = signer_at(clock_epoch_ms());
    const char *const targets[] = {STREAMED, GATHERED}, *const bodies[] = {"hello", ""};
    for (size_t t = 0; t < COUNT_OF(targets); t++)
        for (size_t b = 0; b < COUNT_OF(bodies); b++) {
            post(targets[t], signed_headers(&s, targets[t], "UNSIGNED-PAYLOAD"), bodies[b]);
            assert_has(t ? b ? "Value null at 'invokeArgs'" : "HTTP/1.1 202 " : b ? "0" ROOT : "5" ROOT);
        }
    const char *headers = signed_headers(&s, STREAMED, "UNSIGNED-PAYLOAD");
    post(STREAMED, arena_cstr(s.arena, arena_printf(s.arena, "x-amz-acl: public\r\n%s", headers)), "hello");
    assert_has("'x-amz-acl' must be a 'SignedHeader' in the AWS Authorization.");
    arena_free(s.arena);
}

/* Each chunk's signature over the one before, by the chain that the client's signature begins. */
static void chunks_are_signed(void **state)
{
    (void)state;
    static const char *const chunks[] = {"hello ", "world", ""};
    const char *const targets[] = {STREAMED, GATHERED, STREAMED}, *const services[] = {"s3", "s3", "other"};
    for (size_t t = 0; t < COUNT_OF(targets); t++) {
        struct signer s = signer_for(services[t], clock_epoch_ms());
        const char *headers = signed_headers(&s, targets[t], "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
        headers = arena_cstr(s.arena, arena_printf(s.arena, "%sx-amz-decoded-content-length: 11\r\n", headers));
        post(targets[t], headers, "");
        if (t < 2)
            assert_has("'x-amz-decoded-content-length' must be a 'SignedHeader'");
        arena_free(s.arena);
        s = signer_for(services[t], clock_epoch_ms());
        sign_canonical(&s, arena_printf(s.arena, "POST\n%s\n\nhost:x\nx-amz-content-sha256:STREAMING-AWS4-HMAC-SHA256-PAYLOAD\nx-amz-date:" STR_FMT
                                        "\nx-amz-decoded-content-length:11\n\nhost;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length\n"
                                        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", targets[t], STR_ARG(s.date)));
        headers = arena_cstr(s.arena, arena_printf(s.arena, "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nx-amz-date: " STR_FMT
                             "\r\nx-amz-decoded-content-length: 11\r\nAuthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/" STR_FMT
                             ", SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length, Signature=" STR_FMT "\r\n",
                             STR_ARG(s.date), STR_ARG(s.scope), STR_ARG(s.signature)));
        struct sigv4 spans = {.amz_date = s.date, .signature = s.signature};
        struct str rest = s.scope;
        spans.date = str_cut(&rest, '/');
        spans.region = str_cut(&rest, '/');
        spans.service = str_cut(&rest, '/');
        struct sigv4_chain *chain = sigv4_chain_of(&spans, STR(SECRET), s.arena);
        struct buf body;
        buf_init(&body, s.arena, 4096);
        for (size_t i = 0; i < COUNT_OF(chunks); i++) {
            uint8_t digest[SHA256_BYTES];
            char signature[2 * SHA256_BYTES];
            sha256(str_of(chunks[i]), digest);
            sigv4_chain_chunk(chain, digest, signature);
            buf_printf(&body, "%zx;chunk-signature=%.*s\r\n%s\r\n", strlen(chunks[i]), (int)sizeof signature, signature, chunks[i]);
        }
        char *text = (char *)(uintptr_t)arena_cstr(s.arena, buf_str(&body));
        post(targets[t], headers, text);
        assert_has(t == 1 ? "HTTP/1.1 202 " : "11" ROOT);
        *strstr(text, "world") = 'W';
        post(targets[t], headers, text);
        assert_has("HTTP/1.1 403 ");
        assert_has(t < 2 ? "SignatureDoesNotMatch" : "InvalidSignatureException");
        assert_has(SERVICE_MESSAGE_MISMATCH);
        arena_free(s.arena);
    }
}

static void presigned_urls_end(void **state)
{
    (void)state;
    struct signer s = signer_at(clock_epoch_ms());
    post(presigned_target(&s, STREAMED, "60", "UNSIGNED-PAYLOAD"), "", "hello");
    assert_has("5" ROOT);
    post(presigned_target(&s, GATHERED, "60", "UNSIGNED-PAYLOAD"), "", "hello");
    assert_has("HTTP/1.1 202 ");
    const char *hash = arena_cstr(s.arena, sha256_hex(s.arena, STR("hello")));
    post(presigned_target(&s, STREAMED, "60", hash), "", "hello");
    assert_has("5" ROOT);
    post(presigned_target(&s, STREAMED, "60", hash), "", "jello");
    assert_has("XAmzContentSHA256Mismatch");
    post(presigned_target(&s, GATHERED, "60", hash), "", "jello");
    assert_has("XAmzContentSHA256Mismatch");
    post(presigned_target(&s, STREAMED, "604801", "UNSIGNED-PAYLOAD"), "", "hello");
    assert_has("AuthorizationQueryParametersError");
    arena_free(s.arena);
    s = signer_at(clock_epoch_ms() - 3600 * 1000);
    post(presigned_target(&s, STREAMED, "7200", "UNSIGNED-PAYLOAD"), "", "hello");
    assert_has("5" ROOT);
    post(presigned_target(&s, STREAMED, "60", "UNSIGNED-PAYLOAD"), "", "hello");
    assert_has("HTTP/1.1 403 ");
    assert_has("Request has expired");
    arena_free(s.arena);
}

static void nobody_in_particular_needs_a_policy(void **state)
{
    (void)state;
    post(STREAMED, "x-policy: *\r\n", "hello");
    assert_has("5 bytes of anonymous");
    post(STREAMED, "x-policy: 000000000000\r\n", "hello");
    assert_has("User: anonymous is not authorized to perform: s3:PutObject");
    post(STREAMED, "", "hello");
    assert_has("because no resource-based policy allows the s3:PutObject action");
    post(STREAMED, "x-policy: *\r\nx-amz-content-sha256: " EMPTY_SHA256 "\r\n", "hello");
    assert_has("XAmzContentSHA256Mismatch");
    post(GATHERED, "x-policy: *\r\n", "hello");
    assert_has("MissingAuthenticationToken");
}

/* Elsewhere the body is hashed, whatever the header says: one on its way is what its signed hash says, or it is empty. */
static void other_services_sign_their_bodies(void **state)
{
    (void)state;
    struct signer s = signer_for("other", clock_epoch_ms());
    const char *hash = arena_cstr(s.arena, sha256_hex(s.arena, STR("hello")));
    const char *const targets[] = {STREAMED, GATHERED};
    for (size_t t = 0; t < COUNT_OF(targets); t++) {
        post(targets[t], signed_headers(&s, targets[t], hash), "hello");
        assert_has(t ? "HTTP/1.1 202 " : "5" ROOT);
        post(targets[t], signed_headers(&s, targets[t], hash), "jello");
        assert_has("InvalidSignatureException");
        post(targets[t], signed_headers(&s, targets[t], "UNSIGNED-PAYLOAD"), "hello");
        assert_has("InvalidSignatureException");
        post(targets[t], headers_signing(&s, targets[t], "UNSIGNED-PAYLOAD", EMPTY_SHA256), "hello");
        assert_has("InvalidSignatureException");
    }
    post(STREAMED, headers_signing(&s, STREAMED, "UNSIGNED-PAYLOAD", EMPTY_SHA256), "");
    assert_has("0" ROOT);
    post(GATHERED, headers_signing(&s, GATHERED, "UNSIGNED-PAYLOAD", hash), "hello");
    assert_has("HTTP/1.1 202 ");
    arena_free(s.arena);
}

static const char *in_gzip(struct signer *s, const char *headers)
{
    return arena_printf(s->arena, "Content-Encoding: gzip\r\n%s", headers).p;
}

/* What cannot be taken off as it passes is refused by name; where the model knows no such thing it is the client's own. */
static void gzip_is_not_ignored(void **state)
{
    (void)state;
    struct signer s = signer_for("other", clock_epoch_ms()), s3_signer = signer_at(clock_epoch_ms());
    const char *hash = arena_cstr(s.arena, sha256_hex(s.arena, STR("hello")));
    post(STREAMED, in_gzip(&s, signed_headers(&s, STREAMED, hash)), "hello");
    assert_has("HTTP/1.1 501 ");
    assert_has("Cloudless does not implement the Content-Encoding gzip of lambda:Invoke.");
    post(STREAMED, in_gzip(&s3_signer, signed_headers(&s3_signer, STREAMED, hash)), "hello");
    assert_has("5" ROOT);
    arena_free(s.arena);
    arena_free(s3_signer.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hashes_are_compared),
        cmocka_unit_test(bodies_need_not_be_signed),
        cmocka_unit_test(chunks_are_signed),
        cmocka_unit_test(presigned_urls_end),
        cmocka_unit_test(nobody_in_particular_needs_a_policy),
        cmocka_unit_test(other_services_sign_their_bodies),
        cmocka_unit_test(gzip_is_not_ignored),
    };
    return cmocka_run_group_tests(tests, open_s3, close_s3);
}

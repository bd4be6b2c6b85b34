/* sigv4_test.c -- botocore's signatures (tests/corpus/sigv4/vectors.json), examples that AWS publishes, and refusals. */
#include "auth/sigv4.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/json.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "../base/files.h"

#define SECRET STR("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
#define HASH "4b6b7a1d64f1b8c483707a58c8f49563057f8417c7327920a0232567d747b60a"

static struct http_request make_request(struct arena *arena, struct str method, struct str target, struct str body, size_t headers)
{
    struct http_request request = {.arena = arena, .method = method, .target = target, .body = body};

    request.query = target;
    request.path = str_cut(&request.query, '?');
    request.headers = arena_array(arena, struct http_header, headers + 1);
    return request;
}

static void add_header(struct http_request *request, const char *name, const char *value)
{
    request->headers[request->header_count++] = (struct http_header){str_of(name), str_trim(str_of(value))};
}

static enum sigv4_status check_by(const struct sigv4_rules *rules, struct sigv4_cache *cache, struct http_request *request, struct sigv4 *sig,
                                  int64_t now_ms)
{
    enum sigv4_status status = sigv4_parse(request, rules, request->arena, sig);
    uint8_t digest[SHA256_BYTES];

    if (status == SIGV4_OK)
        status = sigv4_digest(request, sig, now_ms, request->arena, digest);
    if (status == SIGV4_OK)
        status = sigv4_check(cache, sig, SECRET, digest, request->arena);
    if (status == SIGV4_OK)
        status = sigv4_body(sig, request->body);
    return status;
}

static enum sigv4_status parse_and_check(struct sigv4_cache *cache, struct http_request *request, struct sigv4 *sig, int64_t now_ms, bool s3)
{
    const struct sigv4_rules rules = {.s3 = s3};

    return check_by(&rules, cache, request, sig, now_ms);
}

static const struct sigv4_rules usual = {.service = NULL};

static void test_botocore(void **state)
{
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    struct json *file = NULL;
    int64_t now;
    size_t count = 0;

    (void)state;
    assert_int_equal(json_parse(files_read("tests/corpus/sigv4/vectors.json", arena), arena, &file), ERR_OK);
    assert_true(clock_parse(json_str(file, "time"), &now));
    for JSON_EACH (v, json_at(file, "vectors")) {
        struct http_request request =
            make_request(arena, json_str(v, "method"), json_str(v, "target"), json_str(v, "body"), json_at(v, "headers")->count);
        struct sigv4 sig;
        for JSON_EACH (header, json_at(v, "headers"))
            request.headers[request.header_count++] =
                (struct http_header){header->first->text, str_trim(header->first->next->text)};
        enum sigv4_status status = parse_and_check(cache, &request, &sig, now, json_bool(v, "s3", false));
        if (status != SIGV4_OK)
            print_error("%.*s: %.*s\n", STR_ARG(json_str(v, "name")), STR_ARG(sig.message));
        assert_int_equal(status, SIGV4_OK);
        assert_true(str_eq(sig.service, json_str(v, "service")));
        request.body = STR("tampered");
        bool s3 = json_bool(v, "s3", false);
        assert_int_equal(parse_and_check(cache, &request, &sig, now, s3), s3 ? SIGV4_BODY_MISMATCH : SIGV4_MISMATCH);
        count++;
    }
    assert_true(count >= 24);
    sigv4_cache_free(cache);
    arena_free(arena);
}

/* Test vectors that AWS published with Signature Version 4 (aws-sig-v4-test-suite) and in the IAM user guide's example. */
static const struct {
    const char *method, *target, *signed_headers, *service, *signature, *body, *header[3][2];
} published[] = {
    {"GET", "/", "host;x-amz-date", "service", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", "", {{NULL, NULL}}},
    {"POST", "/", "host;x-amz-date", "service", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", "", {{NULL, NULL}}},
    {"GET", "/?Param2=value2&Param1=value1", "host;x-amz-date", "service",
     "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", "", {{NULL, NULL}}},
    {"POST", "/", "content-type;host;x-amz-date", "service", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
     "Param1=value1", {{"Content-Type", "application/x-www-form-urlencoded"}}},
    {"GET", "/", "host;my-header1;my-header2;x-amz-date", "service", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
     "", {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}}},
    {"GET", "/\xe1\x88\xb4", "host;x-amz-date", "service", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85", "",
     {{NULL, NULL}}},
    {"GET", "/?Action=ListUsers&Version=2010-05-08", "content-type;host;x-amz-date", "iam",
     "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7", "",
     {{"Content-Type", "application/x-www-form-urlencoded; charset=utf-8"}}},
};

static void test_published(void **state)
{
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    int64_t now;

    (void)state;
    assert_true(clock_parse(STR("20150830T123600Z"), &now));
    for (size_t i = 0; i < COUNT_OF(published); i++) {
        struct http_request request =
            make_request(arena, str_of(published[i].method), str_of(published[i].target), str_of(published[i].body), 8);
        struct sigv4 sig;
        bool iam = strcmp(published[i].service, "iam") == 0;
        struct str authorization =
            arena_printf(arena, "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
                         published[i].service, published[i].signed_headers, published[i].signature);
        add_header(&request, "Host", iam ? "iam.amazonaws.com" : "example.amazonaws.com");
        add_header(&request, "X-Amz-Date", "20150830T123600Z");
        for (size_t k = 0; k < 3 && published[i].header[k][0]; k++)
            add_header(&request, published[i].header[k][0], published[i].header[k][1]);
        add_header(&request, "Authorization", authorization.p);
        enum sigv4_status status = parse_and_check(cache, &request, &sig, now, false);
        if (status != SIGV4_OK)
            print_error("published[%zu]: %.*s\n", i, STR_ARG(sig.message));
        assert_int_equal(status, SIGV4_OK);
    }
    sigv4_cache_free(cache);
    arena_free(arena);
}

#define CREDENTIAL "Credential=AKIDEXAMPLE/20260131/us-east-1/dynamodb/aws4_request"
static const struct {
    const char *authorization, *date;
    enum sigv4_status status;
    const char *message;
} refusals[] = {
    {NULL, "20260131T090507Z", SIGV4_MISSING, ""},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date", "20260131T090507Z", SIGV4_INCOMPLETE,
     "Authorization header requires 'Signature' parameter. (Hashed with SHA-256"},
    {"AWS4-HMAC-SHA256 x=y", NULL, SIGV4_INCOMPLETE,
     "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. "
     "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or "
     "a 'Date' header. "},
    {"Bearer abc", "20260131T090507Z", SIGV4_INCOMPLETE, "Invalid key=value pair (missing equal-sign) in Authorization header"},
    {"AWS4-HMAC-SHA256 Credential=a/b, SignedHeaders=host, Signature=" HASH, "20260131T090507Z", SIGV4_INCOMPLETE,
     "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'a/b'"},
    {"AWS4-HMAC-SHA256 Credential=A/20260131/us-east-1/dynamodb/aws3, SignedHeaders=host, Signature=" HASH, "20260131T090507Z",
     SIGV4_BAD_SCOPE, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws3'."},
    {"AWS4-HMAC-SHA256 Credential=A/20260131/US EAST/dynamodb/aws4_request, SignedHeaders=host, Signature=" HASH, "20260131T090507Z",
     SIGV4_BAD_SCOPE, "Credential should be scoped to a valid region. "},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HASH, "20260201T090507Z", SIGV4_BAD_SCOPE,
     "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20260131' != '20260201', from "
     "'20260201T090507Z'."},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HASH, "yesterday", SIGV4_INCOMPLETE,
     "Date must be in ISO-8601 'basic format'. Got 'yesterday'."},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=x-amz-date, Signature=" HASH, "20260131T090507Z", SIGV4_INCOMPLETE,
     "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host, Signature=" HASH, "20260131T090507Z", SIGV4_INCOMPLETE,
     "'X-Amz-Date' must be a 'SignedHeader' in the AWS Authorization."},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HASH, "20260131T085006Z", SIGV4_EXPIRED,
     "Signature expired: 20260131T085006Z is now earlier than 20260131T085007Z (20260131T090507Z - 15 min.)"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HASH, "20260131T092008Z", SIGV4_EXPIRED,
     "Signature not yet current: 20260131T092008Z is still later than 20260131T092007Z (20260131T090507Z + 15 min.)"},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HASH, "20260131T090507Z", SIGV4_MISMATCH,
     "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing "
     "method. Consult the service documentation for details."},
    {"AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;host;x-amz-date, Signature=" HASH, "20260131T090507Z", SIGV4_MISMATCH, "The"},
    {"AWS4-ECDSA-P256-SHA256 Credential=A/20260131/dynamodb/aws4_request, SignedHeaders=host, Signature=0", "20260131T090507Z",
     SIGV4_UNSUPPORTED, "Signature Version 4A"},
    {"AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo==", NULL, SIGV4_UNSUPPORTED, "Only Signature Version 4"},
};

static void test_refusals(void **state)
{
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    int64_t now;

    (void)state;
    assert_true(clock_parse(STR("20260131T090507Z"), &now));
    for (size_t i = 0; i < COUNT_OF(refusals); i++) {
        struct http_request request = make_request(arena, STR("POST"), STR("/"), STR("{}"), 4);
        struct sigv4 sig;
        add_header(&request, "host", "localhost");
        if (refusals[i].date)
            add_header(&request, "X-Amz-Date", refusals[i].date);
        if (refusals[i].authorization)
            add_header(&request, "authorization", refusals[i].authorization);
        enum sigv4_status status = parse_and_check(cache, &request, &sig, now, false);
        if (status != refusals[i].status || !str_starts(sig.message, str_of(refusals[i].message)))
            print_error("refusals[%zu]: %d %.*s\n", i, status, STR_ARG(sig.message));
        assert_int_equal(status, refusals[i].status);
        assert_true(str_starts(sig.message, str_of(refusals[i].message)));
    }
    sigv4_cache_free(cache);
    arena_free(arena);
}

/* A service that takes five minutes says five. */
static void test_skew(void **state)
{
    static const struct sigv4_rules five = {.skew_minutes = 5};
    static const struct {
        const char *date;
        enum sigv4_status status;
        const char *message;
    } cases[] = {
        {"20260131T090007Z", SIGV4_MISMATCH, "The request signature"},
        {"20260131T091007Z", SIGV4_MISMATCH, "The request signature"},
        {"20260131T090006Z", SIGV4_EXPIRED,
         "Signature expired: 20260131T090006Z is now earlier than 20260131T090007Z (20260131T090507Z - 5 min.)"},
        {"20260131T091008Z", SIGV4_EXPIRED,
         "Signature not yet current: 20260131T091008Z is still later than 20260131T091007Z (20260131T090507Z + 5 min.)"},
    };
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    int64_t now;

    (void)state;
    assert_true(clock_parse(STR("20260131T090507Z"), &now));
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct http_request request = make_request(arena, STR("POST"), STR("/"), STR("{}"), 4);
        struct sigv4 sig;
        add_header(&request, "host", "localhost");
        add_header(&request, "X-Amz-Date", cases[i].date);
        add_header(&request, "authorization", "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-date, Signature=" HASH);
        assert_int_equal(check_by(&five, cache, &request, &sig, now), cases[i].status);
        assert_true(str_starts(sig.message, str_of(cases[i].message)));
    }
    sigv4_cache_free(cache);
    arena_free(arena);
}

/* ---- presigned ---- */

static struct http_request presigned_request(struct arena *arena, const struct json *v)
{
    struct http_request request =
        make_request(arena, json_str(v, "method"), arena_dup(arena, json_str(v, "target")), STR(""), json_at(v, "headers")->count + 1);

    for JSON_EACH (header, json_at(v, "headers"))
        request.headers[request.header_count++] = (struct http_header){header->first->text, header->first->next->text};
    return request;
}

/* Every byte that a signer wrote counts: one changed, and it is another signature, or none. */
static void assert_bytes_count(struct sigv4_cache *cache, const struct sigv4_rules *rules, struct http_request *request, int64_t now)
{
    char *target = (char *)(uintptr_t)request->target.p;

    for (size_t i = 1; i < request->target.n; i++) {
        struct http_request changed = *request;
        char before = target[i];
        struct sigv4 sig;
        target[i] = before == 'Z' ? 'Y' : 'Z';
        changed.query = changed.target;
        changed.path = str_cut(&changed.query, '?');
        if (check_by(rules, cache, &changed, &sig, now) == SIGV4_OK)
            fail_msg("byte %zu of %.*s", i, STR_ARG(request->target));
        target[i] = before;
    }
}

static void test_presigned(void **state)
{
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    struct json *file = NULL;
    size_t count = 0;
    int64_t now;

    (void)state;
    assert_int_equal(json_parse(files_read("tests/corpus/sigv4/vectors.json", arena), arena, &file), ERR_OK);
    assert_true(clock_parse(json_str(file, "time"), &now));
    for JSON_EACH (v, json_at(file, "presigned")) {
        struct str service = json_str(v, "service");
        const struct sigv4_rules rules = {.service = arena_printf(arena, STR_FMT, STR_ARG(service)).p, .s3 = json_bool(v, "s3", false)};
        struct http_request request = presigned_request(arena, v);
        struct sigv4 sig;
        enum sigv4_status status = check_by(&rules, cache, &request, &sig, now);
        if (status != SIGV4_OK)
            print_error("%.*s: %.*s\n", STR_ARG(json_str(v, "name")), STR_ARG(sig.message));
        assert_int_equal(status, SIGV4_OK);
        assert_true(sig.in_query && str_eq(sig.access_key_id, STR("AKIDEXAMPLE")) && str_eq(sig.region, STR("us-east-1")));
        assert_true(sig.security_token.n == 0 || str_eq(sig.security_token, STR("token/with+signs==")));
        assert_bytes_count(cache, &rules, &request, now);
        int64_t last = rules.s3 ? now + json_i64(v, "seconds", 0) * 1000 : now + SIGV4_SKEW_MINUTES * 60 * 1000;
        assert_int_equal(check_by(&rules, cache, &request, &sig, last), SIGV4_OK);
        assert_int_equal(check_by(&rules, cache, &request, &sig, last + 1), rules.s3 ? SIGV4_URL_EXPIRED : SIGV4_EXPIRED);
        request.body = STR("not signed");
        assert_int_equal(check_by(&rules, cache, &request, &sig, now), rules.s3 ? SIGV4_OK : SIGV4_MISMATCH);
        count++;
    }
    assert_true(count >= 8);
    sigv4_cache_free(cache);
    arena_free(arena);
}

/* The order of parameters and how they are escaped is the sender's. */
static void test_presigned_otherwise_written(void **state)
{
    static const char *const targets[] = {
        "/?X-Amz-Signature=SIGNATURE&X-Amz-SignedHeaders=host&X-Amz-Expires=60&X-Amz-Date=20260131T090507Z&Version=2011-06-15&"
        "X-Amz-Credential=AKIDEXAMPLE/20260131/us-east-1/sts/aws4_request&X-Amz-Algorithm=AWS4-HMAC-SHA256&Action=GetCallerIdentity",
        "/?%58-Amz-Signature=SIGNATURE&X%2DAmz-SignedHeaders=hos%74&X-Amz-Expires=%360&X-Amz-Date=20260131T090507Z&Version=2011-06-15&"
        "X-Amz-Credential=AKIDEXAMPLE%2f20260131/us-east-1/sts/aws4_request&&X-Amz-Algorithm=AWS4-HMAC-SHA256&Action=GetCallerIdentity&",
    };
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    int64_t now;

    (void)state;
    assert_true(clock_parse(STR("20260131T090507Z"), &now));
    for (size_t i = 0; i < COUNT_OF(targets); i++) {
        const char *at = strstr(targets[i], "SIGNATURE");
        struct str target =
            arena_printf(arena, "%.*s%s%s", (int)(at - targets[i]), targets[i],
                         "59f753e5808c4a22e1faeed2cfbbe2d63a32854096735197f982a119df2edbb0", at + strlen("SIGNATURE"));
        struct http_request request = make_request(arena, STR("GET"), target, STR(""), 1);
        struct sigv4 sig;
        add_header(&request, "host", "localhost:4566");
        assert_int_equal(check_by(&usual, cache, &request, &sig, now), SIGV4_OK);
    }
    sigv4_cache_free(cache);
    arena_free(arena);
}

static enum sigv4_status status_named(struct str name)
{
    static const char *const names[] = {"OK",         "MISSING",     "INCOMPLETE", "BAD_SCOPE",   "EXPIRED",      "MISMATCH",
                                        "UNSUPPORTED", "BAD_QUERY", "URL_EXPIRED", "BAD_ARGUMENT", "BODY_MISMATCH"};

    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(name, str_of(names[i])))
            return (enum sigv4_status)i;
    fail_msg("no status %.*s", STR_ARG(name));
    return SIGV4_OK;
}

static struct str query_of_case(struct arena *arena, const struct json *base, const struct json *row, const char *service)
{
    struct buf text;

    buf_init(&text, arena, 65536);
    for JSON_EACH (pair, base) {
        const struct json *set = json_get(json_at(row, "set"), pair->first->text);
        struct str value = set ? set->text : pair->first->next->text;
        bool dropped = false;
        for JSON_EACH (drop, json_at(row, "drop"))
            dropped |= str_eq(drop->text, pair->first->text);
        if (dropped)
            continue;
        const char *place = memmem(value.p, value.n, "SERVICE", 7);
        size_t before = place ? (size_t)(place - value.p) : value.n;
        buf_printf(&text, "%s" STR_FMT "=" STR_FMT "%s" STR_FMT, text.n ? "&" : "", STR_ARG(pair->first->text),
                   STR_ARG(str_slice(value, 0, before)), place ? service : "", STR_ARG(str_slice(value, before + 7, value.n)));
    }
    buf_add(&text, json_str(row, "append"));
    return buf_str(&text);
}

static void test_query_refusals(void **state)
{
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    struct json *file = NULL;
    int64_t now;

    (void)state;
    assert_int_equal(json_parse(files_read("tests/corpus/sigv4/queries.json", arena), arena, &file), ERR_OK);
    assert_true(clock_parse(STR("20260131T090507Z"), &now));
    for JSON_EACH (row, json_at(file, "cases")) {
        bool s3 = json_bool(row, "s3", false);
        const struct sigv4_rules rules = {.service = s3 ? "s3" : "sts", .s3 = s3};
        struct http_request request = make_request(arena, STR("GET"), STR("/"), STR(""), 4);
        struct sigv4 sig;
        request.query = query_of_case(arena, json_at(file, "base"), row, rules.service);
        add_header(&request, "host", "localhost");
        for JSON_EACH (header, json_at(row, "headers"))
            request.headers[request.header_count++] = (struct http_header){header->key, header->text};
        enum sigv4_status status = check_by(&rules, cache, &request, &sig, now);
        if (status != status_named(json_str(row, "status")) || !str_starts(sig.message, json_str(row, "message")))
            fail_msg("%.*s: %d %.*s", STR_ARG(json_str(row, "name")), status, STR_ARG(sig.message));
    }
    sigv4_cache_free(cache);
    arena_free(arena);
}

/* ---- what stands for the body ---- */

static enum sigv4_payload payload_seen(const struct sigv4_rules *rules, const char *header, bool *ret_stands, bool *ret_chain)
{
    struct arena *arena = arena_new();
    struct http_request request = make_request(arena, STR("PUT"), STR("/"), STR("body"), 4);
    struct sigv4 sig;

    add_header(&request, "Host", "localhost");
    add_header(&request, "X-Amz-Date", "20260131T090507Z");
    add_header(&request, "X-Amz-Content-Sha256", header);
    add_header(&request, "Authorization", "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" HASH);
    assert_int_equal(sigv4_parse(&request, rules, arena, &sig), SIGV4_OK);
    enum sigv4_payload kind = sig.payload_kind;
    *ret_stands = sig.payload.n > 0;
    *ret_chain = sig.chain != NULL;
    arena_free(arena);
    return kind;
}

static void test_what_stands_for_a_body(void **state)
{
    static const char *const headers[] = {HASH, "UNSIGNED-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
                                          "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"};
    static const struct {
        struct sigv4_rules rules;
        bool stands[5];
    } rows[] = {
        {{.service = NULL}, {false, false, false, false, false}},
        {{.body_unsigned = true}, {false, true, true, true, true}},
        {{.body_later = true}, {true, false, true, true, false}},
        {{.s3 = true}, {true, true, true, true, true}},
    };

    (void)state;
    for (size_t r = 0; r < COUNT_OF(rows); r++)
        for (size_t h = 0; h < COUNT_OF(headers); h++) {
            bool stands, chain;
            enum sigv4_payload kind = payload_seen(&rows[r].rules, headers[h], &stands, &chain);
            assert_int_equal(stands, rows[r].stands[h]);
            assert_int_equal(kind, stands ? h : SIGV4_PAYLOAD_HASHED);
            assert_int_equal(chain, stands && (h == 2 || h == 3));
        }
}

/* S3's way needs the header, and knows what it may say. */
static void test_s3_payload_refusals(void **state)
{
    static const struct {
        const char *header, *message;
        enum sigv4_status status;
    } rows[] = {
        {NULL, "Missing required header for this request: x-amz-content-sha256", SIGV4_BAD_ARGUMENT},
        {"abc", "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, ", SIGV4_BAD_ARGUMENT},
        {"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "Signature Version 4A", SIGV4_UNSUPPORTED},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct sigv4_rules rules = {.s3 = true};
        struct arena *arena = arena_new();
        struct http_request request = make_request(arena, STR("PUT"), STR("/"), STR(""), 4);
        struct sigv4 sig;
        add_header(&request, "Host", "localhost");
        add_header(&request, "X-Amz-Date", "20260131T090507Z");
        if (rows[i].header)
            add_header(&request, "X-Amz-Content-Sha256", rows[i].header);
        add_header(&request, "Authorization", "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature=" HASH);
        assert_int_equal(sigv4_parse(&request, &rules, arena, &sig), rows[i].status);
        assert_true(str_starts(sig.message, str_of(rows[i].message)));
        arena_free(arena);
    }
}

/* The header Date alone is enough when it is signed; it may stand in HTTP's form. */
static void test_date_header(void **state)
{
    struct arena *arena = arena_new();
    struct http_request request = make_request(arena, STR("GET"), STR("/"), STR(""), 4);
    struct sigv4 sig;

    (void)state;
    add_header(&request, "Host", "localhost");
    add_header(&request, "Date", "Sat, 31 Jan 2026 09:05:07 GMT");
    add_header(&request, "Authorization", "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=date;host, Signature=" HASH);
    assert_int_equal(sigv4_parse(&request, &usual, arena, &sig), SIGV4_OK);
    assert_true(str_eq(sig.amz_date, STR("20260131T090507Z")));
    arena_free(arena);
}

/* A signer sorts the names of lower-case letters and repeats none: a list that is otherwise signs nothing. */
static void test_signed_names(void **state)
{
    static const struct {
        const char *list;
        size_t count;
        bool sorted;
    } rows[] = {
        {"host", 1, true},          {"a;host", 2, true},   {"a;aa;b-c;host;x", 5, true}, {"host;", 1, false}, {"host;;", 2, false},
        {";host", 2, false},        {"host;a", 2, false},  {"host;host", 2, false},      {"a;;host", 3, false}, {"A;host", 2, false},
        {"host;x-Amz-a", 2, false}, {"a[;host", 2, true},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct arena *arena = arena_new();
        struct http_request request = make_request(arena, STR("GET"), STR("/"), STR(""), 4);
        struct sigv4 sig;
        add_header(&request, "Host", "localhost");
        add_header(&request, "Date", "Sat, 31 Jan 2026 09:05:07 GMT");
        add_header(&request, "Authorization",
                   arena_printf(arena, "AWS4-HMAC-SHA256 " CREDENTIAL ", SignedHeaders=%s, Signature=" HASH, rows[i].list).p);
        assert_int_equal(sigv4_parse(&request, &usual, arena, &sig), SIGV4_OK);
        assert_int_equal(sig.signed_count, rows[i].count);
        assert_int_equal(sig.signed_sorted, rows[i].sorted);
        arena_free(arena);
    }
}

/* The example of "Transferring payload in multiple chunks" in S3's API reference: the request's signature takes the place of the
 * body's hash by what x-amz-content-sha256 says, and begins the chain of the chunks'. */
static void test_chunks(void **state)
{
    static const char piece[] = "bf718b6f653bebc184e1479f1935b8da974d701b893afcf49e701f3e2f9f9c5a";    /* SHA-256 of 65536 times "a" */
    struct arena *arena = arena_new();
    struct sigv4_cache *cache = sigv4_cache_new(4);
    struct http_request request = make_request(arena, STR("PUT"), STR("/examplebucket/chunkObject.txt"), STR("whatever"), 8);
    struct str secret = STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY");
    uint8_t digest[SHA256_BYTES], chunk[SHA256_BYTES];
    char signature[2 * SHA256_BYTES + 1] = "";
    struct sigv4 sig;

    (void)state;
    add_header(&request, "Host", "s3.amazonaws.com");
    add_header(&request, "x-amz-date", "20130524T000000Z");
    add_header(&request, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    add_header(&request, "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    add_header(&request, "Content-Encoding", "aws-chunked");
    add_header(&request, "x-amz-decoded-content-length", "66560");
    add_header(&request, "Content-Length", "66824");
    add_header(&request, "Authorization",
               "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, SignedHeaders=content-encoding;"
               "content-length;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-length;x-amz-storage-class, "
               "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    const struct sigv4_rules s3 = {.service = "s3", .s3 = true}, unsigned_body = {.body_unsigned = true};
    assert_int_equal(sigv4_parse(&request, &s3, arena, &sig), SIGV4_OK);
    assert_int_equal(sig.payload_kind, SIGV4_PAYLOAD_CHUNKS);
    assert_non_null(sig.chain);
    assert_int_equal(sigv4_digest(&request, &sig, 1369353600000, arena, digest), SIGV4_OK);
    assert_int_equal(sigv4_check(cache, &sig, secret, digest, arena), SIGV4_OK);
    assert_true(hex_decode(STR(piece), chunk));
    sigv4_chain_chunk(sig.chain, chunk, signature);
    assert_string_equal(signature, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
    /* Only S3, and operations whose body need not be signed, take it. */
    assert_int_equal(sigv4_parse(&request, &usual, arena, &sig), SIGV4_OK);
    assert_int_equal(sigv4_digest(&request, &sig, 1369353600000, arena, digest), SIGV4_OK);
    assert_int_equal(sigv4_check(cache, &sig, secret, digest, arena), SIGV4_MISMATCH);
    assert_int_equal(sigv4_parse(&request, &unsigned_body, arena, &sig), SIGV4_OK);
    assert_int_equal(sigv4_digest(&request, &sig, 1369353600000, arena, digest), SIGV4_OK);
    assert_int_equal(sigv4_check(cache, &sig, secret, digest, arena), SIGV4_OK);
    sigv4_cache_free(cache);
    arena_free(arena);
}

static void test_payloads(void **state)
{
    (void)state;
    assert_int_equal(sigv4_payload(STR_NONE), SIGV4_PAYLOAD_HASHED);
    assert_int_equal(sigv4_payload(STR(HASH)), SIGV4_PAYLOAD_HASHED);
    assert_int_equal(sigv4_payload(STR("UNSIGNED-PAYLOAD")), SIGV4_PAYLOAD_UNSIGNED);
    assert_int_equal(sigv4_payload(STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")), SIGV4_PAYLOAD_CHUNKS_TRAILER);
    assert_int_equal(sigv4_payload(STR("STREAMING-UNSIGNED-PAYLOAD-TRAILER")), SIGV4_PAYLOAD_UNSIGNED_TRAILER);
    assert_int_equal(sigv4_payload(STR("STREAMING-AWS4-HMAC-SHA256-EVENTS")), SIGV4_PAYLOAD_HASHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_botocore),
        cmocka_unit_test(test_published),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_skew),
        cmocka_unit_test(test_presigned),
        cmocka_unit_test(test_presigned_otherwise_written),
        cmocka_unit_test(test_query_refusals),
        cmocka_unit_test(test_what_stands_for_a_body),
        cmocka_unit_test(test_s3_payload_refusals),
        cmocka_unit_test(test_date_header),
        cmocka_unit_test(test_signed_names),
        cmocka_unit_test(test_chunks),
        cmocka_unit_test(test_payloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

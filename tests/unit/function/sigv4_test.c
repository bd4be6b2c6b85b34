/* sigv4_test.c -- signatures against botocore's (sigv4_vectors.h), hashes against the RFCs' examples, endpoints' URLs. */
#include "walk.h"
#include "endpoint.h"
#include "sigv4.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* The C library's reads the time zone's file first: a cold start has no time for that. */
struct tm *gmtime_r(const time_t *time, struct tm *to)
{
    (void)time, (void)to;
    fail_msg("gmtime_r was called");
    return NULL;
}

struct vector {
    const char *time, *region, *service, *key_id, *secret, *method, *path, *query;
    struct cl__sign_header headers[CL__SIGV4_HEADERS_MAX];
    size_t header_count;
    cl_str body;
    const char *authorization;
};
#include "sigv4_vectors.h"

static cl_str sign(struct cl__signer *signer, const struct vector *v, char *to, size_t n)
{
    struct cl__sign_request request = {v->method, v->path, v->query, v->headers, v->header_count, v->body};
    cl_buf buf;
    cl__buf_fixed(&buf, to, n);
    cl__sigv4(signer, &request, v->time, &buf);
    return cl_buf_str(&buf);
}

static struct cl__signer signer_of(const struct vector *v)
{
    return (struct cl__signer){.key_id = cl_str_of(v->key_id),
                               .secret = cl_str_of(v->secret),
                               .region = cl_str_of(v->region),
                               .service = cl_str_of(v->service)};
}

static void test_botocore(void **state)
{
    (void)state;
    char text[1024];
    for (size_t i = 0; i < CL__COUNT(vectors); i++) {
        struct cl__signer signer = signer_of(&vectors[i]);
        assert_str(sign(&signer, &vectors[i], text, sizeof text), vectors[i].authorization);
        assert_str(sign(&signer, &vectors[i], text, sizeof text), vectors[i].authorization);
    }
}

/* The first three vectors are of one key, over two days: the kept key must be left behind at midnight, and come back. */
static void test_key_of_the_day(void **state)
{
    (void)state;
    char text[1024];
    struct cl__signer signer = signer_of(&vectors[0]);
    static const size_t order[] = {0, 1, 2, 1, 2, 0};
    for (size_t i = 0; i < CL__COUNT(order); i++) {
        assert_str(sign(&signer, &vectors[order[i]], text, sizeof text), vectors[order[i]].authorization);
        assert_memory_equal(signer.day, vectors[order[i]].time, 8);
    }
    /* The key is really kept: another secret has no effect on that day. */
    signer.secret = cl_str_of("other");
    assert_str(sign(&signer, &vectors[0], text, sizeof text), vectors[0].authorization);
}

static void test_does_not_fit(void **state)
{
    (void)state;
    char text[40];
    struct cl__signer signer = signer_of(&vectors[0]);
    assert_int_equal(sign(&signer, &vectors[0], text, sizeof text).n, 0);
}

static void test_time(void **state)
{
    (void)state;
    char text[CL__SIGV4_TIME_BYTES];
    cl__sigv4_time(0, text);
    assert_string_equal(text, "19700101T000000Z");
    cl__sigv4_time(1769850307999, text);
    assert_string_equal(text, "20260131T090507Z");
    cl__sigv4_time(INT64_MAX, text);
    assert_string_equal(text, "99991231T235959Z");
}

/* RFC 4231, test cases 1, 2, 3, 6; and FIPS 180-4's "abc". */
static void test_hashes(void **state)
{
    (void)state;
    char key_3[20], data_3[50], key_6[131];
    memset(key_3, 0xaa, sizeof key_3), memset(data_3, 0xdd, sizeof data_3), memset(key_6, 0xaa, sizeof key_6);
    const struct {
        cl_str key, data;
        const char *hex;
    } rows[] = {
        {CL_STR_LIT("\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"), CL_STR_LIT("Hi There"),
         "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {CL_STR_LIT("Jefe"), CL_STR_LIT("what do ya want for nothing?"),
         "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {{key_3, sizeof key_3}, {data_3, sizeof data_3}, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {{key_6, sizeof key_6},
         CL_STR_LIT("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"}};
    unsigned char hash[CL__SHA256_BYTES];
    char hex[CL__SHA256_HEX + 1];
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const cl_str pieces[] = {{rows[i].data.p, 3}, {NULL, 0}, {rows[i].data.p + 3, rows[i].data.n - 3}};
        cl__hmac_sha256(rows[i].key, pieces, 3, hash);
        cl__hex(hash, hex);
        assert_string_equal(hex, rows[i].hex);
    }
    cl_str abc = CL_STR_LIT("abc");
    cl__sha256(&abc, 1, hash);
    cl__hex(hash, hex);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(cl__same_bytes(hash, hash, sizeof hash));
    unsigned char other[CL__SHA256_BYTES];
    memcpy(other, hash, sizeof hash);
    other[31] ^= 1;
    assert_false(cl__same_bytes(hash, other, sizeof hash));
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *host, *port, *authority;
        bool tls;
    } good[] = {{"http://127.0.0.1:4566", "127.0.0.1", "4566", "127.0.0.1:4566", false},
                {"http://localhost/", "localhost", "80", "localhost", false},
                {"http://localhost:80/", "localhost", "80", "localhost", false},
                {"https://example.com", "example.com", "443", "example.com", true},
                {"https://example.com:80", "example.com", "80", "example.com:80", true},
                {"http://[::1]:8000", "::1", "8000", "[::1]:8000", false},
                {"https://[fe80::1]", "fe80::1", "443", "[fe80::1]", true}};
    static const char *const bad[] = {
        "",           "localhost",     "ftp://x",      "http://",        "http:///",         "http://:80",  "http://x:",
        "http://x:0", "http://x:00",   "http://x:080", "http://x:65536", "http://x:123456",  "http://x:8a", "http://x/path",
        "http://x?q", "http://x#f",    "http://u@x",   "http://u:p@x",   "http://[::1",      "http://[]",   "http://[x:]",
        "http://[1]", "http://[::1]x", "http://x y",   "http://x\r\ny",  "http://x\xc3\xa4", "HTTP://x"};
    struct cl__endpoint endpoint;
    cl_str message;
    for (size_t i = 0; i < CL__COUNT(good); i++) {
        assert_int_equal(cl__endpoint_parse("V", cl_str_of(good[i].url), &endpoint, &message), CL_OK);
        assert_string_equal(endpoint.host, good[i].host);
        assert_string_equal(endpoint.port, good[i].port);
        assert_string_equal(endpoint.authority, good[i].authority);
        assert_int_equal(endpoint.tls, good[i].tls);
    }
    for (size_t i = 0; i < CL__COUNT(bad); i++) {
        endpoint.port[0] = 'x';
        assert_int_equal(cl__endpoint_parse("V", cl_str_of(bad[i]), &endpoint, &message), CL_CONFIG);
        assert_int_equal(endpoint.port[0], 'x');
        assert_ptr_equal(strstr(message.p, "V: expected http://host[:port] or https://host[:port], not "), message.p);
    }
    /* The value is said, but no secret in it, and not what would end the line. */
    static const char *const said[][2] = {{"nonsense", "nonsense"},
                                          {"https://host/path?token=secret", "https://host/path"},
                                          {"host#secret", "host"},
                                          {"http://AKID:secret@host", "one with a user or password"},
                                          {"http://x\r\nsecret", "http://x"},
                                          {"http://x\xc3\xa4", "http://x\xc3\xa4"}};
    for (size_t i = 0; i < CL__COUNT(said); i++) {
        assert_int_equal(cl__endpoint_parse("V", cl_str_of(said[i][0]), &endpoint, &message), CL_CONFIG);
        assert_string_equal(strstr(message.p, ", not "), cl_printf(*state, ", not %s", said[i][1]).p);
    }
    char longest[300] = "http://";
    memset(longest + 7, 'a', CL__HOST_MAX);
    assert_int_equal(cl__endpoint_parse("V", cl_str_of(longest), &endpoint, &message), CL_OK);
    longest[7 + CL__HOST_MAX] = 'a';
    assert_int_equal(cl__endpoint_parse("V", cl_str_of(longest), &endpoint, &message), CL_CONFIG);
}

static void test_endpoints(void **state)
{
    (void)state;
    static const struct {
        const char *own, *shared, *region, *authority;
    } rows[] = {{"http://own:1", "http://shared:2", "us-east-1", "own:1"},
                {NULL, "http://shared:2", "us-east-1", "shared:2"},
                {"", "", "eu-central-1", "dynamodb.eu-central-1.amazonaws.com"},
                {NULL, NULL, "cn-north-1", "dynamodb.cn-north-1.amazonaws.com.cn"},
                {NULL, NULL, "us-gov-west-1", "dynamodb.us-gov-west-1.amazonaws.com"},
                {NULL, NULL, "Region", NULL},
                {NULL, NULL, "us-east-1/..", NULL},
                {NULL, NULL, "", NULL},
                {NULL, "nonsense", "us-east-1", NULL}};
    struct cl__endpoint endpoint;
    cl_str message;
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        unsetenv("AWS_ENDPOINT_URL_DYNAMODB"), unsetenv("AWS_ENDPOINT_URL");
        if (rows[i].own)
            setenv("AWS_ENDPOINT_URL_DYNAMODB", rows[i].own, 1);
        if (rows[i].shared)
            setenv("AWS_ENDPOINT_URL", rows[i].shared, 1);
        cl_result result = cl__endpoint_of("dynamodb", "DYNAMODB", cl_str_of(rows[i].region), &endpoint, &message);
        assert_int_equal(result, rows[i].authority ? CL_OK : CL_CONFIG);
        if (rows[i].authority)
            assert_string_equal(endpoint.authority, rows[i].authority);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_botocore),     cmocka_unit_test(test_key_of_the_day),
                                       cmocka_unit_test(test_does_not_fit), cmocka_unit_test(test_time),
                                       cmocka_unit_test(test_hashes),       cmocka_unit_test_setup_teardown(test_urls, arena_begin, arena_end),
                                       cmocka_unit_test(test_endpoints)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

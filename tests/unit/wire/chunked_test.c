/* chunked_test.c -- bodies in aws-chunked: the two examples of S3's API reference with their signatures, every way to cut them,
 * every byte of one changed, unsigned bodies with each checksum, and what is refused. */
#include "../base/unit.h"
#include "auth/sigv4.h"
#include "base/codec.h"
#include "wire/chunked.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define BODY_BYTES 66560
#define TRAILER "x-amz-checksum-crc32c:sOO8/Q=="

static struct sigv4_chain *chain_of(struct arena *arena, const char *seed)
{
    static const char scope[] = "20130524/us-east-1/s3";
    struct sigv4 sig = {.date = {scope, 8}, .region = {scope + 9, 9}, .service = {scope + 19, 2}, .signature = str_of(seed),
                        .amz_date = STR("20130524T000000Z")};
    return sigv4_chain_of(&sig, STR(SECRET), arena);
}

struct body {
    struct buf text;
    struct chunked_options options;
};

static void add_chunk(struct buf *buf, size_t n, const char *signature)
{
    buf_printf(buf, "%zx;chunk-signature=%s\r\n", n, signature);
    for (size_t i = 0; i < n; i++)
        buf_add_char(buf, 'a');
    if (n)
        buf_lit(buf, "\r\n");
}

/* 65 KiB of "a" in chunks of 64 KiB and 1 KiB. */
static struct body example(struct arena *arena, bool trailer)
{
    static const char *const signatures[2][4] = {
        {"ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
         "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
         "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
         "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"},
        {"b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
         "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
         "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
         "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"}};
    const char *const *s = signatures[trailer];
    struct body body = {.options = {.chain = chain_of(arena, s[3]), .trailer = trailer, .length = BODY_BYTES}};
    buf_init(&body.text, arena, 1 << 20);
    add_chunk(&body.text, 65536, s[0]);
    add_chunk(&body.text, 1024, s[1]);
    add_chunk(&body.text, 0, s[2]);
    if (trailer) {
        body.options.trailer_names = STR("x-amz-checksum-crc32c");
        buf_lit(&body.text, TRAILER "\r\nx-amz-trailer-signature:"
                            "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435\r\n");
    }
    buf_lit(&body.text, "\r\n");
    return body;
}

/* Feeds pieces of at most `piece` bytes; what came out goes to `out`. */
static enum chunked_status decode(struct arena *arena, const struct chunked_options *options, struct str text, size_t piece,
                                  struct buf *out, struct chunked **ret)
{
    struct chunked *chunked = chunked_new(arena, options);
    enum chunked_status status = CHUNKED_MORE;
    if (ret)
        *ret = chunked;
    do {
        struct str in = str_slice(text, 0, piece), given = STR_NONE;
        text = str_slice(text, piece, text.n);
        while ((status = chunked_next(chunked, &in, &given)) == CHUNKED_DATA)
            buf_add(out, given);
        if (status == CHUNKED_MORE)
            assert_int_equal(in.n, 0);
        else if (in.n || text.n)
            return status == CHUNKED_DONE ? CHUNKED_MALFORMED : status;
    } while (status == CHUNKED_MORE && text.n);
    return status;
}

static void the_examples_are_read(void **state)
{
    (void)state;
    for (int trailer = 0; trailer <= 1; trailer++) {
        static const size_t pieces[] = {1, 2, 7, 100, 65537, 1 << 20};
        for (size_t i = 0; i < COUNT_OF(pieces); i++) {
            struct arena *arena = arena_new();
            struct body body = example(arena, trailer);
            struct chunked *chunked;
            struct buf out;
            buf_init(&out, arena, 1 << 20);
            assert_int_equal(decode(arena, &body.options, buf_str(&body.text), pieces[i], &out, &chunked), CHUNKED_DONE);
            assert_int_equal(out.n, BODY_BYTES);
            assert_int_equal(strspn(arena_cstr(arena, buf_str(&out)), "a"), BODY_BYTES);
            assert_str(chunked_trailer(chunked, STR("x-amz-checksum-crc32c")), trailer ? "sOO8/Q==" : "");
            arena_free(arena);
        }
    }
}

/* Whatever byte is changed, and wherever the body is cut off, it does not end well. */
static void a_changed_byte_is_refused(void **state)
{
    (void)state;
    for (int trailer = 0; trailer <= 1; trailer++) {
        struct arena *arena = arena_new();
        struct body whole = example(arena, trailer);
        for (size_t at = 0; at < whole.text.n; at += at > 100 && at < 65500 ? 1999 : 1) {
            struct arena *own = arena_new();
            struct body body = example(own, trailer);
            struct buf out;
            buf_init(&out, own, 1 << 20);
            struct str cut = {body.text.p, at};
            assert_int_equal(decode(own, &body.options, cut, 1 << 20, &out, NULL), CHUNKED_MORE);
            body.options.chain = example(own, trailer).options.chain;
            bool is_case = (body.text.p[at] ^ 0x20) >= 'A';        /* of hex digits and names, where it does not count */
            body.text.p[at] ^= is_case ? 1 : 0x20;
            out.n = 0;
            enum chunked_status status = decode(own, &body.options, buf_str(&body.text), 1 << 20, &out, NULL);
            if (status == CHUNKED_DONE)
                print_error("byte %zu changed\n", at);
            assert_int_not_equal(status, CHUNKED_DONE);
            arena_free(own);
        }
        arena_free(arena);
    }
}

struct unsigned_case {
    const char *text, *trailer_names;
    uint64_t length;
    enum chunked_status status;
};
static const struct unsigned_case unsigned_cases[] = {
    {"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jg==\r\n\r\n", "x-amz-checksum-crc32", 9, CHUNKED_DONE},
    {"4\r\n1234\r\n5\r\n56789\r\n0\r\nx-amz-checksum-crc32c:4waSgw==\r\n\r\n", "x-amz-checksum-crc32c", 9, CHUNKED_DONE},
    {"9\r\n123456789\r\n0\r\nX-Amz-Checksum-Crc64nvme: rosUhgp5mIg= \r\n\r\n", "x-amz-checksum-crc64nvme", 9, CHUNKED_DONE},
    {"9\r\n123456789\r\n0\r\nx-amz-checksum-sha1:98O8HYCOBHMq32eZZczDTKeuNEE=\r\n\r\n", "x-amz-checksum-sha1", 9, CHUNKED_DONE},
    {"9\r\n123456789\r\n0\r\nx-amz-checksum-sha256:FeKw08M4keuw8e9gnsQZQgwg4yDOlMZfvIwzEkSyJSU=\r\n\r\n", "x-amz-checksum-sha256",
     9, CHUNKED_CHECKSUM},
    {"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5Jw==\r\n\r\n", "x-amz-checksum-crc32", 9, CHUNKED_CHECKSUM},
    {"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:y/Q5\r\n\r\n", "x-amz-checksum-crc32", 9, CHUNKED_CHECKSUM},
    {"9\r\n123456789\r\n0\r\nx-amz-checksum-crc32:no base64\r\n\r\n", "x-amz-checksum-crc32", 9, CHUNKED_CHECKSUM},
    {"0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "x-amz-checksum-crc32", 0, CHUNKED_DONE},
    {"0\r\nx-amz-meta-a:b\r\nx-amz-meta-c:\r\n\r\n", "x-amz-meta-c,  x-amz-meta-a", 0, CHUNKED_DONE},
    {"0\r\nx-amz-meta-a:b\n\n", "x-amz-meta-a", 0, CHUNKED_DONE},
    {"0\r\n\r\n", "", 0, CHUNKED_DONE},
    {"0\r\n\r\n", "x-amz-checksum-crc32", 0, CHUNKED_MALFORMED}, /* announced, and not there */
    {"0\r\nx-amz-meta-a:b\r\n\r\n", "", 0, CHUNKED_MALFORMED},   /* there, and not announced */
    {"0\r\nx-amz-meta-a:b\r\nx-amz-meta-a:b\r\n\r\n", "x-amz-meta-a", 0, CHUNKED_MALFORMED},
    {"0\r\nno colon\r\n\r\n", "no colon", 0, CHUNKED_MALFORMED},
    {"0\r\n:b\r\n\r\n", "", 0, CHUNKED_MALFORMED},
    {"0\r\nx-amz-trailer-signature:b\r\n\r\n", "", 0, CHUNKED_MALFORMED}, /* nothing is signed here */
    {"0\r\nx-amz-checksum-xxhash3:b\r\n\r\n", "x-amz-checksum-xxhash3", 0, CHUNKED_UNSUPPORTED},
    {"0\r\n", "x-amz-checksum-crc32,x-amz-checksum-sha1", 0, CHUNKED_MALFORMED},
    {"3\r\nabc\r\n0\r\n\r\n", "", 4, CHUNKED_LENGTH},
    {"3\r\nabc\r\n0\r\n\r\n", "", 2, CHUNKED_LENGTH},
    {"ffffffffffffffff\r\n", "", 9, CHUNKED_LENGTH},
    {"ffffffffffffffff\r\n", "", UINT64_MAX, CHUNKED_MORE},
    {"00000000000000003\r\n", "", 3, CHUNKED_MALFORMED},
    {"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000", "", 3,
     CHUNKED_MALFORMED}, /* a line that never ends */
    {"3\nabc\r\n0\r\n\r\n", "", 3, CHUNKED_MALFORMED},
    {"3\r\nabcd\r\n", "", 3, CHUNKED_MALFORMED},
    {"3\r\nabc\n0\r\n\r\n", "", 3, CHUNKED_MALFORMED},
    {" 3\r\nabc\r\n0\r\n\r\n", "", 3, CHUNKED_MALFORMED},
    {"\r\nabc\r\n0\r\n\r\n", "", 3, CHUNKED_MALFORMED},
    {"-1\r\n", "", 3, CHUNKED_MALFORMED},
    {"g\r\n", "", 30, CHUNKED_MALFORMED},
    {"3;chunk-signature=0\r\nabc\r\n0\r\n\r\n", "", 3, CHUNKED_MALFORMED},
    {"3;\r\n", "", 3, CHUNKED_MALFORMED},
    {"0\r\n\r\nmore", "", 0, CHUNKED_MALFORMED},
    {"3\r\nabc\r\n0\r\nx:", "x", 3, CHUNKED_MORE},
    {"", "", 0, CHUNKED_MORE},
};

static void unsigned_bodies(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(unsigned_cases); i++) {
        const struct unsigned_case *one = &unsigned_cases[i];
        for (size_t piece = 1; piece < 30; piece += 4) {
            struct arena *arena = arena_new();
            struct chunked_options options = {.trailer = true, .trailer_names = str_of(one->trailer_names), .length = one->length};
            struct buf out;
            buf_init(&out, arena, 4096);
            enum chunked_status status = decode(arena, &options, str_of(one->text), piece, &out, NULL);
            if (status != one->status)
                print_error("%s: %d\n", one->text, (int)status);
            assert_int_equal(status, one->status);
            arena_free(arena);
        }
    }
}

static void sha256_trailers_are_the_bodys(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct checksum_state sum;
    uint8_t digest[CHECKSUM_BYTES_MAX];
    struct buf text, out;
    checksum_init(&sum, CHECKSUM_SHA256);
    checksum_update(&sum, STR("123456789"));
    size_t n = checksum_finish(&sum, digest);
    buf_init(&text, arena, 4096);
    buf_init(&out, arena, 4096);
    buf_lit(&text, "9\r\n123456789\r\n0\r\nx-amz-checksum-sha256:");
    base64_write(&text, (struct str){(const char *)digest, n});
    buf_lit(&text, "\r\n\r\n");
    struct chunked_options options = {.trailer = true, .trailer_names = STR("x-amz-checksum-sha256"), .length = 9};
    assert_int_equal(decode(arena, &options, buf_str(&text), 5, &out, NULL), CHUNKED_DONE);
    arena_free(arena);
}

static void trailers_are_bounded(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf text, out;
    buf_init(&text, arena, 1 << 20);
    buf_init(&out, arena, 4096);
    buf_lit(&text, "0\r\n");
    for (int i = 0; i < 17; i++)
        buf_printf(&text, "x%d:v\r\n", i);
    struct chunked_options options = {.trailer = true};
    assert_int_equal(decode(arena, &options, buf_str(&text), 1 << 20, &out, NULL), CHUNKED_MALFORMED);
    text.n = 3;
    for (size_t i = 0; i < CHUNKED_TRAILERS_MAX; i++)
        buf_add_char(&text, 'x');
    assert_int_equal(decode(arena, &options, buf_str(&text), 1 << 20, &out, NULL), CHUNKED_MORE);
    buf_add_char(&text, 'x');
    assert_int_equal(decode(arena, &options, buf_str(&text), 1 << 20, &out, NULL), CHUNKED_MALFORMED);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_examples_are_read), cmocka_unit_test(a_changed_byte_is_refused), cmocka_unit_test(unsigned_bodies),
        cmocka_unit_test(sha256_trailers_are_the_bodys), cmocka_unit_test(trailers_are_bounded)};
    return RUN(tests);
}

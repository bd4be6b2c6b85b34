/* http_parse_test.c -- the request parser without sockets: what is a request, what is refused, and that neither depends
 * on how the bytes arrive. Sources of the rows: RFC 9112; the classes of request smuggling are CL.TE, TE.CL, TE.TE,
 * repeated lengths, folded lines, bare CR or LF, and white space around names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "feed.h"

#define H       "Host: a\r\n"
#define GET     "GET / HTTP/1.1\r\n" H
#define POST    "POST /p HTTP/1.1\r\n" H
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define TRAILER_BYTES_MAX (32u << 10)
#define NEXT    "GET /next HTTP/1.1\r\n" H "\r\n"

struct row {
    const char *what;
    struct str input;
    size_t requests;
    int refused;
};

#define ROW(what, input, requests, refused)                                                                                        \
    {                                                                                                                              \
        what, {input, sizeof(input) - 1}, requests, refused                                                                        \
    }

static const struct row rows[] = {
    ROW("plain", GET "\r\n", 1, 0),
    ROW("two in a row", GET "\r\n" NEXT, 2, 0),
    ROW("an empty line first", "\r\n" GET "\r\n", 1, 0),
    ROW("two empty lines first", "\r\n\r\n" GET "\r\n", 0, 400),
    ROW("a bare LF first", "\n" GET "\r\n", 0, 400),
    ROW("1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 1, 0),
    ROW("1.1 without Host", "GET / HTTP/1.1\r\n\r\n", 0, 400),
    ROW("two Hosts", GET "Host: a\r\n\r\n", 0, 400),
    ROW("body with a length", POST "Content-Length: 5\r\n\r\nhello" NEXT, 2, 0),
    ROW("length 0", POST "Content-Length: 0\r\n\r\n" NEXT, 2, 0),
    ROW("length with blanks around", POST "Content-Length: \t5  \r\n\r\nhello" NEXT, 2, 0),
    ROW("length with a tab behind", POST "Content-Length: 5\t\r\n\r\nhello" NEXT, 0, 400),
    ROW("body chunked", CHUNKED "5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n" NEXT, 2, 0),
    ROW("trailers", CHUNKED "5\r\nhello\r\n0\r\nT: v\r\nU: w\r\n\r\n" NEXT, 2, 0),
    ROW("empty value", GET "E:\r\nF: \t \r\n\r\n" NEXT, 2, 0),
    ROW("offer to upgrade", GET "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n" NEXT, 2, 0),
    ROW("offer to upgrade with a body", POST "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nhi" NEXT, 2, 0),
    ROW("absolute-form", "GET http://a/x?y HTTP/1.1\r\n" H "\r\n", 1, 0),
    ROW("absolute-form of another host", "GET http://b/x?y HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("asterisk", "OPTIONS * HTTP/1.1\r\n" H "\r\n", 1, 0),
    ROW("asterisk of GET", "GET * HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("fragment", "GET /a#b HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("authority-form", "CONNECT a:80 HTTP/1.1\r\n" H "\r\n", 0, 501),
    /* two lengths */
    ROW("CL and TE", POST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE and CL", POST "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE and CL 0", POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("the same CL twice", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 0, 400),
    ROW("two CL", POST "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", 0, 400),
    ROW("CL as a list", POST "Content-Length: 5, 5\r\n\r\nhello", 0, 400),
    ROW("CL 0 twice", POST "Content-Length: 0\r\ncontent-length: 0\r\n\r\n", 0, 400),
    ROW("CL with a sign", POST "Content-Length: +5\r\n\r\nhello", 0, 400),
    ROW("CL negative", POST "Content-Length: -5\r\n\r\nhello", 0, 400),
    ROW("CL hex", POST "Content-Length: 0x5\r\n\r\nhello", 0, 400),
    ROW("CL empty", POST "Content-Length:\r\n\r\n", 0, 400),
    ROW("CL with a blank inside", POST "Content-Length: 1 0\r\n\r\n0123456789", 0, 400),
    ROW("CL over 64 bits", POST "Content-Length: 18446744073709551617\r\n\r\na", 0, 400),
    ROW("CL over the limit", POST "Content-Length: 1048577\r\n\r\na", 0, 413),
    /* transfer codings other than exactly "chunked" */
    ROW("TE identity", POST "Transfer-Encoding: identity\r\n\r\n", 0, 400),
    ROW("TE gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE quoted", POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE with a comma", POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE with a parameter", POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE with vertical tab", POST "Transfer-Encoding: \vchunked\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE empty", POST "Transfer-Encoding:\r\n\r\n", 0, 400),
    ROW("TE in 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("TE in capitals", "POST / HTTP/1.1\r\n" H "TRANSFER-ENCODING: CHUNKED\r\n\r\n0\r\n\r\n" NEXT, 2, 0),
    /* lines and blanks */
    ROW("bare LF", "GET / HTTP/1.1\nHost: a\n\n", 0, 400),
    ROW("bare LF after a header", "GET / HTTP/1.1\r\nHost: a\n\r\n", 0, 400),
    ROW("bare LF as the end", GET "\n", 0, 400),
    ROW("bare CR in a value", GET "A: b\rc\r\n\r\n", 0, 400),
    ROW("bare CR as a line", GET "A: b\rB: c\r\n\r\n", 0, 400),
    ROW("bare CR in the request line", "GET / HTTP/1.1\rHost: a\r\n\r\n", 0, 505),
    ROW("CR CR LF", GET "A: b\r\r\n\r\n", 0, 400),
    ROW("folded", GET "A: b\r\n c\r\n\r\n", 0, 400),
    ROW("folded with a tab", GET "A: b\r\n\tc\r\n\r\n", 0, 400),
    ROW("folded from the start", GET "A:\r\n b\r\n\r\n", 0, 400),
    ROW("folded to nothing", GET "A: b\r\n \r\n\r\n", 0, 400),
    ROW("folded length", POST "Content-Length:\r\n 5\r\n\r\nhello", 0, 400),
    ROW("folded coding", POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n", 0, 400),
    ROW("blank before the colon", GET "A : b\r\n\r\n", 0, 400),
    ROW("tab before the colon", GET "A\t: b\r\n\r\n", 0, 400),
    ROW("blank before the colon of a length", POST "Content-Length : 5\r\n\r\nhello", 0, 400),
    ROW("blank before the first header", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 0, 400),
    ROW("no colon", GET "A\r\n\r\n", 0, 400),
    ROW("no name", GET ": a\r\n\r\n", 0, 400),
    ROW("NUL in a value", GET "A: b\0c\r\n\r\n", 0, 400),
    ROW("NUL in a name", GET "A\0: b\r\n\r\n", 0, 400),
    ROW("NUL in the target", "GET /\0 HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("control character in a value", GET "A: b\x01\r\n\r\n", 0, 400),
    ROW("bytes of 8 bits in a value", GET "A: \xc3\xa4\r\n\r\n", 1, 0),
    ROW("bytes of 8 bits in a name", GET "\xc3\xa4: b\r\n\r\n", 0, 400),
    ROW("bytes of 8 bits in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("parenthesis in a name", GET "A(b): c\r\n\r\n", 0, 400),
    ROW("two blanks behind the method", "GET  / HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("two blanks before the version", "GET /  HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("blank behind the version", "GET / HTTP/1.1 \r\n" H "\r\n", 0, 505),
    ROW("tab behind the method", "GET\t/ HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("method in small letters", "get / HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("method unknown", "FROB / HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("no target", "GET HTTP/1.1\r\n" H "\r\n", 0, 400),
    ROW("no version", "GET /\r\n" H "\r\n", 0, 505),
    ROW("version 0.9", "GET / HTTP/0.9\r\n" H "\r\n", 0, 505),
    ROW("version 1.2", "GET / HTTP/1.2\r\n" H "\r\n", 0, 505),
    ROW("version 2.0", "GET / HTTP/2.0\r\n" H "\r\n", 0, 505),
    ROW("version 11.1", "GET / HTTP/11.1\r\n" H "\r\n", 0, 505),
    ROW("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, -1),
    ROW("the preface of HTTP/2 behind a request", GET "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 1, 400),
    ROW("RTSP", "DESCRIBE / RTSP/1.0\r\n" H "\r\n", 0, 400),
    ROW("a TLS hello", "\x16\x03\x01\x02\x00\x01", 0, 400),
    /* chunks */
    ROW("chunk of bare LF", CHUNKED "5\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk data and more", CHUNKED "5\r\nhelloXX0\r\n\r\n", 0, 400),
    ROW("chunk data without CRLF", CHUNKED "5\r\nhello0\r\n\r\n", 0, 400),
    ROW("chunk data and LF", CHUNKED "5\r\nhello\n0\r\n\r\n", 0, 400),
    ROW("chunk size with CR and no LF", CHUNKED "5\rXhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk size with a blank", CHUNKED "5 \r\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk size with a blank first", CHUNKED " 5\r\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk size 0x5", CHUNKED "0x5\r\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk size negative", CHUNKED "-5\r\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk size empty", CHUNKED "\r\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk size over 64 bits", CHUNKED "10000000000000005\r\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk over the limit", CHUNKED "100001\r\n", 0, 0),
    ROW("chunk extension with bare LF", CHUNKED "5;a\nhello\r\n0\r\n\r\n", 0, 400),
    ROW("chunk extension with bare CR", CHUNKED "5;a\rhello\r\n0\r\n\r\n", 0, 400),
    ROW("end with a bare LF", CHUNKED "0\r\n\n" NEXT, 0, 400),
    ROW("end of two bare LF", CHUNKED "0\n\n" NEXT, 0, 400),
    ROW("trailer with bare LF", CHUNKED "0\r\nT: v\n\r\n", 0, 400),
    ROW("last chunk of many zeros", CHUNKED "000\r\n\r\n" NEXT, 2, 0),
    /* Expect */
    ROW("expects 100-continue", POST "Expect: 100-Continue\r\nContent-Length: 2\r\n\r\nhi", 1, 0),
    ROW("expects something else", POST "Expect: tea\r\nContent-Length: 2\r\n\r\nhi", 0, 417),
};

static struct str transcript(struct feed *feed, struct str input, size_t (*piece)(void *), void *arg, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena, 64 << 20);
    feed_run(feed, input, piece, arg, &out);
    assert_false(out.failed);
    return buf_str(&out);
}

struct split {
    size_t at, calls;
};

static size_t split_once(void *arg)
{
    struct split *split = arg;
    return split->calls++ == 0 ? split->at : 0;
}

static void test_table(void **state)
{
    (void)state;
    size_t wrong = 0;
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const struct row *row = &rows[i];
        struct arena *arena = arena_new();
        struct feed feed;
        feed_init(&feed);
        struct str whole = transcript(&feed, row->input, feed_all, NULL, arena);
        if (feed.requests != row->requests || feed.refused != row->refused) {
            print_error("%s: %zu requests, refused %d\n", row->what, feed.requests, feed.refused);
            wrong++;
        }
        struct str bytewise = transcript(&feed, row->input, feed_bytewise, NULL, arena);
        if (!str_eq(whole, bytewise))
            fail_msg("%s, byte by byte: " STR_FMT " not " STR_FMT, row->what, STR_ARG(bytewise), STR_ARG(whole));
        for (size_t at = 1; at < row->input.n; at++) {
            struct split split = {.at = at};
            struct str twice = transcript(&feed, row->input, split_once, &split, arena);
            if (!str_eq(whole, twice))
                fail_msg("%s, split at %zu: " STR_FMT " not " STR_FMT, row->what, at, STR_ARG(twice), STR_ARG(whole));
        }
        feed.pass = true; /* the same, when bodies are read in pieces */
        for (size_t at = 1; at < row->input.n; at++) {
            struct split split = {.at = at};
            struct str passed = transcript(&feed, row->input, split_once, &split, arena);
            if (!str_eq(whole, passed))
                fail_msg("%s, passing, split at %zu: " STR_FMT " not " STR_FMT, row->what, at, STR_ARG(passed), STR_ARG(whole));
        }
        feed_clear(&feed);
        arena_free(arena);
    }
    assert_int_equal(wrong, 0);
}

static void test_content(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct feed feed;
    feed_init(&feed);
    struct str got = transcript(&feed,
                                STR("POST /a/%20b?x=1&y HTTP/1.1\r\nhOsT:  a:80 \r\nX-Empty:\r\nTransfer-Encoding: Chunked\r\n\r\n"
                                    "5\r\nhel\r\n\r\n1;q=\"z\"\r\n!\r\n0\r\nT: v\r\n\r\n"
                                    "GET http://h?q HTTP/1.1\r\nHost: H\r\n\r\n"),
                                feed_all, NULL, arena);
    struct str want = STR("POST /a/%20b?x=1&y path=/a/%20b query=x=1&y host=a:80 1.1\n hOsT=[a:80]\n X-Empty=[]\n"
                          " Transfer-Encoding=[Chunked]\n body=[hel\r\n!]\n trailers=[T:v\n]\n"
                          "GET http://h?q path=/ query=q host=H 1.1\n Host=[H]\n body=[]\n");
    if (!str_eq(got, want))
        fail_msg(STR_FMT, STR_ARG(got));
    feed_clear(&feed);
    arena_free(arena);
}

/* Heads and bodies around the sizes at which blocks fill, move and bodies leave them. */
static void test_sizes(void **state)
{
    (void)state;
    static const size_t heads[] = {10, 900, 8000, 15000, 15300, 15360, 16200, 16384, 17000, 18300};
    static const size_t bodies[] = {0, 1, 100, 1300, 16384, 16385, 65535, 65536, 65537, 200000, 1 << 20};
    for (size_t h = 0; h < COUNT_OF(heads); h++) {
        for (size_t b = 0; b < COUNT_OF(bodies); b++) {
            for (int chunked = 0; chunked < 2; chunked++) {
                struct arena *arena = arena_new();
                struct buf in, body;
                buf_init(&in, arena, 4 << 20);
                buf_init(&body, arena, 4 << 20);
                for (size_t i = 0; i < bodies[b]; i++)
                    buf_add_char(&body, (char)('a' + i % 23));
                for (int twice = 0; twice < 2; twice++) {
                    buf_lit(&in, POST "X: ");
                    for (size_t i = 0; i < heads[h]; i++)
                        buf_add_char(&in, (char)('A' + i % 26));
                    if (!chunked) {
                        buf_printf(&in, "\r\nContent-Length: %zu\r\n\r\n", body.n);
                        buf_add(&in, buf_str(&body));
                        continue;
                    }
                    buf_lit(&in, "\r\nTransfer-Encoding: chunked\r\n\r\n");
                    for (size_t at = 0, n; at < body.n; at += n) {
                        n = body.n - at < 3 + at ? body.n - at : 3 + at;
                        buf_printf(&in, "%zX\r\n", n);
                        buf_add(&in, str_slice(buf_str(&body), at, at + n));
                        buf_lit(&in, "\r\n");
                    }
                    buf_lit(&in, "0\r\n\r\n");
                }
                struct feed feed;
                feed_init(&feed);
                struct str whole = transcript(&feed, buf_str(&in), feed_all, NULL, arena);
                if (feed.requests != 2 || feed.refused)
                    fail_msg("head %zu body %zu: %zu requests, refused %d", heads[h], bodies[b], feed.requests, feed.refused);
                struct split split = {.at = heads[h]};
                assert_true(str_eq(whole, transcript(&feed, buf_str(&in), split_once, &split, arena)));
                if (bodies[b] <= 65536)
                    assert_true(str_eq(whole, transcript(&feed, buf_str(&in), feed_bytewise, NULL, arena)));
                feed.pass = true;
                assert_true(str_eq(whole, transcript(&feed, buf_str(&in), feed_all, NULL, arena)));
                split.calls = 0;
                assert_true(str_eq(whole, transcript(&feed, buf_str(&in), split_once, &split, arena)));
                feed_clear(&feed);
                arena_free(arena);
            }
        }
    }
}

static int refused_with(struct feed *feed, const char *input)
{
    struct arena *arena = arena_new();
    struct buf out;
    buf_init(&out, arena, 1 << 20);
    feed_run(feed, str_of(input), feed_all, NULL, &out);
    int refused = feed->refused;
    feed_run(feed, str_of(input), feed_bytewise, NULL, &out);
    assert_int_equal(feed->refused, refused);
    arena_free(arena);
    return refused;
}

/* The same however they arrive, with a body and without; and their bound. */
static void test_trailers(void **state)
{
    (void)state;
    static const struct {
        const char *body, *lines, *expected;
    } trailers[] = {
        {"", "T: v\r\n", "T:v\n"},
        {"5\r\nhello\r\n", "T: v\r\nEmpty:\r\nBlank: \t \r\nU:w: x\r\n", "T:v\nEmpty:\nBlank:\nU:w: x\n"},
    };
    struct feed feed;
    feed_init(&feed);
    for (size_t i = 0; i < COUNT_OF(trailers); i++) {
        struct arena *arena = arena_new();
        struct str input = arena_printf(arena, CHUNKED "%s0\r\n%s\r\n", trailers[i].body, trailers[i].lines);
        struct str whole = transcript(&feed, input, feed_all, NULL, arena);
        struct str want = arena_printf(arena, " trailers=[%s]\n", trailers[i].expected);
        if (!str_ends(whole, want))
            fail_msg(STR_FMT " does not end with " STR_FMT, STR_ARG(whole), STR_ARG(want));
        assert_true(str_eq(whole, transcript(&feed, input, feed_bytewise, NULL, arena)));
        for (size_t at = 1; at < input.n; at++) {
            struct split split = {.at = at};
            assert_true(str_eq(whole, transcript(&feed, input, split_once, &split, arena)));
        }
        arena_free(arena);
    }
    for (size_t n = TRAILER_BYTES_MAX; n <= TRAILER_BYTES_MAX + 1; n++) {
        struct arena *arena = arena_new();
        char *value = arena_zalloc(arena, n), *body = arena_zalloc(arena, 8193);
        memset(value, 'v', n - sizeof "T:"), memset(body, 'b', 8192);
        struct str input = arena_printf(arena, CHUNKED "2000\r\n%s\r\n0\r\nT:%s\r\n\r\n", body, value);
        assert_int_equal(refused_with(&feed, input.p), n > TRAILER_BYTES_MAX ? 400 : 0);
        arena_free(arena);
    }
    feed_clear(&feed);
}

static void test_limits(void **state)
{
    (void)state;
    struct feed feed;
    feed_init(&feed);
    feed.limits.header_bytes_max = 200;
    feed.limits.header_count_max = 4;
    feed.limits.target_bytes_max = 20;
    feed.body_max = 10;
    assert_int_equal(refused_with(&feed, GET "A: a\r\nB: b\r\nC: c\r\n\r\n"), 0);
    assert_int_equal(refused_with(&feed, GET "A: a\r\nB: b\r\nC: c\r\nD: d\r\n\r\n"), 431);
    assert_int_equal(refused_with(&feed, "GET /0123456789012345678 HTTP/1.1\r\n" H "\r\n"), 0);
    assert_int_equal(refused_with(&feed, "GET /01234567890123456789 HTTP/1.1\r\n" H "\r\n"), 414);
    assert_int_equal(refused_with(&feed, "GET /012345678901234567890123456789"), 414);
    char longer[400] = GET "A: ";
    memset(longer + strlen(longer), 'x', 200);
    assert_int_equal(refused_with(&feed, longer), 431);
    assert_int_equal(refused_with(&feed, POST "Content-Length: 10\r\n\r\n0123456789"), 0);
    assert_int_equal(refused_with(&feed, POST "Content-Length: 11\r\n\r\n"), 413);
    assert_int_equal(refused_with(&feed, CHUNKED "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), 0);
    assert_int_equal(refused_with(&feed, CHUNKED "5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n"), 413);
    feed.body_max = 1 << 20;
    feed.limits.bodies_bytes_max = 100000;
    assert_int_equal(refused_with(&feed, POST "Content-Length: 100001\r\n\r\n"), 0); /* nothing of it has come */
    feed.limits.bodies_bytes_max = 4096;
    assert_int_equal(refused_with(&feed, CHUNKED "5\r\n01234\r\n0\r\n\r\n"), 0);
    feed.limits.bodies_bytes_max = 4095;
    assert_int_equal(refused_with(&feed, CHUNKED "5\r\n01234\r\n0\r\n\r\n"), 413); /* it alone */
    feed.limits.bodies_bytes_max = 4096;
    atomic_store(&feed.bodies.all, 1);
    assert_int_equal(refused_with(&feed, CHUNKED "5\r\n01234\r\n0\r\n\r\n"), 503); /* with others */
    atomic_store(&feed.bodies.all, 0);
    feed_clear(&feed);
}

/* A body that is all framing, without end. */
static void test_framing_bound(void **state)
{
    (void)state;
    static const char *const endless[] = {"0", "1;a=b\r\nx\r\n", "A: b\r\n"};
    static const char *const starts[] = {"", "", "0\r\n"};
    static const size_t extension[] = {0, 100, 0};
    for (size_t i = 0; i < COUNT_OF(endless); i++) {
        struct arena *arena = arena_new();
        struct buf in, out;
        buf_init(&in, arena, 4 << 20);
        buf_init(&out, arena, 4 << 20);
        buf_lit(&in, CHUNKED);
        buf_add(&in, str_of(starts[i]));
        while (in.n < 400000) {
            if (extension[i]) {
                buf_lit(&in, "1;a=");
                for (size_t n = 0; n < extension[i]; n++)
                    buf_add_char(&in, 'b');
                buf_lit(&in, "\r\nx\r\n");
            } else {
                buf_add(&in, str_of(endless[i]));
            }
        }
        struct feed feed;
        feed_init(&feed);
        feed_run(&feed, buf_str(&in), feed_all, NULL, &out);
        assert_int_equal(feed.refused, 400);
        feed_clear(&feed);
        arena_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),  cmocka_unit_test(test_content),       cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_trailers), cmocka_unit_test(test_limits), cmocka_unit_test(test_framing_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

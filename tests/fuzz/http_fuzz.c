/* http_fuzz.c -- any bytes into the request parser, without sockets.
 *
 * Properties: the same requests come out and the same end is reached however the bytes are cut, and whether a body is gathered
 * or passes by in pieces; a request that is handed
 * out has one length that two readers must agree on (one Content-Length in digits, or one Transfer-Encoding that is
 * exactly chunked, or no body); its head is lines that end in CRLF, one a header, without a bare CR or LF, a fold or a
 * NUL; its limits hold; and no body is left counted. */
#include "../unit/net/feed.h"

#define INPUT_BYTES_MAX 8192 /* beyond, the bound on a chunked body's framing depends on how it is cut */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool digits(struct str s)
{
    bool fine = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        fine &= s.p[i] >= '0' && s.p[i] <= '9';
    return fine;
}

static void check_length(const struct http_request *request)
{
    size_t lengths = 0, codings = 0, hosts = 0;
    uint64_t length = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (str_eq_nocase(header->name, STR("Content-Length"))) {
            lengths++;
            ENSURE(digits(header->value) && str_to_u64(header->value, &length));
        } else if (str_eq_nocase(header->name, STR("Transfer-Encoding"))) {
            codings++;
            ENSURE(str_eq_nocase(header->value, STR("chunked")));
        } else if (str_eq_nocase(header->name, STR("Host"))) {
            hosts++;
        }
    }
    ENSURE(lengths + codings <= 1);
    ENSURE(hosts == 1 || (hosts == 0 && request->http_1_0));
    ENSURE(!(codings && request->http_1_0));
    ENSURE(codings || request->body.n == length);
}

/* The bytes from the method to the end of the last value. */
static void check_head(const struct http_request *request)
{
    ENSURE(request->method.n > 0 && request->target.n > 0 && request->path.n > 0);
    ENSURE(request->path.p[0] == '/' || str_eq(request->path, STR("*")));
    const char *at = request->method.p, *end = request->target.p + request->target.n;
    size_t lines = 0;
    for (size_t i = 0; i < request->header_count; i++)
        end = request->headers[i].value.n ? request->headers[i].value.p + request->headers[i].value.n
                                          : request->headers[i].name.p + request->headers[i].name.n;
    for (; at < end; at++) {
        ENSURE(*at != 0);
        ENSURE(*at != '\r' || (at + 1 < end && at[1] == '\n'));
        if (*at == '\n') {
            ENSURE(at[-1] == '\r' && at[1] != ' ' && at[1] != '\t');
            lines++;
        }
    }
    ENSURE(lines == request->header_count);
}

static void check(const struct http_exchange *exchange, void *arg)
{
    const struct feed *feed = arg;
    const struct http_request *request = &exchange->request;
    check_length(request);
    check_head(request);
    ENSURE(request->header_count <= feed->limits.header_count_max);
    ENSURE(request->target.n <= feed->limits.target_bytes_max);
    ENSURE(request->body.n <= feed->body_max);
}

static size_t random_piece(void *arg)
{
    uint64_t *seed = arg;
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    static const size_t most[] = {1, 3, 10, 40, 200, 2000};
    return 1 + (size_t)(*seed >> 8) % most[*seed % COUNT_OF(most)];
}

struct end {
    struct str transcript;
    size_t requests;
    bool refused;
};

static struct end run(struct str input, bool pass, size_t (*piece)(void *), void *arg, struct arena *arena)
{
    struct feed feed;
    struct buf out;
    feed_init(&feed);
    feed.limits.header_count_max = 12;
    feed.limits.target_bytes_max = 64;
    feed.limits.header_bytes_max = 1024;
    feed.body_max = 200;
    feed.pass = pass;
    feed.check = check;
    feed.arg = &feed;
    feed.requests_only = true;
    buf_init(&out, arena, 1 << 20);
    feed_run(&feed, input, piece, arg, &out);
    ENSURE(!out.failed);
    feed_clear(&feed);
    return (struct end){buf_str(&out), feed.requests, feed.refused != 0};
}

static void same(const struct end *a, const struct end *b)
{
    ENSURE(a->requests == b->requests);
    ENSURE(a->refused == b->refused);
    ENSURE(str_eq(a->transcript, b->transcript));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX)
        return 0;
    struct str input = {(const char *)data, size};
    uint64_t seed = 0x9e3779b97f4a7c15u;
    for (size_t i = 0; i < size; i++)
        seed = (seed ^ data[i]) * 0x100000001b3u;
    seed |= 1;
    struct arena *arena = arena_new();
    struct end whole = run(input, false, feed_all, NULL, arena);
    struct end cut = run(input, false, random_piece, &seed, arena);
    struct end bytewise = run(input, false, feed_bytewise, NULL, arena);
    struct end passed = run(input, true, feed_all, NULL, arena);
    struct end passed_cut = run(input, true, random_piece, &seed, arena);
    same(&whole, &cut);
    same(&whole, &bytewise);
    same(&whole, &passed);
    same(&whole, &passed_cut);
    arena_free(arena);
    return 0;
}

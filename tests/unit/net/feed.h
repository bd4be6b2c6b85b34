/* feed.h -- runs bytes through the request parser without sockets and writes down what comes out.
 * Shared by http_parse_test.c and tests/fuzz/http_fuzz.c. */
#ifndef TESTS_NET_FEED_H
#define TESTS_NET_FEED_H
#include "base/buf.h"
#include "base/panic.h"
#include "net/http_parse.h"

struct feed {
    struct http_limits limits;
    struct http_held bodies;
    struct http_pool pool;
    size_t body_max;
    size_t requests; /* handed over */
    size_t heads;
    int refused;           /* status, 0: none, -1: it is HTTP/2 */
    bool pass;             /* bodies are read in pieces; some pieces are kept for a while */
    struct body_sink sink; /* of the body that passes */
    struct buf passed;
    size_t pieces;
    bool requests_only;                                             /* the transcript says nothing of the refusal */
    void (*check)(const struct http_exchange *exchange, void *arg); /* or NULL */
    void *arg;
};

static void feed_init(struct feed *feed)
{
    *feed = (struct feed){.limits = http__limits_default, .body_max = 1 << 20};
    http__pool_init(&feed->pool, &feed->limits, &feed->bodies);
}

static void feed_clear(struct feed *feed)
{
    http__pool_clear(&feed->pool);
    ENSURE(atomic_load(&feed->bodies.all) == 0);
}

static void feed_write(struct buf *out, const struct http_request *request)
{
    buf_printf(out, STR_FMT " " STR_FMT " path=" STR_FMT " query=" STR_FMT " host=" STR_FMT " 1.%d\n", STR_ARG(request->method),
               STR_ARG(request->target), STR_ARG(request->path), STR_ARG(request->query), STR_ARG(request->host),
               request->http_1_0 ? 0 : 1);
    for (size_t i = 0; i < request->header_count; i++)
        buf_printf(out, " " STR_FMT "=[" STR_FMT "]\n", STR_ARG(request->headers[i].name), STR_ARG(request->headers[i].value));
    buf_lit(out, " body=[");
    buf_add(out, request->body);
    buf_lit(out, "]\n");
    if (request->trailers.n)
        buf_printf(out, " trailers=[" STR_FMT "]\n", STR_ARG(request->trailers));
}

/* Every second piece is kept until there is no room, or no more. */
static enum body_want feed_piece(struct body_sink *sink, struct str piece)
{
    struct feed *feed = CONTAINER_OF(sink, struct feed, sink);
    buf_add(&feed->passed, piece);
    return feed->pieces++ % 2 ? BODY_KEEP : BODY_MORE;
}

static void feed_end(struct body_sink *sink, enum body_end how)
{
    (void)sink;
    ENSURE(how == BODY_WHOLE);
}

static struct http_inflow *feed_pass(struct feed *feed, struct http_parser *parser)
{
    ENSURE(http__inflow_new(parser->exchange) == ERR_OK);
    struct http_inflow *in = parser->exchange->in;
    feed->sink = (struct body_sink){.piece = feed_piece, .end = feed_end, .hashed = true};
    buf_init(&feed->passed, parser->exchange->request.arena, 1 << 20);
    in->sink = &feed->sink;
    sha256_begin(&in->hash);
    http__parser_pass(parser, in);
    return in;
}

/* All of it is with the sink: the request as if it had been gathered. */
static void feed_passed(struct feed *feed, struct http_inflow *in)
{
    if (in->out)
        body_next(&in->reader);
    http__inflow_end(in, BODY_WHOLE);
    if (in->out)
        body_next(&in->reader);
    ENSURE(in->stopped && !in->out);
    uint8_t digest[SHA256_BYTES];
    sha256(buf_str(&feed->passed), digest);
    ENSURE(memcmp(digest, feed->sink.sha256, sizeof digest) == 0 && in->total == feed->passed.n);
    in->exchange->request.body = buf_str(&feed->passed);
}

static void feed_release(struct http_exchange **kept, size_t *count, struct buf *out)
{
    for (size_t i = 0; i < *count; i++) {
        feed_write(out, &kept[i]->request);
        http__exchange_release(kept[i]);
    }
    *count = 0;
}

/* Feeds `input` in pieces; next_piece says how large the next one may be (0: as large as there is room). Requests are
 * kept until the end, so that spans which dangle are seen. The transcript goes to `out`. */
static void feed_run(struct feed *feed, struct str input, size_t (*next_piece)(void *arg), void *arg, struct buf *out)
{
    struct http_exchange *kept[64];
    size_t kept_count = 0;
    struct http_parser parser;
    struct http_inflow *in = NULL;
    http__parser_init(&parser, &feed->pool);
    feed->requests = feed->heads = 0;
    feed->refused = 0;
    while (input.n && !feed->refused) {
        size_t room, piece = next_piece(arg);
        char *space = http__parser_space(&parser, &room);
        size_t n = piece && piece < room ? piece : room;
        n = n < input.n ? n : input.n;
        memcpy(space, input.p, n);
        input = str_slice(input, n, input.n);
        http__parser_filled(&parser, n);
        for (bool more = true; more;) {
            struct http_exchange *exchange = NULL;
            switch (http__parser_next(&parser, &exchange)) {
            case PARSED_MORE:
                if (parser.inflow)
                    http__inflow_deliver(in);
                if (parser.inflow && !http__inflow_wants(in))
                    body_next(&in->reader);
                more = false;
                break;
            case PARSED_HEAD:
                feed->heads++;
                parser.body_max = feed->body_max;
                in = feed->pass ? feed_pass(feed, &parser) : NULL;
                break;
            case PARSED_FULL:
                http__inflow_deliver(in);
                if (!http__inflow_wants(in))
                    body_next(&in->reader);
                more = http__parser_has_input(&parser);
                break;
            case PARSED_PASSED:
                feed_passed(feed, in);
                exchange = in->exchange;
                /* fall through */
            case PARSED_MESSAGE:
                feed->requests++;
                if (feed->check)
                    feed->check(exchange, feed->arg);
                kept[kept_count++] = exchange;
                break;
            case PARSED_HTTP2:
                http__parser_preface(&parser);
                feed->refused = -1;
                more = false;
                break;
            case PARSED_BROKEN:
                exchange = in->exchange;
                /* fall through */
            case PARSED_REFUSED:
                feed->refused = parser.status;
                more = false;
                kept[kept_count++] = exchange;
                break;
            }
            if (kept_count == COUNT_OF(kept) && !feed->refused)
                feed_release(kept, &kept_count, out);
        }
        http__parser_rest(&parser);
    }
    if (feed->refused > 0)
        http__exchange_release(kept[--kept_count]);
    feed_release(kept, &kept_count, out);
    if (parser.inflow)
        http__exchange_release(in->exchange);
    if (feed->refused && !feed->requests_only)
        buf_printf(out, "refused %d\n", feed->refused);
    http__parser_clear(&parser);
}

static inline size_t feed_all(void *arg)
{
    (void)arg;
    return 0;
}

static inline size_t feed_bytewise(void *arg)
{
    (void)arg;
    return 1;
}
#endif

/* http_parse.h -- from bytes to requests, without sockets: the parser, its input blocks, and the pool of exchanges.
 * Internal to src/net and its tests. The design stands in http_parse.c and http_pool.c.
 * Use: space → (read) → filled → next until MORE, and again. Thread: that of the pool. */
#ifndef CLOUDLESS_NET_HTTP_PARSE_H
#define CLOUDLESS_NET_HTTP_PARSE_H
#include "net/http.h"
#include "net/limits.h"
#include "net/loop_internal.h"
#include <llhttp.h>
#include <netinet/in.h>
#include <stdatomic.h>

/* limits.h as a value, so that tests can make waits short and bounds small. */
struct http_limits {
    size_t header_bytes_max, header_count_max, target_bytes_max;
    size_t bodies_bytes_max, bodies_only_max, connections_max, connections_only_max, connections_inside_max, pipeline_max;
    size_t h2_noise_max;
    uint64_t h2_noise_per_s;
    uint32_t h2_streams_max;
    uint64_t idle_ms, header_ms, body_stall_ms, write_stall_ms, linger_ms, drain_ms, handshake_ms, rest_ms;
};
extern const struct http_limits http__limits_default;

struct http_conn;
struct http_outflow;
struct http2_stream;
struct http_exchange;

/* Of bodies, bytes. */
struct http_held {
    atomic_size_t all, inside; /* inside: of it, through `only` listeners */
};
/* What those of one `only` listener hold, bytes, and its tenant. */
struct http_share {
    size_t bodies;
    struct http_tenant *tenant;
};
struct http_piece {
    char *p; /* NULL: there is none */
    size_t n, cap;
};

/* A body that its handler reads in pieces, from the parser to the sink (http_inflow.c). */
struct http_inflow {
    struct body_reader reader;
    struct http_exchange *exchange;
    struct body_sink *sink; /* NULL: nobody reads yet */
    struct http_piece fill; /* is being filled; NULL: there is no memory for one while the other is lent */
    struct http_piece lent; /* with the sink, or spare */
    size_t cap_max;         /* of a piece */
    bool out;        /* lent is with the sink */
    bool ended;      /* nothing more will come */
    bool stopped;    /* the sink wants nothing more, or was told the end */
    bool keep_alive; /* of the connection, once the body is whole */
    bool delivering, release_due; /* its sink is being called; its exchange is to be released then */
    enum body_end how;
    uint64_t total; /* bytes that came */
    struct sha256_state hash;
    struct loop_task next;
};

/* A piece of input. One connection fills it; every request whose head lies in it holds a reference. */
struct http_block {
    struct http_block *next; /* in the pool */
    size_t refs, n, cap;     /* n <= cap */
    char bytes[];
};

enum exchange_state {
    EXCHANGE_PARSING,
    EXCHANGE_RUNNING,  /* with its handler */
    EXCHANGE_ANSWERED, /* its answer is being written, or waits for its turn */
};

/* A request and its answer. Everything up to `headers` is zeroed when it is taken from the pool. */
struct http_exchange {
    struct http_request request; /* first: handlers hold a pointer to it */
    struct http_pool *pool;      /* NULL: the server is gone */
    struct http_conn *conn;      /* NULL: the connection is gone */
    struct http_exchange *next;  /* on its connection; in the pool */
    struct link live;            /* in pool->live while it is out */
    struct http_block *block;    /* where its head (and a small body) lies */
    char *body_heap;             /* a large or chunked body */
    size_t body_cap;
    size_t slow_bytes;             /* that came, too few to count: http__exchange_came_on */
    struct budget_account account; /* of the same bytes in the process's budget */
    size_t counted;              /* bytes of memory for its bodies that are counted against the budget */
    struct http_inflow *in;      /* NULL: its body is gathered */
    struct http_share *share;    /* of an `only` listener; NULL: no such listener, or it may be gone */
    enum exchange_state state;
    bool handed; /* a handler has it or had it */
    bool filled; /* with what its connection knows */
    bool safe;   /* GET, HEAD, OPTIONS, TRACE */
    bool is_head;
    bool keep_alive;
    bool expect_continue;
    bool patient;     /* its body may come slowly */
    bool close_after; /* the connection ends with this answer */
    bool more;        /* further pieces will come: a stream */
    bool watched;     /* pool->watch is told how it ends */
    bool written;     /* all of the answer */
    int status;           /* of the answer; 0: none yet */
    uint64_t begun_ns;    /* clock_mono_ns, of the first byte */
    uint64_t sent;        /* bytes of the answer that were written */
    struct str out[2];
    size_t out_count;
    struct http2_stream *h2;      /* NULL: of HTTP/1.1 */
    struct http_outflow *outflow; /* of an answer that is streamed, once it has begun */
    struct loop_task task; /* http_respond_from */
    struct http_response late;
    char peer_ip[INET6_ADDRSTRLEN];
    struct http_header headers[NET_HEADER_COUNT_MAX];
};

struct http_watch {
    http_watch_fn *told; /* NULL: nobody watches */
    void *arg;
};

/* Spare memory of one loop, and the count of what is held. */
struct http_pool {
    const struct http_watch *watch;
    const struct http_limits *limits;
    struct http_held *bodies_held;  /* of the server */
    _Atomic uint64_t share_refused; /* bodies that a tenant had no share for; written by the loop's thread only */
    struct http_exchange *spare;
    struct http_block *spare_block;
    size_t spare_count, spare_block_count;
    struct link live;
};

void http__pool_init(struct http_pool *pool, const struct http_limits *limits, struct http_held *bodies_held);
void http__pool_clear(struct http_pool *pool);  /* frees what is spare, and what is still out */
void http__pool_detach(struct http_pool *pool); /* what is out frees itself when it is released */
struct http_exchange *http__exchange_take(struct http_pool *pool);
void http__exchange_release(struct http_exchange *exchange); /* at once, or when the sink of its body returns */
/* Its connection goes, and with it perhaps the listener: gives back the listener's share. */
void http__exchange_orphan(struct http_exchange *exchange);
/* Counts memory for bodies, given back with the exchange. ERR_TOO_LARGE: it alone is over the budget of all bodies, of its listener
 * or of its client; ERR_BUSY: together with others. */
enum err http__exchange_count(struct http_exchange *exchange, size_t more);
/* Room for n bytes at body_heap, what is there is kept; the same errors. length: of the whole body, if it is known, else
 * UINT64_MAX. */
enum err http__exchange_body_room(struct http_exchange *exchange, size_t n, uint64_t length);
/* More text of trailers, "NAME:VALUE\n" in any pieces; it lies behind the body. ERR_INVALID: too much; the errors of its memory. */
enum err http__exchange_trailer(struct http_exchange *exchange, struct str text);
/* n bytes of a body came. A large one that is gathered must come on: false: too few so far to count, single bytes now and then
 * do not keep the memory that it holds. */
bool http__exchange_came_on(struct http_exchange *exchange, size_t n);
int http__refusal(enum err err); /* the status for what could not be taken */
struct http_block *http__block_take(struct http_pool *pool, size_t cap);
void http__block_unref(struct http_pool *pool, struct http_block *block); /* either may be NULL */

enum http_phase {
    HTTP_PHASE_HEAD,
    HTTP_PHASE_LENGTH,
    HTTP_PHASE_CHUNKED,
    HTTP_PHASE_PASS_LENGTH,  /* into parser->inflow */
    HTTP_PHASE_PASS_CHUNKED, /* into parser->inflow */
    HTTP_PHASE_REFUSED,
};

struct http_parser {
    llhttp_t llhttp;
    struct http_pool *pool;
    struct http_share *share; /* for its exchanges; set after init */
    uint16_t peer; /* budget_peer of its client, for its exchanges; set after init */
    struct http_block *block;
    size_t start; /* of the message, in the block */
    size_t fed;   /* what llhttp or we have eaten, in the block */
    size_t head_end;
    struct http_exchange *exchange; /* being parsed; NULL between messages */
    enum http_phase phase;
    int status; /* of the refusal */
    size_t header_count;
    bool in_name, target_done;
    bool spoken;     /* there was a message before this one */
    char last;       /* byte eaten last, of a chunked body */
    uint64_t body_max; /* the user's, between HEAD and the next call */
    uint64_t content_length;
    uint64_t raw;               /* bytes eaten of a chunked body, framing included */
    struct http_inflow *inflow; /* of a body that passes; its exchange is not the parser's */
};

enum http_parsed {
    PARSED_MORE,    /* needs input */
    PARSED_HEAD,    /* a head whose body follows: set body_max; the exchange stays the parser's */
    PARSED_MESSAGE, /* a request, handed over */
    PARSED_FULL,    /* of a body that passes: its piece must be taken first */
    PARSED_PASSED,  /* that body is whole */
    PARSED_BROKEN,  /* it is refused: parser->status; the input is of no use any more */
    PARSED_HTTP2,   /* the preface of HTTP/2, as the first that came: http__parser_preface */
    PARSED_REFUSED, /* an exchange with what was parsed, handed over, and parser->status; the input is of no use any more */
};

void http__parser_init(struct http_parser *parser, struct http_pool *pool);
void http__parser_clear(struct http_parser *parser);
struct http_exchange *http__parser_take(struct http_parser *parser); /* one for a message of its connection */
/* Where the next bytes go, at least one; then how many came. Not after REFUSED. */
char *http__parser_space(struct http_parser *parser, size_t *ret_n);
void http__parser_filled(struct http_parser *parser, size_t n);
enum http_parsed http__parser_next(struct http_parser *parser, struct http_exchange **ret);
/* After HEAD: its body goes into inflow->fill. The exchange is the user's from now on. */
void http__parser_pass(struct http_parser *parser, struct http_inflow *inflow);
/* After HTTP2: ends the parser; everything that came, valid until it is cleared. */
struct str http__parser_preface(struct http_parser *parser);
/* Path and query from request->target; 0 or a status. */
int http__target_read(struct http_request *request);
/* The message whose body passes is not looked at any more; nor is anything behind it. */
void http__parser_leave(struct http_parser *parser);
/* Refuses the message that is being parsed (408). */
struct http_exchange *http__parser_refuse(struct http_parser *parser, int status);
/* Gives an idle connection's block back. */
void http__parser_rest(struct http_parser *parser);
bool http__parser_has_input(const struct http_parser *parser); /* bytes not yet eaten */

/* http_inflow.c */
/* Sets exchange->in. Errors of http__exchange_count. */
enum err http__inflow_new(struct http_exchange *exchange);
void http__inflow_free(struct http_exchange *exchange);
/* Of HTTP/2: memory for both pieces; bytes that are not let go of; more bytes, for which there is room. */
enum err http__inflow_both(struct http_inflow *in);
size_t http__inflow_held(const struct http_inflow *in);
void http__inflow_add(struct http_inflow *in, struct str piece);
static inline size_t http__inflow_room(const struct http_inflow *in) /* of the piece that is being filled */
{
    return in->fill.p ? in->fill.cap - in->fill.n : 0;
}
bool http__inflow_wants(const struct http_inflow *in); /* bytes */
void http__inflow_deliver(struct http_inflow *in); /* what came, to its sink, and the end; nothing may be known of it afterwards */
void http__inflow_drop(struct http_inflow *in);    /* it was answered: nothing more is delivered */
void http__inflow_end(struct http_inflow *in, enum body_end how); /* no more will come; the same */
/* http_outflow.c */
void http__outflow_free(struct http_exchange *exchange);
#endif

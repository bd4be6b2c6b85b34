/* http_conn.h -- the server, its listeners and connections as the files of src/net share them.
 *
 * Threads: an http_loop, its pool and its connections belong to their loop's thread. A listener belongs to the loop on
 * which it accepts, but for the fields said to be atomic. The server's list of listeners is under its lock. */
#ifndef CLOUDLESS_NET_HTTP_CONN_H
#define CLOUDLESS_NET_HTTP_CONN_H
#include "net/http_parse.h"
#include "net/transport.h"
#include <pthread.h>
#include <uv.h>

/* What a server has on one loop. */
struct http_loop {
    struct http_server *server;
    struct loop *loop;
    struct http_pool pool;
    struct link conns;        /* struct http_conn.link */
    struct loop_timer *sweep; /* NULL while there are no connections */
    struct loop_hook hook;
    bool opened, ended;
    int64_t date_second;
    char date[48]; /* "Date: …\r\n" */
    size_t date_n;
    struct arena *scratch;
    char *h2_out;                                    /* a spare buffer of http2_out.c, or NULL */
    _Atomic uint64_t requests, connections, refused, share_refused, turns_put_off; /* written by the loop's thread only */
    uint64_t turn_ms, turn_ns; /* as in struct http_tenant, of all tenants here */
    const struct http_tenant *turn_one; /* the first that had time of this turn; only compared */
    bool turn_shared, turn_was_shared;  /* another had some too; in the millisecond before */
};

struct http_server {
    struct loops *loops;
    struct http_limits limits;
    struct http_watch watch;
    void (*full)(bool inside, uint64_t refused, void *arg); /* see http_shares */
    void *full_arg;
    _Atomic uint64_t full_told_ms, full_refused; /* of uv_now; refused since the start */
    struct http_held bodies_held;
    atomic_size_t outside_count; /* connections of listeners on every loop, handed-over ones included */
    atomic_size_t all_count;     /* and of the others */
    _Atomic uint32_t peer_count[BUDGET_PEERS]; /* of outside_count, by the client's address */
    atomic_bool draining;
    size_t next_loop; /* for the accepting loop */
    pthread_mutex_t lock;
    pthread_cond_t changed; /* a count fell while somebody waits */
    struct link listeners;  /* under lock */
    size_t loop_count;
    struct http_loop loop[];
};

struct http_accept; /* the poll handle of a listener; http_server.c */

struct http_listener {
    struct http_server *server;
    struct http_listener_options options;
    struct loop *loop; /* accepts here */
    struct link link;  /* in server->listeners */
    struct http_accept *accept;
    struct loop_timer *retry;
    struct link conns;  /* of an `only` listener: struct http_conn.of_listener */
    size_t only_count;  /* connections of an `only` listener */
    struct http_share share; /* of an `only` listener */
    struct http_tenant own;  /* of one that has no other */
    atomic_size_t refs; /* the owner's, and one a connection */
    atomic_bool closed;
    struct loop_task start;
};

enum conn_state {
    CONN_OPEN,
    CONN_ENDING,    /* parses no more; ends with its last answer */
    CONN_LINGERING, /* all is written; throws away what still comes */
    CONN_CLOSING,   /* transport_close was called */
};

struct http2;

struct http_conn {
    struct transport transport;
    struct http2 *h2; /* NULL: HTTP/1.1 */
    struct http_loop *hl;
    struct http_listener *listener;
    struct link link, of_listener;
    struct http_parser parser;
    struct http_exchange *first, **last; /* handed out or answered, in the order of their arrival */
    size_t count;                        /* in that queue */
    size_t running;                      /* of them unanswered */
    bool running_unsafe;
    struct http_exchange *held; /* parsed, but must wait for the running ones */
    enum conn_state state;
    bool reading, eof, corked;
    bool write_busy;   /* a write is unfinished; it covers the first write_covers exchanges of the queue */
    size_t write_covers;
    size_t write_left;                      /* unsent bytes the sweep saw last */
    uint64_t message_ms, read_ms, wrote_ms; /* uv_now: first byte of the message, last byte in, last progress out */
    int64_t received_ms;                    /* message_ms as epoch */
    uint64_t message_ns;                    /* the same by the fine clock, if somebody watches */
    struct loop_task arrive;
    uint64_t turn_ns; /* clock_mono_ns, when the reading that goes on began; 0: not of a tenant */
    int fd; /* until it arrived */
    bool peer_loopback, unwelcome; /* unwelcome: plain text from where only TLS may come */
    uint16_t peer_port, peer;      /* of budget_peer */
    char peer_ip[INET6_ADDRSTRLEN];
};

/* http_conn.c */
void http__conn_arrive(struct loop_task *arrive);         /* on the connection's loop */
void http__conn_answered(struct http_exchange *exchange); /* out[] is set */
void http__conn_close(struct http_conn *conn);            /* at once, whatever is under way */
void http__conn_flush(struct http_conn *conn);            /* moves what can move; when drained, ends it if it is idle */
/* The sink of a body that passes by did something. */
void http__conn_resume(struct http_conn *conn, struct http_exchange *exchange);
void http__conn_fill(struct http_conn *conn, struct http_exchange *exchange); /* what the connection knows of a request */
bool http__conn_draining(const struct http_conn *conn);
void http__conn_reading(struct http_conn *conn, bool reading);
/* All answers are out. unread: the peer may still send, and is waited for a moment, so that it gets them. */
void http__conn_end(struct http_conn *conn, bool unread);
void http__conn_free(struct http_conn *conn); /* closed, without exchanges */
bool http__conn_gone(const struct http_conn *conn);

/* http_server.c */
void http__conn_freed(struct http_listener *listener, uint16_t peer); /* gives back its counts and its reference */
struct http_limits *http__server_limits(struct http_server *server); /* to be changed before anything is served */
struct str http__date_line(struct http_loop *hl);
/* Whether what a listener's clients want may be done in this turn; then how long it took. */
bool http__turn_begin(struct http_listener *listener, struct http_loop *hl, uint64_t *ret_ns);
void http__turn_end(struct http_listener *listener, struct http_loop *hl, uint64_t began_ns);

/* http_respond.c */
enum header_fate { HEADER_KEPT, HEADER_OURS, HEADER_BAD };
enum header_fate http__header_fate(const struct http_header *header);
void http__refuse(struct http_exchange *exchange, struct http_listener *listener, int status);
void http__answer_whole(struct http_exchange *exchange, const struct http_response *response); /* sets out[] */
/* Sets out[] to the head of an answer whose body follows. */
enum answer_begun {
    ANSWER_HAS_BODY,
    ANSWER_HAS_NONE, /* the head is all of it: HEAD, 204, 304 */
    ANSWER_REFUSED,  /* it became a bare 500 */
};
enum answer_begun http__answer_begin(struct http_exchange *exchange, const struct http_response *head, uint64_t length,
                                     bool *ret_chunked);

/* http_outflow.c: of exchanges with an outflow */
/* Of HTTP/2: bytes of the body; 0 without *ret_end: none yet, http2__body_ready tells; -1: it is cut. */
ssize_t http__outflow_pull(struct http_exchange *exchange, char *to, size_t room, bool *ret_end);
void http__outflow_written(struct http_exchange *exchange); /* its pieces are out, `more` is set */
void http__outflow_left(struct http_exchange *exchange);    /* all of the answer is out; it is not the connection's any more */
void http__outflow_orphan(struct http_exchange *exchange);  /* its connection is gone; settled by a task */
bool http__outflow_sends_file(const struct http_exchange *exchange);
enum outflow_sent {
    OUTFLOW_SENT,   /* all of the file; the last piece is set */
    OUTFLOW_WAITS,  /* for the socket */
    OUTFLOW_LATER,  /* it flushes by itself */
    OUTFLOW_BROKEN,
};
enum outflow_sent http__outflow_send_file(struct http_exchange *exchange, struct transport *transport);

static inline void http__count(_Atomic uint64_t *counter)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1, memory_order_relaxed);
}
#endif

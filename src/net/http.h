/* http.h -- the HTTP server: HTTP/1.1 (llhttp: keep-alive, pipelining, chunked both ways, 100-continue) and HTTP/2 (nghttp2)
 * behind one request and one answer.
 *
 * A request is handed to its listener's handler once it is complete (headers and body), or, where its listener's body_plan
 * says so, once its headers are: its body is then read in pieces (http_body). It belongs to the loop of its connection. The handler
 * answers exactly once, now or later, with http_respond on that loop, or http_respond_from from any thread. A client that went away
 * is not seen by the handler: the answer is dropped, but it must be given, as it releases the request. Of pipelined requests
 * (HTTP/1.1) those with safe methods may be with handlers at the same time; any other waits for the answers before it. Streams of
 * HTTP/2 run side by side. Malformed or ambiguous messages (both lengths, bad chunk, obs-fold, bare CR, repeated or differing
 * Content-Length) get 400 and the connection closes; nothing reaches a handler. Limits: net/limits.h. Source: RFC 9110, 9112, 9113.
 * An answer's arena is the request's; it is freed when the last byte was written. */
#ifndef CLOUDLESS_NET_HTTP_H
#define CLOUDLESS_NET_HTTP_H
#include "base/arena.h"
#include "net/body.h"
#include "net/loop.h"

struct http_header { struct str name, value; };     /* name as sent; value trimmed */

/* What a request turned out to be, filled in by whoever answers it, for those who watch: metrics, the access log. Memory as
 * the answer's: it lives until the last byte was written. */
struct http_about {
    const void *series; /* requests with the same one are counted together, it names service and operation; NULL: not known */
    struct str service, operation;  /* dynamodb GetItem; execute-api Invoke */
    struct str route;               /* of an API: its id, stage, method and resource */
    struct str principal;           /* ARN of who called */
    struct str request_id;
    struct str reason;              /* why it was refused, for the one who runs the server */
};

struct http_request {
    struct arena *arena;
    struct loop *loop;
    struct str method;              /* as sent: GET, POST, … */
    struct str target;              /* as sent */
    struct str path;                /* raw, still percent-encoded, before '?' ; absolute-form targets already cut */
    struct str query;               /* raw, behind '?'; STR_NONE without one */
    struct str host;                /* Host header as sent, may be STR_NONE on 1.0 */
    struct http_header *headers;
    size_t header_count;
    struct str body;                /* de-chunked */
    struct str trailers;            /* of a chunked body: for http_trailer; STR_NONE without any */
    struct str peer_ip;             /* text */
    uint16_t peer_port;
    bool peer_loopback;             /* the peer is on this machine */
    bool http_1_0;
    bool secure;                    /* it came over TLS */
    void *listener_arg;             /* of http_listen: which listener it came through */
    int64_t received_ms;            /* epoch, first byte */
    void *user;                     /* the handler's */
    struct http_about about;
};

struct http_response {
    int status;                     /* 200 to 599 */
    struct http_header *headers;    /* Content-Length, Connection and Date are ours and left out. Transfer-Encoding, a name
                                     * that is no token or a control character in a value: the answer is a bare 500 */
    size_t header_count;
    struct str body;                /* not sent for HEAD, 204, 304 */
};

typedef void http_handler(struct http_request *request, void *listener_arg);

/* What is spoken over TLS, as tls_options takes it. */
#define HTTP_ALPN STR("\2h2\10http/1.1")

struct tls;
struct http_server;
struct http_server *http_server_new(struct loops *loops);
/* How an exchange ended, on its loop. Status 0: the client went before there was an answer. */
struct http_served {
    int status;
    bool cut;                       /* the client did not get all of it */
    uint64_t bytes_in, bytes_out;   /* of the body; of the whole answer */
    uint64_t ns;                    /* from the first byte of the request to the last of the answer */
};
typedef void http_watch_fn(const struct http_request *request, const struct http_served *served, void *arg);
/* Called for every request of the listeners that are `watched`. Before anything is served. */
void http_server_watch(struct http_server *server, http_watch_fn *watch, void *arg);
/* How many connections may be open; more are accepted and closed. 0: as in net/limits.h. Before anything is served. */
struct http_shares {
    size_t outside, inside, inside_each;        /* of listeners on every loop; of those on one loop: all together, and each */
    /* Called when a connection is refused, on its loop, at most once in NET_FULL_TOLD_MS. `refused`: since the start. May be NULL.
     */
    void (*full)(bool inside, uint64_t refused, void *arg);
    void *arg;
};
void http_server_share(struct http_server *server, const struct http_shares *shares);
/* Whose listeners they are that are on one loop; for Lambda: a function. What they hold together, so that nobody has it all: a
 * tenant may have as much of each as it leaves to the others, so of n who want everything each gets 1/(n + 1), and as much is left.
 * Connections: of http_shares.inside. Bodies: of the half that sandboxes have, and the same of the memory budget (base/budget.h).
 * Turns: of NET_TURN_INSIDE_US, and what is beyond is read in the next turn. Zeroed; on its listeners' loop; outlives them. */
struct http_tenant {
    size_t connections, bodies; /* held now; bytes */
    uint64_t turn_ms, turn_ns;  /* the loop's clock, and the time it had of this turn */
};
/* What is to become of a body that is on its way. */
struct http_body_plan {
    uint64_t max; /* longer: 413. At most NET_BODY_BYTES_MAX if it is gathered, NET_BODY_STREAM_MAX if it is streamed */
    bool stream;  /* the handler is called now, and reads it by http_body; request->body stays empty */
    bool patient; /* it may come as slowly as it likes: who serves the listener ends it in time */
};
/* Serves `fd` (listening, non-blocking; taken) on every loop, or on `only` if not NULL. body_max per request: at most
 * NET_BODY_BYTES_MAX. body_plan may be NULL; else it is asked once, after the headers, about this request's body. */
struct http_listener;
struct http_listener_options {
    int fd;
    struct loop *only;
    http_handler *handler;
    void *arg;
    size_t body_max;
    struct http_body_plan (*body_plan)(const struct http_request *headers_only, void *arg);
    size_t body_unasked;            /* bodies with a length up to this are gathered without asking body_plan */
    /* Instead of a bare 413/400/408/431/503 of our own: fill the answer for a request that is refused before its handler.
     * request has what was parsed so far; a 503 gets its Retry-After here. May be NULL. */
    void (*refuse)(const struct http_request *request, int status, struct arena *arena, struct http_response *ret, void *arg);
    bool watched;                   /* see http_server_watch */
    struct tls *tls; /* TLS and plain text on this port, told apart by the first byte; NULL: plain text. Outlives the server */
    bool plain_loopback_only;       /* plain text from other machines is answered 400, before anything of it is read */
    uint64_t idle_ms;               /* between requests; 0: as other listeners */
    struct http_tenant *tenant;     /* with `only`; NULL: the listener is one by itself */
    void (*closed)(void *arg);      /* on `only`, after http_listener_close and all its connections; may be NULL */
    void *closed_arg;               /* given to closed; NULL: arg */
};
struct http_listener *http_listen(struct http_server *server, const struct http_listener_options *options);
/* On `only`, or while the loops do not run: ends its connections too. Requests that are still with a handler are gone, and
 * are answered as ever. Listeners that nobody closes end with the server, without `closed`. */
void http_listener_close(struct http_listener *listener);
/* Whether it is like "127.0.0.1:4566" or "[::1]:4566": numbers, of an address and a port. */
bool http_is_address(struct str address);
/* A socket that listens on such an address; no SO_REUSEPORT. ERR_EXISTS: in use, ERR_INVALID, ERR_DENIED, ERR_IO (errno says why).
 */
enum err http_bind(struct str address, int *ret_fd);
/* Not on a loop; waits. Stops accepting, closes idle connections, gives the rest NET_DRAIN_MS. Listeners with `only` go
 * on: what still runs in sandboxes needs them. */
void http_server_drain(struct http_server *server);
/* Not on a loop. After loops_stop (requests that nobody answered are freed), or while the loops run (they free themselves
 * when they are answered); before loops_free. */
void http_server_free(struct http_server *server);
struct http_stats {
    uint64_t requests, connections, refused;        /* since the start */
    size_t open, open_inside, body_bytes;           /* now; open_inside: of listeners on one loop */
    uint64_t tenant_connections, tenant_bodies, tenant_turns; /* refused, and put off, as a tenant had its share */
};
void http_server_stats(const struct http_server *server, struct http_stats *ret);

/* First header of that name, case-insensitive; STR_NONE if absent. */
struct str http_header_named(const struct http_request *request, struct str name);
static inline struct str http_header(const struct http_request *request, const char *name)
{
    return http_header_named(request, str_of(name));
}

/* The same of what followed a chunked body. */
struct str http_trailer(const struct http_request *request, const char *name);

/* The body of a request that is with its handler, however it arrives: gathered ones come as one piece. On request->loop; the
 * reader lives until the answer. An answer that is whole before the body has ended closes the connection behind it. */
struct body_reader *http_body(struct http_request *request);

void http_respond(struct http_request *request, const struct http_response *response);        /* on request->loop */
void http_respond_from(struct http_request *request,
                       const struct http_response *response); /* any thread; response is copied shallowly */
/* Text answer with one content type. */
void http_respond_text(struct http_request *request, int status, const char *content_type, struct str body);
const char *http_status_text(int status);

/* An answer whose body comes in pieces (net/body.h): head->body is not looked at. Any thread; head is copied shallowly, what it
 * points to stays until `ended`, as the request does. length: the whole body's, or HTTP_LENGTH_UNKNOWN. The writer holds two pieces
 * of NET_PIECE_BYTES. What comes for HEAD, 204 and 304 is dropped. producer may be NULL. */
#define HTTP_LENGTH_UNKNOWN UINT64_MAX
struct body_writer *http_stream(struct http_request *request, const struct http_response *head, uint64_t length,
                                struct body_producer *producer);

/* n bytes of a file from there on, or HTTP_TO_END; the fd is taken. A range is its caller's: status 206 and Content-Range are of
 * head. */
#define HTTP_TO_END UINT64_MAX
void http_respond_file(struct http_request *request, const struct http_response *head, int fd, uint64_t from, uint64_t n,
                       struct workers *workers);

/* True: the client closed the connection or its sending side; the request must be answered all the same. For long waits,
 * on request->loop. */
bool http_request_gone(const struct http_request *request);
#endif

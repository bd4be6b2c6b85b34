/* http2.h -- HTTP/2 on a connection (nghttp2), over the same exchanges as HTTP/1.1. Internal to src/net and its tests.
 * The design stands in http2.c (what comes in) and http2_out.c (what goes out). Thread: the connection's loop. */
#ifndef CLOUDLESS_NET_HTTP2_H
#define CLOUDLESS_NET_HTTP2_H
#include "net/http_conn.h"
#include <nghttp2/nghttp2.h>

/* What an exchange has of its stream; in the request's arena. */
struct http2_stream {
    struct link link; /* of http2.streams */
    struct http_exchange *exchange;
    int32_t id;
    int status;          /* the refusal that its head earned; 0: none */
    size_t header_bytes; /* as they would stand in HTTP/1.1 */
    struct str authority;
    bool head_done; /* its handler, or a refusal, has its turn when the body allows */
    bool in_trailers;
    bool body_done;      /* the client has sent all of it */
    bool discard;        /* what still comes of it is dropped */
    bool all_sent;       /* the last byte of the answer was handed to the transport */
    bool answer_streams; /* from an outflow */
    uint64_t length;     /* of the body; UINT64_MAX: not announced */
    uint64_t body_max;
    size_t unconsumed; /* bytes that count against the stream's window */
    size_t out_at;     /* of the answer's body */
    uint64_t read_ms, sent_ms;
};

struct http2 {
    struct http_conn *conn;
    nghttp2_session *session;
    struct link streams;
    size_t stream_count;
    char *out; /* a write that is unfinished; NULL: none */
    size_t out_n;
    bool corked;
    bool going;                                /* GOAWAY was said: no new streams */
    bool ending;                               /* nothing more is read */
    int32_t last_id, skipped_from, skipped_to; /* of the last stream; ids between the two before it */
    uint64_t head_ms;                          /* begin of a header block that is not whole yet; 0: none */
    uint64_t frame_ms;                         /* the last whole frame */
    uint64_t data_ms;                          /* the last piece of any answer that went out */
    uint64_t noise_ms;                         /* when noise was last let go of */
    size_t noise;                              /* frames that ask for work and bring nothing */
};

/* Speaks HTTP/2 from now on; `input` is what already came. */
void http2__begin(struct http_conn *conn, struct str input);
void http2__run(struct http_conn *conn); /* sends what can be sent; ends what is over */
void http2__check(struct http_conn *conn, const struct http_limits *limits, uint64_t now);
void http2__answer(struct http_exchange *exchange, const struct http_response *response);
enum answer_begun http2__answer_begin(struct http_exchange *exchange, const struct http_response *head, uint64_t length);
void http2__answered(struct http_exchange *exchange);
void http2__body_ready(struct http_exchange *exchange); /* of an outflow: there are bytes, or the end */
void http2__resume(struct http_exchange *exchange);     /* as http__conn_resume */

void http2__terminate(struct http2 *h2, uint32_t code); /* says why by GOAWAY; the next run ends it */

/* http2_out.c */
bool http2__send(struct http2 *h2); /* false: closed */
void http2__written(struct http2 *h2);
#endif

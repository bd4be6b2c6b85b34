/* http2.c -- HTTP/2 on a connection: frames to requests. nghttp2 has the frames, HPACK, the states of streams and the rules
 * for messages (pseudo-headers, forbidden headers, lengths); this file has what a request of ours is.
 *
 * A stream is an exchange: headers are copied into its arena, the body is gathered or passes by as in HTTP/1.1 (body_plan), the
 * handler gets it and answers it by the same functions. It begins by ALPN, or by the preface on plain TCP, which the HTTP/1.1
 * parser stops at.
 *
 * The engine is http2__run, as conn_run in http_conn.c: everything that nghttp2 calls back only submits; frames are made and
 * written at the end, several in one system call. It is corked while input is read.
 *
 * Windows are the back-pressure: bytes of a gathered body are given back at once (the budget of bodies bounds them), those of
 * a body that passes when its sink has let go of them. A stream's window is smaller than the piece that fills, so there is
 * always room; the connection's window bounds all bodies of a connection that wait for their sinks, so four slow ones slow the
 * others.
 *
 * Floods: a frame that asks for work and brings nothing (RST_STREAM, SETTINGS, PING, PRIORITY, empty DATA, small
 * window updates, and streams that we had to reset) is noise; noise is let go of at a steady rate, and above the bound the
 * connection ends with ENHANCE_YOUR_CALM. So does one whose windows keep an answer from moving for too long. nghttp2 bounds
 * CONTINUATION and acknowledgements, which end the same way.
 *
 * A stream that closes before its answer is out leaves its exchange without a connection, as a closed connection does.
 * Sources: RFC 9113, RFC 7541; CVE-2023-44487, CVE-2024-28182, CVE-2019-9511 to 9518, CVE-2025-8671. */
#include "net/http2.h"
#include "base/clock.h"
#include "base/panic.h"
#include <stdlib.h>

#define READ_TURN_BYTES 65536
#define SMALL_WINDOW 256 /* an update by less is noise */

static void stream_over(struct http2_stream *stream, bool all_sent);

static struct http2 *h2_of(const struct http_exchange *exchange)
{
    return exchange->conn->h2;
}

static uint64_t h2_now(const struct http2 *h2)
{
    return uv_now(loop_uv(h2->conn->hl->loop));
}

static const struct http_limits *h2_limits(const struct http2 *h2)
{
    return &h2->conn->hl->server->limits;
}

/* ---- noise ---- */

static void h2_noise(struct http2 *h2)
{
    const struct http_limits *limits = h2_limits(h2);
    uint64_t now = h2_now(h2), gone = (now - h2->noise_ms) * limits->h2_noise_per_s / 1000;
    if (gone) {
        h2->noise -= gone < h2->noise ? (size_t)gone : h2->noise;
        h2->noise_ms = now;
    }
    if (++h2->noise > limits->h2_noise_max && !h2->ending) {
        http__count(&h2->conn->hl->refused);
        http2__terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM);
    }
}

/* ---- streams ---- */

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h2 = arg;
    struct http_conn *conn = h2->conn;
    h2->head_ms = h2_now(h2);
    if (frame->hd.type != NGHTTP2_HEADERS)
        return 0;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (stream) {
        stream->in_trailers = true;
        return 0;
    }
    if (frame->headers.cat != NGHTTP2_HCAT_REQUEST)
        return 0;
    struct http_exchange *exchange = http__parser_take(&conn->parser);
    conn->message_ms = h2->head_ms;
    conn->received_ms = loop_now_ms();
    if (conn->listener->options.watched)
        conn->message_ns = clock_mono_ns();
    http__conn_fill(conn, exchange);
    stream = arena_new_of(exchange->request.arena, struct http2_stream);
    stream->exchange = exchange;
    stream->id = frame->hd.stream_id;
    stream->length = UINT64_MAX;
    stream->read_ms = stream->sent_ms = h2->head_ms;
    exchange->h2 = stream;
    link_add_last(&h2->streams, &stream->link);
    h2->stream_count++;
    h2->skipped_from = h2->last_id + 1;
    h2->skipped_to = h2->last_id = stream->id;
    nghttp2_session_set_stream_user_data(session, stream->id, stream);
    return 0;
}

static bool pseudo_header(struct http2_stream *stream, struct str name, struct str value)
{
    struct http_request *request = &stream->exchange->request;
    if (str_eq(name, STR(":method")))
        request->method = value;
    else if (str_eq(name, STR(":path")))
        request->target = value;
    else if (str_eq(name, STR(":authority")))
        stream->authority = value;
    else
        return str_eq(name, STR(":scheme"));
    return true;
}

/* "NAME:VALUE\n", as HTTP/1.1's parser keeps them. */
static int trailer_header(struct http_exchange *exchange, struct str name, struct str value)
{
    const struct str line[] = {name, STR(":"), value, STR("\n")};
    for (size_t i = 0; i < COUNT_OF(line); i++)
        if (http__exchange_trailer(exchange, line[i]) != ERR_OK)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

/* Crumbs of a cookie are one header in HTTP/1.1: RFC 9113, 8.2.3. Each has counted as a header; they are joined once. */
static void join_cookies(struct http_request *request)
{
    size_t crumbs = 0, bytes = 0, kept = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        bool crumb = str_eq(request->headers[i].name, STR("cookie"));
        crumbs += crumb;
        bytes += crumb ? request->headers[i].value.n + 2 : 0;
    }
    if (crumbs < 2)
        return;
    char *joined = arena_alloc(request->arena, bytes), *end = joined;
    struct http_header *first = NULL;
    for (size_t i = 0; i < request->header_count; i++) {
        struct http_header header = request->headers[i];
        bool crumb = str_eq(header.name, STR("cookie"));
        if (!crumb || !first)
            request->headers[kept++] = header;
        if (!crumb)
            continue;
        if (first) {
            memcpy(end, "; ", 2);
            end += 2;
        } else {
            first = &request->headers[kept - 1];
        }
        if (header.value.n)
            memcpy(end, header.value.p, header.value.n);
        end += header.value.n;
    }
    first->value = (struct str){joined, (size_t)(end - joined)};
    request->header_count = kept;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name_buf, nghttp2_rcbuf *value_buf,
                     uint8_t flags, void *arg)
{
    (void)flags;
    struct http2 *h2 = arg;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!stream || stream->status)
        return 0;
    struct http_request *request = &stream->exchange->request;
    const struct http_limits *limits = h2_limits(h2);
    nghttp2_vec name_vec = nghttp2_rcbuf_get_buf(name_buf), value_vec = nghttp2_rcbuf_get_buf(value_buf);
    struct str name = {(const char *)name_vec.base, name_vec.len}, value = {(const char *)value_vec.base, value_vec.len};
    if (stream->in_trailers)
        return trailer_header(stream->exchange, name, value);
    stream->header_bytes += name.n + value.n + 4;
    bool pseudo = name.n && name.p[0] == ':';
    if (stream->header_bytes > limits->header_bytes_max ||
        (!pseudo && (request->header_count >= limits->header_count_max || request->header_count >= NET_HEADER_COUNT_MAX - 1))) {
        stream->status = 431;
        return 0;
    }
    value = value.n ? arena_dup(request->arena, value) : STR("");
    if (pseudo)
        return pseudo_header(stream, name, value) ? 0 : NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    request->headers[request->header_count++] = (struct http_header){.name = arena_dup(request->arena, name), .value = value};
    return 0;
}

static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name, nghttp2_rcbuf *value,
                             uint8_t flags, void *arg)
{
    (void)session, (void)frame, (void)name, (void)value, (void)flags, (void)arg;
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* What HTTP/1.1 finds in a head, from this one; 0 or a status; -1: malformed, the stream is reset. */
static int stream_head(struct http2_stream *stream, const struct http_limits *limits)
{
    struct http_exchange *exchange = stream->exchange;
    struct http_request *request = &exchange->request;
    struct str host = STR_NONE;
    join_cookies(request);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        if (str_eq(header->name, STR("host"))) {
            if (host.p)
                return -1;
            host = header->value;
        } else if (str_eq(header->name, STR("content-length"))) {
            if (!str_to_u64(header->value, &stream->length))
                return -1;
        } else if (str_eq(header->name, STR("expect"))) {
            if (!str_eq_nocase(header->value, STR("100-continue")))
                return 417;
            exchange->expect_continue = true;
        }
    }
    if (host.p && stream->authority.p && !str_eq_nocase(host, stream->authority))
        return -1;
    if (!host.p && stream->authority.p)
        request->headers[request->header_count++] = (struct http_header){STR("host"), stream->authority};
    request->host = host.p ? host : stream->authority;
    if (!request->host.p || !request->target.n)
        return str_eq(request->method, STR("CONNECT")) ? 501 : 400;
    if (request->target.n > limits->target_bytes_max)
        return 414;
    exchange->is_head = str_eq(request->method, STR("HEAD"));
    exchange->safe = true; /* streams do not wait for each other */
    exchange->keep_alive = true;
    return str_eq(request->method, STR("CONNECT")) ? 501 : http__target_read(request);
}

static void stream_refuse(struct http2_stream *stream, int status)
{
    struct http_exchange *exchange = stream->exchange;
    struct http_conn *conn = exchange->conn;
    stream->discard = true;
    http__count(&conn->hl->refused);
    http__refuse(exchange, conn->listener, status);
    exchange->state = EXCHANGE_ANSWERED;
}

/* Once, and not behind the answer's head. */
static void stream_continue(struct http2_stream *stream)
{
    struct http_exchange *exchange = stream->exchange;
    if (!exchange->expect_continue || exchange->status)
        return;
    exchange->expect_continue = false;
    const nghttp2_nv go_on = {(uint8_t *)(uintptr_t) ":status", (uint8_t *)(uintptr_t) "100", 7, 3, NGHTTP2_NV_FLAG_NONE};
    nghttp2_submit_headers(h2_of(exchange)->session, NGHTTP2_FLAG_NONE, stream->id, NULL, &go_on, 1, NULL);
}

static void stream_dispatch(struct http2_stream *stream)
{
    struct http_exchange *exchange = stream->exchange;
    struct http_conn *conn = exchange->conn;
    exchange->state = EXCHANGE_RUNNING;
    http__count(&conn->hl->requests);
    conn->listener->options.handler(&exchange->request, conn->listener->options.arg);
}

/* The body is read by the handler: it is called now. Both pieces are there, so that what the window lets in has room. */
static void stream_pass(struct http2_stream *stream, uint64_t max)
{
    struct http_exchange *exchange = stream->exchange;
    stream->body_max = max < NET_BODY_STREAM_MAX ? max : NET_BODY_STREAM_MAX;
    if (stream->length != UINT64_MAX && stream->length > stream->body_max) {
        stream_refuse(stream, 413);
        return;
    }
    enum err err = http__inflow_new(exchange);
    if (err == ERR_OK)
        err = http__inflow_both(exchange->in);
    if (err != ERR_OK) {
        stream_refuse(stream, http__refusal(err));
        return;
    }
    if (stream->length != UINT64_MAX)
        exchange->in->reader.length = (int64_t)stream->length;
    stream_dispatch(stream);
}

/* As head_parsed of HTTP/1.1. */
static void stream_body_follows(struct http2 *h2, struct http2_stream *stream)
{
    const struct http_listener_options *options = &h2->conn->listener->options;
    struct http_exchange *exchange = stream->exchange;
    struct http_body_plan plan = {.max = options->body_max};
    if (options->body_plan && (stream->length == UINT64_MAX || stream->length > options->body_unasked))
        plan = options->body_plan(&exchange->request, options->arg);
    if (plan.stream) {
        stream_pass(stream, plan.max);
        return;
    }
    stream->body_max = plan.max < NET_BODY_BYTES_MAX ? plan.max : NET_BODY_BYTES_MAX;
    if (stream->length != UINT64_MAX && stream->length > stream->body_max)
        stream_refuse(stream, 413);
    else
        stream_continue(stream);
}

static void stream_body_whole(struct http2_stream *stream)
{
    struct http_exchange *exchange = stream->exchange;
    stream->body_done = true;
    if (exchange->in)
        http__inflow_end(exchange->in, BODY_WHOLE);
    else if (!stream->discard)
        stream_dispatch(stream);
}

static void stream_reset(struct http2 *h2, struct http2_stream *stream, uint32_t code)
{
    nghttp2_submit_rst_stream(h2->session, NGHTTP2_FLAG_NONE, stream->id, code);
}

static void head_whole(struct http2 *h2, struct http2_stream *stream, bool end)
{
    stream->head_done = true;
    stream->body_done = end;
    int status = stream->status ? stream->status : stream_head(stream, h2_limits(h2));
    if (h2->conn->unwelcome)
        status = 400;
    if (status < 0) {
        stream->discard = true;
        stream_reset(h2, stream, NGHTTP2_PROTOCOL_ERROR);
    } else if (status) {
        stream_refuse(stream, status);
    } else if (!end) {
        stream_body_follows(h2, stream);
    } else {
        stream_body_whole(stream);
    }
}

/* ---- bodies ---- */

/* Gives back to the windows what the sink has let go of. */
static void stream_credit(struct http2 *h2, struct http2_stream *stream)
{
    struct http_inflow *in = stream->exchange->in;
    size_t held = in && !stream->discard ? http__inflow_held(in) : 0;
    if (stream->unconsumed <= held)
        return;
    nghttp2_session_consume(h2->session, stream->id, stream->unconsumed - held);
    stream->unconsumed = held;
}

static void gather(struct http2_stream *stream, struct str piece)
{
    struct http_exchange *exchange = stream->exchange;
    struct str *body = &exchange->request.body;
    if (piece.n > stream->body_max - body->n) {
        stream_refuse(stream, 413);
        return;
    }
    enum err err = http__exchange_body_room(exchange, body->n + piece.n, stream->length);
    if (err != ERR_OK) {
        stream_refuse(stream, http__refusal(err));
        return;
    }
    memcpy(exchange->body_heap + body->n, piece.p, piece.n);
    body->p = exchange->body_heap;
    body->n += piece.n;
}

static void pass(struct http2_stream *stream, struct str piece)
{
    struct http_inflow *in = stream->exchange->in;
    if (in->stopped)
        return;
    if (piece.n > stream->body_max - in->total) {
        stream->discard = true;
        http__inflow_end(in, BODY_TOO_LARGE);
        return;
    }
    http__inflow_add(in, piece);
    http__inflow_deliver(in);
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
    (void)flags;
    struct http2 *h2 = arg;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (!stream) {
        nghttp2_session_consume_connection(session, n);
        return 0;
    }
    if (http__exchange_came_on(stream->exchange, n))
        stream->read_ms = h2_now(h2);
    stream->unconsumed += n;
    if (n && !stream->discard && stream->exchange->in)
        pass(stream, (struct str){(const char *)p, n});
    else if (n && !stream->discard)
        gather(stream, (struct str){(const char *)p, n});
    stream_credit(h2, stream);
    return 0;
}

/* ---- frames ---- */

static bool is_noise(const nghttp2_frame *frame)
{
    switch (frame->hd.type) {
    case NGHTTP2_RST_STREAM:
    case NGHTTP2_PRIORITY:
        return true;
    case NGHTTP2_SETTINGS:
    case NGHTTP2_PING:
        return !(frame->hd.flags & NGHTTP2_FLAG_ACK);
    case NGHTTP2_WINDOW_UPDATE:
        return frame->window_update.window_size_increment < SMALL_WINDOW;
    case NGHTTP2_DATA:
        return frame->hd.length == frame->data.padlen && !(frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    default:
        return false;
    }
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h2 = arg;
    h2->frame_ms = h2_now(h2);
    if (is_noise(frame))
        h2_noise(h2);
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA)
        return 0;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool end = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS)
        h2->head_ms = 0;
    if (!stream)
        return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->head_done)
        head_whole(h2, stream, end);
    else if (end && !stream->body_done)
        stream_body_whole(stream);
    return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *hd, void *arg)
{
    (void)session;
    struct http2 *h2 = arg;
    if (hd->type != NGHTTP2_CONTINUATION)       /* a head that was broken off is over, whatever nghttp2 tells of it */
        h2->head_ms = 0;
    /* nghttp2 takes a stream that was skipped for one that is closed, and ignores it: RFC 9113, 5.1.1. */
    bool skipped = hd->type == NGHTTP2_HEADERS && hd->stream_id >= h2->skipped_from && hd->stream_id < h2->skipped_to;
    if (skipped && !h2->ending)
        http2__terminate(h2, NGHTTP2_PROTOCOL_ERROR);
    return 0;
}

static int on_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *arg)
{
    struct http2 *h2 = arg;
    if (frame->hd.type == NGHTTP2_RST_STREAM && frame->rst_stream.error_code != NGHTTP2_NO_ERROR)
        h2_noise(h2); /* what made us reset it */
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    if (!stream || (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA))
        return 0;
    stream->exchange->sent += frame->hd.length + 9;
    stream->sent_ms = h2->data_ms = h2_now(h2);
    if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
        stream->all_sent = stream->discard = true; /* what still comes is thrown away for a moment, see check_stream */
    return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *arg)
{
    (void)code;
    struct http2 *h2 = arg;
    struct http2_stream *stream = nghttp2_session_get_stream_user_data(session, id);
    if (!stream)
        return 0;
    if (!stream->head_done)
        h2->head_ms = 0;
    if (stream->unconsumed) /* the stream's own window is of no use any more */
        nghttp2_session_consume_connection(session, stream->unconsumed);
    nghttp2_session_set_stream_user_data(session, id, NULL);
    h2->stream_count--;
    link_remove(&stream->link);
    stream_over(stream, stream->all_sent);
    return 0;
}

/* Its exchange is not the connection's any more; the stream may be gone with it. */
static void stream_over(struct http2_stream *stream, bool all_sent)
{
    struct http_exchange *exchange = stream->exchange;
    exchange->h2 = NULL;
    exchange->written = all_sent;
    if (all_sent && exchange->outflow) {
        http__outflow_left(exchange);
        return;
    }
    http__exchange_orphan(exchange);
    if (exchange->outflow)
        http__outflow_orphan(exchange);
    if (exchange->state != EXCHANGE_RUNNING && !exchange->outflow)
        http__exchange_release(exchange);
    else if (exchange->in)
        http__inflow_end(exchange->in, BODY_GONE);
}

void http2__resume(struct http_exchange *exchange)
{
    struct http2 *h2 = h2_of(exchange);
    struct http2_stream *stream = exchange->h2;
    struct http_inflow *in = exchange->in;
    if (in->total == 0 && !in->stopped && !stream->body_done)
        stream_continue(stream);
    bool corked = h2->corked;
    h2->corked = true;
    stream->read_ms = h2_now(h2); /* the client could not send until now */
    http__inflow_deliver(in);
    stream_credit(h2, stream);
    h2->corked = corked;
    http2__run(h2->conn);
}

/* ---- the connection ---- */

static nghttp2_session_callbacks *h2_callbacks;
static nghttp2_option *h2_option;

static void make_callbacks(void)
{
    ENSURE(nghttp2_session_callbacks_new(&h2_callbacks) == 0 && nghttp2_option_new(&h2_option) == 0);
    nghttp2_session_callbacks_set_on_begin_frame_callback(h2_callbacks, on_begin_frame);
    nghttp2_session_callbacks_set_on_begin_headers_callback(h2_callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(h2_callbacks, on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(h2_callbacks, on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(h2_callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(h2_callbacks, on_data);
    nghttp2_session_callbacks_set_on_frame_send_callback(h2_callbacks, on_frame_sent);
    nghttp2_session_callbacks_set_on_stream_close_callback(h2_callbacks, on_stream_close);
    nghttp2_option_set_no_auto_window_update(h2_option, 1);
}

/* An engine that stops by itself had an error of the peer, or one of its own bounds was reached. */
static uint32_t code_of(ssize_t error)
{
    switch (error) {
    case NGHTTP2_ERR_FLOODED:
        return NGHTTP2_ENHANCE_YOUR_CALM;
    case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
        return NGHTTP2_PROTOCOL_ERROR;
    default:
        return error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS ? NGHTTP2_ENHANCE_YOUR_CALM : NGHTTP2_INTERNAL_ERROR;
    }
}

static void h2_input(struct http2 *h2, struct str input)
{
    if (h2->ending)
        return;
    bool corked = h2->corked;
    h2->corked = true;
    ssize_t n = nghttp2_session_mem_recv(h2->session, (const uint8_t *)input.p, input.n);
    h2->corked = corked;
    if (n < 0 && !h2->ending)
        http2__terminate(h2, code_of(n));
}

void http2__terminate(struct http2 *h2, uint32_t code)
{
    h2->ending = true;
    nghttp2_session_terminate_session(h2->session, code);
}

/* The client lets no more of the answer in. */
static bool window_shut(const struct http2 *h2, const struct http2_stream *stream)
{
    return stream->exchange->state == EXCHANGE_ANSWERED && !stream->all_sent &&
           (nghttp2_session_get_remote_window_size(h2->session) <= 0 ||
            nghttp2_session_get_stream_remote_window_size(h2->session, stream->id) <= 0);
}

/* The stream's own window has its own clock; that of the connection is often shut while other answers fill it, and counts only
 * when nothing of any leaves. */
static bool window_stalled(const struct http2 *h2, const struct http2_stream *stream, uint64_t ms, uint64_t now)
{
    bool own = nghttp2_session_get_stream_remote_window_size(h2->session, stream->id) <= 0;
    uint64_t since = own || stream->sent_ms > h2->data_ms ? stream->sent_ms : h2->data_ms;
    return window_shut(h2, stream) && now - since >= ms;
}

/* A client that sends no more is still answered what it has asked for as a whole, as far as its windows go. */
static bool h2_owes(const struct http2 *h2)
{
    for (struct link *at = h2->streams.next; at != &h2->streams; at = at->next) {
        struct http2_stream *stream = CONTAINER_OF(at, struct http2_stream, link);
        if (stream->body_done && !window_shut(h2, stream))
            return true;
    }
    return false;
}

void http2__run(struct http_conn *conn)
{
    struct http2 *h2 = conn->h2;
    if (h2->corked || conn->state != CONN_OPEN)
        return;
    h2->corked = true;
    if (http__conn_draining(conn) && !h2->going) {
        h2->going = true;
        nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(h2->session),
                              NGHTTP2_NO_ERROR, NULL, 0);
    }
    bool open = http2__send(h2);
    h2->corked = false;
    if (!open)
        return;
    bool done = h2->ending || (h2->going && h2->stream_count == 0) || (conn->eof && !h2_owes(h2)) ||
                (!nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session));
    if (done && !conn->write_busy)
        http__conn_end(conn, true);
    else
        http__conn_reading(conn, !conn->eof && !conn->write_busy && !h2->ending);
}

static char *h2_space(struct transport *transport, size_t *ret_n)
{
    static _Thread_local char input[READ_TURN_BYTES]; /* all of it is eaten before anything else is read */
    (void)transport;
    *ret_n = sizeof(input);
    return input;
}

static void h2_got(struct transport *transport, ssize_t n)
{
    struct http_conn *conn = CONTAINER_OF(transport, struct http_conn, transport);
    if (n < 0 || (n == 0 && conn->state != CONN_OPEN)) {
        http__conn_close(conn);
        return;
    }
    if (conn->state != CONN_OPEN)
        return; /* thrown away */
    if (n == 0) {
        conn->eof = true;
    } else {
        conn->read_ms = h2_now(conn->h2);
        h2_input(conn->h2, (struct str){h2_space(transport, &(size_t){0}), (size_t)n});
    }
    http2__run(conn);
}

static void h2_written(struct transport *transport, bool fine)
{
    struct http_conn *conn = CONTAINER_OF(transport, struct http_conn, transport);
    conn->write_busy = false;
    if (!fine) {
        http__conn_close(conn);
        return;
    }
    conn->wrote_ms = h2_now(conn->h2);
    http2__written(conn->h2);
    http2__run(conn);
}

static void h2_closed(struct transport *transport)
{
    struct http_conn *conn = CONTAINER_OF(transport, struct http_conn, transport);
    struct http2 *h2 = conn->h2;
    while (!link_alone(&h2->streams)) {
        struct http2_stream *stream = CONTAINER_OF(h2->streams.next, struct http2_stream, link);
        nghttp2_session_set_stream_user_data(h2->session, stream->id, NULL);
        link_remove(&stream->link);
        stream_over(stream, false);
    }
    nghttp2_session_del(h2->session);
    free(h2->out);
    free(h2);
    http__conn_free(conn);
}

static const struct transport_user h2_user = {.space = h2_space, .got = h2_got, .written = h2_written, .closed = h2_closed};

void http2__begin(struct http_conn *conn, struct str input)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_callbacks);
    struct http2 *h2 = mem_zalloc(sizeof(*h2));
    h2->conn = conn;
    link_init(&h2->streams);
    conn->h2 = h2;
    conn->transport.user = &h2_user;
    h2->frame_ms = h2->noise_ms = conn->read_ms = h2_now(h2);
    const struct http_limits *limits = h2_limits(h2);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->h2_streams_max},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->header_bytes_max},
    };
    ENSURE(nghttp2_session_server_new2(&h2->session, h2_callbacks, h2, h2_option) == 0);
    ENSURE(nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings)) == 0);
    ENSURE(nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0, NET_H2_WINDOW_BYTES) == 0);
    if (input.n)
        h2_input(h2, input);
    http2__run(conn);
}

/* ---- waits ---- */

static void check_stream(struct http2 *h2, struct http2_stream *stream, const struct http_limits *limits, uint64_t now)
{
    struct http_exchange *exchange = stream->exchange;
    if (stream->head_done && !stream->body_done && !stream->discard && !stream->unconsumed &&
        now - stream->read_ms >= limits->body_stall_ms && (!exchange->in || http__inflow_wants(exchange->in))) {
        stream->discard = true;
        if (exchange->in)
            http__inflow_end(exchange->in, BODY_STALLED);
        else
            stream_refuse(stream, 408);
    }
    /* Answered before its body had come. At once, the reset would keep some clients from taking the answer. */
    if (stream->all_sent && !stream->body_done && now - stream->sent_ms >= limits->linger_ms)
        stream_reset(h2, stream, NGHTTP2_NO_ERROR);
    if (window_stalled(h2, stream, limits->write_stall_ms, now))
        http2__terminate(h2, NGHTTP2_ENHANCE_YOUR_CALM);
}

void http2__check(struct http_conn *conn, const struct http_limits *limits, uint64_t now)
{
    struct http2 *h2 = conn->h2;
    h2->corked = true;
    bool late = h2->head_ms && now - h2->head_ms >= limits->header_ms;
    uint64_t since = h2->frame_ms > conn->wrote_ms ? h2->frame_ms : conn->wrote_ms;
    if (!h2->ending && (late || (h2->stream_count == 0 && now - since >= limits->idle_ms)))
        http2__terminate(h2, NGHTTP2_NO_ERROR);
    else if (h2->stream_count == 0 && now - since >= limits->rest_ms)
        transport_rest(&conn->transport);
    for (struct link *at = h2->streams.next, *next; at != &h2->streams && !h2->ending; at = next) {
        next = at->next;
        check_stream(h2, CONTAINER_OF(at, struct http2_stream, link), limits, now);
    }
    h2->corked = false;
    http2__run(conn);
}

/* http_conn.c -- one connection: reads, parses, hands out requests, writes the answers in order.
 *
 * States: OPEN → ENDING (the last request is known: Connection: close, a refusal; input is read only to see the peer's
 * FIN) → LINGERING (after a refusal: our FIN is out, input is thrown away for a moment, else a reset would destroy the
 * answer) → CLOSING. Any of them may jump to CLOSING; so does OPEN after the peer's FIN, or when drained, once idle.
 *
 * The queue (first … last) holds exchanges in the order of their requests: running with a handler, or answered. Answers
 * leave from its front, several in one system call. conn_run is the only engine: parse, hand out, write, until nothing
 * moves. It is corked while it runs, so a handler that answers at once only marks its exchange; there is no recursion.
 *
 * Pipelining: requests with safe methods run side by side. Anything else waits (`held`) until all before it are
 * answered, and lets nothing overtake it (RFC 9112, 9.3.2). While one is held, NET_PIPELINE_MAX are in the queue or the
 * client does not take its answers, nothing is parsed or read: so a client that only sends costs a bounded amount.
 *
 * The peer's FIN: it may have closed its sending side only, so what is running is answered; a partial request is
 * dropped. http_request_gone is true from then on.
 *
 * Waits have no timers of their own: one sweep a loop compares the times that reading and writing leave behind. */
#include "base/clock.h"
#include "base/panic.h"
#include "net/http_conn.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define WRITE_PIECES_MAX 32 /* in one system call */

static void conn_run(struct http_conn *conn);

/* ---- closing ---- */

static void conn_closed(uv_handle_t *handle)
{
    struct http_conn *conn = handle->data;
    struct http_exchange *exchange = conn->first;
    while (exchange) {
        struct http_exchange *next = exchange->next;
        http__exchange_orphan(exchange);
        /* A handler or a worker still has it: the late answer releases it. */
        if (exchange->state == EXCHANGE_ANSWERED && !http__stream_busy(exchange)) {
            http__stream_free(exchange);
            http__exchange_release(exchange);
        }
        exchange = next;
    }
    if (conn->held)
        http__exchange_release(conn->held);
    http__parser_clear(&conn->parser);
    struct http_listener *listener = conn->listener;
    free(conn);
    http__conn_freed(listener);
}

void http__conn_close(struct http_conn *conn)
{
    if (conn->state == CONN_CLOSING)
        return;
    conn->state = CONN_CLOSING;
    link_remove(&conn->link);
    link_remove(&conn->of_listener);
    uv_close((uv_handle_t *)&conn->tcp, conn_closed);
}

bool http__conn_gone(const struct http_conn *conn)
{
    return conn->state == CONN_CLOSING || conn->eof;
}

static void shut_down(uv_shutdown_t *shutdown, int status)
{
    (void)shutdown;
    (void)status;
}

static void set_reading(struct http_conn *conn, bool reading);

/* All answers are out and no more will come. */
static void conn_end(struct http_conn *conn)
{
    bool unread = conn->parser.phase == HTTP_PHASE_REFUSED || conn->parser.exchange || http__parser_has_input(&conn->parser);
    if (conn->eof || !unread || uv_shutdown(&conn->shutdown, (uv_stream_t *)&conn->tcp, shut_down) != 0) {
        http__conn_close(conn);
        return;
    }
    conn->state = CONN_LINGERING;
    conn->wrote_ms = uv_now(conn->tcp.loop);
    set_reading(conn, true);
}

/* ---- writing ---- */

static void pop_written(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->first;
    exchange->out_count = 0;
    if (exchange->more) {
        http__stream_written(exchange);
        return;
    }
    conn->first = exchange->next;
    if (!conn->first)
        conn->last = &conn->first;
    conn->count--;
    if (exchange->close_after)
        conn->state = CONN_ENDING;
    http__stream_free(exchange);
    http__exchange_release(exchange);
}

static void write_done(uv_write_t *write, int status)
{
    struct http_conn *conn = write->data;
    conn->write_busy = false;
    if (conn->state == CONN_CLOSING)
        return;
    if (status < 0) {
        http__conn_close(conn);
        return;
    }
    conn->wrote_ms = uv_now(conn->tcp.loop);
    for (; conn->write_covers > 0 && conn->state != CONN_CLOSING; conn->write_covers--)
        pop_written(conn);
    conn_run(conn);
}

static void write_rest(struct http_conn *conn, uv_buf_t *bufs, size_t count, size_t sent, size_t covers)
{
    while (count && sent >= bufs->len) {
        sent -= bufs->len;
        bufs++;
        count--;
    }
    bufs->base += sent;
    bufs->len -= sent;
    conn->write_busy = true;
    conn->write_covers = covers;
    conn->write_left = 0;
    conn->wrote_ms = uv_now(conn->tcp.loop);
    conn->write.data = conn;
    if (uv_write(&conn->write, (uv_stream_t *)&conn->tcp, bufs, (unsigned)count, write_done) != 0) {
        conn->write_busy = false;
        http__conn_close(conn);
    }
}

/* Writes what it can at once; what the socket does not take goes to libuv. False: failed. */
static bool write_now(struct http_conn *conn, uv_buf_t *bufs, size_t count, size_t total, size_t covers)
{
    int sent = uv_try_write((uv_stream_t *)&conn->tcp, bufs, (unsigned)count);
    if (sent == UV_EAGAIN)
        sent = 0;
    if (sent < 0) {
        http__conn_close(conn);
        return false;
    }
    if ((size_t)sent < total) {
        write_rest(conn, bufs, count, (size_t)sent, covers);
        return true;
    }
    conn->wrote_ms = uv_now(conn->tcp.loop);
    for (; covers > 0 && conn->state != CONN_CLOSING; covers--)
        pop_written(conn);
    return conn->state != CONN_CLOSING;
}

static void flush(struct http_conn *conn)
{
    while (!conn->write_busy && conn->state <= CONN_ENDING) {
        uv_buf_t bufs[WRITE_PIECES_MAX];
        size_t count = 0, total = 0, covers = 0;
        for (struct http_exchange *at = conn->first; at && at->out_count && count + COUNT_OF(at->out) <= WRITE_PIECES_MAX;
             at = at->next) {
            for (size_t i = 0; i < at->out_count; i++) {
                total += at->out[i].n;
                bufs[count++] = uv_buf_init((char *)(uintptr_t)at->out[i].p, (unsigned)at->out[i].n);
            }
            covers++;
            if (at->more || at->close_after)
                break;
        }
        if (covers) {
            if (!write_now(conn, bufs, count, total, covers))
                return;
        } else if (conn->continue_due && !conn->first) {
            static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
            conn->continue_due = false;
            bufs[0] = uv_buf_init((char *)(uintptr_t)go_on, sizeof(go_on) - 1);
            if (!write_now(conn, bufs, 1, sizeof(go_on) - 1, 0))
                return;
        } else {
            return;
        }
    }
}

/* ---- requests ---- */

static void enqueue(struct http_conn *conn, struct http_exchange *exchange)
{
    exchange->next = NULL;
    *conn->last = exchange;
    conn->last = &exchange->next;
    conn->count++;
}

/* What the connection knows of a request. */
static void fill(struct http_conn *conn, struct http_exchange *exchange)
{
    if (exchange->filled)
        return;
    struct http_request *request = &exchange->request;
    exchange->filled = true;
    exchange->conn = conn;
    memcpy(exchange->peer_ip, conn->peer_ip, sizeof(exchange->peer_ip));
    request->peer_ip = str_of(exchange->peer_ip);
    request->peer_port = conn->peer_port;
    request->loop = conn->hl->loop;
    request->listener_arg = conn->listener->options.arg;
    request->received_ms = conn->received_ms;
}

static void dispatch(struct http_conn *conn, struct http_exchange *exchange)
{
    enqueue(conn, exchange);
    exchange->state = EXCHANGE_RUNNING;
    conn->running++;
    conn->running_unsafe |= !exchange->safe;
    http__count(&conn->hl->requests);
    conn->listener->options.handler(&exchange->request, conn->listener->options.arg);
}

void http__conn_answered(struct http_exchange *exchange)
{
    struct http_conn *conn = exchange->conn;
    exchange->state = EXCHANGE_ANSWERED;
    if (--conn->running == 0)
        conn->running_unsafe = false;
    conn_run(conn);
}

static bool may_dispatch(const struct http_conn *conn, const struct http_exchange *exchange)
{
    return conn->running == 0 || (exchange->safe && !conn->running_unsafe);
}

/* Answers a message that reaches no handler; the connection ends with it. */
static void refuse(struct http_conn *conn, struct http_exchange *exchange, int status)
{
    conn->continue_due = false;
    conn->state = CONN_ENDING;
    fill(conn, exchange);
    exchange->keep_alive = false;
    enqueue(conn, exchange);
    http__count(&conn->hl->refused);
    http__refuse(exchange, conn->listener, status);
    exchange->state = EXCHANGE_ANSWERED;
}

static void head_parsed(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->parser.exchange;
    const struct http_listener_options *options = &conn->listener->options;
    fill(conn, exchange);
    size_t limit = options->body_max;
    bool chunked = conn->parser.phase == HTTP_PHASE_CHUNKED;
    if (options->body_limit && (chunked || conn->parser.content_length > options->body_unasked))
        limit = options->body_limit(&exchange->request, options->arg);
    conn->parser.body_max = limit < NET_BODY_BYTES_MAX ? limit : NET_BODY_BYTES_MAX;
    conn->continue_due = exchange->expect_continue && !http__parser_has_input(&conn->parser);
}

/* For another request; while answers wait for the client to read there is none. */
static bool has_room(const struct http_conn *conn)
{
    return !conn->held && !conn->write_busy && conn->count < conn->hl->server->limits.pipeline_max;
}

/* Parses and hands out until input runs out or the queue is full; true: the latter. */
static bool pump(struct http_conn *conn)
{
    while (conn->state == CONN_OPEN) {
        struct http_exchange *exchange = conn->held;
        if (exchange) {
            if (!may_dispatch(conn, exchange))
                return true;
            conn->held = NULL;
            if (!exchange->keep_alive)
                conn->state = CONN_ENDING; /* what follows is not looked at */
            dispatch(conn, exchange);
            continue;
        }
        if (!has_room(conn))
            return true;
        if (!conn->parser.exchange) {
            conn->message_ms = uv_now(conn->tcp.loop);
            conn->received_ms = loop_now_ms();
        }
        switch (http__parser_next(&conn->parser, &exchange)) {
        case PARSED_MORE:
            return false;
        case PARSED_HEAD:
            head_parsed(conn);
            break;
        case PARSED_MESSAGE:
            conn->continue_due = false;
            fill(conn, exchange);
            conn->held = exchange;
            break;
        case PARSED_REFUSED:
            refuse(conn, exchange, conn->parser.status);
            break;
        }
    }
    return false;
}

static bool idle(const struct http_conn *conn)
{
    return !conn->count && !conn->held && !conn->parser.exchange && !http__parser_has_input(&conn->parser);
}

static bool draining(const struct http_conn *conn)
{
    return !conn->listener->options.only && atomic_load_explicit(&conn->hl->server->draining, memory_order_relaxed);
}

static void conn_run(struct http_conn *conn)
{
    if (conn->corked || conn->state == CONN_CLOSING)
        return;
    conn->corked = true;
    for (bool full = true; full;) {
        full = pump(conn);
        size_t count = conn->count;
        flush(conn);
        full = full && conn->count < count;
    }
    conn->corked = false;
    if (conn->state == CONN_CLOSING || conn->state == CONN_LINGERING)
        return;
    if (conn->state == CONN_ENDING || conn->eof || draining(conn)) {
        bool done = conn->state == CONN_ENDING ? !conn->first : idle(conn) || (conn->eof && !conn->count && !conn->held);
        if (done) {
            conn_end(conn);
            return;
        }
    }
    if (conn->count == 0)
        http__parser_rest(&conn->parser);
    set_reading(conn, !conn->eof && (has_room(conn) || conn->state == CONN_ENDING));
}

void http__conn_flush(struct http_conn *conn)
{
    conn_run(conn);
}

/* ---- reading ---- */

static void give_space(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
    (void)suggested;
    static _Thread_local char thrown_away[16384];
    struct http_conn *conn = handle->data;
    size_t n = sizeof(thrown_away);
    char *p = conn->state == CONN_OPEN ? http__parser_space(&conn->parser, &n) : thrown_away;
    *ret = uv_buf_init(p, (unsigned)n);
}

static void got(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    struct http_conn *conn = stream->data;
    if (n == 0 || conn->state == CONN_CLOSING)
        return;
    if (n < 0) {
        conn->eof = true;
        if (n != UV_EOF || conn->state == CONN_LINGERING)
            http__conn_close(conn);
        else
            conn_run(conn);
        return;
    }
    if (conn->state != CONN_OPEN)
        return; /* thrown away */
    conn->read_ms = uv_now(stream->loop);
    http__parser_filled(&conn->parser, (size_t)n);
    conn_run(conn);
}

static void set_reading(struct http_conn *conn, bool reading)
{
    if (reading == conn->reading)
        return;
    conn->reading = reading;
    if (!reading)
        uv_read_stop((uv_stream_t *)&conn->tcp);
    else if (uv_read_start((uv_stream_t *)&conn->tcp, give_space, got) != 0)
        http__conn_close(conn);
}

/* ---- waits ---- */

static void check_waits(struct http_conn *conn, const struct http_limits *limits, uint64_t now)
{
    if (conn->state == CONN_LINGERING) {
        if (now - conn->wrote_ms >= limits->linger_ms)
            http__conn_close(conn);
    } else if (conn->write_busy) {
        size_t left = uv_stream_get_write_queue_size((uv_stream_t *)&conn->tcp);
        if (left != conn->write_left) {
            conn->write_left = left;
            conn->wrote_ms = now;
        } else if (now - conn->wrote_ms >= limits->write_stall_ms) {
            http__conn_close(conn);
        }
    } else if (conn->parser.exchange && conn->reading) {
        bool head = conn->parser.phase == HTTP_PHASE_HEAD;
        uint64_t body_since = conn->read_ms > conn->wrote_ms ? conn->read_ms : conn->wrote_ms;
        if (head ? now - conn->message_ms >= limits->header_ms : now - body_since >= limits->body_stall_ms) {
            refuse(conn, http__parser_refuse(&conn->parser, 408), 408);
            conn_run(conn);
        }
    } else if (idle(conn)) {
        uint64_t since = conn->read_ms > conn->wrote_ms ? conn->read_ms : conn->wrote_ms;
        if (now - since >= limits->idle_ms)
            http__conn_close(conn);
    }
}

static uint64_t sweep_period(const struct http_limits *limits)
{
    uint64_t least = limits->idle_ms;
    const uint64_t others[] = {limits->header_ms, limits->body_stall_ms, limits->write_stall_ms, limits->linger_ms};
    for (size_t i = 0; i < COUNT_OF(others); i++)
        least = others[i] < least ? others[i] : least;
    least /= 4;
    return least < 5 ? 5 : least > 500 ? 500 : least;
}

static void sweep(void *arg)
{
    struct http_loop *hl = arg;
    hl->sweep = NULL;
    uint64_t now = uv_now(loop_uv(hl->loop));
    /* Closing unlinks a connection; nothing else in here does. */
    for (struct link *at = hl->conns.next, *next; at != &hl->conns; at = next) {
        next = at->next;
        struct http_conn *conn = CONTAINER_OF(at, struct http_conn, link);
        if (!conn->listener->options.trusted_peer_idle || conn->state == CONN_LINGERING)
            check_waits(conn, &hl->server->limits, now);
    }
    if (!link_alone(&hl->conns))
        hl->sweep = loop_timer_start(hl->loop, sweep_period(&hl->server->limits), sweep, hl);
}

/* ---- arrival ---- */

void http__conn_arrive(struct loop_task *arrive)
{
    struct http_conn *conn = CONTAINER_OF(arrive, struct http_conn, arrive);
    struct http_loop *hl = conn->hl;
    struct http_listener *listener = conn->listener;
    bool too_late = hl->ended || atomic_load(&listener->closed) || (!listener->options.only && atomic_load(&hl->server->draining));
    if (too_late) {
        close(conn->fd);
        free(conn);
        http__conn_freed(listener);
        return;
    }
    uv_loop_t *uv = loop_uv(hl->loop);
    ENSURE(uv_tcp_init(uv, &conn->tcp) == 0);
    conn->tcp.data = conn;
    link_add_last(&hl->conns, &conn->link);
    link_init(&conn->of_listener);
    if (listener->options.only)
        link_add_last(&listener->conns, &conn->of_listener);
    http__parser_init(&conn->parser, &hl->pool);
    if (listener->options.only)
        conn->parser.share = &listener->bodies_held;
    conn->last = &conn->first;
    conn->read_ms = conn->wrote_ms = conn->message_ms = uv_now(uv);
    http__count(&hl->connections);
    if (uv_tcp_open(&conn->tcp, conn->fd) != 0) {
        close(conn->fd);
        http__conn_close(conn);
        return;
    }
    uv_tcp_nodelay(&conn->tcp, 1);
    if (!hl->sweep)
        hl->sweep = loop_timer_start(hl->loop, sweep_period(&hl->server->limits), sweep, hl);
    set_reading(conn, true);
}

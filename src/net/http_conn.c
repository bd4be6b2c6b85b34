/* http_conn.c -- one connection: reads, parses, hands out requests, writes the answers in order. One that speaks HTTP/2 (by ALPN,
 * or by the preface that the parser stops at) is handed to http2.c; reading, sweeping and closing stay here.
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
#include "net/http2.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static void conn_run(struct http_conn *conn);

/* ---- closing ---- */

static struct http_conn *conn_of(struct transport *transport)
{
    return CONTAINER_OF(transport, struct http_conn, transport);
}

static void conn_closed(struct transport *transport)
{
    struct http_conn *conn = conn_of(transport);
    struct http_exchange *exchange = conn->first;
    while (exchange) {
        struct http_exchange *next = exchange->next;
        http__exchange_orphan(exchange);
        /* A handler or a producer still has it: the late answer releases it. */
        if (exchange->outflow)
            http__outflow_orphan(exchange);
        if (exchange->state == EXCHANGE_ANSWERED && !exchange->outflow)
            http__exchange_release(exchange);
        else if (exchange->in)
            http__inflow_end(exchange->in, BODY_GONE);
        exchange = next;
    }
    if (conn->held)
        http__exchange_release(conn->held);
    http__conn_free(conn);
}

static void free_uncounted(struct http_conn *conn)
{
    struct http_listener *listener = conn->listener;
    uint16_t peer = conn->peer;
    free(conn);
    http__conn_freed(listener, peer);
}

void http__conn_free(struct http_conn *conn)
{
    http__parser_clear(&conn->parser);
    free_uncounted(conn);
}

void http__conn_close(struct http_conn *conn)
{
    if (conn->state == CONN_CLOSING)
        return;
    conn->state = CONN_CLOSING;
    link_remove(&conn->link);
    link_remove(&conn->of_listener);
    transport_close(&conn->transport);
}

bool http__conn_gone(const struct http_conn *conn)
{
    return conn->state == CONN_CLOSING || conn->eof;
}

/* The loop's clock. */
static uint64_t conn_now(const struct http_conn *conn)
{
    return uv_now(loop_uv(conn->hl->loop));
}

void http__conn_end(struct http_conn *conn, bool unread)
{
    if (conn->eof || !unread) {
        http__conn_close(conn);
        return;
    }
    transport_end(&conn->transport);
    conn->state = CONN_LINGERING;
    conn->wrote_ms = conn_now(conn);
    http__conn_reading(conn, true);
}

/* ---- writing ---- */

static void pop_written(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->first;
    for (size_t i = 0; i < exchange->out_count; i++)
        exchange->sent += exchange->out[i].n;
    exchange->out_count = 0;
    if (exchange->more) {
        http__outflow_written(exchange);
        return;
    }
    conn->first = exchange->next;
    if (!conn->first)
        conn->last = &conn->first;
    conn->count--;
    exchange->written = true;
    if (exchange->close_after) {
        conn->state = CONN_ENDING;
        if (conn->parser.exchange == exchange)
            http__parser_leave(&conn->parser);
    }
    if (exchange->outflow)
        http__outflow_left(exchange);
    else
        http__exchange_release(exchange);
}

static void conn_written(struct transport *transport, bool fine)
{
    struct http_conn *conn = conn_of(transport);
    conn->write_busy = false;
    if (!fine) {
        http__conn_close(conn);
        return;
    }
    conn->wrote_ms = conn_now(conn);
    for (; conn->write_covers > 0 && conn->state != CONN_CLOSING; conn->write_covers--)
        pop_written(conn);
    conn_run(conn);
}

/* Writes what it can at once; the transport goes on with what the socket does not take. False: failed. */
static bool write_now(struct http_conn *conn, const uv_buf_t *bufs, size_t count, size_t total, size_t covers)
{
    ssize_t sent = total ? transport_write(&conn->transport, bufs, count) : 0; /* the end of a body may have no bytes */
    if (sent < 0) {
        http__conn_close(conn);
        return false;
    }
    conn->wrote_ms = conn_now(conn);
    if ((size_t)sent < total) {
        conn->write_busy = true;
        conn->write_covers = covers;
        conn->write_left = 0;
        return true;
    }
    for (; covers > 0 && conn->state != CONN_CLOSING; covers--)
        pop_written(conn);
    return conn->state != CONN_CLOSING;
}

/* The file of the answer that is due. False: it goes on by itself, or is broken. */
static bool conn_write_file(struct http_conn *conn)
{
    enum outflow_sent sent = http__outflow_send_file(conn->first, &conn->transport);
    conn->wrote_ms = conn_now(conn);
    if (sent == OUTFLOW_BROKEN)
        http__conn_close(conn);
    if (sent == OUTFLOW_WAITS) {
        conn->write_busy = true;
        conn->write_covers = 0;
        conn->write_left = 0;
    }
    return sent == OUTFLOW_SENT;
}

/* "100 Continue": somebody wants the body of the message that is being parsed, nothing of it has come, and no answer to it has
 * begun. Everything before it is out. */
static bool continue_due(const struct http_conn *conn)
{
    const struct http_exchange *exchange = conn->parser.exchange;
    if (!exchange || !exchange->expect_continue || exchange->status || http__parser_has_input(&conn->parser))
        return false;
    const struct http_inflow *in = exchange->in;
    bool wanted = in ? in->sink && !in->stopped && !in->total : !exchange->request.body.n;
    return wanted && (!conn->first || conn->first == exchange);
}

static void flush(struct http_conn *conn)
{
    while (!conn->write_busy && conn->state <= CONN_ENDING) {
        uv_buf_t bufs[TRANSPORT_PIECES_MAX];
        size_t count = 0, total = 0, covers = 0;
        for (struct http_exchange *at = conn->first; at && at->out_count && count + COUNT_OF(at->out) <= TRANSPORT_PIECES_MAX;
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
        } else if (continue_due(conn)) {
            static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
            conn->parser.exchange->expect_continue = false;
            bufs[0] = uv_buf_init((char *)(uintptr_t)go_on, sizeof(go_on) - 1);
            if (!write_now(conn, bufs, 1, sizeof(go_on) - 1, 0))
                return;
        } else if (!conn->first || !conn->first->more || !http__outflow_sends_file(conn->first) || !conn_write_file(conn)) {
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

void http__conn_fill(struct http_conn *conn, struct http_exchange *exchange)
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
    exchange->begun_ns = conn->message_ns;
    exchange->watched = conn->listener->options.watched;
    request->peer_loopback = conn->peer_loopback;
    request->secure = transport_secure(&conn->transport);
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
    if (exchange->h2) {
        http2__answered(exchange);
        return;
    }
    exchange->state = EXCHANGE_ANSWERED;
    if (exchange->in && !exchange->outflow)
        http__inflow_drop(exchange->in);
    if (--conn->running == 0)
        conn->running_unsafe = false;
    conn_run(conn);
}

static bool may_dispatch(const struct http_conn *conn, const struct http_exchange *exchange)
{
    return conn->running == 0 || (exchange->safe && !conn->running_unsafe);
}

/* Answers a message that reaches no handler; the connection ends with it. */
static void conn_refuse(struct http_conn *conn, struct http_exchange *exchange, int status)
{
    conn->state = CONN_ENDING;
    http__conn_fill(conn, exchange);
    exchange->keep_alive = false;
    enqueue(conn, exchange);
    http__count(&conn->hl->refused);
    http__refuse(exchange, conn->listener, status);
    exchange->state = EXCHANGE_ANSWERED;
}

/* The handler reads the body itself: it is called as soon as its turn comes. */
static void begin_inflow(struct http_conn *conn, uint64_t max)
{
    struct http_parser *parser = &conn->parser;
    struct http_exchange *exchange = parser->exchange;
    bool chunked = parser->phase == HTTP_PHASE_CHUNKED;
    parser->body_max = max < NET_BODY_STREAM_MAX ? max : NET_BODY_STREAM_MAX;
    if (!chunked && parser->content_length > parser->body_max) {
        conn_refuse(conn, http__parser_refuse(parser, 413), 413);
        return;
    }
    enum err err = http__inflow_new(exchange);
    if (err != ERR_OK) {
        conn_refuse(conn, http__parser_refuse(parser, http__refusal(err)), http__refusal(err));
        return;
    }
    if (!chunked)
        exchange->in->reader.length = (int64_t)parser->content_length;
    http__parser_pass(parser, exchange->in);
    conn->held = exchange;
}

static void head_parsed(struct http_conn *conn)
{
    struct http_exchange *exchange = conn->parser.exchange;
    const struct http_listener_options *options = &conn->listener->options;
    http__conn_fill(conn, exchange);
    struct http_body_plan plan = {.max = options->body_max};
    bool chunked = conn->parser.phase == HTTP_PHASE_CHUNKED;
    if (options->body_plan && (chunked || conn->parser.content_length > options->body_unasked))
        plan = options->body_plan(&exchange->request, options->arg);
    exchange->patient = plan.patient;
    if (plan.stream) {
        begin_inflow(conn, plan.max);
        return;
    }
    conn->parser.body_max = plan.max < NET_BODY_BYTES_MAX ? plan.max : NET_BODY_BYTES_MAX;
}

/* The body that passes ends before it is whole. What follows is not looked at. */
static void break_inflow(struct http_conn *conn, struct http_inflow *in, enum body_end how)
{
    http__parser_leave(&conn->parser);
    conn->state = CONN_ENDING;
    http__inflow_end(in, how);
}

static void inflow_whole(struct http_conn *conn, struct http_inflow *in)
{
    struct http_exchange *exchange = in->exchange;
    exchange->keep_alive = in->keep_alive;
    if (!exchange->keep_alive)
        conn->state = CONN_ENDING;
    http__inflow_end(in, BODY_WHOLE);
}

void http__conn_resume(struct http_conn *conn, struct http_exchange *exchange)
{
    if (exchange->h2) {
        http2__resume(exchange);
        return;
    }
    if (conn->parser.exchange == exchange && !conn->reading)
        conn->read_ms = conn_now(conn); /* the client was not asked for more until now */
    bool corked = conn->corked;
    conn->corked = true;
    http__inflow_deliver(exchange->in);
    conn->corked = corked;
    conn_run(conn);
}

/* For another request; while answers wait for the client to read there is none. */
static bool has_room(const struct http_conn *conn)
{
    return !conn->held && !conn->write_busy && conn->count < conn->hl->server->limits.pipeline_max;
}

/* Something can be done with more input. */
static bool may_parse(const struct http_conn *conn)
{
    return conn->parser.inflow && !conn->held ? http__inflow_wants(conn->parser.inflow) : has_room(conn);
}

/* Prior knowledge. Functions in sandboxes have no use for it. */
static bool begin_http2(struct http_conn *conn)
{
    if (conn->listener->options.only) {
        conn_refuse(conn, http__parser_refuse(&conn->parser, 505), 505);
        return false;
    }
    http2__begin(conn, http__parser_preface(&conn->parser));
    http__parser_clear(&conn->parser);
    return false;
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
            if (!exchange->keep_alive && !exchange->in)
                conn->state = CONN_ENDING; /* what follows is not looked at */
            dispatch(conn, exchange);
            continue;
        }
        struct http_inflow *in = conn->parser.inflow;
        if (in)
            http__inflow_deliver(in);
        if (!may_parse(conn))
            return true;
        if (conn->unwelcome) {
            conn_refuse(conn, http__parser_refuse(&conn->parser, 400), 400);
            return false;
        }
        if (!conn->parser.exchange) {
            conn->message_ms = conn_now(conn);
            conn->received_ms = loop_now_ms();
            if (conn->listener->options.watched && http__parser_has_input(&conn->parser))
                conn->message_ns = clock_mono_ns();
        }
        switch (http__parser_next(&conn->parser, &exchange)) {
        case PARSED_MORE:
            if (in)
                http__inflow_deliver(in);
            return false;
        case PARSED_FULL:
            break;
        case PARSED_PASSED:
            inflow_whole(conn, in);
            break;
        case PARSED_BROKEN:
            break_inflow(conn, in, conn->parser.status == 413 ? BODY_TOO_LARGE : BODY_MALFORMED);
            break;
        case PARSED_HEAD:
            head_parsed(conn);
            break;
        case PARSED_HTTP2:
            return begin_http2(conn);
        case PARSED_MESSAGE:
            http__conn_fill(conn, exchange);
            conn->held = exchange;
            break;
        case PARSED_REFUSED:
            conn_refuse(conn, exchange, conn->parser.status);
            break;
        }
    }
    return false;
}

static bool idle(const struct http_conn *conn)
{
    return !conn->count && !conn->held && !conn->parser.exchange && !http__parser_has_input(&conn->parser);
}

bool http__conn_draining(const struct http_conn *conn)
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
        if (conn->h2)
            return;
        if (conn->eof && !full && conn->parser.inflow && !conn->held)
            break_inflow(conn, conn->parser.inflow, BODY_GONE);
        size_t count = conn->count;
        flush(conn);
        full = full && conn->count < count;
    }
    conn->corked = false;
    if (conn->state == CONN_CLOSING || conn->state == CONN_LINGERING)
        return;
    if (conn->state == CONN_ENDING || conn->eof || http__conn_draining(conn)) {
        bool done = conn->state == CONN_ENDING ? !conn->first : idle(conn) || (conn->eof && !conn->count && !conn->held);
        if (done) {
            http__conn_end(conn, conn->parser.phase == HTTP_PHASE_REFUSED || conn->parser.exchange ||
                                     http__parser_has_input(&conn->parser));
            return;
        }
    }
    if (conn->count == 0)
        http__parser_rest(&conn->parser);
    http__conn_reading(conn, !conn->eof && (may_parse(conn) || conn->state == CONN_ENDING));
}

void http__conn_flush(struct http_conn *conn)
{
    if (conn->h2)
        http2__run(conn);
    else
        conn_run(conn);
}

/* ---- reading ---- */

static void conn_opened(struct transport *transport)
{
    struct http_conn *conn = conn_of(transport);
    conn->read_ms = conn_now(conn);
    conn->unwelcome = conn->listener->options.plain_loopback_only && !transport_secure(transport) && !conn->peer_loopback;
    if (str_eq(transport->protocol, STR("h2")))
        http2__begin(conn, STR_NONE);
}

static char *conn_space(struct transport *transport, size_t *ret_n)
{
    static _Thread_local char thrown_away[16384];
    struct http_conn *conn = conn_of(transport);
    if (conn->state == CONN_OPEN)
        return http__parser_space(&conn->parser, ret_n);
    *ret_n = sizeof(thrown_away);
    return thrown_away;
}

static void conn_take(struct http_conn *conn, ssize_t n)
{
    if (n <= 0) {
        conn->eof = true;
        if (n < 0 || conn->state == CONN_LINGERING)
            http__conn_close(conn);
        else
            conn_run(conn);
        return;
    }
    if (conn->state != CONN_OPEN)
        return; /* thrown away */
    if (!conn->parser.exchange || http__exchange_came_on(conn->parser.exchange, (size_t)n))
        conn->read_ms = conn_now(conn);
    http__parser_filled(&conn->parser, (size_t)n);
    conn_run(conn);
}

/* The connection is there until its handle is closed, which is not within a turn. */
static void conn_got(struct transport *transport, ssize_t n)
{
    struct http_conn *conn = conn_of(transport);
    struct http_listener *listener = conn->listener;
    struct http_loop *hl = conn->hl;
    uint64_t began_ns = conn->turn_ns;
    conn->turn_ns = 0;
    conn_take(conn, n);
    http__turn_end(listener, hl, began_ns);
}

static bool conn_may(struct transport *transport)
{
    struct http_conn *conn = conn_of(transport);
    return http__turn_begin(conn->listener, conn->hl, &conn->turn_ns);
}

static const struct transport_user conn_user = {
    .may_read = conn_may,
    .opened = conn_opened,
    .space = conn_space,
    .got = conn_got,
    .written = conn_written,
    .closed = conn_closed,
};

void http__conn_reading(struct http_conn *conn, bool reading)
{
    if (reading == conn->reading)
        return;
    conn->reading = reading;
    if (!transport_read(&conn->transport, reading))
        http__conn_close(conn);
}

/* ---- waits ---- */

static void stall_inflow(struct http_conn *conn)
{
    conn->corked = true; /* an answer only marks its exchange */
    break_inflow(conn, conn->parser.inflow, BODY_STALLED);
    conn->corked = false;
}

static void check_waits(struct http_conn *conn, const struct http_limits *limits, uint64_t now)
{
    uint64_t shaking_ms = transport_shaking_ms(&conn->transport);
    if (shaking_ms) {
        if (now - shaking_ms >= limits->handshake_ms)
            http__conn_close(conn);
    } else if (conn->state == CONN_LINGERING) {
        if (now - conn->wrote_ms >= limits->linger_ms)
            http__conn_close(conn);
    } else if (conn->write_busy) {
        size_t left = transport_unsent(&conn->transport);
        if (left != conn->write_left) {
            conn->write_left = left;
            conn->wrote_ms = now;
        } else if (now - conn->wrote_ms >= limits->write_stall_ms) {
            http__conn_close(conn);
        }
    } else if (conn->h2) {
        http2__check(conn, limits, now);
    } else if (conn->parser.exchange && conn->reading) {
        bool head = conn->parser.phase == HTTP_PHASE_HEAD, patient = conn->parser.exchange->patient;
        uint64_t body_since = conn->read_ms > conn->wrote_ms ? conn->read_ms : conn->wrote_ms;
        if (head ? now - conn->message_ms >= limits->header_ms : !patient && now - body_since >= limits->body_stall_ms) {
            if (conn->parser.inflow)
                stall_inflow(conn);
            else
                conn_refuse(conn, http__parser_refuse(&conn->parser, 408), 408);
            conn_run(conn);
        }
    } else if (idle(conn)) {
        uint64_t since = conn->read_ms > conn->wrote_ms ? conn->read_ms : conn->wrote_ms;
        if (now - since >= (conn->listener->options.idle_ms ? conn->listener->options.idle_ms : limits->idle_ms))
            http__conn_close(conn);
        else if (now - since >= limits->rest_ms)
            transport_rest(&conn->transport);
    }
}

static uint64_t sweep_period(const struct http_limits *limits)
{
    uint64_t least = limits->idle_ms;
    const uint64_t others[] = {limits->header_ms, limits->body_stall_ms, limits->write_stall_ms, limits->linger_ms,
                               limits->handshake_ms};
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
        free_uncounted(conn);
        return;
    }
    if (!transport_open(&conn->transport, loop_uv(hl->loop), conn->fd, listener->options.tls, &conn_user)) {
        free_uncounted(conn);
        return;
    }
    link_add_last(&hl->conns, &conn->link);
    link_init(&conn->of_listener);
    if (listener->options.only)
        link_add_last(&listener->conns, &conn->of_listener);
    http__parser_init(&conn->parser, &hl->pool);
    if (listener->options.only)
        conn->parser.share = &listener->share;
    conn->parser.peer = conn->peer;
    conn->last = &conn->first;
    conn->read_ms = conn->wrote_ms = conn->message_ms = conn_now(conn);
    http__count(&hl->connections);
    if (!hl->sweep)
        hl->sweep = loop_timer_start(hl->loop, sweep_period(&hl->server->limits), sweep, hl);
    http__conn_reading(conn, true);
}

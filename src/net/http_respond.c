/* http_respond.c -- answers: the head, the body, files as streams, and what is said without a handler.
 *
 * A head is measured, then written once into the request's arena; a short body is put behind it, so that most answers
 * are one piece. Content-Length, Connection, Date and Transfer-Encoding are ours: a handler's Content-Length, Connection
 * and Date are left out. A header that would break the framing (Transfer-Encoding, a name that is no token, a control
 * character in a value) turns the whole answer into a bare 500: handlers pass on what functions return.
 *
 * A file goes out piece by piece: a worker reads one piece, the loop writes it, and only when it is written the next is
 * read; so a stream holds one piece of memory however slow its client is. To a client of HTTP/1.0, which knows no
 * chunks, it goes bare and the connection ends with it. If reading fails in the middle the connection is cut.
 *
 * An exchange without a connection (the client is gone) is released by whatever comes last: its answer, or the worker
 * that was reading for it. */
#include "base/panic.h"
#include "net/http_conn.h"
#include "net/worker.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BODY_INLINE_MAX  4096 /* copied behind the head */
#define STREAM_RETRY_MS  10   /* the workers' queue was full */
#define CHUNK_HEAD_BYTES 16   /* hex length and CRLF, in front of a piece */
#define CHUNK_TAIL_BYTES 2
#define HTTP_UNWELCOME   "Plain HTTP is answered to this machine only. Use https:// and the same port.\n"

/* ---- status ---- */

static const char *const status_texts[600] = {
    [200] = "OK",
    [201] = "Created",
    [202] = "Accepted",
    [203] = "Non-Authoritative Information",
    [204] = "No Content",
    [205] = "Reset Content",
    [206] = "Partial Content",
    [207] = "Multi-Status",
    [300] = "Multiple Choices",
    [301] = "Moved Permanently",
    [302] = "Found",
    [303] = "See Other",
    [304] = "Not Modified",
    [307] = "Temporary Redirect",
    [308] = "Permanent Redirect",
    [400] = "Bad Request",
    [401] = "Unauthorized",
    [402] = "Payment Required",
    [403] = "Forbidden",
    [404] = "Not Found",
    [405] = "Method Not Allowed",
    [406] = "Not Acceptable",
    [407] = "Proxy Authentication Required",
    [408] = "Request Timeout",
    [409] = "Conflict",
    [410] = "Gone",
    [411] = "Length Required",
    [412] = "Precondition Failed",
    [413] = "Content Too Large",
    [414] = "URI Too Long",
    [415] = "Unsupported Media Type",
    [416] = "Range Not Satisfiable",
    [417] = "Expectation Failed",
    [418] = "I'm a teapot",
    [421] = "Misdirected Request",
    [422] = "Unprocessable Content",
    [423] = "Locked",
    [424] = "Failed Dependency",
    [425] = "Too Early",
    [426] = "Upgrade Required",
    [428] = "Precondition Required",
    [429] = "Too Many Requests",
    [431] = "Request Header Fields Too Large",
    [451] = "Unavailable For Legal Reasons",
    [500] = "Internal Server Error",
    [501] = "Not Implemented",
    [502] = "Bad Gateway",
    [503] = "Service Unavailable",
    [504] = "Gateway Timeout",
    [505] = "HTTP Version Not Supported",
    [507] = "Insufficient Storage",
    [511] = "Network Authentication Required",
};

const char *http_status_text(int status)
{
    const char *text = status >= 0 && (size_t)status < COUNT_OF(status_texts) ? status_texts[status] : NULL;
    return text ? text : "Unknown";
}

/* ---- the head ---- */

enum framing { FRAMING_LENGTH, FRAMING_CHUNKED, FRAMING_CLOSE, FRAMING_NONE };
enum header_fate { HEADER_KEPT, HEADER_OURS, HEADER_BAD };

static bool token(struct str s)
{
    static const bool allowed[256] = {
        ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true,         ['&'] = true,         ['\''] = true,
        ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true,         ['^'] = true,         ['_'] = true,
        ['`'] = true, ['|'] = true, ['~'] = true, ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    };
    bool fine = s.n > 0;
    for (size_t i = 0; i < s.n; i++)
        fine &= allowed[(unsigned char)s.p[i]];
    return fine;
}

/* True: eight bytes without a control character, tab included. A byte's highest bit is set where it is below 0x20 or
 * 0x7f; a borrow can set one too many, never one too few. */
static inline bool plain_8(const char *p)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x80 * ones;
    uint64_t bytes;
    memcpy(&bytes, p, sizeof bytes);
    uint64_t deleted = bytes ^ 0x7f * ones;
    return ((((bytes - 0x20 * ones) & ~bytes) | ((deleted - ones) & ~deleted)) & highs) == 0;
}

static bool printable(struct str s)
{
    bool bad = false;
    for (size_t i = 0; i < s.n; i++) {
        while (s.n - i > 8 && plain_8(s.p + i))
            i += 8;
        unsigned char c = (unsigned char)s.p[i];
        bad |= (c < 0x20 && c != '\t') || c == 0x7f;
    }
    return !bad;
}

static enum header_fate fate(const struct http_header *header)
{
    if (!token(header->name) || !printable(header->value))
        return HEADER_BAD;
    switch (header->name.n) {
    case 4:
        return str_eq_nocase(header->name, STR("date")) ? HEADER_OURS : HEADER_KEPT;
    case 10:
        return str_eq_nocase(header->name, STR("connection")) ? HEADER_OURS : HEADER_KEPT;
    case 14:
        return str_eq_nocase(header->name, STR("content-length")) ? HEADER_OURS : HEADER_KEPT;
    case 17:
        return str_eq_nocase(header->name, STR("transfer-encoding")) ? HEADER_BAD : HEADER_KEPT;
    default:
        return HEADER_KEPT;
    }
}

static char *put(char *at, struct str s)
{
    if (s.n)
        memcpy(at, s.p, s.n);
    return at + s.n;
}

static char *put_u64_text(char *at, uint64_t value)
{
    char digits[20];
    size_t n = 0;
    do {
        digits[n++] = (char)('0' + value % 10);
    } while (value /= 10);
    while (n)
        *at++ = digits[--n];
    return at;
}

/* Writes the head, and `tail` behind it. A response with a bad header: STR_NONE. */
static struct str write_head(struct http_exchange *exchange, const struct http_response *response, enum framing framing,
                             struct str tail)
{
    struct str text = str_of(http_status_text(response->status));
    size_t n = 128 + 48 + text.n + tail.n;
    for (size_t i = 0; i < response->header_count; i++)
        n += response->headers[i].name.n + response->headers[i].value.n + 4;
    char *start = arena_alloc(exchange->request.arena, n), *at = start;
    at = put(at, STR("HTTP/1.1 "));
    at = put_u64_text(at, (uint64_t)response->status);
    *at++ = ' ';
    at = put(at, text);
    at = put(at, STR("\r\n"));
    at = put(at, http__date_line(exchange->conn->hl));
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_header *header = &response->headers[i];
        switch (fate(header)) {
        case HEADER_BAD:
            return STR_NONE;
        case HEADER_OURS:
            continue;
        case HEADER_KEPT:
            at = put(at, header->name);
            at = put(at, STR(": "));
            at = put(at, header->value);
            at = put(at, STR("\r\n"));
        }
    }
    if (framing == FRAMING_LENGTH) {
        at = put(at, STR("Content-Length: "));
        at = put_u64_text(at, response->body.n);
        at = put(at, STR("\r\n"));
    } else if (framing == FRAMING_CHUNKED) {
        at = put(at, STR("Transfer-Encoding: chunked\r\n"));
    }
    if (exchange->close_after)
        at = put(at, STR("Connection: close\r\n"));
    else if (exchange->request.http_1_0)
        at = put(at, STR("Connection: keep-alive\r\n"));
    at = put(at, STR("\r\n"));
    at = put(at, tail);
    ENSURE((size_t)(at - start) <= n);
    return (struct str){start, (size_t)(at - start)};
}

static bool status_allowed(int status)
{
    return status >= 200 && status <= 599;
}

static bool has_body(const struct http_exchange *exchange, int status)
{
    return !exchange->is_head && status != 204 && status != 304;
}

static bool closes(const struct http_exchange *exchange)
{
    const struct http_conn *conn = exchange->conn;
    return !exchange->keep_alive ||
           (!conn->listener->options.only && atomic_load_explicit(&conn->hl->server->draining, memory_order_relaxed));
}

/* Sets out[] to a whole answer. */
static void set_answer(struct http_exchange *exchange, const struct http_response *response)
{
    static const struct http_response broken = {.status = 500};
    exchange->close_after = closes(exchange);
    if (!status_allowed(response->status))
        response = &broken;
    exchange->status = response->status;
    enum framing framing =
        response->status == 204 || (response->status == 304 && !response->body.n) ? FRAMING_NONE : FRAMING_LENGTH;
    struct str body = has_body(exchange, response->status) ? response->body : STR_NONE;
    bool inside = body.n <= BODY_INLINE_MAX;
    struct str head = write_head(exchange, response, framing, inside ? body : STR_NONE);
    if (!head.n) {
        head = write_head(exchange, &broken, FRAMING_LENGTH, STR_NONE);
        exchange->status = broken.status;
        body = STR_NONE;
    }
    exchange->out[0] = head;
    exchange->out_count = 1;
    if (body.n && !inside)
        exchange->out[exchange->out_count++] = body;
}

/* ---- answering ---- */

static struct http_exchange *exchange_of(struct http_request *request)
{
    return (struct http_exchange *)(void *)request;
}

void http_respond(struct http_request *request, const struct http_response *response)
{
    struct http_exchange *exchange = exchange_of(request);
    ENSURE(exchange->state == EXCHANGE_RUNNING);
    if (!exchange->conn) {
        exchange->state = EXCHANGE_ANSWERED;
        exchange->status = response->status;
        http__exchange_release(exchange);
        return;
    }
    ENSURE(loop_current() == request->loop);
    if (exchange->conn->state != CONN_CLOSING)
        set_answer(exchange, response);
    http__conn_answered(exchange);
}

static void respond_late(struct loop_task *task)
{
    struct http_exchange *exchange = CONTAINER_OF(task, struct http_exchange, task);
    http_respond(&exchange->request, &exchange->late);
}

void http_respond_from(struct http_request *request, const struct http_response *response)
{
    if (loop_current() == request->loop) {
        http_respond(request, response);
        return;
    }
    struct http_exchange *exchange = exchange_of(request);
    exchange->late = *response;
    exchange->task.run = respond_late;
    loop_post(request->loop, &exchange->task);
}

void http_respond_text(struct http_request *request, int status, const char *content_type, struct str body)
{
    struct http_header header = {STR("Content-Type"), str_of(content_type)};
    http_respond(request, &(struct http_response){.status = status, .headers = &header, .header_count = 1, .body = body});
}

void http__refuse(struct http_exchange *exchange, struct http_listener *listener, int status)
{
    struct http_response response = {.status = status};
    if (exchange->conn->unwelcome) {
        static struct http_header plain = {{"Content-Type", 12}, {"text/plain", 10}};
        response = (struct http_response){.status = status, .headers = &plain, .header_count = 1, .body = STR(HTTP_UNWELCOME)};
    } else if (listener->options.refuse) {
        listener->options.refuse(&exchange->request, status, exchange->request.arena, &response, listener->options.arg);
    } else if (status == 503) {
        static struct http_header later = {{"Retry-After", 11}, {"1", 1}};
        response.headers = &later;
        response.header_count = 1;
    }
    set_answer(exchange, &response);
}

struct str http_header_named(const struct http_request *request, struct str name)
{
    for (size_t i = 0; i < request->header_count; i++)
        if (request->headers[i].name.n == name.n && str_eq_nocase(request->headers[i].name, name))
            return request->headers[i].value;
    return STR_NONE;
}

struct str http_trailer(const struct http_request *request, const char *name)
{
    struct str lines = request->trailers;
    while (lines.n) {
        struct str value = str_cut(&lines, '\n');
        if (str_eq_nocase(str_cut(&value, ':'), str_of(name)))
            return str_trim(value);
    }
    return STR_NONE;
}

bool http_request_gone(const struct http_request *request)
{
    const struct http_exchange *exchange = (const struct http_exchange *)(const void *)request;
    return !exchange->conn || http__conn_gone(exchange->conn);
}

/* ---- files ---- */

struct http_stream {
    struct work work;
    struct http_exchange *exchange;
    struct workers *workers;
    struct loop_timer *retry;
    int fd;
    bool busy;  /* a worker has it */
    bool whole; /* the last piece is on its way */
    bool chunked;
    size_t n; /* bytes of this piece */
    int error;
    char buffer[CHUNK_HEAD_BYTES + NET_OUT_BYTES_MAX + CHUNK_TAIL_BYTES];
};

bool http__stream_busy(const struct http_exchange *exchange)
{
    return exchange->stream && exchange->stream->busy;
}

void http__stream_free(struct http_exchange *exchange)
{
    struct http_stream *stream = exchange->stream;
    if (!stream)
        return;
    exchange->stream = NULL;
    loop_timer_cancel(&stream->retry);
    close(stream->fd);
    free(stream);
}

static void read_piece(struct work *work)
{
    struct http_stream *stream = CONTAINER_OF(work, struct http_stream, work);
    stream->n = 0;
    while (stream->n < NET_OUT_BYTES_MAX) {
        ssize_t n = read(stream->fd, stream->buffer + CHUNK_HEAD_BYTES + stream->n, NET_OUT_BYTES_MAX - stream->n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            stream->error = errno;
        if (n <= 0) {
            stream->whole = true;
            return;
        }
        stream->n += (size_t)n;
    }
}

/* The piece as it goes out: its chunk's frame around it, and the last chunk behind the last piece. */
static void frame_piece(struct http_stream *stream)
{
    struct http_exchange *exchange = stream->exchange;
    char *data = stream->buffer + CHUNK_HEAD_BYTES;
    exchange->out_count = 0;
    if (stream->n && !stream->chunked) {
        exchange->out[exchange->out_count++] = (struct str){data, stream->n};
    } else if (stream->n) {
        char head[CHUNK_HEAD_BYTES + 1];
        int n = snprintf(head, sizeof(head), "%zx\r\n", stream->n);
        memcpy(data - n, head, (size_t)n);
        memcpy(data + stream->n, "\r\n", 2);
        exchange->out[exchange->out_count++] = (struct str){data - n, (size_t)n + stream->n + 2};
    }
    if (stream->whole && stream->chunked)
        exchange->out[exchange->out_count++] = STR("0\r\n\r\n");
    exchange->more = !stream->whole;
}

static void stream_next(void *arg);

static void piece_read(struct work *work)
{
    struct http_stream *stream = CONTAINER_OF(work, struct http_stream, work);
    struct http_exchange *exchange = stream->exchange;
    stream->busy = false;
    if (!exchange->conn) {
        http__stream_free(exchange);
        http__exchange_release(exchange);
        return;
    }
    if (stream->error) {
        http__conn_close(exchange->conn);
        return;
    }
    frame_piece(stream);
    if (exchange->out_count == 0)
        exchange->out[exchange->out_count++] = STR("");
    http__conn_flush(exchange->conn);
}

static void stream_next(void *arg)
{
    struct http_stream *stream = arg;
    struct http_exchange *exchange = stream->exchange;
    stream->retry = NULL;
    stream->busy = true;
    enum err err = workers_submit(stream->workers, LANE_READ, &stream->work);
    if (err == ERR_OK)
        return;
    stream->busy = false;
    if (err == ERR_BUSY)
        stream->retry = loop_timer_start(exchange->request.loop, STREAM_RETRY_MS, stream_next, stream);
    else
        http__conn_close(exchange->conn);
}

void http__stream_written(struct http_exchange *exchange)
{
    stream_next(exchange->stream);
}

static struct http_stream *stream_new(struct http_exchange *exchange, int fd, struct workers *workers)
{
    struct http_stream *stream = mem_alloc(sizeof(*stream));
    memset(stream, 0, offsetof(struct http_stream, buffer));
    stream->work = (struct work){.run = read_piece, .done = piece_read, .loop = exchange->request.loop};
    stream->exchange = exchange;
    stream->workers = workers;
    stream->fd = fd;
    stream->chunked = !exchange->request.http_1_0;
    return stream;
}

void http_respond_file(struct http_request *request, const struct http_response *head, int fd, struct workers *workers)
{
    struct http_exchange *exchange = exchange_of(request);
    struct str text = STR_NONE;
    if (exchange->conn && exchange->conn->state != CONN_CLOSING && status_allowed(head->status)) {
        ENSURE(exchange->state == EXCHANGE_RUNNING && loop_current() == request->loop);
        exchange->close_after = closes(exchange) || request->http_1_0;
        text = write_head(exchange, head, request->http_1_0 ? FRAMING_CLOSE : FRAMING_CHUNKED, STR_NONE);
    }
    if (!text.n) { /* gone, or a head that cannot be sent */
        close(fd);
        http_respond(request, head);
        return;
    }
    exchange->status = head->status;
    exchange->out[0] = text;
    exchange->out_count = 1;
    if (has_body(exchange, head->status)) {
        exchange->stream = stream_new(exchange, fd, workers);
        exchange->more = true;
    } else {
        close(fd);
    }
    http__conn_answered(exchange);
}

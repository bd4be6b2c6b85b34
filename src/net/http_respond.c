/* http_respond.c -- answers: the head, the body if it is there as a whole, and what is said without a handler.
 *
 * A head is measured, then written once into the request's arena; a short body is put behind it, so that most answers
 * are one piece. Content-Length, Connection, Date and Transfer-Encoding are ours: a handler's Content-Length, Connection
 * and Date are left out. A header that would break the framing (Transfer-Encoding, a name that is no token, a control
 * character in a value) turns the whole answer into a bare 500: handlers pass on what functions return.
 *
 * A body that comes later, in pieces or from a file, follows its head by http_outflow.c. To a client of HTTP/1.0, which knows no
 * chunks, one without a length goes bare and the connection ends with it.
 *
 * An exchange without a connection (the client is gone) is released by its answer. */
#include "base/panic.h"
#include "net/http2.h"

#define BODY_COPIED_MAX 4096 /* copied behind the head */
#define HTTP_UNWELCOME  "Plain HTTP is answered to this machine only. Use https:// and the same port.\n"

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

enum header_fate http__header_fate(const struct http_header *header)
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
        switch (http__header_fate(header)) {
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
    bool inside = body.n <= BODY_COPIED_MAX;
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

void http__answer_whole(struct http_exchange *exchange, const struct http_response *response)
{
    if (exchange->h2)
        http2__answer(exchange, response);
    else
        set_answer(exchange, response);
}

enum answer_begun http__answer_begin(struct http_exchange *exchange, const struct http_response *head, uint64_t length,
                                     bool *ret_chunked)
{
    if (exchange->h2)
        return http2__answer_begin(exchange, head, length);
    struct http_response sized = *head;
    bool known = length != HTTP_LENGTH_UNKNOWN, body = has_body(exchange, head->status);
    enum framing framing = FRAMING_NONE;
    if (head->status != 204 && head->status != 304)
        framing = known ? FRAMING_LENGTH : exchange->request.http_1_0 ? FRAMING_CLOSE : FRAMING_CHUNKED;
    sized.body = (struct str){"", known ? length : 0}; /* only its length is looked at */
    exchange->close_after = closes(exchange) || (body && framing == FRAMING_CLOSE);
    struct str text = status_allowed(head->status) ? write_head(exchange, &sized, framing, STR_NONE) : STR_NONE;
    if (!text.n) {
        set_answer(exchange, &(struct http_response){.status = 500});
        return ANSWER_REFUSED;
    }
    exchange->status = head->status;
    exchange->out[0] = text;
    exchange->out_count = 1;
    *ret_chunked = framing == FRAMING_CHUNKED;
    return body ? ANSWER_HAS_BODY : ANSWER_HAS_NONE;
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
        http__answer_whole(exchange, response);
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

/* Who is refused for now hears when to come again, whoever found the words. */
static void add_retry_after(struct http_response *response, struct arena *arena)
{
    struct http_header *headers = arena_array(arena, struct http_header, response->header_count + 1);
    if (response->header_count)
        memcpy(headers, response->headers, response->header_count * sizeof *headers);
    headers[response->header_count++] = (struct http_header){STR("Retry-After"), STR("1")};
    response->headers = headers;
}

void http__refuse(struct http_exchange *exchange, struct http_listener *listener, int status)
{
    struct http_response response = {.status = status};
    if (exchange->conn->unwelcome) {
        static struct http_header plain = {{"Content-Type", 12}, {"text/plain", 10}};
        response = (struct http_response){.status = status, .headers = &plain, .header_count = 1, .body = STR(HTTP_UNWELCOME)};
    } else if (listener->options.refuse) {
        listener->options.refuse(&exchange->request, status, exchange->request.arena, &response, listener->options.arg);
    }
    if (status == 503)
        add_retry_after(&response, exchange->request.arena);
    http__answer_whole(exchange, &response);
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

/* http_parse.c -- the HTTP/1.1 request parser: llhttp in its strict mode, and our own proof of the framing.
 *
 * Input lies in blocks. A message's head is contiguous in one block, and method, target, names and values are spans into
 * it. A body with a length stays in the block too when it fits there; a longer one is read straight into memory of its
 * own, which grows as bytes arrive (a declared length costs nothing); a chunked one is gathered there. When a block
 * runs out in the middle of a head, what there is of the message moves to a fresh block and the spans are rebased.
 *
 * Phases: HEAD (llhttp, which pauses behind the empty line) → LENGTH (ours) or CHUNKED (llhttp) → HEAD …, or REFUSED,
 * which is final. PASS_LENGTH and PASS_CHUNKED are the same for a body that its handler reads in pieces (http_inflow.c): it goes
 * into the piece that is being filled, and llhttp is fed no more than there is room for. llhttp starts anew with each message, so
 * nothing is carried from one to the next.
 *
 * Request smuggling: two readers that disagree on where a message ends. llhttp is not trusted alone. head_framed
 * proves that the bytes of the head are exactly `method SP target SP HTTP/1.x CRLF (name ":" OWS value OWS CRLF)* CRLF`
 * with the spans that were reported, so no bare CR or LF, folded line or gap can hide in it. Then: at most one
 * Content-Length, digits only; at most one Transfer-Encoding, exactly "chunked", only in HTTP/1.1, never beside a
 * Content-Length; exactly one Host in 1.1. The framing of a chunked body may cost 16 KiB and eight bytes for one.
 * Trailers are checked, bounded by the same and by 32 KiB, and kept as text behind the body, in its memory.
 * Sources: RFC 9112 sections 2, 3, 5, 6, 7; RFC 9110. */
#include "net/http_parse.h"
#include "base/panic.h"
#include <stdlib.h>

#define ROOM_MIN 1024                 /* less than that left in a block: the message moves */
#define FRAMING_BYTES_MAX (16u << 10) /* of a chunked body, beside 8 for each byte of data */

enum { PARSER_STOP = -1 };

static int refuse_in_callback(llhttp_t *llhttp, int status)
{
    struct http_parser *parser = llhttp->data;
    parser->status = status;
    return PARSER_STOP;
}

/* ---- llhttp's callbacks ---- */

/* Adds a piece to a span; false if it does not follow what is there. */
static bool span_add(struct str *span, const char *at, size_t n)
{
    if (span->n == 0)
        span->p = at;
    else if (span->p + span->n != at)
        return false;
    span->n += n;
    return true;
}

static int on_target(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parser *parser = llhttp->data;
    struct str *target = &parser->exchange->request.target;
    if (!span_add(target, at, n))
        return refuse_in_callback(llhttp, 400);
    return target->n > parser->pool->limits->target_bytes_max ? refuse_in_callback(llhttp, 414) : 0;
}

static int on_target_done(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;
    parser->target_done = true;
    return 0;
}

/* A piece of a body that passes by; there is room, as no more was fed. */
static int pass_body(struct http_parser *parser, struct str piece)
{
    struct http_inflow *in = parser->inflow;
    if (piece.n > parser->body_max - in->total)
        return refuse_in_callback(&parser->llhttp, 413);
    http__inflow_add(in, piece);
    return 0;
}

static int trailer_add(struct http_parser *parser, struct str text)
{
    enum err err = http__exchange_trailer(parser->exchange, text);
    return err == ERR_OK ? 0 : refuse_in_callback(&parser->llhttp, http__refusal(err));
}

/* "NAME:VALUE\n", in pieces. */
static int on_trailer_name(struct http_parser *parser, struct str piece)
{
    parser->in_name = true;
    return trailer_add(parser, piece);
}

static int on_trailer_value(struct http_parser *parser, struct str piece)
{
    int stop = parser->in_name ? trailer_add(parser, STR(":")) : 0;
    parser->in_name = false;
    return stop ? stop : trailer_add(parser, piece);
}

static int on_name(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parser *parser = llhttp->data;
    if (parser->phase != HTTP_PHASE_HEAD)
        return on_trailer_name(parser, (struct str){at, n});
    if (!parser->in_name) {
        if (parser->header_count >= parser->pool->limits->header_count_max || parser->header_count >= NET_HEADER_COUNT_MAX)
            return refuse_in_callback(llhttp, 431);
        parser->in_name = true;
        parser->exchange->headers[parser->header_count] = (struct http_header){.name = STR_NONE, .value = STR_NONE};
    }
    return span_add(&parser->exchange->headers[parser->header_count].name, at, n) ? 0 : refuse_in_callback(llhttp, 400);
}

static int on_value(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parser *parser = llhttp->data;
    if (parser->phase != HTTP_PHASE_HEAD)
        return on_trailer_value(parser, (struct str){at, n});
    if (n == 0)
        return 0;
    return span_add(&parser->exchange->headers[parser->header_count].value, at, n) ? 0 : refuse_in_callback(llhttp, 400);
}

static int on_value_done(llhttp_t *llhttp)
{
    struct http_parser *parser = llhttp->data;
    if (parser->phase != HTTP_PHASE_HEAD)
        return on_trailer_value(parser, STR("\n"));
    parser->in_name = false;
    parser->header_count++;
    return 0;
}

static int on_head_done(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static int on_body(llhttp_t *llhttp, const char *at, size_t n)
{
    struct http_parser *parser = llhttp->data;
    struct http_exchange *exchange = parser->exchange;
    struct str *body = &exchange->request.body;
    if (parser->inflow)
        return pass_body(parser, (struct str){at, n});
    if (n > parser->body_max - body->n)
        return refuse_in_callback(llhttp, 413);
    enum err err = http__exchange_body_room(exchange, body->n + n, UINT64_MAX);
    if (err != ERR_OK)
        return refuse_in_callback(llhttp, http__refusal(err));
    memcpy(exchange->body_heap + body->n, at, n);
    body->p = exchange->body_heap;
    body->n += n;
    return 0;
}

static int on_message_done(llhttp_t *llhttp)
{
    (void)llhttp;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_url = on_target,
    .on_url_complete = on_target_done,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_done,
    .on_headers_complete = on_head_done,
    .on_body = on_body,
    .on_message_complete = on_message_done,
};

/* ---- the head ---- */

static const char *skip_blank(const char *at)
{
    while (*at == ' ' || *at == '\t')
        at++;
    return at;
}

/* Proves the framing of a head that llhttp found complete, sets the method and trims the values. Every read stays in
 * front of `end`, the byte behind the empty line: the head ends in LF, which stops each scan. */
static bool head_framed(struct http_exchange *exchange, const char *at, const char *end, size_t header_count)
{
    struct http_request *request = &exchange->request;
    struct str target = request->target;
    if (at[0] == '\r' && at[1] == '\n')
        at += 2; /* one empty line before a request is tolerated: RFC 9112 2.2 */
    if (!target.n || target.p - at < 2 || target.p[-1] != ' ')
        return false;
    request->method = (struct str){at, (size_t)(target.p - at) - 1};
    for (size_t i = 0; i < request->method.n; i++)
        if ((at[i] < 'A' || at[i] > 'Z') && at[i] != '-')
            return false;
    at = target.p + target.n;
    if (end - at < 13 || memcmp(at, " HTTP/1.", 8) != 0 || (at[8] != '0' && at[8] != '1') || at[9] != '\r' || at[10] != '\n')
        return false;
    request->http_1_0 = at[8] == '0';
    at += 11;
    for (size_t i = 0; i < header_count; i++) {
        struct http_header *header = &exchange->headers[i];
        if (header->name.p != at || !header->name.n || at[header->name.n] != ':')
            return false;
        at = skip_blank(at + header->name.n + 1);
        struct str value = header->value;
        if (value.n && value.p != at)
            return false;
        at += value.n;
        while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
            value.n--;
        header->value = value.n ? value : STR("");
        at = skip_blank(at);
        if (at[0] != '\r' || at[1] != '\n')
            return false;
        at += 2;
    }
    return end - at == 2 && at[0] == '\r' && at[1] == '\n';
}

/* absolute-form: its authority must be the Host that came with it. */
int http__target_read(struct http_request *request)
{
    struct str rest = request->target;
    if (str_find(rest, '#') < rest.n)
        return 400;
    if (rest.p[0] != '/') {
        if (str_eq(rest, STR("*")) && str_eq(request->method, STR("OPTIONS"))) {
            request->path = rest;
            return 0;
        }
        static const struct str schemes[] = {{"http://", 7}, {"https://", 8}};
        size_t i = 0;
        while (i < COUNT_OF(schemes) && !(rest.n > schemes[i].n && str_eq_nocase(str_slice(rest, 0, schemes[i].n), schemes[i])))
            i++;
        if (i == COUNT_OF(schemes))
            return 400;
        rest = str_slice(rest, schemes[i].n, rest.n);
        size_t slash = str_find(rest, '/'), mark = str_find(rest, '?');
        size_t host_n = slash < mark ? slash : mark;
        if (!host_n || !str_eq_nocase(str_slice(rest, 0, host_n), request->host))
            return 400;
        rest = str_slice(rest, host_n, rest.n);
    }
    size_t mark = str_find(rest, '?');
    request->path = mark ? str_slice(rest, 0, mark) : STR("/");
    request->query = mark < rest.n ? str_slice(rest, mark + 1, rest.n) : STR_NONE;
    return 0;
}

static bool is_safe(struct str method)
{
    return str_eq(method, STR("GET")) || str_eq(method, STR("HEAD")) || str_eq(method, STR("OPTIONS")) ||
           str_eq(method, STR("TRACE"));
}

/* The headers that decide on the message itself; 0 or a status. */
static int read_headers(struct http_parser *parser)
{
    struct http_exchange *exchange = parser->exchange;
    struct http_request *request = &exchange->request;
    size_t hosts = 0, lengths = 0, codings = 0;
    parser->content_length = 0;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct http_header *header = &request->headers[i];
        switch (header->name.n) {
        case 4:
            if (str_eq_nocase(header->name, STR("host"))) {
                hosts++;
                request->host = header->value;
            }
            break;
        case 6:
            if (str_eq_nocase(header->name, STR("expect"))) {
                if (!str_eq_nocase(header->value, STR("100-continue")))
                    return 417;
                exchange->expect_continue = !request->http_1_0;
            }
            break;
        case 14:
            if (str_eq_nocase(header->name, STR("content-length"))) {
                if (lengths++ || !str_to_u64(header->value, &parser->content_length))
                    return 400;
            }
            break;
        case 17:
            if (str_eq_nocase(header->name, STR("transfer-encoding"))) {
                if (codings++ || !str_eq_nocase(header->value, STR("chunked")))
                    return 400;
            }
            break;
        }
    }
    if (hosts > 1 || (hosts == 0 && !request->http_1_0))
        return 400;
    if (codings && (lengths || request->http_1_0))
        return 400;
    /* llhttp must have understood the same. */
    bool chunked = (parser->llhttp.flags & F_CHUNKED) != 0;
    if (chunked != (codings != 0) || parser->llhttp.content_length != parser->content_length)
        return 400;
    return 0;
}

static int read_head(struct http_parser *parser)
{
    struct http_exchange *exchange = parser->exchange;
    struct http_request *request = &exchange->request;
    const char *base = parser->block->bytes;
    if (parser->head_end - parser->start > parser->pool->limits->header_bytes_max)
        return 431;
    if (parser->llhttp.http_major != 1)
        return 505;
    if (!head_framed(exchange, base + parser->start, base + parser->head_end, parser->header_count))
        return 400;
    request->header_count = parser->header_count;
    exchange->safe = is_safe(request->method);
    exchange->is_head = str_eq(request->method, STR("HEAD"));
    int status = read_headers(parser);
    if (status)
        return status;
    if (str_eq(request->method, STR("CONNECT")))
        return 501;
    if ((status = http__target_read(request)))
        return status;
    bool close = parser->llhttp.flags & F_CONNECTION_CLOSE, keep = parser->llhttp.flags & F_CONNECTION_KEEP_ALIVE;
    exchange->keep_alive = !close && (!request->http_1_0 || keep);
    return 0;
}

/* ---- steps ---- */

/* The exchange's spans point into the block. */
static void keep_block(struct http_parser *parser)
{
    parser->exchange->block = parser->block;
    parser->block->refs++;
}

static enum http_parsed hand_over(struct http_parser *parser, struct http_exchange **ret)
{
    *ret = parser->exchange;
    if (!parser->exchange->block)
        keep_block(parser);
    parser->exchange = NULL;
    parser->start = parser->fed;
    if (parser->phase == HTTP_PHASE_REFUSED)
        return PARSED_REFUSED;
    parser->phase = HTTP_PHASE_HEAD;
    return PARSED_MESSAGE;
}

static enum http_parsed parser_refuse(struct http_parser *parser, int status, struct http_exchange **ret)
{
    struct http_request *request = &parser->exchange->request;
    if (parser->phase == HTTP_PHASE_HEAD) {
        request->header_count = parser->header_count;
        if (!parser->target_done)
            request->target = STR_NONE;
        if (request->target.n && !request->path.n && request->target.p[0] == '/')
            request->path = str_slice(request->target, 0, str_find(request->target, '?'));
    }
    request->trailers = STR_NONE;       /* of a part of them nothing is known */
    parser->phase = HTTP_PHASE_REFUSED;
    parser->status = status;
    return hand_over(parser, ret);
}

static int parser_status(const struct http_parser *parser, llhttp_errno_t error)
{
    if (parser->status)
        return parser->status;
    return error == HPE_INVALID_VERSION ? 505 : 400;
}

/* Feeds what is there, at most that much, to llhttp. HPE_OK: all eaten; HPE_PAUSED: a callback stopped behind its part. */
static llhttp_errno_t feed(struct http_parser *parser, size_t most)
{
    const char *from = parser->block->bytes + parser->fed;
    size_t n = parser->block->n - parser->fed;
    n = n < most ? n : most;
    llhttp_errno_t error = llhttp_execute(&parser->llhttp, from, n);
    size_t eaten = n;
    if (error == HPE_PAUSED) {
        eaten = (size_t)(llhttp_get_error_pos(&parser->llhttp) - from);
        ENSURE(eaten <= n);
        llhttp_resume(&parser->llhttp);
    }
    parser->fed += eaten;
    return error;
}

struct http_exchange *http__parser_take(struct http_parser *parser)
{
    struct http_exchange *exchange = http__exchange_take(parser->pool);
    exchange->share = parser->share;
    bool inside = parser->share != NULL;
    exchange->account = (struct budget_account){.peer = parser->peer, .counted = true, .early = !inside, .inside = inside};
    arena_count(exchange->request.arena, parser->peer, inside);
    arena_beside(exchange->request.arena, &exchange->account);
    return exchange;
}

static void begin(struct http_parser *parser)
{
    parser->exchange = http__parser_take(parser);
    parser->start = parser->fed;
    parser->header_count = 0;
    parser->in_name = parser->target_done = false;
    parser->status = 0;
    llhttp_init(&parser->llhttp, HTTP_REQUEST, &settings);
    parser->llhttp.data = parser;
}

static enum http_parsed step_head(struct http_parser *parser, struct http_exchange **ret)
{
    if (!http__parser_has_input(parser))
        return PARSED_MORE;
    if (!parser->exchange)
        begin(parser);
    llhttp_errno_t error = feed(parser, SIZE_MAX);
    if (error == HPE_OK)
        return parser->fed - parser->start > parser->pool->limits->header_bytes_max ? parser_refuse(parser, 431, ret) : PARSED_MORE;
    if (error == HPE_PAUSED_H2_UPGRADE && !parser->spoken)
        return PARSED_HTTP2;
    if (error != HPE_PAUSED)
        return parser_refuse(parser, parser_status(parser, error), ret);
    parser->spoken = true;
    parser->head_end = parser->fed;
    int status = read_head(parser);
    if (status)
        return parser_refuse(parser, status, ret);
    bool chunked = parser->llhttp.flags & F_CHUNKED;
    if (!chunked && parser->content_length == 0)
        return hand_over(parser, ret);
    parser->llhttp.upgrade = 0; /* offers to upgrade are ignored */
    parser->phase = chunked ? HTTP_PHASE_CHUNKED : HTTP_PHASE_LENGTH;
    parser->raw = 0;
    parser->body_max = 0;
    return PARSED_HEAD;
}

static enum http_parsed step_length(struct http_parser *parser, struct http_exchange **ret)
{
    struct http_exchange *exchange = parser->exchange;
    struct str *body = &exchange->request.body;
    struct http_block *block = parser->block;
    if (parser->content_length > parser->body_max)
        return parser_refuse(parser, 413, ret);
    size_t length = (size_t)parser->content_length, there = block->n - parser->fed;
    if (!exchange->body_heap && length <= block->cap - parser->fed) {
        if (there < length)
            return PARSED_MORE;
        *body = (struct str){block->bytes + parser->fed, length};
        parser->fed += length;
        return hand_over(parser, ret);
    }
    size_t left = length - body->n, take = there < left ? there : left, used = body->n + take;
    enum err err = http__exchange_body_room(exchange, used < length ? used + 1 : used, length); /* some for what is read next */
    if (err != ERR_OK)
        return parser_refuse(parser, http__refusal(err), ret);
    if (take)
        memcpy(exchange->body_heap + body->n, block->bytes + parser->fed, take);
    parser->fed += take;
    body->p = exchange->body_heap;
    body->n += take;
    return body->n == length ? hand_over(parser, ret) : PARSED_MORE;
}

/* Feeds llhttp a part of a chunked body and checks its framing. PARSED_MORE: `more` was eaten; PARSED_MESSAGE: its end
 * too; PARSED_REFUSED: with *ret_status. */
static enum http_parsed feed_chunks(struct http_parser *parser, size_t most, uint64_t *data, int *ret_status)
{
    const char *from = parser->block->bytes + parser->fed;
    size_t before = parser->fed;
    llhttp_errno_t error = feed(parser, most);
    *ret_status = 400;
    if (error != HPE_OK && error != HPE_PAUSED) {
        *ret_status = parser_status(parser, error);
        return PARSED_REFUSED;
    }
    size_t eaten = parser->fed - before;
    parser->raw += eaten;
    if (parser->raw > FRAMING_BYTES_MAX + *data * 9)
        return PARSED_REFUSED;
    if (error == HPE_PAUSED) {
        /* llhttp lets a bare LF end the trailers. */
        char before_last = eaten >= 2 ? from[eaten - 2] : parser->last;
        return before_last == '\r' ? PARSED_MESSAGE : PARSED_REFUSED;
    }
    parser->last = from[eaten - 1];
    if (parser->fed == parser->block->n)
        parser->fed = parser->block->n = parser->head_end; /* gathered elsewhere; the room is used again */
    return PARSED_MORE;
}

static enum http_parsed step_chunked(struct http_parser *parser, struct http_exchange **ret)
{
    if (!http__parser_has_input(parser))
        return PARSED_MORE;
    int status;
    switch (feed_chunks(parser, SIZE_MAX, &parser->exchange->request.body.n, &status)) {
    case PARSED_MORE:
        return PARSED_MORE;
    case PARSED_MESSAGE:
        return hand_over(parser, ret);
    default:
        return parser_refuse(parser, status, ret);
    }
}

struct str http__parser_preface(struct http_parser *parser)
{
    http__exchange_release(parser->exchange);
    parser->exchange = NULL;
    parser->phase = HTTP_PHASE_REFUSED;
    return (struct str){parser->block->bytes + parser->start, parser->block->n - parser->start};
}

/* ---- bodies that pass by ---- */

void http__parser_pass(struct http_parser *parser, struct http_inflow *inflow)
{
    ENSURE(parser->phase == HTTP_PHASE_LENGTH || parser->phase == HTTP_PHASE_CHUNKED);
    parser->phase = parser->phase == HTTP_PHASE_LENGTH ? HTTP_PHASE_PASS_LENGTH : HTTP_PHASE_PASS_CHUNKED;
    parser->inflow = inflow;
    keep_block(parser);
}

void http__parser_leave(struct http_parser *parser)
{
    parser->inflow = NULL;
    parser->exchange = NULL;
    parser->phase = HTTP_PHASE_REFUSED;
}

static enum http_parsed body_passed(struct http_parser *parser)
{
    http__parser_leave(parser);
    parser->phase = HTTP_PHASE_HEAD;
    parser->start = parser->fed;
    return PARSED_PASSED;
}

static enum http_parsed break_off(struct http_parser *parser, int status)
{
    parser->exchange->request.trailers = STR_NONE;
    http__parser_leave(parser);
    parser->status = status;
    return PARSED_BROKEN;
}

static enum http_parsed step_pass_length(struct http_parser *parser)
{
    struct http_inflow *in = parser->inflow;
    if (parser->content_length > parser->body_max)
        return break_off(parser, 413);
    size_t there = parser->block->n - parser->fed, room = http__inflow_room(in);
    uint64_t left = parser->content_length - in->total;
    size_t take = there < room ? there : room;
    take = take < left ? take : (size_t)left;
    if (take)
        memcpy(in->fill.p + in->fill.n, parser->block->bytes + parser->fed, take);
    parser->fed += take;
    in->fill.n += take;
    in->total += take;
    if (take == left)
        return body_passed(parser);
    return take == room ? PARSED_FULL : PARSED_MORE;
}

static enum http_parsed step_pass_chunked(struct http_parser *parser)
{
    struct http_inflow *in = parser->inflow;
    while (http__parser_has_input(parser)) {
        size_t room = http__inflow_room(in);
        if (!room)
            return PARSED_FULL;
        int status;
        enum http_parsed parsed = feed_chunks(parser, room, &in->total, &status);
        if (parsed == PARSED_MESSAGE)
            return body_passed(parser);
        if (parsed == PARSED_REFUSED)
            return break_off(parser, status);
    }
    return PARSED_MORE;
}

enum http_parsed http__parser_next(struct http_parser *parser, struct http_exchange **ret)
{
    switch (parser->phase) {
    case HTTP_PHASE_HEAD:
        return step_head(parser, ret);
    case HTTP_PHASE_LENGTH:
        return step_length(parser, ret);
    case HTTP_PHASE_CHUNKED:
        return step_chunked(parser, ret);
    case HTTP_PHASE_PASS_LENGTH:
        return step_pass_length(parser);
    case HTTP_PHASE_PASS_CHUNKED:
        return step_pass_chunked(parser);
    case HTTP_PHASE_REFUSED:
        break;
    }
    UNREACHABLE();
}

/* ---- input ---- */

void http__parser_init(struct http_parser *parser, struct http_pool *pool)
{
    memset(parser, 0, sizeof(*parser));
    parser->pool = pool;
}

void http__parser_clear(struct http_parser *parser)
{
    if (parser->exchange && !parser->inflow)
        http__exchange_release(parser->exchange);
    http__block_unref(parser->pool, parser->block);
    parser->exchange = NULL;
    parser->inflow = NULL;
    parser->block = NULL;
}

bool http__parser_has_input(const struct http_parser *parser)
{
    return parser->block && parser->fed < parser->block->n;
}

void http__parser_rest(struct http_parser *parser)
{
    if (parser->exchange || !parser->block || http__parser_has_input(parser))
        return;
    http__block_unref(parser->pool, parser->block);
    parser->block = NULL;
    parser->start = parser->fed = 0;
}

static void rebase(struct str *span, const char *from, const char *to)
{
    if (span->n)
        span->p = to + (span->p - from);
}

/* Moves the message that is being parsed to the front of a block with room. Only in a head. */
static void move(struct http_parser *parser)
{
    struct http_block *old = parser->block;
    size_t n = old->n - parser->start;
    struct http_block *block = http__block_take(parser->pool, n > 8192 ? 2 * n + ROOM_MIN : 0);
    const char *from = old->bytes + parser->start;
    memcpy(block->bytes, from, n);
    block->n = n;
    if (parser->exchange) {
        rebase(&parser->exchange->request.target, from, block->bytes);
        for (size_t i = 0; i < parser->header_count + parser->in_name; i++) {
            rebase(&parser->exchange->headers[i].name, from, block->bytes);
            rebase(&parser->exchange->headers[i].value, from, block->bytes);
        }
    }
    parser->fed -= parser->start;
    parser->start = 0;
    parser->block = block;
    http__block_unref(parser->pool, old);
}

/* A head that fills its block stays there; the chunks behind it, all eaten so far, come into another. */
static void leave_head(struct http_parser *parser)
{
    ENSURE(parser->fed == parser->block->n);
    if (!parser->exchange->block)
        keep_block(parser);
    http__block_unref(parser->pool, parser->block);
    parser->block = http__block_take(parser->pool, 0);
    parser->start = parser->fed = parser->head_end = 0;
}

/* A body with a length that passes by, all of the block eaten: straight into its piece. */
static struct http_inflow *reads_into_piece(const struct http_parser *parser)
{
    return parser->phase == HTTP_PHASE_PASS_LENGTH ? parser->inflow : NULL;
}

static bool reads_into_body(const struct http_parser *parser)
{
    return parser->phase == HTTP_PHASE_LENGTH && parser->exchange->body_heap;
}

char *http__parser_space(struct http_parser *parser, size_t *ret_n)
{
    ENSURE(parser->phase != HTTP_PHASE_REFUSED);
    if (reads_into_body(parser)) {
        struct http_exchange *exchange = parser->exchange;
        *ret_n = exchange->body_cap - exchange->request.body.n;
        ENSURE(*ret_n > 0);
        return exchange->body_heap + exchange->request.body.n;
    }
    if (reads_into_piece(parser)) {
        struct http_inflow *in = parser->inflow;
        size_t room = http__inflow_room(in);
        uint64_t left = parser->content_length - in->total;
        ENSURE(room > 0 && !http__parser_has_input(parser));
        *ret_n = room < left ? room : (size_t)left;
        return in->fill.p + in->fill.n;
    }
    if (!parser->block) {
        parser->block = http__block_take(parser->pool, 0);
        parser->start = parser->fed = 0;
    }
    struct http_block *block = parser->block;
    if (!parser->exchange && parser->fed == block->n && block->refs == 1)
        parser->start = parser->fed = block->n = 0;
    if (parser->phase == HTTP_PHASE_HEAD && block->cap - block->n < ROOM_MIN)
        move(parser);
    if ((parser->phase == HTTP_PHASE_CHUNKED || parser->phase == HTTP_PHASE_PASS_CHUNKED) && block->cap - block->n < ROOM_MIN)
        leave_head(parser);
    block = parser->block;
    *ret_n = block->cap - block->n;
    ENSURE(*ret_n > 0);
    return block->bytes + block->n;
}

void http__parser_filled(struct http_parser *parser, size_t n)
{
    if (reads_into_body(parser)) {
        parser->exchange->request.body.n += n;
    } else if (reads_into_piece(parser)) {
        parser->inflow->fill.n += n;
        parser->inflow->total += n;
    } else {
        parser->block->n += n;
    }
}

struct http_exchange *http__parser_refuse(struct http_parser *parser, int status)
{
    struct http_exchange *exchange;
    if (!parser->exchange) {
        http__parser_space(parser, &(size_t){0});
        begin(parser);
    }
    parser_refuse(parser, status, &exchange);
    return exchange;
}

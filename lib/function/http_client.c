/* http_client.c -- reads one HTTP/1.1 answer with llhttp, in its strict mode.
 *
 * The head is read into the answer's own bytes and its names and values stay where they came; llhttp's callbacks only say
 * where they begin and go on. A body of known length is allocated once and read straight into its place; a chunked one, or
 * one that the end of the connection ends, is gathered in a builder.
 *
 * Steps: HEAD → (headers complete) BODY or nothing → DONE. An interim answer (1xx) begins HEAD again.
 * llhttp stops at the end of a message (the callback pauses it), so what follows is seen: it makes `keep` false.
 * Bounds beside those of the header: FRAMING_EXTRA bytes and FRAMING_TIMES the body's length may be spent on chunk sizes,
 * extensions and trailers. */
#include "http_client.h"
#include <llhttp.h>

#define INTERIM_MAX   4
#define FRAMING_EXTRA ((size_t)65536)
#define FRAMING_TIMES 8
#define PIECE         CL__HTTP_HEAD_MAX       /* so that what is behind a message fits where heads are read */

struct reading {
    llhttp_t parser;                /* its `data` is this struct */
    llhttp_settings_t settings;
    struct cl__http_answer *answer;
    cl_arena *arena;
    size_t body_max, body_n;
    char *body;                     /* of known length: all of it */
    cl_buf chunks;
    bool known_length, in_body, done, in_value;
    cl_result refused;              /* why a callback stopped the parser */
    char piece[PIECE];              /* of a body whose length is not known */
};

static int refuse(struct reading *r, cl_result why)
{
    r->refused = why;
    return -1;
}

/* ---- callbacks: 0, refuse(), or what else stands beside it ---- */

/* Names and values arrive in pieces; a piece that does not follow on the one before (an obsolete folded line) is refused. */
static int extend(struct reading *r, cl_str *s, const char *at, size_t n)
{
    if (s->n == 0)
        *s = (cl_str){at, n};
    else if (s->p + s->n == at)
        s->n += n;
    else
        return refuse(r, CL_INVALID);
    return 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t n)
{
    struct reading *r = parser->data;
    struct cl__http_answer *a = r->answer;
    if (r->in_body)
        return 0;                                               /* a trailer */
    if (r->in_value || a->header_count == 0) {
        if (a->header_count == CL__HTTP_HEADERS_MAX)
            return refuse(r, CL_INVALID);
        a->headers[a->header_count].name = a->headers[a->header_count].value = (cl_str){"", 0};
        a->header_count++;
        r->in_value = false;
    }
    return extend(r, &a->headers[a->header_count - 1].name, at, n);
}

static int on_value(llhttp_t *parser, const char *at, size_t n)
{
    struct reading *r = parser->data;
    if (r->in_body)
        return 0;
    r->in_value = true;
    return n ? extend(r, &r->answer->headers[r->answer->header_count - 1].value, at, n) : 0;
}

/* An empty value has no piece: its end is what there is. */
static int on_value_end(llhttp_t *parser)
{
    struct reading *r = parser->data;
    r->in_value = true;
    return 0;
}

/* Behind a name there is a colon, behind a value space or the line's end: read by now. */
static void terminate(struct cl__http_answer *a, cl_str s)
{
    if (s.n > 0)
        a->head[s.p + s.n - a->head] = 0;
}

/* 1: there is no body, whatever the headers say (RFC 9112, 6.3). */
static int on_head(llhttp_t *parser)
{
    struct reading *r = parser->data;
    r->answer->status = llhttp_get_status_code(parser);
    if (llhttp_get_http_major(parser) != 1 || r->answer->status < 100 || r->answer->status == 101 || r->answer->status > 599)
        return refuse(r, CL_INVALID);
    if (r->answer->status < 200)                                /* interim answers have no body */
        return parser->flags & (F_CHUNKED | F_CONTENT_LENGTH | F_TRANSFER_ENCODING) ? refuse(r, CL_INVALID) : 0;
    r->in_body = true;
    for (size_t i = 0; i < r->answer->header_count; i++) {
        cl_str *name = &r->answer->headers[i].name, *value = &r->answer->headers[i].value;
        if (name->n == 0)
            return refuse(r, CL_INVALID);                       /* ": value" */
        while (value->n && (value->p[value->n - 1] == ' ' || value->p[value->n - 1] == '\t'))
            value->n--;
        terminate(r->answer, *name);
        terminate(r->answer, *value);
    }
    if (r->answer->status == 204 || r->answer->status == 304)
        return 1;
    if (!(parser->flags & F_CHUNKED) && (parser->flags & F_CONTENT_LENGTH)) {
        if (parser->content_length > r->body_max)
            return refuse(r, CL_NO_MEMORY);
        if (!r->arena)
            return 0;
        r->known_length = true;
        r->body = cl__take(r->arena, (size_t)parser->content_length + 1, 1);
        if (!r->body)
            return refuse(r, CL_NO_MEMORY);
    }
    return 0;
}

static int on_body(llhttp_t *parser, const char *at, size_t n)
{
    struct reading *r = parser->data;
    if (r->known_length) {
        if (at != r->body + r->body_n)
            memcpy(r->body + r->body_n, at, n);
    } else if (r->arena) {
        cl_buf_add(&r->chunks, (cl_str){at, n});
    }
    r->body_n += n;
    return r->chunks.failed || r->body_n > r->body_max ? refuse(r, CL_NO_MEMORY) : 0;
}

static int on_end(llhttp_t *parser)
{
    struct reading *r = parser->data;
    r->done = true;
    return HPE_PAUSED;
}

static void begin(struct reading *r)
{
    llhttp_init(&r->parser, HTTP_RESPONSE, &r->settings);
    r->parser.data = r;
    r->answer->header_count = 0;
    r->answer->status = 0;
    r->done = r->in_value = false;
}

/* ---- reading ---- */

/* The parser over n bytes; *used are those of this message. */
static cl_result feed(struct reading *r, const char *bytes, size_t n, size_t *used)
{
    llhttp_errno_t error = llhttp_execute(&r->parser, bytes, n);
    if (error == HPE_OK) {
        *used = n;
        return CL_OK;
    }
    if (error == HPE_PAUSED && r->done) {
        *used = (size_t)(llhttp_get_error_pos(&r->parser) - bytes);
        return CL_OK;
    }
    return r->refused != CL_OK ? r->refused : CL_INVALID;
}

static cl_result io_result(ssize_t got)
{
    return got == CL__IO_DEADLINE ? CL_DEADLINE : CL_UNREACHABLE;
}

/* Until the head of the final answer is whole, with what came of its body. *extra: bytes behind the message. */
static cl_result read_head(const struct cl__transport *t, struct reading *r, int64_t deadline_ms, cl_str *extra)
{
    struct cl__http_answer *a = r->answer;
    size_t fed = 0, used = 0;
    int interim = 0;
    while (!r->in_body) {
        if (fed == a->head_n) {
            if (a->head_n == sizeof a->head)
                return CL_INVALID;
            ssize_t got = t->read(t->arg, a->head + a->head_n, sizeof a->head - a->head_n, deadline_ms);
            if (got <= 0)
                return io_result(got);
            a->began = true;
            a->head_n += (size_t)got;
        }
        cl_result result = feed(r, a->head + fed, a->head_n - fed, &used);
        if (result != CL_OK)
            return result;
        fed += used;
        if (r->done && !r->in_body) {                           /* interim: what follows is the next answer */
            if (++interim > INTERIM_MAX)
                return CL_INVALID;
            begin(r);
        }
    }
    *extra = (cl_str){a->head + fed, a->head_n - fed};
    return CL_OK;
}

/* Chunk framing must not outweigh the body without end. */
static bool framing_fits(const struct reading *r, size_t read_n)
{
    return r->known_length || read_n <= FRAMING_EXTRA || (read_n - FRAMING_EXTRA) / FRAMING_TIMES <= r->body_n + 1;
}

static cl_result read_body(const struct cl__transport *t, struct reading *r, int64_t deadline_ms, cl_str *extra)
{
    char *piece = r->piece;
    size_t read_n = 0, used = 0;
    while (!r->done) {
        char *to = r->known_length ? r->body + r->body_n : piece;
        size_t room = r->known_length ? (size_t)r->parser.content_length : sizeof r->piece;
        ssize_t got = t->read(t->arg, to, room, deadline_ms);
        if (got == CL__IO_END && llhttp_message_needs_eof(&r->parser) && (llhttp_finish(&r->parser) == HPE_OK || r->done))
            return CL_OK;
        if (got <= 0)
            return io_result(got);
        read_n += (size_t)got;
        cl_result result = feed(r, to, (size_t)got, &used);
        if (result != CL_OK)
            return result;
        if (!framing_fits(r, read_n))
            return CL_INVALID;
        *extra = (cl_str){to + used, (size_t)got - used};
    }
    return CL_OK;
}

/* What came behind the message: of the next answer, or nobody's. */
static void keep_extra(struct cl__http_answer *a, cl_str extra)
{
    memmove(a->head, extra.p, extra.n);
    a->ahead = extra.n;
    a->header_count = 0;
}

static void set_up(struct reading *r, cl_arena *arena, size_t body_max, struct cl__http_answer *answer)
{
    r->answer = answer, r->arena = arena, r->body_max = body_max;
    r->body_n = 0, r->body = NULL, r->known_length = r->in_body = false, r->refused = CL_OK;
    cl_buf_init(&r->chunks, arena, body_max);
    llhttp_settings_init(&r->settings);
    r->settings.on_header_field = on_name;
    r->settings.on_header_value = on_value;
    r->settings.on_header_value_complete = on_value_end;
    r->settings.on_headers_complete = on_head;
    r->settings.on_body = on_body;
    r->settings.on_message_complete = on_end;
    begin(r);
}

cl_result cl__http_read(const struct cl__transport *transport, cl_arena *arena, size_t body_max, int64_t deadline_ms,
                        struct cl__http_answer *ret)
{
    struct reading r;
    cl_str extra = {ret->head, 0};
    set_up(&r, arena, body_max, ret);
    ret->began = ret->ahead > 0, ret->keep = false;
    ret->body = (cl_str){"", 0};
    ret->head_n = ret->ahead, ret->ahead = 0;
    cl_result result = read_head(transport, &r, deadline_ms, &extra);
    if (result == CL_OK && !r.done)
        result = read_body(transport, &r, deadline_ms, &extra);
    if (result != CL_OK)
        return result;
    if (r.known_length)
        r.body[r.body_n] = 0;
    ret->body = r.known_length ? (cl_str){r.body, r.body_n} : cl_buf_str(&r.chunks);
    ret->keep = (extra.n == 0 || ret->pipelined) && r.done && llhttp_should_keep_alive(&r.parser);
    if (extra.n > 0 && ret->keep)
        keep_extra(ret, extra);
    return CL_OK;
}

cl_str cl__http_header(const struct cl__http_answer *answer, const char *name)
{
    cl_str wanted = cl_str_of(name);
    for (size_t i = 0; i < answer->header_count; i++)
        if (cl__ieq(answer->headers[i].name, wanted))
            return answer->headers[i].value;
    return (cl_str){"", 0};
}

/* http2_out.c -- HTTP/2 on a connection: answers to frames, frames to the transport.
 *
 * Frames are gathered in one buffer and go out in one system call; there is a buffer only while something is being written, and
 * one a loop is kept for the next. An answer's head is submitted once, with names in lower case; its body is copied into
 * frames when windows and the socket let it go: from the handler's memory, or from the outflow of a streamed answer, which says
 * when there is nothing yet and is asked again when there is (http2__body_ready). */
#include "net/http2.h"
#include "base/panic.h"
#include <stdlib.h>

#define OUT_BYTES 65536
#define FRAME_BYTES (16384 + 64) /* the largest that nghttp2 makes for us */

/* ---- frames to the transport ---- */

static char *out_take(struct http_loop *hl)
{
    char *out = hl->h2_out ? hl->h2_out : mem_alloc(OUT_BYTES);
    hl->h2_out = NULL;
    return out;
}

static void out_give(struct http_loop *hl, char *out)
{
    if (hl->h2_out)
        free(out);
    else
        hl->h2_out = out;
}

static size_t frames_into(struct http2 *h2, char *out)
{
    size_t n = 0;
    while (OUT_BYTES - n >= FRAME_BYTES) {
        const uint8_t *frame;
        ssize_t frame_n = nghttp2_session_mem_send(h2->session, &frame);
        if (frame_n <= 0)
            break; /* an error: there is no memory, or it is over; want_write tells */
        ENSURE((size_t)frame_n <= OUT_BYTES - n);
        memcpy(out + n, frame, (size_t)frame_n);
        n += (size_t)frame_n;
    }
    return n;
}

bool http2__send(struct http2 *h2)
{
    struct http_conn *conn = h2->conn;
    while (!conn->write_busy && nghttp2_session_want_write(h2->session)) {
        char *out = out_take(conn->hl);
        size_t n = frames_into(h2, out);
        bool open = conn->state != CONN_CLOSING; /* an answer whose body broke while it was asked for has closed it */
        if (n == 0 || !open) {
            out_give(conn->hl, out);
            return open;
        }
        uv_buf_t buf = uv_buf_init(out, (unsigned)n);
        ssize_t sent = transport_write(&conn->transport, &buf, 1);
        if (sent < 0) {
            out_give(conn->hl, out);
            http__conn_close(conn);
            return false;
        }
        conn->wrote_ms = uv_now(loop_uv(conn->hl->loop));
        if ((size_t)sent == n) {
            out_give(conn->hl, out);
            continue;
        }
        h2->out = out;
        conn->write_busy = true;
        conn->write_left = 0;
    }
    return true;
}

void http2__written(struct http2 *h2)
{
    out_give(h2->conn->hl, h2->out);
    h2->out = NULL;
}

/* ---- answers to frames ---- */

static nghttp2_nv nv_of(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.p, (uint8_t *)(uintptr_t)(value.n ? value.p : ""), name.n, value.n,
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
}

static struct str lower_name(struct arena *arena, struct str name)
{
    char *text = arena_alloc(arena, name.n);
    for (size_t i = 0; i < name.n; i++)
        text[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] | 0x20 : name.p[i]);
    return (struct str){text, name.n};
}

/* Headers of the connection, which a stream has none of. */
static bool of_connection(struct str name)
{
    static const struct str names[] = {{"keep-alive", 10}, {"proxy-connection", 16}, {"upgrade", 7}};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        if (str_eq(name, names[i]))
            return true;
    return false;
}

static ssize_t read_answer_body(nghttp2_session *session, int32_t id, uint8_t *buf, size_t room, uint32_t *flags,
                           nghttp2_data_source *source, void *arg)
{
    (void)session, (void)id, (void)arg;
    struct http2_stream *stream = source->ptr;
    struct http_exchange *exchange = stream->exchange;
    if (stream->answer_streams) {
        bool end = false;
        ssize_t n = http__outflow_pull(exchange, (char *)buf, room, &end);
        if (n < 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        if (end)
            *flags |= NGHTTP2_DATA_FLAG_EOF;
        return n || end ? n : NGHTTP2_ERR_DEFERRED;
    }
    struct str rest = str_slice(exchange->out[0], stream->out_at, exchange->out[0].n);
    size_t n = rest.n < room ? rest.n : room;
    if (n)
        memcpy(buf, rest.p, n);
    stream->out_at += n;
    if (n == rest.n)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* False: a header that cannot be sent. length: UINT64_MAX is none. */
static bool submit_head(struct http2_stream *stream, const struct http_response *response, uint64_t length, bool body)
{
    struct http_exchange *exchange = stream->exchange;
    struct arena *arena = exchange->request.arena;
    nghttp2_nv *nv = arena_alloc(arena, (response->header_count + 3) * sizeof(*nv));
    size_t count = 0;
    nv[count++] = nv_of(STR(":status"), arena_printf(arena, "%d", response->status));
    struct str date = http__date_line(exchange->conn->hl); /* "Date: …\r\n" */
    nv[count++] = nv_of(STR("date"), arena_dup(arena, str_slice(date, 6, date.n - 2)));
    for (size_t i = 0; i < response->header_count; i++) {
        const struct http_header *header = &response->headers[i];
        switch (http__header_fate(header)) {
        case HEADER_BAD:
            return false;
        case HEADER_OURS:
            continue;
        case HEADER_KEPT: {
            struct str name = lower_name(arena, header->name);
            if (!of_connection(name))
                nv[count++] = nv_of(name, header->value);
        }
        }
    }
    if (length != UINT64_MAX)
        nv[count++] = nv_of(STR("content-length"), arena_printf(arena, "%llu", (unsigned long long)length));
    const nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_answer_body};
    nghttp2_submit_response(exchange->conn->h2->session, stream->id, nv, count, body ? &provider : NULL);
    exchange->status = response->status;
    return true;
}

void http2__answer(struct http_exchange *exchange, const struct http_response *response)
{
    static const struct http_response broken = {.status = 500};
    struct http2_stream *stream = exchange->h2;
    if (response->status < 200 || response->status > 599)
        response = &broken;
    bool bare = response->status == 204 || (response->status == 304 && !response->body.n);
    bool body = !exchange->is_head && response->status != 204 && response->status != 304 && response->body.n;
    exchange->out[0] = response->body;
    if (!submit_head(stream, response, bare ? UINT64_MAX : response->body.n, body))
        submit_head(stream, &broken, 0, false);
}

enum answer_begun http2__answer_begin(struct http_exchange *exchange, const struct http_response *head, uint64_t length)
{
    struct http2_stream *stream = exchange->h2;
    bool bare = head->status == 204 || head->status == 304, body = !exchange->is_head && !bare;
    stream->answer_streams = body;
    if (head->status < 200 || head->status > 599 || !submit_head(stream, head, bare ? HTTP_LENGTH_UNKNOWN : length, body)) {
        stream->answer_streams = false;
        http2__answer(exchange, &(struct http_response){.status = 500});
        return ANSWER_REFUSED;
    }
    return body ? ANSWER_HAS_BODY : ANSWER_HAS_NONE;
}

void http2__answered(struct http_exchange *exchange)
{
    struct http_conn *conn = exchange->conn;
    exchange->state = EXCHANGE_ANSWERED;
    exchange->h2->sent_ms = uv_now(loop_uv(conn->hl->loop));
    if (exchange->in && !exchange->outflow)
        http__inflow_drop(exchange->in);
    http2__run(conn);
}

void http2__body_ready(struct http_exchange *exchange)
{
    nghttp2_session_resume_data(exchange->conn->h2->session, exchange->h2->id);
}

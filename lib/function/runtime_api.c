/* runtime_api.c -- the requests of the Lambda Runtime API and what its answers mean.
 *
 * One kept connection; its requests go out in order: the answer of an invocation and the request for the next event leave in
 * one sendmsg, then the API's "accepted" is read, and later that event. A broken connection is opened anew, at most TRIES_MAX
 * times between two events; an answer of which the API had not said a word is sent once more (it refuses the second copy of
 * one that had arrived), a stream is not. What the API said before it closed is read even if our answer did not leave as a
 * whole: one that is too large is refused without being read, and that is final.
 * Events, errors and bounds: an event that does not fit leaves its headers, so that it can be answered with an error.
 * Sources: "Using the Lambda runtime API for custom runtimes", "Response streaming with custom runtimes". */
#include "runtime.h"
#include "cloudless/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BASE             "/2018-06-01/runtime/"
#define AGENT            "User-Agent: cloudless-c/" CLOUDLESS_VERSION "\r\n"
#define CONNECT_MS       5000
#define REFUSAL_MS       5000                /* the API's answer to what did not go out whole */
#define TRIES_MAX        3
#define STATUS_ENDING    410                 /* the API's way to say that the environment ends, as SIGTERM does */
#define API_BODY_MAX     65536               /* of the API's answers that are no events */
#define HEAD_MAX         1024                /* of a request of ours */
#define ERROR_BODY_MAX   16384
#define CONTENT_TYPE_MAX 256
#define TRACE_NAME       "_X_AMZN_TRACE_ID"
#define TIMEOUT_MAX_MS   900000             /* no function runs longer: the deadline when none is said */

/* ---- errors ---- */

void cl__error_vset(struct cl__error *error, const char *type, const char *format, va_list args)
{
    cl_str cut = cl__utf8_cut(cl_str_of(type && *type ? type : "Error"), sizeof error->type - 1);
    memcpy(error->type, cut.p, cut.n);
    error->type[cut.n] = 0;
    error->type_n = cut.n;
    int n = vsnprintf(error->text, sizeof error->text, format, args);
    size_t all = n < 0 ? 0 : (size_t)n < sizeof error->text ? (size_t)n : sizeof error->text - 1;
    error->text_n = cl__utf8_cut((cl_str){error->text, all}, all).n;
    error->text[error->text_n] = 0;
}

void cl__error_set(struct cl__error *error, const char *type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cl__error_vset(error, type, format, args);
    va_end(args);
}

/* {"errorType":…,"errorMessage":…}: six bytes for one at most, so it fits. */
static cl_str error_body(const struct cl__error *error, char to[ERROR_BODY_MAX])
{
    _Static_assert(6 * (CL__ERROR_TYPE_MAX + CL__ERROR_TEXT_MAX) + 64 < ERROR_BODY_MAX, "an error fits");
    cl_buf buf;
    cl__buf_fixed(&buf, to, ERROR_BODY_MAX);
    cl_buf_adds(&buf, "{\"errorType\":");
    cl__json_quote(&buf, (cl_str){error->type, error->type_n});
    cl_buf_adds(&buf, ",\"errorMessage\":");
    cl__json_quote(&buf, (cl_str){error->text, error->text_n});
    cl_buf_addc(&buf, '}');
    return cl_buf_str(&buf);
}

/* A type is text; a header takes only some of it. */
static void add_error_type(cl_buf *head, const struct cl__error *error)
{
    cl_buf_adds(head, "Lambda-Runtime-Function-Error-Type: ");
    for (size_t i = 0; i < error->type_n; i++)
        cl_buf_addc(head, error->type[i] > ' ' && error->type[i] < 0x7f ? error->type[i] : '_');
    cl_buf_adds(head, "\r\n");
}

/* ---- connection ---- */

cl_result cl__runtime_open(struct cl__runtime *r, const char *address, volatile sig_atomic_t *waiting_fd,
                           volatile sig_atomic_t *stop)
{
    const char *colon = strrchr(address, ':'), *from = address, *to = colon;
    memset(r, 0, offsetof(struct cl__runtime, http));
    r->fd = -1;
    r->waiting_fd = waiting_fd, r->stop = stop;
    r->http.ahead = 0;
    if (!colon || colon == address || strlen(colon + 1) >= sizeof r->port || !colon[1] || strlen(address) >= sizeof r->authority)
        return CL_INVALID;
    for (const char *p = address; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f)
            return CL_INVALID;
    if (*from == '[' && to[-1] == ']')
        from++, to--;
    if (to <= from || (size_t)(to - from) >= sizeof r->host)
        return CL_INVALID;
    memcpy(r->host, from, (size_t)(to - from));
    memcpy(r->port, colon + 1, strlen(colon + 1));
    memcpy(r->authority, address, strlen(address));
    return CL_OK;
}

void cl__runtime_close(struct cl__runtime *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    r->asked = false;
    r->http.ahead = 0;
}

static cl_result connect_api(struct cl__runtime *r)
{
    const char *why;
    return r->fd >= 0 ? CL_OK : cl__tcp_connect(r->host, r->port, cl__mono_ms() + CONNECT_MS, &r->fd, &why);
}

/* Writes all of it on the connection there is. */
static cl_result write_pieces(struct cl__runtime *r, const cl_str *pieces, size_t count)
{
    struct cl__transport transport = cl__tcp_transport(&r->fd);
    if (r->fd < 0)
        return CL_UNREACHABLE;
    return transport.write(transport.arg, pieces, count, CL__NO_DEADLINE) > 0 ? CL_OK : CL_UNREACHABLE;
}

/* The API's answer to an answer of ours, which was written to its end or not. Its text is not needed: for that no memory could
 * be missing. */
static cl_result read_accepted(struct cl__runtime *r, bool whole)
{
    struct cl__transport transport = cl__tcp_transport(&r->fd);
    if (r->fd < 0)
        return CL_UNREACHABLE;
    r->http.pipelined = r->asked;
    int64_t deadline = whole ? CL__NO_DEADLINE : cl__mono_ms() + REFUSAL_MS;
    cl_result result = cl__http_read(&transport, NULL, API_BODY_MAX, deadline, &r->http);
    if (result == CL_OK && r->http.status != 202)
        cl_log(CL_ERROR, "the Runtime API refused an answer with status %d", r->http.status);
    if (result != CL_OK || !r->http.keep || !whole)
        cl__runtime_close(r);
    return result;
}

/* ---- the next event ---- */

static cl_str next_request(const struct cl__runtime *r, char to[HEAD_MAX])
{
    cl_buf buf;
    cl__buf_fixed(&buf, to, HEAD_MAX);
    cl_buf_printf(&buf, "GET " BASE "invocation/next HTTP/1.1\r\nHost: %s\r\n" AGENT "\r\n", r->authority);
    return cl_buf_str(&buf);
}

/* It becomes part of a path. */
static bool request_id_ok(cl_str id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_' || c == '.'))
            return false;
    }
    return id.n > 0 && id.n <= CL__REQUEST_ID_MAX;
}

static int64_t deadline_in(cl_str text)
{
    int64_t value = 0;
    bool good = text.n > 0 && text.n <= 18;
    for (size_t i = 0; i < text.n && good; i++) {
        good = text.p[i] >= '0' && text.p[i] <= '9';
        value = value * 10 + (text.p[i] - '0');
    }
    return good ? value : cl_now_ms() + TIMEOUT_MAX_MS;
}

/* The C library's setenv would keep every value for good; this one string is changed where it lies. */
static void set_trace(struct cl__runtime *r, cl_str id)
{
    static const char prefix[] = TRACE_NAME "=";
    if (id.n == 0 || id.n >= sizeof r->trace - sizeof prefix) {
        unsetenv(TRACE_NAME);
        return;
    }
    memcpy(r->trace, prefix, sizeof prefix - 1);
    memcpy(r->trace + sizeof prefix - 1, id.p, id.n + 1);
    if (getenv(TRACE_NAME) != r->trace + sizeof prefix - 1)
        putenv(r->trace);
}

static bool fill_context(struct cl__runtime *r, cl_context *ctx)
{
    const struct cl__http_answer *a = &r->http;
    cl_str id = cl__http_header(a, "Lambda-Runtime-Aws-Request-Id");
    if (!request_id_ok(id))
        return false;
    memcpy(r->request_id, id.p, id.n + 1);
    ctx->request_id = (cl_str){r->request_id, id.n};
    ctx->function_arn = cl__http_header(a, "Lambda-Runtime-Invoked-Function-Arn");
    ctx->trace_id = cl__http_header(a, "Lambda-Runtime-Trace-Id");
    ctx->client_context = cl__http_header(a, "Lambda-Runtime-Client-Context");
    ctx->identity = cl__http_header(a, "Lambda-Runtime-Cognito-Identity");
    ctx->deadline_ms = deadline_in(cl__http_header(a, "Lambda-Runtime-Deadline-Ms"));
    set_trace(r, ctx->trace_id);
    return true;
}

/* Asks, unless that is done, and reads. CL_NO_MEMORY and CL_OK leave the event's headers. */
static cl_result ask(struct cl__runtime *r, cl_arena *arena)
{
    char head[HEAD_MAX];
    if (!r->asked) {
        cl_str request = next_request(r, head);
        cl_result result = connect_api(r);
        if (result == CL_OK)
            result = write_pieces(r, &request, 1);
        if (result != CL_OK) {
            cl__runtime_close(r);
            return result;
        }
    }
    struct cl__transport transport = cl__tcp_transport(&r->fd);
    r->asked = r->http.pipelined = false;
    *r->waiting_fd = r->fd;
    cl_result result = *r->stop ? CL_UNREACHABLE : cl__http_read(&transport, arena, CL__EVENT_MAX, CL__NO_DEADLINE, &r->http);
    *r->waiting_fd = -1;
    if (result != CL_OK || !r->http.keep)
        cl__runtime_close(r);
    return result;
}

enum cl__next cl__runtime_next(struct cl__runtime *r, cl_context *ctx, cl_str *ret_event)
{
    for (int tries = 0; tries < TRIES_MAX && !*r->stop; tries++) {
        cl_result result = ask(r, ctx->arena);
        if (*r->stop && result != CL_OK)
            break;
        if (result != CL_OK && result != CL_NO_MEMORY)
            continue;
        if (r->http.status == STATUS_ENDING)
            return CL__NEXT_STOP;
        if (r->http.status != 200 || !fill_context(r, ctx)) {
            cl_log(CL_FATAL, "the Runtime API gave no event: status %d", r->http.status);
            return CL__NEXT_GONE;
        }
        *ret_event = result == CL_OK ? r->http.body : (cl_str){"", 0};
        return result == CL_OK ? CL__NEXT_EVENT : CL__NEXT_TOO_LARGE;
    }
    if (*r->stop)
        return CL__NEXT_STOP;
    cl_log(CL_FATAL, "the Runtime API at %s is gone", r->authority);
    return CL__NEXT_GONE;
}

/* ---- answers ---- */

/* A POST and what the API says of it. */
static void post(struct cl__runtime *r, cl_str head, cl_str body, bool next)
{
    char next_head[HEAD_MAX];
    cl_str pieces[] = {head, body, next ? next_request(r, next_head) : (cl_str){"", 0}};
    for (int tries = 0; tries < 2 && connect_api(r) == CL_OK; tries++) {
        bool whole = write_pieces(r, pieces, CL__COUNT(pieces)) == CL_OK;
        r->asked = whole && next;
        if (read_accepted(r, whole) == CL_OK)
            return;
        if (r->http.began)
            break;
    }
    cl_log(CL_ERROR, "the Runtime API did not take an answer of %zu bytes", body.n);
}

static void begin_post(cl_buf *head, const struct cl__runtime *r, char bytes[HEAD_MAX], cl_str request_id, const char *what)
{
    cl__buf_fixed(head, bytes, HEAD_MAX);
    cl_buf_printf(head, "POST " BASE "invocation/" CL_FMT "/%s HTTP/1.1\r\nHost: %s\r\n" AGENT, CL_ARG(request_id), what,
                  r->authority);
}

void cl__runtime_send_response(struct cl__runtime *r, cl_str request_id, cl_str body, bool next)
{
    char bytes[HEAD_MAX];
    cl_buf head;
    begin_post(&head, r, bytes, request_id, "response");
    cl_buf_printf(&head, "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n", body.n);
    post(r, cl_buf_str(&head), body, next);
}

static void finish_error(struct cl__runtime *r, cl_buf *head, const struct cl__error *error, bool next)
{
    char bytes[ERROR_BODY_MAX];
    cl_str body = error_body(error, bytes);
    add_error_type(head, error);
    cl_buf_printf(head, "Content-Type: application/vnd.aws.lambda.error+json\r\nContent-Length: %zu\r\n\r\n", body.n);
    post(r, cl_buf_str(head), body, next);
}

void cl__runtime_send_error(struct cl__runtime *r, cl_str request_id, const struct cl__error *error, bool next)
{
    char bytes[HEAD_MAX];
    cl_buf head;
    begin_post(&head, r, bytes, request_id, "error");
    finish_error(r, &head, error, next);
}

void cl__runtime_init_error(struct cl__runtime *r, const struct cl__error *error)
{
    char bytes[HEAD_MAX];
    cl_buf head;
    cl__buf_fixed(&head, bytes, sizeof bytes);
    cl_buf_printf(&head, "POST " BASE "init/error HTTP/1.1\r\nHost: %s\r\n" AGENT, r->authority);
    finish_error(r, &head, error, false);
}

/* ---- streams: chunks of RFC 9112, section 7.1 ---- */

static cl_result write_stream(struct cl__runtime *r, const cl_str *pieces, size_t count)
{
    cl_result result = write_pieces(r, pieces, count);
    if (result != CL_OK)
        read_accepted(r, false);
    return result;
}

cl_result cl__runtime_stream_begin(struct cl__runtime *r, cl_str request_id, const char *content_type)
{
    char bytes[HEAD_MAX];
    cl_buf head;
    const char *type = content_type ? content_type : "application/octet-stream";
    for (const char *p = type; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f || p - type >= CONTENT_TYPE_MAX)
            return CL_INVALID;
    begin_post(&head, r, bytes, request_id, "response");
    cl_buf_printf(&head,
                  "Content-Type: %s\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
                  "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n",
                  type);
    cl_str piece = cl_buf_str(&head);
    char byte;
    if (r->fd >= 0 && recv(r->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
        cl__runtime_close(r);                                   /* closed meanwhile: a stream cannot be sent twice */
    return connect_api(r) == CL_OK ? write_stream(r, &piece, 1) : CL_UNREACHABLE;
}

cl_result cl__runtime_stream_write(struct cl__runtime *r, cl_str bytes)
{
    char size[24];
    int n = snprintf(size, sizeof size, "%zx\r\n", bytes.n);
    cl_str pieces[] = {{size, (size_t)n}, bytes, {"\r\n", 2}};
    return bytes.n ? write_stream(r, pieces, CL__COUNT(pieces)) : r->fd < 0 ? CL_UNREACHABLE : CL_OK;
}

void cl__runtime_stream_end(struct cl__runtime *r, const struct cl__error *error, cl_arena *arena, bool next)
{
    char bytes[HEAD_MAX], body[ERROR_BODY_MAX], next_head[HEAD_MAX];
    cl_buf head;
    cl_str encoded = {"", 0};
    cl__buf_fixed(&head, bytes, sizeof bytes);
    cl_buf_adds(&head, "0\r\n");
    if (error) {
        encoded = cl_base64(arena, error_body(error, body), false);
        add_error_type(&head, error);
        if (encoded.n)
            cl_buf_adds(&head, "Lambda-Runtime-Function-Error-Body: ");
    }
    cl_str pieces[] = {cl_buf_str(&head), encoded, {"\r\n\r\n", encoded.n ? 4 : 0}, {"\r\n", encoded.n ? 0 : 2},
                       next ? next_request(r, next_head) : (cl_str){"", 0}};
    if (write_stream(r, pieces, CL__COUNT(pieces)) != CL_OK)
        return;
    r->asked = next;
    read_accepted(r, true);
}

/* response.c -- answers of a route handler, in the shape of the event's format.
 *
 * 1.0: names with one value in headers, with several (and cookies) in multiValueHeaders. 2.0: several values are joined by
 * commas, cookies stand in a list. Set-Cookie given as a header is a cookie in both.
 * A header that cannot be sent spoils the answer, not the connection: it becomes 500 and the log names the header. What Lambda
 * would not take for its size is a function error by the name that Lambda has for it.
 * Sources: "Output format of a Lambda function for proxy integration", "Working with AWS Lambda proxy integrations for HTTP
 * APIs"; tokens of RFC 9110, section 5.6.2. */
#include "response.h"
#include "cloudless/log.h"
#include <stdio.h>

#define CONTENT_TYPE "Content-Type"

void cl__response_init(cl_response *response, cl_arena *arena, int version)
{
    memset(response, 0, offsetof(cl_response, error));
    response->arena = arena;
    response->version = version, response->status = 200;
    response->body = (cl_str){"", 0};
}

/* ---- headers ---- */

static bool name_ok(cl_str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (!c || !strchr("!#$%&'*+-.^_`|~", c)))
            return false;
    }
    return name.n > 0;
}

static bool value_ok(cl_str value)
{
    for (size_t i = 0; i < value.n; i++)
        if (((unsigned char)value.p[i] < ' ' && value.p[i] != '\t') || value.p[i] == 0x7f)
            return false;
    return true;
}

static void add(cl_response *response, struct cl__header **list, const char *name, cl_str value)
{
    cl_str known = cl_str_of(name);
    if (!name_ok(known) || !value_ok(value)) {
        response->refused = name ? name : "";
        return;
    }
    struct cl__header *header = cl_alloc(response->arena, sizeof *header);
    if (!header)
        return;                                     /* the arena says so */
    header->name = known, header->value = value;
    while (*list)
        list = &(*list)->next;
    *list = header;
}

static bool is_cookie(const char *name)
{
    static const cl_str set_cookie = CL_STR_LIT("Set-Cookie");
    return cl__ieq(cl_str_of(name), set_cookie);
}

void cl_add_header(cl_response *response, const char *name, cl_str value)
{
    add(response, is_cookie(name) ? &response->cookies : &response->headers, name, value);
}

void cl_set_header(cl_response *response, const char *name, cl_str value)
{
    struct cl__header **link = is_cookie(name) ? &response->cookies : &response->headers;
    cl_str wanted = cl_str_of(name);
    while (*link)
        if (cl__ieq((*link)->name, wanted))
            *link = (*link)->next;
        else
            link = &(*link)->next;
    cl_add_header(response, name, value);
}

void cl_set_cookie(cl_response *response, const char *cookie)
{
    add(response, &response->cookies, "Set-Cookie", cl_str_of(cookie));
}

bool cl__response_has(const cl_response *response, const char *name)
{
    cl_str wanted = cl_str_of(name);
    for (const struct cl__header *h = response->headers; h; h = h->next)
        if (cl__ieq(h->name, wanted))
            return true;
    return false;
}

/* ---- status and body ---- */

void cl_status(cl_response *response, int status)
{
    response->status = status;
    response->said = true;
}

static void set_body(cl_response *response, const char *content_type, cl_str body, bool base64)
{
    cl_set_header(response, CONTENT_TYPE, cl_str_of(content_type));
    response->body = body;
    response->base64 = base64;
    response->too_large = false;
    response->said = true;
}

void cl_body_json(cl_response *response, const cl_json *json)
{
    cl_buf buf;
    cl_buf_init(&buf, response->arena, CL__ANSWER_MAX);
    cl_json_write(&buf, json);
    set_body(response, "application/json", cl_buf_str(&buf), false);
    response->too_large = buf.failed;
}

void cl_body_text(cl_response *response, const char *content_type, cl_str text)
{
    set_body(response, content_type ? content_type : "text/plain; charset=utf-8", text, false);
}

void cl_body_bytes(cl_response *response, const char *content_type, cl_str bytes)
{
    set_body(response, content_type ? content_type : "application/octet-stream", cl_base64(response->arena, bytes, false), true);
}

static void fail_with(cl_response *response, int status, cl_str text)
{
    cl_json *object = cl_json_object(response->arena);
    cl_json_set(object, "error", cl_json_string(response->arena, text));
    cl_status(response, status);
    cl_body_json(response, object);
}

void cl_fail(cl_response *response, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cl_str text = cl_vprintf(response->arena, format, args);
    va_end(args);
    fail_with(response, status, text);
}

void cl_crash(cl_response *response, const char *type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cl__error_vset(&response->error, type, format, args);
    va_end(args);
    response->crashed = response->said = true;
}

/* ---- the answer ---- */

static bool is_first(const struct cl__header *list, const struct cl__header *one)
{
    while (list != one && !cl__ieq(list->name, one->name))
        list = list->next;
    return list == one;
}

static const struct cl__header *next_value(const struct cl__header *one)
{
    const struct cl__header *next = one->next;
    while (next && !cl__ieq(next->name, one->name))
        next = next->next;
    return next;
}

/* ["a","b"] of all values of that name. */
static void write_list(cl_buf *buf, const struct cl__header *one)
{
    cl_buf_addc(buf, '[');
    for (const struct cl__header *h = one; h; h = next_value(h)) {
        if (h != one)
            cl_buf_addc(buf, ',');
        cl__json_quote(buf, h->value);
    }
    cl_buf_addc(buf, ']');
}

static void write_name(cl_buf *buf, const struct cl__header *h, bool *begun)
{
    if (*begun)
        cl_buf_addc(buf, ',');
    *begun = true;
    cl__json_quote(buf, h->name);
    cl_buf_addc(buf, ':');
}

/* All values of a name in one, with commas between. */
static void write_joined(cl_buf *to, cl_arena *arena, const struct cl__header *one)
{
    cl_buf buf;
    cl_buf_init(&buf, arena, CL__ANSWER_MAX);
    for (const struct cl__header *h = one; h; h = next_value(h)) {
        if (h != one)
            cl_buf_adds(&buf, ", ");
        cl_buf_add(&buf, h->value);
    }
    cl__json_quote(to, cl_buf_str(&buf));
    to->failed = to->failed || buf.failed;
}

static void write_headers(cl_buf *buf, const cl_response *response)
{
    bool begun = false, lists = response->version == 1;
    cl_buf_adds(buf, ",\"headers\":{");
    for (const struct cl__header *h = response->headers; h; h = h->next) {
        if (!is_first(response->headers, h) || (lists && next_value(h)))
            continue;
        write_name(buf, h, &begun);
        if (next_value(h))
            write_joined(buf, response->arena, h);
        else
            cl__json_quote(buf, h->value);
    }
    cl_buf_addc(buf, '}');
}

static void write_lists(cl_buf *buf, const cl_response *response)
{
    bool begun = false;
    cl_buf_adds(buf, ",\"multiValueHeaders\":{");
    for (const struct cl__header *h = response->headers; h; h = h->next)
        if (is_first(response->headers, h) && next_value(h)) {
            write_name(buf, h, &begun);
            write_list(buf, h);
        }
    if (response->cookies) {
        write_name(buf, response->cookies, &begun);
        write_list(buf, response->cookies);
    }
    cl_buf_addc(buf, '}');
}

/* What may not be sent becomes 500; what the arena lost is the runtime's to tell. */
void cl__response_check(cl_response *response)
{
    bool bad_status = response->status < 100 || response->status > 599;
    if (!bad_status && !response->refused)
        return;
    if (response->refused)
        cl_log(CL_ERROR, "the answer's header \"%.100s\" cannot be sent: control characters, or no name", response->refused);
    else
        cl_log(CL_ERROR, "the answer's status %d is none", response->status);
    response->headers = response->cookies = NULL;
    response->refused = NULL;
    fail_with(response, 500, cl_str_of("internal error"));
}

void cl__response_finish(cl_response *response, cl_answer *answer)
{
    cl_buf buf;
    if (response->crashed) {
        cl_answer_error(answer, response->error.type, "%.*s", (int)response->error.text_n, response->error.text);
        return;
    }
    cl__response_check(response);
    cl_buf_init(&buf, response->arena, CL__ANSWER_MAX);
    cl_buf_printf(&buf, "{\"statusCode\":%d", response->status);
    write_headers(&buf, response);
    if (response->version == 1)
        write_lists(&buf, response);
    else if (response->cookies) {
        cl_buf_adds(&buf, ",\"cookies\":");
        write_list(&buf, response->cookies);
    }
    cl_buf_adds(&buf, ",\"body\":");
    cl__json_quote(&buf, response->without_body ? (cl_str){"", 0} : response->body);
    cl_buf_adds(&buf, response->base64 && !response->without_body ? ",\"isBase64Encoded\":true}" : ",\"isBase64Encoded\":false}");
    if ((buf.failed || response->too_large) && !cl_arena_failed(response->arena))
        cl__answer_too_large(answer);
    else
        cl_answer_text(answer, cl_buf_str(&buf));
}

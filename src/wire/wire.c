/* wire.c -- what all protocols share when they answer: headers, output trees as JSON.
 */
#include "wire/wire.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include <math.h>
#include <stdlib.h>

#define ANSWER_BYTES_FIRST 1500     /* reserved at once: an item of 1 KB and what stands around it */

const struct wire_protocol *wire_protocol_of(const struct service_api *api, const struct http_request *request)
{
    (void)request;
    static const struct wire_protocol *const protocols[] = {
        [MODEL_JSON] = &wire_json, [MODEL_REST_JSON] = &wire_rest_json, [MODEL_QUERY] = &wire_query};
    return protocols[api->model->protocol];
}

/* ---- trees to text ---- */

struct str wire_time_text(struct arena *arena, const struct json *seconds, enum model_time time)
{
    double value = json_double(seconds, 0);
    int64_t epoch_ms = fabs(value) < 9e15 ? llround(value * 1000) : 0;
    switch (time) {
    case MODEL_TIME_ISO8601: return clock_iso8601(arena, epoch_ms);
    case MODEL_TIME_RFC822: return clock_http(arena, epoch_ms);
    case MODEL_TIME_DEFAULT:
    case MODEL_TIME_EPOCH: return seconds->text;
    }
    UNREACHABLE();
}

static void write_members(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    bool comma = false;
    buf_add_char(buf, '{');
    for JSON_EACH (child, tree) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        if (member && member->location != MODEL_IN_BODY) continue;
        if (comma) buf_add_char(buf, ',');
        comma = true;
        json_write_str(buf, member ? model_member_wire(m, member) : child->key);
        buf_add_char(buf, ':');
        if (member) wire_json_write(buf, m, &m->shapes[member->shape], child);
        else json_write(buf, child);
    }
    buf_add_char(buf, '}');
}

static void write_elements(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    bool map = shape->type == MODEL_MAP;
    const struct model_shape *element = &m->shapes[model_element(m, shape, map)->shape];
    buf_add_char(buf, map ? '{' : '[');
    for JSON_EACH (child, tree) {
        if (child != tree->first) buf_add_char(buf, ',');
        if (map) {
            json_write_str(buf, child->key);
            buf_add_char(buf, ':');
        }
        wire_json_write(buf, m, element, child);
    }
    buf_add_char(buf, map ? '}' : ']');
}

void wire_json_write(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    if (tree->type == JSON_OBJECT && shape->type == MODEL_STRUCTURE) write_members(buf, m, shape, tree);
    else if (tree->type == (shape->type == MODEL_MAP ? JSON_OBJECT : JSON_ARRAY) &&
             (shape->type == MODEL_MAP || shape->type == MODEL_LIST))
        write_elements(buf, m, shape, tree);
    else if (tree->type == JSON_NUMBER && shape->time == MODEL_TIME_ISO8601 && shape->type == MODEL_TIMESTAMP)
        json_write_str(buf, wire_time_text(buf->arena, tree, MODEL_TIME_ISO8601));
    else json_write(buf, tree);
}

/* ---- answers ---- */

void wire_write_unknown(struct buf *body)
{
    buf_lit(body, "<UnknownOperationException/>\n");
}

static int success_status(const struct call *call)
{
    return call->status ? call->status : call->operation->status;
}

void wire_header(struct call *call, struct http_response *response, const char *name, struct str value)
{
    enum { STEP = 8 };      /* the array grows whenever its count is a multiple of this */
    if (response->header_count % STEP == 0) {
        struct http_header *grown = arena_array(call->arena, struct http_header, response->header_count + STEP);
        if (response->header_count) memcpy(grown, response->headers, response->header_count * sizeof *grown);
        response->headers = grown;
    }
    response->headers[response->header_count++] = (struct http_header){str_of(name), value};
}

void wire_answer(struct call *call, struct http_response *ret)
{
    const struct wire_protocol *protocol = wire_exchange(call)->protocol;
    struct buf body;
    buf_init(&body, call->arena, WIRE_ANSWER_BYTES_MAX);
    buf_reserve(&body, ANSWER_BYTES_FIRST);
    *ret = (struct http_response){.status = call->failed ? call->error_status : success_status(call)};
    wire_header(call, ret, "x-amzn-RequestId", call->request_id);
    if (call->failed) protocol->write_error(call, &body, ret);
    else protocol->write(call, &body, ret);
    if (body.failed) {      /* nothing that a client may ask for is so large: a handler forgot its page size */
        call_fail_err(call, ERR_TOO_LARGE);
        wire_answer(call, ret);
        return;
    }
    if (!ret->body.n) ret->body = buf_str(&body);
    if (ret->status == 503) wire_header(call, ret, "Retry-After", STR("1"));
    if (call->api->errors->crc32) {
        struct buf crc;
        buf_init(&crc, call->arena, 16);
        buf_add_u64(&crc, crc32_of(ret->body));
        wire_header(call, ret, "x-amz-crc32", buf_str(&crc));
    }
    for (size_t i = 0; i < call->header_count; i++)
        wire_header(call, ret, call->headers[i].name.p, call->headers[i].value);
}

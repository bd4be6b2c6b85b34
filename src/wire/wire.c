/* wire.c -- which protocol a request speaks, and what all of them share when they answer: headers, output trees as JSON. */
#include "wire/wire.h"
#include "wire/event_output.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include <math.h>
#include <stdlib.h>

#define ANSWER_BYTES_FIRST 1500     /* reserved at once: an item of 1 KB and what stands around it */

/* ---- which protocol ---- */

static const struct wire_protocol *const protocols[MODEL_PROTOCOL_COUNT] = {
    [MODEL_JSON] = &wire_json,         [MODEL_REST_JSON] = &wire_rest_json, [MODEL_QUERY] = &wire_query,
    [MODEL_REST_XML] = &wire_rest_xml, [MODEL_CBOR] = &wire_cbor,
};

struct str wire_media_type(const struct http_request *request)
{
    struct str type = http_header(request, "content-type");
    return str_trim(str_slice(type, 0, str_find(type, ';')));
}

static bool is_cbor_request(const struct http_request *request)
{
    return http_header(request, "smithy-protocol").n > 0;
}

static bool is_json_request(const struct http_request *request)
{
    return http_header(request, "x-amz-target").n > 0;
}

static bool is_query_request(const struct http_request *request)
{
    return str_eq_nocase(wire_media_type(request), STR("application/x-www-form-urlencoded")) ||
           str_starts(request->query, STR("Action="));
}

static const struct wire_protocol *spoken_protocol(const struct model *m, const struct http_request *request)
{
    static const struct {
        enum model_protocol protocol;
        bool (*speaks)(const struct http_request *request);
    } signs[] = {{MODEL_CBOR, is_cbor_request}, {MODEL_JSON, is_json_request}, {MODEL_QUERY, is_query_request}};
    for (size_t i = 0; i < COUNT_OF(signs); i++) {
        if (m->protocols >> signs[i].protocol & 1 && signs[i].speaks(request))
            return protocols[signs[i].protocol];
    }
    return protocols[m->protocol];
}

const struct wire_protocol *wire_protocol_of(const struct service_api *api, const struct http_request *request)
{
    const struct model *m = api->model;
    bool one = (m->protocols & (m->protocols - 1)) == 0;
    return one ? protocols[m->protocol] : spoken_protocol(m, request);
}

bool wire_owns(const struct model *m, const struct http_request *request)
{
    for (size_t i = 0; i < MODEL_PROTOCOL_COUNT; i++) {
        if (m->protocols >> i & 1 && protocols[i] && protocols[i]->owns(m, request))
            return true;
    }
    return false;
}

/* ---- trees to text ---- */

struct str wire_time_text(struct arena *arena, const struct json *seconds, enum model_time time)
{
    double value = json_double(seconds, 0);
    int64_t epoch_ms = fabs(value) < 9e15 ? llround(value * 1000) : 0;
    switch (time) {
    case MODEL_TIME_ISO8601:
        return epoch_ms % 1000 ? clock_iso8601_ms(arena, epoch_ms) : clock_iso8601(arena, epoch_ms);
    case MODEL_TIME_RFC822:
        return clock_http(arena, epoch_ms);
    case MODEL_TIME_DEFAULT:
    case MODEL_TIME_EPOCH:
        return seconds->text;
    }
    UNREACHABLE();
}

static void write_json_value(struct buf *buf, const struct model *m, const struct model_member *member,
                             const struct model_shape *shape, const struct json *tree);

static void write_members(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    bool comma = false;
    buf_add_char(buf, '{');
    for JSON_EACH (child, tree) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        if (member && member->location != MODEL_IN_BODY)
            continue;
        if (comma)
            buf_add_char(buf, ',');
        comma = true;
        json_write_str(buf, member ? model_member_wire(m, member) : child->key);
        buf_add_char(buf, ':');
        if (member)
            write_json_value(buf, m, member, &m->shapes[member->shape], child);
        else
            json_write(buf, child);
    }
    buf_add_char(buf, '}');
}

static void write_elements(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    bool map = shape->type == MODEL_MAP;
    const struct model_member *element = model_element(m, shape, map);
    buf_add_char(buf, map ? '{' : '[');
    for JSON_EACH (child, tree) {
        if (child != tree->first)
            buf_add_char(buf, ',');
        if (map) {
            json_write_str(buf, child->key);
            buf_add_char(buf, ':');
        }
        write_json_value(buf, m, element, &m->shapes[element->shape], child);
    }
    buf_add_char(buf, map ? '}' : ']');
}

/* `member` is where the value stands, or NULL: it may give a time another form than its shape. */
static void write_json_value(struct buf *buf, const struct model *m, const struct model_member *member,
                             const struct model_shape *shape, const struct json *tree)
{
    enum model_time time = member && member->time ? member->time : shape->time;
    bool object = tree->type == JSON_OBJECT, array = tree->type == JSON_ARRAY;
    if (object && shape->type == MODEL_STRUCTURE && !(shape->flags & MODEL_SHAPE_DOCUMENT))
        write_members(buf, m, shape, tree);
    else if ((object && shape->type == MODEL_MAP) || (array && shape->type == MODEL_LIST))
        write_elements(buf, m, shape, tree);
    else if (tree->type == JSON_NUMBER && shape->type == MODEL_TIMESTAMP &&
             (time == MODEL_TIME_ISO8601 || time == MODEL_TIME_RFC822))
        json_write_str(buf, wire_time_text(buf->arena, tree, time));
    else
        json_write(buf, tree);
}

void wire_json_write(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    write_json_value(buf, m, NULL, shape, tree);
}

/* ---- answers ---- */

void wire_write_unknown(struct buf *body)
{
    buf_lit(body, "<UnknownOperationException/>\n");
}

struct str wire_type_prefix(const struct call *call)
{
    const struct service_errors *errors = call->api->errors;
    if (call_error_shape(call))
        return str_of(errors->model_prefix);
    bool validation = strcmp(call->error_code, errors->faults[FAULT_VALIDATION].code) == 0;
    return str_of(validation ? errors->validate_prefix : errors->coral_prefix);
}

void wire_query_error(struct call *call, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = call_error_shape(call);
    if (!m->query_compatible)
        return;
    const char *code = shape && shape->error_code ? model_text(m, shape->error_code) : call->error_code;
    const char *side = call->error_status < 500 ? "Sender" : "Receiver";
    wire_header(call, response, "x-amzn-query-error", arena_printf(call->arena, "%s;%s", code, side));
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
        if (response->header_count)
            memcpy(grown, response->headers, response->header_count * sizeof *grown);
        response->headers = grown;
    }
    response->headers[response->header_count++] = (struct http_header){str_of(name), value};
}

void wire_fail_parse(struct call *call, enum err err)
{
    if (err == ERR_BUSY)
        call_fail_err(call, err);
    else
        call_fault(call, err == ERR_TOO_LARGE ? FAULT_TOO_LARGE : FAULT_SERIALIZATION, STR_NONE);
}

bool wire_may_grow(struct call *call)
{
    enum err err = arena_over_next(call->arena, &wire_exchange(call)->nodes);
    if (err != ERR_OK)
        wire_fail_parse(call, err);
    return err == ERR_OK;
}

void wire_answer(struct call *call, struct http_response *ret)
{
    const struct wire_protocol *protocol = wire_exchange(call)->protocol;
    struct buf body;
    buf_init(&body, call->arena, WIRE_ANSWER_BYTES_MAX);
    buf_reserve(&body, ANSWER_BYTES_FIRST);
    *ret = (struct http_response){.status = call->failed ? call->error_status : success_status(call)};
    wire_header(call, ret, "x-amzn-RequestId", call->request_id);
    if (call->failed)
        protocol->write_error(call, &body, ret);
    else if (events_answer(call))
        events_write_head(call, &body, ret);
    else
        protocol->write(call, &body, ret);
    if (body.failed) { /* over the budget; else a handler forgot its page size, as nothing that a client may ask for is so large */
        call_forget_answer(call);
        call_fail_err(call, ERR_TOO_LARGE);
        wire_answer(call, ret);
        return;
    }
    if (!ret->body.n)
        ret->body = buf_str(&body);
    if (ret->status == 503)
        wire_header(call, ret, "Retry-After", STR("1"));
    if (call->api->errors->crc32) {
        struct buf crc;
        buf_init(&crc, call->arena, 16);
        buf_add_u64(&crc, crc32_of(ret->body));
        wire_header(call, ret, "x-amz-crc32", buf_str(&crc));
    }
    for (size_t i = 0; i < call->header_count; i++)
        wire_header(call, ret, call->headers[i].name.p, call->headers[i].value);
}

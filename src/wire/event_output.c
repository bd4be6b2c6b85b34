/* event_output.c -- an event becomes a message:
 *
 *   :message-type event      :event-type MEMBER       members with a header's place, typed      payload: the rest
 *   :message-type exception  :exception-type MEMBER   an error of the union                     payload: the structure
 *   :message-type error      :error-code, :error-message                                        any other failure
 *
 * A member that is the payload goes as it is, if it is a blob or text. In json and cbor what stands beside the stream in the output
 * comes as a message of its own, initial-response, before all others. */
#include "wire/event_output.h"
#include "base/codec.h"
#include "wire/eventstream.h"
#include "wire/rest.h"
#include <math.h>

#define EVENT_HEADERS_MAX 32

struct event_message {
    struct call *call;
    const struct model *m;
    struct eventstream_header headers[EVENT_HEADERS_MAX];
    size_t count;
    struct str payload;
    bool failed;        /* something of it has no room or no form: it is not sent */
};

static void add_event_header(struct event_message *e, struct str name, struct eventstream_header value)
{
    if (e->count == EVENT_HEADERS_MAX) {
        e->failed = true;
        return;
    }
    value.name = name;
    e->headers[e->count++] = value;
}

static void add_event_text(struct event_message *e, const char *name, struct str text)
{
    add_event_header(e, str_of(name), (struct eventstream_header){.type = EVENTSTREAM_STRING, .text = text});
}

static struct str event_bytes(struct event_message *e, struct str base64)
{
    struct str bytes = STR_NONE;
    e->failed |= base64_decode(base64, e->call->arena, &bytes) != ERR_OK;
    return bytes;
}

static struct eventstream_header typed_header(struct event_message *e, const struct model_shape *shape, const struct json *node)
{
    int64_t integer = 0;
    json_is_integer(node, &integer);
    switch ((enum model_type)shape->type) {
    case MODEL_BOOLEAN:
        return (struct eventstream_header){.type = node->type == JSON_TRUE ? EVENTSTREAM_TRUE : EVENTSTREAM_FALSE};
    case MODEL_INTEGER:
        return (struct eventstream_header){.type = EVENTSTREAM_INT, .number = integer};
    case MODEL_LONG:
        return (struct eventstream_header){.type = EVENTSTREAM_LONG, .number = integer};
    case MODEL_TIMESTAMP:
        return (struct eventstream_header){.type = EVENTSTREAM_TIMESTAMP, .number = llround(json_double(node, 0) * 1000)};
    case MODEL_BLOB:
        return (struct eventstream_header){.type = EVENTSTREAM_BYTES, .text = event_bytes(e, node->text)};
    default:
        return (struct eventstream_header){.type = EVENTSTREAM_STRING, .text = node->text};
    }
}

/* A structure in the protocol's format. */
static void add_structure(struct event_message *e, const struct model_shape *shape, const struct json *tree)
{
    const struct wire_protocol *protocol = wire_exchange(e->call)->protocol;
    struct buf body;
    buf_init(&body, e->call->arena, EVENTSTREAM_MESSAGE_MAX);
    protocol->write_tree(e->call, &body, shape, tree);
    add_event_text(e, ":content-type", protocol->tree_type(e->call));
    e->payload = buf_str(&body);
    e->failed |= body.failed;
}

static bool is_payload_member(const struct model_member *member)
{
    return member->flags & MODEL_MEMBER_EVENT_PAYLOAD;
}

static void add_payload_member(struct event_message *e, const struct model_shape *shape, const struct json *node)
{
    if (shape->type == MODEL_BLOB || shape->type == MODEL_STRING) {
        bool blob = shape->type == MODEL_BLOB;
        add_event_text(e, ":content-type", blob ? STR("application/octet-stream") : STR("text/plain"));
        e->payload = blob ? event_bytes(e, node->text) : node->text;
    } else {
        add_structure(e, shape, node);
    }
}

/* Headers, the payload, or what is neither as a structure of its own. */
static void add_members(struct event_message *e, const struct model_shape *shape, const struct json *tree)
{
    struct json *rest = json_new(e->call->arena, JSON_OBJECT);
    bool whole = true;
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &e->m->members[shape->members + i];
        const struct model_shape *of = &e->m->shapes[member->shape];
        const struct json *node = json_get(tree, model_member_name(e->m, member));
        whole = whole && !is_payload_member(member);
        if (!node || node->type == JSON_NULL)
            continue;
        if (member->flags & MODEL_MEMBER_EVENT_HEADER)
            add_event_header(e, model_member_wire(e->m, member), typed_header(e, of, node));
        else if (is_payload_member(member))
            add_payload_member(e, of, node);
        else
            json_add_key(rest, model_member_name(e->m, member), json_clone(e->call->arena, node));
    }
    if (whole)
        add_structure(e, shape, rest);
}

/* The union of the output's events. */
static const struct model_shape *stream_of(const struct model *m, const struct model_shape *output, struct str *ret_name)
{
    for (size_t i = 0; i < output->member_count; i++) {
        const struct model_member *member = &m->members[output->members + i];
        const struct model_shape *shape = &m->shapes[member->shape];
        *ret_name = model_member_name(m, member);
        if (shape->flags & MODEL_SHAPE_EVENTSTREAM)
            return shape;
    }
    return NULL;
}

static bool send_message(struct event_message *e, struct buf *buf)
{
    return !e->failed && eventstream_write(buf, e->headers, e->count, e->payload);
}

/* What stands beside the stream in the output. */
static bool write_initial(struct call *call, struct buf *buf)
{
    struct event_message e = {.call = call, .m = call->api->model};
    const struct model_shape *output = model_output(e.m, call->operation);
    struct json *rest = json_new(call->arena, JSON_OBJECT);
    struct str stream;
    stream_of(e.m, output, &stream);
    for JSON_EACH (child, call->output)
        if (!str_eq(child->key, stream))
            json_add_key(rest, child->key, json_clone(call->arena, child));
    add_event_text(&e, ":message-type", STR("event"));
    add_event_text(&e, ":event-type", STR("initial-response"));
    add_structure(&e, output, rest);
    return send_message(&e, buf);
}

static bool has_initial(const struct call *call)
{
    const struct wire_protocol *protocol = wire_exchange(call)->protocol;
    return protocol != &wire_rest_json && protocol != &wire_rest_xml;
}

void events_write_head(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model_shape *output = model_output(call->api->model, call->operation);
    wire_header(call, response, "Content-Type", STR("application/vnd.amazon.eventstream"));
    if (wire_exchange(call)->protocol == &wire_cbor)
        wire_header(call, response, "Smithy-Protocol", STR("rpc-v2-cbor"));
    if (has_initial(call))
        write_initial(call, body);
    else
        rest_write_located(call, output, call->output, response);
}

static bool write_failure(struct call *call, const struct model_shape *stream, struct buf *buf)
{
    struct event_message e = {.call = call, .m = call->api->model};
    const struct model_shape *error = call_error_shape(call);
    for (size_t i = 0; error && i < stream->member_count; i++) {
        const struct model_member *member = &e.m->members[stream->members + i];
        if (&e.m->shapes[member->shape] != error)
            continue;
        struct json *tree = call->error_fields ? json_clone(call->arena, call->error_fields) : json_new(call->arena, JSON_OBJECT);
        const struct model_member *message = model_member_find_wire(e.m, error, call_error_message_member(call));
        if (message)
            json_put(tree, model_member_name(e.m, message), json_new_str(call->arena, call->error_message));
        add_event_text(&e, ":message-type", STR("exception"));
        add_event_text(&e, ":exception-type", model_member_wire(e.m, member));
        add_structure(&e, error, tree);
        return send_message(&e, buf);
    }
    add_event_text(&e, ":message-type", STR("error"));
    add_event_text(&e, ":error-code", str_of(call->error_code));
    add_event_text(&e, ":error-message", call->error_message);
    return send_message(&e, buf);
}

static bool write_event(struct call *call, const struct model_shape *stream, const struct json *event, struct buf *buf)
{
    struct event_message e = {.call = call, .m = call->api->model};
    const struct json *node = event->first;
    const struct model_member *member = node ? model_member_find(e.m, stream, node->key) : NULL;
    if (!member || event->count != 1)
        return false;
    bool exception = e.m->shapes[member->shape].flags & MODEL_SHAPE_ERROR;
    add_event_text(&e, ":message-type", exception ? STR("exception") : STR("event"));
    add_event_text(&e, exception ? ":exception-type" : ":event-type", model_member_wire(e.m, member));
    add_members(&e, &e.m->shapes[member->shape], node);
    return send_message(&e, buf);
}

bool events_write(struct call *call, const struct json *event, struct buf *buf)
{
    const struct model *m = call->api->model;
    struct str name;
    const struct model_shape *stream = events_answer(call) ? stream_of(m, model_output(m, call->operation), &name) : NULL;
    size_t before = buf->n;
    bool first = !wire_exchange(call)->begun;
    if (!stream || (first && has_initial(call) && !write_initial(call, buf)))
        return false;
    bool whole = event ? write_event(call, stream, event, buf) : write_failure(call, stream, buf);
    if (!whole)
        buf->n = before;
    else
        wire_exchange(call)->begun = true;
    return whole;
}

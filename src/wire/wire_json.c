/* wire_json.c -- the protocols json 1.0 and 1.1: X-Amz-Target names the operation, body and answer are its structures.
 * Source: "AWS JSON 1.0 protocol" of Smithy; error bodies as DynamoDB and CloudWatch Logs write them. */
#include "wire/wire.h"

/* application/x-amz-json-1.x of the service's own version, or application/json. */
static bool is_json(const struct model *m, struct str type)
{
    struct str amz = STR("application/x-amz-json-");
    if (str_eq_nocase(type, STR("application/json")))
        return true;
    return type.n > amz.n && str_eq_nocase(str_slice(type, 0, amz.n), amz) &&
           str_eq(str_slice(type, amz.n, type.n), str_of(m->json_version));
}

/* The target's operation; STR_NONE: it is not of this service. */
static struct str target_operation(const struct model *m, struct str target)
{
    struct str prefix = str_of(m->target_prefix);
    bool own = prefix.n && str_starts(target, prefix) && target.n > prefix.n && target.p[prefix.n] == '.';
    return own ? str_slice(target, prefix.n + 1, target.n) : STR_NONE;
}

static bool json_owns(const struct model *m, const struct http_request *request)
{
    return target_operation(m, http_header(request, "x-amz-target")).p != NULL;
}

/* Anything but a POST of JSON is no operation at all: 404. An unknown target is an unknown operation: 400. */
static bool json_find(struct call *call)
{
    const struct model *m = call->api->model;
    const struct http_request *request = wire_http(call);
    if (!str_eq(request->method, STR("POST")) || !is_json(m, wire_media_type(request))) {
        call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
        call->error_status = 404;
        return false;
    }
    call->operation = model_operation_find(m, target_operation(m, http_header(request, "x-amz-target")));
    if (!call->operation)
        call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
    return call->operation != NULL;
}

static void json_read(struct call *call)
{
    const struct model_shape *shape = model_input(call->api->model, call->operation);
    struct json *tree = NULL;
    enum err err = json_parse(wire_body(call), call->arena, &tree);
    if (err != ERR_OK) {
        wire_fail_parse(call, err);
        return;
    }
    if (shape && !bind_tree(call, shape, tree))
        return;
    call->input = shape ? tree : json_new(call->arena, JSON_OBJECT);
}

static void add_json_type(struct call *call, struct http_response *response)
{
    struct str type = wire_media_type(wire_http(call));
    if (!is_json(call->api->model, type))
        type = arena_printf(call->arena, "application/x-amz-json-%s", call->api->model->json_version);
    wire_header(call, response, "Content-Type", type);
}

static void add_json(struct buf *body, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    if (m->plain_json || !shape)
        json_write(body, tree);
    else
        wire_json_write(body, m, shape, tree);
}

static void json_write_answer(struct call *call, struct buf *body, struct http_response *response)
{
    add_json_type(call, response);
    if (call->output)
        add_json(body, call->api->model, model_output(call->api->model, call->operation), call->output);
    else if (call->operation->output)
        buf_lit(body, "{}");
}

/* {"__type":"prefix#Code","message":"…", further members} */
static void json_write_error(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = call_error_shape(call);
    if (call->error_status == 404 && !call->operation) {
        wire_write_unknown(body);
        return;
    }
    add_json_type(call, response);
    wire_query_error(call, response);
    buf_lit(body, "{\"__type\":\"");
    buf_add(body, wire_type_prefix(call));
    buf_add(body, str_of(call->error_code));
    buf_add_char(body, '"');
    if (call->error_message.p) {
        buf_add_char(body, ',');
        json_write_str(body, call_error_message_member(call));
        buf_add_char(body, ':');
        json_write_str(body, call->error_message);
    }
    for JSON_EACH (field, call->error_fields) {
        const struct model_member *member = shape ? model_member_find(m, shape, field->key) : NULL;
        buf_add_char(body, ',');
        json_write_str(body, member ? model_member_wire(m, member) : field->key);
        buf_add_char(body, ':');
        add_json(body, m, member ? &m->shapes[member->shape] : NULL, field);
    }
    buf_add_char(body, '}');
}

static void json_write_tree(struct call *call, struct buf *body, const struct model_shape *shape, const struct json *tree)
{
    add_json(body, call->api->model, shape, tree);
}

static struct str json_tree_type(const struct call *call)
{
    return arena_printf(call->arena, "application/x-amz-json-%s", call->api->model->json_version);
}

const struct wire_protocol wire_json = {json_owns,        json_find,       json_read,     json_write_answer,
                                        json_write_error, json_write_tree, json_tree_type};

/* wire_json.c -- the protocols json 1.0 and 1.1: X-Amz-Target names the operation, body and answer are its structures.
 * Source: "AWS JSON 1.0 protocol" of Smithy; error bodies as DynamoDB and CloudWatch Logs write them. */
#include "wire/wire.h"

/* Its media type without parameters. */
static struct str media_type(const struct http_request *request)
{
    struct str type = http_header(request, "content-type");
    return str_trim(str_slice(type, 0, str_find(type, ';')));
}

/* application/x-amz-json-1.x of the service's own version, or application/json. */
static bool is_json(const struct model *m, struct str type)
{
    struct str amz = STR("application/x-amz-json-");
    if (str_eq_nocase(type, STR("application/json"))) return true;
    return type.n > amz.n && str_eq_nocase(str_slice(type, 0, amz.n), amz) &&
           str_eq(str_slice(type, amz.n, type.n), str_of(m->json_version));
}

/* Anything but a POST of JSON is no operation at all: 404. An unknown target is an unknown operation: 400. */
static bool find_operation(struct call *call)
{
    const struct model *m = call->api->model;
    struct str target = http_header(wire_http(call), "x-amz-target");
    struct str prefix = str_of(m->target_prefix);
    if (!str_eq(wire_http(call)->method, STR("POST")) || !is_json(m, media_type(wire_http(call)))) {
        call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
        call->error_status = 404;
        return false;
    }
    if (str_starts(target, prefix) && target.n > prefix.n && target.p[prefix.n] == '.')
        call->operation = model_operation_find(m, str_slice(target, prefix.n + 1, target.n));
    if (!call->operation) call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
    return call->operation != NULL;
}

static void read_input(struct call *call)
{
    const struct model_shape *shape = model_input(call->api->model, call->operation);
    struct json *tree = NULL;
    if (json_parse(wire_http(call)->body, call->arena, &tree) != ERR_OK) {
        call_fault(call, FAULT_SERIALIZATION, STR_NONE);
        return;
    }
    if (shape && !bind_tree(call, shape, tree)) return;
    call->input = shape ? tree : json_new(call->arena, JSON_OBJECT);
}

static void add_content_type(struct call *call, struct http_response *response)
{
    struct str type = media_type(wire_http(call));
    if (!is_json(call->api->model, type))
        type = arena_printf(call->arena, "application/x-amz-json-%s", call->api->model->json_version);
    wire_header(call, response, "Content-Type", type);
}

static void write_output(struct call *call, struct buf *body, struct http_response *response)
{
    add_content_type(call, response);
    if (call->output) json_write(body, call->output);
    else if (call->operation->output) buf_lit(body, "{}");
}

static struct str type_prefix(const struct call *call)
{
    const struct service_errors *errors = call->api->errors;
    if (call_error_shape(call)) return str_of(errors->model_prefix);
    bool validation = strcmp(call->error_code, errors->faults[FAULT_VALIDATION].code) == 0;
    return str_of(validation ? errors->validate_prefix : errors->coral_prefix);
}

/* {"__type":"prefix#Code","message":"…", further members} */
static void write_error(struct call *call, struct buf *body, struct http_response *response)
{
    struct str prefix = type_prefix(call);
    if (call->error_status == 404 && !call->operation) {
        wire_write_unknown(body);
        return;
    }
    add_content_type(call, response);
    buf_lit(body, "{\"__type\":\"");
    buf_add(body, prefix);
    buf_add(body, str_of(call->error_code));
    buf_add_char(body, '"');
    if (call->error_message.p) {
        buf_add_char(body, ',');
        json_write_str(body, call_error_message_member(call));
        buf_add_char(body, ':');
        json_write_str(body, call->error_message);
    }
    for JSON_EACH (field, call->error_fields) {
        buf_add_char(body, ',');
        json_write_str(body, field->key);
        buf_add_char(body, ':');
        json_write(body, field);
    }
    buf_add_char(body, '}');
}

const struct wire_protocol wire_json = {find_operation, read_input, write_output, write_error};

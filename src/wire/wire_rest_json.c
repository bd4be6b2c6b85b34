/* wire_rest_json.c -- the protocol rest-json: rest.h with bodies of JSON.
 * Source: "AWS restJson1 protocol" of Smithy; error bodies as Lambda and API Gateway write them. */
#include "wire/rest.h"

static struct json *read_json_body(struct call *call, const struct model_shape *shape)
{
    struct json *tree = NULL;
    enum err err = json_parse(wire_body(call), call->arena, &tree);
    if (err != ERR_OK) {
        wire_fail_parse(call, err);
        return NULL;
    }
    return bind_tree(call, shape, tree) ? tree : NULL;
}

static void write_json_body(struct call *call, struct buf *body, const struct model_member *payload,
                            const struct model_shape *shape, const struct json *tree)
{
    (void)payload;
    if (tree)
        wire_json_write(body, call->api->model, shape, tree);
    else
        buf_lit(body, "{}");
}

static const struct rest_format json_format = {"application/json", read_json_body, write_json_body};

static void rest_json_read(struct call *call)
{
    rest_read(call, &json_format);
}

static void rest_json_write(struct call *call, struct buf *body, struct http_response *response)
{
    rest_write(call, body, response, &json_format);
}

static void begin_member(struct buf *body, struct str key, bool *comma)
{
    if (*comma)
        buf_add_char(body, ',');
    *comma = true;
    json_write_str(body, key);
    buf_add_char(body, ':');
}

static void write_error_field(struct call *call, struct buf *body, const struct model_shape *shape, const struct json *field,
                              bool *comma)
{
    const struct model *m = call->api->model;
    const struct model_member *member = shape ? model_member_find(m, shape, field->key) : NULL;
    if (member && member->location != MODEL_IN_BODY)
        return;
    begin_member(body, member ? model_member_wire(m, member) : field->key, comma);
    if (member)
        wire_json_write(body, m, &m->shapes[member->shape], field);
    else
        json_write(body, field);
}

/* {"Type":"User","message":"…", further members}; the code travels in x-amzn-ErrorType. */
static void rest_json_write_error(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model_shape *shape = call_error_shape(call);
    bool comma = false;
    wire_header(call, response, "x-amzn-ErrorType", str_of(call->error_code));
    if (call->error_status == 404 && !call->operation) {
        wire_write_unknown(body);
        return;
    }
    if (shape)
        rest_write_located(call, shape, call->error_fields, response);
    wire_header(call, response, "Content-Type", STR("application/json"));
    buf_add_char(body, '{');
    if (call->api->errors->type_member && shape && model_member_find(call->api->model, shape, STR("Type"))) {
        begin_member(body, STR("Type"), &comma);
        json_write_str(body, call->error_status < 500 ? STR("User") : STR("Server"));
    }
    if (call->error_message.p) {
        begin_member(body, call_error_message_member(call), &comma);
        json_write_str(body, call->error_message);
    }
    for JSON_EACH (field, call->error_fields)
        write_error_field(call, body, shape, field, &comma);
    buf_add_char(body, '}');
}

static void rest_json_write_tree(struct call *call, struct buf *body, const struct model_shape *shape, const struct json *tree)
{
    wire_json_write(body, call->api->model, shape, tree);
}

static struct str rest_json_tree_type(const struct call *call)
{
    (void)call;
    return STR("application/json");
}

const struct wire_protocol wire_rest_json = {
    rest_owns, rest_find, rest_json_read, rest_json_write, rest_json_write_error, rest_json_write_tree, rest_json_tree_type};

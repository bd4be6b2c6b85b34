/* wire_rest.c -- the protocol rest-json: method and path name the operation; members travel in the path, the query
 * string, headers or the JSON body, and one may be the body itself (a blob: Invoke's Payload).
 * Source: "AWS restJson1 protocol" of Smithy; error bodies as Lambda and API Gateway write them. */
#include "wire/wire.h"
#include "base/codec.h"

static bool request_has(struct str name, const void *arg)
{
    return http_header_named(arg, name).p != NULL;
}

static bool find_operation(struct call *call)
{
    const struct http_request *request = wire_http(call);
    struct model_request asked = {request->method, request->path, request->query, request_has, request};
    call->operation = model_operation_route(call->api->model, &asked);
    if (!call->operation) call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
    return call->operation != NULL;
}

/* ---- reading ---- */

static bool refuse_text(struct call *call, const struct model_member *member, struct str text)
{
    static const char *const wanted[] = {
        [MODEL_BOOLEAN] = "Boolean", [MODEL_INTEGER] = "Integer", [MODEL_LONG] = "Long", [MODEL_FLOAT] = "Float",
        [MODEL_DOUBLE] = "Double", [MODEL_TIMESTAMP] = "Date", [MODEL_STRING] = "String", [MODEL_BLOB] = "String"};
    const struct model *m = call->api->model;
    const struct model_shape *shape = &m->shapes[member->shape];
    const char *type = shape->type < COUNT_OF(wanted) && wanted[shape->type] ? wanted[shape->type] : "String";
    text = str_slice(text, 0, 256);
    call_fault(call, FAULT_SERIALIZATION,
              utf8_valid(text) ? arena_printf(call->arena, "'" STR_FMT "' can not be converted to an %s", STR_ARG(text), type)
                               : STR("The request is not valid UTF-8."));
    return false;
}

static bool add_text(struct call *call, const struct model_member *member, struct str text)
{
    const struct model *m = call->api->model;
    struct json *node = bind_text(call, &m->shapes[member->shape], text);
    if (!node) return refuse_text(call, member, text);
    json_add_key(call->input, model_member_name(m, member), node);
    return true;
}

/* The parameters of a raw query string, one after the other. False at the end. */
static bool next_parameter(struct call *call, struct str *query, struct str *ret_name, struct str *ret_value)
{
    while (query->n) {
        struct str pair = str_cut(query, '&');
        if (!pair.n) continue;
        size_t equals = str_find(pair, '=');
        *ret_name = percent_decode(str_slice(pair, 0, equals), true, call->arena);
        *ret_value = percent_decode(str_slice(pair, equals + 1, pair.n), true, call->arena);
        return true;
    }
    return false;
}

/* A list collects every occurrence of its parameter; a map every parameter that no other member names. */
static bool add_query_list(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    const struct model_shape *element = &m->shapes[model_element(m, &m->shapes[member->shape], 0)->shape];
    struct str rest = wire_http(call)->query, name, value;
    struct json *list = NULL;
    for (size_t n = 0; n < WIRE_PARAMETERS_MAX && next_parameter(call, &rest, &name, &value); n++) {
        if (!str_eq(name, model_member_wire(m, member))) continue;
        struct json *node = bind_text(call, element, value);
        if (!node) return refuse_text(call, member, value);
        if (!list) list = json_add_key(call->input, model_member_name(m, member), json_new(call->arena, JSON_ARRAY));
        json_add(list, NULL, node);
    }
    return true;
}

static bool is_query_member(const struct model *m, const struct model_shape *input, struct str name)
{
    for (size_t i = 0; i < input->member_count; i++) {
        const struct model_member *member = &m->members[input->members + i];
        if (member->location == MODEL_IN_QUERY && m->shapes[member->shape].type != MODEL_MAP &&
            str_eq(model_member_wire(m, member), name))
            return true;
    }
    return false;
}

static bool add_query_map(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    const struct model_shape *input = model_input(m, call->operation);
    struct str rest = wire_http(call)->query, name, value;
    struct json *map = NULL;
    for (size_t n = 0; n < WIRE_PARAMETERS_MAX && next_parameter(call, &rest, &name, &value); n++) {
        if (is_query_member(m, input, name)) continue;
        if (!utf8_valid(name) || !utf8_valid(value)) return refuse_text(call, member, value);
        if (!map) map = json_add_key(call->input, model_member_name(m, member), json_new(call->arena, JSON_OBJECT));
        json_put(map, name, json_new_str(call->arena, value));
    }
    return true;
}

static bool add_query(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    enum model_type type = m->shapes[member->shape].type;
    if (type == MODEL_LIST) return add_query_list(call, member);
    if (type == MODEL_MAP) return add_query_map(call, member);
    struct str rest = wire_http(call)->query, name, value;
    for (size_t n = 0; n < WIRE_PARAMETERS_MAX && next_parameter(call, &rest, &name, &value); n++) {
        if (str_eq(name, model_member_wire(m, member))) return add_text(call, member, value);
    }
    return true;
}

static bool add_located(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    struct str text;
    switch ((enum model_location)member->location) {
    case MODEL_IN_URI:
        if (!model_uri_value(m, call->operation, wire_http(call)->path, model_member_wire(m, member), &text)) return true;
        return add_text(call, member, percent_decode(text, false, call->arena));
    case MODEL_IN_QUERY: return add_query(call, member);
    case MODEL_IN_HEADER:
        text = http_header(wire_http(call), model_text(m, member->wire));
        return !text.p || add_text(call, member, text);
    case MODEL_IN_HEADERS:      /* none of the services' inputs has one: gen_api.py's models are checked by a unit test */
    case MODEL_IN_STATUS:
    case MODEL_IN_BODY: return true;
    }
    return true;
}

static bool has_body_members(const struct model *m, const struct model_shape *shape)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        if (m->members[shape->members + i].location == MODEL_IN_BODY) return true;
    }
    return false;
}

/* The body as `shape`; an empty body is an empty structure. NULL: failed. */
static struct json *read_body(struct call *call, const struct model_shape *shape)
{
    struct json *tree = NULL;
    if (str_trim(wire_http(call)->body).n == 0) return json_new(call->arena, JSON_OBJECT);
    if (json_parse(wire_http(call)->body, call->arena, &tree) != ERR_OK) {
        call_fault(call, FAULT_SERIALIZATION, STR_NONE);
        return NULL;
    }
    return bind_tree(call, shape, tree) ? tree : NULL;
}

static void read_input(struct call *call)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = model_input(m, call->operation);
    call->input = json_new(call->arena, JSON_OBJECT);
    if (!shape) return;
    if (shape->payload) {
        const struct model_member *member = &m->members[shape->members + shape->payload - 1];
        const struct model_shape *payload = &m->shapes[member->shape];
        if (payload->type == MODEL_BLOB || payload->type == MODEL_STRING) {
            call->payload = wire_http(call)->body;
        } else if (wire_http(call)->body.n) {
            struct json *tree = read_body(call, payload);
            if (!tree) return;
            json_add_key(call->input, model_member_name(m, member), tree);
        }
    } else if (has_body_members(m, shape)) {
        struct json *tree = read_body(call, shape);
        if (!tree) return;
        call->input = tree;
    }
    for (size_t i = 0; i < shape->member_count; i++) {
        if (!add_located(call, &m->members[shape->members + i])) return;
    }
}

/* ---- writing ---- */

static struct str header_text(struct call *call, const struct model_member *member, const struct json *node)
{
    const struct model_shape *shape = &call->api->model->shapes[member->shape];
    enum model_time time = member->time ? member->time : shape->time ? shape->time : MODEL_TIME_RFC822;
    if (shape->type == MODEL_TIMESTAMP) return wire_time_text(call->arena, node, time);
    if (node->type == JSON_TRUE) return STR("true");
    if (node->type == JSON_FALSE) return STR("false");
    return node->text;
}

/* Members of `tree` that travel as headers or as the status. True: Content-Type was among them. */
static bool write_located(struct call *call, const struct model_shape *shape, const struct json *tree,
                          struct http_response *response)
{
    const struct model *m = call->api->model;
    bool typed = false;
    for JSON_EACH (child, tree) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        int64_t status;
        if (!member) continue;
        if (member->location == MODEL_IN_HEADER) {
            wire_header(call, response, model_text(m, member->wire), header_text(call, member, child));
            typed = typed || str_eq_nocase(model_member_wire(m, member), STR("Content-Type"));
        } else if (member->location == MODEL_IN_STATUS && json_is_integer(child, &status)) {
            response->status = (int)status;
        }
    }
    return typed;
}

static void write_output(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = model_output(m, call->operation);
    if (!shape) return;
    bool typed = write_located(call, shape, call->output, response);
    if (response->status == 204) return;
    if (shape->payload) {
        const struct model_member *member = &m->members[shape->members + shape->payload - 1];
        const struct json *node = json_get(call->output, model_member_name(m, member));
        if (call->has_output_payload) response->body = call->output_payload;
        else if (node) wire_json_write(body, m, &m->shapes[member->shape], node);
    } else if (call->output) {
        wire_json_write(body, m, shape, call->output);
    } else {
        buf_lit(body, "{}");
    }
    if (!typed) wire_header(call, response, "Content-Type", STR("application/json"));
}

static void write_member(struct buf *body, struct str key, bool *comma)
{
    if (*comma) buf_add_char(body, ',');
    *comma = true;
    json_write_str(body, key);
    buf_add_char(body, ':');
}

/* {"Type":"User","message":"…", further members}; the code travels in x-amzn-ErrorType. */
static void write_error(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = call_error_shape(call);
    bool comma = false;
    wire_header(call, response, "x-amzn-ErrorType", str_of(call->error_code));
    if (call->error_status == 404 && !call->operation) {
        wire_write_unknown(body);
        return;
    }
    if (shape) write_located(call, shape, call->error_fields, response);
    wire_header(call, response, "Content-Type", STR("application/json"));
    buf_add_char(body, '{');
    if (call->api->errors->type_member && shape && model_member_find(m, shape, STR("Type"))) {
        write_member(body, STR("Type"), &comma);
        json_write_str(body, call->error_status < 500 ? STR("User") : STR("Server"));
    }
    if (call->error_message.p) {
        write_member(body, call_error_message_member(call), &comma);
        json_write_str(body, call->error_message);
    }
    for JSON_EACH (field, call->error_fields) {
        const struct model_member *member = shape ? model_member_find(m, shape, field->key) : NULL;
        if (member && member->location != MODEL_IN_BODY) continue;
        write_member(body, field->key, &comma);
        json_write(body, field);
    }
    buf_add_char(body, '}');
}

const struct wire_protocol wire_rest_json = {find_operation, read_input, write_output, write_error};

/* api_input.h -- shared by the fuzzers of src/wire: runs a request up to its handler, and checks what a handler may rely on.
 * Properties: an accepted input has the model's names only, each value of its shape's type, nothing required missing,
 * every string valid UTF-8 and every enum one of its values; a refused one has an answer that is valid UTF-8, and JSON
 * where the protocol says so. */
#ifndef CLOUDLESS_TESTS_FUZZ_API_INPUT_H
#define CLOUDLESS_TESTS_FUZZ_API_INPUT_H
#include "call/validate.h"
#include "wire/wire.h"
#include "base/codec.h"
#include "base/panic.h"

static void check_node(const struct model *m, const struct model_shape *shape, const struct json *node);

static void check_members(const struct model *m, const struct model_shape *shape, const struct json *node)
{
    for JSON_EACH (child, node) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        ENSURE(member != NULL);
        check_node(m, &m->shapes[member->shape], child);
    }
}

static bool is_in_enum(const struct model *m, const struct model_shape *shape, struct str text)
{
    for (size_t i = 0; i < shape->enum_count; i++) {
        if (str_eq(text, str_of(model_text(m, m->enums[shape->enums + i])))) return true;
    }
    return shape->enum_count == 0;
}

static void check_node(const struct model *m, const struct model_shape *shape, const struct json *node)
{
    static const unsigned types[] = {
        [MODEL_STRUCTURE] = 1u << JSON_OBJECT, [MODEL_MAP] = 1u << JSON_OBJECT,   [MODEL_LIST] = 1u << JSON_ARRAY,
        [MODEL_STRING] = 1u << JSON_STRING,    [MODEL_BLOB] = 1u << JSON_STRING,  [MODEL_BOOLEAN] = 1u << JSON_TRUE | 1u << JSON_FALSE,
        [MODEL_INTEGER] = 1u << JSON_NUMBER,   [MODEL_LONG] = 1u << JSON_NUMBER,
        [MODEL_FLOAT] = 1u << JSON_NUMBER | 1u << JSON_STRING, [MODEL_DOUBLE] = 1u << JSON_NUMBER | 1u << JSON_STRING,
        [MODEL_TIMESTAMP] = 1u << JSON_NUMBER};
    int64_t integer;
    if (shape->flags & MODEL_SHAPE_DOCUMENT) return;
    ENSURE(types[shape->type] & 1u << node->type);
    if (shape->type == MODEL_STRUCTURE) check_members(m, shape, node);
    if (shape->type == MODEL_LIST || shape->type == MODEL_MAP) {
        const struct model_shape *element = &m->shapes[model_element(m, shape, shape->type == MODEL_MAP)->shape];
        for JSON_EACH (child, node)
            if (child->type != JSON_NULL || !(shape->flags & MODEL_SHAPE_SPARSE)) check_node(m, element, child);
    }
    if (node->type == JSON_STRING) ENSURE(utf8_valid(node->text) && (shape->type != MODEL_STRING || is_in_enum(m, shape, node->text)));
    if (shape->type == MODEL_INTEGER || shape->type == MODEL_LONG) ENSURE(json_is_integer(node, &integer));
}

static void check_required(const struct model *m, const struct model_shape *shape, const struct call *call)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &m->members[shape->members + i];
        bool carried = shape->payload == i + 1 && call->payload.n;
        if (member->flags & MODEL_MEMBER_REQUIRED) ENSURE(carried || json_get(call->input, model_member_name(m, member)));
    }
}

static void check_answer(struct call *call, const struct http_response *response)
{
    struct json *tree = NULL;
    unsigned protocols = call->api->model->protocols;
    bool text = !(protocols >> MODEL_CBOR & 1), json = protocols == 1u << MODEL_JSON || protocols == 1u << MODEL_REST_JSON;
    ENSURE(response->status >= 200 && response->status < 600 && (!text || utf8_valid(response->body)));
    for (size_t i = 0; i < response->header_count; i++) ENSURE(response->headers[i].name.n > 0);
    if (call->failed && json && response->status != 404)
        ENSURE(json_parse(response->body, call->arena, &tree) == ERR_OK && tree->type == JSON_OBJECT);
}

/* What an accepted input would be as an answer; NULL: it was refused. *ret_body: that answer. */
static __attribute__((unused)) struct json *echo(const struct service_api *api, struct http_request *request, struct str *ret_body)
{
    struct wire_exchange exchange = {.request = request, .body = request->body, .protocol = wire_protocol_of(api, request)};
    struct call call = {.arena = request->arena, .door_state = &exchange, .api = api, .request_id = STR("ID")};
    struct http_response response;
    if (exchange.protocol->find(&call)) exchange.protocol->read(&call);
    if (call.failed || strcmp(model_text(api->model, call.operation->name), "Echo") != 0) return NULL;
    call.output = call.input;
    wire_answer(&call, &response);
    *ret_body = response.body;
    return call.input;
}

static void run_request(const struct service_api *api, struct http_request *request)
{
    const struct wire_protocol *protocol = wire_protocol_of(api, request);
    struct wire_exchange exchange = {.request = request, .body = request->body, .protocol = protocol};
    struct call call = {.arena = request->arena, .door_state = &exchange, .api = api, .request_id = STR("ID")};
    struct http_response response;
    if (protocol->find(&call)) protocol->read(&call);
    if (!call.failed && validate_input(&call)) {
        const struct model_shape *shape = model_input(api->model, call.operation);
        ENSURE(call.input != NULL && call.input->type == JSON_OBJECT);
        if (shape) {
            check_node(api->model, shape, call.input);
            check_required(api->model, shape, &call);
        }
    }
    wire_answer(&call, &response);
    check_answer(&call, &response);
}
#endif

/* wire_cbor.c -- the protocol smithy-rpc-v2-cbor: POST /service/NAME/operation/OPERATION with Smithy-Protocol: rpc-v2-cbor,
 * bodies of CBOR. NAME is what json calls the target's prefix. Source: "Smithy RPC v2 CBOR protocol" of Smithy. */
#include "wire/cbor_tree.h"

#define PROTOCOL "rpc-v2-cbor"
#define MEDIA_TYPE "application/cbor"

/* The operation's name at the end of the path; STR_NONE: the path is not of this service. */
static struct str operation_in(const struct model *m, struct str path)
{
    struct str service = STR("/service/"), operation = STR("/operation/");
    const char *at = path.n ? memmem(path.p, path.n, service.p, service.n) : NULL;
    if (!at || !m->target_prefix)
        return STR_NONE;
    struct str rest = str_slice(path, (size_t)(at - path.p) + service.n, path.n), name = str_of(m->target_prefix);
    if (!str_starts(rest, name) || !str_starts(str_slice(rest, name.n, rest.n), operation))
        return STR_NONE;
    return str_slice(rest, name.n + operation.n, rest.n);
}

static bool cbor_owns(const struct model *m, const struct http_request *request)
{
    return str_eq(http_header(request, "smithy-protocol"), STR(PROTOCOL)) && operation_in(m, request->path).n;
}

/* What is no request of this protocol is no operation at all: 404. */
static bool cbor_find(struct call *call)
{
    const struct http_request *request = wire_http(call);
    const struct model *m = call->api->model;
    struct str name = operation_in(m, request->path);
    bool asked = str_eq(request->method, STR("POST")) && str_eq(http_header(request, "smithy-protocol"), STR(PROTOCOL)) && name.n;
    if (asked)
        call->operation = model_operation_find(m, name);
    if (!call->operation)
        call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
    if (!asked)
        call->error_status = 404;
    return call->operation != NULL;
}

static void cbor_read(struct call *call)
{
    const struct model_shape *shape = model_input(call->api->model, call->operation);
    struct str body = wire_body(call);
    struct json *tree = json_new(call->arena, JSON_OBJECT);
    if (shape && body.n) {
        if (!str_eq_nocase(wire_media_type(wire_http(call)), STR(MEDIA_TYPE))) {
            call_fault(call, FAULT_SERIALIZATION, STR("The body's Content-Type must be " MEDIA_TYPE "."));
            return;
        }
        tree = cbor_tree_bind(call, shape, body);
    }
    if (tree)
        call->input = tree;
}

static void cbor_write(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model_shape *shape = model_output(call->api->model, call->operation);
    wire_header(call, response, "Smithy-Protocol", STR(PROTOCOL));
    if (!shape)
        return;
    wire_header(call, response, "Content-Type", STR(MEDIA_TYPE));
    if (call->output)
        cbor_tree_write(body, call->api->model, shape, call->output);
    else
        cbor_tree_write_map(body, 0);
}

static void add_error_field(struct buf *body, const struct model *m, const struct model_shape *shape, const struct json *field)
{
    const struct model_member *member = model_member_find(m, shape, field->key);
    cbor_tree_write_text(body, model_member_wire(m, member));
    cbor_tree_write(body, m, &m->shapes[member->shape], field);
}

/* {"__type": "prefix#Code", "message": "…", further members} */
static void cbor_write_error(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = call_error_shape(call);
    size_t count = 1 + (call->error_message.p != NULL);
    for JSON_EACH (field, call->error_fields)
        count += shape && model_member_find(m, shape, field->key);
    wire_header(call, response, "Smithy-Protocol", STR(PROTOCOL));
    wire_header(call, response, "Content-Type", STR(MEDIA_TYPE));
    wire_query_error(call, response);
    cbor_tree_write_map(body, count);
    cbor_tree_write_text(body, STR("__type"));
    cbor_tree_write_text(body, arena_printf(call->arena, STR_FMT "%s", STR_ARG(wire_type_prefix(call)), call->error_code));
    if (call->error_message.p) {
        cbor_tree_write_text(body, call_error_message_member(call));
        cbor_tree_write_text(body, call->error_message);
    }
    for JSON_EACH (field, call->error_fields)
        if (shape && model_member_find(m, shape, field->key))
            add_error_field(body, m, shape, field);
}

static void cbor_write_event(struct call *call, struct buf *body, const struct model_shape *shape, const struct json *tree)
{
    cbor_tree_write(body, call->api->model, shape, tree);
}

static struct str cbor_event_type(const struct call *call)
{
    (void)call;
    return STR(MEDIA_TYPE);
}

const struct wire_protocol wire_cbor = {cbor_owns,        cbor_find,        cbor_read,      cbor_write,
                                        cbor_write_error, cbor_write_event, cbor_event_type};

/* wire_query.c -- the protocol query: a form (body and query string together) names action, version and parameters in
 * dotted paths ("Tags.member.1.Key"); answers are XML. Source: "AWS query protocol" of Smithy; bodies as IAM and STS
 * write them.
 *
 * Reading has two steps. The pairs become a tree of path segments, whatever their names, bounded in number and depth.
 * Then the operation's input shape is walked and takes from that tree what it knows; unknown parameters are ignored, as
 * AWS does. Elements of lists come in the order of their numbers; of a repeated parameter the first counts.
 * What AWS answers to requests without an action or with an unknown one was recorded from STS in 2026. */
#include "wire/wire.h"
#include "wire/xml_tree.h"
#include "base/codec.h"
#include "base/panic.h"
#include <stdlib.h>

#define PATH_SEGMENTS_MAX 32
#define PARAMETERS_MAX 1024     /* of a request: 50 tags and all else that a call of IAM may name are some hundred */
#define FAULT_NAMESPACE "http://webservices.amazon.com/AWSFault/2005-15-09"     /* of answers to unknown actions */

/* ---- pairs ---- */

/* Reads "name=value" pairs of the body, then of the query string. */
struct pairs {
    struct str rest, after;
};

static struct pairs pairs_of(const struct http_request *request, struct str body)
{
    bool form = str_starts(http_header(request, "content-type"), STR("application/x-www-form-urlencoded"));
    return (struct pairs){form ? body : STR_NONE, request->query};
}

static bool query_next_pair(struct pairs *pairs, struct arena *arena, struct str *ret_name, struct str *ret_value)
{
    for (;;) {
        if (!pairs->rest.n) {
            if (!pairs->after.n)
                return false;
            pairs->rest = pairs->after;
            pairs->after = STR_NONE;
        }
        struct str pair = str_cut(&pairs->rest, '&');
        size_t equals = str_find(pair, '=');
        if (!pair.n)
            continue;
        *ret_name = percent_decode(str_slice(pair, 0, equals), true, arena);
        *ret_value = percent_decode(str_slice(pair, equals + 1, pair.n), true, arena);
        return true;
    }
}

/* What stands behind "Version=", which clients do not encode. */
static struct str version_in(struct str form)
{
    struct str name = STR("Version=");
    const char *at = form.n ? memmem(form.p, form.n, name.p, name.n) : NULL;
    struct str value = at ? str_slice(form, (size_t)(at - form.p) + name.n, form.n) : STR_NONE;
    return str_slice(value, 0, str_find(value, '&'));
}

static bool query_owns(const struct model *m, const struct http_request *request)
{
    struct pairs pairs = pairs_of(request, request->body);
    struct str version = version_in(pairs.after);
    if (http_header(request, "x-amz-target").n || !str_eq(request->path, STR("/")))
        return false;
    return str_eq(version.n ? version : version_in(pairs.rest), str_of(m->api_version));
}

/* Without an Action a browser is sent to the product's page. */
static bool query_find(struct call *call)
{
    const struct model *m = call->api->model;
    struct pairs pairs = pairs_of(wire_http(call), wire_body(call));
    struct str name, value, action = STR_NONE, version = STR_NONE;
    for (size_t n = 0; n < PARAMETERS_MAX && query_next_pair(&pairs, call->arena, &name, &value); n++) {
        if (!action.p && str_eq(name, STR("Action")))
            action = value;
        if (!version.p && str_eq(name, STR("Version")))
            version = value;
    }
    if (action.p && !version.p)
        version = STR("NO_VERSION_SPECIFIED");
    if (action.p && str_eq(version, str_of(m->api_version)))
        call->operation = model_operation_find(m, action);
    if (call->operation)
        return true;
    struct str text = arena_printf(call->arena, "Could not find operation " STR_FMT " for version " STR_FMT, STR_ARG(action),
                                   STR_ARG(version));
    call_fault(call, FAULT_UNKNOWN_OPERATION, utf8_valid(text) ? text : STR("Could not find the operation"));
    if (!action.p)
        call->error_status = 302;
    return false;
}

/* ---- the tree of paths ---- */

/* `message` may be NULL. */
static bool malformed(struct call *call, const char *message)
{
    call_fault(call, FAULT_SERIALIZATION, str_of(message));
    return false;
}

static struct json *child_of(struct json *parent, struct str key)
{
    if (parent->last && str_eq(parent->last->key, key))
        return parent->last;
    return json_get(parent, key);
}

/* Of a repeated path the first counts. What is searched is short: PARAMETERS_MAX. */
static bool add_path(struct call *call, struct json *root, struct str path, struct str value)
{
    struct json *at = root;
    for (size_t depth = 0;; depth++) {
        size_t dot = str_find(path, '.');
        struct str segment = str_slice(path, 0, dot);
        bool leaf = dot == path.n;
        struct json *child = child_of(at, segment);
        if (depth == PATH_SEGMENTS_MAX)
            return malformed(call, "A parameter is nested too deeply.");
        if (child && leaf && child->type == JSON_STRING)
            return true;
        if (child && (child->type == JSON_STRING) != leaf)
            return malformed(call, "Value found where not expected");
        if (!child && !wire_may_grow(call))
            return false;
        if (!child)
            child = json_add_key(at, segment, json_new(call->arena, leaf ? JSON_STRING : JSON_OBJECT));
        if (leaf) {
            child->text = value;
            return true;
        }
        at = child;
        path = str_slice(path, dot + 1, path.n);
    }
}

/* ---- from paths to the input ---- */

static struct json *take(struct call *call, const struct model_shape *shape, bool flattened, const struct json *paths);

struct numbered {
    uint64_t number;
    struct json *node;
};

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct numbered *)a)->number, y = ((const struct numbered *)b)->number;
    return (x > y) - (x < y);
}

static bool read_index(struct call *call, struct str text, uint64_t *ret)
{
    if (!str_to_u64(text, ret))
        return malformed(call, "Start of list found where not expected");
    if (text.n == 1 && text.p[0] == '0')
        return malformed(call, "0 is not a valid index");
    if (text.p[0] == '0')
        return malformed(call, "Value found where not expected");
    return true;
}

/* The children of `paths` in the order of their numbers. False: one is not a number. */
static bool sorted_elements(struct call *call, const struct json *paths, struct numbered **ret)
{
    struct numbered *elements = arena_array(call->arena, struct numbered, paths->count + 1);
    size_t count = 0;
    for JSON_EACH (child, paths) {
        if (!read_index(call, child->key, &elements[count].number))
            return false;
        elements[count++].node = child;
    }
    qsort(elements, count, sizeof *elements, by_number);
    *ret = elements;
    return true;
}

static struct json *take_structure(struct call *call, const struct model_shape *shape, const struct json *paths)
{
    const struct model *m = call->api->model;
    if (paths->type == JSON_STRING) {
        malformed(call, "Value found where not expected");
        return NULL;
    }
    struct json *tree = json_new(call->arena, JSON_OBJECT);
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &m->members[shape->members + i];
        bool flat = (member->flags & MODEL_MEMBER_FLATTENED) || (m->shapes[member->shape].flags & MODEL_SHAPE_FLATTENED);
        struct json *part = json_get(paths, flat ? xml_tree_flat_name(m, member) : model_member_wire(m, member));
        if (!part)
            continue;
        struct json *node = take(call, &m->shapes[member->shape], flat, part);
        if (!node)
            return NULL;
        json_add_key(tree, model_member_name(m, member), node);
    }
    return tree;
}

/* "List=" alone says that it is empty. */
static struct json *take_list(struct call *call, const struct model_shape *shape, bool flattened, const struct json *paths)
{
    const struct model *m = call->api->model;
    const struct model_member *element = model_element(m, shape, 0);
    struct json *tree = json_new(call->arena, JSON_ARRAY);
    struct numbered *elements;
    if (paths->type == JSON_STRING)
        return paths->text.n == 0 || malformed(call, "Value found where not expected") ? tree : NULL;
    if (!flattened)
        paths = json_get(paths, model_member_wire(m, element));
    if (!paths || paths->type != JSON_OBJECT)
        return tree;
    if (!sorted_elements(call, paths, &elements))
        return NULL;
    for (size_t i = 0; i < paths->count; i++) {
        struct json *node = take(call, &m->shapes[element->shape], false, elements[i].node);
        if (!node)
            return NULL;
        json_add(tree, NULL, node);
    }
    return tree;
}

static struct json *take_map(struct call *call, const struct model_shape *shape, bool flattened, const struct json *paths)
{
    const struct model *m = call->api->model;
    const struct model_member *key = model_element(m, shape, 0), *value = model_element(m, shape, 1);
    struct json *tree = json_new(call->arena, JSON_OBJECT);
    struct numbered *elements;
    if (paths->type == JSON_STRING)
        return paths->text.n == 0 || malformed(call, "Value found where not expected") ? tree : NULL;
    if (!flattened)
        paths = json_at(paths, "entry");
    if (!paths || paths->type != JSON_OBJECT)
        return tree;
    if (!sorted_elements(call, paths, &elements))
        return NULL;
    for (size_t i = 0; i < paths->count; i++) {
        struct json *name = json_get(elements[i].node, model_member_wire(m, key));
        struct json *part = json_get(elements[i].node, model_member_wire(m, value));
        if (!json_is(name, JSON_STRING) || !part)
            return malformed(call, "Start of list found where not expected") ? tree : NULL;
        struct json *node = take(call, &m->shapes[value->shape], false, part);
        if (!node)
            return NULL;
        json_add_key(tree, name->text, node);
    }
    json_keep_last(tree);
    return tree;
}

/* NULL: failed. Depth is that of the paths. */
static struct json *take(struct call *call, const struct model_shape *shape, bool flattened, const struct json *paths)
{
    flattened = flattened || (shape->flags & MODEL_SHAPE_FLATTENED);
    if (!wire_may_grow(call))
        return NULL;
    if (shape->type == MODEL_LIST)
        return take_list(call, shape, flattened, paths);
    if (shape->type == MODEL_MAP)
        return take_map(call, shape, flattened, paths);
    if (shape->type == MODEL_STRUCTURE)
        return take_structure(call, shape, paths);
    if (paths->type != JSON_STRING) {
        malformed(call, "Start of structure or map found where not expected.");
        return NULL;
    }
    struct json *node = bind_text(call, shape, paths->text);
    if (!node)
        malformed(call, paths->text.n ? NULL : "missing value for decimal type");
    return node;
}

static void query_read(struct call *call)
{
    const struct model_shape *shape = model_input(call->api->model, call->operation);
    struct json *root = json_new(call->arena, JSON_OBJECT);
    struct pairs pairs = pairs_of(wire_http(call), wire_body(call));
    struct str name, value;
    size_t count = 0;
    while (query_next_pair(&pairs, call->arena, &name, &value)) {
        if (++count > PARAMETERS_MAX) {
            malformed(call, "The request has too many parameters.");
            return;
        }
        if (!add_path(call, root, name, value))
            return;
    }
    struct json *tree = shape ? take_structure(call, shape, root) : json_new(call->arena, JSON_OBJECT);
    if (tree)
        call->input = tree;
}

/* ---- writing ---- */

static void query_write(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = model_output(m, call->operation);
    struct str name = str_of(model_text(m, call->operation->name));
    struct str root = arena_printf(call->arena, STR_FMT "Response", STR_ARG(name));
    struct xml_writer w = {.body = body, .indented = true, .whole_seconds = true};
    wire_header(call, response, "Content-Type", STR("text/xml"));
    xml_open(&w, root, arena_printf(call->arena, " xmlns=\"%s\"", m->xml_namespace));
    if (shape) {
        struct str result = arena_printf(call->arena, STR_FMT "Result", STR_ARG(name));
        xml_open(&w, result, STR_NONE);
        xml_tree_members(&w, m, shape, call->output);
        xml_close(&w, result);
    }
    xml_open(&w, STR("ResponseMetadata"), STR_NONE);
    xml_leaf(&w, STR("RequestId"), STR_NONE, call->request_id);
    xml_close(&w, STR("ResponseMetadata"));
    xml_close(&w, root);
}

static void query_write_error(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = call_error_shape(call);
    const char *code = shape && shape->error_code ? model_text(m, shape->error_code) : call->error_code;
    bool unknown = strcmp(code, call->api->errors->faults[FAULT_UNKNOWN_OPERATION].code) == 0;
    struct xml_writer w = {.body = body, .indented = true, .whole_seconds = true};
    if (call->error_status == 302) {
        struct str query = wire_http(call)->query;
        wire_header(call, response, "Location",
                    arena_printf(call->arena, "https://aws.amazon.com/iam%s" STR_FMT, query.n ? "?" : "", STR_ARG(query)));
        return;
    }
    wire_header(call, response, "Content-Type", STR("text/xml"));
    xml_open(&w, STR("ErrorResponse"), arena_printf(call->arena, " xmlns=\"%s\"", unknown ? FAULT_NAMESPACE : m->xml_namespace));
    xml_open(&w, STR("Error"), STR_NONE);
    xml_leaf(&w, STR("Type"), STR_NONE, call->error_status < 500 ? STR("Sender") : STR("Receiver"));
    xml_leaf(&w, STR("Code"), STR_NONE, str_of(code));
    if (call->error_message.p)
        xml_leaf(&w, STR("Message"), STR_NONE, call->error_message);
    if (shape && call->error_fields)
        xml_tree_members(&w, m, shape, call->error_fields);
    xml_close(&w, STR("Error"));
    xml_leaf(&w, STR("RequestId"), STR_NONE, call->request_id);
    xml_close(&w, STR("ErrorResponse"));
}

/* No service of query has an event stream (tests/gen_api_test.py). */
const struct wire_protocol wire_query = {query_owns, query_find, query_read, query_write, query_write_error, NULL, NULL};

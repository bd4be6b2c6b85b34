/* wire_query.c -- the protocol query: a form (body and query string together) names action, version and parameters in
 * dotted paths ("Tags.member.1.Key"); answers are XML. Source: "AWS query protocol" of Smithy; bodies as IAM and STS
 * write them.
 *
 * Reading has two steps. The pairs become a tree of path segments, whatever their names, bounded in number and depth.
 * Then the operation's input shape is walked and takes from that tree what it knows; unknown parameters are ignored, as
 * AWS does. Elements of lists come in the order of their numbers. */
#include "api/wire.h"
#include "base/codec.h"
#include "base/panic.h"
#include <stdlib.h>

#define PATH_SEGMENTS_MAX 32

/* ---- pairs ---- */

/* Reads "name=value" pairs of the body, then of the query string. */
struct pairs {
    struct str rest, after;
};

static struct pairs pairs_of(const struct http_request *request)
{
    return (struct pairs){request->body, request->query};
}

static bool next_pair(struct pairs *pairs, struct arena *arena, struct str *ret_name, struct str *ret_value)
{
    for (;;) {
        if (!pairs->rest.n) {
            if (!pairs->after.n) return false;
            pairs->rest = pairs->after;
            pairs->after = STR_NONE;
        }
        struct str pair = str_cut(&pairs->rest, '&');
        size_t equals = str_find(pair, '=');
        if (!pair.n) continue;
        *ret_name = percent_decode(str_slice(pair, 0, equals), true, arena);
        *ret_value = percent_decode(str_slice(pair, equals + 1, pair.n), true, arena);
        return true;
    }
}

static bool find_operation(struct call *call)
{
    const struct model *m = call->service->model;
    struct pairs pairs = pairs_of(call->http);
    struct str name, value, action = STR_NONE, version = STR("NO_VERSION_SPECIFIED");
    for (size_t n = 0; n < WIRE_PARAMETERS_MAX && next_pair(&pairs, call->arena, &name, &value); n++) {
        if (str_eq(name, STR("Action"))) action = value;
        if (str_eq(name, STR("Version"))) version = value;
    }
    if (!action.n) {
        call_fail(call, "MissingAction", "The request is missing an action or a required parameter.");
        return false;
    }
    if (str_eq(version, str_of(m->api_version))) call->operation = model_operation_find(m, action);
    if (call->operation) return true;
    struct str text = arena_printf(call->arena, "Could not find operation " STR_FMT " for version " STR_FMT, STR_ARG(action),
                                   STR_ARG(version));
    wire_fail(call, FAULT_UNKNOWN_OPERATION, utf8_valid(text) ? text : STR("Could not find the operation"));
    return false;
}

/* ---- the tree of paths ---- */

static bool malformed(struct call *call, const char *message)
{
    wire_fail(call, FAULT_SERIALIZATION, str_of(message));
    return false;
}

static struct json *child_of(struct json *parent, struct str key)
{
    if (parent->last && str_eq(parent->last->key, key)) return parent->last;
    return json_get(parent, key);
}

static bool add_path(struct call *call, struct json *root, struct str path, struct str value)
{
    struct json *at = root;
    for (size_t depth = 0;; depth++) {
        size_t dot = str_find(path, '.');
        struct str segment = str_slice(path, 0, dot);
        bool leaf = dot == path.n;
        struct json *child = child_of(at, segment);
        if (depth == PATH_SEGMENTS_MAX) return malformed(call, "The path of a parameter is too deep.");
        if (child && (child->type == JSON_STRING) != leaf)
            return malformed(call, "A parameter has both a value and members.");
        if (!child) child = json_add_key(at, segment, json_new(call->arena, leaf ? JSON_STRING : JSON_OBJECT));
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

/* The children of `paths` in the order of their numbers. False: one is not a number. */
static bool sorted_elements(struct call *call, const struct json *paths, struct numbered **ret)
{
    struct numbered *elements = arena_array(call->arena, struct numbered, paths->count + 1);
    size_t count = 0;
    for JSON_EACH (child, paths) {
        if (!str_to_u64(child->key, &elements[count].number)) return malformed(call, "The index of a list is not a number.");
        elements[count++].node = child;
    }
    qsort(elements, count, sizeof *elements, by_number);
    *ret = elements;
    return true;
}

static struct json *take_structure(struct call *call, const struct model_shape *shape, const struct json *paths)
{
    const struct model *m = call->service->model;
    struct json *tree = json_new(call->arena, JSON_OBJECT);
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &m->members[shape->members + i];
        struct json *part = json_get(paths, model_member_wire(m, member));
        if (!part) continue;
        struct json *node = take(call, &m->shapes[member->shape], member->flags & MODEL_MEMBER_FLATTENED, part);
        if (!node) return NULL;
        json_add_key(tree, model_member_name(m, member), node);
    }
    return tree;
}

/* "List=" alone says that it is empty. */
static struct json *take_list(struct call *call, const struct model_shape *shape, bool flattened, const struct json *paths)
{
    const struct model *m = call->service->model;
    const struct model_member *element = model_element(m, shape, 0);
    struct json *tree = json_new(call->arena, JSON_ARRAY);
    struct numbered *elements;
    if (paths->type == JSON_STRING) return paths->text.n == 0 || malformed(call, "A list has a value.") ? tree : NULL;
    if (!flattened) paths = json_get(paths, model_member_wire(m, element));
    if (!paths || paths->type != JSON_OBJECT) return tree;
    if (!sorted_elements(call, paths, &elements)) return NULL;
    for (size_t i = 0; i < paths->count; i++) {
        struct json *node = take(call, &m->shapes[element->shape], false, elements[i].node);
        if (!node) return NULL;
        json_add(tree, NULL, node);
    }
    return tree;
}

static struct json *take_map(struct call *call, const struct model_shape *shape, bool flattened, const struct json *paths)
{
    const struct model *m = call->service->model;
    const struct model_member *key = model_element(m, shape, 0), *value = model_element(m, shape, 1);
    struct json *tree = json_new(call->arena, JSON_OBJECT);
    struct numbered *elements;
    if (paths->type == JSON_STRING) return paths->text.n == 0 || malformed(call, "A map has a value.") ? tree : NULL;
    if (!flattened) paths = json_at(paths, "entry");
    if (!paths || paths->type != JSON_OBJECT) return tree;
    if (!sorted_elements(call, paths, &elements)) return NULL;
    for (size_t i = 0; i < paths->count; i++) {
        struct json *name = json_get(elements[i].node, model_member_wire(m, key));
        struct json *part = json_get(elements[i].node, model_member_wire(m, value));
        if (!json_is(name, JSON_STRING) || !part) return malformed(call, "An entry of a map lacks its key or value.") ? tree : NULL;
        struct json *node = take(call, &m->shapes[value->shape], false, part);
        if (!node) return NULL;
        json_put(tree, name->text, node);
    }
    return tree;
}

/* NULL: failed. Depth is that of the paths. */
static struct json *take(struct call *call, const struct model_shape *shape, bool flattened, const struct json *paths)
{
    flattened = flattened || (shape->flags & MODEL_SHAPE_FLATTENED);
    if (shape->type == MODEL_LIST) return take_list(call, shape, flattened, paths);
    if (shape->type == MODEL_MAP) return take_map(call, shape, flattened, paths);
    if (shape->type == MODEL_STRUCTURE) return take_structure(call, shape, paths);
    struct json *node = paths->type == JSON_STRING ? wire_bind_text(call, shape, paths->text) : NULL;
    if (!node) malformed(call, "A parameter's value is not of its type.");
    return node;
}

static void read_input(struct call *call)
{
    const struct model_shape *shape = model_input(call->service->model, call->operation);
    struct json *root = json_new(call->arena, JSON_OBJECT);
    struct pairs pairs = pairs_of(call->http);
    struct str name, value;
    size_t count = 0;
    while (next_pair(&pairs, call->arena, &name, &value)) {
        if (++count > WIRE_PARAMETERS_MAX) {
            malformed(call, "The request has too many parameters.");
            return;
        }
        if (!add_path(call, root, name, value)) return;
    }
    struct json *tree = shape ? take_structure(call, shape, root) : json_new(call->arena, JSON_OBJECT);
    if (tree) call->input = tree;
}

/* ---- XML ---- */

static void add_escaped(struct buf *body, struct str text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *entity;
        switch (text.p[i]) {
        case '&': entity = "&amp;"; break;
        case '<': entity = "&lt;"; break;
        case '>': entity = "&gt;"; break;
        case '"': entity = "&quot;"; break;
        case '\r': entity = "&#xD;"; break;
        default:
            if ((unsigned char)text.p[i] >= 0x20 || text.p[i] == '\n' || text.p[i] == '\t') continue;
            entity = "\xef\xbf\xbd";        /* XML 1.0 has no way to write it: U+FFFD */
        }
        buf_add(body, str_slice(text, from, i));
        buf_add(body, str_of(entity));
        from = i + 1;
    }
    buf_add(body, str_slice(text, from, text.n));
}

static void add_tag(struct buf *body, const char *open, struct str name)
{
    buf_add(body, str_of(open));
    buf_add(body, name);
    buf_add_char(body, '>');
}

static void add_element(struct buf *body, const struct model *m, const struct model_member *member, struct str name,
                        const struct json *node);

static void add_members(struct buf *body, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &m->members[shape->members + i];
        const struct json *node = json_get(tree, model_member_name(m, member));
        if (node) add_element(body, m, member, model_member_wire(m, member), node);
    }
}

static void add_entry(struct buf *body, const struct model *m, const struct model_shape *map, struct str name, const struct json *node)
{
    const struct model_member *value = model_element(m, map, 1);
    struct str key = model_member_wire(m, model_element(m, map, 0));
    add_tag(body, "<", name);
    add_tag(body, "<", key);
    add_escaped(body, node->key);
    add_tag(body, "</", key);
    add_element(body, m, value, model_member_wire(m, value), node);
    add_tag(body, "</", name);
}

static void add_scalar(struct buf *body, const struct model_member *member, const struct model_shape *shape, const struct json *node)
{
    enum model_time time = member->time ? member->time : shape->time ? shape->time : MODEL_TIME_ISO8601;
    if (shape->type == MODEL_TIMESTAMP) buf_add(body, wire_time_text(body->arena, node, time));
    else if (node->type == JSON_TRUE) buf_lit(body, "true");
    else if (node->type == JSON_FALSE) buf_lit(body, "false");
    else add_escaped(body, node->text);
}

static void add_element(struct buf *body, const struct model *m, const struct model_member *member, struct str name,
                        const struct json *node)
{
    const struct model_shape *shape = &m->shapes[member->shape];
    bool flattened = (member->flags & MODEL_MEMBER_FLATTENED) || (shape->flags & MODEL_SHAPE_FLATTENED);
    if (shape->type == MODEL_LIST && flattened) {
        for JSON_EACH (child, node) add_element(body, m, model_element(m, shape, 0), name, child);
        return;
    }
    if (shape->type == MODEL_MAP && flattened) {
        for JSON_EACH (child, node) add_entry(body, m, shape, name, child);
        return;
    }
    add_tag(body, "<", name);
    if (shape->type == MODEL_STRUCTURE) {
        add_members(body, m, shape, node);
    } else if (shape->type == MODEL_LIST) {
        const struct model_member *element = model_element(m, shape, 0);
        for JSON_EACH (child, node) add_element(body, m, element, model_member_wire(m, element), child);
    } else if (shape->type == MODEL_MAP) {
        for JSON_EACH (child, node) add_entry(body, m, shape, STR("entry"), child);
    } else {
        add_scalar(body, member, shape, node);
    }
    add_tag(body, "</", name);
}

static void write_output(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->service->model;
    const struct model_shape *shape = model_output(m, call->operation);
    const char *name = model_text(m, call->operation->name);
    call_header(call, response, "Content-Type", STR("text/xml"));
    buf_printf(body, "<%sResponse xmlns=\"%s\">\n", name, m->xml_namespace);
    if (shape) {
        buf_printf(body, "<%sResult>", name);
        add_members(body, m, shape, call->output);
        buf_printf(body, "</%sResult>\n", name);
    }
    buf_printf(body, "<ResponseMetadata><RequestId>" STR_FMT "</RequestId></ResponseMetadata>\n</%sResponse>\n",
               STR_ARG(call->request_id), name);
}

static void write_error(struct call *call, struct buf *body, struct http_response *response)
{
    const struct model *m = call->service->model;
    const struct model_shape *shape = wire_error_shape(call);
    const char *code = shape && shape->error_code ? model_text(m, shape->error_code) : call->error_code;
    call_header(call, response, "Content-Type", STR("text/xml"));
    buf_printf(body, "<ErrorResponse xmlns=\"%s\">\n  <Error>\n    <Type>%s</Type>\n    <Code>%s</Code>\n    <Message>",
               m->xml_namespace, call->error_status < 500 ? "Sender" : "Receiver", code);
    add_escaped(body, call->error_message);
    buf_printf(body, "</Message>\n  </Error>\n  <RequestId>" STR_FMT "</RequestId>\n</ErrorResponse>\n", STR_ARG(call->request_id));
}

const struct wire_protocol wire_query = {find_operation, read_input, write_output, write_error};

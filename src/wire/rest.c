/* rest.c -- the located half of the REST protocols.
 *
 * Reading: the body first, then every member of the input with a place of its own, from there. A list collects all
 * occurrences of its parameter, or the elements of its header; a map of the query string all parameters that no other
 * member names, a map of headers all headers with its prefix. Writing goes the other way.
 * Times are ISO 8601 in paths and query strings and dates of HTTP in headers; readers take any of AWS's formats.
 * Source: "HTTP binding traits" of Smithy; error texts as Lambda and API Gateway write them. */
#include "wire/rest.h"
#include "base/codec.h"

#define HEADER_LIST_MAX 256     /* elements of a header */

static bool request_has(struct str name, const void *arg)
{
    return http_header_named(arg, name).p != NULL;
}

/* Whether one of its routes begins as the path does; a label takes anything. */
bool rest_owns(const struct model *m, const struct http_request *request)
{
    struct str path = str_slice(request->path, 1, request->path.n);
    struct str first = str_slice(path, 0, str_find(path, '/'));
    if (http_header(request, "x-amz-target").n)
        return false;
    for (size_t i = 0; i < m->route_count && first.n; i++) {
        struct str uri = str_of(model_text(m, m->operations[m->routes[i].operation].uri));
        uri = str_slice(uri, 1, uri.n);
        if (str_eq(first, str_slice(uri, 0, str_find(uri, '/'))))
            return true;
    }
    return false;
}

bool rest_find(struct call *call)
{
    const struct http_request *request = wire_http(call);
    struct model_request asked = {request->method, request->path, request->query, request_has, request};
    call->operation = model_operation_route(call->api->model, &asked);
    if (!call->operation)
        call_fault(call, FAULT_UNKNOWN_OPERATION, STR_NONE);
    return call->operation != NULL;
}

/* ---- reading ---- */

static bool refuse_text(struct call *call, const struct model_shape *shape, struct str text)
{
    static const char *const wanted[] = {
        [MODEL_BOOLEAN] = "Boolean", [MODEL_INTEGER] = "Integer", [MODEL_LONG] = "Long", [MODEL_FLOAT] = "Float",
        [MODEL_DOUBLE] = "Double", [MODEL_TIMESTAMP] = "Date", [MODEL_STRING] = "String", [MODEL_BLOB] = "String"};
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
    const struct model_shape *shape = &m->shapes[member->shape];
    struct json *node = bind_text(call, shape, text);
    if (!node)
        return refuse_text(call, shape, text);
    json_add_key(call->input, model_member_name(m, member), node);
    return true;
}

static bool add_to_list(struct call *call, struct json *tree, const struct model_shape *list, struct str text)
{
    const struct model *m = call->api->model;
    const struct model_shape *element = &m->shapes[model_element(m, list, 0)->shape];
    struct json *node = bind_text(call, element, text);
    if (!node)
        return refuse_text(call, element, text);
    json_add(tree, NULL, node);
    return true;
}

/* Adds the text to the member, a list that is made with its first element. */
static bool add_to_member(struct call *call, const struct model_member *member, struct str text)
{
    const struct model *m = call->api->model;
    struct str name = model_member_name(m, member);
    struct json *tree = json_get(call->input, name);
    if (!tree)
        tree = json_add_key(call->input, name, json_new(call->arena, JSON_ARRAY));
    return add_to_list(call, tree, &m->shapes[member->shape], text);
}

/* The parameters of a raw query string, one after the other. False at the end. */
static bool next_parameter(struct call *call, struct str *query, struct str *ret_name, struct str *ret_value)
{
    while (query->n) {
        struct str pair = str_cut(query, '&');
        if (!pair.n)
            continue;
        size_t equals = str_find(pair, '=');
        *ret_name = percent_decode(str_slice(pair, 0, equals), true, call->arena);
        *ret_value = percent_decode(str_slice(pair, equals + 1, pair.n), true, call->arena);
        return true;
    }
    return false;
}

static bool add_query_list(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    struct str rest = wire_http(call)->query, name, value;
    for (size_t n = 0; n < WIRE_PARAMETERS_MAX && next_parameter(call, &rest, &name, &value); n++) {
        bool own = str_eq(name, model_member_wire(m, member));
        if (own && !add_to_member(call, member, value))
            return false;
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
    const struct model_shape *input = model_input(m, call->operation), *shape = &m->shapes[member->shape];
    const struct model_shape *element = &m->shapes[model_element(m, shape, 1)->shape];
    bool lists = element->type == MODEL_LIST;
    struct str rest = wire_http(call)->query, name, value;
    struct json *map = NULL;
    for (size_t n = 0; n < WIRE_PARAMETERS_MAX && next_parameter(call, &rest, &name, &value); n++) {
        if (is_query_member(m, input, name))
            continue;
        if (!utf8_valid(name) || !utf8_valid(value))
            return refuse_text(call, shape, value);
        if (!map)
            map = json_add_key(call->input, model_member_name(m, member), json_new(call->arena, JSON_OBJECT));
        struct json *child = lists ? json_new(call->arena, JSON_ARRAY) : json_new_str(call->arena, value);
        json_add_key(map, name, child);
        if (lists && !add_to_list(call, child, element, value))
            return false;
    }
    if (map && lists)
        json_join_lists(map);
    else if (map)
        json_keep_last(map);
    return true;
}

static bool add_query(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    enum model_type type = m->shapes[member->shape].type;
    if (type == MODEL_LIST)
        return add_query_list(call, member);
    if (type == MODEL_MAP)
        return add_query_map(call, member);
    struct str rest = wire_http(call)->query, name, value;
    for (size_t n = 0; n < WIRE_PARAMETERS_MAX && next_parameter(call, &rest, &name, &value); n++) {
        if (str_eq(name, model_member_wire(m, member)))
            return add_text(call, member, value);
    }
    return true;
}

/* The next element of a header's list: up to a comma, or in quotes, where \" and \\ stand for themselves. A date of HTTP has
 * a comma within. False: a quote is not closed. */
static bool next_element(struct arena *arena, struct str *rest, bool date, struct str *ret)
{
    *rest = str_trim(*rest);
    if (!rest->n || rest->p[0] != '"') {
        size_t comma = str_find(*rest, ',');
        if (date && comma == 3 && comma < rest->n)
            comma = 4 + str_find(str_slice(*rest, 4, rest->n), ',');
        *ret = str_trim(str_slice(*rest, 0, comma));
        *rest = str_slice(*rest, comma + 1, rest->n);
        return true;
    }
    struct buf text;
    size_t at = 1;
    buf_init(&text, arena, rest->n);
    for (; at < rest->n && rest->p[at] != '"'; at++) {
        at += rest->p[at] == '\\' && at + 1 < rest->n;
        buf_add_char(&text, rest->p[at]);
    }
    bool closed = at < rest->n;
    *ret = buf_str(&text);
    *rest = str_trim(str_slice(*rest, at + 1, rest->n));
    bool comma = rest->n && rest->p[0] == ',';
    if (!closed || (rest->n && !comma))
        return false;
    *rest = str_slice(*rest, comma, rest->n);
    return true;
}

static bool add_header_list(struct call *call, const struct model_member *member, struct str text)
{
    const struct model *m = call->api->model;
    const struct model_shape *list = &m->shapes[member->shape];
    bool date = m->shapes[model_element(m, list, 0)->shape].type == MODEL_TIMESTAMP;
    struct str element;
    for (size_t n = 0; text.n; n++) {
        if (n == HEADER_LIST_MAX || !next_element(call->arena, &text, date, &element))
            return refuse_text(call, list, text);
        if (!add_to_member(call, member, element))
            return false;
    }
    return true;
}

/* JSON in a header is in base64. */
static bool add_header_json(struct call *call, const struct model_member *member, struct str text)
{
    struct str decoded;
    struct json *tree;
    if (base64_decode(text, call->arena, &decoded) != ERR_OK || json_parse(decoded, call->arena, &tree) != ERR_OK)
        return refuse_text(call, &call->api->model->shapes[member->shape], text);
    return add_text(call, member, decoded);
}

static bool add_header(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    struct str text = http_header(wire_http(call), model_text(m, member->wire));
    if (!text.p)
        return true;
    if (m->shapes[member->shape].type == MODEL_LIST)
        return add_header_list(call, member, text);
    return member->flags & MODEL_MEMBER_JSONVALUE ? add_header_json(call, member, text) : add_text(call, member, text);
}

static struct str lower_copy(struct arena *arena, struct str text)
{
    char *copy = arena_cstr(arena, text);
    for (size_t i = 0; i < text.n; i++)
        if (copy[i] >= 'A' && copy[i] <= 'Z')
            copy[i] = (char)(copy[i] + ('a' - 'A'));
    return (struct str){copy, text.n};
}

/* Every header with the member's prefix, in lower case and without it. */
static bool add_headers(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    const struct http_request *request = wire_http(call);
    struct str prefix = model_member_wire(m, member);
    struct json *map = NULL;
    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name, value = request->headers[i].value;
        if (name.n <= prefix.n || !str_eq_nocase(str_slice(name, 0, prefix.n), prefix))
            continue;
        if (!utf8_valid(value))
            return refuse_text(call, &m->shapes[member->shape], value);
        if (!map)
            map = json_add_key(call->input, model_member_name(m, member), json_new(call->arena, JSON_OBJECT));
        json_add_key(map, lower_copy(call->arena, str_slice(name, prefix.n, name.n)), json_new_str(call->arena, value));
    }
    if (map)
        json_keep_last(map);
    return true;
}

static bool add_located(struct call *call, const struct model_member *member)
{
    const struct model *m = call->api->model;
    struct str text;
    switch ((enum model_location)member->location) {
    case MODEL_IN_URI:
        if (!model_uri_value(m, call->operation, wire_http(call)->path, model_member_wire(m, member), &text))
            return true;
        return add_text(call, member, percent_decode(text, false, call->arena));
    case MODEL_IN_QUERY:
        return add_query(call, member);
    case MODEL_IN_HEADER:
        return add_header(call, member);
    case MODEL_IN_HEADERS:
        return add_headers(call, member);
    case MODEL_IN_STATUS:
    case MODEL_IN_BODY:
        return true;
    }
    return true;
}

static bool has_body_members(const struct model *m, const struct model_shape *shape)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        if (m->members[shape->members + i].location == MODEL_IN_BODY)
            return true;
    }
    return false;
}

/* A body that is one member: as it came (a blob, a string), or in the protocol's format. */
static bool read_payload_member(struct call *call, const struct model_shape *input, const struct rest_format *format)
{
    const struct model *m = call->api->model;
    const struct model_member *member = &m->members[input->members + input->payload - 1];
    const struct model_shape *shape = &m->shapes[member->shape];
    struct str body = wire_body(call);
    if (shape->type == MODEL_BLOB) {
        call->payload = body;
    } else if (shape->type == MODEL_STRING) {
        if (!utf8_valid(body))
            return refuse_text(call, shape, body);
        call->payload = body;
        if (body.n)
            json_add_key(call->input, model_member_name(m, member), json_new_str(call->arena, body));
    } else if (body.n && !(shape->flags & MODEL_SHAPE_EVENTSTREAM)) {
        struct json *tree = format->read(call, shape);
        if (!tree)
            return false;
        json_add_key(call->input, model_member_name(m, member), tree);
    }
    return true;
}

void rest_read(struct call *call, const struct rest_format *format)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = model_input(m, call->operation);
    call->input = json_new(call->arena, JSON_OBJECT);
    if (!shape)
        return;
    if (shape->payload) {
        if (!read_payload_member(call, shape, format))
            return;
    } else if (has_body_members(m, shape) && str_trim(wire_body(call)).n) {
        struct json *tree = format->read(call, shape);
        if (!tree)
            return;
        call->input = tree;
    }
    for (size_t i = 0; i < shape->member_count; i++) {
        if (!add_located(call, &m->members[shape->members + i]))
            return;
    }
}

/* ---- writing ---- */

static struct str header_value(struct arena *arena, const struct model_member *member, const struct model_shape *shape,
                               const struct json *node)
{
    enum model_time time = member->time ? member->time : shape->time ? shape->time : MODEL_TIME_RFC822;
    if (shape->type == MODEL_TIMESTAMP)
        return wire_time_text(arena, node, time);
    if (node->type == JSON_TRUE)
        return STR("true");
    if (node->type == JSON_FALSE)
        return STR("false");
    return node->text;
}

static void add_element(struct buf *buf, struct str text, bool may_quote)
{
    bool quoted = may_quote && text.n && (memchr(text.p, ',', text.n) || memchr(text.p, '"', text.n));
    if (!quoted) {
        buf_add(buf, text);
        return;
    }
    buf_add_char(buf, '"');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || text.p[i] == '\\')
            buf_add_char(buf, '\\');
        buf_add_char(buf, text.p[i]);
    }
    buf_add_char(buf, '"');
}

static struct str header_text(struct call *call, const struct model_member *member, const struct json *node)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = &m->shapes[member->shape];
    struct buf buf;
    if (shape->type != MODEL_LIST && !(member->flags & MODEL_MEMBER_JSONVALUE))
        return header_value(call->arena, member, shape, node);
    buf_init(&buf, call->arena, WIRE_ANSWER_BYTES_MAX);
    if (shape->type != MODEL_LIST) {
        base64_write(&buf, node->text);
        return buf_str(&buf);
    }
    const struct model_member *element = model_element(m, shape, 0);
    const struct model_shape *element_shape = &m->shapes[element->shape];
    for JSON_EACH (child, node) {
        if (child != node->first)
            buf_lit(&buf, ", ");
        add_element(&buf, header_value(call->arena, element, element_shape, child), element_shape->type == MODEL_STRING);
    }
    return buf_str(&buf);
}

static void write_headers(struct call *call, const struct model_member *member, const struct json *map,
                          struct http_response *response)
{
    const char *prefix = model_text(call->api->model, member->wire);
    for JSON_EACH (child, map)
        wire_header(call, response, arena_printf(call->arena, "%s" STR_FMT, prefix, STR_ARG(child->key)).p, child->text);
}

bool rest_write_located(struct call *call, const struct model_shape *shape, const struct json *tree, struct http_response *response)
{
    const struct model *m = call->api->model;
    bool typed = false;
    for JSON_EACH (child, tree) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        int64_t status;
        if (!member || child->type == JSON_NULL)
            continue;
        if (member->location == MODEL_IN_HEADER) {
            wire_header(call, response, model_text(m, member->wire), header_text(call, member, child));
            typed = typed || str_eq_nocase(model_member_wire(m, member), STR("Content-Type"));
        } else if (member->location == MODEL_IN_HEADERS) {
            write_headers(call, member, child, response);
        } else if (member->location == MODEL_IN_STATUS && json_is_integer(child, &status)) {
            response->status = (int)status;
        }
    }
    return typed;
}

/* A blob or string is the body as it is; given raw, or within the tree. */
static const char *write_raw(struct call *call, const struct model_shape *shape, const struct json *node,
                             struct http_response *response)
{
    bool blob = shape->type == MODEL_BLOB;
    if (call->has_output_payload)
        response->body = call->output_payload;
    else if (node && blob)
        base64_decode(node->text, call->arena, &response->body);
    else if (node)
        response->body = node->text;
    return blob ? "application/octet-stream" : "text/plain";
}

static bool has_type(const struct call *call)
{
    for (size_t i = 0; i < call->header_count; i++)
        if (str_eq_nocase(call->headers[i].name, STR("Content-Type")))
            return true;
    return false;
}

void rest_write(struct call *call, struct buf *body, struct http_response *response, const struct rest_format *format)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = model_output(m, call->operation);
    const char *type = format->media_type;
    if (!shape)
        return;
    bool typed = rest_write_located(call, shape, call->output, response) || has_type(call);
    if (response->status == 204)
        return;
    if (shape->payload) {
        const struct model_member *member = &m->members[shape->members + shape->payload - 1];
        const struct model_shape *payload = &m->shapes[member->shape];
        const struct json *node = json_get(call->output, model_member_name(m, member));
        bool raw = payload->type == MODEL_BLOB || payload->type == MODEL_STRING;
        if (raw)
            type = write_raw(call, payload, node, response);
        else if (node)
            format->write(call, body, member, payload, node);
    } else {
        format->write(call, body, NULL, shape, call->output);
    }
    if (!typed)
        wire_header(call, response, "Content-Type", str_of(type));
}

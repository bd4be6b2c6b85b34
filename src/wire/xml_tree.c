/* xml_tree.c -- the walks of xml_tree.h: a shape and an element, or a shape and a tree, side by side.
 *
 *   list   <Name><member>…</member>…</Name>                        flattened: <Name>…</Name><Name>…</Name>
 *   map    <Name><entry><key>k</key><value>…</value></entry>…      flattened: <Name><key>k</key><value>…</value></Name>…
 *
 * Timestamps are ISO 8601 unless the member or the shape says otherwise; blobs are base64; a structure's members may be
 * attributes of its element. Depth is that of the document (XML_DEPTH_MAX) or of the tree. */
#include "wire/xml_tree.h"
#include "base/codec.h"

static bool is_flattened(const struct model_member *member, const struct model_shape *shape)
{
    return (member->flags & MODEL_MEMBER_FLATTENED) || (shape->flags & MODEL_SHAPE_FLATTENED);
}

struct str xml_tree_flat_name(const struct model *m, const struct model_member *member)
{
    const struct model_shape *shape = &m->shapes[member->shape];
    const struct model_member *element = shape->type == MODEL_LIST ? model_element(m, shape, 0) : NULL;
    return model_member_wire(m, element && element->wire != element->name ? element : member);
}

/* ---- reading ---- */

static struct json *xml_refuse(struct call *call, const char *what, struct str name)
{
    name = str_slice(name, 0, 128);
    call_fault(call, FAULT_SERIALIZATION, arena_printf(call->arena, "The element " STR_FMT " %s.", STR_ARG(name), what));
    return NULL;
}

static const struct xml_node *child_named(const struct xml_node *first, struct str name)
{
    for (; first; first = first->next)
        if (str_eq(first->name, name))
            return first;
    return NULL;
}

static struct json *xml_scalar(struct call *call, const struct model_shape *shape, struct str name, struct str text)
{
    struct str bytes;
    bool string = shape->type == MODEL_STRING;
    struct json *node = bind_text(call, shape, string ? text : str_trim(text));
    if (node && shape->type == MODEL_BLOB && base64_decode(node->text, call->arena, &bytes) != ERR_OK)
        node = NULL;
    return node ? node : xml_refuse(call, "has a value of another type", name);
}

/* Elements named `name` among `node` and those behind it. */
static struct json *xml_elements(struct call *call, const struct model_shape *list, struct str name, const struct xml_node *node)
{
    const struct model *m = call->api->model;
    const struct model_shape *element = &m->shapes[model_element(m, list, 0)->shape];
    struct json *tree = json_new(call->arena, JSON_ARRAY);
    for (; node; node = node->next) {
        if (!str_eq(node->name, name))
            continue;
        struct json *child = xml_tree_bind(call, element, node);
        if (!child)
            return NULL;
        json_add(tree, NULL, child);
    }
    return tree;
}

static struct json *xml_entries(struct call *call, const struct model_shape *map, struct str name, const struct xml_node *node)
{
    const struct model *m = call->api->model;
    const struct model_member *key = model_element(m, map, 0), *value = model_element(m, map, 1);
    struct json *tree = json_new(call->arena, JSON_OBJECT);
    for (; node; node = node->next) {
        if (!str_eq(node->name, name))
            continue;
        const struct xml_node *key_node = child_named(node->first, model_member_wire(m, key));
        const struct xml_node *value_node = child_named(node->first, model_member_wire(m, value));
        if (!key_node || !value_node)
            return xml_refuse(call, "is no entry of a map", name);
        struct json *child = xml_tree_bind(call, &m->shapes[value->shape], value_node);
        if (!child)
            return NULL;
        json_add_key(tree, key_node->text, child);
    }
    json_keep_last(tree);
    return tree;
}

/* A member that is there, as a node; NULL: it is not, or call_fault was called. */
static struct json *xml_member(struct call *call, const struct model_member *member, const struct xml_node *node)
{
    const struct model *m = call->api->model;
    const struct model_shape *shape = &m->shapes[member->shape];
    struct str wire = model_member_wire(m, member);
    if (member->flags & MODEL_MEMBER_ATTRIBUTE) {
        for (const struct xml_attribute *a = node->attributes; a; a = a->next)
            if (str_eq(a->name, wire))
                return xml_scalar(call, shape, wire, a->value);
        return NULL;
    }
    bool list = shape->type == MODEL_LIST, map = shape->type == MODEL_MAP, flat = (list || map) && is_flattened(member, shape);
    if (flat)
        wire = xml_tree_flat_name(m, member);
    const struct xml_node *child = child_named(node->first, wire);
    if (!child)
        return NULL;
    if (flat)
        return list ? xml_elements(call, shape, wire, child) : xml_entries(call, shape, wire, child);
    return xml_tree_bind(call, shape, child);
}

static struct json *xml_structure(struct call *call, const struct model_shape *shape, const struct xml_node *node)
{
    const struct model *m = call->api->model;
    struct json *tree = json_new(call->arena, JSON_OBJECT);
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &m->members[shape->members + i];
        if (member->location != MODEL_IN_BODY)
            continue;
        struct json *child = xml_member(call, member, node);
        if (child)
            json_add_key(tree, model_member_name(m, member), child);
        else if (call->failed)
            return NULL;
    }
    if ((shape->flags & MODEL_SHAPE_UNION) && tree->count != 1)
        return xml_refuse(call, "must have exactly one member", node->name);
    return tree;
}

struct json *xml_tree_bind(struct call *call, const struct model_shape *shape, const struct xml_node *node)
{
    const struct model *m = call->api->model;
    if (!wire_may_grow(call))
        return NULL;
    if (shape->type == MODEL_STRUCTURE)
        return xml_structure(call, shape, node);
    if (shape->type == MODEL_LIST)
        return xml_elements(call, shape, model_member_wire(m, model_element(m, shape, 0)), node->first);
    if (shape->type == MODEL_MAP)
        return xml_entries(call, shape, STR("entry"), node->first);
    if (node->first)
        return xml_refuse(call, "has elements where a value is expected", node->name);
    return xml_scalar(call, shape, node->name, node->text);
}

/* ---- writing ---- */

static struct str xml_value(const struct xml_writer *w, const struct model_member *member, const struct model_shape *shape,
                            const struct json *node)
{
    enum model_time time = member->time ? member->time : shape->time ? shape->time : MODEL_TIME_ISO8601;
    struct json whole = *node;
    if (w->whole_seconds)
        whole.text = str_slice(node->text, 0, str_find(node->text, '.'));
    if (shape->type == MODEL_TIMESTAMP)
        return wire_time_text(w->body->arena, &whole, time);
    if (node->type == JSON_TRUE)
        return STR("true");
    return node->type == JSON_FALSE ? STR("false") : node->text;
}

static void add_namespace(struct buf *buf, const struct model *m, unsigned index)
{
    const struct model_namespace *space = &m->namespaces[index];
    if (!index)
        return;
    buf_lit(buf, " xmlns");
    if (space->prefix)
        buf_printf(buf, ":%s", model_text(m, space->prefix));
    buf_printf(buf, "=\"%s\"", model_text(m, space->uri));
}

static bool has_attributes(const struct model *m, const struct model_shape *shape)
{
    for (size_t i = 0; shape->type == MODEL_STRUCTURE && i < shape->member_count; i++)
        if (m->members[shape->members + i].flags & MODEL_MEMBER_ATTRIBUTE)
            return true;
    return false;
}

struct str xml_tree_attributes(struct xml_writer *w, const struct model *m, const struct model_member *member,
                               const struct model_shape *shape, const struct json *tree)
{
    unsigned space = member && member->xml_namespace ? member->xml_namespace : shape->xml_namespace;
    bool own = has_attributes(m, shape);
    struct buf buf;
    if (!space && !own)
        return STR_NONE;
    buf_init(&buf, w->body->arena, w->body->max);
    add_namespace(&buf, m, space);
    for (size_t i = 0; own && i < shape->member_count; i++) {
        const struct model_member *attribute = &m->members[shape->members + i];
        const struct json *node = json_get(tree, model_member_name(m, attribute));
        if (!node || !(attribute->flags & MODEL_MEMBER_ATTRIBUTE))
            continue;
        buf_printf(&buf, " %s=\"", model_text(m, attribute->wire));
        xml_write_text(&buf, xml_value(w, attribute, &m->shapes[attribute->shape], node));
        buf_add_char(&buf, '"');
    }
    return buf_str(&buf);
}

static void xml_element(struct xml_writer *w, const struct model *m, const struct model_member *member, struct str name,
                        const struct json *node);

static void xml_map_entries(struct xml_writer *w, const struct model *m, const struct model_shape *map, struct str name,
                            const struct json *node)
{
    const struct model_member *key = model_element(m, map, 0), *value = model_element(m, map, 1);
    for JSON_EACH (child, node) {
        xml_open(w, name, STR_NONE);
        xml_leaf(w, model_member_wire(m, key), xml_tree_attributes(w, m, key, &m->shapes[key->shape], NULL), child->key);
        xml_element(w, m, value, model_member_wire(m, value), child);
        xml_close(w, name);
    }
}

static void xml_element(struct xml_writer *w, const struct model *m, const struct model_member *member, struct str name,
                        const struct json *node)
{
    const struct model_shape *shape = &m->shapes[member->shape];
    bool list = shape->type == MODEL_LIST, map = shape->type == MODEL_MAP;
    bool within = !is_flattened(member, shape) || (!list && !map);
    struct str attributes = within ? xml_tree_attributes(w, m, member, shape, node) : STR_NONE;
    if (!list && !map && shape->type != MODEL_STRUCTURE) {
        xml_leaf(w, name, attributes, xml_value(w, member, shape, node));
        return;
    }
    if (within && !node->first) {
        xml_empty(w, name, attributes);
        return;
    }
    const struct model_member *element = list ? model_element(m, shape, 0) : NULL;
    struct str inner = !within ? xml_tree_flat_name(m, member) : list ? model_member_wire(m, element) : STR("entry");
    if (within)
        xml_open(w, name, attributes);
    if (list)
        for JSON_EACH (child, node)
            xml_element(w, m, element, inner, child);
    else if (map)
        xml_map_entries(w, m, shape, inner, node);
    else
        xml_tree_members(w, m, shape, node);
    if (within)
        xml_close(w, name);
}

void xml_tree_members(struct xml_writer *w, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    for (size_t i = 0; i < shape->member_count; i++) {
        const struct model_member *member = &m->members[shape->members + i];
        const struct json *node = json_get(tree, model_member_name(m, member));
        if (node && node->type != JSON_NULL && member->location == MODEL_IN_BODY && !(member->flags & MODEL_MEMBER_ATTRIBUTE))
            xml_element(w, m, member, model_member_wire(m, member), node);
    }
}

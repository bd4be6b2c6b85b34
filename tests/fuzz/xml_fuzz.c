/* xml_fuzz.c -- wire/xml.h on any bytes. Properties: depth and nodes are within their bounds, counts are right, names and text are
 * valid UTF-8; what was read, written and read again is the same tree; a document type is never let through. */
#include "base/codec.h"
#include "base/panic.h"
#include "wire/xml.h"

static size_t check_node(const struct xml_node *node, unsigned depth)
{
    size_t nodes = 1, count = 0;
    ENSURE(depth <= XML_DEPTH_MAX);
    ENSURE(utf8_valid(node->name) && utf8_valid(node->text));
    for (const struct xml_attribute *a = node->attributes; a; a = a->next, nodes++)
        ENSURE(a->name.n && utf8_valid(a->name) && utf8_valid(a->value));
    for (const struct xml_node *child = node->first; child; child = child->next, count++) {
        nodes += check_node(child, depth + 1);
        ENSURE(child->next || child == node->last);
    }
    ENSURE(count == node->count);
    return nodes;
}

/* Attributes have lost their namespaces' declarations only if those were none: prefixes are written as they came. */
static void write_node(struct xml_writer *w, const struct xml_node *node)
{
    struct buf attributes;
    buf_init(&attributes, w->body->arena, 1 << 22);
    for (const struct xml_attribute *a = node->attributes; a; a = a->next) {
        buf_add_char(&attributes, ' ');
        buf_add(&attributes, a->name);
        buf_lit(&attributes, "=\"");
        for (size_t i = 0; i < a->value.n; i++)     /* white space in attributes is normalised when it is read */
            if (a->value.p[i] == '\n' || a->value.p[i] == '\t')
                buf_printf(&attributes, "&#%d;", a->value.p[i]);
            else
                xml_write_text(&attributes, str_slice(a->value, i, i + 1));
        buf_add_char(&attributes, '"');
    }
    if (!node->first) {
        xml_leaf(w, node->name, buf_str(&attributes), node->text);
        return;
    }
    xml_open(w, node->name, buf_str(&attributes));
    xml_write_text(w->body, node->text);
    for (const struct xml_node *child = node->first; child; child = child->next)
        write_node(w, child);
    xml_close(w, node->name);
}

static bool same(const struct xml_node *a, const struct xml_node *b)
{
    const struct xml_attribute *x = a->attributes, *y = b->attributes;
    for (; x && y; x = x->next, y = y->next)
        if (!str_eq(x->name, y->name) || !str_eq(x->value, y->value))
            return false;
    if (x || y || !str_eq(a->name, b->name) || !str_eq(a->text, b->text) || a->count != b->count)
        return false;
    const struct xml_node *p = a->first, *q = b->first;
    for (; p && same(p, q); p = p->next)
        q = q->next;
    return p == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct xml_node *root = NULL, *again = NULL;
    struct str text = {(const char *)data, size};
    enum err err = xml_parse(text, arena, &root);
    ENSURE((err == ERR_OK) == (root != NULL));
    if (root) {
        struct buf buf;
        struct xml_writer w = {.body = &buf};
        ENSURE(check_node(root, 1) <= XML_NODES_MAX);
        buf_init(&buf, arena, 1 << 26);
        write_node(&w, root);
        ENSURE(!buf.failed && xml_parse(buf_str(&buf), arena, &again) == ERR_OK && same(root, again));
    }
    arena_free(arena);
    return 0;
}

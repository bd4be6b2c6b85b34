/* xml.c -- the tree of xml.h, from expat's events; and the writer.
 *
 * expat sees the whole document at once, so nothing of it is kept but the tree. Its handlers count depth and nodes and stop
 * the parser at a bound, or when the memory budget has no room; a document type stops it before the first declaration is
 * read, so there is no entity but the five of XML.
 *
 * Character data comes in runs, of an element between its children. They are gathered in a buffer for each depth, which goes
 * from element to element, and copied when the element ends: all of these buffers together are no longer than twice the
 * document, whose bytes were counted when they came. */
#include "wire/xml.h"
#include "base/panic.h"
#include <expat.h>

struct xml_reader {
    XML_Parser parser;
    struct arena *arena;
    struct xml_node *root;
    struct xml_node *open[XML_DEPTH_MAX];
    struct buf text[XML_DEPTH_MAX]; /* of the open elements */
    unsigned depth;
    size_t nodes;
    enum err stopped; /* why; expat may still end an empty element then */
};

static struct str xml_copy(struct xml_reader *r, const char *text)
{
    return arena_dup(r->arena, str_of(text));
}

static void xml_stop(struct xml_reader *r, enum err why)
{
    r->stopped = why;
    XML_StopParser(r->parser, XML_FALSE);
}

/* Whether there may be one more, of elements and attributes together. */
static bool xml_count(struct xml_reader *r)
{
    enum err over = arena_over_next(r->arena, &r->nodes);
    if (r->nodes > XML_NODES_MAX)
        over = ERR_INVALID;
    if (over != ERR_OK)
        xml_stop(r, over);
    return over == ERR_OK;
}

/* Without its prefix, if that is what stands before the colon ("Namespaces in XML 1.0"); other names stay as they are. */
static const char *local_name(const char *name)
{
    const char *colon = strchr(name, ':');
    bool qualified = colon && colon != name && colon[1] && !strchr("-.0123456789", colon[1]) && !strchr(colon + 1, ':') &&
                     (colon[1] & 0x80) == 0;
    return qualified ? colon + 1 : name;
}

static void XMLCALL on_start(void *arg, const char *name, const char **attributes)
{
    struct xml_reader *r = arg;
    if (r->depth == XML_DEPTH_MAX) {
        xml_stop(r, ERR_INVALID);
        return;
    }
    if (!xml_count(r))
        return;
    struct xml_node *node = arena_new_of(r->arena, struct xml_node), *parent = r->depth ? r->open[r->depth - 1] : NULL;
    struct xml_attribute **at = &node->attributes;
    node->name = xml_copy(r, local_name(name));
    for (; attributes[0]; attributes += 2) {
        if (!xml_count(r))
            return;
        *at = arena_new_of(r->arena, struct xml_attribute);
        (*at)->name = xml_copy(r, attributes[0]);
        (*at)->value = xml_copy(r, attributes[1]);
        at = &(*at)->next;
    }
    if (!parent) {
        r->root = node;
    } else {
        if (parent->last)
            parent->last->next = node;
        else
            parent->first = node;
        parent->last = node;
        parent->count++;
    }
    buf_reset(&r->text[r->depth]);
    r->open[r->depth++] = node;
}

static void XMLCALL on_end(void *arg, const char *name)
{
    struct xml_reader *r = arg;
    (void)name;
    if (r->stopped != ERR_OK)
        return;
    r->depth--;
    if (r->text[r->depth].n)
        r->open[r->depth]->text = arena_dup(r->arena, buf_str(&r->text[r->depth]));
}

static void XMLCALL on_text(void *arg, const char *text, int n)
{
    struct xml_reader *r = arg;
    if (r->stopped != ERR_OK)
        return;
    buf_add(&r->text[r->depth - 1], (struct str){text, (size_t)n});
}

static void XMLCALL on_doctype(void *arg, const char *name, const char *system, const char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    xml_stop(arg, ERR_INVALID);
}

enum err xml_parse(struct str text, struct arena *arena, struct xml_node **ret)
{
    struct xml_reader *r = arena_new_of(arena, struct xml_reader);
    if (text.n > INT32_MAX)
        return ERR_INVALID;
    r->parser = XML_ParserCreate("UTF-8");
    ENSURE(r->parser);
    r->arena = arena;
    for (size_t i = 0; i < XML_DEPTH_MAX; i++)
        buf_init(&r->text[i], NULL, text.n); /* character data is no longer than the document */
    XML_SetUserData(r->parser, r);
    XML_SetElementHandler(r->parser, on_start, on_end);
    XML_SetCharacterDataHandler(r->parser, on_text);
    XML_SetStartDoctypeDeclHandler(r->parser, on_doctype);
    enum XML_Status status = XML_Parse(r->parser, text.p ? text.p : "", (int)text.n, XML_TRUE);
    ENSURE(XML_GetErrorCode(r->parser) != XML_ERROR_NO_MEMORY);
    XML_ParserFree(r->parser);
    for (size_t i = 0; i < XML_DEPTH_MAX; i++)
        buf_clear(&r->text[i]);
    if (status != XML_STATUS_OK)
        return r->stopped != ERR_OK ? r->stopped : ERR_INVALID;
    *ret = r->root;
    return ERR_OK;
}

/* ---- writing ---- */

void xml_write_text(struct buf *body, struct str text)
{
    size_t from = 0;
    for (size_t i = 0; i < text.n; i++) {
        const char *entity;
        switch (text.p[i]) {
        case '&':
            entity = "&amp;";
            break;
        case '<':
            entity = "&lt;";
            break;
        case '>':
            entity = "&gt;";
            break;
        case '"':
            entity = "&quot;";
            break;
        case '\r':
            entity = "&#xD;";
            break;
        default:
            if ((unsigned char)text.p[i] >= 0x20 || text.p[i] == '\n' || text.p[i] == '\t')
                continue;
            entity = "\xef\xbf\xbd";        /* XML 1.0 has no way to write it: U+FFFD */
        }
        buf_add(body, str_slice(text, from, i));
        buf_add(body, str_of(entity));
        from = i + 1;
    }
    buf_add(body, str_slice(text, from, text.n));
}

static void xml_begin(struct xml_writer *w, const char *open, struct str name, struct str attributes)
{
    static const char spaces[] = "                                ";
    if (w->indented && w->depth)
        buf_add(w->body, str_slice(STR(spaces), 0, (size_t)w->depth * 2));
    buf_add(w->body, str_of(open));
    buf_add(w->body, name);
    buf_add(w->body, attributes);
}

static void xml_end_line(struct xml_writer *w)
{
    if (w->indented)
        buf_add_char(w->body, '\n');
}

void xml_open(struct xml_writer *w, struct str name, struct str attributes)
{
    xml_begin(w, "<", name, attributes);
    buf_add_char(w->body, '>');
    xml_end_line(w);
    w->depth++;
}

void xml_close(struct xml_writer *w, struct str name)
{
    w->depth--;
    xml_begin(w, "</", name, STR_NONE);
    buf_add_char(w->body, '>');
    xml_end_line(w);
}

void xml_leaf(struct xml_writer *w, struct str name, struct str attributes, struct str text)
{
    xml_begin(w, "<", name, attributes);
    buf_add_char(w->body, '>');
    xml_write_text(w->body, text);
    buf_lit(w->body, "</");
    buf_add(w->body, name);
    buf_add_char(w->body, '>');
    xml_end_line(w);
}

void xml_empty(struct xml_writer *w, struct str name, struct str attributes)
{
    xml_begin(w, "<", name, attributes);
    buf_lit(w->body, "/>");
    xml_end_line(w);
}

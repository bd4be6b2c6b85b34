/* xml.h -- XML as the protocols rest-xml and query have it: a request's document as a tree, and a writer for answers.
 * A document is UTF-8, whatever it declares, and has no document type: with a DTD go entities and everything they can do.
 * Source: XML 1.0 (fifth edition); "AWS restXml protocol" of Smithy. */
#ifndef CLOUDLESS_WIRE_XML_H
#define CLOUDLESS_WIRE_XML_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define XML_DEPTH_MAX 128               /* of elements within elements */
#define XML_NODES_MAX (1u << 18)        /* elements and attributes of a document: lists of a thousand keys have some thousands */

struct xml_attribute {
    struct str name, value;             /* the name as written, with its prefix */
    struct xml_attribute *next;
};
struct xml_node {
    struct str name;                    /* without its prefix */
    struct str text;                    /* all character data directly within, joined */
    struct xml_attribute *attributes;
    struct xml_node *first, *last, *next;
    size_t count;                       /* children */
};

/* ERR_INVALID: not well-formed, a document type, or beyond the bounds; ERR_BUSY, ERR_TOO_LARGE: the arena is over its budget
 * (budget.h). *ret untouched on failure. */
enum err xml_parse(struct str text, struct arena *arena, struct xml_node **ret);

/* ---- writing ---- */

struct xml_writer {
    struct buf *body;
    bool indented;              /* an element a line, two spaces a level; else all on one line */
    bool whole_seconds;         /* times without their fraction, as query's services write them */
    unsigned depth;
};
/* Character data and attribute values. What XML has no way to say becomes U+FFFD. */
void xml_write_text(struct buf *body, struct str text);
/* <name attributes>; attributes is STR_NONE, or text that begins with a space, escaped already. */
void xml_open(struct xml_writer *w, struct str name, struct str attributes);
void xml_close(struct xml_writer *w, struct str name);
void xml_leaf(struct xml_writer *w, struct str name, struct str attributes, struct str text);
void xml_empty(struct xml_writer *w, struct str name, struct str attributes);       /* <name/> */
#endif

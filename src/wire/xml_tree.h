/* xml_tree.h -- between XML and trees of the model: rest-xml both ways, query's answers. Inside src/wire. */
#ifndef CLOUDLESS_WIRE_XML_TREE_H
#define CLOUDLESS_WIRE_XML_TREE_H
#include "wire/wire.h"
#include "wire/xml.h"

/* An element as a node of the input tree; unknown elements are ignored, as AWS does. NULL: call_fault was called. */
struct json *xml_tree_bind(struct call *call, const struct model_shape *shape, const struct xml_node *node);
/* What the elements of a flattened list or map are called: as the list's own element, if that has a name, else as the member. */
struct str xml_tree_flat_name(const struct model *m, const struct model_member *member);
/* The members of a structure that travel in the body, in the model's order. */
void xml_tree_members(struct xml_writer *w, const struct model *m, const struct model_shape *shape, const struct json *tree);
/* What stands in the start tag of an element: its namespace, and members that are attributes. `member` may be NULL. */
struct str xml_tree_attributes(struct xml_writer *w, const struct model *m, const struct model_member *member,
                               const struct model_shape *shape, const struct json *tree);
#endif

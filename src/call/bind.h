/* bind.h -- from what a client sent to the input tree that handlers see. */
#ifndef CLOUDLESS_CALL_BIND_H
#define CLOUDLESS_CALL_BIND_H
#include "call/call.h"

/* A parsed body becomes an input tree, in place: names of the model, no unknown members, no nulls, types checked, timestamps
 * as epoch seconds. False: call_fail was called. */
bool bind_tree(struct call *call, const struct model_shape *shape, struct json *tree);
/* The same of a tree that was made inside the program: members may have the model's names too, and those that travel outside of
 * the body on the wire are among them. */
bool bind_named_tree(struct call *call, const struct model_shape *shape, struct json *tree);
/* Text that travelled in a URI, header, query string or form, as a node of the shape's type; NULL: it is not of that type. */
struct json *bind_text(struct call *call, const struct model_shape *shape, struct str text);
#endif

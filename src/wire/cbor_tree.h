/* cbor_tree.h -- between CBOR (RFC 8949) and trees of the model, for the protocol smithy-rpc-v2-cbor. Inside src/wire.
 * Reading takes what that protocol allows: numbers of any width, halves to doubles, strings, arrays and maps of definite and
 * of unknown length, timestamps as epoch seconds behind tag 1; other tags are passed over, null is an absent member. */
#ifndef CLOUDLESS_WIRE_CBOR_TREE_H
#define CLOUDLESS_WIRE_CBOR_TREE_H
#include "wire/wire.h"

#define CBOR_TREE_DEPTH_MAX 128         /* of arrays, maps and tags within each other */
#define CBOR_TREE_NODES_MAX (1u << 20)  /* values of a body */

/* The body as an input tree: one value, and nothing behind it. NULL: call_fault was called. */
struct json *cbor_tree_bind(struct call *call, const struct model_shape *shape, struct str body);
/* A tree with the model's names, as any answer is; members that do not travel in the body are left out. */
void cbor_tree_write(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree);
void cbor_tree_write_text(struct buf *buf, struct str text);
void cbor_tree_write_map(struct buf *buf, size_t count);        /* that many pairs follow */
#endif

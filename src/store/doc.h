/* doc.h -- metadata documents: one JSON document per resource, one collection per account, region and type.
 * A stored document is a format version byte (1) and JSON text. All functions work on a reader or inside a mutation. */
#ifndef CLOUDLESS_STORE_DOC_H
#define CLOUDLESS_STORE_DOC_H
#include "base/json.h"
#include "store/store.h"

/* "account/region/type": IAM's region is "aws-global". */
struct str doc_collection(struct arena *arena, struct str account, struct str region, const char *type);
enum err doc_get(struct store_txn *txn, struct store_key key, struct arena *arena, struct json **ret);
void doc_put(struct store_txn *txn, struct store_key key, const struct json *document, struct arena *arena);
/* Documents of a collection in key order: at most `limit` with keys above `after` (STR_NONE: all) and beginning with
 * `prefix`. Returns an array of objects {"k": key, "d": document}; *ret_more: others follow. */
enum err doc_list(struct store_txn *txn, uint64_t space, struct str collection, struct str prefix, struct str after,
                  size_t limit, struct arena *arena, struct json **ret, bool *ret_more);
#endif

/* function_doc.h -- a function as the store has it. Folder-internal.
 * A document in LAMBDA_SPACE, collection ACCOUNT/REGION/function, key: name:
 *   {"config": FunctionConfiguration as it is answered, "blob": SHA-256 of the package, "tags": {…}, "statements": […],
 *    "bearers": {Sid: unique id of the user or role that the statement names} } */
#ifndef CLOUDLESS_SERVICES_LAMBDA_FUNCTION_DOC_H
#define CLOUDLESS_SERVICES_LAMBDA_FUNCTION_DOC_H
#include "base/json.h"
#include "store/store.h"

#define LAMBDA_SPACE 4                  /* of its documents in the store; on disk, so never another */

struct store_key lambda__key(struct arena *arena, struct str account, struct str region, struct str name);
/* The resource policy, STR_NONE without statements. With a txn as GetPolicy answers it; with NULL for decisions: users and roles by
 * their unique ids, so one made again under a name that a statement has is not meant by it. */
struct str lambda__policy_text(struct json *doc, struct store_txn *txn, struct arena *arena);
#endif

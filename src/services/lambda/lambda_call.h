/* lambda_call.h -- what operations share: the service behind a call, the function that it names. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_LAMBDA_CALL_H
#define CLOUDLESS_SERVICES_LAMBDA_LAMBDA_CALL_H
#include "call/call.h"
#include "services/lambda/lambda_parts.h"

struct lambda *lambda__of(const struct call *call);
struct store_txn *lambda__reader(const struct call *call);

struct lambda__named {
    struct str name, qualifier; /* qualifier: of the name or beside it, if any */
};
/* What a call's FunctionName, or Resource, and Qualifier say; false after call_fail. */
bool lambda__call_named(struct call *call, struct lambda__named *ret);
/* ResourceNotFoundException, of what was asked for. */
void lambda__fail_not_found(struct call *call, const struct lambda__named *named);
/* The function a call names (name, partial or whole ARN, qualifier $LATEST); false after call_fail. */
bool lambda__call_name(struct call *call, struct str *ret_name);
/* Its document; false after call_fail. */
bool lambda__call_doc(struct call *call, struct store_txn *txn, struct json **ret);
void lambda__put_doc(struct call *call, struct store_txn *txn, struct str name, struct json *doc);
/* Is the call's RevisionId the document's, or is there none? False after call_fail; `api` is what it says to ask again. */
bool lambda__revision_fits(struct call *call, struct json *doc, const char *api);
#endif

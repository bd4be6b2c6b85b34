/* lambda_call.c -- from a call to its service and to the function that it names, with AWS's words when there is none. */
#include "services/lambda/lambda_call.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/function_name.h"
#include "call/call_doc.h"
#include "store/doc.h"

struct lambda *lambda__of(const struct call *call)
{
    return call->service_state;
}

struct store_txn *lambda__reader(const struct call *call)
{
    return store_reader(lambda__of(call)->platform->store);
}

static void fail_not_found(struct call *call, struct str name)
{
    struct str arn = lambda__function_arn(call->arena, call->account, call->region, name);
    call_fail(call, "ResourceNotFoundException", "Function not found: " STR_FMT, STR_ARG(arn));
}

bool lambda__call_name(struct call *call, struct str *ret_name)
{
    struct str account, region, name, qualifier, text = call_str(call, "FunctionName"), wanted = call_str(call, "Qualifier");
    if (call_has(call, "Resource"))
        text = call_str(call, "Resource");
    if (!lambda__parse_name(text, &account, &region, &name, &qualifier)) {
        call_fail(call, "ValidationException",
                  "1 validation error detected: Value '" STR_FMT "' at 'functionName' failed to satisfy constraint: "
                  "Member must satisfy regular expression pattern: "
                  "(arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
                  "([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?",
                  STR_ARG(text));
        return false;
    }
    if (qualifier.n && wanted.n && !str_eq(qualifier, wanted)) {
        call_fail(call, "InvalidParameterValueException",
                  "The derived qualifier from the function name does not match the specified qualifier.");
        return false;
    }
    qualifier = qualifier.n ? qualifier : wanted;
    if ((account.n && !str_eq(account, call->account)) || (region.n && !str_eq(region, call->region))) {
        call_fail(call, "ResourceNotFoundException",
                  "Functions from '" STR_FMT "' are not reachable in this region ('" STR_FMT "')",
                  STR_ARG(region.n ? region : account), STR_ARG(call->region));
        return false;
    }
    if (qualifier.n && !str_eq(qualifier, STR("$LATEST"))) {
        struct str arn = lambda__function_arn(call->arena, call->account, call->region, name);
        call_fail(call, "ResourceNotFoundException", "Function not found: " STR_FMT ":" STR_FMT, STR_ARG(arn), STR_ARG(qualifier));
        return false;
    }
    *ret_name = name;
    return true;
}

bool lambda__call_doc(struct call *call, struct store_txn *txn, struct json **ret)
{
    struct str name;
    if (!lambda__call_name(call, &name))
        return false;
    enum err err = call_doc_get(call, txn, lambda__key(call->arena, call->account, call->region, name), ret);
    if (err == ERR_NOT_FOUND)
        fail_not_found(call, name);
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK;
}

void lambda__put_doc(struct call *call, struct store_txn *txn, struct str name, struct json *doc)
{
    doc_put(txn, lambda__key(call->arena, call->account, call->region, name), doc, call->arena);
}

bool lambda__revision_fits(struct call *call, struct json *doc, const char *api)
{
    struct str wanted = call_str(call, "RevisionId");
    if (wanted.n == 0 || str_eq(wanted, json_str(json_at(doc, "config"), "RevisionId")))
        return true;
    call_fail(call, "PreconditionFailedException",
              "The Revision Id provided does not match the latest Revision Id. Call the %s API to retrieve the "
              "latest Revision Id",
              api);
    return false;
}

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

void lambda__fail_not_found(struct call *call, const struct lambda__named *named)
{
    struct str arn = lambda__function_arn(call->arena, call->account, call->region, named->name);
    call_fail(call, "ResourceNotFoundException", "Function not found: " STR_FMT "%s" STR_FMT, STR_ARG(arn),
              named->qualifier.n ? ":" : "", STR_ARG(named->qualifier));
}

/* A resource with tags that is not served. */
static void fail_no_function(struct call *call, struct str text)
{
    const char *what = str_contains(text, STR(":event-source-mapping:")) ? "Event source mapping not found: "
                       : str_contains(text, STR(":capacity-provider:"))  ? "Capacity provider not found: "
                                                                         : "Function not found: ";
    call_fail(call, "ResourceNotFoundException", "%s" STR_FMT, what, STR_ARG(text));
}

bool lambda__call_named(struct call *call, struct lambda__named *ret)
{
    struct str account, region, name, qualifier, wanted = call_str(call, "Qualifier");
    bool tagged = call_has(call, "Resource");
    struct str text = call_str(call, tagged ? "Resource" : "FunctionName");
    if (!lambda__parse_name(text, &account, &region, &name, &qualifier)) {
        fail_no_function(call, text);
        return false;
    }
    if (tagged && qualifier.n) {
        call_fail(call, "InvalidParameterValueException",
                  "Tags on function aliases and versions are not supported. Please specify a function ARN.");
        return false;
    }
    if (qualifier.n && wanted.n && !str_eq(qualifier, wanted)) {
        call_fail(call, "InvalidParameterValueException",
                  "The derived qualifier from the function name does not match the specified qualifier.");
        return false;
    }
    if ((account.n && !str_eq(account, call->account)) || (region.n && !str_eq(region, call->region))) {
        call_fail(call, "ResourceNotFoundException",
                  "Functions from '" STR_FMT "' are not reachable in this region ('" STR_FMT "')",
                  STR_ARG(region.n ? region : account), STR_ARG(call->region));
        return false;
    }
    *ret = (struct lambda__named){name, qualifier.n ? qualifier : wanted};
    return true;
}

/* Of versions there is only $LATEST. */
static bool call_latest(struct call *call, struct lambda__named *ret)
{
    if (!lambda__call_named(call, ret))
        return false;
    if (ret->qualifier.n == 0 || str_eq(ret->qualifier, STR("$LATEST")))
        return true;
    lambda__fail_not_found(call, ret);
    return false;
}

bool lambda__call_name(struct call *call, struct str *ret_name)
{
    struct lambda__named named;
    if (!call_latest(call, &named))
        return false;
    *ret_name = named.name;
    return true;
}

bool lambda__call_doc(struct call *call, struct store_txn *txn, struct json **ret)
{
    struct lambda__named named;
    if (!call_latest(call, &named))
        return false;
    enum err err = call_doc_get(call, txn, lambda__key(call->arena, call->account, call->region, named.name), ret);
    if (err == ERR_NOT_FOUND)
        lambda__fail_not_found(call, &named);
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

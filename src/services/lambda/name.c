/* name.c -- the forms in which a function is named: NAME, NAME:QUALIFIER, ACCOUNT:function:NAME, and ARNs with or without
 * a qualifier. Source: Lambda API reference, FunctionName. */
#include "services/lambda/function.h"
#include <ctype.h>

#define NAME_BYTES_MAX 64

static bool name_fine(struct str name)
{
    if (name.n == 0 || name.n > NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && name.p[i] != '-' && name.p[i] != '_')
            return false;
    return true;
}

bool lambda_parse_name(struct str text, struct str *ret_account, struct str *ret_region, struct str *ret_name, struct str *ret_qualifier)
{
    struct str account = STR_NONE, region = STR_NONE, rest = text, name;
    if (str_starts(rest, STR("arn:"))) {
        struct str head[3];
        for (size_t i = 0; i < COUNT_OF(head); i++)
            head[i] = str_cut(&rest, ':');
        if (!str_eq(head[1], STR("aws")) || !str_eq(head[2], STR("lambda")))
            return false;
        region = str_cut(&rest, ':');
        account = str_cut(&rest, ':');
        if (!str_eq(str_cut(&rest, ':'), STR("function")))
            return false;
    } else {
        struct str try = rest, first = str_cut(&try, ':');
        if (str_eq(str_cut(&try, ':'), STR("function")) && try.n) {
            account = first;
            rest = try;
        }
    }
    name = str_cut(&rest, ':');
    if (!name_fine(name) || str_find(rest, ':') < rest.n)
        return false;
    *ret_account = account;
    *ret_region = region;
    *ret_name = name;
    *ret_qualifier = rest;
    return true;
}

struct str lambda__function_arn(struct arena *arena, struct str account, struct str region, struct str name)
{
    return arena_printf(arena, "arn:aws:lambda:" STR_FMT ":" STR_FMT ":function:" STR_FMT, STR_ARG(region), STR_ARG(account), STR_ARG(name));
}

void lambda__not_found(struct call *call, struct str name)
{
    struct str arn = lambda__function_arn(call->arena, call->account, call->region, name);
    call_fail(call, "ResourceNotFoundException", "Function not found: " STR_FMT, STR_ARG(arn));
}

bool lambda__call_name(struct call *call, struct str *ret_name)
{
    struct str account, region, name, qualifier, text = call_str(call, "FunctionName"), wanted = call_str(call, "Qualifier");
    if (call_has(call, "Resource"))
        text = call_str(call, "Resource");
    if (!lambda_parse_name(text, &account, &region, &name, &qualifier)) {
        call_fail(call, "ValidationException", "1 validation error detected: Value '" STR_FMT "' at 'functionName' failed to satisfy constraint: "
                  "Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:)?([a-z]{2}(-gov)?-[a-z]+-\\d{1}:)?(\\d{12}:)?(function:)?"
                  "([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?", STR_ARG(text));
        return false;
    }
    if (qualifier.n && wanted.n && !str_eq(qualifier, wanted)) {
        call_fail(call, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier.");
        return false;
    }
    qualifier = qualifier.n ? qualifier : wanted;
    if ((account.n && !str_eq(account, call->account)) || (region.n && !str_eq(region, call->region))) {
        call_fail(call, "ResourceNotFoundException", "Functions from '" STR_FMT "' are not reachable in this region ('" STR_FMT "')",
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

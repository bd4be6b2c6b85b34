/* function_name.c -- the forms in which a function is named: NAME, NAME:QUALIFIER, ACCOUNT:function:NAME, and ARNs with or without
 * a qualifier. Source: Lambda API reference, FunctionName. */
#include "services/lambda/function_name.h"
#include "services/lambda/lambda.h"
#include <ctype.h>

#define NAME_BYTES_MAX 64

static bool function_name_fine(struct str name)
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
    if (!function_name_fine(name) || str_find(rest, ':') < rest.n)
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

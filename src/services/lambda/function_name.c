/* function_name.c -- the forms in which a function is named: NAME, NAME:QUALIFIER, ACCOUNT:function:NAME, and ARNs with or without
 * a qualifier. Source: Lambda API reference, FunctionName. */
#include "services/lambda/function_name.h"
#include "base/arn.h"

#define NAME_BYTES_MAX 64

static bool function_name_fine(struct str name)
{
    return name.n > 0 && name.n <= NAME_BYTES_MAX && str_alnum_or(name, "-_");
}

bool lambda__split_name(struct str text, struct str *ret_name, struct str *ret_qualifier)
{
    struct str name = str_cut(&text, ':');
    if (!function_name_fine(name) || str_find(text, ':') < text.n)
        return false;
    *ret_name = name;
    *ret_qualifier = text;
    return true;
}

bool lambda__parse_name(struct str text, struct str *ret_account, struct str *ret_region, struct str *ret_name,
                        struct str *ret_qualifier)
{
    struct str account = STR_NONE, region = STR_NONE, rest = text;
    if (str_starts(rest, STR("arn:"))) {
        struct arn arn;
        if (!arn_parse_of(text, "lambda", &arn))
            return false;
        region = arn.region;
        account = arn.account;
        rest = arn.resource;
        if (!str_eq(str_cut(&rest, ':'), STR("function")))
            return false;
    } else {
        struct str try = rest, first = str_cut(&try, ':');
        if (str_eq(str_cut(&try, ':'), STR("function")) && try.n) {
            account = first;
            rest = try;
        }
    }
    if (!lambda__split_name(rest, ret_name, ret_qualifier))
        return false;
    *ret_account = account;
    *ret_region = region;
    return true;
}

struct str lambda__function_arn(struct arena *arena, struct str account, struct str region, struct str name)
{
    return arn_make(arena, "lambda", region, account, "function:" STR_FMT, STR_ARG(name));
}

/* function_name.c -- the forms in which a function is named: NAME, NAME:QUALIFIER, function:NAME, ACCOUNT:function:NAME,
 * REGION:ACCOUNT:function:NAME, and ARNs with or without a qualifier. Source: Lambda API reference, FunctionName. */
#include "services/lambda/function_name.h"
#include "base/arn.h"

#define NAME_BYTES_MAX 256 /* that a request may say; one that is made has 64 (control.c) */

static bool function_name_fine(struct str name)
{
    return name.n > 0 && name.n <= NAME_BYTES_MAX && str_alnum_or(name, "-_.");
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

/* The next part, if more follows and it is one of `fits`. */
static struct str take_part(struct str *rest, bool (*fits)(struct str part))
{
    struct str after = *rest, part = str_cut(&after, ':');
    if (after.n == 0 || !fits(part))
        return STR_NONE;
    *rest = after;
    return part;
}

static bool is_region_name(struct str part)
{
    return part.n > 4 && part.p[part.n - 2] == '-' && char_is_digit(part.p[part.n - 1]) && str_alnum_or(part, "-");
}

static bool is_word_function(struct str part)
{
    return str_eq(part, STR("function"));
}

bool lambda__parse_name(struct str text, struct str *ret_account, struct str *ret_region, struct str *ret_name,
                        struct str *ret_qualifier)
{
    struct str rest = text, bare;
    bool whole = str_starts(rest, STR("arn:"));
    if (whole) {
        str_cut(&rest, ':');
        str_cut(&rest, ':');
        if (!str_eq(str_cut(&rest, ':'), STR("lambda")))
            return false;
    }
    struct str region = take_part(&rest, is_region_name), account = take_part(&rest, arn_is_account);
    bare = rest;
    bool named = take_part(&rest, is_word_function).n > 0;
    if (!whole && !named) { /* "x-1:live" is a name and its qualifier */
        region = account = STR_NONE;
        rest = text;
    }
    if (whole && (region.n == 0 || account.n == 0 || !(named || is_word_function(bare))))
        return false;
    if (!lambda__split_name(rest, ret_name, ret_qualifier) && !lambda__split_name(bare, ret_name, ret_qualifier))
        return false;
    *ret_account = account;
    *ret_region = region;
    return true;
}

struct str lambda__function_arn(struct arena *arena, struct str account, struct str region, struct str name)
{
    return arn_make(arena, "lambda", region, account, "function:" STR_FMT, STR_ARG(name));
}

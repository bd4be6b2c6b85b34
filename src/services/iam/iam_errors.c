/* iam_errors.c -- how IAM answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "call/validate.h"
#include "services/iam/iam.h"

const struct service_errors iam_errors = {
    .hides_values = true, .model_prefix = "", .coral_prefix = "", .validate_prefix = "", .faults = {SERVICE_QUERY_ROWS},
};

/* ---- sentences ---- */

/* IAM checks names and paths in its own code, after the lengths. */
static const struct iam_pattern {
    const char *pattern, *rest;
} iam_patterns[] = {
    {"[\\w+=,.@-]+", "It must contain only alphanumeric characters and/or the following: +=,.@_-"},
    {"(\\u002F)|(\\u002F[\\u0021-\\u007E]+\\u002F)",
     "It must begin and end with / and contain only alphanumeric characters and/or / characters."},
    {"\\u002F[\\u0021-\\u007F]*",
     "It must begin with the / character and contain only alphanumeric characters and/or / characters."},
};

static struct str lower_first(struct arena *arena, struct str name)
{
    struct str copy = arena_dup(arena, name);
    if (copy.n && copy.p[0] >= 'A' && copy.p[0] <= 'Z')
        ((char *)(uintptr_t)copy.p)[0] += 'a' - 'A';
    return copy;
}

static struct str iam_sentence(struct call *call, const struct validate_constraint *c, struct str member, struct str value,
                               const char **ret_code)
{
    (void)value;
    *ret_code = NULL;
    for (size_t i = 0; c->pattern && i < COUNT_OF(iam_patterns); i++) {
        if (strcmp(iam_patterns[i].pattern, c->pattern) == 0)
            return arena_printf(call->arena, "The specified value for " STR_FMT " is invalid. %s",
                                STR_ARG(lower_first(call->arena, member)), iam_patterns[i].rest);
    }
    return STR_NONE;
}

const struct validate_overrides iam_overrides = {.sentence = iam_sentence};

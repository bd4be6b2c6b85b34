/* validate_override.h -- where AWS's answer to bad input differs from what its model says; inside src/api. */
#ifndef CLOUDLESS_API_VALIDATE_OVERRIDE_H
#define CLOUDLESS_API_VALIDATE_OVERRIDE_H
#include "api/call.h"

/* What a value has to keep: its shape's constraints, or those of a row that replaces them. */
struct constraint {
    const struct model_shape *shape;
    bool has_min, has_max;
    int64_t min, max;
    const char *pattern;        /* NULL: none */
    bool bare;                  /* its errors name the member as the model spells it and show no value */
};

/* Checks that come before the model's, with sentences of their own. False: call_fail was called. */
bool override_check(struct call *call);
/* Replaces the constraints of a shape within an operation; the model's flag MODEL_SHAPE_OVERRIDDEN says that rows exist. */
void override_constraint(const struct call *call, const struct json *node, struct constraint *c);
/* The values of an enum in the order in which AWS prints them, joined; NULL: the model's order. */
const char *override_enum_order(const struct model *m, const struct model_shape *shape);
/* A sentence that stands instead of "failed to satisfy constraint" for a value that breaks its pattern or enum, and the
 * error's code (NULL: the service's validation error). STR_NONE: there is none. `member` is the path's last name. */
struct str override_sentence(struct call *call, const struct constraint *c, struct str member, struct str value,
                             const char **ret_code);
#endif

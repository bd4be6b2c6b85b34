/* validate.h -- the constraints of a model against an input tree, with AWS's own messages; and how a service says where AWS's
 * answer to bad input differs from what its model says. */
#ifndef CLOUDLESS_CALL_VALIDATE_H
#define CLOUDLESS_CALL_VALIDATE_H
#include "call/call.h"

/* call->input is bound (bind.h). False: call_fail was called with the service's validation error. */
bool validate_input(struct call *call);

/* What a value has to keep: its shape's constraints, or those of a row that replaces them. */
struct validate_constraint {
    const struct model_shape *shape;
    bool has_min, has_max;
    int64_t min, max;
    const char *pattern;        /* NULL: none */
    bool bare;                  /* its errors name the member as the model spells it and show no value */
};

/* Other bounds for a shape than the model's. */
struct validate_bounds {
    const char *operation;      /* NULL: any */
    const char *shape;          /* stands in OVERRIDDEN_NAME of the service's service.mk too, so that the model carries
                                 * MODEL_SHAPE_OVERRIDDEN; a unit test holds both against each other */
    int64_t min, max;
    const char *pattern;
    bool arn_too;               /* a value that begins with "arn:" keeps the model's constraints */
    bool bare;
};

/* The order in which AWS prints an enum's values where it is not the model's. */
struct validate_enum_order { const char *shape, *values; };

struct validate_overrides {
    /* Checks that come before the model's, with sentences of their own. False: call_fail was called. May be NULL. */
    bool (*check)(struct call *call);
    const struct validate_bounds *bounds;           /* the first row that fits counts */
    size_t bounds_count;
    const struct validate_enum_order *enum_orders;
    size_t enum_order_count;
    /* A sentence that stands instead of "failed to satisfy constraint" for a value that breaks its pattern or enum, and the
     * error's code (NULL: the service's validation error). STR_NONE: there is none. `member` is the path's last name. May be
     * NULL. */
    struct str (*sentence)(struct call *call, const struct validate_constraint *c, struct str member, struct str value,
                           const char **ret_code);
};
#endif

/* validate_override.c -- the rows, each with where AWS's answer comes from.
 *
 * Kinds: a check before the model's (a plain sentence), other bounds for a shape, the order in which an enum's values
 * are printed, and a plain sentence instead of the composed one. A shape with other bounds carries
 * MODEL_SHAPE_OVERRIDDEN, set by gen_api.py from its own list; a unit test holds both lists against each other. */
#include "api/validate_override.h"
#include "api/wire.h"
#include "base/buf.h"

#define TABLE_NAME_PATTERN "[a-zA-Z0-9_.-]+"
#define TABLE_NAME_MAX 255

/* ---- before the model ---- */

/* DynamoDB's operations on tables check the name first (recorded answers of CreateTable, UpdateTable, DescribeTimeToLive).
 * CreateTable's length is checked with the rest. */
static const struct table_operation {
    const char *operation;
    bool length;
} table_operations[] = {
    {"CreateTable", false},        {"DeleteTable", true},       {"DescribeTable", true},
    {"DescribeTimeToLive", true}, {"UpdateTable", true},       {"UpdateTimeToLive", true},
};

bool override_check(struct call *call)
{
    const struct model *m = call->service->model;
    if (m != &model_dynamodb) return true;
    for (size_t i = 0; i < COUNT_OF(table_operations); i++) {
        if (strcmp(table_operations[i].operation, model_text(m, call->operation->name)) != 0) continue;
        const struct json *name = json_at(call->input, "TableName");
        if (!name) {
            wire_fail(call, FAULT_VALIDATION, STR("The parameter 'TableName' is required but was not present in the request"));
            return false;
        }
        bool arn = str_starts(name->text, STR("arn:"));
        if (table_operations[i].length && !arn && (name->text.n < 3 || name->text.n > TABLE_NAME_MAX)) {
            wire_fail(call, FAULT_VALIDATION,
                      STR("TableName must be at least 3 characters long and at most 255 characters long"));
            return false;
        }
    }
    return true;
}

/* ---- other bounds ---- */

/* DynamoDB's model admits 1,024 characters for TableName because an ARN may stand there; a name has its own bounds
 * ("Naming rules and data types", developer guide; answers of PutItem and CreateTable recorded in 2026). A KeySchema of
 * four elements is for indexes with several key attributes. */
static const struct bounds {
    const struct model *model;
    const char *operation;      /* NULL: any */
    const char *shape;
    int64_t min, max;
    const char *pattern;
    bool arn_too;               /* a value that begins with "arn:" keeps the model's constraints */
    bool bare;
} bounds[] = {
    {&model_dynamodb, "CreateTable", "TableArn", 3, TABLE_NAME_MAX, TABLE_NAME_PATTERN, false, false},
    {&model_dynamodb, NULL, "TableArn", 1, TABLE_NAME_MAX, TABLE_NAME_PATTERN, true, false},
    {&model_dynamodb, "CreateTable", "KeySchema", 1, 2, NULL, false, false},
    {&model_dynamodb, NULL, "PositiveIntegerObject", 1, INT32_MAX, NULL, false, true},
};

void override_constraint(const struct call *call, const struct json *node, struct constraint *c)
{
    const struct model *m = call->service->model;
    for (size_t i = 0; i < COUNT_OF(bounds); i++) {
        const struct bounds *b = &bounds[i];
        if (b->model != m || strcmp(b->shape, model_text(m, c->shape->name)) != 0) continue;
        if (b->operation && strcmp(b->operation, model_text(m, call->operation->name)) != 0) continue;
        if (b->arn_too && str_starts(node->text, STR("arn:"))) return;
        c->has_min = c->has_max = true;
        c->min = b->min;
        c->max = b->max;
        c->pattern = node->text.n || !b->arn_too ? b->pattern : NULL;   /* an empty name is too short, nothing else */
        c->bare = b->bare;
        return;
    }
}

/* ---- enums ---- */

/* Java prints a set in no particular order; these are the orders in which AWS's answers show them. */
static const struct enum_order {
    const struct model *model;
    const char *shape, *values;
} enum_orders[] = {
    {&model_dynamodb, "ReturnValue", "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW"},
    {&model_dynamodb, "ScalarAttributeType", "B, N, S"},
    {&model_dynamodb, "ConditionalOperator", "OR, AND"},
    {&model_dynamodb, "ProjectionType", "ALL, INCLUDE, KEYS_ONLY"},
    {&model_dynamodb, "Select", "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES"},
    {&model_dynamodb, "ComparisonOperator",
     "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS"},
};

const char *override_enum_order(const struct model *m, const struct model_shape *shape)
{
    for (size_t i = 0; i < COUNT_OF(enum_orders); i++) {
        if (enum_orders[i].model == m && strcmp(enum_orders[i].shape, model_text(m, shape->name)) == 0)
            return enum_orders[i].values;
    }
    return NULL;
}

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
    if (copy.n && copy.p[0] >= 'A' && copy.p[0] <= 'Z') ((char *)(uintptr_t)copy.p)[0] += 'a' - 'A';
    return copy;
}

struct str override_sentence(struct call *call, const struct constraint *c, struct str member, struct str value,
                             const char **ret_code)
{
    const struct model *m = call->service->model;
    *ret_code = NULL;
    if (m == &model_lambda && strcmp(model_text(m, c->shape->name), "Runtime") == 0) {
        struct buf text;
        buf_init(&text, call->arena, 8192);
        buf_lit(&text, "Value ");
        buf_add(&text, str_slice(value, 0, 1024));
        buf_lit(&text, " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [");
        for (size_t i = 0; i < c->shape->enum_count; i++) {
            if (i) buf_lit(&text, ", ");
            buf_add(&text, str_of(model_text(m, m->enums[c->shape->enums + i])));
        }
        buf_lit(&text, "] or be a valid ARN");
        *ret_code = "InvalidParameterValueException";
        return buf_str(&text);
    }
    for (size_t i = 0; m == &model_iam && c->pattern && i < COUNT_OF(iam_patterns); i++) {
        if (strcmp(iam_patterns[i].pattern, c->pattern) == 0)
            return arena_printf(call->arena, "The specified value for " STR_FMT " is invalid. %s",
                                STR_ARG(lower_first(call->arena, member)), iam_patterns[i].rest);
    }
    return STR_NONE;
}

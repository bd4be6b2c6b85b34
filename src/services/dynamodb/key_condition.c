/* key_condition.c -- KeyConditionExpression: a condition of one or two comparisons, with the key attribute on one side and a
 * value on the other. Parsed before the table is known; bound to the table's key afterwards, as DynamoDB's order of
 * errors needs. Source: developer guide, "Key condition expressions for the Query operation". */
#include "services/dynamodb/expression_internal.h"

#define INVALID_CONDITION "Invalid condition in KeyConditionExpression: "

struct reading {
    struct arena *arena;
    struct str message;
    struct key_conditions *conditions;
    size_t seen;
};

static bool key_condition_fail(struct reading *r, struct str message)
{
    r->message = message;
    return false;
}

static bool fail_operator(struct reading *r, struct str name)
{
    return key_condition_fail(r,
                              arena_printf(r->arena, "Invalid operator used in KeyConditionExpression: " STR_FMT, STR_ARG(name)));
}

static bool operator_allowed(struct reading *r, const struct node *node)
{
    if (node->kind == NODE_OR)
        return fail_operator(r, STR("OR"));
    if (node->kind == NODE_NOT)
        return fail_operator(r, STR("NOT"));
    if (node->kind == NODE_IN)
        return fail_operator(r, STR("IN"));
    if (node->kind == NODE_COMPARE && node->comparator == COMPARE_NE)
        return fail_operator(r, STR("<>"));
    if (node->kind == NODE_CALL && node->function == FUNCTION_SIZE)
        return key_condition_fail(r, STR("KeyConditionExpressions cannot contain nested operations"));
    if (node->kind == NODE_CALL && node->function != FUNCTION_BEGINS_WITH)
        return fail_operator(r, node->text);
    bool path_first = node->kind == NODE_BETWEEN || node->kind == NODE_CALL;
    if (path_first && node->first->kind != NODE_PATH)
        return key_condition_fail(
            r, arena_printf(r->arena, INVALID_CONDITION STR_FMT " operator must have the key attribute as its first operand",
                            STR_ARG(node->text)));
    return true;
}

/* The one path among the operands, which the others compare with. */
static bool find_attribute(struct reading *r, const struct node *node, const struct node **ret)
{
    *ret = NULL;
    for (const struct node *operand = node->first; operand; operand = operand->next) {
        if (operand->kind == NODE_CALL && !operator_allowed(r, operand))
            return false;
        if (operand->kind != NODE_PATH)
            continue;
        if (*ret)
            return key_condition_fail(r, STR(INVALID_CONDITION "Multiple attribute names used in one condition"));
        if (operand->path.count > 1)
            return key_condition_fail(r, STR("KeyConditionExpressions cannot have conditions on nested attributes"));
        *ret = operand;
    }
    return *ret || key_condition_fail(r, STR(INVALID_CONDITION "No key attribute specified"));
}

static enum key_operator operator_of(const struct node *node, bool mirrored)
{
    static const enum key_operator straight[] = {KEY_EQ, KEY_NONE, KEY_LT, KEY_LE, KEY_GT, KEY_GE};
    static const enum key_operator mirror[] = {KEY_EQ, KEY_NONE, KEY_GT, KEY_GE, KEY_LT, KEY_LE};
    if (node->kind == NODE_BETWEEN)
        return KEY_BETWEEN;
    if (node->kind == NODE_CALL)
        return KEY_BEGINS_WITH;
    return (mirrored ? mirror : straight)[node->comparator];
}

static bool read_comparison(struct reading *r, const struct node *node)
{
    const struct node *attribute;
    struct key_conditions *conditions = r->conditions;
    if (!operator_allowed(r, node) || !find_attribute(r, node, &attribute))
        return false;
    struct str name = attribute->path.first->name;
    for (size_t i = 0; i < conditions->count; i++)
        if (str_eq(conditions->comparison[i].attribute, name))
            return key_condition_fail(r, STR("KeyConditionExpressions must only contain one condition per key"));
    if (++r->seen > COUNT_OF(conditions->comparison))
        return true; /* refused when all are read */
    const struct node *low = attribute == node->first ? attribute->next : node->first;
    conditions->comparison[conditions->count++] = (struct key_comparison){
        .attribute = name, .op = operator_of(node, attribute != node->first), .low = low->value,
        .high = node->kind == NODE_BETWEEN ? node->last->value : NULL,
    };
    return true;
}

static bool key_condition_read(struct reading *r, const struct node *node)
{
    if (node->kind != NODE_AND)
        return read_comparison(r, node);
    for (const struct node *child = node->first; child; child = child->next)
        if (!key_condition_read(r, child))
            return false;
    return true;
}

bool key_conditions_parse(struct str text, struct expression_params *params, struct arena *arena, struct key_conditions *ret,
                          struct str *ret_message)
{
    struct parser parser;
    struct node *root = NULL;
    struct reading r = {.arena = arena, .conditions = ret};
    *ret = (struct key_conditions){0};
    if (expression__open(&parser, text, "KeyConditionExpression", GRAMMAR_CONDITION, params, arena))
        root = expression__parse_condition(&parser);
    if (!root || !expression__check_condition(&parser, root)) {
        *ret_message = parser.message;
        return false;
    }
    bool fine = key_condition_read(&r, root);
    if (fine && r.seen > COUNT_OF(ret->comparison))
        fine = key_condition_fail(&r, STR("Conditions can be of length 1 or 2 only"));
    if (!fine)
        *ret_message = r.message;
    return fine;
}

/* ---- binding to a key ---- */

static const struct key_comparison *comparison_of(const struct key_conditions *conditions, struct str attribute)
{
    for (size_t i = 0; i < conditions->count; i++)
        if (str_eq(conditions->comparison[i].attribute, attribute))
            return &conditions->comparison[i];
    return NULL;
}

static bool type_matches(const struct key_comparison *comparison, const struct key_attribute *key)
{
    return comparison->low->type == key->type && (!comparison->high || comparison->high->type == key->type);
}

bool key_conditions_bind(const struct key_conditions *conditions, const struct key_attribute *hash,
                         const struct key_attribute *range, struct arena *arena, struct key_condition *ret, struct str *ret_message)
{
    const struct str mismatch = STR("One or more parameter values were invalid: Condition parameter type does not match schema "
                                    "type");
    const struct key_comparison *on_hash = comparison_of(conditions, hash->name);
    const struct key_comparison *on_range = range->name.n ? comparison_of(conditions, range->name) : NULL;
    struct str missed = !on_hash ? hash->name : range->name.n && conditions->count > 1 && !on_range ? range->name : STR_NONE;
    if (!range->name.n && conditions->count > 1)
        *ret_message = STR("Query key condition not supported");
    else if (missed.n)
        *ret_message = arena_printf(arena, "Query condition missed key schema element: " STR_FMT, STR_ARG(missed));
    else if (!type_matches(on_hash, hash))
        *ret_message = mismatch;
    else if (on_hash->op != KEY_EQ)
        *ret_message = STR("Query key condition not supported");
    else if (on_range && !type_matches(on_range, range))
        *ret_message = mismatch;
    else {
        *ret = (struct key_condition){.hash = on_hash->low};
        if (on_range)
            ret->op = on_range->op, ret->low = on_range->low, ret->high = on_range->high;
        return true;
    }
    return false;
}

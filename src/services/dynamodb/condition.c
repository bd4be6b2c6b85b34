/* condition.c -- does a condition hold for an item? Evaluated in the committer (conditional writes) and for every item that
 * a Query or Scan reads. Missing attributes and types that do not compare make a comparison false, not an error.
 * Source: developer guide, "Condition and filter expressions, operators, and functions". */
#include "base/panic.h"
#include "services/dynamodb/expression_internal.h"

struct condition { struct node *root; };

struct condition *condition_parse(struct str text, const char *label, struct expression_params *params, struct arena *arena,
                                  struct str *ret_message)
{
    struct parser parser;
    struct node *root = NULL;
    if (expression__open(&parser, text, label, GRAMMAR_CONDITION, params, arena)) root = expression__parse_condition(&parser);
    if (!root || !expression__check_condition(&parser, root)) {
        *ret_message = parser.message;
        return NULL;
    }
    struct condition *condition = arena_new_of(arena, struct condition);
    condition->root = root;
    return condition;
}

bool condition_mentions(const struct condition *condition, struct str attribute)
{
    return expression__mentions(condition->root, attribute, false);
}

bool condition_enters(const struct condition *condition, struct str attribute)
{
    return expression__mentions(condition->root, attribute, true);
}

void condition_attributes(const struct condition *condition, expression_attribute_fn *visit, void *arg)
{
    if (condition) expression__attributes(condition->root, visit, arg);
}

struct value *expression__resolve(const struct path *path, const struct value *item)
{
    const struct value *at = item;
    for (const struct path_step *step = path->first; step && at; step = step->next) {
        if (at->type != (step->is_index ? VALUE_L : VALUE_M)) return NULL;
        at = step->is_index ? value_element(at, step->index) : value_member(at, step->name);
    }
    return (struct value *)at;
}

/* ---- operands ---- */

static const struct value *operand_value(const struct node *node, const struct value *item, struct arena *arena);

static const struct value *size_of(const struct node *node, const struct value *item, struct arena *arena)
{
    const struct value *of = operand_value(node, item, arena);
    if (!of || of->type == VALUE_N || of->type == VALUE_BOOL || of->type == VALUE_NULL) return NULL;
    bool text = of->type == VALUE_S || of->type == VALUE_B;
    struct value *size = value_new(arena, VALUE_N);
    struct str digits = arena_printf(arena, "%zu", text ? of->bytes.n : of->count);
    ENSURE(decimal_parse(digits, &size->number) == DECIMAL_OK);
    return size;
}

/* NULL: the item has no such attribute. */
static const struct value *operand_value(const struct node *node, const struct value *item, struct arena *arena)
{
    if (node->kind == NODE_VALUE) return node->value;
    if (node->kind == NODE_PATH) return item ? expression__resolve(&node->path, item) : NULL;
    return size_of(node->first, item, arena);
}

/* ---- comparisons ---- */

static bool compares(const struct value *a, enum comparator comparator, const struct value *b)
{
    bool comparable;
    if (comparator == COMPARE_EQ) return a && b && value_equal(a, b);
    if (comparator == COMPARE_NE) return (a || b) && !(a && b && value_equal(a, b));
    if (!a || !b) return false;
    int order = value_cmp(a, b, &comparable);
    if (!comparable) return false;
    switch (comparator) {
    case COMPARE_LT: return order < 0;
    case COMPARE_LE: return order <= 0;
    case COMPARE_GT: return order > 0;
    default: return order >= 0;
    }
}

static bool is_in(const struct node *node, const struct value *item, struct arena *arena)
{
    const struct value *subject = operand_value(node->first, item, arena);
    for (const struct node *candidate = node->first->next; candidate; candidate = candidate->next)
        if (compares(subject, COMPARE_EQ, operand_value(candidate, item, arena))) return true;
    return false;
}

/* ---- functions ---- */

static bool begins_with(const struct value *text, const struct value *prefix)
{
    if (!text || !prefix || text->type != prefix->type || text->type > VALUE_B || text->type == VALUE_N) return false;
    return str_starts(text->bytes, prefix->bytes);
}

static bool has_substring(struct str text, struct str part)
{
    return part.n == 0 || memmem(text.p ? text.p : "", text.n, part.p, part.n) != NULL;
}

static bool contains(const struct value *container, const struct value *part)
{
    if (!container || !part) return false;
    if (container->type == VALUE_S || container->type == VALUE_B)
        return part->type == container->type && has_substring(container->bytes, part->bytes);
    if (container->type != VALUE_L && !value_is_set(container->type)) return false;
    for (const struct value *element = container->first; element; element = element->next)
        if (value_equal(element, part)) return true;
    return false;
}

static bool call_holds(const struct node *node, const struct value *item, struct arena *arena)
{
    const struct value *first = operand_value(node->first, item, arena);
    const struct value *second = node->first->next ? operand_value(node->first->next, item, arena) : NULL;
    switch (node->function) {
    case FUNCTION_ATTRIBUTE_EXISTS: return first != NULL;
    case FUNCTION_ATTRIBUTE_NOT_EXISTS: return first == NULL;
    case FUNCTION_ATTRIBUTE_TYPE: return first && second && str_eq(second->bytes, str_of(value_type_name(first->type)));
    case FUNCTION_BEGINS_WITH: return begins_with(first, second);
    case FUNCTION_CONTAINS: return contains(first, second);
    default: UNREACHABLE();
    }
}

/* ---- the tree ---- */

static bool holds(const struct node *node, const struct value *item, struct arena *arena)
{
    const struct value *subject;
    switch (node->kind) {
    case NODE_OR: case NODE_AND:
        for (const struct node *child = node->first; child; child = child->next)
            if (holds(child, item, arena) == (node->kind == NODE_OR)) return node->kind == NODE_OR;
        return node->kind == NODE_AND;
    case NODE_NOT: return !holds(node->first, item, arena);
    case NODE_COMPARE:
        return compares(operand_value(node->first, item, arena), node->comparator, operand_value(node->last, item, arena));
    case NODE_BETWEEN:
        subject = operand_value(node->first, item, arena);
        return compares(subject, COMPARE_GE, operand_value(node->first->next, item, arena)) &&
               compares(subject, COMPARE_LE, operand_value(node->last, item, arena));
    case NODE_IN: return is_in(node, item, arena);
    case NODE_CALL: return call_holds(node, item, arena);
    default: UNREACHABLE();
    }
}

bool condition_holds(const struct condition *condition, const struct value *item, struct arena *arena)
{
    return holds(condition->root, item, arena);
}

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
    if (expression__open(&parser, text, label, GRAMMAR_CONDITION, params, arena))
        root = expression__parse_condition(&parser);
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
    if (condition)
        expression__attributes(condition->root, visit, arg);
}

/* ---- operands ---- */

/* One evaluation for one item. */
struct evaluation {
    const struct value *item;   /* NULL: does not exist */
    struct arena *arena;
    struct finder finder;
    struct outcome *outcomes;   /* of comparisons with large values */
};

static const struct value *operand_value(struct evaluation *e, const struct node *node);

static const struct value *size_of(struct evaluation *e, const struct node *node)
{
    const struct value *of = operand_value(e, node);
    if (!of || of->type == VALUE_N || of->type == VALUE_BOOL || of->type == VALUE_NULL)
        return NULL;
    bool text = of->type == VALUE_S || of->type == VALUE_B;
    struct value *size = value_new(e->arena, VALUE_N);
    struct str digits = arena_printf(e->arena, "%zu", text ? of->bytes.n : of->count);
    ENSURE(decimal_parse(digits, &size->number) == DECIMAL_OK);
    return size;
}

/* NULL: the item has no such attribute. */
static const struct value *operand_value(struct evaluation *e, const struct node *node)
{
    if (node->kind == NODE_VALUE)
        return node->value;
    if (node->kind == NODE_PATH)
        return expression__resolve(&e->finder, &node->path, e->item);
    return size_of(e, node->first);
}

/* ---- comparisons of large values: an expression may ask for the same one hundreds of times ---- */

#define LARGE_CHILDREN 64
#define LARGE_BYTES 4096

typedef bool test_fn(const struct value *a, const struct value *b);
struct outcome {
    struct outcome *next;
    test_fn *test;
    const struct value *a, *b;
    bool holds;
};

static bool is_large(const struct value *value)
{
    return value->count > LARGE_CHILDREN || value->bytes.n > LARGE_BYTES;
}

static bool once(struct evaluation *e, test_fn *test, const struct value *a, const struct value *b)
{
    if (!is_large(a) && !is_large(b))
        return test(a, b);
    struct outcome *outcome = e->outcomes;
    while (outcome && !(outcome->test == test && outcome->a == a && outcome->b == b))
        outcome = outcome->next;
    if (!outcome) {
        outcome = arena_alloc(e->arena, sizeof *outcome);
        *outcome = (struct outcome){e->outcomes, test, a, b, test(a, b)};
        e->outcomes = outcome;
    }
    return outcome->holds;
}

/* ---- comparisons ---- */

static bool compares(struct evaluation *e, const struct value *a, enum comparator comparator, const struct value *b)
{
    bool comparable;
    if (comparator == COMPARE_EQ)
        return a && b && once(e, value_equal, a, b);
    if (comparator == COMPARE_NE)
        return (a || b) && !(a && b && once(e, value_equal, a, b));
    if (!a || !b)
        return false;
    int order = value_cmp(a, b, &comparable);
    if (!comparable)
        return false;
    switch (comparator) {
    case COMPARE_LT:
        return order < 0;
    case COMPARE_LE:
        return order <= 0;
    case COMPARE_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

static bool condition_in(struct evaluation *e, const struct node *node)
{
    const struct value *subject = operand_value(e, node->first);
    for (const struct node *candidate = node->first->next; candidate; candidate = candidate->next)
        if (compares(e, subject, COMPARE_EQ, operand_value(e, candidate)))
            return true;
    return false;
}

/* ---- functions ---- */

static bool begins_with(const struct value *text, const struct value *prefix)
{
    if (!text || !prefix || text->type != prefix->type || text->type > VALUE_B || text->type == VALUE_N)
        return false;
    return str_starts(text->bytes, prefix->bytes);
}

static bool has_substring(struct str text, struct str part)
{
    return part.n == 0 || memmem(text.p ? text.p : "", text.n, part.p, part.n) != NULL;
}

static bool condition_contains(const struct value *container, const struct value *part)
{
    if (container->type == VALUE_S || container->type == VALUE_B)
        return part->type == container->type && has_substring(container->bytes, part->bytes);
    if (container->type != VALUE_L && !value_is_set(container->type))
        return false;
    for (const struct value *element = container->first; element; element = element->next)
        if (value_equal(element, part))
            return true;
    return false;
}

static bool call_holds(struct evaluation *e, const struct node *node)
{
    const struct value *first = operand_value(e, node->first);
    const struct value *second = node->first->next ? operand_value(e, node->first->next) : NULL;
    switch (node->function) {
    case FUNCTION_ATTRIBUTE_EXISTS:
        return first != NULL;
    case FUNCTION_ATTRIBUTE_NOT_EXISTS:
        return first == NULL;
    case FUNCTION_ATTRIBUTE_TYPE:
        return first && second && str_eq(second->bytes, str_of(value_type_name(first->type)));
    case FUNCTION_BEGINS_WITH:
        return begins_with(first, second);
    case FUNCTION_CONTAINS:
        return first && second && once(e, condition_contains, first, second);
    default:
        UNREACHABLE();
    }
}

/* ---- the tree ---- */

static bool holds(struct evaluation *e, const struct node *node)
{
    const struct value *subject;
    switch (node->kind) {
    case NODE_OR: case NODE_AND:
        for (const struct node *child = node->first; child; child = child->next)
            if (holds(e, child) == (node->kind == NODE_OR))
                return node->kind == NODE_OR;
        return node->kind == NODE_AND;
    case NODE_NOT:
        return !holds(e, node->first);
    case NODE_COMPARE:
        return compares(e, operand_value(e, node->first), node->comparator, operand_value(e, node->last));
    case NODE_BETWEEN:
        subject = operand_value(e, node->first);
        return compares(e, subject, COMPARE_GE, operand_value(e, node->first->next)) &&
               compares(e, subject, COMPARE_LE, operand_value(e, node->last));
    case NODE_IN:
        return condition_in(e, node);
    case NODE_CALL:
        return call_holds(e, node);
    default:
        UNREACHABLE();
    }
}

bool condition_holds(const struct condition *condition, const struct value *item, struct arena *arena)
{
    struct evaluation e = {.item = item, .arena = arena, .finder.arena = arena};
    return holds(&e, condition->root);
}

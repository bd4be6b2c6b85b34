/* expression_check.c -- everything that may be wrong with an expression besides its syntax, as a list of checks over the
 * tree. The lists are in DynamoDB's order; the first check that fails anywhere in the tree is the one that is reported.
 * Checks that need values resolve the placeholders. Functions are a table. */
#include "services/dynamodb/expression_internal.h"

#define SCALARS_ORDERED (VALUE_BIT(VALUE_S) | VALUE_BIT(VALUE_N) | VALUE_BIT(VALUE_B))
#define ANY 0x3ffu

static const struct {
    const char *name;
    enum function function;
    enum grammar grammar;
    size_t operands;
    bool path_first;                /* the first operand must be a document path */
    unsigned types[2];              /* of literal operands */
} functions[] = {
    {"attribute_exists", FUNCTION_ATTRIBUTE_EXISTS, GRAMMAR_CONDITION, 1, true, {ANY, ANY}},
    {"attribute_not_exists", FUNCTION_ATTRIBUTE_NOT_EXISTS, GRAMMAR_CONDITION, 1, true, {ANY, ANY}},
    {"attribute_type", FUNCTION_ATTRIBUTE_TYPE, GRAMMAR_CONDITION, 2, false, {ANY, VALUE_BIT(VALUE_S)}},
    {"begins_with",
     FUNCTION_BEGINS_WITH,
     GRAMMAR_CONDITION,
     2,
     false,
     {VALUE_BIT(VALUE_S) | VALUE_BIT(VALUE_B), VALUE_BIT(VALUE_S) | VALUE_BIT(VALUE_B)}},
    {"contains", FUNCTION_CONTAINS, GRAMMAR_CONDITION, 2, false, {ANY, ANY}},
    {"size",
     FUNCTION_SIZE,
     GRAMMAR_CONDITION,
     1,
     false,
     {ANY & ~(VALUE_BIT(VALUE_N) | VALUE_BIT(VALUE_BOOL) | VALUE_BIT(VALUE_NULL)), ANY}},
    {"if_not_exists", FUNCTION_IF_NOT_EXISTS, GRAMMAR_UPDATE, 2, true, {ANY, ANY}},
    {"list_append", FUNCTION_LIST_APPEND, GRAMMAR_UPDATE, 2, false, {VALUE_BIT(VALUE_L), VALUE_BIT(VALUE_L)}},
};

/* ---- walking ---- */

bool expression__visit(struct node *node, expression_visit_fn *visit, void *arg)
{
    for (struct node *child = node->first; child; child = child->next)
        if (!expression__visit(child, visit, arg))
            return false;
    return visit(arg, node);
}

bool expression__mentions(const struct node *node, struct str attribute, bool inside)
{
    if (node->kind == NODE_PATH && str_eq(node->path.first->name, attribute) && (!inside || node->path.count > 1))
        return true;
    for (const struct node *child = node->first; child; child = child->next)
        if (expression__mentions(child, attribute, inside))
            return true;
    return false;
}

void expression__attributes(const struct node *node, expression_attribute_fn *visit, void *arg)
{
    if (node->kind == NODE_PATH)
        visit(arg, node->path.first->name);
    for (const struct node *child = node->first; child; child = child->next)
        expression__attributes(child, visit, arg);
}

static struct str path_text(const struct expression_path *path, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena, 1u << 20);
    buf_add_char(&buf, '[');
    for (const struct path_step *step = path->first; step; step = step->next) {
        if (step != path->first)
            buf_lit(&buf, ", ");
        if (step->is_index)
            buf_printf(&buf, "[%zu]", step->index);
        else
            buf_add(&buf, step->name);
    }
    buf_add_char(&buf, ']');
    return buf_str(&buf);
}

/* ---- checks of one node ---- */

static bool check_function_known(void *arg, struct node *node)
{
    struct parser *parser = arg;
    if (node->kind != NODE_CALL)
        return true;
    for (size_t i = 0; i < COUNT_OF(functions); i++) {
        if (!str_eq(node->text, str_of(functions[i].name)))
            continue;
        node->function = functions[i].function;
        if (functions[i].grammar == parser->grammar)
            return true;
        expression__fail(parser, "The function is not allowed in %s expression; function: " STR_FMT,
                         parser->grammar == GRAMMAR_UPDATE ? "an update" : "a condition", STR_ARG(node->text));
        return false;
    }
    expression__fail(parser, "Invalid function name; function: " STR_FMT, STR_ARG(node->text));
    return false;
}

static bool misused(struct parser *parser, const struct node *call)
{
    expression__fail(parser, "The function is not allowed to be used this way in an expression; function: " STR_FMT,
                     STR_ARG(call->text));
    return false;
}

/* size() is an operand, the other functions are conditions. */
static bool check_function_place(void *arg, struct node *node)
{
    bool operands = node->kind < NODE_NOT;
    for (const struct node *child = node->first; child; child = child->next)
        if (child->kind == NODE_CALL && (child->function == FUNCTION_SIZE) != operands)
            return misused(arg, child);
    return true;
}

static bool check_reserved(void *arg, struct node *node)
{
    for (const struct path_step *step = node->path.first; step; step = step->next) {
        if (step->is_index || step->written.p[0] == '#' || !expression__reserved(step->written))
            continue;
        expression__fail(arg, "Attribute name is a reserved keyword; reserved keyword: " STR_FMT, STR_ARG(step->written));
        return false;
    }
    return true;
}

static bool check_names(void *arg, struct node *node)
{
    struct parser *parser = arg;
    for (struct path_step *step = node->path.first; step; step = step->next) {
        if (step->is_index || step->written.p[0] != '#')
            continue;
        const struct str *name = expression__name(parser->params, step->written);
        if (!name) {
            expression__fail(parser,
                             "An expression attribute name used in the document path is not defined; attribute name: " STR_FMT,
                             STR_ARG(step->written));
            return false;
        }
        step->name = *name;
    }
    return true;
}

static bool check_values(void *arg, struct node *node)
{
    struct parser *parser = arg;
    if (node->kind != NODE_VALUE)
        return true;
    node->value = expression__value(parser->params, node->text);
    if (node->value)
        return true;
    expression__fail(parser, "An expression attribute value used in expression is not defined; attribute value: " STR_FMT,
                     STR_ARG(node->text));
    return false;
}

static bool check_defined(void *arg, struct node *node)
{
    return check_names(arg, node) && check_values(arg, node);
}

static size_t function_row(enum function function)
{
    size_t i = 0;
    while (functions[i].function != function)
        i++;
    return i;
}

static bool check_operand_count(void *arg, struct node *node)
{
    if (node->kind == NODE_IN && node->count - 1 > EXPRESSION_IN_MAX) {
        expression__fail(arg, "The IN operator is provided with too many operands; number of operands: %zu", node->count - 1);
        return false;
    }
    if (node->kind != NODE_CALL || node->count == functions[function_row(node->function)].operands)
        return true;
    expression__fail(arg,
                     "Incorrect number of operands for operator or function; operator or function: " STR_FMT
                     ", number of operands: %zu",
                     STR_ARG(node->text), node->count);
    return false;
}

static bool steps_equal(const struct path_step *a, const struct path_step *b)
{
    return a->is_index == b->is_index && (a->is_index ? a->index == b->index : str_eq(a->name, b->name));
}

static bool paths_equal(const struct expression_path *a, const struct expression_path *b)
{
    const struct path_step *x = a->first, *y = b->first;
    while (x && y && steps_equal(x, y))
        x = x->next, y = y->next;
    return !x && !y;
}

static bool check_distinct(void *arg, struct node *node)
{
    struct parser *parser = arg;
    if ((node->kind != NODE_COMPARE && node->kind != NODE_CALL) || node->count != 2)
        return true;
    if (node->first->kind != NODE_PATH || node->last->kind != NODE_PATH || !paths_equal(&node->first->path, &node->last->path))
        return true;
    struct str path = path_text(&node->first->path, parser->arena);
    expression__fail(parser,
                     "The first operand must be distinct from the remaining operands for this operator or function; "
                     "operator: " STR_FMT ", first operand: " STR_FMT,
                     STR_ARG(node->text), STR_ARG(path));
    return false;
}

/* The type of an operand that is known before there is an item. False: it is not. */
static bool static_type(const struct node *node, enum value_type *ret)
{
    if (node->kind == NODE_VALUE)
        *ret = node->value->type;
    else if (node->kind == NODE_CALL && node->function == FUNCTION_SIZE)
        *ret = VALUE_N;
    else
        return false;
    return true;
}

static bool wrong_operand(struct parser *parser, const char *what, struct str name, const char *type)
{
    expression__fail(parser, "Incorrect operand type for operator or function; %s: " STR_FMT ", operand type: %s", what,
                     STR_ARG(name), type);
    return false;
}

static bool check_attribute_type(struct parser *parser, const struct node *node)
{
    enum value_type type;
    if (node->last->kind == NODE_PATH)
        return wrong_operand(parser, "operator or function", node->text, "{NS,SS,L,BS,N,M,B,BOOL,NULL,S}");
    if (node->last->kind != NODE_VALUE || value_type_parse(node->last->value->bytes, &type))
        return true;
    expression__fail(parser, "Invalid attribute type name found; type: " STR_FMT ", valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
                     STR_ARG(node->last->value->bytes));
    return false;
}

static bool check_call_types(struct parser *parser, const struct node *node)
{
    size_t row = function_row(node->function), i = 0;
    if (functions[row].path_first && node->first->kind != NODE_PATH) {
        expression__fail(parser, "Operator or function requires a document path; operator or function: " STR_FMT,
                         STR_ARG(node->text));
        return false;
    }
    for (const struct node *operand = node->first; operand; operand = operand->next, i++) {
        enum value_type type;
        if (static_type(operand, &type) && !(functions[row].types[i] & VALUE_BIT(type)))
            return wrong_operand(parser, "operator or function", node->text, value_type_name(type));
    }
    return node->function != FUNCTION_ATTRIBUTE_TYPE || check_attribute_type(parser, node);
}

static struct str value_text(const struct value *value, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena, 4 * ITEM_BYTES_MAX);
    buf_printf(&buf, "AttributeValue: {%s:", value_type_name(value->type));
    if (value->type == VALUE_N)
        decimal_write(&buf, &value->number);
    else
        buf_add(&buf, value->bytes);
    buf_add_char(&buf, '}');
    return buf_str(&buf);
}

static bool check_bounds(struct parser *parser, const struct node *low, const struct node *high)
{
    bool comparable;
    if (low->kind != NODE_VALUE || high->kind != NODE_VALUE)
        return true;
    int order = value_cmp(low->value, high->value, &comparable);
    if (comparable && order <= 0)
        return true;
    struct str a = value_text(low->value, parser->arena), b = value_text(high->value, parser->arena);
    expression__fail(parser, "The BETWEEN operator requires %s; lower bound operand: " STR_FMT ", upper bound operand: " STR_FMT,
                     comparable ? "upper bound to be greater than or equal to lower bound"
                                : "same data type for lower and upper bounds",
                     STR_ARG(a), STR_ARG(b));
    return false;
}

/* Only strings, numbers and binaries have an order. */
static bool check_order_types(struct parser *parser, const struct node *node)
{
    for (const struct node *operand = node->first; operand; operand = operand->next) {
        enum value_type type;
        if (static_type(operand, &type) && !(SCALARS_ORDERED & VALUE_BIT(type)))
            return wrong_operand(parser, "operator", node->text, value_type_name(type));
    }
    return node->kind != NODE_BETWEEN || check_bounds(parser, node->first->next, node->last);
}

static bool check_sum_types(struct parser *parser, const struct node *node)
{
    for (const struct node *operand = node->first; operand; operand = operand->next)
        if (operand->kind == NODE_VALUE && operand->value->type != VALUE_N)
            return wrong_operand(parser, "operator or function", node->text, value_type_name(operand->value->type));
    return true;
}

static bool check_types(void *arg, struct node *node)
{
    switch (node->kind) {
    case NODE_CALL:
        return check_call_types(arg, node);
    case NODE_BETWEEN:
        return check_order_types(arg, node);
    case NODE_COMPARE:
        return node->comparator <= COMPARE_NE || check_order_types(arg, node);
    case NODE_SUM:
        return check_sum_types(arg, node);
    default:
        return true;
    }
}

/* ---- conditions ---- */

/* Each condition without conditions in it is checked whole before the next. */
static bool check_leaves(struct parser *parser, struct node *node)
{
    static expression_visit_fn *const checks[] = {check_defined, check_operand_count, check_distinct, check_types};
    if (node->kind >= NODE_NOT) {
        for (struct node *child = node->first; child; child = child->next)
            if (!check_leaves(parser, child))
                return false;
        return true;
    }
    for (size_t i = 0; i < COUNT_OF(checks); i++)
        if (!expression__visit(node, checks[i], parser))
            return false;
    return true;
}

bool expression__check_condition(struct parser *parser, struct node *root)
{
    if (parser->redundant) {
        expression__fail(parser, "The expression has redundant parentheses;");
        return false;
    }
    if (!expression__visit(root, check_function_known, parser))
        return false;
    if (!expression__visit(root, check_function_place, parser))
        return false;
    if (root->kind == NODE_CALL && root->function == FUNCTION_SIZE)
        return misused(parser, root);
    return expression__visit(root, check_reserved, parser) && check_leaves(parser, root);
}

/* ---- paths that stand beside each other ---- */

enum relation { APART, OVERLAP, CONFLICT };

static enum relation relation(const struct expression_path *a, const struct expression_path *b)
{
    const struct path_step *x = a->first, *y = b->first;
    for (; x && y; x = x->next, y = y->next) {
        if (x->is_index != y->is_index)
            return CONFLICT;
        if (!steps_equal(x, y))
            return APART;
    }
    return OVERLAP;
}

/* Quadratic over at most EXPRESSION_BYTES_MAX / 2 paths. */
static bool check_relations(struct parser *parser, const struct expression_path *const *paths, size_t count, enum relation bad)
{
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            if (relation(paths[j], paths[i]) != bad)
                continue;
            struct str one = path_text(paths[j], parser->arena), two = path_text(paths[i], parser->arena);
            expression__fail(parser,
                             "Two document paths %s with each other; must remove or rewrite one of these paths; path one: " STR_FMT
                             ", path two: " STR_FMT,
                             bad == OVERLAP ? "overlap" : "conflict", STR_ARG(one), STR_ARG(two));
            return false;
        }
    }
    return true;
}

/* Sorted paths that overlap or conflict have neighbours that do, so most lists need no more than a sort. */
static bool check_paths_apart(struct parser *parser, const struct expression_path *const *paths, size_t count)
{
    const struct expression_path **sorted = arena_alloc(parser->arena, sizeof *sorted * (count + 1));
    size_t i = 1;
    if (count)
        memcpy(sorted, paths, sizeof *sorted * count);
    expression__sorted_paths(sorted, count);
    while (i < count && relation(sorted[i - 1], sorted[i]) == APART)
        i++;
    if (i >= count)
        return true;
    return check_relations(parser, paths, count, OVERLAP) && check_relations(parser, paths, count, CONFLICT);
}

bool expression__check_paths(struct parser *parser, struct node *paths)
{
    size_t count = 0;
    for (struct node *node = paths; node; node = node->next, count++)
        if (!check_reserved(parser, node))
            return false;
    const struct expression_path **array = arena_alloc(parser->arena, sizeof *array * (count + 1));
    count = 0;
    for (struct node *node = paths; node; node = node->next) {
        if (!check_names(parser, node))
            return false;
        array[count++] = &node->path;
    }
    return check_paths_apart(parser, array, count);
}

/* ---- updates ---- */

static bool visit_update(struct parser *parser, struct update *update, expression_visit_fn *visit)
{
    for (struct action *action = update->first; action; action = action->next) {
        if (!expression__visit(action->path, visit, parser))
            return false;
        if (action->operand && !expression__visit(action->operand, visit, parser))
            return false;
    }
    return true;
}

static bool check_sections(struct parser *parser, const struct update *update)
{
    static const char *const names[] = {"SET", "REMOVE", "ADD", "DELETE"};
    if (update->section_again)
        expression__fail(parser, "The \"%s\" section can only be used once in an update expression;", names[update->again]);
    return !update->section_again;
}

static bool check_targets(struct parser *parser, const struct update *update)
{
    size_t count = 0;
    const struct expression_path **paths = arena_alloc(parser->arena, sizeof *paths * (update->count + 1));
    for (const struct action *action = update->first; action; action = action->next)
        paths[count++] = &action->path->path;
    return check_paths_apart(parser, paths, count);
}

/* ADD takes numbers and sets, DELETE takes sets. */
static bool check_add_delete(struct parser *parser, const struct update *update)
{
    static const char *const long_names[VALUE_TYPES] = {"STRING", "NUMBER", "BINARY", "BOOLEAN", "NULL", "MAP", "LIST"};
    for (const struct action *action = update->first; action; action = action->next) {
        if (action->kind != ACTION_ADD && action->kind != ACTION_DELETE)
            continue;
        enum value_type type = action->operand->value->type;
        if (value_is_set(type) || (action->kind == ACTION_ADD && type == VALUE_N))
            continue;
        return wrong_operand(parser, "operator", action->kind == ACTION_ADD ? STR("ADD") : STR("DELETE"), long_names[type]);
    }
    return true;
}

bool expression__check_update(struct parser *parser, struct update *update)
{
    if (parser->redundant) {
        expression__fail(parser, "The expression has redundant parentheses;");
        return false;
    }
    return visit_update(parser, update, check_reserved) && visit_update(parser, update, check_function_known) &&
           check_sections(parser, update) && visit_update(parser, update, check_names) &&
           visit_update(parser, update, check_values) && check_targets(parser, update) && check_add_delete(parser, update) &&
           visit_update(parser, update, check_operand_count) && visit_update(parser, update, check_types);
}

/* ddb_expression.c -- expressions with placeholders: every attribute name becomes #n and every value :n, so that reserved
 * words, dots and what a client sent are data and nothing else.
 *
 * An expression must never lose a part: a condition left out would let a write through. So what does not fit into a builder
 * makes the arena fail, and with it the call; an operator that does not exist is written as a function that DynamoDB does
 * not have, and its answer says so.
 * Source: Amazon DynamoDB developer guide, "Using expressions in DynamoDB". */
#include "ddb.h"

#define EXPRESSION_MAX 65536 /* bytes; DynamoDB takes 4 KB, and says so itself */

static const struct op {
    const char *name, *before, *between, *after; /* around the placeholders of name and value */
    bool value;
} ops[] = {{"=", "", " = ", "", true},
           {"<>", "", " <> ", "", true},
           {"<", "", " < ", "", true},
           {"<=", "", " <= ", "", true},
           {">", "", " > ", "", true},
           {">=", "", " >= ", "", true},
           {"begins_with", "begins_with(", ", ", ")", true},
           {"contains", "contains(", ", ", ")", true},
           {"exists", "attribute_exists(", "", ")", false},
           {"not_exists", "attribute_not_exists(", "", ")", false},
           {NULL, "unknown_operator(", "", ")", false}};

void cl_expr_init(cl_expr *expr, cl_arena *arena)
{
    *expr = (cl_expr){.arena = arena, .names = cl_json_object(arena), .values = cl_json_object(arena)};
    cl_buf *const bufs[] = {&expr->set, &expr->add, &expr->remove, &expr->condition, &expr->filter, &expr->projection};
    for (size_t i = 0; i < CL__COUNT(bufs); i++)
        cl_buf_init(bufs[i], arena, EXPRESSION_MAX);
}

/* Adds a placeholder to the builder and what it stands for to its object. */
static void placeholder(cl_expr *expr, cl_buf *buf, cl_json *object, char sign, cl_json *what)
{
    cl_str text = cl_printf(expr->arena, "%c%d", sign, expr->count++);
    if (text.n > 0 && object)
        cl_json_set(object, text.p, what);
    cl_buf_add(buf, text);
    if (buf->failed)
        cl__arena_fail(expr->arena);
}

static void name_of(cl_expr *expr, cl_buf *buf, const char *name)
{
    placeholder(expr, buf, expr->names, '#', cl_json_string(expr->arena, cl_str_of(name)));
}

static void value_of(cl_expr *expr, cl_buf *buf, const cl_json *value)
{
    placeholder(expr, buf, expr->values, ':', cl__ddb_alias(expr->arena, value));
}

static void join(cl_expr *expr, cl_buf *buf, const char *with)
{
    if (buf->n > 0)
        cl_buf_adds(buf, with);
    if (buf->failed)
        cl__arena_fail(expr->arena);
}

void cl_expr_set(cl_expr *expr, const char *name, const cl_json *value)
{
    join(expr, &expr->set, ", ");
    name_of(expr, &expr->set, name);
    cl_buf_adds(&expr->set, " = ");
    value_of(expr, &expr->set, value);
}

void cl_expr_set_if_absent(cl_expr *expr, const char *name, const cl_json *value)
{
    join(expr, &expr->set, ", ");
    name_of(expr, &expr->set, name);
    cl_buf_adds(&expr->set, " = if_not_exists(");
    name_of(expr, &expr->set, name);
    cl_buf_adds(&expr->set, ", ");
    value_of(expr, &expr->set, value);
    cl_buf_addc(&expr->set, ')');
    join(expr, &expr->set, "");
}

void cl_expr_add_number(cl_expr *expr, const char *name, cl_str number)
{
    cl_item *value = cl_item_new(expr->arena);
    cl_json_set(value, "N", cl_json_string(expr->arena, number));
    join(expr, &expr->add, ", ");
    name_of(expr, &expr->add, name);
    cl_buf_addc(&expr->add, ' ');
    value_of(expr, &expr->add, value);
}

void cl_expr_remove(cl_expr *expr, const char *name)
{
    join(expr, &expr->remove, ", ");
    name_of(expr, &expr->remove, name);
}

void cl_expr_project(cl_expr *expr, const char *name)
{
    join(expr, &expr->projection, ", ");
    name_of(expr, &expr->projection, name);
}

static void compare(cl_expr *expr, cl_buf *buf, const char *name, const char *op_name, const cl_json *value)
{
    const struct op *op = ops;
    while (op->name && strcmp(op->name, op_name) != 0)
        op++;
    join(expr, buf, " AND ");
    cl_buf_adds(buf, op->before);
    name_of(expr, buf, name);
    cl_buf_adds(buf, op->between);
    if (op->value)
        value_of(expr, buf, value);
    cl_buf_adds(buf, op->after);
    join(expr, buf, "");
}

void cl_expr_condition(cl_expr *expr, const char *name, const char *op, const cl_json *value)
{
    compare(expr, &expr->condition, name, op, value);
}

void cl_expr_between(cl_expr *expr, const char *name, const cl_json *low, const cl_json *high)
{
    join(expr, &expr->condition, " AND ");
    name_of(expr, &expr->condition, name);
    cl_buf_adds(&expr->condition, " BETWEEN ");
    value_of(expr, &expr->condition, low);
    cl_buf_adds(&expr->condition, " AND ");
    value_of(expr, &expr->condition, high);
}

void cl_expr_filter(cl_expr *expr, const char *name, const char *op, const cl_json *value)
{
    compare(expr, &expr->filter, name, op, value);
}

static const char *text_of(const cl_buf *buf)
{
    return buf->n > 0 ? cl_buf_str(buf).p : NULL;
}

const char *cl_expr_update(cl_expr *expr)
{
    const struct clause {
        const char *word;
        const cl_buf *from;
    } clauses[] = {{"SET ", &expr->set}, {"ADD ", &expr->add}, {"REMOVE ", &expr->remove}};
    cl_buf text;
    cl_buf_init(&text, expr->arena, 3 * EXPRESSION_MAX);
    for (size_t i = 0; i < CL__COUNT(clauses); i++) {
        const char *clause = text_of(clauses[i].from);
        if (!clause)
            continue;
        join(expr, &text, " ");
        cl_buf_adds(&text, clauses[i].word);
        cl_buf_adds(&text, clause);
    }
    join(expr, &text, "");
    return text_of(&text);
}

const cl_ddb_options *cl_expr_options(cl_expr *expr, cl_ddb_options *ret)
{
    const struct part {
        const cl_buf *from;
        const char **into;
    } parts[] = {{&expr->condition, &ret->condition}, {&expr->filter, &ret->filter}, {&expr->projection, &ret->projection}};
    for (size_t i = 0; i < CL__COUNT(parts); i++)
        if (parts[i].from->n > 0)
            *parts[i].into = text_of(parts[i].from);
    if (expr->names && expr->names->count > 0)
        ret->names = expr->names;
    if (expr->values && expr->values->count > 0)
        ret->values = expr->values;
    return ret;
}

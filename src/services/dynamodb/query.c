/* query.c -- Query: one partition, a range of its sort keys in either direction. Legacy conditions are refused by the row.
 * Source: API reference, Query; key conditions as ranges of the order that item.h keeps. */
#include "services/dynamodb/item.h"
#include "services/dynamodb/page.h"
#include "services/dynamodb/reads.h"

struct query {
    struct page page;                       /* first: page_handle gets this address */
    struct key_conditions conditions;
    struct key_condition bound;
};

static const char *const query_expressions[] = {"ProjectionExpression", "FilterExpression", "KeyConditionExpression", NULL};
static const char *const query_values_in[] = {"FilterExpression", "KeyConditionExpression", NULL};
static const char *const query_legacy[] = {"AttributesToGet", "QueryFilter", "ConditionalOperator", "KeyConditions", NULL};
static const struct expression_usage query_usage = {query_expressions, query_values_in, query_legacy};

static bool has_key_conditions(struct call *call)
{
    if (call_has(call, "KeyConditionExpression") || call_has(call, "KeyConditions"))
        return true;
    return request_invalid(
        call, STR("Either the KeyConditions or KeyConditionExpression parameter must be specified in the request."), false);
}

static bool read_key_conditions(struct call *call, struct query *query, struct expression_params *params)
{
    struct str message;
    if (!call_has(call, "KeyConditionExpression"))
        return true; /* KeyConditions: refused by name behind the authorisation */
    return key_conditions_parse(call_str(call, "KeyConditionExpression"), params, call->arena, &query->conditions, &message) ||
           request_invalid(call, message, false);
}

void query_needs(struct call *call, struct needs *needs)
{
    struct query *query = arena_new_of(call->arena, struct query);
    struct page *page = &query->page;
    call->state = query;
    if (!request_target(call, call_str(call, "TableName"), "tableName", &page->target) ||
        !request_usage(call, &query_usage, call->input))
        return;
    if (!page_read(call, page) || !has_key_conditions(call))
        return;
    struct expression_params *params = request_params(call, call->input);
    if (!params || !read_key_conditions(call, query, params) || !page_read_expressions(call, page, params))
        return;
    if (!page_check_select(call, page, true))
        return;
    page_need(call, needs, page, "dynamodb:Query");
    for (size_t i = 0; i < query->conditions.count; i++) {
        const struct key_comparison *comparison = &query->conditions.comparison[i];
        bool hash = page->target.table && str_eq(comparison->attribute, page->target.table->hash.name);
        if (hash)
            request_leading_value(call, needs, comparison->low);
        request_context_attribute(&(struct context_arg){call, needs}, comparison->attribute);
    }
}

/* ---- ranges ---- */

static struct str behind(struct str key, struct arena *arena)
{
    return (struct str){arena_cstr(arena, key), key.n + 1};         /* the key and a zero byte: the next one possible */
}

static void query_range(const struct query *query, struct arena *arena, struct store_range *range)
{
    const struct key_condition *bound = &query->bound;
    range->from = STR("i");
    range->to = STR("j");
    if (bound->op == KEY_NONE)
        return;
    struct str low = key_item(bound->low, arena);
    struct str first = key_range_prefix(bound->low->type, arena);
    switch (bound->op) {
    case KEY_EQ:
        range->from = low, range->to = behind(low, arena);
        break;
    case KEY_LT:
        range->from = first, range->to = low;
        break;
    case KEY_LE:
        range->from = first, range->to = behind(low, arena);
        break;
    case KEY_GT:
        range->from = behind(low, arena);
        break;
    case KEY_GE:
        range->from = low;
        break;
    case KEY_BETWEEN:
        range->from = low, range->to = behind(key_item(bound->high, arena), arena);
        break;
    default:
        range->from = low, range->to = arena_behind(arena, low);
        break;
    }
}

static bool within(const struct store_range *range, struct str key)
{
    return str_cmp(key, range->from) >= 0 && str_cmp(key, range->to) < 0;
}

/* ExclusiveStartKey must be a key that this query could have ended at. */
static bool start_behind(struct call *call, const struct query *query, struct store_range *range)
{
    const struct page *page = &query->page;
    const struct table *table = page->target.table;
    const struct value *hash = value_member(page->start, table->hash.name);
    const struct value *sort = table->range.name.n ? value_member(page->start, table->range.name) : NULL;
    const char *problem = NULL;
    if (!hash || page->start->count != (table->range.name.n ? 2u : 1u) || (table->range.name.n && !sort))
        problem = "The provided starting key is invalid";
    else
        problem = table_key_problem(table, page->start, call->arena);
    if (problem)
        return request_invalid(call, str_of(problem), false);
    struct store_key key = table_item_key(table, page->start, call->arena);
    if (query->bound.op != KEY_NONE && !within(range, key.key))
        return request_invalid(call, STR("The provided starting key does not match the range key predicate"), false);
    if (!value_equal(hash, query->bound.hash))
        return request_invalid(call, STR("The provided starting key is outside query boundaries based on provided conditions"),
                               false);
    if (range->reverse)
        range->to = key.key;
    else
        range->from = behind(key.key, call->arena);
    return true;
}

static bool filter_spares_keys(struct call *call, const struct page *page)
{
    const struct str names[] = {page->target.table->hash.name, page->target.table->range.name};
    for (size_t i = 0; page->filter && i < COUNT_OF(names); i++) {
        if (!names[i].n || !condition_mentions(page->filter, names[i]))
            continue;
        call_fail(call, "ValidationException",
                  "Filter Expression can only contain non-primary key attributes: Primary key attribute: " STR_FMT,
                  STR_ARG(names[i]));
        return false;
    }
    return true;
}

static bool bind_conditions(struct call *call, struct query *query)
{
    struct str message;
    const struct table *table = query->page.target.table;
    const struct value *operands[3];
    if (!key_conditions_bind(&query->conditions, &table->hash, &table->range, call->arena, &query->bound, &message))
        return request_invalid(call, message, false);
    operands[0] = query->bound.hash, operands[1] = query->bound.low, operands[2] = query->bound.high;
    for (size_t i = 0; i < COUNT_OF(operands); i++) {
        const struct key_attribute *key = i ? &table->range : &table->hash;
        const char *problem = operands[i] ? table_key_value_problem(key, operands[i], i == 0, call->arena) : NULL;
        if (problem)
            return request_invalid(call, str_of(problem), false);
    }
    return true;
}

void query_prepare(struct call *call)
{
    struct query *query = call->state;
    struct page *page = &query->page;
    if (!request_target_found(call, &page->target) || !page_check_table(call, page) || !bind_conditions(call, query))
        return;
    struct store_range range = {.space = page->target.table->space, .collection = key_collection(query->bound.hash, call->arena),
                                .reverse = !json_bool(call->input, "ScanIndexForward", true)};
    query_range(query, call->arena, &range);
    if (page->start && !start_behind(call, query, &range))
        return;
    if (!filter_spares_keys(call, page))
        return;
    if (str_cmp(range.from, range.to) > 0)
        range.to = range.from;
    page->iter = store_range(table_reader(call), &range, call->arena);
    page_begin(call, page);
}

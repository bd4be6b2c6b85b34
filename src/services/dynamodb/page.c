/* page.c -- see page.h. Items without filter and projection go from bytes to text without a tree. With them, each item's
 * tree lives in a scratch arena that is emptied for the next. Source: API reference of Query and Scan; "Paginating". */
#include "services/dynamodb/page.h"
#include "services/dynamodb/item.h"
#include "services/dynamodb/reads.h"

/* ---- input ---- */

static bool read_start(struct call *call, struct page *page)
{
    struct str message;
    bool serialization = false;
    const struct json *json = json_at(call->input, "ExclusiveStartKey");
    if (!json)
        return true;
    page->start = item_from_json(json, call->arena, &message, &serialization);
    if (page->start)
        return true;
    if (!serialization)
        message = arena_printf(call->arena, "The provided starting key is invalid: " STR_FMT, STR_ARG(message));
    return request_invalid(call, message, serialization);
}

bool page_read(struct call *call, struct page *page)
{
    page->limit = (size_t)json_i64(call->input, "Limit", 0);
    page->consistent = json_bool(call->input, "ConsistentRead", false);
    page->count_only = str_eq(call_str(call, "Select"), STR("COUNT"));
    return read_start(call, page);
}

bool page_read_expressions(struct call *call, struct page *page, struct expression_params *params)
{
    return request_condition(call, "FilterExpression", params, &page->filter) &&
           request_projection(call, call->input, params, &page->projection) && request_params_used(call, params);
}

bool page_check_select(struct call *call, const struct page *page, bool query)
{
    struct str select = call_str(call, "Select");
    const char *problem = NULL;
    if (str_eq(select, STR("SPECIFIC_ATTRIBUTES")) && !page->projection)
        problem = query ? "1 validation error detected: Must specify the AttributesToGet or ProjectionExpression when choosing to "
                          "get SPECIFIC_ATTRIBUTES"
                        : "Must specify the AttributesToGet or ProjectionExpression when choosing to get SPECIFIC_ATTRIBUTES";
    else if (str_eq(select, STR("COUNT")) && page->projection)
        problem = "Cannot specify the ProjectionExpression when choosing to get only the Count";
    else if (str_eq(select, STR("ALL_ATTRIBUTES")) && page->projection)
        problem = "Cannot specify the ProjectionExpression when choosing to get ALL_ATTRIBUTES";
    else if (str_eq(select, STR("ALL_PROJECTED_ATTRIBUTES")) && !call_has(call, "IndexName"))
        problem = "ALL_PROJECTED_ATTRIBUTES can be used only when Querying using an IndexName";
    return !problem || request_invalid(call, str_of(problem), false);
}

void page_need(struct call *call, struct needs *needs, const struct page *page, const char *action)
{
    struct context_arg arg = {call, needs};
    struct str select = call_str(call, "Select");
    struct str index = call_str(call, "IndexName");
    if (!select.n)
        select = page->projection ? STR("SPECIFIC_ATTRIBUTES") : STR("ALL_ATTRIBUTES");
    need_add(needs, action,
             index.n ? arena_printf(call->arena, STR_FMT "/index/" STR_FMT, STR_ARG(page->target.arn), STR_ARG(index))
                     : page->target.arn);
    request_context(call, needs);
    request_context_select(call, needs, select);
    condition_attributes(page->filter, request_context_attribute, &arg);
    projection_attributes(page->projection, request_context_attribute, &arg);
}

static bool filter_enters(const void *filter, struct str attribute)
{
    return condition_enters(filter, attribute);
}

bool page_check_table(struct call *call, const struct page *page)
{
    struct str index = call_str(call, "IndexName");
    if (index.n) {
        call_fail(call, "ValidationException", "The table does not have the specified index: " STR_FMT, STR_ARG(index));
        return false;
    }
    return request_keys_projected(call, page->target.table, page->projection) &&
           request_keys_entered(call, page->target.table, filter_enters, page->filter);
}

/* ---- reading ---- */

static void keep(struct page *page, const struct value *item, struct str bytes, bool *ret_damaged)
{
    page->matched++;
    if (page->count_only)
        return;
    buf_add_char(&page->items, page->items.n ? ',' : '[');
    if (page->projection)
        item_write_json(&page->items, projection_apply(page->projection, item, page->scratch));
    else if (!item_bytes_write_json(&page->items, bytes))
        *ret_damaged = true;
}

/* False: damaged. */
static bool take_item(struct page *page, struct str bytes)
{
    size_t size;
    bool damaged = false;
    const struct value *item = NULL;
    if (!item_bytes_size(bytes, &size))
        return false;
    page->scanned++;
    page->bytes += size;
    if (page->filter || page->projection) {
        arena_reset(page->scratch);
        item = item_decode(bytes, page->scratch);
        if (!item)
            return false;
    }
    if (!page->filter || condition_holds(page->filter, item, page->scratch))
        keep(page, item, bytes, &damaged);
    return !damaged;
}

static void remember_last(struct call *call, struct page *page, struct str bytes)
{
    page->full = (page->limit && page->scanned >= page->limit) || page->bytes >= PAGE_BYTES_MAX ||
                 page->items.n >= ANSWER_JSON_FULL;
    if (page->full)
        page->last = arena_dup(call->arena, bytes);
}

/* Until the page is full, the range ends, or so many items or bytes more were read. */
static enum err read_on(struct call *call, struct page *page, size_t items, size_t bytes)
{
    struct store_key key;
    struct str value;
    enum err err = ERR_OK;
    size_t until_items = page->scanned + items, until_bytes = page->bytes + bytes;
    while (!page->full && page->scanned < until_items && page->bytes < until_bytes) {
        err = store_next(page->iter, &key, &value);
        if (err != ERR_OK)
            break;
        if (!key.key.n || key.key.p[0] != 'i')
            continue;
        if (!take_item(page, value))
            return ERR_CORRUPT;
        if (page->items.failed)
            return ERR_TOO_LARGE;
        remember_last(call, page, value);
    }
    page->ended = err == ERR_NOT_FOUND;
    return page->ended ? ERR_OK : err;
}

/* ---- the answer ---- */

static struct json *last_key(struct call *call, const struct page *page)
{
    const struct value *item = item_decode(page->last, call->arena);
    struct value *key = value_new(call->arena, VALUE_M);
    const struct str names[] = {page->target.table->hash.name, page->target.table->range.name};
    for (size_t i = 0; item && i < COUNT_OF(names); i++) {
        struct value *attribute = names[i].n ? value_member(item, names[i]) : NULL;
        if (attribute)
            value_append(key, value_clone(call->arena, attribute));
    }
    if (item)
        return request_raw_value(call, key);
    call_fail_err(call, ERR_CORRUPT);
    return NULL;
}

static void page_answer(struct call *call, struct page *page)
{
    struct json *output = request_output(call);
    if (!page->count_only) {
        buf_add_char(&page->items, ']');
        struct str text = page->matched ? buf_str(&page->items) : STR("[]");
        json_add(output, "Items", json_new_raw(call->arena, text));
    }
    json_add_i64(call->arena, output, "Count", (int64_t)page->matched);
    json_add_i64(call->arena, output, "ScannedCount", (int64_t)page->scanned);
    if (page->full) {
        struct json *last = last_key(call, page);
        if (!last)
            return;
        json_add(output, "LastEvaluatedKey", last);
    }
    capacity_add(call, page->target.given, capacity_read(page->bytes, page->consistent));
}

void page_begin(struct call *call, struct page *page)
{
    buf_init(&page->items, call->arena, ANSWER_JSON_MAX);
    page->scratch = arena_under(call->arena);
    enum err err = read_on(call, page, PAGE_INLINE_ITEMS, PAGE_INLINE_BYTES);
    if (err != ERR_OK)
        call_fail_err(call, err);
    else
        call->run = page->ended || page->full ? RUN_INLINE : RUN_WORKER;
}

/* The row's handler, on the loop if page_begin read everything, else on a worker. */
void page_handle(struct call *call)
{
    struct page *page = call->state;
    enum err err = page->ended || page->full ? ERR_OK : read_on(call, page, SIZE_MAX / 2, SIZE_MAX / 2);
    store_iter_close(page->iter);
    if (err != ERR_OK)
        call_fail_err(call, err);
    else
        page_answer(call, page);
}

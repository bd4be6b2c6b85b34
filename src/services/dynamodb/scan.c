/* scan.c -- Scan: the items of a table in the order of their partition keys' hashes; a segment is a part of the hashes.
 * Source: API reference, Scan; developer guide, "Parallel scan". */
#include "services/dynamodb/page.h"
#include "services/dynamodb/reads.h"

struct scan {
    struct page page;                       /* first: page_handle gets this address */
    uint64_t segment, segments;
};

static const char *const scan_expressions[] = {"ProjectionExpression", "FilterExpression", NULL};
static const char *const scan_values_in[] = {"FilterExpression", NULL};
static const char *const scan_legacy[] = {"AttributesToGet", "ScanFilter", "ConditionalOperator", NULL};
static const struct expression_usage scan_usage = {scan_expressions, scan_values_in, scan_legacy};

static bool read_segment(struct call *call, struct scan *scan)
{
    bool segment = call_has(call, "Segment"), total = call_has(call, "TotalSegments");
    scan->segment = (uint64_t)json_i64(call->input, "Segment", 0);
    scan->segments = (uint64_t)json_i64(call->input, "TotalSegments", 1);
    if (segment && !total)
        return request_invalid(call,
                               STR("The TotalSegments parameter is required but was not present in the request when Segment "
                                   "parameter is present"),
                               false);
    if (total && !segment)
        return request_invalid(call,
                               STR("The Segment parameter is required but was not present in the request when parameter "
                                   "TotalSegments is present"),
                               false);
    if (scan->segment < scan->segments)
        return true;
    call_fail(call, "ValidationException",
              "The Segment parameter is zero-based and must be less than parameter TotalSegments: "
              "Segment: %llu is not less than TotalSegments: %llu",
              (unsigned long long)scan->segment, (unsigned long long)scan->segments);
    return false;
}

void scan_needs(struct call *call, struct needs *needs)
{
    struct scan *scan = arena_new_of(call->arena, struct scan);
    struct page *page = &scan->page;
    call->state = scan;
    if (!request_target(call, call_str(call, "TableName"), "tableName", &page->target) ||
        !request_usage(call, &scan_usage, call->input))
        return;
    if (!page_read(call, page) || !read_segment(call, scan))
        return;
    struct expression_params *params = request_params(call, call->input);
    if (!params || !page_read_expressions(call, page, params) || !page_check_select(call, page, false))
        return;
    page_need(call, needs, page, "dynamodb:Scan");
}

/* The first hash of a segment; of the one behind the last: 2^64, which the caller does not ask for. */
static uint64_t first_hash(uint64_t segment, uint64_t segments)
{
    return (uint64_t)((((unsigned __int128)1 << 64) * segment + segments - 1) / segments);
}

static bool start_in_segment(struct call *call, const struct scan *scan, uint64_t from, uint64_t to, struct store_key *ret)
{
    const struct table *table = scan->page.target.table;
    const char *problem = table_key_problem(table, scan->page.start, call->arena);
    if (problem) {
        call_fail(call, "ValidationException", "The provided starting key is invalid: %s", problem);
        return false;
    }
    *ret = table_item_key(table, scan->page.start, call->arena);
    uint64_t hash = store_hash(dynamodb_of(call)->store, ret->collection);
    if (hash >= from && hash <= to)
        return true;
    call_fail(call, "ValidationException",
              "The provided starting key is invalid: Invalid ExclusiveStartKey. Please use ExclusiveStartKey with "
              "correct Segment. TotalSegments: %llu Segment: %llu",
              (unsigned long long)scan->segments, (unsigned long long)scan->segment);
    return false;
}

void scan_prepare(struct call *call)
{
    struct scan *scan = call->state;
    struct page *page = &scan->page;
    struct store_key after;
    if (!request_target_found(call, &page->target) || !page_check_table(call, page))
        return;
    uint64_t from = first_hash(scan->segment, scan->segments);
    uint64_t to = scan->segment + 1 == scan->segments ? UINT64_MAX : first_hash(scan->segment + 1, scan->segments) - 1;
    if (page->start && !start_in_segment(call, scan, from, to, &after))
        return;
    page->iter = store_walk(table_reader(call), page->target.table->space, from, to, page->start ? &after : NULL, call->arena);
    page_begin(call, page);
}

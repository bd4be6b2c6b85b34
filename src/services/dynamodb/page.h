/* page.h -- one page of a Query or Scan: walks items, counts them against Limit and 1 MB, filters, projects, and writes
 * the answer. It can stop in the middle and go on, on another thread: first a little on the loop, the rest on a worker. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_PAGE_H
#define CLOUDLESS_SERVICES_DYNAMODB_PAGE_H
#include "services/dynamodb/request.h"

#define PAGE_INLINE_ITEMS 32                /* read on the loop before a worker takes over */
#define PAGE_INLINE_BYTES (64u << 10)

struct page {
    struct target target;
    struct condition *filter;
    struct projection *projection;
    const struct value *start;              /* ExclusiveStartKey, or NULL */
    bool count_only, consistent;
    size_t limit;                           /* 0: none */
    struct store_iter *iter;
    /* so far: */
    size_t scanned, matched, bytes;
    bool ended, full;                       /* nothing more; or stopped by Limit or 1 MB */
    struct buf items;                       /* JSON: "[" item "," item … */
    struct str last;                        /* bytes of the last item that was read */
    struct arena *scratch;                  /* of one item */
};

/* Reads what Query and Scan have in common: Limit, Select, ExclusiveStartKey, ConsistentRead. */
bool page_read(struct call *call, struct page *page);
/* FilterExpression and ProjectionExpression; then that all placeholders were used. */
bool page_read_expressions(struct call *call, struct page *page, struct expression_params *params);
bool page_check_select(struct call *call, const struct page *page, bool query);
void page_need(struct call *call, struct needs *needs, const struct page *page, const char *action);
/* No index exists; paths into key attributes. */
bool page_check_table(struct call *call, const struct page *page);
/* Starts with page->iter set: reads a first part, and leaves the call to a worker if that was not all. */
void page_begin(struct call *call, struct page *page);
#endif

/* table_counts.h -- ItemCount and TableSizeBytes. The service says of both that it updates them about every six hours; here a
 * table is counted when it is described and the last count is that old (or none was made since the server's start). */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_TABLE_COUNTS_H
#define CLOUDLESS_SERVICES_DYNAMODB_TABLE_COUNTS_H
#include "store/store.h"

#define TABLE_COUNTS_AGE_MS (6 * 3600 * 1000)
#define TABLE_COUNTS_STEP 20000         /* items that one description counts; a larger table takes several */

struct table_count { uint64_t items, bytes; };

struct table_counts;
struct table_counts *table_counts_new(struct store *store);
void table_counts_free(struct table_counts *counts);        /* NULL is fine. The others: any thread */
bool table_counts_due(struct table_counts *counts, uint64_t space, int64_t now_ms);     /* then _get reads the store: on a worker */
struct table_count table_counts_get(struct table_counts *counts, uint64_t space, int64_t now_ms);
struct table_count table_counts_known(struct table_counts *counts, uint64_t space);     /* without counting */
#endif

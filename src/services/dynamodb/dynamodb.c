/* dynamodb.c -- the table of operations.
 *
 *   rows here → reads (get_item, query, scan, page) · writes · batch · tables (create, ops, counts) · tags
 *             → request (input, capacity) → table (descriptions, keys) → expressions, item format, values → store
 *
 * The needs function of a row reads the input as well, since policies may ask which items and attributes a request
 * touches; so what is wrong with an input is told before what is not allowed, as AWS does. */
#include "services/dynamodb/dynamodb.h"
#include "call/service_errors.h"
#include "services/dynamodb/batch.h"
#include "services/dynamodb/reads.h"
#include "services/dynamodb/tables.h"
#include "services/dynamodb/writes.h"

#define DYNAMODB_BODY_BYTES_MAX (16u << 20)     /* of a request; BatchWriteItem: 16 MB */

static const char *const create_table_refused[] = {"LocalSecondaryIndexes",
                                                   "GlobalSecondaryIndexes",
                                                   "WarmThroughput",
                                                   "ResourcePolicy",
                                                   "GlobalTableSourceArn",
                                                   "GlobalTableSettingsReplicationMode",
                                                   "VectorIndexes",
                                                   NULL};
static const char *const write_refused[] = {"Expected", "ConditionalOperator", NULL};
static const char *const get_refused[] = {"AttributesToGet", NULL};
static const char *const query_refused[] = {"AttributesToGet", "KeyConditions", "QueryFilter", "ConditionalOperator", NULL};
static const char *const scan_refused[] = {"AttributesToGet", "ScanFilter", "ConditionalOperator", NULL};
static const char *const tags_refused[] = {"NextToken", NULL};

static const struct row dynamodb_rows[] = {
    {.name = "BatchGetItem", .run = RUN_INLINE, .needs = batch_get_needs, .prepare = batch_get_prepare, .handle = batch_get_handle},
    {.name = "BatchWriteItem",
     .run = RUN_MUTATION,
     .needs = batch_write_needs,
     .prepare = batch_write_prepare,
     .mutate = batch_write_mutate,
     .committed = batch_write_committed},
    {.name = "CreateTable",
     .run = RUN_MUTATION,
     .needs = create_table_needs,
     .prepare = create_table_prepare,
     .mutate = create_table_mutate,
     .refused = create_table_refused},
    {.name = "DeleteItem",
     .run = RUN_MUTATION,
     .needs = delete_item_needs,
     .prepare = delete_item_prepare,
     .mutate = delete_item_mutate,
     .committed = write_committed,
     .refused = write_refused},
    {.name = "DeleteTable",
     .run = RUN_MUTATION,
     .needs = delete_table_needs,
     .mutate = delete_table_mutate,
     .committed = delete_table_committed},
    {.name = "DescribeContinuousBackups",
     .run = RUN_INLINE,
     .needs = describe_continuous_backups_needs,
     .handle = describe_continuous_backups_handle},
    {.name = "DescribeTable",
     .run = RUN_INLINE,
     .needs = describe_table_needs,
     .prepare = describe_table_prepare,
     .handle = describe_table_handle},
    {.name = "DescribeTimeToLive", .run = RUN_INLINE, .needs = describe_time_to_live_needs, .handle = describe_time_to_live_handle},
    {.name = "GetItem",
     .run = RUN_INLINE,
     .needs = get_item_needs,
     .prepare = get_item_prepare,
     .handle = get_item_handle,
     .refused = get_refused},
    {.name = "ListTables", .run = RUN_INLINE, .needs = list_tables_needs, .handle = list_tables_handle},
    {.name = "ListTagsOfResource",
     .run = RUN_INLINE,
     .needs = list_tags_needs,
     .handle = list_tags_handle,
     .refused = tags_refused},
    {.name = "PutItem",
     .run = RUN_MUTATION,
     .needs = put_item_needs,
     .prepare = put_item_prepare,
     .mutate = put_item_mutate,
     .committed = write_committed,
     .refused = write_refused},
    {.name = "Query",
     .run = RUN_INLINE,
     .needs = query_needs,
     .prepare = query_prepare,
     .handle = page_handle,
     .refused = query_refused},
    {.name = "Scan",
     .run = RUN_INLINE,
     .needs = scan_needs,
     .prepare = scan_prepare,
     .handle = page_handle,
     .refused = scan_refused},
    {.name = "TagResource",
     .run = RUN_MUTATION,
     .needs = tag_resource_needs,
     .prepare = tag_resource_prepare,
     .mutate = tag_resource_mutate},
    {.name = "UntagResource",
     .run = RUN_MUTATION,
     .needs = untag_resource_needs,
     .prepare = untag_resource_prepare,
     .mutate = untag_resource_mutate},
    {.name = "UpdateItem",
     .run = RUN_MUTATION,
     .needs = update_item_needs,
     .prepare = update_item_prepare,
     .mutate = update_item_mutate,
     .committed = write_committed,
     .refused = write_refused},
};

const struct service_api dynamodb_api = {
    .skew_minutes = 5, /* aws/aws-sdk-js-v3#7605, 2025 */
    .model = &model_dynamodb,
    .rows = dynamodb_rows,
    .row_count = COUNT_OF(dynamodb_rows),
    .errors = &dynamodb_errors,
    .overrides = &dynamodb_overrides,
    .body_max = DYNAMODB_BODY_BYTES_MAX,
};

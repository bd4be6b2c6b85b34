/* table_ops.c -- DescribeTable, ListTables, DeleteTable, and the two descriptions that clients read with a table although
 * nothing can be set there: time to live and continuous backups. Tables are usable at once: CreateTable answers CREATING
 * and the next description says ACTIVE; DeleteTable answers DELETING and the table is gone, its space is emptied behind. */
#include "base/clock.h"
#include "jobs/jobs.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/table_counts.h"
#include "services/dynamodb/tables.h"
#include "store/doc.h"

#define LIST_LIMIT 100
#define WARM_READS 12000            /* of a table on demand, in a second */
#define WARM_WRITES 4000

struct named { struct str name; struct json *document; uint64_t dropped; };

static struct named *read_name(struct call *call, struct needs *needs, const char *action)
{
    struct named *named = arena_new_of(call->arena, struct named);
    call->state = named;
    if (!table_name_read(call, call_str(call, "TableName"), "tableName", &named->name))
        return NULL;
    need_add(needs, action, table_arn(call, named->name));
    return named;
}

#define TABLE_NEEDS(function, action)                                                                                              \
    void function(struct call *call, struct needs *needs)                                                                          \
    {                                                                                                                              \
        read_name(call, needs, action);                                                                                            \
    }
TABLE_NEEDS(describe_table_needs, "dynamodb:DescribeTable")
TABLE_NEEDS(delete_table_needs, "dynamodb:DeleteTable")
TABLE_NEEDS(describe_time_to_live_needs, "dynamodb:DescribeTimeToLive")
TABLE_NEEDS(describe_continuous_backups_needs, "dynamodb:DescribeContinuousBackups")
#undef TABLE_NEEDS

void list_tables_needs(struct call *call, struct needs *needs)
{
    need_add(needs, "dynamodb:ListTables", call_arn(call, "dynamodb", "table/*"));
}

static struct json *table_document(struct call *call, struct store_txn *txn, struct str name)
{
    struct json *document = NULL;
    enum err err = doc_get(txn, table_key(call, name), call->arena, &document);
    if (err == ERR_NOT_FOUND)
        table_fail_missing(call, name);
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK ? document : NULL;
}

static uint64_t space_of(const struct json *document)
{
    uint64_t space = 0;
    str_to_u64(json_str(document, "Space"), &space);
    return space;
}

/* ---- DescribeTable ---- */

void describe_table_prepare(struct call *call)
{
    struct named *named = call->state;
    named->document = table_document(call, table_reader(call), named->name);
    if (named->document && table_counts_due(dynamodb_of(call)->counts, space_of(named->document), clock_epoch_ms()))
        call->run = RUN_WORKER;
}

/* What a table can take at once: on demand as much as a new one on AWS, else what is provisioned. CreateTable does not say it.
 * Source: answers recorded on AWS by the localstack project (test_dynamodb.snapshot.json, test_gsi_with_billing_mode and
 * test_table_crud, 8 October 2025). */
static void add_warm_throughput(struct call *call, struct json *shown)
{
    const struct json *provisioned = json_at(shown, "ProvisionedThroughput");
    bool on_demand = str_eq(json_str(json_at(shown, "BillingModeSummary"), "BillingMode"), STR("PAY_PER_REQUEST"));
    int64_t reads = json_i64(provisioned, "ReadCapacityUnits", 0), writes = json_i64(provisioned, "WriteCapacityUnits", 0);
    struct json *warm = json_add_object(call->arena, shown, "WarmThroughput");
    json_add_i64(call->arena, warm, "ReadUnitsPerSecond", on_demand ? WARM_READS : reads);
    json_add_i64(call->arena, warm, "WriteUnitsPerSecond", on_demand ? WARM_WRITES : writes);
    json_add_str(call->arena, warm, "Status", STR("ACTIVE"));
}

void describe_table_handle(struct call *call)
{
    const struct named *named = call->state;
    struct table_count count = table_counts_get(dynamodb_of(call)->counts, space_of(named->document), clock_epoch_ms());
    struct json *shown = json_clone(call->arena, json_at(named->document, "Description"));
    json_add_str(call->arena, shown, "TableStatus", STR("ACTIVE"));
    json_add_i64(call->arena, shown, "TableSizeBytes", (int64_t)count.bytes);
    json_add_i64(call->arena, shown, "ItemCount", (int64_t)count.items);
    add_warm_throughput(call, shown);
    json_add(request_output(call), "Table", shown);
}

/* ---- ListTables ---- */

void list_tables_handle(struct call *call)
{
    struct json *list;
    bool more;
    struct str collection = table_key(call, STR_NONE).collection;
    enum err err = doc_list(table_reader(call), DYNAMODB_SPACE, collection, STR_NONE, call_str(call, "ExclusiveStartTableName"),
                            (size_t)json_i64(call->input, "Limit", LIST_LIMIT), call->arena, &list, &more);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    struct json *output = request_output(call), *names = json_add_array(call->arena, output, "TableNames");
    for JSON_EACH (row, list)
        json_add(names, NULL, json_new_str(call->arena, json_str(row, "k")));
    if (more)
        json_add_str(call->arena, output, "LastEvaluatedTableName", json_str(list->last, "k"));
}

/* ---- DeleteTable ---- */

void delete_table_mutate(struct call *call, struct store_txn *txn)
{
    struct named *named = call->state;
    struct json *document = table_document(call, txn, named->name);
    if (!document)
        return;
    uint64_t space = named->dropped = space_of(document);
    store_delete(txn, table_key(call, named->name));
    store_delete(txn, table_alive_key(space));
    jobs_drop_space(txn, space);
    struct json *shown = json_at(document, "Description");
    json_remove(shown, STR("AttributeDefinitions"));
    json_remove(shown, STR("KeySchema"));
    json_remove(shown, STR("CreationDateTime"));
    json_add_str(call->arena, shown, "TableStatus", STR("DELETING"));
    json_add(request_output(call), "TableDescription", json_clone(call->arena, shown));
}

/* The counts are a cache's, so no business of the mutation. */
void delete_table_committed(struct call *call)
{
    const struct named *named = call->state;
    struct json *shown = json_at(call->output, "TableDescription");
    struct table_count count = table_counts_known(dynamodb_of(call)->counts, named->dropped);
    json_add_i64(call->arena, shown, "TableSizeBytes", (int64_t)count.bytes);
    json_add_i64(call->arena, shown, "ItemCount", (int64_t)count.items);
}

/* ---- what every table has and none can change ---- */

void describe_time_to_live_handle(struct call *call)
{
    const struct named *named = call->state;
    if (!table_document(call, table_reader(call), named->name))
        return;
    struct json *description = json_add_object(call->arena, request_output(call), "TimeToLiveDescription");
    json_add_str(call->arena, description, "TimeToLiveStatus", STR("DISABLED"));
}

void describe_continuous_backups_handle(struct call *call)
{
    const struct named *named = call->state;
    const struct table *table;
    enum err err = table_find(call, named->name, &table);
    if (err != ERR_OK) {
        if (err == ERR_NOT_FOUND)
            call_fail(call, "TableNotFoundException", "Table not found: " STR_FMT, STR_ARG(named->name));
        else
            call_fail_err(call, err);
        return;
    }
    struct json *description = json_add_object(call->arena, request_output(call), "ContinuousBackupsDescription");
    json_add_str(call->arena, description, "ContinuousBackupsStatus", STR("DISABLED"));
    struct json *recovery = json_add_object(call->arena, description, "PointInTimeRecoveryDescription");
    json_add_str(call->arena, recovery, "PointInTimeRecoveryStatus", STR("DISABLED"));
}

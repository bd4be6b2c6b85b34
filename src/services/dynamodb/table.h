/* table.h -- descriptions of tables, and finding one quickly.
 *
 * A table is a document in DYNAMODB_SPACE, collection "account/region/table", key its name:
 *   {"Description": TableDescription without what changes, "Space": "65", "Tags": {"key": "value"}}
 * and a space of items (item.h). In that space, the empty collection holds one key, "t", from CreateTable to DeleteTable:
 * every mutation of items reads it, so that none writes to a table that was deleted since the call was prepared.
 *
 * Each thread keeps the descriptions it used until the generation of DYNAMODB_SPACE changes. A struct table is
 * immutable and counted; a call that found one holds it until its arena goes. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_TABLE_H
#define CLOUDLESS_SERVICES_DYNAMODB_TABLE_H
#include "call/call.h"
#include "services/dynamodb/expression.h"
#include <pthread.h>

#define DYNAMODB_SPACE 3                /* of its documents in the store; on disk, so never another */
#define TABLE_NAME_MIN 3            /* CreateTable; elsewhere a shorter name is just not found */
#define TABLE_NAME_MAX 255

struct table {
    struct str name, arn;
    struct key_attribute hash, range;   /* range.name.n 0: none */
    uint64_t space;
};

/* A TableName as the API takes it: a name, or a table's ARN of this account and region. False: call_fail was called. */
bool table_name_read(struct call *call, struct str given, const char *member, struct str *ret_name);
struct str table_arn(struct call *call, struct str name);
/* The table behind a name. ERR_NOT_FOUND; ERR_IO, ERR_CORRUPT. It lives as long as the call's arena. */
enum err table_find(struct call *call, struct str name, const struct table **ret);
/* In a mutation: false, and call_fail, if the table is gone. */
bool table_alive(struct call *call, struct store_txn *txn, const struct table *table);
struct store_key table_alive_key(uint64_t space);

struct store_key table_key(struct call *call, struct str name);         /* of its document */
void table_fail_missing(struct call *call, struct str name);            /* "…: Table: NAME not found" */

struct dynamodb {                   /* the service's state: call->service_state */
    struct store *store;
    pthread_key_t cache;            /* a thread's struct gencache of tables */
    struct table_counts *counts;
};
struct dynamodb *dynamodb_of(const struct call *call);
struct store_txn *table_reader(const struct call *call);
void table_cache_open(struct dynamodb *dynamodb);
void table_cache_close(struct dynamodb *dynamodb);      /* the calling thread's content goes; other threads' went with them */

/* The key attributes of an item or a Key in the request's own words. */
/* PutItem: the item has its key. */
bool table_item_key_check(struct call *call, const struct table *table, const struct value *item);
bool table_key_check(struct call *call, const struct table *table, const struct value *key);          /* Key: exactly the key */
/* NULL: fine; else the message. For keys that are named with a prefix (ExclusiveStartKey). */
const char *table_key_problem(const struct table *table, const struct value *key, struct arena *arena);
/* NULL: fine; else what is wrong with a value of the key's type: empty, too long. `hash`: for the partition key. */
const char *table_key_value_problem(const struct key_attribute *key, const struct value *value, bool hash, struct arena *arena);
struct store_key table_item_key(const struct table *table, const struct value *item, struct arena *arena);
#endif

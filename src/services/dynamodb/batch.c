/* batch.c -- BatchGetItem (100 keys, 16 MB; what is beyond comes back as UnprocessedKeys) and BatchWriteItem (25 requests,
 * one mutation, so nothing is ever left unprocessed). Both read their tables into the same list of entries; an item may
 * be named once. Source: API reference of both; order of errors as the service's. */
#include "services/dynamodb/batch.h"
#include "services/dynamodb/item.h"
#include "services/dynamodb/request.h"
#include <stdlib.h>

#define BATCH_GET_MAX 100
#define BATCH_GET_BYTES_MAX (16u << 20)
#define BATCH_GET_INLINE 16                 /* keys; more are read on a worker */
#define BATCH_WRITE_MAX 25

struct batch_entry { /* one key to read, or one item to write */
    struct batch_entry *next;
    const struct json *json;                /* of the Key, as it came */
    const struct value *item;               /* PutRequest: the item; else the key */
    bool put;
    struct store_key key;
    struct str encoded;                     /* put */
    size_t bytes;                           /* written, or what was there before if that was more */
};
struct batch_table {
    struct batch_table *next;
    struct target target;
    const struct json *json;                /* KeysAndAttributes, or the list of requests */
    struct batch_entry *first, *last;
    size_t count;
    struct projection *projection;
    bool consistent;
};
struct batch_call {
    struct batch_table *first, *last;
    size_t count;
};

static const char *const batch_expressions[] = {"ProjectionExpression", NULL}, *const batch_legacy[] = {"AttributesToGet", NULL};
static const struct expression_usage batch_usage = {batch_expressions, NULL, batch_legacy};

static struct batch_entry *add_entry(struct call *call, struct batch_table *table, const struct json *json)
{
    struct batch_entry *entry = arena_new_of(call->arena, struct batch_entry);
    entry->json = json;
    if (table->last)
        table->last->next = entry;
    else
        table->first = entry;
    table->last = entry;
    table->count++;
    return entry;
}

static struct batch_table *add_table(struct call *call, struct batch_call *batch, const struct json *json)
{
    struct batch_table *table = arena_new_of(call->arena, struct batch_table);
    if (!request_target(call, json->key, "requestItems", &table->target))
        return NULL;
    table->json = json;
    if (batch->last)
        batch->last->next = table;
    else
        batch->first = table;
    batch->last = table;
    return table;
}

static void add_needs(struct call *call, struct needs *needs, const struct batch_call *batch, const char *action)
{
    struct context_arg arg = {call, needs};
    for (const struct batch_table *table = batch->first; table; table = table->next) {
        need_add(needs, action, table->target.arn);
        request_context(call, needs);
        for (const struct batch_entry *entry = table->first; entry; entry = entry->next) {
            request_leading_key(call, needs, table->target.table, entry->item);
            request_context_item(call, needs, entry->item);
        }
        projection_attributes(table->projection, request_context_attribute, &arg);
    }
}

/* ---- duplicates ---- */

static int batch_key_order(const void *a, const void *b)
{
    const struct batch_entry *x = *(const struct batch_entry *const *)a, *y = *(const struct batch_entry *const *)b;
    int order = str_cmp(x->key.collection, y->key.collection);
    return order ? order : str_cmp(x->key.key, y->key.key);
}

/* The items of a table and of those before it: one table may stand there by its name and by its ARN. */
static bool distinct(struct call *call, const struct batch_call *batch, const struct batch_table *upto)
{
    const struct batch_entry **sorted = arena_alloc(call->arena, sizeof *sorted * (batch->count + 1));
    size_t n = 0;
    for (const struct batch_table *table = batch->first; table != upto->next; table = table->next) {
        bool same = str_eq(table->target.name, upto->target.name);
        for (const struct batch_entry *entry = table->first; same && entry; entry = entry->next)
            sorted[n++] = entry;
    }
    qsort(sorted, n, sizeof *sorted, batch_key_order);
    for (size_t i = 1; i < n; i++)
        if (batch_key_order(&sorted[i - 1], &sorted[i]) == 0)
            return request_invalid(call, STR("Provided list of item keys contains duplicates"), false);
    return true;
}

/* ---- BatchGetItem ---- */

static bool read_keys(struct call *call, struct batch_call *batch, struct batch_table *table)
{
    if (!request_usage(call, &batch_usage, table->json))
        return false;
    if (json_at(table->json, "AttributesToGet")) {
        call_fail_not_implemented(call, "the parameter AttributesToGet");
        return false;
    }
    for JSON_EACH (json, json_at(table->json, "Keys")) {
        struct batch_entry *entry = add_entry(call, table, json);
        entry->item = request_item(call, json);
        if (!entry->item)
            return false;
        if (++batch->count > BATCH_GET_MAX)
            return request_invalid(call, STR("Too many items requested for the BatchGetItem call"), false);
    }
    table->consistent = json_bool(table->json, "ConsistentRead", false);
    struct expression_params *params = request_params(call, table->json);
    return params && request_projection(call, table->json, params, &table->projection) && request_params_used(call, params);
}

void batch_get_needs(struct call *call, struct needs *needs)
{
    struct batch_call *batch = arena_new_of(call->arena, struct batch_call);
    call->state = batch;
    for JSON_EACH (json, json_at(call->input, "RequestItems")) {
        struct batch_table *table = add_table(call, batch, json);
        if (!table || !read_keys(call, batch, table))
            return;
    }
    add_needs(call, needs, batch, "dynamodb:BatchGetItem");
}

static bool bind_keys(struct call *call, const struct batch_call *batch, struct batch_table *table)
{
    if (!request_target_found(call, &table->target))
        return false;
    for (struct batch_entry *entry = table->first; entry; entry = entry->next) {
        if (!table_key_check(call, table->target.table, entry->item))
            return false;
        entry->key = table_item_key(table->target.table, entry->item, call->arena);
    }
    return distinct(call, batch, table) && request_keys_projected(call, table->target.table, table->projection);
}

void batch_get_prepare(struct call *call)
{
    struct batch_call *batch = call->state;
    for (struct batch_table *table = batch->first; table; table = table->next)
        if (!bind_keys(call, batch, table))
            return;
    call->run = batch->count <= BATCH_GET_INLINE ? RUN_INLINE : RUN_WORKER;
}

struct getting {
    struct call *call;
    size_t bytes, text;                     /* of all items so far, and of their JSON */
    struct arena *scratch;
    struct json *unprocessed;               /* the answer's */
};

static void leave(struct getting *g, const struct batch_table *table, const struct batch_entry *entry)
{
    struct arena *arena = g->call->arena;
    struct json *left = json_get(g->unprocessed, table->target.given);
    if (!left) {
        left = json_clone(arena, table->json);
        json_remove(left, STR("Keys"));
        json_add_key(g->unprocessed, table->target.given, left);
        json_add_array(arena, left, "Keys");
    }
    json_add(json_at(left, "Keys"), NULL, json_clone(arena, entry->json));
}

static bool show(struct getting *g, const struct batch_table *table, struct str bytes, struct buf *items)
{
    buf_add_char(items, items->n ? ',' : '[');
    if (!table->projection)
        return item_bytes_write_json(items, bytes);
    arena_reset(g->scratch);
    const struct value *item = item_decode(bytes, g->scratch);
    if (item)
        item_write_json(items, projection_apply(table->projection, item, g->scratch));
    return item != NULL;
}

/* Adds what there is; *ret_units: its cost. */
static enum err get_table(struct getting *g, const struct batch_table *table, struct buf *items, unsigned *ret_units)
{
    for (const struct batch_entry *entry = table->first; entry; entry = entry->next) {
        struct str bytes;
        size_t size = 0;
        if (g->bytes >= BATCH_GET_BYTES_MAX || g->text + items->n >= ANSWER_JSON_FULL) {
            leave(g, table, entry);
            continue;
        }
        enum err err = store_get(table_reader(g->call), entry->key, g->call->arena, &bytes);
        if (err == ERR_OK && (!item_bytes_size(bytes, &size) || !show(g, table, bytes, items)))
            err = ERR_CORRUPT;
        if (err != ERR_OK && err != ERR_NOT_FOUND)
            return err;
        if (items->failed)
            return ERR_TOO_LARGE;
        g->bytes += size;
        *ret_units += capacity_read(size, table->consistent);
    }
    return ERR_OK;
}

void batch_get_handle(struct call *call)
{
    struct batch_call *batch = call->state;
    struct getting g = {.call = call, .scratch = arena_under(call->arena), .unprocessed = json_new(call->arena, JSON_OBJECT)};
    struct json *output = request_output(call), *responses = json_add_object(call->arena, output, "Responses");
    struct json *capacity = json_new(call->arena, JSON_ARRAY);
    for (const struct batch_table *table = batch->first; table; table = table->next) {
        struct buf items;
        unsigned units = 0;
        buf_init(&items, call->arena, ANSWER_JSON_MAX);
        enum err err = get_table(&g, table, &items, &units);
        if (err != ERR_OK) {
            call_fail_err(call, err);
            return;
        }
        buf_add_char(&items, ']');
        g.text += items.n;
        json_add_key(responses, table->target.given, json_new_raw(call->arena, items.n > 1 ? buf_str(&items) : STR("[]")));
        json_add(capacity, NULL, capacity_json(call, table->target.given, units));
    }
    json_add(output, "UnprocessedKeys", g.unprocessed);
    if (request_capacity(call) != CAPACITY_NONE)
        json_add(output, "ConsumedCapacity", capacity);
}

/* ---- BatchWriteItem ---- */

static bool read_request(struct call *call, struct batch_table *table, const struct json *json)
{
    const struct json *put = json_at(json, "PutRequest"), *delete = json_at(json, "DeleteRequest");
    if (!put == !delete)
        return request_invalid(call,
                               STR("Supplied AttributeValue has more than one datatypes set, must contain exactly one of the "
                                   "supported datatypes"),
                               false);
    struct batch_entry *entry = add_entry(call, table, json);
    entry->put = put != NULL;
    entry->item = request_item(call, put ? json_at(put, "Item") : json_at(delete, "Key"));
    if (!entry->item)
        return false;
    entry->bytes = put ? item_size(entry->item) : 0;
    return entry->bytes <= ITEM_BYTES_MAX || request_invalid(call, STR("Item size has exceeded the maximum allowed size"), false);
}

void batch_write_needs(struct call *call, struct needs *needs)
{
    struct batch_call *batch = arena_new_of(call->arena, struct batch_call);
    call->state = batch;
    for JSON_EACH (json, json_at(call->input, "RequestItems")) {
        struct batch_table *table = add_table(call, batch, json);
        if (!table)
            return;
        for JSON_EACH (request, json)
            if (!read_request(call, table, request))
                return;
        batch->count += table->count;
    }
    if (batch->count > BATCH_WRITE_MAX) {
        request_invalid(call, STR("Too many items requested for the BatchWriteItem call"), false);
        return;
    }
    add_needs(call, needs, batch, "dynamodb:BatchWriteItem");
}

/* In a batch, an item without its key or with one of another type is told as a wrong key. */
static bool bind_put(struct call *call, const struct table *table, struct batch_entry *entry)
{
    struct value *key = value_new(call->arena, VALUE_M);
    const struct str names[] = {table->hash.name, table->range.name};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const struct value *attribute = names[i].n ? value_member(entry->item, names[i]) : NULL;
        if (attribute)
            value_append(key, value_clone(call->arena, attribute));
    }
    if (!table_key_check(call, table, key))
        return false;
    entry->encoded = item_encode(entry->item, call->arena);
    return true;
}

void batch_write_prepare(struct call *call)
{
    struct batch_call *batch = call->state;
    for (struct batch_table *table = batch->first; table; table = table->next) {
        if (!request_target_found(call, &table->target))
            return;
        for (struct batch_entry *entry = table->first; entry; entry = entry->next) {
            if (entry->put ? !bind_put(call, table->target.table, entry) : !table_key_check(call, table->target.table, entry->item))
                return;
            entry->key = table_item_key(table->target.table, entry->item, call->arena);
        }
        if (!distinct(call, batch, table))
            return;
    }
}

static bool batch_write_entry(struct call *call, struct store_txn *txn, struct batch_entry *entry)
{
    struct str old;
    size_t size = 0;
    if (request_capacity(call) != CAPACITY_NONE) {
        enum err err = store_get(txn, entry->key, call->arena, &old);
        if (err == ERR_OK && !item_bytes_size(old, &size))
            err = ERR_CORRUPT;
        if (err != ERR_OK && err != ERR_NOT_FOUND)
            call_fail_err(call, err);
        if (size > entry->bytes)
            entry->bytes = size;
    }
    if (call->failed)
        return false;
    if (entry->put)
        store_put(txn, entry->key, entry->encoded);
    else
        store_delete(txn, entry->key);
    return true;
}

void batch_write_mutate(struct call *call, struct store_txn *txn)
{
    struct batch_call *batch = call->state;
    for (struct batch_table *table = batch->first; table; table = table->next) {
        if (!table_alive(call, txn, table->target.table))
            return;
        for (struct batch_entry *entry = table->first; entry; entry = entry->next)
            if (!batch_write_entry(call, txn, entry))
                return;
    }
}

void batch_write_committed(struct call *call)
{
    struct batch_call *batch = call->state;
    struct json *output = request_output(call), *capacity = json_new(call->arena, JSON_ARRAY);
    json_add_object(call->arena, output, "UnprocessedItems");
    if (request_capacity(call) == CAPACITY_NONE)
        return;
    for (const struct batch_table *table = batch->first; table; table = table->next) {
        unsigned units = 0;
        for (const struct batch_entry *entry = table->first; entry; entry = entry->next)
            units += capacity_write(entry->bytes);
        json_add(capacity, NULL, capacity_json(call, table->target.given, units));
    }
    json_add(output, "ConsumedCapacity", capacity);
}

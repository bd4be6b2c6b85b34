/* table.c -- finding tables: names and ARNs, the threads' caches, key checks. See table.h for what is stored.
 * Locks: none. A thread's cache is its own (a thread-specific value); a table's count is atomic. */
#include "services/dynamodb/table.h"
#include "base/arn.h"
#include "base/gencache.h"
#include "base/panic.h"
#include "services/dynamodb/item.h"
#include "store/doc.h"
#include <stdatomic.h>
#include <stdlib.h>

#define CACHE_TABLES_MAX 2500       /* AWS's quota of tables in a region */
#define CACHE_KEY_MAX 512
#define NOT_VALID "One or more parameter values are not valid. "

struct shared {                     /* a struct table with its strings and its count */
    struct table table;
    atomic_int refs;
    char text[];
};

/* ---- life ---- */

static void unref(void *arg)
{
    struct shared *shared = arg;
    if (atomic_fetch_sub(&shared->refs, 1) == 1)
        free(shared);
}

static void cache_free(void *arg)
{
    gencache_free(arg);
}

void table_cache_open(struct dynamodb *dynamodb)
{
    ENSURE(pthread_key_create(&dynamodb->cache, cache_free) == 0);
}

void table_cache_close(struct dynamodb *dynamodb)
{
    cache_free(pthread_getspecific(dynamodb->cache));
    pthread_key_delete(dynamodb->cache);
}

static struct gencache *own_cache(const struct dynamodb *dynamodb)
{
    struct gencache *cache = pthread_getspecific(dynamodb->cache);
    if (!cache) {
        cache = gencache_new(CACHE_TABLES_MAX, 0, unref);
        ENSURE(pthread_setspecific(dynamodb->cache, cache) == 0);
    }
    return cache;
}

struct dynamodb *dynamodb_of(const struct call *call)
{
    return call->service_state;
}

struct store_txn *table_reader(const struct call *call)
{
    return store_reader(dynamodb_of(call)->store);
}

/* ---- names ---- */

static bool name_fails(struct call *call, struct str name, const char *member, const char *constraint)
{
    call_fail(call, "ValidationException",
              "1 validation error detected: Value '" STR_FMT "' at '%s' failed to satisfy constraint: Member must %s",
              STR_ARG(name), member, constraint);
    return false;
}

static bool name_valid(struct call *call, struct str name, const char *member)
{
    if (name.n < 1)
        return name_fails(call, name, member, "have length greater than or equal to 1");
    if (name.n > TABLE_NAME_MAX)
        return name_fails(call, name, member, "have length less than or equal to 255");
    return str_alnum_or(name, "_.-") ||
           name_fails(call, name, member, "satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
}

/* arn:aws:dynamodb:REGION:ACCOUNT:table/NAME */
static bool arn_read(struct call *call, struct str arn, struct str *ret_name)
{
    struct arn parts;
    if (!arn_parse_of(arn, "dynamodb", &parts) || !str_starts(parts.resource, STR("table/"))) {
        call_fail(call, "ValidationException", "Invalid TableArn: Invalid ResourceArn provided as input " STR_FMT, STR_ARG(arn));
        return false;
    }
    *ret_name = str_slice(parts.resource, 6, parts.resource.n);
    if (!str_eq(parts.account, call->account)) {
        call_fail(call, "AccessDeniedException", "User: " STR_FMT " is not authorized to perform: dynamodb:%s on resource: " STR_FMT
                  " because no resource-based policy allows the dynamodb:%s action", STR_ARG(call->caller->arn), call->row->name,
                  STR_ARG(arn), call->row->name);
        return false;
    }
    if (str_eq(parts.region, call->region))
        return true;
    call_fail(call, "ValidationException", "Invalid TableArn: The region of " STR_FMT " is not the region of the request",
              STR_ARG(arn));
    return false;
}

bool table_name_read(struct call *call, struct str given, const char *member, struct str *ret_name)
{
    struct str name = given;
    if (str_starts(given, STR("arn:")) && !arn_read(call, given, &name))
        return false;
    if (!name_valid(call, name, member))
        return false;
    *ret_name = name;
    return true;
}

struct str table_arn(struct call *call, struct str name)
{
    return call_arn(call, "dynamodb", "table/" STR_FMT, STR_ARG(name));
}

/* ---- loading ---- */

static enum value_type scalar_type(struct str name)
{
    enum value_type type = VALUE_S;
    value_type_parse(name, &type);
    return type;
}

static struct key_attribute table_key_attribute(const struct json *description, const char *key_type)
{
    struct key_attribute key = {STR_NONE, VALUE_S};
    for JSON_EACH (element, json_at(description, "KeySchema"))
        if (str_eq(json_str(element, "KeyType"), str_of(key_type)))
            key.name = json_str(element, "AttributeName");
    for JSON_EACH (definition, json_at(description, "AttributeDefinitions"))
            if (key.name.n && str_eq(json_str(definition, "AttributeName"), key.name))
                key.type = scalar_type(json_str(definition, "AttributeType"));
    return key;
}

static struct shared *shared_new(const struct table *from)
{
    size_t bytes = from->name.n + from->arn.n + from->hash.name.n + from->range.name.n;
    struct shared *shared = mem_alloc(sizeof *shared + bytes);
    char *at = shared->text;
    shared->table = *from;
    shared->table.name = str_pack(&at, from->name);
    shared->table.arn = str_pack(&at, from->arn);
    shared->table.hash.name = str_pack(&at, from->hash.name);
    shared->table.range.name = str_pack(&at, from->range.name);
    atomic_init(&shared->refs, 1);
    return shared;
}

static enum err table_load(struct call *call, struct str name, struct shared **ret)
{
    struct json *document;
    enum err err = doc_get(table_reader(call), table_key(call, name), call->arena, &document);
    if (err != ERR_OK)
        return err;
    const struct json *description = json_at(document, "Description");
    struct table table = {.name = name,
                          .arn = json_str(description, "TableArn"),
                          .hash = table_key_attribute(description, "HASH"),
                          .range = table_key_attribute(description, "RANGE")};
    if (!str_to_u64(json_str(document, "Space"), &table.space) || !table.hash.name.n)
        return ERR_CORRUPT;
    *ret = shared_new(&table);
    return ERR_OK;
}

struct store_key table_key(struct call *call, struct str name)
{
    return (struct store_key){DYNAMODB_SPACE, doc_collection(call->arena, call->account, call->region, "table"), name};
}

enum err table_find(struct call *call, struct str name, const struct table **ret)
{
    char text[CACHE_KEY_MAX];
    struct gencache *cache = own_cache(dynamodb_of(call));
    uint64_t generation = store_generation(dynamodb_of(call)->store, DYNAMODB_SPACE);
    size_t n = 0;
    for (const struct str *part = (const struct str[]){call->account, call->region, name, STR_NONE}; part->p; part++) {
        if (n + part->n + 1 > sizeof text)
            return ERR_NOT_FOUND;
        memcpy(text + n, part->p, part->n);
        n += part->n;
        text[n++] = '/';
    }
    struct str key = {text, n};
    struct shared *shared = gencache_get(cache, generation, key);
    if (!shared) {
        enum err err = table_load(call, name, &shared);
        if (err != ERR_OK)
            return err;
        gencache_put(cache, generation, key, shared, 0);
    }
    atomic_fetch_add(&shared->refs, 1);
    arena_on_free(call->arena, unref, shared);
    *ret = &shared->table;
    return ERR_OK;
}

void table_fail_missing(struct call *call, struct str name)
{
    call_fail(call, "ResourceNotFoundException", "Requested resource not found: Table: " STR_FMT " not found", STR_ARG(name));
}

struct store_key table_alive_key(uint64_t space)
{
    return (struct store_key){space, STR(""), STR("t")};
}

bool table_alive(struct call *call, struct store_txn *txn, const struct table *table)
{
    struct str value;
    enum err err = store_get(txn, table_alive_key(table->space), call->arena, &value);
    if (err == ERR_NOT_FOUND)
        call_fail(call, "ResourceNotFoundException", "Requested resource not found");
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK;
}

/* ---- keys ---- */

static const char *empty_problem(const struct key_attribute *key, enum value_type type, struct arena *arena)
{
    return arena_printf(arena, NOT_VALID "The AttributeValue for a key attribute cannot contain an empty %s value. Key: " STR_FMT,
                        type == VALUE_S ? "string" : "binary", STR_ARG(key->name)).p;
}

const char *table_key_value_problem(const struct key_attribute *key, const struct value *value, bool hash, struct arena *arena)
{
    if (value->type != VALUE_N && value->bytes.n == 0)
        return empty_problem(key, value->type, arena);
    if (value->type == VALUE_N)
        return NULL;
    if (hash && value->bytes.n > KEY_HASH_BYTES_MAX)        /* AWS's sentence lacks the space, too */
        return DYNAMODB_INVALID "Size of hashkey has exceeded the maximum size limit of2048 bytes";
    if (!hash && value->bytes.n > KEY_RANGE_BYTES_MAX)
        return DYNAMODB_INVALID "Aggregated size of all range keys has exceeded the size limit of 1024 bytes";
    return NULL;
}

static const char *item_attribute_problem(const struct key_attribute *key, const struct value *item, bool hash, struct arena *arena)
{
    if (!key->name.n)
        return NULL;
    const struct value *value = value_member(item, key->name);
    if (!value)
        return arena_printf(arena, DYNAMODB_INVALID "Missing the key " STR_FMT " in the item", STR_ARG(key->name)).p;
    if (value->type != key->type)
        return arena_printf(arena, DYNAMODB_INVALID "Type mismatch for key " STR_FMT " expected: %s actual: %s", STR_ARG(key->name),
                            value_type_name(key->type), value_type_name(value->type))
            .p;
    return table_key_value_problem(key, value, hash, arena);
}

static bool fine_or_fail(struct call *call, const char *problem)
{
    if (problem)
        call_fail(call, "ValidationException", "%s", problem);
    return !problem;
}

bool table_item_key_check(struct call *call, const struct table *table, const struct value *item)
{
    const char *problem = item_attribute_problem(&table->hash, item, true, call->arena);
    return fine_or_fail(call, problem ? problem : item_attribute_problem(&table->range, item, false, call->arena));
}

const char *table_key_problem(const struct table *table, const struct value *key, struct arena *arena)
{
    const struct key_attribute *attributes[] = {&table->hash, &table->range};
    size_t count = table->range.name.n ? 2 : 1;
    const struct value *values[2] = {NULL, NULL};
    for (size_t i = 0; i < count; i++)
        values[i] = value_member(key, attributes[i]->name);
    for (size_t i = 0; i < count; i++)
        if (key->count != count || !values[i] || values[i]->type != attributes[i]->type)
            return "The provided key element does not match the schema";
    for (size_t i = 0; i < count; i++) {
        const char *problem = table_key_value_problem(attributes[i], values[i], i == 0, arena);
        if (problem)
            return problem;
    }
    return NULL;
}

bool table_key_check(struct call *call, const struct table *table, const struct value *key)
{
    return fine_or_fail(call, table_key_problem(table, key, call->arena));
}

struct store_key table_item_key(const struct table *table, const struct value *item, struct arena *arena)
{
    const struct value *hash = value_member(item, table->hash.name);
    const struct value *range = table->range.name.n ? value_member(item, table->range.name) : NULL;
    return (struct store_key){table->space, key_collection(hash, arena), key_item(range, arena)};
}

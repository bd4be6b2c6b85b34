/* table_create.c -- CreateTable: what may be wrong with a table's definition, in the service's order and words, and the
 * document that describes it. What this server does not keep (indexes, streams, encryption keys, …) is refused by name
 * unless it is asked for at its default. Source: API reference, CreateTable, TableDescription. */
#include "base/clock.h"
#include "base/hash.h"
#include "call/tags.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/tables.h"
#include "services/dynamodb/table_tags.h"
#include "store/doc.h"

#define CAPACITY_UNITS_MAX 1000000000000

struct create {
    struct str name, arn;
    bool on_demand;
    struct json *description;       /* as stored */
};

static bool invalid(struct call *call, const char *message)
{
    return request_invalid(call, str_of(message), false);
}

/* ---- the parts that are not kept ---- */

static bool is_off(const struct json *specification, const char *switch_name)
{
    return !json_bool(specification, switch_name, false) && specification->count == 1;
}

/* {"MaxReadRequestUnits": -1, …}: no limit. */
static bool is_unlimited(const struct json *throughput)
{
    for JSON_EACH (member, throughput)
        if (!str_eq(member->text, STR("-1")))
            return false;
    return true;
}

static bool refuse_unless(struct call *call, const char *member, bool at_default)
{
    struct str what = arena_printf(call->arena, "the parameter %s", member);
    if (!at_default)
        call_fail_not_implemented(call, what.p);
    return at_default;
}

static bool only_defaults(struct call *call)
{
    const struct json *stream = json_at(call->input, "StreamSpecification"), *sse = json_at(call->input, "SSESpecification");
    const struct json *on_demand = json_at(call->input, "OnDemandThroughput");
    struct str table_class = call_str(call, "TableClass");
    if (stream && !json_bool(stream, "StreamEnabled", false) && json_at(stream, "StreamViewType"))
        return invalid(call,
                       DYNAMODB_INVALID "Table is being created with a stream disabled, UpdateViewType should not be specified");
    return refuse_unless(call, "StreamSpecification", !stream || is_off(stream, "StreamEnabled")) &&
           refuse_unless(call, "SSESpecification", !sse || is_off(sse, "Enabled")) &&
           refuse_unless(call, "OnDemandThroughput", !on_demand || is_unlimited(on_demand)) &&
           refuse_unless(call, "TableClass", !table_class.n || str_eq(table_class, STR("STANDARD"))) &&
           refuse_unless(call, "DeletionProtectionEnabled", !json_bool(call->input, "DeletionProtectionEnabled", false));
}

/* ---- the definition ---- */

static bool required(struct call *call)
{
    bool definitions = call_has(call, "AttributeDefinitions"), schema = call_has(call, "KeySchema");
    static const char null_definitions[] =
        "Value null at 'attributeDefinitions' failed to satisfy constraint: Member must not be null";
    static const char null_schema[] =
        "Value null at 'keySchema' failed to satisfy constraint: Member must not be null";
    if (definitions && schema)
        return true;
    call_fail(call, "ValidationException", "%d validation error%s detected: %s%s%s", !definitions + !schema,
              !definitions && !schema ? "s" : "", definitions ? "" : null_definitions, !definitions && !schema ? "; " : "",
              schema ? "" : null_schema);
    return false;
}

static bool schema_length(struct call *call)
{
    struct buf text;
    const struct json *schema = json_at(call->input, "KeySchema");
    if (schema->count <= 2)
        return true;
    buf_init(&text, call->arena, 1u << 16);
    for JSON_EACH (element, schema)
            buf_printf(&text, "%sKeySchemaElement(attributeName=" STR_FMT ", keyType=" STR_FMT ")",
                       element == schema->first ? "" : ", ", STR_ARG(json_str(element, "AttributeName")),
                       STR_ARG(json_str(element, "KeyType")));
    call_fail(call, "ValidationException",
              "1 validation error detected: Value '[" STR_FMT "]' at 'keySchema' failed to satisfy constraint: "
              "Member must have length less than or equal to 2",
              STR_ARG(buf_str(&text)));
    return false;
}

static bool units_in_bounds(struct call *call, const struct json *throughput, const char *name)
{
    int64_t units = json_i64(throughput, name, 1);
    if (units <= CAPACITY_UNITS_MAX)
        return true;
    call_fail(call, "ValidationException", "Given value %lld for %s is out of bounds", (long long)units, name);
    return false;
}

static bool billing(struct call *call, struct create *create)
{
    const struct json *throughput = json_at(call->input, "ProvisionedThroughput");
    create->on_demand = str_eq(call_str(call, "BillingMode"), STR("PAY_PER_REQUEST"));
    if (create->on_demand && throughput)
        return invalid(call, DYNAMODB_INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode "
                                              "is PAY_PER_REQUEST");
    if (!create->on_demand && !throughput)
        return invalid(call, DYNAMODB_INVALID "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode "
                                              "is PROVISIONED");
    return units_in_bounds(call, throughput, "ReadCapacityUnits") && units_in_bounds(call, throughput, "WriteCapacityUnits");
}

static bool is_defined(const struct json *definitions, struct str name)
{
    for JSON_EACH (definition, definitions)
        if (str_eq(json_str(definition, "AttributeName"), name))
            return true;
    return false;
}

static struct str names_of(struct call *call, const struct json *list)
{
    struct buf text;
    buf_init(&text, call->arena, 1u << 20);
    for JSON_EACH (element, list) {
        if (element != list->first)
            buf_lit(&text, ", ");
        buf_add(&text, json_str(element, "AttributeName"));
    }
    return buf_str(&text);
}

static bool keys_defined(struct call *call, const struct json *definitions, const struct json *schema)
{
    bool all = true;
    for JSON_EACH (element, schema)
        all = all && is_defined(definitions, json_str(element, "AttributeName"));
    bool same = schema->count == 2 && str_eq(json_str(schema->first, "AttributeName"), json_str(schema->last, "AttributeName"));
    if (schema->count == 2 && (!all || (same && definitions->count == 1)))
        return invalid(call, "Invalid KeySchema: Some index key attribute have no definition");
    if (!all) {
        call_fail(call, "ValidationException",
                  DYNAMODB_INVALID "Some index key attributes are not defined in AttributeDefinitions. Keys: [" STR_FMT
                                   "], AttributeDefinitions: [" STR_FMT "]",
                  STR_ARG(names_of(call, schema)), STR_ARG(names_of(call, definitions)));
        return false;
    }
    return !same || invalid(call, "Both the Hash Key and the Range Key element in the KeySchema have the same name");
}

/* With indexes, more attributes are defined than keys; the row refuses indexes by name. */
static bool has_indexes(const struct call *call)
{
    return call_has(call, "GlobalSecondaryIndexes") || call_has(call, "LocalSecondaryIndexes");
}

static bool key_schema(struct call *call)
{
    const struct json *definitions = json_at(call->input, "AttributeDefinitions"), *schema = json_at(call->input, "KeySchema");
    if (!keys_defined(call, definitions, schema))
        return false;
    if (!str_eq(json_str(schema->first, "KeyType"), STR("HASH")))
        return invalid(call, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    if (schema->count == 2 && !str_eq(json_str(schema->last, "KeyType"), STR("RANGE")))
        return invalid(call, "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    if (schema->count != definitions->count && !has_indexes(call))
        return invalid(call,
                       DYNAMODB_INVALID "Number of attributes in KeySchema does not exactly match number of attributes defined in "
                                        "AttributeDefinitions");
    return true;
}

static bool name_long_enough(struct call *call, struct str name)
{
    if (name.n >= TABLE_NAME_MIN)
        return true;
    call_fail(call, "ValidationException",
              "1 validation error detected: Value '" STR_FMT "' at 'tableName' failed to satisfy constraint: "
              "Member must have length greater than or equal to 3",
              STR_ARG(name));
    return false;
}

void create_table_needs(struct call *call, struct needs *needs)
{
    struct create *create = arena_new_of(call->arena, struct create);
    call->state = create;
    if (!table_name_read(call, call_str(call, "TableName"), "tableName", &create->name))
        return;
    create->arn = table_arn(call, create->name);
    if (!name_long_enough(call, create->name) || !required(call) || !schema_length(call))
        return;
    if (!billing(call, create) || !key_schema(call) || !table_tags_check(call))
        return;
    need_add(needs, "dynamodb:CreateTable", create->arn);
    tags_need_request(call, needs, json_at(call->input, "Tags"), NULL);
    if (!call_has(call, "Tags"))
        return;
    need_add(needs, "dynamodb:TagResource", create->arn);
    tags_need_request(call, needs, json_at(call->input, "Tags"), NULL);
}

/* ---- the description ---- */

static void add_throughput(struct call *call, struct create *create, int64_t now)
{
    const struct json *given = json_at(call->input, "ProvisionedThroughput");
    struct json *throughput = json_add_object(call->arena, create->description, "ProvisionedThroughput");
    json_add_i64(call->arena, throughput, "NumberOfDecreasesToday", 0);
    json_add_i64(call->arena, throughput, "ReadCapacityUnits", json_i64(given, "ReadCapacityUnits", 0));
    json_add_i64(call->arena, throughput, "WriteCapacityUnits", json_i64(given, "WriteCapacityUnits", 0));
    if (!create->on_demand)
        return;
    struct json *summary = json_add_object(call->arena, create->description, "BillingModeSummary");
    json_add_str(call->arena, summary, "BillingMode", STR("PAY_PER_REQUEST"));
    json_add_epoch_ms(call->arena, summary, "LastUpdateToPayPerRequestDateTime", now);
}

void create_table_prepare(struct call *call)
{
    struct create *create = call->state;
    int64_t now = clock_epoch_ms();
    if (!only_defaults(call))
        return;
    struct json *d = create->description = json_new(call->arena, JSON_OBJECT);
    json_add(d, "AttributeDefinitions", json_clone(call->arena, json_at(call->input, "AttributeDefinitions")));
    json_add_str(call->arena, d, "TableName", create->name);
    json_add(d, "KeySchema", json_clone(call->arena, json_at(call->input, "KeySchema")));
    json_add_epoch_ms(call->arena, d, "CreationDateTime", now);
    add_throughput(call, create, now);
    json_add_str(call->arena, d, "TableArn", create->arn);
    json_add_str(call->arena, d, "TableId", call_uuid(call));
    if (call_has(call, "TableClass"))
        json_add_str(call->arena, json_add_object(call->arena, d, "TableClassSummary"), "TableClass", call_str(call, "TableClass"));
    json_add_bool(call->arena, d, "DeletionProtectionEnabled", false);
}

void create_table_mutate(struct call *call, struct store_txn *txn)
{
    const struct create *create = call->state;
    struct store_key key = table_key(call, create->name);
    struct str old;
    enum err err = store_get(txn, key, call->arena, &old);
    if (err == ERR_OK) {
        call_fail(call, "ResourceInUseException", "Table already exists: " STR_FMT, STR_ARG(create->name));
        return;
    }
    if (err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return;
    }
    uint64_t space = store_new_space(txn);
    struct json *document = json_new(call->arena, JSON_OBJECT);
    json_add(document, "Description", json_clone(call->arena, create->description));
    json_add_str(call->arena, document, "Space", arena_printf(call->arena, "%llu", (unsigned long long)space));
    json_add(document, "Tags", tags_object(call->arena, json_at(call->input, "Tags")));
    doc_put(txn, key, document, call->arena);
    store_put(txn, table_alive_key(space), STR("\x01"));
    struct json *shown = json_clone(call->arena, create->description);
    json_add_str(call->arena, shown, "TableStatus", STR("CREATING"));
    json_add_i64(call->arena, shown, "TableSizeBytes", 0);
    json_add_i64(call->arena, shown, "ItemCount", 0);
    json_add(request_output(call), "TableDescription", shown);
}

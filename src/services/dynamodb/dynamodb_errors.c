/* dynamodb_errors.c -- how DynamoDB answers what goes wrong before and around its handlers. */
#include "call/service_errors.h"
#include "call/validate.h"
#include "services/dynamodb/dynamodb.h"
#include "services/dynamodb/table.h"

const struct service_errors dynamodb_errors = {
    .model_prefix = "com.amazonaws.dynamodb.v20120810#",
    .coral_prefix = "com.amazon.coral.service#",
    .validate_prefix = "com.amazon.coral.validate#",
    .crc32 = true,
    .long_request_id = true,
    .old_parser = true,
    .faults = {
        SERVICE_CALLER_ROWS(400),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 400, SERVICE_MESSAGE_MISSING},
        [FAULT_VALIDATION] = {"ValidationException", 400, NULL},
        [FAULT_INTERNAL] = {"InternalServerError", 500, SERVICE_MESSAGE_INTERNAL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 400, NULL},
        [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413, NULL},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, SERVICE_MESSAGE_BUSY},
    },
};

#define TABLE_NAME_PATTERN "[a-zA-Z0-9_.-]+"

/* ---- before the model ---- */

/* DynamoDB's operations on tables check the name first (recorded answers of CreateTable, UpdateTable, DescribeTimeToLive).
 * CreateTable's length is checked with the rest. */
static const struct table_operation {
    const char *operation;
    bool length;
} table_operations[] = {
    {"CreateTable", false},        {"DeleteTable", true},       {"DescribeTable", true},
    {"DescribeTimeToLive", true}, {"UpdateTable", true},       {"UpdateTimeToLive", true},
};

static bool check_table_name(struct call *call)
{
    const struct model *m = call->api->model;
    for (size_t i = 0; i < COUNT_OF(table_operations); i++) {
        if (strcmp(table_operations[i].operation, model_text(m, call->operation->name)) != 0)
            continue;
        const struct json *name = json_at(call->input, "TableName");
        if (!name) {
            call_fault(call, FAULT_VALIDATION, STR("The parameter 'TableName' is required but was not present in the request"));
            return false;
        }
        bool arn = str_starts(name->text, STR("arn:"));
        if (table_operations[i].length && !arn && (name->text.n < 3 || name->text.n > TABLE_NAME_MAX)) {
            call_fault(call, FAULT_VALIDATION,
                      STR("TableName must be at least 3 characters long and at most 255 characters long"));
            return false;
        }
    }
    return true;
}

/* ---- other bounds ---- */

/* DynamoDB's model admits 1,024 characters for TableName because an ARN may stand there; a name has its own bounds
 * ("Naming rules and data types", developer guide; answers of PutItem and CreateTable recorded in 2026). A KeySchema of
 * four elements is for indexes with several key attributes. */
static const struct validate_bounds bounds[] = {
    {"CreateTable", "TableArn", 3, TABLE_NAME_MAX, TABLE_NAME_PATTERN, false, false},
    {NULL, "TableArn", 1, TABLE_NAME_MAX, TABLE_NAME_PATTERN, true, false},
    {"CreateTable", "KeySchema", 1, 2, NULL, false, false},
    {NULL, "PositiveIntegerObject", 1, INT32_MAX, NULL, false, true},
};

/* ---- enums ---- */

/* Java prints a set in no particular order; these are the orders in which AWS's answers show them. */
static const struct validate_enum_order enum_orders[] = {
    {"ReturnValue", "ALL_NEW, UPDATED_OLD, ALL_OLD, NONE, UPDATED_NEW"},
    {"ScalarAttributeType", "B, N, S"},
    {"ConditionalOperator", "OR, AND"},
    {"ProjectionType", "ALL, INCLUDE, KEYS_ONLY"},
    {"Select", "SPECIFIC_ATTRIBUTES, COUNT, ALL_ATTRIBUTES, ALL_PROJECTED_ATTRIBUTES"},
    {"ComparisonOperator",
     "IN, NULL, BETWEEN, LT, NOT_CONTAINS, EQ, GT, NOT_NULL, NE, LE, BEGINS_WITH, GE, CONTAINS"},
};

const struct validate_overrides dynamodb_overrides = {
    .check = check_table_name,
    .bounds = bounds,
    .bounds_count = COUNT_OF(bounds),
    .enum_orders = enum_orders,
    .enum_order_count = COUNT_OF(enum_orders),
};

/* expression.h -- DynamoDB's expression language: one lexer, parser and evaluator for condition, filter, key condition,
 * update and projection expressions. Source: developer guide, "Expressions in DynamoDB" and its operator reference.
 * Parsed on the loop in `prepare`, evaluated in the mutation (any number of times): a parsed expression is immutable.
 * Every error is DynamoDB's ValidationException text in *ret_message. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_EXPRESSION_H
#define CLOUDLESS_SERVICES_DYNAMODB_EXPRESSION_H
#include "services/dynamodb/value.h"

#define EXPRESSION_BYTES_MAX 4096       /* quota: 4 KB */
#define EXPRESSION_OPERATORS_MAX 300    /* quota */
#define EXPRESSION_DEPTH_MAX 128        /* nesting of parentheses and paths, ours */
#define EXPRESSION_PLACEHOLDER_MAX 255
#define EXPRESSION_SUBSTITUTION_BYTES_MAX (2u << 20)
#define EXPRESSION_IN_MAX 100

/* Names and values of one request, and which of them were used by its expressions. */
struct expression_params;
/* Either JSON may be NULL. Checks syntax of the placeholders and values, empty maps, and that expressions exist for them. */
struct expression_params *expression_params_new(const struct json *names, const struct json *values, bool any_expression,
                                                struct arena *arena, struct str *ret_message, bool *ret_serialization);
/* After all expressions were parsed: "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}". */
bool expression_params_all_used(const struct expression_params *params, struct arena *arena, struct str *ret_message);

struct condition;   /* ConditionExpression, FilterExpression: `label` begins the message ("Invalid ConditionExpression: …") */
struct condition *condition_parse(struct str text, const char *label, struct expression_params *params, struct arena *arena, struct str *ret_message);
/* item may be NULL (does not exist). True: holds. Types that do not compare are false, as on AWS. */
bool condition_holds(const struct condition *condition, const struct value *item, struct arena *arena);
/* Names of the top-level attributes it mentions: FilterExpression may not use key attributes. */
bool condition_mentions(const struct condition *condition, struct str attribute);

struct update;      /* UpdateExpression: SET, REMOVE, ADD, DELETE */
struct update *update_parse(struct str text, struct expression_params *params, struct arena *arena, struct str *ret_message);
bool update_mentions(const struct update *update, struct str attribute);    /* a key attribute cannot be updated */
/* The item after the update; every operand reads the item before it. NULL and *ret_message: e.g. "The provided expression
 * refers to an attribute that does not exist in the item", "An operand in the update expression has an incorrect data type",
 * "The document path provided in the update expression is invalid for update". */
struct value *update_apply(const struct update *update, const struct value *item, struct arena *arena, struct str *ret_message);
/* The touched attributes only (UPDATED_OLD, UPDATED_NEW), from `item` before or after. */
struct value *update_touched(const struct update *update, const struct value *item, struct arena *arena);

struct projection;  /* ProjectionExpression */
struct projection *projection_parse(struct str text, struct expression_params *params, struct arena *arena, struct str *ret_message);
struct value *projection_apply(const struct projection *projection, const struct value *item, struct arena *arena);

/* KeyConditionExpression: hash key equals a value, and at most one condition on the range key. */
enum key_operator { KEY_NONE, KEY_EQ, KEY_LT, KEY_LE, KEY_GT, KEY_GE, KEY_BETWEEN, KEY_BEGINS_WITH };
struct key_condition {
    struct value *hash;
    enum key_operator op;               /* on the range key */
    struct value *low, *high;           /* high: BETWEEN only */
};
/* hash_name and range_name (STR_NONE: no range key) of the table or index. */
bool key_condition_parse(struct str text, struct str hash_name, struct str range_name, struct expression_params *params, struct arena *arena,
                         struct key_condition *ret, struct str *ret_message);
#endif

/* expression.h -- DynamoDB's expression language: one lexer, parser and evaluator for condition, filter, key condition,
 * update and projection expressions. Source: developer guide, "Expressions in DynamoDB" and its operator reference.
 * Parsed on the loop in `prepare`, evaluated in the mutation (any number of times): a parsed expression is immutable.
 * Every error is DynamoDB's ValidationException text in *ret_message; a function that returns NULL or false has set it. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_EXPRESSION_H
#define CLOUDLESS_SERVICES_DYNAMODB_EXPRESSION_H
#include "services/dynamodb/value.h"

#define EXPRESSION_BYTES_MAX 4096       /* quota: 4 KB */
#define EXPRESSION_OPERATORS_MAX 300    /* quota */
#define EXPRESSION_DEPTH_MAX 128        /* nesting of parentheses, functions and NOT, ours */
#define EXPRESSION_PATH_MAX 32          /* quota: nesting of a document path */
#define EXPRESSION_PLACEHOLDER_MAX 255
#define EXPRESSION_SUBSTITUTION_BYTES_MAX (2u << 20)
#define EXPRESSION_IN_MAX 100

/* Which members of an operation's input are expressions, and which are their legacy forms. NULL-terminated, in the order in
 * which DynamoDB names them. */
struct expression_usage {
    const char *const *expressions;
    const char *const *values_in;       /* the expressions that may use values; NULL: none */
    const char *const *legacy;
};
/* "Can not use both expression and non-expression parameters…", "ExpressionAttributeNames can only be specified when
 * using expressions" and its like. */
bool expression_usage_check(const struct expression_usage *usage, const struct json *input, struct arena *arena,
                            struct str *ret_message);

/* Names and values of one request, and which of them were used by its expressions. */
struct expression_params;
/* Either JSON may be NULL. Checks syntax of the placeholders and values, empty maps, sizes. */
struct expression_params *expression_params_new(const struct json *names, const struct json *values, struct arena *arena,
                                                struct str *ret_message, bool *ret_serialization);
/* After all expressions were parsed: "Value provided in ExpressionAttributeValues unused in expressions: keys: {:a}". */
bool expression_params_all_used(const struct expression_params *params, struct arena *arena, struct str *ret_message);

struct condition;   /* ConditionExpression, FilterExpression: `label` is that name ("Invalid ConditionExpression: …") */
struct condition *condition_parse(struct str text, const char *label, struct expression_params *params, struct arena *arena,
                                  struct str *ret_message);
/* item may be NULL (does not exist). True: holds. Types that do not compare are false, as on AWS. */
bool condition_holds(const struct condition *condition, const struct value *item, struct arena *arena);
/* Is the top-level attribute mentioned (a FilterExpression may not use keys)? Is something inside it (a key is a scalar)? */
bool condition_mentions(const struct condition *condition, struct str attribute);
bool condition_enters(const struct condition *condition, struct str attribute);

struct update;      /* UpdateExpression: SET, REMOVE, ADD, DELETE; or AttributeUpdates */
struct update *update_parse(struct str text, struct expression_params *params, struct arena *arena, struct str *ret_message);
struct update *update_from_legacy(const struct json *attribute_updates, struct arena *arena, struct str *ret_message,
                                  bool *ret_serialization);
bool update_mentions(const struct update *update, struct str attribute);    /* as a target: a key attribute cannot be updated */
bool update_only_removes(const struct update *update);                      /* then a missing item stays missing */
bool update_enters(const struct update *update, struct str attribute);      /* reads or writes inside it */
/* The item after the update; every operand reads the item before it. NULL and *ret_message: e.g. "The provided expression
 * refers to an attribute that does not exist in the item", "An operand in the update expression has an incorrect data type",
 * "The document path provided in the update expression is invalid for update". `item` is not changed. */
struct value *update_apply(const struct update *update, const struct value *item, struct arena *arena, struct str *ret_message);
/* The touched attributes only (UPDATED_OLD, UPDATED_NEW), from `item` before or after. */
struct value *update_touched(const struct update *update, const struct value *item, struct arena *arena);

struct projection;  /* ProjectionExpression */
struct projection *projection_parse(struct str text, struct expression_params *params, struct arena *arena,
                                    struct str *ret_message);
struct value *projection_apply(const struct projection *projection, const struct value *item, struct arena *arena);
bool projection_enters(const struct projection *projection, struct str attribute);

/* The top-level attributes that an expression mentions, for what policies may ask of a request. NULL expressions: none. */
typedef void expression_attribute_fn(void *arg, struct str attribute);
void condition_attributes(const struct condition *condition, expression_attribute_fn *visit, void *arg);
void update_attributes(const struct update *update, expression_attribute_fn *visit, void *arg);
void projection_attributes(const struct projection *projection, expression_attribute_fn *visit, void *arg);

/* KeyConditionExpression. Parsed before the table is known, then bound to its key (or an index's). */
enum key_operator { KEY_NONE, KEY_EQ, KEY_LT, KEY_LE, KEY_GT, KEY_GE, KEY_BETWEEN, KEY_BEGINS_WITH };
struct key_comparison {
    struct str attribute;
    enum key_operator op;
    const struct value *low, *high;     /* high: BETWEEN only */
};
struct key_conditions {
    struct key_comparison comparison[2];
    size_t count;                       /* 1 or 2 */
};
struct key_attribute { struct str name; enum value_type type; };    /* name.n 0: the table has no range key */
struct key_condition {
    const struct value *hash;           /* equals */
    enum key_operator op;               /* on the range key */
    const struct value *low, *high;
};
bool key_conditions_parse(struct str text, struct expression_params *params, struct arena *arena, struct key_conditions *ret,
                          struct str *ret_message);
bool key_conditions_bind(const struct key_conditions *conditions, const struct key_attribute *hash,
                         const struct key_attribute *range, struct arena *arena, struct key_condition *ret,
                         struct str *ret_message);
#endif

/* request.h -- what the item operations read from their input in the same way, and what they all may answer.
 * Every function that returns bool or a pointer has called call_fail when it answers false or NULL. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_REQUEST_H
#define CLOUDLESS_SERVICES_DYNAMODB_REQUEST_H
#include "services/dynamodb/table.h"

#define PAGE_BYTES_MAX (1u << 20)               /* quota: a Query or Scan reads 1 MB */
#define ANSWER_JSON_MAX (64u << 20)             /* of the items of one answer; as much as WIRE_ANSWER_BYTES_MAX */
#define ANSWER_JSON_FULL (32u << 20)            /* a page or batch ends behind it: one item more has 26 MB at most (item.h) */

/* The table that an input's member names; what one call asks of it. `table` is NULL if there is no such table (yet to
 * be told, after authorisation). */
struct target { struct str given, name, arn; const struct table *table; };
bool request_target(struct call *call, struct str given, const char *member, struct target *ret);
bool request_target_found(struct call *call, struct target *target);   /* fails if the table does not exist */

bool request_invalid(struct call *call, struct str message, bool serialization);        /* always false */
bool request_usage(struct call *call, const struct expression_usage *usage, const struct json *input);
struct value *request_item(struct call *call, const struct json *json);
struct expression_params *request_params(struct call *call, const struct json *input);
bool request_params_used(struct call *call, const struct expression_params *params);
/* An absent member is true and *ret NULL. */
bool request_condition(struct call *call, const char *member, struct expression_params *params, struct condition **ret);
bool request_projection(struct call *call, const struct json *input, struct expression_params *params, struct projection **ret);
/* "Key attributes must be scalars…" */
bool request_keys_entered(struct call *call, const struct table *table,
                          bool (*enters)(const void *expression, struct str attribute), const void *expression);
bool request_keys_projected(struct call *call, const struct table *table, const struct projection *projection);     /* NULL: true */

/* ---- what policies may ask: condition keys of the need that was added last ---- */
void request_context(struct call *call, struct needs *needs);          /* of members: ReturnValues, ReturnConsumedCapacity */
void request_leading_key(struct call *call, struct needs *needs, const struct table *table, const struct value *key);
void request_leading_value(struct call *call, struct needs *needs, const struct value *hash);
void request_context_select(struct call *call, struct needs *needs, struct str select);
struct context_arg { struct call *call; struct needs *needs; };
void request_context_attribute(void *arg, struct str attribute);       /* an expression_attribute_fn; arg: struct context_arg */
void request_context_item(struct call *call, struct needs *needs, const struct value *item);

/* ---- ConsumedCapacity ---- */
enum capacity { CAPACITY_NONE, CAPACITY_TOTAL, CAPACITY_INDEXES };
enum capacity request_capacity(const struct call *call);
unsigned capacity_read(size_t bytes, bool consistent);      /* in half units; nothing read counts as one small item */
unsigned capacity_write(size_t bytes);
/* {"TableName": …, "CapacityUnits": 0.5, …} */
struct json *capacity_json(struct call *call, struct str table, unsigned half_units);
void capacity_add(struct call *call, struct str table, unsigned half_units);    /* to the output, if asked for */

struct json *request_output(struct call *call);             /* call->output, made if it is not there */
/* An item as raw JSON; NULL: the stored bytes are damaged (call_fail was called). */
struct json *request_raw_item(struct call *call, struct str bytes);
struct json *request_raw_value(struct call *call, const struct value *item);
#endif

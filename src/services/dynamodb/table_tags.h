/* table_tags.h -- tags of tables: {"key": "value"} in the table's document. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_TABLE_TAGS_H
#define CLOUDLESS_SERVICES_DYNAMODB_TABLE_TAGS_H
#include "call/call.h"

#define TAGS_MAX 50                     /* quota of a resource */

bool tags_check(struct call *call, const struct json *list); /* [{"Key", "Value"}] or NULL; false: call_fail was called */
void tags_put(struct arena *arena, struct json *tags, const struct json *list);
#endif

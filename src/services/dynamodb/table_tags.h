/* table_tags.h -- tags of tables: {"key": "value"} in the table's document. */
#ifndef CLOUDLESS_SERVICES_DYNAMODB_TABLE_TAGS_H
#define CLOUDLESS_SERVICES_DYNAMODB_TABLE_TAGS_H
#include "call/call.h"

/* Input's Tags, which may be missing. False: call_fail was called. */
bool table_tags_check(struct call *call);
#endif

/* json_internal.h -- what json_parse.cc needs of json.c. */
#ifndef CLOUDLESS_BASE_JSON_INTERNAL_H
#define CLOUDLESS_BASE_JSON_INTERNAL_H
#ifdef __cplusplus
extern "C" {
#endif
#include "base/json.h"

/* Removes repeated keys of a parsed object: the first place stays, with the last value. Linear in the members. */
void json__keep_last(struct json *object);

#ifdef __cplusplus
}
#endif
#endif

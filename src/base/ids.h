/* ids.h -- identifiers in the forms that AWS gives them. Random ones come from the kernel (base/hash.h).
 * Sources: "IAM identifiers", IAM user guide (prefixes); "Tracing header", X-Ray developer guide. */
#ifndef CLOUDLESS_BASE_IDS_H
#define CLOUDLESS_BASE_IDS_H
#include "base/arena.h"

#define ID_TRACE_BYTES 12
#define ID_TRACE_HEADER_MAX 256 /* bytes of X-Amzn-Trace-Id; a longer one is none */

struct str id_access_key(struct arena *arena, const char *prefix);  /* AKIA…, ASIA…: the prefix and 16 of A-Z2-7 */
struct str id_entity(struct arena *arena, const char *prefix);      /* AIDA…, AROA…, ANPA…: the prefix and 17 */
struct str id_secret(struct arena *arena);                          /* 40 of A-Za-z0-9+/ */
/* Root=1-TIME-RANDOM, of a trace that begins at this time. */
struct str id_trace_root(struct arena *arena, int64_t now_ms, const uint8_t random[ID_TRACE_BYTES]);
/* 8-4-4-4-12 digits, lower case, version 4; no NUL. */
#define UUID_CHARS 36
void id_uuid4(const uint8_t random[16], char ret[UUID_CHARS]);
#endif

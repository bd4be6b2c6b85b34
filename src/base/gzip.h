/* gzip.h -- bytes out of a gzip file of one member (RFC 1952), by libdeflate. */
#ifndef CLOUDLESS_BASE_GZIP_H
#define CLOUDLESS_BASE_GZIP_H
#include "base/arena.h"
#include "base/err.h"

/* ERR_TOO_LARGE: more than `max` bytes would come out; ERR_INVALID: no such file, or bytes behind it; or the arena is over its
 * budget (budget.h). *ret untouched then. */
enum err gzip_decode(struct str bytes, size_t max, struct arena *arena, struct str *ret);
#endif

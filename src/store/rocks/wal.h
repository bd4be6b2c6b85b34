/* wal.h -- takes a refused batch out of the engine's write-ahead logs, and empty logs out of its directory. */
#ifndef CLOUDLESS_STORE_WAL_H
#define CLOUDLESS_STORE_WAL_H
#include "base/err.h"
#include <stdint.h>

/* Cuts the logs in `dir` before the first record whose sequence number is above `sequence`, and syncs. Nobody may be
 * writing to them. Records up to `sequence` stay. */
enum err rocks__wal_cut(const char *dir, uint64_t sequence);
/* Removes the logs without a byte, before the engine is opened: each start begins one, and the engine removes them only once
 * something was written and flushed. */
void rocks__wal_sweep(const char *dir);
#endif

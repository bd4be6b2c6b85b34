/* rocks_options.h -- how RocksDB is set, for what opens it: rocks.c to serve, rocks_repair.c to look and to mend. */
#ifndef CLOUDLESS_STORE_ROCKS_ROCKS_OPTIONS_H
#define CLOUDLESS_STORE_ROCKS_ROCKS_OPTIONS_H
#include "base/err.h"
#include <rocksdb/c.h>
#include <stddef.h>

/* How logs are read: RocksDB's WALRecoveryMode. */
enum log_reading { LOGS_WHOLE = 1, LOGS_UP_TO_DAMAGE = 2 };

/* ERR_CORRUPT: the engine says that its files are damaged. Else ERR_IO. */
enum err rocks__error_of(const char *message);

/* Reads whole logs until something else is set. The cache is borrowed. */
rocksdb_options_t *rocks__options_new(rocksdb_cache_t *block_cache, size_t files_max);
#endif

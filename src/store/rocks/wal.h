/* wal.h -- where the engine's write-ahead log ended after the last write that was acknowledged, so that a refused one can be taken
 * out of it. Knows nothing of what is in a log: the newest file, NUMBER.log, is the one that is written to, and it only grows. */
#ifndef CLOUDLESS_STORE_WAL_H
#define CLOUDLESS_STORE_WAL_H
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct wal_end {
    uint64_t number, bytes; /* the newest log and its length; number 0: not known */
};

/* From one thread at a time. */
struct wal {
    int dir;                    /* the engine's folder, open, so that noting needs no descriptor; -1: none */
    struct wal_end end;
};
#define WAL_NONE ((struct wal){.dir = -1})
void rocks__wal_begin(struct wal *wal, const char *dir);    /* WAL_NONE, or again; the engine is open, and nobody writes */
/* A write, the only one since the last note, is durable. A system call; more when a new log was begun. */
void rocks__wal_note(struct wal *wal);
/* Cuts off what came after the last note, and syncs. Nobody may be writing. ERR_IO: what was refused may still be there. */
enum err rocks__wal_cut(const struct wal *wal);
void rocks__wal_end(struct wal *wal);
/* Removes the logs without a byte, but for the newest: each start begins one, and the engine removes them only once something was
 * written and flushed. The engine is open. */
void rocks__wal_sweep(const struct wal *wal);
/* Of a folder whose engine is not open: whether the log is there and has come that far, if it is known; and how long all logs are
 * together, UINT64_MAX if that cannot be seen. */
bool rocks__wal_reaches(const char *dir, struct wal_end end);
uint64_t rocks__wal_bytes(const char *dir);
#endif

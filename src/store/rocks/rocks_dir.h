/* rocks_dir.h -- the directory of the embedded engine. */
#ifndef CLOUDLESS_STORE_ROCKS_ROCKS_DIR_H
#define CLOUDLESS_STORE_ROCKS_ROCKS_DIR_H
#include "base/arena.h"
#include "base/err.h"

/* Makes the directory with its parents if it is missing, and locks it: *ret_lock is a descriptor, whose closing gives the
 * lock back. ERR_BUSY: another process has it. ERR_DENIED, ERR_IO. *ret_message: a sentence for the user. */
enum err rocks__dir_open(const char *dir, struct arena *arena, int *ret_lock, struct str *ret_message);
#endif

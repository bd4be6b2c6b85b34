/* datadir.h -- the data directory: made, locked by one process, and the two small files that clients read.
 *   DIR/lock          flock of the running server
 *   DIR/credentials   the root key, mode 0600, AWS's shared-credentials format
 *   DIR/endpoint      URL, region and pid of the server that ran last; what `cloudless env` prints
 *   DIR/tls           the authority of this machine and its certificate for local names
 *   DIR/store DIR/blobs DIR/cache DIR/run    of the store, the packages, unpacked code, the sandboxes */
#ifndef CLOUDLESS_MAIN_DATADIR_H
#define CLOUDLESS_MAIN_DATADIR_H
#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>

/* Makes DIR (mode 0700) and its parents, and locks it until the process ends. ERR_BUSY: another server has it. */
enum err datadir_lock(const char *dir, struct arena *arena, struct str *ret_message);
const char *datadir_path(struct arena *arena, const char *dir, const char *name);
/* Written to a temporary name, synced and renamed; mode 0600. ERR_IO: errno says why. */
enum err datadir_write(const char *dir, const char *name, struct str text, struct arena *arena);
/* The same without the sync: for what is true only as long as the process lives. */
enum err datadir_note(const char *dir, const char *name, struct str text, struct arena *arena);
/* At most 64 KiB. ERR_NOT_FOUND, ERR_DENIED, ERR_IO. */
enum err datadir_read(const char *dir, const char *name, struct arena *arena, struct str *ret);
/* A server has served it: from then on it has a store and a folder of packages. */
bool datadir_served(const char *dir, struct arena *arena);
/* Says to a person why `what` cannot be read there, by that error, and what to do. */
void datadir_say_unread(const char *dir, const char *what, enum err err);
/* Value of "name = value" in such a text, or STR_NONE. */
struct str datadir_value(struct str text, const char *name);
#endif

/* blob.h -- files beside the engine, named by the SHA-256 of their content: function packages, layers.
 * Written to a temporary name, fsynced, renamed, directory fsynced, before the commit that refers to them.
 * These calls block: worker threads only. */
#ifndef CLOUDLESS_STORE_BLOB_H
#define CLOUDLESS_STORE_BLOB_H
#include "base/arena.h"
#include "base/err.h"
#include <stdbool.h>

struct blobs;
enum err blobs_open(const char *dir, struct blobs **ret);     /* DIR/blobs; removes what a crash left unfinished */
void blobs_close(struct blobs *blobs);
/* A damaged one of that content is replaced. */
enum err blob_put(struct blobs *blobs, struct str bytes, struct arena *arena, struct str *ret_sha256_hex);
/* Both look whether the content is what the name says. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
enum err blob_get(struct blobs *blobs, struct str sha256_hex, struct arena *arena, struct str *ret_bytes);
enum err blob_open(struct blobs *blobs, struct str sha256_hex, int *ret_fd);             /* the caller closes it */
bool blob_there(struct blobs *blobs, struct str sha256_hex); /* does not read it; false only if it is known */
struct str blob_path(struct blobs *blobs, struct str sha256_hex, struct arena *arena);   /* NUL-terminated */
/* Reads every blob of DIR: how many there are, and how many are not what their name says. ERR_NOT_FOUND: there are none; ERR_IO. */
enum err blobs_check(const char *dir, size_t *ret_count, size_t *ret_damaged);
/* Removes blobs that `referred` does not know and that are older than an hour. */
enum err blob_sweep(struct blobs *blobs, bool (*referred)(void *arg, struct str sha256_hex), void *arg);
#endif

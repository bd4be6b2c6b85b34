/* rocks.h -- RocksDB through its C API. Only rocks.c knows its header; rocks_engine.c makes an engine of it.
 *
 * One ordered map of byte strings. Reads from any thread, rocks__write from one thread at a time; rocks__close when
 * no other call runs and no iterator is open.
 * Errors: a message of the engine becomes ERR_IO or ERR_CORRUPT. */
#ifndef CLOUDLESS_STORE_ROCKS_H
#define CLOUDLESS_STORE_ROCKS_H
#include "base/arena.h"
#include "base/err.h"
#include "store/engine.h"

struct ledger;
struct rocks;

/* `ledger` is borrowed until rocks__close; what it says was acknowledged has to be there: if not, ERR_CORRUPT, and nothing
 * that is left is lost. On a disk that is full it is opened for reading, as one whose write failed, and *ret_message says why.
 * *ret_message: the engine's own words, in the arena; STR_NONE: it is open for writing. */
enum err rocks__open(const char *dir, struct ledger *ledger, size_t cache_bytes, size_t files_max, struct arena *arena,
                     struct rocks **ret, struct str *ret_message);
void rocks__close(struct rocks *rocks);      /* flushes first, so that the next open has no log to replay */

/* One state, as of now. Like an iterator it keeps a broken engine from being opened again: free it soon. */
struct engine_view *rocks__view_new(struct rocks *rocks);
void rocks__view_free(struct engine_view *view);

/* view NULL: the newest state. */
enum err rocks__get(struct rocks *rocks, struct engine_view *view, struct str key, struct arena *arena, struct str *ret_value);
/* Writes the layer, gaps first, and syncs the log. On failure nothing of it is visible, and the engine's own words
 * stand in ret_message, cut to its size. */
enum err rocks__write(struct rocks *rocks, const struct layer *layer, char *ret_message, size_t message_size);
/* Gives the space of whole files between the keys back at once. Only where nobody reads any more: what was deleted
 * there may come to light again. */
void rocks__drop_files(struct rocks *rocks, struct str from, struct str to);
/* Writes what is in memory to files, then asks for a compaction of the range, which runs in the background. */
enum err rocks__compact_hint(struct rocks *rocks, struct str from, struct str to);

/* As in engine.h (rocks_repair.c). */
enum err rocks__check(const struct store_options *options, struct arena *arena, struct store_findings *ret);
enum err rocks__repair(const struct store_options *options, struct arena *arena, struct store_findings *ret);

void rocks__write_metrics(struct rocks *rocks, struct buf *out);     /* the engine's own figures; none while it is broken */

/* As in engine.h. While it lives a broken engine cannot be opened again: free it soon. */
struct engine_iter *rocks__iter_new(struct rocks *rocks, struct engine_view *view, struct str from, struct str to);
void rocks__iter_move(struct engine_iter *iter, enum engine_move move, struct str key);
void rocks__iter_free(struct engine_iter *iter);
#endif

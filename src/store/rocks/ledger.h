/* ledger.h -- what a directory of the embedded engine has to hold, in a small checked file beside the engine's own.
 *
 * RocksDB takes a log that is missing, cut or damaged for one that ends there, and a manifest that is cut for an older state:
 * it opens, says nothing, and removes the files that it then does not know. The ledger remembers how far writes were
 * acknowledged and what the manifest was, so that a directory that lost something is refused before more of it goes.
 *
 *   DIR/ledger    two slots, written in turn, each with its own checksum: of a torn one the other is left, a note older;
 *                 and the record by which the store reads its data, which is lost with it (rocks__ledger_keep)
 *   DIR/db        the engine's
 *
 * A note is made after its write is durable and is not synced itself: after a power failure it may be an older one, which asks for
 * less than there is, never for more. From one thread at a time. */
#ifndef CLOUDLESS_STORE_ROCKS_LEDGER_H
#define CLOUDLESS_STORE_ROCKS_LEDGER_H
#include "base/arena.h"
#include "base/err.h"
#include "store/rocks/wal.h"

struct ledger;

/* Reads DIR's ledger, if there is one, and changes nothing. ERR_IO: *ret_message is a sentence for the user. */
enum err rocks__ledger_open(const char *dir, struct arena *arena, struct ledger **ret, struct str *ret_message);
/* Before the engine opens its folder: what is not as it was, without a full stop; or NULL. A folder of the engine without a ledger
 * is one of an older release, and is taken as it is. was_there: nothing at all is wrong, too. */
const char *rocks__ledger_wrong(const struct ledger *ledger, bool was_there, struct arena *arena);
bool rocks__ledger_unused(const struct ledger *ledger);     /* and the engine has written nothing either */
bool rocks__ledger_blank(const struct ledger *ledger); /* there is none, or it cannot be read */
/* The sequence number of the last entry that was acknowledged, as far as is known. */
uint64_t rocks__ledger_sequence(const struct ledger *ledger);
/* Where that entry ended: if the log is shorter or gone, the entry is in files, or lost. */
struct wal_end rocks__ledger_log(const struct ledger *ledger);
/* The engine is open: what it has now is what there has to be, and from now on the ledger is written. ERR_IO. */
enum err rocks__ledger_begin(struct ledger *ledger, uint64_t sequence);
/* Entries up to `sequence` are durable, the last of them at the end of that log. Costs three system calls; never fails, an older
 * note is as true. */
void rocks__ledger_note(struct ledger *ledger, uint64_t sequence, struct wal_end log);
/* A record of the store's own, at most LEDGER_RECORD_MAX bytes, kept beside the notes and synced. ERR_NOT_FOUND: none, or damaged.
 */
#define LEDGER_RECORD_MAX 256
enum err rocks__ledger_keep(struct ledger *ledger, struct str record);
enum err rocks__ledger_kept(const struct ledger *ledger, struct arena *arena, struct str *ret);
/* Copies the file, if there is one, into a folder. ERR_IO: errno says why. */
enum err rocks__ledger_copy(const struct ledger *ledger, const char *folder);
void rocks__ledger_close(struct ledger *ledger);        /* NULL is fine */
#endif

/* ledger.c -- see ledger.h.
 *
 *   slot: magic (8) · count (8) · sequence (8) · number of the manifest (8) · its bytes (8) · their CRC-32C (4) · CRC-32C of
 *         all that (4); count (8) · number of the log (8) · its bytes (8) · CRC-32C of these three (4)        big-endian
 *         The second half came later: where it is missing or damaged, the log is not known.
 *   record, behind both: length (4) · bytes, filled up with zeros · CRC-32C of all that (4)
 *
 * The manifest is the engine's list of its files; it is only appended to, and now and then replaced by one with a higher
 * number, which the file CURRENT names. What is noted of it was synced by us before. So at the next start the bytes that were noted
 * have to be there, unchanged; a manifest with a higher number, which nobody saw, is the engine's own business. */
#include "store/rocks/ledger.h"
#include "base/checksum.h"
#include "base/codec.h"
#include "base/file.h"
#include "base/panic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SLOT_APART 4096                 /* never in one block of the disk */
#define SLOT_LOG_AT 48
#define SLOT_BYTES (SLOT_LOG_AT + 28)
#define RECORD_AT (2 * SLOT_APART)
#define SLOT_MAGIC "cldledg1"
#define LEDGER_NAME "ledger"
#define DB_NAME "db"
#define MANIFEST_PREFIX "MANIFEST-"
#define PIECE_BYTES (64 << 10)

struct manifest {
    uint64_t number, bytes;             /* number 0: none */
    uint32_t crc;
};

struct ledger {
    int dir, file;                      /* file -1: there is none yet */
    uint64_t count, sequence;
    struct wal_end log;
    struct manifest manifest;
    int manifest_fd;                    /* of the manifest; -1: it has to be looked for */
    struct stat current;                /* CURRENT, when it was found: it is replaced by another file, never changed */
    struct checksum_state manifest_crc; /* over its bytes so far */
};

static uint32_t crc_end(struct checksum_state state)
{
    uint8_t digest[CHECKSUM_BYTES_MAX];
    checksum_finish(&state, digest);
    return get_u32(digest);
}

static uint32_t crc_of(const uint8_t *p, size_t n)
{
    struct checksum_state state;
    checksum_init(&state, CHECKSUM_CRC32C);
    checksum_update(&state, (struct str){(const char *)p, n});
    return crc_end(state);
}

/* ---- slots ---- */

static void slot_write(const struct ledger *ledger, uint8_t slot[SLOT_BYTES])
{
    memcpy(slot, SLOT_MAGIC, 8);
    put_u64(slot + 8, ledger->count);
    put_u64(slot + 16, ledger->sequence);
    put_u64(slot + 24, ledger->manifest.number);
    put_u64(slot + 32, ledger->manifest.bytes);
    put_u32(slot + 40, ledger->manifest.crc);
    put_u32(slot + 44, crc_of(slot, 44));
    uint8_t *log = slot + SLOT_LOG_AT;
    put_u64(log, ledger->count);
    put_u64(log + 8, ledger->log.number);
    put_u64(log + 16, ledger->log.bytes);
    put_u32(log + 24, crc_of(log, 24));
}

static struct wal_end slot_log(const uint8_t slot[SLOT_BYTES])
{
    const uint8_t *log = slot + SLOT_LOG_AT;
    if (get_u64(log) != get_u64(slot + 8) || get_u32(log + 24) != crc_of(log, 24))
        return (struct wal_end){0};
    return (struct wal_end){get_u64(log + 8), get_u64(log + 16)};
}

static bool slot_holds(const uint8_t slot[SLOT_BYTES])
{
    return memcmp(slot, SLOT_MAGIC, 8) == 0 && get_u32(slot + 44) == crc_of(slot, 44);
}

/* The newer of the slots that hold; count stays 0 if neither does. */
static void slots_read(struct ledger *ledger)
{
    for (off_t i = 0; i < 2; i++) {
        uint8_t slot[SLOT_BYTES];
        bool holds = pread(ledger->file, slot, sizeof slot, i * SLOT_APART) == SLOT_BYTES && slot_holds(slot);
        if (!holds || get_u64(slot + 8) < ledger->count)
            continue;
        ledger->count = get_u64(slot + 8);
        ledger->sequence = get_u64(slot + 16);
        ledger->manifest = (struct manifest){get_u64(slot + 24), get_u64(slot + 32), get_u32(slot + 40)};
        ledger->log = slot_log(slot);
    }
}

/* ---- the manifest ---- */

/* The number that CURRENT names. ERR_NOT_FOUND, ERR_CORRUPT, ERR_IO. */
static enum err manifest_current(const struct ledger *ledger, uint64_t *ret)
{
    char text[64];
    int fd = openat(ledger->dir, DB_NAME "/CURRENT", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    ssize_t n = read(fd, text, sizeof text);
    close(fd);
    struct str name = str_trim((struct str){text, n > 0 ? (size_t)n : 0}), prefix = STR(MANIFEST_PREFIX);
    bool fine = str_starts(name, prefix) && str_to_u64(str_slice(name, prefix.n, name.n), ret) && *ret > 0;
    return fine ? ERR_OK : ERR_CORRUPT;
}

static int manifest_open(const struct ledger *ledger, uint64_t number)
{
    char name[64];
    snprintf(name, sizeof name, DB_NAME "/" MANIFEST_PREFIX "%06llu", (unsigned long long)number);
    return openat(ledger->dir, name, O_RDONLY | O_CLOEXEC);
}

/* Adds the bytes [from, to) of the file to the checksum. False: they cannot be read. */
static bool add_file(int fd, uint64_t from, uint64_t to, struct checksum_state *crc)
{
    char piece[PIECE_BYTES];
    while (from < to) {
        size_t want = to - from < sizeof piece ? (size_t)(to - from) : sizeof piece;
        ssize_t n = pread(fd, piece, want, (off_t)from);
        if (n <= 0)
            return false;
        checksum_update(crc, (struct str){piece, (size_t)n});
        from += (uint64_t)n;
    }
    return true;
}

static void manifest_forget(struct ledger *ledger)
{
    if (ledger->manifest_fd >= 0)
        close(ledger->manifest_fd);
    ledger->manifest_fd = -1;
}

static void manifest_find(struct ledger *ledger)
{
    uint64_t number;
    manifest_forget(ledger);
    if (fstatat(ledger->dir, DB_NAME "/CURRENT", &ledger->current, 0) != 0 || manifest_current(ledger, &number) != ERR_OK ||
        (ledger->manifest_fd = manifest_open(ledger, number)) < 0)
        return;
    ledger->manifest = (struct manifest){.number = number};
    checksum_init(&ledger->manifest_crc, CHECKSUM_CRC32C);
}

/* Whether CURRENT still is the file that named it. */
static bool manifest_is_current(const struct ledger *ledger)
{
    const struct stat *then = &ledger->current;
    struct stat now;
    return ledger->manifest_fd >= 0 && fstatat(ledger->dir, DB_NAME "/CURRENT", &now, 0) == 0 && now.st_ino == then->st_ino &&
           now.st_ctim.tv_sec == then->st_ctim.tv_sec && now.st_ctim.tv_nsec == then->st_ctim.tv_nsec;
}

/* Takes in what the engine has appended. It may still be about to sync that, so we do. */
static void manifest_follow(struct ledger *ledger)
{
    struct stat st;
    if (!manifest_is_current(ledger))
        manifest_find(ledger);
    if (ledger->manifest_fd < 0 || fstat(ledger->manifest_fd, &st) != 0)
        return;
    uint64_t bytes = (uint64_t)st.st_size;
    if (bytes <= ledger->manifest.bytes || fdatasync(ledger->manifest_fd) != 0)
        return;
    if (!add_file(ledger->manifest_fd, ledger->manifest.bytes, bytes, &ledger->manifest_crc)) {
        manifest_forget(ledger);
        return;
    }
    ledger->manifest.bytes = bytes;
    ledger->manifest.crc = crc_end(ledger->manifest_crc);
}

/* What is wrong with the manifest, or NULL. */
static const char *manifest_wrong(const struct ledger *ledger, uint64_t number, struct arena *arena)
{
    const struct manifest *noted = &ledger->manifest;
    if (number > noted->number)
        return NULL;
    const char *name = arena_printf(arena, DB_NAME "/" MANIFEST_PREFIX "%06llu", (unsigned long long)noted->number).p;
    if (number < noted->number)
        return arena_printf(arena, DB_NAME "/CURRENT names an older manifest than %s", name).p;
    int fd = manifest_open(ledger, number);
    if (fd < 0)
        return arena_printf(arena, "%s is missing", name).p;
    struct stat st;
    struct checksum_state crc;
    checksum_init(&crc, CHECKSUM_CRC32C);
    bool whole = fstat(fd, &st) == 0 && (uint64_t)st.st_size >= noted->bytes;
    bool same = whole && add_file(fd, 0, noted->bytes, &crc) && crc_end(crc) == noted->crc;
    close(fd);
    if (!whole)
        return arena_printf(arena, "%s is cut: it has %lld bytes of %llu", name, (long long)st.st_size,
                            (unsigned long long)noted->bytes).p;
    return same ? NULL : arena_printf(arena, "%s was changed", name).p;
}

/* ---- opening ---- */

/* Whether the engine's folder has data: files that hold some. */
static bool has_data(const struct ledger *ledger)
{
    int fd = openat(ledger->dir, DB_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);
    bool found = false;
    if (!entries) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    for (struct dirent *entry; !found && (entry = readdir(entries)); )
        found = str_ends(str_of(entry->d_name), STR(".sst")) || str_ends(str_of(entry->d_name), STR(".log"));
    closedir(entries);
    return found;
}

const char *rocks__ledger_wrong(const struct ledger *ledger, bool was_there, struct arena *arena)
{
    if (was_there && rocks__ledger_unused(ledger))
        return "all of its files are gone; bring them back from a backup, or move the rest away to begin with nothing";
    uint64_t number;
    enum err current = manifest_current(ledger, &number);
    bool noted = ledger->file >= 0;
    if (noted && rocks__ledger_blank(ledger))
        return "its ledger cannot be read";
    if (current == ERR_CORRUPT)
        return DB_NAME "/CURRENT names no manifest";
    if (current == ERR_NOT_FOUND)
        return noted || has_data(ledger) ? DB_NAME "/CURRENT is missing" : NULL;
    if (current != ERR_OK)
        return DB_NAME "/CURRENT cannot be read";
    return noted ? manifest_wrong(ledger, number, arena) : NULL;
}

enum err rocks__ledger_open(const char *dir, struct arena *arena, struct ledger **ret, struct str *ret_message)
{
    struct ledger *ledger = mem_zalloc(sizeof *ledger);
    ledger->manifest_fd = ledger->file = -1;
    ledger->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ledger->dir >= 0)
        ledger->file = openat(ledger->dir, LEDGER_NAME, O_RDWR | O_CLOEXEC);
    if (ledger->dir < 0 || (ledger->file < 0 && errno != ENOENT)) {
        *ret_message = arena_printf(arena, "The file %s/" LEDGER_NAME " cannot be opened: %s.", dir, strerror(errno));
        rocks__ledger_close(ledger);
        return ERR_IO;
    }
    if (ledger->file >= 0)
        slots_read(ledger);
    *ret = ledger;
    return ERR_OK;
}

bool rocks__ledger_unused(const struct ledger *ledger)
{
    uint64_t number;
    return ledger->file < 0 && manifest_current(ledger, &number) == ERR_NOT_FOUND && !has_data(ledger);
}

bool rocks__ledger_blank(const struct ledger *ledger)
{
    return !ledger->count;
}

uint64_t rocks__ledger_sequence(const struct ledger *ledger)
{
    return ledger->sequence;
}

struct wal_end rocks__ledger_log(const struct ledger *ledger)
{
    return ledger->log;
}

/* Into the slot whose turn it is. */
static bool note(struct ledger *ledger)
{
    uint8_t slot[SLOT_BYTES];
    manifest_follow(ledger);
    ledger->count++;
    slot_write(ledger, slot);
    return pwrite(ledger->file, slot, sizeof slot, (off_t)(ledger->count % 2) * SLOT_APART) == SLOT_BYTES;
}

static enum err make_file(struct ledger *ledger)
{
    static const char zeros[2 * SLOT_APART];
    int fd = openat(ledger->dir, LEDGER_NAME ".new", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return ERR_IO;
    ledger->file = fd;
    bool written = file_write(fd, (struct str){zeros, sizeof zeros}) && note(ledger);
    bool made = written && fsync(fd) == 0 && renameat(ledger->dir, LEDGER_NAME ".new", ledger->dir, LEDGER_NAME) == 0;
    if (made && fsync(ledger->dir) == 0)
        return ERR_OK;
    close(fd);                          /* the next begin tries again */
    ledger->file = -1;
    (void)unlinkat(ledger->dir, LEDGER_NAME ".new", 0);
    return ERR_IO;
}

enum err rocks__ledger_begin(struct ledger *ledger, uint64_t sequence)
{
    ledger->sequence = sequence;
    ledger->log = (struct wal_end){0};
    manifest_forget(ledger);
    return ledger->file < 0 ? make_file(ledger) : note(ledger) ? ERR_OK : ERR_IO;
}

void rocks__ledger_note(struct ledger *ledger, uint64_t sequence, struct wal_end log)
{
    ledger->sequence = sequence;
    ledger->log = log;
    (void)note(ledger);
}

enum err rocks__ledger_keep(struct ledger *ledger, struct str record)
{
    uint8_t block[4 + LEDGER_RECORD_MAX + 4] = {0};
    ENSURE(record.n <= LEDGER_RECORD_MAX);
    put_u32(block, (uint32_t)record.n);
    memcpy(block + 4, record.p, record.n);
    put_u32(block + 4 + LEDGER_RECORD_MAX, crc_of(block, 4 + LEDGER_RECORD_MAX));
    bool kept = pwrite(ledger->file, block, sizeof block, RECORD_AT) == (ssize_t)sizeof block && fsync(ledger->file) == 0;
    return kept ? ERR_OK : ERR_IO;
}

enum err rocks__ledger_kept(const struct ledger *ledger, struct arena *arena, struct str *ret)
{
    uint8_t block[4 + LEDGER_RECORD_MAX + 4];
    bool there = pread(ledger->file, block, sizeof block, RECORD_AT) == (ssize_t)sizeof block;
    if (!there || get_u32(block + 4 + LEDGER_RECORD_MAX) != crc_of(block, 4 + LEDGER_RECORD_MAX) ||
        get_u32(block) > LEDGER_RECORD_MAX)
        return ERR_NOT_FOUND;
    *ret = arena_dup(arena, (struct str){(const char *)block + 4, get_u32(block)});
    return ERR_OK;
}

enum err rocks__ledger_copy(const struct ledger *ledger, const char *folder)
{
    char bytes[RECORD_AT + 4 + LEDGER_RECORD_MAX + 4], path[PATH_MAX];
    if (ledger->file < 0)
        return ERR_OK;
    ssize_t n = pread(ledger->file, bytes, sizeof bytes, 0);
    if (n < 0 || snprintf(path, sizeof path, "%s/" LEDGER_NAME, folder) >= (int)sizeof path)
        return ERR_IO;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool fine = fd >= 0 && file_write(fd, (struct str){bytes, (size_t)n}) && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    return fine ? ERR_OK : ERR_IO;
}

void rocks__ledger_close(struct ledger *ledger)
{
    if (!ledger)
        return;
    manifest_forget(ledger);
    if (ledger->file >= 0) {
        (void)fdatasync(ledger->file);
        close(ledger->file);
    }
    if (ledger->dir >= 0)
        close(ledger->dir);
    free(ledger);
}

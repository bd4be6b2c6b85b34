/* code.c -- the unpacked code of functions: DIR/cache/BOOT/SHA256, a folder a package, made when an environment needs it.
 *
 * Environments mount these folders, so what one of them uses is never removed: acquire and release count users. Of the
 * rest, what no function refers to goes with the next sweep, and the longest unused goes when the cache passes its bound.
 * A folder appears and disappears by rename, out of and into DIR/cache/work-RANDOM of this process, under the lock; the
 * slow part (unpacking, removing) happens on a worker without it. Who wants what is being unpacked is put on its entry's list
 * and told on its loop: no thread waits for another.
 * BOOT is the kernel's boot id: files are not synced one by one, so what was unpacked before the machine's last start may
 * be incomplete after a power cut, and is thrown away.
 *
 * A sweep also removes packages (blobs) that no function refers to: left by a delete, an update, or a crash between the
 * package's write and the commit. blob.h keeps young ones. Sweeps run on a worker, one at a time: after start, every
 * SWEEP_EVERY_MS, and soon after a function or its last environment went; when is decided on the first loop.
 * It is no durable job (jobs.h): folders and packages are files of this machine, so each process sweeps its own, a sweep
 * looks at all there is, and one that a crash cut short is made up for by the one after the next start.
 * `lock` guards the entries; paths never change; what stands under `when` belongs to the first loop. */
#include "services/lambda/code.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/panic.h"
#include "sandbox/sandbox.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/package.h"
#include "store/doc.h"
#include <dirent.h>
#include <fcntl.h>
#include <fts.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_BYTES_MAX (2LL << 30)     /* of what is not in use */
#define CACHE_FOLDERS_MAX 10000
#define ENTRIES_MAX (2 * CACHE_FOLDERS_MAX)     /* with those in use, which environments bound much lower */
#define FUNCTIONS_STEP 256              /* of a walk over the functions' documents */
#define FUNCTIONS_MAX 1000000
#define SWEEP_EVERY_MS (10 * 60 * 1000)
#define SWEEP_SOON_MS 1000

struct code_entry {
    struct lambda__code *code;
    struct work work;                   /* its unpacking */
    char *blob;
    const char *dir;
    bool ready;                         /* false: being unpacked */
    unsigned users;
    struct lambda__code_want *wanted;   /* told when it is ready, or failed */
    int64_t bytes;
    uint64_t used_ns;
};

struct lambda__code {
    const struct platform *platform;
    int64_t bytes_max;
    struct arena *paths;
    const char *folder, *workplace;     /* DIR/cache/BOOT, DIR/cache/work-RANDOM */
    struct str boot_name, work_name;
    pthread_mutex_t lock;
    struct map *entries;                /* by blob */
    int64_t bytes_unpacked;
    unsigned moved;                     /* names what is moved out of the way */
    _Atomic unsigned made;              /* names what is being unpacked */
    bool first_sweep_done, missing_told; /* the sweep's */
    /* when */
    struct loop_task ask_task;
    atomic_bool asked;
    struct loop_timer *timer;
    struct work sweep;
    bool sweeping, again;
};

/* ---- trees of files ---- */

static int remove_one_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one_file, 16, FTW_DEPTH | FTW_PHYS);
}

static int64_t tree_bytes(const char *path)
{
    int64_t bytes = 0;
    FTS *walk = fts_open((char *const[]){(char *)path, NULL}, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (const FTSENT *entry; walk && (entry = fts_read(walk));) {
        if (entry->fts_info == FTS_D || entry->fts_info == FTS_F || entry->fts_info == FTS_SL) /* a folder comes again as FTS_DP */
            bytes += (int64_t)entry->fts_statp->st_blocks * 512;
    }
    if (walk)
        fts_close(walk);
    return bytes;
}

/* ---- new, free ---- */

static struct str boot_id(struct arena *arena)
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return n > 0 ? arena_dup(arena, str_trim((struct str){text, (size_t)n})) : uuid4(arena);
}

static void code_entry_free(void *value)
{
    struct code_entry *entry = value;
    free(entry->blob);
    free(entry);
}

struct lambda__code *lambda__code_new(const struct platform *platform, int64_t bytes_max)
{
    struct lambda__code *code = mem_zalloc(sizeof *code);
    const char *cache = platform->options->cache_dir;
    code->platform = platform;
    code->bytes_max = bytes_max ? bytes_max : CACHE_BYTES_MAX;
    code->paths = arena_new();
    code->boot_name = boot_id(code->paths);
    code->work_name = arena_printf(code->paths, "work-" STR_FMT, STR_ARG(uuid4(code->paths)));
    code->folder = arena_printf(code->paths, "%s/" STR_FMT, cache, STR_ARG(code->boot_name)).p;
    code->workplace = arena_printf(code->paths, "%s/" STR_FMT, cache, STR_ARG(code->work_name)).p;
    folder_make(cache, 0700);   /* code is not for other users of the machine; sandboxes get mounts of what lies below */
    folder_make(code->folder, 0755);
    folder_make(code->workplace, 0755);
    pthread_mutex_init(&code->lock, NULL);
    code->entries = map_new(ENTRIES_MAX, code_entry_free);
    return code;
}

void lambda__code_free(struct lambda__code *code)
{
    if (!code)
        return;
    loop_timer_cancel(&code->timer);
    remove_tree(code->workplace);
    map_free(code->entries);
    pthread_mutex_destroy(&code->lock);
    arena_free(code->paths);
    free(code);
}

/* ---- eviction ---- */

struct code_pick {
    const struct map *referred;         /* NULL: by age */
    struct code_entry *entry;
};

static bool consider_entry(struct str key, void *value, void *arg)
{
    struct code_entry *entry = value;
    struct code_pick *pick = arg;
    if (entry->users || !entry->ready || (pick->referred && map_get(pick->referred, key)))
        return true;
    if (!pick->entry || entry->used_ns < pick->entry->used_ns)
        pick->entry = entry;
    return true;
}

/* Moves one folder that nobody uses out of the way: the longest unused, or one that is not in `referred`. NULL: none. */
static const char *move_one_away(struct lambda__code *code, const struct map *referred, struct arena *arena)
{
    struct code_pick pick = {.referred = referred};
    map_each(code->entries, consider_entry, &pick);
    if (!pick.entry)
        return NULL;
    const char *from = arena_printf(arena, "%s/%s", code->folder, pick.entry->blob).p;
    const char *to = arena_printf(arena, "%s/old-%u", code->workplace, code->moved++).p;
    code->bytes_unpacked -= pick.entry->bytes;
    map_take(code->entries, str_of(pick.entry->blob));
    code_entry_free(pick.entry);
    return rename(from, to) == 0 ? to : NULL;
}

static bool code_over_bound(const struct lambda__code *code)
{
    return code->bytes_unpacked > code->bytes_max || map_count(code->entries) > CACHE_FOLDERS_MAX;
}

/* referred NULL: down to the bound. `all`: everything that is not in use. */
static void evict_code(struct lambda__code *code, const struct map *referred, bool all)
{
    struct arena *arena = arena_new();
    for (;;) {
        pthread_mutex_lock(&code->lock);
        const char *path = referred || all || code_over_bound(code) ? move_one_away(code, referred, arena) : NULL;
        pthread_mutex_unlock(&code->lock);
        if (!path)
            break;
        remove_tree(path);
    }
    arena_free(arena);
}

/* ---- unpacking, on a worker ---- */

static enum err unpack_code(struct lambda__code *code, struct str blob, const char *dir, struct arena *arena)
{
    struct str zip;
    enum err err = blob_get(code->platform->blobs, blob, arena, &zip);
    if (err != ERR_OK)
        return err;
    const char *temporary = arena_printf(arena, "%s/new-%u", code->workplace, atomic_fetch_add(&code->made, 1)).p;
    if (mkdir(temporary, 0755) != 0)
        return ERR_IO;
    if (lambda__package_unpack(zip, temporary, sandbox_owns_files()) && rename(temporary, dir) == 0)
        return ERR_OK;
    remove_tree(temporary);
    return ERR_IO;
}

/* `dir` may be there already, from the server before this one. A full disk may have room without what is not in use. */
static enum err make_code(struct lambda__code *code, struct str blob, const char *dir)
{
    if (access(dir, F_OK) == 0)
        return ERR_OK;
    struct arena *arena = arena_new();
    enum err err = unpack_code(code, blob, dir, arena);
    if (err == ERR_IO) {
        evict_code(code, NULL, true);
        err = unpack_code(code, blob, dir, arena);
    }
    arena_free(arena);
    return err;
}

static void tell_want(struct loop_task *task)
{
    struct lambda__code_want *want = CONTAINER_OF(task, struct lambda__code_want, task);
    want->done(want);
}

static void take_entry(struct code_entry *entry, struct lambda__code_want *want)
{
    entry->users++;
    want->dir = entry->dir;
    want->err = ERR_OK;
}

/* Makes what the entry stands for and tells who waits. The entry may be gone afterwards. */
static void fill_entry(struct code_entry *entry)
{
    struct lambda__code *code = entry->code;
    enum err err = make_code(code, str_of(entry->blob), entry->dir);
    int64_t bytes = err == ERR_OK ? tree_bytes(entry->dir) : 0;
    pthread_mutex_lock(&code->lock);
    struct lambda__code_want *want = entry->wanted, *next;
    entry->wanted = NULL;
    entry->ready = true;
    entry->bytes = bytes;
    entry->used_ns = clock_mono_ns();
    code->bytes_unpacked += bytes;
    for (struct lambda__code_want *each = want; each; each = each->next) {
        each->err = err;
        if (err == ERR_OK)
            take_entry(entry, each);
    }
    if (err != ERR_OK)
        code_entry_free(map_take(code->entries, str_of(entry->blob)));
    bool over = code_over_bound(code);
    pthread_mutex_unlock(&code->lock);
    for (; want; want = next) {
        next = want->next;              /* told, it may be gone */
        want->task.run = tell_want;
        loop_post(want->loop, &want->task);
    }
    if (over)
        evict_code(code, NULL, false);
}

static void fill_on_worker(struct work *work)
{
    fill_entry(CONTAINER_OF(work, struct code_entry, work));
}

/* Under the lock. */
static struct code_entry *code_entry_new(struct lambda__code *code, struct str blob)
{
    size_t dir_bytes = strlen(code->folder) + 1 + blob.n + 1;
    struct code_entry *entry = mem_zalloc(sizeof *entry + dir_bytes);
    char *dir = (char *)(entry + 1);
    snprintf(dir, dir_bytes, "%s/" STR_FMT, code->folder, STR_ARG(blob));
    entry->code = code;
    entry->work.run = fill_on_worker;
    entry->blob = mem_dup(blob.p, blob.n);
    entry->dir = dir;
    map_put(code->entries, blob, entry);
    return entry;
}

/* Under the lock: the entry, its unpacking under way if need be. */
static enum err entry_of(struct lambda__code *code, struct str blob, struct code_entry **ret)
{
    *ret = map_get(code->entries, blob);
    if (*ret)
        return ERR_OK;
    struct code_entry *entry = code_entry_new(code, blob);
    enum err err = workers_submit(code->platform->workers, LANE_UNPACK, &entry->work);
    if (err != ERR_OK)
        code_entry_free(map_take(code->entries, blob));
    else
        *ret = entry;
    return err;
}

/* ---- acquire, release ---- */

bool lambda__code_acquire(struct lambda__code *code, struct lambda__code_want *want)
{
    struct code_entry *entry;
    pthread_mutex_lock(&code->lock);
    want->err = entry_of(code, want->blob, &entry);
    bool now = want->err != ERR_OK || entry->ready;
    if (want->err == ERR_OK && entry->ready) {
        take_entry(entry, want);
    } else if (!now) {
        want->next = entry->wanted;
        entry->wanted = want;
    }
    pthread_mutex_unlock(&code->lock);
    return now;
}

void lambda__code_release(struct lambda__code *code, struct str blob)
{
    pthread_mutex_lock(&code->lock);
    struct code_entry *entry = map_get(code->entries, blob);
    ENSURE(entry && entry->users);
    entry->users--;
    entry->used_ns = clock_mono_ns();
    pthread_mutex_unlock(&code->lock);
}

void lambda__code_warm(struct lambda__code *code, struct str blob)
{
    struct code_entry *entry;
    pthread_mutex_lock(&code->lock);
    entry_of(code, blob, &entry);       /* no worker is free: the first invocation unpacks it */
    pthread_mutex_unlock(&code->lock);
}

/* ---- the sweep ---- */

/* Calls visit for each name in `dir`, but "." and "..". */
static void each_name(struct lambda__code *code, const char *dir,
                      void (*visit)(struct lambda__code *code, const char *dir, struct str name))
{
    DIR *open_dir = opendir(dir);
    if (!open_dir)
        return;
    for (struct dirent *entry; (entry = readdir(open_dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(code, dir, str_of(entry->d_name));
    closedir(open_dir);
}

static void remove_foreign(struct lambda__code *code, const char *dir, struct str name)
{
    if (str_eq(name, code->boot_name) || str_eq(name, code->work_name))
        return;
    struct arena *arena = arena_new();
    remove_tree(arena_printf(arena, "%s/" STR_FMT, dir, STR_ARG(name)).p);
    arena_free(arena);
}

/* What the server before this one unpacked counts too. */
static void adopt(struct lambda__code *code, const char *dir, struct str name)
{
    (void)dir;
    pthread_mutex_lock(&code->lock);
    struct code_entry *entry = map_get(code->entries, name) ? NULL : code_entry_new(code, name);
    pthread_mutex_unlock(&code->lock);
    if (entry)
        fill_entry(entry);
}

/* A package is written before its function, so one that is not there is lost. That is said once a start. */
static void refer(struct lambda__code *code, const struct json *doc, struct str function, struct map *referred)
{
    struct str blob = json_str(doc, "blob");
    if (!code->missing_told && !map_get(referred, blob) && !blob_there(code->platform->blobs, blob))
        log_to(LOG_ERROR, "lambda.package_missing", {"function", function}, {"package", blob},
               {"remedy", STR("update the function's code, or bring the file back into the folder blobs")});
    map_put(referred, blob, referred);
}

/* The packages that functions refer to. A step's keys first, then the documents: nothing is read while an iterator is open. */
static enum err gather_referred(struct lambda__code *code, struct map *referred)
{
    struct store_txn *reader = store_reader(code->platform->store);
    struct store_key at[FUNCTIONS_STEP], last, *after = NULL;
    struct arena *kept = arena_new();
    enum err err = ERR_OK;
    size_t count = FUNCTIONS_STEP;
    while (err == ERR_OK && count == FUNCTIONS_STEP) {
        struct arena *arena = arena_new();
        struct store_iter *iter = store_walk(reader, LAMBDA_SPACE, 0, UINT64_MAX, after, arena);
        struct store_key key;
        struct str value;
        for (count = 0; count < FUNCTIONS_STEP && (err = store_next(iter, &key, &value)) == ERR_OK; count++)
            at[count] = (struct store_key){key.space, arena_dup(arena, key.collection), arena_dup(arena, key.key)};
        store_iter_close(iter);
        err = err == ERR_NOT_FOUND ? ERR_OK : err;
        for (size_t i = 0; i < count && err == ERR_OK; i++) {
            struct json *doc;
            enum err got = doc_get(reader, at[i], arena, &doc);
            if (got == ERR_OK)
                refer(code, doc, at[i].key, referred);
            else if (got != ERR_NOT_FOUND)
                err = got;
        }
        if (count) {
            arena_reset(kept);
            last = (struct store_key){at[count - 1].space, arena_dup(kept, at[count - 1].collection),
                                      arena_dup(kept, at[count - 1].key)};
            after = &last;
        }
        arena_free(arena);
    }
    arena_free(kept);
    return err;
}

static bool is_referred(void *arg, struct str blob)
{
    return map_get(arg, blob) != NULL;
}

void lambda__code_sweep(struct lambda__code *code)
{
    if (!code->first_sweep_done) {
        each_name(code, code->platform->options->cache_dir, remove_foreign);
        each_name(code, code->folder, adopt);
        code->first_sweep_done = true;
    }
    struct map *referred = map_new(FUNCTIONS_MAX, NULL);
    enum err err = gather_referred(code, referred);
    code->missing_told |= err == ERR_OK;
    if (err == ERR_OK && map_count(referred) < FUNCTIONS_MAX) {      /* a set that is cut short would call used what is not */
        evict_code(code, referred, false);
        err = blob_sweep(code->platform->blobs, is_referred, referred);
    }
    if (err != ERR_OK)
        log_to(LOG_WARN, "lambda.sweep_failed", {"error", str_of(err_text(err))});
    map_free(referred);
}

/* ---- when; all on the first loop but sweep_soon ---- */

static void sweep_on_worker(struct work *work)
{
    lambda__code_sweep(CONTAINER_OF(work, struct lambda__code, sweep));
}

static void sweep_due(void *arg);

static void arm_sweep(struct lambda__code *code, uint64_t ms)
{
    loop_timer_cancel(&code->timer);
    code->timer = loop_timer_start(loop_current(), ms, sweep_due, code);
}

static void swept(struct work *work)
{
    struct lambda__code *code = CONTAINER_OF(work, struct lambda__code, sweep);
    code->sweeping = false;
    arm_sweep(code, code->again ? SWEEP_SOON_MS : SWEEP_EVERY_MS);
}

static void sweep_due(void *arg)
{
    struct lambda__code *code = arg;
    code->timer = NULL;
    code->again = false;
    code->sweep = (struct work){.run = sweep_on_worker, .done = swept, .loop = loop_current()};
    code->sweeping = workers_submit(code->platform->workers, LANE_UNPACK, &code->sweep) == ERR_OK;
    if (!code->sweeping)
        arm_sweep(code, SWEEP_EVERY_MS);
}

static void sweep_asked(struct loop_task *task)
{
    struct lambda__code *code = CONTAINER_OF(task, struct lambda__code, ask_task);
    atomic_store(&code->asked, false);
    if (!code->sweeping && !code->again)
        arm_sweep(code, SWEEP_SOON_MS);
    code->again = true;
}

void lambda__code_sweep_soon(struct lambda__code *code)
{
    if (atomic_exchange(&code->asked, true))
        return;
    code->ask_task.run = sweep_asked;
    loop_post(loops_at(code->platform->loops, 0), &code->ask_task);
}

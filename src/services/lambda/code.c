/* code.c -- the unpacked code of functions: DIR/cache/BOOT/SHA256, a folder a package, made when an environment needs it.
 *
 * Environments mount these folders, so what one of them uses is never removed: acquire and release count users. Of the
 * rest, what no function refers to goes with the next sweep, and the longest unused goes when the cache passes its bound.
 * A folder appears and disappears by rename, out of and into DIR/cache/work-RANDOM of this process, under the lock; the
 * slow part (unpacking, removing) happens there without it. Who wants what another thread is unpacking waits for it.
 * BOOT is the kernel's boot id: files are not synced one by one, so what was unpacked before the machine's last start may
 * be incomplete after a power cut, and is thrown away.
 *
 * A sweep also removes packages (blobs) that no function refers to: left by a delete, an update, or a crash between the
 * package's write and the commit. blob.h keeps young ones. Sweeps run on a worker, one at a time: after start, every
 * SWEEP_EVERY_MS, and soon after a function or its last environment went; when is decided on the first loop. */
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/map.h"
#include "base/panic.h"
#include "services/lambda/function.h"
#include "store/doc.h"
#include <dirent.h>
#include <fcntl.h>
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

struct entry {
    char *blob;
    bool ready;                         /* false: being unpacked by who acquired it */
    unsigned users;
    int64_t bytes;
    uint64_t used_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct map *entries;             /* by blob */
static int64_t bytes_unpacked;
static struct arena *paths;
static const char *folder, *workplace;  /* DIR/cache/BOOT, DIR/cache/work-RANDOM */
static struct str boot_name, work_name;
static bool first_sweep_done;

/* ---- trees of files ---- */

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st, (void)type, (void)ftw;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static _Thread_local int64_t counted;

static int count_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path, (void)type, (void)ftw;
    counted += (int64_t)st->st_blocks * 512;
    return 0;
}

static int64_t tree_bytes(const char *path)
{
    counted = 0;
    nftw(path, count_one, 16, FTW_PHYS);
    return counted;
}

/* ---- open, close ---- */

static struct str boot_id(struct arena *arena)
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return n > 0 ? arena_dup(arena, str_trim((struct str){text, (size_t)n})) : uuid4(arena);
}

static void entry_free(void *value)
{
    struct entry *entry = value;
    free(entry->blob);
    free(entry);
}

void lambda__code_open(void)
{
    const char *cache = lambda__options()->cache_dir;
    paths = arena_new();
    boot_name = boot_id(paths);
    work_name = arena_printf(paths, "work-" STR_FMT, STR_ARG(uuid4(paths)));
    folder = arena_printf(paths, "%s/" STR_FMT, cache, STR_ARG(boot_name)).p;
    workplace = arena_printf(paths, "%s/" STR_FMT, cache, STR_ARG(work_name)).p;
    mkdir(cache, 0700);         /* code is not for other users of the machine; sandboxes get mounts of what lies below */
    mkdir(folder, 0755);
    mkdir(workplace, 0755);
    entries = map_new(ENTRIES_MAX, entry_free);
    bytes_unpacked = 0;
    first_sweep_done = false;
}

void lambda__code_close(void)
{
    if (!paths)
        return;
    remove_tree(workplace);
    map_free(entries);
    entries = NULL;
    arena_free(paths);
    paths = NULL;
}

/* ---- eviction ---- */

struct pick {
    const struct map *referred;         /* NULL: by age */
    struct entry *entry;
};

static bool consider(struct str key, void *value, void *arg)
{
    struct entry *entry = value;
    struct pick *pick = arg;
    if (entry->users || !entry->ready || (pick->referred && map_get(pick->referred, key)))
        return true;
    if (!pick->entry || entry->used_ns < pick->entry->used_ns)
        pick->entry = entry;
    return true;
}

/* Moves one folder that nobody uses out of the way: the longest unused, or one that is not in `referred`. NULL: none. */
static const char *move_one(const struct map *referred, struct arena *arena)
{
    static unsigned counter;
    struct pick pick = {.referred = referred};
    map_each(entries, consider, &pick);
    if (!pick.entry)
        return NULL;
    const char *from = arena_printf(arena, "%s/%s", folder, pick.entry->blob).p, *to = arena_printf(arena, "%s/old-%u", workplace, counter++).p;
    bytes_unpacked -= pick.entry->bytes;
    map_take(entries, str_of(pick.entry->blob));
    entry_free(pick.entry);
    return rename(from, to) == 0 ? to : NULL;
}

static bool over_bound(void)
{
    int64_t max = lambda__options()->cache_bytes_max;
    return bytes_unpacked > (max ? max : CACHE_BYTES_MAX) || map_count(entries) > CACHE_FOLDERS_MAX;
}

/* referred NULL: down to the bound. `all`: everything that is not in use. */
static void evict(const struct map *referred, bool all)
{
    struct arena *arena = arena_new();
    for (;;) {
        pthread_mutex_lock(&lock);
        const char *path = referred || all || over_bound() ? move_one(referred, arena) : NULL;
        pthread_mutex_unlock(&lock);
        if (!path)
            break;
        remove_tree(path);
    }
    arena_free(arena);
}

/* ---- acquire, release ---- */

static enum err unpack(struct str blob, const char *dir, struct arena *arena)
{
    static _Atomic unsigned counter;
    struct str zip;
    enum err err = blob_get(lambda__options()->blobs, blob, arena, &zip);
    if (err != ERR_OK)
        return err;
    const char *temporary = arena_printf(arena, "%s/new-%u", workplace, atomic_fetch_add(&counter, 1)).p;
    if (mkdir(temporary, 0755) != 0)
        return ERR_IO;
    if (lambda__package_unpack(zip, temporary) && rename(temporary, dir) == 0)
        return ERR_OK;
    remove_tree(temporary);
    return ERR_IO;
}

/* `dir` may be there already, from the server before this one. A full disk may have room without what is not in use. */
static enum err make(struct str blob, const char *dir)
{
    if (access(dir, F_OK) == 0)
        return ERR_OK;
    struct arena *arena = arena_new();
    enum err err = unpack(blob, dir, arena);
    if (err == ERR_IO) {
        evict(NULL, true);
        err = unpack(blob, dir, arena);
    }
    arena_free(arena);
    return err;
}

static struct entry *entry_new(struct str blob)
{
    struct entry *entry = mem_zalloc(sizeof *entry);
    entry->blob = mem_dup(blob.p, blob.n);
    entry->users = 1;
    map_put(entries, blob, entry);
    return entry;
}

/* Under the lock, which it gives up meanwhile. */
static enum err fill(struct entry *entry, const char *dir)
{
    pthread_mutex_unlock(&lock);
    enum err err = make(str_of(entry->blob), dir);
    int64_t bytes = err == ERR_OK ? tree_bytes(dir) : 0;
    pthread_mutex_lock(&lock);
    entry->ready = true;
    entry->bytes = bytes;
    bytes_unpacked += bytes;
    if (err != ERR_OK)
        entry_free(map_take(entries, str_of(entry->blob)));
    pthread_cond_broadcast(&changed);
    return err;
}

enum err lambda__code_acquire(struct str blob, struct arena *arena, const char **ret_dir)
{
    const char *dir = arena_printf(arena, "%s/" STR_FMT, folder, STR_ARG(blob)).p;
    enum err err = ERR_OK;
    bool over = false;
    pthread_mutex_lock(&lock);
    struct entry *entry;
    while ((entry = map_get(entries, blob)) && !entry->ready)
        pthread_cond_wait(&changed, &lock);
    if (entry) {
        entry->users++;
    } else {
        err = fill(entry_new(blob), dir);
        over = over_bound();
    }
    pthread_mutex_unlock(&lock);
    if (over)
        evict(NULL, false);
    if (err == ERR_OK)
        *ret_dir = dir;
    return err;
}

void lambda__code_release(struct str blob)
{
    pthread_mutex_lock(&lock);
    struct entry *entry = map_get(entries, blob);
    ENSURE(entry && entry->users);
    entry->users--;
    entry->used_ns = clock_mono_ns();
    pthread_mutex_unlock(&lock);
}

/* ---- ahead of the first invocation ---- */

struct warming {
    struct work work;
    size_t n;
    char blob[];
};

static void warm(struct work *work)
{
    struct warming *warming = CONTAINER_OF(work, struct warming, work);
    struct arena *arena = arena_new();
    struct str blob = {warming->blob, warming->n};
    const char *dir;
    if (lambda__code_acquire(blob, arena, &dir) == ERR_OK)
        lambda__code_release(blob);
    arena_free(arena);
    free(warming);
}

void lambda__code_warm(struct str blob)
{
    struct warming *warming = mem_zalloc(sizeof *warming + blob.n);
    warming->work.run = warm;
    warming->n = blob.n;
    memcpy(warming->blob, blob.p, blob.n);
    if (workers_submit(lambda__options()->workers, LANE_UNPACK, &warming->work) != ERR_OK)
        free(warming);              /* the first invocation unpacks it */
}

/* ---- the sweep ---- */

/* Calls visit for each name in `dir`, but "." and "..". */
static void each_name(const char *dir, void (*visit)(const char *dir, struct str name))
{
    DIR *open_dir = opendir(dir);
    if (!open_dir)
        return;
    for (struct dirent *entry; (entry = readdir(open_dir));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            visit(dir, str_of(entry->d_name));
    closedir(open_dir);
}

static void remove_foreign(const char *dir, struct str name)
{
    if (str_eq(name, boot_name) || str_eq(name, work_name))
        return;
    struct arena *arena = arena_new();
    remove_tree(arena_printf(arena, "%s/" STR_FMT, dir, STR_ARG(name)).p);
    arena_free(arena);
}

/* What the server before this one unpacked counts too. */
static void adopt(const char *dir, struct str name)
{
    struct arena *arena = arena_new();
    const char *path;
    (void)dir;
    if (lambda__code_acquire(name, arena, &path) == ERR_OK)
        lambda__code_release(name);
    arena_free(arena);
}

/* The packages that functions refer to. A step's keys first, then the documents: nothing is read while an iterator is open. */
static enum err gather(struct map *referred)
{
    static char yes;
    struct store_txn *reader = store_reader(lambda__options()->store);
    struct store_key at[FUNCTIONS_STEP], last, *after = NULL;
    struct arena *kept = arena_new();
    enum err err = ERR_OK;
    size_t count = FUNCTIONS_STEP;
    while (err == ERR_OK && count == FUNCTIONS_STEP) {
        struct arena *arena = arena_new();
        struct store_iter *iter = store_walk(reader, STORE_SPACE_LAMBDA, 0, UINT64_MAX, after, arena);
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
                map_put(referred, json_str(doc, "blob"), &yes);
            else if (got != ERR_NOT_FOUND)
                err = got;
        }
        if (count) {
            arena_reset(kept);
            last = (struct store_key){at[count - 1].space, arena_dup(kept, at[count - 1].collection), arena_dup(kept, at[count - 1].key)};
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

void lambda__code_sweep(void)
{
    if (!first_sweep_done) {
        each_name(lambda__options()->cache_dir, remove_foreign);
        each_name(folder, adopt);
        first_sweep_done = true;
    }
    struct map *referred = map_new(FUNCTIONS_MAX, NULL);
    enum err err = gather(referred);
    if (err == ERR_OK && map_count(referred) < FUNCTIONS_MAX) {      /* a set that is cut short would call used what is not */
        evict(referred, false);
        err = blob_sweep(lambda__options()->blobs, is_referred, referred);
    }
    if (err != ERR_OK)
        log_to(LOG_WARN, "lambda.sweep_failed", {"error", str_of(err_text(err))});
    map_free(referred);
}

/* ---- when; all on the first loop but sweep_soon ---- */

static struct loop_task ask_task;
static atomic_bool asked;
static struct loop_timer *timer;
static struct work work;
static bool running, again;

static void sweep_on_worker(struct work *w)
{
    (void)w;
    lambda__code_sweep();
}

static void due(void *arg);

static void arm(uint64_t ms)
{
    loop_timer_cancel(&timer);
    timer = loop_timer_start(loop_current(), ms, due, NULL);
}

static void swept(struct work *w)
{
    (void)w;
    running = false;
    arm(again ? SWEEP_SOON_MS : SWEEP_EVERY_MS);
}

static void due(void *arg)
{
    (void)arg;
    timer = NULL;
    again = false;
    work = (struct work){.run = sweep_on_worker, .done = swept, .loop = loop_current()};
    running = workers_submit(lambda__options()->workers, LANE_UNPACK, &work) == ERR_OK;
    if (!running)
        arm(SWEEP_EVERY_MS);
}

static void take_question(struct loop_task *task)
{
    (void)task;
    atomic_store(&asked, false);
    if (!running && !again)
        arm(SWEEP_SOON_MS);
    again = true;
}

void lambda__code_sweep_soon(void)
{
    if (atomic_exchange(&asked, true))
        return;
    ask_task.run = take_question;
    loop_post(loops_at(lambda__options()->loops, 0), &ask_task);
}

/* many_jobs.c -- what very many due jobs cost: `many_jobs DIR COUNT` makes them in a new store in DIR, runs them all with the server's
 * own lane, and prints a line of figures. Each step writes a row of its own; at the end each of these is there once, and no job.
 * Memory is anonymous pages of this process, with small caches: what is left is the engine's write buffers and the lane's pages. */
#include "base/clock.h"
#include "base/panic.h"
#include "jobs/jobs.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MADE_AT_ONCE 1000           /* jobs of one mutation */
#define CACHE_BYTES (8u << 20)
#define LOOK_MS 50
#define ROWS_SPACE STORE_SPACE_FIRST

static struct store *store;
static const char kind_name[] = "many";

static struct store_key row_of(struct str key)
{
    return (struct store_key){ROWS_SPACE, STR("rows"), key};
}

static enum err write_row(struct store_txn *txn, struct job *job)
{
    struct str value;
    ENSURE(store_get(txn, row_of(job->key), job->arena, &value) == ERR_NOT_FOUND);
    store_put(txn, row_of(job->key), STR("run"));
    return ERR_OK;
}

static enum err ask_for_some(struct store_txn *txn, void *arg)
{
    const unsigned *from = arg;
    for (unsigned i = 0; i < MADE_AT_ONCE; i++) {
        char key[16];
        int n = snprintf(key, sizeof key, "%010u", *from + i);
        jobs_add(txn, kind_name, (struct str){key, (size_t)n}, 0, STR_NONE);
    }
    return ERR_OK;
}

static double resident_mib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    unsigned long kib = 0;
    ENSURE(file);
    while (fgets(line, sizeof line, file) && sscanf(line, "RssAnon: %lu", &kib) != 1)
        ;
    fclose(file);
    return (double)kib / 1024;
}

static size_t rows_count(void)
{
    struct arena *arena = arena_new();
    struct store_iter *iter = store_walk(store_reader(store), ROWS_SPACE, 0, UINT64_MAX, NULL, arena);
    struct store_key key;
    struct str value;
    size_t count = 0;
    while (store_next(iter, &key, &value) == ERR_OK)
        count++;
    arena_free(arena);
    return count;
}

static void open_again(const char *dir, struct arena *arena)
{
    const struct store_options options = {.dir = dir, .cache_bytes = CACHE_BYTES, .row_cache_bytes = CACHE_BYTES};
    struct str message = STR_NONE;
    store_close(store);
    if (store_open(&options, arena, &store, &message) == ERR_OK)
        return;
    fprintf(stderr, STR_FMT "\n", STR_ARG(message));
    exit(1);
}

static double seconds_since(uint64_t ns)
{
    return (double)(clock_mono_ns() - ns) / 1e9;
}

int main(int argc, char **argv)
{
    static const struct jobs_kind kinds[] = {{.name = kind_name, .mutate = write_row, .concurrency_max = 2}};
    ENSURE(argc == 3);
    unsigned count = (unsigned)atoi(argv[2]);
    struct arena *arena = arena_new();
    struct jobs *jobs;
    struct jobs_stats stats = {0};
    double early = 0, most = 0;

    count -= count % MADE_AT_ONCE;
    open_again(argv[1], arena);
    uint64_t begun = clock_mono_ns();
    for (unsigned i = 0; i < count; i += MADE_AT_ONCE)
        ENSURE(store_mutate(store, ask_for_some, &i) == ERR_OK);
    double making = seconds_since(begun);
    open_again(argv[1], arena);

    double before = resident_mib();
    begun = clock_mono_ns();
    ENSURE(jobs_new(store, kinds, 1, NULL, &jobs) == ERR_OK);
    for (; stats.ended < count; usleep(LOOK_MS * 1000)) {
        double now = resident_mib();
        ENSURE(jobs_stats(jobs, 0, &stats) == ERR_OK);
        most = now > most ? now : most;
        if (stats.ended <= count / 10)
            early = most;
    }
    double running = seconds_since(begun);
    ENSURE(jobs_stats(jobs, 0, &stats) == ERR_OK);      /* its rows are counted before its ends */
    jobs_free(jobs);
    double after = resident_mib();
    ENSURE(stats.waiting == 0 && stats.failed == 0 && rows_count() == count);
    printf("figures {\"jobs\": %u, \"made_s\": %.1f, \"ran_s\": %.1f, \"per_s\": %.0f, \"memory\": [%.1f, %.1f, %.1f, %.1f]}\n", count,
           making, running, count / running, before, early, most, after);
    store_close(store);
    arena_free(arena);
    return 0;
}

/* command_doctor.c -- `cloudless doctor`, what sandboxes and runtimes find on this machine, and how the data are; `cloudless
 * repair`, which mends these; `cloudless runtime list`. */
#include "main/command.h"
#include "main/datadir.h"
#include "sandbox/sandbox.h"
#include "services/lambda/lambda.h"
#include "store/blob.h"
#include "store/store.h"
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static void print_check(bool fine, const char *what, struct str detail)
{
    printf("%-4s %-28s " STR_FMT "\n", fine ? "ok" : "--", what, STR_ARG(detail));
}

static void print_findings(const struct store_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++)
        print_check(findings->items[i].fine, findings->items[i].what, findings->items[i].detail);
}

static void print_runtimes(const struct lambda_runtime *runtimes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        printf("%-4s %-16s " STR_FMT "\n", runtimes[i].available ? "ok" : "--", runtimes[i].name,
               STR_ARG(runtimes[i].available ? runtimes[i].path : runtimes[i].remedy));
}

int command_runtime_list(const struct options *options, struct arena *arena)
{
    struct lambda_runtime *runtimes;
    size_t count = lambda_runtimes(options->runtimes_dir, options->runtimes, arena, &runtimes);
    print_runtimes(runtimes, count);
    return EXIT_FINE;
}

/* Packages that are damaged. False: there are some. */
static bool print_packages(const struct options *options, struct arena *arena)
{
    size_t count, damaged;
    enum err err = blobs_check(options->data, &count, &damaged);
    if (err == ERR_NOT_FOUND && !datadir_served(options->data, arena))
        return true;
    struct str detail = err == ERR_NOT_FOUND ? STR("their folder is gone")
                        : err != ERR_OK      ? str_of(err_text(err))
                        : damaged
                            ? arena_printf(arena, "%zu of %zu are damaged; update the code of their functions", damaged, count)
                            : arena_printf(arena, "%zu, all as they were put", count);
    print_check(err == ERR_OK && !damaged, "data: packages", detail);
    return err == ERR_OK && !damaged;
}

/* "Permission denied" is no "there is nothing". NULL: it can be looked at, or there is none. */
static const char *store_unseen(const char *dir)
{
    return access(dir, R_OK | X_OK) != 0 && errno != ENOENT ? strerror(errno) : NULL;
}

/* False: something is lost, or cannot be looked at. */
static bool print_data(const struct options *options, struct arena *arena)
{
    const char *unseen = store_unseen(datadir_path(arena, options->data, "store"));
    if (unseen) {
        print_check(false, "data: store", arena_printf(arena, "%s/store cannot be looked at: %s", options->data, unseen));
        return false;
    }
    struct store_findings findings;
    struct store_options store = {.dir = datadir_path(arena, options->data, "store"),
                                  .was_there = datadir_served(options->data, arena)};
    enum err err = store_check(&store, arena, &findings);
    if (err == ERR_NOT_FOUND && !store.was_there)
        return true;
    if (err == ERR_NOT_FOUND)
        print_check(
            false, "data: store",
            arena_printf(arena, "%s is gone; bring it back from a backup, or move the rest away to begin with nothing", store.dir));
    if (err == ERR_BUSY) {
        print_check(false, "data: store", STR("a server has it open; stopped, it can be looked at"));
        return true;
    }
    print_findings(&findings);
    if (err == ERR_CORRUPT)
        print_check(
            false, "data: store",
            arena_printf(arena, "`cloudless repair --data %s` saves what can be saved, and keeps what is there", options->data));
    return print_packages(options, arena) && err == ERR_OK;
}

/* Exit status 1 when something that functions need is missing, or data are damaged; a missing interpreter alone is no failure. */
int command_doctor(const struct options *options, struct arena *arena)
{
    struct sandbox_check *checks;
    size_t count = sandbox_doctor(arena, &checks);
    bool fine = true;
    for (size_t i = 0; i < count; i++) {
        print_check(checks[i].fine, checks[i].what, checks[i].detail);
        fine = fine && (checks[i].fine || checks[i].optional);
    }
    struct lambda_runtime *runtimes;
    count = lambda_runtimes(options->runtimes_dir, options->runtimes, arena, &runtimes);
    print_runtimes(runtimes, count);
    return print_data(options, arena) && fine ? EXIT_FINE : EXIT_FAILED;
}

int command_repair(const struct options *options, struct arena *arena)
{
    struct store_findings findings;
    struct store_options store = {.dir = datadir_path(arena, options->data, "store"),
                                  .was_there = datadir_served(options->data, arena)};
    const char *unseen = store_unseen(store.dir);
    if (unseen) {
        fprintf(stderr, "cloudless: %s was not repaired: %s\n", store.dir, unseen);
        return EXIT_FAILED;
    }
    enum err err = store_repair(&store, arena, &findings);
    print_findings(&findings);
    if (err == ERR_OK)
        return EXIT_FINE;
    fprintf(stderr, "cloudless: %s was not repaired: %s\n", store.dir,
            err == ERR_NOT_FOUND ? "there is no store"
            : err == ERR_BUSY    ? "a server has it open; stop that first"
                                 : err_text(err));
    return EXIT_FAILED;
}

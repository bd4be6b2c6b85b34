/* command.h -- the commands of the program and the options that several of them share. */
#ifndef CLOUDLESS_MAIN_COMMAND_H
#define CLOUDLESS_MAIN_COMMAND_H
#include "base/arena.h"
#include "base/log.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };    /* exit codes of every command */

#define LISTEN_MAX 8
#define RUNTIME_FLAGS_MAX 32

struct options {
    const char *data;                               /* never NULL once parsed */
    const char *listen[LISTEN_MAX];
    size_t listen_count;
    const char *account, *region;
    enum log_level log;
    size_t concurrency;                             /* 0: the default */
    const char *runtimes[RUNTIME_FLAGS_MAX + 1];    /* "python3.13=/path", NULL-terminated */
    size_t runtime_count;
    const char *runtimes_dir;                       /* interface clients and SDKs */
};

typedef int command_fn(const struct options *options, struct arena *arena);
command_fn command_serve, command_env, command_doctor, command_runtime_list, command_version;

/* Where `make` or `make install` put the runtime trees, relative to the program; NUL-terminated. */
const char *options_runtimes_dir(struct arena *arena);
#endif

/* command.h -- the commands of the program and the options that several of them share. */
#ifndef CLOUDLESS_MAIN_COMMAND_H
#define CLOUDLESS_MAIN_COMMAND_H
#include "base/arena.h"
#include "base/log.h"

enum { EXIT_FINE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };    /* exit codes of every command */

#define LISTEN_MAX 8
#define TLS_FILES_MAX 8
#define RUNTIME_FLAGS_MAX 32
#define EVENT_FILES_MAX 64
#define COMMAND_HEADERS_MAX 64

struct options {
    const char *data;                               /* never NULL once parsed */
    const char *listen[LISTEN_MAX];
    size_t listen_count;
    const char *tls_certs[TLS_FILES_MAX], *tls_keys[TLS_FILES_MAX];
    size_t tls_cert_count, tls_key_count;
    bool plain_http;                                /* from other machines too */
    bool https;                                     /* env */
    bool undo;                                      /* trust */
    const char *account, *region;
    enum log_level log;
    const char *access_log;                         /* a file, or "-" for stdout; NULL: none */
    bool supervised;
    char **argv;                                    /* of the program, for the supervisor's child */
    size_t memory;                                  /* bytes that clients may make the server hold; 0: the default */
    size_t functions_memory;                        /* bytes that all functions may take together; 0: the default, as below */
    size_t functions_processes;
    unsigned functions_cpu;                         /* percent of one core; 0: no limit */
    size_t concurrency;                             /* 0: the default */
    const char *runtimes[RUNTIME_FLAGS_MAX + 1];    /* "python3.13=/path", NULL-terminated */
    size_t runtime_count;
    const char *runtimes_dir;                       /* interface clients and SDKs */
    char **words;                                   /* of new, run and event: what is no option; NULL-terminated */
    size_t word_count;
    const char *lang;                               /* new */
    const char *events[EVENT_FILES_MAX];            /* run: files, "-" for standard input */
    size_t event_count;
    uint64_t timeout_s;                             /* run: the deadline that the function is told */
    const char *method, *path, *resource, *stage, *query, *body, *body_file;    /* event; NULL: the default */
    const char *headers[COMMAND_HEADERS_MAX];                                   /* event: "Name: value" */
    size_t header_count;
};

typedef int command_fn(const struct options *options, struct arena *arena);
command_fn command_serve, command_status, command_env, command_doctor, command_repair, command_runtime_list, command_new,
    command_run, command_event, command_trust, command_version;

/* Where `make` or `make install` put the runtime trees, relative to the program; NUL-terminated. */
const char *options_runtimes_dir(struct arena *arena);
/* The folder that `make install` fills or the build's own: PREFIX, or build. NUL-terminated, absolute. */
const char *options_program_dir(struct arena *arena);
#endif

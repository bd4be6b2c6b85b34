/* run.h -- the parts of `cloudless run`: where events come from, and which process asks for them. */
#ifndef CLOUDLESS_MAIN_RUN_H
#define CLOUDLESS_MAIN_RUN_H
#include "main/command.h"
#include <limits.h>
#include <sys/types.h>

/* ---- run_input.c: events of files, or of the lines of stdin; reading never waits ---- */

enum run_got {
    RUN_EVENT,      /* *ret is one: JSON, valid until the next call */
    RUN_WAIT,       /* nothing is there yet: again when `wait_fd` is readable */
    RUN_END,        /* there are no more */
    RUN_WRONG,      /* it cannot be read, or is no event; stderr says so */
};

struct run_input {
    const struct options *options;
    size_t next_file;
    int fd, wait_fd;                    /* of what is read; -1: nothing */
    char *bytes;                        /* malloc; the unread ones are those from `from` to `n` */
    size_t from, n, cap;
    bool lines, ended, any;             /* lines of stdin; behind the last byte; an event was given */
    size_t line;
    char where[PATH_MAX + 32];          /* the last event: "event.json" or "line 3 of stdin" */
};

void run_input_init(struct run_input *input, const struct options *options);
void run_input_clear(struct run_input *input);
enum run_got run_input_next(struct run_input *input, struct str *ret);
bool run_input_rewind(struct run_input *input);         /* the first file comes next; false: stdin is among them, and comes once */

/* ---- run_peer.c: the process at the other end of a connection of this machine ---- */

/* 0: not to be found. The ports are those of 127.0.0.1, `from` the process's. `likely` is looked at first. */
pid_t run_peer(uint16_t from, uint16_t to, pid_t likely);
bool run_traced(pid_t pid);                             /* by a debugger, strace … */
#endif

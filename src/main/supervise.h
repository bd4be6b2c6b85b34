/* supervise.h -- `serve --supervised`: a process that keeps the listening sockets, runs the server as its child, and starts it
 * again when it crashes. What both sides share. */
#ifndef CLOUDLESS_MAIN_SUPERVISE_H
#define CLOUDLESS_MAIN_SUPERVISE_H
#include "main/command.h"
#include <sys/types.h>

/* The supervisor's side: until the server ends for good; its exit code. */
int supervise_serve(const struct options *options, const int fds[LISTEN_MAX]);

/* The server's side. */
struct supervised {
    bool yes;                   /* there is a supervisor */
    pid_t parent;
    int ready_fd;               /* one byte: it serves */
};
/* Takes what the supervisor left in the environment. *ret_fds: the listening sockets, as many as options say. */
void supervised_take(const struct options *options, struct supervised *ret, int ret_fds[LISTEN_MAX]);
void supervised_stay(const struct supervised *supervised);      /* from now on the server ends with its supervisor */
void supervised_ready(struct supervised *supervised);

/* How long to wait before the n-th restart in a row, from 1. */
unsigned supervise_pause_ms(unsigned crashes);
#define OBITUARIES_MAX 20       /* files in DIR/obituaries; the oldest go */
#endif

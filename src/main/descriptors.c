/* descriptors.c -- see descriptors.h. An engine that cannot open a file makes the store read-only, so it is served first, and
 * nothing that a client does takes from its share: connections over theirs are accepted and closed (net/http_server.c).
 *
 *   DESCRIPTORS_BASE        loops, locks, listeners, the launcher, files that are open for a moment
 *   store       a quarter, up to STORE_FILES_MAX, and what it needs beside its tables: logs, manifests, outputs of compaction
 *   sandboxes   a third of the rest, up to SANDBOXES_MAX: half of it for environments, FDS_AN_ENVIRONMENT each, half for
 *               connections from inside
 *   connections three quarters of what is left; a quarter stays for the files that answers are read from */
#include "main/descriptors.h"
#include "net/limits.h"
#include <sys/resource.h>

#define DESCRIPTORS_BASE 64
#define STORE_FILES_MAX 2048
#define STORE_BESIDE 32
#define FDS_AN_ENVIRONMENT                                                                                                         \
    8 /* pidfd, control socket, two listeners, output, log channel, and two; a start needs more for                                \
         a moment, of which there are as many at a time as workers of its lane */
#define SANDBOXES_MAX 4096

static size_t least_one(size_t n, size_t max)
{
    return n < 1 ? 1 : n > max ? max : n;
}

void descriptors_share(size_t limit, struct descriptors *ret)
{
    size_t left = limit > DESCRIPTORS_BASE + STORE_BESIDE ? limit - DESCRIPTORS_BASE - STORE_BESIDE : 0;
    ret->limit = limit;
    ret->store_files = least_one(limit / 4, STORE_FILES_MAX);
    left = left > ret->store_files ? left - ret->store_files : 0;
    size_t sandboxes = left / 3 < SANDBOXES_MAX ? left / 3 : SANDBOXES_MAX;
    ret->environments = least_one(sandboxes / 2 / FDS_AN_ENVIRONMENT, SANDBOXES_MAX);
    ret->inside = least_one(sandboxes / 2, SANDBOXES_MAX);
    ret->inside_each = least_one(ret->inside / 4, NET_CONNECTIONS_ONLY_MAX);
    ret->connections = least_one((left - sandboxes) / 4 * 3, NET_CONNECTIONS_MAX);
}

void descriptors_raise(struct descriptors *ret)
{
    struct rlimit limit = {.rlim_cur = DESCRIPTORS_MIN};
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};
        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    descriptors_share(limit.rlim_cur > (1u << 30) ? 1u << 30 : (size_t)limit.rlim_cur, ret);
}

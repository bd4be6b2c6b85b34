/* sandbox_internal.h -- what the files of src/sandbox share: messages between server, launcher and holder, and the parts of a host.
 *
 *   server ──(SEQPACKET, one)── keeper        request: struct sandbox__launch + [launcher's command socket]; answer: pid + [pidfd]
 *   server ──(SEQPACKET, one)── launcher      "ok" or what failed; then
 *                                             request: struct sandbox__make + [control socket][cgroup]; answer: pid + [pidfd]
 *   server ──(SEQPACKET, each)─ holder        READY + [runtime listener][aws listener]
 *                                             ← struct sandbox__start + strings + [output][log channel][mounts…]
 *                                             STARTED (errno), later EXITED (wait status), then the holder ends */
#ifndef CLOUDLESS_SANDBOX_SANDBOX_INTERNAL_H
#define CLOUDLESS_SANDBOX_SANDBOX_INTERNAL_H
#include "sandbox/sandbox.h"
#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SANDBOX__START_BYTES_MAX 65536      /* one start message: arguments and environment */
#define SANDBOX__FDS_MAX 8                  /* descriptors in one message */
#define SANDBOX__FD_COMMANDS 3              /* where keeper and launcher have their command socket; the cgroups' follow */
#define SANDBOX__FILTER_MAX 1024            /* instructions of the seccomp program */
#define SANDBOX__UID_BASE 1900000000u       /* root's server: ids of sandboxes outside; above what distributions hand out */
#define SANDBOX__UID_SLOTS 65536u           /* sandbox n has base + 2·(n mod slots) and the one behind it */

/* ---- datagram.c: datagrams with descriptors ---- */
/* 0 or -errno. */
int sandbox__send(int socket, const void *bytes, size_t n, const int *fds, size_t fd_count);
/* Bytes read, 0: peer gone, or -errno. Received descriptors are close-on-exec; more than room are closed. */
ssize_t sandbox__recv(int socket, void *bytes, size_t max, int *fds, size_t fd_room, size_t *ret_fd_count);
/* 1 readable (or hung up), 0 not in time. */
int sandbox__wait_readable(int fd, int timeout_ms);

enum sandbox__mount { SANDBOX__TASK, SANDBOX__OPT, SANDBOX__LANG, SANDBOX__RUNTIME, SANDBOX__MOUNTS };
extern const char *const sandbox__mount_at[SANDBOX__MOUNTS];

struct sandbox__launch {
    uint64_t id;
};
struct sandbox__make {
    uint64_t id;                /* comes back with the answer */
    uint32_t uid_base;          /* 0: ordinary user, only our own id can be mapped */
    uint32_t has_cgroup;        /* a cgroup v2 directory follows the control socket */
};
struct sandbox__made {
    uint64_t id;
    int32_t pid;                /* or -errno */
    uint32_t step;              /* enum sandbox__step; of a pid < 0 */
};
struct sandbox__start {
    uint64_t tmp_bytes;
    uint64_t data_bytes;        /* RLIMIT_DATA where no memory cgroup is; 0: none */
    uint32_t argc, envc;
    uint32_t mounts;            /* bit i: a descriptor for sandbox__mount_at[i] follows, in order, behind the pipes */
    uint32_t has_log;           /* 1: the log channel follows the output */
};                              /* then argc + envc strings, each with its NUL */
/* Steps of a start, in their order, and what they are called to who runs the server. */
#define SANDBOX__STEPS(_)                                                                                                          \
    _(NONE, "start")                                                                                                               \
    _(GROUP, "making a control group") _(SOCKET, "making a socket") _(LAUNCHER, "asking the launcher")                             \
        _(CLONE, "cloning the sandbox") _(READY, "waiting for the sandbox") _(IDS, "taking ids") _(PROC, "mounting proc")          \
            _(LOOPBACK, "setting the loopback up") _(HOST_NAME, "setting the host name") _(LISTEN, "listening")                    \
                _(ATTACH, "moving into a control group") _(PIPE, "making a pipe") _(PACK, "packing arguments and variables")       \
                    _(MOUNTS, "finding code and runtime") _(LIMIT, "setting the limits of the control group")                      \
                        _(SEND, "sending what to run") _(UNPACK, "taking what to run") _(TMP, "mounting the temporary folder")     \
                            _(PLACE, "mounting code and runtime") _(FORK, "forking") _(OUTPUT, "setting standard output")          \
                                _(FOLDER, "entering the code's folder") _(RLIMITS, "setting limits of processes")                  \
                                    _(BOUNDING, "dropping the bounding set") _(USER, "becoming the function's user")               \
                                        _(CAPABILITIES, "dropping capabilities") _(FILTER, "setting the system call filter")       \
                                            _(DESCRIPTORS, "closing descriptors") _(EXEC, "executing the program")                 \
                                                _(STARTED, "waiting for the program")
enum sandbox__step {
#define SANDBOX__STEP(name, text) SANDBOX__STEP_##name,
    SANDBOX__STEPS(SANDBOX__STEP)
#undef SANDBOX__STEP
        SANDBOX__STEP_COUNT
};
/* Of the calling thread: the last failure of a start, as sandbox_last_failure gives it. */
void sandbox__failed(uint64_t step, int error);

enum sandbox__kind { SANDBOX__READY = 1, SANDBOX__STARTED, SANDBOX__EXITED };
struct sandbox__report {
    int32_t kind;
    int32_t value;              /* STARTED: errno or 0. EXITED: wait status */
    uint64_t rss_peak_bytes;    /* EXITED */
    uint64_t step;              /* enum sandbox__step, with an errno */
};

/* ---- seccomp.c ---- */
struct sandbox__filter {
    uint16_t count;
    struct sock_filter code[SANDBOX__FILTER_MAX];
};
enum err sandbox__filter_make(struct sandbox__filter *ret);

/* ---- template.c: the root every sandbox starts from ---- */
/* In a mount namespace of our own: builds the root at `at` and makes it "/". 0, or -errno with *ret_step. */
int sandbox__template_enter(const char *at, bool root, const char **ret_step);
int sandbox__mount_new(const char *type, const char *const *options, unsigned attributes, const char *at);  /* 0 or -errno */

/* ---- keeper.c, launcher.c, holder.c: the processes ---- */
struct sandbox__launcher {
    int commands;               /* the keeper's end of the server's socket */
    const char *root_at;        /* empty directory */
    bool root;
    const struct sandbox__filter *filter;
    const int *cgroup_parents;  /* directories; their child cgroup_name is removed when the server is gone */
    size_t cgroup_parent_count;
    const char *cgroup_name;
};
_Noreturn void sandbox__keeper_run(const struct sandbox__launcher *launcher);
/* In a process that the keeper cloned; commands: its end of the server's socket. */
_Noreturn void sandbox__launcher_run(const struct sandbox__launcher *launcher, int commands);
/* Once, in the keeper: nothing of the server stays but what `launcher` names, at fixed places. */
bool sandbox__process_clean(const struct sandbox__launcher *launcher);
void sandbox__groups_remove(const struct sandbox__launcher *launcher);
_Noreturn void sandbox__holder_run(int control, int go, bool root, const struct sandbox__filter *filter);

/* ---- cgroup.c ---- */
enum sandbox__resource { SANDBOX__MEMORY, SANDBOX__CPU, SANDBOX__PIDS, SANDBOX__RESOURCES };
struct sandbox__cgroups {
    bool v2;                            /* one tree; only dir[0] is used */
    bool has[SANDBOX__RESOURCES];       /* limited by a cgroup here */
    int parent[SANDBOX__RESOURCES];     /* directory that holds `name`; -1: none */
    int dir[SANDBOX__RESOURCES];        /* parent/name */
    int remembered_fd;                  /* while opening: the list of parents, for the next server */
    char name[40];                      /* cloudless-<hash of the state directory> */
};
struct sandbox__cgroup {                /* of one sandbox */
    int dir[SANDBOX__RESOURCES];        /* -1: none */
    char name[16];
};
/* Finds what the machine offers, makes our directories, removes what an earlier server left in them. Never fails: has[] tells. */
void sandbox__cgroups_open(struct sandbox__cgroups *cgroups, const char *state_dir);
void sandbox__cgroups_close(struct sandbox__cgroups *cgroups, bool remove);
/* Removes `name` below parent with the (one level of) directories in it; waits up to wait_ms for processes to end. */
void sandbox__cgroup_tree_remove(int parent, const char *name, int wait_ms, bool kill_processes);
/* False: a limit that this machine has cannot be set; then the sandbox must not start. A limit of 0 is none. */
bool sandbox__cgroup_make(const struct sandbox__cgroups *cgroups, unsigned id, struct sandbox__cgroup *ret);
bool sandbox__cgroup_attach(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup,
                            pid_t pid); /* v1: 7–15 ms */
bool sandbox__cgroup_limit(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup,
                           const struct sandbox_limits *limits);
bool sandbox__cgroups_limit(const struct sandbox__cgroups *cgroups, const struct sandbox_limits *limits); /* of all together */
bool sandbox__cgroup_oom(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup);
size_t sandbox__cgroup_peak(const struct sandbox__cgroups *cgroups, const struct sandbox__cgroup *cgroup);      /* 0: not known */
void sandbox__cgroup_remove(const struct sandbox__cgroups *cgroups, struct sandbox__cgroup *cgroup);

/* ---- launcher_link.c: the server's side of keeper and launcher ---- */
struct sandbox__link;
/* Before any thread exists: forks the keeper and asks it for a launcher; both get ready meanwhile. `answer_ms`: how long one
 * request may take. ERR_IO. */
enum err sandbox__link_open(const struct sandbox__launcher *launcher, unsigned answer_ms, struct sandbox__link **ret);
/* Waits for the launcher's word. ERR_UNSUPPORTED: *ret_message says which step failed. */
enum err sandbox__link_await(struct sandbox__link *link, struct arena *arena, struct str *ret_message);
/* A holder; fds are handed to it. Any thread; one request at a time. A launcher that has died is replaced first, and one that left
 * two requests in a row without an answer is killed and replaced. ERR_TIMEOUT: no answer in time; what is made late is ended
 * when it comes. ERR_CLOSED: no launcher, and none can be made. ERR_IO: it could not make one. */
enum err sandbox__link_make(struct sandbox__link *link, struct sandbox__make *request, const int *fds, size_t fd_count,
                            pid_t *ret_pid, int *ret_pidfd);
enum sandbox_state sandbox__link_state(struct sandbox__link *link);
void sandbox__link_close(struct sandbox__link *link);      /* NULL is fine. Ends both processes, waits */

/* ---- host.c ---- */
/* A child of ours, by pidfd; -1 is fine. Its end is waited for, some seconds at most: await kills what does not end. */
void sandbox__kill_and_reap(int pidfd);
void sandbox__await_and_reap(int pidfd);
bool sandbox__is_privileged(void);      /* root with CAP_SYS_ADMIN: no user namespace of the server's own is needed */
#endif

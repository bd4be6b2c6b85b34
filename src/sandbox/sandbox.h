/* sandbox.h -- environments: sandboxed process trees, made by a launcher process from a pool of waiting holders.
 *
 * server ── keeper (single-threaded; forked before the server has threads)
 *        ├─ launcher (made by the keeper, again when it died; lives in the template root)
 *        └─ holder (made by the launcher): pid 1 of one sandbox in its own user, mount, pid, ipc, uts, net and cgroup namespaces;
 *           made ahead; hands the server two listeners (127.0.0.1:9001 Runtime API, 127.0.0.1:4566 AWS endpoint) and waits. At
 *           start it gets detached mounts (code, interpreter, runtime) and what to exec.
 * A sandbox dies with the server (the holder sees its control socket close), whatever killed the server.
 * Life of a sandbox: sandbox_start → running → exited (its hook, once) → sandbox_free. */
#ifndef CLOUDLESS_SANDBOX_SANDBOX_H
#define CLOUDLESS_SANDBOX_SANDBOX_H
#include "base/arena.h"
#include "base/err.h"
#include "net/loop.h"

#define SANDBOX_UID 993                 /* the function's user inside, as on AWS */
#define SANDBOX_PIDS_MAX 1024           /* Lambda quota: processes and threads */
#define SANDBOX_FILES_MAX 1024          /* Lambda quota: descriptors */
#define SANDBOX_LOG_FD 3                /* inside: the log channel, of those who have one */

struct sandbox_host;
struct sandbox;

/* By control groups, where the machine has them; 0: none. */
struct sandbox_limits {
    size_t memory_bytes;
    size_t processes;     /* and threads */
    unsigned cpu_percent; /* of one core */
};

struct sandbox_host_options {
    struct sandbox_limits together;     /* of all sandboxes */
    const char *state_dir;              /* DIR/run: mount points, cgroup names; made if missing */
    size_t spares;                      /* holders kept waiting; 0: none */
    unsigned launcher_ms;               /* the launcher's time to answer a request; 0: 10,000 */
    unsigned holder_ms;                 /* a holder's; one that takes longer is killed: ERR_TIMEOUT; 0: 5,000 */
};
/* Before any thread exists. An ordinary user's server enters a user namespace of its own here. ERR_BUSY: another server has
 * state_dir. ERR_UNSUPPORTED: *ret_message says what the machine lacks (functions then answer an error,
 * everything else works). Sweeps what a killed server left: processes, mounts, cgroups. */
enum err sandbox_host_start(const struct sandbox_host_options *options, struct arena *arena, struct sandbox_host **ret,
                            struct str *ret_message);
/* The same in two steps, for a server that has other things to do while the launcher gets ready: begin before any thread
 * exists, then await; the host is of no use in between. await: on failure the host is stopped and *host cleared. */
enum err sandbox_host_begin(const struct sandbox_host_options *options, struct arena *arena, struct sandbox_host **ret,
                            struct str *ret_message);
enum err sandbox_host_await(struct sandbox_host **host, struct arena *arena, struct str *ret_message);
/* Which of `together` hold; 0 where nothing of this machine counts it, or none was asked for. */
struct sandbox_limits sandbox_host_limits(const struct sandbox_host *host);
/* Can sandboxes be started? Any thread; it looks at the processes, and does not wait for them. */
enum sandbox_state {
    SANDBOX_READY,
    SANDBOX_STALLED, /* the launcher left a request without an answer, or has died and is replaced at the next start; or the last
                        sandbox could not be made (no process, descriptor or control group to have) */
    SANDBOX_LOST     /* no launcher, and none could be made */
};
enum sandbox_state sandbox_host_state(struct sandbox_host *host);
/* Kills and reaps every sandbox, removes mounts and cgroups. After the loops have stopped: sandboxes that were not freed are freed.
 */
void sandbox_host_stop(struct sandbox_host *host);      /* NULL is fine */

struct sandbox_spec {
    const char *code_dir;               /* → /var/task, read-only */
    const char *layers_dir;             /* → /opt, read-only; NULL: empty */
    const char *lang_dir;               /* interpreter's prefix → /var/lang, read-only; NULL */
    const char *runtime_dir;            /* client and SDK → /var/runtime, read-only; NULL */
    const char *const *argv;            /* argv[0]: path inside */
    const char *const *env;             /* NAME=value */
    size_t memory_bytes;                /* of the whole tree, what it has written to /tmp included; > 0 */
    size_t tmp_bytes;                   /* of /tmp; > 0 */
    unsigned cpu_percent;               /* 100: one core; 0: no limit */
    bool log_channel;                   /* a second pipe for what it says, at SANDBOX_LOG_FD */
};
struct sandbox_failure {
    const char *step; /* of a start: the first that failed; a constant text without paths */
    int error;        /* errno; 0: it has none */
};
struct sandbox_exit {
    int status;                         /* exit status, or -1 when killed */
    int signal;                         /* 0: none */
    bool out_of_memory;
    bool killed_by_us;
};
struct sandbox_hooks {
    void (*exited)(struct sandbox *sandbox, const struct sandbox_exit *exit, void *arg);    /* on `loop`, once */
    void *arg;
    struct loop *loop;
};
/* Blocks for about a millisecond (a worker thread's work). The spec is borrowed for the call. Returns when argv[0] has been
 * exec'ed, so a failure is one of the start and no hook follows: ERR_NOT_FOUND (a directory or argv[0] is not there), ERR_DENIED
 * (argv[0] is not executable), ERR_UNSUPPORTED (no format this machine runs), ERR_TOO_LARGE (argv and env over 64 KB),
 * ERR_TIMEOUT, ERR_CLOSED, ERR_INVALID, ERR_IO; sandbox_last_failure tells more of the calling thread's last one. */
enum err sandbox_start(struct sandbox_host *host, const struct sandbox_spec *spec, const struct sandbox_hooks *hooks,
                       struct sandbox **ret);
struct sandbox_failure sandbox_last_failure(void);
/* Whether the function's user inside is the one that the server's files belong to: when the server is no root that has all ids. */
bool sandbox_owns_files(void);
/* Descriptors, taken by the caller (each once): listeners, non-blocking; output: read end of stdout and stderr; log: read end of
 * the log channel, or -1. */
int sandbox_take_runtime_listener(struct sandbox *sandbox);
int sandbox_take_aws_listener(struct sandbox *sandbox);
int sandbox_take_output(struct sandbox *sandbox);
int sandbox_take_log(struct sandbox *sandbox);
size_t sandbox_memory_peak(struct sandbox *sandbox);    /* bytes, as the cgroup (or the kernel's rusage) tells */
void sandbox_kill(struct sandbox *sandbox);             /* SIGKILL to the whole tree; `exited` follows. Any thread */
void sandbox_free(struct sandbox **sandbox);            /* after `exited` */

/* What a user of sandboxes calls of all this, so that a test can put a script in its place. Each does what the function above
 * of that name does. */
struct sandbox_driver {
    const char *name;
    enum err (*start)(struct sandbox_host *host, const struct sandbox_spec *spec, const struct sandbox_hooks *hooks,
                      struct sandbox **ret);
    int (*take_runtime_listener)(struct sandbox *sandbox);
    int (*take_aws_listener)(struct sandbox *sandbox);
    int (*take_output)(struct sandbox *sandbox);
    int (*take_log)(struct sandbox *sandbox);
    size_t (*memory_peak)(struct sandbox *sandbox);
    void (*kill)(struct sandbox *sandbox);
    void (*free)(struct sandbox **sandbox);
};
extern const struct sandbox_driver sandbox_processes;      /* the real one */

/* What this machine offers, for `cloudless doctor`. */
/* `detail` says how to get it when not fine; what is optional, functions run without. */
struct sandbox_check {
    const char *what;
    bool fine, optional;
    struct str detail;
};
size_t sandbox_doctor(struct arena *arena, struct sandbox_check **ret);
#endif

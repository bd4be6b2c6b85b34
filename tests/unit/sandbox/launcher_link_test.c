/* launcher_link_test.c -- a launcher that is killed, stopped or lost: who starts a sandbox then gets his own, or is told; what runs
 * goes on; the host says how it is. Each test is a server of its own, a child process without threads at first. */
#include "sandbox/sandbox.h"
#include "base/panic.h"
#include "base/clock.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#define WAIT_S_MAX 30
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define ANSWER_MS 3000          /* that a launcher which is not stopped keeps: forks are slow under a sanitizer */
#else
#define ANSWER_MS 300
#endif

static char top[] = "/tmp/launcher_link_test.XXXXXX";
static char state_dir[64], code_dir[64];
static struct sandbox_host *host;
static struct loops *loops;

/* ---- processes, as /proc tells ---- */

/* The first child of ours of that name, and its state; 0: none. `count`: how many. */
static pid_t child_named(const char *name, char *ret_state, size_t *ret_count)
{
    DIR *proc = opendir("/proc");
    pid_t found = 0;
    *ret_count = 0;
    ENSURE(proc);
    for (struct dirent *entry; (entry = readdir(proc));) {
        char path[300], comm[64] = "", state = 0;
        int pid = atoi(entry->d_name), parent = 0;
        if (pid <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        int n = fscanf(file, "%*d (%63[^)]) %c %d", comm, &state, &parent);
        fclose(file);
        if (n == 3 && parent == getpid() && strcmp(comm, name) == 0) {
            ++*ret_count;
            if (!found) {
                found = pid;
                *ret_state = state;
            }
        }
    }
    closedir(proc);
    return found;
}

static pid_t child_of_name(const char *name)
{
    char state;
    size_t count;
    pid_t pid = child_named(name, &state, &count);
    ENSURE(pid > 0);
    return pid;
}

static size_t children_of_name(const char *name)
{
    char state;
    size_t count;
    child_named(name, &state, &count);
    return count;
}

static void await_child_state(const char *name, char wanted)
{
    uint64_t until = clock_mono_ns() + WAIT_S_MAX * 1000000000ULL;
    char state = 0;
    size_t count;
    while (child_named(name, &state, &count) > 0 && state != wanted) {
        ENSURE(clock_mono_ns() < until);
        sched_yield();
    }
}

static void await_children(const char *name, size_t wanted)
{
    uint64_t until = clock_mono_ns() + WAIT_S_MAX * 1000000000ULL;
    while (children_of_name(name) != wanted) {
        ENSURE(clock_mono_ns() < until);
        sched_yield();
    }
}

static void await_host_state(enum sandbox_state wanted)
{
    uint64_t until = clock_mono_ns() + WAIT_S_MAX * 1000000000ULL;
    while (sandbox_host_state(host) != wanted) {
        ENSURE(clock_mono_ns() < until);
        sched_yield();
    }
}

/* ---- sandboxes ---- */

struct link_run {
    struct sandbox *sandbox;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ended;
    struct sandbox_exit exit;
};

static void run_ended(struct sandbox *sandbox, const struct sandbox_exit *ended, void *arg)
{
    struct link_run *run = arg;
    (void)sandbox;
    pthread_mutex_lock(&run->lock);
    run->exit = *ended;
    run->ended = true;
    pthread_cond_signal(&run->wake);
    pthread_mutex_unlock(&run->lock);
}

static enum err start_run(struct link_run *run, const char *what, const char *argument)
{
    const char *argv[] = {"/var/task/bootstrap", what, argument, NULL}, *env[] = {"NAME=value", NULL};
    struct sandbox_spec spec = {.code_dir = code_dir, .argv = argv, .env = env, .memory_bytes = 128u << 20, .tmp_bytes = 8u << 20};
    *run = (struct link_run){.ended = false};
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->wake, NULL);
    struct sandbox_hooks hooks = {.exited = run_ended, .arg = run, .loop = loops_at(loops, 0)};
    return sandbox_start(host, &spec, &hooks, &run->sandbox);
}

static void end_run(struct link_run *run)
{
    struct timespec until = clock_deadline(WAIT_S_MAX * 1000);
    pthread_mutex_lock(&run->lock);
    while (!run->ended)
        ENSURE(pthread_cond_clockwait(&run->wake, &run->lock, CLOCK_MONOTONIC, &until) == 0);
    pthread_mutex_unlock(&run->lock);
    sandbox_free(&run->sandbox);
}

static void run_exits(const char *status)
{
    struct link_run run;
    ENSURE(start_run(&run, "exit", status) == ERR_OK);
    end_run(&run);
    ENSURE(run.exit.status == atoi(status));
}

/* ---- a server ---- */

static int serve_and(const struct sandbox_host_options *options, void (*body)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        struct arena *arena = arena_new();
        struct str message = STR_NONE;
        enum err err = sandbox_host_start(options, arena, &host, &message);
        if (err != ERR_OK) {
            fprintf(stderr, "no sandboxes here: " STR_FMT "\n", STR_ARG(message));
            _exit(err == ERR_UNSUPPORTED ? 77 : 1);
        }
        loops = loops_new(1);
        loops_start(loops);
        body();
        ENSURE(options->spares || children_of_name("cl-holder") == 0); /* nothing is left that nobody asked for */
        loops_stop(loops);
        sandbox_host_stop(host);
        ENSURE(children_of_name("cl-launcher") == 0 && children_of_name("cl-keeper") == 0);
        loops_free(loops);
        arena_free(arena);
        _exit(0);
    }
    int status = -1;
    ENSURE(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + status;
}

static void check(struct sandbox_host_options options, void (*body)(void))
{
    options.state_dir = state_dir;
    int status = serve_and(&options, body);
    if (status == 77)
        skip();
    assert_int_equal(status, 0);
}

static void it_is_killed(void)
{
    struct link_run before;
    ENSURE(start_run(&before, "sleep", "") == ERR_OK);
    pid_t old = child_of_name("cl-launcher");
    ENSURE(sandbox_host_state(host) == SANDBOX_READY);
    ENSURE(kill(old, SIGKILL) == 0);
    await_host_state(SANDBOX_STALLED);
    run_exits("5");
    ENSURE(sandbox_host_state(host) == SANDBOX_READY);
    ENSURE(children_of_name("cl-launcher") == 1 && child_of_name("cl-launcher") != old);
    run_exits("6");
    ENSURE(!before.ended);
    sandbox_kill(before.sandbox);
    end_run(&before);
    ENSURE(before.exit.killed_by_us);
}

/* A late answer is not the next one's: each gets his own sandbox, and the late one is ended. */
static void it_is_stopped_for_a_while(void)
{
    struct link_run late;
    pid_t launcher = child_of_name("cl-launcher");
    ENSURE(kill(launcher, SIGSTOP) == 0);
    await_child_state("cl-launcher", 'T');
    ENSURE(start_run(&late, "exit", "1") == ERR_TIMEOUT);
    ENSURE(sandbox_host_state(host) == SANDBOX_STALLED);
    ENSURE(kill(launcher, SIGCONT) == 0);
    await_child_state("cl-launcher", 'S');
    for (int status = 2; status < 8; status++) {
        char text[2] = {(char)('0' + status)};
        run_exits(text);
    }
    ENSURE(sandbox_host_state(host) == SANDBOX_READY);
}

static void it_is_stopped_for_good(void)
{
    struct link_run late;
    pid_t old = child_of_name("cl-launcher");
    ENSURE(kill(old, SIGSTOP) == 0);
    await_child_state("cl-launcher", 'T');
    ENSURE(start_run(&late, "exit", "1") == ERR_TIMEOUT);
    run_exits("5");
    ENSURE(children_of_name("cl-launcher") == 1 && child_of_name("cl-launcher") != old);
    ENSURE(sandbox_host_state(host) == SANDBOX_READY);
}

static void both_are_killed(void)
{
    struct link_run before, after;
    ENSURE(start_run(&before, "sleep", "") == ERR_OK);
    ENSURE(kill(child_of_name("cl-keeper"), SIGKILL) == 0);
    await_child_state("cl-keeper", 'Z');
    run_exits("5");                     /* the launcher goes on */
    ENSURE(sandbox_host_state(host) == SANDBOX_READY);
    ENSURE(kill(child_of_name("cl-launcher"), SIGKILL) == 0);
    await_host_state(SANDBOX_LOST);
    ENSURE(start_run(&after, "exit", "6") == ERR_CLOSED);
    ENSURE(start_run(&after, "exit", "6") == ERR_CLOSED);
    ENSURE(sandbox_host_state(host) == SANDBOX_LOST);
    sandbox_kill(before.sandbox);
    end_run(&before);
}

/* The one that waits is stopped: who gets it is told in time, it is killed, and the next one works. One that is stopped before it
 * waits goes to nobody. */
static void a_holder_is_stopped(void)
{
    struct link_run late;
    enum err err;
    pid_t holder;
    for (;;) {
        await_children("cl-holder", 1);
        holder = child_of_name("cl-holder");
        ENSURE(kill(holder, SIGSTOP) == 0);
        await_child_state("cl-holder", 'T');
        err = start_run(&late, "exit", "1");
        if (err != ERR_OK)
            break;
        end_run(&late);
        kill(holder, SIGCONT);
    }
    ENSURE(err == ERR_TIMEOUT);
    ENSURE(kill(holder, 0) == -1 && errno == ESRCH);
    run_exits("5");
}

static void test_a_launcher_that_died_is_replaced(void **state)
{
    (void)state;
    check((struct sandbox_host_options){0}, it_is_killed);
}

static void test_a_late_answer_is_nobodys(void **state)
{
    (void)state;
    check((struct sandbox_host_options){.launcher_ms = ANSWER_MS}, it_is_stopped_for_a_while);
}

static void test_a_launcher_that_is_silent_is_replaced(void **state)
{
    (void)state;
    check((struct sandbox_host_options){.launcher_ms = ANSWER_MS}, it_is_stopped_for_good);
}

static void test_without_a_keeper_a_lost_launcher_is_told(void **state)
{
    (void)state;
    check((struct sandbox_host_options){0}, both_are_killed);
}

static void test_a_holder_that_is_silent_is_killed(void **state)
{
    (void)state;
    check((struct sandbox_host_options){.spares = 1, .holder_ms = 3 * ANSWER_MS}, a_holder_is_stopped);
}

static int prepare_code(void **state)
{
    char command[256];
    (void)state;
    ENSURE(mkdtemp(top) && chmod(top, 0755) == 0);
    snprintf(state_dir, sizeof state_dir, "%s/run", top);
    snprintf(code_dir, sizeof code_dir, "%s/code", top);
    ENSURE(mkdir(code_dir, 0755) == 0);
    snprintf(command, sizeof command, "gcc -D_GNU_SOURCE -O1 -static -o %s/bootstrap tests/unit/sandbox/probe.c", code_dir);
    return system(command) == 0 ? 0 : -1;
}

static int remove_code(void **state)
{
    char command[256];
    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_launcher_that_died_is_replaced),
        cmocka_unit_test(test_a_late_answer_is_nobodys),
        cmocka_unit_test(test_a_launcher_that_is_silent_is_replaced),
        cmocka_unit_test(test_without_a_keeper_a_lost_launcher_is_told),
        cmocka_unit_test(test_a_holder_that_is_silent_is_killed),
    };
    return cmocka_run_group_tests(tests, prepare_code, remove_code);
}

/* sandbox_test.c -- isolation, limits, ends and leftovers of sandboxes, by a static program (probe.c) that tries things inside.
 * Needs what sandboxes need (root, or user namespaces); where the machine has it not, every test is skipped with the reason. */
#include "sandbox/sandbox.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/panic.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

#define MIB ((size_t)1 << 20)
#define END_MS_MAX 20000

static char top[] = "/tmp/sandbox_test.XXXXXX";
static char state_dir[64], code_dir[64];
static struct sandbox_host *host;
static struct loops *loops;
static struct arena *arena;

/* ---- running one program to its end ---- */

struct run {
    struct sandbox *sandbox;
    struct sandbox_exit exit;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool ended;
    int output;
    char text[65536];
};

static void on_exit_hook(struct sandbox *sandbox, const struct sandbox_exit *ended, void *arg)
{
    struct run *run = arg;
    (void)sandbox;
    pthread_mutex_lock(&run->lock);
    assert_false(run->ended);
    run->exit = *ended;
    run->ended = true;
    pthread_cond_signal(&run->wake);
    pthread_mutex_unlock(&run->lock);
}

static enum err begin_in(struct run *run, struct sandbox_spec spec, const char *const *argv)
{
    static const char *const plain[] = {"NAME=value", "EMPTY=", NULL}, *const python[] = {"_HANDLER=app.handler",
        "AWS_LAMBDA_RUNTIME_API=127.0.0.1:9001", "AWS_DEFAULT_REGION=us-east-1", "AWS_ACCESS_KEY_ID=a", "AWS_SECRET_ACCESS_KEY=b",
        "LD_LIBRARY_PATH=/var/lang/lib", NULL};
    memset(run, 0, sizeof *run);
    pthread_mutex_init(&run->lock, NULL);
    pthread_cond_init(&run->wake, NULL);
    spec.code_dir = spec.code_dir ? spec.code_dir : code_dir;
    spec.argv = argv;
    spec.env = spec.runtime_dir ? python : plain;
    spec.memory_bytes = spec.memory_bytes ? spec.memory_bytes : 128 * MIB;
    spec.tmp_bytes = spec.tmp_bytes ? spec.tmp_bytes : 8 * MIB;
    struct sandbox_hooks hooks = {on_exit_hook, run, loops_next(loops)};
    enum err err = sandbox_start(host, &spec, &hooks, &run->sandbox);
    if (err == ERR_OK)
        run->output = sandbox_take_output(run->sandbox);
    return err;
}

static void begin(struct run *run, const char *what, const char *argument)
{
    const char *argv[] = {"/var/task/bootstrap", what, argument, NULL};
    assert_int_equal(begin_in(run, (struct sandbox_spec){0}, argv), ERR_OK);
}

/* Reads output until it ends, then waits for the hook. */
static void finish(struct run *run)
{
    size_t n = 0;
    struct pollfd watch = {run->output, POLLIN, 0};
    while (poll(&watch, 1, END_MS_MAX) == 1) {
        ssize_t got = read(run->output, run->text + n, sizeof run->text - 1 - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(run->output);
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += END_MS_MAX / 1000;
    pthread_mutex_lock(&run->lock);
    while (!run->ended)
        assert_int_equal(pthread_cond_timedwait(&run->wake, &run->lock, &limit), 0);
    pthread_mutex_unlock(&run->lock);
}

static void run_to_end(struct run *run, const char *what, const char *argument)
{
    begin(run, what, argument);
    finish(run);
    sandbox_free(&run->sandbox);
    assert_null(run->sandbox);
}

static void wait_for_text(struct run *run, const char *text)
{
    struct pollfd watch = {run->output, POLLIN, 0};
    assert_int_equal(poll(&watch, 1, END_MS_MAX), 1);
    ssize_t n = read(run->output, run->text, sizeof run->text - 1);
    assert_true(n > 0);
    run->text[n] = '\0';
    assert_non_null(strstr(run->text, text));
}

static long fact(const struct run *run, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "\n%s=", name);
    const char *at = strstr(run->text, key);
    if (!at)
        fail_msg("no fact %s in:\n%s", name, run->text);
    return strtol(at + strlen(key), NULL, 10);
}

static bool try_a_host(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct sandbox_host_options options = {.state_dir = state_dir, .spares = 0};
        struct sandbox_host *tried = NULL;
        struct arena *memory = arena_new();
        struct str message = STR_NONE;
        enum err err = sandbox_host_start(&options, memory, &tried, &message);
        if (err != ERR_OK)
            fprintf(stderr, "no sandboxes here: %.*s\n", STR_ARG(message));
        sandbox_host_stop(tried);
        _exit(err != ERR_OK);
    }
    int status = -1;
    return waitpid(pid, &status, 0) == pid && status == 0;
}

/* Only a machine without what sandboxes need skips; on one that has it, a host that does not start is a failure. */
static void skip_unless_sandboxes_work(void)
{
    static enum { NOT_TRIED, YES, NO } works;
    if (works == NOT_TRIED)
        works = try_a_host() ? YES : NO;
    if (works == NO)
        skip();
}

static void put(const char *name, const char *text, int mode)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", code_dir, name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, mode);
    ENSURE(fd >= 0 && write(fd, text, strlen(text)) >= 0 && fchmod(fd, (mode_t)mode) == 0);
    close(fd);
}

static void skip_without_sandboxes(void)
{
    if (!host)
        skip();
}

/* ---- tests ---- */

static void test_sees_nothing_of_the_host(void **state)
{
    (void)state;
    skip_without_sandboxes();
    int listener = socket(AF_INET, SOCK_STREAM, 0);     /* of the host: must not be reachable */
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(listener, 8), 0);
    getsockname(listener, (struct sockaddr *)&at, &size);
    char port[16];
    snprintf(port, sizeof port, "%d", ntohs(at.sin_port));
    static struct run run;
    setenv("SERVER_SECRET", "must not be seen", 1);
    run_to_end(&run, "facts", port);
    close(listener);
    assert_int_equal(run.exit.status, 0);

    assert_true(strncmp(run.text, "pid=", 4) == 0);
    assert_int_equal(fact(&run, "processes"), 2);           /* the holder and itself */
    assert_true(fact(&run, "descriptors") <= 4);            /* 0, 1, 2 and the directory being read */
    const char *lines[] = {"Uid:\t993\t993\t993\t993",
                           "Gid:\t993\t993\t993\t993",
                           "CapInh:\t0000000000000000",
                           "CapPrm:\t0000000000000000",
                           "CapEff:\t0000000000000000",
                           "CapBnd:\t0000000000000000",
                           "CapAmb:\t0000000000000000",
                           "NoNewPrivs:\t1",
                           "Seccomp:\t2",
                           "host=169-254-0-1",
                           "cwd=/var/task"};
    for (size_t i = 0; i < COUNT_OF(lines); i++)
        if (!strstr(run.text, lines[i]))
            fail_msg("no \"%s\" in:\n%s", lines[i], run.text);
    if (geteuid() == 0)
        assert_non_null(strstr(run.text, "Groups:\t \n"));
    const char *denied[] = {"mount", "umount", "unshare", "clone_user", "ptrace", "mknod", "chroot"};
    for (size_t i = 0; i < COUNT_OF(denied); i++)
        assert_int_equal(fact(&run, denied[i]), EPERM);
    assert_int_equal(fact(&run, "raw_socket"), EPROTONOSUPPORT);
    assert_int_not_equal(fact(&run, "setuid"), 0);
    const char *unreadable[] = {"read_init_environ", "read_init_fd", "read_init_root", "write_init_oom"};
    for (size_t i = 0; i < COUNT_OF(unreadable); i++)
        assert_int_equal(fact(&run, unreadable[i]), EACCES);
    const char *read_only[] = {"write_root", "write_task", "write_usr"};
    for (size_t i = 0; i < COUNT_OF(read_only); i++)
        assert_int_not_equal(fact(&run, read_only[i]), 0);
    assert_int_not_equal(fact(&run, "write_etc"), 0);
    assert_int_equal(fact(&run, "outside"), ENETUNREACH);
    assert_int_equal(fact(&run, "host_port"), ECONNREFUSED);
    assert_int_equal(fact(&run, "runtime_port"), 0);
    assert_int_equal(fact(&run, "aws_port"), 0);
    assert_int_equal(fact(&run, "packet_socket"), EAFNOSUPPORT);
    assert_int_equal(fact(&run, "null"), 1);
    assert_int_equal(fact(&run, "urandom"), 1);
    assert_int_equal(fact(&run, "shm"), 0);
    assert_int_equal(fact(&run, "files"), SANDBOX_FILES_MAX);
    const char *hidden[] = {"entry=/root", "entry=/home", "entry=/work", "entry=/srv", "entry=/run", "entry=/sys", "entry=/boot",
        "entry=/etc/shadow", "SERVER_SECRET"};
    for (size_t i = 0; i < COUNT_OF(hidden); i++)
        assert_null(strstr(run.text, hidden[i]));
    assert_int_equal(fact(&run, "tmp_errno"), ENOSPC);
    assert_in_range(fact(&run, "tmp_bytes"), 7 * MIB, 8 * MIB);
}

static void test_environment_is_what_was_given(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run;
    run_to_end(&run, "environment", NULL);
    assert_string_equal(run.text, "NAME=value\nEMPTY=\n");
}

static void test_exit_is_reported(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run;
    run_to_end(&run, "exit", "7");
    assert_int_equal(run.exit.status, 7);
    assert_int_equal(run.exit.signal, 0);
    assert_false(run.exit.killed_by_us);
    char number[8];
    snprintf(number, sizeof number, "%d", SIGSEGV);
    run_to_end(&run, "signal", number);
    assert_int_equal(run.exit.status, -1);
    assert_int_equal(run.exit.signal, SIGSEGV);
    assert_false(run.exit.out_of_memory);
    run_to_end(&run, "orphan", NULL);           /* its child lives on, and goes with the sandbox */
    assert_int_equal(run.exit.status, 0);
}

/* The step is named, and its errno. */
static void assert_failed_at(const char *step, int error)
{
    struct sandbox_failure failure = sandbox_last_failure();
    assert_non_null(failure.step);
    assert_string_equal(failure.step, step);
    assert_int_equal(failure.error, error);
}

static void test_programs_that_cannot_start(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run;
    const char *none[] = {"/var/task/nothing", NULL}, *not_executable[] = {"/var/task/data", NULL},
               *no_format[] = {"/var/task/text", NULL};
    assert_int_equal(begin_in(&run, (struct sandbox_spec){0}, none), ERR_NOT_FOUND);
    assert_failed_at("executing the program", ENOENT);
    assert_int_equal(begin_in(&run, (struct sandbox_spec){0}, not_executable), ERR_DENIED);
    assert_failed_at("executing the program", EACCES);
    assert_int_equal(begin_in(&run, (struct sandbox_spec){0}, no_format), ERR_UNSUPPORTED);
    assert_failed_at("executing the program", ENOEXEC);
    const char *fine[] = {"/var/task/bootstrap", NULL};
    assert_int_equal(begin_in(&run, (struct sandbox_spec){.code_dir = "/nonexistent"}, fine), ERR_NOT_FOUND);
    assert_failed_at("finding code and runtime", ENOENT);
    static char big[70000];
    memset(big, 'x', sizeof big - 1);
    const char *large[] = {"/var/task/bootstrap", big, NULL};
    assert_int_equal(begin_in(&run, (struct sandbox_spec){0}, large), ERR_TOO_LARGE);
    assert_failed_at("packing arguments and variables", E2BIG);
    assert_int_equal(begin_in(&run, (struct sandbox_spec){.lang_dir = "/etc/passwd"}, fine), ERR_IO); /* a file */
    assert_failed_at("mounting code and runtime", EINVAL);
}

static void test_memory_is_limited(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run;
    begin(&run, "eat", "300");
    finish(&run);
    size_t peak = sandbox_memory_peak(run.sandbox);
    sandbox_free(&run.sandbox);
    if (run.exit.signal == SIGKILL) {           /* a memory cgroup */
        assert_true(run.exit.out_of_memory);
        assert_int_equal(run.exit.status, -1);
    } else {                                    /* RLIMIT_DATA */
        assert_int_equal(run.exit.status, 3);
    }
    assert_in_range(peak, 100 * MIB, 129 * MIB);
    begin(&run, "eat", "60");
    finish(&run);
    peak = sandbox_memory_peak(run.sandbox);
    sandbox_free(&run.sandbox);
    assert_int_equal(run.exit.status, 0);
    assert_in_range(peak, 60 * MIB, 70 * MIB);
}

/* A pipe of its own at the agreed place, beside what is printed; nobody has one who did not ask. */
static void test_a_log_channel(void **state)
{
    (void)state;
    static const char *const argv[] = {"/bin/sh", "-c", "echo printed; echo record >&3", NULL};
    struct run run;
    char text[64] = "";
    assert_int_equal(begin_in(&run, (struct sandbox_spec){.log_channel = true}, argv), ERR_OK);
    int channel = sandbox_take_log(run.sandbox);
    assert_true(channel >= 0);
    finish(&run);
    assert_string_equal(run.text, "printed\n");
    assert_int_equal(run.exit.status, 0);
    assert_int_equal(read(channel, text, sizeof text - 1), 7);
    assert_string_equal(text, "record\n");
    assert_int_equal(read(channel, text, sizeof text - 1), 0);
    close(channel);
    sandbox_free(&run.sandbox);
    assert_int_equal(begin_in(&run, (struct sandbox_spec){0}, argv), ERR_OK);
    assert_int_equal(sandbox_take_log(run.sandbox), -1);
    finish(&run);
    assert_true(run.exit.status != 0);
    sandbox_free(&run.sandbox);
}

/* With every number of descriptors that are left a sandbox starts with its limits, or it does not start. */
static void test_without_limits_none_starts(void **state)
{
    enum { LEFT_MAX = 30, SCARCE = 200 };
    (void)state;
    skip_without_sandboxes();
    struct rlimit usual, scarce;
    unsigned refused = 0, started = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
    scarce = (struct rlimit){SCARCE, usual.rlim_max};
    for (size_t left = 0; left < LEFT_MAX; left++) {
        static struct run run;
        const char *argv[] = {"/var/task/bootstrap", "eat", "300", NULL};
        int taken[SCARCE];
        size_t n = 0;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &scarce), 0);
        while ((taken[n] = dup(1)) >= 0)
            n++;
        for (size_t i = 0; i < left && n > 0; i++)
            close(taken[--n]);
        enum err err = begin_in(&run, (struct sandbox_spec){0}, argv);
        while (n > 0)
            close(taken[--n]);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
        refused += err != ERR_OK;
        started += err == ERR_OK;
        if (err != ERR_OK) {
            assert_non_null(sandbox_last_failure().step);
            assert_int_not_equal(sandbox_last_failure().error, 0);
            continue;
        }
        finish(&run);
        sandbox_free(&run.sandbox);
        assert_true(run.exit.signal == SIGKILL || run.exit.status == 3); /* the group's limit, or the process's */
    }
    if (!refused || !started)
        fail_msg("%u refused, %u started", refused, started);
}

static void test_processes_are_limited(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run;
    run_to_end(&run, "bomb", NULL);
    assert_int_equal(run.exit.status, 0);
    const char *children = strstr(run.text, "bomb_children=");
    assert_non_null(children);
    assert_in_range(atoi(children + strlen("bomb_children=")), 100, SANDBOX_PIDS_MAX);
}

static void test_kill_ends_everything(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run;
    begin(&run, "stubborn", NULL);
    wait_for_text(&run, "ready");
    uint64_t before = clock_mono_ns();
    sandbox_kill(run.sandbox);
    finish(&run);
    print_message("kill to exited: %.1f ms\n", (double)(clock_mono_ns() - before) / 1e6);
    assert_true(run.exit.killed_by_us);
    assert_false(run.exit.out_of_memory);
    assert_int_equal(run.exit.signal, SIGKILL);
    sandbox_free(&run.sandbox);
}

static void test_layers_and_python(void **state)
{
    (void)state;
    skip_without_sandboxes();
    if (access("/usr/bin/python3", X_OK) != 0) {
        print_message("skipped: no /usr/bin/python3\n");
        skip();
    }
    static struct run run;
    const char *argv[] = {"/usr/bin/python3", "-S", "-c",
        "import os, ssl, threading, subprocess, json\n"
        "t = threading.Thread(target=lambda: print('thread')); t.start(); t.join()\n"
        "print(subprocess.run(['/bin/echo', 'child'], capture_output=True).stdout)\n"
        "print(sorted(os.listdir('/opt')), os.path.exists('/etc/ssl/certs'))\n", NULL};
    assert_int_equal(begin_in(&run, (struct sandbox_spec){.layers_dir = code_dir}, argv), ERR_OK);
    finish(&run);
    sandbox_free(&run.sandbox);
    assert_int_equal(run.exit.status, 0);
    assert_non_null(strstr(run.text, "thread\n"));
    assert_non_null(strstr(run.text, "b'child\\n'"));
    assert_non_null(strstr(run.text, "bootstrap"));
}

static void test_eight_at_once(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run[8];
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < COUNT_OF(run); i++)
            begin(&run[i], "sleep", NULL);
        for (size_t i = 0; i < COUNT_OF(run); i++)
            wait_for_text(&run[i], "ready");
        for (size_t i = 0; i < COUNT_OF(run); i++)
            sandbox_kill(run[i].sandbox);
        for (size_t i = 0; i < COUNT_OF(run); i++) {
            finish(&run[i]);
            sandbox_free(&run[i].sandbox);
        }
    }
}

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The decision to start → the first bytes of GET next on the runtime listener. */
static void test_start_time(void **state)
{
    (void)state;
    skip_without_sandboxes();
    enum { ROUNDS = 40 };
    static struct run run;
    uint64_t first[ROUNDS], started[ROUNDS];
    char bytes[4096];
    for (int i = 0; i < ROUNDS; i++) {
        struct timespec rest = {0, 60000000};
        nanosleep(&rest, NULL);                 /* the pool fills again */
        uint64_t t = clock_mono_ns();
        begin(&run, "next", NULL);
        started[i] = clock_mono_ns() - t;
        int listener = sandbox_take_runtime_listener(run.sandbox);
        struct pollfd watch = {listener, POLLIN, 0};
        assert_int_equal(poll(&watch, 1, END_MS_MAX), 1);
        int connection = accept(listener, NULL, NULL);
        assert_true(connection >= 0);
        assert_true(recv(connection, bytes, sizeof bytes, 0) > 0);
        first[i] = clock_mono_ns() - t;
        assert_true(strncmp(bytes, "GET /2018-06-01/runtime/invocation/next ", 40) == 0);
        assert_true(send(connection, "x", 1, MSG_NOSIGNAL) == 1);
        close(connection);
        close(listener);
        finish(&run);
        sandbox_free(&run.sandbox);
    }
    qsort(first, ROUNDS, sizeof *first, compare_u64);
    qsort(started, ROUNDS, sizeof *started, compare_u64);
    print_message("start p10 %.2f p50 %.2f ms; first GET next p10 %.2f p50 %.2f p95 %.2f ms\n", (double)started[ROUNDS / 10] / 1e6,
                  (double)started[ROUNDS / 2] / 1e6, (double)first[ROUNDS / 10] / 1e6, (double)first[ROUNDS / 2] / 1e6,
                  (double)first[ROUNDS * 95 / 100] / 1e6);
}

static size_t pythons(const char *pattern, glob_t *ret)
{
    return glob(pattern, 0, NULL, ret) == 0 ? ret->gl_pathc : 0;
}

/* The runtime tree of the build on Debian's interpreter and on one with a prefix of its own: both reach GET next, the second
 * through /var/lang. Prints how long a handler takes to be ready that imports boto3 and makes a resource. */
static void test_python_runtime(void **state)
{
    (void)state;
    skip_without_sandboxes();
    char own_prefix[128];
    snprintf(own_prefix, sizeof own_prefix, "%s/.pyenv/versions/3.1[123].*/bin/python3.1[123]",
             getenv("HOME") ? getenv("HOME") : "");
    const char *const places[] = {"/usr/bin/python3.11", own_prefix};
    static const char *const code[] = {
        "def handler(event, context): return 1\n",
        "import boto3\ntable = boto3.resource('dynamodb').Table('t')\ndef handler(event, context): return 1\n"};
    char path[128], runtime[128], lang[PATH_MAX], inside[64];
    size_t ran = 0;
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        glob_t found;
        if (pythons(places[i], &found) == 0)
            continue;
        const char *name = strrchr(found.gl_pathv[0], '/') + 1;
        snprintf(runtime, sizeof runtime, "build/runtimes/%s", name);
        snprintf(lang, sizeof lang, "%.*s", (int)(strlen(found.gl_pathv[0]) - strlen(name) - strlen("/bin/")), found.gl_pathv[0]);
        snprintf(inside, sizeof inside, i == 0 ? "/usr/bin/%s" : "/var/lang/bin/%s", name);
        for (size_t c = 0; c < COUNT_OF(code) && access(runtime, F_OK) == 0; c++) {
            enum { ROUNDS = 8 };
            uint64_t took[ROUNDS];
            snprintf(path, sizeof path, "%s/app.py", code_dir);
            unlink(path);
            put("app.py", code[c], 0644);
            for (int round = 0; round < ROUNDS; round++) {
                static struct run run;
                const char *argv[] = {inside, "-S", "/var/runtime/bootstrap.py", NULL};
                uint64_t t = clock_mono_ns();
                assert_int_equal(begin_in(&run, (struct sandbox_spec){.runtime_dir = runtime, .lang_dir = i ? lang : NULL}, argv),
                                 ERR_OK);
                int listener = sandbox_take_runtime_listener(run.sandbox), connection;
                struct pollfd watch = {listener, POLLIN, 0};
                if (poll(&watch, 1, END_MS_MAX) != 1) {
                    sandbox_kill(run.sandbox);
                    finish(&run);
                    fail_msg("%s: %s", inside, run.text);
                }
                assert_true((connection = accept(listener, NULL, NULL)) >= 0);
                char line[41] = "";
                assert_true(recv(connection, line, sizeof line - 1, 0) > 0);
                took[round] = clock_mono_ns() - t;
                sandbox_kill(run.sandbox);
                finish(&run);
                if (strcmp(line, "GET /2018-06-01/runtime/invocation/next ") != 0)
                    fail_msg("%s: %s", inside, run.text);
                close(connection);
                close(listener);
                sandbox_free(&run.sandbox);
            }
            qsort(took, ROUNDS, sizeof *took, compare_u64);
            print_message("%s, %s: ready p10 %.1f p50 %.1f ms\n", inside, c ? "boto3 resource" : "trivial", (double)took[0] / 1e6,
                          (double)took[ROUNDS / 2] / 1e6);
            ran++;
        }
        globfree(&found);
    }
    if (ran == 0)
        skip();
}

static void test_one_server_for_a_state_directory(void **state)
{
    (void)state;
    skip_without_sandboxes();
    struct sandbox_host *second = NULL;
    struct str message = STR_NONE;
    struct sandbox_host_options options = {.state_dir = state_dir, .spares = 0};
    assert_int_equal(sandbox_host_start(&options, arena, &second, &message), ERR_BUSY);
    assert_null(second);
    assert_true(message.n > 0);
}

/* ---- a server that is killed ---- */

static void in_each_process(void (*visit)(pid_t pid, void *arg), void *arg)
{
    DIR *dir = opendir("/proc");
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            visit((pid_t)atoi(entry->d_name), arg);
    closedir(dir);
}

struct family { pid_t member[64]; size_t count; pid_t parent; };

static void add_if_child(pid_t pid, void *arg)
{
    struct family *family = arg;
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    int parent = 0;
    while (file && fgets(line, sizeof line, file))
        sscanf(line, "PPid: %d", &parent);
    if (file)
        fclose(file);
    if (parent == family->parent && family->count < COUNT_OF(family->member))
        family->member[family->count++] = pid;
}

static void collect(pid_t parent, struct family *family)
{
    size_t from = family->count;
    family->parent = parent;
    in_each_process(add_if_child, family);
    size_t to = family->count;
    for (size_t i = from; i < to; i++)
        collect(family->member[i], family);
}

static void count_mounts_of(pid_t pid, void *arg)
{
    char path[64], line[4096];
    snprintf(path, sizeof path, "/proc/%d/mountinfo", pid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file))
        *(size_t *)arg += strstr(line, top) != NULL;
    if (file)
        fclose(file);
}

/* Is there a cgroup named for our state directory? */
static bool has_cgroup_below(const char *path, int depth)
{
    uint8_t sum[SHA256_BYTES];
    char name[32], below[4096];
    sha256(str_of(state_dir), sum);
    snprintf(name, sizeof name, "cloudless-%02x%02x%02x%02x%02x%02x", sum[0], sum[1], sum[2], sum[3], sum[4], sum[5]);
    DIR *dir = opendir(path);
    bool found = false;
    for (struct dirent *entry; dir && !found && (entry = readdir(dir));) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            snprintf(below, sizeof below, "%s/%s", path, entry->d_name) >= (int)sizeof below)
            continue;
        found = strcmp(entry->d_name, name) == 0 || (depth > 0 && has_cgroup_below(below, depth - 1));
    }
    if (dir)
        closedir(dir);
    return found;
}

static _Noreturn void be_a_server(int tell)
{
    static struct run run[4];
    struct sandbox_host_options options = {.state_dir = state_dir, .spares = 2};
    struct str message;
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);      /* should the test fail */
    arena = arena_new();
    if (sandbox_host_start(&options, arena, &host, &message) != ERR_OK)
        _exit(1);
    loops = loops_new(1);
    loops_start(loops);
    for (size_t i = 0; i < COUNT_OF(run); i++) {
        begin(&run[i], i % 2 ? "stubborn" : "sleep", NULL);
        wait_for_text(&run[i], "ready");
    }
    if (write(tell, "x", 1) != 1)
        _exit(1);
    for (;;)
        pause();
}

static bool alive(pid_t pid)
{
    return kill(pid, 0) == 0 || errno != ESRCH;
}

/* With what: 0 the server alone, 1 its launcher as well (nobody is left to remove the cgroups but the next server). */
static void kill_server(bool launcher_too)
{
    int told[2];
    char byte;
    assert_int_equal(pipe(told), 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);              /* orphans come to us: a slow init does not count */
    pid_t server = fork();
    if (server == 0)
        be_a_server(told[1]);
    close(told[1]);
    assert_int_equal(read(told[0], &byte, 1), 1);
    close(told[0]);
    struct family family = {.count = 0};
    collect(server, &family);
    assert_true(family.count >= 1 + 4 + 4 + 2 * 8); /* launcher, four holders with a function, the stubborn ones' children */
    if (launcher_too)
        for (size_t i = 0; i < family.count; i++) {
            char path[64], name[64] = "";
            snprintf(path, sizeof path, "/proc/%d/comm", family.member[i]);
            FILE *file = fopen(path, "re");
            if (file && fgets(name, sizeof name, file) && strcmp(name, "cl-launcher\n") == 0)
                kill(family.member[i], SIGKILL);
            if (file)
                fclose(file);
        }
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
    uint64_t since = clock_mono_ns();
    size_t left = 1;
    while (left > 0 && clock_mono_ns() - since < 5000000000u) {
        left = 0;
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        for (size_t i = 0; i < family.count; i++)
            left += alive(family.member[i]);
        struct timespec rest = {0, 1000000};
        nanosleep(&rest, NULL);
    }
    assert_int_equal(left, 0);
    print_message("all %zu processes gone %.1f ms after kill -9\n", family.count, (double)(clock_mono_ns() - since) / 1e6);
    size_t mounts = 0;
    in_each_process(count_mounts_of, &mounts);
    assert_int_equal(mounts, 0);
}

static void test_nothing_is_left_of_a_killed_server(void **state)
{
    (void)state;
    skip_unless_sandboxes_work();
    kill_server(false);
    assert_false(has_cgroup_below("/sys/fs/cgroup", 4));
}

static void test_next_server_sweeps(void **state)
{
    (void)state;
    skip_unless_sandboxes_work();
    kill_server(true);
    struct sandbox_host_options options = {.state_dir = state_dir, .spares = 0};
    struct str message;
    struct sandbox_host *next_host = NULL;
    struct arena *memory = arena_new();
    assert_int_equal(sandbox_host_start(&options, memory, &next_host, &message), ERR_OK);
    sandbox_host_stop(next_host);
    arena_free(memory);
    assert_false(has_cgroup_below("/sys/fs/cgroup", 4));
}

static void test_stop_leaves_nothing(void **state)
{
    (void)state;
    skip_without_sandboxes();
    static struct run run;
    begin(&run, "stubborn", NULL);
    wait_for_text(&run, "ready");
    close(run.output);
    loops_stop(loops);
    uint64_t before = clock_mono_ns();
    sandbox_host_stop(host);
    print_message("stop: %.1f ms\n", (double)(clock_mono_ns() - before) / 1e6);
    host = NULL;
    struct family family = {.count = 0};
    collect(getpid(), &family);
    assert_int_equal(family.count, 0);
    size_t mounts = 0;
    in_each_process(count_mounts_of, &mounts);
    assert_int_equal(mounts, 0);
    assert_false(has_cgroup_below("/sys/fs/cgroup", 4));
}

/* ---- set-up ---- */

static int prepare(void)
{
    char command[256];
    umask(022);
    ENSURE(mkdtemp(top));
    snprintf(state_dir, sizeof state_dir, "%s/run", top);
    snprintf(code_dir, sizeof code_dir, "%s/code", top);
    ENSURE(mkdir(code_dir, 0755) == 0);
    put("data", "x", 0644);
    put("text", "x", 0755);
    snprintf(command, sizeof command, "gcc -D_GNU_SOURCE -O1 -static -o %s/bootstrap tests/unit/sandbox/probe.c", code_dir);
    return system(command) == 0 ? 0 : -1;
}

static void test_host_starts(void **state)
{
    (void)state;
    skip_unless_sandboxes_work();
    arena = arena_new();
    struct sandbox_host_options options = {.state_dir = state_dir, .spares = 4};
    struct str message = STR_NONE;
    assert_int_equal(sandbox_host_start(&options, arena, &host, &message), ERR_OK);
    loops = loops_new(2);
    loops_start(loops);
}

static int stop_host(void **state)
{
    (void)state;
    if (loops)
        loops_stop(loops);
    sandbox_host_stop(host);
    loops_free(loops);
    arena_free(arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_is_left_of_a_killed_server), /* first: they fork, and there are no threads yet */
        cmocka_unit_test(test_next_server_sweeps),
        cmocka_unit_test(test_host_starts),
        cmocka_unit_test(test_sees_nothing_of_the_host),
        cmocka_unit_test(test_environment_is_what_was_given),
        cmocka_unit_test(test_exit_is_reported),
        cmocka_unit_test(test_a_log_channel),
        cmocka_unit_test(test_programs_that_cannot_start),
        cmocka_unit_test(test_memory_is_limited),
        cmocka_unit_test(test_without_limits_none_starts),
        cmocka_unit_test(test_processes_are_limited),
        cmocka_unit_test(test_kill_ends_everything),
        cmocka_unit_test(test_layers_and_python),
        cmocka_unit_test(test_eight_at_once),
        cmocka_unit_test(test_start_time),
        cmocka_unit_test(test_python_runtime),
        cmocka_unit_test(test_one_server_for_a_state_directory),
        cmocka_unit_test(test_stop_leaves_nothing),
    };
    int failed = prepare();
    if (failed == 0)
        failed = cmocka_run_group_tests_name("sandboxes", tests, NULL, stop_host);
    char command[256];
    snprintf(command, sizeof command, "rm -rf %s", top);
    return system(command) == 0 ? failed : 1;
}

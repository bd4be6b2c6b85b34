/* serve.c -- `cloudless serve`: makes the parts in the order of their dependencies, serves, drains, and takes them down
 * in the opposite order.
 * The launcher of the sandboxes is forked while the process has one thread; the data directory's lock is taken before,
 * because starting the launcher sweeps what a killed server of this directory left behind. It builds its root while the
 * store is opened.
 * Signals are blocked from the beginning and in every thread; the main thread waits for them, so that one that comes during the
 * start is obeyed when it is over. A supervisor leaves them blocked to its server, which then has no moment without. */
#include "auth/auth.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/panic.h"
#include "call/dispatch.h"
#include "front/front.h"
#include "front/record.h"
#include "gateway/gateway.h"
#include "jobs/jobs.h"
#include "main/command.h"
#include "main/datadir.h"
#include "main/descriptors.h"
#include "main/gather.h"
#include "main/https.h"
#include "main/supervise.h"
#include "net/limits.h"
#include "net/tls.h"
#include "net/worker.h"
#include "sandbox/sandbox.h"
#include "store/blob.h"
#include "wire/door.h"
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define SANDBOX_SPARES 2
#define LOOPS_MAX 64 /* what a loop caches is cached as often as there are loops */
/* Bounds, not sizes: memory is taken as data is read. They hold some hundred thousand small items. */
#define BLOCK_CACHE_BYTES (256u << 20)
#define SERVE_ROW_CACHE_BYTES (128u << 20)
#define CLIENT_MEMORY_MAX ((size_t)1 << 30)
#define PROCESSES_MAX (4u << 20) /* of any machine: the kernel's PID_MAX_LIMIT */
#define MALLOC_OWN_BYTES (512 << 10)

struct server {
    const struct options *options;
    struct descriptors descriptors;
    struct arena *arena;
    struct sandbox_host *sandboxes;
    struct str sandboxes_missing;
    struct store *store;
    struct blobs *blobs;
    struct auth *auth;
    struct loops *loops;
    struct workers *workers;
    struct http_server *http;
    struct https *https;
    struct tls *tls;                /* of https; NULL: plain text only */
    struct front *front;
    struct gateway *gateway;
    struct platform_options platform_options;
    struct platform platform;       /* what services stand on: the parts above, as they see them */
    struct jobs *jobs;
    struct services *services;
    struct calls *calls;
    struct door *door;
    struct access_log *access_log;
    struct record *record;
    struct metrics *metrics;
    struct gather gather;
    struct supervised supervised;
    atomic_bool ready;
};

static int serve_fail(const char *what, struct str why)
{
    fprintf(stderr, "cloudless: %s: " STR_FMT "\n", what, STR_ARG(why));
    return EXIT_FAILED;
}

static int fail_err(const char *what, enum err err)
{
    return serve_fail(what, str_of(err_text(err)));
}

static int listen_fail(const char *address, const char *why)
{
    fprintf(stderr, "cloudless: --listen %s: %s\n", address, why);
    return EXIT_FAILED;
}

/* Binds first: a taken port is found before anything is written. */
static int bind_all(const struct options *options, int fds[LISTEN_MAX])
{
    for (size_t i = 0; i < options->listen_count; i++) {
        const char *address = options->listen[i];
        if (!https_is_loopback(address) && options->tls_cert_count == 0) {
            fprintf(stderr,
                    "cloudless: --listen %s: only loopback addresses are served without --tls-cert FILE --tls-key FILE\n",
                    address);
            return EXIT_USAGE;
        }
        enum err err = http_bind(str_of(address), &fds[i]);
        if (err == ERR_EXISTS)
            return listen_fail(address, "the port is taken by another program; stop it, or choose another");
        if (err == ERR_DENIED)
            return listen_fail(address, "this user may not listen there: ports below 1024 are root's; choose another");
        if (err != ERR_OK)
            return listen_fail(address, errno == EADDRNOTAVAIL ? "no interface of this machine has that address" : strerror(errno));
    }
    return EXIT_FINE;
}

static int open_data(struct server *s)
{
    const struct options *o = s->options;
    struct str message = STR_NONE;
    struct store_options store_options = {.dir = datadir_path(s->arena, o->data, "store"),
                                          .cache_bytes = BLOCK_CACHE_BYTES,
                                          .row_cache_bytes = SERVE_ROW_CACHE_BYTES,
                                          .files_max = s->descriptors.store_files,
                                          .was_there = datadir_served(o->data, s->arena)};
    const char *packages = datadir_path(s->arena, o->data, "blobs");
    enum err err = store_open(&store_options, s->arena, &s->store, &message);
    if (err == ERR_CORRUPT)
        message = arena_printf(s->arena,
                               STR_FMT " `cloudless doctor --data %s` says what can be saved, `cloudless "
                                       "repair --data %s` saves it.",
                               STR_ARG(message), o->data, o->data);
    if (err != ERR_OK)
        return serve_fail("the store cannot be opened", message.n ? message : str_of(err_text(err)));
    if (message.n)
        log_to(LOG_ERROR, "store.read_only", {"reason", message});
    if (store_options.was_there && access(packages, F_OK) != 0)
        return serve_fail(packages, STR("the folder of the functions' packages is gone; bring it back from a backup, or make an "
                                        "empty one and update the code of every function"));
    if ((err = blobs_open(o->data, &s->blobs)) != ERR_OK)
        return fail_err("the packages' folder cannot be opened", err);
    return EXIT_FINE;
}

#define ROOT_ID "CLOUDLESS_ROOT_ACCESS_KEY_ID"
#define ROOT_SECRET "CLOUDLESS_ROOT_SECRET_ACCESS_KEY"

/* One without the other would be a key that nobody knows half of. */
static bool root_key_in_pairs(void)
{
    const char *id = getenv(ROOT_ID), *secret = getenv(ROOT_SECRET);
    bool has_id = id && *id, has_secret = secret && *secret;
    if (has_id != has_secret)
        fprintf(stderr, "cloudless: the environment has %s without %s; set both, or neither\n", has_id ? ROOT_ID : ROOT_SECRET,
                has_id ? ROOT_SECRET : ROOT_ID);
    return has_id == has_secret;
}

static int write_credentials(struct server *s)
{
    const char *id = getenv(ROOT_ID), *secret = getenv(ROOT_SECRET);
    struct str key_id, key_secret;
    enum err err = auth_root_key(s->auth, str_of(id), str_of(secret), s->arena, &key_id, &key_secret);
    if (err == ERR_INVALID) {
        serve_fail(ROOT_ID " and " ROOT_SECRET, STR("an id has letters, digits and _, 128 at most, and does not begin with ASIA; a "
                                                    "secret has neither blanks nor control characters"));
        return EXIT_USAGE;
    }
    if (err == ERR_EXISTS)
        return serve_fail(ROOT_ID, STR("a user of IAM has a key of this id; choose another"));
    if (err != ERR_OK)
        return fail_err("the root access key", err);
    struct str text = arena_printf(s->arena, "[default]\naws_access_key_id = " STR_FMT "\naws_secret_access_key = " STR_FMT "\n",
                                   STR_ARG(key_id), STR_ARG(key_secret));
    struct str old;
    if (datadir_read(s->options->data, "credentials", s->arena, &old) == ERR_OK && str_eq(old, text))
        return EXIT_FINE;
    err = datadir_write(s->options->data, "credentials", text, s->arena);
    if (err == ERR_OK)
        return EXIT_FINE;
    return serve_fail(datadir_path(s->arena, s->options->data, "credentials"),
                      arena_printf(s->arena, "cannot be written: %s", strerror(errno)));
}

/* One for each core that this process may run on: with taskset or in a container fewer than the machine has. */
static size_t loops_wanted(void)
{
    cpu_set_t set;
    size_t cores = sched_getaffinity(0, sizeof set, &set) == 0 ? (size_t)CPU_COUNT(&set) : LOOPS_MAX;
    return cores > LOOPS_MAX ? LOOPS_MAX : cores;
}

static void warn_of_sandboxes(const struct server *s)
{
    log_to(LOG_WARN, "sandbox.unavailable", {"reason", s->sandboxes_missing}, {"remedy", STR("run cloudless doctor")});
}

static void told_full(bool inside, uint64_t refused, void *arg)
{
    struct arena *arena = arena_new();
    (void)arg;
    log_to(LOG_WARN, "net.connections_refused", {"from", inside ? STR("sandboxes") : STR("outside")},
           {"since_start", arena_printf(arena, "%llu", (unsigned long long)refused)},
           {"remedy",
            STR("their share of the process's descriptors is used up; a higher limit (ulimit -n, LimitNOFILE=) gives more")});
    arena_free(arena);
}

/* The number in a small file of the kernel's; UINT64_MAX if there is none ("max" is none). */
static uint64_t kernel_number(const char *dir, const char *name)
{
    struct arena *arena = arena_new();
    struct str text;
    uint64_t n;
    bool there = datadir_read(dir, name, arena, &text) == ERR_OK && str_to_u64(str_trim(text), &n);
    arena_free(arena);
    return there ? n : UINT64_MAX;
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Of this machine, or of the container that we are in. */
static size_t machine_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    uint64_t bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : (uint64_t)CLIENT_MEMORY_MAX * 2;
    bytes = lesser(bytes, kernel_number("/sys/fs/cgroup", "memory.max"));
    return (size_t)lesser(bytes, kernel_number("/sys/fs/cgroup/memory", "memory.limit_in_bytes"));
}

/* Clients may hold as much as they were given, else 1 GiB, or half of a small machine. What large requests used goes back to the
 * system: their blocks are of their own from a size on that does not grow by itself. */
static void share_memory(const struct options *options)
{
    budget_share(options->memory ? options->memory : (size_t)lesser(machine_memory() / 2, CLIENT_MEMORY_MAX));
    mallopt(M_MMAP_THRESHOLD, MALLOC_OWN_BYTES);
}

/* Connections and environments have what the store leaves. */
static void share_descriptors(struct server *s)
{
    const struct descriptors *d = &s->descriptors;
    struct http_shares shares = {.outside = d->connections, .inside = d->inside, .inside_each = d->inside_each, .full = told_full};
    http_server_share(s->http, &shares);
}

/* What is recorded of requests: for metrics always, for the access log if there is one. */
static bool watch_requests(struct server *s)
{
    const char *path = s->options->access_log;
    if (path && access_log_open(path, 0, &s->access_log) != ERR_OK) {
        serve_fail(arena_printf(s->arena, "--access-log %s", path).p, str_of(strerror(errno)));
        return false;
    }
    s->record = record_new(loops_count(s->loops), s->access_log);
    http_server_watch(s->http, record_watch, s->record);
    s->metrics = metrics_new();
    s->gather =
        (struct gather){.http = s->http, .workers = s->workers, .access_log = s->access_log, .started_ms = clock_epoch_ms()};
    metrics_add_source(s->metrics, record_write, s->record);
    gather_add(s->metrics, &s->gather);
    return true;
}

/* What everything else stands on. */
static int serve_parts(struct server *s)
{
    const struct options *o = s->options;
    s->loops = loops_new(loops_wanted());
    s->workers = workers_new(NULL);
    s->http = http_server_new(s->loops);
    share_descriptors(s);
    if (!watch_requests(s))
        return EXIT_FAILED;
    s->front = front_new();
    enum err err = auth_new(s->store, loops_count(s->loops), &s->auth);
    if (err != ERR_OK)
        return fail_err("authentication", err);
    s->services = services_new(services_all);
    struct calls_options calls = {.store = s->store,
                                  .auth = s->auth,
                                  .workers = s->workers,
                                  .bindings = services_bindings(s->services),
                                  .watch = record_call,
                                  .watch_arg = s->record,
                                  .default_account = str_of(o->account),
                                  .default_region = str_of(o->region)};
    s->calls = calls_new(&calls);
    return EXIT_FINE;
}

static int start_jobs(struct server *s)
{
    struct jobs_kind kinds[JOBS_KINDS_MAX];
    size_t count = services_jobs(s->services, kinds, COUNT_OF(kinds) - 1);
    enum err err = jobs_new(s->store, kinds, count, NULL, &s->jobs);
    if (err != ERR_OK)
        return fail_err("jobs", err);
    metrics_add_source(s->metrics, jobs_write_metrics, s->jobs);
    return EXIT_FINE;
}

static int serve_services(struct server *s)
{
    const struct options *o = s->options;
    const char *failed = NULL;
    int status = serve_parts(s);
    if (status != EXIT_FINE)
        return status;
    if (s->sandboxes && sandbox_host_await(&s->sandboxes, s->arena, &s->sandboxes_missing) != ERR_OK)
        warn_of_sandboxes(s);
    s->platform_options = (struct platform_options){.account = o->account,
                                                    .region = o->region,
                                                    .cache_dir = datadir_path(s->arena, o->data, "cache"),
                                                    .runtimes_dir = o->runtimes_dir,
                                                    .runtimes = o->runtimes,
                                                    .concurrency_max = o->concurrency,
                                                    .environments_max = s->descriptors.environments};
    s->platform = (struct platform){
        .options = &s->platform_options,
        .store = s->store,
        .blobs = s->blobs,
        .auth = s->auth,
        .loops = s->loops,
        .workers = s->workers,
        .http = s->http,
        .calls = s->calls,
        .services = s->services,
        .sandbox_driver = &sandbox_processes,
        .sandboxes = s->sandboxes,
        .sandboxes_missing = s->sandboxes_missing,
        .metrics = s->metrics,
        .inside = {.handler = front_handle_inside,
                   .arg = s->front,
                   .body_max = NET_BODY_BYTES_MAX,
                   .body_plan = front_body_plan,
                   .body_unasked = FRONT_BODY_UNASKED,
                   .refuse = front_refuse,
                   .watched = true},
    };
    enum err err = services_open(s->services, &s->platform, &failed);
    if (err != ERR_OK)
        return fail_err(failed, err);
    if ((status = write_credentials(s)) != EXIT_FINE)
        return status;
    if ((err = gateway_new(&s->platform, &s->gateway)) != ERR_OK)
        return fail_err("the gateway", err);
    s->door = door_new(s->calls, services_bindings(s->services));
    struct front_options front = {.door = s->door,
                                  .sandboxes = s->sandboxes,
                                  .gateway = s->gateway,
                                  .services = s->services,
                                  .store = s->store,
                                  .default_region = str_of(o->region),
                                  .workers = s->workers,
                                  .metrics = s->metrics,
                                  .ready = &s->ready};
    front_connect(s->front, &front);
    loops_start(s->loops); /* what has been started can be stopped only on them */
    services_start(s->services);
    return start_jobs(s);
}

/* Services add their own. */
static void add_metrics(struct server *s)
{
    metrics_add_source(s->metrics, store_write_metrics, s->store);
    metrics_add_source(s->metrics, auth_write_metrics, s->auth);
}

static void listen_all(struct server *s, const int fds[LISTEN_MAX])
{
    if (s->tls)
        tls_watch(s->tls, s->workers);
    for (size_t i = 0; i < s->options->listen_count; i++) {
        struct http_listener_options listener = {.fd = fds[i],
                                                 .handler = front_handle,
                                                 .arg = s->front,
                                                 .body_max = NET_BODY_BYTES_MAX,
                                                 .body_plan = front_body_plan,
                                                 .body_unasked = FRONT_BODY_UNASKED,
                                                 .refuse = front_refuse,
                                                 .tls = s->tls,
                                                 .plain_loopback_only = !s->options->plain_http,
                                                 .watched = true};
        http_listen(s->http, &listener);
    }
}

/* Where the server of a --listen address is to be reached: itself, or from here if it is every address. */
static const char *reachable(struct arena *arena, const char *address)
{
    static const char *const every[][2] = {{"0.0.0.0:", "127.0.0.1:"}, {"[::]:", "[::1]:"}};
    for (size_t i = 0; i < COUNT_OF(every); i++)
        if (strncmp(address, every[i][0], strlen(every[i][0])) == 0)
            return arena_printf(arena, "%s%s", every[i][1], address + strlen(every[i][0])).p;
    return address;
}

static int announce(struct server *s)
{
    const struct options *o = s->options;
    const char *address = reachable(s->arena, o->listen[0]);
    const char *scheme = https_is_loopback(address) || o->plain_http || !s->tls ? "http" : "https";
    struct str text = arena_printf(s->arena, "url = %s://%s\nregion = %s\naccount = %s\npid = %ld\n", scheme, address, o->region,
                                   o->account, (long)getpid());
    if (s->tls)
        text = arena_printf(s->arena, STR_FMT "https_url = https://%s\n", STR_ARG(text), address);
    char authority[PATH_MAX];
    if (s->tls && https_is_loopback(address) && realpath(datadir_path(s->arena, o->data, HTTPS_AUTHORITY), authority))
        text = arena_printf(s->arena, STR_FMT "authority = %s\n", STR_ARG(text), authority);
    enum err err = datadir_note(o->data, "endpoint", text, s->arena);
    if (err != ERR_OK) /* a full disk: clients have what the last start wrote */
        log_to(LOG_WARN, "server.endpoint_unwritten", {"reason", str_of(err_text(err))});
    printf("Cloudless %s is ready at %s://%s (data: %s)\n", CLOUDLESS_VERSION, scheme, address, o->data);
    fflush(stdout);
    supervised_ready(&s->supervised);
    return EXIT_FINE;
}

static int await_https(struct server *s)
{
    struct str message;
    enum err err = https_await(s->https, &s->tls, &message);
    return err == ERR_OK ? EXIT_FINE : serve_fail("--tls-cert", message);
}

static void exit_at_once(int signal_number)
{
    (void)signal_number;
    _exit(EXIT_FAILED);
}

/* Returns after the first SIGTERM or SIGINT; the next one ends the process wherever it is. SIGHUP opens the access log again; to a
 * server without one, and without a supervisor, it means what it means to any program in a terminal. */
static void wait_for_signal(const struct server *s, const sigset_t *set)
{
    int number = 0;
    while (sigwait(set, &number) == 0 && number == SIGHUP && (s->access_log || s->supervised.yes))
        access_log_reopen(s->access_log);
    const char *name = number == SIGINT ? "SIGINT" : number == SIGHUP ? "SIGHUP" : "SIGTERM";
    log_to(LOG_INFO, "server.stopping", {"signal", str_of(name)});
    signal(SIGTERM, exit_at_once);
    signal(SIGINT, exit_at_once);
    pthread_sigmask(SIG_UNBLOCK, set, NULL);
}

static enum err mutate_nothing(struct store_txn *txn, void *arg)
{
    (void)txn, (void)arg;
    return ERR_OK;
}

static void serve_stop(struct server *s)
{
    atomic_store(&s->ready, false);
    if (s->http)
        http_server_drain(s->http);
    jobs_stop(s->jobs);
    if (s->services)
        services_stop(s->services);
    if (s->workers)
        workers_stop(s->workers);
    if (s->loops)
        loops_stop(s->loops);
    workers_free(s->workers);
    gateway_free(s->gateway);
    door_free(s->door);
    if (s->services) {
        store_mutate(s->store, mutate_nothing, NULL);       /* behind every mutation that a call has left in the queue */
        services_close(s->services);
    }
    calls_free(s->calls);
    jobs_free(s->jobs);
    store_close(s->store);
    http_server_free(s->http);
    loops_free(s->loops);
    front_free(s->front);
    metrics_free(s->metrics);
    record_free(s->record);
    access_log_close(s->access_log);
    services_free(s->services);
    auth_free(s->auth);
    blobs_close(s->blobs);
    https_free(s->https);
    sandbox_host_stop(s->sandboxes);
}

/* Processes and threads that the machine, or the container, may have. */
static size_t machine_processes(void)
{
    uint64_t n = kernel_number("/proc/sys/kernel", "pid_max");
    n = lesser(n, kernel_number("/proc/sys/kernel", "threads-max"));
    n = lesser(n, kernel_number("/sys/fs/cgroup", "pids.max"));
    return (size_t)lesser(n, PROCESSES_MAX);
}

/* What all functions may take together: as told, else so much that the machine and the server go on. */
static struct sandbox_limits function_limits(const struct options *o)
{
    size_t memory = machine_memory() / 4 * 3, processes = machine_processes() / 2;
    return (struct sandbox_limits){.memory_bytes = o->functions_memory ? o->functions_memory : memory,
                                   .processes = o->functions_processes ? o->functions_processes : processes,
                                   .cpu_percent = o->functions_cpu};
}

/* Limits of all functions that nothing counts here. One that was asked for is not promised in vain; of the others it is said. */
static int check_function_limits(const struct server *s)
{
    const struct options *o = s->options;
    struct sandbox_limits hold = sandbox_host_limits(s->sandboxes);
    const struct {
        const char *option;
        struct str what;
        bool asked, holds;
    } limits[] = {{"--functions-memory", STR("memory"), o->functions_memory != 0, hold.memory_bytes != 0},
                  {"--functions-processes", STR("processes"), o->functions_processes != 0, hold.processes != 0},
                  {"--functions-cpu", STR("processors"), o->functions_cpu != 0, !o->functions_cpu || hold.cpu_percent != 0}};
    struct str missing = STR_NONE;
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        if (limits[i].holds)
            continue;
        if (limits[i].asked)
            return serve_fail(limits[i].option, STR("no control group that this process may use counts it here; run the server as "
                                                    "root, or as a service of systemd with Delegate=yes, or leave the option out "
                                                    "(`cloudless doctor` says more)"));
        missing =
            missing.n ? arena_printf(s->arena, STR_FMT ", " STR_FMT, STR_ARG(missing), STR_ARG(limits[i].what)) : limits[i].what;
    }
    if (missing.n)
        log_to(LOG_WARN, "sandbox.unlimited", {"all_functions_together", missing}, {"remedy", STR("run cloudless doctor")});
    return EXIT_FINE;
}

static void default_listen(struct options *options)
{
    if (options->listen_count == 0)
        options->listen[options->listen_count++] = "127.0.0.1:4566";
}

static void block_signals(sigset_t *ret)
{
    sigemptyset(ret);
    sigaddset(ret, SIGTERM);
    sigaddset(ret, SIGINT);
    sigaddset(ret, SIGHUP);
    pthread_sigmask(SIG_BLOCK, ret, NULL);
    signal(SIGPIPE, SIG_IGN);
}

int command_serve(const struct options *given, struct arena *arena)
{
    struct options options = *given;
    sigset_t signals;
    block_signals(&signals);
    struct server server = {.options = &options, .arena = arena};
    int fds[LISTEN_MAX];
    struct str message = STR_NONE;

    if (options.tls_cert_count != options.tls_key_count) {
        fprintf(stderr, "cloudless: --tls-cert and --tls-key go in pairs; there are %zu and %zu\n", options.tls_cert_count,
                options.tls_key_count);
        return EXIT_USAGE;
    }
    if (!root_key_in_pairs())
        return EXIT_USAGE;
    default_listen(&options);
    log_set_level(options.log);
    descriptors_raise(&server.descriptors);
    share_memory(&options);
    supervised_take(&options, &server.supervised, fds);
    int status = server.supervised.yes ? EXIT_FINE : bind_all(&options, fds);
    if (status != EXIT_FINE)
        return status;
    if (options.supervised && !server.supervised.yes)
        return supervise_serve(&options, fds);
    enum err err = datadir_lock(options.data, arena, &message);
    if (err != ERR_OK)
        return serve_fail("--data", message);

    struct sandbox_host_options sandbox = {
        .together = function_limits(&options), .state_dir = datadir_path(arena, options.data, "run"), .spares = SANDBOX_SPARES};
    if (sandbox_host_begin(&sandbox, arena, &server.sandboxes, &server.sandboxes_missing) != ERR_OK)
        warn_of_sandboxes(&server);
    else
        status = check_function_limits(&server);
    supervised_stay(&server.supervised);        /* behind the change of credentials that an ordinary user's sandboxes need */

    server.https = https_begin(&options);
    if (status == EXIT_FINE)
        status = open_data(&server);
    if (status == EXIT_FINE)
        status = await_https(&server);
    if (status == EXIT_FINE)
        status = serve_services(&server);
    if (status == EXIT_FINE) {
        add_metrics(&server);
        atomic_store(&server.ready, true);      /* a supervisor's sockets may have connections that wait */
        listen_all(&server, fds);
        status = announce(&server);
        if (status == EXIT_FINE)
            wait_for_signal(&server, &signals);
    }
    serve_stop(&server);
    return status;
}

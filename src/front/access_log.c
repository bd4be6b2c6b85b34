/* access_log.c -- two buffers: loops append lines to one under a mutex, the writer takes it whole and gives the empty one in its
 * place, so the lock is held for a copy or a swap and never during a write. When the buffer is full a line is dropped; the writer
 * says how many before the next lines. The file is opened again before a write if somebody asked for it (SIGHUP); if that fails
 * the old one is kept. */
#include "front/access_log.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/panic.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE_BYTES (1u << 20)

struct access_log {
    char *path; /* NULL: stdout */
    int fd;
    size_t cap;
    atomic_bool reopen;
    pthread_t thread;
    pthread_mutex_t lock; /* over everything below */
    pthread_cond_t wake;
    char *queue;
    size_t queued;
    uint64_t dropped, told;
    bool closing;
};

static int open_file(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
}

static void reopen_if_asked(struct access_log *log)
{
    if (!log->path || !atomic_exchange(&log->reopen, false))
        return;
    int fd = open_file(log->path);
    if (fd < 0) {
        log_to(LOG_WARN, "access_log.reopen_failed", {"path", str_of(log->path)});
        return;
    }
    close(log->fd);
    log->fd = fd;
}

static void write_dropped(struct access_log *log, uint64_t count)
{
    char text[64];
    int n = snprintf(text, sizeof text, "dropped=%llu\n", (unsigned long long)count);
    file_write(log->fd, (struct str){text, (size_t)n});
}

static void *access_writer(void *arg)
{
    struct access_log *log = arg;
    char *empty = mem_alloc(log->cap);
    pthread_mutex_lock(&log->lock);
    for (;;) {
        while (log->queued == 0 && log->dropped == log->told && !log->closing)
            pthread_cond_wait(&log->wake, &log->lock);
        if (log->queued == 0 && log->dropped == log->told)
            break;
        char *taken = log->queue;
        size_t n = log->queued;
        uint64_t dropped = log->dropped - log->told;
        log->told = log->dropped;
        log->queue = empty;
        log->queued = 0;
        pthread_mutex_unlock(&log->lock);
        reopen_if_asked(log);
        file_write(log->fd, (struct str){taken, n}); /* a full disk loses lines, not requests */
        if (dropped)
            write_dropped(log, dropped);
        empty = taken;
        pthread_mutex_lock(&log->lock);
    }
    pthread_mutex_unlock(&log->lock);
    free(empty);
    return NULL;
}

enum err access_log_open(const char *path, size_t queue_bytes, struct access_log **ret)
{
    bool is_stdout = strcmp(path, "-") == 0;
    int fd = is_stdout ? STDOUT_FILENO : open_file(path);
    if (fd < 0)
        return ERR_IO;
    struct access_log *log = mem_zalloc(sizeof *log);
    log->path = is_stdout ? NULL : mem_dup(path, strlen(path));
    log->fd = fd;
    log->cap = queue_bytes ? queue_bytes : QUEUE_BYTES;
    log->queue = mem_alloc(log->cap);
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->wake, NULL);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ENSURE(pthread_create(&log->thread, NULL, access_writer, log) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_setname_np(log->thread, "access-log");
    *ret = log;
    return ERR_OK;
}

void access_log_close(struct access_log *log)
{
    if (!log)
        return;
    pthread_mutex_lock(&log->lock);
    log->closing = true;
    pthread_cond_signal(&log->wake);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    if (log->path)
        close(log->fd);
    pthread_cond_destroy(&log->wake);
    pthread_mutex_destroy(&log->lock);
    free(log->queue);
    free(log->path);
    free(log);
}

void access_log_reopen(struct access_log *log)
{
    if (log)
        atomic_store(&log->reopen, true);
}

uint64_t access_log_dropped(const struct access_log *log)
{
    struct access_log *own = (struct access_log *)(uintptr_t)log;
    pthread_mutex_lock(&own->lock);
    uint64_t dropped = own->dropped;
    pthread_mutex_unlock(&own->lock);
    return dropped;
}

static void enqueue_line(struct access_log *log, struct str line)
{
    pthread_mutex_lock(&log->lock);
    bool wake = log->queued == 0;
    if (line.n <= log->cap - log->queued) {
        memcpy(log->queue + log->queued, line.p, line.n);
        log->queued += line.n;
    } else {
        log->dropped++;
    }
    pthread_mutex_unlock(&log->lock);
    if (wake)
        pthread_cond_signal(&log->wake);
}

/* ---- the line ---- */

static bool is_secret(struct str name)
{
    static const char *const words[] = {"signature", "token", "secret", "password", "credential", "key", "auth", "code"};
    char lower[64];
    if (name.n >= sizeof lower)
        return true;
    for (size_t i = 0; i < name.n; i++)
        lower[i] = (char)(name.p[i] >= 'A' && name.p[i] <= 'Z' ? name.p[i] + 32 : name.p[i]);
    lower[name.n] = '\0';
    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (strstr(lower, words[i]))
            return true;
    return memchr(lower, '%', name.n) != NULL; /* encoded where it need not be: who knows what it says */
}

struct str access_log_query(struct str query, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena, query.n * 2 + 16);
    while (query.p) {
        struct str value = str_cut(&query, '&'), name = str_cut(&value, '=');
        if (out.n)
            buf_lit(&out, "&");
        buf_add(&out, name);
        if (value.p) {
            buf_lit(&out, "=");
            buf_add(&out, is_secret(name) ? STR("-") : value);
        }
    }
    return buf_str(&out);
}

static void add_known(struct log_line *line, const char *key, struct str value)
{
    if (value.n)
        log_line_field(line, key, value);
}

void access_log_add(struct access_log *log, const struct http_request *request, const struct http_served *served)
{
    const struct http_about *about = &request->about;
    struct arena *arena = request->arena;
    struct log_line line;
    log_line_begin(&line);
    log_line_field(&line, "time", clock_iso8601_ms(arena, request->received_ms));
    log_line_field(&line, "peer", request->peer_ip);
    log_line_field(&line, "method", request->method);
    struct str path = request->path;
    if (request->query.n) {
        struct str query = access_log_query(request->query, arena);
        path = arena_printf(arena, STR_FMT "?" STR_FMT, STR_ARG(path), STR_ARG(query));
    }
    log_line_field(&line, "path", path);
    add_known(&line, "service", about->service);
    add_known(&line, "operation", about->operation);
    add_known(&line, "route", about->route);
    add_known(&line, "principal", about->principal);
    log_line_field(&line, "status", served->status ? arena_printf(arena, "%d", served->status) : STR("-"));
    log_line_field(&line, "in", arena_printf(arena, "%llu", (unsigned long long)served->bytes_in));
    log_line_field(&line, "out", arena_printf(arena, "%llu", (unsigned long long)served->bytes_out));
    log_line_field(&line, "ms", arena_printf(arena, "%.3f", (double)served->ns / 1e6));
    if (served->cut)
        log_line_field(&line, "cut", STR("true"));
    add_known(&line, "id", about->request_id);
    add_known(&line, "reason", about->reason);
    enqueue_line(log, log_line_end(&line));
}

/* command_status.c -- `cloudless status`: asks the server of a data directory how it is, and shows it as a table. What it knows
 * comes from DIR/endpoint, from the server's own pages, and from what a supervisor left: DIR/supervisor, DIR/obituaries.
 * Exit code: 0 if it serves, 1 if not. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "main/command.h"
#include "main/datadir.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX (8u << 20)
#define ANSWER_SECONDS 5
#define OBITUARY_SHOWN 3

struct status {
    const struct options *options;
    struct arena *arena;
    struct str endpoint, address;   /* the file; HOST:PORT of its URL */
    struct str metrics;
};

/* ---- asking ---- */

static int status_dial(struct str address, struct arena *arena)
{
    size_t colon = address.n;
    while (colon > 0 && address.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return -1;
    struct str host = str_slice(address, 0, colon - 1);
    if (host.p[0] == '[')
        host = str_slice(host, 1, host.n - 1);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(arena_cstr(arena, host), arena_cstr(arena, str_slice(address, colon, address.n)), &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    }
    if (fd >= 0 && connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

/* The body of an answer with a status, or false. */
static bool status_ask(struct status *s, const char *path, int *ret_status, struct str *ret_body)
{
    int fd = status_dial(s->address, s->arena);
    if (fd < 0)
        return false;
    struct buf answer;
    buf_init(&answer, s->arena, ANSWER_BYTES_MAX);
    bool fine = file_write(
        fd, arena_printf(s->arena, "GET %s HTTP/1.1\r\nHost: " STR_FMT "\r\nConnection: close\r\n\r\n", path, STR_ARG(s->address)));
    for (ssize_t n = 1; fine && n > 0 && !answer.failed;) {
        char piece[16384];
        n = read(fd, piece, sizeof piece);
        fine = n >= 0;
        if (n > 0)
            buf_add(&answer, (struct str){piece, (size_t)n});
    }
    close(fd);
    struct str text = buf_str(&answer);
    const char *body = fine && text.n ? memmem(text.p, text.n, "\r\n\r\n", 4) : NULL;
    if (!body || !str_starts(text, STR("HTTP/1.1 ")) || text.n < 12)
        return false;
    *ret_status = atoi(arena_cstr(s->arena, str_slice(text, 9, 12)));
    *ret_body = str_slice(text, (size_t)(body - text.p) + 4, text.n);
    return true;
}

/* ---- reading metrics ---- */

/* The sum of the samples of that name whose labels contain `label` (NULL: any). */
static double metric_sum(const struct status *s, const char *name, const char *label)
{
    struct str rest = s->metrics;
    double sum = 0;
    while (rest.n) {
        struct str line = str_cut(&rest, '\n');
        if (!str_starts(line, str_of(name)) || line.n <= strlen(name) ||
            (line.p[strlen(name)] != ' ' && line.p[strlen(name)] != '{'))
            continue;
        if (label && !memmem(line.p, line.n, label, strlen(label)))
            continue;
        size_t at = line.n;
        while (at > 0 && line.p[at - 1] != ' ')
            at--;
        sum += strtod(arena_cstr(s->arena, str_slice(line, at, line.n)), NULL);
    }
    return sum;
}

/* ---- the table ---- */

static void show_row(const char *name, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void show_row(const char *name, const char *format, ...)
{
    va_list args;
    printf("%-14s", name);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static const char *size_text(struct arena *arena, double bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    size_t unit = 0;
    for (; bytes >= 1024 && unit + 1 < COUNT_OF(units); unit++)
        bytes /= 1024;
    return arena_printf(arena, unit && bytes < 10 ? "%.1f %s" : "%.0f %s", bytes, units[unit]).p;
}

static const char *time_text(struct arena *arena, double seconds)
{
    unsigned long all = seconds > 0 ? (unsigned long)seconds : 0, minutes = all / 60, hours = minutes / 60, days = hours / 24;
    if (days)
        return arena_printf(arena, "%lu d %lu h", days, hours % 24).p;
    if (hours)
        return arena_printf(arena, "%lu h %lu min", hours, minutes % 60).p;
    return minutes ? arena_printf(arena, "%lu min %lu s", minutes, all % 60).p : arena_printf(arena, "%lu s", all).p;
}

static void show_environments(const struct status *s)
{
    static const char *const states[] = {"starting", "init", "idle", "busy", "settling", "ending"};
    struct buf text;
    buf_init(&text, s->arena, 256);
    for (size_t i = 0; i < COUNT_OF(states); i++) {
        double count = metric_sum(s, "cloudless_environments", arena_printf(s->arena, "state=\"%s\"", states[i]).p);
        if (count > 0)
            buf_printf(&text, "%s%.0f %s", text.n ? ", " : "", count, states[i]);
    }
    show_row("environments", STR_FMT, STR_ARG(text.n ? buf_str(&text) : STR("none")));
}

static void show_metrics(const struct status *s)
{
    double started = metric_sum(s, "cloudless_start_time_seconds", NULL), refused = metric_sum(s, "cloudless_refused_total", NULL);
    double failed = metric_sum(s, "cloudless_requests_total", "status=\"5");
    show_row("uptime", "%s", time_text(s->arena, (double)clock_epoch_ms() / 1000 - started));
    show_row("requests", "%.0f, %.0f answered 5xx, %.0f refused", metric_sum(s, "cloudless_requests_total", NULL), failed, refused);
    show_row("connections", "%.0f open", metric_sum(s, "cloudless_connections_open", NULL));
    show_environments(s);
    show_row("store", "%s, %s in files, %.0f writes waiting",
             metric_sum(s, "cloudless_store_writable", NULL) > 0 ? "writable" : "READ-ONLY",
             size_text(s->arena, metric_sum(s, "cloudless_rocksdb_files_bytes", NULL)),
             metric_sum(s, "cloudless_store_queued", NULL));
    show_row("memory", "%s resident, %s held by clients",
             size_text(s->arena, metric_sum(s, "cloudless_resident_memory_bytes", NULL)),
             size_text(s->arena, metric_sum(s, "cloudless_budget_bytes", NULL)));
    show_row("descriptors", "%.0f of %.0f", metric_sum(s, "cloudless_open_fds", NULL), metric_sum(s, "cloudless_max_fds", NULL));
}

/* ---- the supervisor ---- */

static int newest_first(const void *a, const void *b)
{
    return strcmp(*(char *const *)b, *(char *const *)a);
}

static void show_obituaries(const struct status *s)
{
    enum { NAMES_MAX = 256 };
    const char *dir = datadir_path(s->arena, s->options->data, "obituaries");
    char **names = arena_array(s->arena, char *, NAMES_MAX);
    size_t count = 0;
    DIR *open_dir = opendir(dir);
    struct dirent *entry;
    while (open_dir && count < NAMES_MAX && (entry = readdir(open_dir)))
        if (entry->d_name[0] != '.')
            names[count++] = arena_cstr(s->arena, str_of(entry->d_name));
    if (open_dir)
        closedir(open_dir);
    qsort(names, count, sizeof *names, newest_first);
    for (size_t i = 0; i < count && i < OBITUARY_SHOWN; i++) {
        struct str text, time, how, uptime;
        if (datadir_read(dir, names[i], s->arena, &text) != ERR_OK)
            continue;
        time = datadir_value(text, "time");
        how = datadir_value(text, "how");
        uptime = datadir_value(text, "uptime_seconds");
        show_row(i == 0 ? "crashes" : "", STR_FMT " " STR_FMT " after %s", STR_ARG(time), STR_ARG(how),
                 time_text(s->arena, strtod(arena_cstr(s->arena, uptime), NULL)));
    }
    if (count)
        show_row("", "%zu in %s", count, dir);
}

/* What a supervisor that still lives left; STR_NONE: there is none. */
static struct str read_supervisor(const struct status *s)
{
    struct str text = STR_NONE;
    if (datadir_read(s->options->data, "supervisor", s->arena, &text) != ERR_OK)
        return STR_NONE;
    long pid = atol(arena_cstr(s->arena, datadir_value(text, "pid")));
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM) ? text : STR_NONE;
}

static void show_supervisor(const struct status *s, struct str text)
{
    if (text.n)
        show_row("supervisor", "pid " STR_FMT ", " STR_FMT " restarts", STR_ARG(datadir_value(text, "pid")),
                 STR_ARG(datadir_value(text, "restarts")));
    show_obituaries(s);
}

int command_status(const struct options *options, struct arena *arena)
{
    struct status s = {.options = options, .arena = arena};
    struct str health = STR_NONE;
    struct json *tree = NULL;
    int status = 0;
    enum err err = datadir_read(options->data, "endpoint", arena, &s.endpoint);
    if (err != ERR_OK) {
        datadir_say_unread(options->data, "note of a server", err);
        return EXIT_FAILED;
    }
    struct str url = datadir_value(s.endpoint, "url");
    if (!url.n) {
        fprintf(stderr, "cloudless: %s/endpoint is not what a server writes; start `cloudless serve --data %s` again\n",
                options->data, options->data);
        return EXIT_FAILED;
    }
    bool https = str_starts(url, STR("https://"));
    s.address = str_slice(url, https ? 8 : 7, url.n);
    bool there = status_ask(&s, "/_cloudless/health", &status, &health);
    bool answers = there && status != 400 && json_parse(health, arena, &tree) == ERR_OK;
    struct str supervisor = read_supervisor(&s);
    struct str state = answers        ? json_str(tree, "status")
                       : there && https ? STR("serving, by https only")
                       : supervisor.n   ? STR("restarting")
                                        : STR("not running");
    show_row("state", STR_FMT, STR_ARG(state));
    if (answers)
        show_row("version", STR_FMT, STR_ARG(json_str(tree, "version")));
    show_row("url", STR_FMT, STR_ARG(url));
    show_row("data", "%s", options->data);
    if (answers)
        show_row("pid", STR_FMT, STR_ARG(datadir_value(s.endpoint, "pid")));
    int metrics_status = 0;
    if (answers && status_ask(&s, "/_cloudless/metrics", &metrics_status, &s.metrics) && metrics_status == 200)
        show_metrics(&s);
    show_supervisor(&s, supervisor);
    return status == 200 || (there && https && status == 400) ? EXIT_FINE : EXIT_FAILED;
}

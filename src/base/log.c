/* log.c -- writes the lines of log.h: one write(2) a line, so that lines of several threads do not mix. A line longer than
 * LOG_LINE_BYTES ends in "...". A value is quoted if it is empty or has a space, a quote, '=' or a byte that is no
 * printable ASCII; inside quotes `"` and `\` get a backslash, other bytes become \xHH, so a client's text cannot forge
 * a line. The level, and when which event was said last, are atomic; where lines go is set while there is one thread. */
#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/panic.h"
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static atomic_int level_max = LOG_INFO;
static void (*divert_take)(struct str line, void *arg);
static void *divert_arg;

#define SECOND_NS 1000000000u

/* Of the few events that are said seldom. */
static struct log_limit {
    _Atomic(const char *) event;
    _Atomic uint64_t said_ns, unsaid;
} limits[4];

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&level_max, (int)level, memory_order_relaxed);
}

bool log_level_parse(const char *name, enum log_level *ret)
{
    for (size_t i = 0; i < COUNT_OF(level_names); i++) {
        if (strcmp(name, level_names[i]) != 0)
            continue;
        *ret = (enum log_level)i;
        return true;
    }
    return false;
}

bool log_on(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&level_max, memory_order_relaxed);
}

/* That of the event, or a free one that is its own from now on. */
static struct log_limit *limit_of(const char *event)
{
    for (size_t i = 0; i < COUNT_OF(limits); i++) {
        const char *none = NULL, *own = atomic_load_explicit(&limits[i].event, memory_order_relaxed);
        if (own == event || (!own && atomic_compare_exchange_strong(&limits[i].event, &none, event)) || none == event)
            return &limits[i];
    }
    UNREACHABLE();
}

bool log_due(const char *event, uint64_t *ret_times)
{
    struct log_limit *limit = limit_of(event);
    uint64_t now = clock_mono_ns(), said = atomic_load_explicit(&limit->said_ns, memory_order_relaxed);
    atomic_fetch_add_explicit(&limit->unsaid, 1, memory_order_relaxed);
    if ((said && now < said + SECOND_NS) || !atomic_compare_exchange_strong(&limit->said_ns, &said, now))
        return false;
    *ret_times = atomic_exchange_explicit(&limit->unsaid, 0, memory_order_relaxed);
    return true;
}

void log_line_begin(struct log_line *line)
{
    line->n = 0;
    line->cut = false;
}

void log_line_add(struct log_line *line, struct str s)
{
    size_t room = sizeof line->text - sizeof "...\n" - line->n;
    if (s.n > room) {
        line->cut = true;
        s.n = room;
    }
    if (s.n)
        memcpy(line->text + line->n, s.p, s.n);
    line->n += s.n;
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '=' || s.p[i] == '\\')
            return false;
    return s.n > 0;
}

static void line_add_value(struct log_line *line, struct str s)
{
    if (is_plain(s)) {
        log_line_add(line, s);
        return;
    }
    log_line_add(line, STR("\""));
    for (size_t i = 0; i < s.n && !line->cut; i++) {
        char text[8];
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            snprintf(text, sizeof text, "\\%c", c);
        else if (c >= ' ' && c <= '~')
            snprintf(text, sizeof text, "%c", c);
        else
            snprintf(text, sizeof text, "\\x%02x", c);
        log_line_add(line, str_of(text));
    }
    log_line_add(line, STR("\""));
}

void log_line_field(struct log_line *line, const char *key, struct str value)
{
    if (line->n)
        log_line_add(line, STR(" "));
    log_line_add(line, str_of(key));
    log_line_add(line, STR("="));
    line_add_value(line, value);
}

struct str log_line_end(struct log_line *line)
{
    if (line->cut) {
        memcpy(line->text + line->n, "...", 3);
        line->n += 3;
    }
    line->text[line->n++] = '\n';
    return (struct str){line->text, line->n};
}

void log_line_stamp(struct log_line *line, enum log_level level, const char *event)
{
    struct arena *arena = arena_new();
    log_line_add(line, clock_iso8601_ms(arena, clock_epoch_ms()));
    arena_free(arena);
    log_line_add(line, STR(" "));
    log_line_add(line, str_of(level_names[level]));
    log_line_add(line, STR(" "));
    log_line_add(line, str_of(event));
}

void log_divert(void (*take)(struct str line, void *arg), void *arg)
{
    divert_take = take;
    divert_arg = arg;
}

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    if (!log_on(level))
        return;
    struct log_line line;
    log_line_begin(&line);
    log_line_stamp(&line, level, event);
    for (size_t i = 0; i < count; i++)
        log_line_field(&line, fields[i].key, fields[i].value);
    struct str text = log_line_end(&line);
    if (divert_take) {
        divert_take(text, divert_arg);
        return;
    }
    ssize_t written = write(STDERR_FILENO, text.p, text.n);
    (void)written;      /* a full or closed stderr must not stop the server */
}

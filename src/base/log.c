/* log.c -- writes the lines of log.h: one write(2) a line, so that lines of several threads do not mix. A line longer than
 * LINE_MAX_BYTES ends in "...". A value is quoted if it is empty or has a space, a quote, '=' or a byte that is no
 * printable ASCII; inside quotes `"` and `\` get a backslash, other bytes become \xHH, so a client's text cannot forge
 * a line. The level is the only state, and atomic. */
#include "base/log.h"
#include "base/buf.h"
#include "base/clock.h"
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

static const char *const level_names[] = {"error", "warn", "info", "debug"};
static atomic_int level_max = LOG_INFO;

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

struct line {
    char text[LINE_MAX_BYTES];
    size_t n;
    bool cut;
};

static void line_add(struct line *line, struct str s)
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

static void line_add_value(struct line *line, struct str s)
{
    if (is_plain(s)) {
        line_add(line, s);
        return;
    }
    line_add(line, STR("\""));
    for (size_t i = 0; i < s.n && !line->cut; i++) {
        char text[8];
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\')
            snprintf(text, sizeof text, "\\%c", c);
        else if (c >= ' ' && c <= '~')
            snprintf(text, sizeof text, "%c", c);
        else
            snprintf(text, sizeof text, "\\x%02x", c);
        line_add(line, str_of(text));
    }
    line_add(line, STR("\""));
}

void log_event(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    if (!log_on(level))
        return;
    struct line line;
    line.n = 0;
    line.cut = false;
    struct arena *arena = arena_new();
    line_add(&line, clock_iso8601_ms(arena, clock_epoch_ms()));
    arena_free(arena);
    line_add(&line, STR(" "));
    line_add(&line, str_of(level_names[level]));
    line_add(&line, STR(" "));
    line_add(&line, str_of(event));
    for (size_t i = 0; i < count; i++) {
        line_add(&line, STR(" "));
        line_add(&line, str_of(fields[i].key));
        line_add(&line, STR("="));
        line_add_value(&line, fields[i].value);
    }
    if (line.cut) {
        memcpy(line.text + line.n, "...", 3);
        line.n += 3;
    }
    line.text[line.n++] = '\n';
    ssize_t written = write(STDERR_FILENO, line.text, line.n);
    (void)written;      /* a full or closed stderr must not stop the server */
}

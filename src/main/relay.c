/* relay.c -- see relay.h. The descriptor is shared with others, so it cannot be made non-blocking; but after poll a write of
 * up to PIPE_BUF bytes does not wait (pipe(7): a pipe polls writable when that much fits; files always do). */
#include "main/relay.h"
#include "base/clock.h"
#include "base/log.h"
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

void relay_init(struct relay *relay, int fd)
{
    relay->fd = fd;
    relay->n = 0;
    relay->within_line = false;
    relay->lines_lost = 0;
}

bool relay_waits(const struct relay *relay)
{
    return relay->n > 0;
}

static void lose(struct relay *relay, struct str bytes)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < bytes.n; i++)
        lines += bytes.p[i] == '\n';
    relay->lines_lost += lines ? lines : 1;
}

static bool is_writable(const struct relay *relay, int ms)
{
    struct pollfd fd = {relay->fd, POLLOUT, 0};
    return poll(&fd, 1, ms) > 0;
}

static void write_waiting(struct relay *relay)
{
    while (relay->n && is_writable(relay, 0)) {
        ssize_t n = write(relay->fd, relay->bytes, relay->n < PIPE_BUF ? relay->n : PIPE_BUF);
        if (n <= 0) {           /* nobody reads any more, or its disk is full */
            lose(relay, (struct str){relay->bytes, relay->n});
            relay->n = 0;
            return;
        }
        relay->within_line = relay->bytes[n - 1] != '\n';
        relay->n -= (size_t)n;
        memmove(relay->bytes, relay->bytes + n, relay->n);
    }
}

static void say_lost(struct relay *relay)
{
    char count[24];
    struct log_line line;
    snprintf(count, sizeof count, "%llu", (unsigned long long)relay->lines_lost);
    log_line_begin(&line);
    if (relay->within_line)
        log_line_add(&line, STR("\n"));
    log_line_stamp(&line, LOG_WARN, "supervisor.lines_lost");
    log_line_field(&line, "count", str_of(count));
    struct str text = log_line_end(&line);
    memcpy(relay->bytes, text.p, text.n);
    relay->n = text.n;
    relay->lines_lost = 0;
}

void relay_flush(struct relay *relay)
{
    write_waiting(relay);
    if (relay->n == 0 && relay->lines_lost && is_writable(relay, 0)) {
        say_lost(relay);
        write_waiting(relay);
    }
}

void relay_add(struct relay *relay, struct str bytes)
{
    if (bytes.n <= sizeof relay->bytes - relay->n) {
        memcpy(relay->bytes + relay->n, bytes.p, bytes.n);
        relay->n += bytes.n;
    } else {
        lose(relay, bytes);
    }
    relay_flush(relay);
}

void relay_end(struct relay *relay, unsigned ms)
{
    uint64_t until = clock_mono_ns() + ms * 1000000ull;
    relay_flush(relay);
    for (uint64_t now; relay->n && (now = clock_mono_ns()) < until;)
        if (is_writable(relay, (int)((until - now) / 1000000) + 1))
            relay_flush(relay);
}

/* run_input.c -- the events of `cloudless run`: whole files, or the lines of stdin.
 *
 * Reading never waits, so that the loop goes on: bytes are taken while poll says that there are some; else `wait_fd`, an
 * epoll of the descriptor, is watched. The descriptor itself is not: a watch makes it non-blocking, which would reach the
 * terminal and everybody who shares it. Every event is checked to be JSON, as Lambda does. */
#include "base/json.h"
#include "base/panic.h"
#include "main/run.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define EVENT_BYTES_MAX (6u << 20)      /* Lambda quota: payload of a synchronous invocation */
#define INPUT_READ_BYTES      65536
#define SHOWN_BYTES     40              /* of what is no JSON */

void run_input_init(struct run_input *input, const struct options *options)
{
    *input = (struct run_input){.options = options, .fd = -1, .wait_fd = -1, .lines = options->event_count == 0};
    input->fd = input->lines ? STDIN_FILENO : -1;
}

static bool is_stdin(const char *path)
{
    return strcmp(path, "-") == 0;
}

static void close_source(struct run_input *input)
{
    if (input->fd > STDIN_FILENO)
        close(input->fd);
    if (input->wait_fd >= 0)
        close(input->wait_fd);
    input->fd = input->wait_fd = -1;
    input->from = input->n = 0;
    input->ended = false;
}

void run_input_clear(struct run_input *input)
{
    close_source(input);
    free(input->bytes);
}

bool run_input_rewind(struct run_input *input)
{
    bool standard = input->lines;
    for (size_t i = 0; i < input->options->event_count; i++)
        standard = standard || is_stdin(input->options->events[i]);
    if (standard)
        return false;
    close_source(input);
    input->next_file = 0;
    return true;
}

static enum run_got wrong(const struct run_input *input, const char *what)
{
    fprintf(stderr, "cloudless: %s%s\n", input->where, what);
    return RUN_WRONG;
}

static enum run_got failed(const struct run_input *input)
{
    fprintf(stderr, "cloudless: %s: %s\n", input->where, strerror(errno));
    return RUN_WRONG;
}

static enum run_got open_next(struct run_input *input)
{
    if (input->lines || input->next_file == input->options->event_count)
        return RUN_END;
    const char *path = input->options->events[input->next_file++];
    snprintf(input->where, sizeof input->where, "%s", is_stdin(path) ? "stdin" : path);
    input->fd = is_stdin(path) ? STDIN_FILENO : open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    return input->fd < 0 ? failed(input) : RUN_EVENT;
}

static enum run_got wait_for_more(struct run_input *input)
{
    struct epoll_event readable = {.events = EPOLLIN};
    if (input->wait_fd < 0) {
        input->wait_fd = epoll_create1(EPOLL_CLOEXEC);
        if (input->wait_fd < 0 || epoll_ctl(input->wait_fd, EPOLL_CTL_ADD, input->fd, &readable) != 0)
            return failed(input);
    }
    return RUN_WAIT;
}

/* Reads once. RUN_EVENT: there is more than before, or the end. */
static enum run_got read_more(struct run_input *input)
{
    struct pollfd source = {.fd = input->fd, .events = POLLIN};
    if (input->from > 0) {
        memmove(input->bytes, input->bytes + input->from, input->n - input->from);
        input->n -= input->from;
        input->from = 0;
    }
    if (input->n > EVENT_BYTES_MAX)
        return wrong(input, " has more than Lambda's 6 MB");
    if (poll(&source, 1, 0) == 0)
        return wait_for_more(input);
    if (input->cap - input->n < INPUT_READ_BYTES) {
        input->cap = 2 * input->cap + INPUT_READ_BYTES;
        input->bytes = mem_realloc(input->bytes, input->cap);
    }
    ssize_t n = read(input->fd, input->bytes + input->n, INPUT_READ_BYTES);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? wait_for_more(input) : failed(input);
    input->n += (size_t)n;
    input->ended = n == 0;
    return RUN_EVENT;
}

static enum run_got not_json(const struct run_input *input, struct str text)
{
    char shown[SHOWN_BYTES + 1] = "";
    size_t n = text.n < SHOWN_BYTES ? text.n : SHOWN_BYTES;
    for (size_t i = 0; i < n; i++)
        shown[i] = isprint((unsigned char)text.p[i]) ? text.p[i] : ' ';
    fprintf(stderr, "cloudless: %s is no JSON: %s%s%s\n", input->where, shown, n < text.n ? "..." : "",
            input->lines ? " (a line is an event; with --event - the whole of stdin is one)" : "");
    return RUN_WRONG;
}

static enum run_got input_check(struct run_input *input, struct str text)
{
    if (text.n == 0)
        return wrong(input, " holds no event");
    if (text.n > EVENT_BYTES_MAX)
        return wrong(input, " has more than Lambda's 6 MB");
    struct arena *arena = arena_new();
    bool json = json_check(text, arena) == ERR_OK;
    arena_free(arena);
    input->any = true;
    return json ? RUN_EVENT : not_json(input, text);
}

/* A line that is not blank. RUN_EVENT: *ret has it. */
static enum run_got next_line(struct run_input *input, struct str *ret)
{
    for (;;) {
        struct str rest = str_slice((struct str){input->bytes, input->n}, input->from, input->n);
        size_t length = str_find(rest, '\n');
        if (length == rest.n && !input->ended) {
            snprintf(input->where, sizeof input->where, "line %zu of stdin", input->line + 1);
            enum run_got got = read_more(input);
            if (got != RUN_EVENT)
                return got;
            continue;
        }
        if (rest.n == 0)
            return RUN_END;
        *ret = str_trim(str_slice(rest, 0, length));
        input->from += length < rest.n ? length + 1 : length;
        snprintf(input->where, sizeof input->where, "line %zu of stdin", ++input->line);
        if (ret->n > 0)
            return input_check(input, *ret);
    }
}

static enum run_got next_file(struct run_input *input, struct str *ret)
{
    enum run_got got = RUN_EVENT;
    if (input->fd >= 0 && input->ended)
        close_source(input);
    if (input->fd < 0)
        got = open_next(input);
    while (got == RUN_EVENT && !input->ended)
        got = read_more(input);
    if (got != RUN_EVENT)
        return got;
    *ret = str_trim((struct str){input->bytes, input->n});
    return input_check(input, *ret);
}

enum run_got run_input_next(struct run_input *input, struct str *ret)
{
    enum run_got got = input->lines ? next_line(input, ret) : next_file(input, ret);
    if (got != RUN_END || input->any)
        return got;
    fprintf(stderr, "cloudless: stdin held no event\n");
    return RUN_WRONG;
}

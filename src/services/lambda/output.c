/* output.c -- one line printed is one log event, and so is one record of the log channel, with its newlines and its own time; a
 * longer one than an event may be is split between characters, and bytes that are none become U+FFFD. Events are kept only if the
 * execution role may write them, as on AWS: logs:CreateLogStream and logs:PutLogEvents on the stream, and logs:CreateLogGroup when
 * the group has to be made; the decision is asked for again now and then, by whoever may read the store. The last 4 KB since the
 * invocation's start are its tail, role or not. */
#include "services/lambda/output.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/log.h"
#include "base/panic.h"
#include "auth/auth.h"
#include "base/arn.h"
#include "net/loop.h"
#include "services/lambda/log_frames.h"
#include "services/logs/logs.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE_BYTES_MAX ((1u << 20) - 26) /* CloudWatch Logs quota: event size */
#define LINE_BYTES_KEPT (16u << 10)      /* of memory between lines */
#define RECORD_AGE_MS_MAX 60000          /* a record says when it was written; not believed further back, nor of the future */

/* ---- permission ---- */

static struct str log_group(struct arena *arena, const struct lambda__function *function)
{
    return arena_printf(arena, "/aws/lambda/" STR_FMT, STR_ARG(function->name));
}

static bool role_may(struct auth *auth, const struct principal *principal, const char *action, struct str resource,
                     struct arena *arena)
{
    struct policy_request request = {.action = str_of(action), .resource = resource, .principal = principal};
    struct str message;
    return auth_authorize(auth, &request, STR_NONE, arena, &message) == ERR_OK;
}

void lambda__log_permission_ask(struct auth *auth, const struct lambda__function *f, struct str stream_name,
                                const struct principal *principal, struct lambda__log_permission *ret)
{
    struct arena *arena = arena_new();
    struct str name = log_group(arena, f);
    struct str group = arn_make(arena, "logs", f->region, f->account, "log-group:" STR_FMT ":log-stream:", STR_ARG(name));
    struct str stream = arena_printf(arena, STR_FMT STR_FMT, STR_ARG(group), STR_ARG(stream_name));
    ret->may_write = role_may(auth, principal, "logs:CreateLogStream", stream, arena) &&
                     role_may(auth, principal, "logs:PutLogEvents", stream, arena);
    ret->may_make_group = ret->may_write && role_may(auth, principal, "logs:CreateLogGroup", group, arena);
    ret->asked_ms = clock_epoch_ms();
    arena_free(arena);
}

/* ---- output ---- */

struct lambda__output {
    struct logs *logs;
    struct lambda__function *function;
    struct arena *arena;
    struct str stream, group;
    struct lambda__log_permission permission;
    int64_t permission_ms;
    void (*stale)(void *arg);
    void *arg;
    struct unfinished { /* an event that is not whole yet */
        struct buf text;
        int64_t time_ms; /* 0: when it comes */
    } line, record;      /* what was printed since the last newline; of the log channel */
    struct lambda__frames frames;
    char tail[LAMBDA_LOG_TAIL_BYTES];           /* ring */
    uint64_t tail_written;                      /* bytes since the invocation's start */
};

struct lambda__output *lambda__output_new(struct logs *logs, struct lambda__function *function, struct str stream,
                                          const struct lambda__log_permission *permission, uint64_t permission_ms,
                                          void (*stale)(void *arg), void *arg)
{
    struct lambda__output *o = mem_zalloc(sizeof *o);
    o->logs = logs;
    o->function = lambda__function_ref(function);
    o->arena = arena_new();
    o->stream = arena_dup(o->arena, stream);
    o->group = log_group(o->arena, function);
    o->permission = *permission;
    o->permission_ms = (int64_t)permission_ms;
    o->stale = stale;
    o->arg = arg;
    buf_init(&o->line.text, NULL, LINE_BYTES_MAX + 1);
    buf_init(&o->record.text, NULL, LINE_BYTES_MAX + 1);
    return o;
}

void lambda__output_permit(struct lambda__output *output, const struct lambda__log_permission *permission)
{
    output->permission = *permission;
}

void lambda__output_free(struct lambda__output **output)
{
    struct lambda__output *o = *output;
    *output = NULL;
    if (!o)
        return;
    lambda__output_end(o);
    buf_clear(&o->line.text);
    buf_clear(&o->record.text);
    lambda__function_unref(&o->function);
    arena_free(o->arena);
    free(o);
}

static void keep_tail(struct lambda__output *o, struct str text)
{
    o->tail_written += text.n;
    if (text.n > LAMBDA_LOG_TAIL_BYTES)
        text = str_slice(text, text.n - LAMBDA_LOG_TAIL_BYTES, text.n);
    uint64_t at = o->tail_written - text.n;
    for (size_t i = 0; i < text.n; i++)
        o->tail[(at + i) % LAMBDA_LOG_TAIL_BYTES] = text.p[i];
}

/* Once, until the function changes: whoever looks for its output in vain finds out why. */
static void tell_unlogged(struct lambda__function *f)
{
    if (!atomic_exchange(&f->told_unlogged, true))
        log_to(LOG_WARN, "lambda.output_lost", {"function", f->arn}, {"role", f->role},
               {"reason", STR("the role may not do logs:CreateLogStream and logs:PutLogEvents")},
               {"remedy", STR("attach the policy AWSLambdaBasicExecutionRole")});
}

static void output_event(struct lambda__output *o, struct str text, int64_t time_ms)
{
    int64_t now = loop_now_ms(), at = time_ms > now || time_ms < now - RECORD_AGE_MS_MAX ? now : time_ms;
    if (now - o->permission.asked_ms >= o->permission_ms)
        o->stale(o->arg);
    keep_tail(o, text);
    if (!o->permission.may_write) {
        tell_unlogged(o->function);
        return;
    }
    struct arena *arena = arena_new();
    text = utf8_mended(text, arena);            /* may be longer now than an event may be */
    for (struct str piece; text.n; text = str_slice(text, piece.n, text.n)) {
        piece = str_slice(text, 0, LINE_BYTES_MAX);
        piece.n -= piece.n < text.n ? utf8_unfinished(piece) : 0;
        logs_append(o->logs, o->function->account, o->function->region, o->group, o->stream, at, piece,
                    o->permission.may_make_group);
    }
    arena_free(arena);
}

static void end_event(struct lambda__output *o, struct unfinished *event)
{
    if (event->text.n)
        output_event(o, buf_str(&event->text), event->time_ms);
    bool large = event->text.n > LINE_BYTES_KEPT;
    buf_reset(&event->text);
    if (large)
        buf_clear(&event->text);
}

/* It is as long as an event may be: what is there of its last character begins the next one. */
static void split_event(struct lambda__output *o, struct unfinished *event)
{
    char rest[4];
    size_t n = utf8_unfinished(buf_str(&event->text));
    memcpy(rest, event->text.p + event->text.n - n, n);
    event->text.n -= n;
    end_event(o, event);
    buf_add(&event->text, (struct str){rest, n});
}

/* Returns what it cost beside its bytes. */
static size_t add_bytes(struct lambda__output *o, struct unfinished *event, struct str bytes)
{
    size_t cost = 0;
    for (;;) {
        struct str now = str_slice(bytes, 0, LINE_BYTES_MAX - event->text.n);
        buf_add(&event->text, now);
        bytes = str_slice(bytes, now.n, bytes.n);
        if (!bytes.n)
            return cost;
        split_event(o, event);
        cost += LAMBDA_LINE_COST;
    }
}

static size_t add_lines(struct lambda__output *o, struct unfinished *line, struct str bytes)
{
    size_t cost = 0;
    while (bytes.n) {
        size_t n = str_find(bytes, '\n');
        bool whole = n < bytes.n;
        cost += add_bytes(o, line, str_slice(bytes, 0, n + whole));
        bytes = str_slice(bytes, n + whole, bytes.n);
        if (whole)
            end_event(o, line);
        cost += whole ? LAMBDA_LINE_COST : 0;
    }
    return cost;
}

size_t lambda__output_bytes(struct lambda__output *o, struct str bytes)
{
    return bytes.n + add_lines(o, &o->line, bytes);
}

static size_t add_log_piece(struct lambda__output *o, const struct lambda__log_piece *piece)
{
    if (piece->kind == LOG_PIECE_TEXT)
        return add_lines(o, &o->record, piece->bytes);
    if (piece->begins) {
        end_event(o, &o->record); /* text without its newline */
        o->record.time_ms = (int64_t)(piece->time_us / 1000);
    }
    size_t cost = add_bytes(o, &o->record, piece->bytes);
    if (!piece->ends)
        return cost;
    end_event(o, &o->record);
    o->record.time_ms = 0;
    return cost + LAMBDA_LINE_COST;
}

size_t lambda__output_records(struct lambda__output *o, struct str bytes)
{
    size_t cost = bytes.n;
    for (struct lambda__log_piece piece;;) {
        lambda__frames_split(&o->frames, &bytes, &piece);
        if (piece.kind == LOG_PIECE_NONE)
            return cost;
        cost += add_log_piece(o, &piece);
    }
}

void lambda__output_end(struct lambda__output *o)
{
    struct lambda__log_piece last;
    lambda__frames_end(&o->frames, &last);
    if (last.kind == LOG_PIECE_TEXT)
        add_lines(o, &o->record, last.bytes);
    end_event(o, &o->record);
    end_event(o, &o->line);
}

void lambda__output_line(struct lambda__output *o, const char *format, ...)
{
    char text[1024];
    va_list args;
    end_event(o, &o->line);
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    output_event(o, (struct str){text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1}, 0);
}

void lambda__output_tail_start(struct lambda__output *o)
{
    o->tail_written = 0;
}

struct str lambda__output_tail(struct lambda__output *o, struct arena *arena)
{
    size_t n = o->tail_written < LAMBDA_LOG_TAIL_BYTES ? (size_t)o->tail_written : LAMBDA_LOG_TAIL_BYTES;
    char *text = arena_alloc(arena, n + 1);
    for (size_t i = 0; i < n; i++)
        text[i] = o->tail[(o->tail_written - n + i) % LAMBDA_LOG_TAIL_BYTES];
    return (struct str){text, n};
}

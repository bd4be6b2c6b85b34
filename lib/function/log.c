/* log.c -- a log line: built on the stack, without malloc, so that it can tell of a lack of memory; one write(2).
 *
 * Order: timestamp, level, requestId, message, the caller's members. Members that would repeat one of ours are left out, and
 * all of them when they do not fit beside the message; the message is cut to what is left, at a code point. Line breaks within
 * a member (of CL_RAW) become spaces, which JSON takes for the same. */
#include "cloudless/log.h"
#include "internal.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <unistd.h>

#define LINE_MAX_BYTES 16384
#define MEMBERS_MAX    8192         /* as they are written */
#define TAIL           2            /* "}\n" */

static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};

cl_str cl__request_id;

static const char *const variables[] = {"LOG_LEVEL", "AWS_LAMBDA_LOG_LEVEL"};

static bool level_of(const char *text, cl_level *ret)
{
    for (size_t i = 0; text && i < CL__COUNT(names); i++)
        if (strcasecmp(text, names[i]) == 0) {
            *ret = (cl_level)i;
            return true;
        }
    return false;
}

static cl_level threshold(void)
{
    cl_level level = CL_INFO;
    for (size_t i = 0; i < CL__COUNT(variables); i++)
        if (level_of(getenv(variables[i]), &level))
            break;
    return level;
}

void cl__log_check(void)
{
    cl_level level;
    for (size_t i = 0; i < CL__COUNT(variables); i++) {
        const char *text = getenv(variables[i]);
        if (text && *text && !level_of(text, &level))
            cl_log(CL_WARN,
                   "environment variable %s is \"%.64s\", which is no level: expected TRACE, DEBUG, INFO, WARN, ERROR or FATAL",
                   variables[i], text);
    }
}

bool cl_log_enabled(cl_level level)
{
    return level >= threshold();
}

static bool is_ours(cl_str name)
{
    static const char *const ours[] = {"timestamp", "level", "requestId", "message"};
    for (size_t i = 0; i < CL__COUNT(ours); i++)
        if (cl_str_is(name, ours[i]))
            return true;
    return false;
}

/* ,"name":value for each member of ours not. Empty when they are too many. */
static cl_str write_members(const cl_json *members, char *to, size_t n)
{
    cl_buf buf;
    cl__buf_fixed(&buf, to, n);
    if (cl_json_is(members, CL_OBJECT))
        for CL_JSON_EACH(member, members) {
            if (is_ours(member->key))
                continue;
            cl_buf_addc(&buf, ',');
            cl__json_quote(&buf, member->key);
            cl_buf_addc(&buf, ':');
            cl_json_write(&buf, member);
        }
    for (size_t i = 0; i < buf.n; i++)
        if (to[i] == '\n' || to[i] == '\r')
            to[i] = ' ';
    return cl_buf_str(&buf);
}

/* The message as a JSON string, as much of it as fits before `last` bytes of buf are used. One that does not fit as a whole is
 * bisected: 15 tries for 16 KiB. */
static void write_message(cl_buf *buf, cl_str message, size_t last)
{
    size_t begin = buf->n, max = buf->max, fits = 0, too_long = message.n + 1;
    buf->max = last;
    for (size_t n = message.n;; n = (fits + too_long) / 2) {
        cl__json_quote(buf, cl__utf8_cut(message, n));
        *(buf->failed ? &too_long : &fits) = n;
        if (fits == n && too_long - fits <= 1)
            break;
        buf->failed = false;
        cl__buf_cut(buf, begin);
    }
    buf->max = max;
}

static void write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        p += done, n -= (size_t)done;
    }
}

CL_PRINTF(3, 0)
static void log_line(cl_level level, const cl_json *members, const char *format, va_list args)
{
    char line[LINE_MAX_BYTES], text[LINE_MAX_BYTES], more[MEMBERS_MAX], now[32];
    cl_buf buf;
    int saved = errno;
    int n = vsnprintf(text, sizeof text, format, args);
    cl_str message = {text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1};
    cl_str tail = write_members(members, more, sizeof more);
    cl__iso8601(now, cl_now_ms(), true);
    cl__buf_fixed(&buf, line, sizeof line);
    cl_buf_printf(&buf, "{\"timestamp\":\"%s\",\"level\":\"%s\",", now, names[(size_t)level < CL__COUNT(names) ? level : CL_FATAL]);
    if (cl__request_id.n) {
        cl_buf_adds(&buf, "\"requestId\":");
        cl__json_quote(&buf, cl__request_id);
        cl_buf_addc(&buf, ',');
    }
    cl_buf_adds(&buf, "\"message\":");
    write_message(&buf, message, buf.max - tail.n - TAIL);
    cl_buf_add(&buf, tail);
    cl_buf_adds(&buf, "}\n");
    write_all(line, buf.failed ? 0 : buf.n);
    errno = saved;
}

void cl_log(cl_level level, const char *format, ...)
{
    if (!cl_log_enabled(level))
        return;
    va_list args;
    va_start(args, format);
    log_line(level, NULL, format, args);
    va_end(args);
}

void cl_log_with(cl_level level, const cl_json *members, const char *format, ...)
{
    if (!cl_log_enabled(level))
        return;
    va_list args;
    va_start(args, format);
    log_line(level, members, format, args);
    va_end(args);
}

void cl__misused(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    log_line(CL_FATAL, NULL, format, args);
    va_end(args);
    abort();
}

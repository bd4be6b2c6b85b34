/* text.c -- encodings (base64 of RFC 4648, UTF-8 of RFC 3629, UUID of RFC 9562), time and randomness.
 *
 * Dates are made by arithmetic over the 400-year cycle of the Gregorian calendar: the C library's way reads the time zone's
 * file first, which costs memory and a cold start. */
#include "internal.h"
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

/* ---- base64 ---- */

static const char alphabets[2][65] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                                      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};

cl_str cl_base64(cl_arena *arena, cl_str bytes, bool url)
{
    const char *alphabet = alphabets[url];
    const unsigned char *in = (const unsigned char *)bytes.p;
    size_t rest = bytes.n % 3, n = bytes.n / 3 * 4 + (rest == 0 ? 0 : url ? rest + 1 : 4);
    char *p = bytes.n > SIZE_MAX / 2 ? NULL : cl__take(arena, n + 1, 1), *out = p;
    if (!p)
        return (cl_str){NULL, 0};
    for (size_t i = 0; i + 2 < bytes.n; i += 3, out += 4) {
        uint32_t v = (uint32_t)in[i] << 16 | (uint32_t)in[i + 1] << 8 | in[i + 2];
        for (int k = 0; k < 4; k++)
            out[k] = alphabet[v >> (18 - 6 * k) & 63];
    }
    if (rest) {
        const unsigned char *last = in + bytes.n - rest;
        uint32_t v = (uint32_t)last[0] << 16 | (rest == 2 ? (uint32_t)last[1] << 8 : 0);
        for (size_t k = 0; k <= rest; k++)
            *out++ = alphabet[v >> (18 - 6 * k) & 63];
        for (size_t k = rest; k < 3 && !url; k++)
            *out++ = '=';
    }
    p[n] = 0;
    return (cl_str){p, n};
}

/* Value of a character, or 64. */
static unsigned digit_of(unsigned char c, bool url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26u;
    if (c >= '0' && c <= '9')
        return c - '0' + 52u;
    return c == (url ? '-' : '+') ? 62 : c == (url ? '_' : '/') ? 63 : 64;
}

/* Strict: the right padding or none at all (url), no other characters, and unused bits are zero. */
cl_result cl_base64_decode(cl_arena *arena, cl_str text, bool url, cl_str *ret)
{
    size_t n = text.n;
    if (!url) {
        if (n % 4)
            return CL_INVALID;
        for (int k = 0; k < 2 && n && text.p[n - 1] == '='; k++)
            n--;
    }
    size_t rest = n % 4;
    if (rest == 1)
        return CL_INVALID;
    size_t bytes = n / 4 * 3 + (rest ? rest - 1 : 0);
    unsigned char *p = cl__take(arena, bytes + 1, 1), *out = p;
    if (!p)
        return CL_NO_MEMORY;
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned d = digit_of((unsigned char)text.p[i], url);
        if (d == 64)
            return CL_INVALID;
        v = v << 6 | d;
        if (i % 4 == 3)
            *out++ = (unsigned char)(v >> 16), *out++ = (unsigned char)(v >> 8), *out++ = (unsigned char)v, v = 0;
    }
    if ((rest == 2 && (v & 15)) || (rest == 3 && (v & 3)))
        return CL_INVALID;
    if (rest == 2)
        *out = (unsigned char)(v >> 4);
    if (rest == 3)
        out[0] = (unsigned char)(v >> 10), out[1] = (unsigned char)(v >> 2);
    p[bytes] = 0;
    *ret = (cl_str){(const char *)p, bytes};
    return CL_OK;
}

/* ---- UTF-8 ---- */

size_t cl__utf8_next(const char *text, size_t n)
{
    /* Per first byte: how many follow, and between what the first of them lies (RFC 3629, section 4). */
    static const struct {
        unsigned char from, to, more, low, high;
    } rows[] = {{0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f},
                {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf}, {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f}};
    const unsigned char *p = (const unsigned char *)text;
    if (n == 0)
        return 0;
    if (p[0] < 0x80)
        return 1;
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        if (p[0] < rows[i].from || p[0] > rows[i].to)
            continue;
        size_t more = rows[i].more;
        if (n <= more || p[1] < rows[i].low || p[1] > rows[i].high)
            return 0;
        for (size_t k = 2; k <= more; k++)
            if ((p[k] & 0xc0) != 0x80)
                return 0;
        return more + 1;
    }
    return 0;
}

bool cl_utf8_valid(cl_str s)
{
    for (size_t i = 0; i < s.n;) {
        if ((unsigned char)s.p[i] < 0x80) {
            i++;
            continue;
        }
        size_t n = cl__utf8_next(s.p + i, s.n - i);
        if (n == 0)
            return false;
        i += n;
    }
    return true;
}

cl_str cl__utf8_cut(cl_str s, size_t n)
{
    if (n >= s.n)
        n = s.n;
    /* Back over the continuation bytes of a code point that is not whole, at most three. */
    size_t start = n;
    while (start > 0 && n - start < 3 && ((unsigned char)s.p[start - 1] & 0xc0) == 0x80)
        start--;
    if (start > 0 && (unsigned char)s.p[start - 1] >= 0xc0 && cl__utf8_next(s.p + start - 1, n - start + 1) == 0)
        n = start - 1;
    return (cl_str){s.p, n};
}

void cl__add_name(cl_buf *buf, cl_str name)
{
    name = cl__utf8_cut(name, CL__NAME_SHOWN);
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f)
            cl_buf_printf(buf, "\\u%04x", (unsigned)name.p[i]);
        else
            cl_buf_addc(buf, name.p[i]);
}

bool cl__ieq(cl_str a, cl_str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        unsigned char x = (unsigned char)a.p[i], y = (unsigned char)b.p[i];
        x = x >= 'A' && x <= 'Z' ? x + 32 : x;
        y = y >= 'A' && y <= 'Z' ? y + 32 : y;
        if (x != y)
            return false;
    }
    return true;
}

/* ---- randomness ---- */

bool cl__random(void *to, size_t n)
{
    char *p = to;
    while (n > 0) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        p += got, n -= (size_t)got;
    }
    return true;
}

cl_str cl_uuid(cl_arena *arena)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char bytes[16];
    char *p = cl__take(arena, 37, 1), *out = p;
    if (!p || !cl__random(bytes, sizeof bytes)) {
        cl__arena_fail(arena);
        return (cl_str){NULL, 0};
    }
    bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);       /* version */
    bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);       /* variant */
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = hex[bytes[i] >> 4];
        *out++ = hex[bytes[i] & 15];
    }
    *out = 0;
    return (cl_str){p, 36};
}

/* ---- time ---- */

static int64_t clock_ms(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        return 0;
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t cl_now_ms(void)
{
    return clock_ms(CLOCK_REALTIME);
}

int64_t cl__mono_ms(void)
{
    return clock_ms(CLOCK_MONOTONIC);
}

int64_t cl__deadline_of(int64_t epoch_ms)
{
    int64_t left;
    if (epoch_ms == CL__NO_DEADLINE)
        return CL__NO_DEADLINE;
    if (epoch_ms < 0 || __builtin_sub_overflow(epoch_ms, cl_now_ms(), &left))
        return 0;
    int64_t mono = cl__mono_ms();
    return left > CL__NO_DEADLINE - mono ? CL__NO_DEADLINE : mono + left;
}

/* Years are counted from 1 March, so that the leap day comes last; a cycle of 400 years has 146,097 days. Before 1970 and
 * after 9999 it says the nearest moment within. */
size_t cl__iso8601(char to[32], int64_t epoch_ms, bool milliseconds)
{
    const int64_t last = INT64_C(253402300799999);
    uint64_t ms = (uint64_t)(epoch_ms < 0 ? 0 : epoch_ms > last ? last : epoch_ms);
    unsigned second_of_day = (unsigned)(ms / 1000 % 86400);
    unsigned day = (unsigned)(ms / 86400000) + 719468;          /* since 1 March of the year 0 */
    unsigned cycle = day / 146097, of_cycle = day % 146097;
    unsigned year = (of_cycle - of_cycle / 1460 + of_cycle / 36524 - of_cycle / 146096) / 365;
    unsigned of_year = of_cycle - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * of_year + 2) / 153;                   /* 0: March */
    unsigned of_month = of_year - (153 * month + 2) / 5 + 1;
    year += cycle * 400 + (month >= 10);
    month = month < 10 ? month + 3 : month - 9;
    int n = snprintf(to, 32, "%04u-%02u-%02uT%02u:%02u:%02u", year % 10000, month % 100, of_month % 100, second_of_day / 3600,
                     second_of_day / 60 % 60, second_of_day % 60);
    n += milliseconds ? snprintf(to + n, 32 - (size_t)n, ".%03uZ", (unsigned)(ms % 1000)) : snprintf(to + n, 32 - (size_t)n, "Z");
    return (size_t)n;
}

cl_str cl_now_iso8601(cl_arena *arena)
{
    char text[32];
    size_t n = cl__iso8601(text, cl_now_ms(), false);
    return cl_dup(arena, (cl_str){text, n});
}

/* clock.c -- the two clocks and the time formats of clock.h. The calendar arithmetic is done here on days since 1970 (the
 * proleptic Gregorian calendar), not by libc: no locale, no time zone files, no lock. */
#include "base/clock.h"
#include "base/panic.h"
#include <inttypes.h>


static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const weekdays[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

struct civil {
    int64_t year;
    unsigned month, day;                    /* from 1 */
    unsigned hour, minute, second, ms;
    unsigned weekday;                       /* 0 is Sunday */
};

int64_t clock_epoch_ms(void)
{
    struct timespec now;
    ENSURE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t clock_mono_ns(void)
{
    struct timespec now;
    ENSURE(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct timespec clock_deadline(uint64_t ms)
{
    uint64_t at = clock_mono_ns() + ms * 1000000u;
    return (struct timespec){.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)};
}

/* Years begin in March here, so that the leap day is the last day of its year; 400 years have 146097 days, and
 * 719468 days lie between 0000-03-01 and 1970-01-01. */
static int64_t days_of(int64_t year, unsigned month, unsigned day)
{
    year -= month <= 2;
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void civil_date(int64_t days, struct civil *ret)
{
    days += 719468;
    int64_t era = (days >= 0 ? days : days - 146096) / 146097;
    int64_t day_of_era = days - era * 146097;
    int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned month_from_march = (unsigned)((5 * day_of_year + 2) / 153);
    ret->day = (unsigned)(day_of_year - (153 * month_from_march + 2) / 5 + 1);
    ret->month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    ret->year = era * 400 + year_of_era + (ret->month <= 2);
}

static struct civil civil_of(int64_t epoch_ms)
{
    int64_t days = epoch_ms / CLOCK_DAY_MS - (epoch_ms % CLOCK_DAY_MS < 0);
    unsigned ms = (unsigned)(epoch_ms - days * CLOCK_DAY_MS);
    struct civil c = {.hour = ms / 3600000, .minute = ms / 60000 % 60, .second = ms / 1000 % 60, .ms = ms % 1000};
    c.weekday = (unsigned)(((days + 4) % 7 + 7) % 7);   /* 1970-01-01 was a Thursday */
    civil_date(days, &c);
    return c;
}

/* ---- writing ---- */

struct str clock_iso8601(struct arena *arena, int64_t epoch_ms)
{
    struct civil c = civil_of(epoch_ms);
    return arena_printf(arena, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02uZ", c.year, c.month, c.day, c.hour, c.minute,
                        c.second);
}

struct str clock_iso8601_ms(struct arena *arena, int64_t epoch_ms)
{
    struct civil c = civil_of(epoch_ms);
    return arena_printf(arena, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u.%03uZ", c.year, c.month, c.day, c.hour, c.minute,
                        c.second, c.ms);
}

struct str clock_iso8601_offset(struct arena *arena, int64_t epoch_ms)
{
    struct civil c = civil_of(epoch_ms);
    return arena_printf(arena, "%04" PRId64 "-%02u-%02uT%02u:%02u:%02u.%03u+0000", c.year, c.month, c.day, c.hour,
                        c.minute, c.second, c.ms);
}

struct str clock_sigv4(struct arena *arena, int64_t epoch_ms)
{
    struct civil c = civil_of(epoch_ms);
    return arena_printf(arena, "%04" PRId64 "%02u%02uT%02u%02u%02uZ", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

struct str clock_http(struct arena *arena, int64_t epoch_ms)
{
    struct civil c = civil_of(epoch_ms);
    return arena_printf(arena, "%s, %02u %s %04" PRId64 " %02u:%02u:%02u GMT", weekdays[c.weekday], c.day,
                        months[c.month - 1], c.year, c.hour, c.minute, c.second);
}

struct str clock_clf(struct arena *arena, int64_t epoch_ms)
{
    struct civil c = civil_of(epoch_ms);
    return arena_printf(arena, "%02u/%s/%04" PRId64 ":%02u:%02u:%02u +0000", c.day, months[c.month - 1], c.year, c.hour,
                        c.minute, c.second);
}

/* ---- reading ---- */

/* Takes exactly `n` digits off *s. */
static bool take_digits(struct str *s, size_t n, unsigned *ret)
{
    unsigned value = 0;
    if (s->n < n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)(uint8_t)s->p[i] - '0';
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    *s = str_slice(*s, n, s->n);
    *ret = value;
    return true;
}

static inline bool clock_take(struct str *s, struct str piece)
{
    if (!str_starts(*s, piece))
        return false;
    *s = str_slice(*s, piece.n, s->n);
    return true;
}

static bool take_name(struct str *s, const char *const names[], size_t count, unsigned *ret)
{
    for (unsigned i = 0; i < count; i++) {
        if (!clock_take(s, str_of(names[i])))
            continue;
        *ret = i;
        return true;
    }
    return false;
}

/* hh, mm, ss with `separator` ("" or ":") between them. A leap second counts as the second before it. */
static bool take_time(struct str *s, struct str separator, struct civil *c)
{
    bool ok = take_digits(s, 2, &c->hour) && clock_take(s, separator) && take_digits(s, 2, &c->minute) &&
              clock_take(s, separator) && take_digits(s, 2, &c->second) && c->hour < 24 && c->minute < 60 && c->second <= 60;
    if (ok && c->second == 60)
        c->second = 59;
    return ok;
}

/* ".fff…" if there is one; digits after the third are dropped. */
static bool take_fraction(struct str *s, struct civil *c)
{
    if (!clock_take(s, STR(".")))
        return true;
    size_t digits = 0;
    unsigned digit;
    for (; take_digits(s, 1, &digit); digits++)
        if (digits < 3)
            c->ms = c->ms * 10 + digit;
    for (size_t i = digits; i < 3; i++)
        c->ms *= 10;
    return digits > 0 && digits <= 9;
}

/* Z, ±hh:mm or ±hhmm. */
static bool take_zone(struct str *s, int *ret_minutes)
{
    if (clock_take(s, STR("Z")))
        return true;
    bool west = clock_take(s, STR("-"));
    unsigned hours, minutes;
    if (!west && !clock_take(s, STR("+")))
        return false;
    if (!take_digits(s, 2, &hours))
        return false;
    clock_take(s, STR(":"));
    if (!take_digits(s, 2, &minutes) || hours > 14 || minutes > 59)
        return false;
    *ret_minutes = (int)(hours * 60 + minutes) * (west ? -1 : 1);
    return true;
}

static bool parse_iso(struct str s, struct civil *c, int *zone_minutes)
{
    unsigned year;
    if (!take_digits(&s, 4, &year))
        return false;
    c->year = year;
    bool extended = clock_take(&s, STR("-"));
    if (!take_digits(&s, 2, &c->month) || (extended && !clock_take(&s, STR("-"))) || !take_digits(&s, 2, &c->day))
        return false;
    if (s.n == 0)
        return extended;
    if (!clock_take(&s, STR("T")) || !take_time(&s, extended ? STR(":") : STR(""), c))
        return false;
    return (!extended || take_fraction(&s, c)) && take_zone(&s, zone_minutes) && s.n == 0;
}

/* RFC 9110 section 5.6.7: Sat, 31 Jan 2026 09:05:07 GMT. The weekday must be a weekday, not the right one. */
static bool parse_imf(struct str s, struct civil *c)
{
    unsigned year;
    bool ok = take_name(&s, weekdays, COUNT_OF(weekdays), &c->weekday) && clock_take(&s, STR(", ")) &&
              take_digits(&s, 2, &c->day) && clock_take(&s, STR(" ")) && take_name(&s, months, COUNT_OF(months), &c->month) &&
              clock_take(&s, STR(" ")) && take_digits(&s, 4, &year) && clock_take(&s, STR(" ")) && take_time(&s, STR(":"), c) &&
              clock_take(&s, STR(" GMT")) && s.n == 0;
    if (!ok)
        return false;
    c->month++;
    c->year = year;
    return true;
}

static unsigned days_in_month(int64_t year, unsigned month)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days[month - 1] + (month == 2 && leap);
}

bool clock_parse(struct str text, int64_t *ret_epoch_ms)
{
    struct civil c = {0};
    int zone_minutes = 0;
    bool digits_first = text.n && char_is_digit(text.p[0]);
    if (!(digits_first ? parse_iso(text, &c, &zone_minutes) : parse_imf(text, &c)))
        return false;
    if (c.month < 1 || c.month > 12 || c.day < 1 || c.day > days_in_month(c.year, c.month))
        return false;
    int64_t seconds = (int64_t)c.hour * 3600 + c.minute * 60 + c.second - (int64_t)zone_minutes * 60;
    *ret_epoch_ms = days_of(c.year, c.month, c.day) * CLOCK_DAY_MS + seconds * 1000 + c.ms;
    return true;
}

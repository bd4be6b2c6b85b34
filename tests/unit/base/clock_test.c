/* clock_test.c -- base/clock.h: known instants in each format, libc's calendar as the oracle over 800 years, what is
 * refused. */
#include "base/clock.h"
#include "unit.h"
#include "with_arena.h"
#include <time.h>

static void formats(void **state)
{
    (void)state;
    const int64_t t = INT64_C(1769850307123);
    assert_str(clock_iso8601(arena, t), "2026-01-31T09:05:07Z");
    assert_str(clock_iso8601_ms(arena, t), "2026-01-31T09:05:07.123Z");
    assert_str(clock_iso8601_offset(arena, t), "2026-01-31T09:05:07.123+0000");
    assert_str(clock_sigv4(arena, t), "20260131T090507Z");
    assert_str(clock_http(arena, t), "Sat, 31 Jan 2026 09:05:07 GMT");
    assert_str(clock_clf(arena, t), "31/Jan/2026:09:05:07 +0000");
    assert_str(clock_iso8601_ms(arena, 0), "1970-01-01T00:00:00.000Z");
    assert_str(clock_iso8601_ms(arena, -1), "1969-12-31T23:59:59.999Z");
}

static void agrees_with_libc(void **state)
{
    (void)state;
    uint64_t random = 4;
    for (int i = 0; i < 20000; i++) {
        int64_t t = (int64_t)(random_next(&random) % UINT64_C(25245561600000)) - INT64_C(12622780800000);
        time_t seconds = (time_t)((t - (t % 1000 + 1000) % 1000) / 1000);
        struct tm tm;
        char text[64];
        assert_non_null(gmtime_r(&seconds, &tm));
        strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &tm);
        assert_str(clock_http(arena, t), text);
        int64_t back;
        assert_true(clock_parse(clock_http(arena, t), &back) && back == seconds * 1000);
        assert_true(clock_parse(clock_iso8601_ms(arena, t), &back) && back == t);
        assert_true(clock_parse(clock_sigv4(arena, t), &back) && back == seconds * 1000);
        arena_reset(arena);
    }
}

static void parses(void **state)
{
    (void)state;
    static const struct { const char *text; int64_t ms; } good[] = {
        {"2026-01-31T09:05:07Z", 1769850307000}, {"2026-01-31T10:05:07+01:00", 1769850307000},
        {"2026-01-31T03:35:07.5-05:30", 1769850307500}, {"2026-01-31", 1769817600000}, {"20260131T090507Z", 1769850307000},
        {"2026-01-31T09:05:07.123+0000", 1769850307123}, {"2026-01-31T09:05:07.123456789Z", 1769850307123},
        {"2000-02-29T00:00:00Z", 951782400000}, {"Sat, 31 Jan 2026 09:05:07 GMT", 1769850307000},
        {"2016-12-31T23:59:60Z", 1483228799000},
    };
    static const char *const bad[] = {"", "2026", "20260131", "2026-02-29", "1900-02-29", "2026-13-01", "2026-00-01",
                                      "2026-01-00", "2026-01-31T24:00:00Z", "2026-01-31T09:05:07", "2026-01-31T09:05:07.Z",
                                      "2026-01-31 09:05:07Z", "2026-01-31T09:05:07Zx", "2026-01-31T09:05:07+15:00",
                                      "20260131T090507", "20260131T09:05:07Z", "2026-0131T090507Z", "-026-01-31",
                                      "Sat, 31 Jan 2026 09:05:07 UTC", "Sax, 31 Jan 2026 09:05:07 GMT",
                                      "2026-01-31T09:05:07.1234567890Z", "1769850307"};
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        int64_t ms = 0;
        if (!clock_parse(str_of(good[i].text), &ms) || ms != good[i].ms) fail_msg("%s gave %lld", good[i].text, (long long)ms);
    }
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        int64_t ms = 42;
        if (clock_parse(str_of(bad[i]), &ms) || ms != 42) fail_msg("%s was accepted", bad[i]);
    }
}

static void clocks_move(void **state)
{
    (void)state;
    uint64_t mono = clock_mono_ns();
    assert_true(clock_epoch_ms() > INT64_C(1700000000000));
    assert_true(clock_mono_ns() >= mono);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formats), cmocka_unit_test(agrees_with_libc), cmocka_unit_test(parses),
                                       cmocka_unit_test(clocks_move)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

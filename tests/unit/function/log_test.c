/* log_test.c -- log lines: their shape, their levels, their bounds, and that they need no memory of malloc. */
#include "walk.h"
#include "cloudless/log.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char captured[70000];

/* Stderr goes into a file meanwhile. */
static int kept, file;

static void capture(void)
{
    fflush(stderr);
    kept = dup(STDERR_FILENO);
    file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    assert_true(file >= 0);
    dup2(file, STDERR_FILENO);
}

static const char *release(void)
{
    dup2(kept, STDERR_FILENO);
    close(kept);
    ssize_t n = pread(file, captured, sizeof captured - 1, 0);
    assert_true(n >= 0);
    captured[n] = 0;
    close(file);
    return captured;
}

static int set_up(void **state)
{
    unsetenv("LOG_LEVEL");
    unsetenv("AWS_LAMBDA_LOG_LEVEL");
    cl__request_id = (cl_str){NULL, 0};
    return arena_begin(state);
}

static int tear_down(void **state)
{
    cl__request_id = (cl_str){NULL, 0};
    return arena_end(state);
}

/* The one line, without its timestamp, which is checked. */
static cl_str line(cl_arena *arena, const char *text)
{
    cl_json *json = NULL;
    size_t n = strlen(text);
    assert_true(n > 0 && text[n - 1] == '\n' && strchr(text, '\n') == text + n - 1);
    assert_int_equal(cl_json_parse(arena, cl_str_of(text), &json, NULL), CL_OK);
    assert_true(cl_str_is(json->first->key, "timestamp"));
    cl_str time = json->first->text;
    assert_int_equal(time.n, 24);
    assert_true(time.p[10] == 'T' && time.p[19] == '.' && time.p[23] == 'Z');
    json->first = json->first->next;
    return cl_json_text(arena, json);
}

static void test_shape(void **state)
{
    capture();
    errno = 17;
    cl_log(CL_INFO, "hello %s", "\"world\"\n");
    assert_int_equal(errno, 17);
    assert_str(line(*state, release()), "{\"level\":\"INFO\",\"message\":\"hello \\\"world\\\"\\n\"}");
    cl__request_id = cl_str_of("id-1");
    capture();
    cl_log(CL_WARN, "%s", "x\xFFy");
    assert_str(line(*state, release()), "{\"level\":\"WARN\",\"requestId\":\"id-1\",\"message\":\"x\xEF\xBF\xBDy\"}");
    capture();
    cl_log((cl_level)99, "worst");
    assert_str(line(*state, release()), "{\"level\":\"FATAL\",\"requestId\":\"id-1\",\"message\":\"worst\"}");
}

static void test_members(void **state)
{
    cl_json *members = cl_json_object(*state);
    cl_json_set(members, "table", cl_json_string(*state, cl_str_of("todos")));
    cl_json_set(members, "message", cl_json_string(*state, cl_str_of("no")));
    cl_json_set(members, "requestId", cl_json_string(*state, cl_str_of("no")));
    cl_json_set(members, "n", cl_json_int(*state, 3));
    capture();
    cl_log_with(CL_ERROR, members, "m");
    assert_str(line(*state, release()), "{\"level\":\"ERROR\",\"message\":\"m\",\"table\":\"todos\",\"n\":3}");
    capture();
    cl_log_with(CL_ERROR, NULL, "m");
    assert_str(line(*state, release()), "{\"level\":\"ERROR\",\"message\":\"m\"}");
    capture();
    cl_log_with(CL_ERROR, cl_json_array(*state), "m");
    assert_str(line(*state, release()), "{\"level\":\"ERROR\",\"message\":\"m\"}");
    /* Text that is JSON already, with line breaks between its values: still one line. */
    cl_json *raw = cl_json_object(*state);
    cl_json_set(raw, "raw", cl_json_raw(*state, cl_str_of("{\r\n  \"a\": [1,\n 2]\n}")));
    capture();
    cl_log_with(CL_ERROR, raw, "m");
    assert_str(line(*state, release()), "{\"level\":\"ERROR\",\"message\":\"m\",\"raw\":{\"a\":[1,2]}}");
    /* Too many to fit: the message is there without them. */
    for (int i = 0; i < 2000; i++)
        cl_json_set(members, cl_printf(*state, "member%d", i).p, cl_json_int(*state, i));
    capture();
    cl_log_with(CL_ERROR, members, "m");
    assert_str(line(*state, release()), "{\"level\":\"ERROR\",\"message\":\"m\"}");
}

static void test_levels(void **state)
{
    static const struct {
        const char *variable, *value;
        cl_level first;
    } rows[] = {{NULL, NULL, CL_INFO}, {"LOG_LEVEL", "TRACE", CL_TRACE}, {"LOG_LEVEL", "debug", CL_DEBUG}, {"LOG_LEVEL", "FATAL", CL_FATAL},
                {"LOG_LEVEL", "loud", CL_INFO}, {"AWS_LAMBDA_LOG_LEVEL", "ERROR", CL_ERROR}, {"LOG_LEVEL", "WARN", CL_WARN}};
    (void)state;
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        if (rows[i].variable)
            setenv(rows[i].variable, rows[i].value, 1);
        capture();
        for (int level = CL_TRACE; level <= CL_FATAL; level++) {
            assert_int_equal(cl_log_enabled((cl_level)level), level >= (int)rows[i].first);
            cl_log((cl_level)level, "x");
            cl_log_with((cl_level)level, NULL, "x");
        }
        const char *text = release();
        int lines = 0;
        for (const char *p = text; *p; p++)
            lines += *p == '\n';
        assert_int_equal(lines, 2 * (CL_FATAL - (int)rows[i].first + 1));
        if (rows[i].variable && strcmp(rows[i].variable, "LOG_LEVEL") == 0)
            unsetenv("LOG_LEVEL");
    }
}

/* Long messages: cut at a code point, the line at most 16 KiB, of text that escapes to six times its length too. */
static void test_bounds(void **state)
{
    static char text[40000];
    static const char *const pieces[] = {"x", "\x01", "\xE2\x82\xAC", "\"", "\xFF"};
    cl_json *members = cl_json_object(*state);
    cl_json_set(members, "a", cl_json_string(*state, cl_str_of("b")));
    for (size_t i = 0; i < CL__COUNT(pieces); i++)
        for (size_t n = 100; n < sizeof text - 4; n += 4111) {
            size_t step = strlen(pieces[i]), length = 0;
            for (; length + step <= n; length += step)
                memcpy(text + length, pieces[i], step);
            text[length] = 0;
            capture();
            cl_log_with(CL_ERROR, members, "%s", text);
            const char *got = release();
            assert_true(strlen(got) <= 16384);
            assert_true(strlen(got) >= (n > 16384 ? 16384 - 16 : 100));    /* all that is left is used */
            cl_str all = line(*state, got);
            assert_true(cl_utf8_valid(all) && strstr(all.p, "\"a\":\"b\"}"));
        }
}

/* ---- without memory: there is a line all the same ---- */

static void test_without_memory(void **state)
{
    cl_json *members = cl_json_object(*state);
    cl_json_set(members, "a", cl_json_int(*state, 1));
    for (int with = 0; with < 2; with++) {
        cl__malloc_countdown = 0;
        capture();
        if (with)
            cl_log_with(CL_ERROR, members, "still %d", 1);
        else
            cl_log(CL_ERROR, "still %d", 1);
        bool enabled = cl_log_enabled(CL_ERROR);
        const char *text = release();
        cl__malloc_countdown = -1;
        assert_true(enabled);
        assert_str(line(*state, text), with ? "{\"level\":\"ERROR\",\"message\":\"still 1\",\"a\":1}" : "{\"level\":\"ERROR\",\"message\":\"still 1\"}");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shape, set_up, tear_down),  cmocka_unit_test_setup_teardown(test_members, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_levels, set_up, tear_down), cmocka_unit_test_setup_teardown(test_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* log_test.c -- base/log.h and base/panic.h: the line's form, values that could forge a line, levels, and what a failed
 * ENSURE does. stderr is a pipe or a file here, so that what was written can be read. */
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "base/panic.h"
#include "unit.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* What `run` writes to stderr. */
static struct str stderr_of(void (*run)(void), char *text, size_t size)
{
    FILE *file = tmpfile();
    assert_non_null(file);
    int saved = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    run();
    dup2(saved, STDERR_FILENO);
    close(saved);
    rewind(file);
    struct str written = {text, fread(text, 1, size, file)};
    fclose(file);
    return written;
}

static void write_lines(void)
{
    log_to(LOG_WARN, "store.sync_failed", {"path", STR("/var/x")}, {"error", STR("a \"b\"\nc\\=\xC3")}, {"empty", STR("")});
    log_to(LOG_DEBUG, "never", {"a", STR("b")});
}

static void line_form(void **state)
{
    (void)state;
    char text[8192];
    struct str line = stderr_of(write_lines, text, sizeof text);
    assert_true(line.n > 25 && line.p[10] == 'T' && line.p[23] == 'Z');
    assert_str(str_slice(line, 24, line.n),
               " warn store.sync_failed path=/var/x error=\"a \\\"b\\\"\\x0ac\\\\=\\xc3\" empty=\"\"\n");
}

static void write_long_line(void)
{
    static char value[10000];
    memset(value, 'x', sizeof value);
    log_to(LOG_ERROR, "long", {"value", {value, sizeof value}}, {"more", STR("lost")});
}

static void long_lines_are_cut(void **state)
{
    (void)state;
    char text[8192];
    struct str line = stderr_of(write_long_line, text, sizeof text);
    assert_true(line.n <= 4096);
    assert_true(str_ends(line, STR("xxx...\n")));
}

static void levels(void **state)
{
    (void)state;
    enum log_level level = LOG_INFO;
    assert_true(log_level_parse("debug", &level) && level == LOG_DEBUG);
    assert_false(log_level_parse("loud", &level));
    assert_true(log_on(LOG_INFO) && !log_on(LOG_DEBUG));
    log_set_level(LOG_ERROR);
    assert_false(log_on(LOG_WARN));
    log_set_level(LOG_INFO);
}

static void error_texts(void **state)
{
    (void)state;
    assert_string_equal(err_text(ERR_OK), "fine");
    assert_string_equal(err_text(ERR_UNSUPPORTED), "not supported here");
}

static void failed_ensure_aborts(void **state)
{
    (void)state;
    ENSURE(1 + 1 == 2);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int quiet = open("/dev/null", O_WRONLY);
        dup2(quiet, STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        ENSURE(1 + 1 == 3);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

/* However often it happens: a line a second, and each other event has its own. */
static void often_is_said_seldom(void **state)
{
    (void)state;
    static const char often[] = "often", other[] = "other";
    uint64_t begun = clock_mono_ns(), times = 0, said = 0, lines = 0, calls = 0;
    assert_true(log_due(often, &times));
    assert_int_equal(times, 1);
    while (calls < 100000 || lines == 0) { /* on into the next second */
        calls++;
        if (!log_due(often, &times))
            continue;
        said += times;
        lines++;
        assert_int_equal(said, calls);
    }
    assert_true(lines <= 1 + (clock_mono_ns() - begun) / 1000000000);
    assert_true(log_due(other, &times));
    assert_int_equal(times, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(line_form),   cmocka_unit_test(long_lines_are_cut),
                                       cmocka_unit_test(levels),      cmocka_unit_test(often_is_said_seldom),
                                       cmocka_unit_test(error_texts), cmocka_unit_test(failed_ensure_aborts)};
    return RUN(tests);
}

/* environment_test.c -- one environment from its start to its end, with a scripted sandbox: each way to start, to answer and to
 * end, and what the caller is told. */
#include "stage.h"

static void test_it_starts_once_and_answers(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    invoke_answered("f", "{\"a\":1}");
    invoke_answered("f", "[]");
    invoke_answered("f", "3");
    assert_int_equal(stage_count(&stage->starts), 1);
    stage_close();
}

static void test_the_tail_of_its_log_is_the_invocations(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    struct asked asked;
    ask_with(&asked, (struct lambda__invocation){.function = STR("f"), .tail_log = true});
    assert_true(await_asked(&asked));
    struct str id = asked.i.request_id, tail = asked.i.log_tail;
    assert_true(str_starts(tail, arena_printf(asked.arena, "START RequestId: " STR_FMT " Version: $LATEST\n", STR_ARG(id))));
    const char *line =
        arena_printf(asked.arena, "printed for " STR_FMT "\nEND RequestId: " STR_FMT "\nREPORT", STR_ARG(id), STR_ARG(id)).p;
    if (!memmem(tail.p, tail.n, line, strlen(line)))
        fail_msg(STR_FMT, STR_ARG(tail));
    assert_non_null(memmem(tail.p, tail.n, "Max Memory Used: 42 MB", 22));
    free_asked(&asked);
    stage_close();
}

static void test_a_start_that_fails_is_told(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("io", 900, {.start = ERR_IO}, {.start = ERR_OK});
    invoke_refused("io", "ServiceException", 500);
    invoke_answered("io", "1");         /* the next one is started anew */
    PLAY("slow", 900, {.start = ERR_TIMEOUT});
    invoke_refused("slow", "ServiceException", 500);
    PLAY("denied", 900, {.start = ERR_DENIED});
    invoke_fails("denied", "fork/exec /var/task/bootstrap: permission denied");
    PLAY("format", 900, {.start = ERR_UNSUPPORTED});
    invoke_fails("format", "exec format error");
    stage_close();
}

static void test_a_package_that_is_not_there_is_told(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("f", 900, {.start = ERR_OK});
    struct placing placing = {
        .name = "f", .revision = STR("other"), .timeout_s = 3, .blob = sha256_hex(stage->arena, STR("no such package"))};
    assert_int_equal(store_mutate(stage->store, place_function, &placing), ERR_OK);
    invoke_refused("f", "ServiceException", 500);
    assert_int_equal(blob_put(stage->blobs, zip_of(stage->arena, "other", 16, '#'), stage->arena, &placing.blob), ERR_OK);
    placing.revision = STR("without bootstrap");
    assert_int_equal(store_mutate(stage->store, place_function, &placing), ERR_OK);
    invoke_fails("f", "find valid bootstrap");
    assert_int_equal(stage_count(&stage->starts), 0);
    stage_close();
}

static void test_initialisation_that_fails_is_told(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("error", 900, {.init = INIT_REPORTS_ERROR});
    invoke_fails("error", "no such module");
    invoke_fails("error", "no such module");
    PLAY("exit", 900, {.init = INIT_EXITS}, {.init = INIT_ASKS});
    invoke_fails("exit", "Runtime exited with error: exit status 3");
    invoke_answered("exit", "2");
    stage_close();
}

/* Its place goes on to the second start: with room for one environment there is never a second. */
static void test_initialisation_that_takes_too_long_is_tried_once_more(void **state)
{
    struct lambda__limits limits = patient;
    (void)state;
    limits.init_ms = 5;
    limits.environments_max = 1;
    stage_open(1, &limits, 0);
    PLAY("f", 900, {.init = INIT_HANGS}, {.init = INIT_HANGS}, {.init = INIT_HANGS});
    struct asked asked;
    ask_function(&asked, "f", "{}");
    assert_true(stage_wait(starts_are, 2));
    assert_int_equal(stage->running_most, 1);
    stage_stop();                       /* the second has the function's 900 s */
    assert_int_equal(asked.i.outcome, EVENT_REFUSED);
    free_asked(&asked);
    assert_int_equal(stage->running_most, 1);
    stage_close();
}

static void test_a_second_initialisation_has_the_functions_timeout(void **state)
{
    struct lambda__limits limits = patient;
    (void)state;
    limits.init_ms = 5;
    limits.second_ms = 2;
    limits.environments_max = 1;
    stage_open(1, &limits, 0);
    PLAY("f", 3, {.init = INIT_HANGS});
    invoke_fails("f", "Task timed out after 3.00 seconds");
    assert_int_equal(stage_count(&stage->starts), 2);
    assert_int_equal(stage_count(&stage->running_most), 1);
    stage_close();
}

static void test_it_fails_as_the_handler_does(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("error", 900, {.answer = ANSWER_ERROR});
    invoke_fails("error", "scripted");
    invoke_fails("error", "scripted");
    assert_int_equal(stage_count(&stage->starts), 1);       /* an error of the handler ends no environment */
    PLAY("dies", 900, {.answer = ANSWER_DIES}, {.answer = ANSWER_ECHO});
    invoke_fails("dies", "signal: segmentation fault");
    invoke_answered("dies", "3");
    PLAY("half", 900, {.answer = ANSWER_HALF}, {.answer = ANSWER_ECHO});
    invoke_fails("half", "exit status 7");
    invoke_answered("half", "4");
    stage_close();
}

static void test_a_timeout_kills_it(void **state)
{
    struct lambda__limits limits = patient;
    (void)state;
    limits.second_ms = 2;
    stage_open(1, &limits, 0);
    PLAY("f", 5, {.answer = ANSWER_NEVER});
    invoke_fails("f", "Task timed out after 5.00 seconds");
    assert_true(stage_wait(running_is, 0));
    assert_int_equal(stage_count(&stage->kills), 1);
    invoke_fails("f", "Task timed out after 5.00 seconds");
    stage_close();
}

static void test_only_the_first_answer_to_the_right_invocation_counts(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("twice", 900, {.answer = ANSWER_TWICE});
    invoke_answered("twice", "1");
    invoke_answered("twice", "2");
    PLAY("others", 900, {.answer = ANSWER_OTHERS});
    invoke_answered("others", "3");
    PLAY("leaves", 900, {.answer = ANSWER_THEN_EXITS});
    invoke_answered("leaves", "4");
    invoke_answered("leaves", "5");
    stage_close();
}

static void test_it_is_retired_when_it_is_idle(void **state)
{
    struct lambda__limits limits = patient;
    (void)state;
    limits.idle_ms = 1;
    stage_open(1, &limits, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    invoke_answered("f", "1");
    assert_true(stage_wait(running_is, 0));
    invoke_answered("f", "2");
    assert_true(stage_wait(running_is, 0));
    stage_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_starts_once_and_answers),
        cmocka_unit_test(test_the_tail_of_its_log_is_the_invocations),
        cmocka_unit_test(test_a_start_that_fails_is_told),
        cmocka_unit_test(test_a_package_that_is_not_there_is_told),
        cmocka_unit_test(test_initialisation_that_fails_is_told),
        cmocka_unit_test(test_initialisation_that_takes_too_long_is_tried_once_more),
        cmocka_unit_test(test_a_second_initialisation_has_the_functions_timeout),
        cmocka_unit_test(test_it_fails_as_the_handler_does),
        cmocka_unit_test(test_a_timeout_kills_it),
        cmocka_unit_test(test_only_the_first_answer_to_the_right_invocation_counts),
        cmocka_unit_test(test_it_is_retired_when_it_is_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

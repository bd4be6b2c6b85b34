/* pool_test.c -- environments and waiting invocations of many functions, with a scripted sandbox: sharing and queueing, the
 * bounds and room made under them, changed and deleted functions, the end of the server. Each invocation ends once. */
#include "stage.h"

#define MANY 40

static void end_all(struct asked *asked, size_t count)
{
    for (size_t i = 0; i < count; i++)
        assert_true(await_asked(&asked[i]));
}

static void free_all(struct asked *asked, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free_asked(&asked[i]);
}

static size_t outcomes(const struct asked *asked, size_t count, enum event_outcome outcome, int status)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++)
        found += asked[i].i.outcome == outcome && asked[i].i.error_status == status;
    return found;
}

static void test_one_that_is_idle_is_used_again(void **state)
{
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    for (int i = 0; i < 50; i++)
        invoke_answered("f", "\"again\"");
    assert_int_equal(stage_count(&stage->starts), 1);
    stage_close();
}

static void test_no_more_than_so_many_start_at_a_time(void **state)
{
    struct asked asked[MANY];
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("f", 900, {.start_waits = true});
    for (size_t i = 0; i < MANY; i++)
        ask_function(&asked[i], "f", "1");
    assert_true(stage_wait(starts_wait, stage->limits.starts_max));
    assert_int_equal(stage_count(&stage->starts), stage->limits.starts_max);
    gate_open(&stage->gate_start, true);
    end_all(asked, MANY);
    assert_int_equal(outcomes(asked, MANY, EVENT_ANSWERED, 0), MANY);
    free_all(asked, MANY);
    stage_close();
}

static void test_those_that_wait_get_environments_of_their_own(void **state)
{
    struct asked asked[10];
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("f", 900, {.answer_waits = true});
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        ask_function(&asked[i], "f", "1");
    assert_true(stage_wait(answers_wait, COUNT_OF(asked)));
    gate_open(&stage->gate_answer, true);
    end_all(asked, COUNT_OF(asked));
    assert_int_equal(outcomes(asked, COUNT_OF(asked), EVENT_ANSWERED, 0), COUNT_OF(asked));
    free_all(asked, COUNT_OF(asked));
    stage_close();
}

static void test_the_oldest_that_waits_is_next(void **state)
{
    struct lambda__limits limits = patient;
    struct asked asked[8];
    (void)state;
    limits.environments_max = 1;
    stage_open(1, &limits, 0);
    PLAY("f", 900, {.answer_waits = true});
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        ask_function(&asked[i], "f", "1");
        if (i == 0)
            assert_true(stage_wait(answers_wait, 1));
    }
    gate_open(&stage->gate_answer, true);
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        assert_true(await_asked(&asked[i]));
        for (size_t later = i + 2; later < COUNT_OF(asked); later++)    /* the next one may have ended meanwhile */
            if (stage_count(&asked[later].ended) && !stage_count(&asked[i + 1].ended))
                fail_msg("%zu ended before %zu", later, i + 1);
    }
    assert_int_equal(stage_count(&stage->starts), 1);
    free_all(asked, COUNT_OF(asked));
    stage_close();
}

static void test_the_bound_on_invocations_refuses(void **state)
{
    struct asked two[2];
    (void)state;
    stage_open(2, NULL, 2);
    PLAY("f", 900, {.answer_waits = true});
    PLAY("g", 900, {.answer = ANSWER_ECHO});
    ask_function(&two[0], "f", "1");
    ask_function(&two[1], "f", "1");
    assert_true(stage_wait(answers_wait, 2));
    invoke_refused("f", "TooManyRequestsException", 429);
    invoke_refused("g", "TooManyRequestsException", 429);
    gate_open(&stage->gate_answer, true);
    end_all(two, 2);
    free_all(two, 2);
    invoke_answered("g", "1");          /* the idle ones of f make room */
    stage_close();
}

/* All environments are busy: who has one waits for it, who has none is refused. */
static void test_the_bound_on_environments_refuses(void **state)
{
    struct lambda__limits limits = patient;
    struct asked busy[2], waiting;
    (void)state;
    limits.environments_max = 2;
    stage_open(2, &limits, 0);
    PLAY("f", 900, {.answer_waits = true});
    PLAY("g", 900, {.answer_waits = true});
    PLAY("h", 900, {.answer = ANSWER_ECHO});
    ask_function(&busy[0], "f", "1");
    ask_function(&busy[1], "g", "1");
    assert_true(stage_wait(answers_wait, 2));
    ask_function(&waiting, "f", "2");
    invoke_refused("h", "TooManyRequestsException", 429);
    assert_int_equal(stage_count(&waiting.ended), 0);
    gate_open(&stage->gate_answer, true);
    end_all(busy, 2);
    assert_true(await_asked(&waiting));
    assert_int_equal(waiting.i.outcome, EVENT_ANSWERED);
    invoke_answered("h", "3");
    assert_true(stage_count(&stage->running_most) <= 2);
    free_all(busy, 2);
    free_asked(&waiting);
    stage_close();
}

static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};

/* The one that is idle longest makes room, on whichever loop it is. */
static void test_idle_ones_make_room(void **state)
{
    struct lambda__limits limits = patient;
    (void)state;
    limits.environments_max = 2;
    stage_open(4, &limits, 0);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        PLAY(names[i], 900, {.answer = ANSWER_ECHO});
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNT_OF(names); i++)
            invoke_answered(names[i], "1");
    assert_int_equal(stage_count(&stage->running_most), 2);
    assert_int_equal(stage_count(&stage->starts), 3 * COUNT_OF(names));
    stage_close();
}

/* Loops that start environments at the same time never pass the bound together. */
static void test_loops_do_not_pass_the_bound_together(void **state)
{
    struct lambda__limits limits = patient;
    struct asked asked[COUNT_OF(names) * 4];
    (void)state;
    limits.environments_max = 3;
    for (int round = 0; round < 8; round++) {
        stage_open(4, &limits, 0);
        for (size_t i = 0; i < COUNT_OF(names); i++)
            PLAY(names[i], 900, {.answer = ANSWER_ECHO}, {.answer = ANSWER_DIES}, {.init = INIT_EXITS}, {.answer = ANSWER_ECHO});
        for (size_t i = 0; i < COUNT_OF(asked); i++)
            ask_function(&asked[i], names[i % COUNT_OF(names)], "1");
        end_all(asked, COUNT_OF(asked));
        size_t answered = outcomes(asked, COUNT_OF(asked), EVENT_ANSWERED, 0),
               failed = outcomes(asked, COUNT_OF(asked), EVENT_FAILED, 0),
               throttled = outcomes(asked, COUNT_OF(asked), EVENT_REFUSED, 429);
        assert_int_equal(answered + failed + throttled, COUNT_OF(asked));
        assert_true(answered > 0);
        assert_true(stage_count(&stage->running_most) <= 3);
        stage_stop();
        free_all(asked, COUNT_OF(asked));
        stage_close();
    }
}

/* What runs is answered by the code that it began with; what comes afterwards gets the new. */
static void test_a_change_replaces_those_that_are_busy_when_they_are_idle(void **state)
{
    struct asked before, after;
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("f", 900, {.answer_waits = true}, {.answer = ANSWER_ERROR});
    ask_function(&before, "f", "\"old\"");
    assert_true(stage_wait(answers_wait, 1));
    put_function("f", 900);
    ask_function(&after, "f", "1");
    assert_true(await_asked(&after));
    assert_int_equal(after.i.outcome, EVENT_FAILED);   /* the second environment's act */
    assert_int_equal(stage_count(&before.ended), 0);
    gate_open(&stage->gate_answer, true);
    assert_true(await_asked(&before));
    assert_true(str_eq(before.i.answer, STR("\"old\"")));
    assert_true(stage_wait(running_is, 1));
    assert_int_equal(stage_count(&stage->kills), 1);
    put_function("f", 900);             /* and those that are idle, at once */
    assert_true(stage_wait(running_is, 0));
    free_asked(&before);
    free_asked(&after);
    stage_close();
}

static void test_a_deleted_function_refuses_those_that_wait(void **state)
{
    struct asked running, waiting;
    struct lambda__limits limits = patient;
    (void)state;
    limits.environments_max = 1;
    stage_open(2, &limits, 0);
    PLAY("f", 900, {.answer_waits = true});
    ask_function(&running, "f", "1");
    assert_true(stage_wait(answers_wait, 1));
    ask_function(&waiting, "f", "2");
    remove_function((char[]){"f"});
    assert_true(await_asked(&waiting));
    assert_string_equal(waiting.i.error_code, "ResourceNotFoundException");
    gate_open(&stage->gate_answer, true);
    assert_true(await_asked(&running));
    assert_int_equal(running.i.outcome, EVENT_ANSWERED);
    assert_true(stage_wait(running_is, 0));
    invoke_refused("f", "ResourceNotFoundException", 404);
    free_asked(&running);
    free_asked(&waiting);
    stage_close();
}

/* Of the one that was deleted nothing serves the one that was made again, neither what is busy then nor what waited. */
static void test_a_function_made_again_is_another(void **state)
{
    struct asked before, gone, after;
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("f", 900, {.answer_waits = true}, {.answer = ANSWER_ERROR});
    ask_function(&before, "f", "1");
    assert_true(stage_wait(answers_wait, 1));
    remove_function((char[]){"f"});
    ask_function(&gone, "f", "2");      /* behind the delete on the function's loop */
    assert_true(await_asked(&gone));
    assert_string_equal(gone.i.error_code, "ResourceNotFoundException");
    struct placing again = {.name = "f", .revision = uuid4(stage->arena), .timeout_s = 900};
    assert_int_equal(blob_put(stage->blobs, zip_of(stage->arena, "bootstrap", 16, '#'), stage->arena, &again.blob), ERR_OK);
    assert_int_equal(store_mutate(stage->store, place_function, &again), ERR_OK);       /* CreateFunction tells no pool */
    ask_function(&after, "f", "3");
    assert_true(await_asked(&after));
    assert_int_equal(after.i.outcome, EVENT_FAILED);    /* the second environment's act */
    gate_open(&stage->gate_answer, true);
    assert_true(await_asked(&before));
    assert_int_equal(before.i.outcome, EVENT_ANSWERED);
    assert_true(stage_wait(running_is, 1));
    assert_int_equal(stage_count(&stage->kills), 1);
    invoke_fails("f", "");
    assert_int_equal(stage_count(&stage->starts), 2);
    free_asked(&before);
    free_asked(&gone);
    free_asked(&after);
    stage_close();
}

/* Asked from every loop while it is deleted and made again: each is answered or not found, and nothing of a deleted one stays. */
static void test_deleted_while_it_is_asked(void **state)
{
    struct asked asked[200];
    (void)state;
    stage_open(4, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        ask_function(&asked[i], "f", "1");
        if (i % 10 == 4)
            remove_function((char[]){"f"});
        if (i % 10 == 9 && i + 1 < COUNT_OF(asked))
            put_function("f", 900);
    }
    end_all(asked, COUNT_OF(asked));
    assert_int_equal(outcomes(asked, COUNT_OF(asked), EVENT_ANSWERED, 0) + outcomes(asked, COUNT_OF(asked), EVENT_REFUSED, 404),
                     COUNT_OF(asked));
    assert_true(stage_wait(running_is, 0));
    free_all(asked, COUNT_OF(asked));
    stage_close();
}

/* A start that fails ends one of those that wait; the others get another start. */
static void test_a_failed_start_ends_one_that_waits(void **state)
{
    struct asked asked[3];
    struct lambda__limits limits = patient;
    (void)state;
    limits.queue_wait_ms = 600000;      /* nobody gets a start of his own meanwhile */
    stage_open(1, &limits, 0);
    PLAY("f", 900, {.start = ERR_IO, .start_waits = true}, {.start = ERR_OK});
    ask_function(&asked[0], "f", "0");
    assert_true(stage_wait(starts_wait, 1));
    ask_function(&asked[1], "f", "1");
    ask_function(&asked[2], "f", "2");
    gate_open(&stage->gate_start, true);
    end_all(asked, 3);
    assert_int_equal(outcomes(asked, 3, EVENT_REFUSED, 500), 1);
    assert_int_equal(outcomes(asked, 3, EVENT_ANSWERED, 0), 2);
    free_all(asked, 3);
    stage_close();
}

/* Running, waiting, starting, initialising, idle: all of it ends, each invocation once. */
static void test_a_shutdown_ends_everything(void **state)
{
    struct asked asked[12];
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("idle", 900, {.answer = ANSWER_ECHO});
    PLAY("never", 900, {.answer = ANSWER_NEVER});
    PLAY("gate", 900, {.answer_waits = true});
    PLAY("hangs", 900, {.init = INIT_HANGS});
    PLAY("starts", 900, {.start_waits = true});
    invoke_answered("idle", "1");
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        ask_function(&asked[i], (const char *const[]){"never", "gate", "hangs", "starts"}[i % 4], "1");
    assert_true(stage_wait(starts_wait, 1));
    assert_true(stage_wait(answers_wait, 1));
    gate_open(&stage->gate_start, true);
    stage_stop();
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        if (i % 4 != 3)
            assert_int_equal(asked[i].i.outcome, EVENT_REFUSED);
    free_all(asked, COUNT_OF(asked));
    stage_close();
}

/* Functions of every kind, asked from every side while they are changed: whatever happens, each invocation ends once. */
static void test_each_ends_once(void **state)
{
    struct asked asked[240];
    struct lambda__limits limits = patient;
    (void)state;
    limits.environments_max = 5;
    limits.init_ms = 50;
    limits.second_ms = 10;
    limits.idle_ms = 3;
    stage_open(4, &limits, 100);
    PLAY("echo", 900, {.answer = ANSWER_ECHO});
    PLAY("error", 900, {.answer = ANSWER_ERROR}, {.answer = ANSWER_TWICE});
    PLAY("dies", 900, {.answer = ANSWER_DIES}, {.answer = ANSWER_ECHO}, {.answer = ANSWER_THEN_EXITS});
    PLAY("late", 3, {.answer = ANSWER_NEVER}, {.answer = ANSWER_ECHO}, {.answer = ANSWER_NEVER}, {.answer = ANSWER_HALF});
    PLAY("init", 3, {.init = INIT_EXITS}, {.init = INIT_HANGS}, {.init = INIT_REPORTS_ERROR}, {.start = ERR_IO});
    static const char *const kinds[] = {"echo", "error", "dies", "late", "init", "none"};
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        ask_function(&asked[i], kinds[i % COUNT_OF(kinds)], "1");
        if (i % 50 == 49)
            put_function(kinds[i % 5], 3);
    }
    stage_stop();                       /* in the middle of it */
    free_all(asked, COUNT_OF(asked));
    assert_true(stage->running_most <= 5);
    stage_close();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_that_is_idle_is_used_again),
        cmocka_unit_test(test_no_more_than_so_many_start_at_a_time),
        cmocka_unit_test(test_those_that_wait_get_environments_of_their_own),
        cmocka_unit_test(test_the_oldest_that_waits_is_next),
        cmocka_unit_test(test_the_bound_on_invocations_refuses),
        cmocka_unit_test(test_the_bound_on_environments_refuses),
        cmocka_unit_test(test_idle_ones_make_room),
        cmocka_unit_test(test_loops_do_not_pass_the_bound_together),
        cmocka_unit_test(test_a_change_replaces_those_that_are_busy_when_they_are_idle),
        cmocka_unit_test(test_a_deleted_function_refuses_those_that_wait),
        cmocka_unit_test(test_a_function_made_again_is_another),
        cmocka_unit_test(test_deleted_while_it_is_asked),
        cmocka_unit_test(test_a_failed_start_ends_one_that_waits),
        cmocka_unit_test(test_a_shutdown_ends_everything),
        cmocka_unit_test(test_each_ends_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* lambda_invoke_test.c -- the doors: what is refused before a function is asked, what an invocation carries. */
#include "../../store/memory_engine.h"
#include "stage.h"

static void test_a_function_that_is_not_there(void **state)
{
    (void)state;
    stage_open(2, NULL, 0);
    invoke_refused("nobody", "ResourceNotFoundException", 404);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    struct asked asked;
    ask_with(&asked, (struct lambda__invocation){.function = STR("f"), .qualifier = STR("7")});
    assert_true(await_asked(&asked));
    assert_int_equal(asked.i.error_status, 404);
    assert_true(str_ends(asked.i.error_message, STR(":function:f:7")));
    free_asked(&asked);
    char *name = arena_alloc(stage->arena, 400);       /* longer than any function's */
    memset(name, 'n', 399);
    name[399] = '\0';
    invoke_refused(name, "ResourceNotFoundException", 404);
    stage_close();
}

static void test_a_payload_over_the_maximum(void **state)
{
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    struct asked asked;
    char *payload = arena_zalloc(stage->arena, EVENT_PAYLOAD_BYTES_MAX + 1);
    ask_with(&asked, (struct lambda__invocation){.function = STR("f"), .payload = {payload, EVENT_PAYLOAD_BYTES_MAX + 1}});
    assert_true(await_asked(&asked));
    assert_string_equal(asked.i.error_code, "RequestTooLargeException");
    assert_int_equal(asked.i.error_status, 413);
    free_asked(&asked);
    assert_int_equal(stage_count(&stage->starts), 0);
    stage_close();
}

static void test_the_tracing_header_is_completed(void **state)
{
    static const struct {
        const char *given, *begins, *has;
    } rows[] = {
        {"", "Root=1-", ";Sampled=0"},
        {"Root=1-5759e988-bd862e3fe1be46a994272793", "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=", ";Sampled=0"},
        {"Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
         "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1;Parent=", ";Parent="},
        {"Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
         "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1", ""},
        {"nonsense", "Root=1-", ";Parent="},
    };
    (void)state;
    stage_open(1, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct asked asked;
        ask_with(&asked, (struct lambda__invocation){.function = STR("f"), .trace_id = str_of(rows[i].given)});
        assert_true(await_asked(&asked));
        assert_true(str_starts(asked.i.trace_id, str_of(rows[i].begins)));
        assert_non_null(memmem(asked.i.trace_id.p, asked.i.trace_id.n, rows[i].has, strlen(rows[i].has)));
        assert_true(asked.i.request_id.n > 0);
        free_asked(&asked);
    }
    stage_close();
}

/* From every loop to every loop: answers come where the question was asked. */
static void test_answers_go_where_they_were_asked(void **state)
{
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    struct asked asked[60];
    (void)state;
    stage_open(4, NULL, 0);
    for (size_t i = 0; i < COUNT_OF(names); i++)
        PLAY(names[i], 900, {.answer = ANSWER_ECHO});
    for (size_t i = 0; i < COUNT_OF(asked); i++)
        ask_function(&asked[i], names[i % COUNT_OF(names)], "1");
    for (size_t i = 0; i < COUNT_OF(asked); i++) {
        assert_true(await_asked(&asked[i]));
        assert_int_equal(asked[i].i.outcome, EVENT_ANSWERED);
        free_asked(&asked[i]);
    }
    assert_int_equal(atomic_load(&stage->lambda->in_flight), 0);
    stage_close();
}

struct sent {
    struct event_delivery delivery;
    _Atomic bool over;
};

static void sent_done(struct event_delivery *delivery)
{
    atomic_store(&((struct sent *)delivery)->over, true);
    pthread_mutex_lock(&stage->lock);
    pthread_cond_broadcast(&stage->changed);
    pthread_mutex_unlock(&stage->lock);
}

static struct sent *awaited;

static bool sent_is_over(size_t value)
{
    (void)value;
    return atomic_load(&awaited->over);
}

static void send_to(struct sent *sent, const char *function, const char *payload)
{
    *sent = (struct sent){
        .delivery = {.loop = loops_at(stage->loops, 0), .arena = arena_new(), .payload = str_of(payload), .done = sent_done}};
    struct str arn = arena_printf(stage->arena, "arn:aws:lambda:us-east-1:000000000000:function:%s", function);
    assert_true(services_target(stage->services, arn, &sent->delivery.to));
    awaited = sent;
    sent->delivery.to.target->deliver(&sent->delivery);
    assert_true(stage_wait(sent_is_over, 0));
}

static void test_events_by_arn(void **state)
{
    struct sent sent;
    struct event_address to;
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO});
    PLAY("broken", 900, {.init = INIT_REPORTS_ERROR});
    send_to(&sent, "f", "{\"a\":1}");
    assert_int_equal(sent.delivery.outcome, EVENT_ANSWERED);
    assert_true(str_eq(sent.delivery.answer, STR("{\"a\":1}")));
    arena_free(sent.delivery.arena);
    send_to(&sent, "broken", "{}");
    assert_int_equal(sent.delivery.outcome, EVENT_FAILED);
    assert_string_equal(sent.delivery.error_code, "Unhandled");
    assert_true(sent.delivery.answer.n > 0);
    arena_free(sent.delivery.arena);
    send_to(&sent, "f:7", "{}");
    assert_int_equal(sent.delivery.outcome, EVENT_REFUSED);
    assert_string_equal(sent.delivery.error_code, "ResourceNotFoundException");
    assert_int_equal(sent.delivery.error_status, 404);
    assert_true(str_ends(sent.delivery.error_message, STR(":function:f:7")));
    arena_free(sent.delivery.arena);
    assert_false(services_target(stage->services, STR("arn:aws:lambda:us-east-1:000000000000:function:f:1:2"), &to));
    assert_false(services_target(stage->services, STR("arn:aws:lambda:us-east-1:000000000000:layer:f"), &to));
    stage_close();
}

/* Though the loop that they are of may not read what the function is now. */
static void test_a_change_ends_those_that_are_idle(void **state)
{
    struct sent sent;
    (void)state;
    stage_open(2, NULL, 0);
    PLAY("f", 900, {.answer = ANSWER_ECHO}, {.answer = ANSWER_ECHO});
    send_to(&sent, "f", "1");
    assert_int_equal(sent.delivery.outcome, EVENT_ANSWERED);
    arena_free(sent.delivery.arena);
    put_function("f", 900);
    assert_true(stage_wait(running_is, 0));
    send_to(&sent, "f", "2");
    assert_int_equal(sent.delivery.outcome, EVENT_ANSWERED);
    arena_free(sent.delivery.arena);
    stage_close();
}

static void read_off_the_loops(struct str from)
{
    (void)from;
    ENSURE(!loop_current());
}

static void test_over_a_store_whose_reads_may_block(void **state)
{
    engine_add(&memory_engine_ops);
    memory_read_may_block = true;
    memory_before_read = read_off_the_loops;
    stage_engine = "memory";
    test_events_by_arn(state);
    test_a_change_ends_those_that_are_idle(state);
    test_answers_go_where_they_were_asked(state);
    memory_before_read = NULL;
    stage_engine = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_function_that_is_not_there),
        cmocka_unit_test(test_a_payload_over_the_maximum),
        cmocka_unit_test(test_the_tracing_header_is_completed),
        cmocka_unit_test(test_answers_go_where_they_were_asked),
        cmocka_unit_test(test_events_by_arn),
        cmocka_unit_test(test_a_change_ends_those_that_are_idle),
        cmocka_unit_test(test_over_a_store_whose_reads_may_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

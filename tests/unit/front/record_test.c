/* record_test.c -- requests are counted by what they turned out to be, over all loops, and a table that is full counts on. */
#include "../base/unit.h"
#include "front/record.h"
#include "call/dispatch.h"
#include "net/loop.h"
#include <pthread.h>

static struct str render(struct record *record, struct arena *arena)
{
    struct buf out;
    buf_init(&out, arena, 1u << 24);
    record_write(&out, record);
    assert_false(out.failed);
    return buf_str(&out);
}

static void count_request(struct record *record, struct loop *loop, const void *series, const char *operation, int status)
{
    struct http_request request = {.loop = loop, .about = {.series = series, .service = STR("s"), .operation = str_of(operation)}};
    record_watch(&request, &(struct http_served){.status = status, .bytes_in = 2, .bytes_out = 3, .ns = 20000, .cut = status == 0},
                 record);
}

static void assert_line(struct str text, const char *line)
{
    if (!memmem(text.p, text.n, line, strlen(line)))
        fail_msg("%s", line);
}

static void test_loops_are_summed(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct loops *loops = loops_new(2);
    struct record *record = record_new(2, NULL);
    static const char one, two;
    for (size_t i = 0; i < 2; i++) {
        count_request(record, loops_at(loops, i), &one, "One", 200);
        count_request(record, loops_at(loops, i), &one, "One", 503);
        count_request(record, loops_at(loops, i), &two, "Two", 0);
        count_request(record, loops_at(loops, i), NULL, "Ignored", 400);
    }
    struct str text = render(record, arena);
    assert_line(text, "cloudless_requests_total{service=\"s\",operation=\"One\",status=\"200\"} 2\n");
    assert_line(text, "cloudless_requests_total{service=\"s\",operation=\"One\",status=\"503\"} 2\n");
    assert_line(text, "cloudless_requests_total{service=\"s\",operation=\"Two\",status=\"0\"} 2\n");
    assert_line(text, "cloudless_requests_total{service=\"\",operation=\"\",status=\"400\"} 2\n");
    assert_line(text, "cloudless_requests_cut_total{service=\"s\",operation=\"Two\"} 2\n");
    assert_line(text, "cloudless_request_bytes_total{service=\"s\",operation=\"One\"} 8\n");
    assert_line(text, "cloudless_response_bytes_total{service=\"s\",operation=\"One\"} 12\n");
    assert_line(text, "cloudless_request_duration_seconds_bucket{service=\"s\",operation=\"One\",le=\"1.6e-05\"} 0\n");
    assert_line(text, "cloudless_request_duration_seconds_bucket{service=\"s\",operation=\"One\",le=\"2.4e-05\"} 4\n");
    assert_line(text, "cloudless_request_duration_seconds_sum{service=\"s\",operation=\"One\"} 8e-05\n");
    assert_int_equal(record_total(record), 8);
    record_free(record);
    record_free(NULL);
    loops_free(loops);
    arena_free(arena);
}

static void test_bounds(void **state)
{
    (void)state;
    static const char keys[RECORD_SERIES_MAX + 10];
    struct arena *arena = arena_new();
    struct loops *loops = loops_new(1);
    struct record *record = record_new(1, NULL);
    for (size_t i = 0; i < sizeof keys; i++) {
        char name[16];
        snprintf(name, sizeof name, "Op%zu", i);
        count_request(record, loops_at(loops, 0), &keys[i], name, 200);
    }
    for (int status = 300; status < 400; status++)
        count_request(record, loops_at(loops, 0), &keys[0], "Op0", status);
    struct str text = render(record, arena);
    assert_line(text, "cloudless_requests_total{service=\"other\",operation=\"\",status=\"200\"} 10\n");
    assert_line(text, "cloudless_requests_total{service=\"s\",operation=\"Op0\",status=\"0\"} 77\n");
    record_free(record);
    loops_free(loops);
    arena_free(arena);
}

/* ---- calls that begin to stream on threads of their own, while their loop counts requests ---- */

enum { CALLERS = 4, CALLS_EACH = 500 };
extern const struct model model_sts;
static const struct service_api sts = {.model = &model_sts};

struct caller {
    struct record *record;
    struct loop *loop;
};

static void *call_often(void *arg)
{
    const struct caller *caller = arg;
    struct call call = {
        .loop = caller->loop, .api = &sts, .operation = model_operation_find(&model_sts, STR("GetCallerIdentity")), .status = 200};
    for (unsigned i = 0; i < CALLS_EACH; i++)
        record_call(&call, 1000, caller->record);
    return NULL;
}

struct requests {
    struct loop_task task;
    struct record *record;
    struct loop *loop;
};

static void count_many(struct loop_task *task)
{
    static const char one;
    struct requests *requests = (struct requests *)(void *)task;
    for (unsigned i = 0; i < CALLS_EACH; i++)
        count_request(requests->record, requests->loop, &one, "One", 200);
}

static void test_calls_of_other_threads(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct loops *loops = loops_new(1);
    struct record *record = record_new(1, NULL);
    struct caller caller = {record, loops_at(loops, 0)};
    struct requests requests = {{.run = count_many}, record, caller.loop};
    pthread_t threads[CALLERS];
    loops_start(loops);
    loop_post(caller.loop, &requests.task);
    for (unsigned i = 0; i < CALLERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &caller), 0);
    for (unsigned i = 0; i < CALLERS; i++)
        pthread_join(threads[i], NULL);
    loops_stop(loops); /* runs what was posted */
    assert_int_equal(record_total(record), (CALLERS + 1) * CALLS_EACH);
    assert_line(render(record, arena),
                "cloudless_requests_total{service=\"sts\",operation=\"GetCallerIdentity\",status=\"200\"} 2000\n");
    record_free(record);
    loops_free(loops);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_loops_are_summed), cmocka_unit_test(test_bounds),
                                       cmocka_unit_test(test_calls_of_other_threads)};
    return RUN(tests);
}

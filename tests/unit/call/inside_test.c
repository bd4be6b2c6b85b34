/* inside_test.c -- operations called from inside the program: validated, authorised, run where their rows say, recorded, and
 * completed once on the loop that was asked for; with an authorisation of its own and rows that are made for the test. */
#include "call/inside.h"
#include "../base/files.h"
#include "../store/memory_engine.h"
#include "auth/auth.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/panic.h"
#include "net/worker.h"
#include "services/dynamodb/dynamodb.h"
#include "services/lambda/lambda.h"
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

static atomic_int authorized;

enum err auth_authorize(struct auth *auth, const struct policy_request *request, struct str resource_policy, struct arena *arena,
                        struct str *ret_message)
{
    (void)auth, (void)resource_policy, (void)arena;
    atomic_fetch_add(&authorized, 1);
    if (str_eq(request->principal->name, STR("nobody"))) {
        *ret_message = STR("User: nobody is not authorized");
        return ERR_DENIED;
    }
    return ERR_OK;
}

/* ---- a service ---- */

static void need_table(struct call *call, struct needs *needs)
{
    need_add(needs, "dynamodb:Any", call_arn(call, "dynamodb", "table/" STR_FMT, STR_ARG(call_str(call, "TableName"))));
}

static void need_function(struct call *call, struct needs *needs)
{
    need_add(needs, "lambda:InvokeFunction", call_arn(call, "lambda", "function:" STR_FMT, STR_ARG(call_str(call, "FunctionName"))));
}

static void tell_all(struct call *call)
{
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "Table", call_str(call, "TableName"));
    json_add_str(call->arena, call->output, "Thread", loop_current() ? STR("loop") : STR("worker"));
    json_add_str(call->arena, call->output, "Trace", call_request_header(call, "X-Amzn-Trace-Id"));
    json_add_str(call->arena, call->output, "Host", call_request_header(call, "Host"));
    json_add_str(call->arena, call->output, "Arn", call_arn(call, "dynamodb", "x"));
}

static void count_up(struct call *call, struct store_txn *txn)
{
    const struct store_key key = {3, STR("test"), STR("counter")};
    struct str value;
    uint64_t n = 0;
    if (store_get(txn, key, call->arena, &value) == ERR_OK)
        str_to_u64(value, &n);
    store_put(txn, key, arena_printf(call->arena, "%llu", (unsigned long long)n + 1));
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_i64(call->arena, call->output, "Count", (int64_t)n + 1);
    if (json_bool(call->input, "DeletionProtectionEnabled", false))
        call_fail(call, "ResourceInUseException", "in use");
}

static void answer_payload(struct call *call)
{
    call->has_output_payload = true;
    call->output_payload = call->payload;
    call_complete(call);
}

/* Reads the input's stream, then writes it back as the answer's. */
struct copying {
    struct body_sink sink;
    struct call *call;
    struct buf seen;
};

static enum body_want copy_piece(struct body_sink *sink, struct str piece)
{
    buf_add(&CONTAINER_OF(sink, struct copying, sink)->seen, piece);
    return BODY_MORE;
}

static void copy_end(struct body_sink *sink, enum body_end how)
{
    struct copying *copying = CONTAINER_OF(sink, struct copying, sink);
    if (how != BODY_WHOLE) {
        call_fail_body(copying->call, how);
        call_complete(copying->call);
        return;
    }
    struct str text = buf_str(&copying->seen);
    struct body_writer *writer = call_stream(copying->call, text.n, NULL);
    ENSURE(body_write(writer, &text) == ERR_OK);
    body_finish(writer);
}

static void copy_stream(struct call *call)
{
    struct copying *copying = arena_new_of(call->arena, struct copying);
    *copying = (struct copying){.sink = {.piece = copy_piece, .end = copy_end}, .call = call};
    buf_init(&copying->seen, call->arena, 4096);
    body_read(call->body, &copying->sink);
}

static const char *const refused_members[] = {"AttributesToGet", NULL};
static const struct row dynamodb_rows[] = {
    {.name = "GetItem", .run = RUN_INLINE, .needs = need_table, .handle = tell_all, .refused = refused_members},
    {.name = "Scan", .run = RUN_WORKER, .needs = need_table, .handle = tell_all},
    {.name = "UpdateTable", .run = RUN_MUTATION, .needs = need_table, .mutate = count_up},
};
static const struct row lambda_rows[] = {
    {.name = "Invoke", .run = RUN_ASYNC, .needs = need_function, .handle = answer_payload},
    {.name = "InvokeAsync", .run = RUN_ASYNC, .needs = need_function, .handle = copy_stream, .streams = true},
    {.name = "InvokeWithResponseStream", .run = RUN_ASYNC, .needs = need_function, .handle = answer_payload},
};
static const struct service_api dynamodb = {
    .model = &model_dynamodb, .rows = dynamodb_rows, .row_count = COUNT_OF(dynamodb_rows), .errors = &dynamodb_errors, .overrides = &dynamodb_overrides};
static const struct service_api lambda = {.model = &model_lambda, .rows = lambda_rows, .row_count = COUNT_OF(lambda_rows), .streams = true, .errors = &lambda_errors};
static const struct service_binding bindings[] = {{.api = &dynamodb}, {.api = &lambda}, {0}};

/* ---- the program around it ---- */

static struct place {
    char dir[64];
    struct arena *arena;
    struct store *store;
    struct workers *workers;
    struct loops *loops;
    struct calls *calls;
} place;

static atomic_int watched_fine, watched_failed;

static void count_watched(const struct call *call, uint64_t ns, void *arg)
{
    ENSURE(arg == &place && ns > 0 && loop_current() == call->loop);
    atomic_fetch_add(call->failed ? &watched_failed : &watched_fine, 1);
}

static int open_place(void **state)
{
    (void)state;
    log_set_level(LOG_ERROR);
    strcpy(place.dir, "/tmp/inside-test-XXXXXX");
    ENSURE(mkdtemp(place.dir) != NULL);
    place.arena = arena_new();
    const struct store_options store = {.dir = place.dir};
    struct str message;
    ENSURE(store_open(&store, place.arena, &place.store, &message) == ERR_OK);
    place.loops = loops_new(2);
    place.workers = workers_new(NULL);
    const struct calls_options options = {.store = place.store, .workers = place.workers, .bindings = bindings,
                                          .default_account = STR("000000000000"), .default_region = STR("us-east-1"),
                                          .watch = count_watched, .watch_arg = &place};
    place.calls = calls_new(&options);
    loops_start(place.loops);
    return 0;
}

static int close_place(void **state)
{
    (void)state;
    workers_stop(place.workers);
    loops_stop(place.loops);
    workers_free(place.workers);
    calls_free(place.calls);
    store_close(place.store);
    loops_free(place.loops);
    arena_free(place.arena);
    files_remove_tree(place.dir);
    return 0;
}

/* One call and how it ended. */
struct asked {
    struct arena *arena;
    struct principal who;
    struct call_start start;
    struct call *call;
    sem_t ended;
    atomic_int times;
};

static void call_ended_here(struct call *call, void *arg)
{
    struct asked *asked = arg;
    ENSURE(loop_current() == asked->start.loop);
    asked->call = call;
    atomic_fetch_add(&asked->times, 1);
    sem_post(&asked->ended);
}

static void ask_begin(struct asked *asked, const char *api, const char *operation, const char *json)
{
    *asked = (struct asked){.arena = arena_new()};
    ENSURE(sem_init(&asked->ended, 0, 0) == 0);
    asked->who = (struct principal){.type = PRINCIPAL_USER, .account = STR("123456789012"), .name = STR("alice"), .arn = STR("arn:alice")};
    asked->start = (struct call_start){.api = api, .operation = str_of(operation), .principal = &asked->who, .arena = asked->arena,
                                       .loop = loops_at(place.loops, 1), .done = call_ended_here, .arg = asked};
    if (json)
        ENSURE(json_parse(str_of(json), asked->arena, &asked->start.input) == ERR_OK);
}

static void ask_wait(struct asked *asked)
{
    assert_int_equal(call_start(place.calls, &asked->start), ERR_OK);
    while (sem_wait(&asked->ended) != 0) {}
    assert_int_equal(atomic_load(&asked->times), 1);
}

static void ask_end(struct asked *asked)
{
    sem_destroy(&asked->ended);
    arena_free(asked->arena);
}

static void assert_member(const struct asked *asked, const char *member, const char *text)
{
    assert_false(asked->call->failed);
    assert_true(str_eq(json_str(asked->call->output, member), str_of(text)));
}

/* `begins` is how the message begins. */
static void assert_fails(const char *api, const char *operation, const char *json, const char *who, int status, const char *code, const char *begins)
{
    struct asked asked;
    ask_begin(&asked, api, operation, json);
    if (who)
        asked.who.name = str_of(who);
    ask_wait(&asked);
    assert_true(asked.call->failed);
    assert_string_equal(asked.call->error_code, code);
    assert_int_equal(asked.call->error_status, status);
    assert_true(str_starts(asked.call->error_message, str_of(begins)));
    ask_end(&asked);
}

static void calls_run_where_their_rows_say(void **state)
{
    (void)state;
    struct asked asked;
    ask_begin(&asked, "dynamodb", "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}");
    asked.start.trace_id = STR("Root=1");
    asked.start.region = STR("eu-west-1");
    ask_wait(&asked);
    assert_member(&asked, "Table", "abc");
    assert_member(&asked, "Thread", "loop");
    assert_member(&asked, "Trace", "Root=1");
    assert_member(&asked, "Host", "");
    assert_member(&asked, "Arn", "arn:aws:dynamodb:eu-west-1:123456789012:x");
    ask_end(&asked);
    for (int large = 0; large < 2; large++) {
        ask_begin(&asked, "dynamodb", "Scan", "{\"TableName\":\"abc\"}");
        asked.start.account = STR("999999999999");
        asked.start.large = large;
        ask_wait(&asked);
        assert_member(&asked, "Thread", "worker");
        assert_member(&asked, "Arn", "arn:aws:dynamodb:us-east-1:999999999999:x");
        ask_end(&asked);
    }
    ask_begin(&asked, "dynamodb", "UpdateTable", "{\"TableName\":\"abc\"}");
    ask_wait(&asked);
    assert_int_equal(json_i64(asked.call->output, "Count", 0), 1);
    ask_end(&asked);
    ask_begin(&asked, "lambda", "Invoke", "{\"FunctionName\":\"f\"}");
    asked.start.payload = STR("event");
    ask_wait(&asked);
    assert_true(str_eq(asked.call->output_payload, STR("event")));
    ask_end(&asked);
}

static void calls_fail_as_requests_do(void **state)
{
    (void)state;
    int before = atomic_load(&authorized);
    assert_fails("dynamodb", "Nonsense", "{}", NULL, 400, "UnknownOperationException", "");
    assert_fails("dynamodb", "DescribeLimits", "{}", NULL, 501, "NotImplemented", "Cloudless does not implement dynamodb:DescribeLimits.");
    assert_fails("dynamodb", "GetItem", NULL, NULL, 400, "ValidationException", "2 validation errors detected: ");
    assert_fails("dynamodb", "GetItem", "{\"TableName\":7}", NULL, 400, "SerializationException", "");
    assert_fails("dynamodb", "GetItem", "[]", NULL, 400, "SerializationException", "");
    assert_int_equal(atomic_load(&authorized), before);     /* nothing of these was asked for */
    assert_fails("dynamodb", "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}", "nobody", 400, "AccessDeniedException", "User: nobody");
    assert_fails("dynamodb", "GetItem", "{\"TableName\":\"abc\",\"Key\":{},\"AttributesToGet\":[\"a\"]}", NULL, 501, "NotImplemented", "Cloudless");
    assert_fails("dynamodb", "UpdateTable", "{\"TableName\":\"abc\",\"DeletionProtectionEnabled\":true}", NULL, 400, "ResourceInUseException", "in use");
    struct asked asked;
    ask_begin(&asked, "nothing", "GetItem", NULL);
    assert_int_equal(call_start(place.calls, &asked.start), ERR_NOT_FOUND);
    ask_end(&asked);
}

/* Members that travel in the path, the query string or headers are members like others here. */
static void members_have_the_models_names(void **state)
{
    (void)state;
    struct asked asked;
    ask_begin(&asked, "lambda", "Invoke", "{\"FunctionName\":\"f\",\"InvocationType\":\"Nonsense\"}");
    ask_wait(&asked);
    assert_true(asked.call->failed && strstr(arena_cstr(asked.arena, asked.call->error_message), "'Nonsense' at 'invocationType'"));
    ask_end(&asked);
}

/* Where a streamed answer goes: into `seen`. */
struct receiver {
    struct body_writer writer;
    struct asked *asked;
    uint64_t length;
    char seen[64];
    size_t n;
};
static struct receiver receiver;

static enum err receive(struct body_writer *writer, struct str *rest)
{
    ENSURE(writer == &receiver.writer && receiver.n + rest->n <= sizeof receiver.seen);
    memcpy(receiver.seen + receiver.n, rest->p, rest->n);
    receiver.n += rest->n;
    rest->n = 0;
    return ERR_OK;
}

static void received(struct body_writer *writer, bool whole)
{
    ENSURE(writer == &receiver.writer && whole);
    sem_post(&receiver.asked->ended);
}

static struct body_writer *begin_receiving(struct call *call, uint64_t length, struct body_producer *producer, void *arg)
{
    static const struct body_writer_ops ops = {.write = receive, .finish = received};
    ENSURE(producer == NULL);
    receiver = (struct receiver){.writer = {.ops = &ops, .loop = call->loop}, .asked = arg, .length = length};
    return &receiver.writer;
}

static void streams_go_through(void **state)
{
    (void)state;
    struct asked asked;
    for (int streamed = 0; streamed < 2; streamed++) {      /* a body that is there, and one that is read */
        struct body_bytes bytes;
        ask_begin(&asked, "lambda", "InvokeAsync", "{\"FunctionName\":\"f\"}");
        asked.start.stream = begin_receiving;
        if (streamed)
            asked.start.body = body_of_bytes(&bytes, asked.start.loop, STR("from a reader"));
        else
            asked.start.payload = STR("from memory");
        assert_int_equal(call_start(place.calls, &asked.start), ERR_OK);
        while (sem_wait(&asked.ended) != 0) {}
        const char *text = streamed ? "from a reader" : "from memory";
        assert_int_equal(receiver.length, strlen(text));
        assert_true(str_eq((struct str){receiver.seen, receiver.n}, str_of(text)));
        assert_int_equal(atomic_load(&asked.times), 0);     /* `done` is for answers that are whole */
        ask_end(&asked);
    }
    assert_fails("lambda", "InvokeWithResponseStream", "{\"FunctionName\":\"f\"}", NULL, 501, "NotImplemented", "Cloudless");
}

static void on_its_own_loop(struct loop_task *task)
{
    (void)task;
    static struct asked asked;      /* lives on until its answer was seen */
    ask_begin(&asked, "dynamodb", "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}");
    ENSURE(call_start(place.calls, &asked.start) == ERR_OK);
    ENSURE(atomic_load(&asked.times) == 1);     /* nothing in it waits */
    ask_end(&asked);
}

struct on_loop {
    struct loop_task task;
    sem_t over;
};

static void start_and_tell(struct loop_task *task)
{
    on_its_own_loop(task);
    sem_post(&CONTAINER_OF(task, struct on_loop, task)->over);
}

static void calls_on_their_loop_begin_at_once(void **state)
{
    (void)state;
    struct on_loop here = {.task = {.run = start_and_tell}};
    ENSURE(sem_init(&here.over, 0, 0) == 0);
    loop_post(loops_at(place.loops, 1), &here.task);
    while (sem_wait(&here.over) != 0) {}
    sem_destroy(&here.over);
}

static void calls_are_watched(void **state)
{
    (void)state;
    int fine = atomic_load(&watched_fine), failed = atomic_load(&watched_failed);
    struct asked asked;
    ask_begin(&asked, "dynamodb", "UpdateTable", "{\"TableName\":\"abc\"}");
    ask_wait(&asked);
    ask_end(&asked);
    assert_fails("dynamodb", "GetItem", NULL, NULL, 400, "ValidationException", "");
    assert_int_equal(atomic_load(&watched_fine) - fine, 1);
    assert_int_equal(atomic_load(&watched_failed) - failed, 1);
}

/* Over an engine that others write to as well, and whose reads may wait for them: nothing that reads runs on a loop, and a
 * mutation that met a conflict runs again with the clock and the ids that it had. */
static struct str ids[4];
static int64_t times[4];
static unsigned runs;

static void make_ids(struct call *call, struct store_txn *txn)
{
    const struct store_key key = {3, STR("test"), STR("id")};
    struct str old = STR_NONE;
    store_get(txn, key, call->arena, &old);
    ENSURE(runs < COUNT_OF(ids));
    times[runs] = call->now_ms;
    ids[runs++] = arena_printf(call->arena, STR_FMT " " STR_FMT, STR_ARG(call_uuid(call)), STR_ARG(call_random_chars(call, "abc", 20)));
    store_put(txn, key, ids[runs - 1]);
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "Id", ids[runs - 1]);
}

static const struct row shared_rows[] = {
    {.name = "GetItem", .run = RUN_INLINE, .needs = need_table, .handle = tell_all},
    {.name = "UpdateTable", .run = RUN_MUTATION, .needs = need_table, .mutate = make_ids},
};
static const struct service_api shared = {
    .model = &model_dynamodb, .rows = shared_rows, .row_count = COUNT_OF(shared_rows), .errors = &dynamodb_errors, .overrides = &dynamodb_overrides};
static const struct service_binding shared_bindings[] = {{.api = &shared}, {0}};

struct other_write { struct store_mutation mutation; struct store *store; sem_t done; };

static enum err write_id(struct store_txn *txn, void *arg)
{
    (void)arg;
    store_put(txn, (struct store_key){3, STR("test"), STR("id")}, STR("by another"));
    return ERR_OK;
}

static void other_written(struct store_mutation *mutation, enum err err)
{
    ENSURE(err == ERR_OK);
    sem_post(&CONTAINER_OF(mutation, struct other_write, mutation)->done);
}

static void write_meanwhile(void *arg)
{
    struct other_write *other = arg;
    other->mutation = (struct store_mutation){.mutate = write_id, .done = other_written};
    store_submit(other->store, &other->mutation);
    while (sem_wait(&other->done) != 0) {}
}

static void read_off_the_loops(struct str from)
{
    (void)from;
    ENSURE(!loop_current());
}

static void a_store_that_blocks_and_conflicts(void **state)
{
    (void)state;
    struct calls *calls = place.calls;
    struct store *store;
    struct other_write other = {0};
    struct str message;
    const struct store_options options = {.dir = "a cluster", .engine = "memory"};
    sem_init(&other.done, 0, 0);
    engine_add(&memory_engine_ops);
    memory_read_may_block = true;
    memory_before_read = read_off_the_loops;
    assert_int_equal(store_open(&options, place.arena, &store, &message), ERR_OK);
    assert_int_equal(store_open(&options, place.arena, &other.store, &message), ERR_OK);
    const struct calls_options over_it = {.store = store, .workers = place.workers, .bindings = shared_bindings,
                                          .default_account = STR("000000000000"), .default_region = STR("us-east-1")};
    place.calls = calls_new(&over_it);

    struct asked asked;
    ask_begin(&asked, "dynamodb", "GetItem", "{\"TableName\":\"abc\",\"Key\":{}}");
    ask_wait(&asked);
    assert_member(&asked, "Thread", "worker");
    ask_end(&asked);

    memory_before_commit_arg = &other;
    memory_before_commit = write_meanwhile;
    ask_begin(&asked, "dynamodb", "UpdateTable", "{\"TableName\":\"abc\"}");
    ask_wait(&asked);
    assert_int_equal(runs, store_mutate_twice ? 4 : 2);
    for (unsigned i = 1; i < runs; i++) {
        assert_true(str_eq(ids[i], ids[0]));
        assert_int_equal(times[i], times[0]);
    }
    assert_true(times[0] > 0 && ids[0].n == 36 + 1 + 20 && ids[0].p[14] == '4');
    assert_true(str_eq(json_str(asked.call->output, "Id"), ids[0]));
    ask_end(&asked);

    struct calls *over = place.calls;
    place.calls = calls;
    store_close(store);
    store_close(other.store);
    memory_forget("a cluster");
    memory_before_read = NULL;
    free(over);                                 /* calls_free would take the patterns of the others along */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_run_where_their_rows_say), cmocka_unit_test(calls_fail_as_requests_do),
        cmocka_unit_test(members_have_the_models_names),  cmocka_unit_test(calls_on_their_loop_begin_at_once),
        cmocka_unit_test(streams_go_through),             cmocka_unit_test(calls_are_watched),
        cmocka_unit_test(a_store_that_blocks_and_conflicts),
    };
    return cmocka_run_group_tests(tests, open_place, close_place);
}

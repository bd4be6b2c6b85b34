/* inside.c -- what an operation that is called from inside the program costs over its handler: GetItem of DynamoDB's model with a
 * handler that does nothing, authorised by a cached decision, one after the other on one loop, each with an arena of its own.
 * Prints the nanoseconds of one call: the median of the rounds. Its store is made in the folder that it is given. */
#include "auth/auth.h"
#include "base/clock.h"
#include "base/panic.h"
#include "call/inside.h"
#include "net/worker.h"
#include "services/dynamodb/dynamodb.h"
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define CALLS 100000
#define ROUNDS 7
#define ROUNDS_WARM 2

static struct principal caller = {.type = PRINCIPAL_USER, .account = {"000000000000", 12}, .arn = {"arn:aws:iam::000000000000:user/u", 32},
                                  .id = {"AIDAEXAMPLE", 11}, .name = {"u", 1}, .access_key_id = {"AKIAEXAMPLE", 11}};
static struct calls *calls;
static struct loop *loop;
static sem_t over;
static size_t left;
static struct arena *arena;

/* ---- a source of one policy ---- */

static enum err key_of(void *arg, struct str id, struct arena *a, struct auth_key *ret)
{
    (void)arg, (void)id, (void)a, (void)ret;
    return ERR_NOT_FOUND;
}

static enum err identity_of(void *arg, const struct principal *who, struct arena *a, struct auth_identity *ret)
{
    (void)arg, (void)who;
    *ret = (struct auth_identity){.policies = arena_array(a, struct str, 1), .policy_count = 1};
    ret->policies[0] =
        STR("{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}]}");
    return ERR_OK;
}

static uint64_t generation_of(void *arg)
{
    (void)arg;
    return 1;
}

/* ---- calls, one after the other ---- */

static void needs_table(struct call *call, struct needs *needs)
{
    need_add(needs, "dynamodb:GetItem", call_arn(call, "dynamodb", "table/" STR_FMT, STR_ARG(call_str(call, "TableName"))));
}

static void nothing(struct call *call)
{
    call->output = json_new(call->arena, JSON_OBJECT);
}

static const struct row rows[] = {{.name = "GetItem", .run = RUN_INLINE, .needs = needs_table, .handle = nothing}};
static const struct service_api api = {.model = &model_dynamodb, .rows = rows, .row_count = 1, .errors = &dynamodb_errors, .overrides = &dynamodb_overrides};
static const struct service_binding bindings[] = {{.api = &api}, {0}};

static void ended(struct call *call, void *arg)
{
    (void)arg;
    ENSURE(!call->failed);
}

static void ask(void)
{
    arena = arena_new();
    struct json *input = json_new(arena, JSON_OBJECT);
    json_add_str(arena, input, "TableName", STR("table"));
    json_add_str(arena, json_add_object(arena, json_add_object(arena, input, "Key"), "pk"), "S", STR("item-00000001"));
    const struct call_start start = {.api = "dynamodb", .operation = STR("GetItem"), .input = input, .principal = &caller, .arena = arena,
                                     .loop = loop, .done = ended};
    ENSURE(call_start(calls, &start) == ERR_OK);
    arena_free(arena);
}

static void ask_all(struct loop_task *task)
{
    (void)task;
    for (left = CALLS; left > 0; left--)
        ask();
    sem_post(&over);
}

static double round_ns(void)
{
    static struct loop_task task = {.run = ask_all};
    uint64_t from = clock_mono_ns();
    loop_post(loop, &task);
    while (sem_wait(&over) != 0) {}
    return (double)(clock_mono_ns() - from) / CALLS;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: bench_inside DIR\n");
        return 2;
    }
    struct arena *kept = arena_new();
    struct store *store;
    struct auth *auth;
    struct str message;
    const struct store_options store_options = {.dir = argv[1]};
    ENSURE(store_open(&store_options, kept, &store, &message) == ERR_OK);
    struct loops *loops = loops_new(1);
    loop = loops_at(loops, 0);
    ENSURE(auth_new(store, 1, &auth) == ERR_OK);
    const struct auth_source source = {NULL, key_of, identity_of, NULL, generation_of};
    auth_set_source(auth, &source);
    const struct calls_options options = {.store = store, .auth = auth, .bindings = bindings, .default_account = STR("000000000000"),
                                          .default_region = STR("us-east-1")};
    calls = calls_new(&options);
    ENSURE(sem_init(&over, 0, 0) == 0);
    loops_start(loops);
    double rounds[ROUNDS];
    for (int i = 0; i < ROUNDS_WARM; i++)
        round_ns();
    for (int i = 0; i < ROUNDS; i++)
        rounds[i] = round_ns();
    qsort(rounds, ROUNDS, sizeof *rounds, by_size);
    printf("%.0f\n", rounds[ROUNDS / 2]);
    loops_stop(loops);
    calls_free(calls);
    auth_free(auth);
    store_close(store);
    loops_free(loops);
    arena_free(kept);
    return 0;
}

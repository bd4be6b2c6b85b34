/* pool.c -- the environments of one function and the invocations that wait for one. Home loop only.
 * An invocation takes an idle environment of the function's current revision, or waits. A new environment is started when
 * there is none, or when the oldest waiting invocation has waited LAMBDA_QUEUE_WAIT_MS: short handlers under load share few
 * environments, long ones get one each. Environments of an older revision, or of a function that was deleted, are killed
 * as soon as they are idle.
 * The bound on environments is one for the server. Where it is reached, the one that has been idle longest makes room, of
 * whichever function and loop (another loop is asked by a task); only when all are busy is an invocation refused with 429.
 * Invariant: a pool without environments has an empty queue, or a timer that tries again; with neither it is freed.
 * Invocations are refused by a posted task (invoke.c), so nothing here is entered a second time from within.
 * Counted across loops: environments, those that run an invocation, those that are ending, the idle ones of each loop. */
#include "services/lambda/environment.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/panic.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOPS_MAX 256
#define POOLS_MAX 100000            /* a loop; each has an environment or an invocation, which are bounded much lower */
#define RATE_EXCEEDED STR("Rate Exceeded.")
#define SHUTTING_DOWN STR("The server is shutting down.")

struct lambda__pool {
    char *key;
    struct loop *loop;
    struct lambda__environment *all, *idle[LAMBDA_ENVIRONMENTS_MAX];    /* idle: the longest idle first */
    size_t count, alive, idle_count, starting;      /* alive: without those that are ending */
    struct lambda_invocation *head, **tail;
    size_t queued;
    struct loop_timer *timer;
    struct lambda__function *function;      /* of the newest invocation: what is started next */
    bool deleted;
};

static struct map *pools[LOOPS_MAX];        /* each touched by its loop only */
static _Atomic size_t environments, busy, ending, idle_on[LOOPS_MAX];
static struct loop_task retire_tasks[LOOPS_MAX];
static atomic_bool retire_posted[LOOPS_MAX];
static atomic_bool stopping;
static pthread_mutex_t gone_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER;

static void schedule(struct lambda__pool *pool);

static struct lambda__flight *flight(struct lambda_invocation *invocation)
{
    return invocation->internal;
}

/* The key of a function; false: longer than any function's that exists. */
static bool key_of(char key[256], struct str account, struct str region, struct str name, struct str *ret)
{
    int n = snprintf(key, 256, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(account), STR_ARG(region), STR_ARG(name));
    *ret = (struct str){key, (size_t)n};
    return n > 0 && n < 256;
}

static struct lambda__pool *pool_of(const struct lambda__function *f)
{
    struct loop *loop = loop_current();
    size_t index = loop_index(loop);
    char text[256];
    struct str key;
    ENSURE(key_of(text, f->account, f->region, f->name, &key));     /* function.c keeps it as short */
    ENSURE(index < LOOPS_MAX);
    if (!pools[index])
        pools[index] = map_new(POOLS_MAX, NULL);
    struct lambda__pool *pool = map_get(pools[index], key);
    if (!pool) {
        pool = mem_zalloc(sizeof *pool);
        pool->key = mem_dup(key.p, key.n);
        pool->loop = loop;
        pool->tail = &pool->head;
        map_put(pools[index], str_of(pool->key), pool);
    }
    return pool;
}

static void free_if_empty(struct lambda__pool *pool)
{
    if (pool->count || pool->head)
        return;
    map_take(pools[loop_index(pool->loop)], str_of(pool->key));
    loop_timer_cancel(&pool->timer);
    lambda__function_unref(&pool->function);
    free(pool->key);
    free(pool);
}

struct lambda_invocation *lambda__pool_take(struct lambda__pool *pool)
{
    struct lambda_invocation *first = pool->head;
    if (!first)
        return NULL;
    pool->head = first->next;
    if (!pool->head)
        pool->tail = &pool->head;
    pool->queued--;
    return first;
}

static void start_one(struct lambda__pool *pool, bool second)
{
    atomic_fetch_add(&environments, 1);
    pool->count++;
    pool->alive++;
    pool->starting++;
    struct lambda__environment *e = lambda__environment_start(pool, pool->function, second);
    *lambda__environment_link(e) = pool->all;
    pool->all = e;
}

static bool is_current(const struct lambda__pool *pool, const struct lambda__environment *e)
{
    return !pool->deleted && str_eq(lambda__environment_function(e)->revision, pool->function->revision) && !lambda__environment_stale(e);
}

static void refuse_all(struct lambda__pool *pool, const char *code, int status, struct str message)
{
    for (struct lambda_invocation *i; (i = lambda__pool_take(pool));)
        lambda__invocation_refuse(i, code, status, message);
}

static struct lambda__environment *take_idle(struct lambda__pool *pool, size_t at)
{
    struct lambda__environment *e = pool->idle[at];
    memmove(&pool->idle[at], &pool->idle[at + 1], (pool->idle_count - at - 1) * sizeof *pool->idle);
    pool->idle_count--;
    atomic_fetch_sub(&idle_on[loop_index(pool->loop)], 1);
    return e;
}

/* ---- room for another environment ---- */

static size_t environments_max(void)
{
    size_t concurrency = lambda__options()->concurrency_max;
    return concurrency < LAMBDA_ENVIRONMENTS_MAX ? concurrency : LAMBDA_ENVIRONMENTS_MAX;
}

static bool find_oldest(struct str key, void *value, void *arg)
{
    struct lambda__pool *pool = value, **oldest = arg;
    (void)key;
    if (pool->idle_count && (!*oldest || lambda__environment_idle_ns(pool->idle[0]) < lambda__environment_idle_ns((*oldest)->idle[0])))
        *oldest = pool;
    return true;
}

static void retire_oldest(void)
{
    struct map *mine = pools[loop_index(loop_current())];
    struct lambda__pool *pool = NULL;
    if (mine)
        map_each(mine, find_oldest, &pool);
    if (pool)
        lambda__environment_kill(take_idle(pool, 0));
}

static void run_retire(struct loop_task *task)
{
    (void)task;
    atomic_store(&retire_posted[loop_index(loop_current())], false);
    if (!atomic_load(&stopping))
        retire_oldest();
}

/* The bound is reached. True: there will be room, try again soon. False: every environment runs an invocation. */
static bool make_room(void)
{
    struct loops *loops = lambda__options()->loops;
    size_t count = loops_count(loops), mine = loop_index(loop_current());
    if (atomic_load(&busy) >= environments_max())
        return false;
    for (size_t i = 0; i < count && !atomic_load(&ending); i++) {
        size_t at = (mine + i) % count;
        if (!atomic_load(&idle_on[at]))
            continue;
        if (at == mine) {
            retire_oldest();
        } else if (!atomic_exchange(&retire_posted[at], true)) {
            retire_tasks[at].run = run_retire;
            loop_post(loops_at(loops, at), &retire_tasks[at]);
        }
        break;
    }
    return true;
}

/* ---- scheduling ---- */

static void tick(void *arg)
{
    struct lambda__pool *pool = arg;
    pool->timer = NULL;
    schedule(pool);
    free_if_empty(pool);
}

static bool should_start(const struct lambda__pool *pool)
{
    if (pool->alive == 0)
        return true;
    if (pool->starting >= pool->queued || pool->starting >= LAMBDA_STARTS_MAX)
        return false;
    return clock_mono_ns() - flight(pool->head)->queued_ns >= LAMBDA_QUEUE_WAIT_MS * 1000000ULL;
}

/* Matches idle environments with waiting invocations, then decides whether more are needed. */
static void schedule(struct lambda__pool *pool)
{
    while (pool->head && pool->idle_count) {
        struct lambda__environment *e = take_idle(pool, pool->idle_count - 1);
        if (is_current(pool, e))
            lambda__environment_run(e, lambda__pool_take(pool));
        else
            lambda__environment_kill(e);
    }
    while (pool->head && should_start(pool)) {
        if (atomic_load(&environments) >= environments_max()) {
            if (!make_room() && pool->alive == 0)
                refuse_all(pool, "TooManyRequestsException", 429, RATE_EXCEEDED);
            break;
        }
        start_one(pool, false);
    }
    if (pool->head && !pool->timer)
        pool->timer = loop_timer_start(pool->loop, LAMBDA_QUEUE_WAIT_MS, tick, pool);
}

void lambda__pool_submit(struct lambda_invocation *invocation, struct lambda__function *function)
{
    struct lambda__flight *f = flight(invocation);
    f->function = function;
    f->queued_ns = clock_mono_ns();
    if (atomic_load(&stopping)) {
        lambda__invocation_refuse(invocation, "ServiceException", 500, SHUTTING_DOWN);
        return;
    }
    struct lambda__pool *pool = pool_of(function);
    if (pool->function != function) {
        lambda__function_unref(&pool->function);
        pool->function = lambda__function_ref(function);
    }
    pool->deleted = false;
    invocation->next = NULL;
    *pool->tail = invocation;
    pool->tail = &invocation->next;
    pool->queued++;
    schedule(pool);
    free_if_empty(pool);
}

/* ---- what environments report ---- */

void lambda__pool_ready(struct lambda__pool *pool, struct lambda__environment *environment)
{
    if (atomic_load(&stopping) || !is_current(pool, environment)) {
        lambda__environment_kill(environment);
        return;
    }
    pool->idle[pool->idle_count++] = environment;
    atomic_fetch_add(&idle_on[loop_index(pool->loop)], 1);
    schedule(pool);
}

void lambda__pool_left_idle(struct lambda__pool *pool, struct lambda__environment *environment)
{
    for (size_t i = 0; i < pool->idle_count; i++)
        if (pool->idle[i] == environment) {
            take_idle(pool, i);
            return;
        }
}

void lambda__pool_started(struct lambda__pool *pool)
{
    pool->starting--;
}

void lambda__pool_busy(bool begins)
{
    if (begins)
        atomic_fetch_add(&busy, 1);
    else
        atomic_fetch_sub(&busy, 1);
}

void lambda__pool_ending(struct lambda__pool *pool)
{
    pool->alive--;
    atomic_fetch_add(&ending, 1);
}

bool lambda__pool_start_again(struct lambda__pool *pool)
{
    if (!pool->head || pool->deleted || atomic_load(&stopping))
        return false;
    start_one(pool, true);
    return true;
}

static void count_gone(void)
{
    pthread_mutex_lock(&gone_lock);
    atomic_fetch_sub(&ending, 1);
    atomic_fetch_sub(&environments, 1);
    pthread_cond_broadcast(&gone);
    pthread_mutex_unlock(&gone_lock);
}

/* While it stops, the count goes down last: lambda__pools_stop then frees what is touched here. Before that it waits for
 * this loop's stop_loop, so the count may go down first, and its place is free for who waits. */
void lambda__pool_gone(struct lambda__pool *pool, struct lambda__environment *environment)
{
    struct lambda__environment **at = &pool->all;
    bool last = atomic_load(&stopping);
    while (*at != environment)
        at = lambda__environment_link(*at);
    *at = *lambda__environment_link(environment);
    pool->count--;
    if (!last)
        count_gone();
    if (pool->head)
        schedule(pool);
    free_if_empty(pool);
    if (last)
        count_gone();
}

/* ---- a function was changed or deleted ---- */

struct change {
    struct loop_task task;
    struct arena *arena;
    struct str account, region, name;
};

static void refuse_deleted(struct lambda__pool *pool)
{
    for (struct lambda_invocation *i; (i = lambda__pool_take(pool));)
        lambda__invocation_not_found(i);
}

static void take_change(struct lambda__pool *pool, const struct change *change)
{
    struct lambda__function *function = NULL;
    enum err err = lambda__function_get(change->account, change->region, change->name, &function);
    if (err == ERR_OK) {
        lambda__function_unref(&pool->function);
        pool->function = function;
    } else if (err == ERR_NOT_FOUND) {
        pool->deleted = true;
        refuse_deleted(pool);
    }
    for (size_t i = pool->idle_count; i-- > 0;)
        if (!is_current(pool, pool->idle[i]))
            lambda__environment_kill(take_idle(pool, i));
    free_if_empty(pool);
}

static void run_change(struct loop_task *task)
{
    struct change *change = CONTAINER_OF(task, struct change, task);
    struct map *mine = pools[loop_index(loop_current())];
    char text[256];
    struct str key;
    if (!atomic_load(&stopping) && mine && key_of(text, change->account, change->region, change->name, &key)) {
        struct lambda__pool *pool = map_get(mine, key);
        if (pool)
            take_change(pool, change);
    }
    arena_free(change->arena);
}

void lambda__pool_changed(struct str account, struct str region, struct str name)
{
    struct arena *arena = arena_new();
    struct change *change = arena_new_of(arena, struct change);
    *change = (struct change){.task = {.run = run_change}, .arena = arena, .account = arena_dup(arena, account),
                              .region = arena_dup(arena, region), .name = arena_dup(arena, name)};
    loop_post(lambda__home(account, region, name), &change->task);
}

/* ---- stop ---- */

struct stop_task {
    struct loop_task task;
    size_t *left;
};

static bool stop_pool(struct str key, void *value, void *arg)
{
    struct lambda__pool *pool = value;
    (void)key, (void)arg;
    refuse_all(pool, "ServiceException", 500, SHUTTING_DOWN);
    while (pool->idle_count)
        lambda__environment_kill(take_idle(pool, 0));
    for (struct lambda__environment *e = pool->all; e; e = *lambda__environment_link(e))
        lambda__environment_kill(e);
    return true;
}

static bool first_empty(struct str key, void *value, void *arg)
{
    struct lambda__pool *pool = value, **found = arg;
    (void)key;
    if (pool->count == 0)
        *found = pool;
    return *found == NULL;
}

static void stop_loop(struct loop_task *task)
{
    struct stop_task *stop = (struct stop_task *)task;
    struct map *mine = pools[loop_index(loop_current())];
    struct lambda__pool *empty;
    if (mine)
        map_each(mine, stop_pool, NULL);
    do {                                    /* those that waited for room: no environment will free them */
        empty = NULL;
        if (mine)
            map_each(mine, first_empty, &empty);
        if (empty)
            free_if_empty(empty);
    } while (empty);
    pthread_mutex_lock(&gone_lock);
    (*stop->left)--;
    pthread_cond_broadcast(&gone);
    pthread_mutex_unlock(&gone_lock);
}

void lambda__pools_stop(void)
{
    struct loops *loops = lambda__options()->loops;
    struct stop_task tasks[LOOPS_MAX];
    size_t left = loops_count(loops);

    atomic_store(&stopping, true);
    for (size_t i = 0; i < loops_count(loops); i++) {
        tasks[i] = (struct stop_task){.task = {.run = stop_loop}, .left = &left};
        loop_post(loops_at(loops, i), &tasks[i].task);
    }
    pthread_mutex_lock(&gone_lock);
    while (left || atomic_load(&environments))
        pthread_cond_wait(&gone, &gone_lock);
    pthread_mutex_unlock(&gone_lock);
    for (size_t i = 0; i < loops_count(loops); i++) {
        map_free(pools[i]);
        pools[i] = NULL;
    }
}

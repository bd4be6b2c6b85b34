/* pool.c -- the environments of one function and the invocations that wait for one. Home loop only.
 * An invocation takes an idle environment of the function's current revision, or waits. A new environment is started when
 * there is none, or when the oldest waiting invocation has waited LAMBDA_QUEUE_WAIT_MS: short handlers under load share few
 * environments, long ones get one each. Environments of an older revision are killed as soon as they are idle.
 * Invariant: a pool without environments has an empty queue (starting one, or refusing all), and is freed.
 * Counted across loops: environments (bounded), for lambda__pools_stop to wait on. */
#include "services/lambda/environment.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/panic.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOPS_MAX 256
#define POOLS_MAX 100000            /* a loop; each has an environment, which is bounded much lower */

struct lambda__pool {
    char *key;
    struct loop *loop;
    struct lambda__environment *all, *idle[LAMBDA_ENVIRONMENTS_MAX];
    size_t count, idle_count, starting;
    struct lambda_invocation *head, **tail;
    size_t queued;
    struct loop_timer *timer;
    struct lambda__function *function;      /* of the newest invocation: what is started next */
};

static struct map *pools[LOOPS_MAX];        /* each touched by its loop only */
static _Atomic size_t environments;
static atomic_bool stopping;
static pthread_mutex_t gone_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gone = PTHREAD_COND_INITIALIZER;

static void schedule(struct lambda__pool *pool);

static struct lambda__flight *flight(struct lambda_invocation *invocation)
{
    return invocation->internal;
}

static struct lambda__pool *pool_of(const struct lambda__function *f)
{
    struct loop *loop = loop_current();
    size_t index = loop_index(loop);
    char key[256];
    int n = snprintf(key, sizeof key, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(f->account), STR_ARG(f->region), STR_ARG(f->name));
    ENSURE(n > 0 && (size_t)n < sizeof key);    /* name, region and account are bounded */
    if (!pools[index])
        pools[index] = map_new(POOLS_MAX, NULL);
    struct lambda__pool *pool = map_get(pools[index], (struct str){key, (size_t)n});
    if (!pool) {
        pool = mem_zalloc(sizeof *pool);
        pool->key = mem_dup(key, (size_t)n);
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

static struct lambda_invocation *take_first(struct lambda__pool *pool)
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
    pool->starting++;
    struct lambda__environment *e = lambda__environment_start(pool, pool->function, second);
    *lambda__environment_link(e) = pool->all;
    pool->all = e;
}

static bool current_revision(const struct lambda__pool *pool, const struct lambda__environment *e)
{
    return str_eq(lambda__environment_function(e)->revision, pool->function->revision) && !lambda__environment_stale(e);
}

static void refuse_all(struct lambda__pool *pool, const char *code, int status, struct str message)
{
    for (struct lambda_invocation *i; (i = take_first(pool));)
        lambda__invocation_refuse(i, code, status, message);
}

static void tick(void *arg)
{
    struct lambda__pool *pool = arg;
    pool->timer = NULL;
    schedule(pool);
}

static bool should_start(const struct lambda__pool *pool)
{
    if (pool->count == 0)
        return true;
    if (pool->starting >= pool->queued || pool->starting >= LAMBDA_STARTS_MAX)
        return false;
    return clock_mono_ns() - flight(pool->head)->queued_ns >= LAMBDA_QUEUE_WAIT_MS * 1000000ULL;
}

/* Matches idle environments with waiting invocations, then decides whether more are needed. */
static void schedule(struct lambda__pool *pool)
{
    while (pool->head && pool->idle_count) {
        struct lambda__environment *e = pool->idle[--pool->idle_count];
        if (current_revision(pool, e))
            lambda__environment_run(e, take_first(pool));
        else
            lambda__environment_kill(e);
    }
    while (pool->head && should_start(pool)) {
        if (atomic_load(&environments) >= LAMBDA_ENVIRONMENTS_MAX) {
            if (pool->count == 0)
                refuse_all(pool, "TooManyRequestsException", 429, STR("Rate Exceeded."));
            break;
        }
        start_one(pool, false);
    }
    if (pool->head && !pool->timer)
        pool->timer = loop_timer_start(pool->loop, LAMBDA_QUEUE_WAIT_MS, tick, pool);
}

void lambda__pool_submit(struct lambda_invocation *invocation, struct lambda__function *function)
{
    struct lambda__pool *pool = pool_of(function);
    struct lambda__flight *f = flight(invocation);
    f->function = function;
    f->queued_ns = clock_mono_ns();
    if (pool->function != function) {
        lambda__function_unref(&pool->function);
        pool->function = lambda__function_ref(function);
    }
    invocation->next = NULL;
    *pool->tail = invocation;
    pool->tail = &invocation->next;
    pool->queued++;
    if (atomic_load(&stopping))
        refuse_all(pool, "ServiceException", 500, STR("The server is shutting down."));
    schedule(pool);
    free_if_empty(pool);
}

static void leave_idle(struct lambda__pool *pool, const struct lambda__environment *e)
{
    for (size_t i = 0; i < pool->idle_count; i++)
        if (pool->idle[i] == e) {
            memmove(&pool->idle[i], &pool->idle[i + 1], (pool->idle_count - i - 1) * sizeof *pool->idle);
            pool->idle_count--;
            return;
        }
}

void lambda__pool_ready(struct lambda__pool *pool, struct lambda__environment *environment)
{
    if (atomic_load(&stopping) || !current_revision(pool, environment)) {
        lambda__environment_kill(environment);
        return;
    }
    pool->idle[pool->idle_count++] = environment;
    schedule(pool);
}

void lambda__pool_started(struct lambda__pool *pool)
{
    pool->starting--;
}

void lambda__pool_init_failed(struct lambda__pool *pool, struct lambda__environment *environment, lambda__error_text *text, bool timed_out)
{
    struct lambda_invocation *first = NULL;
    if (timed_out && pool->head && !atomic_load(&stopping)) {
        start_one(pool, true);      /* once more, within the function's own timeout */
        return;
    }
    if ((first = take_first(pool)))
        lambda__invocation_answer(first, text(environment, first), "Unhandled");
}

void lambda__pool_start_failed(struct lambda__pool *pool, struct lambda__environment *environment, enum err err)
{
    (void)environment;
    struct str missing = lambda__options()->sandboxes_missing;
    struct lambda_invocation *first = take_first(pool);
    if (!first)
        return;
    struct str message = missing.n ? missing : arena_printf(first->arena, "The environment could not be started: %s.", err_text(err));
    lambda__invocation_refuse(first, "ServiceException", 500, message);
}

void lambda__pool_gone(struct lambda__pool *pool, struct lambda__environment *environment)
{
    struct lambda__environment **at = &pool->all;
    while (*at != environment)
        at = lambda__environment_link(*at);
    *at = *lambda__environment_link(environment);
    leave_idle(pool, environment);
    pool->count--;
    if (pool->head)
        schedule(pool);
    free_if_empty(pool);
    pthread_mutex_lock(&gone_lock);
    atomic_fetch_sub(&environments, 1);
    pthread_cond_broadcast(&gone);
    pthread_mutex_unlock(&gone_lock);
}

void lambda__pool_left_idle(struct lambda__pool *pool, struct lambda__environment *environment)
{
    leave_idle(pool, environment);
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
    refuse_all(pool, "ServiceException", 500, STR("The server is shutting down."));
    for (struct lambda__environment *e = pool->all; e; e = *lambda__environment_link(e))
        lambda__environment_kill(e);
    return true;
}

static void stop_loop(struct loop_task *task)
{
    struct stop_task *stop = (struct stop_task *)task;
    struct map *mine = pools[loop_index(loop_current())];
    if (mine)
        map_each(mine, stop_pool, NULL);
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

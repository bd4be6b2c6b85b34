/* pool.c -- the environments of one function and the invocations that wait for one. Home loop only.
 * An invocation takes an idle environment of the function's current revision, or waits. A new environment is started when
 * there is none, or when the oldest waiting invocation has waited limits->queue_wait_ms: short handlers under load share few
 * environments, long ones get one each. Environments of an older revision, or of a function that was deleted, are killed
 * as soon as they are idle.
 * The bound on environments is one for the server: a place is taken before an environment is started, in one step that all
 * loops share, and given back when it is gone; one that is started a second time inherits its place. Where none is left, the
 * environment that has been idle longest makes room, of whichever function and loop (another loop is asked by a task); only
 * when all are busy is an invocation refused with 429.
 * Invariant: a pool without environments has an empty queue, or a timer that tries again; with neither it is freed.
 * Invocations are refused by a posted task (invocation.c), so nothing here is entered a second time from within.
 * Counted across loops: environments, those that run an invocation, those that are ending, the idle ones of each loop. */
#include "services/lambda/pool.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/panic.h"
#include "services/lambda/function.h"
#include "services/lambda/invocation.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define POOLS_MAX 100000            /* a loop; each has an environment or an invocation, which are bounded much lower */
#define RATE_EXCEEDED STR("Rate Exceeded.")
#define SHUTTING_DOWN STR("The server is shutting down.")

struct lambda__pool {
    struct pool_home *home;
    char *key;
    struct lambda__environment *all, *idle[LAMBDA_ENVIRONMENTS_MAX];    /* idle: the longest idle first */
    size_t count, alive, idle_count, starting;      /* alive: without those that are ending */
    size_t again;                           /* of those that are ending: how many will be started a second time */
    struct lambda__invocation *head, **tail;
    size_t queued;
    struct loop_timer *timer;
    struct lambda__function *function;      /* of the newest invocation: what is started next */
    bool deleted;
    struct http_tenant tenant; /* all its environments' listeners */
};

struct pool_home {                          /* what one loop has */
    struct lambda__pools *pools;
    struct loop *loop;
    struct map *map;                        /* its pools, by ACCOUNT/REGION/NAME */
    _Atomic size_t idle;
    struct loop_task retire, stop;
    atomic_bool retire_posted;
};

struct lambda__pools {
    struct lambda__environment_parts parts;
    struct lambda__functions *functions;
    _Atomic size_t environments, busy, ending;
    atomic_bool stopping;
    pthread_mutex_t gone_lock;              /* guards what stop waits for: the two counts below it */
    pthread_cond_t gone;
    size_t homes_left;
    size_t home_count;
    struct pool_home home[];
};

static void schedule_pool(struct lambda__pool *pool);

static struct pool_home *current_home(struct lambda__pools *pools)
{
    size_t index = loop_index(loop_current());
    ENSURE(index < pools->home_count);
    return &pools->home[index];
}

static bool is_stopping(const struct lambda__pool *pool)
{
    return atomic_load(&pool->home->pools->stopping);
}

static struct lambda__pool *pool_of(struct lambda__pools *pools, const struct lambda__function *f)
{
    struct pool_home *home = current_home(pools);
    char text[LAMBDA_FUNCTION_KEY_BYTES];
    struct str key;
    ENSURE(lambda__function_key(text, f->account, f->region, f->name, &key));       /* function.c keeps it as short */
    struct lambda__pool *pool = map_get(home->map, key);
    if (!pool) {
        pool = mem_zalloc(sizeof *pool);
        pool->key = mem_dup(key.p, key.n);
        pool->home = home;
        pool->tail = &pool->head;
        map_put(home->map, str_of(pool->key), pool);
    }
    return pool;
}

static void free_pool_if_empty(struct lambda__pool *pool)
{
    if (pool->count || pool->head)
        return;
    map_take(pool->home->map, str_of(pool->key));
    loop_timer_cancel(&pool->timer);
    lambda__function_unref(&pool->function);
    free(pool->key);
    free(pool);
}

static struct lambda__invocation *take_waiting_first(struct lambda__pool *pool)
{
    struct lambda__invocation *first = pool->head;
    if (!first)
        return NULL;
    pool->head = first->next;
    if (!pool->head)
        pool->tail = &pool->head;
    pool->queued--;
    return first;
}

/* The one step that keeps the bound, whichever loops ask at the same time. */
static bool take_place(struct lambda__pools *pools)
{
    size_t now = atomic_load(&pools->environments);
    while (now < pools->parts.limits->environments_max)
        if (atomic_compare_exchange_weak(&pools->environments, &now, now + 1))
            return true;
    return false;
}

/* In a place that was taken. */
static void start_environment(struct lambda__pool *pool, bool second)
{
    pool->count++;
    pool->alive++;
    pool->starting++;
    struct lambda__environment *e =
        lambda__environment_start(&pool->home->pools->parts, pool, &pool->tenant, pool->function, second);
    *lambda__environment_link(e) = pool->all;
    pool->all = e;
}

static bool is_of_now(const struct lambda__pool *pool, const struct lambda__environment *e)
{
    return !pool->deleted && str_eq(lambda__environment_function(e)->revision, pool->function->revision) &&
           !lambda__environment_stale(e);
}

static void refuse_waiting(struct lambda__pool *pool, const char *code, int status, struct str message)
{
    for (struct lambda__invocation *i; (i = take_waiting_first(pool));)
        lambda__invocation_refuse(i, code, status, message);
}

static struct lambda__environment *take_idle(struct lambda__pool *pool, size_t at)
{
    struct lambda__environment *e = pool->idle[at];
    memmove(&pool->idle[at], &pool->idle[at + 1], (pool->idle_count - at - 1) * sizeof *pool->idle);
    pool->idle_count--;
    atomic_fetch_sub(&pool->home->idle, 1);
    return e;
}

/* ---- room for another environment ---- */

static bool find_longest_idle(struct str key, void *value, void *arg)
{
    struct lambda__pool *pool = value, **oldest = arg;
    (void)key;
    if (pool->idle_count &&
        (!*oldest || lambda__environment_idle_ns(pool->idle[0]) < lambda__environment_idle_ns((*oldest)->idle[0])))
        *oldest = pool;
    return true;
}

static void retire_longest_idle(struct pool_home *home)
{
    struct lambda__pool *pool = NULL;
    map_each(home->map, find_longest_idle, &pool);
    if (pool)
        lambda__environment_kill(take_idle(pool, 0));
}

static void run_retire(struct loop_task *task)
{
    struct pool_home *home = CONTAINER_OF(task, struct pool_home, retire);
    atomic_store(&home->retire_posted, false);
    if (!atomic_load(&home->pools->stopping))
        retire_longest_idle(home);
}

/* The bound is reached. True: there will be room, try again soon. False: every environment runs an invocation. */
static bool make_room(struct pool_home *mine)
{
    struct lambda__pools *pools = mine->pools;
    size_t count = pools->home_count, first = (size_t)(mine - pools->home);
    if (atomic_load(&pools->busy) >= pools->parts.limits->environments_max)
        return false;
    for (size_t i = 0; i < count && !atomic_load(&pools->ending); i++) {
        struct pool_home *home = &pools->home[(first + i) % count];
        if (!atomic_load(&home->idle))
            continue;
        if (home == mine)
            retire_longest_idle(home);
        else if (!atomic_exchange(&home->retire_posted, true))
            loop_post(home->loop, &home->retire);
        break;
    }
    return true;
}

/* ---- scheduling ---- */

static void pool_tick(void *arg)
{
    struct lambda__pool *pool = arg;
    pool->timer = NULL;
    schedule_pool(pool);
    free_pool_if_empty(pool);
}

static bool should_start(const struct lambda__pool *pool)
{
    const struct lambda__limits *limits = pool->home->pools->parts.limits;
    size_t coming = pool->starting + pool->again;
    if (pool->alive + pool->again == 0)
        return true;
    if (coming >= pool->queued || coming >= limits->starts_max)
        return false;
    return clock_mono_ns() - lambda__flight(pool->head)->queued_ns >= limits->queue_wait_ms * 1000000ULL;
}

/* Matches idle environments with waiting invocations, then decides whether more are needed. */
static void schedule_pool(struct lambda__pool *pool)
{
    while (pool->head && pool->idle_count) {
        struct lambda__environment *e = take_idle(pool, pool->idle_count - 1);
        if (is_of_now(pool, e))
            lambda__environment_run(e, take_waiting_first(pool));
        else
            lambda__environment_kill(e);
    }
    while (pool->head && should_start(pool)) {
        if (!take_place(pool->home->pools)) {
            if (!make_room(pool->home) && pool->alive + pool->again == 0)
                refuse_waiting(pool, "TooManyRequestsException", 429, RATE_EXCEEDED);
            break;
        }
        start_environment(pool, false);
    }
    if (pool->head && !pool->timer)
        pool->timer = loop_timer_start(pool->home->loop, pool->home->pools->parts.limits->queue_wait_ms, pool_tick, pool);
}

/* The function is read in the same step of the home loop in which its invocation joins the pool: what a delete has committed and
 * told this loop is not read any more, so a pool that is marked as deleted gets life only from a function made again. */
bool lambda__pools_submit(struct lambda__pools *pools, struct lambda__invocation *invocation)
{
    struct lambda__flight *f = lambda__flight(invocation);
    struct lambda__function *function = NULL;
    enum err err =
        lambda__functions_get(pools->functions, invocation->account, invocation->region, invocation->function, &function);
    if (err == ERR_BUSY)
        return false;
    if (err == ERR_NOT_FOUND) {
        lambda__invocation_not_found(invocation);
        return true;
    }
    if (err != ERR_OK) {
        lambda__invocation_refuse(invocation, "ServiceException", 500, str_of(err_text(err)));
        return true;
    }
    f->function = function;
    f->queued_ns = clock_mono_ns();
    if (atomic_load(&pools->stopping)) {
        lambda__invocation_refuse(invocation, "ServiceException", 500, SHUTTING_DOWN);
        return true;
    }
    struct lambda__pool *pool = pool_of(pools, function);
    if (pool->function != function) {
        lambda__function_unref(&pool->function);
        pool->function = lambda__function_ref(function);
    }
    pool->deleted = false;
    invocation->next = NULL;
    *pool->tail = invocation;
    pool->tail = &invocation->next;
    pool->queued++;
    schedule_pool(pool);
    free_pool_if_empty(pool);
    return true;
}

/* ---- what environments report ---- */

static void pool_ready(void *owner, struct lambda__environment *environment)
{
    struct lambda__pool *pool = owner;
    if (is_stopping(pool) || !is_of_now(pool, environment)) {
        lambda__environment_kill(environment);
        return;
    }
    pool->idle[pool->idle_count++] = environment;
    atomic_fetch_add(&pool->home->idle, 1);
    schedule_pool(pool);
}

static struct lambda__invocation *pool_take(void *owner)
{
    return take_waiting_first(owner);
}

static void pool_left_idle(void *owner, struct lambda__environment *environment)
{
    struct lambda__pool *pool = owner;
    for (size_t i = 0; i < pool->idle_count; i++)
        if (pool->idle[i] == environment) {
            take_idle(pool, i);
            return;
        }
}

static void pool_started(void *owner)
{
    struct lambda__pool *pool = owner;
    pool->starting--;
}

static void pool_busy(void *owner, bool begins)
{
    struct lambda__pool *pool = owner;
    if (begins)
        atomic_fetch_add(&pool->home->pools->busy, 1);
    else
        atomic_fetch_sub(&pool->home->pools->busy, 1);
}

static void pool_ending(void *owner)
{
    struct lambda__pool *pool = owner;
    pool->alive--;
    atomic_fetch_add(&pool->home->pools->ending, 1);
}

static bool wants_another(const struct lambda__pool *pool)
{
    return pool->head && !pool->deleted && !is_stopping(pool);
}

static bool pool_again(void *owner)
{
    struct lambda__pool *pool = owner;
    if (!wants_another(pool))
        return false;
    pool->again++;
    return true;
}

static void count_gone(struct lambda__pools *pools)
{
    pthread_mutex_lock(&pools->gone_lock);
    atomic_fetch_sub(&pools->ending, 1);
    atomic_fetch_sub(&pools->environments, 1);
    pthread_cond_broadcast(&pools->gone);
    pthread_mutex_unlock(&pools->gone_lock);
}

/* While it stops, the count goes down last: lambda__pools_stop then frees what is touched here. Before that it waits for
 * this loop's stop_home, so the count may go down first, and its place is free for who waits. */
static void pool_gone(void *owner, struct lambda__environment *environment, bool again)
{
    struct lambda__pool *pool = owner;
    struct lambda__pools *pools = pool->home->pools;
    struct lambda__environment **at = &pool->all;
    bool last = is_stopping(pool), inherited = again && wants_another(pool);
    while (*at != environment)
        at = lambda__environment_link(*at);
    *at = *lambda__environment_link(environment);
    pool->count--;
    pool->again -= again;
    if (inherited) {
        atomic_fetch_sub(&pools->ending, 1);
        start_environment(pool, true);
    } else if (!last) {
        count_gone(pools);
    }
    if (pool->head)
        schedule_pool(pool);
    free_pool_if_empty(pool);
    if (last)
        count_gone(pools);
}

static const struct lambda__environment_hooks pool_hooks = {
    .ready = pool_ready,
    .take = pool_take,
    .again = pool_again,
    .started = pool_started,
    .busy = pool_busy,
    .left_idle = pool_left_idle,
    .ending = pool_ending,
    .gone = pool_gone,
};

/* ---- a function was changed or deleted ---- */

struct pool_change {
    struct loop_task task;
    struct lambda__pools *pools;
    struct arena *arena;
    struct str account, region, name;
};

static void refuse_deleted(struct lambda__pool *pool)
{
    for (struct lambda__invocation *i; (i = take_waiting_first(pool));)
        lambda__invocation_not_found(i);
}

static void take_change(struct lambda__pool *pool, const struct pool_change *change)
{
    struct lambda__function *function = NULL;
    enum err err = lambda__functions_get(change->pools->functions, change->account, change->region, change->name, &function);
    if (err == ERR_OK) {
        lambda__function_unref(&pool->function);
        pool->function = function;
    } else if (err == ERR_NOT_FOUND) {
        pool->deleted = true;
        refuse_deleted(pool);
    }
    /* Where the store may block, what it is now is not known here: the next invocation brings it. */
    bool known = err == ERR_OK || err == ERR_NOT_FOUND;
    for (size_t i = pool->idle_count; i-- > 0;)
        if (!known || !is_of_now(pool, pool->idle[i]))
            lambda__environment_kill(take_idle(pool, i));
    free_pool_if_empty(pool);
}

static void run_pool_change(struct loop_task *task)
{
    struct pool_change *change = CONTAINER_OF(task, struct pool_change, task);
    char text[LAMBDA_FUNCTION_KEY_BYTES];
    struct str key;
    if (!atomic_load(&change->pools->stopping) && lambda__function_key(text, change->account, change->region, change->name, &key)) {
        struct lambda__pool *pool = map_get(current_home(change->pools)->map, key);
        if (pool)
            take_change(pool, change);
    }
    arena_free(change->arena);
}

void lambda__pools_changed(struct lambda__pools *pools, struct str account, struct str region, struct str name)
{
    struct arena *arena = arena_new();
    struct pool_change *change = arena_new_of(arena, struct pool_change);
    *change = (struct pool_change){.task = {.run = run_pool_change},
                                   .pools = pools,
                                   .arena = arena,
                                   .account = arena_dup(arena, account),
                                   .region = arena_dup(arena, region),
                                   .name = arena_dup(arena, name)};
    loop_post(lambda__pools_home(pools, account, region, name), &change->task);
}

/* ---- stop ---- */

static bool stop_pool(struct str key, void *value, void *arg)
{
    struct lambda__pool *pool = value;
    (void)key, (void)arg;
    refuse_waiting(pool, "ServiceException", 500, SHUTTING_DOWN);
    while (pool->idle_count)
        lambda__environment_kill(take_idle(pool, 0));
    for (struct lambda__environment *e = pool->all; e; e = *lambda__environment_link(e))
        lambda__environment_kill(e);
    return true;
}

static bool first_empty_pool(struct str key, void *value, void *arg)
{
    struct lambda__pool *pool = value, **found = arg;
    (void)key;
    if (pool->count == 0)
        *found = pool;
    return *found == NULL;
}

static void stop_home(struct loop_task *task)
{
    struct pool_home *home = CONTAINER_OF(task, struct pool_home, stop);
    struct lambda__pools *pools = home->pools;
    struct lambda__pool *empty;
    map_each(home->map, stop_pool, NULL);
    do {                                    /* those that waited for room: no environment will free them */
        empty = NULL;
        map_each(home->map, first_empty_pool, &empty);
        if (empty)
            free_pool_if_empty(empty);
    } while (empty);
    pthread_mutex_lock(&pools->gone_lock);
    pools->homes_left--;
    pthread_cond_broadcast(&pools->gone);
    pthread_mutex_unlock(&pools->gone_lock);
}

void lambda__pools_stop(struct lambda__pools *pools)
{
    pools->homes_left = pools->home_count;
    atomic_store(&pools->stopping, true);
    for (size_t i = 0; i < pools->home_count; i++)
        loop_post(pools->home[i].loop, &pools->home[i].stop);
    pthread_mutex_lock(&pools->gone_lock);
    while (pools->homes_left || atomic_load(&pools->environments))
        pthread_cond_wait(&pools->gone, &pools->gone_lock);
    pthread_mutex_unlock(&pools->gone_lock);
}

/* ---- life ---- */

struct loop *lambda__pools_home(const struct lambda__pools *pools, struct str account, struct str region, struct str name)
{
    static const uint8_t hash_key[16] = "home of function";
    char text[LAMBDA_FUNCTION_KEY_BYTES];
    struct str key;
    if (!lambda__function_key(text, account, region, name, &key))
        return pools->home[0].loop;         /* no function has that name: any loop can say so */
    return pools->home[siphash24(hash_key, key) % pools->home_count].loop;
}

struct lambda__pools *lambda__pools_new(const struct lambda__environment_parts *parts, struct lambda__functions *functions)
{
    struct loops *loops = parts->platform->loops;
    size_t count = loops_count(loops);
    ENSURE(parts->limits->environments_max >= 1 && parts->limits->environments_max <= LAMBDA_ENVIRONMENTS_MAX);
    struct lambda__pools *pools = mem_zalloc(sizeof *pools + count * sizeof pools->home[0]);
    pools->parts = *parts;
    pools->parts.hooks = &pool_hooks;
    pools->functions = functions;
    pthread_mutex_init(&pools->gone_lock, NULL);
    pthread_cond_init(&pools->gone, NULL);
    pools->home_count = count;
    for (size_t i = 0; i < count; i++)
        pools->home[i] = (struct pool_home){.pools = pools,
                                            .loop = loops_at(loops, i),
                                            .map = map_new(POOLS_MAX, NULL),
                                            .retire = {.run = run_retire},
                                            .stop = {.run = stop_home}};
    return pools;
}

void lambda__pools_free(struct lambda__pools *pools)
{
    if (!pools)
        return;
    for (size_t i = 0; i < pools->home_count; i++)
        map_free(pools->home[i].map);
    pthread_cond_destroy(&pools->gone);
    pthread_mutex_destroy(&pools->gone_lock);
    free(pools);
}

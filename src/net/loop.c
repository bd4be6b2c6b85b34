/* loop.c -- event loops over libuv, one thread each.
 *
 * Phases: new (no thread; what is posted waits) → running (loops_start … loops_stop) → stopped (threads joined; timers
 * and watches may still be cancelled) → freed.
 *
 * Posting: a stack of tasks that any thread pushes onto with compare-and-swap; the loop takes all of it with one
 * exchange, reverses it and runs it in the order of posting. Only the push onto an empty stack wakes the loop, so a
 * thread that posts a thousand answers costs one wake-up. What tasks post while they run waits for the next turn: a
 * task that posts itself cannot starve the sockets.
 *
 * Ending: on its own thread a loop runs what was posted, then the hooks (the HTTP server closes its connections), then
 * closes every timer, watch and foreign handle, and turns until libuv has let go of all of them. A task posted while
 * that happens is run by loops_stop after the thread has been joined; one posted later still is never run.
 * Memory of timers and watches stays valid until it is cancelled or the loops are freed, so that an owner may be taken
 * down after its loop. A timer that has fired or been cancelled frees itself.
 *
 * Signals: the threads block every signal (but those of a fault), so that the main thread waits for them. SIGPIPE is
 * ignored in the whole process: a write to a dead peer is an error code. */
#include "net/loop_internal.h"
#include "base/clock.h"
#include "base/panic.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <uv.h>

#define CLOCK_REFRESH_MS 500 /* how long a step of the wall clock may go unseen */

struct loop {
    uv_loop_t uv;
    uv_async_t wake;
    _Atomic(struct loop_task *) posted; /* newest first */
    atomic_bool stopping;
    atomic_bool running;
    pthread_t thread;
    size_t index;
    struct link hooks, timers, watches;
    int64_t epoch_offset_ms; /* epoch time minus uv_now */
    uint64_t epoch_read_ms;  /* uv_now when that was measured */
};

struct loops {
    size_t count;
    _Atomic size_t next;
    bool started, stopped;
    struct loop *loop; /* [count] */
};

/* Timers and watches are in their loop's list until they are done for their owner (fired, cancelled, stopped). One is
 * freed when it is both out of the list and closed by libuv; whichever comes last does it. */
struct loop_timer {
    struct link link;
    bool closed;
    struct loop *loop;
    void (*fire)(void *arg);
    void *arg;
    uv_timer_t uv;
};

struct loop_watch {
    struct link link;
    bool closed;
    struct loop *loop;
    void (*readable)(int fd, void *arg);
    void *arg;
    int fd;
    uv_poll_t uv;
};

static _Thread_local struct loop *current;

struct loop *loop_current(void)
{
    return current;
}

size_t loop_index(const struct loop *loop)
{
    return loop->index;
}

struct uv_loop_s *loop_uv(struct loop *loop)
{
    return &loop->uv;
}

bool loop__running(const struct loop *loop)
{
    return atomic_load(&loop->running);
}

/* Timers, watches and hooks belong to the loop's thread, or to the one thread that sets the program up or takes it down. */
static bool owns(const struct loop *loop)
{
    return current == loop || !loop__running(loop);
}

/* ---- tasks ---- */

void loop_post(struct loop *loop, struct loop_task *task)
{
    struct loop_task *head = atomic_load_explicit(&loop->posted, memory_order_relaxed);
    do {
        task->next = head;
    } while (!atomic_compare_exchange_weak_explicit(&loop->posted, &head, task, memory_order_acq_rel, memory_order_relaxed));
    if (!head)
        ENSURE(uv_async_send(&loop->wake) == 0);
}

static bool run_posted(struct loop *loop)
{
    struct loop_task *taken = atomic_exchange_explicit(&loop->posted, NULL, memory_order_acq_rel);
    struct loop_task *first = NULL;
    while (taken) {
        struct loop_task *next = taken->next;
        taken->next = first;
        first = taken;
        taken = next;
    }
    bool any = first != NULL;
    while (first) {
        struct loop_task *task = first;
        first = task->next; /* the task may free or post itself */
        task->run(task);
    }
    return any;
}

static void woken(uv_async_t *wake)
{
    struct loop *loop = wake->data;
    run_posted(loop);
    if (atomic_load(&loop->stopping))
        uv_stop(&loop->uv);
}

/* ---- life ---- */

static void loop_open(struct loop *loop, size_t index)
{
    loop->index = index;
    link_init(&loop->hooks);
    link_init(&loop->timers);
    link_init(&loop->watches);
    ENSURE(uv_loop_init(&loop->uv) == 0);
    loop->uv.data = loop;
    ENSURE(uv_async_init(&loop->uv, &loop->wake, woken) == 0);
    loop->wake.data = loop;
}

struct loops *loops_new(size_t count)
{
    ENSURE(count >= 1);
    signal(SIGPIPE, SIG_IGN);
    struct loops *loops = mem_zalloc(sizeof(*loops));
    loops->count = count;
    loops->loop = mem_zalloc(count * sizeof(*loops->loop));
    for (size_t i = 0; i < count; i++)
        loop_open(&loops->loop[i], i);
    return loops;
}

static void timer_closed(uv_handle_t *handle);
static void watch_closed(uv_handle_t *handle);

static void close_open(uv_handle_t *handle, void *arg)
{
    struct loop *loop = arg;
    if (!uv_is_closing(handle) && handle != (uv_handle_t *)&loop->wake)
        uv_close(handle, NULL);
}

static void close_all(struct loop *loop)
{
    for (struct link *at = loop->timers.next; at != &loop->timers; at = at->next) {
        struct loop_timer *timer = CONTAINER_OF(at, struct loop_timer, link);
        if (!uv_is_closing((uv_handle_t *)&timer->uv))
            uv_close((uv_handle_t *)&timer->uv, timer_closed);
    }
    for (struct link *at = loop->watches.next; at != &loop->watches; at = at->next) {
        struct loop_watch *watch = CONTAINER_OF(at, struct loop_watch, link);
        if (!uv_is_closing((uv_handle_t *)&watch->uv))
            uv_close((uv_handle_t *)&watch->uv, watch_closed);
    }
    uv_walk(&loop->uv, close_open, loop);
}

static void loop_close(struct loop *loop)
{
    run_posted(loop);
    while (!link_alone(&loop->hooks)) {
        struct loop_hook *hook = CONTAINER_OF(loop->hooks.next, struct loop_hook, link);
        link_remove(&hook->link);
        hook->run(hook);
    }
    /* The wake handle stays: other threads may still post. loop_free closes it. */
    uv_unref((uv_handle_t *)&loop->wake);
    do {
        close_all(loop); /* again, should a close callback have opened something */
        uv_run(&loop->uv, UV_RUN_ONCE);
    } while (uv_loop_alive(&loop->uv));
}

static void *loop_main(void *arg)
{
    struct loop *loop = arg;
    current = loop;
    uv_update_time(&loop->uv);
    while (!atomic_load(&loop->stopping))
        uv_run(&loop->uv, UV_RUN_DEFAULT);
    loop_close(loop);
    current = NULL;
    return NULL;
}

void loop__block_signals(sigset_t *ret_old)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < COUNT_OF(faults); i++)
        sigdelset(&all, faults[i]);
    pthread_sigmask(SIG_SETMASK, &all, ret_old);
}

void loops_start(struct loops *loops)
{
    ENSURE(!loops->started);
    loops->started = true;
    sigset_t old;
    loop__block_signals(&old);
    for (size_t i = 0; i < loops->count; i++) {
        atomic_store(&loops->loop[i].running, true);
        ENSURE(pthread_create(&loops->loop[i].thread, NULL, loop_main, &loops->loop[i]) == 0);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void loops_stop(struct loops *loops)
{
    if (!loops->started || loops->stopped)
        return;
    loops->stopped = true;
    for (size_t i = 0; i < loops->count; i++) {
        atomic_store(&loops->loop[i].stopping, true);
        ENSURE(uv_async_send(&loops->loop[i].wake) == 0);
    }
    for (size_t i = 0; i < loops->count; i++) {
        ENSURE(pthread_join(loops->loop[i].thread, NULL) == 0);
        atomic_store(&loops->loop[i].running, false);
    }
    /* Last words: what the loops posted to each other while they ended. Bounded by what answers are outstanding. */
    for (bool any = true; any;) {
        any = false;
        for (size_t i = 0; i < loops->count; i++) {
            current = &loops->loop[i];
            any |= run_posted(&loops->loop[i]);
        }
        current = NULL;
    }
}

static void loop_free(struct loop *loop)
{
    close_all(loop);
    uv_close((uv_handle_t *)&loop->wake, NULL);
    uv_run(&loop->uv, UV_RUN_DEFAULT);
    while (!link_alone(&loop->timers)) {
        struct loop_timer *timer = CONTAINER_OF(loop->timers.next, struct loop_timer, link);
        link_remove(&timer->link);
        free(timer);
    }
    while (!link_alone(&loop->watches)) {
        struct loop_watch *watch = CONTAINER_OF(loop->watches.next, struct loop_watch, link);
        link_remove(&watch->link);
        free(watch);
    }
    ENSURE(uv_loop_close(&loop->uv) == 0);
}

void loops_free(struct loops *loops)
{
    if (!loops)
        return;
    loops_stop(loops);
    for (size_t i = 0; i < loops->count; i++)
        loop_free(&loops->loop[i]);
    free(loops->loop);
    free(loops);
}

size_t loops_count(const struct loops *loops)
{
    return loops->count;
}

struct loop *loops_at(struct loops *loops, size_t index)
{
    ENSURE(index < loops->count);
    return &loops->loop[index];
}

struct loop *loops_next(struct loops *loops)
{
    return &loops->loop[atomic_fetch_add_explicit(&loops->next, 1, memory_order_relaxed) % loops->count];
}

void loop__at_stop(struct loop *loop, struct loop_hook *hook)
{
    ENSURE(owns(loop));
    link_add_last(&loop->hooks, &hook->link);
}

void loop__forget(struct loop_hook *hook)
{
    link_remove(&hook->link);
}

/* ---- timers ---- */

static void timer_closed(uv_handle_t *handle)
{
    struct loop_timer *timer = handle->data;
    timer->closed = true;
    if (link_alone(&timer->link))
        free(timer);
}

/* Takes the timer from its owner. */
static void timer_end(struct loop_timer *timer)
{
    link_remove(&timer->link);
    if (timer->closed)
        free(timer);
    else if (!uv_is_closing((uv_handle_t *)&timer->uv))
        uv_close((uv_handle_t *)&timer->uv, timer_closed);
}

static void timer_fired(uv_timer_t *uv)
{
    struct loop_timer *timer = uv->data;
    timer_end(timer);
    timer->fire(timer->arg);
}

struct loop_timer *loop_timer_start(struct loop *loop, uint64_t delay_ms, void (*fire)(void *arg), void *arg)
{
    ENSURE(owns(loop));
    struct loop_timer *timer = mem_zalloc(sizeof(*timer));
    timer->loop = loop;
    timer->fire = fire;
    timer->arg = arg;
    ENSURE(uv_timer_init(&loop->uv, &timer->uv) == 0);
    timer->uv.data = timer;
    uv_update_time(&loop->uv); /* else it would fire early after a long turn */
    ENSURE(uv_timer_start(&timer->uv, timer_fired, delay_ms, 0) == 0);
    link_add_last(&loop->timers, &timer->link);
    return timer;
}

void loop_timer_cancel(struct loop_timer **ref)
{
    struct loop_timer *timer = *ref;
    if (!timer)
        return;
    *ref = NULL;
    ENSURE(owns(timer->loop));
    timer_end(timer);
}

/* ---- watches ---- */

static void watch_closed(uv_handle_t *handle)
{
    struct loop_watch *watch = handle->data;
    watch->closed = true;
    if (link_alone(&watch->link))
        free(watch);
}

static void watch_ready(uv_poll_t *uv, int status, int events)
{
    (void)status; /* an error is seen by the reader */
    (void)events;
    struct loop_watch *watch = uv->data;
    watch->readable(watch->fd, watch->arg);
}

struct loop_watch *loop_watch_start(struct loop *loop, int fd, void (*readable)(int fd, void *arg), void *arg)
{
    ENSURE(owns(loop));
    struct loop_watch *watch = mem_zalloc(sizeof(*watch));
    watch->loop = loop;
    watch->readable = readable;
    watch->arg = arg;
    watch->fd = fd;
    ENSURE(uv_poll_init(&loop->uv, &watch->uv, fd) == 0);
    watch->uv.data = watch;
    ENSURE(uv_poll_start(&watch->uv, UV_READABLE | UV_DISCONNECT, watch_ready) == 0);
    link_add_last(&loop->watches, &watch->link);
    return watch;
}

void loop_watch_stop(struct loop_watch **ref)
{
    struct loop_watch *watch = *ref;
    if (!watch)
        return;
    *ref = NULL;
    ENSURE(owns(watch->loop));
    link_remove(&watch->link);
    if (watch->closed)
        free(watch);
    else if (!uv_is_closing((uv_handle_t *)&watch->uv))
        uv_close((uv_handle_t *)&watch->uv, watch_closed);
}

/* ---- clock ---- */

int64_t loop_now_ms(void)
{
    struct loop *loop = current;
    if (!loop || !loop__running(loop))
        return clock_epoch_ms();
    uint64_t now = uv_now(&loop->uv);
    if (loop->epoch_read_ms == 0 || now - loop->epoch_read_ms >= CLOCK_REFRESH_MS) {
        loop->epoch_offset_ms = clock_epoch_ms() - (int64_t)now;
        loop->epoch_read_ms = now;
    }
    return loop->epoch_offset_ms + (int64_t)now;
}

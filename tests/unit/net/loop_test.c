/* loop_test.c -- posting, order, timers, watches, the end of a loop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "base/clock.h"
#include "base/panic.h"
#include "net/loop_internal.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define POSTERS 4
#define POSTS   5000

static void wait_until(atomic_size_t *count, size_t wanted)
{
    for (int i = 0; i < 5000 && atomic_load(count) < wanted; i++)
        usleep(1000);
    assert_int_equal(atomic_load(count), wanted);
}

/* ---- posting ---- */

struct numbered {
    struct loop_task task;
    struct loop *loop;
    size_t poster, number;
};

static atomic_size_t ran;
static size_t last_of[POSTERS];

static void run_numbered(struct loop_task *task)
{
    struct numbered *one = CONTAINER_OF(task, struct numbered, task);
    ENSURE(loop_current() == one->loop);
    ENSURE(one->number == last_of[one->poster] + 1); /* in the order of posting */
    last_of[one->poster] = one->number;
    free(one);
    atomic_fetch_add(&ran, 1);
}

struct poster {
    struct loop *loop;
    size_t index;
};

static void *post_many(void *arg)
{
    struct poster *poster = arg;
    for (size_t i = 1; i <= POSTS; i++) {
        struct numbered *one = mem_zalloc(sizeof(*one));
        one->task.run = run_numbered;
        one->loop = poster->loop;
        one->poster = poster->index;
        one->number = i;
        loop_post(poster->loop, &one->task);
    }
    return NULL;
}

static void test_post_from_threads(void **state)
{
    (void)state;
    struct loops *loops = loops_new(2);
    assert_int_equal(loops_count(loops), 2);
    assert_int_equal(loop_index(loops_at(loops, 1)), 1);
    assert_null(loop_current());
    assert_ptr_not_equal(loops_next(loops), loops_next(loops));
    pthread_t threads[POSTERS];
    struct poster posters[POSTERS];
    atomic_store(&ran, 0);
    memset(last_of, 0, sizeof(last_of));
    for (size_t i = 0; i < POSTERS; i++) {
        posters[i] = (struct poster){loops_at(loops, 1), i};
        pthread_create(&threads[i], NULL, post_many, &posters[i]);
    }
    loops_start(loops); /* what was posted before waits */
    for (size_t i = 0; i < POSTERS; i++)
        pthread_join(threads[i], NULL);
    wait_until(&ran, POSTERS * POSTS);
    loops_stop(loops);
    loops_free(loops);
}

/* ---- turns ---- */

struct again {
    struct loop_task task;
    struct loop *loop, *other;
    size_t left;
};

static void post_again(struct loop_task *task)
{
    struct again *again = CONTAINER_OF(task, struct again, task);
    struct loop *here = loop_current();
    atomic_fetch_add(&ran, 1);
    if (again->left-- > 0)
        loop_post(here == again->loop ? again->other : again->loop, task);
}

/* A task may post itself, to the other loop or its own, and the last one is run even while the loops end. */
static void test_post_again(void **state)
{
    (void)state;
    struct loops *loops = loops_new(2);
    struct again across = {.task.run = post_again, .loop = loops_at(loops, 0), .other = loops_at(loops, 1), .left = 999};
    struct again same = {.task.run = post_again, .loop = loops_at(loops, 0), .other = loops_at(loops, 0), .left = 999};
    atomic_store(&ran, 0);
    loops_start(loops);
    loop_post(across.loop, &across.task);
    loop_post(same.loop, &same.task);
    loops_stop(loops);
    assert_int_equal(atomic_load(&ran), 2000);
    loops_free(loops);
}

/* ---- timers and watches ---- */

struct ticking {
    struct loop_task task;
    struct loop *loop;
    struct loop_timer *kept, *cancelled, *self;
    struct loop_watch *watch;
    int pipe[2];
    char order[16];
    size_t n;
    atomic_size_t done;
    uint64_t started_ns;
};

static void fire_first(void *arg)
{
    struct ticking *ticking = arg;
    ticking->order[ticking->n++] = '1';
    loop_timer_cancel(&ticking->cancelled);
    assert_null(ticking->cancelled);
    ENSURE(write(ticking->pipe[1], "x", 1) == 1);
}

static void fire_second(void *arg)
{
    struct ticking *ticking = arg;
    ticking->order[ticking->n++] = '2';
    ENSURE(clock_mono_ns() - ticking->started_ns >= 39000000);
    atomic_store(&ticking->done, 1);
}

static void fire_never(void *arg)
{
    (void)arg;
    ENSURE(!"cancelled");
}

static void readable(int fd, void *arg)
{
    struct ticking *ticking = arg;
    char c;
    ENSURE(read(fd, &c, 1) == 1);
    ticking->order[ticking->n++] = c;
    loop_watch_stop(&ticking->watch);
}

static void start_ticking(struct loop_task *task)
{
    struct ticking *ticking = CONTAINER_OF(task, struct ticking, task);
    int64_t real = clock_epoch_ms(), coarse = loop_now_ms();
    ENSURE(coarse <= real + 2 && coarse > real - 1000);
    ticking->started_ns = clock_mono_ns();
    loop_timer_start(ticking->loop, 40, fire_second, ticking);
    loop_timer_start(ticking->loop, 10, fire_first, ticking);
    ticking->cancelled = loop_timer_start(ticking->loop, 20, fire_never, ticking);
    ticking->kept = loop_timer_start(ticking->loop, 3600000, fire_never, ticking); /* open when the loop ends */
    ticking->watch = loop_watch_start(ticking->loop, ticking->pipe[0], readable, ticking);
}

static void test_timers_and_watches(void **state)
{
    (void)state;
    struct loops *loops = loops_new(1);
    struct ticking ticking = {.task.run = start_ticking, .loop = loops_at(loops, 0)};
    assert_int_equal(pipe(ticking.pipe), 0);
    loops_start(loops);
    loop_post(ticking.loop, &ticking.task);
    wait_until(&ticking.done, 1);
    loops_stop(loops);
    assert_string_equal(ticking.order, "1x2");
    loop_timer_cancel(&ticking.kept); /* after the end of its loop */
    assert_null(ticking.kept);
    loop_timer_cancel(&ticking.kept);
    loops_free(loops);
    close(ticking.pipe[0]);
    close(ticking.pipe[1]);
}

static void ignore(int fd, void *arg)
{
    (void)fd;
    (void)arg;
}

/* Set up before the start; never taken down by their owner. */
static void test_left_open(void **state)
{
    (void)state;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    struct loops *loops = loops_new(1);
    loop_timer_start(loops_at(loops, 0), 3600000, fire_never, NULL);
    loop_watch_start(loops_at(loops, 0), fds[0], ignore, NULL);
    struct loop_timer *cancelled = loop_timer_start(loops_at(loops, 0), 0, fire_never, NULL);
    loop_timer_cancel(&cancelled);
    loops_start(loops);
    loops_stop(loops);
    loops_free(loops);
    loops = loops_new(3); /* never started */
    loop_timer_start(loops_at(loops, 0), 3600000, fire_never, NULL);
    loops_free(loops);
    loops_free(NULL);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_post_from_threads),
        cmocka_unit_test(test_post_again),
        cmocka_unit_test(test_timers_and_watches),
        cmocka_unit_test(test_left_open),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* worker_test.c -- the pool: done on the loop, order, its bound, its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "base/panic.h"
#include "net/loop_internal.h"
#include "net/worker.h"
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

struct job {
    struct work work;
    struct loop *loop;
    struct workers *workers;
    pthread_mutex_t *gate;
    size_t number;
    enum err again;
};

static atomic_size_t ran, done, last;

static void wait_until(atomic_size_t *count, size_t wanted)
{
    for (int i = 0; i < 5000 && atomic_load(count) < wanted; i++)
        usleep(1000);
    assert_int_equal(atomic_load(count), wanted);
}

static void run_job(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    ENSURE(loop_current() == NULL);
    if (job->gate) {
        pthread_mutex_lock(job->gate);
        pthread_mutex_unlock(job->gate);
    }
    if (job->number)
        ENSURE(atomic_exchange(&last, job->number) == job->number - 1);
    atomic_fetch_add(&ran, 1);
}

static void job_done(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    ENSURE(loop_current() == job->loop);
    atomic_fetch_add(&done, 1);
    free(job);
}

static struct job *job_new(struct loop *loop)
{
    struct job *job = mem_zalloc(sizeof(*job));
    job->loop = loop;
    job->work = (struct work){.run = run_job, .done = job_done, .loop = loop};
    return job;
}

static void reset(void)
{
    atomic_store(&ran, 0);
    atomic_store(&done, 0);
    atomic_store(&last, 0);
}

static struct workers *lane_of(size_t threads, size_t queue_max)
{
    return workers_new((struct lane_limits[LANE_COUNT]){[LANE_SCAN] = {threads, queue_max}});
}

static struct lane_stats stats_of(struct workers *workers, enum lane lane)
{
    struct lane_stats stats;
    workers_stats(workers, lane, &stats);
    return stats;
}

static void test_many(void **state)
{
    (void)state;
    reset();
    struct loops *loops = loops_new(2);
    loops_start(loops);
    struct workers *workers = lane_of(4, 10000);
    for (size_t i = 0; i < 2000; i++)
        assert_int_equal(workers_submit(workers, LANE_SCAN, &job_new(loops_at(loops, i % 2))->work), ERR_OK);
    wait_until(&done, 2000);
    assert_int_equal(atomic_load(&ran), 2000);
    workers_free(workers);
    loops_stop(loops);
    loops_free(loops);
    workers_free(NULL);
}

/* One thread keeps the order; a full queue refuses; the end empties the queue, and every done is seen. */
static void test_bound_and_end(void **state)
{
    (void)state;
    reset();
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct loops *loops = loops_new(1);
    loops_start(loops);
    struct workers *workers = lane_of(1, 10);
    pthread_mutex_lock(&gate);
    struct job *first = job_new(loops_at(loops, 0));
    first->gate = &gate;
    first->number = 1;
    assert_int_equal(workers_submit(workers, LANE_SCAN, &first->work), ERR_OK);
    size_t accepted = 0;
    for (;;) {
        struct job *job = job_new(loops_at(loops, 0));
        job->number = accepted + 2;
        enum err err = workers_submit(workers, LANE_SCAN, &job->work);
        if (err != ERR_OK) {
            assert_int_equal(err, ERR_BUSY);
            free(job);
            if (accepted >= 10)
                break;
            usleep(1000); /* the thread has not taken the first one yet */
            continue;
        }
        accepted++;
    }
    assert_int_equal(accepted, 10);
    pthread_mutex_unlock(&gate);
    workers_free(workers);
    assert_int_equal(atomic_load(&ran), 11);
    loops_stop(loops);
    assert_int_equal(atomic_load(&done), 11);
    loops_free(loops);
}

/* Behind a full queue, submits until it is refused because the pool ends. */
static void submit_again(struct work *work)
{
    struct job *job = CONTAINER_OF(work, struct job, work);
    pthread_mutex_lock(job->gate);
    pthread_mutex_unlock(job->gate);
    struct job late = {.work = {.run = run_job}};
    while ((job->again = workers_submit(job->workers, LANE_SCAN, &late.work)) == ERR_BUSY)
        usleep(1000);
}

static void test_closed(void **state)
{
    (void)state;
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct workers *workers = lane_of(1, 1);
    struct job job = {.work = {.run = submit_again}, .workers = workers, .gate = &gate};
    struct job filler = {.work = {.run = run_job}};
    pthread_mutex_lock(&gate);
    assert_int_equal(workers_submit(workers, LANE_SCAN, &job.work), ERR_OK);
    while (workers_submit(workers, LANE_SCAN, &filler.work) == ERR_BUSY)
        usleep(1000);
    pthread_mutex_unlock(&gate);
    workers_free(workers);
    assert_int_equal(job.again, ERR_CLOSED);
}

/* A full lane stops no other; threads come with the work; what stands in a queue is counted. */
static void test_lanes(void **state)
{
    (void)state;
    reset();
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    struct loops *loops = loops_new(1);
    loops_start(loops);
    struct workers *workers = lane_of(2, 1);
    struct job scans[3];
    assert_int_equal(stats_of(workers, LANE_SCAN).threads, 0);
    pthread_mutex_lock(&gate);
    for (size_t i = 0; i < 3; i++) {
        scans[i] = (struct job){.work = {.run = run_job}, .gate = &gate};
        while (workers_submit(workers, LANE_SCAN, &scans[i].work) == ERR_BUSY)
            usleep(1000); /* no thread has taken the one before yet */
    }
    while (stats_of(workers, LANE_SCAN).running < 2)
        usleep(1000);
    struct job more = {.work = {.run = run_job}};
    assert_int_equal(workers_submit(workers, LANE_SCAN, &more.work), ERR_BUSY);
    for (enum lane lane = 0; lane < LANE_COUNT; lane++)
        if (lane != LANE_SCAN)
            assert_int_equal(workers_submit(workers, lane, &job_new(loops_at(loops, 0))->work), ERR_OK);
    wait_until(&done, LANE_COUNT - 1);
    struct lane_stats scan = stats_of(workers, LANE_SCAN);
    assert_int_equal(scan.threads, 2);
    assert_int_equal(scan.queued, 1);
    assert_true(scan.rejected >= 1);
    pthread_mutex_unlock(&gate);
    workers_stop(workers);
    assert_int_equal(workers_submit(workers, LANE_START, &more.work), ERR_CLOSED);
    scan = stats_of(workers, LANE_SCAN);
    assert_int_equal(scan.finished, 3);
    assert_int_equal(scan.queued + scan.running, 0);
    assert_int_equal(stats_of(workers, LANE_BODY).threads, 1);
    assert_string_equal(lane_name(LANE_BODY), "body");
    workers_free(workers);
    loops_stop(loops);
    loops_free(loops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_bound_and_end),
        cmocka_unit_test(test_closed),
        cmocka_unit_test(test_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* loop.h -- event loops (libuv), one thread a core, and how other threads reach them.
 * A task posted to a loop runs there once, in the order of posting; a whole chain is taken in one turn, and the loop
 * is woken only when its chain was empty. */
#ifndef CLOUDLESS_NET_LOOP_H
#define CLOUDLESS_NET_LOOP_H
#include "base/err.h"
#include "base/str.h"

struct loop;
struct loops;
struct uv_loop_s;

struct loop_task {                      /* embedded by the poster; may be freed or reused inside run */
    void (*run)(struct loop_task *task);
    struct loop_task *next;             /* the loop's */
};

struct loops *loops_new(size_t count);                  /* count >= 1; threads start with loops_start */
void loops_start(struct loops *loops);
void loops_stop(struct loops *loops);                   /* closes what is open, joins the threads */
void loops_free(struct loops *loops);
size_t loops_count(const struct loops *loops);
struct loop *loops_at(struct loops *loops, size_t index);
struct loop *loops_next(struct loops *loops);           /* round robin; any thread */

struct loop *loop_current(void);                        /* of the calling thread; NULL elsewhere */
size_t loop_index(const struct loop *loop);
void loop_post(struct loop *loop, struct loop_task *task);   /* any thread */
struct uv_loop_s *loop_uv(struct loop *loop);           /* for src/net and sandbox watchers, on the loop's own thread */

/* One-shot timers, on the loop's own thread (or any, while the loops do not run). May be cancelled until loops_free. */
struct loop_timer;
struct loop_timer *loop_timer_start(struct loop *loop, uint64_t delay_ms, void (*fire)(void *arg), void *arg);
void loop_timer_cancel(struct loop_timer **timer);      /* *timer may be NULL; clears it; never after it fired */

/* Watches a descriptor for reading, on the loop's own thread. The descriptor stays the caller's and is open until stop. */
struct loop_watch;
struct loop_watch *loop_watch_start(struct loop *loop, int fd, void (*readable)(int fd, void *arg), void *arg);
void loop_watch_stop(struct loop_watch **watch);

/* Coarse clock of the calling loop's turn, epoch milliseconds; off a loop the real clock. */
int64_t loop_now_ms(void);
#endif

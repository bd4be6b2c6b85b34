/* loop_internal.h -- what src/net needs of a loop beyond loop.h: a circular list, and hooks at the loop's end. */
#ifndef CLOUDLESS_NET_LOOP_INTERNAL_H
#define CLOUDLESS_NET_LOOP_INTERNAL_H
#include "base/str.h"
#include "net/loop.h"
#include <signal.h>

/* A circular doubly linked list; the head is a link of its own. A link that is in no list points to itself. */
struct link {
    struct link *prev, *next;
};

static inline void link_init(struct link *link)
{
    link->prev = link->next = link;
}

static inline bool link_alone(const struct link *link)
{
    return link->next == link;
}

static inline void link_add_last(struct link *head, struct link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

static inline void link_remove(struct link *link)
{
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link_init(link);
}

/* Runs on the loop's thread when the loop ends, before what is still open there is closed. Linked by the loop's own
 * thread, or by any thread while the loops do not run. */
struct loop_hook {
    struct link link;
    void (*run)(struct loop_hook *hook);
};
void loop__at_stop(struct loop *loop, struct loop_hook *hook);
void loop__forget(struct loop_hook *hook);

/* Blocks all signals but those of a fault in this thread, for the threads it is about to make. */
void loop__block_signals(sigset_t *ret_old);

/* True between loops_start and loops_stop. */
bool loop__running(const struct loop *loop);
#endif

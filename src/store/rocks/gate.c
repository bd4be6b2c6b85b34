/* gate.c -- see gate.h. A reader counts itself in and then looks at the flag; the closer sets the flag and then looks
 * at the counters. Both orders are sequentially consistent, so at least one of the two sees the other. */
#include "store/rocks/gate.h"
#include "base/clock.h"
#include <unistd.h>

void rocks__gate_init(struct gate *gate)
{
    for (unsigned i = 0; i < GATE_SLOTS; i++)
        atomic_init(&gate->slots[i].inside, 0);
    atomic_init(&gate->closed, false);
    pthread_mutex_init(&gate->lock, NULL);
    pthread_cond_init(&gate->opened, NULL);
}

void rocks__gate_clear(struct gate *gate)
{
    pthread_cond_destroy(&gate->opened);
    pthread_mutex_destroy(&gate->lock);
}

static unsigned own_slot(void)
{
    static atomic_uint next;
    static _Thread_local unsigned slot;     /* 1 and up once drawn */
    if (!slot)
        slot = atomic_fetch_add(&next, 1) % GATE_SLOTS + 1;
    return slot - 1;
}

unsigned rocks__gate_enter(struct gate *gate)
{
    unsigned slot = own_slot();
    for (;;) {
        atomic_fetch_add(&gate->slots[slot].inside, 1);
        if (!atomic_load(&gate->closed))
            return slot;
        rocks__gate_leave(gate, slot);
        pthread_mutex_lock(&gate->lock);
        while (atomic_load(&gate->closed))
            pthread_cond_wait(&gate->opened, &gate->lock);
        pthread_mutex_unlock(&gate->lock);
    }
}

void rocks__gate_leave(struct gate *gate, unsigned slot)
{
    atomic_fetch_sub(&gate->slots[slot].inside, 1);
}

static bool gate_empty(struct gate *gate)
{
    for (unsigned i = 0; i < GATE_SLOTS; i++)
        if (atomic_load(&gate->slots[i].inside) != 0)
            return false;
    return true;
}

bool rocks__gate_close(struct gate *gate, unsigned ms_max)
{
    atomic_store(&gate->closed, true);
    uint64_t until = clock_mono_ns() + ms_max * (uint64_t)1000000;
    while (!gate_empty(gate)) {
        if (clock_mono_ns() > until) {
            rocks__gate_open(gate);
            return false;
        }
        usleep(200);
    }
    return true;
}

void rocks__gate_open(struct gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    atomic_store(&gate->closed, false);
    pthread_cond_broadcast(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}

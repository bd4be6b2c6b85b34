/* gate.h -- lets any number of readers through, until one thread closes it to exchange what lies behind.
 *
 * Made for readers that pass all the time and a closing that hardly ever happens: a reader touches only a counter of
 * its own slot and one flag that nobody writes. A reader may stay inside for long (an iterator) and leave on another
 * thread, so it keeps the slot it got. Closing waits for those inside up to a time, while newcomers wait outside; a
 * thread that is inside and enters again meanwhile waits too, hence the time limit. */
#ifndef CLOUDLESS_STORE_GATE_H
#define CLOUDLESS_STORE_GATE_H
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define GATE_SLOTS 64

struct gate {
    struct { _Alignas(64) atomic_long inside; } slots[GATE_SLOTS];
    _Alignas(64) atomic_bool closed;
    pthread_mutex_t lock;           /* over waiting for `closed` to end */
    pthread_cond_t opened;
};

void rocks__gate_init(struct gate *gate);
void rocks__gate_clear(struct gate *gate);
unsigned rocks__gate_enter(struct gate *gate);              /* the slot, for leaving */
void rocks__gate_leave(struct gate *gate, unsigned slot);
bool rocks__gate_close(struct gate *gate, unsigned ms_max); /* false: somebody is still inside; it is open again */
void rocks__gate_open(struct gate *gate);
#endif

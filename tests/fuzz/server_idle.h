/* server_idle.h -- for fuzzers that send their input to a server over a socket. */
#ifndef CLOUDLESS_TESTS_FUZZ_SERVER_IDLE_H
#define CLOUDLESS_TESTS_FUZZ_SERVER_IDLE_H
#include "base/panic.h"
#include "net/http_conn.h"
#include <sched.h>
#include <unistd.h>

/* The client has gone: no connection is left of it, and no body is held, within a bound. */
static inline void await_server_idle(struct http_server *server)
{
    for (int i = 0; atomic_load(&server->all_count) > 0 || atomic_load(&server->bodies_held.all) > 0; i++) {
        ENSURE(i < 200000);
        if (i > 100)
            usleep(100);
        else
            sched_yield();
    }
}
#endif

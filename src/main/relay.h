/* relay.h -- bytes on their way to a descriptor that may be full, without waiting for it: a supervisor's log, whose reader may
 * have stopped. What does not fit is lost and counted. One thread. */
#ifndef CLOUDLESS_MAIN_RELAY_H
#define CLOUDLESS_MAIN_RELAY_H
#include "base/str.h"

#define RELAY_BYTES (64u << 10)

struct relay {
    int fd;                     /* a pipe, a terminal, a socket or a file; borrowed, and its flags stay */
    size_t n;
    bool within_line;           /* what was written last did not end one */
    uint64_t lines_lost;        /* since that was last said */
    char bytes[RELAY_BYTES];
};

void relay_init(struct relay *relay, int fd);
/* Copies all of it, or counts its lines as lost. Then writes what can be written now. */
void relay_add(struct relay *relay, struct str bytes);
bool relay_waits(const struct relay *relay);    /* poll for writing is asked for */
/* Writes what can be written without waiting. When lines were lost and there is room again, a line says how many. */
void relay_flush(struct relay *relay);
/* The same, waiting for room up to `ms`. */
void relay_end(struct relay *relay, unsigned ms);
#endif

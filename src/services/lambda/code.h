/* code.h -- unpacked packages, a bounded cache of folders. Folder-internal.
 * Nobody waits for an unpacking: who wants a package is told on its loop when it is there. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_CODE_H
#define CLOUDLESS_SERVICES_LAMBDA_CODE_H
#include "call/service.h"
#include "net/worker.h"
#include "store/blob.h"

struct lambda__code;
/* bytes_max: of what is not in use; 0: 2 GiB. The platform's cache_dir is made if it is missing. */
struct lambda__code *lambda__code_new(const struct platform *platform, int64_t bytes_max);
void lambda__code_free(struct lambda__code *code);          /* NULL is fine; after workers and loops have stopped */

struct lambda__code_want {          /* embedded by who wants */
    struct str blob;                /* in; it and the struct stay until done */
    struct loop *loop;
    void (*done)(struct lambda__code_want *want);           /* on `loop` */
    enum err err; /* out. ERR_NOT_FOUND: no such package; ERR_IO: damaged, or the disk; ERR_BUSY, ERR_CLOSED: no worker */
    const char *dir;                /* out, ERR_OK: the folder; it stays until it was released as often as acquired */
    struct lambda__code_want *next; /* code.c's */
    struct loop_task task;
};
/* True: `err` and `dir` are set, done is not called. False: done comes, never from within this call. Any thread. */
bool lambda__code_acquire(struct lambda__code *code, struct lambda__code_want *want);
void lambda__code_release(struct lambda__code *code, struct str blob);
void lambda__code_warm(struct lambda__code *code, struct str blob); /* unpacks it for the first invocation to come. Any thread */
void lambda__code_sweep(
    struct lambda__code *code); /* worker. What no function refers to goes: unpacked at once, packages after an hour */
void lambda__code_sweep_soon(struct lambda__code *code);    /* any thread: a sweep on a worker within a second or so */
#endif

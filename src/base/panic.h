/* panic.h -- a programmer's error ends the process, in every build.
 * Operating errors (bad input, full disk, a dead peer) are returned as enum err and never come here.
 * Memory: a failed allocation panics too. Every input has a byte limit before it is read (net/limits.h), so
 * running out means that the machine is; what was acknowledged is durable and the next start continues. */
#ifndef CLOUDLESS_BASE_PANIC_H
#define CLOUDLESS_BASE_PANIC_H
#include <stddef.h>

void panic(const char *file, int line, const char *what) __attribute__((noreturn));
#define ENSURE(condition) ((condition) ? (void)0 : panic(__FILE__, __LINE__, #condition))
#define UNREACHABLE() panic(__FILE__, __LINE__, "unreachable")

/* malloc family that never returns NULL. Free with free(). */
void *mem_alloc(size_t size);           /* not zeroed */
void *mem_zalloc(size_t size);
void *mem_realloc(void *old, size_t size);
char *mem_dup(const char *p, size_t n); /* a NUL-terminated copy */
#endif

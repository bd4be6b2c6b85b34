/* panic.c -- the end of the process after a programmer's error or when memory is exhausted; panic.h says when.
 * panic() allocates nothing: it may run because an allocation failed. abort() leaves a core and kills at once, so
 * nothing half-done is acknowledged after it. */
#include "base/panic.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void panic(const char *file, int line, const char *what)
{
    char text[512];
    int n = snprintf(text, sizeof text, "panic: %s:%d: %s\n", file, line, what);
    if (n > 0) {
        size_t length = (size_t)n < sizeof text ? (size_t)n : sizeof text - 1;
        ssize_t written = write(STDERR_FILENO, text, length);
        (void)written;      /* nowhere left to complain */
    }
    abort();
}

static void *ensure_memory(void *p)
{
    if (!p)
        panic(__FILE__, __LINE__, "out of memory");
    return p;
}

void *mem_alloc(size_t size)
{
    return ensure_memory(malloc(size ? size : 1));
}

void *mem_zalloc(size_t size)
{
    return ensure_memory(calloc(1, size ? size : 1));
}

void *mem_realloc(void *old, size_t size)
{
    return ensure_memory(realloc(old, size ? size : 1));
}

char *mem_dup(const char *p, size_t n)
{
    char *copy = mem_alloc(n + 1);
    if (n)
        memcpy(copy, p, n);
    copy[n] = '\0';
    return copy;
}

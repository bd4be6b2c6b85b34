/* buf.c -- the builder of buf.h. Capacity doubles from 512 bytes up to the bound; in an arena the newest piece grows in
 * place, so that writing one answer into a fresh arena copies nothing. One byte beyond `max` may be held, for the NUL
 * that vsnprintf writes. */
#include "base/buf.h"
#include "base/panic.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define CAP_MIN 512u
#define BUDGET_CAP (64u << 10)

void buf_init(struct buf *buf, struct arena *arena, size_t max)
{
    ENSURE(max < SIZE_MAX / 4);
    *buf = (struct buf){.arena = arena, .max = max};
}

void buf_clear(struct buf *buf)
{
    if (!buf->arena)
        free(buf->p);
    buf->p = NULL;
    buf->n = buf->cap = 0;
    buf->failed = false;
}

void buf_reset(struct buf *buf)
{
    buf->n = 0;
    buf->failed = false;
}

static void buf_grow(struct buf *buf, size_t need)
{
    size_t cap = buf->cap ? buf->cap : CAP_MIN;
    while (cap < need)
        cap *= 2;
    if (cap > buf->max + 1)
        cap = buf->max + 1;
    if (buf->arena)
        buf->p = arena_grow(buf->arena, buf->p, buf->cap, cap);
    else
        buf->p = mem_realloc(buf->p, cap);
    buf->cap = cap;
}

/* An arena over its budget (budget.h) is asked where much is to be made. */
static bool buf_has_room(struct buf *buf, size_t need)
{
    return !buf->arena || need <= BUDGET_CAP || arena_over_with(buf->arena, need) == ERR_OK;
}

char *buf_reserve_slow(struct buf *buf, size_t n)
{
    size_t need = buf->n + n + 1;
    if (buf->failed || n > buf->max - buf->n || !buf_has_room(buf, need)) {
        buf->failed = true;
        return NULL;
    }
    buf_grow(buf, need);
    return buf->p + buf->n;
}

void buf_add_u64(struct buf *buf, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    buf_add(buf, (struct str){digits + at, sizeof digits - at});
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    char text[128];     /* most pieces fit: one pass */
    int n = vsnprintf(text, sizeof text, format, args);
    ENSURE(n >= 0);
    if ((size_t)n < sizeof text) {
        buf_add(buf, (struct str){text, (size_t)n});
    } else {
        char *to = buf_reserve(buf, (size_t)n);
        if (to) {
            vsnprintf(to, (size_t)n + 1, format, again);
            buf->n += (size_t)n;
        }
    }
    va_end(again);
    va_end(args);
}

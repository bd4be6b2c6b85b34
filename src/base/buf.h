/* buf.h -- a bounded byte builder that fails stickily: past its bound nothing is added, `failed` stays set,
 * and the caller checks once at the end. Memory comes from an arena, or from malloc when arena is NULL. */
#ifndef CLOUDLESS_BASE_BUF_H
#define CLOUDLESS_BASE_BUF_H
#include "base/arena.h"

struct buf {
    char *p;
    size_t n, cap, max;     /* n <= cap <= max (+1 for the NUL) */
    struct arena *arena;
    bool failed;
};

void buf_init(struct buf *buf, struct arena *arena, size_t max);   /* no allocation yet */
void buf_clear(struct buf *buf);                                   /* frees what malloc gave */
void buf_reset(struct buf *buf);                                   /* n = 0, failed = false, memory kept */
char *buf_reserve_slow(struct buf *buf, size_t n);                 /* of buf_reserve: grows or fails */
void buf_add_u64(struct buf *buf, uint64_t value);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
#define buf_lit(buf, literal) buf_add((buf), STR(literal))

/* Room for n more bytes, or NULL and failed. The caller adds what it wrote to buf->n. */
static inline char *buf_reserve(struct buf *buf, size_t n)
{
    if (n < buf->cap - buf->n && !buf->failed)
        return buf->p + buf->n;
    return buf_reserve_slow(buf, n);
}

static inline void buf_add(struct buf *buf, struct str s)
{
    char *to = buf_reserve(buf, s.n);
    if (!to || s.n == 0)
        return;
    memcpy(to, s.p, s.n);
    buf->n += s.n;
}

static inline void buf_add_char(struct buf *buf, char c)
{
    char *to = buf_reserve(buf, 1);
    if (!to)
        return;
    *to = c;
    buf->n++;
}

static inline struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->p, buf->n};
}
#endif

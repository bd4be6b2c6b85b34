/* base.c -- memory: the request's arena and the byte builder over it; names of results.
 *
 * An arena is a chain of blocks, newest first; allocations are cut from the first. A block is made as large as all before
 * it together, from BLOCK_MIN up to BLOCK_MAX; what is larger than a quarter of a block gets one of its own, behind the
 * first, so that the first one's rest stays useful. Reset keeps a first block not above KEEP_MAX; of several that are together
 * not above it none stays, and the next first block is as large as they were: invocations alike soon take nothing from malloc.
 * Invariants: used <= size in each block; bytes is the sum of the blocks' sizes and never above limit; nothing is handed out
 * while it has failed, which a reset ends, or cl__arena_give_back where only the lowered limit was reached.
 * Under AddressSanitizer the unused part of a block is poisoned and RED_ZONE bytes stay between allocations. */
#include "internal.h"
#include <stdio.h>
#include <stdlib.h>

#define BLOCK_MIN ((size_t)8 << 10)
#define BLOCK_MAX ((size_t)256 << 10)
#define KEEP_MAX  ((size_t)256 << 10)
#define ALIGN     16

#if defined __has_feature
#if __has_feature(address_sanitizer) && !defined __SANITIZE_ADDRESS__
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define RED_ZONE            16
#define POISON(p, n)        ASAN_POISON_MEMORY_REGION(p, n)
#define UNPOISON(p, n)      ASAN_UNPOISON_MEMORY_REGION(p, n)
#else
#define RED_ZONE            0
#define POISON(p, n)        ((void)(p), (void)(n))
#define UNPOISON(p, n)      ((void)(p), (void)(n))
#endif

struct block {
    struct block *next;
    size_t size, used;          /* bytes behind this head */
    _Alignas(ALIGN) char bytes[];
};

struct cl_arena {
    struct block *first;
    size_t limit, bytes;
    size_t first_size;          /* of a first block, unless it is less than BLOCK_MIN */
    bool failed, at_limit;      /* at_limit: it failed because of the limit, not because of malloc */
    const char *why;            /* it failed because of this; NULL: for lack of memory */
};

long cl__malloc_countdown = -1;

void *cl__malloc(size_t bytes)
{
    if (cl__malloc_countdown == 0)
        return NULL;
    if (cl__malloc_countdown > 0)
        cl__malloc_countdown--;
    return malloc(bytes);
}

const char *cl_result_name(cl_result result)
{
    static const char *const names[] = {"CL_OK", "CL_NO_MEMORY", "CL_INVALID", "CL_NOT_FOUND", "CL_REFUSED", "CL_UNREACHABLE",
                                        "CL_DEADLINE", "CL_CONFIG"};
    return (size_t)result < CL__COUNT(names) ? names[result] : "unknown";
}

const char *cl_version(void)
{
    return CLOUDLESS_VERSION;
}

/* ---- arena ---- */

cl_arena *cl_arena_new(size_t limit)
{
    cl_arena *arena = cl__malloc(sizeof *arena);
    if (arena)
        *arena = (cl_arena){.limit = limit ? limit : SIZE_MAX};
    return arena;
}

static void free_block(struct block *block)
{
    UNPOISON(block->bytes, block->size);
    free(block);
}

static void free_chain(struct block *block)
{
    while (block) {
        struct block *next = block->next;
        free_block(block);
        block = next;
    }
}

void cl_arena_free(cl_arena *arena)
{
    if (!arena)
        return;
    free_chain(arena->first);
    free(arena);
}

void cl_arena_reset(cl_arena *arena)
{
    struct block *kept = arena->first;
    arena->failed = arena->at_limit = false;
    arena->why = NULL;
    if (!kept)
        return;
    bool joined = kept->next && arena->bytes <= KEEP_MAX;
    arena->first_size = joined ? arena->bytes : 0;
    if (joined || kept->size > KEEP_MAX) {
        free_chain(kept);
        arena->first = NULL, arena->bytes = 0;
        return;
    }
    free_chain(kept->next);
    kept->next = NULL;
    kept->used = 0;
    arena->bytes = kept->size;
    POISON(kept->bytes, kept->size);
}

bool cl_arena_failed(const cl_arena *arena)
{
    return arena->failed;
}

void cl__arena_fail(cl_arena *arena)
{
    arena->failed = true;
}

void cl__arena_spoil(cl_arena *arena, const char *why)
{
    if (!arena->failed)
        arena->why = why;
    arena->failed = true;
}

const char *cl__arena_why(const cl_arena *arena)
{
    return arena->why;
}

size_t cl__arena_hold_back(cl_arena *arena)
{
    size_t limit = arena->limit;
    arena->limit = arena->bytes + (limit - arena->bytes) / 2;
    return limit;
}

bool cl__arena_give_back(cl_arena *arena, size_t limit)
{
    bool reached = arena->at_limit;
    arena->limit = limit;
    if (reached)
        arena->failed = arena->at_limit = false;
    return reached;
}

size_t cl_arena_bytes(const cl_arena *arena)
{
    return arena->bytes;
}

/* A block with room for `bytes`; in front of the chain, or behind the first when it is for one allocation only. */
static struct block *add_block(cl_arena *arena, size_t bytes)
{
    size_t before = arena->first ? arena->bytes : arena->first_size;
    size_t size = before < BLOCK_MIN ? BLOCK_MIN : before > BLOCK_MAX ? BLOCK_MAX : before;
    bool own = bytes > size / 4 && arena->first;
    if (bytes > size || own)
        size = bytes;
    if (size > arena->limit - arena->bytes)
        size = bytes;                               /* near the limit: just enough */
    bool too_much = size > arena->limit - arena->bytes;
    struct block *block = too_much || size > SIZE_MAX - sizeof *block ? NULL : cl__malloc(sizeof *block + size);
    if (!block) {
        arena->failed = true, arena->at_limit = too_much;
        return NULL;
    }
    block->size = size, block->used = 0;
    arena->bytes += size;
    POISON(block->bytes, size);
    struct block **at = own ? &arena->first->next : &arena->first;
    block->next = *at;
    *at = block;
    return block;
}

void *cl__take(cl_arena *arena, size_t bytes, size_t align)
{
    if (arena->failed)
        return NULL;
    if (bytes > SIZE_MAX / 2) {
        arena->failed = true;
        return NULL;
    }
    struct block *block = arena->first;
    size_t from = block ? (block->used + align - 1) & ~(align - 1) : 0;
    if (!block || from > block->size || bytes + RED_ZONE > block->size - from) {
        block = add_block(arena, bytes + RED_ZONE);
        from = 0;
    }
    if (!block)
        return NULL;
    block->used = from + bytes + RED_ZONE;
    UNPOISON(block->bytes + from, bytes);
    return block->bytes + from;
}

void *cl_alloc(cl_arena *arena, size_t bytes)
{
    void *p = cl__take(arena, bytes, ALIGN);
    return p ? memset(p, 0, bytes) : NULL;
}

void *cl_alloc_array(cl_arena *arena, size_t bytes, size_t count)
{
    if (bytes && count > SIZE_MAX / bytes) {
        arena->failed = true;
        return NULL;
    }
    return cl_alloc(arena, bytes * count);
}

cl_str cl_dup(cl_arena *arena, cl_str s)
{
    char *p = cl__take(arena, s.n + 1, 1);
    if (!p)
        return (cl_str){NULL, 0};
    if (s.n)
        memcpy(p, s.p, s.n);
    p[s.n] = 0;
    return (cl_str){p, s.n};
}

cl_str cl_vprintf(cl_arena *arena, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *p = NULL;
    if (n < 0)
        arena->failed = true;
    else
        p = cl__take(arena, (size_t)n + 1, 1);
    if (!p || vsnprintf(p, (size_t)n + 1, format, args) != n)
        return (cl_str){NULL, 0};
    return (cl_str){p, (size_t)n};
}

cl_str cl_printf(cl_arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cl_str s = cl_vprintf(arena, format, args);
    va_end(args);
    return s;
}

/* ---- builder: p has cap bytes, of which n are used; cap > n always leaves room for the NUL ---- */

void cl_buf_init(cl_buf *buf, cl_arena *arena, size_t max)
{
    *buf = (cl_buf){.arena = arena, .max = max > SIZE_MAX / 2 ? SIZE_MAX / 2 : max};
}

void cl__buf_fixed(cl_buf *buf, char *p, size_t bytes)
{
    *buf = (cl_buf){.p = p, .cap = bytes, .max = bytes - 1};
}

void cl__buf_cut(cl_buf *buf, size_t n)
{
    if (n < buf->n)
        buf->n = n;
}

/* Is p the newest allocation of its block, so that it can grow where it is? Never under AddressSanitizer. */
static bool grows_in_place(const cl_buf *buf, size_t cap)
{
    struct block *block = buf->arena->first;
    if (RED_ZONE || !buf->p || !block || buf->arena->failed || buf->p + buf->cap != block->bytes + block->used ||
        cap - buf->cap > block->size - block->used)
        return false;
    block->used += cap - buf->cap;
    return true;
}

/* Makes room for n more bytes and a NUL. */
static bool reserve(cl_buf *buf, size_t n)
{
    if (buf->failed || n > buf->max - buf->n) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->n + n + 1, cap = buf->cap < 128 ? 256 : buf->cap > buf->max / 2 ? buf->max + 1 : buf->cap * 2;
    if (need <= buf->cap)
        return true;
    if (cap < need)
        cap = need;
    if (!grows_in_place(buf, cap)) {
        char *p = cl__take(buf->arena, cap, 1);
        if (!p) {
            buf->failed = true;
            return false;
        }
        if (buf->n)
            memcpy(p, buf->p, buf->n);
        buf->p = p;
    }
    buf->cap = cap;
    return true;
}

char *cl__buf_room(cl_buf *buf, size_t n)
{
    if (!reserve(buf, n))
        return NULL;
    char *p = buf->p + buf->n;
    buf->n += n;
    return p;
}

void cl_buf_add(cl_buf *buf, cl_str s)
{
    if (s.n == 0 || !reserve(buf, s.n))
        return;
    memcpy(buf->p + buf->n, s.p, s.n);
    buf->n += s.n;
}

void cl_buf_adds(cl_buf *buf, const char *text)
{
    cl_buf_add(buf, cl_str_of(text));
}

void cl_buf_addc(cl_buf *buf, char c)
{
    if (reserve(buf, 1))
        buf->p[buf->n++] = c;
}

void cl_buf_printf(cl_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (n < 0)
        buf->failed = true;
    else if (n > 0 && reserve(buf, (size_t)n)) {
        if (vsnprintf(buf->p + buf->n, (size_t)n + 1, format, args) == n)
            buf->n += (size_t)n;
        else
            buf->failed = true;
    }
    va_end(args);
}

cl_str cl_buf_str(const cl_buf *buf)
{
    if (buf->failed || buf->n == 0)
        return (cl_str){"", 0};
    buf->p[buf->n] = 0;
    return (cl_str){buf->p, buf->n};
}

cl_result cl__said(cl_result result, cl_str *message)
{
    if (result == CL_NO_MEMORY && message)
        *message = (cl_str)CL_STR_LIT("no memory");
    return result;
}

cl_str cl__sentence(const char *format, ...)
{
    static _Thread_local char text[512] __attribute__((tls_model("initial-exec")));     /* no call to find it */
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0, text[0] = 0;
    cl_str whole = {text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1};
    return cl__utf8_cut(whole, whole.n);
}

/* arena.c -- the arena of arena.h: a chain of blocks filled from the front, and beside it a list of large pieces.
 *
 *   arena_new()  →  one malloc of 4 KiB: [struct arena | first block's bytes …]
 *   blocks       →  newest first, each twice the size of the one before, at most 1 MiB
 *   large pieces →  more than a quarter of the largest block: a malloc each
 *
 * An empty arena is one malloc; a request that stays below 4 KiB needs no other. arena_reset keeps the newest block of at
 * most 64 KiB beside the first, so a connection with steady requests stops asking malloc, while one huge request leaves
 * nothing behind. The clean-up records live in the arena itself and run before any memory goes.
 *
 * Invariants: at <= end, both inside the newest block; every piece begins on a multiple of 16.
 *
 * The debug twin (CLOUDLESS_ARENA_DEBUG) gives each piece a malloc of its own and frees all at reset, so that
 * AddressSanitizer sees an overrun of one piece, use after reset, and what is never freed. */
#include "base/arena.h"
#include "base/panic.h"
#include <stdio.h>
#include <stdlib.h>

#define ALIGNMENT 16u
#define BLOCK_MIN 4096u
#define BLOCK_MAX (1024u * 1024u)
#define LARGE_MIN (BLOCK_MAX / 4)
#define BLOCK_KEPT_MAX (64u * 1024u)
#define PIECES_UNASKED 256u /* of arena_over_next */

struct clean_up {
    struct clean_up *next;
    void (*clean)(void *arg);
    void *arg;
};

/* Stands before the bytes of a block or of a large piece. */
struct block {
    _Alignas(ALIGNMENT) struct block *next;
    size_t size;            /* bytes from malloc, this header included */
};

struct arena {
    char *at, *end;
    struct block *blocks;   /* newest first; without the first block, which is the arena itself */
    struct block *large;
    struct clean_up *clean_ups;
    size_t bytes;
    struct budget_account account, *beside;
};

static struct block *block_new(struct arena *arena, size_t size)
{
    struct block *block = mem_alloc(size);
    block->size = size;
    arena->bytes += size;
    if (arena->account.counted && arena->bytes > ARENA_UNCOUNTED)
        budget_charge(&arena->account, size);
    return block;
}

/* Nothing of it is used any more. */
static void uncount(struct arena *arena)
{
    if (arena->account.held)
        budget_credit(&arena->account, arena->account.held);
    arena->account.stopped = ERR_OK;
}

static void run_clean_ups(struct arena *arena)
{
    while (arena->clean_ups) {
        struct clean_up *top = arena->clean_ups;
        arena->clean_ups = top->next;
        top->clean(top->arg);
    }
}

static void free_list(struct arena *arena, struct block **list)
{
    while (*list) {
        struct block *block = *list;
        *list = block->next;
        arena->bytes -= block->size;
#ifdef CLOUDLESS_ARENA_DEBUG
        free(*(void **)(block + 1));
#endif
        free(block);
    }
}

#ifndef CLOUDLESS_ARENA_DEBUG

static size_t round_up(size_t size)
{
    ENSURE(size <= SIZE_MAX / 2);
    return (size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

static char *first_byte(struct arena *arena)
{
    return (char *)arena + round_up(sizeof *arena);
}

struct arena *arena_new(void)
{
    struct arena *arena = mem_alloc(BLOCK_MIN);
    *arena = (struct arena){.at = first_byte(arena), .end = (char *)arena + BLOCK_MIN, .bytes = BLOCK_MIN};
    return arena;
}

void arena_reset(struct arena *arena)
{
    run_clean_ups(arena);
    uncount(arena);
    free_list(arena, &arena->large);
    struct block **at = &arena->blocks;
    while (*at && (*at)->size > BLOCK_KEPT_MAX)
        at = &(*at)->next;
    struct block *kept = *at;
    if (kept) {
        *at = kept->next;
        free_list(arena, &arena->blocks);
        kept->next = NULL;
        arena->blocks = kept;
        arena->at = (char *)(kept + 1);
        arena->end = (char *)kept + kept->size;
    } else {
        free_list(arena, &arena->blocks);
        arena->at = first_byte(arena);
        arena->end = (char *)arena + BLOCK_MIN;
    }
}

static void *alloc_slow(struct arena *arena, size_t size)
{
    if (size >= LARGE_MIN) {
        struct block *piece = block_new(arena, sizeof *piece + size);
        piece->next = arena->large;
        arena->large = piece;
        return piece + 1;
    }
    size_t block_size = 2 * (arena->blocks ? arena->blocks->size : BLOCK_MIN);
    while (block_size < sizeof(struct block) + size)
        block_size *= 2;
    if (block_size > BLOCK_MAX)
        block_size = BLOCK_MAX;
    struct block *block = block_new(arena, block_size);
    block->next = arena->blocks;
    arena->blocks = block;
    arena->end = (char *)block + block_size;
    arena->at = (char *)(block + 1) + size;
    return block + 1;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    size = size ? round_up(size) : ALIGNMENT;
    if (size > (size_t)(arena->end - arena->at))
        return alloc_slow(arena, size);
    void *piece = arena->at;
    arena->at += size;
    return piece;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size)
{
    ENSURE(size >= old_size);
    char *end = (char *)old + round_up(old_size);
    size_t more = round_up(size) - round_up(old_size);
    if (old && old_size && end == arena->at && more <= (size_t)(arena->end - arena->at)) {
        arena->at += more;
        return old;
    }
    void *piece = arena_alloc(arena, size);
    if (old_size)
        memcpy(piece, old, old_size);
    return piece;
}

#else

struct arena *arena_new(void)
{
    return mem_zalloc(sizeof(struct arena));
}

void arena_reset(struct arena *arena)
{
    run_clean_ups(arena);
    uncount(arena);
    free_list(arena, &arena->large);
}

/* The list entry stands apart and points to the piece, so that the piece has red zones on both sides. */
void *arena_alloc(struct arena *arena, size_t size)
{
    void *piece = mem_alloc(size);
    struct block *entry = block_new(arena, sizeof *entry + sizeof piece);
    memcpy(entry + 1, &piece, sizeof piece);
    entry->size += size;
    arena->bytes += size;
    if (arena->account.counted && arena->bytes > ARENA_UNCOUNTED)
        budget_charge(&arena->account, size);
    entry->next = arena->large;
    arena->large = entry;
    return piece;
}

void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size)
{
    ENSURE(size >= old_size);
    void *piece = arena_alloc(arena, size);
    if (old_size)
        memcpy(piece, old, old_size);
    return piece;
}

#endif

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    run_clean_ups(arena);
    uncount(arena);
    free_list(arena, &arena->large);
    free_list(arena, &arena->blocks);
    free(arena);
}

void arena_count(struct arena *arena, uint16_t peer, bool inside)
{
    ENSURE(arena->account.held == 0);
    arena->account = (struct budget_account){.peer = peer, .counted = true, .early = !inside, .inside = inside};
    arena->beside = NULL;
}

void arena_beside(struct arena *arena, struct budget_account *account)
{
    arena->beside = account;
}

void arena_count_as(struct arena *arena, const struct arena *other)
{
    ENSURE(arena->account.held == 0);
    arena->account = other->account;
    arena->account.held = 0;
    arena->account.stopped = ERR_OK;
}

void arena_known(struct arena *arena)
{
    budget_known(&arena->account);
    if (arena->beside)
        budget_known(arena->beside);
}

enum err arena_over(struct arena *arena)
{
    return budget_state(&arena->account, 0);
}

enum err arena_over_with(struct arena *arena, size_t more)
{
    return budget_state(&arena->account, more);
}

enum err arena_over_next(struct arena *arena, size_t *made)
{
    return ++*made % PIECES_UNASKED ? ERR_OK : arena_over(arena);
}

enum err arena_take(struct arena *arena, size_t bytes)
{
    return arena->account.counted ? budget_take(&arena->account, bytes) : ERR_OK;
}

void arena_give_back(struct arena *arena, size_t bytes)
{
    if (arena->account.counted)
        budget_credit(&arena->account, bytes);
}

bool arena_room(const struct arena *arena)
{
    return budget_room(&arena->account);
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    return memset(arena_alloc(arena, size), 0, size);
}

void *arena_zalloc_array(struct arena *arena, size_t size, size_t count)
{
    ENSURE(count == 0 || size <= SIZE_MAX / 2 / count);
    return arena_zalloc(arena, size * count);
}

char *arena_cstr(struct arena *arena, struct str s)
{
    char *copy = arena_alloc(arena, s.n + 1);
    if (s.n)
        memcpy(copy, s.p, s.n);
    copy[s.n] = '\0';
    return copy;
}

struct str arena_dup(struct arena *arena, struct str s)
{
    return (struct str){arena_cstr(arena, s), s.n};
}

struct str arena_behind(struct arena *arena, struct str prefix)
{
    while (prefix.n && (uint8_t)prefix.p[prefix.n - 1] == 0xff)
        prefix.n--;
    if (prefix.n == 0)
        return STR_NONE;
    char *end = arena_cstr(arena, prefix);
    end[prefix.n - 1] = (char)((uint8_t)end[prefix.n - 1] + 1);
    return (struct str){end, prefix.n};
}

struct str arena_vprintf(struct arena *arena, const char *format, va_list args)
{
    char text[256];     /* most answers fit: one pass */
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(text, sizeof text, format, args);
    ENSURE(n >= 0);
    char *copy = arena_alloc(arena, (size_t)n + 1);
    if ((size_t)n < sizeof text)
        memcpy(copy, text, (size_t)n + 1);
    else
        vsnprintf(copy, (size_t)n + 1, format, again);
    va_end(again);
    return (struct str){copy, (size_t)n};
}

struct str arena_printf(struct arena *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str s = arena_vprintf(arena, format, args);
    va_end(args);
    return s;
}

void arena_on_free(struct arena *arena, void (*clean)(void *arg), void *arg)
{
    struct clean_up *record = arena_alloc(arena, sizeof *record);
    *record = (struct clean_up){arena->clean_ups, clean, arg};
    arena->clean_ups = record;
}

static void free_child(void *arg)
{
    arena_free(arg);
}

struct arena *arena_under(struct arena *parent)
{
    struct arena *child = arena_new();
    arena_count_as(child, parent);
    arena_on_free(parent, free_child, child);
    return child;
}

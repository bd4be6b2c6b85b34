/* arena.h -- memory of one request: allocated piece by piece, freed at once.
 * Blocks grow by doubling from 4 KiB to 1 MiB; larger pieces stand alone. Never returns NULL (panic.h).
 * A clean-up runs at reset and free, last added first: descriptors, iterators, references.
 * With CLOUDLESS_ARENA_DEBUG (set in sanitizer builds) each piece is its own malloc, so ASan sees overruns.
 * Of a request's arena, what lies beyond ARENA_UNCOUNTED is counted in the process's memory budget (budget.h) until reset or free.
 * Thread: one at a time; a request hands its arena on together with itself. */
#ifndef CLOUDLESS_BASE_ARENA_H
#define CLOUDLESS_BASE_ARENA_H
#include "base/budget.h"
#include "base/str.h"
#include <stdarg.h>

struct arena;

struct arena *arena_new(void);
void arena_free(struct arena *arena);                       /* NULL is fine */
void arena_reset(struct arena *arena);                      /* keeps one block for the next use */
size_t arena_bytes(const struct arena *arena);              /* held from malloc */

#define ARENA_UNCOUNTED 16384
/* From now on, for that client, who is not known yet if outside; for the client of another one's request, if that is counted. */
void arena_count(struct arena *arena, uint16_t peer, bool inside);
void arena_count_as(struct arena *arena, const struct arena *other);
void arena_beside(struct arena *arena,
                  struct budget_account *account); /* of the same request: known with it; until it is counted again */
void arena_known(struct arena *arena);                                      /* the client is authenticated */
/* budget_state: ask before making much more; an answer other than ERR_OK stays until reset. */
enum err arena_over(struct arena *arena);
enum err arena_over_with(struct arena *arena, size_t more); /* the same before one piece of that size */
/* The same for who makes many small pieces of what a client sent: counts them in *made, and asks now and then. */
enum err arena_over_next(struct arena *arena, size_t *made);

/* Counts bytes that are held for it elsewhere, for as long as that is; ERR_BUSY, ERR_TOO_LARGE: nothing is counted. */
enum err arena_take(struct arena *arena, size_t bytes);
void arena_give_back(struct arena *arena, size_t bytes);
bool arena_room(const struct arena *arena);                                 /* budget_room: ask before something new */

void *arena_alloc(struct arena *arena, size_t size);        /* 16-byte aligned, not zeroed */
void *arena_zalloc(struct arena *arena, size_t size);
void *arena_zalloc_array(struct arena *arena, size_t size, size_t count);   /* panics if the product overflows */
/* `old` (old_size bytes, or NULL and 0) made larger: in place if it is the newest piece, a copy otherwise. */
void *arena_grow(struct arena *arena, void *old, size_t old_size, size_t size);
struct str arena_dup(struct arena *arena, struct str s);    /* a copy, NUL-terminated after its n bytes */
char *arena_cstr(struct arena *arena, struct str s);        /* the same, as a C string */
/* The first string, in str_cmp's order, behind all that begin with `prefix`; STR_NONE if there is none. */
struct str arena_behind(struct arena *arena, struct str prefix);
struct str arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct str arena_vprintf(struct arena *arena, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
struct arena *arena_under(struct arena *parent);            /* a new one that is freed with its parent; not by the caller */
void arena_on_free(struct arena *arena, void (*clean)(void *arg), void *arg);

#define arena_new_of(arena, type) ((type *)arena_zalloc((arena), sizeof(type)))
#define arena_array(arena, type, count) ((type *)arena_zalloc_array((arena), sizeof(type), (count)))
#endif

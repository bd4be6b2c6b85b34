/* str.h -- a borrowed run of bytes: pointer and length, never NUL-terminated by contract.
 * Whoever made the bytes (an arena, a literal, the input buffer of a connection) owns them. */
#ifndef CLOUDLESS_BASE_STR_H
#define CLOUDLESS_BASE_STR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
    const char *p;      /* may be NULL only if n is 0 */
    size_t n;           /* bytes */
};

#define STR(literal) ((struct str){(literal), sizeof(literal) - 1})   /* of a string literal */
#define STR_NONE ((struct str){NULL, 0})
#define STR_FMT "%.*s"                                /* printf: STR_FMT with STR_ARG(s) */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
/* The structure whose `member` the pointer points to. */
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

static inline struct str str_of(const char *c_string)
{
    return (struct str){c_string, c_string ? strlen(c_string) : 0};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* memcmp order, a shorter prefix first: the order of keys in the store. */
static inline int str_cmp(struct str a, struct str b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

/* The bytes from `from` (clamped) up to `to` (clamped, exclusive). */
static inline struct str str_slice(struct str s, size_t from, size_t to)
{
    to = to > s.n ? s.n : to;
    from = from > to ? to : from;
    return (struct str){s.p ? s.p + from : NULL, to - from};
}

/* Index of the first `c`, or s.n. */
static inline size_t str_find(struct str s, char c)
{
    const char *at = s.n ? (const char *)memchr(s.p, c, s.n) : NULL;
    return at ? (size_t)(at - s.p) : s.n;
}

static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool char_is_letter(char c)               /* ASCII */
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool char_is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Copies s to *at, which moves behind it: several strings packed into one allocation. The caller has seen to the room. */
static inline struct str str_pack(char **at, struct str s)
{
    struct str copy = {*at, s.n};
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return copy;
}

bool str_contains(struct str s, struct str part);               /* every string contains the empty one */
/* Letters and digits of ASCII and the characters of `others`, nothing else; true of an empty string. */
bool str_alnum_or(struct str s, const char *others);
int str_order(const void *a, const void *b);                    /* str_cmp over struct str, for qsort and bsearch */
bool str_eq_nocase(struct str a, struct str b);                 /* ASCII only */
/* Cuts the piece before the first `c` off *rest and returns it; *rest becomes what follows, or STR_NONE. */
struct str str_cut(struct str *rest, char c);
struct str str_trim(struct str s);                              /* ASCII space, \t, \r, \n */
/* Decimal digits only, no sign, no overflow; *ret untouched on failure. */
bool str_to_u64(struct str s, uint64_t *ret);
bool str_to_i64(struct str s, int64_t *ret);                    /* an optional leading '-' */
#endif

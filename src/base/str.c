/* str.c -- the parts of str.h that are too long to be inline: comparison without case, cutting, trimming, numbers.
 * Nothing here allocates or keeps state. */
#include "base/str.h"

/* Eight bytes in lower case: adding to the lower seven bits of a byte sets its highest if it is at least 'A', or above 'Z'. */
static inline uint64_t word_lower(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x80 * ones;
    uint64_t low = bytes & ~highs, from_a = low + ones * (0x80 - 'A'), above_z = low + ones * (0x7f - 'Z');
    return bytes | ((from_a & ~above_z & ~bytes & highs) >> 2);
}

static inline uint64_t str_word(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* Up to seven bytes as one word; two loads may overlap. */
static inline uint64_t short_word(struct str s)
{
    if (s.n >= 4) {
        uint32_t first, last;
        memcpy(&first, s.p, sizeof first);
        memcpy(&last, s.p + s.n - 4, sizeof last);
        return first | (uint64_t)last << 32;
    }
    uint64_t word = 0;
    for (size_t i = 0; i < s.n; i++)
        word = word << 8 | (uint8_t)s.p[i];
    return word;
}

/* Header names are compared some dozen times a request, so whole words are; the last one may overlap that before it. */
bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    if (a.n < 8)
        return word_lower(short_word(a)) == word_lower(short_word(b));
    for (size_t i = 0; i + 8 < a.n; i += 8)
        if (word_lower(str_word(a.p + i)) != word_lower(str_word(b.p + i)))
            return false;
    return word_lower(str_word(a.p + a.n - 8)) == word_lower(str_word(b.p + b.n - 8));
}

struct str str_cut(struct str *rest, char c)
{
    size_t at = str_find(*rest, c);
    struct str piece = {rest->p, at};
    *rest = at < rest->n ? (struct str){rest->p + at + 1, rest->n - at - 1} : STR_NONE;
    return piece;
}

bool str_contains(struct str s, struct str part)
{
    return part.n == 0 || (s.n >= part.n && memmem(s.p, s.n, part.p, part.n));
}

bool str_alnum_or(struct str s, const char *others)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (!char_is_letter(c) && !char_is_digit(c) && (c == '\0' || !strchr(others, c)))
            return false;
    }
    return true;
}

int str_order(const void *a, const void *b)
{
    const struct str *x = a, *y = b;
    return str_cmp(*x, *y);
}

struct str str_trim(struct str s)
{
    while (s.n && char_is_space(s.p[0]))
        s.p++, s.n--;
    while (s.n && char_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_to_u64(struct str s, uint64_t *ret)
{
    if (s.n == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        unsigned digit = (unsigned)(s.p[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret = value;
    return true;
}

bool str_to_i64(struct str s, int64_t *ret)
{
    bool negative = s.n && s.p[0] == '-';
    uint64_t value;
    if (!str_to_u64(str_slice(s, negative, s.n), &value))
        return false;
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *ret = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

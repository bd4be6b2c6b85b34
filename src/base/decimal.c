/* decimal.c -- the exact numbers of decimal.h.
 *
 * Sums are made digit by digit in a window of WINDOW digits below the larger operand's first digit. If the other operand
 * reaches below that window, the exact result cannot have 38 digits or fewer (its first non-zero digit is not more than
 * one place below the larger operand's), and the answer is PRECISION; so the window never rounds.
 *
 * Order-preserving encoding (it is written to disk and may never change):
 *
 *   byte 0    byte 1           bytes 2 …                           last byte
 *   sign      exponent + 129   two digits a byte: 1 + 10·d1 + d2   0x00
 *   0x40 negative, 0x80 zero (which has no further bytes), 0xC0 positive
 *
 * The exponent of 0.d1d2… × 10^e runs from -129 to 126, which fills byte 1. A pair is 1 … 100, an odd last digit is paired
 * with 0; the 0x00 at the end sorts before every pair and makes the code prefix-free. For a negative number all bytes
 * after the first are complemented. Longest: 1 + 1 + 19 + 1 = 22 bytes. */
#include "base/decimal.h"

#define EXPONENT_MAX 126        /* 0.99… × 10^126 = 9.99… E+125 */
#define EXPONENT_MIN (-129)     /* 0.1 × 10^-129 = 1E-130 */
#define WINDOW 80               /* 2 · 38 digits and the carries */
#define DECIMAL_TEXT_MAX 176    /* "-0." with 129 zeros and 38 digits is the longest */

#define SIGN_NEGATIVE 0x40
#define SIGN_ZERO 0x80
#define SIGN_POSITIVE 0xC0

/* ---- reading ---- */

/* A significand as it is scanned: digits beyond the 38th are only remembered if they are not zero. */
struct digit_scan {
    struct decimal d;
    int64_t exponent;       /* of the digits so far, as in struct decimal */
    bool significant;       /* a non-zero digit was seen */
    bool too_precise;
    size_t zeros;           /* zeros held back: they count only if a digit follows */
};

static void scan_digit(struct digit_scan *s, char c, bool fraction)
{
    if (!s->significant && c == '0') {
        s->exponent -= fraction;
        return;
    }
    s->significant = true;
    s->exponent += !fraction;
    if (c == '0') {
        s->zeros++;
        return;
    }
    if (s->zeros + 1 > (size_t)DECIMAL_DIGITS_MAX - s->d.count) {
        s->too_precise = true;
        return;
    }
    while (s->zeros) {
        s->d.digits[s->d.count++] = 0;
        s->zeros--;
    }
    s->d.digits[s->d.count++] = (uint8_t)(c - '0');
}

/* The exponent after 'e', as far as it matters: magnitudes above 10^9 stay there. Moves *at; false without digits. */
static bool scan_exponent(struct str text, size_t *at, int64_t *ret)
{
    bool negative = *at < text.n && text.p[*at] == '-';
    if (negative || (*at < text.n && text.p[*at] == '+'))
        ++*at;
    size_t first = *at;
    int64_t value = 0;
    for (; *at < text.n && char_is_digit(text.p[*at]); ++*at)
        if (value < 1000000000)
            value = value * 10 + (text.p[*at] - '0');
    *ret = negative ? -value : value;
    return *at > first;
}

static enum decimal_status decimal_range(const struct decimal *d, int64_t exponent)
{
    if (d->count == 0)
        return DECIMAL_OK;
    if (exponent > EXPONENT_MAX)
        return DECIMAL_OVERFLOW;
    return exponent < EXPONENT_MIN ? DECIMAL_UNDERFLOW : DECIMAL_OK;
}

enum decimal_status decimal_parse(struct str text, struct decimal *ret)
{
    struct digit_scan s = {0};
    size_t at = 0, digits = 0;
    bool negative = text.n && text.p[0] == '-';
    if (negative || (text.n && text.p[0] == '+'))
        at++;
    for (; at < text.n && char_is_digit(text.p[at]); at++, digits++)
        scan_digit(&s, text.p[at], false);
    if (at < text.n && text.p[at] == '.')
        for (at++; at < text.n && char_is_digit(text.p[at]); at++, digits++)
            scan_digit(&s, text.p[at], true);
    int64_t exponent = 0;
    if (digits == 0)
        return DECIMAL_SYNTAX;
    if (at < text.n && (text.p[at] == 'e' || text.p[at] == 'E')) {
        at++;
        if (!scan_exponent(text, &at, &exponent))
            return DECIMAL_SYNTAX;
    }
    if (at != text.n)
        return DECIMAL_SYNTAX;
    exponent += s.exponent;
    enum decimal_status status = decimal_range(&s.d, exponent);
    if (status != DECIMAL_OK)
        return status;
    if (s.too_precise)
        return DECIMAL_PRECISION;
    s.d.negative = negative && s.d.count;
    s.d.exponent = s.d.count ? (int16_t)exponent : 0;
    *ret = s.d;
    return DECIMAL_OK;
}

/* ---- writing ---- */

static char *put_zeros(char *to, int count)
{
    memset(to, '0', (size_t)count);
    return to + count;
}

static char *put_digits(char *to, const struct decimal *d, int from, int end)
{
    for (int i = from; i < end; i++)
        *to++ = (char)('0' + d->digits[i]);
    return to;
}

void decimal_write(struct buf *buf, const struct decimal *d)
{
    char text[DECIMAL_TEXT_MAX], *to = text;
    int whole = d->exponent < 0 ? 0 : d->exponent;      /* digits before the point */
    int written = whole < d->count ? whole : d->count;
    if (d->negative)
        *to++ = '-';
    if (whole == 0)
        *to++ = '0';
    to = put_digits(to, d, 0, written);
    to = put_zeros(to, whole - written);
    if (written < d->count) {
        *to++ = '.';
        to = put_zeros(to, d->exponent < 0 ? -d->exponent : 0);
        to = put_digits(to, d, written, d->count);
    }
    buf_add(buf, (struct str){text, (size_t)(to - text)});
}

/* ---- comparison and sums ---- */

/* Of two numbers that are not zero, without their signs. */
static int cmp_magnitude(const struct decimal *a, const struct decimal *b)
{
    if (a->exponent != b->exponent)
        return a->exponent < b->exponent ? -1 : 1;
    int shorter = a->count < b->count ? a->count : b->count;
    int c = memcmp(a->digits, b->digits, (size_t)shorter);
    return c ? (c < 0 ? -1 : 1) : (a->count > b->count) - (a->count < b->count);
}

static int sign_of(const struct decimal *d)
{
    return d->count == 0 ? 0 : d->negative ? -1 : 1;
}

int decimal_cmp(const struct decimal *a, const struct decimal *b)
{
    int sa = sign_of(a), sb = sign_of(b);
    if (sa != sb)
        return sa < sb ? -1 : 1;
    return sa == 0 ? 0 : sa * cmp_magnitude(a, b);
}

/* Digits, most significant first, without leading and trailing zeros into *ret. */
static enum decimal_status normalise(const uint8_t *digits, int count, int exponent, bool negative, struct decimal *ret)
{
    while (count && digits[0] == 0)
        digits++, count--, exponent--;
    while (count && digits[count - 1] == 0)
        count--;
    struct decimal d = {.negative = negative && count, .count = 0, .exponent = 0};
    if (count == 0) {
        *ret = d;
        return DECIMAL_OK;
    }
    if (exponent > EXPONENT_MAX)
        return DECIMAL_OVERFLOW;
    if (exponent < EXPONENT_MIN)
        return DECIMAL_UNDERFLOW;
    if (count > DECIMAL_DIGITS_MAX)
        return DECIMAL_PRECISION;
    memcpy(d.digits, digits, (size_t)count);
    d.count = (uint8_t)count;
    d.exponent = (int16_t)exponent;
    *ret = d;
    return DECIMAL_OK;
}

/* |large| ± |small|, where |large| >= |small| and neither is zero. window[0] takes the carry. */
static enum decimal_status combine(const struct decimal *large, const struct decimal *small, bool subtract, bool negative,
                                   struct decimal *ret)
{
    int shift = large->exponent - small->exponent;
    if (shift + small->count > WINDOW - 1)
        return DECIMAL_PRECISION;
    int8_t window[WINDOW] = {0};
    uint8_t digits[WINDOW];
    for (int i = 0; i < large->count; i++)
        window[1 + i] = (int8_t)large->digits[i];
    for (int i = 0; i < small->count; i++)
        window[1 + shift + i] = (int8_t)(window[1 + shift + i] + (subtract ? -small->digits[i] : small->digits[i]));
    for (int i = WINDOW - 1; i > 0; i--) {
        int carry = window[i] < 0 ? -1 : window[i] > 9 ? 1 : 0;
        window[i] = (int8_t)(window[i] - 10 * carry);
        window[i - 1] = (int8_t)(window[i - 1] + carry);
    }
    for (int i = 0; i < WINDOW; i++)
        digits[i] = (uint8_t)window[i];
    return normalise(digits, WINDOW, large->exponent + 1, negative, ret);
}

static enum decimal_status sum(const struct decimal *a, const struct decimal *b, bool negate_b, struct decimal *ret)
{
    bool b_negative = b->negative != (negate_b && b->count);
    if (b->count == 0 || a->count == 0) {
        struct decimal d = b->count == 0 ? *a : *b;
        if (a->count == 0)
            d.negative = b_negative && b->count;
        *ret = d;
        return DECIMAL_OK;
    }
    bool a_larger = cmp_magnitude(a, b) >= 0;
    const struct decimal *large = a_larger ? a : b, *small = a_larger ? b : a;
    return combine(large, small, a->negative != b_negative, a_larger ? a->negative : b_negative, ret);
}

enum decimal_status decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *ret)
{
    return sum(a, b, false, ret);
}

enum decimal_status decimal_sub(const struct decimal *a, const struct decimal *b, struct decimal *ret)
{
    return sum(a, b, true, ret);
}

/* ---- encoding ---- */

size_t decimal_encode(const struct decimal *d, uint8_t ret[DECIMAL_ENCODED_MAX])
{
    if (d->count == 0) {
        ret[0] = SIGN_ZERO;
        return 1;
    }
    ret[0] = d->negative ? SIGN_NEGATIVE : SIGN_POSITIVE;
    size_t n = 1;
    ret[n++] = (uint8_t)(d->exponent - EXPONENT_MIN);
    for (int i = 0; i < d->count; i += 2)
        ret[n++] = (uint8_t)(1 + 10 * d->digits[i] + (i + 1 < d->count ? d->digits[i + 1] : 0));
    ret[n++] = 0;
    if (d->negative)
        for (size_t i = 1; i < n; i++)
            ret[i] = (uint8_t)~ret[i];
    return n;
}

size_t decimal_decode(struct str bytes, struct decimal *ret)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    struct decimal d = {.count = 0};
    if (bytes.n == 0)
        return 0;
    if (p[0] == SIGN_ZERO) {
        *ret = d;
        return 1;
    }
    if ((p[0] != SIGN_NEGATIVE && p[0] != SIGN_POSITIVE) || bytes.n < 2)
        return 0;
    uint8_t flip = p[0] == SIGN_NEGATIVE ? 0xFF : 0;
    d.negative = flip != 0;
    d.exponent = (int16_t)((p[1] ^ flip) + EXPONENT_MIN);
    size_t at = 2;
    for (;; at++) {
        if (at == bytes.n)
            return 0;
        unsigned pair = p[at] ^ flip;
        if (pair == 0)
            break;
        if (pair > 100 || d.count == DECIMAL_DIGITS_MAX)
            return 0;
        d.digits[d.count++] = (uint8_t)((pair - 1) / 10);
        d.digits[d.count++] = (uint8_t)((pair - 1) % 10);
    }
    if (d.count && d.digits[d.count - 1] == 0)
        d.count--;
    if (d.count == 0 || d.digits[0] == 0 || d.digits[d.count - 1] == 0)
        return 0;
    *ret = d;
    return at + 1;
}

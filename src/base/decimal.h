/* decimal.h -- DynamoDB's number: up to 38 significant digits, magnitude 1E-130 … 9.9999999999999999999999999999999999999E+125, or
 * 0. Source: "Naming rules and data types" of the DynamoDB developer guide. Exact decimal arithmetic, no floats. */
#ifndef CLOUDLESS_BASE_DECIMAL_H
#define CLOUDLESS_BASE_DECIMAL_H
#include "base/buf.h"
#include "base/err.h"

#define DECIMAL_DIGITS_MAX 38
#define DECIMAL_ENCODED_MAX 24      /* bytes of the order-preserving encoding */

struct decimal {
    uint8_t digits[DECIMAL_DIGITS_MAX];  /* most significant first, no leading or trailing zero digit */
    uint8_t count;                       /* 0 means zero */
    bool negative;                       /* false for zero */
    int16_t exponent;                    /* value = 0.d1d2d3… × 10^exponent */
};

enum decimal_status { DECIMAL_OK, DECIMAL_SYNTAX, DECIMAL_OVERFLOW, DECIMAL_UNDERFLOW, DECIMAL_PRECISION };

enum decimal_status decimal_parse(struct str text, struct decimal *ret);   /* untouched unless OK */
/* The form in which DynamoDB answers: plain digits without exponent ("1E2" → "100", "1.50" → "1.5"). */
void decimal_write(struct buf *buf, const struct decimal *d);
int decimal_cmp(const struct decimal *a, const struct decimal *b);
/* OK, or OVERFLOW / UNDERFLOW / PRECISION when the exact result does not fit. ret may be a or b. */
enum decimal_status decimal_add(const struct decimal *a, const struct decimal *b, struct decimal *ret);
enum decimal_status decimal_sub(const struct decimal *a, const struct decimal *b, struct decimal *ret);
/* Bytes whose memcmp order is the numeric order; prefix-free. encode returns the length, decode the bytes read or 0. */
size_t decimal_encode(const struct decimal *d, uint8_t ret[DECIMAL_ENCODED_MAX]);
size_t decimal_decode(struct str bytes, struct decimal *ret);
#endif

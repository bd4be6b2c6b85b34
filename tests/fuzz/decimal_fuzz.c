/* decimal_fuzz.c -- base/decimal.h on any text. Properties: what is written reads back as the same number; the encoding decodes
 * to it and orders as decimal_cmp does; a sum taken back gives the number; the bytes themselves, taken as an encoding,
 * are refused or are the one encoding of a number. Input: two numbers, split at the first ';'. */
#include "base/decimal.h"
#include "base/panic.h"

static void check_encoding(const struct decimal *a, const struct decimal *b)
{
    uint8_t p[DECIMAL_ENCODED_MAX], q[DECIMAL_ENCODED_MAX];
    size_t n = decimal_encode(a, p), m = decimal_encode(b, q);
    int bytes = memcmp(p, q, n < m ? n : m), numbers = decimal_cmp(a, b);
    ENSURE((bytes > 0) == (numbers > 0) && (bytes < 0) == (numbers < 0));
    struct decimal back;
    ENSURE(decimal_decode((struct str){(const char *)p, n}, &back) == n && decimal_cmp(&back, a) == 0);
}

static void check_text(const struct decimal *a)
{
    struct buf buf;
    struct decimal back;
    buf_init(&buf, NULL, 300);
    decimal_write(&buf, a);
    ENSURE(!buf.failed && decimal_parse(buf_str(&buf), &back) == DECIMAL_OK && decimal_cmp(&back, a) == 0);
    buf_clear(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size};
    struct decimal a, b, sum, back;
    uint8_t encoded[DECIMAL_ENCODED_MAX];
    size_t read = decimal_decode(rest, &a);
    ENSURE(read <= size);
    if (read) ENSURE(decimal_encode(&a, encoded) == read && memcmp(encoded, data, read) == 0);
    struct str first = str_cut(&rest, ';');
    if (decimal_parse(first, &a) != DECIMAL_OK) return 0;
    check_text(&a);
    if (decimal_parse(rest, &b) != DECIMAL_OK) return 0;
    check_encoding(&a, &b);
    if (decimal_add(&a, &b, &sum) != DECIMAL_OK) return 0;
    check_text(&sum);
    ENSURE(decimal_sub(&sum, &b, &back) == DECIMAL_OK && decimal_cmp(&back, &a) == 0);
    ENSURE(decimal_cmp(&sum, &a) == (b.count == 0 ? 0 : b.negative ? -1 : 1));
    return 0;
}

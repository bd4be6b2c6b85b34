/* decimal_test.c -- base/decimal.h against schoolbook arithmetic: the oracle holds every number as 300 decimal places on
 * both sides of a fixed point, so it shares neither the window nor the normal form with the code under test. */
#include "base/decimal.h"
#include "unit.h"

/* place[PLACES - 1 - i] is the digit of 10^(i - POINT). */
enum { POINT = 180, PLACES = 320 };
struct wide {
    int sign;                   /* -1, 0, 1 */
    int8_t place[PLACES];
};

static struct wide widen(const struct decimal *d)
{
    struct wide w = {.sign = d->count == 0 ? 0 : d->negative ? -1 : 1};
    for (int i = 0; i < d->count; i++) w.place[PLACES - 1 - (d->exponent - 1 - i + POINT)] = (int8_t)d->digits[i];
    return w;
}

static struct wide wide_sum(const struct wide *a, const struct wide *b)
{
    if (a->sign == 0) return *b;
    if (b->sign == 0) return *a;
    int larger = 0;
    for (int i = PLACES - 1; i >= 0; i--)
        if (a->place[i] != b->place[i]) larger = a->place[i] > b->place[i] ? 1 : -1;
    if (larger == 0 && a->sign != b->sign) return (struct wide){.sign = 0};
    const struct wide *from = larger >= 0 ? a : b, *with = larger >= 0 ? b : a;
    struct wide w = *from;
    for (int i = PLACES - 1, carry = 0; i >= 0; i--) {
        int digit = from->place[i] + carry + (a->sign == b->sign ? with->place[i] : -with->place[i]);
        carry = digit > 9 ? 1 : digit < 0 ? -1 : 0;
        w.place[i] = (int8_t)(digit - 10 * carry);
    }
    return w;
}

/* What DynamoDB's rules say about w; the number itself in *ret if they allow it. */
static enum decimal_status narrow(const struct wide *w, struct decimal *ret)
{
    int first = 0, last = PLACES - 1;
    *ret = (struct decimal){.count = 0};
    while (first < PLACES && w->place[first] == 0) first++;
    if (first == PLACES) return DECIMAL_OK;
    while (w->place[last] == 0) last--;
    int exponent = PLACES - 1 - first - POINT + 1;
    if (exponent > 126) return DECIMAL_OVERFLOW;
    if (exponent < -129) return DECIMAL_UNDERFLOW;
    if (last - first >= DECIMAL_DIGITS_MAX) return DECIMAL_PRECISION;
    for (int i = first; i <= last; i++) ret->digits[ret->count++] = (uint8_t)w->place[i];
    ret->negative = w->sign < 0;
    ret->exponent = (int16_t)exponent;
    return DECIMAL_OK;
}

static bool same(const struct decimal *a, const struct decimal *b)
{
    return a->count == b->count && a->negative == b->negative && a->exponent == b->exponent &&
           memcmp(a->digits, b->digits, a->count) == 0;
}

static struct decimal random_decimal(uint64_t *random)
{
    struct decimal d = {.count = 0};
    if (random_below(random, 40) == 0) return d;
    d.count = (uint8_t)(1 + random_below(random, random_below(random, 2) ? 4 : DECIMAL_DIGITS_MAX));
    bool nines = random_below(random, 4) == 0;
    for (int i = 0; i < d.count; i++) d.digits[i] = nines ? 9 : (uint8_t)random_below(random, 10);
    if (d.digits[0] == 0) d.digits[0] = 1;
    if (d.digits[d.count - 1] == 0) d.digits[d.count - 1] = 5;
    d.negative = random_below(random, 2);
    switch (random_below(random, 4)) {
    case 0: d.exponent = (int16_t)((int)random_below(random, 256) - 129); break;
    case 1: d.exponent = random_below(random, 2) ? 126 : -129; break;
    default: d.exponent = (int16_t)((int)random_below(random, 8) - 4);
    }
    return d;
}

static void sums_agree_with_oracle(void **state)
{
    (void)state;
    uint64_t random = 6;
    unsigned seen[DECIMAL_PRECISION + 1] = {0};
    for (int i = 0; i < 40000; i++) {
        struct decimal a = random_decimal(&random), b = random_decimal(&random), expected, got = a;
        bool subtract = random_below(&random, 2);
        struct wide x = widen(&a), y = widen(&b);
        if (subtract) y.sign = -y.sign;
        struct wide z = wide_sum(&x, &y);
        enum decimal_status status = narrow(&z, &expected);
        struct decimal *ret = random_below(&random, 2) ? &a : &got;    /* the result may overwrite an operand */
        if (ret == &a) got = a;
        assert_int_equal(subtract ? decimal_sub(&a, &b, ret) : decimal_add(&a, &b, ret), status);
        seen[status]++;
        assert_true(same(ret, status == DECIMAL_OK ? &expected : &got));
    }
    assert_true(seen[DECIMAL_OK] && seen[DECIMAL_OVERFLOW] && seen[DECIMAL_UNDERFLOW] && seen[DECIMAL_PRECISION]);
}

static int sign(int c)
{
    return (c > 0) - (c < 0);
}

static void encoding_keeps_order(void **state)
{
    (void)state;
    uint64_t random = 7;
    for (int i = 0; i < 40000; i++) {
        struct decimal a = random_decimal(&random), b = random_decimal(&random), back;
        if (random_below(&random, 3) == 0) {        /* close neighbours */
            b = a;
            if (b.count) b.digits[b.count - 1] = (uint8_t)(1 + random_below(&random, 9));
            if (b.count && b.count < DECIMAL_DIGITS_MAX && random_below(&random, 2)) b.digits[b.count++] = 1;
        }
        struct wide x = widen(&a), y = widen(&b);
        y.sign = -y.sign;
        struct wide difference = wide_sum(&x, &y);
        int expected = difference.sign;
        assert_int_equal(sign(decimal_cmp(&a, &b)), expected);
        uint8_t p[DECIMAL_ENCODED_MAX], q[DECIMAL_ENCODED_MAX];
        size_t n = decimal_encode(&a, p), m = decimal_encode(&b, q);
        assert_true(n <= DECIMAL_ENCODED_MAX && m <= DECIMAL_ENCODED_MAX);
        assert_int_equal(sign(memcmp(p, q, n < m ? n : m)), expected);      /* prefix-free: never a tie of unequals */
        assert_int_equal(decimal_decode((struct str){(char *)p, n}, &back), n);
        assert_true(same(&back, &a));
        for (size_t k = 0; k < n; k++) assert_int_equal(decimal_decode((struct str){(char *)p, k}, &back), 0);
    }
}

static void decode_refuses_damage(void **state)
{
    (void)state;
    uint64_t random = 8;
    for (int i = 0; i < 100000; i++) {
        uint8_t bytes[30], again[DECIMAL_ENCODED_MAX];
        size_t n = random_below(&random, sizeof bytes);
        for (size_t k = 0; k < n; k++) bytes[k] = (uint8_t)random_below(&random, random_below(&random, 2) ? 256 : 12);
        if (n) bytes[0] = (uint8_t[]){0x40, 0x80, 0xC0, 0x41}[random_below(&random, 4)];
        struct decimal d;
        size_t read = decimal_decode((struct str){(char *)bytes, n}, &d);
        if (read == 0) continue;
        assert_int_equal(decimal_encode(&d, again), read);      /* what is accepted is the one encoding of a number */
        assert_memory_equal(bytes, again, read);
    }
}

#define NINES_38 "99999999999999999999999999999999999999"
#define ZEROS_88 "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"

static void reads_and_writes(void **state)
{
    (void)state;
    static const struct { const char *text; enum decimal_status status; const char *written; } cases[] = {
        {"0", DECIMAL_OK, "0"}, {"-0", DECIMAL_OK, "0"}, {"-0.000e5", DECIMAL_OK, "0"}, {"0e999999999999999999", DECIMAL_OK, "0"},
        {"1E2", DECIMAL_OK, "100"}, {"1.50", DECIMAL_OK, "1.5"}, {"007", DECIMAL_OK, "7"}, {"-12.340e-1", DECIMAL_OK, "-1.234"},
        {".5", DECIMAL_OK, "0.5"}, {"5.", DECIMAL_OK, "5"}, {"+3", DECIMAL_OK, "3"}, {"1e-3", DECIMAL_OK, "0.001"},
        {"10203040", DECIMAL_OK, "10203040"}, {"100.001", DECIMAL_OK, "100.001"}, {"0.1e1", DECIMAL_OK, "1"},
        {NINES_38, DECIMAL_OK, NINES_38}, {NINES_38 "000", DECIMAL_OK, NINES_38 "000"}, {NINES_38 "9", DECIMAL_PRECISION, ""},
        {"1" NINES_38, DECIMAL_PRECISION, ""}, {"0.000" NINES_38 "0", DECIMAL_OK, "0.000" NINES_38},
        {"9.9999999999999999999999999999999999999E+125", DECIMAL_OK, NINES_38 ZEROS_88}, {"1E126", DECIMAL_OVERFLOW, ""},
        {"-1e126", DECIMAL_OVERFLOW, ""}, {"1E-131", DECIMAL_UNDERFLOW, ""}, {"1E99999999999999999999", DECIMAL_OVERFLOW, ""},
        {"1E-99999999999999999999", DECIMAL_UNDERFLOW, ""}, {"", DECIMAL_SYNTAX, ""}, {"-", DECIMAL_SYNTAX, ""},
        {".", DECIMAL_SYNTAX, ""}, {"1e", DECIMAL_SYNTAX, ""}, {"1e+", DECIMAL_SYNTAX, ""}, {"e1", DECIMAL_SYNTAX, ""},
        {"1.2.3", DECIMAL_SYNTAX, ""}, {" 1", DECIMAL_SYNTAX, ""}, {"1 ", DECIMAL_SYNTAX, ""}, {"--1", DECIMAL_SYNTAX, ""},
        {"0x10", DECIMAL_SYNTAX, ""}, {"NaN", DECIMAL_SYNTAX, ""}, {"Infinity", DECIMAL_SYNTAX, ""}, {"1,5", DECIMAL_SYNTAX, ""},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct decimal d = {.count = 77};
        if (decimal_parse(str_of(cases[i].text), &d) != cases[i].status) fail_msg("%s", cases[i].text);
        struct buf buf;
        buf_init(&buf, NULL, 300);
        if (cases[i].status == DECIMAL_OK) decimal_write(&buf, &d);
        else assert_int_equal(d.count, 77);
        assert_str(buf_str(&buf), cases[i].written);
        buf_clear(&buf);
    }
    struct decimal smallest;
    assert_int_equal(decimal_parse(STR("-1E-130"), &smallest), DECIMAL_OK);
    assert_int_equal(smallest.exponent, -129);
}

static void written_form_reads_back(void **state)
{
    (void)state;
    uint64_t random = 9;
    struct buf buf;
    buf_init(&buf, NULL, 300);
    for (int i = 0; i < 20000; i++) {
        struct decimal d = random_decimal(&random), back;
        buf_reset(&buf);
        decimal_write(&buf, &d);
        assert_false(buf.failed);
        assert_int_equal(decimal_parse(buf_str(&buf), &back), DECIMAL_OK);
        assert_true(same(&d, &back));
    }
    buf_clear(&buf);
}

/* The encoding is on disk: these bytes may never change. */
static void encoding_is_frozen(void **state)
{
    (void)state;
    static const struct { const char *text; struct str bytes; } cases[] = {
        {"0", {"\x80", 1}}, {"1", {"\xC0\x82\x0B\x00", 4}}, {"-1", {"\x40\x7D\xF4\xFF", 4}},
        {"123.4", {"\xC0\x84\x0D\x23\x00", 5}}, {"-0.05", {"\x40\x7F\xCC\xFF", 4}},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct decimal d;
        uint8_t bytes[DECIMAL_ENCODED_MAX];
        assert_int_equal(decimal_parse(str_of(cases[i].text), &d), DECIMAL_OK);
        assert_int_equal(decimal_encode(&d, bytes), cases[i].bytes.n);
        assert_memory_equal(bytes, cases[i].bytes.p, cases[i].bytes.n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_agree_with_oracle), cmocka_unit_test(encoding_keeps_order),
        cmocka_unit_test(decode_refuses_damage),  cmocka_unit_test(reads_and_writes),
        cmocka_unit_test(written_form_reads_back), cmocka_unit_test(encoding_is_frozen),
    };
    return RUN(tests);
}

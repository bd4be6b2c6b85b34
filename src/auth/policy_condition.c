/* policy_condition.c -- condition operators. Source: "IAM JSON policy elements: Condition operators" and "Multivalued
 * context keys" of the IAM user guide.
 *
 * An operator is a row: how one request value compares with one policy value, and whether the outcome is negated.
 * A condition holds when any policy value fits (negated: when none fits). A key that the request lacks fails, except
 * for negated operators, …IfExists and ForAllValues. ForAllValues asks it of every value, ForAnyValue of at least one;
 * a key with several values and neither prefix is treated as ForAnyValue (negated: as ForAllValues). */
#include "auth/policy_internal.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/decimal.h"
#include <arpa/inet.h>
#include <stdlib.h>

typedef bool compare_fn(struct codes codes, struct str text, struct str value, struct arena *arena);
enum order { LESS = 1, EQUAL = 2, GREATER = 4 };

struct condition_operator {
    const char *name;
    compare_fn *compare;        /* NULL: Null */
    bool negated;
    int pattern_flags;
    enum operand { ANY_TEXT, NUMBER, DATE, BOOLEAN, BINARY, ADDRESS } operand;
};

/* ---- texts: `text` is the codes as bytes, empty for the operators that compare codes ---- */
static bool string_equals(struct codes codes, struct str text, struct str value, struct arena *arena)
{
    (void)codes, (void)arena;
    return str_eq(text, value);
}
static bool string_equals_nocase(struct codes codes, struct str text, struct str value, struct arena *arena)
{
    (void)codes, (void)arena;
    return str_eq_nocase(text, value);
}
static bool string_like(struct codes codes, struct str text, struct str value, struct arena *arena)
{
    (void)text, (void)arena;
    return pattern__glob(codes, value, false);
}
static bool arn_like(struct codes codes, struct str text, struct str value, struct arena *arena)
{
    (void)text, (void)arena;
    return str_starts(value, STR("arn:")) && pattern__arn(codes, value);
}

/* ---- numbers and dates ---- */
static int order_of(int comparison)
{
    return comparison < 0 ? LESS : comparison > 0 ? GREATER : EQUAL;
}

static bool number_order(struct str text, struct str value, int wanted)
{
    struct decimal policy, actual;

    return decimal_parse(text, &policy) == DECIMAL_OK && decimal_parse(value, &actual) == DECIMAL_OK &&
           (order_of(decimal_cmp(&actual, &policy)) & wanted);
}

/* ISO 8601, or seconds since the epoch. */
static bool condition_date(struct str text, int64_t *ret_ms)
{
    int64_t seconds;

    if (str_to_i64(text, &seconds)) {
        if (seconds > INT64_MAX / 1000 || seconds < INT64_MIN / 1000)
            return false;
        *ret_ms = seconds * 1000;
        return true;
    }
    return clock_parse(text, ret_ms);
}

static bool date_order(struct str text, struct str value, int wanted)
{
    int64_t policy, actual;

    return condition_date(text, &policy) && condition_date(value, &actual) &&
           (order_of((actual > policy) - (actual < policy)) & wanted);
}

#define ORDERED(name, order, wanted)                                                                       \
    static bool name(struct codes codes, struct str text, struct str value, struct arena *arena)           \
    {                                                                                                      \
        (void)codes, (void)arena;                                                                          \
        return order(text, value, wanted);                                                                 \
    }
ORDERED(number_equals, number_order, EQUAL)
ORDERED(number_less, number_order, LESS)
ORDERED(number_less_equals, number_order, LESS | EQUAL)
ORDERED(number_greater, number_order, GREATER)
ORDERED(number_greater_equals, number_order, GREATER | EQUAL)
ORDERED(date_equals, date_order, EQUAL)
ORDERED(date_less, date_order, LESS)
ORDERED(date_less_equals, date_order, LESS | EQUAL)
ORDERED(date_greater, date_order, GREATER)
ORDERED(date_greater_equals, date_order, GREATER | EQUAL)

/* ---- the rest ---- */
static bool binary_equals(struct codes codes, struct str text, struct str value, struct arena *arena)
{
    struct str policy, actual;

    (void)codes;
    return base64_decode(text, arena, &policy) == ERR_OK && base64_decode(value, arena, &actual) == ERR_OK &&
           str_eq(policy, actual);
}

struct address {
    int family;
    unsigned bits;              /* of the prefix */
    uint8_t bytes[16];
};

static bool read_address(struct str text, struct address *ret)
{
    char name[INET6_ADDRSTRLEN];
    struct str prefix = text, host = str_cut(&prefix, '/');
    uint64_t bits;

    if (host.n >= sizeof name)
        return false;
    memcpy(name, host.p, host.n);
    name[host.n] = '\0';
    ret->family = memchr(name, ':', host.n) ? AF_INET6 : AF_INET;
    if (host.n == 0 || inet_pton(ret->family, name, ret->bytes) != 1)
        return false;
    bits = ret->family == AF_INET ? 32 : 128;
    if (prefix.p) {
        uint64_t given;
        if (!str_to_u64(prefix, &given) || given > bits)
            return false;
        bits = given;
    }
    ret->bits = (unsigned)bits;
    return true;
}

static bool ip_address(struct codes codes, struct str text, struct str value, struct arena *arena)
{
    struct address net, host;

    (void)codes, (void)arena;
    if (!read_address(text, &net) || !read_address(value, &host) || net.family != host.family)
        return false;
    unsigned whole = net.bits / 8, rest = net.bits % 8;
    if (memcmp(net.bytes, host.bytes, whole) != 0)
        return false;
    return rest == 0 || ((net.bytes[whole] ^ host.bytes[whole]) >> (8 - rest)) == 0;
}

enum { LIKE = PATTERN_WILDCARDS | PATTERN_VARIABLES, PLAIN = PATTERN_VARIABLES };

static const struct condition_operator operators[] = {
    {"StringEquals", string_equals, false, PLAIN, ANY_TEXT},
    {"StringNotEquals", string_equals, true, PLAIN, ANY_TEXT},
    {"StringEqualsIgnoreCase", string_equals_nocase, false, PLAIN, ANY_TEXT},
    {"StringNotEqualsIgnoreCase", string_equals_nocase, true, PLAIN, ANY_TEXT},
    {"StringLike", string_like, false, LIKE, ANY_TEXT},
    {"StringNotLike", string_like, true, LIKE, ANY_TEXT},
    {"NumericEquals", number_equals, false, PLAIN, NUMBER},
    {"NumericNotEquals", number_equals, true, PLAIN, NUMBER},
    {"NumericLessThan", number_less, false, PLAIN, NUMBER},
    {"NumericLessThanEquals", number_less_equals, false, PLAIN, NUMBER},
    {"NumericGreaterThan", number_greater, false, PLAIN, NUMBER},
    {"NumericGreaterThanEquals", number_greater_equals, false, PLAIN, NUMBER},
    {"DateEquals", date_equals, false, PLAIN, DATE},
    {"DateNotEquals", date_equals, true, PLAIN, DATE},
    {"DateLessThan", date_less, false, PLAIN, DATE},
    {"DateLessThanEquals", date_less_equals, false, PLAIN, DATE},
    {"DateGreaterThan", date_greater, false, PLAIN, DATE},
    {"DateGreaterThanEquals", date_greater_equals, false, PLAIN, DATE},
    {"Bool", string_equals_nocase, false, PLAIN, BOOLEAN},
    {"BinaryEquals", binary_equals, false, PLAIN, BINARY},
    {"IpAddress", ip_address, false, PLAIN, ADDRESS},
    {"NotIpAddress", ip_address, true, PLAIN, ADDRESS},
    {"ArnEquals", arn_like, false, LIKE, ANY_TEXT},
    {"ArnLike", arn_like, false, LIKE, ANY_TEXT},
    {"ArnNotEquals", arn_like, true, LIKE, ANY_TEXT},
    {"ArnNotLike", arn_like, true, LIKE, ANY_TEXT},
    {"Null", NULL, false, 0, BOOLEAN},
};

bool condition__find(struct str name, const struct condition_operator **ret_op, int *ret_flags)
{
    static const struct {
        struct str text;
        int flag;
    } prefixes[] = {{{"ForAllValues:", 13}, CONDITION_FOR_ALL}, {{"ForAnyValue:", 12}, CONDITION_FOR_ANY}};
    int flags = 0;

    for (size_t i = 0; i < COUNT_OF(prefixes) && !flags; i++)
        if (str_starts(name, prefixes[i].text)) {
            flags |= prefixes[i].flag;
            name = str_slice(name, prefixes[i].text.n, name.n);
        }
    if (str_ends(name, STR("IfExists"))) {
        flags |= CONDITION_IF_EXISTS;
        name = str_slice(name, 0, name.n - 8);
    }
    for (size_t i = 0; i < COUNT_OF(operators); i++)
        if (str_eq(name, str_of(operators[i].name))) {
            if (!operators[i].compare && flags)
                return false;
            *ret_op = &operators[i];
            *ret_flags = flags;
            return true;
        }
    return false;
}

int condition__pattern_flags(const struct condition_operator *op)
{
    return op->pattern_flags;
}

bool condition__is_date(const struct condition_operator *op)
{
    return op->operand == DATE;
}

bool condition__value_ok(const struct condition_operator *op, struct str value)
{
    struct decimal number;
    struct address address;
    int64_t ms;

    switch (op->operand) {
    case NUMBER:
        return decimal_parse(value, &number) == DECIMAL_OK;
    case DATE:
        return condition_date(value, &ms);
    case BOOLEAN:
        return str_eq_nocase(value, STR("true")) || str_eq_nocase(value, STR("false"));
    case ADDRESS:
        return read_address(value, &address);
    case BINARY:
    case ANY_TEXT:
        return true;
    }
    return false;
}

/* The codes as bytes; a wildcard cannot be among them. */
static struct str codes_text(struct codes codes, struct arena *arena)
{
    char *out = arena_alloc(arena, codes.n + 1);

    for (size_t i = 0; i < codes.n; i++)
        out[i] = (char)codes.p[i];
    return (struct str){out, codes.n};
}

/* Does the request's value fit any of the policy's? */
static bool fits_any(const struct policy_condition *condition, struct match *match, struct str value)
{
    bool codes_only = condition->op->pattern_flags & PATTERN_WILDCARDS;

    for (size_t i = 0; i < condition->count; i++) {
        struct codes codes;
        if (!pattern__resolve(&condition->value[i], match, &codes))
            continue;
        struct str text = codes_only ? STR_NONE : codes_text(codes, match__arena(match));
        if (condition->op->compare(codes, text, value, match__arena(match)))
            return true;
    }
    return false;
}

static bool null_holds(const struct policy_condition *condition, bool absent)
{
    for (size_t i = 0; i < condition->count; i++) {
        struct codes codes = condition->value[i].piece[0].literal;
        bool wants_absent = codes.n == 4;       /* "true"; the other is "false" */
        if (wants_absent == absent)
            return true;
    }
    return false;
}

bool condition__holds(const struct policy_condition *condition, struct match *match)
{
    struct str *value;
    size_t count = match__values(match, condition->key, &value), fitting = 0;

    if (!condition->op->compare)
        return null_holds(condition, count == 0);
    if (count == 0) {
        if (condition->flags & (CONDITION_FOR_ALL | CONDITION_IF_EXISTS))
            return true;
        return condition->op->negated && !(condition->flags & CONDITION_FOR_ANY);
    }
    for (size_t i = 0; i < count; i++)
        fitting += fits_any(condition, match, value[i]) != condition->op->negated;
    if (condition->flags & CONDITION_FOR_ALL)
        return fitting == count;
    if (condition->flags & CONDITION_FOR_ANY)
        return fitting > 0;
    return condition->op->negated ? fitting == count : fitting > 0;
}

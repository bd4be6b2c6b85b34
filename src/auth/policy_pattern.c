/* policy_pattern.c -- texts with wildcards and policy variables.
 * Source: "IAM policy elements: variables and tags", "Resource ARNs with wildcards" of the IAM user guide.
 *
 * '*' is any run of characters, '?' one. ${key}, ${key, 'default'} take a value of the request; ${*}, ${?}, ${$} stand
 * for the characters themselves. Matching goes back to the last '*' only, which is enough and never exponential.
 * An ARN is matched segment by segment: a wildcard in one of the first five segments does not reach over ':'; the sixth
 * segment is the rest. */
#include "auth/policy_internal.h"

static uint16_t code_lower(uint16_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static struct codes codes_of(struct arena *arena, struct str text, bool wildcards)
{
    uint16_t *out = arena_array(arena, uint16_t, text.n + 1);

    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = (uint8_t)text.p[i];
        out[i] = wildcards && c == '*' ? PATTERN_ANY : wildcards && c == '?' ? PATTERN_ONE : c;
    }
    return (struct codes){out, text.n};
}

/* The inside of ${…}. */
static void read_variable(struct arena *arena, struct str inside, struct pattern_piece *ret)
{
    if (inside.n == 1 && (inside.p[0] == '*' || inside.p[0] == '?' || inside.p[0] == '$')) {
        ret->literal = codes_of(arena, inside, false);
        return;
    }
    struct str key = str_cut(&inside, ',');
    ret->variable = arena_dup(arena, str_trim(key));
    if (!inside.p)
        return;
    struct str text = str_trim(inside);
    if (text.n >= 2 && text.p[0] == '\'' && text.p[text.n - 1] == '\'') {
        ret->otherwise = arena_dup(arena, str_slice(text, 1, text.n - 1));
        ret->has_otherwise = true;
    }
}

static size_t next_variable(struct str text)
{
    for (size_t i = 0; i + 1 < text.n; i++)
        if (text.p[i] == '$' && text.p[i + 1] == '{')
            return i;
    return text.n;
}

bool pattern__compile(struct arena *arena, struct str text, int flags, struct pattern *ret)
{
    bool wildcards = flags & PATTERN_WILDCARDS;
    size_t bound = 1;

    for (size_t i = 0; i + 1 < text.n; i++)
        bound += text.p[i] == '$' && text.p[i + 1] == '{' ? 2 : 0;
    ret->piece = arena_array(arena, struct pattern_piece, bound);
    ret->count = 0;
    do {
        size_t at = flags & PATTERN_VARIABLES ? next_variable(text) : text.n;
        if (at || !text.n)
            ret->piece[ret->count++].literal = codes_of(arena, str_slice(text, 0, at), wildcards);
        if (at == text.n)
            break;
        struct str rest = str_slice(text, at + 2, text.n);
        size_t end = str_find(rest, '}');
        if (end == rest.n || end == 0)
            return false;
        struct pattern_piece *piece = &ret->piece[ret->count++];
        read_variable(arena, str_slice(rest, 0, end), piece);
        if (!piece->variable.n && !piece->literal.n)
            return false;
        text = str_slice(rest, end + 1, rest.n);
    } while (text.n);
    return true;
}

struct arena *match__arena(struct match *match)
{
    if (!match->arena)
        match->arena = match->request->arena;
    if (!match->arena)
        match->arena = match->own = arena_new();
    return match->arena;
}

size_t match__values(struct match *match, struct str key, struct str **ret)
{
    const struct policy_request *request = match->request;
    size_t count = 0;

    for (size_t i = 0; i < request->context_count; i++)
        count += str_eq_nocase(str_of(request->context[i].key), key);
    *ret = arena_array(match__arena(match), struct str, count + 1);
    if (count == 0)
        return request->lookup && request->lookup(request->lookup_arg, request, key, match->arena, *ret) ? 1 : 0;
    count = 0;
    for (size_t i = 0; i < request->context_count; i++)
        if (str_eq_nocase(str_of(request->context[i].key), key))
            (*ret)[count++] = request->context[i].value;
    return count;
}

bool pattern__resolve(const struct pattern *pattern, struct match *match, struct codes *ret)
{
    uint16_t *out;
    size_t n = 0;

    if (pattern->count == 1 && !pattern->piece[0].variable.n) {
        *ret = pattern->piece[0].literal;
        return true;
    }
    out = arena_alloc(match__arena(match), PATTERN_VALUE_MAX * sizeof *out);
    for (size_t i = 0; i < pattern->count; i++) {
        const struct pattern_piece *piece = &pattern->piece[i];
        struct codes part = piece->literal;
        if (piece->variable.n) {
            struct str *value;
            size_t count = match__values(match, piece->variable, &value);
            if (count != 1 && !piece->has_otherwise)
                return false;
            part = codes_of(match->arena, count == 1 ? value[0] : piece->otherwise, false);
        }
        if (part.n > PATTERN_VALUE_MAX - n)
            return false;
        if (part.n)
            memcpy(out + n, part.p, part.n * sizeof *out);
        n += part.n;
    }
    *ret = (struct codes){out, n};
    return true;
}

/* Behind the character at i: '?' takes a whole UTF-8 sequence. */
static size_t after_char(struct str text, size_t i)
{
    for (i++; i < text.n && ((uint8_t)text.p[i] & 0xC0) == 0x80; i++)
        ;
    return i;
}

static bool same(uint16_t code, char c, bool nocase)
{
    return code == (uint8_t)c || (nocase && code_lower(code) == code_lower((uint8_t)c));
}

bool pattern__glob(struct codes codes, struct str text, bool nocase)
{
    size_t i = 0, k = 0, star = SIZE_MAX, resume = 0;

    while (i < text.n) {
        if (k < codes.n && codes.p[k] == PATTERN_ANY) {
            star = ++k;
            resume = i;
            if (k == codes.n)
                return true;
        } else if (k < codes.n && codes.p[k] == PATTERN_ONE) {
            k++;
            i = after_char(text, i);
        } else if (k < codes.n && same(codes.p[k], text.p[i], nocase)) {
            k++;
            i++;
        } else if (star != SIZE_MAX) {
            k = star;
            i = ++resume;
        } else {
            return false;
        }
    }
    while (k < codes.n && codes.p[k] == PATTERN_ANY)
        k++;
    return k == codes.n;
}

static size_t find_colon(struct codes codes)
{
    size_t i = 0;

    while (i < codes.n && codes.p[i] != ':')
        i++;
    return i;
}

bool pattern__arn(struct codes codes, struct str arn)
{
    for (int segment = 0; segment < 5; segment++) {
        size_t end = find_colon(codes), at = str_find(arn, ':');
        if (end == codes.n)
            return pattern__glob(codes, arn, false);
        if (at == arn.n || !pattern__glob((struct codes){codes.p, end}, str_slice(arn, 0, at), false))
            return false;
        codes = (struct codes){codes.p + end + 1, codes.n - end - 1};
        arn = str_slice(arn, at + 1, arn.n);
    }
    return pattern__glob(codes, arn, false);
}

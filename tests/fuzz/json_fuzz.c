/* json_fuzz.c -- base/json.h on any bytes. Properties: the parser accepts exactly what a plain recursive-descent reading of
 * RFC 8259 (below, written for this test, sharing nothing with the parser) accepts, and so does the check without a tree; what was parsed, written and
 * parsed again is equal and written the same; every string is valid UTF-8; a clone is equal; no node count is wrong. */
#include "base/codec.h"
#include "base/json.h"
#include "base/panic.h"

struct reader {
    const uint8_t *p, *end;
    unsigned depth;
};

static bool at(const struct reader *r, const char *set)
{
    return r->p < r->end && *r->p && strchr(set, *r->p);
}

static void skip(struct reader *r, const char *set)
{
    while (at(r, set)) r->p++;
}

#define SPACE " \t\r\n"
#define DIGITS "0123456789"

static bool digits(struct reader *r)
{
    if (!at(r, DIGITS)) return false;
    skip(r, DIGITS);
    return true;
}

static bool number(struct reader *r)
{
    if (at(r, "-")) r->p++;
    if (at(r, "0")) r->p++;
    else if (!digits(r)) return false;
    if (at(r, ".")) {
        r->p++;
        if (!digits(r)) return false;
    }
    if (!at(r, "eE")) return true;
    r->p++;
    if (at(r, "+-")) r->p++;
    return digits(r);
}

/* After "\u": the unit, or -1. */
static long unit(struct reader *r)
{
    long value = 0;
    for (int i = 0; i < 4; i++, r->p++) {
        if (!at(r, DIGITS "abcdefABCDEF")) return -1;
        value = value * 16 + (*r->p <= '9' ? *r->p - '0' : (*r->p | 0x20) - 'a' + 10);
    }
    return value;
}

static bool escape(struct reader *r)
{
    if (!at(r, "\"\\/bfnrtu")) return false;
    if (*r->p++ != 'u') return true;
    long high = unit(r);
    if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF)) return false;
    if (high < 0xD800 || high > 0xDBFF) return true;
    if (!at(r, "\\")) return false;
    r->p++;
    if (!at(r, "u")) return false;
    r->p++;
    long low = unit(r);
    return low >= 0xDC00 && low <= 0xDFFF;
}

static bool string(struct reader *r)
{
    if (!at(r, "\"")) return false;
    for (r->p++; r->p < r->end && *r->p >= 0x20;) {
        uint8_t c = *r->p++;
        if (c == '"') return true;
        if (c == '\\' && !escape(r)) return false;
    }
    return false;
}

static bool word(struct reader *r, const char *text)
{
    size_t n = strlen(text);
    if ((size_t)(r->end - r->p) < n || memcmp(r->p, text, n) != 0) return false;
    r->p += n;
    return true;
}

static bool value(struct reader *r);

static bool members(struct reader *r, bool object)
{
    const char *close = object ? "}" : "]";
    r->p++;
    skip(r, SPACE);
    for (bool first = true; first || !at(r, close); first = false) {
        if (first && at(r, close)) break;
        if (!first && !at(r, ",")) return false;
        if (!first) r->p++;
        skip(r, SPACE);
        if (object) {
            if (!string(r)) return false;
            skip(r, SPACE);
            if (!at(r, ":")) return false;
            r->p++;
        }
        if (!value(r)) return false;
    }
    r->p++;
    return true;
}

/* One value and the white space around it. */
static bool value(struct reader *r)
{
    bool ok;
    skip(r, SPACE);
    if (at(r, "[{")) {
        ok = ++r->depth <= JSON_DEPTH_MAX && members(r, *r->p == '{');
        r->depth--;
    } else {
        ok = at(r, "\"") ? string(r) : at(r, "-" DIGITS) ? number(r) : word(r, "true") || word(r, "false") || word(r, "null");
    }
    skip(r, SPACE);
    return ok;
}

static void check_tree(const struct json *json)
{
    size_t count = 0;
    const struct json *last = NULL;
    for JSON_EACH (child, json) {
        ENSURE(json->type != JSON_OBJECT || utf8_valid(child->key));
        ENSURE(json->type != JSON_OBJECT || json_get(json, child->key) == child);   /* no key twice */
        check_tree(child);
        last = child;
        count++;
    }
    ENSURE(count == json->count && last == json->last);
    ENSURE(json->type != JSON_STRING || utf8_valid(json->text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str input = {(const char *)data, size};
    struct reader r = {data, data + size, 0};
    bool valid = utf8_valid(input) && value(&r) && r.p == r.end;
    struct json *json = NULL, *again = NULL;
    enum err err = json_parse(input, arena, &json);
    ENSURE(err == (valid ? ERR_OK : ERR_INVALID));
    ENSURE(valid == (json != NULL));
    ENSURE(json_check(input, arena) == err);
    if (valid) {
        check_tree(json);
        struct str text = json_text(arena, json);
        ENSURE(json_parse(text, arena, &again) == ERR_OK);
        ENSURE(json_equal(json, again) && json_equal(json, json_clone(arena, json)));
        ENSURE(str_eq(text, json_text(arena, again)));
    }
    arena_free(arena);
    return 0;
}

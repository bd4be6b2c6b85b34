/* function_json_fuzz.c -- cloudless/json.h on any bytes. Properties: it takes what the grammar of RFC 8259, read below rule by
 * rule without the library, takes, but for its bound on nesting; what is refused has its place within the text; what is
 * taken is the same after writing and reading again, and after copying; all strings are UTF-8 and end in NUL; members are not
 * repeated; counts and last children are right. A bound on memory changes nothing but CL_NO_MEMORY. */
#include "internal.h"
#include <stdlib.h>

#define CHECK(what) ((what) ? (void)0 : abort())

/* ---- the grammar: each rule returns the end of what it took, or NULL ---- */

static const char *value(const char *p, const char *end, unsigned depth);

static const char *space(const char *p, const char *end)
{
    while (p < end && *p && strchr(" \t\n\r", *p))
        p++;
    return p;
}

static const char *digits(const char *p, const char *end)
{
    const char *from = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p > from ? p : NULL;
}

static const char *number(const char *p, const char *end)
{
    p += *p == '-';
    p = p < end && *p == '0' ? p + 1 : digits(p, end);
    if (p && p < end && *p == '.')
        p = digits(p + 1, end);
    if (p && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p = digits(p + (p < end && (*p == '+' || *p == '-')), end);
    }
    return p;
}

/* The value of \\uXXXX at p, or -1. */
static long escaped(const char *p, const char *end)
{
    char hex[5] = {0};
    if (end - p < 6 || p[0] != '\\' || p[1] != 'u')
        return -1;
    for (int i = 0; i < 4; i++) {
        if (!p[2 + i] || !strchr("0123456789abcdefABCDEF", p[2 + i]))
            return -1;
        hex[i] = p[2 + i];
    }
    return strtol(hex, NULL, 16);
}

static const char *string(const char *p, const char *end)
{
    const char *from = p + 1;
    for (p = from; p < end && *p != '"';) {
        long code = escaped(p, end);
        if ((unsigned char)*p < 0x20 || (code >= 0xdc00 && code <= 0xdfff))
            return NULL;
        if (code >= 0xd800 && code <= 0xdbff) {
            long low = escaped(p + 6, end);
            if (low < 0xdc00 || low > 0xdfff)
                return NULL;
            p += 12;
        } else if (code >= 0) {
            p += 6;
        } else if (*p == '\\') {
            if (end - p < 2 || !p[1] || !strchr("\"\\/bfnrt", p[1]))
                return NULL;
            p += 2;
        } else {
            p++;
        }
    }
    return p < end && cl_utf8_valid((cl_str){from, (size_t)(p - from)}) ? p + 1 : NULL;
}

static const char *container(const char *p, const char *end, unsigned depth)
{
    char close = *p == '{' ? '}' : ']';
    if (depth == CL_JSON_DEPTH_MAX)
        return NULL;
    p = space(p + 1, end);
    if (p < end && *p == close)
        return p + 1;
    for (;;) {
        if (close == '}') {
            p = p < end && *p == '"' ? string(p, end) : NULL;
            p = p ? space(p, end) : NULL;
            if (!p || p == end || *p != ':')
                return NULL;
            p = space(p + 1, end);
        }
        p = value(p, end, depth + 1);
        p = p ? space(p, end) : NULL;
        if (!p || p == end)
            return NULL;
        if (*p == close)
            return p + 1;
        if (*p != ',')
            return NULL;
        p = space(p + 1, end);
    }
}

static const char *value(const char *p, const char *end, unsigned depth)
{
    static const char *const words[] = {"true", "false", "null"};
    if (p == end)
        return NULL;
    if (*p == '{' || *p == '[')
        return container(p, end, depth);
    if (*p == '"')
        return string(p, end);
    for (size_t i = 0; i < CL__COUNT(words); i++)
        if ((size_t)(end - p) >= strlen(words[i]) && memcmp(p, words[i], strlen(words[i])) == 0)
            return p + strlen(words[i]);
    return number(p, end);
}

static bool grammar_takes(const char *p, size_t n)
{
    const char *end = p + n;
    p = value(space(p, end), end, 0);
    return p && space(p, end) == end;
}

/* ---- the tree ---- */

static void check_tree(const cl_json *json, unsigned depth)
{
    size_t n = 0;
    const cl_json *last = NULL;
    int64_t integer;
    double real;
    CHECK(depth <= CL_JSON_DEPTH_MAX);
    if (json->text.p)
        CHECK(cl_utf8_valid(json->text) && json->text.p[json->text.n] == 0);
    if (json->type == CL_NUMBER) {
        CHECK(cl__json_number_ok(json->text));
        if (cl_json_i64(json, &integer) && cl_json_double(json, &real))
            CHECK(real <= 9.3e18 && real >= -9.3e18);
    }
    for CL_JSON_EACH(child, json) {
        n++;
        last = child;
        CHECK((json->type == CL_OBJECT) == (child->key.p != NULL));
        if (child->key.p)
            CHECK(cl_utf8_valid(child->key) && child->key.p[child->key.n] == 0);
        if (n < 50)
            for (const cl_json *other = child->next; other && json->type == CL_OBJECT; other = other->next)
                CHECK(!cl_str_eq(child->key, other->key));
        check_tree(child, depth + 1);
    }
    CHECK(n == json->count && last == json->last);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cl_str text = {(const char *)data, size};
    cl_json *json = NULL, *again = NULL;
    size_t where = SIZE_MAX;
    cl_arena *arena = cl_arena_new(0);
    cl_result result = cl_json_parse(arena, text, &json, &where);
    CHECK((result == CL_OK) == grammar_takes(size ? (const char *)data : "", size));
    if (result == CL_OK) {
        check_tree(json, 0);
        cl_str first = cl_json_text(arena, json);
        CHECK(first.n > 0 && cl_json_parse(arena, first, &again, NULL) == CL_OK);
        CHECK(cl_str_eq(first, cl_json_text(arena, again)));
        CHECK(cl_str_eq(first, cl_json_text(arena, cl_json_copy(arena, json))));
    } else {
        CHECK(result == CL_INVALID && where <= size && !json);
    }
    cl_arena_free(arena);
    arena = cl_arena_new(size % 7 * 300 + 1);
    json = NULL;
    cl_result bounded = cl_json_parse(arena, text, &json, NULL);
    CHECK(bounded == result || (bounded == CL_NO_MEMORY && cl_arena_failed(arena) && !json));
    cl_arena_free(arena);
    return 0;
}

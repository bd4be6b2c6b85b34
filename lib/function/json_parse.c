/* json_parse.c -- text of RFC 8259 to a tree.
 *
 * The parser goes over the text once with a stack of open arrays and objects, CL_JSON_DEPTH_MAX deep. Decoded strings and
 * the numbers' texts are never longer than they stand in the input, so that one block of its length takes them all, each
 * with a NUL behind it: a string gives up two quotes, and behind a number there is a delimiter or the end.
 * Of repeated members the last one stays: small objects are compared pairwise, larger ones by sorting their names. */
#include "internal.h"
#include <stdlib.h>

#define NODES_AT_ONCE 16
#define PAIRWISE_MAX  16

struct parser {
    cl_arena *arena;
    const char *start, *p, *end;
    char *out;                      /* where the next decoded string goes */
    cl_json *nodes;                 /* taken together, not used yet */
    size_t nodes_left, depth;
    cl_json *open[CL_JSON_DEPTH_MAX];
};

/* ---- scanning ---- */

static void skip_space(struct parser *x)
{
    while (x->p < x->end && (*x->p == ' ' || *x->p == '\n' || *x->p == '\r' || *x->p == '\t'))
        x->p++;
}

/* The end of the number at p, or NULL and *wrong where it stops being one. */
static const char *scan_number(const char *p, const char *end, const char **wrong)
{
#define IS_DIGIT (p < end && *p >= '0' && *p <= '9')
    bool good = true;
    if (p < end && *p == '-')
        p++;
    if (p < end && *p == '0')
        p++;
    else
        for (good = IS_DIGIT; IS_DIGIT;)
            p++;
    if (good && p < end && *p == '.')
        for (p++, good = IS_DIGIT; IS_DIGIT;)
            p++;
    if (good && p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        for (good = IS_DIGIT; IS_DIGIT;)
            p++;
    }
    *wrong = p;
    return good ? p : NULL;
#undef IS_DIGIT
}

bool cl__json_number_ok(cl_str text)
{
    const char *wrong;
    return text.n > 0 && scan_number(text.p, text.p + text.n, &wrong) == text.p + text.n;
}

/* Four hexadecimal digits at p, or -1 with x->p at the wrong one. */
static int scan_hex4(struct parser *x, const char *p)
{
    int value = 0;
    for (int i = 0; i < 4; i++, p++) {
        int c = p < x->end ? *p : 0;
        int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0) {
            x->p = p;
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

static void put_utf8(struct parser *x, unsigned code)
{
    unsigned char *out = (unsigned char *)x->out;
    if (code < 0x80) {
        *out++ = (unsigned char)code;
    } else if (code < 0x800) {
        *out++ = (unsigned char)(0xc0 | code >> 6);
        *out++ = (unsigned char)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *out++ = (unsigned char)(0xe0 | code >> 12);
        *out++ = (unsigned char)(0x80 | (code >> 6 & 63));
        *out++ = (unsigned char)(0x80 | (code & 63));
    } else {
        *out++ = (unsigned char)(0xf0 | code >> 18);
        *out++ = (unsigned char)(0x80 | (code >> 12 & 63));
        *out++ = (unsigned char)(0x80 | (code >> 6 & 63));
        *out++ = (unsigned char)(0x80 | (code & 63));
    }
    x->out = (char *)out;
}

/* x->p is at a backslash. False with x->p at what is wrong. */
static bool scan_escape(struct parser *x)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *p = x->p + 1, *known = p < x->end && *p ? strchr(from, *p) : NULL;
    if (known) {
        *x->out++ = to[known - from];
        x->p = p + 1;
        return true;
    }
    if (p >= x->end || *p != 'u') {
        x->p = p;
        return false;
    }
    const char *at = x->p;
    int high = scan_hex4(x, p + 1);
    if (high < 0)
        return false;
    p += 5;
    unsigned code = (unsigned)high;
    if (code >= 0xd800 && code <= 0xdfff) {
        int low = -1;
        if (code < 0xdc00 && x->end - p >= 2 && p[0] == '\\' && p[1] == 'u') {
            low = scan_hex4(x, p + 2);
            if (low < 0)
                return false;
        }
        if (low < 0xdc00 || low > 0xdfff) {
            x->p = at;                              /* half of a pair */
            return false;
        }
        code = 0x10000 + ((code - 0xd800) << 10) + ((unsigned)low - 0xdc00);
        p += 6;
    }
    put_utf8(x, code);
    x->p = p;
    return true;
}

/* x->p is behind the opening quote; afterwards behind the closing one. */
static bool scan_string(struct parser *x, cl_str *ret)
{
    char *begin = x->out;
    for (;;) {
        const char *run = x->p;
        while (x->p < x->end && (unsigned char)*x->p >= 0x20 && (unsigned char)*x->p < 0x80 && *x->p != '"' && *x->p != '\\')
            x->p++;
        memcpy(x->out, run, (size_t)(x->p - run));
        x->out += x->p - run;
        if (x->p == x->end)
            return false;
        if (*x->p == '"')
            break;
        if (*x->p == '\\') {
            if (!scan_escape(x))
                return false;
            continue;
        }
        size_t n = cl__utf8_next(x->p, (size_t)(x->end - x->p));
        if (n < 2)
            return false;                           /* a control character, or no UTF-8 */
        memcpy(x->out, x->p, n);
        x->out += n, x->p += n;
    }
    x->p++;
    *ret = (cl_str){begin, (size_t)(x->out - begin)};
    *x->out++ = 0;
    return true;
}

static bool scan_word(struct parser *x, const char *word)
{
    for (; *word; word++, x->p++)
        if (x->p == x->end || *x->p != *word)
            return false;
    return true;
}

/* ---- repeated members ---- */

struct named {
    cl_json *node;
    size_t index;
};

static int by_name(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    if (a->node->key.n != b->node->key.n)
        return a->node->key.n < b->node->key.n ? -1 : 1;
    int order = a->node->key.n ? memcmp(a->node->key.p, b->node->key.p, a->node->key.n) : 0;
    return order ? order : a->index < b->index ? -1 : 1;
}

#define DROPPED ((size_t)-1)        /* as a node's count, between marking and unlinking */

static void unlink_dropped(cl_json *object)
{
    cl_json *child = object->first;
    object->first = object->last = NULL, object->count = 0;
    while (child) {
        cl_json *next = child->next;
        if (child->count != DROPPED)
            cl__json_append(object, child);
        child = next;
    }
}

static bool drop_repeated(cl_json *object)
{
    size_t dropped = 0;
    if (object->count < 2)
        return true;
    if (object->count <= PAIRWISE_MAX) {
        for (cl_json *a = object->first; a; a = a->next)
            for (cl_json *b = a->next; b; b = b->next)
                if (cl_str_eq(a->key, b->key)) {
                    a->count = DROPPED, dropped++;
                    break;
                }
    } else {
        struct named *all = cl__malloc(object->count * sizeof *all);
        size_t n = 0;
        if (!all)
            return false;
        for (cl_json *child = object->first; child; child = child->next, n++)
            all[n] = (struct named){child, n};
        qsort(all, n, sizeof *all, by_name);
        for (size_t i = 0; i + 1 < n; i++)
            if (cl_str_eq(all[i].node->key, all[i + 1].node->key))
                all[i].node->count = DROPPED, dropped++;
        free(all);
    }
    if (dropped)
        unlink_dropped(object);
    return true;
}

/* ---- parser ---- */

static cl_json *new_node(struct parser *x)
{
    if (x->nodes_left == 0) {
        x->nodes = cl__take(x->arena, NODES_AT_ONCE * sizeof *x->nodes, _Alignof(cl_json));
        if (!x->nodes)
            return NULL;
        x->nodes_left = NODES_AT_ONCE;
    }
    x->nodes_left--;
    cl_json *node = x->nodes++;
    *node = (cl_json){.type = CL_NULL};
    return node;
}

/* A scalar's text at x->p, or the opening of an array or object, which goes onto the stack. */
static cl_result parse_value(struct parser *x, cl_json *node)
{
    const char *wrong;
    switch (x->p < x->end ? *x->p : 0) {
    case '{':
    case '[':
        if (x->depth == CL_JSON_DEPTH_MAX)
            return CL_INVALID;
        node->type = *x->p++ == '{' ? CL_OBJECT : CL_ARRAY;
        x->open[x->depth++] = node;
        return CL_OK;
    case '"':
        x->p++;
        node->type = CL_STRING;
        return scan_string(x, &node->text) ? CL_OK : CL_INVALID;
    case 't':
        node->type = CL_TRUE;
        return scan_word(x, "true") ? CL_OK : CL_INVALID;
    case 'f':
        node->type = CL_FALSE;
        return scan_word(x, "false") ? CL_OK : CL_INVALID;
    case 'n':
        return scan_word(x, "null") ? CL_OK : CL_INVALID;
    default:
        break;
    }
    const char *number = x->p, *end = scan_number(number, x->end, &wrong);
    x->p = wrong;
    if (!end)
        return CL_INVALID;
    node->type = CL_NUMBER;
    node->text = (cl_str){x->out, (size_t)(end - number)};
    memcpy(x->out, number, node->text.n);
    x->out += node->text.n;
    *x->out++ = 0;
    return CL_OK;
}

/* A member's name and its colon. */
static bool parse_name(struct parser *x, cl_json *node)
{
    if (x->p == x->end || *x->p != '"')
        return false;
    x->p++;
    if (!scan_string(x, &node->key))
        return false;
    skip_space(x);
    if (x->p == x->end || *x->p != ':')
        return false;
    x->p++;
    skip_space(x);
    return true;
}

/* A child of the innermost open container: name if it is an object, value. */
static cl_result parse_child(struct parser *x, cl_json *parent)
{
    cl_json *node = new_node(x);
    if (!node)
        return CL_NO_MEMORY;
    if (parent && parent->type == CL_OBJECT && !parse_name(x, node))
        return CL_INVALID;
    if (parent)
        cl__json_append(parent, node);
    else
        x->open[0] = node;                          /* found again by its caller, whatever it is */
    return parse_value(x, node);
}

/* Between values: closes what ends here. CL_NOT_FOUND: the text's one value is complete; CL_OK: a child comes next. */
static cl_result parse_between(struct parser *x)
{
    while (x->depth > 0) {
        cl_json *top = x->open[x->depth - 1];
        skip_space(x);
        char c = x->p < x->end ? *x->p : 0;
        if (c == (top->type == CL_OBJECT ? '}' : ']')) {
            x->p++, x->depth--;
            if (top->type == CL_OBJECT && !drop_repeated(top))
                return CL_NO_MEMORY;
            continue;
        }
        if (top->count == 0)
            return CL_OK;
        if (c != ',')
            return CL_INVALID;
        x->p++;
        skip_space(x);
        return CL_OK;
    }
    return CL_NOT_FOUND;
}

cl_result cl_json_parse(cl_arena *arena, cl_str text, cl_json **ret, size_t *where)
{
    const char *start = text.n ? text.p : "";
    struct parser x = {.arena = arena, .start = start, .p = start, .end = start + text.n};
    cl_json *root = NULL;
    cl_result result = CL_OK;
    x.out = cl__take(arena, text.n + 1, 1);
    if (!x.out)
        return CL_NO_MEMORY;
    skip_space(&x);
    while (result == CL_OK) {
        cl_json *parent = x.depth ? x.open[x.depth - 1] : NULL;
        result = parse_child(&x, parent);
        if (!parent && result == CL_OK)
            root = x.open[0];
        if (result == CL_OK)
            result = parse_between(&x);
    }
    if (result == CL_NOT_FOUND) {
        skip_space(&x);
        result = x.p == x.end ? CL_OK : CL_INVALID;
    }
    if (result == CL_OK)
        *ret = root;
    else if (result == CL_INVALID && where)
        *where = (size_t)(x.p - x.start);
    if (result == CL_NO_MEMORY)
        cl__arena_fail(arena);
    return result;
}

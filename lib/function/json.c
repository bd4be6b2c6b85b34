/* json.c -- RFC 8259: text to tree, tree to text, and the tree's own operations.
 *
 * The parser goes over the text once with a stack of open arrays and objects, CL_JSON_DEPTH_MAX deep. Decoded strings and
 * the numbers' texts are never longer than they stand in the input, so that one block of its length takes them all, each
 * with a NUL behind it: a string gives up two quotes, and behind a number there is a delimiter or the end.
 * Of repeated members the last one stays: small objects are compared pairwise, larger ones by sorting their names.
 * Invariants of a tree: last is the end of the list at first, count its length, key is empty outside of objects. */
#include "internal.h"
#include <locale.h>
#include <stdlib.h>

#define NODES_AT_ONCE   16
#define PAIRWISE_MAX    16
#define WRITE_DEPTH_MAX 512         /* a built tree may be deeper than a parsed one */

struct parser {
    cl_arena *arena;
    const char *start, *p, *end;
    char *out;                      /* where the next decoded string goes */
    cl_json *nodes;                 /* taken together, not used yet */
    size_t nodes_left, depth;
    cl_json *open[CL_JSON_DEPTH_MAX];
};

/* ---- tree ---- */

static void append(cl_json *parent, cl_json *child)
{
    child->next = NULL;
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

static bool is_of(const cl_json *json, cl_json_type type)
{
    return json && json->type == type;
}

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
            append(object, child);
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
        append(parent, node);
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

/* ---- reading ---- */

/* The last one: a built object may have a name twice. */
static const cl_json *get(const cl_json *object, cl_str member)
{
    const cl_json *found = NULL;
    if (is_of(object, CL_OBJECT))
        for (const cl_json *child = object->first; child; child = child->next)
            if (cl_str_eq(child->key, member))
                found = child;
    return found;
}

const cl_json *cl_json_get(const cl_json *object, const char *member)
{
    return get(object, cl_str_of(member));
}

static const cl_json *at_index(const cl_json *array, cl_str text)
{
    size_t index = 0;
    if (text.n == 0 || text.n > 9)
        return NULL;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < '0' || text.p[i] > '9')
            return NULL;
        index = index * 10 + (size_t)(text.p[i] - '0');
    }
    const cl_json *child = array->first;
    while (child && index--)
        child = child->next;
    return child;
}

const cl_json *cl_json_path(const cl_json *json, const char *path)
{
    bool more = *path != 0;
    while (json && more) {
        cl_str part = {path, strcspn(path, ".")};
        json = json->type == CL_ARRAY ? at_index(json, part) : get(json, part);
        more = path[part.n] == '.';
        path += part.n + more;
    }
    return json;
}

cl_str cl_json_str(const cl_json *json)
{
    return is_of(json, CL_STRING) ? json->text : (cl_str){"", 0};
}

bool cl_json_is(const cl_json *json, cl_json_type type)
{
    return is_of(json, type);
}

/* The digits with their point moved by the exponent must be an integer; 12.00, 1.2e1 and 1e3 are. */
bool cl_json_i64(const cl_json *json, int64_t *ret)
{
    if (!is_of(json, CL_NUMBER) || !cl__json_number_ok(json->text))
        return false;
    const char *p = json->text.p, *end = p + json->text.n;
    bool negative = *p == '-', pointed = false;
    int64_t value = 0, exponent = 0, zeros = 0, said = 0;       /* value * 10^(zeros + exponent), zeros not yet multiplied in */
    for (p += negative; p < end && *p != 'e' && *p != 'E'; p++) {
        if (*p == '.') {
            pointed = true;
            continue;
        }
        exponent -= pointed;
        if (*p == '0') {
            zeros += value != 0;
            continue;
        }
        for (; zeros > 0; zeros--)
            if (__builtin_mul_overflow(value, 10, &value))
                return false;
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_sub_overflow(value, *p - '0', &value))
            return false;                                       /* negative: it reaches one further */
    }
    if (p < end) {
        bool minus = p[1] == '-';
        for (p += 1 + (p[1] == '-' || p[1] == '+'); p < end; p++)
            said = said > INT32_MAX ? said : said * 10 + (*p - '0');
        exponent += minus ? -said : said;
    }
    /* A zero at the front or alone left no trace in `zeros`: value is 0 and the exponent means nothing. */
    exponent = value ? exponent + zeros : 0;
    if (exponent < 0)
        return false;
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    if (!negative && __builtin_sub_overflow((int64_t)0, value, &value))
        return false;
    *ret = value;
    return true;
}

bool cl_json_double(const cl_json *json, double *ret)
{
    if (!is_of(json, CL_NUMBER) || !cl__json_number_ok(json->text))
        return false;
    /* The C locale's point, whatever the program has set; the C library has that locale ready. */
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    char text[64], *copy = text;
    if (!plain)
        return false;
    if (json->text.n >= sizeof text) {
        copy = cl__malloc(json->text.n + 1);
        if (!copy)
            return false;
    }
    memcpy(copy, json->text.p, json->text.n);
    copy[json->text.n] = 0;
    double value = strtod_l(copy, NULL, plain);
    if (copy != text)
        free(copy);
    if (value - value != 0)
        return false;                                           /* too large to be one */
    *ret = value;
    return true;
}

/* ---- building ---- */

static cl_json *node_of(cl_arena *arena, cl_json_type type, cl_str text)
{
    cl_json *node = cl__take(arena, sizeof *node, _Alignof(cl_json));
    if (node)
        *node = (cl_json){.type = type, .text = text};
    return node;
}

cl_json *cl_json_object(cl_arena *arena)
{
    return node_of(arena, CL_OBJECT, (cl_str){NULL, 0});
}

cl_json *cl_json_array(cl_arena *arena)
{
    return node_of(arena, CL_ARRAY, (cl_str){NULL, 0});
}

cl_json *cl_json_string(cl_arena *arena, cl_str text)
{
    return node_of(arena, CL_STRING, text);
}

cl_json *cl_json_number(cl_arena *arena, cl_str text)
{
    return cl__json_number_ok(text) ? node_of(arena, CL_NUMBER, text) : NULL;
}

cl_json *cl_json_int(cl_arena *arena, int64_t value)
{
    cl_str text = cl_printf(arena, "%lld", (long long)value);
    return text.p ? node_of(arena, CL_NUMBER, text) : NULL;
}

cl_json *cl_json_bool(cl_arena *arena, bool value)
{
    return node_of(arena, value ? CL_TRUE : CL_FALSE, (cl_str){NULL, 0});
}

cl_json *cl_json_null(cl_arena *arena)
{
    return node_of(arena, CL_NULL, (cl_str){NULL, 0});
}

cl_json *cl_json_raw(cl_arena *arena, cl_str json_text)
{
    return node_of(arena, CL_RAW, json_text);
}

cl_json *cl_json_set(cl_json *object, const char *member, cl_json *child)
{
    if (!is_of(object, CL_OBJECT) || !child)
        return child;
    child->key = cl_str_of(member);
    cl_json **link = &object->first;
    while (*link && !cl_str_eq((*link)->key, child->key))
        link = &(*link)->next;
    if (!*link) {
        append(object, child);
        return child;
    }
    cl_json *old = *link;
    child->next = old == child ? child->next : old->next;
    *link = child;
    if (object->last == old)
        object->last = child;
    return child;
}

cl_json *cl_json_append(cl_json *array, cl_json *child)
{
    if (is_of(array, CL_ARRAY) && child) {
        child->key = (cl_str){NULL, 0};
        append(array, child);
    }
    return child;
}

static cl_json *copy_one(cl_arena *arena, const cl_json *json)
{
    cl_json *node = node_of(arena, json->type, json->text.p ? cl_dup(arena, json->text) : json->text);
    if (node && json->key.p)
        node->key = cl_dup(arena, json->key);
    return node;
}

/* Walks both trees in step; deeper than WRITE_DEPTH_MAX fails the arena, as it could not be written either. */
cl_json *cl_json_copy(cl_arena *arena, const cl_json *json)
{
    const cl_json *from[WRITE_DEPTH_MAX];
    cl_json *to[WRITE_DEPTH_MAX], *root = json ? copy_one(arena, json) : NULL;
    size_t depth = 0;
    if (!root)
        return NULL;
    root->key = (cl_str){NULL, 0};
    from[0] = json->first, to[0] = root;
    for (;;) {
        const cl_json *child = from[depth];
        if (!child) {
            if (depth-- == 0)
                break;
            continue;
        }
        from[depth] = child->next;
        cl_json *copy = copy_one(arena, child);
        if (!copy)
            return NULL;
        append(to[depth], copy);
        if (!child->first)
            continue;
        if (++depth == WRITE_DEPTH_MAX) {
            cl__arena_fail(arena);
            return NULL;
        }
        from[depth] = child->first, to[depth] = copy;
    }
    return cl_arena_failed(arena) ? NULL : root;
}

/* ---- writing ---- */

static void quote_byte(cl_buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef", short_from[] = "\"\\\b\f\n\r\t", short_to[] = "\"\\bfnrt";
    const char *known = c ? strchr(short_from, c) : NULL;
    if (known) {
        char two[2] = {'\\', short_to[known - short_from]};
        cl_buf_add(buf, (cl_str){two, 2});
    } else if (c < 0x20) {
        char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        cl_buf_add(buf, (cl_str){six, 6});
    } else {
        cl_buf_add(buf, (cl_str){"\xEF\xBF\xBD", 3});           /* no UTF-8 */
    }
}

void cl__json_quote(cl_buf *buf, cl_str s)
{
    cl_buf_addc(buf, '"');
    for (size_t i = 0; i < s.n && !buf->failed;) {
        size_t run = i;
        while (i < s.n && (unsigned char)s.p[i] >= 0x20 && s.p[i] != '"' && s.p[i] != '\\') {
            size_t n = (unsigned char)s.p[i] < 0x80 ? 1 : cl__utf8_next(s.p + i, s.n - i);
            if (n == 0)
                break;
            i += n;
        }
        cl_buf_add(buf, (cl_str){s.p + run, i - run});
        if (i < s.n)
            quote_byte(buf, (unsigned char)s.p[i++]);
    }
    cl_buf_addc(buf, '"');
}

static void write_one(cl_buf *buf, const cl_json *json)
{
    static const char *const words[] = {[CL_NULL] = "null", [CL_FALSE] = "false", [CL_TRUE] = "true", [CL_ARRAY] = "[", [CL_OBJECT] = "{"};
    switch (json->type) {
    case CL_STRING:
        cl__json_quote(buf, json->text);
        break;
    case CL_NUMBER:
    case CL_RAW:
        cl_buf_add(buf, json->text);
        break;
    default:
        cl_buf_adds(buf, words[json->type]);
        break;
    }
}

void cl_json_write(cl_buf *buf, const cl_json *json)
{
    const cl_json *open[WRITE_DEPTH_MAX];
    size_t depth = 0;
    const cl_json *at = json;
    if (!json)
        cl_buf_adds(buf, "null");
    while (at && !buf->failed) {
        write_one(buf, at);
        if ((at->type == CL_ARRAY || at->type == CL_OBJECT) && depth == WRITE_DEPTH_MAX) {
            buf->failed = true;
            return;
        }
        if (at->type == CL_ARRAY || at->type == CL_OBJECT) {
            open[depth++] = at;
            at = at->first;
        } else {
            at = depth ? at->next : NULL;
            if (at)
                cl_buf_addc(buf, ',');
        }
        for (; !at && depth > 0; depth--) {                     /* what ends here */
            const cl_json *done = open[depth - 1];
            cl_buf_addc(buf, done->type == CL_OBJECT ? '}' : ']');
            at = depth > 1 ? done->next : NULL;
            if (at)
                cl_buf_addc(buf, ',');
        }
        if (at && open[depth - 1]->type == CL_OBJECT) {
            cl__json_quote(buf, at->key);
            cl_buf_addc(buf, ':');
        }
    }
}

cl_str cl_json_text(cl_arena *arena, const cl_json *json)
{
    cl_buf buf;
    cl_buf_init(&buf, arena, SIZE_MAX / 2);
    cl_json_write(&buf, json);
    if (buf.failed)
        cl__arena_fail(arena);                                  /* too deep counts as well */
    return cl_buf_str(&buf);
}

/* json_parse.cc -- text to tree, by simdjson On-Demand. The only C++ of the program; nothing throws (exceptions are off,
 * simdjson answers error codes).
 *
 * The input is copied once into the arena, between brackets and followed by the padding that simdjson reads beyond the
 * end: "[" text "]" 64 zeros. So every value, a lone number too, is an element of an array, and what is checked is that
 * the array has one element and ends where the input ends. Strings without escapes point into that copy; those with
 * escapes are decoded in place, which only makes them shorter.
 *
 * simdjson's first stage checks UTF-8, control bytes in strings and the closing quotes; On-Demand checks the structure as
 * far as it is walked, and all of it is walked. Numbers, atoms and escapes are checked here, since On-Demand looks at
 * them only when they are converted, and its decoder lets a lone low surrogate pass.
 *
 * Bounds: nesting JSON_DEPTH_MAX (recursion, about 200 bytes of stack a level); a thread keeps a parser for inputs up to
 * KEPT_MAX bytes, larger inputs get a parser of their own that goes at once. Memory of a large input is counted in the budget
 * before it is taken: the copy, and the index of tokens that the first stage writes (four bytes for each). */
extern "C" {
#include "base/json.h"
#include "base/panic.h"
}
#define SIMDJSON_EXCEPTIONS 0
#include <simdjson.h>

using namespace simdjson;

namespace {

/* The budget is asked with every so many nodes of a thread, in whatever tree and place: a byte or two of text may be a node. */
constexpr size_t BUDGET_NODES = 256;
thread_local size_t nodes_made;
constexpr size_t KEPT_MAX = 64 * 1024;
constexpr size_t TEXT_MAX = size_t{1} << 30;    /* far above every request limit; simdjson's own is 4 GiB */

inline bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

inline bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 8259 section 6. `end` is readable: the input goes on with a bracket at least. */
bool number_valid(const char *p, const char *end)
{
    if (*p == '-')
        p++;
    if (!is_digit(*p))
        return false;
    if (*p == '0')
        p++;
    else
        while (is_digit(*p))
            p++;
    if (*p == '.') {
        if (!is_digit(*++p))
            return false;
        while (is_digit(*p))
            p++;
    }
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-')
            p++;
        if (!is_digit(*p))
            return false;
        while (is_digit(*p))
            p++;
    }
    return p == end;
}

/* Four hex digits, or -1. */
int32_t hex4(const char *p, const char *end)
{
    if (end - p < 4)
        return -1;
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        char c = p[i];
        int digit = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
        if (digit < 0)
            return -1;
        value = value << 4 | digit;
    }
    return value;
}

char *utf8_put(char *to, uint32_t c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xC0 | c >> 6);
        *to++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *to++ = (char)(0xE0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    } else {
        *to++ = (char)(0xF0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 0x3F));
        *to++ = (char)(0x80 | (c >> 6 & 0x3F));
        *to++ = (char)(0x80 | (c & 0x3F));
    }
    return to;
}

/* \uXXXX, or a pair of them; *from stands on the first digit and moves behind the last. */
bool unescape_unicode(const char **from, const char *end, char **to)
{
    int32_t high = hex4(*from, end);
    if (high < 0 || (high >= 0xDC00 && high <= 0xDFFF))
        return false;
    *from += 4;
    uint32_t c = (uint32_t)high;
    if (high >= 0xD800 && high <= 0xDBFF) {
        if (end - *from < 6 || (*from)[0] != '\\' || (*from)[1] != 'u')
            return false;
        int32_t low = hex4(*from + 2, end);
        if (low < 0xDC00 || low > 0xDFFF)
            return false;
        *from += 6;
        c = 0x10000 + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
    }
    *to = utf8_put(*to, c);
    return true;
}

/* Decodes p … end in place from the first backslash on. */
bool unescape(char *p, const char *end, const char *first, struct str *ret)
{
    char *to = p + (first - p);
    const char *from = first;
    while (from < end) {
        if (*from != '\\') {
            *to++ = *from++;
            continue;
        }
        if (++from == end)
            return false;
        char c = *from++;
        switch (c) {
        case '"': case '\\': case '/': *to++ = c; break;
        case 'b':
            *to++ = '\b';
            break;
        case 'f':
            *to++ = '\f';
            break;
        case 'n':
            *to++ = '\n';
            break;
        case 'r':
            *to++ = '\r';
            break;
        case 't':
            *to++ = '\t';
            break;
        case 'u':
            if (!unescape_unicode(&from, end, &to))
                return false;
            break;
        default:
            return false;
        }
    }
    *ret = {p, (size_t)(to - p)};
    return true;
}

/* The string whose first byte (after the quote) is p and whose closing quote is at `end`. */
inline bool string_at(const char *p, const char *end, struct str *ret)
{
    if (end < p || *end != '"')
        return false;
    size_t n = (size_t)(end - p);
    const char *escape = n ? (const char *)memchr(p, '\\', n) : nullptr;
    if (escape)
        return unescape(const_cast<char *>(p), end, escape, ret);
    *ret = {p, n};
    return true;
}

inline struct json *node_new(struct arena *arena)
{
    struct json *node = (struct json *)arena_alloc(arena, sizeof *node);
    memset(node, 0, sizeof *node);
    return node;
}

inline void append(struct json *parent, struct json *child)
{
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
}

/* A value's token without the white space that follows it. */
inline std::string_view token_of(ondemand::value &value)
{
    std::string_view token = value.raw_json_token();
    while (!token.empty() && is_space(token.back()))
        token.remove_suffix(1);
    return token;
}

/* CHECK makes no tree in the same walk: each value is looked at in a node of its own and forgotten. UNIQUE refuses repeated
 * keys. */
enum walk { CHECK, KEEP, UNIQUE };

template <enum walk WALK>
bool fill(struct arena *arena, ondemand::value &value, std::string_view token, struct json *node, unsigned depth);

template <enum walk WALK>
inline struct json *child_new(struct arena *arena, struct json *parent, struct json *scratch)
{
    if (WALK == CHECK)
        return scratch;
    if (++nodes_made % BUDGET_NODES == 0 && arena_over(arena) != ERR_OK)
        return nullptr;
    struct json *child = node_new(arena);
    append(parent, child);
    return child;
}

/* The key that begins at p, its closing quote before the colon before the value's first byte. */
inline bool key_at(const char *p, const char *value, struct str *ret)
{
    const char *end = value - 1;
    while (is_space(*end))
        end--;
    if (*end-- != ':')
        return false;
    while (is_space(*end))
        end--;
    return string_at(p, end, ret);
}

template <enum walk WALK>
bool fill_object(struct arena *arena, ondemand::value &value, struct json *node, unsigned depth)
{
    ondemand::object object;
    struct json scratch;
    if (value.get_object().get(object))
        return false;
    for (auto result : object) {
        if (result.error())
            return false;
        ondemand::field &field = result.value_unsafe();     /* by reference: copies cost a third of the walk */
        std::string_view token = token_of(field.value());
        struct json *child = child_new<WALK>(arena, node, &scratch);
        if (!child || !key_at(field.key().raw(), token.data(), &child->key))
            return false;
        if (!fill<WALK>(arena, field.value(), token, child, depth))
            return false;
    }
    if (WALK == CHECK || node->count < 2)
        return true;
    size_t given = node->count;
    json_keep_last(node);
    return WALK != UNIQUE || node->count == given;
}

template <enum walk WALK>
bool fill_array(struct arena *arena, ondemand::value &value, struct json *node, unsigned depth)
{
    ondemand::array array;
    struct json scratch;
    if (value.get_array().get(array))
        return false;
    for (auto result : array) {
        if (result.error())
            return false;
        ondemand::value &element = result.value_unsafe();
        struct json *child = child_new<WALK>(arena, node, &scratch);
        if (!child || !fill<WALK>(arena, element, token_of(element), child, depth))
            return false;
    }
    return true;
}

template <enum walk WALK>
bool fill(struct arena *arena, ondemand::value &value, std::string_view token, struct json *node, unsigned depth)
{
    if (token.empty())
        return false;
    const char *p = token.data(), *end = p + token.size();
    switch (*p) {
    case '{':
        node->type = JSON_OBJECT;
        return depth < JSON_DEPTH_MAX && fill_object<WALK>(arena, value, node, depth + 1);
    case '[':
        node->type = JSON_ARRAY;
        return depth < JSON_DEPTH_MAX && fill_array<WALK>(arena, value, node, depth + 1);
    case '"': {
        node->type = JSON_STRING;
        ondemand::raw_json_string consumed;
        return token.size() >= 2 && !value.get_raw_json_string().get(consumed) && string_at(p + 1, end - 1, &node->text);
    }
    case 't':
        node->type = JSON_TRUE;
        return token == "true";
    case 'f':
        node->type = JSON_FALSE;
        return token == "false";
    case 'n':
        node->type = JSON_NULL;
        return token == "null";
    default:
        node->type = JSON_NUMBER;
        node->text = {p, token.size()};
        return number_valid(p, end);
    }
}

template <enum walk WALK>
enum err parse(ondemand::parser &parser, padded_string_view input, struct arena *arena, struct json **ret)
{
    if (parser.capacity() < input.length()) {
        size_t capacity = 4096;
        while (capacity < input.length())
            capacity *= 2;
        if (parser.allocate(capacity))
            panic(__FILE__, __LINE__, "out of memory");
    }
    ondemand::document document;
    ondemand::array wrapper;
    if (parser.iterate(input).get(document) || document.get_array().get(wrapper))
        return ERR_INVALID;
    struct json *root = nullptr, scratch;
    for (auto result : wrapper) {
        ondemand::value value;
        if (root || std::move(result).get(value))
            return ERR_INVALID;
        root = WALK != CHECK ? node_new(arena) : &scratch;
        if (!fill<WALK>(arena, value, token_of(value), root, 0))
            return ERR_INVALID;
    }
    if (!root || document.current_location().error() != OUT_OF_BOUNDS)
        return ERR_INVALID;
    if (WALK != CHECK)
        *ret = root;
    return ERR_OK;
}

/* The most that the index of a text may have. A token is an operator or begins at a quote, behind an operator, behind a quote or
 * behind white space; inside of strings these bytes are counted in vain. */
size_t index_bytes(struct str text)
{
    size_t tokens = 3;
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i], brace = c | 0x20;
        tokens += 2 * (size_t)(c == ',' || c == ':' || brace == '{' || brace == '}') + (c == '"' || c <= ' ');
    }
    return tokens * sizeof(uint32_t);
}

template <enum walk WALK>
enum err parse_large(padded_string_view input, struct arena *arena, struct json **ret)
{
    ondemand::parser own;
    if (own.allocate(input.length()))
        panic(__FILE__, __LINE__, "out of memory");
    return parse<WALK>(own, input, arena, ret);
}

template <enum walk WALK>
enum err parse_text(struct str text, struct arena *arena, struct json **ret)
{
    if (text.n > TEXT_MAX)
        return ERR_TOO_LARGE;
    bool large = text.n > KEPT_MAX;
    enum err err = large ? arena_over_with(arena, text.n) : ERR_OK;
    if (err != ERR_OK)
        return err;
    char *copy = (char *)arena_alloc(arena, text.n + 2 + SIMDJSON_PADDING);
    copy[0] = '[';
    if (text.n)
        memcpy(copy + 1, text.p, text.n);
    copy[text.n + 1] = ']';
    memset(copy + text.n + 2, 0, SIMDJSON_PADDING);
    padded_string_view input(copy, text.n + 2, text.n + 2 + SIMDJSON_PADDING);
    static thread_local ondemand::parser kept;
    if (large) {
        size_t index = index_bytes(text);
        if ((err = arena_take(arena, index)) != ERR_OK)
            return err;
        err = parse_large<WALK>(input, arena, ret);
        arena_give_back(arena, index);
    } else {
        err = parse<WALK>(kept, input, arena, ret);
    }
    enum err over = err == ERR_OK ? ERR_OK : arena_over(arena);
    return over == ERR_OK ? err : over;
}

} /* namespace */

extern "C" enum err json_parse(struct str text, struct arena *arena, struct json **ret)
{
    return parse_text<KEEP>(text, arena, ret);
}

extern "C" enum err json_parse_unique(struct str text, struct arena *arena, struct json **ret)
{
    return parse_text<UNIQUE>(text, arena, ret);
}

extern "C" enum err json_check(struct str text, struct arena *arena)
{
    return parse_text<CHECK>(text, arena, nullptr);
}

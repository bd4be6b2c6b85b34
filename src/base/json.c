/* json.c -- the tree of json.h: lookup, building, comparing, writing. Parsing is in json_parse.cc.
 *
 * A node is one piece of its arena; children are a singly linked list with its tail, since documents are small and read
 * in order. Where a client can make an object large (repeated keys, comparison), a hash index that lives for the call
 * keeps the work linear; its hash is keyed at random, so that collisions cannot be arranged.
 *
 * Walks recurse, bounded by WALK_DEPTH_MAX: what was parsed (JSON_DEPTH_MAX) inside what the program builds around it.
 * A cycle or a node added twice is a programmer's error and panics. */
#include "base/json.h"
#include "base/hash.h"
#include "base/panic.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define WALK_DEPTH_MAX (2 * JSON_DEPTH_MAX)
#define LINEAR_MAX 16       /* members up to which comparing pairs is cheaper than hashing */

/* ---- index of an object's members ---- */

struct key_index {
    struct json **slots;    /* open addressing, at most half full */
    size_t mask;
    uint8_t hash_key[16];
};

static void index_init(struct key_index *index, size_t members)
{
    size_t size = 4 * LINEAR_MAX;
    while (size < 2 * members)
        size *= 2;
    index->slots = mem_zalloc(size * sizeof index->slots[0]);
    index->mask = size - 1;
    random_bytes(index->hash_key, sizeof index->hash_key);
}

/* The slot that holds `key`, or the empty one where it belongs. */
static struct json **index_slot(const struct key_index *index, struct str key)
{
    size_t at = siphash13(index->hash_key, key) & index->mask;
    while (index->slots[at] && !str_eq(index->slots[at]->key, key))
        at = (at + 1) & index->mask;
    return &index->slots[at];
}

/* ---- repeated keys ---- */

static void take_value(struct json *to, struct json *from)
{
    struct json *next = to->next;
    struct str key = to->key;
    *to = *from;
    to->next = next;
    to->key = key;
}

static void take_elements(struct json *to, struct json *from)
{
    ENSURE(to->type == JSON_ARRAY && from->type == JSON_ARRAY);
    if (to->last)
        to->last->next = from->first;
    else
        to->first = from->first;
    to->last = from->last ? from->last : to->last;
    to->count += from->count;
}

static void unlink_after(struct json *parent, struct json *before, struct json *child)
{
    if (before)
        before->next = child->next;
    else
        parent->first = child->next;
    if (parent->last == child)
        parent->last = before;
    child->next = NULL;
    parent->count--;
}

static struct json *earlier_member(const struct json *object, const struct json *member)
{
    for (struct json *other = object->first; other != member; other = other->next)
        if (other->key.n == member->key.n && str_eq(other->key, member->key))
            return other;
    return NULL;
}

static void fold_repeated(struct json *object, void (*fold)(struct json *to, struct json *from))
{
    bool large = object->count > LINEAR_MAX;
    struct key_index index;
    if (large)
        index_init(&index, object->count);
    struct json *before = NULL, *next;
    for (struct json *member = object->first; member; member = next) {
        next = member->next;
        struct json **slot = large ? index_slot(&index, member->key) : NULL;
        struct json *earlier = large ? *slot : earlier_member(object, member);
        if (earlier) {
            fold(earlier, member);
            unlink_after(object, before, member);
            continue;
        }
        if (large)
            *slot = member;
        before = member;
    }
    if (large)
        free(index.slots);
}

void json_keep_last(struct json *object)
{
    fold_repeated(object, take_value);
}

void json_join_lists(struct json *object)
{
    fold_repeated(object, take_elements);
}

/* ---- lookups ---- */

struct json *json_get(const struct json *json, struct str key)
{
    if (!json || json->type != JSON_OBJECT)
        return NULL;
    for (struct json *member = json->first; member; member = member->next)
        if (member->key.n == key.n && str_eq(member->key, key))
            return member;
    return NULL;
}

struct str json_str(const struct json *json, const char *key)
{
    const struct json *member = json_at(json, key);
    return json_is(member, JSON_STRING) ? member->text : STR_NONE;
}

bool json_bool(const struct json *json, const char *key, bool otherwise)
{
    const struct json *member = json_at(json, key);
    if (json_is(member, JSON_TRUE))
        return true;
    return json_is(member, JSON_FALSE) ? false : otherwise;
}

int64_t json_i64(const struct json *json, const char *key, int64_t otherwise)
{
    int64_t value = otherwise;
    return json_is_integer(json_at(json, key), &value) ? value : otherwise;
}

double json_double(const struct json *json, double otherwise)
{
    if (!json_is(json, JSON_NUMBER))
        return otherwise;
    char *text = mem_dup(json->text.p, json->text.n);
    double value = strtod(text, NULL);
    free(text);
    return value;
}

bool json_is(const struct json *json, enum json_type type)
{
    return json && json->type == type;
}

bool json_is_integer(const struct json *json, int64_t *ret)
{
    return json_is(json, JSON_NUMBER) && str_to_i64(json->text, ret);
}

/* ---- comparison ---- */

static bool equal_at(const struct json *a, const struct json *b, unsigned depth);

/* Members in the same order are found without looking; the first that is not makes the index. */
static bool objects_equal(const struct json *a, const struct json *b, unsigned depth)
{
    struct key_index index = {.slots = NULL};
    const struct json *same = b->first;
    bool equal = true;
    for (const struct json *member = a->first; member && equal; member = member->next) {
        const struct json *other = same;
        if (!other || !str_eq(other->key, member->key)) {
            if (b->count > LINEAR_MAX && !index.slots) {
                index_init(&index, b->count);
                for (struct json *each = b->first; each; each = each->next)
                    *index_slot(&index, each->key) = each;
            }
            other = index.slots ? *index_slot(&index, member->key) : json_get(b, member->key);
        }
        equal = other && equal_at(member, other, depth);
        same = other ? other->next : NULL;
    }
    free(index.slots);
    return equal;
}

static bool equal_at(const struct json *a, const struct json *b, unsigned depth)
{
    ENSURE(depth < WALK_DEPTH_MAX);
    if (a->type != b->type || a->count != b->count)
        return false;
    if (a->type == JSON_OBJECT)
        return objects_equal(a, b, depth + 1);
    if (a->type != JSON_ARRAY)
        return str_eq(a->text, b->text);
    const struct json *y = b->first;
    for (const struct json *x = a->first; x; x = x->next, y = y->next)
        if (!equal_at(x, y, depth + 1))
            return false;
    return true;
}

bool json_equal(const struct json *a, const struct json *b)
{
    if (!a || !b)
        return a == b;
    return equal_at(a, b, 0);
}

/* ---- building ---- */

struct json *json_new(struct arena *arena, enum json_type type)
{
    struct json *json = arena_new_of(arena, struct json);
    json->type = type;
    return json;
}

static struct json *new_text(struct arena *arena, enum json_type type, struct str text)
{
    struct json *json = json_new(arena, type);
    json->text = text;
    return json;
}

struct json *json_new_str(struct arena *arena, struct str text)
{
    return new_text(arena, JSON_STRING, text);
}

struct json *json_new_number(struct arena *arena, struct str text)
{
    return new_text(arena, JSON_NUMBER, text);
}

struct json *json_new_i64(struct arena *arena, int64_t value)
{
    return json_new_number(arena, arena_printf(arena, "%" PRId64, value));
}

struct json *json_new_raw(struct arena *arena, struct str text)
{
    return new_text(arena, JSON_RAW, text);
}

static struct json *clone_at(struct arena *arena, const struct json *json, unsigned depth)
{
    ENSURE(depth < WALK_DEPTH_MAX);
    struct json *copy = json_new(arena, json->type);
    if (json->text.p)
        copy->text = arena_dup(arena, json->text);
    for (const struct json *child = json->first; child; child = child->next) {
        struct json *child_copy = clone_at(arena, child, depth + 1);
        if (json->type == JSON_OBJECT)
            json_add_key(copy, arena_dup(arena, child->key), child_copy);
        else
            json_add(copy, NULL, child_copy);
    }
    return copy;
}

struct json *json_clone(struct arena *arena, const struct json *json)
{
    return clone_at(arena, json, 0);
}

static struct json *append(struct json *parent, struct json *child)
{
    ENSURE(!child->next && parent->last != child);
    if (parent->last)
        parent->last->next = child;
    else
        parent->first = child;
    parent->last = child;
    parent->count++;
    return child;
}

struct json *json_add_key(struct json *parent, struct str key, struct json *child)
{
    ENSURE(parent->type == JSON_OBJECT);
    child->key = key;
    return append(parent, child);
}

struct json *json_add(struct json *parent, const char *key, struct json *child)
{
    if (key)
        return json_add_key(parent, str_of(key), child);
    ENSURE(parent->type == JSON_ARRAY);
    return append(parent, child);
}

/* The member with `key`, and in *ret_before the one before it (NULL: it is the first). */
static struct json *find_with_before(struct json *object, struct str key, struct json **ret_before)
{
    struct json *before = NULL;
    for (struct json *member = object->first; member; before = member, member = member->next) {
        if (!str_eq(member->key, key))
            continue;
        *ret_before = before;
        return member;
    }
    return NULL;
}

struct json *json_put(struct json *object, struct str key, struct json *child)
{
    ENSURE(object->type == JSON_OBJECT);
    struct json *before = NULL, *old = find_with_before(object, key, &before);
    if (!old)
        return json_add_key(object, key, child);
    if (old == child)
        return child;
    ENSURE(!child->next);
    child->key = key;
    child->next = old->next;
    if (before)
        before->next = child;
    else
        object->first = child;
    if (object->last == old)
        object->last = child;
    old->next = NULL;
    return child;
}

bool json_remove(struct json *object, struct str key)
{
    ENSURE(object->type == JSON_OBJECT);
    struct json *before = NULL, *old = find_with_before(object, key, &before);
    if (old)
        unlink_after(object, before, old);
    return old != NULL;
}

void json_unlink(struct json *parent, struct json *child)
{
    struct json *before = NULL, *at = parent->first;
    while (at && at != child) {
        before = at;
        at = at->next;
    }
    ENSURE(at);
    unlink_after(parent, before, child);
}

struct json *json_add_str(struct arena *arena, struct json *parent, const char *key, struct str text)
{
    return json_add(parent, key, json_new_str(arena, text));
}

struct json *json_add_i64(struct arena *arena, struct json *parent, const char *key, int64_t value)
{
    return json_add(parent, key, json_new_i64(arena, value));
}

struct json *json_add_bool(struct arena *arena, struct json *parent, const char *key, bool value)
{
    return json_add(parent, key, json_new(arena, value ? JSON_TRUE : JSON_FALSE));
}

struct json *json_add_epoch_ms(struct arena *arena, struct json *parent, const char *key, int64_t epoch_ms)
{
    uint64_t ms = epoch_ms < 0 ? 0 - (uint64_t)epoch_ms : (uint64_t)epoch_ms;
    struct str text = arena_printf(arena, "%s%" PRIu64 ".%03" PRIu64, epoch_ms < 0 ? "-" : "", ms / 1000, ms % 1000);
    return json_add(parent, key, json_new_number(arena, text));
}

struct json *json_add_object(struct arena *arena, struct json *parent, const char *key)
{
    return json_add(parent, key, json_new(arena, JSON_OBJECT));
}

struct json *json_add_array(struct arena *arena, struct json *parent, const char *key)
{
    return json_add(parent, key, json_new(arena, JSON_ARRAY));
}

/* ---- writing ---- */

/* A bit in each of the eight bytes that needs an escape: below 0x20, a quote or a backslash. Bits above the lowest one
 * set may be wrong (a borrow runs upwards); bytes are little-endian, so the lowest is the first. */
static inline uint64_t escapes_in(uint64_t bytes)
{
    const uint64_t ones = 0x0101010101010101u, highs = 0x8080808080808080u;
    uint64_t quote = bytes ^ ones * '"', backslash = bytes ^ ones * '\\';
    return (((bytes - ones * 0x20) & ~bytes) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) & highs;
}

/* Less than eight bytes as one word, filled up with spaces. Two loads that overlap spare a loop over most keys. */
static inline uint64_t word_of(const char *p, size_t n)
{
    uint64_t word = 0;
    if (n >= 4) {
        uint32_t first, last;
        memcpy(&first, p, sizeof first);
        memcpy(&last, p + n - 4, sizeof last);
        word = first | (uint64_t)last << 8 * (n - 4);
    } else {
        for (size_t i = 0; i < n; i++)
            word |= (uint64_t)(uint8_t)p[i] << 8 * i;
    }
    return word | 0x2020202020202020u << 8 * n;
}

#ifdef __SSE2__
/* Bit i is set if byte i of sixteen needs an escape. */
static inline unsigned escapes_in_16(const char *p)
{
    __m128i bytes = _mm_loadu_si128((const void *)p);
    __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    __m128i quote = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), backslash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(control, _mm_or_si128(quote, backslash)));
}
#endif

static size_t plain_words(const char *p, size_t n)
{
    size_t at = 0;
    for (; n - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, p + at, sizeof word);
        uint64_t escapes = escapes_in(word);
        if (escapes)
            return at + (size_t)__builtin_ctzll(escapes) / 8;
    }
    uint64_t escapes = n > at ? escapes_in(word_of(p + at, n - at)) : 0;
    return escapes ? at + (size_t)__builtin_ctzll(escapes) / 8 : n;
}

#ifdef __SSE2__
/* Of n >= 16 bytes, those up to the first that needs an escape. */
static size_t plain_long(const char *p, size_t n)
{
    const char *at = p, *last = p + n - 16;
    for (;; at = last - at > 16 ? at + 16 : last) {       /* the last sixteen overlap those before, which have none */
        unsigned escapes = escapes_in_16(at);
        if (escapes)
            return (size_t)(at - p) + (size_t)__builtin_ctz(escapes);
        if (at == last)
            return n;
    }
}
#else
#define plain_long plain_words
#endif

/* Bytes from `from` on that stand for themselves. */
static inline size_t plain_run(struct str s, size_t from)
{
    size_t n = s.n - from;
    return n >= 16 ? plain_long(s.p + from, n) : n > 0 ? plain_words(s.p + from, n) : 0;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "plain_run reads little-endian words");

static void write_escape(struct buf *buf, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char shorts[0x20] = {['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
    char text[6] = {'\\', (char)c};
    size_t n = 2;
    if (c < 0x20 && shorts[c]) {
        text[1] = shorts[c];
    } else if (c < 0x20) {
        memcpy(text + 1, "u00", 3);
        text[4] = hex[c >> 4];
        text[5] = hex[c & 15];
        n = 6;
    }
    buf_add(buf, (struct str){text, n});
}

/* The string, its quotes and, after a key, the colon. */
static void write_str(struct buf *buf, struct str s, bool is_key)
{
    size_t run = plain_run(s, 0);
    if (run == s.n) {
        char *to = buf_reserve(buf, s.n + 3);
        if (!to)
            return;
        to[0] = '"';
        if (s.n)
            memcpy(to + 1, s.p, s.n);
        to[s.n + 1] = '"';
        to[s.n + 2] = ':';
        buf->n += s.n + 2 + is_key;
        return;
    }
    buf_add_char(buf, '"');
    for (size_t at = 0; at < s.n && !buf->failed; at += run) {
        run = plain_run(s, at);
        buf_add(buf, (struct str){s.p + at, run});
        if (at + run < s.n)
            write_escape(buf, (unsigned char)s.p[at + run++]);
    }
    buf_add(buf, is_key ? STR("\":") : STR("\""));
}

void json_write_str(struct buf *buf, struct str text)
{
    write_str(buf, text, false);
}

static void json_write_at(struct buf *buf, const struct json *json, unsigned depth);

static void write_children(struct buf *buf, const struct json *json, unsigned depth)
{
    bool object = json->type == JSON_OBJECT;
    buf_add_char(buf, object ? '{' : '[');
    for (const struct json *child = json->first; child && !buf->failed; child = child->next) {
        if (child != json->first)
            buf_add_char(buf, ',');
        if (object)
            write_str(buf, child->key, true);
        json_write_at(buf, child, depth);
    }
    buf_add_char(buf, object ? '}' : ']');
}

static void json_write_at(struct buf *buf, const struct json *json, unsigned depth)
{
    ENSURE(depth < WALK_DEPTH_MAX);
    switch (json->type) {
    case JSON_NULL:
        buf_lit(buf, "null");
        return;
    case JSON_FALSE:
        buf_lit(buf, "false");
        return;
    case JSON_TRUE:
        buf_lit(buf, "true");
        return;
    case JSON_NUMBER:
    case JSON_RAW:
        buf_add(buf, json->text);
        return;
    case JSON_STRING:
        write_str(buf, json->text, false);
        return;
    case JSON_ARRAY:
    case JSON_OBJECT:
        write_children(buf, json, depth + 1);
        return;
    }
    UNREACHABLE();
}

void json_write(struct buf *buf, const struct json *json)
{
    json_write_at(buf, json, 0);
}

struct str json_text(struct arena *arena, const struct json *json)
{
    struct buf buf;
    buf_init(&buf, arena, SIZE_MAX / 8);
    json_write(&buf, json);
    return buf_str(&buf);
}

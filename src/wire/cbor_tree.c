/* cbor_tree.c -- the walks of cbor_tree.h, over libcbor's decoder and encoder of single items.
 *
 * libcbor's own tree would allocate what a length announces; its streaming decoder allocates nothing. So a token is taken at a
 * time (callbacks fill one struct), and the shape is walked along with them. What a length announces is believed only as
 * far as bytes are there: every value takes one, and values are counted. */
#include "wire/cbor_tree.h"
#include "base/codec.h"
#include "base/panic.h"
#include <cbor.h>
#include <math.h>
#include <stdlib.h>

#define TAG_EPOCH 1

enum cbor_kind {
    CBOR_NONE, CBOR_UNSIGNED, CBOR_NEGATIVE, CBOR_BYTES, CBOR_TEXT, CBOR_BYTES_OPEN, CBOR_TEXT_OPEN, CBOR_LIST, CBOR_LIST_OPEN,
    CBOR_PAIRS, CBOR_PAIRS_OPEN, CBOR_TAGGED, CBOR_REAL, CBOR_BOOL, CBOR_NOTHING, CBOR_STOP
};
struct cbor_token {
    enum cbor_kind kind;
    uint64_t number;            /* a value, a length, a tag; negative: -1 - number */
    double real;
    struct str text;
};
struct cbor_reader {
    struct call *call;
    const struct model *m;
    struct str rest;
    unsigned depth;
    size_t nodes;
};

/* ---- tokens ---- */

static void put_token(void *token, enum cbor_kind kind, uint64_t number, struct str text)
{
    *(struct cbor_token *)token = (struct cbor_token){.kind = kind, .number = number, .text = text};
}

#define INTEGER_CALLBACK(name, type, kind)                                                                                         \
    static void name(void *token, type value)                                                                                      \
    {                                                                                                                              \
        put_token(token, kind, value, STR_NONE);                                                                                   \
    }
INTEGER_CALLBACK(cbor_on_uint8, uint8_t, CBOR_UNSIGNED)
INTEGER_CALLBACK(cbor_on_uint16, uint16_t, CBOR_UNSIGNED)
INTEGER_CALLBACK(cbor_on_uint32, uint32_t, CBOR_UNSIGNED)
INTEGER_CALLBACK(cbor_on_uint64, uint64_t, CBOR_UNSIGNED)
INTEGER_CALLBACK(cbor_on_negint8, uint8_t, CBOR_NEGATIVE)
INTEGER_CALLBACK(cbor_on_negint16, uint16_t, CBOR_NEGATIVE)
INTEGER_CALLBACK(cbor_on_negint32, uint32_t, CBOR_NEGATIVE)
INTEGER_CALLBACK(cbor_on_negint64, uint64_t, CBOR_NEGATIVE)
INTEGER_CALLBACK(cbor_on_array, size_t, CBOR_LIST)
INTEGER_CALLBACK(cbor_on_map, size_t, CBOR_PAIRS)
INTEGER_CALLBACK(cbor_on_tag, uint64_t, CBOR_TAGGED)
INTEGER_CALLBACK(cbor_on_bool, bool, CBOR_BOOL)

#define BARE_CALLBACK(name, kind)                                                                                                  \
    static void name(void *token)                                                                                                  \
    {                                                                                                                              \
        put_token(token, kind, 0, STR_NONE);                                                                                       \
    }
BARE_CALLBACK(cbor_on_bytes_open, CBOR_BYTES_OPEN)
BARE_CALLBACK(cbor_on_text_open, CBOR_TEXT_OPEN)
BARE_CALLBACK(cbor_on_array_open, CBOR_LIST_OPEN)
BARE_CALLBACK(cbor_on_map_open, CBOR_PAIRS_OPEN)
BARE_CALLBACK(cbor_on_null, CBOR_NOTHING)
BARE_CALLBACK(cbor_on_undefined, CBOR_NOTHING)
BARE_CALLBACK(cbor_on_break, CBOR_STOP)

static void cbor_on_bytes(void *token, cbor_data data, size_t n)
{
    put_token(token, CBOR_BYTES, n, (struct str){(const char *)data, n});
}

static void cbor_on_text(void *token, cbor_data data, size_t n)
{
    put_token(token, CBOR_TEXT, n, (struct str){(const char *)data, n});
}

static void cbor_on_float(void *token, float value)
{
    *(struct cbor_token *)token = (struct cbor_token){.kind = CBOR_REAL, .real = (double)value};
}

static void cbor_on_double(void *token, double value)
{
    *(struct cbor_token *)token = (struct cbor_token){.kind = CBOR_REAL, .real = value};
}

static const struct cbor_callbacks token_callbacks = {
    .uint8 = cbor_on_uint8,
    .uint16 = cbor_on_uint16,
    .uint32 = cbor_on_uint32,
    .uint64 = cbor_on_uint64,
    .negint8 = cbor_on_negint8,
    .negint16 = cbor_on_negint16,
    .negint32 = cbor_on_negint32,
    .negint64 = cbor_on_negint64,
    .byte_string_start = cbor_on_bytes_open,
    .byte_string = cbor_on_bytes,
    .string = cbor_on_text,
    .string_start = cbor_on_text_open,
    .indef_array_start = cbor_on_array_open,
    .array_start = cbor_on_array,
    .indef_map_start = cbor_on_map_open,
    .map_start = cbor_on_map,
    .tag = cbor_on_tag,
    .float2 = cbor_on_float,
    .float4 = cbor_on_float,
    .float8 = cbor_on_double,
    .undefined = cbor_on_undefined,
    .null = cbor_on_null,
    .boolean = cbor_on_bool,
    .indef_break = cbor_on_break,
};

static bool cbor_refuse(struct cbor_reader *r, const char *what)
{
    if (!r->call->failed)
        call_fault(r->call, FAULT_SERIALIZATION, str_of(what));
    return false;
}

/* There is no room in the memory budget. */
static bool cbor_over(struct cbor_reader *r, enum err err)
{
    wire_fail_parse(r->call, err);
    return false;
}

static bool next_token(struct cbor_reader *r, struct cbor_token *ret)
{
    *ret = (struct cbor_token){.kind = CBOR_NONE};
    enum err over = arena_over_next(r->call->arena, &r->nodes);
    if (over != ERR_OK)
        return cbor_over(r, over);
    if (r->nodes > CBOR_TREE_NODES_MAX)
        return cbor_refuse(r, "The body has too many values.");
    struct cbor_decoder_result result = cbor_stream_decode((cbor_data)r->rest.p, r->rest.n, &token_callbacks, ret);
    if (result.status != CBOR_DECODER_FINISHED || ret->kind == CBOR_NONE)
        return cbor_refuse(r, "The body is no CBOR.");
    r->rest = str_slice(r->rest, result.read, r->rest.n);
    return true;
}

/* ---- values ---- */

static bool cbor_value(struct cbor_reader *r, const struct cbor_token *token, const struct model_shape *shape, struct json **ret);

/* A string's text, also where it comes in chunks. */
static bool whole_text(struct cbor_reader *r, const struct cbor_token *first, struct str *ret)
{
    enum cbor_kind part = first->kind == CBOR_BYTES_OPEN || first->kind == CBOR_BYTES ? CBOR_BYTES : CBOR_TEXT;
    struct cbor_token token = *first;
    struct buf text;
    *ret = first->text;
    if (first->kind == CBOR_BYTES_OPEN || first->kind == CBOR_TEXT_OPEN) {
        buf_init(&text, r->call->arena, r->rest.n);
        for (;;) {
            if (!next_token(r, &token))
                return false;
            if (token.kind == CBOR_STOP)
                break;
            if (token.kind != part)
                return cbor_refuse(r, "The body is no CBOR.");
            buf_add(&text, token.text);
        }
        if (text.failed)
            return cbor_over(r, arena_over(r->call->arena));
        *ret = buf_str(&text);
    }
    return part == CBOR_BYTES || utf8_valid(*ret) || cbor_refuse(r, "The body has text that is not valid UTF-8.");
}

/* The shortest text that is read back as the same double. */
static struct str real_text(struct arena *arena, double value)
{
    if (isnan(value))
        return STR("NaN");
    if (isinf(value))
        return value < 0 ? STR("-Infinity") : STR("Infinity");
    if (value == floor(value) && fabs(value) < 1e15)
        return arena_printf(arena, "%.0f", value);
    for (int digits = 1;; digits++) {
        struct str text = arena_printf(arena, "%.*g", digits, value);
        if (digits == 17 || strtod(text.p, NULL) == value)
            return text;
    }
}

static bool cbor_integer(struct cbor_reader *r, const struct cbor_token *token, const struct model_shape *shape, struct json **ret)
{
    int64_t low = shape->type == MODEL_INTEGER ? INT32_MIN : INT64_MIN, high = shape->type == MODEL_INTEGER ? INT32_MAX : INT64_MAX;
    int64_t value;
    if (token->kind == CBOR_REAL && token->real == floor(token->real) && fabs(token->real) < 9.2e18)
        value = (int64_t)token->real;
    else if ((token->kind == CBOR_UNSIGNED || token->kind == CBOR_NEGATIVE) && token->number <= INT64_MAX)
        value = token->kind == CBOR_NEGATIVE ? -1 - (int64_t)token->number : (int64_t)token->number;
    else
        return cbor_refuse(r, "The body has a value of another type where an integer is expected.");
    if (value < low || value > high)
        return cbor_refuse(r, "The body has an integer that is out of range.");
    *ret = json_new_i64(r->call->arena, value);
    return true;
}

static double token_number(const struct cbor_token *token)
{
    if (token->kind == CBOR_REAL)
        return token->real;
    return token->kind == CBOR_NEGATIVE ? -1 - (double)token->number : (double)token->number;
}

static bool is_numeric_token(const struct cbor_token *token)
{
    return token->kind == CBOR_UNSIGNED || token->kind == CBOR_NEGATIVE || token->kind == CBOR_REAL;
}

/* No number is a string: NaN, Infinity, -Infinity, as in JSON. */
static bool cbor_real(struct cbor_reader *r, const struct cbor_token *token, struct json **ret)
{
    if (!is_numeric_token(token))
        return cbor_refuse(r, "The body has a value of another type where a number is expected.");
    double value = token_number(token);
    struct str text = real_text(r->call->arena, value);
    *ret = isfinite(value) ? json_new_number(r->call->arena, text) : json_new_str(r->call->arena, text);
    return true;
}

/* Epoch seconds, to the millisecond. */
static bool cbor_timestamp(struct cbor_reader *r, const struct cbor_token *token, struct json **ret)
{
    struct cbor_token inner = *token;
    if (token->kind == CBOR_TAGGED && (token->number != TAG_EPOCH || !next_token(r, &inner)))
        return cbor_refuse(r, "The body has a timestamp that is not in epoch seconds.");
    double value = token_number(&inner);
    if (!is_numeric_token(&inner) || !(fabs(value) < 1e13))
        return cbor_refuse(r, "The body has a timestamp that is not in epoch seconds.");
    *ret = json_new_number(r->call->arena, real_text(r->call->arena, round(value * 1000) / 1000));
    return true;
}

static bool cbor_scalar(struct cbor_reader *r, const struct cbor_token *token, const struct model_shape *shape, struct json **ret)
{
    bool text = token->kind == CBOR_TEXT || token->kind == CBOR_TEXT_OPEN;
    bool bytes = token->kind == CBOR_BYTES || token->kind == CBOR_BYTES_OPEN;
    struct str value;
    struct buf base64;
    switch ((enum model_type)shape->type) {
    case MODEL_INTEGER:
    case MODEL_LONG:
        return cbor_integer(r, token, shape, ret);
    case MODEL_FLOAT:
    case MODEL_DOUBLE:
        return cbor_real(r, token, ret);
    case MODEL_TIMESTAMP:
        return cbor_timestamp(r, token, ret);
    case MODEL_BOOLEAN:
        if (token->kind != CBOR_BOOL)
            break;
        *ret = json_new(r->call->arena, token->number ? JSON_TRUE : JSON_FALSE);
        return true;
    case MODEL_STRING:
        if (!text)
            break;
        if (!whole_text(r, token, &value))
            return false;
        *ret = json_new_str(r->call->arena, value);
        return true;
    case MODEL_BLOB:
        if (!bytes)
            break;
        if (!whole_text(r, token, &value))
            return false;
        buf_init(&base64, r->call->arena, value.n * 2 + 4);
        base64_write(&base64, value);
        if (base64.failed)
            return cbor_over(r, arena_over(r->call->arena));
        *ret = json_new_str(r->call->arena, buf_str(&base64));
        return true;
    case MODEL_STRUCTURE:
    case MODEL_LIST:
    case MODEL_MAP:
        break;
    }
    return cbor_refuse(r, "The body has a value of another type than the member's.");
}

/* ---- collections ---- */

/* The next of `*left` values, or of those up to the break when `open`. False: there is none, or the call has failed. */
static bool next_within(struct cbor_reader *r, bool open, uint64_t *left, struct cbor_token *ret)
{
    if (!open && (*left)-- == 0)
        return false;
    return next_token(r, ret) && !(open && ret->kind == CBOR_STOP);
}

/* A key and the first token of its value. */
static bool cbor_next_pair(struct cbor_reader *r, bool open, uint64_t *left, struct str *ret_key, struct cbor_token *ret)
{
    struct cbor_token key;
    if (!next_within(r, open, left, &key))
        return false;
    if (key.kind != CBOR_TEXT && key.kind != CBOR_TEXT_OPEN)
        return cbor_refuse(r, "The body has a map whose key is no text.");
    return whole_text(r, &key, ret_key) && next_token(r, ret);
}

static bool cbor_skip(struct cbor_reader *r, const struct cbor_token *token);

static bool cbor_structure(struct cbor_reader *r, const struct cbor_token *start, const struct model_shape *shape,
                           struct json *tree)
{
    uint64_t left = start->number;
    struct cbor_token token;
    struct str key;
    while (cbor_next_pair(r, start->kind == CBOR_PAIRS_OPEN, &left, &key, &token)) {
        const struct model_member *member = model_member_find_wire(r->m, shape, key);
        struct json *child = NULL;
        if (!member) {
            if (!cbor_skip(r, &token))
                return false;
            continue;
        }
        if (!cbor_value(r, &token, &r->m->shapes[member->shape], &child))
            return false;
        if (child)
            json_add_key(tree, model_member_name(r->m, member), child);
    }
    json_keep_last(tree);
    if (!r->call->failed && (shape->flags & MODEL_SHAPE_UNION) && tree->count != 1)
        return cbor_refuse(r, "The body has a union without exactly one member.");
    return !r->call->failed;
}

/* The elements of a list, or the pairs of a map. */
static bool cbor_elements(struct cbor_reader *r, const struct cbor_token *start, const struct model_shape *shape, struct json *tree)
{
    bool map = shape->type == MODEL_MAP, open = start->kind == CBOR_LIST_OPEN || start->kind == CBOR_PAIRS_OPEN;
    const struct model_shape *element = &r->m->shapes[model_element(r->m, shape, map)->shape];
    uint64_t left = start->number;
    struct cbor_token token;
    struct str key;
    while (map ? cbor_next_pair(r, open, &left, &key, &token) : next_within(r, open, &left, &token)) {
        struct json *child = NULL;
        if (!cbor_value(r, &token, element, &child))
            return false;
        if (!child && (shape->flags & MODEL_SHAPE_SPARSE))
            child = json_new(r->call->arena, JSON_NULL);
        if (child && map)
            json_add_key(tree, key, child);
        else if (child)
            json_add(tree, NULL, child);
    }
    if (map)
        json_keep_last(tree);
    return !r->call->failed;
}

static bool cbor_collection(struct cbor_reader *r, const struct cbor_token *token, const struct model_shape *shape,
                            struct json **ret)
{
    bool list = token->kind == CBOR_LIST || token->kind == CBOR_LIST_OPEN;
    bool pairs = token->kind == CBOR_PAIRS || token->kind == CBOR_PAIRS_OPEN;
    if ((shape->type == MODEL_LIST ? !list : !pairs) || (shape->flags & MODEL_SHAPE_DOCUMENT))
        return cbor_refuse(r, "The body has a value of another type than the member's.");
    *ret = json_new(r->call->arena, list ? JSON_ARRAY : JSON_OBJECT);
    return shape->type == MODEL_STRUCTURE ? cbor_structure(r, token, shape, *ret) : cbor_elements(r, token, shape, *ret);
}

/* *ret stays NULL for a null. */
static bool cbor_value(struct cbor_reader *r, const struct cbor_token *token, const struct model_shape *shape, struct json **ret)
{
    bool collection = shape->type == MODEL_STRUCTURE || shape->type == MODEL_LIST || shape->type == MODEL_MAP;
    struct cbor_token inner;
    bool ok;
    if (token->kind == CBOR_NOTHING)
        return true;
    if (++r->depth > CBOR_TREE_DEPTH_MAX)
        return cbor_refuse(r, "The body is nested too deeply.");
    if (token->kind == CBOR_TAGGED && shape->type != MODEL_TIMESTAMP)
        ok = next_token(r, &inner) && cbor_value(r, &inner, shape, ret);
    else
        ok = collection ? cbor_collection(r, token, shape, ret) : cbor_scalar(r, token, shape, ret);
    r->depth--;
    return ok;
}

/* A value that nobody reads. */
static bool cbor_skip(struct cbor_reader *r, const struct cbor_token *token)
{
    bool open = token->kind == CBOR_LIST_OPEN || token->kind == CBOR_PAIRS_OPEN;
    bool pairs = token->kind == CBOR_PAIRS || token->kind == CBOR_PAIRS_OPEN;
    uint64_t left = token->kind == CBOR_TAGGED ? 1 : token->number;
    struct cbor_token inner;
    struct str text;
    if (token->kind == CBOR_STOP)
        return cbor_refuse(r, "The body is no CBOR.");
    if (token->kind == CBOR_TEXT || token->kind == CBOR_TEXT_OPEN || token->kind == CBOR_BYTES_OPEN)
        return whole_text(r, token, &text);
    if (!open && !pairs && token->kind != CBOR_LIST && token->kind != CBOR_TAGGED)
        return true;
    if (++r->depth > CBOR_TREE_DEPTH_MAX)
        return cbor_refuse(r, "The body is nested too deeply.");
    while (pairs ? cbor_next_pair(r, open, &left, &text, &inner) : next_within(r, open, &left, &inner))
        if (!cbor_skip(r, &inner))
            return false;
    r->depth--;
    return !r->call->failed;
}

struct json *cbor_tree_bind(struct call *call, const struct model_shape *shape, struct str body)
{
    struct cbor_reader r = {.call = call, .m = call->api->model, .rest = body};
    struct cbor_token token;
    struct json *tree = NULL;
    if (!next_token(&r, &token) || !cbor_value(&r, &token, shape, &tree))
        return NULL;
    if (!tree || r.rest.n)
        cbor_refuse(&r, "The body is not one value.");
    return call->failed ? NULL : tree;
}

/* ---- writing ---- */

#define CBOR_ITEM_BYTES_MAX 9

#define ADD_ITEM(buf, encode, value)                                                                                               \
    do {                                                                                                                           \
        char *to_ = buf_reserve(buf, CBOR_ITEM_BYTES_MAX);                                                                         \
        if (to_)                                                                                                                   \
            (buf)->n += encode(value, (unsigned char *)to_, CBOR_ITEM_BYTES_MAX);                                                  \
    } while (0)

void cbor_tree_write_text(struct buf *buf, struct str text)
{
    ADD_ITEM(buf, cbor_encode_string_start, text.n);
    buf_add(buf, text);
}

void cbor_tree_write_map(struct buf *buf, size_t count)
{
    ADD_ITEM(buf, cbor_encode_map_start, count);
}

static void write_integer(struct buf *buf, int64_t value)
{
    if (value < 0)
        ADD_ITEM(buf, cbor_encode_negint, (uint64_t)(-1 - value));
    else
        ADD_ITEM(buf, cbor_encode_uint, (uint64_t)value);
}

/* The texts NaN and Infinity are numbers to strtod, too. */
static void write_number(struct buf *buf, const struct model_shape *shape, struct str text)
{
    bool real = shape->type == MODEL_FLOAT || shape->type == MODEL_DOUBLE;
    int64_t integer;
    if (!real && str_to_i64(text, &integer)) {
        write_integer(buf, integer);
        return;
    }
    double value = strtod(arena_cstr(buf->arena, text), NULL);
    if (shape->type == MODEL_FLOAT)
        ADD_ITEM(buf, cbor_encode_single, (float)value);
    else
        ADD_ITEM(buf, cbor_encode_double, value);
}

static void write_blob(struct buf *buf, struct str base64)
{
    struct str bytes = STR_NONE;
    base64_decode(base64, buf->arena, &bytes);
    ADD_ITEM(buf, cbor_encode_bytestring_start, bytes.n);
    buf_add(buf, bytes);
}

static bool travels(const struct model_member *member, const struct json *node)
{
    return member && member->location == MODEL_IN_BODY && node->type != JSON_NULL;
}

static void write_pairs(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    size_t count = 0;
    for JSON_EACH (child, tree)
        count += travels(model_member_find(m, shape, child->key), child);
    cbor_tree_write_map(buf, count);
    for JSON_EACH (child, tree) {
        const struct model_member *member = model_member_find(m, shape, child->key);
        if (!travels(member, child))
            continue;
        cbor_tree_write_text(buf, model_member_wire(m, member));
        cbor_tree_write(buf, m, &m->shapes[member->shape], child);
    }
}

static void write_items(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    bool map = shape->type == MODEL_MAP;
    const struct model_shape *element = &m->shapes[model_element(m, shape, map)->shape];
    if (map)
        cbor_tree_write_map(buf, tree->count);
    else
        ADD_ITEM(buf, cbor_encode_array_start, tree->count);
    for JSON_EACH (child, tree) {
        if (map)
            cbor_tree_write_text(buf, child->key);
        cbor_tree_write(buf, m, element, child);
    }
}

void cbor_tree_write(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree)
{
    struct json *parsed = NULL;
    char *to;
    switch (tree->type) {
    case JSON_RAW:
        if (json_parse(tree->text, buf->arena, &parsed) == ERR_OK)
            cbor_tree_write(buf, m, shape, parsed);
        else
            buf->failed = true;         /* it is our own text: only memory was missing */
        return;
    case JSON_NULL:
    case JSON_TRUE:
    case JSON_FALSE:
        to = buf_reserve(buf, CBOR_ITEM_BYTES_MAX);
        if (to)
            buf->n += cbor_encode_ctrl(tree->type == JSON_NULL   ? 22
                                       : tree->type == JSON_TRUE ? 21
                                                                 : 20,
                                       (unsigned char *)to, CBOR_ITEM_BYTES_MAX);
        return;
    case JSON_NUMBER:
        if (shape->type == MODEL_TIMESTAMP)
            ADD_ITEM(buf, cbor_encode_tag, (uint64_t)TAG_EPOCH);
        write_number(buf, shape, tree->text);
        return;
    case JSON_STRING:
        if (shape->type == MODEL_BLOB)
            write_blob(buf, tree->text);
        else if (shape->type == MODEL_FLOAT || shape->type == MODEL_DOUBLE)
            write_number(buf, shape, tree->text);
        else
            cbor_tree_write_text(buf, tree->text);
        return;
    case JSON_ARRAY:
        ENSURE(shape->type == MODEL_LIST);
        write_items(buf, m, shape, tree);
        return;
    case JSON_OBJECT:
        ENSURE(shape->type == MODEL_STRUCTURE || shape->type == MODEL_MAP);
        if (shape->type == MODEL_MAP)
            write_items(buf, m, shape, tree);
        else
            write_pairs(buf, m, shape, tree);
        return;
    }
    UNREACHABLE();
}

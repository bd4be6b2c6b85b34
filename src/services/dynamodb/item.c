/* item.c -- the formats of item.h. Reading never trusts a length: bytes come from a disk. One reader serves both the tree
 * (item_decode) and the text (item_bytes_write_json); the latter is GetItem's hot path and allocates nothing of its own. */
#include "services/dynamodb/item.h"
#include "base/codec.h"
#include "base/panic.h"

#define NUMBER_TEXT_MAX 24
#define NUMBER_ENCODED 0x80
#define ENCODED_MAX (16u << 20)      /* an encoded item is about as large as its size, 400 KB */

/* ---- writing ---- */

static void put_varint(struct buf *buf, size_t value)
{
    while (value >= 0x80) {
        buf_add_char(buf, (char)(0x80 | (value & 0x7f)));
        value >>= 7;
    }
    buf_add_char(buf, (char)value);
}

static void put_bytes(struct buf *buf, struct str bytes)
{
    put_varint(buf, bytes.n);
    buf_add(buf, bytes);
}

static void put_number(struct buf *buf, const struct decimal *number)
{
    char text[256];
    struct buf plain = {.p = text, .cap = sizeof text, .max = sizeof text - 1};
    decimal_write(&plain, number);
    if (plain.n <= NUMBER_TEXT_MAX) {
        buf_add_char(buf, (char)plain.n);
        buf_add(buf, buf_str(&plain));
        return;
    }
    uint8_t encoded[DECIMAL_ENCODED_MAX];
    size_t n = decimal_encode(number, encoded);
    buf_add_char(buf, (char)(NUMBER_ENCODED | n));
    buf_add(buf, (struct str){(const char *)encoded, n});
}

static void put_value(struct buf *buf, const struct value *value);

static void put_attribute(struct buf *buf, const struct value *value)
{
    put_bytes(buf, value->name);
    put_value(buf, value);
}

static void put_body(struct buf *buf, const struct value *value)
{
    static const uint8_t unknown[4];
    buf_add(buf, (struct str){(const char *)unknown, sizeof unknown});
    size_t from = buf->n;
    put_varint(buf, value->count);
    for (const struct value *child = value->first; child; child = child->next) {
        switch (value->type) {
        case VALUE_M:
            put_attribute(buf, child);
            break;
        case VALUE_L:
            put_value(buf, child);
            break;
        case VALUE_NS:
            put_number(buf, &child->number);
            break;
        default:
            put_bytes(buf, child->bytes);
            break;
        }
    }
    ENSURE(!buf->failed);
    uint8_t length[4];
    put_u32(length, (uint32_t)(buf->n - from));
    memcpy(buf->p + from - sizeof length, length, sizeof length);
}

static void put_value(struct buf *buf, const struct value *value)
{
    buf_add_char(buf, (char)value->type);
    switch (value->type) {
    case VALUE_S: case VALUE_B: put_bytes(buf, value->bytes); break;
    case VALUE_N:
        put_number(buf, &value->number);
        break;
    case VALUE_BOOL:
        buf_add_char(buf, value->boolean);
        break;
    case VALUE_NULL:
        break;
    default:
        put_body(buf, value);
        break;
    }
}

struct str item_encode(const struct value *item, struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena, ENCODED_MAX);
    buf_add_char(&buf, ITEM_VERSION);
    put_varint(&buf, item_size(item));
    put_varint(&buf, item->count);
    for (const struct value *child = item->first; child; child = child->next)
        put_attribute(&buf, child);
    ENSURE(!buf.failed);            /* an item is checked against ITEM_BYTES_MAX before */
    return buf_str(&buf);
}

/* ---- reading ---- */

struct cursor { const uint8_t *at, *end; };

static bool get_byte(struct cursor *c, uint8_t *ret)
{
    if (c->at == c->end)
        return false;
    *ret = *c->at++;
    return true;
}

static bool get_varint(struct cursor *c, size_t *ret)
{
    size_t value = 0;
    uint8_t byte;
    for (unsigned shift = 0; shift <= 28; shift += 7) {
        if (!get_byte(c, &byte))
            return false;
        value |= (size_t)(byte & 0x7f) << shift;
        if (byte & 0x80)
            continue;
        *ret = value;
        return true;
    }
    return false;
}

static bool get_run(struct cursor *c, size_t n, struct str *ret)
{
    if (n > (size_t)(c->end - c->at))
        return false;
    *ret = (struct str){(const char *)c->at, n};
    c->at += n;
    return true;
}

static bool get_bytes(struct cursor *c, struct str *ret)
{
    size_t n;
    return get_varint(c, &n) && get_run(c, n, ret);
}

/* *ret_text: plain digits; or STR_NONE, and the number is in *ret. */
static bool get_number(struct cursor *c, struct str *ret_text, struct decimal *ret)
{
    uint8_t head;
    struct str run;
    if (!get_byte(c, &head) || !get_run(c, head & 0x7f, &run) || run.n == 0)
        return false;
    *ret_text = head & NUMBER_ENCODED ? STR_NONE : run;
    return head & NUMBER_ENCODED ? decimal_decode(run, ret) == run.n : run.n <= NUMBER_TEXT_MAX;
}

/* A container's body; the cursor moves behind it. Each child needs a byte at least, which bounds the count. */
static bool get_body(struct cursor *c, struct cursor *ret_body, size_t *ret_count)
{
    struct str length, body;
    if (!get_run(c, 4, &length) || !get_run(c, get_u32((const uint8_t *)length.p), &body))
        return false;
    *ret_body = (struct cursor){(const uint8_t *)body.p, (const uint8_t *)body.p + body.n};
    return get_varint(ret_body, ret_count) && *ret_count <= body.n;
}

static bool get_header(struct cursor *c, size_t *ret_size, size_t *ret_count)
{
    uint8_t version;
    return get_byte(c, &version) && version == ITEM_VERSION && get_varint(c, ret_size) && get_varint(c, ret_count) &&
           *ret_count <= (size_t)(c->end - c->at);
}

static struct cursor cursor_of(struct str bytes)
{
    const uint8_t *at = (const uint8_t *)bytes.p;
    return (struct cursor){at, at ? at + bytes.n : at};
}

bool item_bytes_size(struct str bytes, size_t *ret)
{
    size_t count;
    struct cursor c = cursor_of(bytes);
    return get_header(&c, ret, &count);
}

/* ---- to a tree ---- */

static struct value *decode_value(struct cursor *c, struct arena *arena, unsigned depth);

static bool decode_number(struct cursor *c, struct decimal *ret)
{
    struct str text;
    return get_number(c, &text, ret) && (!text.n || decimal_parse(text, ret) == DECIMAL_OK);
}

static struct value *decode_element(struct cursor *c, enum value_type set, struct arena *arena)
{
    struct value *element = value_new(arena, value_set_element(set));
    bool fine = set == VALUE_NS ? decode_number(c, &element->number) : get_bytes(c, &element->bytes);
    return fine ? element : NULL;
}

static bool decode_children(struct cursor *c, struct value *parent, size_t count, struct arena *arena, unsigned depth)
{
    while (count-- > 0) {
        struct str name = STR_NONE;
        if (parent->type == VALUE_M && !get_bytes(c, &name))
            return false;
        struct value *child = value_is_set(parent->type) ? decode_element(c, parent->type, arena) : decode_value(c, arena, depth);
        if (!child)
            return false;
        child->name = name;
        value_append(parent, child);
    }
    return c->at == c->end;
}

static bool decode_container(struct cursor *c, struct value *value, struct arena *arena, unsigned depth)
{
    struct cursor body;
    size_t count;
    return depth < VALUE_DEPTH_MAX && get_body(c, &body, &count) && decode_children(&body, value, count, arena, depth + 1);
}

static struct value *decode_value(struct cursor *c, struct arena *arena, unsigned depth)
{
    uint8_t type, byte = 0;
    bool fine;
    if (!get_byte(c, &type) || type >= VALUE_TYPES)
        return NULL;
    struct value *value = value_new(arena, type);
    switch (value->type) {
    case VALUE_S: case VALUE_B: fine = get_bytes(c, &value->bytes); break;
    case VALUE_N:
        fine = decode_number(c, &value->number);
        break;
    case VALUE_BOOL:
        fine = get_byte(c, &byte) && byte <= 1;
        value->boolean = byte;
        break;
    case VALUE_NULL:
        fine = true;
        break;
    default:
        fine = decode_container(c, value, arena, depth);
        break;
    }
    return fine ? value : NULL;
}

struct value *item_decode(struct str bytes, struct arena *arena)
{
    size_t size, count;
    struct cursor c = cursor_of(bytes);
    struct value *item = value_new(arena, VALUE_M);
    return get_header(&c, &size, &count) && decode_children(&c, item, count, arena, 0) ? item : NULL;
}

/* ---- to text ---- */

static bool write_value(struct buf *buf, struct cursor *c, unsigned depth);

static bool write_string(struct buf *buf, struct cursor *c)
{
    struct str bytes;
    if (!get_bytes(c, &bytes))
        return false;
    json_write_str(buf, bytes);
    return true;
}

static bool write_binary(struct buf *buf, struct cursor *c)
{
    struct str bytes;
    if (!get_bytes(c, &bytes))
        return false;
    buf_add_char(buf, '"');
    base64_write(buf, bytes);
    buf_add_char(buf, '"');
    return true;
}

static bool item_write_number(struct buf *buf, struct cursor *c)
{
    struct str text;
    struct decimal number;
    if (!get_number(c, &text, &number))
        return false;
    buf_add_char(buf, '"');
    if (text.n)
        buf_add(buf, text);
    else
        decimal_write(buf, &number);
    buf_add_char(buf, '"');
    return true;
}

static bool write_attributes(struct buf *buf, struct cursor *c, size_t count, unsigned depth)
{
    buf_add_char(buf, '{');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_char(buf, ',');
        if (!write_string(buf, c))
            return false;
        buf_add_char(buf, ':');
        if (!write_value(buf, c, depth))
            return false;
    }
    buf_add_char(buf, '}');
    return true;
}

static bool item_write_elements(struct buf *buf, struct cursor *c, enum value_type type, size_t count, unsigned depth)
{
    buf_add_char(buf, '[');
    for (size_t i = 0; i < count; i++) {
        bool fine;
        if (i)
            buf_add_char(buf, ',');
        if (type == VALUE_L)
            fine = write_value(buf, c, depth);
        else if (type == VALUE_SS)
            fine = write_string(buf, c);
        else
            fine = type == VALUE_NS ? item_write_number(buf, c) : write_binary(buf, c);
        if (!fine)
            return false;
    }
    buf_add_char(buf, ']');
    return true;
}

static bool write_container(struct buf *buf, struct cursor *c, enum value_type type, unsigned depth)
{
    struct cursor body;
    size_t count;
    if (depth >= VALUE_DEPTH_MAX || !get_body(c, &body, &count))
        return false;
    bool fine =
        type == VALUE_M ? write_attributes(buf, &body, count, depth + 1) : item_write_elements(buf, &body, type, count, depth + 1);
    return fine && body.at == body.end;
}

static bool write_bool(struct buf *buf, struct cursor *c)
{
    uint8_t byte;
    if (!get_byte(c, &byte) || byte > 1)
        return false;
    buf_add(buf, byte ? STR("true") : STR("false"));
    return true;
}

static bool write_value(struct buf *buf, struct cursor *c, unsigned depth)
{
    static const struct str heads[VALUE_TYPES] = {
        {"{\"S\":", 5}, {"{\"N\":", 5}, {"{\"B\":", 5}, {"{\"BOOL\":", 8}, {"{\"NULL\":true", 12},
        {"{\"M\":", 5}, {"{\"L\":", 5}, {"{\"SS\":", 6}, {"{\"NS\":", 6}, {"{\"BS\":", 6},
    };
    uint8_t type;
    bool fine;
    if (!get_byte(c, &type) || type >= VALUE_TYPES)
        return false;
    buf_add(buf, heads[type]);
    switch ((enum value_type)type) {
    case VALUE_S:
        fine = write_string(buf, c);
        break;
    case VALUE_N:
        fine = item_write_number(buf, c);
        break;
    case VALUE_B:
        fine = write_binary(buf, c);
        break;
    case VALUE_BOOL:
        fine = write_bool(buf, c);
        break;
    case VALUE_NULL:
        fine = true;
        break;
    default:
        fine = write_container(buf, c, type, depth);
        break;
    }
    buf_add_char(buf, '}');
    return fine;
}

bool item_bytes_write_json(struct buf *buf, struct str bytes)
{
    size_t size, count;
    struct cursor c = cursor_of(bytes);
    return get_header(&c, &size, &count) && write_attributes(buf, &c, count, 0) && c.at == c.end;
}

/* ---- keys ---- */

static struct str key_bytes(const char *head, size_t head_n, const struct value *value, struct arena *arena)
{
    uint8_t encoded[DECIMAL_ENCODED_MAX];
    struct str bytes = value->bytes;
    ENSURE(value->type <= VALUE_B);
    if (value->type == VALUE_N)
        bytes = (struct str){(const char *)encoded, decimal_encode(&value->number, encoded)};
    char *key = arena_alloc(arena, head_n + bytes.n + 1);
    memcpy(key, head, head_n);
    if (bytes.n)
        memcpy(key + head_n, bytes.p, bytes.n);
    return (struct str){key, head_n + bytes.n};
}

struct str key_collection(const struct value *hash, struct arena *arena)
{
    const char head[] = {(char)hash->type};
    return key_bytes(head, sizeof head, hash, arena);
}

struct str key_item(const struct value *range, struct arena *arena)
{
    if (!range)
        return STR("i");
    const char head[] = {'i', (char)range->type};
    return key_bytes(head, sizeof head, range, arena);
}

struct str key_range_prefix(enum value_type type, struct arena *arena)
{
    const char head[] = {'i', (char)type};
    return arena_dup(arena, (struct str){head, sizeof head});
}

/* item_fuzz.c -- items: as bytes of a disk (first byte even) and as JSON of a client (odd). What the tree's reader takes,
 * the text's writer takes, and storing it again gives the same item; what comes in as JSON goes out as the same. */
#include "base/panic.h"
#include "services/dynamodb/item.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct str text_of(struct arena *arena, struct str bytes)
{
    struct buf buf;
    buf_init(&buf, arena, ITEM_JSON_MAX);
    ENSURE(item_bytes_write_json(&buf, bytes));
    return buf_str(&buf);
}

static void stored(const struct value *item, struct arena *arena)
{
    struct buf tree;
    struct str bytes = item_encode(item, arena);
    struct value *back = item_decode(bytes, arena);
    size_t counted = 0;
    ENSURE(back && value_equal(item, back));
    ENSURE(item_bytes_size(bytes, &counted) && counted == item_size(item));
    buf_init(&tree, arena, ITEM_JSON_MAX);
    item_write_json(&tree, item);
    ENSURE(str_eq(buf_str(&tree), text_of(arena, bytes)));
}

static void from_disk(struct arena *arena, struct str bytes)
{
    struct buf buf;
    struct value *item = item_decode(bytes, arena);
    buf_init(&buf, arena, ITEM_JSON_MAX);
    if (!item) item_bytes_write_json(&buf, bytes);
    else text_of(arena, bytes), stored(item, arena);
}

static void from_client(struct arena *arena, struct str text)
{
    struct json *json;
    struct str message = STR_NONE;
    bool serialization = false;
    if (json_parse(text, arena, &json) != ERR_OK) return;
    struct value *item = item_from_json(json, arena, &message, &serialization), *again;
    if (!item) {
        ENSURE(message.n > 0);
        return;
    }
    ENSURE(item->count == 0 || !value_too_deep(item->first));
    stored(item, arena);
    ENSURE(json_parse(text_of(arena, item_encode(item, arena)), arena, &json) == ERR_OK);
    again = item_from_json(json, arena, &message, &serialization);
    ENSURE(again && value_equal(item, again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    struct arena *arena = arena_new();
    struct str rest = arena_dup(arena, (struct str){(const char *)data + 1, size - 1});
    if (data[0] & 1) from_client(arena, rest);
    else from_disk(arena, rest);
    arena_free(arena);
    return 0;
}

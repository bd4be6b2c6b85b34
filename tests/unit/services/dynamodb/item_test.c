/* item_test.c -- the formats on disk: round trips of random items, agreement of both readers, damage, the order of keys. */
#include "dynamodb_test.h"
#include "services/dynamodb/item.h"

static void items_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 2000; i++) {
        struct arena *arena = arena_new();
        struct value *item = random_item(arena, &seed), *back;
        struct str bytes = item_encode(item, arena);
        size_t size = 0;
        struct buf tree, direct;
        buf_init(&tree, arena, 1 << 20);
        buf_init(&direct, arena, 1 << 20);
        back = item_decode(bytes, arena);
        assert_non_null(back);
        assert_true(value_equal(item, back));
        assert_true(item_bytes_size(bytes, &size));
        assert_int_equal(size, item_size(item));
        item_write_json(&tree, item);
        assert_true(item_bytes_write_json(&direct, bytes));
        assert_true(str_eq(buf_str(&tree), buf_str(&direct)));
        assert_true(value_equal(item, item_of(arena, json_of(arena, buf_str(&direct)))));
        arena_free(arena);
    }
}

/* Whatever is cut off or changed: an answer, never a read outside (AddressSanitizer watches), never more than was there. */
static void damage_is_survived(void **state)
{
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 300; i++) {
        struct arena *arena = arena_new();
        struct str bytes = item_encode(random_item(arena, &seed), arena);
        for (size_t n = 0; n < bytes.n; n += 1 + bytes.n / 64) {
            struct buf buf;
            buf_init(&buf, arena, 1 << 22);
            struct str cut = arena_dup(arena, str_slice(bytes, 0, n));
            assert_null(item_decode(cut, arena));
            item_bytes_write_json(&buf, cut);
            char *changed = arena_cstr(arena, bytes);
            changed[n] = (char)random_below(&seed, 256);
            item_decode((struct str){changed, bytes.n}, arena);
            buf_reset(&buf);
            item_bytes_write_json(&buf, (struct str){changed, bytes.n});
        }
        arena_free(arena);
    }
}

static void format_is_frozen(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct value *item = item_text(arena, "{\"id\":{\"S\":\"ab\"},\"n\":{\"N\":\"-1.50\"},\"x\":{\"N\":\"1E40\"},\"b\":{\"BOOL\":"
                                          "true},\"z\":{\"NULL\":true},"
                                          "\"m\":{\"M\":{\"k\":{\"L\":[{\"B\":\"AQ==\"}]}}},\"s\":{\"NS\":[\"7\"]},\"t\":{\"SS\":["
                                          "\"q\"]}}");
    static const char frozen[] = "\x01\x20\x08"
                                 "\x02id\x00\x02"
                                 "ab"
                                 "\x01n\x01\x04-1.5"
                                 "\x01x\x01\x84\xC0\xAA\x0B\x00"
                                 "\x01"
                                 "b\x03\x01"
                                 "\x01z\x04"
                                 "\x01m\x05\0\0\0\x0c\x01\x01k\x06\0\0\0\x04\x01\x02\x01\x01"
                                 "\x01s\x08\0\0\0\x03\x01\x01"
                                 "7"
                                 "\x01t\x07\0\0\0\x03\x01\x01q";
    struct str bytes = item_encode(item, arena);
    assert_int_equal(bytes.n, sizeof frozen - 1);
    assert_memory_equal(bytes.p, frozen, bytes.n);
    assert_null(item_decode(STR("\x02\x00\x00"), arena));
    arena_free(arena);
}

static int sign(int x)
{
    return (x > 0) - (x < 0);
}

static void keys_keep_the_order_of_values(void **state)
{
    (void)state;
    uint64_t seed = 3;
    struct arena *arena = arena_new();
    static const enum value_type types[] = {VALUE_S, VALUE_N, VALUE_B};
    for (int i = 0; i < 20000; i++) {
        bool comparable;
        struct value *a = value_new(arena, types[i % 3]), *b = value_new(arena, types[i % 3]);
        if (a->type == VALUE_N) {
            a->number = random_number(arena, &seed);
            b->number = random_below(&seed, 8) ? random_number(arena, &seed) : a->number;
        } else {
            a->bytes = random_text(arena, &seed, 6);
            b->bytes = random_text(arena, &seed, 6);
        }
        int order = value_cmp(a, b, &comparable);
        assert_true(comparable);
        assert_int_equal(sign(order), sign(str_cmp(key_item(a, arena), key_item(b, arena))));
        assert_int_equal(order == 0, str_eq(key_collection(a, arena), key_collection(b, arena)));
    }
    assert_str(key_item(NULL, arena), "i");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_round_trip), cmocka_unit_test(damage_is_survived), cmocka_unit_test(format_is_frozen),
        cmocka_unit_test(keys_keep_the_order_of_values),
    };
    return RUN(tests);
}

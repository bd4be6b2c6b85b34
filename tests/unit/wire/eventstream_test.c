/* eventstream_test.c -- messages byte by byte: the example of the specification, every type of header, the bounds. A reader
 * written for this test alone reads them back. */
#include "../base/unit.h"
#include "base/codec.h"
#include "base/hash.h"
#include "wire/eventstream.h"

static struct buf fresh(struct arena *arena)
{
    struct buf buf;
    buf_init(&buf, arena, 32 << 20);
    return buf;
}

static uint32_t number_at(struct str message, size_t at)
{
    assert_true(at + 4 <= message.n);
    return get_u32((const uint8_t *)message.p + at);
}

/* Checks lengths and checksums; gives headers and payload. */
static void open_message(struct str message, struct str *ret_headers, struct str *ret_payload)
{
    assert_int_equal(number_at(message, 0), message.n);
    uint32_t headers_n = number_at(message, 4);
    assert_int_equal(number_at(message, 8), crc32_of(str_slice(message, 0, 8)));
    assert_int_equal(number_at(message, message.n - 4), crc32_of(str_slice(message, 0, message.n - 4)));
    *ret_headers = str_slice(message, 12, 12 + headers_n);
    *ret_payload = str_slice(message, 12 + headers_n, message.n - 4);
}

static void a_message_without_headers(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf buf = fresh(arena);
    struct str headers, payload;
    assert_true(eventstream_write(&buf, NULL, 0, STR("{'foo':'bar'}")));
    assert_int_equal(buf.n, 29);
    open_message(buf_str(&buf), &headers, &payload);
    assert_int_equal(headers.n, 0);
    assert_str(payload, "{'foo':'bar'}");
    assert_memory_equal(buf.p, "\0\0\0\x1d\0\0\0\0\xfd\x52\x8c\x5a", 12);       /* as botocore's own tests have it */
    assert_memory_equal(buf.p + 25, "\xc3\x65\x39\x36", 4);
    arena_free(arena);
}

static void every_type_of_header(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf buf = fresh(arena);
    struct str headers, payload;
    const struct eventstream_header all[] = {
        {.name = STR("a"), .type = EVENTSTREAM_TRUE}, {.name = STR("b"), .type = EVENTSTREAM_FALSE},
        {.name = STR("c"), .type = EVENTSTREAM_BYTE, .number = -1}, {.name = STR("d"), .type = EVENTSTREAM_SHORT, .number = 0x1234},
        {.name = STR("e"), .type = EVENTSTREAM_INT, .number = -2}, {.name = STR("f"), .type = EVENTSTREAM_LONG, .number = 0x0102030405060708},
        {.name = STR("g"), .type = EVENTSTREAM_BYTES, .text = {"\0\xff", 2}}, {.name = STR("h"), .type = EVENTSTREAM_STRING, .text = STR("text")},
        {.name = STR("i"), .type = EVENTSTREAM_TIMESTAMP, .number = 1769850307123}};
    static const char expected[] = "\1a\0" "\1b\1" "\1c\2\xff" "\1d\3\x12\x34" "\1e\4\xff\xff\xff\xfe" "\1f\5\1\2\3\4\5\6\7\x08"
                                   "\1g\6\0\2\0\xff" "\1h\7\0\4text" "\1i\x08";
    assert_true(eventstream_write(&buf, all, COUNT_OF(all), STR_NONE));
    open_message(buf_str(&buf), &headers, &payload);
    assert_int_equal(payload.n, 0);
    assert_int_equal(headers.n, sizeof expected - 1 + 8);
    assert_memory_equal(headers.p, expected, sizeof expected - 1);
    assert_int_equal(get_u64((const uint8_t *)headers.p + headers.n - 8), 1769850307123);
    arena_free(arena);
}

static void messages_follow_each_other(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf buf = fresh(arena);
    struct str headers, payload;
    const struct eventstream_header header = {.name = STR(":event-type"), .type = EVENTSTREAM_STRING, .text = STR("Records")};
    assert_true(eventstream_write(&buf, &header, 1, STR("one")));
    size_t first = buf.n;
    assert_true(eventstream_write(&buf, &header, 1, STR("second")));
    open_message((struct str){buf.p, first}, &headers, &payload);
    assert_str(payload, "one");
    open_message((struct str){buf.p + first, buf.n - first}, &headers, &payload);
    assert_str(payload, "second");
    arena_free(arena);
}

static void the_bounds_hold(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct buf buf = fresh(arena);
    char *large = arena_zalloc(arena, EVENTSTREAM_MESSAGE_MAX);
    struct eventstream_header header = {.name = STR("x"), .type = EVENTSTREAM_STRING, .text = {large, 32767}};
    struct eventstream_header headers[5] = {header, header, header, header, header};
    buf_lit(&buf, "before");
    assert_true(eventstream_write(&buf, headers, 3, STR_NONE));
    buf.n = 6;
    assert_false(eventstream_write(&buf, headers, 5, STR_NONE));
    header.text.n = 32768;
    assert_false(eventstream_write(&buf, &header, 1, STR_NONE));
    header.text.n = 0;
    header.name = (struct str){large, 256};
    assert_false(eventstream_write(&buf, &header, 1, STR_NONE));
    header.name.n = 0;
    assert_false(eventstream_write(&buf, &header, 1, STR_NONE));
    assert_false(eventstream_write(&buf, NULL, 0, (struct str){large, EVENTSTREAM_MESSAGE_MAX - 15}));
    assert_str(buf_str(&buf), "before");
    assert_true(eventstream_write(&buf, NULL, 0, (struct str){large, EVENTSTREAM_MESSAGE_MAX - 16}));
    struct buf full;
    buf_init(&full, arena, 20);
    assert_false(eventstream_write(&full, NULL, 0, STR("too much")));
    assert_int_equal(full.n, 0);
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_message_without_headers), cmocka_unit_test(every_type_of_header),
                                       cmocka_unit_test(messages_follow_each_other), cmocka_unit_test(the_bounds_hold)};
    return RUN(tests);
}

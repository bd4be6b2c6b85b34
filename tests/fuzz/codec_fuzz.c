/* codec_fuzz.c -- the small decoders of base/codec.h and clock_parse. Properties: strict base64 and hex are the one encoding of
 * what they decode to; encoding and decoding give the bytes back; an instant that was read is written and read again as
 * itself; nothing decodes to more than it was. */
#include "base/clock.h"
#include "base/codec.h"
#include "base/panic.h"

static void check_base64(struct arena *arena, struct str input)
{
    struct str bytes;
    struct buf buf;
    buf_init(&buf, arena, 1 << 24);
    if (base64_decode(input, arena, &bytes) == ERR_OK) {
        base64_write(&buf, bytes);
        ENSURE(str_eq(buf_str(&buf), input));
        buf_reset(&buf);
    }
    base64_write(&buf, input);
    ENSURE(base64_decode(buf_str(&buf), arena, &bytes) == ERR_OK && str_eq(bytes, input));
}

static void check_percent(struct arena *arena, struct str input)
{
    struct buf buf;
    buf_init(&buf, arena, 1 << 24);
    percent_write(&buf, input, false);
    ENSURE(str_eq(percent_decode(buf_str(&buf), true, arena), input));
    ENSURE(percent_decode(input, true, arena).n <= input.n);
}

static void check_hex(struct arena *arena, struct str input)
{
    struct buf buf;
    buf_init(&buf, arena, 1 << 24);
    uint8_t *bytes = arena_alloc(arena, input.n / 2 + 1);
    if (!hex_decode(input, bytes)) return;
    hex_write(&buf, (struct str){(const char *)bytes, input.n / 2});
    ENSURE(str_eq_nocase(buf_str(&buf), input));
}

static void check_clock(struct arena *arena, struct str input)
{
    const int64_t year_0 = -INT64_C(62167219200000), year_10000 = INT64_C(253402300800000);
    int64_t ms, again;
    if (!clock_parse(input, &ms) || ms < year_0 || ms >= year_10000) return;    /* a zone can lead out of four digits */
    ENSURE(clock_parse(clock_iso8601_ms(arena, ms), &again) && again == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str input = {(const char *)data, size};
    check_base64(arena, input);
    check_percent(arena, input);
    check_hex(arena, input);
    if (utf8_valid(input)) ENSURE(utf8_count(input) <= size);
    check_clock(arena, input);
    arena_free(arena);
    return 0;
}

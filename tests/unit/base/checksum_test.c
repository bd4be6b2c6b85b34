/* checksum_test.c -- the check values of the catalogue of parametrised CRC algorithms and of FIPS 180; pieces of any size agree. */
#include "unit.h"
#include "base/checksum.h"
#include "base/codec.h"

static struct str hex_of(struct arena *arena, enum checksum kind, struct str bytes, size_t piece)
{
    struct checksum_state state;
    uint8_t digest[CHECKSUM_BYTES_MAX];
    struct buf hex;
    checksum_init(&state, kind);
    while (bytes.n) {
        checksum_update(&state, str_slice(bytes, 0, piece));
        bytes = str_slice(bytes, piece, bytes.n);
    }
    size_t n = checksum_finish(&state, digest);
    assert_int_equal(n, checksum_bytes(kind));
    buf_init(&hex, arena, 2 * CHECKSUM_BYTES_MAX);
    hex_write(&hex, (struct str){(const char *)digest, n});
    return buf_str(&hex);
}

static const char *const check_values[CHECKSUM_COUNT] = {
    [CHECKSUM_CRC32] = "cbf43926", [CHECKSUM_CRC32C] = "e3069283", [CHECKSUM_CRC64NVME] = "ae8b14860a799888",
    [CHECKSUM_SHA1] = "f7c3bc1d808e04732adf679965ccc34ca7ae3441",
    [CHECKSUM_SHA256] = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225",
    [CHECKSUM_SHA512] = "d9e6762dd1c8eaf6d61b3c6192fc408d4d6d5f1176d0c29169bc24e71c3f274a"
                        "d27fcd5811b313d681f7e55ec02d73d499c95455b6b5bb503acf574fba8ffe85",
    [CHECKSUM_MD5] = "25f9e794323b453885f5181f1b624d0b"};

static void the_check_values_come_out(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    for (int kind = 0; kind < CHECKSUM_COUNT; kind++)
        for (size_t piece = 1; piece <= 9; piece++)
            assert_str(hex_of(arena, (enum checksum)kind, STR("123456789"), piece), check_values[kind]);
    arena_free(arena);
}

static void pieces_of_any_size_agree(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    char bytes[1000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * i * 31 + i);
    for (int kind = 0; kind < CHECKSUM_COUNT; kind++) {
        struct str all = {bytes, sizeof bytes}, whole = hex_of(arena, (enum checksum)kind, all, sizeof bytes);
        for (size_t piece = 1; piece < 100; piece += 3)
            assert_true(str_eq(hex_of(arena, (enum checksum)kind, all, piece), whole));
    }
    assert_str(hex_of(arena, CHECKSUM_CRC64NVME, STR_NONE, 1), "0000000000000000");
    assert_str(hex_of(arena, CHECKSUM_CRC32C, STR_NONE, 1), "00000000");
    arena_free(arena);
}

static void names_are_found(void **state)
{
    (void)state;
    enum checksum kind;
    for (int i = 0; i < CHECKSUM_COUNT; i++) {
        assert_true(checksum_named(str_of(checksum_name((enum checksum)i)), &kind));
        assert_int_equal(kind, i);
    }
    assert_true(checksum_named(STR("SHA256"), &kind) && kind == CHECKSUM_SHA256);
    assert_false(checksum_named(STR("xxhash64"), &kind));
    assert_false(checksum_named(STR(""), &kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_check_values_come_out),
        cmocka_unit_test(pieces_of_any_size_agree),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

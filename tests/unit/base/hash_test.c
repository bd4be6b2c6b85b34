/* hash_test.c -- base/hash.h against published vectors: FIPS 180-4, RFC 4231, the check value of CRC-32, and the SipHash
 * paper's appendix with the first vectors of its reference implementation. */
#include "base/codec.h"
#include "base/hash.h"
#include "unit.h"
#include "with_arena.h"

static void sha256_vectors(void **state)
{
    (void)state;
    assert_str(sha256_hex(arena, STR_NONE), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_str(sha256_hex(arena, STR("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_str(sha256_hex(arena, STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* RFC 4231, test cases 1, 2 and 6 (a key longer than a block). */
static void hmac_vectors(void **state)
{
    (void)state;
    char key1[20], key6[131];
    memset(key1, 0x0B, sizeof key1);
    memset(key6, 0xAA, sizeof key6);
    const struct { struct str key, text; const char *digest; } vectors[] = {
        {{key1, sizeof key1}, STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {STR("Jefe"), STR("what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {{key6, sizeof key6}, STR("Test Using Larger Than Block-Size Key - Hash Key First"),
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
    };
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        uint8_t digest[SHA256_BYTES];
        hmac_sha256(vectors[i].key, vectors[i].text, digest);
        struct buf buf;
        buf_init(&buf, arena, 64);
        hex_write(&buf, (struct str){(const char *)digest, sizeof digest});
        assert_str(buf_str(&buf), vectors[i].digest);
    }
}

static void siphash_vectors(void **state)
{
    (void)state;
    /* Key and input are 00 01 02 …; the result for inputs of 0 … 15 bytes. The last is the paper's own example. */
    static const uint64_t expected[] = {
        0x726fdb47dd0e0e31u, 0x74f839c593dc67fdu, 0x0d6c8009d9a94f5au, 0x85676696d7fb7e2du, 0xcf2794e0277187b7u,
        0x18765564cd99a68du, 0xcbc9466e58fee3ceu, 0xab0200f58b01d137u, 0x93f5f5799a932462u, 0x9e0082df0ba9e4b0u,
        0x7a5dbbc594ddb9f3u, 0xf4b32f46226bada7u, 0x751e8fbc860ee5fbu, 0x14ea5627c0843d90u, 0xf723ca908e7af2eeu,
        0xa129ca6149be45e5u,
    };
    uint8_t bytes[16];
    for (uint8_t i = 0; i < 16; i++) bytes[i] = i;
    for (size_t n = 0; n < COUNT_OF(expected); n++)
        assert_true(siphash24(bytes, (struct str){(const char *)bytes, n}) == expected[n]);
    /* 1-3 of no input; then every byte counts. */
    assert_true(siphash13(bytes, STR_NONE) == 0xabac0158050fc4dcu);
    uint64_t whole = siphash13(bytes, (struct str){(const char *)bytes, sizeof bytes});
    for (size_t i = 0; i < sizeof bytes; i++) {
        uint8_t other[sizeof bytes];
        memcpy(other, bytes, sizeof bytes);
        other[i] ^= 1;
        assert_true(siphash13(bytes, (struct str){(const char *)other, sizeof other}) != whole);
    }
}

static void crc_and_comparison(void **state)
{
    (void)state;
    assert_int_equal(crc32_of(STR("123456789")), 0xCBF43926u);
    assert_int_equal(crc32_of(STR_NONE), 0);
    assert_true(bytes_equal_const_time("abc", "abc", 3) && bytes_equal_const_time("x", "y", 0));
    assert_false(bytes_equal_const_time("abc", "abd", 3) || bytes_equal_const_time("xbc", "abc", 3));
    char a[65], b[65];
    memset(a, 'a', sizeof a);
    for (size_t i = 0; i < sizeof a; i++) {
        memcpy(b, a, sizeof b);
        assert_true(bytes_equal_const_time(a, b, sizeof a));
        b[i] = 'b';
        assert_false(bytes_equal_const_time(a, b, sizeof a));
    }
}

static void random_values(void **state)
{
    (void)state;
    uint8_t a[1000] = {0}, b[1000] = {0};
    for (size_t n = 1; n <= sizeof a; n += 37) {
        random_bytes(a, n);
        random_bytes(b, n);
        if (n >= 16) assert_memory_not_equal(a, b, n);
    }
    unsigned seen[3] = {0};
    struct str text = random_chars(arena, "xyz", 3000);
    for (size_t i = 0; i < text.n; i++) seen[text.p[i] - 'x']++;
    for (int i = 0; i < 3; i++) assert_in_range(seen[i], 800, 1200);
    struct str id = uuid4(arena), other = uuid4(arena);
    assert_int_equal(id.n, 36);
    assert_false(str_eq(id, other));
    assert_int_equal(id.p[14], '4');
    assert_non_null(strchr("89ab", id.p[19]));
    for (size_t i = 0; i < id.n; i++) {
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        assert_true(dash ? id.p[i] == '-' : strchr("0123456789abcdef", id.p[i]) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sha256_vectors), cmocka_unit_test(hmac_vectors),
                                       cmocka_unit_test(siphash_vectors), cmocka_unit_test(crc_and_comparison),
                                       cmocka_unit_test(random_values)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

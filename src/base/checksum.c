/* checksum.c -- the checksums of checksum.h, a row of functions each.
 *
 * CRC-32 is libdeflate's, SHA is OpenSSL's, CRC-32C the CPU's own instruction where there is one (SSE 4.2). CRC-64/NVME, and
 * CRC-32C elsewhere, go through tables for eight bytes at a time, made once (Kounavis and Berry, "A systematic approach to
 * building high performance software-based CRC generators", 2005). */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/checksum.h"
#include "base/codec.h"
#include "base/panic.h"
#include <assert.h>
#include <libdeflate.h>
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <pthread.h>
#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

#define CRC64NVME_POLYNOMIAL 0x9A6C9329AC4BC9B5u        /* reflected */
#define CRC32C_POLYNOMIAL 0x82F63B78u

/* ---- CRCs by tables ---- */

struct crc_table {
    uint64_t of[8][256];
};

static struct crc_table crc64_table, crc32c_table;

static void crc_table_make(struct crc_table *table, uint64_t polynomial)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? polynomial : 0);
        table->of[0][byte] = crc;
    }
    for (unsigned byte = 0; byte < 256; byte++)
        for (int i = 1; i < 8; i++)
            table->of[i][byte] = table->of[i - 1][byte] >> 8 ^ table->of[0][table->of[i - 1][byte] & 0xff];
}

static void crc_tables_make(void)
{
    crc_table_make(&crc64_table, CRC64NVME_POLYNOMIAL);
    crc_table_make(&crc32c_table, CRC32C_POLYNOMIAL);
}

static uint64_t crc_by_table(const struct crc_table *table, uint64_t crc, struct str bytes)
{
    const char *p = bytes.p, *end = p + bytes.n;
    for (; end - p >= 8; p += 8) {
        uint64_t word, next = 0;
        memcpy(&word, p, sizeof word);
        word ^= crc;
        for (int i = 0; i < 8; i++)
            next ^= table->of[7 - i][word >> 8 * i & 0xff];
        crc = next;
    }
    for (; p < end; p++)
        crc = crc >> 8 ^ table->of[0][(crc ^ (unsigned char)*p) & 0xff];
    return crc;
}

static void crc_start(struct checksum_state *state)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, crc_tables_make);
    state->words[0] = UINT64_MAX;
}

static void crc64_add(struct checksum_state *state, struct str bytes)
{
    state->words[0] = crc_by_table(&crc64_table, state->words[0], bytes);
}

static void crc64_end(struct checksum_state *state, uint8_t *ret)
{
    put_u64(ret, ~state->words[0]);
}

/* ---- CRC-32C ---- */

static void crc32c_start(struct checksum_state *state)
{
    crc_start(state);
    state->words[0] = UINT32_MAX;
}

static void crc32c_add(struct checksum_state *state, struct str bytes)
{
#ifdef __SSE4_2__
    const char *p = bytes.p, *end = p + bytes.n;
    uint64_t crc = state->words[0];
    for (; end - p >= 8; p += 8) {
        uint64_t word;
        memcpy(&word, p, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    for (; p < end; p++)
        crc = _mm_crc32_u8((uint32_t)crc, (unsigned char)*p);
    state->words[0] = crc;
#else
    state->words[0] = crc_by_table(&crc32c_table, state->words[0], bytes);
#endif
}

static void crc32c_end(struct checksum_state *state, uint8_t *ret)
{
    put_u32(ret, ~(uint32_t)state->words[0]);
}

/* ---- the libraries' ---- */

static void crc32_start(struct checksum_state *state)
{
    state->words[0] = 0;
}

static void crc32_add(struct checksum_state *state, struct str bytes)
{
    state->words[0] = libdeflate_crc32((uint32_t)state->words[0], bytes.p, bytes.n);
}

static void crc32_end(struct checksum_state *state, uint8_t *ret)
{
    put_u32(ret, (uint32_t)state->words[0]);
}

static_assert(sizeof(SHA_CTX) <= sizeof((struct checksum_state){0}.words), "SHA-1 fits");
static_assert(sizeof(SHA256_CTX) <= sizeof((struct checksum_state){0}.words), "SHA-256 fits");

static void sha1_start(struct checksum_state *state)
{
    SHA1_Init((SHA_CTX *)(void *)state->words);
}

static void sha1_add(struct checksum_state *state, struct str bytes)
{
    SHA1_Update((SHA_CTX *)(void *)state->words, bytes.p, bytes.n);
}

static void sha1_end(struct checksum_state *state, uint8_t *ret)
{
    SHA1_Final(ret, (SHA_CTX *)(void *)state->words);
}

static void sha256_start(struct checksum_state *state)
{
    SHA256_Init((SHA256_CTX *)(void *)state->words);
}

static void sha256_add(struct checksum_state *state, struct str bytes)
{
    SHA256_Update((SHA256_CTX *)(void *)state->words, bytes.p, bytes.n);
}

static void sha256_end(struct checksum_state *state, uint8_t *ret)
{
    SHA256_Final(ret, (SHA256_CTX *)(void *)state->words);
}

static_assert(sizeof(SHA512_CTX) <= sizeof((struct checksum_state){0}.words), "SHA-512 fits");
static_assert(sizeof(MD5_CTX) <= sizeof((struct checksum_state){0}.words), "MD5 fits");

static void sha512_start(struct checksum_state *state)
{
    SHA512_Init((SHA512_CTX *)(void *)state->words);
}

static void sha512_add(struct checksum_state *state, struct str bytes)
{
    SHA512_Update((SHA512_CTX *)(void *)state->words, bytes.p, bytes.n);
}

static void sha512_end(struct checksum_state *state, uint8_t *ret)
{
    SHA512_Final(ret, (SHA512_CTX *)(void *)state->words);
}

static void md5_start(struct checksum_state *state)
{
    MD5_Init((MD5_CTX *)(void *)state->words);
}

static void md5_add(struct checksum_state *state, struct str bytes)
{
    MD5_Update((MD5_CTX *)(void *)state->words, bytes.p, bytes.n);
}

static void md5_end(struct checksum_state *state, uint8_t *ret)
{
    MD5_Final(ret, (MD5_CTX *)(void *)state->words);
}

/* ---- the rows ---- */

static const struct checksum_row {
    const char *name;
    size_t bytes;
    void (*start)(struct checksum_state *state);
    void (*add)(struct checksum_state *state, struct str bytes);
    void (*end)(struct checksum_state *state, uint8_t *ret);
} checksum_rows[CHECKSUM_COUNT] = {
    [CHECKSUM_CRC32] = {"crc32", 4, crc32_start, crc32_add, crc32_end},
    [CHECKSUM_CRC32C] = {"crc32c", 4, crc32c_start, crc32c_add, crc32c_end},
    [CHECKSUM_CRC64NVME] = {"crc64nvme", 8, crc_start, crc64_add, crc64_end},
    [CHECKSUM_SHA1] = {"sha1", 20, sha1_start, sha1_add, sha1_end},
    [CHECKSUM_SHA256] = {"sha256", 32, sha256_start, sha256_add, sha256_end},
    [CHECKSUM_SHA512] = {"sha512", 64, sha512_start, sha512_add, sha512_end},
    [CHECKSUM_MD5] = {"md5", 16, md5_start, md5_add, md5_end},
};

bool checksum_named(struct str name, enum checksum *ret)
{
    for (size_t i = 0; i < CHECKSUM_COUNT; i++) {
        if (!str_eq_nocase(name, str_of(checksum_rows[i].name)))
            continue;
        *ret = (enum checksum)i;
        return true;
    }
    return false;
}

const char *checksum_name(enum checksum kind)
{
    return checksum_rows[kind].name;
}

size_t checksum_bytes(enum checksum kind)
{
    return checksum_rows[kind].bytes;
}

void checksum_init(struct checksum_state *state, enum checksum kind)
{
    ENSURE(kind < CHECKSUM_COUNT);
    state->kind = kind;
    checksum_rows[kind].start(state);
}

void checksum_update(struct checksum_state *state, struct str bytes)
{
    if (bytes.n)
        checksum_rows[state->kind].add(state, bytes);
}

size_t checksum_finish(struct checksum_state *state, uint8_t ret[CHECKSUM_BYTES_MAX])
{
    checksum_rows[state->kind].end(state, ret);
    return checksum_rows[state->kind].bytes;
}

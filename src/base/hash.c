/* hash.c -- digests, random bytes and identifiers of hash.h.
 *
 * SHA-256 goes through OpenSSL's SHA256_* functions: they are marked deprecated, but use the CPU's SHA instructions as EVP
 * does and need no context from malloc and no lookup of an algorithm (measured: a signed request costs half of what
 * one-shot EVP calls cost). Random bytes are taken from the kernel 512 at a time for each thread, and wiped once used,
 * because a system call for each request id would show. A fork starts with a pool of its own: the child's copy is dropped. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "base/hash.h"
#include "base/codec.h"
#include "base/ids.h"
#include "base/panic.h"
#include <errno.h>
#include <libdeflate.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <sys/random.h>

#define HMAC_BLOCK 64
#define POOL_BYTES 512

void sha256(struct str bytes, uint8_t ret[SHA256_BYTES])
{
    SHA256_CTX context;
    SHA256_Init(&context);
    if (bytes.n)
        SHA256_Update(&context, bytes.p, bytes.n);
    SHA256_Final(ret, &context);
}

_Static_assert(sizeof(struct sha256_state) >= sizeof(SHA256_CTX) && _Alignof(struct sha256_state) >= _Alignof(SHA256_CTX), "room");

void sha256_begin(struct sha256_state *state)
{
    SHA256_Init((SHA256_CTX *)(void *)state);
}

void sha256_add(struct sha256_state *state, struct str bytes)
{
    if (bytes.n)
        SHA256_Update((SHA256_CTX *)(void *)state, bytes.p, bytes.n);
}

void sha256_end(struct sha256_state *state, uint8_t ret[SHA256_BYTES])
{
    SHA256_Final(ret, (SHA256_CTX *)(void *)state);
}

struct str sha256_hex(struct arena *arena, struct str bytes)
{
    uint8_t digest[SHA256_BYTES];
    sha256(bytes, digest);
    char *text = arena_alloc(arena, 2 * SHA256_BYTES + 1);
    *hex_put(text, digest, sizeof digest) = '\0';
    return (struct str){text, 2 * SHA256_BYTES};
}

/* RFC 2104: H(key ^ opad, H(key ^ ipad, bytes)). */
static void hmac_pass(const uint8_t key[HMAC_BLOCK], uint8_t pad, const void *p, size_t n, uint8_t ret[SHA256_BYTES])
{
    uint8_t block[HMAC_BLOCK];
    for (size_t i = 0; i < HMAC_BLOCK; i++)
        block[i] = key[i] ^ pad;
    SHA256_CTX context;
    SHA256_Init(&context);
    SHA256_Update(&context, block, sizeof block);
    if (n)
        SHA256_Update(&context, p, n);
    SHA256_Final(ret, &context);
}

void hmac_sha256(struct str key, struct str bytes, uint8_t ret[SHA256_BYTES])
{
    uint8_t padded[HMAC_BLOCK] = {0}, inner[SHA256_BYTES];
    if (key.n > HMAC_BLOCK)
        sha256(key, padded);
    else if (key.n)
        memcpy(padded, key.p, key.n);
    hmac_pass(padded, 0x36, bytes.p, bytes.n, inner);
    hmac_pass(padded, 0x5c, inner, sizeof inner, ret);
    explicit_bzero(padded, sizeof padded);
}

bool bytes_equal_const_time(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    uint64_t difference = 0;
    for (; n > 0; ) {
        uint64_t from_x = 0, from_y = 0;
        size_t step = n < sizeof from_x ? n : sizeof from_x;
        memcpy(&from_x, x, step);
        memcpy(&from_y, y, step);
        difference |= from_x ^ from_y;
        __asm__("" : "+r"(difference));     /* it may be anything, so the compiler cannot end the loop early */
        x += step;
        y += step;
        n -= step;
    }
    return difference == 0;
}

uint32_t crc32_of(struct str bytes)
{
    return bytes.n ? libdeflate_crc32(0, bytes.p, bytes.n) : 0;
}

/* ---- random bytes ---- */

static _Thread_local struct {
    uint8_t bytes[POOL_BYTES];
    size_t left;            /* the last `left` bytes are unused */
} pool;

static void from_kernel(uint8_t *to, size_t n)
{
    while (n) {
        ssize_t got = getrandom(to, n, 0);
        ENSURE(got > 0 || errno == EINTR);
        if (got <= 0)
            continue;
        to += got;
        n -= (size_t)got;
    }
}

/* Only the forking thread lives on in the child, so its pool is the only one there. */
static void forget_pool(void)
{
    explicit_bzero(&pool, sizeof pool);
}

static void watch_forks(void)
{
    ENSURE(pthread_atfork(NULL, NULL, forget_pool) == 0);
}

void random_bytes(void *ret, size_t n)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch_forks);
    if (n > sizeof pool.bytes / 2) {
        from_kernel(ret, n);
        return;
    }
    if (n > pool.left) {
        from_kernel(pool.bytes, sizeof pool.bytes);
        pool.left = sizeof pool.bytes;
    }
    uint8_t *from = pool.bytes + sizeof pool.bytes - pool.left;
    memcpy(ret, from, n);
    explicit_bzero(from, n);
    pool.left -= n;
}

struct str random_chars(struct arena *arena, const char *alphabet, size_t n)
{
    size_t size = strlen(alphabet);
    ENSURE(size > 0 && size <= 256);
    unsigned fair = 256 - 256 % (unsigned)size;     /* bytes from here on would favour the first letters */
    char *text = arena_alloc(arena, n + 1);
    for (size_t at = 0; at < n;) {
        uint8_t bytes[32];
        random_bytes(bytes, sizeof bytes);
        for (size_t i = 0; i < sizeof bytes && at < n; i++)
            if (bytes[i] < fair)
                text[at++] = alphabet[bytes[i] % size];
    }
    text[n] = '\0';
    return (struct str){text, n};
}

struct str uuid4(struct arena *arena)
{
    uint8_t bytes[16];
    char *text = arena_alloc(arena, UUID_CHARS + 1);
    random_bytes(bytes, sizeof bytes);
    id_uuid4(bytes, text);
    text[UUID_CHARS] = '\0';
    return (struct str){text, UUID_CHARS};
}

/* siphash.c -- SipHash-2-4 with a 64-bit result, written from the paper: J.-P. Aumasson, D. J. Bernstein, "SipHash: a fast
 * short-input PRF", 2012. It places items in the store (so it may never change). The shorter 1-3 keys the hash tables that
 * hold what clients send. Words are little-endian, as in the paper. */
#include "base/hash.h"

struct sip_state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
    return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip_state *s)
{
    s->v0 += s->v1;
    s->v2 += s->v3;
    s->v1 = rotate(s->v1, 13) ^ s->v0;
    s->v3 = rotate(s->v3, 16) ^ s->v2;
    s->v0 = rotate(s->v0, 32);
    s->v2 += s->v1;
    s->v0 += s->v3;
    s->v1 = rotate(s->v1, 17) ^ s->v2;
    s->v3 = rotate(s->v3, 21) ^ s->v0;
    s->v2 = rotate(s->v2, 32);
}

static inline void sip_rounds(struct sip_state *s, int rounds)
{
    for (int i = 0; i < rounds; i++)
        sip_round(s);
}

static inline void absorb(struct sip_state *s, uint64_t word, int rounds)
{
    s->v3 ^= word;
    sip_rounds(s, rounds);
    s->v0 ^= word;
}

static inline uint64_t sip_word(const void *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "word_at reads little-endian words");

/* A word takes `rounds` rounds, the end `last_rounds`: constants of each caller. */
static inline __attribute__((always_inline)) uint64_t siphash(const uint8_t key[16], struct str bytes, int rounds, int last_rounds)
{
    uint64_t k0 = sip_word(key), k1 = sip_word(key + 8);
    struct sip_state s = {k0 ^ 0x736f6d6570736575u, k1 ^ 0x646f72616e646f6du, k0 ^ 0x6c7967656e657261u, k1 ^ 0x7465646279746573u};
    const char *p = bytes.p;
    size_t left = bytes.n;
    for (; left >= 8; left -= 8, p += 8)
        absorb(&s, sip_word(p), rounds);
    uint64_t last = (uint64_t)(bytes.n & 0xFF) << 56;
    for (size_t i = 0; i < left; i++)
        last |= (uint64_t)(uint8_t)p[i] << 8 * i;
    absorb(&s, last, rounds);
    s.v2 ^= 0xFF;
    sip_rounds(&s, last_rounds);
    return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}

uint64_t siphash24(const uint8_t key[16], struct str bytes)
{
    return siphash(key, bytes, 2, 4);
}

uint64_t siphash13(const uint8_t key[16], struct str bytes)
{
    return siphash(key, bytes, 1, 3);
}

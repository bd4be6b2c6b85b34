/* hash.h -- digests and identifiers, each behind one library: OpenSSL (SHA-256, HMAC, random bytes), libdeflate (CRC-32). */
#ifndef CLOUDLESS_BASE_HASH_H
#define CLOUDLESS_BASE_HASH_H
#include "base/arena.h"

#define SHA256_BYTES 32

void sha256(struct str bytes, uint8_t ret[SHA256_BYTES]);
/* The same by pieces: begin, add any number of times, end. */
struct sha256_state {
    uint64_t words[14];         /* OpenSSL's */
};
void sha256_begin(struct sha256_state *state);
void sha256_add(struct sha256_state *state, struct str bytes);
void sha256_end(struct sha256_state *state, uint8_t ret[SHA256_BYTES]);
struct str sha256_hex(struct arena *arena, struct str bytes);
void hmac_sha256(struct str key, struct str bytes, uint8_t ret[SHA256_BYTES]);
bool bytes_equal_const_time(const void *a, const void *b, size_t n);
uint32_t crc32_of(struct str bytes);
/* SipHash-2-4, 64 bits. Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF". */
uint64_t siphash24(const uint8_t key[16], struct str bytes);
/* SipHash-1-3: half the work, for tables in memory that are gone with the process. */
uint64_t siphash13(const uint8_t key[16], struct str bytes);

void random_bytes(void *ret, size_t n);                              /* cryptographic; panics if the kernel has none */
struct str random_chars(struct arena *arena, const char *alphabet, size_t n);
struct str uuid4(struct arena *arena);                               /* 8-4-4-4-12, lower case */
#endif

/* crypto.c -- hashes of a request's signature.
 *
 * OpenSSL's low-level SHA-256 is called rather than EVP: the first EVP call loads the providers, which costs a function
 * about 1 MB and 2 ms of its start, and a function that talks plain HTTP needs nothing else of OpenSSL. The functions
 * are deprecated in OpenSSL 3 in favour of EVP and remain in every 3.x. HMAC is the construction of RFC 2104. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "crypto.h"
#include <openssl/crypto.h>
#include <openssl/sha.h>

#define BLOCK_BYTES 64

static void update(SHA256_CTX *hash, const cl_str *pieces, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (pieces[i].n > 0)
            SHA256_Update(hash, pieces[i].p, pieces[i].n);
}

void cl__sha256(const cl_str *pieces, size_t count, unsigned char ret[CL__SHA256_BYTES])
{
    SHA256_CTX hash;
    SHA256_Init(&hash);
    update(&hash, pieces, count);
    SHA256_Final(ret, &hash);
}

/* Begins a hash with the key, padded to a block, each byte changed by `mask`. */
static void begin(SHA256_CTX *hash, const unsigned char key[BLOCK_BYTES], unsigned char mask)
{
    unsigned char pad[BLOCK_BYTES];
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        pad[i] = key[i] ^ mask;
    SHA256_Init(hash);
    SHA256_Update(hash, pad, sizeof pad);
    cl__wipe(pad, sizeof pad);
}

void cl__hmac_sha256(cl_str key, const cl_str *pieces, size_t count, unsigned char ret[CL__SHA256_BYTES])
{
    unsigned char block[BLOCK_BYTES] = {0}, inner[CL__SHA256_BYTES];
    if (key.n > BLOCK_BYTES)
        cl__sha256(&key, 1, block);
    else if (key.n > 0)
        memcpy(block, key.p, key.n);
    SHA256_CTX hash;
    begin(&hash, block, 0x36);
    update(&hash, pieces, count);
    SHA256_Final(inner, &hash);
    begin(&hash, block, 0x5c);
    SHA256_Update(&hash, inner, sizeof inner);
    SHA256_Final(ret, &hash);
    cl__wipe(block, sizeof block);
    cl__wipe(&hash, sizeof hash);
}

void cl__hex(const unsigned char hash[CL__SHA256_BYTES], char ret[CL__SHA256_HEX + 1])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < CL__SHA256_BYTES; i++) {
        ret[2 * i] = digits[hash[i] >> 4];
        ret[2 * i + 1] = digits[hash[i] & 15];
    }
    ret[CL__SHA256_HEX] = 0;
}

bool cl__same_bytes(const unsigned char *a, const unsigned char *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void cl__wipe(void *p, size_t n)
{
    OPENSSL_cleanse(p, n);
}

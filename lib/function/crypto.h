/* crypto.h -- SHA-256 and HMAC-SHA-256 over pieces of bytes, without OpenSSL's providers. */
#ifndef CL_CRYPTO_H
#define CL_CRYPTO_H
#include "internal.h"

#define CL__SHA256_BYTES 32
#define CL__SHA256_HEX   64

void cl__sha256(const cl_str *pieces, size_t count, unsigned char ret[CL__SHA256_BYTES]);
/* RFC 2104. */
void cl__hmac_sha256(cl_str key, const cl_str *pieces, size_t count, unsigned char ret[CL__SHA256_BYTES]);
/* Lower case and a NUL. */
void cl__hex(const unsigned char hash[CL__SHA256_BYTES], char ret[CL__SHA256_HEX + 1]);
/* In a time that does not depend on where they differ. */
bool cl__same_bytes(const unsigned char *a, const unsigned char *b, size_t n);
void cl__wipe(void *p, size_t n);

#endif

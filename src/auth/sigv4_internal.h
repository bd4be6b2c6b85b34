/* sigv4_internal.h -- what sigv4.c and sigv4_chain.c share: the words of every string to sign, and the key that signs it. */
#ifndef CLOUDLESS_AUTH_SIGV4_INTERNAL_H
#define CLOUDLESS_AUTH_SIGV4_INTERNAL_H
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/sigv4.h"
#include <openssl/sha.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define HEX_DIGEST (2 * SHA256_BYTES)

struct signing_state {          /* HMAC-SHA256 with a scope's key: what is fed to both hashes first */
    SHA256_CTX inner, outer;
};

void sigv4__mac(const struct signing_state *key, struct str text, uint8_t ret[SHA256_BYTES]);
static inline char *sigv4__append(char *out, struct str s)
{
    if (s.n)
        memcpy(out, s.p, s.n);
    return out + s.n;
}

/* Empty, and wiped with the arena; begun when the request's signature holds. */
struct sigv4_chain *sigv4__chain_new(struct arena *arena);
void sigv4__chain_begin(struct sigv4_chain *chain, const struct signing_state *key, const struct sigv4 *sig);
#endif

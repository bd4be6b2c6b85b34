/* sigv4_internal.h -- what sigv4.c, sigv4_parse.c and sigv4_chain.c share: the words of every string to sign, and the key
 * that signs it. */
#ifndef CLOUDLESS_AUTH_SIGV4_INTERNAL_H
#define CLOUDLESS_AUTH_SIGV4_INTERNAL_H
#define OPENSSL_SUPPRESS_DEPRECATED
#include "auth/sigv4.h"
#include <openssl/sha.h>

#define ALGORITHM "AWS4-HMAC-SHA256"
#define TERMINATOR "aws4_request"
#define HEX_DIGEST (2 * SHA256_BYTES)
#define SIGV4_QUERY_SIGNATURE "X-Amz-Signature"        /* the one parameter that a signed query does not sign */

static inline bool sigv4__same_lowered(struct str sent, struct str lower)
{
    for (size_t i = 0; i < sent.n; i++) {
        char c = sent.p[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower.p[i])
            return false;
    }
    return true;
}

/* Header names are compared some dozen times a request: most differ in length, and most are sent in lower case. */
static inline bool sigv4__same_name(struct str sent, struct str lower)
{
    return sent.n == lower.n && (memcmp(sent.p, lower.p, sent.n) == 0 || sigv4__same_lowered(sent, lower));
}

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

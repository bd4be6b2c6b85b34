/* sigv4_chain.c -- how a body is signed that is not hashed with its request: what x-amz-content-sha256 says then, and the
 * chain of signatures of its chunks. Source: "Transferring payload in multiple chunks", S3's API reference. */
#include "auth/sigv4_internal.h"
#include "base/codec.h"
#include "base/panic.h"
#include <openssl/crypto.h>

/* What each chunk's string to sign has: the time and scope are the request's. */
struct sigv4_chain {
    struct signing_state key;
    struct str amz_date, scope;
    char previous[HEX_DIGEST];
};

enum sigv4_payload sigv4_payload(struct str header)
{
    static const char *const kinds[] = {
        [SIGV4_PAYLOAD_UNSIGNED] = "UNSIGNED-PAYLOAD",
        [SIGV4_PAYLOAD_CHUNKS] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        [SIGV4_PAYLOAD_CHUNKS_TRAILER] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
        [SIGV4_PAYLOAD_UNSIGNED_TRAILER] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
    };

    for (size_t i = 1; i < COUNT_OF(kinds) && header.n > 2 && (header.p[0] == 'U' || header.p[0] == 'S'); i++)
        if (str_eq(header, str_of(kinds[i])))
            return (enum sigv4_payload)i;
    return SIGV4_PAYLOAD_HASHED;
}

void sigv4__mac(const struct signing_state *key, struct str text, uint8_t ret[SHA256_BYTES])
{
    SHA256_CTX ctx = key->inner;
    uint8_t digest[SHA256_BYTES];

    SHA256_Update(&ctx, text.p, text.n);
    SHA256_Final(digest, &ctx);
    ctx = key->outer;
    SHA256_Update(&ctx, digest, sizeof digest);
    SHA256_Final(ret, &ctx);
}

static void chain_wipe(void *chain)
{
    OPENSSL_cleanse(chain, sizeof(struct sigv4_chain));
}

struct sigv4_chain *sigv4__chain_new(struct arena *arena)
{
    struct sigv4_chain *chain = arena_new_of(arena, struct sigv4_chain);

    arena_on_free(arena, chain_wipe, chain);
    return chain;
}

void sigv4__chain_begin(struct sigv4_chain *chain, const struct signing_state *key, const struct sigv4 *sig)
{
    chain->key = *key;
    chain->amz_date = sig->amz_date;
    chain->scope = (struct str){sig->date.p, (size_t)(sig->service.p + sig->service.n - sig->date.p)};
    memcpy(chain->previous, sig->signature.p, HEX_DIGEST);
}

/* Algorithm, time, scope, the signature before, the hash of nothing unless it is a trailer, the hash of the data. */
static void chain_sign(struct sigv4_chain *chain, struct str algorithm, bool empty_hash, const uint8_t digest[SHA256_BYTES],
                       char ret[HEX_DIGEST])
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    char text[512], *out = text;
    uint8_t mac[SHA256_BYTES];

    ENSURE(algorithm.n + chain->amz_date.n + chain->scope.n + sizeof TERMINATOR + 3 * HEX_DIGEST + 8 <= sizeof text);
    out = sigv4__append(out, algorithm);
    out = sigv4__append(out, chain->amz_date);
    *out++ = '\n';
    out = sigv4__append(out, chain->scope);
    out = sigv4__append(out, STR("/" TERMINATOR "\n"));
    out = sigv4__append(out, (struct str){chain->previous, HEX_DIGEST});
    *out++ = '\n';
    if (empty_hash)
        out = sigv4__append(out, STR(empty));
    out = hex_put(out, digest, SHA256_BYTES);
    sigv4__mac(&chain->key, (struct str){text, (size_t)(out - text)}, mac);
    hex_put(chain->previous, mac, sizeof mac);
    memcpy(ret, chain->previous, HEX_DIGEST);
}

void sigv4_chain_chunk(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[HEX_DIGEST])
{
    chain_sign(chain, STR(ALGORITHM "-PAYLOAD\n"), true, digest, ret);
}

void sigv4_chain_trailer(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[HEX_DIGEST])
{
    chain_sign(chain, STR(ALGORITHM "-TRAILER\n"), false, digest, ret);
}

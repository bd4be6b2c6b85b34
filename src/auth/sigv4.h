/* sigv4.h -- AWS Signature Version 4 in the Authorization header. Source: "Create a signed AWS API request", IAM user guide.
 * The signature itself only: who the key belongs to and whether it is valid comes from auth.h. */
#ifndef CLOUDLESS_AUTH_SIGV4_H
#define CLOUDLESS_AUTH_SIGV4_H
#include "base/hash.h"
#include "net/http.h"

#define SIGV4_SKEW_MS (15 * 60 * 1000)

enum sigv4_status {
    SIGV4_OK,
    SIGV4_MISSING,              /* no Authorization header, nor a signed query */
    SIGV4_INCOMPLETE,           /* malformed header, missing parts, missing date: message says which */
    SIGV4_BAD_SCOPE,            /* scope does not end in aws4_request, wrong service, date differs */
    SIGV4_EXPIRED,              /* date outside the skew */
    SIGV4_MISMATCH,             /* computed signature differs */
    SIGV4_UNSUPPORTED           /* query-string signatures, SigV4A, V2: named in message */
};

struct sigv4 {                  /* the parsed header; spans of the request */
    struct str access_key_id, date, region, service;        /* of the credential scope */
    struct str signed_headers, signature;
    struct str *signed_names;   /* signed_headers, split */
    size_t signed_count;
    bool signed_sorted;         /* they are in lower case, strictly ascending, none empty: as a signer writes them */
    struct str amz_date;        /* x-amz-date, or Date converted */
    struct str security_token;  /* x-amz-security-token or STR_NONE */
    int64_t time_ms;
    struct str payload;         /* what the canonical request has instead of the body's hash, if allowed: see sigv4_payload */
    bool body_unsigned;         /* set by the caller: the operation's body need not be signed, whatever the service */
    struct sigv4_chain *chain;  /* of a body in signed chunks: begun when sigv4_check says OK; else NULL */
    struct str message;         /* for a status other than OK: AWS's sentence */
};

/* x-amz-content-sha256 where it is no hash: UNSIGNED-PAYLOAD, or how a body in aws-chunked is signed. */
enum sigv4_payload {
    SIGV4_PAYLOAD_HASHED, SIGV4_PAYLOAD_UNSIGNED, SIGV4_PAYLOAD_CHUNKS, SIGV4_PAYLOAD_CHUNKS_TRAILER,
    SIGV4_PAYLOAD_UNSIGNED_TRAILER
};
enum sigv4_payload sigv4_payload(struct str header);

enum sigv4_status sigv4_parse(const struct http_request *request, struct arena *arena, struct sigv4 *ret);
/* Per-loop cache: scope + key → signing key with its HMAC states. */
struct sigv4_cache;
struct sigv4_cache *sigv4_cache_new(size_t max);
void sigv4_cache_free(struct sigv4_cache *cache);
/* The SHA-256 of the canonical request, which needs no key and takes as long as the body is. `encode_path_twice` for every
 * service but S3. OK, EXPIRED, or MISMATCH if no signer could have made it. */
enum sigv4_status sigv4_digest(const struct http_request *request, struct sigv4 *sig, int64_t now_ms, bool encode_path_twice,
                               struct arena *arena, uint8_t ret[SHA256_BYTES]);
/* OK or MISMATCH. `digest` is sigv4_digest's. */
enum sigv4_status sigv4_check(struct sigv4_cache *cache, struct sigv4 *sig, struct str secret, const uint8_t digest[SHA256_BYTES],
                              struct arena *arena);

/* The signatures of a body's chunks, each over the one before. Lives in the arena of sigv4_parse; wiped with it. */
struct sigv4_chain;
/* Of the next chunk, from the SHA-256 of its data; of the trailer, from that of its "name:value\n" lines. 64 hex characters. */
void sigv4_chain_chunk(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[2 * SHA256_BYTES]);
void sigv4_chain_trailer(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[2 * SHA256_BYTES]);
/* For tests of what reads such bodies: the chain of a request with these spans and signature. */
struct sigv4_chain *sigv4_chain_of(const struct sigv4 *sig, struct str secret, struct arena *arena);
#endif

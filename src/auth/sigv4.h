/* sigv4.h -- AWS Signature Version 4, in the Authorization header or in the query string (presigned URLs). Sources: "Create a
 * signed AWS API request", IAM user guide; "Authenticating Requests: Using Query Parameters", S3's API reference.
 * The signature itself only: who the key belongs to and whether it is valid comes from auth.h. */
#ifndef CLOUDLESS_AUTH_SIGV4_H
#define CLOUDLESS_AUTH_SIGV4_H
#include "base/hash.h"
#include "net/http.h"

#define SIGV4_SKEW_MINUTES 15           /* as AWS documents it; many services take less */
#define SIGV4_EXPIRES_MAX_S 604800      /* of a presigned URL: a week */

/* What is particular to the API and the operation that are called. */
struct sigv4_rules {
    const char *service;        /* the scope has to name it; NULL: any */
    /* S3's way: paths are encoded once; what x-amz-content-sha256 says is signed and the body compared with it, so it is needed; a
     * presigned URL signs no body and is good for X-Amz-Expires seconds. Elsewhere the body itself is hashed, whatever that header
     * says, and a presigned URL is good for as long as any signature, whatever X-Amz-Expires says. */
    bool s3;
    unsigned skew_minutes;      /* between the date that is signed and now; 0: SIGV4_SKEW_MINUTES */
    bool body_unsigned;         /* the operation's body need not be signed: UNSIGNED-PAYLOAD may stand for it */
    bool body_later;            /* it is on its way: a hash in x-amz-content-sha256, or that its chunks are signed, is believed, and
                                 * whoever reads it compares */
};

enum sigv4_status {
    SIGV4_OK,
    SIGV4_MISSING,              /* no Authorization header, nor a signed query */
    SIGV4_INCOMPLETE,           /* malformed header or query, missing parts, missing date: message says which */
    SIGV4_BAD_SCOPE,            /* scope does not end in aws4_request, wrong service, date differs */
    SIGV4_EXPIRED,              /* date outside the skew */
    SIGV4_MISMATCH,             /* computed signature differs; or the request has two */
    SIGV4_UNSUPPORTED,          /* SigV4A, V2: named in message */
    /* S3's way only: */
    SIGV4_BAD_QUERY,            /* AuthorizationQueryParametersError */
    SIGV4_URL_EXPIRED,          /* a presigned URL is too old, or not valid yet */
    SIGV4_BAD_ARGUMENT,         /* x-amz-content-sha256 is missing or says nothing known; two signatures */
    SIGV4_BODY_MISMATCH         /* the body has another hash than x-amz-content-sha256 says */
};

/* x-amz-content-sha256 where it is no hash: UNSIGNED-PAYLOAD, or how a body in aws-chunked is signed. */
enum sigv4_payload {
    SIGV4_PAYLOAD_HASHED, SIGV4_PAYLOAD_UNSIGNED, SIGV4_PAYLOAD_CHUNKS, SIGV4_PAYLOAD_CHUNKS_TRAILER,
    SIGV4_PAYLOAD_UNSIGNED_TRAILER
};
enum sigv4_payload sigv4_payload(struct str header);

struct sigv4 {                  /* what was parsed; spans of the request, or of the arena */
    struct sigv4_rules rules;
    bool in_query;              /* a presigned URL */
    struct str access_key_id, date, region, service;        /* of the credential scope: one span with slashes between them */
    struct str signed_headers, signature;
    struct str *signed_names;   /* signed_headers, split */
    size_t signed_count;
    bool signed_sorted;         /* they are in lower case, strictly ascending, none empty: as a signer writes them */
    struct str amz_date;        /* x-amz-date, or Date converted */
    struct str security_token;  /* x-amz-security-token or STR_NONE */
    int64_t time_ms;
    int64_t expires_ms;         /* when a presigned URL of S3's way ends; else 0 */
    struct str payload;         /* what the canonical request has for the body; STR_NONE: the body's own hash */
    enum sigv4_payload payload_kind;        /* of `payload` */
    struct sigv4_chain *chain;  /* of a body in signed chunks: begun when sigv4_check says OK; else NULL */
    struct str message;         /* for a status other than OK: AWS's sentence */
};

/* Everything that needs neither key nor clock nor body. */
enum sigv4_status sigv4_parse(const struct http_request *request, const struct sigv4_rules *rules, struct arena *arena,
                              struct sigv4 *ret);
/* Per-loop cache: scope + key → signing key with its HMAC states. */
struct sigv4_cache;
struct sigv4_cache *sigv4_cache_new(size_t max);
void sigv4_cache_free(struct sigv4_cache *cache);
/* The SHA-256 of the canonical request, which needs no key and takes as long as the body is. OK, EXPIRED, URL_EXPIRED, or
 * MISMATCH if no signer could have made it. */
enum sigv4_status sigv4_digest(const struct http_request *request, struct sigv4 *sig, int64_t now_ms, struct arena *arena,
                               uint8_t ret[SHA256_BYTES]);
/* OK or MISMATCH. `digest` is sigv4_digest's. */
enum sigv4_status sigv4_check(struct sigv4_cache *cache, struct sigv4 *sig, struct str secret, const uint8_t digest[SHA256_BYTES],
                              struct arena *arena);
/* OK, or BODY_MISMATCH if the hash that was signed is not the body's. Takes as long as the body is, where there is one to compare.
 */
enum sigv4_status sigv4_body(struct sigv4 *sig, struct str body);

/* The signatures of a body's chunks, each over the one before. Lives in the arena of sigv4_parse; wiped with it. */
struct sigv4_chain;
/* Of the next chunk, from the SHA-256 of its data; of the trailer, from that of its "name:value\n" lines. 64 hex characters. */
void sigv4_chain_chunk(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[2 * SHA256_BYTES]);
void sigv4_chain_trailer(struct sigv4_chain *chain, const uint8_t digest[SHA256_BYTES], char ret[2 * SHA256_BYTES]);
/* For tests of what reads such bodies: the chain of a request with these spans and signature. */
struct sigv4_chain *sigv4_chain_of(const struct sigv4 *sig, struct str secret, struct arena *arena);
#endif

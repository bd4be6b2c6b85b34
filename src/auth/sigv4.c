/* sigv4.c -- computes a signature again from what sigv4_parse.c has read, with the hash of a gathered body, and compares.
 *
 * Checking builds the canonical request in one piece of arena
 * memory of known size, hashes it, and signs with HMAC states that the per-loop cache keeps for a scope: one day's
 * requests derive the signing key once. SHA256_* is deprecated in OpenSSL 3 but needs no lookup and no allocation and
 * still uses SHA-NI; the EVP calls cost several times as much here.
 *
 * The canonical form of a signed header is rebuilt from what arrived, in the order that SignedHeaders gives. That order
 * must be strictly ascending, as a signer must sort it, so no header is ever written twice and the size is bounded. */
#include "auth/sigv4_internal.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/panic.h"
#include <openssl/crypto.h>
#include <inttypes.h>
#include <stdlib.h>

#define QUERY_PARAMS_MAX 512

/* ---- signing keys ---- */

struct signing_key {
    struct signing_state state;
    size_t secret_bytes;
    char secret[];              /* the entry is good for this secret only */
};

struct sigv4_cache {
    struct map *keys;           /* "keyid/date/region/service" → struct signing_key */
};

static void key_free(void *value)
{
    struct signing_key *key = value;

    OPENSSL_cleanse(key, sizeof *key + key->secret_bytes);
    free(key);
}

struct sigv4_cache *sigv4_cache_new(size_t max)
{
    struct sigv4_cache *cache = mem_zalloc(sizeof *cache);

    cache->keys = map_new(max, key_free);
    return cache;
}

void sigv4_cache_free(struct sigv4_cache *cache)
{
    if (!cache)
        return;
    map_free(cache->keys);
    free(cache);
}

static void pad_start(SHA256_CTX *ctx, const uint8_t *key, size_t n, uint8_t pad)
{
    uint8_t block[SHA256_CBLOCK];

    memset(block, pad, sizeof block);
    for (size_t i = 0; i < n; i++)
        block[i] ^= key[i];
    SHA256_Init(ctx);
    SHA256_Update(ctx, block, sizeof block);
    OPENSSL_cleanse(block, sizeof block);
}

static struct signing_key *key_derive(const struct sigv4 *sig, struct str secret)
{
    const struct str step[] = {sig->date, sig->region, sig->service, STR(TERMINATOR)};
    struct signing_key *key = mem_zalloc(sizeof *key + secret.n);
    uint8_t mac[SHA256_BYTES];
    struct buf first;

    key->secret_bytes = secret.n;
    memcpy(key->secret, secret.p, secret.n);
    buf_init(&first, NULL, secret.n + 4);
    buf_lit(&first, "AWS4");
    buf_add(&first, secret);
    struct str by = buf_str(&first);
    for (size_t i = 0; i < COUNT_OF(step); i++) {
        hmac_sha256(by, step[i], mac);
        by = (struct str){(const char *)mac, sizeof mac};
    }
    pad_start(&key->state.inner, mac, sizeof mac, 0x36);
    pad_start(&key->state.outer, mac, sizeof mac, 0x5c);
    OPENSSL_cleanse(mac, sizeof mac);
    OPENSSL_cleanse(first.p, first.n);
    buf_clear(&first);
    return key;
}

/* The scope's parts are spans of one header value, so they and the slashes between them are the cache's key. */
static const struct signing_key *signing_key_of(struct sigv4_cache *cache, const struct sigv4 *sig, struct str secret)
{
    const char *begin = sig->access_key_id.p, *end = sig->service.p + sig->service.n;
    struct str scope = {begin, (size_t)(end - begin)};
    struct signing_key *key = map_get(cache->keys, scope);

    if (key && key->secret_bytes == secret.n && memcmp(key->secret, secret.p, secret.n) == 0)
        return key;
    key = key_derive(sig, secret);
    map_put(cache->keys, scope, key);
    return key;
}

/* ---- the canonical request ---- */

static bool unreserved(char c)
{
    return char_is_letter(c) || char_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

static char *put_encoded(char *out, struct str s, bool keep_slash)
{
    static const char digit[] = "0123456789ABCDEF";

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (unreserved(c) || (keep_slash && c == '/')) {
            *out++ = c;
        } else {
            *out++ = '%';
            *out++ = digit[(uint8_t)c >> 4];
            *out++ = digit[(uint8_t)c & 15];
        }
    }
    return out;
}

/* The path as it travelled, without dot segments and repeated slashes (RFC 3986, 5.2.4), encoded once more. */
static char *put_path_twice(char *out, struct str path, struct arena *arena)
{
    struct str *part, rest = path;
    size_t count = 0, bound = 1;

    for (size_t i = 0; i < path.n; i++)
        bound += path.p[i] == '/';
    part = arena_alloc(arena, bound * sizeof *part);
    while (rest.p) {
        struct str piece = str_cut(&rest, '/');
        if (piece.n == 0 || str_eq(piece, STR(".")))
            continue;
        if (!str_eq(piece, STR("..")))
            part[count++] = piece;
        else if (count)
            count--;
    }
    for (size_t i = 0; i < count; i++) {
        *out++ = '/';
        out = put_encoded(out, part[i], false);
    }
    if (count == 0 || str_ends(path, STR("/")))
        *out++ = '/';
    return out;
}

static char *put_path(char *out, struct str path, bool twice, struct arena *arena)
{
    if (path.n <= 1)
        return sigv4__append(out, STR("/"));
    if (twice)
        return put_path_twice(out, path, arena);
    return put_encoded(out, percent_decode(path, false, arena), true);
}

struct query_param {
    struct str name, value;     /* encoded */
};

static int param_order(const void *a, const void *b)
{
    const struct query_param *x = a, *y = b;
    int order = str_cmp(x->name, y->name);

    return order ? order : str_cmp(x->value, y->value);
}

static struct str encode_again(struct str text, struct arena *arena)
{
    struct str plain = percent_decode(text, true, arena);
    char *out = arena_alloc(arena, 3 * plain.n + 1);

    return (struct str){out, (size_t)(put_encoded(out, plain, false) - out)};
}

/* NULL: more parameters than any call has. A signature that stands among them is not signed. */
static char *put_query(char *out, struct str query, bool in_query, struct arena *arena)
{
    struct query_param param[QUERY_PARAMS_MAX];
    size_t count = 0;

    while (query.p) {
        struct str pair = str_cut(&query, '&');
        if (pair.n == 0)
            continue;
        if (count == COUNT_OF(param))
            return NULL;
        struct str name = str_cut(&pair, '=');
        param[count].name = encode_again(name, arena);
        param[count].value = pair.p ? encode_again(pair, arena) : STR_NONE;
        count += !in_query || !str_eq(param[count].name, STR(SIGV4_QUERY_SIGNATURE));
    }
    qsort(param, count, sizeof *param, param_order);
    for (size_t i = 0; i < count; i++) {
        if (i)
            *out++ = '&';
        out = sigv4__append(out, param[i].name);
        *out++ = '=';
        out = sigv4__append(out, param[i].value);
    }
    return out;
}

/* Trimmed, runs of spaces as one; most values have no space at all. */
static char *put_header_value(char *out, struct str value)
{
    char before = '\0';

    value = str_trim(value);
    if (str_find(value, ' ') == value.n)
        return sigv4__append(out, value);
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];
        *out = c;
        out += (c != ' ') | (before != ' ');
        before = c;
    }
    return out;
}

static char *put_headers(char *out, const struct http_request *request, const struct sigv4 *sig)
{
    for (size_t n = 0; n < sig->signed_count; n++) {
        struct str name = sig->signed_names[n];
        bool found = false;
        out = sigv4__append(out, name);
        *out++ = ':';
        for (size_t i = 0; i < request->header_count; i++) {
            const struct http_header *header = &request->headers[i];
            if (!sigv4__same_name(header->name, name))
                continue;
            if (found)
                *out++ = ',';
            found = true;
            out = put_header_value(out, header->value);
        }
        *out++ = '\n';
    }
    return out;
}

/* What stands for the body: its hash, unless sigv4_parse has found that something else may. */
static char *put_payload(char *out, const struct http_request *request, const struct sigv4 *sig)
{
    uint8_t digest[SHA256_BYTES];
    SHA256_CTX ctx;

    if (sig->payload.n)
        return sigv4__append(out, sig->payload);
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, request->body.p, request->body.n);
    SHA256_Final(digest, &ctx);
    return hex_put(out, digest, sizeof digest);
}

static size_t canonical_bound(const struct http_request *request, const struct sigv4 *sig)
{
    size_t bound = request->method.n + 3 * request->path.n + 3 * request->query.n + 2 * QUERY_PARAMS_MAX +
                   3 * sig->signed_headers.n + HEX_DIGEST + sig->payload.n + 64;

    for (size_t i = 0; i < request->header_count; i++)
        bound += request->headers[i].value.n + 1;
    return bound;
}

/* False: no signer could have made this. */
static bool canonical_request(const struct http_request *request, const struct sigv4 *sig, struct arena *arena,
                              uint8_t ret[SHA256_BYTES])
{
    SHA256_CTX ctx;

    if (!sig->signed_sorted)
        return false;
    size_t bound = canonical_bound(request, sig);
    char *text = arena_alloc(arena, bound), *out = text;
    out = sigv4__append(out, request->method);
    *out++ = '\n';
    out = put_path(out, request->path, !sig->rules.s3, arena);
    *out++ = '\n';
    if (request->query.n && !(out = put_query(out, request->query, sig->in_query, arena)))
        return false;
    *out++ = '\n';
    out = put_headers(out, request, sig);
    *out++ = '\n';
    out = sigv4__append(out, sig->signed_headers);
    *out++ = '\n';
    out = put_payload(out, request, sig);
    ENSURE((size_t)(out - text) <= bound);
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, text, (size_t)(out - text));
    SHA256_Final(ret, &ctx);
    return true;
}

/* ---- checking ---- */

static int64_t skew_minutes(const struct sigv4 *sig)
{
    return sig->rules.skew_minutes ? sig->rules.skew_minutes : SIGV4_SKEW_MINUTES;
}

/* A presigned URL of S3's way ends when it says, and begins no sooner than any other signature. */
static enum sigv4_status check_url_time(struct sigv4 *sig, int64_t now_ms)
{
    if (sig->expires_ms < now_ms)
        sig->message = STR("Request has expired");
    else if (sig->time_ms > now_ms + skew_minutes(sig) * 60000)
        sig->message = STR("Request is not valid yet");
    return sig->message.n ? SIGV4_URL_EXPIRED : SIGV4_OK;
}

static enum sigv4_status check_time(struct sigv4 *sig, int64_t now_ms, struct arena *arena)
{
    int64_t minutes = skew_minutes(sig), skew_ms = minutes * 60000;
    struct str now, bound;

    if (sig->in_query && sig->rules.s3)
        return check_url_time(sig, now_ms);

    if (sig->time_ms >= now_ms - skew_ms && sig->time_ms <= now_ms + skew_ms)
        return SIGV4_OK;
    now = clock_sigv4(arena, now_ms);
    if (sig->time_ms < now_ms) {
        bound = clock_sigv4(arena, now_ms - skew_ms);
        sig->message =
            arena_printf(arena, "Signature expired: " STR_FMT " is now earlier than " STR_FMT " (" STR_FMT " - %" PRId64 " min.)",
                         STR_ARG(sig->amz_date), STR_ARG(bound), STR_ARG(now), minutes);
    } else {
        bound = clock_sigv4(arena, now_ms + skew_ms);
        sig->message = arena_printf(
            arena, "Signature not yet current: " STR_FMT " is still later than " STR_FMT " (" STR_FMT " + %" PRId64 " min.)",
            STR_ARG(sig->amz_date), STR_ARG(bound), STR_ARG(now), minutes);
    }
    return SIGV4_EXPIRED;
}

static enum sigv4_status mismatch(struct sigv4 *sig)
{
    sig->message =
        STR("The request signature we calculated does not match the signature you provided. Check your AWS Secret Access "
            "Key and signing method. Consult the service documentation for details.");
    return SIGV4_MISMATCH;
}

enum sigv4_status sigv4_digest(const struct http_request *request, struct sigv4 *sig, int64_t now_ms, struct arena *arena,
                               uint8_t ret[SHA256_BYTES])
{
    enum sigv4_status status = check_time(sig, now_ms, arena);

    if (status != SIGV4_OK)
        return status;
    if (sig->signature.n != HEX_DIGEST || !canonical_request(request, sig, arena, ret))
        return mismatch(sig);
    return SIGV4_OK;
}

enum sigv4_status sigv4_check(struct sigv4_cache *cache, struct sigv4 *sig, struct str secret, const uint8_t digest[SHA256_BYTES],
                              struct arena *arena)
{
    uint8_t mac[SHA256_BYTES];
    char expected[HEX_DIGEST];

    size_t scope_bytes = (size_t)(sig->service.p + sig->service.n - sig->date.p);
    char *text = arena_alloc(arena, sizeof ALGORITHM + sig->amz_date.n + scope_bytes + sizeof TERMINATOR + HEX_DIGEST + 8),
         *out = text;
    out = sigv4__append(out, STR(ALGORITHM "\n"));
    out = sigv4__append(out, sig->amz_date);
    *out++ = '\n';
    out = sigv4__append(out, (struct str){sig->date.p, scope_bytes});
    out = sigv4__append(out, STR("/" TERMINATOR "\n"));
    out = hex_put(out, digest, SHA256_BYTES);
    const struct signing_key *key = signing_key_of(cache, sig, secret);
    sigv4__mac(&key->state, (struct str){text, (size_t)(out - text)}, mac);
    hex_put(expected, mac, sizeof mac);
    if (!bytes_equal_const_time(expected, sig->signature.p, HEX_DIGEST))
        return mismatch(sig);
    if (sig->chain)
        sigv4__chain_begin(sig->chain, &key->state, sig);
    return SIGV4_OK;
}

enum sigv4_status sigv4_body(struct sigv4 *sig, struct str body)
{
    uint8_t said[SHA256_BYTES], digest[SHA256_BYTES];

    if (!sig->payload.n || sig->payload_kind != SIGV4_PAYLOAD_HASHED || sig->rules.body_later)
        return SIGV4_OK;
    sha256(body, digest);
    if (hex_decode(sig->payload, said) && memcmp(said, digest, sizeof digest) == 0)
        return SIGV4_OK;
    sig->message = STR("The provided 'x-amz-content-sha256' header does not match what was computed.");
    return SIGV4_BODY_MISMATCH;
}

/* ---- chains ---- */

struct sigv4_chain *sigv4_chain_of(const struct sigv4 *sig, struct str secret, struct arena *arena)
{
    struct sigv4_chain *chain = sigv4__chain_new(arena);
    struct signing_key *key = key_derive(sig, secret);

    sigv4__chain_begin(chain, &key->state, sig);
    key_free(key);
    return chain;
}

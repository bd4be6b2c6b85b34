/* sigv4.c -- reads the Authorization header and computes the signature again.
 * Source: "Create a signed AWS API request" (IAM user guide), and AWS's answers to requests that break its rules.
 *
 * Parsing makes spans of the request and checks everything that needs no secret: the parameters, the scope's form, the
 * date, and that Host and every x-amz-* header are signed. Checking builds the canonical request in one piece of arena
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
#include <stdlib.h>

#define QUERY_PARAMS_MAX 512

/* ---- parsing ---- */

static struct str header_hash(struct arena *arena, struct str header)
{
    uint8_t digest[SHA256_BYTES];
    struct buf text;

    sha256(header, digest);
    buf_init(&text, arena, 64);
    base64_write(&text, (struct str){(const char *)digest, sizeof digest});
    return buf_str(&text);
}

static bool same_lowered(struct str sent, struct str lower)
{
    for (size_t i = 0; i < sent.n; i++) {
        char c = sent.p[i];
        if ((c >= 'A' && c <= 'Z' ? c + 32 : c) != lower.p[i])
            return false;
    }
    return true;
}

/* Header names are compared some dozen times a request: most differ in length, and most are sent in lower case. */
static inline bool same_name(struct str sent, struct str lower)
{
    return sent.n == lower.n && (memcmp(sent.p, lower.p, sent.n) == 0 || same_lowered(sent, lower));
}

/* Splits SignedHeaders once, for everything that looks into it. */
static void split_names(struct str list, struct arena *arena, struct sigv4 *sig)
{
    size_t count = 1;
    bool sorted = true;

    for (struct str rest = list; (rest = str_slice(rest, str_find(rest, ';') + 1, rest.n)).n > 0;)
        count++;
    struct str *names = arena_alloc(arena, count * sizeof *names);
    const char *at = list.p, *end = list.p + list.n;
    for (size_t i = 0; i < count; i++) {
        const char *from = at;
        for (; at < end && *at != ';'; at++)
            sorted &= *at < 'A' || *at > 'Z';
        names[i] = (struct str){from, (size_t)(at - from)};
        at += at < end;
        sorted &= names[i].n > 0 && (i == 0 || str_cmp(names[i - 1], names[i]) < 0);
    }
    sig->signed_names = names;
    sig->signed_count = count;
    sig->signed_sorted = sorted && !str_ends(list, STR(";"));
}

static bool is_signed(const struct sigv4 *sig, struct str name)
{
    for (size_t i = 0; i < sig->signed_count; i++)
        if (same_name(name, sig->signed_names[i]))
            return true;
    return false;
}

static bool is_amz_header(struct str name)
{
    return name.n > 6 && (name.p[0] | 0x20) == 'x' && same_name(str_slice(name, 0, 6), STR("x-amz-"));
}

static bool query_signed(struct str query)
{
    while (query.p) {
        struct str pair = str_cut(&query, '&');
        struct str name = str_cut(&pair, '=');
        if (str_eq(name, STR("X-Amz-Signature")) || str_eq(name, STR("X-Amz-Algorithm")) || str_eq(name, STR("Signature")))
            return true;
    }
    return false;
}

struct params {
    struct str credential, signed_headers, signature;
};

/* The name=value list behind the algorithm. False: *ret_bad has the answer. */
static bool read_params(struct str list, struct str header, struct arena *arena, struct params *ret, struct str *ret_bad)
{
    const struct {
        struct str name;
        struct str *value;
    } known[] = {
        {STR("Credential"), &ret->credential},
        {STR("SignedHeaders"), &ret->signed_headers},
        {STR("Signature"), &ret->signature},
    };

    while (list.p) {
        struct str piece = str_trim(str_cut(&list, ','));
        if (piece.n == 0)
            continue;
        size_t equal = str_find(piece, '=');
        if (equal == piece.n) {
            struct str hash = header_hash(arena, header);
            *ret_bad = arena_printf(arena,
                                    "Invalid key=value pair (missing equal-sign) in Authorization header "
                                    "(hashed with SHA-256 and encoded with Base64): '" STR_FMT "'.",
                                    STR_ARG(hash));
            return false;
        }
        for (size_t i = 0; i < COUNT_OF(known); i++)
            if (str_eq(str_slice(piece, 0, equal), known[i].name))
                *known[i].value = str_slice(piece, equal + 1, piece.n);
    }
    return true;
}

/* One sentence for each missing part, then the header's hash. STR_NONE: nothing is missing. */
static struct str missing_parts(struct arena *arena, const struct params *params, struct str date, struct str header)
{
    struct buf text;

    if (params->credential.n && params->signature.n && params->signed_headers.n && date.n)
        return STR_NONE;
    buf_init(&text, arena, 1024);
    if (!params->credential.n)
        buf_lit(&text, "Authorization header requires 'Credential' parameter. ");
    if (!params->signature.n)
        buf_lit(&text, "Authorization header requires 'Signature' parameter. ");
    if (!params->signed_headers.n)
        buf_lit(&text, "Authorization header requires 'SignedHeaders' parameter. ");
    if (!date.n)
        buf_lit(&text, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    buf_lit(&text, "(Hashed with SHA-256 and encoded with Base64) Authorization=");
    buf_add(&text, header_hash(arena, header));
    return buf_str(&text);
}

static bool scope_region_ok(struct str region)
{
    if (region.n == 0 || region.n > 64)
        return false;
    for (size_t i = 0; i < region.n; i++) {
        char c = region.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'))
            return false;
    }
    return true;
}

static enum sigv4_status read_scope(struct str credential, struct arena *arena, struct sigv4 *sig)
{
    struct str rest = credential, part[5];
    size_t count = 0;

    while (rest.p && count < COUNT_OF(part))
        part[count++] = str_cut(&rest, '/');
    if (count != COUNT_OF(part) || rest.p) {
        sig->message = arena_printf(arena,
                                    "Credential must have exactly 5 slash-delimited elements, e.g. "
                                    "keyid/date/region/service/term, got '" STR_FMT "'",
                                    STR_ARG(credential));
        return SIGV4_INCOMPLETE;
    }
    sig->access_key_id = part[0];
    sig->date = part[1];
    sig->region = part[2];
    sig->service = part[3];
    if (!str_eq(part[4], STR(TERMINATOR))) {
        sig->message = arena_printf(arena,
                                    "Credential should be scoped with a valid terminator: '" TERMINATOR "', not '" STR_FMT "'.",
                                    STR_ARG(part[4]));
        return SIGV4_BAD_SCOPE;
    }
    if (!scope_region_ok(sig->region)) {
        sig->message = STR("Credential should be scoped to a valid region. ");
        return SIGV4_BAD_SCOPE;
    }
    return SIGV4_OK;
}

/* x-amz-date wins over Date. The scope's day must be the day of that time. */
static enum sigv4_status sigv4_date(struct str text, bool from_date, struct arena *arena, struct sigv4 *sig)
{
    bool basic = text.n == 16 && text.p[8] == 'T' && text.p[15] == 'Z';

    if ((!basic && !from_date) || !clock_parse(text, &sig->time_ms)) {
        sig->message = arena_printf(
            arena, "Date must be in ISO-8601 'basic format'. Got '" STR_FMT "'. See http://en.wikipedia.org/wiki/ISO_8601",
            STR_ARG(text));
        return SIGV4_INCOMPLETE;
    }
    sig->amz_date = basic ? text : clock_sigv4(arena, sig->time_ms);
    if (!str_eq(sig->date, str_slice(sig->amz_date, 0, 8))) {
        sig->message = arena_printf(arena,
                                    "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
                                    "'" STR_FMT "' != '" STR_FMT "', from '" STR_FMT "'.",
                                    STR_ARG(sig->date), 8, sig->amz_date.p, STR_ARG(text));
        return SIGV4_BAD_SCOPE;
    }
    return SIGV4_OK;
}

static void read_payload(struct str header, struct arena *arena, struct sigv4 *sig)
{
    enum sigv4_payload payload = sigv4_payload(header);

    if (payload == SIGV4_PAYLOAD_HASHED)
        return;
    sig->payload = header;
    if (payload != SIGV4_PAYLOAD_CHUNKS && payload != SIGV4_PAYLOAD_CHUNKS_TRAILER)
        return;
    sig->chain = sigv4__chain_new(arena);
}

/* Host and all x-amz-* headers must be signed. (A date that came as Date is part of the string to sign in any case.) */
static enum sigv4_status check_signed_list(const struct http_request *request, struct arena *arena, struct sigv4 *sig)
{
    split_names(sig->signed_headers, arena, sig);
    if (!is_signed(sig, STR("host"))) {
        sig->message = STR("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
        return SIGV4_INCOMPLETE;
    }
    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name;
        if (is_amz_header(name) && !is_signed(sig, name)) {
            sig->message = arena_printf(arena, "'" STR_FMT "' must be a 'SignedHeader' in the AWS Authorization.", STR_ARG(name));
            return SIGV4_INCOMPLETE;
        }
        if (is_amz_header(name) && same_name(name, STR("x-amz-content-sha256")))
            read_payload(request->headers[i].value, arena, sig);
    }
    return SIGV4_OK;
}

static enum sigv4_status unsupported(struct sigv4 *sig, struct str what)
{
    sig->message = what;
    return SIGV4_UNSUPPORTED;
}

enum sigv4_status sigv4_parse(const struct http_request *request, struct arena *arena, struct sigv4 *ret)
{
    struct str header = http_header(request, "authorization"), rest = header, bad = STR_NONE;
    struct params params = {STR_NONE, STR_NONE, STR_NONE};

    *ret = (struct sigv4){.time_ms = 0};
    if (!header.n) {
        if (query_signed(request->query))
            return unsupported(ret, STR("Signatures in the query string are not supported."));
        return SIGV4_MISSING;
    }
    struct str algorithm = str_cut(&rest, ' ');
    if (str_starts(algorithm, STR("AWS4-ECDSA")))
        return unsupported(ret, STR("Signature Version 4A (AWS4-ECDSA-P256-SHA256) is not supported."));
    if (str_eq(algorithm, STR("AWS")) || str_starts(algorithm, STR("AWS3")))
        return unsupported(ret, STR("Only Signature Version 4 (AWS4-HMAC-SHA256) is supported."));
    if (!str_eq(algorithm, STR(ALGORITHM)))
        rest = header;
    if (!read_params(rest, header, arena, &params, &bad)) {
        ret->message = bad;
        return SIGV4_INCOMPLETE;
    }
    struct str date = http_header(request, "x-amz-date");
    bool from_date = !date.n;
    if (from_date)
        date = http_header(request, "date");
    ret->message = missing_parts(arena, &params, date, header);
    if (ret->message.n)
        return SIGV4_INCOMPLETE;
    ret->signed_headers = params.signed_headers;
    ret->signature = params.signature;
    struct str token = http_header(request, "x-amz-security-token");
    if (token.n)
        ret->security_token = token;
    enum sigv4_status status = read_scope(params.credential, arena, ret);
    if (status == SIGV4_OK)
        status = sigv4_date(date, from_date, arena, ret);
    if (status == SIGV4_OK)
        status = check_signed_list(request, arena, ret);
    return status;
}

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

/* NULL: more parameters than any call has. */
static char *put_query(char *out, struct str query, struct arena *arena)
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
        param[count++].value = pair.p ? encode_again(pair, arena) : STR_NONE;
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
            if (!same_name(header->name, name))
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

/* What stands for the body. Services other than S3 hash what arrived, whatever x-amz-content-sha256 claims, so a claim
 * that is not true ends as a mismatch and UNSIGNED-PAYLOAD is not accepted. S3 takes UNSIGNED-PAYLOAD as such. */
static char *put_payload(char *out, const struct http_request *request, const struct sigv4 *sig, bool s3)
{
    uint8_t digest[SHA256_BYTES];
    SHA256_CTX ctx;

    if (sig->payload.n && (s3 || sig->body_unsigned))
        return sigv4__append(out, sig->payload);
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, request->body.p, request->body.n);
    SHA256_Final(digest, &ctx);
    return hex_put(out, digest, sizeof digest);
}

static size_t canonical_bound(const struct http_request *request, const struct sigv4 *sig)
{
    size_t bound = request->method.n + 3 * request->path.n + 3 * request->query.n + 2 * QUERY_PARAMS_MAX +
                   3 * sig->signed_headers.n + HEX_DIGEST + 64;

    for (size_t i = 0; i < request->header_count; i++)
        bound += request->headers[i].value.n + 1;
    return bound;
}

/* False: no signer could have made this. */
static bool canonical_request(const struct http_request *request, const struct sigv4 *sig, bool twice, struct arena *arena,
                              uint8_t ret[SHA256_BYTES])
{
    SHA256_CTX ctx;

    if (!sig->signed_sorted)
        return false;
    size_t bound = canonical_bound(request, sig);
    char *text = arena_alloc(arena, bound), *out = text;
    out = sigv4__append(out, request->method);
    *out++ = '\n';
    out = put_path(out, request->path, twice, arena);
    *out++ = '\n';
    if (request->query.n && !(out = put_query(out, request->query, arena)))
        return false;
    *out++ = '\n';
    out = put_headers(out, request, sig);
    *out++ = '\n';
    out = sigv4__append(out, sig->signed_headers);
    *out++ = '\n';
    out = put_payload(out, request, sig, !twice);
    ENSURE((size_t)(out - text) <= bound);
    SHA256_Init(&ctx);
    SHA256_Update(&ctx, text, (size_t)(out - text));
    SHA256_Final(ret, &ctx);
    return true;
}

/* ---- checking ---- */

static enum sigv4_status check_time(struct sigv4 *sig, int64_t now_ms, struct arena *arena)
{
    struct str now, bound;

    if (sig->time_ms >= now_ms - SIGV4_SKEW_MS && sig->time_ms <= now_ms + SIGV4_SKEW_MS)
        return SIGV4_OK;
    now = clock_sigv4(arena, now_ms);
    if (sig->time_ms < now_ms) {
        bound = clock_sigv4(arena, now_ms - SIGV4_SKEW_MS);
        sig->message = arena_printf(arena, "Signature expired: " STR_FMT " is now earlier than " STR_FMT " (" STR_FMT " - 15 min.)",
                                    STR_ARG(sig->amz_date), STR_ARG(bound), STR_ARG(now));
    } else {
        bound = clock_sigv4(arena, now_ms + SIGV4_SKEW_MS);
        sig->message =
            arena_printf(arena, "Signature not yet current: " STR_FMT " is still later than " STR_FMT " (" STR_FMT " + 15 min.)",
                         STR_ARG(sig->amz_date), STR_ARG(bound), STR_ARG(now));
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

enum sigv4_status sigv4_digest(const struct http_request *request, struct sigv4 *sig, int64_t now_ms, bool encode_path_twice,
                               struct arena *arena, uint8_t ret[SHA256_BYTES])
{
    if (check_time(sig, now_ms, arena) != SIGV4_OK)
        return SIGV4_EXPIRED;
    if (sig->signature.n != HEX_DIGEST || !canonical_request(request, sig, encode_path_twice, arena, ret))
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

/* ---- chains ---- */

struct sigv4_chain *sigv4_chain_of(const struct sigv4 *sig, struct str secret, struct arena *arena)
{
    struct sigv4_chain *chain = sigv4__chain_new(arena);
    struct signing_key *key = key_derive(sig, secret);

    sigv4__chain_begin(chain, &key->state, sig);
    key_free(key);
    return chain;
}

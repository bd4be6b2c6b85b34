/* jwt.c -- verifies compact JSON Web Tokens.
 *
 * Order: form (three parts of base64url, a header that is an object), algorithm and key, signature, and only then the
 * claims are parsed and held against the rules. A failure's sentence says which of these it was.
 * What RFC 8725 warns of: the verifier and not the token decides the algorithm (a secret is for HS256 alone, a key for
 * its type's); "none" is no algorithm here; unknown critical headers are refused; keys by "jku", "x5u" or "jwk" in the
 * token are never looked at; secrets are compared in constant time and must be long; a PEM text is no secret.
 * Sources: RFC 7515, RFC 7517, RFC 7518, RFC 7519, RFC 8725. */
#include "cloudless/jwt.h"
#include "crypto.h"
#include "jwt_key.h"
#include <stdlib.h>

#define LEEWAY_MAX 300
#define SECRET_MIN 32
#define SECRET_MAX 4096
#define SET_BYTES_MAX (256u << 10)
#define SET_KEYS_MAX 64
#define ARENA_MAX (4u << 20)

struct entry {
    cl_str kid; /* empty: it has none */
    struct cl__jwt_key *key;
};

struct cl_jwt {
    cl_arena *arena;         /* has all strings here and the set's tree */
    cl_str issuer, audience; /* p NULL: not asked */
    int64_t leeway;
    bool allow_no_expiry;
    cl_str secret; /* p NULL: a key set */
    struct entry *entries;
    size_t count;
};

/* why: a constant, so that the sentence stays. */
static cl_result fail(cl_result result, cl_str *message, const char *why)
{
    if (message)
        *message = cl_str_of(why);
    return result;
}

/* ---- making a verifier ---- */

static cl_str copy_of(cl_arena *arena, const char *text)
{
    return text ? cl_dup(arena, cl_str_of(text)) : (cl_str){0};
}

static cl_result new_verifier(const cl_jwt_rules *rules, cl_jwt **ret, cl_str *message)
{
    if (rules && (rules->leeway < 0 || rules->leeway > LEEWAY_MAX))
        return fail(CL_CONFIG, message, "leeway: expected 0 to 300 seconds");
    cl_jwt *jwt = cl__malloc(sizeof *jwt);
    if (!jwt)
        return fail(CL_NO_MEMORY, message, "out of memory");
    *jwt = (cl_jwt){.arena = cl_arena_new(ARENA_MAX)};
    if (jwt->arena && rules) {
        jwt->issuer = copy_of(jwt->arena, rules->issuer);
        jwt->audience = copy_of(jwt->arena, rules->audience);
        jwt->leeway = rules->leeway;
        jwt->allow_no_expiry = rules->allow_no_expiry;
    }
    if (!jwt->arena || cl_arena_failed(jwt->arena)) {
        cl_jwt_free(jwt);
        return fail(CL_NO_MEMORY, message, "out of memory");
    }
    *ret = jwt;
    return CL_OK;
}

void cl_jwt_free(cl_jwt *jwt)
{
    if (!jwt)
        return;
    for (size_t i = 0; i < jwt->count; i++)
        cl__jwt_key_free(jwt->entries[i].key);
    if (jwt->secret.p)
        cl__wipe((char *)jwt->secret.p, jwt->secret.n);
    cl_arena_free(jwt->arena);
    free(jwt);
}

cl_result cl_jwt_secret(cl_str secret, bool allow_short, const cl_jwt_rules *rules, cl_jwt **ret, cl_str *message)
{
    static const char pem[] = "-----BEGIN ";
    if (secret.n == 0 || (secret.n < SECRET_MIN && !allow_short))
        return fail(CL_CONFIG, message, "the secret of HS256 must have at least 32 bytes");
    if (secret.n > SECRET_MAX)
        return fail(CL_CONFIG, message, "the secret of HS256 may have at most 4096 bytes");
    if (secret.n >= sizeof pem - 1 && memcmp(secret.p, pem, sizeof pem - 1) == 0)
        return fail(CL_CONFIG, message, "a key in PEM is no secret for HS256");
    cl_jwt *jwt = NULL;
    cl_result result = new_verifier(rules, &jwt, message);
    if (result != CL_OK)
        return result;
    jwt->secret = cl_dup(jwt->arena, secret);
    if (!jwt->secret.p) {
        cl_jwt_free(jwt);
        return fail(CL_NO_MEMORY, message, "out of memory");
    }
    *ret = jwt;
    return CL_OK;
}

static cl_result read_set(cl_jwt *jwt, cl_str jwks, cl_str *message)
{
    cl_json *set = NULL;
    if (jwks.n > SET_BYTES_MAX)
        return fail(CL_CONFIG, message, "the key set is longer than 256 KiB");
    cl_result parsed = cl_json_parse(jwt->arena, jwks, &set, NULL);
    if (parsed == CL_NO_MEMORY)
        return fail(CL_NO_MEMORY, message, "out of memory");
    const cl_json *keys = cl_json_get(set, "keys");
    if (parsed != CL_OK || !cl_json_is(keys, CL_ARRAY))
        return fail(CL_CONFIG, message, "the key set is no JSON object with an array \"keys\"");
    if (keys->count > SET_KEYS_MAX)
        return fail(CL_CONFIG, message, "the key set has more than 64 keys");
    jwt->entries = cl_alloc_array(jwt->arena, sizeof *jwt->entries, keys->count + 1);
    if (!jwt->entries)
        return fail(CL_NO_MEMORY, message, "out of memory");
    for CL_JSON_EACH(jwk, keys) {
        struct cl__jwt_key *key = NULL;
        cl_result made = cl__jwt_key_of(jwt->arena, jwk, &key);
        if (made == CL_NO_MEMORY)
            return fail(CL_NO_MEMORY, message, "out of memory");
        if (made == CL_OK)
            jwt->entries[jwt->count++] = (struct entry){cl_json_str(cl_json_get(jwk, "kid")), key};
    }
    return jwt->count ? CL_OK : fail(CL_CONFIG, message, "the key set has no RSA or P-256 key for signatures");
}

cl_result cl_jwt_key_set(cl_str jwks, const cl_jwt_rules *rules, cl_jwt **ret, cl_str *message)
{
    cl_jwt *jwt = NULL;
    cl_result result = new_verifier(rules, &jwt, message);
    if (result == CL_OK)
        result = read_set(jwt, jwks, message);
    if (result == CL_OK)
        *ret = jwt;
    else
        cl_jwt_free(jwt);
    return result;
}

/* ---- verifying ---- */

struct token {
    cl_str header, payload, signature; /* as they stand in it */
    cl_str signed_bytes;               /* header.payload */
    cl_json *head;
    cl_str signature_bytes;
};

static bool split(cl_str text, struct token *ret)
{
    const char *first = text.n ? memchr(text.p, '.', text.n) : NULL, *end = first ? text.p + text.n : NULL;
    const char *second = first ? memchr(first + 1, '.', (size_t)(end - first - 1)) : NULL;
    if (!second || memchr(second + 1, '.', (size_t)(end - second - 1)))
        return false;
    ret->header = (cl_str){text.p, (size_t)(first - text.p)};
    ret->payload = (cl_str){first + 1, (size_t)(second - first - 1)};
    ret->signature = (cl_str){second + 1, (size_t)(end - second - 1)};
    ret->signed_bytes = (cl_str){text.p, (size_t)(second - text.p)};
    return ret->header.n > 0;
}

/* A part that is a JSON object in base64url. */
static cl_result decode_object(cl_arena *arena, cl_str part, cl_json **ret)
{
    cl_str text = {0};
    cl_json *json = NULL;
    cl_result result = cl_base64_decode(arena, part, true, &text);
    if (result == CL_OK)
        result = cl_json_parse(arena, text, &json, NULL);
    if (result == CL_OK && !cl_json_is(json, CL_OBJECT))
        result = CL_INVALID;
    if (result == CL_OK)
        *ret = json;
    return result;
}

/* Gives *ret the key that the header names, or NULL for a secret. */
static cl_result choose(const cl_jwt *jwt, const cl_json *head, const struct cl__jwt_key **ret, cl_str *message)
{
    cl_str algorithm = cl_json_str(cl_json_get(head, "alg"));
    const cl_json *kid = cl_json_get(head, "kid");
    *ret = NULL;
    if (cl_json_get(head, "crit"))
        return fail(CL_REFUSED, message, "the token has critical headers");
    if (kid && (kid->type != CL_STRING || kid->text.n == 0))
        return fail(CL_REFUSED, message, "the token's key id is no text");
    if (jwt->secret.p)
        return cl_str_is(algorithm, "HS256") ? CL_OK : fail(CL_REFUSED, message, "the token's algorithm is not HS256");
    if (!kid && jwt->count != 1)
        return fail(CL_REFUSED, message, "the token names no key, and there are several");
    bool named = !kid;
    for (size_t i = 0; i < jwt->count && !*ret; i++) {
        const struct entry *entry = &jwt->entries[i];
        bool this_one = !kid || cl_str_eq(entry->kid, kid->text);
        named = named || this_one;
        if (this_one && cl_str_is(algorithm, cl__jwt_key_algorithm(entry->key)))
            *ret = entry->key;
    }
    if (*ret)
        return CL_OK;
    return fail(CL_REFUSED, message, named ? "the token's algorithm is not its key's" : "the token's key is unknown");
}

/* CL_OK, CL_REFUSED or CL_NO_MEMORY. */
static cl_result check_signature(const cl_jwt *jwt, const struct cl__jwt_key *key, const struct token *token)
{
    if (key)
        return cl__jwt_key_verify(key, token->signed_bytes, token->signature_bytes);
    unsigned char mac[CL__SHA256_BYTES];
    cl__hmac_sha256(jwt->secret, &token->signed_bytes, 1, mac);
    bool same =
        token->signature_bytes.n == sizeof mac && cl__same_bytes((const unsigned char *)token->signature_bytes.p, mac, sizeof mac);
    cl__wipe(mac, sizeof mac);
    return same ? CL_OK : CL_REFUSED;
}

static bool is_for(const cl_json *audience, cl_str wanted)
{
    if (cl_json_is(audience, CL_STRING))
        return cl_str_eq(audience->text, wanted);
    if (cl_json_is(audience, CL_ARRAY))
        for CL_JSON_EACH(one, audience)
            if (cl_json_is(one, CL_STRING) && cl_str_eq(one->text, wanted))
                return true;
    return false;
}

/* The claims that are times. A token is refused when its claim, moved by the leeway, is on the wrong side of now. */
static const struct timed {
    const char *name;
    bool is_end; /* exp: now must be before it; else: not before it */
    const char *refused, *no_number;
} timed[] = {{"exp", true, "the token has expired", "exp is no number"},
             {"nbf", false, "the token is not valid yet", "nbf is no number"},
             {"iat", false, "the token was issued in the future", "iat is no number"}};

static cl_result check_times(const cl_jwt *jwt, const cl_json *claims, int64_t now_ms, cl_str *message)
{
    double now = (double)now_ms / 1000, leeway = (double)jwt->leeway;
    if (!cl_json_get(claims, "exp") && !jwt->allow_no_expiry)
        return fail(CL_REFUSED, message, "the token has no expiry");
    for (size_t i = 0; i < CL__COUNT(timed); i++) {
        const cl_json *claim = cl_json_get(claims, timed[i].name);
        double at;
        if (!claim)
            continue;
        if (!cl_json_double(claim, &at))
            return fail(CL_REFUSED, message, timed[i].no_number);
        if (timed[i].is_end ? now >= at + leeway : now < at - leeway)
            return fail(CL_REFUSED, message, timed[i].refused);
    }
    return CL_OK;
}

static cl_result check_claims(const cl_jwt *jwt, const cl_json *claims, int64_t now_ms, cl_str *message)
{
    const cl_json *issuer = cl_json_get(claims, "iss"), *subject = cl_json_get(claims, "sub"), *id = cl_json_get(claims, "jti");
    if (subject && subject->type != CL_STRING)
        return fail(CL_REFUSED, message, "sub is no text");
    if (id && id->type != CL_STRING)
        return fail(CL_REFUSED, message, "jti is no text");
    if (jwt->issuer.p && !(cl_json_is(issuer, CL_STRING) && cl_str_eq(issuer->text, jwt->issuer)))
        return fail(CL_REFUSED, message, "the token is from another issuer");
    if (jwt->audience.p && !is_for(cl_json_get(claims, "aud"), jwt->audience))
        return fail(CL_REFUSED, message, "the token is for another audience");
    return check_times(jwt, claims, now_ms, message);
}

/* CL_NO_MEMORY or CL_INVALID, and its sentence. */
static cl_result malformed(cl_result result, cl_str *message, const char *why)
{
    return result == CL_NO_MEMORY ? fail(result, message, "out of memory") : fail(CL_INVALID, message, why);
}

cl_result cl_jwt_verify(const cl_jwt *jwt, cl_arena *arena, cl_str text, int64_t now_ms, const cl_json **ret_claims,
                        cl_str *message)
{
    struct token token = {0};
    const struct cl__jwt_key *key = NULL;
    cl_json *claims = NULL;
    if (text.n > CL_JWT_BYTES_MAX)
        return fail(CL_INVALID, message, "the token is longer than 16384 bytes");
    if (!split(text, &token))
        return fail(CL_INVALID, message, "the token has not three parts");
    cl_result result = decode_object(arena, token.header, &token.head);
    if (result != CL_OK)
        return malformed(result, message, "the token's header is no JSON object in base64url");
    result = choose(jwt, token.head, &key, message);
    if (result != CL_OK)
        return result;
    result = cl_base64_decode(arena, token.signature, true, &token.signature_bytes);
    if (result != CL_OK)
        return malformed(result, message, "the token's signature is no base64url");
    result = check_signature(jwt, key, &token);
    if (result != CL_OK)
        return fail(result, message, result == CL_NO_MEMORY ? "out of memory" : "the token's signature is wrong");
    result = decode_object(arena, token.payload, &claims);
    if (result != CL_OK)
        return malformed(result, message, "the token's claims are no JSON object in base64url");
    result = check_claims(jwt, claims, now_ms, message);
    if (result == CL_OK)
        *ret_claims = claims;
    return result;
}

cl_result cl_jwt_verify_bearer(const cl_jwt *jwt, cl_arena *arena, cl_str authorization, int64_t now_ms, const cl_json **ret_claims,
                               cl_str *message)
{
    static const char scheme[] = "Bearer ";
    const size_t n = sizeof scheme - 1;
    if (authorization.n < n || !cl__ieq((cl_str){authorization.p, n}, (cl_str){scheme, n}))
        return fail(CL_INVALID, message, "the Authorization header has no bearer token");
    cl_str text = {authorization.p + n, authorization.n - n};
    while (text.n > 0 && text.p[0] == ' ')
        text = (cl_str){text.p + 1, text.n - 1};
    while (text.n > 0 && text.p[text.n - 1] == ' ')
        text.n--;
    return cl_jwt_verify(jwt, arena, text, now_ms, ret_claims, message);
}

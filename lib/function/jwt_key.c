/* jwt_key.c -- RSA and elliptic curve keys by OpenSSL's EVP.
 *
 * A key's type decides its algorithm, and nothing that a token says does. A JWK that says itself that it is for something
 * else (use, key_ops, alg) is none of ours. An EC point that is not on the curve is refused when the key is made.
 * EVP brings OpenSSL's providers with it, which a function pays for in memory only if it has such keys.
 * Sources: RFC 7517, RFC 7518 sections 3.3, 3.4 and 6; RFC 8725 sections 3.1 to 3.5. */
#include "jwt_key.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define EXPONENT_MAX 8 /* bytes */
#define P256_BYTES   32

struct cl__jwt_key {
    const char *algorithm;
    size_t signature_bytes;
    bool is_ec;
    EVP_PKEY *pkey;
};

/* A member in base64url, of 1 to max bytes, into `to`; 0: it is not that. */
static size_t bytes_of(cl_arena *arena, const cl_json *jwk, const char *member, unsigned char *to, size_t max)
{
    cl_str text = cl_json_str(cl_json_get(jwk, member)), bytes = {0};
    if (cl_base64_decode(arena, text, true, &bytes) != CL_OK || bytes.n == 0 || bytes.n > max)
        return 0;
    memcpy(to, bytes.p, bytes.n);
    return bytes.n;
}

/* A public key from parameters that the builder has; takes the builder. */
static EVP_PKEY *make(const char *type, OSSL_PARAM_BLD *builder, bool complete)
{
    OSSL_PARAM *params = complete ? OSSL_PARAM_BLD_to_param(builder) : NULL;
    EVP_PKEY_CTX *context = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    EVP_PKEY *key = NULL;
    if (!context || EVP_PKEY_fromdata_init(context) != 1 || EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    return key;
}

static EVP_PKEY *rsa_of(cl_arena *arena, const cl_json *jwk)
{
    unsigned char n[RSA_BITS_MAX / 8], e[EXPONENT_MAX];
    size_t n_bytes = bytes_of(arena, jwk, "n", n, sizeof n), e_bytes = bytes_of(arena, jwk, "e", e, sizeof e);
    if (n_bytes == 0 || e_bytes == 0 || !(e[e_bytes - 1] & 1) || (e_bytes == 1 && e[0] == 1))
        return NULL;
    BIGNUM *modulus = BN_bin2bn(n, (int)n_bytes, NULL), *exponent = BN_bin2bn(e, (int)e_bytes, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool complete = builder && modulus && exponent && BN_num_bits(modulus) >= RSA_BITS_MIN && BN_is_odd(modulus) &&
                    !BN_is_one(exponent) && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) &&
                    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent);
    EVP_PKEY *key = make("RSA", builder, complete);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

static EVP_PKEY *ec_of(cl_arena *arena, const cl_json *jwk)
{
    unsigned char point[1 + 2 * P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    if (!cl_str_is(cl_json_str(cl_json_get(jwk, "crv")), "P-256") ||
        bytes_of(arena, jwk, "x", point + 1, P256_BYTES) != P256_BYTES ||
        bytes_of(arena, jwk, "y", point + 1 + P256_BYTES, P256_BYTES) != P256_BYTES)
        return NULL;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool complete = builder && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
                    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point);
    EVP_PKEY *key = make("EC", builder, complete);
    EVP_PKEY_CTX *context = key ? EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL) : NULL;
    if (!context || EVP_PKEY_public_check(context) != 1) {
        EVP_PKEY_free(key);
        key = NULL;
    }
    EVP_PKEY_CTX_free(context);
    return key;
}

static const struct type {
    const char *kty, *algorithm;
    EVP_PKEY *(*make)(cl_arena *arena, const cl_json *jwk);
    bool is_ec;
} types[] = {{"RSA", "RS256", rsa_of, false}, {"EC", "ES256", ec_of, true}};

/* Absent, or that very string. */
static bool may_be(const cl_json *jwk, const char *member, const char *text)
{
    const cl_json *found = cl_json_get(jwk, member);
    return !found || cl_str_is(cl_json_str(found), text);
}

static bool may_verify(const cl_json *jwk)
{
    const cl_json *operations = cl_json_get(jwk, "key_ops");
    if (!operations)
        return true;
    for CL_JSON_EACH(operation, operations)
        if (cl_str_is(cl_json_str(operation), "verify"))
            return true;
    return false;
}

/* The row for such a JWK, or NULL. */
static const struct type *type_of(const cl_json *jwk)
{
    for (size_t i = 0; i < CL__COUNT(types); i++)
        if (cl_str_is(cl_json_str(cl_json_get(jwk, "kty")), types[i].kty) && may_be(jwk, "use", "sig") &&
            may_be(jwk, "alg", types[i].algorithm) && may_verify(jwk))
            return &types[i];
    return NULL;
}

cl_result cl__jwt_key_of(cl_arena *arena, const cl_json *jwk, struct cl__jwt_key **ret)
{
    const struct type *type = type_of(jwk);
    if (!type)
        return CL_NOT_FOUND;
    OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    ERR_clear_error();
    struct cl__jwt_key *key = cl__malloc(sizeof *key);
    EVP_PKEY *pkey = key ? type->make(arena, jwk) : NULL;
    bool no_memory = !key || cl_arena_failed(arena) || ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
    ERR_clear_error();
    if (!pkey) {
        free(key);
        return no_memory ? CL_NO_MEMORY : CL_NOT_FOUND;
    }
    *key = (struct cl__jwt_key){type->algorithm, type->is_ec ? 2 * P256_BYTES : (size_t)EVP_PKEY_get_size(pkey), type->is_ec, pkey};
    *ret = key;
    return CL_OK;
}

void cl__jwt_key_free(struct cl__jwt_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

const char *cl__jwt_key_algorithm(const struct cl__jwt_key *key)
{
    return key->algorithm;
}

/* The two numbers as the DER that EVP takes; OpenSSL's block, or NULL. */
static unsigned char *der_of(const unsigned char *raw, int *ret_n)
{
    unsigned char *der = NULL;
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, P256_BYTES, NULL), *s = BN_bin2bn(raw + P256_BYTES, P256_BYTES, NULL);
    if (signature && r && s && ECDSA_SIG_set0(signature, r, s)) {
        r = s = NULL; /* the signature's now */
        *ret_n = i2d_ECDSA_SIG(signature, &der);
        if (*ret_n <= 0)
            der = NULL;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return der;
}

bool cl__jwt_key_verify(const struct cl__jwt_key *key, cl_str signed_bytes, cl_str signature)
{
    if (signature.n != key->signature_bytes)
        return false;
    const unsigned char *raw = (const unsigned char *)signature.p;
    int n = (int)signature.n;
    unsigned char *der = key->is_ec ? der_of(raw, &n) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good = context && (der || !key->is_ec) && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pkey) == 1 &&
                EVP_DigestVerify(context, der ? der : raw, (size_t)n, (const unsigned char *)signed_bytes.p, signed_bytes.n) == 1;
    EVP_MD_CTX_free(context);
    OPENSSL_free(der);
    ERR_clear_error();
    return good;
}

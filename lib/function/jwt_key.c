/* jwt_key.c -- RSA and elliptic curve keys by OpenSSL's EVP.
 *
 * A key's type decides its algorithm, and nothing that a token says does. A JWK that says itself that it is for something
 * else (use, key_ops, alg) is none of ours. An EC point that is not on the curve is refused when the key is made.
 * OpenSSL without memory fails like OpenSSL with a wrong key or signature, and does not always say why. So a refusal needs
 * evidence (numbers that are wrong, a point that is not on the curve, a verification that came to its end), and any other
 * failure is taken for a lack of memory.
 * EVP brings OpenSSL's providers with it, which a function pays for in memory only if it has such keys.
 * Sources: RFC 7517, RFC 7518 sections 3.3, 3.4 and 6; RFC 8725 sections 3.1 to 3.5. */
#include "jwt_key.h"
#include "crypto.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
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

/* CL_OK, CL_NO_MEMORY, or CL_NOT_FOUND: no key that we take. */
static cl_result rsa_of(cl_arena *arena, const cl_json *jwk, EVP_PKEY **ret)
{
    unsigned char n[RSA_BITS_MAX / 8], e[EXPONENT_MAX];
    size_t n_bytes = bytes_of(arena, jwk, "n", n, sizeof n), e_bytes = bytes_of(arena, jwk, "e", e, sizeof e);
    if (n_bytes == 0 || e_bytes == 0 || !(e[e_bytes - 1] & 1) || (e_bytes == 1 && e[0] == 1))
        return CL_NOT_FOUND;
    BIGNUM *modulus = BN_bin2bn(n, (int)n_bytes, NULL), *exponent = BN_bin2bn(e, (int)e_bytes, NULL);
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool known = modulus && exponent;
    bool good = known && BN_num_bits(modulus) >= RSA_BITS_MIN && BN_is_odd(modulus) && !BN_is_one(exponent);
    bool complete = good && builder && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus) &&
                    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent);
    *ret = make("RSA", builder, complete);
    BN_free(modulus);
    BN_free(exponent);
    return *ret ? CL_OK : known && !good ? CL_NOT_FOUND : CL_NO_MEMORY;
}

/* What the queue of errors says; empties it. */
struct told {
    bool no_memory, off_the_curve;
};

static struct told errors_told(void)
{
    struct told told = {false, false};
    for (unsigned long error = ERR_get_error(); error; error = ERR_get_error()) {
        int reason = ERR_GET_REASON(error);
        told.no_memory = told.no_memory || reason == ERR_R_MALLOC_FAILURE;
        bool no_point =
            reason == EC_R_POINT_IS_NOT_ON_CURVE || reason == EC_R_COORDINATES_OUT_OF_RANGE || reason == EC_R_INVALID_ENCODING;
        told.off_the_curve = told.off_the_curve || (ERR_GET_LIB(error) == ERR_LIB_EC && no_point);
    }
    return told;
}

static cl_result ec_of(cl_arena *arena, const cl_json *jwk, EVP_PKEY **ret)
{
    unsigned char point[1 + 2 * P256_BYTES] = {POINT_CONVERSION_UNCOMPRESSED};
    if (!cl_str_is(cl_json_str(cl_json_get(jwk, "crv")), "P-256") ||
        bytes_of(arena, jwk, "x", point + 1, P256_BYTES) != P256_BYTES ||
        bytes_of(arena, jwk, "y", point + 1 + P256_BYTES, P256_BYTES) != P256_BYTES)
        return CL_NOT_FOUND;
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    bool complete = builder && OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) &&
                    OSSL_PARAM_BLD_push_octet_string(builder, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point);
    *ret = make("EC", builder, complete);
    EVP_PKEY_CTX *context = *ret ? EVP_PKEY_CTX_new_from_pkey(NULL, *ret, NULL) : NULL;
    bool checked = context && EVP_PKEY_public_check(context) == 1;
    EVP_PKEY_CTX_free(context);
    if (checked)
        return CL_OK;
    EVP_PKEY_free(*ret);
    *ret = NULL;
    struct told told = errors_told();
    return told.off_the_curve && !told.no_memory ? CL_NOT_FOUND : CL_NO_MEMORY;
}

static const struct type {
    const char *kty, *algorithm;
    cl_result (*make)(cl_arena *arena, const cl_json *jwk, EVP_PKEY **ret);
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
    EVP_PKEY *pkey = NULL;
    cl_result result = key ? type->make(arena, jwk, &pkey) : CL_NO_MEMORY;
    ERR_clear_error();
    if (result != CL_OK) {
        free(key);
        return cl_arena_failed(arena) ? CL_NO_MEMORY : result;
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

cl_result cl__jwt_key_verify(const struct cl__jwt_key *key, cl_str signed_bytes, cl_str signature)
{
    if (signature.n != key->signature_bytes)
        return CL_REFUSED;
    unsigned char hash[CL__SHA256_BYTES];
    const unsigned char *raw = (const unsigned char *)signature.p;
    int n = (int)signature.n;
    unsigned char *der = key->is_ec ? der_of(raw, &n) : NULL;
    ERR_clear_error();
    cl__sha256(&signed_bytes, 1, hash);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);
    bool ready = context && (der || !key->is_ec) && EVP_PKEY_verify_init(context) == 1 &&
                 EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1;
    int verdict = ready ? EVP_PKEY_verify(context, der ? der : raw, (size_t)n, hash, sizeof hash) : -1;
    struct told told = errors_told();
    EVP_PKEY_CTX_free(context);
    OPENSSL_free(der);
    return verdict == 1 ? CL_OK : verdict < 0 || told.no_memory ? CL_NO_MEMORY : CL_REFUSED;
}

/* jwt_test.c -- tokens: the examples of RFC 7515, tokens made here with keys made here, and the ways to forge one. */
#include "walk.h"
#include "cloudless/jwt.h"
#include "crypto.h"
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>

#define NOW      1800000000 /* seconds */
#define SECRET   "0123456789abcdef0123456789abcdef"
#define HS256    "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define LONG_EXP "\"exp\":1800000600"

/* RFC 7515, appendices A.1 to A.3: the claims are the same in all. */
#define RFC_PAYLOAD "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
#define RFC_HS256   "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9." RFC_PAYLOAD ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
#define RFC_SECRET  "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"
#define RFC_RS256                                                                                                                  \
    "eyJhbGciOiJSUzI1NiJ9." RFC_PAYLOAD                                                                                            \
    ".cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2"                                   \
    "Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_"             \
    "eSN9383LcOLn6_"                                                                                                               \
    "dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_"             \
    "IoypGlUPQGe77Rw"
#define RFC_RSA_N                                                                                                                  \
    "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"     \
    "YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"                                        \
    "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3q"                                                                                   \
    "Co5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"
#define RFC_RSA "{\"kty\":\"RSA\",\"n\":\"" RFC_RSA_N "\",\"e\":\"AQAB\"}"
#define RFC_ES256                                                                                                                  \
    "eyJhbGciOiJFUzI1NiJ9." RFC_PAYLOAD ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define RFC_EC_X  "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_EC_Y  "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define RFC_EC    "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_EC_X "\",\"y\":\"" RFC_EC_Y "\"}"
#define TOO_LARGE "__________________________________________8" /* 2^256 - 1 */
#define SET(keys) "{\"keys\":[" keys "]}"

/* OpenSSL's own blocks: the one that finds the count at 0 (and every later one) is not given; -1: off. */
static long openssl_countdown = -1;

static bool openssl_gives(void)
{
    if (openssl_countdown > 0)
        openssl_countdown--;
    return openssl_countdown != 0;
}

static void *openssl_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return openssl_gives() ? malloc(n) : NULL;
}

static void *openssl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return openssl_gives() ? realloc(p, n) : NULL;
}

static void openssl_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

static cl_arena *arena;
static EVP_PKEY *rsa, *ec, *ec_2;

static int set_up(void **state)
{
    (void)state;
    arena = cl_arena_new(0);
    rsa = EVP_RSA_gen(2048);
    ec = EVP_EC_gen("P-256");
    ec_2 = EVP_EC_gen("P-256");
    return arena && rsa && ec && ec_2 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    cl_arena_free(arena);
    EVP_PKEY_free(rsa);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(ec_2);
    return 0;
}

/* ---- making tokens and key sets ---- */

static cl_str b64(cl_str bytes)
{
    return cl_base64(arena, bytes, true);
}

static cl_str raw_ec_signature(cl_str der)
{
    static unsigned char raw[64];
    const unsigned char *p = (const unsigned char *)der.p;
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &p, (long)der.n);
    assert_non_null(signature);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_r(signature), raw, 32), 32);
    assert_int_equal(BN_bn2binpad(ECDSA_SIG_get0_s(signature), raw + 32, 32), 32);
    ECDSA_SIG_free(signature);
    return (cl_str){(const char *)raw, sizeof raw};
}

/* A token signed with a key, or, without one, with a secret. */
static cl_str make_token(EVP_PKEY *key, const char *secret, const char *head, const char *claims)
{
    static unsigned char bytes[1024];
    cl_str text = cl_printf(arena, CL_FMT "." CL_FMT, CL_ARG(b64(cl_str_of(head))), CL_ARG(b64(cl_str_of(claims))));
    cl_str signature = {(const char *)bytes, 32};
    if (key) {
        size_t n = sizeof bytes;
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        assert_int_equal(EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key), 1);
        assert_int_equal(EVP_DigestSign(context, bytes, &n, (const unsigned char *)text.p, text.n), 1);
        EVP_MD_CTX_free(context);
        signature.n = n;
        if (EVP_PKEY_is_a(key, "EC"))
            signature = raw_ec_signature(signature);
    } else {
        cl__hmac_sha256(cl_str_of(secret), &text, 1, bytes);
    }
    return cl_printf(arena, CL_FMT "." CL_FMT, CL_ARG(text), CL_ARG(b64(signature)));
}

static cl_str hs256(const char *claims)
{
    return make_token(NULL, SECRET, HS256, claims);
}

static cl_str number_of(const EVP_PKEY *key, const char *name, int pad)
{
    static unsigned char bytes[512];
    BIGNUM *number = NULL;
    assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
    int n = pad ? BN_bn2binpad(number, bytes, pad) : BN_bn2bin(number, bytes);
    BN_free(number);
    return b64((cl_str){(const char *)bytes, (size_t)n});
}

/* further: members that begin with a comma, or "". */
static const char *jwk_of(const EVP_PKEY *key, const char *further)
{
    if (EVP_PKEY_is_a(key, "EC"))
        return cl_printf(arena, "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"%s\",\"y\":\"%s\"%s}",
                         number_of(key, OSSL_PKEY_PARAM_EC_PUB_X, 32).p, number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y, 32).p, further)
            .p;
    return cl_printf(arena, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}", number_of(key, OSSL_PKEY_PARAM_RSA_N, 0).p,
                     number_of(key, OSSL_PKEY_PARAM_RSA_E, 0).p, further)
        .p;
}

static cl_jwt *set_of(const char *jwks, const cl_jwt_rules *rules)
{
    cl_jwt *jwt = NULL;
    cl_str message = {0};
    cl_result result = cl_jwt_key_set(cl_str_of(jwks), rules, &jwt, &message);
    if (result != CL_OK)
        fail_msg("%s: " CL_FMT, cl_result_name(result), CL_ARG(message));
    return jwt;
}

static cl_jwt *secret_of(const cl_jwt_rules *rules)
{
    cl_jwt *jwt = NULL;
    cl_str message = {0};
    assert_int_equal(cl_jwt_secret(cl_str_of(SECRET), false, rules, &jwt, &message), CL_OK);
    return jwt;
}

/* What became of a token now; "" for CL_OK, else the sentence. */
static cl_str verdict_at(const cl_jwt *jwt, cl_str token, int64_t seconds, cl_result expected)
{
    static const cl_json *const untouched = (const cl_json *)&arena;
    const cl_json *claims = untouched;
    cl_str message = {0};
    cl_result result = cl_jwt_verify(jwt, arena, token, seconds * 1000, &claims, &message);
    if (result != expected)
        fail_msg("%s (" CL_FMT ") is not %s", cl_result_name(result), CL_ARG(message), cl_result_name(expected));
    assert_int_equal(claims != untouched, result == CL_OK);
    if (result == CL_OK)
        assert_true(cl_json_is(claims, CL_OBJECT));
    return message;
}

static cl_str verdict(const cl_jwt *jwt, cl_str token, cl_result expected)
{
    return verdict_at(jwt, token, NOW, expected);
}

/* ---- tests ---- */

static void test_rfc_7515(void **state)
{
    (void)state;
    const cl_jwt_rules rules = {.issuer = "joe"};
    cl_str secret, message;
    cl_jwt *jwt = NULL;
    assert_int_equal(cl_base64_decode(arena, cl_str_of(RFC_SECRET), true, &secret), CL_OK);
    assert_int_equal(cl_jwt_secret(secret, false, &rules, &jwt, &message), CL_OK);
    cl_jwt *const verifiers[] = {jwt, set_of(SET(RFC_RSA), &rules), set_of(SET(RFC_EC), &rules)};
    static const char *const tokens[] = {RFC_HS256, RFC_RS256, RFC_ES256};
    for (size_t i = 0; i < CL__COUNT(tokens); i++)
        for (size_t j = 0; j < CL__COUNT(verifiers); j++) {
            verdict_at(verifiers[j], cl_str_of(tokens[i]), 1300819379, i == j ? CL_OK : CL_REFUSED);
            verdict_at(verifiers[j], cl_str_of(tokens[i]), 1300819380, CL_REFUSED);
        }
    for (size_t j = 0; j < CL__COUNT(verifiers); j++)
        cl_jwt_free(verifiers[j]);
}

/* Every character of every example changed to another one of the alphabet: none passes. (The last character of a part may
 * not be decoded at all then; that is a refusal as well.) */
static void test_tampering(void **state)
{
    (void)state;
    cl_jwt *const verifiers[] = {secret_of(NULL), set_of(cl_printf(arena, SET("%s"), jwk_of(rsa, "")).p, NULL),
                                 set_of(cl_printf(arena, SET("%s"), jwk_of(ec, "")).p, NULL)};
    const cl_str tokens[] = {hs256("{\"sub\":\"me\"," LONG_EXP "}"), make_token(rsa, NULL, "{\"alg\":\"RS256\"}", "{" LONG_EXP "}"),
                             make_token(ec, NULL, "{\"alg\":\"ES256\"}", "{" LONG_EXP "}")};
    for (size_t i = 0; i < CL__COUNT(tokens); i++) {
        verdict(verifiers[i], tokens[i], CL_OK);
        for (size_t at = 0; at < tokens[i].n; at++) {
            cl_str changed = cl_dup(arena, tokens[i]);
            char *c = (char *)changed.p + at;
            *c = *c == 'A' ? 'B' : 'A';
            const cl_json *claims = NULL;
            cl_str message;
            cl_result result = cl_jwt_verify(verifiers[i], arena, changed, NOW * INT64_C(1000), &claims, &message);
            assert_true(result == CL_REFUSED || result == CL_INVALID);
            assert_null(claims);
        }
        const char *signature = strrchr(tokens[i].p, '.') + 1;
        for (const char *c = "A_"; *c; c++) {                   /* as small and as large as a signature can be */
            cl_str changed = cl_dup(arena, tokens[i]);
            memset((char *)changed.p + (signature - tokens[i].p), *c, tokens[i].n - (size_t)(signature - tokens[i].p) - 1);
            char *last = (char *)changed.p + changed.n - 1;
            *last = *c == 'A' ? 'A' : tokens[i].n - (size_t)(signature - tokens[i].p) == 43 ? '8' : 'w';
            assert_str(verdict(verifiers[i], changed, CL_REFUSED), "the token's signature is wrong");
        }
        for (size_t n = 0; n < tokens[i].n; n += 7) {
            const cl_json *claims = NULL;
            cl_str message;
            assert_int_not_equal(
                cl_jwt_verify(verifiers[i], arena, (cl_str){tokens[i].p, n}, NOW * INT64_C(1000), &claims, &message), CL_OK);
        }
        cl_jwt_free(verifiers[i]);
    }
}

static void test_algorithms(void **state)
{
    (void)state;
    static const char claims[] = "{" LONG_EXP "}";
    static const char *const heads[] = {
        "{\"alg\":\"none\"}",   "{\"alg\":\"None\"}",        "{\"alg\":\"NONE\"}",  "{\"alg\":\"\"}",      "{}",
        "{\"alg\":null}",       "{\"alg\":[\"HS256\"]}",     "{\"alg\":\"HS384\"}", "{\"alg\":\"hs256\"}", "{\"alg\":\"RS256\"}",
        "{\"alg\":\"HS256 \"}", "{\"alg\":\"HS256\\u0000\"}"};
    cl_jwt *by_secret = secret_of(NULL), *by_rsa = set_of(cl_printf(arena, SET("%s"), jwk_of(rsa, "")).p, NULL);
    for (size_t i = 0; i < CL__COUNT(heads); i++) {
        assert_str(verdict(by_secret, make_token(NULL, SECRET, heads[i], claims), CL_REFUSED),
                   "the token's algorithm is not HS256");
        cl_str none = cl_printf(arena, CL_FMT "." CL_FMT ".", CL_ARG(b64(cl_str_of(heads[i]))), CL_ARG(b64(cl_str_of(claims))));
        verdict(by_secret, none, CL_REFUSED);
        verdict(by_rsa, none, CL_REFUSED);
    }
    /* A public key is public: whoever has it can make an HMAC with it, as PEM, as DER or as its number. */
    char *pem;
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(bio, rsa), 1);
    long n = BIO_get_mem_data(bio, &pem);
    const char *secrets[] = {cl_dup(arena, (cl_str){pem, (size_t)n}).p, number_of(rsa, OSSL_PKEY_PARAM_RSA_N, 0).p,
                             jwk_of(rsa, "")};
    for (size_t i = 0; i < CL__COUNT(secrets); i++)
        assert_str(verdict(by_rsa, make_token(NULL, secrets[i], HS256, claims), CL_REFUSED),
                   "the token's algorithm is not its key's");
    cl_jwt *jwt = NULL;
    cl_str message;
    assert_int_equal(cl_jwt_secret((cl_str){pem, (size_t)n}, false, NULL, &jwt, &message), CL_CONFIG);
    BIO_free(bio);
    /* ES256 with an RSA key's set, and the reverse; a signature of zeros. */
    assert_str(verdict(by_rsa, make_token(ec, NULL, "{\"alg\":\"ES256\"}", claims), CL_REFUSED),
               "the token's algorithm is not its key's");
    cl_jwt *by_ec = set_of(cl_printf(arena, SET("%s"), jwk_of(ec, "")).p, NULL);
    static const char zeros[64];
    cl_str text =
        cl_printf(arena, CL_FMT "." CL_FMT, CL_ARG(b64(cl_str_of("{\"alg\":\"ES256\"}"))), CL_ARG(b64(cl_str_of(claims))));
    assert_str(verdict(by_ec, cl_printf(arena, CL_FMT "." CL_FMT, CL_ARG(text), CL_ARG(b64((cl_str){zeros, 64}))), CL_REFUSED),
               "the token's signature is wrong");
    cl_jwt_free(by_secret);
    cl_jwt_free(by_rsa);
    cl_jwt_free(by_ec);
}

/* A key of the token's own, addresses, and critical headers. */
static void test_headers(void **state)
{
    (void)state;
    cl_jwt *by_secret = secret_of(NULL), *by_ec = set_of(cl_printf(arena, SET("%s"), jwk_of(ec, "")).p, NULL);
    static const char claims[] = "{" LONG_EXP "}";
    verdict(by_secret, make_token(NULL, SECRET, "{\"alg\":\"HS256\",\"kid\":\"any\",\"x\":1}", claims), CL_OK);
    assert_str(verdict(by_secret, make_token(NULL, SECRET, "{\"alg\":\"HS256\",\"kid\":7}", claims), CL_REFUSED),
               "the token's key id is no text");
    assert_str(verdict(by_secret, make_token(NULL, SECRET, "{\"alg\":\"HS256\",\"crit\":[\"exp\"],\"exp\":1}", claims), CL_REFUSED),
               "the token has critical headers");
    verdict(by_secret, make_token(NULL, SECRET, "{\"alg\":\"HS256\",\"b64\":false,\"crit\":[\"b64\"]}", claims), CL_REFUSED);
    const char *own = cl_printf(arena, "{\"alg\":\"ES256\",\"jwk\":%s,\"jku\":\"http://localhost/\"}", jwk_of(ec_2, "")).p;
    verdict(by_ec, make_token(ec_2, NULL, own, claims), CL_REFUSED);
    verdict(by_ec, make_token(ec, NULL, own, claims), CL_OK);
    cl_jwt_free(by_secret);
    cl_jwt_free(by_ec);
}

static void test_key_ids(void **state)
{
    (void)state;
    static const char claims[] = "{" LONG_EXP "}";
    const char *a = jwk_of(ec, ",\"kid\":\"a\",\"use\":\"sig\",\"alg\":\"ES256\""),
               *b = jwk_of(ec_2, ",\"kid\":\"b\",\"key_ops\":[\"verify\"]"), *c = jwk_of(rsa, ",\"kid\":\"c\""),
               *d = jwk_of(rsa, ",\"kid\":\"a\"");
    /* Others stand among them: of other uses, types and curves, and nonsense. */
    cl_jwt *jwt =
        set_of(cl_printf(arena, SET("7,null,{},{\"kty\":\"oct\",\"k\":\"AAAA\",\"kid\":\"o\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" TOO_LARGE "\",\"y\":\"" RFC_EC_Y "\"},%s,%s,%s,%s,%s,%s"),
                         jwk_of(ec, ",\"use\":\"enc\",\"kid\":\"e\""), jwk_of(ec, ",\"alg\":\"ES512\",\"kid\":\"f\""), a, b, c, d)
                   .p,
               NULL);
    static const struct {
        const char *head;
        char key;
        cl_result result;
        const char *message;
    } rows[] = {
        {"{\"alg\":\"ES256\",\"kid\":\"a\"}", '1', CL_OK, NULL},
        {"{\"alg\":\"ES256\",\"kid\":\"b\"}", '2', CL_OK, NULL},
        {"{\"alg\":\"RS256\",\"kid\":\"c\"}", 'r', CL_OK, NULL},
        {"{\"alg\":\"RS256\",\"kid\":\"a\"}", 'r', CL_OK, NULL},
        {"{\"alg\":\"ES256\",\"kid\":\"a\"}", '2', CL_REFUSED, "the token's signature is wrong"},
        {"{\"alg\":\"RS256\",\"kid\":\"b\"}", 'r', CL_REFUSED, "the token's algorithm is not its key's"},
        {"{\"alg\":\"ES256\",\"kid\":\"A\"}", '1', CL_REFUSED, "the token's key is unknown"},
        {"{\"alg\":\"ES256\",\"kid\":\"e\"}", '1', CL_REFUSED, "the token's key is unknown"},
        {"{\"alg\":\"ES256\",\"kid\":\"f\"}", '1', CL_REFUSED, "the token's key is unknown"},
        {"{\"alg\":\"HS256\",\"kid\":\"o\"}", '1', CL_REFUSED, "the token's key is unknown"},
        {"{\"alg\":\"ES256\",\"kid\":\"\"}", '1', CL_REFUSED, "the token's key id is no text"},
        {"{\"alg\":\"ES256\",\"kid\":1}", '1', CL_REFUSED, "the token's key id is no text"},
        {"{\"alg\":\"ES256\"}", '1', CL_REFUSED, "the token names no key, and there are several"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        EVP_PKEY *key = rows[i].key == 'r' ? rsa : rows[i].key == '1' ? ec : ec_2;
        cl_str message = verdict(jwt, make_token(key, NULL, rows[i].head, claims), rows[i].result);
        if (rows[i].message)
            assert_str(message, rows[i].message);
    }
    cl_jwt_free(jwt);
}

static void test_rules(void **state)
{
    (void)state;
    static const cl_jwt_rules plain = {0}, named = {.issuer = "us", .audience = "api"}, lenient = {.leeway = 60},
                              endless = {.allow_no_expiry = true};
    static const struct {
        const cl_jwt_rules *rules;
        const char *claims, *message; /* NULL: fine */
    } rows[] = {
        {&plain, "{" LONG_EXP "}", NULL},
        {&plain, "{}", "the token has no expiry"},
        {&endless, "{}", NULL},
        {&endless, "{\"exp\":1799999999}", "the token has expired"},
        {&plain, "{\"exp\":1800000000}", "the token has expired"},
        {&plain, "{\"exp\":1800000001}", NULL},
        {&plain, "{\"exp\":1800000000.5}", NULL},
        {&plain, "{\"exp\":1.8000001e9}", NULL},
        {&plain, "{\"exp\":1e400}", "exp is no number"},
        {&plain, "{\"exp\":\"1800000600\"}", "exp is no number"},
        {&plain, "{\"exp\":null}", "exp is no number"},
        {&plain, "{\"exp\":-1}", "the token has expired"},
        {&plain, "{\"sub\":\"\",\"jti\":\"\"," LONG_EXP "}", NULL},
        {&plain, "{\"sub\":7," LONG_EXP "}", "sub is no text"},
        {&plain, "{\"sub\":null," LONG_EXP "}", "sub is no text"},
        {&plain, "{\"jti\":[]," LONG_EXP "}", "jti is no text"},
        {&plain, "{\"exp\":1,\"exp\":1800000600}", NULL},
        {&lenient, "{\"exp\":1799999941}", NULL},
        {&lenient, "{\"exp\":1799999940}", "the token has expired"},
        {&plain, "{" LONG_EXP ",\"nbf\":1800000000}", NULL},
        {&plain, "{" LONG_EXP ",\"nbf\":1800000001}", "the token is not valid yet"},
        {&plain, "{" LONG_EXP ",\"nbf\":true}", "nbf is no number"},
        {&lenient, "{" LONG_EXP ",\"nbf\":1800000060}", NULL},
        {&lenient, "{" LONG_EXP ",\"nbf\":1800000061}", "the token is not valid yet"},
        {&plain, "{" LONG_EXP ",\"iat\":1800000001}", "the token was issued in the future"},
        {&lenient, "{" LONG_EXP ",\"iat\":1800000001}", NULL},
        {&named, "{" LONG_EXP ",\"iss\":\"us\",\"aud\":\"api\"}", NULL},
        {&named, "{" LONG_EXP ",\"iss\":\"us\",\"aud\":[\"web\",7,\"api\"]}", NULL},
        {&named, "{" LONG_EXP ",\"iss\":\"us\",\"aud\":[]}", "the token is for another audience"},
        {&named, "{" LONG_EXP ",\"iss\":\"us\",\"aud\":[\"web\"]}", "the token is for another audience"},
        {&named, "{" LONG_EXP ",\"iss\":\"us\",\"aud\":{\"x\":\"api\"}}", "the token is for another audience"},
        {&named, "{" LONG_EXP ",\"iss\":\"us\",\"aud\":\"apis\"}", "the token is for another audience"},
        {&named, "{" LONG_EXP ",\"iss\":\"us\"}", "the token is for another audience"},
        {&named, "{" LONG_EXP ",\"iss\":\"US\",\"aud\":\"api\"}", "the token is from another issuer"},
        {&named, "{" LONG_EXP ",\"iss\":[\"us\"],\"aud\":\"api\"}", "the token is from another issuer"},
        {&named, "{" LONG_EXP ",\"iss\":\"us\\u0000\",\"aud\":\"api\"}", "the token is from another issuer"},
        {&named, "{" LONG_EXP ",\"aud\":\"api\"}", "the token is from another issuer"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_jwt *jwt = secret_of(rows[i].rules);
        cl_str message = verdict(jwt, hs256(rows[i].claims), rows[i].message ? CL_REFUSED : CL_OK);
        if (rows[i].message)
            assert_str(message, rows[i].message);
        cl_jwt_free(jwt);
    }
}

static void test_no_tokens(void **state)
{
    (void)state;
    static const char head[] = "eyJhbGciOiJIUzI1NiJ9";
    cl_jwt *jwt = secret_of(NULL);
    static const char *const malformed[] = {"",       ".",          "..",       "...",         "a",         "a.b",     "a.b.c.d",
                                            "!.e30.", "e30=.e30.x", "W10.e30.", "bnVsbA.e30.", "e.e30.e30", ".e30.e30"};
    for (size_t i = 0; i < CL__COUNT(malformed); i++)
        verdict(jwt, cl_str_of(malformed[i]), CL_INVALID);
    verdict(jwt, cl_printf(arena, "%s.e30.???", head), CL_INVALID);
    verdict(jwt, cl_printf(arena, "%s.e30.", head), CL_REFUSED);
    verdict(jwt, (cl_str){0}, CL_INVALID);
    /* Signed, but with no claims in it. */
    static const char *const claims[] = {"", "[]", "7", "{", "{}x", "\"exp\""};
    for (size_t i = 0; i < CL__COUNT(claims); i++)
        assert_str(verdict(jwt, hs256(claims[i]), CL_INVALID), "the token's claims are no JSON object in base64url");
    char *longest = calloc(1, CL_JWT_BYTES_MAX + 2);
    memset(longest, 'A', CL_JWT_BYTES_MAX + 1);
    assert_str(verdict(jwt, cl_str_of(longest), CL_INVALID), "the token is longer than 16384 bytes");
    free(longest);
    cl_jwt_free(jwt);
}

static void test_bearer(void **state)
{
    (void)state;
    cl_jwt *jwt = secret_of(NULL);
    cl_str token = hs256("{" LONG_EXP "}");
    static const struct {
        const char *format;
        cl_result result;
    } rows[] = {{"Bearer %s", CL_OK},     {"bearer %s", CL_OK},     {"BEARER   %s  ", CL_OK},    {"%s", CL_INVALID},
                {"Bearer%s", CL_INVALID}, {"Basic %s", CL_INVALID}, {"Bearer %s x", CL_INVALID}, {"Bearer\t%s", CL_INVALID}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const char *mark = strstr(rows[i].format, "%s");
        cl_str header = cl_printf(arena, "%.*s" CL_FMT "%s", (int)(mark - rows[i].format), rows[i].format, CL_ARG(token), mark + 2);
        const cl_json *claims = NULL;
        cl_str message;
        cl_result result = cl_jwt_verify_bearer(jwt, arena, header, NOW * INT64_C(1000), &claims, &message);
        if (result != rows[i].result)
            fail_msg("%s: %s", rows[i].format, cl_result_name(result));
    }
    const cl_json *claims = NULL;
    cl_str message;
    assert_int_equal(cl_jwt_verify_bearer(jwt, arena, (cl_str){0}, 0, &claims, NULL), CL_INVALID);
    assert_int_equal(cl_jwt_verify(jwt, arena, cl_str_of("a.b.c"), 0, &claims, NULL), CL_INVALID);
    assert_int_equal(cl_jwt_verify(jwt, arena, hs256("{}"), NOW * INT64_C(1000), &claims, NULL), CL_REFUSED);
    assert_int_equal(cl_jwt_verify_bearer(jwt, arena, (cl_str){0}, 0, &claims, &message), CL_INVALID);
    assert_int_equal(cl_jwt_verify_bearer(jwt, arena, cl_str_of("Bearer "), 0, &claims, &message), CL_INVALID);
    cl_jwt_free(jwt);
}

static void test_configuration(void **state)
{
    (void)state;
    cl_jwt *jwt = NULL;
    cl_str message;
    assert_int_equal(cl_jwt_secret(cl_str_of(""), true, NULL, &jwt, &message), CL_CONFIG);
    assert_int_equal(cl_jwt_secret(cl_str_of("short"), false, NULL, &jwt, &message), CL_CONFIG);
    assert_str(message, "the secret of HS256 must have at least 32 bytes");
    cl_str later;
    cl__sentence("of another call");
    assert_int_equal(cl_jwt_key_set(cl_str_of("{}"), NULL, &jwt, &later), CL_CONFIG);
    assert_str(message, "the secret of HS256 must have at least 32 bytes");     /* a constant: it stays */
    assert_int_equal(cl_jwt_secret(cl_str_of("short"), false, NULL, &jwt, NULL), CL_CONFIG);
    assert_int_equal(cl_jwt_key_set(cl_str_of("{}"), NULL, &jwt, NULL), CL_CONFIG);
    assert_int_equal(cl_jwt_secret((cl_str){SECRET, 31}, false, NULL, &jwt, &message), CL_CONFIG);
    assert_int_equal(cl_jwt_secret(cl_str_of("short"), true, NULL, &jwt, &message), CL_OK);
    cl_jwt_free(jwt);
    jwt = NULL;
    static const cl_jwt_rules wrong[] = {{.leeway = -1}, {.leeway = 301}};
    for (size_t i = 0; i < CL__COUNT(wrong); i++)
        assert_int_equal(cl_jwt_secret(cl_str_of(SECRET), false, &wrong[i], &jwt, &message), CL_CONFIG);
    static const char *const sets[] = {
        "", "{}", "[]", "{\"keys\":{}}", SET(""), SET("{}"), SET("{\"kty\":\"oct\",\"k\":\"AAAA\"}"), SET(RFC_RSA) "x",
        SET("{\"kty\":\"RSA\"}"),
        /* Too small, exponent 1, an even exponent, an even modulus. */
        SET("{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTb\",\"e\":\"AQAB\"}"),
        SET("{\"kty\":\"RSA\",\"n\":\"" RFC_RSA_N "\",\"e\":\"AQ\"}"),
        SET("{\"kty\":\"RSA\",\"n\":\"" RFC_RSA_N "\",\"e\":\"AAAB\"}"),
        SET("{\"kty\":\"RSA\",\"n\":\"" RFC_RSA_N "\",\"e\":\"AQAA\"}"),
        SET("{\"kty\":\"RSA\",\"n\":\"" RFC_RSA_N "AA\",\"e\":\"AQAB\"}"),
        /* Not on the curve, no coordinates of its field, another curve, coordinates too short. */
        SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_EC_X "\",\"y\":\"" RFC_EC_X "\"}"),
        SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" TOO_LARGE "\",\"y\":\"" RFC_EC_Y "\"}"),
        SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" RFC_EC_X "\",\"y\":\"" TOO_LARGE "\"}"),
        SET("{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" RFC_EC_X "\",\"y\":\"" RFC_EC_Y "\"}"),
        SET("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83O\",\"y\":\"" RFC_EC_Y "\"}")};
    for (size_t i = 0; i < CL__COUNT(sets); i++) {
        cl_result result = cl_jwt_key_set(cl_str_of(sets[i]), NULL, &jwt, &message);
        if (result != CL_CONFIG)
            fail_msg("%s: %s", sets[i], cl_result_name(result));
        assert_null(jwt);
    }
    /* 65 keys are too many, 64 are not. */
    cl_buf buf;
    cl_buf_init(&buf, arena, 1 << 20);
    cl_buf_adds(&buf, "{\"keys\":[" RFC_EC);
    for (int i = 1; i < 64; i++)
        cl_buf_adds(&buf, "," RFC_EC);
    cl_str most = cl_printf(arena, CL_FMT "]}", CL_ARG(cl_buf_str(&buf))),
           more = cl_printf(arena, CL_FMT "," RFC_EC "]}", CL_ARG(cl_buf_str(&buf)));
    assert_int_equal(cl_jwt_key_set(more, NULL, &jwt, &message), CL_CONFIG);
    assert_int_equal(cl_jwt_key_set(most, NULL, &jwt, &message), CL_OK);
    cl_jwt_free(jwt);
    cl_jwt_free(NULL);
}

/* ---- without memory ---- */

static cl_result step_secret(void *arg)
{
    (void)arg;
    const cl_jwt_rules rules = {.issuer = "us", .audience = "api"};
    cl_jwt *jwt = NULL;
    cl_str message = {0};
    cl_result result = cl_jwt_secret(cl_str_of(SECRET), false, &rules, &jwt, &message);
    assert_int_equal(jwt != NULL, result == CL_OK);
    cl_jwt_free(jwt);
    return result;
}

static cl_result step_set(void *arg)
{
    cl_jwt *jwt = NULL;
    cl_str message = {0};
    cl_result result = cl_jwt_key_set(cl_str_of(arg), NULL, &jwt, &message);
    assert_int_equal(jwt != NULL, result == CL_OK);
    cl_jwt_free(jwt);
    return result;
}

struct verify_step {
    const cl_jwt *jwt;
    cl_str header;
};

static cl_result step_verify(cl_arena *own, void *arg)
{
    const struct verify_step *step = arg;
    const cl_json *claims = NULL;
    cl_str message = {0}, token = {step->header.p + 7, step->header.n - 7};
    cl_result result = cl_jwt_verify_bearer(step->jwt, own, step->header, NOW * INT64_C(1000), &claims, &message);
    assert_int_equal(claims != NULL, result == CL_OK);
    return result == CL_OK ? cl_jwt_verify(step->jwt, own, token, NOW * INT64_C(1000), &claims, NULL) : result;
}

/* The same with OpenSSL's blocks: neither a wrong signature nor a key set without keys, but no memory. */
static void walk_openssl(const char *jwks, cl_str token)
{
    cl_jwt *jwt = set_of(jwks, NULL), *other = NULL;
    const cl_json *claims = NULL;
    cl_str message = {0};
    int lacked = 0;
    assert_int_equal(cl_jwt_verify(jwt, arena, token, NOW * INT64_C(1000), &claims, &message), CL_OK);
    for (long n = 1; n < WALK_MAX; n++) {
        openssl_countdown = n;
        cl_result verified = cl_jwt_verify(jwt, arena, token, NOW * INT64_C(1000), &claims, &message);
        bool whole = openssl_countdown > 0;
        openssl_countdown = n;
        cl_result made = cl_jwt_key_set(cl_str_of(jwks), NULL, &other, &message);
        whole = whole && openssl_countdown > 0;
        openssl_countdown = -1;
        if (made == CL_OK)
            cl_jwt_free(other);
        lacked += verified == CL_NO_MEMORY;
        if ((verified != CL_OK && verified != CL_NO_MEMORY) || (made != CL_OK && made != CL_NO_MEMORY))
            fail_msg("at %ld: %s, %s: " CL_FMT, n, cl_result_name(verified), cl_result_name(made), CL_ARG(message));
        if (whole)
            break;
    }
    assert_true(lacked > 3);
    cl_jwt_free(jwt);
}

static void test_memory(void **state)
{
    (void)state;
    char set[] = SET(RFC_RSA "," RFC_EC);
    assert_true(walk(step_secret, NULL) >= 2);
    assert_true(walk(step_set, set) >= 4);
    cl_jwt *jwt = secret_of(NULL);
    cl_buf buf; /* claims that need more than one block */
    cl_buf_init(&buf, arena, 1 << 16);
    cl_buf_adds(&buf, "{" LONG_EXP ",\"list\":[0");
    for (int i = 0; i < 4000; i++)
        cl_buf_adds(&buf, ",0");
    cl_buf_adds(&buf, "]}");
    cl_str token = hs256(cl_buf_str(&buf).p);
    struct verify_step step = {jwt, cl_printf(arena, "Bearer " CL_FMT, CL_ARG(token))};
    struct walk_arena large = {step_verify, &step};
    assert_true(walk(walk_unlimited, &large) >= 2);
    cl_jwt_free(jwt);
    token = hs256("{" LONG_EXP "}");
    step = (struct verify_step){secret_of(NULL), cl_printf(arena, "Bearer " CL_FMT, CL_ARG(token))};
    walk_arena(step_verify, &step, 20000);
    cl_jwt_free((cl_jwt *)(uintptr_t)step.jwt);
    walk_openssl(cl_printf(arena, SET("%s"), jwk_of(rsa, "")).p, make_token(rsa, NULL, "{\"alg\":\"RS256\"}", "{" LONG_EXP "}"));
    walk_openssl(cl_printf(arena, SET("%s"), jwk_of(ec, "")).p, make_token(ec, NULL, "{\"alg\":\"ES256\"}", "{" LONG_EXP "}"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rfc_7515),      cmocka_unit_test(test_tampering),
                                       cmocka_unit_test(test_algorithms),    cmocka_unit_test(test_headers),
                                       cmocka_unit_test(test_key_ids),       cmocka_unit_test(test_rules),
                                       cmocka_unit_test(test_no_tokens),     cmocka_unit_test(test_bearer),
                                       cmocka_unit_test(test_configuration), cmocka_unit_test(test_memory)};
    if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free))
        return 1;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

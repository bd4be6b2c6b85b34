/* function_jwt_fuzz.c -- tokens and key sets. The first byte chooses: a token as it is (for a secret, an RSA key, an EC key),
 * claims that are signed rightly, a header whose token is signed rightly, a key set. */
#include "cloudless/jwt.h"
#include "crypto.h"
#include <stdlib.h>

/* Public keys and secret of RFC 7515, appendices A.1 to A.3, whose tokens are in the corpus; their claims' issuer is joe. */
#define RSA                                                                                                                        \
    "{\"keys\":[{\"kty\":\"RSA\",\"e\":\"AQAB\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-"     \
    "4qPCJrcS2mJP"                                                                                                                 \
    "MEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-" \
    "UTo7WT"                                                                                                                       \
    "BEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"                                        \
    "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp"                                                                                 \
    "oQ\"}]}"
#define EC                                                                                                                         \
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_"   \
    "tue659LNpX"                                                                                                                   \
    "W6pCyStikYjKIWI5a0\"}]}"
#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW_MS INT64_C(1300000000000)
#define HS256 "{\"alg\":\"HS256\"}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const cl_jwt_rules rules = {.issuer = "joe"}, none = {.allow_no_expiry = true};
static cl_jwt *secret, *rsa, *ec;

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void set_up(void)
{
    cl_str message;
    if (!secret)
        check(cl_jwt_secret(cl_str_of(SECRET), false, &none, &secret, &message) == CL_OK &&
              cl_jwt_key_set(cl_str_of(RSA), &rules, &rsa, &message) == CL_OK &&
              cl_jwt_key_set(cl_str_of(EC), &rules, &ec, &message) == CL_OK);
}

static cl_result verify(const cl_jwt *jwt, cl_arena *arena, cl_str token, const cl_json **ret)
{
    cl_str message = {0};
    *ret = NULL;
    cl_result result = cl_jwt_verify_bearer(jwt, arena, cl_printf(arena, "Bearer " CL_FMT, CL_ARG(token)), NOW_MS, ret, &message);
    check((result == CL_OK) == cl_json_is(*ret, CL_OBJECT));
    check(result == CL_OK || message.n > 0);
    check(result == CL_OK || result == CL_INVALID || result == CL_REFUSED);
    return result;
}

static cl_str sign(cl_arena *arena, cl_str head, cl_str claims)
{
    unsigned char mac[CL__SHA256_BYTES];
    cl_str text = cl_printf(arena, CL_FMT "." CL_FMT, CL_ARG(cl_base64(arena, head, true)), CL_ARG(cl_base64(arena, claims, true)));
    cl__hmac_sha256(cl_str_of(SECRET), &text, 1, mac);
    return cl_printf(arena, CL_FMT "." CL_FMT, CL_ARG(text),
                     CL_ARG(cl_base64(arena, (cl_str){(const char *)mac, sizeof mac}, true)));
}

/* Nobody finds a signature: what is accepted are the RFC's own tokens. */
static void any_token(cl_arena *arena, cl_str token)
{
    const cl_json *claims;
    cl_jwt *const verifiers[] = {secret, rsa, ec};
    for (size_t i = 0; i < CL__COUNT(verifiers); i++)
        if (verify(verifiers[i], arena, token, &claims) == CL_OK)
            check(i > 0 && cl_str_is(cl_json_str(cl_json_get(claims, "iss")), "joe"));
}

static void any_claims(cl_arena *arena, cl_str text)
{
    const cl_json *claims, *expiry;
    double at;
    if (verify(secret, arena, sign(arena, cl_str_of(HS256), text), &claims) != CL_OK)
        return;
    expiry = cl_json_get(claims, "exp");
    check(!expiry || (cl_json_double(expiry, &at) && at > (double)NOW_MS / 1000));
}

static void any_header(cl_arena *arena, cl_str text)
{
    const cl_json *claims;
    cl_json *head = NULL;
    if (verify(secret, arena, sign(arena, text, cl_str_of("{}")), &claims) != CL_OK)
        return;
    check(cl_json_parse(arena, text, &head, NULL) == CL_OK && cl_str_is(cl_json_str(cl_json_get(head, "alg")), "HS256"));
    check(!cl_json_get(head, "crit"));
}

static void any_set(cl_arena *arena, cl_str text)
{
    cl_jwt *jwt = NULL;
    const cl_json *claims;
    cl_str message = {0};
    cl_result result = cl_jwt_key_set(text, &rules, &jwt, &message);
    check((result == CL_OK) == (jwt != NULL) && (result == CL_OK || result == CL_CONFIG));
    if (jwt)
        verify(jwt, arena, sign(arena, cl_str_of(HS256), cl_str_of("{}")), &claims);
    cl_jwt_free(jwt);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const kinds[])(cl_arena *, cl_str) = {any_token, any_claims, any_header, any_set};
    if (size < 1 || size > CL_JWT_BYTES_MAX)
        return 0;
    set_up();
    cl_arena *arena = cl_arena_new(16u << 20);
    kinds[data[0] % 4](arena, (cl_str){(const char *)data + 1, size - 1});
    cl_arena_free(arena);
    return 0;
}

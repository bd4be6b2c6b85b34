/* jwt.h -- JSON Web Tokens, RFC 7519, in compact form (RFC 7515): HS256, RS256 and ES256, checked, never made.
 *
 * What the key is for decides the algorithm, not the token: a verifier with a secret takes HS256 only, one with a key set
 * takes for each key the one algorithm of its type. "none" and every other algorithm are refused, as are "crit" headers.
 * Messages (NULL: not wanted) are constants. Source of the traps: RFC 8725, "JSON Web Token Best Current Practices". */
#ifndef CLOUDLESS_JWT_H
#define CLOUDLESS_JWT_H
#include "cloudless/json.h"
CL_BEGIN

#define CL_JWT_BYTES_MAX 16384      /* a longer token is CL_INVALID */

typedef struct cl_jwt cl_jwt;       /* a verifier; keys are parsed once */

typedef struct cl_jwt_rules {
    const char *issuer;             /* "iss" must be equal; NULL: not asked */
    const char *audience;           /* "aud" is it or has it; NULL: not asked */
    int leeway;                     /* seconds, for exp, nbf and iat; at most 300 */
    bool allow_no_expiry;           /* else a token without "exp" is refused */
} cl_jwt_rules;

/* A secret of at least 32 bytes as RFC 7518 section 3.2 wants it (CL_CONFIG below), unless `allow_short`. */
CL_API cl_result cl_jwt_secret(cl_str secret, bool allow_short, const cl_jwt_rules *rules, cl_jwt **ret, cl_str *message);
/* A JWK Set's JSON: its RSA (2048 bits or more) and EC P-256 public keys for signatures; others are passed over, none
 * left is CL_CONFIG. A token names its key by "kid"; without one it needs a set of one key. */
CL_API cl_result cl_jwt_key_set(cl_str jwks, const cl_jwt_rules *rules, cl_jwt **ret, cl_str *message);
CL_API void cl_jwt_free(cl_jwt *jwt);

/* CL_OK and the claims; CL_INVALID: no token at all; CL_REFUSED: signature, algorithm, key, or a rule (or kid, sub, jti that
 * are no text); CL_NO_MEMORY: it could not be found out, which is no refusal: answer 500. *message says which, fit for a log,
 * not for the client. `bearer`: the value of an Authorization header, "Bearer …". */
CL_API cl_result cl_jwt_verify(const cl_jwt *jwt, cl_arena *arena, cl_str token, int64_t now_ms, const cl_json **ret_claims,
                               cl_str *message);
CL_API cl_result cl_jwt_verify_bearer(const cl_jwt *jwt, cl_arena *arena, cl_str authorization, int64_t now_ms,
                                      const cl_json **ret_claims, cl_str *message);

CL_END
#endif

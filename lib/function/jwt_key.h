/* jwt_key.h -- public keys of a JWK Set and signatures made with their private halves. */
#ifndef CL_JWT_KEY_H
#define CL_JWT_KEY_H
#include "internal.h"

struct cl__jwt_key;

/* A JWK (RFC 7517) as a key, if it is one for signatures: RSA of 2048 to 8192 bits, or EC of P-256. CL_OK, CL_NOT_FOUND for
 * any other, CL_NO_MEMORY. The arena is for what is decoded on the way. */
cl_result cl__jwt_key_of(cl_arena *arena, const cl_json *jwk, struct cl__jwt_key **ret);
void cl__jwt_key_free(struct cl__jwt_key *key);         /* NULL is fine */
const char *cl__jwt_key_algorithm(const struct cl__jwt_key *key);       /* "RS256" or "ES256" */
/* The signature as JWS has it: of ES256 the two numbers of 32 bytes each (RFC 7518, section 3.4). CL_OK, CL_REFUSED, or
 * CL_NO_MEMORY when OpenSSL had none to find out. */
cl_result cl__jwt_key_verify(const struct cl__jwt_key *key, cl_str signed_bytes, cl_str signature);

#endif

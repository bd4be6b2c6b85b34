/* policy.h -- IAM's policy language: parse, check, decide. Source: "IAM JSON policy reference" and "Policy evaluation logic".
 * Pure functions over text; no store, no services. */
#ifndef CLOUDLESS_AUTH_POLICY_H
#define CLOUDLESS_AUTH_POLICY_H
#include "base/arena.h"
#include "base/err.h"
#include "auth/principal.h"

enum policy_kind { POLICY_IDENTITY, POLICY_RESOURCE, POLICY_TRUST };
#define POLICY_BYTES_MAX 262144

struct policy;                                      /* compiled, immutable, any thread */
/* ERR_INVALID: *ret_message is AWS's wording (MalformedPolicyDocument's message). */
enum err policy_compile(struct str text, enum policy_kind kind, struct policy **ret, struct arena *arena, struct str *ret_message);
void policy_free(struct policy *policy);

struct policy_context { const char *key; struct str value; };      /* repeated keys: a multi-valued key */

struct policy_request {
    struct str action;                      /* dynamodb:PutItem */
    struct str resource;                    /* ARN */
    const struct principal *principal;
    struct policy_context *context;
    size_t context_count;
    /* Asked for a key that `context` lacks (global keys, tags); false: no such key. May be NULL. */
    bool (*lookup)(void *arg, const struct policy_request *request, struct str key, struct arena *arena, struct str *ret);
    void *lookup_arg;
    struct arena *arena;                    /* for values of variables and keys; NULL: one is made for the time of a match */
    const struct policy
        *resource_policy; /* for auth_authorize: the resource's, compiled, in place of its text; borrowed. NULL: none */
};

enum policy_effect { POLICY_NO_MATCH, POLICY_ALLOW, POLICY_DENY };
/* Does a decision by this policy hang on more than principal, action and resource? */
bool policy_depends_on_request(const struct policy *policy);
/* *ret_by_account: set when the only matching Principal is the account itself. */
enum policy_effect policy_match(const struct policy *policy, const struct policy_request *request, bool *ret_by_account);

enum decision_reason {
    DECISION_ALLOWED, DECISION_NO_IDENTITY_ALLOW, DECISION_NO_RESOURCE_ALLOW, DECISION_EXPLICIT_DENY_IDENTITY,
    DECISION_EXPLICIT_DENY_RESOURCE, DECISION_NO_BOUNDARY_ALLOW, DECISION_EXPLICIT_DENY_BOUNDARY,
    DECISION_NO_SESSION_ALLOW, DECISION_EXPLICIT_DENY_SESSION
};
/* identity, boundary and session belong to request->principal; resource to request->resource. A resource policy of kind
 * POLICY_TRUST must allow in any case; any other is united with the identity's in one account, and both must allow when the
 * resource's ARN names another account than the principal's. */
struct policy_set {
    struct policy **identity;
    size_t identity_count;
    struct policy *boundary, *session;
    const struct policy *resource;
};
enum decision_reason policy_decide(const struct policy_set *set, const struct policy_request *request);
/* "User: ARN is not authorized to perform: A on resource: R because no identity-based policy allows the A action" */
struct str policy_denied_message(struct arena *arena, enum decision_reason reason, const struct policy_request *request);
#endif

/* auth.h -- authenticate a request, then authorise what its row needs. Caches (one a loop) hold signing keys, compiled
 * policies and decisions, and are dropped when the source's generation changes. */
#ifndef CLOUDLESS_AUTH_AUTH_H
#define CLOUDLESS_AUTH_AUTH_H
#include "auth/policy.h"
#include "auth/principal.h"
#include "auth/sigv4.h"
#include "store/store.h"

struct auth;
enum err auth_new(struct store *store, size_t loops, struct auth **ret);
/* Before the first request; copied. */
void auth_set_source(struct auth *auth, const struct auth_source *source);
enum err auth_root_key(struct auth *auth, struct str preset_id, struct str preset_secret, struct arena *arena, struct str *ret_id,
                       struct str *ret_secret);        /* struct auth_source.root_key */
void auth_free(struct auth *auth);
struct buf;
void auth_write_metrics(struct buf *out, void *auth);        /* a metrics_source */

enum auth_failure {             /* a service's table of errors maps each to code, status and message of the service */
    AUTH_OK, AUTH_MISSING_TOKEN, AUTH_INCOMPLETE_SIGNATURE, AUTH_BAD_SCOPE, AUTH_UNKNOWN_KEY, AUTH_BAD_SESSION_TOKEN,
    AUTH_EXPIRED_TOKEN, AUTH_SIGNATURE_EXPIRED, AUTH_SIGNATURE_MISMATCH, AUTH_UNSUPPORTED, AUTH_BAD_QUERY, AUTH_URL_EXPIRED,
    AUTH_BAD_ARGUMENT, AUTH_BODY_MISMATCH, AUTH_INTERNAL
};
enum auth_failure auth_failure_of(enum sigv4_status status);
/* `sig` comes from a sigv4_parse that answered SIGV4_OK; its chain is begun. *ret_region is the scope's. *ret_message: AWS's
 * sentence where the failure has one of its own. */
enum auth_failure auth_authenticate(struct auth *auth, const struct http_request *request, const struct sigv4 *sig,
                                    struct arena *arena, struct principal **ret, struct str *ret_region, struct str *ret_message);
/* Who sent a request that nobody signed, to an operation that takes such: only a resource policy for everybody lets them in. */
struct principal *auth_anonymous(const struct http_request *request, struct arena *arena);
/* One need; a resource policy of sts:AssumeRole… is taken as a trust policy. `resource_policy` may be STR_NONE. Global context keys
 * are added here (aws:PrincipalArn, aws:SourceIp, …). ERR_DENIED: *ret_message is AWS's wording. ERR_CORRUPT: a stored policy
 * cannot be read; nothing is allowed then. */
enum err auth_authorize(struct auth *auth, const struct policy_request *request, struct str resource_policy, struct arena *arena,
                        struct str *ret_message);

/* A key of this installation for what clients bring back and must not have made themselves, as page tokens (call/page_token.h):
 * derived from the key of session tokens, so it outlives a restart. Lives as long as `auth`. */
#define AUTH_TOKEN_KEY_BYTES 32
const uint8_t *auth_token_key(const struct auth *auth);

/* ---- session credentials: self-contained, sealed (AES-256-GCM) with a key kept in the store, so none is stored ---- */
struct auth_session {
    struct str access_key_id;   /* ASIA… */
    struct str secret, token;
    int64_t expires_ms;
};
/* For AssumeRole and for execution roles of functions. Any thread, no write. */
void auth_session_issue(struct auth *auth, const struct principal *session, int64_t expires_ms, struct arena *arena,
                        struct auth_session *ret);
#endif

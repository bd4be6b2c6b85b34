/* auth_internal.h -- shared by auth.c, session.c and context.c. */
#ifndef CLOUDLESS_AUTH_AUTH_INTERNAL_H
#define CLOUDLESS_AUTH_AUTH_INTERNAL_H
#include "auth/auth.h"

/* ---- session.c: sealing of session tokens ---- */
#define SESSION_KEY_BYTES 32
struct session_sealer;          /* one thread at a time; holds a keyed cipher context */
struct session_sealer *session__sealer_new(const uint8_t key[SESSION_KEY_BYTES]);
void session__sealer_free(struct session_sealer *sealer);
/* Reads the key of all tokens, or makes it durable at the first start. */
enum err session__load_key(struct store *store, uint8_t ret[SESSION_KEY_BYTES]);
struct str session__seal(struct session_sealer *sealer, const struct auth_key *key, struct str access_key_id, struct arena *arena);
/* ERR_INVALID: not made by this server, or changed. */
enum err session__open(struct session_sealer *sealer, struct str token, struct arena *arena, struct auth_key *ret);
/* Fills id, secret and token; key->principal, expires_ms are given. */
void session__issue(struct session_sealer *sealer, struct auth_key *key, struct arena *arena, struct auth_session *ret);

/* ---- context.c: global condition keys ---- */
struct context_source {
    const struct auth_tag *tags;            /* of the principal */
    size_t tag_count;
    int64_t now_ms;
};
/* For policy_request.lookup; `arg` is a struct context_source. */
bool context__lookup(void *arg, const struct policy_request *request, struct str key, struct arena *arena, struct str *ret);
#endif

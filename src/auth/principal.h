/* principal.h -- who calls, and where the auth layer learns about keys and policies.
 * IAM (a service, above this layer) registers an auth_source; auth never includes a service. */
#ifndef CLOUDLESS_AUTH_PRINCIPAL_H
#define CLOUDLESS_AUTH_PRINCIPAL_H
#include "base/arena.h"
#include "base/err.h"

enum principal_type { PRINCIPAL_ROOT, PRINCIPAL_USER, PRINCIPAL_ROLE_SESSION, PRINCIPAL_SERVICE, PRINCIPAL_ANONYMOUS };

struct principal {
    enum principal_type type;
    struct str account;         /* 12 digits; STR_NONE for a service and for nobody in particular */
    /* arn:aws:iam::A:root, …:user/path/NAME, arn:aws:sts::A:assumed-role/ROLE/SESSION; a service: lambda.amazonaws.com; anonymous
     */
    struct str arn;
    struct str id;              /* unique id: the account (root), AIDA…, AROA…:SESSION */
    struct str name;            /* user name, or role name of a session */
    struct str role_arn;        /* of a session: arn:aws:iam::A:role/path/ROLE */
    struct str session_policy;  /* JSON, or STR_NONE */
    struct str access_key_id;
    struct str source_ip;       /* of this request, as are region (of its scope) and user_agent */
    struct str region, user_agent;
    bool secure;                /* it came over TLS */
    int64_t issued_ms;          /* session: when */
};

struct auth_key {
    struct str secret;          /* 40 characters; never logged */
    struct str session_token;   /* STR_NONE for a long-term key */
    bool active;
    int64_t expires_ms;         /* 0: never */
    struct principal principal;
};

struct policy;                  /* compiled, policy.h */

struct auth_tag {
    struct str key, value;
};
/* What counts for a user, or for the sessions of a role. */
struct auth_identity {
    struct str *policies;       /* texts: inline, attached, of its groups; AWS-managed ones too */
    size_t policy_count;
    struct str boundary;        /* text of the permissions boundary, or STR_NONE */
    struct auth_tag *tags;      /* aws:PrincipalTag/KEY */
    size_t tag_count;
};

struct auth_source {
    void *arg;
    /* Long-term keys. Copies into the arena. ERR_NOT_FOUND, ERR_IO. */
    enum err (*find_key)(void *arg, struct str access_key_id, struct arena *arena, struct auth_key *ret);
    /* ERR_NOT_FOUND: the user or role is gone (or another under its name), and nothing is allowed any more. */
    enum err (*identity)(void *arg, const struct principal *principal, struct arena *arena, struct auth_identity *ret);
    /* The root key of the server's account: made at the first start, or preset; durable when it returns. `secret` may be STR_NONE
     * to make one. ERR_INVALID: a preset id that no key may have; ERR_EXISTS: it is a user's. */
    enum err (*root_key)(void *arg, struct str preset_id, struct str preset_secret, struct arena *arena, struct str *ret_id,
                         struct str *ret_secret);
    uint64_t (*generation)(void *arg);      /* changes whenever any answer above may have changed */
};
#endif

/* iam_internal.h -- how users, roles, policies and keys lie in the store; shared by the files of this folder.
 *
 * Space IAM_SPACE, documents of store/doc.h, collections "ACCOUNT/aws-global/TYPE":
 *   users        name in lower case     Name Path Id CreateMs Tags Inline Attached Boundary Keys (ids)
 *   roles        name in lower case     the same without Keys; Trust TrustIds (ARN → unique id) Description MaxSession
 *   policies     name in lower case     Name Path Id CreateMs UpdateMs Description Tags Default Next
 *                                       Versions [VersionId CreateMs Text]
 *   attachments  POLICY-ARN \n KIND / NAME   Name; KIND is an entity's noun, with "boundary-" before it for boundaries
 *   counts       type                   Count: how many users, roles, policies there are, for the quotas
 * and in the collection of the account "all", because a request brings no more than the id:
 *   access-keys  key id                 User (name), Account, Secret, Status, CreateMs; Root for the account's own
 *   root-key     account                KeyId
 * Names are unique whatever their letter case. Inline is an object name → text, Attached a list of ARNs in the order of
 * attaching. */
#ifndef CLOUDLESS_SERVICES_IAM_IAM_INTERNAL_H
#define CLOUDLESS_SERVICES_IAM_IAM_INTERNAL_H
#include "services/iam/iam.h"
#include "call/listing.h"

/* Quotas. Source: "IAM and AWS STS quotas" of the IAM user guide. */
#define IAM_ATTACHED_MAX 10
#define IAM_KEYS_PER_USER_MAX 2
#define IAM_POLICY_VERSIONS_MAX 5
#define IAM_POLICY_CHARS_MAX 6144
#define IAM_TRUST_CHARS_MAX 2048
#define IAM_PAGE_DEFAULT 100

struct iam {                        /* the service's state: call->service_state */
    struct store *store;
    struct str root_account;
};
struct auth_source iam__auth_source(struct iam *iam);
static inline struct iam *iam__of(const struct call *call)
{
    return call->service_state;
}
static inline struct store_txn *iam__reader(const struct call *call)
{
    return store_reader(iam__of(call)->store);
}

/* ---- what users and roles have in common ---- */
struct entity_kind {
    const char *type, *noun, *title;            /* users, user, User */
    const char *name_member, *id_member, *id_prefix;
    size_t count_max;
    const char *count_quota;                    /* UsersPerAccount */
    const char *attached_quota, *tags_quota;
    size_t inline_chars_max;                    /* of all inline policies together */
};
extern const struct entity_kind iam__user, iam__role;
const struct entity_kind *iam__kind(const struct call *call);       /* by RoleName in the input */

/* What prepare makes outside the mutation, so that a second run of it writes the same. */
struct iam__made {
    int64_t now_ms;                             /* whole seconds: IAM's dates have no more */
    struct str user_id, role_id, policy_id, key_id, secret;
};
void iam__prepare(struct call *call);
static inline const struct iam__made *iam__made(const struct call *call)
{
    return call->state;
}

/* ---- documents ---- */
struct str iam__lower(struct arena *arena, struct str name);
struct store_key iam__place(struct arena *arena, struct str account, const char *type, struct str name);  /* name is lowered */
struct store_key iam__key_place(struct arena *arena, struct str key_id);
/* NULL: there is none (NoSuchEntity), or the store failed; call_fail was called. */
struct json *iam__entity_load(struct call *call, struct store_txn *txn, const struct entity_kind *kind, struct str name);
void iam__entity_save(struct call *call, struct store_txn *txn, const struct entity_kind *kind, const struct json *doc);
void iam__entity_remove(struct call *call, struct store_txn *txn, const struct entity_kind *kind, const struct json *doc);
struct str iam__arn(struct arena *arena, struct str account, const char *noun, struct str path, struct str name);
struct str iam__entity_arn(struct arena *arena, struct str account, const struct entity_kind *kind, const struct json *doc);
struct str iam__user_name(struct call *call);   /* UserName, or the calling user's; STR_NONE: call_fail was called, or root */
/* One more or less of a type; false: over its quota, call_fail was called. */
bool iam__count(struct call *call, struct store_txn *txn, const char *type, int change, size_t max, const char *quota);
/* The array or object member, made if it is missing. */
struct json *iam__member(struct call *call, struct json *doc, const char *name, enum json_type type);
size_t iam__array_find(const struct json *array, struct str text);      /* index, or array->count */
void iam__array_remove(struct json *array, size_t index);

/* ---- policies ---- */
/* By ARN, AWS-managed ones too, in the stored form. ERR_NOT_FOUND, ERR_IO. */
enum err iam__policy_find(struct store_txn *txn, struct str account, struct str arn, struct arena *arena, struct json **ret);
/* The same of the call's account, read once (call_doc.h). */
enum err iam__policy_get(struct call *call, struct store_txn *txn, struct str arn, struct json **ret);
/* The same with call_fail(NoSuchEntity); `message` has one %.*s for the ARN. NULL: failed. */
struct json *iam__policy_load(struct call *call, struct store_txn *txn, struct str arn, const char *message);
#define IAM_NO_ARN "Invalid ARN:  Could not be parsed!"
#define IAM_NOT_ATTACHABLE "Policy %.*s does not exist or is not attachable."
#define IAM_NOT_FOUND_POLICY "Policy %.*s was not found."
#define IAM_NO_SCOPE "Scope ARN: %.*s does not exist or is not attachable."
struct str iam__policy_text(const struct json *doc);            /* of the default version */
struct json *iam__managed_find(struct arena *arena, struct str arn);   /* AWS-managed; NULL: none of ours */
size_t iam__managed_count(void);
struct str iam__managed_arn(size_t index, struct arena *arena);
bool iam__is_managed(struct str arn);           /* of the account aws */
/* False: call_fail(MalformedPolicyDocument, or LimitExceeded over max characters, white space not counted). */
bool iam__policy_check(struct call *call, struct str text, enum policy_kind kind);
size_t iam__policy_chars(struct str text);

/* ---- trust policies of roles ---- */
/* Checks the text and sets Trust and TrustIds. False: call_fail. */
bool iam__trust_set(struct call *call, struct store_txn *txn, struct json *role, struct str text);
/* As it counts now: a user or role that was deleted (and perhaps made again) stands there by its old unique id. */
struct str iam__trust_text(struct store_txn *txn, struct str account, const struct json *role, struct arena *arena);

/* May a trust policy name it as a Service: NAME.amazonaws.com, with a region behind the name or not? */
bool iam__is_service(struct str principal);
size_t iam__services(const char *const **ret); /* all names, for the test */

/* ---- which entities a policy is attached to ---- */
struct str iam__attachment_slot(struct call *call, const struct entity_kind *kind, bool boundary);
void iam__attachment_put(struct call *call, struct store_txn *txn, struct str arn, struct str slot, struct str name);
void iam__attachment_remove(struct call *call, struct store_txn *txn, struct str arn, struct str slot, struct str name);
/* All index entries of a policy, as doc_list gives them; NULL: the store failed. */
struct json *iam__attachments(struct call *call, struct store_txn *txn, struct str arn);
/* Sets PermissionsBoundary of the input in a new or existing document. False: call_fail. */
bool iam__boundary_set(struct call *call, struct store_txn *txn, const struct entity_kind *kind, struct json *doc);
void iam__boundary_clear(struct call *call, struct store_txn *txn, const struct entity_kind *kind, struct json *doc);

/* ---- tags ---- */
bool iam__tags_merge(struct call *call, struct json *doc, const char *quota);  /* Tags of the input into the document's */

/* ---- answers ---- */
struct json *iam__output(struct call *call);    /* call->output, made at need */
void iam__add_document(struct call *call, struct json *parent, const char *key, struct str text);     /* percent-encoded */
void iam__add_date(struct call *call, struct json *parent, const char *key, const struct json *doc, const char *member);
void iam__add_text(struct call *call, struct json *parent, const char *key, struct str text);         /* unless empty */
struct json *iam__role_json(struct call *call, struct store_txn *txn, const struct json *doc, bool details);
struct json *iam__user_json(struct call *call, const struct json *doc, bool details);

/* The keys (of an object) or the texts (of an array), ascending; `list` may be NULL. */
size_t iam__sorted(struct call *call, const struct json *list, struct str **ret);

/* Pages: call/listing.h by MaxItems and Marker. */
bool iam__page_begin(struct call *call, struct listing *page);    /* false: call_fail */
void iam__page_end(struct call *call, const struct listing *page);
/* Walks the documents of a type until the page is full. `visit` decides with listing_take. False: call_fail. */
bool iam__page_walk(struct call *call, const char *type, struct listing *page,
                    void (*visit)(struct call *call, struct listing *page, struct str key, const struct json *doc));

/* ---- rows ---- */
call_needs_fn iam__needs;
call_run_fn iam__get_user, iam__list_users, iam__get_role, iam__list_roles, iam__list_access_keys, iam__get_policy,
    iam__list_policies, iam__get_policy_version, iam__list_policy_versions, iam__get_inline, iam__list_inline, iam__list_attached,
    iam__list_entities, iam__list_tags, iam__list_policy_tags, iam__list_instance_profiles, iam__list_groups;
call_mutate_fn iam__create_user, iam__delete_user, iam__update_user, iam__create_role, iam__delete_role, iam__update_role,
    iam__update_role_description, iam__update_trust, iam__create_access_key, iam__update_access_key, iam__delete_access_key,
    iam__create_policy, iam__delete_policy, iam__create_policy_version, iam__delete_policy_version, iam__set_default_version,
    iam__put_inline, iam__delete_inline, iam__attach, iam__detach, iam__put_boundary, iam__delete_boundary, iam__tag, iam__untag,
    iam__tag_policy, iam__untag_policy;
#endif

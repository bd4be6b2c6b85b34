/* iam.c -- IAM towards the rest of the server: the source that auth asks for keys and policies, the account's root
 * key, and what Lambda and STS need of roles.
 *
 * A session counts for the role that it was issued for: if the role was deleted and made again under its name, the unique id
 * differs and the session has no permissions left, of whatever policy. The same holds for keys of users. */
#include "services/iam/iam_internal.h"
#include "base/arn.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/ids.h"
#include "call/tags.h"
#include "store/doc.h"

/* ---- what auth asks ---- */

static enum err user_of_key(struct store_txn *txn, const struct json *key, struct arena *arena, struct principal *ret)
{
    struct json *user;
    enum err err = doc_get(txn, iam__place(arena, json_str(key, "Account"), "users", json_str(key, "User")), arena, &user);

    if (err != ERR_OK)
        return err;
    *ret = (struct principal){.type = PRINCIPAL_USER, .account = json_str(key, "Account"), .id = json_str(user, "Id"),
                              .name = json_str(user, "Name")};
    ret->arn = iam__entity_arn(arena, ret->account, &iam__user, user);
    return ERR_OK;
}

static enum err iam_find_key(void *arg, struct str id, struct arena *arena, struct auth_key *ret)
{
    struct iam *iam = arg;
    struct store_txn *txn = store_reader(iam->store);
    struct auth_key found = {.expires_ms = 0};
    struct json *key;
    enum err err = doc_get(txn, iam__key_place(arena, id), arena, &key);

    if (err != ERR_OK)
        return err;
    found.secret = json_str(key, "Secret");
    found.active = str_eq(json_str(key, "Status"), STR("Active"));
    if (json_bool(key, "Root", false)) {
        struct str account = json_str(key, "Account");
        found.principal = (struct principal){.type = PRINCIPAL_ROOT, .account = account, .id = account};
        found.principal.arn = arn_make(arena, "iam", STR_NONE, account, "root");
    } else {
        err = user_of_key(txn, key, arena, &found.principal);
    }
    if (err == ERR_OK)
        *ret = found;
    return err;
}

/* The user or role behind a principal. ERR_NOT_FOUND: gone, or another one of that name. */
static enum err find_entity(struct iam *iam, const struct principal *principal, struct arena *arena, struct json **ret)
{
    bool role = principal->type == PRINCIPAL_ROLE_SESSION;
    struct str id = role ? str_slice(principal->id, 0, str_find(principal->id, ':')) : principal->id;
    struct json *doc;
    enum err err = doc_get(store_reader(iam->store),
                           iam__place(arena, principal->account, role ? "roles" : "users", principal->name), arena, &doc);

    if (err == ERR_OK && !str_eq(json_str(doc, "Id"), id))
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *ret = doc;
    return err;
}

static enum err policy_texts(struct iam *iam, const struct principal *principal, const struct json *doc, struct arena *arena,
                             struct auth_identity *ret)
{
    const struct json *inlines = json_at(doc, "Inline"), *attached = json_at(doc, "Attached");
    struct store_txn *txn = store_reader(iam->store);
    struct str bound = json_str(doc, "Boundary");
    struct json *policy;
    enum err err = ERR_OK;

    ret->policies = arena_array(arena, struct str, (inlines ? inlines->count : 0) + (attached ? attached->count : 0) + 1);
    for JSON_EACH (one, inlines)
        ret->policies[ret->policy_count++] = one->text;
    for JSON_EACH (arn, attached) {
        if ((err = iam__policy_find(txn, principal->account, arn->text, arena, &policy)) != ERR_OK)
            return err;
        ret->policies[ret->policy_count++] = iam__policy_text(policy);
    }
    if (bound.n && (err = iam__policy_find(txn, principal->account, bound, arena, &policy)) == ERR_OK)
        ret->boundary = iam__policy_text(policy);
    return err;
}

static enum err iam_identity(void *arg, const struct principal *principal, struct arena *arena, struct auth_identity *ret)
{
    struct auth_identity found = {0};
    struct json *doc = NULL;
    enum err err = find_entity(arg, principal, arena, &doc);

    if (err != ERR_OK)
        return err;
    const struct json *tags = json_at(doc, "Tags");
    found.tags = arena_array(arena, struct auth_tag, (tags ? tags->count : 0) + 1);
    for (const struct json *at = tags_first(tags); at; at = at->next)
        found.tags[found.tag_count++] = (struct auth_tag){tag_of(at).key, tag_of(at).value};
    err = policy_texts(arg, principal, doc, arena, &found);
    if (err == ERR_OK)
        *ret = found;
    return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;        /* a policy that is attached is there */
}

static uint64_t generation(void *arg)
{
    return store_generation(((struct iam *)arg)->store, IAM_SPACE);
}

/* ---- the root key ---- */

struct root_key {
    struct iam *iam;
    struct arena *arena;
    struct str preset_id, preset_secret;    /* or STR_NONE */
    struct str id, secret;          /* what counts then */
    struct str new_id, new_secret;
    int64_t now_ms;
};

static struct store_key root_place(const struct root_key *root)
{
    return iam__place(root->arena, STR("all"), "root-key", root->iam->root_account);
}

static void put_root_key(struct store_txn *txn, const struct root_key *root)
{
    struct json *key = json_new(root->arena, JSON_OBJECT), *at = json_new(root->arena, JSON_OBJECT);

    json_add_bool(root->arena, key, "Root", true);
    json_add_str(root->arena, key, "Account", root->iam->root_account);
    json_add_str(root->arena, key, "Secret", root->secret);
    json_add_str(root->arena, key, "Status", STR("Active"));
    json_add_i64(root->arena, key, "CreateMs", root->now_ms);
    doc_put(txn, iam__key_place(root->arena, root->id), key, root->arena);
    json_add_str(root->arena, at, "KeyId", root->id);
    doc_put(txn, root_place(root), at, root->arena);
}

/* Without a preset the key that is there stays; a preset one takes its place. */
static enum err set_root_key(struct store_txn *txn, void *arg)
{
    struct root_key *root = arg;
    struct json *at = NULL, *key = NULL;
    root->id = root->preset_id;
    root->secret = root->preset_secret;
    enum err err = doc_get(txn, root_place(root), root->arena, &at);
    struct str old = json_str(at, "KeyId");

    if (err == ERR_OK)
        err = doc_get(txn, iam__key_place(root->arena, old), root->arena, &key);
    else if (err == ERR_NOT_FOUND)
        err = ERR_OK;
    if (err != ERR_OK)
        return err;
    if (!root->id.n && key) {
        root->id = old;
        root->secret = json_str(key, "Secret");
        return ERR_OK;
    }
    if (!root->id.n)
        root->id = root->new_id;
    if (!root->secret.n)
        root->secret = key && str_eq(root->id, old) ? json_str(key, "Secret") : root->new_secret;
    if (key && str_eq(root->id, old) && str_eq(root->secret, json_str(key, "Secret")))
        return ERR_OK;
    if (!str_eq(root->id, old) && doc_get(txn, iam__key_place(root->arena, root->id), root->arena, &key) != ERR_NOT_FOUND)
        return ERR_EXISTS;          /* a user's key */
    if (old.n)
        store_delete(txn, iam__key_place(root->arena, old));
    put_root_key(txn, root);
    return ERR_OK;
}

static bool key_id_ok(struct str id)
{
    return str_alnum_or(id, "_") && id.n <= 128 && !str_starts(id, STR("ASIA"));     /* that prefix is for sessions */
}

/* It stands in a file of lines. */
static bool key_secret_ok(struct str secret)
{
    for (size_t i = 0; i < secret.n; i++)
        if ((unsigned char)secret.p[i] <= ' ' || (unsigned char)secret.p[i] >= 0x7f)
            return false;
    return true;
}

static enum err iam_root_key(void *arg, struct str preset_id, struct str preset_secret, struct arena *arena, struct str *ret_id,
                             struct str *ret_secret)
{
    struct iam *iam = arg;
    struct root_key root = {.iam = iam, .arena = arena, .preset_id = preset_id,
                            .preset_secret = preset_id.n ? preset_secret : STR_NONE,
                            .now_ms = clock_epoch_ms() / 1000 * 1000};

    if (!key_id_ok(preset_id) || !key_secret_ok(preset_secret))
        return ERR_INVALID;
    root.new_id = id_access_key(arena, "AKIA");
    root.new_secret = id_secret(arena);
    enum err err = store_mutate(iam->store, set_root_key, &root);
    if (err == ERR_OK) {
        *ret_id = root.id;
        *ret_secret = root.secret;
    }
    return err;
}

struct auth_source iam__auth_source(struct iam *iam)
{
    return (struct auth_source){iam, iam_find_key, iam_identity, iam_root_key, generation};
}

/* ---- roles for others ---- */

/* arn:aws:iam::ACCOUNT:role/PATH/NAME */
static bool read_role_arn(struct str arn, struct str *ret_account, struct str *ret_name)
{
    struct arn part;

    if (!arn_parse_of(arn, "iam", &part) || part.region.n || !str_starts(part.resource, STR("role/")))
        return false;
    *ret_account = part.account;
    *ret_name = arn_last_part(part.resource);
    return ret_name->n && ret_account->n == ACCOUNT_DIGITS;
}

enum err iam_role_find(struct store_txn *txn, struct str role_arn, struct arena *arena, struct iam_role *ret)
{
    struct str account, name;
    struct json *doc;

    if (!read_role_arn(role_arn, &account, &name))
        return ERR_NOT_FOUND;
    enum err err = doc_get(txn, iam__place(arena, account, "roles", name), arena, &doc);
    if (err != ERR_OK)
        return err;
    struct str arn = iam__entity_arn(arena, account, &iam__role, doc);
    if (!str_eq(arn, role_arn))
        return ERR_NOT_FOUND;
    *ret = (struct iam_role){.arn = arn,
                             .id = json_str(doc, "Id"),
                             .name = json_str(doc, "Name"),
                             .path = json_str(doc, "Path"),
                             .trust_policy = iam__trust_text(txn, account, doc, arena),
                             .account = arena_dup(arena, account),
                             .max_session_s = json_i64(doc, "MaxSession", 3600)};
    return ERR_OK;
}

void iam_role_session(const struct iam_role *role, struct str session_name, int64_t now_ms, struct arena *arena,
                      struct principal *ret)
{
    *ret = (struct principal){.type = PRINCIPAL_ROLE_SESSION, .account = role->account, .name = role->name, .role_arn = role->arn,
                              .issued_ms = now_ms};
    ret->arn = arn_make(arena, "sts", STR_NONE, role->account, "assumed-role/" STR_FMT "/" STR_FMT, STR_ARG(role->name),
                        STR_ARG(session_name));
    ret->id = arena_printf(arena, STR_FMT ":" STR_FMT, STR_ARG(role->id), STR_ARG(session_name));
}

bool iam_role_trusts_service(const struct iam_role *role, const char *service_principal, struct arena *arena)
{
    const struct principal service = {.type = PRINCIPAL_SERVICE, .arn = str_of(service_principal)};
    const struct policy_request request = {
        .action = STR("sts:AssumeRole"), .resource = role->arn, .principal = &service, .arena = arena};
    struct policy *policy = NULL;
    struct str message;
    bool by_account;

    if (policy_compile(role->trust_policy, POLICY_TRUST, &policy, arena, &message) != ERR_OK)
        return false;
    bool trusted = policy_match(policy, &request, &by_account) == POLICY_ALLOW;
    policy_free(policy);
    return trusted;
}

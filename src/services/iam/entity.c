/* entity.c -- users and roles: create, get, list, update, delete. Messages: those of IAM. */
#include "services/iam/iam_internal.h"
#include "store/doc.h"

/* ---- answers ---- */

static void add_details(struct call *call, struct json *out, const struct json *doc)
{
    struct str boundary = json_str(doc, "Boundary");
    const struct json *tags = json_at(doc, "Tags");

    if (boundary.n) {
        struct json *attached = json_add_object(call->arena, out, "PermissionsBoundary");
        json_add_str(call->arena, attached, "PermissionsBoundaryType", STR("Policy"));
        json_add_str(call->arena, attached, "PermissionsBoundaryArn", boundary);
    }
    if (tags && tags->count)
        json_add(out, "Tags", json_clone(call->arena, tags));
}

static struct json *entity_json(struct call *call, const struct entity_kind *kind, const struct json *doc)
{
    struct json *out = json_new(call->arena, JSON_OBJECT);

    json_add_str(call->arena, out, "Path", json_str(doc, "Path"));
    json_add_str(call->arena, out, kind->name_member, json_str(doc, "Name"));
    json_add_str(call->arena, out, kind->id_member, json_str(doc, "Id"));
    json_add_str(call->arena, out, "Arn", iam__entity_arn(call->arena, call->account, kind, doc));
    iam__add_date(call, out, "CreateDate", doc, "CreateMs");
    return out;
}

struct json *iam__user_json(struct call *call, const struct json *doc, bool details)
{
    struct json *out = entity_json(call, &iam__user, doc);

    if (details)
        add_details(call, out, doc);
    return out;
}

struct json *iam__role_json(struct call *call, struct store_txn *txn, const struct json *doc, bool details)
{
    struct json *out = entity_json(call, &iam__role, doc);

    iam__add_document(call, out, "AssumeRolePolicyDocument",
                      iam__trust_text(txn, call->account, doc, call->arena));
    iam__add_text(call, out, "Description", json_str(doc, "Description"));
    json_add_i64(call->arena, out, "MaxSessionDuration", json_i64(doc, "MaxSession", 3600));
    if (details)
        add_details(call, out, doc);
    return out;
}

/* ---- creating and deleting ---- */

/* A new document from the input, or NULL. */
static struct json *entity_create(struct call *call, struct store_txn *txn, const struct entity_kind *kind, struct str id)
{
    struct str name = json_str(call->input, kind->name_member), path = call_str(call, "Path");
    struct json *doc = NULL;
    enum err err = doc_get(txn, iam__place(call->arena, call->account, kind->type, name), call->arena, &doc);

    if (err == ERR_OK) {
        call_fail(call, "EntityAlreadyExists", "%s with name " STR_FMT " already exists.", kind->title, STR_ARG(name));
        return NULL;
    }
    if (err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return NULL;
    }
    doc = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, doc, "Name", name);
    json_add_str(call->arena, doc, "Path", path.n ? path : STR("/"));
    json_add_str(call->arena, doc, "Id", id);
    json_add_i64(call->arena, doc, "CreateMs", iam__made(call)->now_ms);
    if (!iam__tags_merge(call, doc, kind->tags_quota) || !iam__boundary_set(call, txn, kind, doc) ||
        !iam__count(call, txn, kind->type, 1, kind->count_max, kind->count_quota))
        return NULL;
    return doc;
}

void iam__create_user(struct call *call, struct store_txn *txn)
{
    struct json *doc = entity_create(call, txn, &iam__user, iam__made(call)->user_id);

    if (!doc)
        return;
    iam__entity_save(call, txn, &iam__user, doc);
    json_add(iam__output(call), "User", iam__user_json(call, doc, true));
}

void iam__create_role(struct call *call, struct store_txn *txn)
{
    struct str trust = call_str(call, "AssumeRolePolicyDocument");
    struct json *doc = entity_create(call, txn, &iam__role, iam__made(call)->role_id);

    if (!doc || !iam__trust_set(call, txn, doc, trust))
        return;
    json_add_str(call->arena, doc, "Description", call_str(call, "Description"));
    json_add_i64(call->arena, doc, "MaxSession", json_i64(call->input, "MaxSessionDuration", 3600));
    iam__entity_save(call, txn, &iam__role, doc);
    struct json *role = json_add(iam__output(call), "Role", iam__role_json(call, txn, doc, true));
    /* On AWS CreateRole does not say the duration, and shows the policy as it was given; who asks for the role sees both. */
    json_remove(role, STR("MaxSessionDuration"));
    json_remove(role, STR("AssumeRolePolicyDocument"));
    iam__add_document(call, role, "AssumeRolePolicyDocument", trust);
}

static void entity_delete(struct call *call, struct store_txn *txn, const struct entity_kind *kind)
{
    static const struct {
        const char *member, *what;
    } conflicts[] = {
        {"Keys", "delete access keys"},
        {"Attached", "detach all policies"},
        {"Inline", "delete policies"},
    };
    struct json *doc = iam__entity_load(call, txn, kind, json_str(call->input, kind->name_member));

    if (!doc)
        return;
    for (size_t i = 0; i < COUNT_OF(conflicts); i++) {
        const struct json *member = json_at(doc, conflicts[i].member);
        if (member && member->count) {
            call_fail(call, "DeleteConflict", "Cannot delete entity, must %s first.", conflicts[i].what);
            return;
        }
    }
    iam__boundary_clear(call, txn, kind, doc);
    if (iam__count(call, txn, kind->type, -1, 0, NULL))
        iam__entity_remove(call, txn, kind, doc);
}

void iam__delete_user(struct call *call, struct store_txn *txn)
{
    entity_delete(call, txn, &iam__user);
}

void iam__delete_role(struct call *call, struct store_txn *txn)
{
    entity_delete(call, txn, &iam__role);
}

/* ---- updating ---- */

/* The keys and the attachments of a renamed user follow it. */
static bool move_references(struct call *call, struct store_txn *txn, const struct json *doc, struct str from, struct str to)
{
    struct str attached = iam__attachment_slot(call, &iam__user, false), bounded = iam__attachment_slot(call, &iam__user, true);
    struct str boundary = json_str(doc, "Boundary");

    for JSON_EACH (id, json_at(doc, "Keys")) {
        struct json *key;
        enum err err = doc_get(txn, iam__key_place(call->arena, id->text), call->arena, &key);
        if (err != ERR_OK) {
            call_fail_err(call, err);
            return false;
        }
        json_put(key, STR("User"), json_new_str(call->arena, to));
        doc_put(txn, iam__key_place(call->arena, id->text), key, call->arena);
    }
    for JSON_EACH (arn, json_at(doc, "Attached")) {
        iam__attachment_remove(call, txn, arn->text, attached, from);
        iam__attachment_put(call, txn, arn->text, attached, to);
    }
    if (boundary.n) {
        iam__attachment_remove(call, txn, boundary, bounded, from);
        iam__attachment_put(call, txn, boundary, bounded, to);
    }
    return true;
}

void iam__update_user(struct call *call, struct store_txn *txn)
{
    struct str name = call_str(call, "NewUserName"), path = call_str(call, "NewPath");
    struct json *doc = iam__entity_load(call, txn, &iam__user, call_str(call, "UserName")), *other;

    if (!doc)
        return;
    struct str old = json_str(doc, "Name");
    if (name.n && !str_eq_nocase(name, old) &&
        doc_get(txn, iam__place(call->arena, call->account, "users", name), call->arena, &other) != ERR_NOT_FOUND) {
        call_fail(call, "EntityAlreadyExists", "User with name " STR_FMT " already exists.", STR_ARG(name));
        return;
    }
    if (path.n)
        json_put(doc, STR("Path"), json_new_str(call->arena, path));
    if (name.n && !str_eq(name, old)) {
        if (!move_references(call, txn, doc, old, name))
            return;
        iam__entity_remove(call, txn, &iam__user, doc);
        json_put(doc, STR("Name"), json_new_str(call->arena, name));
    }
    iam__entity_save(call, txn, &iam__user, doc);
}

/* An absent description stays; UpdateRole sets the others to what it was given. */
static struct json *role_update(struct call *call, struct store_txn *txn)
{
    struct json *doc = iam__entity_load(call, txn, &iam__role, call_str(call, "RoleName"));

    if (!doc)
        return NULL;
    if (call_has(call, "Description"))
        json_put(doc, STR("Description"), json_new_str(call->arena, call_str(call, "Description")));
    if (call_has(call, "MaxSessionDuration"))
        json_put(doc, STR("MaxSession"), json_new_i64(call->arena, json_i64(call->input, "MaxSessionDuration", 3600)));
    iam__entity_save(call, txn, &iam__role, doc);
    return doc;
}

void iam__update_role(struct call *call, struct store_txn *txn)
{
    role_update(call, txn);
}

void iam__update_role_description(struct call *call, struct store_txn *txn)
{
    struct json *doc = role_update(call, txn);

    if (doc)
        json_add(iam__output(call), "Role", iam__role_json(call, txn, doc, true));
}

void iam__update_trust(struct call *call, struct store_txn *txn)
{
    struct json *doc = iam__entity_load(call, txn, &iam__role, call_str(call, "RoleName"));

    if (doc && iam__trust_set(call, txn, doc, call_str(call, "PolicyDocument")))
        iam__entity_save(call, txn, &iam__role, doc);
}

/* ---- reading ---- */

/* The account is as old as its root key. */
static void root_user(struct call *call)
{
    struct json *user = json_add_object(call->arena, iam__output(call), "User"), *key = NULL;
    enum err err = doc_get(iam__reader(call), iam__key_place(call->arena, call->caller->access_key_id), call->arena, &key);

    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    json_add_str(call->arena, user, "Path", STR("/"));
    json_add_str(call->arena, user, "UserId", call->account);
    json_add_str(call->arena, user, "Arn", call->caller->arn);
    iam__add_date(call, user, "CreateDate", key, "CreateMs");
}

void iam__get_user(struct call *call)
{
    struct str name = iam__user_name(call);

    if (call->failed)
        return;
    if (!name.n) {
        root_user(call);
        return;
    }
    struct json *doc = iam__entity_load(call, iam__reader(call), &iam__user, name);
    if (doc)
        json_add(iam__output(call), "User", iam__user_json(call, doc, true));
}

void iam__get_role(struct call *call)
{
    struct store_txn *txn = iam__reader(call);
    struct json *doc = iam__entity_load(call, txn, &iam__role, call_str(call, "RoleName"));

    if (!doc)
        return;
    struct json *role = json_add(iam__output(call), "Role", iam__role_json(call, txn, doc, true));
    json_add_object(call->arena, role, "RoleLastUsed");
}

static void visit_user(struct call *call, struct listing *page, struct str key, const struct json *doc)
{
    if (str_starts(json_str(doc, "Path"), call_str(call, "PathPrefix")) && listing_take(page, key))
        json_add(json_at(call->output, "Users"), NULL, iam__user_json(call, doc, false));
}

static void visit_role(struct call *call, struct listing *page, struct str key, const struct json *doc)
{
    if (str_starts(json_str(doc, "Path"), call_str(call, "PathPrefix")) && listing_take(page, key))
        json_add(json_at(call->output, "Roles"), NULL, iam__role_json(call, iam__reader(call), doc, false));
}

void iam__list_users(struct call *call)
{
    struct listing page;

    json_add_array(call->arena, iam__output(call), "Users");
    if (iam__page_begin(call, &page) && iam__page_walk(call, "users", &page, visit_user))
        iam__page_end(call, &page);
}

void iam__list_roles(struct call *call)
{
    struct listing page;

    json_add_array(call->arena, iam__output(call), "Roles");
    if (iam__page_begin(call, &page) && iam__page_walk(call, "roles", &page, visit_role))
        iam__page_end(call, &page);
}

/* Instance profiles and groups cannot be made here, so nobody has one; that there are none is still said only of an
 * entity that exists. */
static void empty_list(struct call *call, const struct entity_kind *kind, const char *list)
{
    struct listing page;

    if (!iam__page_begin(call, &page) || !iam__entity_load(call, iam__reader(call), kind, json_str(call->input, kind->name_member)))
        return;
    json_add_array(call->arena, iam__output(call), list);
    iam__page_end(call, &page);
}

void iam__list_instance_profiles(struct call *call)
{
    empty_list(call, &iam__role, "InstanceProfiles");
}

void iam__list_groups(struct call *call)
{
    empty_list(call, &iam__user, "Groups");
}

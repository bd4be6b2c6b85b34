/* iam_document.c -- names, places, loading and saving; pages and common parts of answers. Design: iam_internal.h. */
#include "services/iam/iam_internal.h"
#include "call/call_doc.h"
#include "base/arn.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/panic.h"
#include "store/doc.h"

const struct entity_kind iam__user = {
    .type = "users", .noun = "user", .title = "User", .name_member = "UserName", .id_member = "UserId", .id_prefix = "AIDA",
    .count_max = 5000, .count_quota = "UsersPerAccount", .attached_quota = "PoliciesPerUser", .tags_quota = "TagsPerUser",
    .inline_chars_max = 2048};
const struct entity_kind iam__role = {
    .type = "roles", .noun = "role", .title = "Role", .name_member = "RoleName", .id_member = "RoleId", .id_prefix = "AROA",
    .count_max = 1000, .count_quota = "RolesPerAccount", .attached_quota = "PoliciesPerRole", .tags_quota = "TagsPerRole",
    .inline_chars_max = 10240};

const struct entity_kind *iam__kind(const struct call *call)
{
    return call_has(call, "RoleName") ? &iam__role : &iam__user;
}

/* ---- what is made before a mutation ---- */

void iam__prepare(struct call *call)
{
    struct iam__made *made = arena_new_of(call->arena, struct iam__made);

    made->now_ms = clock_epoch_ms() / 1000 * 1000;
    made->user_id = id_entity(call->arena, "AIDA");
    made->role_id = id_entity(call->arena, "AROA");
    made->policy_id = id_entity(call->arena, "ANPA");
    made->key_id = id_access_key(call->arena, "AKIA");
    made->secret = id_secret(call->arena);
    call->state = made;
}

/* ---- places ---- */

struct str iam__lower(struct arena *arena, struct str name)
{
    struct str copy = arena_dup(arena, name);

    for (size_t i = 0; i < copy.n; i++)
        if (copy.p[i] >= 'A' && copy.p[i] <= 'Z')
            ((char *)copy.p)[i] += 32;
    return copy;
}

struct store_key iam__place(struct arena *arena, struct str account, const char *type, struct str name)
{
    return (struct store_key){IAM_SPACE, doc_collection(arena, account, STR("aws-global"), type), iam__lower(arena, name)};
}

struct store_key iam__key_place(struct arena *arena, struct str key_id)
{
    return (struct store_key){IAM_SPACE, doc_collection(arena, STR("all"), STR("aws-global"), "access-keys"), key_id};
}

struct str iam__arn(struct arena *arena, struct str account, const char *noun, struct str path, struct str name)
{
    return arn_make(arena, "iam", STR_NONE, account, "%s" STR_FMT STR_FMT, noun, STR_ARG(path), STR_ARG(name));
}

struct str iam__entity_arn(struct arena *arena, struct str account, const struct entity_kind *kind, const struct json *doc)
{
    return iam__arn(arena, account, kind->noun, json_str(doc, "Path"), json_str(doc, "Name"));
}

/* ---- entities ---- */

struct json *iam__entity_load(struct call *call, struct store_txn *txn, const struct entity_kind *kind, struct str name)
{
    struct json *doc = NULL;
    enum err err = call_doc_get(call, txn, iam__place(call->arena, call->account, kind->type, name), &doc);

    if (err == ERR_OK)
        return doc;
    if (err == ERR_NOT_FOUND)
        call_fail(call, "NoSuchEntity", "The %s with name " STR_FMT " cannot be found.", kind->noun, STR_ARG(name));
    else
        call_fail_err(call, err);
    return NULL;
}

void iam__entity_save(struct call *call, struct store_txn *txn, const struct entity_kind *kind, const struct json *doc)
{
    doc_put(txn, iam__place(call->arena, call->account, kind->type, json_str(doc, "Name")), doc, call->arena);
}

void iam__entity_remove(struct call *call, struct store_txn *txn, const struct entity_kind *kind, const struct json *doc)
{
    store_delete(txn, iam__place(call->arena, call->account, kind->type, json_str(doc, "Name")));
}

struct str iam__user_name(struct call *call)
{
    struct str name = call_str(call, "UserName");

    if (name.n)
        return name;
    if (call->caller->type == PRINCIPAL_USER)
        return call->caller->name;
    if (call->caller->type != PRINCIPAL_ROOT)
        call_fail(call, "ValidationError", "Must specify userName when calling with non-User credentials");
    return STR_NONE;
}

bool iam__count(struct call *call, struct store_txn *txn, const char *type, int change, size_t max, const char *quota)
{
    struct store_key place = iam__place(call->arena, call->account, "counts", str_of(type));
    struct json *doc = NULL;
    enum err err = doc_get(txn, place, call->arena, &doc);

    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return false;
    }
    int64_t count = json_i64(doc, "Count", 0) + change;
    if (change > 0 && count > (int64_t)max) {
        call_fail(call, "LimitExceeded", "Cannot exceed quota for %s: %zu", quota, max);
        return false;
    }
    doc = json_new(call->arena, JSON_OBJECT);
    json_add_i64(call->arena, doc, "Count", count < 0 ? 0 : count);
    doc_put(txn, place, doc, call->arena);
    return true;
}

struct json *iam__member(struct call *call, struct json *doc, const char *name, enum json_type type)
{
    struct json *member = json_at(doc, name);

    return member ? member : json_add(doc, name, json_new(call->arena, type));
}

size_t iam__array_find(const struct json *array, struct str text)
{
    size_t i = 0;

    for JSON_EACH (item, array) {
        if (str_eq(item->text, text))
            return i;
        i++;
    }
    return i;
}

void iam__array_remove(struct json *array, size_t index)
{
    struct json *item = array->first;

    while (item && index-- > 0)
        item = item->next;
    json_unlink(array, item);
}

/* ---- answers ---- */

struct json *iam__output(struct call *call)
{
    if (!call->output)
        call->output = json_new(call->arena, JSON_OBJECT);
    return call->output;
}

void iam__add_document(struct call *call, struct json *parent, const char *key, struct str text)
{
    struct buf encoded;

    buf_init(&encoded, call->arena, 3 * text.n + 1);
    percent_write(&encoded, text, false);
    json_add_str(call->arena, parent, key, buf_str(&encoded));
}

void iam__add_date(struct call *call, struct json *parent, const char *key, const struct json *doc, const char *member)
{
    json_add_epoch_ms(call->arena, parent, key, json_i64(doc, member, 0));
}

void iam__add_text(struct call *call, struct json *parent, const char *key, struct str text)
{
    if (text.n)
        json_add_str(call->arena, parent, key, text);
}

/* ---- pages ---- */

bool iam__page_begin(struct call *call, struct listing *page)
{
    if (listing_begin(call, page, (size_t)json_i64(call->input, "MaxItems", IAM_PAGE_DEFAULT), "Marker", STR_NONE))
        return true;
    call_fail(call, "ValidationError", "Invalid Marker.");
    return false;
}

void iam__page_end(struct call *call, const struct listing *page)
{
    json_add_bool(call->arena, iam__output(call), "IsTruncated", page->truncated);
    if (page->truncated)
        json_add_str(call->arena, iam__output(call), "Marker", listing_token(call, page, STR_NONE));
}

/* Documents' keys are names, short enough to be alone with their beginning, so the next page is read from there on. */
bool iam__page_walk(struct call *call, const char *type, struct listing *page,
                    void (*visit)(struct call *call, struct listing *page, struct str key, const struct json *doc))
{
    struct str collection = doc_collection(call->arena, call->account, STR("aws-global"), type), after = page->after;
    bool more = true;

    while (more && !page->truncated) {
        struct json *list;
        enum err err =
            doc_list(iam__reader(call), IAM_SPACE, collection, STR_NONE, after, page->max + 1, call->arena, &list, &more);
        if (err != ERR_OK) {
            call_fail_err(call, err);
            return false;
        }
        for JSON_EACH (row, list) {
            after = json_str(row, "k");
            visit(call, page, after, json_at(row, "d"));
        }
    }
    return true;
}

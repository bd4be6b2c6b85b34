/* access_key.c -- access keys of users. The secret is shown once, by CreateAccessKey; it is stored because signatures are
 * checked with it. The account's own (root) key is made at the first start and is not changed through this API. */
#include "services/iam/iam_internal.h"
#include "store/doc.h"

/* The user of the call, or NULL: failed. The caller's own if the call names none. */
static struct json *load_user(struct call *call, struct store_txn *txn)
{
    struct str name = iam__user_name(call);

    if (call->failed)
        return NULL;
    if (!name.n) {
        call_fail_not_implemented(call, "access keys of the account's root user");
        return NULL;
    }
    return iam__entity_load(call, txn, &iam__user, name);
}

/* A key of that user, or NULL: failed. */
static struct json *load_key(struct call *call, struct store_txn *txn, const struct json *user, struct str id)
{
    const struct json *keys = json_at(user, "Keys");
    struct json *key = NULL;
    enum err err = ERR_NOT_FOUND;

    if (keys && iam__array_find(keys, id) < keys->count)
        err = doc_get(txn, iam__key_place(call->arena, id), call->arena, &key);
    if (err == ERR_OK)
        return key;
    if (err == ERR_NOT_FOUND)
        call_fail(call, "NoSuchEntity", "The Access Key with id " STR_FMT " cannot be found.", STR_ARG(id));
    else
        call_fail_err(call, err);
    return NULL;
}

static struct json *key_json(struct call *call, struct str id, const struct json *key)
{
    struct json *out = json_new(call->arena, JSON_OBJECT);

    iam__add_text(call, out, "UserName", json_str(key, "User"));
    json_add_str(call->arena, out, "AccessKeyId", id);
    json_add_str(call->arena, out, "Status", json_str(key, "Status"));
    iam__add_date(call, out, "CreateDate", key, "CreateMs");
    return out;
}

void iam__create_access_key(struct call *call, struct store_txn *txn)
{
    const struct iam__made *made = iam__made(call);
    struct json *user = load_user(call, txn), *key = json_new(call->arena, JSON_OBJECT);

    if (!user)
        return;
    struct json *keys = iam__member(call, user, "Keys", JSON_ARRAY);
    if (keys->count >= IAM_KEYS_PER_USER_MAX) {
        call_fail(call, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: %d", IAM_KEYS_PER_USER_MAX);
        return;
    }
    json_add_str(call->arena, key, "User", json_str(user, "Name"));
    json_add_str(call->arena, key, "Account", call->account);
    json_add_str(call->arena, key, "Secret", made->secret);
    json_add_str(call->arena, key, "Status", STR("Active"));
    json_add_i64(call->arena, key, "CreateMs", made->now_ms);
    doc_put(txn, iam__key_place(call->arena, made->key_id), key, call->arena);
    json_add_str(call->arena, keys, NULL, made->key_id);
    iam__entity_save(call, txn, &iam__user, user);
    struct json *out = json_add(iam__output(call), "AccessKey", key_json(call, made->key_id, key));
    json_add_str(call->arena, out, "SecretAccessKey", made->secret);
}

void iam__update_access_key(struct call *call, struct store_txn *txn)
{
    struct str id = call_str(call, "AccessKeyId");
    struct json *user = load_user(call, txn), *key = user ? load_key(call, txn, user, id) : NULL;

    if (!key)
        return;
    json_put(key, STR("Status"), json_new_str(call->arena, call_str(call, "Status")));
    doc_put(txn, iam__key_place(call->arena, id), key, call->arena);
}

void iam__delete_access_key(struct call *call, struct store_txn *txn)
{
    struct str id = call_str(call, "AccessKeyId");
    struct json *user = load_user(call, txn), *key = user ? load_key(call, txn, user, id) : NULL;

    if (!key)
        return;
    struct json *keys = json_at(user, "Keys");
    iam__array_remove(keys, iam__array_find(keys, id));
    iam__entity_save(call, txn, &iam__user, user);
    store_delete(txn, iam__key_place(call->arena, id));
}

static void list_key(struct call *call, struct listing *page, struct str id, const struct json *key)
{
    if (listing_take(page, id))
        json_add(json_at(call->output, "AccessKeyMetadata"), NULL, key_json(call, id, key));
}

/* In the order of their ids; the root user's own key is the one that it calls with. */
void iam__list_access_keys(struct call *call)
{
    struct store_txn *txn = iam__reader(call);
    struct str name = iam__user_name(call), *ids;
    struct listing page;
    struct json *key;

    if (call->failed || !iam__page_begin(call, &page))
        return;
    json_add_array(call->arena, iam__output(call), "AccessKeyMetadata");
    if (!name.n && doc_get(txn, iam__key_place(call->arena, call->caller->access_key_id), call->arena, &key) == ERR_OK)
        list_key(call, &page, call->caller->access_key_id, key);
    struct json *user = name.n ? iam__entity_load(call, txn, &iam__user, name) : NULL;
    size_t count = iam__sorted(call, json_at(user, "Keys"), &ids);
    for (size_t i = 0; i < count && (key = load_key(call, txn, user, ids[i])); i++)
        list_key(call, &page, ids[i], key);
    if (!call->failed)
        iam__page_end(call, &page);
}

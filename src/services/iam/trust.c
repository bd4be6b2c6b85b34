/* trust.c -- trust policies of roles. Source: "IAM JSON policy elements: Principal" of the IAM user guide.
 * A user or role of the account that a trust policy names must exist when the policy is put. IAM remembers it by its unique
 * id, so whoever is later made under the same name is not trusted. TrustIds keeps those ids beside the text; whenever the
 * text is used, an ARN whose bearer has another id by then, or is gone, is replaced by the id that was meant. */
#include "services/iam/iam_internal.h"
#include "store/doc.h"

enum err iam_bearer_id(struct store_txn *txn, struct str account, struct str arn, struct arena *arena, struct str *ret_id)
{
    struct str prefix = iam__arn(arena, account, "", STR_NONE, STR_NONE), name = arn;
    struct json *doc;

    if (!str_starts(arn, prefix))
        return ERR_NOT_FOUND;
    bool role = str_starts(str_slice(arn, prefix.n, arn.n), STR("role/"));
    const struct entity_kind *kind = role ? &iam__role : &iam__user;
    for (size_t slash; (slash = str_find(name, '/')) < name.n;)
        name = str_slice(name, slash + 1, name.n);
    enum err err = doc_get(txn, iam__place(arena, account, kind->type, name), arena, &doc);
    if (err == ERR_OK && !str_eq(iam__entity_arn(arena, account, kind, doc), arn))
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *ret_id = json_str(doc, "Id");
    return err;
}

struct trust_check {
    struct call *call;
    struct store_txn *txn;
    struct json *ids;
};

static bool check_principal(void *arg, struct str arn)
{
    struct trust_check *check = arg;
    struct call *call = check->call;
    struct str prefix = iam__arn(call->arena, call->account, "", STR_NONE, STR_NONE), id;

    if (!str_starts(arn, prefix))       /* of another account, a session, a unique id */
        return true;
    enum err err = iam_bearer_id(check->txn, call->account, arn, call->arena, &id);
    if (err == ERR_OK)
        json_put(check->ids, arena_dup(call->arena, arn), json_new_str(call->arena, id));
    else if (err == ERR_NOT_FOUND)
        call_fail(call, "MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"" STR_FMT "\"", STR_ARG(arn));
    else
        call_fail_err(call, err);
    return err == ERR_OK;
}

bool iam__trust_set(struct call *call, struct store_txn *txn, struct json *role, struct str text)
{
    struct trust_check check = {call, txn, json_new(call->arena, JSON_OBJECT)};
    struct policy *policy = NULL;
    struct str message;

    if (!iam__policy_check(call, text, POLICY_TRUST))
        return false;
    if (policy_compile(text, POLICY_TRUST, &policy, call->arena, &message) == ERR_OK)
        policy_each_principal(policy, check_principal, &check);
    policy_free(policy);
    if (call->failed)
        return false;
    json_put(role, STR("Trust"), json_new_str(call->arena, text));
    json_put(role, STR("TrustIds"), check.ids);
    return true;
}

/* In the Principal of every statement. */
static void replace_name(struct json *document, struct str arn, struct str id)
{
    struct json *list = json_at(document, "Statement");

    for (struct json *statement = json_is(list, JSON_ARRAY) ? list->first : list; statement;
         statement = statement == list ? NULL : statement->next) {
        struct json *principal = json_at(statement, json_at(statement, "Principal") ? "Principal" : "NotPrincipal");
        struct json *names = json_at(principal, "AWS");
        for (struct json *name = json_is(names, JSON_ARRAY) ? names->first : names; name; name = name == names ? NULL : name->next)
            if (str_eq(name->text, arn))
                name->text = id;
    }
}

struct str iam__trust_text(struct store_txn *txn, struct str account, const struct json *role, struct arena *arena)
{
    struct str text = json_str(role, "Trust");
    struct json *document = NULL;

    for JSON_EACH (meant, json_at(role, "TrustIds")) {
        struct str id;
        if (iam_bearer_id(txn, account, meant->key, arena, &id) == ERR_OK && str_eq(id, meant->text))
            continue;
        if (!document && json_parse(text, arena, &document) != ERR_OK)
            return text;
        replace_name(document, meant->key, meant->text);
    }
    return document ? json_text(arena, document) : text;
}

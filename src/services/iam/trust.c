/* trust.c -- trust policies of roles. Source: "IAM JSON policy elements: Principal" of the IAM user guide.
 * A user or role of the account that a trust policy names must exist when the policy is put. IAM remembers it by its unique
 * id, so whoever is later made under the same name is not trusted. TrustIds keeps those ids beside the text; whenever the
 * text is used, an ARN whose bearer has another id by then, or is gone, is replaced by the id that was meant.
 *
 * An account that is named by its number is kept as its root's ARN, as IAM shows it. What names are refused is asked only when a
 * policy is put: a stored one means what it meant. A key that stands twice is refused in a stored one, too: which of the two was
 * meant is not known. */
#include "services/iam/iam_internal.h"
#include "base/arn.h"
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

/* Every statement's Principal, and every name in it of a kind, until visit returns false. */
static bool each_principal(struct json *document, bool (*visit)(void *arg, struct json *principal), void *arg)
{
    struct json *list = json_at(document, "Statement");

    for (struct json *statement = json_is(list, JSON_ARRAY) ? list->first : list; statement;
         statement = statement == list ? NULL : statement->next) {
        struct json *principal = json_at(statement, json_at(statement, "Principal") ? "Principal" : "NotPrincipal");
        if (!visit(arg, principal))
            return false;
    }
    return true;
}

static bool each_trusted_name(struct json *principal, const char *kind, bool (*visit)(void *arg, struct json *name), void *arg)
{
    struct json *names = json_at(principal, kind);

    for (struct json *name = json_is(names, JSON_ARRAY) ? names->first : names; name; name = name == names ? NULL : name->next)
        if (!visit(arg, name))
            return false;
    return true;
}

struct trust_check {
    struct call *call;
    struct store_txn *txn;
    struct json *document, *ids;
    bool changed; /* the document has names that IAM writes in another way */
};

static bool check_aws(void *arg, struct json *name)
{
    struct trust_check *check = arg;
    struct call *call = check->call;
    struct str prefix = iam__arn(call->arena, call->account, "", STR_NONE, STR_NONE), arn = name->text, id;

    if (arn_is_account(arn)) {
        name->text = iam__arn(call->arena, arn, "root", STR_NONE, STR_NONE);
        check->changed = true;
        return true;
    }
    if (!str_starts(arn, prefix) || str_eq(str_slice(arn, prefix.n, arn.n), STR("root")))
        return true; /* of another account, a session, a unique id; the account */
    enum err err = iam_bearer_id(check->txn, call->account, arn, call->arena, &id);
    if (err == ERR_OK)
        json_put(check->ids, arena_dup(call->arena, arn), json_new_str(call->arena, id));
    else if (err == ERR_NOT_FOUND)
        call_fail(call, "MalformedPolicyDocument", "Invalid principal in policy: \"AWS\":\"" STR_FMT "\"", STR_ARG(arn));
    else
        call_fail_err(call, err);
    return err == ERR_OK;
}

static bool check_trusted_service(void *arg, struct json *name)
{
    struct trust_check *check = arg;

    if (iam__is_service(name->text))
        return true;
    call_fail(check->call, "MalformedPolicyDocument", "Invalid principal in policy: \"SERVICE\":\"" STR_FMT "\"",
              STR_ARG(name->text));
    return false;
}

/* IAM takes {"AWS": "*"} here, but no "*" without a kind. */
static bool check_principal(void *arg, struct json *principal)
{
    struct trust_check *check = arg;

    if (json_is(principal, JSON_STRING)) {
        call_fail(check->call, "MalformedPolicyDocument",
                  "AssumeRolepolicy contained an invalid principal: \"STAR\":\"" STR_FMT "\".", STR_ARG(principal->text));
        return false;
    }
    return each_trusted_name(principal, "AWS", check_aws, check) &&
           each_trusted_name(principal, "Service", check_trusted_service, check);
}

bool iam__trust_set(struct call *call, struct store_txn *txn, struct json *role, struct str text)
{
    struct trust_check check = {.call = call, .txn = txn, .ids = json_new(call->arena, JSON_OBJECT)};

    if (!iam__policy_check(call, text, POLICY_TRUST))
        return false;
    enum err err = json_parse_unique(text, call->arena, &check.document);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return false;
    }
    if (!each_principal(check.document, check_principal, &check))
        return false;
    json_put(role, STR("Trust"), json_new_str(call->arena, check.changed ? json_text(call->arena, check.document) : text));
    json_put(role, STR("TrustIds"), check.ids);
    return true;
}

struct replaced {
    struct str arn, id;
};

static bool replace_name(void *arg, struct json *name)
{
    const struct replaced *replaced = arg;

    if (str_eq(name->text, replaced->arn))
        name->text = replaced->id;
    return true;
}

static bool replace_names(void *arg, struct json *principal)
{
    return each_trusted_name(principal, "AWS", replace_name, arg);
}

struct str iam__trust_text(struct store_txn *txn, struct str account, const struct json *role, struct arena *arena)
{
    struct str text = json_str(role, "Trust");
    struct json *document = NULL;

    for JSON_EACH (meant, json_at(role, "TrustIds")) {
        struct str id;
        if (iam_bearer_id(txn, account, meant->key, arena, &id) == ERR_OK && str_eq(id, meant->text))
            continue;
        if (!document && json_parse_unique(text, arena, &document) != ERR_OK)
            return text;
        each_principal(document, replace_names, &(struct replaced){meant->key, meant->text});
    }
    return document ? json_text(arena, document) : text;
}

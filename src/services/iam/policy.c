/* policy.c -- managed policies and their versions. Version ids count up and are never used again; one is the default.
 * AWS's own policies (managed.c) can be read like any other and not be changed. */
#include "services/iam/iam_internal.h"
#include "base/arn.h"
#include "base/codec.h"
#include "call/call_doc.h"
#include "store/doc.h"
#include <stdlib.h>

/* ---- finding ---- */

bool iam__is_managed(struct str arn)
{
    struct arn part;

    return arn_parse_of(arn, "iam", &part) && part.region.n == 0 && str_eq(part.account, STR("aws")) &&
           str_starts(part.resource, STR("policy/"));
}

static struct str policy_arn(struct arena *arena, struct str account, const struct json *doc)
{
    return iam__arn(arena, account, "policy", json_str(doc, "Path"), json_str(doc, "Name"));
}

static struct store_key policy_place(struct arena *arena, struct str account, struct str arn)
{
    return iam__place(arena, account, "policies", arn_last_part(arn));
}

static enum err policy_managed(struct arena *arena, struct str arn, struct json **ret)
{
    struct json *doc = iam__managed_find(arena, arn);

    if (doc)
        *ret = doc;
    return doc ? ERR_OK : ERR_NOT_FOUND;
}

/* The document at the name's place is the ARN's only if its path is the same. */
static enum err policy_if(enum err err, struct arena *arena, struct str account, struct str arn, struct json *doc,
                          struct json **ret)
{
    if (err == ERR_OK && !str_eq(policy_arn(arena, account, doc), arn))
        err = ERR_NOT_FOUND;
    if (err == ERR_OK)
        *ret = doc;
    return err;
}

enum err iam__policy_find(struct store_txn *txn, struct str account, struct str arn, struct arena *arena, struct json **ret)
{
    struct json *doc = NULL;

    if (iam__is_managed(arn))
        return policy_managed(arena, arn, ret);
    enum err err = doc_get(txn, policy_place(arena, account, arn), arena, &doc);
    return policy_if(err, arena, account, arn, doc, ret);
}

enum err iam__policy_get(struct call *call, struct store_txn *txn, struct str arn, struct json **ret)
{
    struct json *doc = NULL;

    if (iam__is_managed(arn))
        return policy_managed(call->arena, arn, ret);
    enum err err = call_doc_get(call, txn, policy_place(call->arena, call->account, arn), &doc);
    return policy_if(err, call->arena, call->account, arn, doc, ret);
}

/* arn:aws:iam::(ACCOUNT or aws):policy/… */
static bool is_policy_arn(struct str arn)
{
    struct arn part;

    return arn_parse_of(arn, "iam", &part) && part.region.n == 0 &&
           (part.account.n == ACCOUNT_DIGITS || str_eq(part.account, STR("aws"))) && str_starts(part.resource, STR("policy/")) &&
           part.resource.n > strlen("policy/");
}

struct json *iam__policy_load(struct call *call, struct store_txn *txn, struct str arn, const char *message)
{
    struct json *doc = NULL;
    struct arn parts;

    if (!arn_parse(arn, &parts)) {
        call_fail(call, "ValidationError", IAM_NO_ARN);
        return NULL;
    }
    if (!is_policy_arn(arn)) {
        call_fail(call, "InvalidInput", "ARN " STR_FMT " is not valid.", STR_ARG(arn));
        return NULL;
    }
    enum err err = iam__policy_get(call, txn, arn, &doc);
    if (err == ERR_OK)
        return doc;
    if (err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return NULL;
    }
    if (strcmp(message, IAM_NOT_ATTACHABLE) == 0)
        call_fail(call, "NoSuchEntity", IAM_NOT_ATTACHABLE, STR_ARG(arn));
    else if (strcmp(message, IAM_NO_SCOPE) == 0)
        call_fail(call, "NoSuchEntity", IAM_NO_SCOPE, STR_ARG(arn));
    else
        call_fail(call, "NoSuchEntity", IAM_NOT_FOUND_POLICY, STR_ARG(arn));
    return NULL;
}

/* One of the account's own, to be changed. */
static struct json *load_own(struct call *call, struct store_txn *txn)
{
    struct str arn = call_str(call, "PolicyArn");

    if (iam__is_managed(arn)) {
        call_fail(call, "AccessDenied", "User: " STR_FMT " is not authorized to perform: iam:%s on resource: policy " STR_FMT,
                  STR_ARG(call->caller->arn), call->row->name, STR_ARG(arn));
        return NULL;
    }
    return iam__policy_load(call, txn, arn, IAM_NOT_FOUND_POLICY);
}

static struct json *find_version(const struct json *doc, struct str id)
{
    for JSON_EACH (version, json_at(doc, "Versions"))
        if (str_eq(json_str(version, "VersionId"), id))
            return version;
    return NULL;
}

struct str iam__policy_text(const struct json *doc)
{
    return json_str(find_version(doc, json_str(doc, "Default")), "Text");
}

static struct json *load_version(struct call *call, const struct json *doc)
{
    struct str id = call_str(call, "VersionId");
    struct json *version = find_version(doc, id);

    if (!version)
        call_fail(call, "NoSuchEntity", "Policy " STR_FMT " version " STR_FMT " does not exist or is not attachable.",
                  STR_ARG(call_str(call, "PolicyArn")), STR_ARG(id));
    return version;
}

static void policy_save(struct call *call, struct store_txn *txn, const struct json *doc)
{
    doc_put(txn, iam__place(call->arena, call->account, "policies", json_str(doc, "Name")), doc, call->arena);
}

/* ---- checking ---- */

size_t iam__policy_chars(struct str text)
{
    size_t count = 0;

    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        bool space = c == ' ' || c == '\t' || c == '\r' || c == '\n';
        count += !space && ((uint8_t)c & 0xC0) != 0x80;
    }
    return count;
}

bool iam__policy_check(struct call *call, struct str text, enum policy_kind kind)
{
    struct policy *policy = NULL;
    struct str message;
    size_t max = kind == POLICY_TRUST ? IAM_TRUST_CHARS_MAX : IAM_POLICY_CHARS_MAX;

    if (policy_compile(text, kind, &policy, call->arena, &message) != ERR_OK) {
        call_fail(call, "MalformedPolicyDocument", STR_FMT, STR_ARG(message));
        return false;
    }
    policy_free(policy);
    if (iam__policy_chars(text) > max) {
        call_fail(call, "LimitExceeded", "Cannot exceed quota for %s: %zu", kind == POLICY_TRUST ? "ACLSizePerRole" : "PolicySize",
                  max);
        return false;
    }
    return true;
}

/* ---- answers ---- */

struct usage {
    int64_t attached, boundaries;
};

static bool count_usage(struct call *call, struct store_txn *txn, struct str arn, struct usage *ret)
{
    struct json *list = iam__attachments(call, txn, arn);

    *ret = (struct usage){0, 0};
    for JSON_EACH (row, list)
        *(str_starts(str_slice(json_str(row, "k"), arn.n + 1, SIZE_MAX), STR("boundary-")) ? &ret->boundaries : &ret->attached) +=
            1;
    return list != NULL;
}

/* `in_list`: without description and tags, as ListPolicies answers. */
static struct json *policy_json(struct call *call, struct str arn, const struct json *doc, struct usage usage, bool in_list)
{
    struct json *out = json_new(call->arena, JSON_OBJECT);
    const struct json *tags = json_at(doc, "Tags");

    json_add_str(call->arena, out, "PolicyName", json_str(doc, "Name"));
    json_add_str(call->arena, out, "PolicyId", json_str(doc, "Id"));
    json_add_str(call->arena, out, "Arn", arn);
    json_add_str(call->arena, out, "Path", json_str(doc, "Path"));
    json_add_str(call->arena, out, "DefaultVersionId", json_str(doc, "Default"));
    json_add_i64(call->arena, out, "AttachmentCount", usage.attached);
    json_add_i64(call->arena, out, "PermissionsBoundaryUsageCount", usage.boundaries);
    json_add_bool(call->arena, out, "IsAttachable", true);
    if (!in_list)
        iam__add_text(call, out, "Description", json_str(doc, "Description"));
    iam__add_date(call, out, "CreateDate", doc, "CreateMs");
    iam__add_date(call, out, "UpdateDate", doc, "UpdateMs");
    if (!in_list && tags && tags->count)
        json_add(out, "Tags", json_clone(call->arena, tags));
    return out;
}

static struct json *version_json(struct call *call, const struct json *doc, const struct json *version, bool with_text)
{
    struct json *out = json_new(call->arena, JSON_OBJECT);
    struct str id = json_str(version, "VersionId");

    if (with_text)
        iam__add_document(call, out, "Document", json_str(version, "Text"));
    json_add_str(call->arena, out, "VersionId", id);
    json_add_bool(call->arena, out, "IsDefaultVersion", str_eq(id, json_str(doc, "Default")));
    iam__add_date(call, out, "CreateDate", version, "CreateMs");
    return out;
}

/* ---- creating and deleting ---- */

static struct json *add_version(struct call *call, struct json *doc, bool is_default)
{
    struct json *version = json_new(call->arena, JSON_OBJECT);
    int64_t number = json_i64(doc, "Next", 1);

    json_add_str(call->arena, version, "VersionId", arena_printf(call->arena, "v%lld", (long long)number));
    json_add_i64(call->arena, version, "CreateMs", iam__made(call)->now_ms);
    json_add_str(call->arena, version, "Text", call_str(call, "PolicyDocument"));
    json_put(doc, STR("Next"), json_new_i64(call->arena, number + 1));
    json_put(doc, STR("UpdateMs"), json_new_i64(call->arena, iam__made(call)->now_ms));
    if (is_default)
        json_put(doc, STR("Default"), json_new_str(call->arena, json_str(version, "VersionId")));
    return json_add(iam__member(call, doc, "Versions", JSON_ARRAY), NULL, version);
}

void iam__create_policy(struct call *call, struct store_txn *txn)
{
    struct str name = call_str(call, "PolicyName"), path = call_str(call, "Path");
    struct json *doc = NULL;
    enum err err = doc_get(txn, iam__place(call->arena, call->account, "policies", name), call->arena, &doc);

    if (err == ERR_OK) {
        call_fail(call, "EntityAlreadyExists", "A policy called " STR_FMT " already exists. Duplicate names are not allowed.",
                  STR_ARG(name));
        return;
    }
    if (err != ERR_NOT_FOUND) {
        call_fail_err(call, err);
        return;
    }
    doc = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, doc, "Name", name);
    json_add_str(call->arena, doc, "Path", path.n ? path : STR("/"));
    json_add_str(call->arena, doc, "Id", iam__made(call)->policy_id);
    json_add_i64(call->arena, doc, "CreateMs", iam__made(call)->now_ms);
    json_add_str(call->arena, doc, "Description", call_str(call, "Description"));
    if (!iam__policy_check(call, call_str(call, "PolicyDocument"), POLICY_IDENTITY) ||
        !iam__tags_merge(call, doc, "TagsPerPolicy") || !iam__count(call, txn, "policies", 1, 1500, "PoliciesPerAccount"))
        return;
    add_version(call, doc, true);
    policy_save(call, txn, doc);
    json_add(iam__output(call), "Policy",
             policy_json(call, policy_arn(call->arena, call->account, doc), doc, (struct usage){0, 0}, false));
}

void iam__delete_policy(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_own(call, txn);
    struct usage usage;

    if (!doc || !count_usage(call, txn, call_str(call, "PolicyArn"), &usage))
        return;
    if (usage.attached + usage.boundaries > 0) {
        call_fail(call, "DeleteConflict", "Cannot delete a policy attached to entities.");
    } else if (json_at(doc, "Versions")->count > 1) {
        call_fail(call, "DeleteConflict",
                  "This policy has more than one version. Before you delete a policy, you must delete the policy's "
                  "versions. The default version is deleted with the policy.");
    } else if (iam__count(call, txn, "policies", -1, 0, NULL)) {
        store_delete(txn, iam__place(call->arena, call->account, "policies", json_str(doc, "Name")));
    }
}

void iam__create_policy_version(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_own(call, txn);

    if (!doc || !iam__policy_check(call, call_str(call, "PolicyDocument"), POLICY_IDENTITY))
        return;
    if (json_at(doc, "Versions")->count >= IAM_POLICY_VERSIONS_MAX) {
        call_fail(call, "LimitExceeded",
                  "A managed policy can have up to %d versions. Before you create a new version, you must delete an "
                  "existing version.",
                  IAM_POLICY_VERSIONS_MAX);
        return;
    }
    struct json *version = add_version(call, doc, json_bool(call->input, "SetAsDefault", false));
    policy_save(call, txn, doc);
    json_add(iam__output(call), "PolicyVersion", version_json(call, doc, version, false));
}

void iam__delete_policy_version(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_own(call, txn), *version = doc ? load_version(call, doc) : NULL;

    if (!version)
        return;
    if (str_eq(json_str(version, "VersionId"), json_str(doc, "Default"))) {
        call_fail(call, "DeleteConflict", "Cannot delete the default version of a policy.");
        return;
    }
    struct json *versions = json_at(doc, "Versions");
    size_t index = 0;
    for (struct json *at = versions->first; at != version; at = at->next)
        index++;
    iam__array_remove(versions, index);
    policy_save(call, txn, doc);
}

void iam__set_default_version(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_own(call, txn), *version = doc ? load_version(call, doc) : NULL;

    if (!version)
        return;
    json_put(doc, STR("Default"), json_new_str(call->arena, json_str(version, "VersionId")));
    json_put(doc, STR("UpdateMs"), json_new_i64(call->arena, iam__made(call)->now_ms));
    policy_save(call, txn, doc);
}

/* ---- reading ---- */

void iam__get_policy(struct call *call)
{
    struct str arn = call_str(call, "PolicyArn");
    struct json *doc = iam__policy_load(call, iam__reader(call), arn, IAM_NOT_FOUND_POLICY);
    struct usage usage;

    if (doc && count_usage(call, iam__reader(call), arn, &usage))
        json_add(iam__output(call), "Policy", policy_json(call, arn, doc, usage, false));
}

void iam__get_policy_version(struct call *call)
{
    struct json *doc = iam__policy_load(call, iam__reader(call), call_str(call, "PolicyArn"), IAM_NOT_FOUND_POLICY);
    struct json *version = doc ? load_version(call, doc) : NULL;

    if (version)
        json_add(iam__output(call), "PolicyVersion", version_json(call, doc, version, true));
}

/* Newest first, as IAM answers; at most five, so a page is only ever cut by MaxItems. */
void iam__list_policy_versions(struct call *call)
{
    struct json *doc = iam__policy_load(call, iam__reader(call), call_str(call, "PolicyArn"), IAM_NOT_FOUND_POLICY);
    struct json *newest[IAM_POLICY_VERSIONS_MAX];
    struct listing page;
    size_t count = 0;

    if (!doc || !iam__page_begin(call, &page))
        return;
    struct json *list = json_add_array(call->arena, iam__output(call), "Versions");
    for JSON_EACH (version, json_at(doc, "Versions"))
        if (count < COUNT_OF(newest))
            newest[count++] = version;
    for (size_t i = count; i-- > 0;) {
        char key[4] = {(char)('a' + (count - i)), '\0'};
        if (listing_take(&page, arena_dup(call->arena, str_of(key))))
            json_add(list, NULL, version_json(call, doc, newest[i], false));
    }
    iam__page_end(call, &page);
}

static bool wanted(struct call *call, const struct json *doc, struct usage usage)
{
    struct str filter = call_str(call, "PolicyUsageFilter");
    bool boundary = str_eq(filter, STR("PermissionsBoundary"));

    if (!str_starts(json_str(doc, "Path"), call_str(call, "PathPrefix")))
        return false;
    if (json_bool(call->input, "OnlyAttached", false) && usage.attached + usage.boundaries == 0)
        return false;
    return !filter.n || (boundary ? usage.boundaries : usage.attached) > 0;
}

static void list_one(struct call *call, struct listing *page, struct str key, struct str arn, const struct json *doc)
{
    struct usage usage;

    if (call->failed || !count_usage(call, iam__reader(call), arn, &usage) || !wanted(call, doc, usage) ||
        !listing_take(page, key))
        return;
    json_add(json_at(call->output, "Policies"), NULL, policy_json(call, arn, doc, usage, true));
}

static void visit_policy(struct call *call, struct listing *page, struct str key, const struct json *doc)
{
    list_one(call, page, key, policy_arn(call->arena, call->account, doc), doc);
}

/* The account's own first, then AWS's, whose keys begin with a byte above all names. */
void iam__list_policies(struct call *call)
{
    struct str scope = call_str(call, "Scope");
    struct listing page;

    json_add_array(call->arena, iam__output(call), "Policies");
    if (!iam__page_begin(call, &page))
        return;
    if (!str_eq(scope, STR("AWS")) && !iam__page_walk(call, "policies", &page, visit_policy))
        return;
    for (size_t i = 0; i < iam__managed_count() && !str_eq(scope, STR("Local")); i++) {
        struct str arn = iam__managed_arn(i, call->arena);
        struct str key = arena_printf(call->arena, "~" STR_FMT, STR_ARG(arn));
        list_one(call, &page, key, arn, iam__managed_find(call->arena, arn));
    }
    if (!call->failed)
        iam__page_end(call, &page);
}

/* attach.c -- what gives users and roles their permissions: inline policies, attached managed policies, boundaries; and the
 * index from a policy to its entities. */
#include "services/iam/iam_internal.h"
#include "base/arn.h"
#include "store/doc.h"
#include <stdlib.h>

static struct json *load_attached_to(struct call *call, struct store_txn *txn)
{
    const struct entity_kind *kind = iam__kind(call);

    return iam__entity_load(call, txn, kind, json_str(call->input, kind->name_member));
}

/* ---- the index ---- */

struct str iam__attachment_slot(struct call *call, const struct entity_kind *kind, bool boundary)
{
    return arena_printf(call->arena, "%s%s", boundary ? "boundary-" : "", kind->noun);
}

static struct store_key attachment_place(struct call *call, struct str arn, struct str slot, struct str name)
{
    struct str collection = doc_collection(call->arena, call->account, STR("aws-global"), "attachments");
    struct str key = arena_printf(call->arena, STR_FMT "\n" STR_FMT "/" STR_FMT, STR_ARG(arn), STR_ARG(slot),
                                  STR_ARG(iam__lower(call->arena, name)));

    return (struct store_key){IAM_SPACE, collection, key};
}

void iam__attachment_put(struct call *call, struct store_txn *txn, struct str arn, struct str slot, struct str name)
{
    struct json *doc = json_new(call->arena, JSON_OBJECT);

    json_add_str(call->arena, doc, "Name", name);
    doc_put(txn, attachment_place(call, arn, slot, name), doc, call->arena);
}

void iam__attachment_remove(struct call *call, struct store_txn *txn, struct str arn, struct str slot, struct str name)
{
    store_delete(txn, attachment_place(call, arn, slot, name));
}

/* At most all users and roles, twice. */
struct json *iam__attachments(struct call *call, struct store_txn *txn, struct str arn)
{
    struct str collection = doc_collection(call->arena, call->account, STR("aws-global"), "attachments");
    struct str prefix = arena_printf(call->arena, STR_FMT "\n", STR_ARG(arn));
    struct json *list = NULL;
    bool more;
    enum err err = doc_list(txn, IAM_SPACE, collection, prefix, STR_NONE, 2 * (iam__user.count_max + iam__role.count_max),
                            call->arena, &list, &more);

    if (err == ERR_OK)
        return list;
    call_fail_err(call, err);
    return NULL;
}

/* ---- boundaries ---- */

void iam__boundary_clear(struct call *call, struct store_txn *txn, const struct entity_kind *kind, struct json *doc)
{
    struct str old = json_str(doc, "Boundary");

    if (!old.n)
        return;
    iam__attachment_remove(call, txn, old, iam__attachment_slot(call, kind, true), json_str(doc, "Name"));
    json_remove(doc, STR("Boundary"));
}

bool iam__boundary_set(struct call *call, struct store_txn *txn, const struct entity_kind *kind, struct json *doc)
{
    struct str arn = call_str(call, "PermissionsBoundary");

    if (!arn.n)
        return true;
    if (!iam__policy_load(call, txn, arn, IAM_NO_SCOPE))
        return false;
    iam__boundary_clear(call, txn, kind, doc);
    json_add_str(call->arena, doc, "Boundary", arn);
    iam__attachment_put(call, txn, arn, iam__attachment_slot(call, kind, true), json_str(doc, "Name"));
    return true;
}

void iam__put_boundary(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_attached_to(call, txn);

    if (doc && iam__boundary_set(call, txn, iam__kind(call), doc))
        iam__entity_save(call, txn, iam__kind(call), doc);
}

void iam__delete_boundary(struct call *call, struct store_txn *txn)
{
    const struct entity_kind *kind = iam__kind(call);
    struct json *doc = load_attached_to(call, txn);

    if (!doc)
        return;
    if (!json_str(doc, "Boundary").n) {
        call_fail(call, "NoSuchEntity", "%s " STR_FMT " does not have a permission boundary", kind->title,
                  STR_ARG(json_str(doc, "Name")));
        return;
    }
    iam__boundary_clear(call, txn, kind, doc);
    iam__entity_save(call, txn, kind, doc);
}

/* ---- attached policies ---- */

void iam__attach(struct call *call, struct store_txn *txn)
{
    const struct entity_kind *kind = iam__kind(call);
    struct str arn = call_str(call, "PolicyArn");
    struct json *doc = load_attached_to(call, txn);

    if (!doc || !iam__policy_load(call, txn, arn, IAM_NOT_ATTACHABLE))
        return;
    struct json *attached = iam__member(call, doc, "Attached", JSON_ARRAY);
    if (iam__array_find(attached, arn) < attached->count)
        return;
    if (attached->count >= IAM_ATTACHED_MAX) {
        call_fail(call, "LimitExceeded", "Cannot exceed quota for %s: %d", kind->attached_quota, IAM_ATTACHED_MAX);
        return;
    }
    json_add_str(call->arena, attached, NULL, arn);
    iam__entity_save(call, txn, kind, doc);
    iam__attachment_put(call, txn, arn, iam__attachment_slot(call, kind, false), json_str(doc, "Name"));
}

void iam__detach(struct call *call, struct store_txn *txn)
{
    const struct entity_kind *kind = iam__kind(call);
    struct str arn = call_str(call, "PolicyArn");
    struct json *doc = load_attached_to(call, txn);
    struct arn parts;

    if (!doc)
        return;
    if (!arn_parse(arn, &parts)) {
        call_fail(call, "ValidationError", IAM_NO_ARN);
        return;
    }
    struct json *attached = iam__member(call, doc, "Attached", JSON_ARRAY);
    size_t index = iam__array_find(attached, arn);
    if (index == attached->count) {
        call_fail(call, "NoSuchEntity", IAM_NOT_FOUND_POLICY, STR_ARG(arn));
        return;
    }
    iam__array_remove(attached, index);
    iam__entity_save(call, txn, kind, doc);
    iam__attachment_remove(call, txn, arn, iam__attachment_slot(call, kind, false), json_str(doc, "Name"));
}

size_t iam__sorted(struct call *call, const struct json *list, struct str **ret)
{
    size_t count = 0;

    *ret = arena_array(call->arena, struct str, (list ? list->count : 0) + 1);
    for JSON_EACH (item, list)
        (*ret)[count++] = json_is(list, JSON_OBJECT) ? item->key : item->text;
    qsort(*ret, count, sizeof **ret, str_order);
    return count;
}

/* Name and path: what stands between "policy" and the end of the ARN. */
static struct str arn_path(struct str arn, struct str *ret_name)
{
    struct arn part = {.resource = STR_NONE};
    size_t noun = strlen("policy");

    arn_parse(arn, &part);          /* it was put as one */
    *ret_name = arn_last_part(part.resource);
    return str_slice(part.resource, noun, part.resource.n - ret_name->n);
}

void iam__list_attached(struct call *call)
{
    struct json *doc = load_attached_to(call, iam__reader(call));
    struct listing page;
    struct str *arn, name;

    if (!doc || !iam__page_begin(call, &page))
        return;
    struct json *list = json_add_array(call->arena, iam__output(call), "AttachedPolicies");
    size_t count = iam__sorted(call, json_at(doc, "Attached"), &arn);
    for (size_t i = 0; i < count; i++) {
        if (!str_starts(arn_path(arn[i], &name), call_str(call, "PathPrefix")) || !listing_take(&page, arn[i]))
            continue;
        struct json *policy = json_add(list, NULL, json_new(call->arena, JSON_OBJECT));
        json_add_str(call->arena, policy, "PolicyName", name);
        json_add_str(call->arena, policy, "PolicyArn", arn[i]);
    }
    iam__page_end(call, &page);
}

/* Does an index entry's slot pass EntityFilter and PolicyUsageFilter? */
static const struct entity_kind *entry_kind(struct call *call, struct str slot, bool *ret_wanted)
{
    struct str filter = call_str(call, "EntityFilter"), usage = call_str(call, "PolicyUsageFilter");
    bool boundary = str_starts(slot, STR("boundary-"));
    struct str noun = boundary ? str_slice(slot, 9, slot.n) : slot;
    const struct entity_kind *kind = str_eq(noun, STR("role")) ? &iam__role : &iam__user;
    bool of_usage = !usage.n || boundary == str_eq(usage, STR("PermissionsBoundary"));
    bool of_entity = !filter.n || str_eq(filter, str_of(kind->title));

    *ret_wanted = of_usage && of_entity;
    return kind;
}

void iam__list_entities(struct call *call)
{
    struct store_txn *txn = iam__reader(call);
    struct str arn = call_str(call, "PolicyArn");
    struct json *list = iam__policy_load(call, txn, arn, IAM_NOT_FOUND_POLICY) ? iam__attachments(call, txn, arn) : NULL;
    struct listing page;

    if (!list || !iam__page_begin(call, &page))
        return;
    struct json *out = iam__output(call);
    json_add_array(call->arena, out, "PolicyGroups");
    struct json *users = json_add_array(call->arena, out, "PolicyUsers"), *roles = json_add_array(call->arena, out, "PolicyRoles");
    for JSON_EACH (row, list) {
        struct str key = json_str(row, "k"), slot = str_slice(key, arn.n + 1, key.n);
        bool wanted;
        slot = str_slice(slot, 0, str_find(slot, '/'));
        const struct entity_kind *kind = entry_kind(call, slot, &wanted);
        struct json *doc = wanted ? iam__entity_load(call, txn, kind, json_str(json_at(row, "d"), "Name")) : NULL;
        if (call->failed)
            return;
        if (!doc || !str_starts(json_str(doc, "Path"), call_str(call, "PathPrefix")) || !listing_take(&page, key))
            continue;
        struct json *entity = json_add(kind == &iam__role ? roles : users, NULL, json_new(call->arena, JSON_OBJECT));
        json_add_str(call->arena, entity, kind->name_member, json_str(doc, "Name"));
        json_add_str(call->arena, entity, kind->id_member, json_str(doc, "Id"));
    }
    iam__page_end(call, &page);
}

/* ---- inline policies ---- */

void iam__put_inline(struct call *call, struct store_txn *txn)
{
    const struct entity_kind *kind = iam__kind(call);
    struct str text = call_str(call, "PolicyDocument");
    struct json *doc = load_attached_to(call, txn);
    struct policy *policy = NULL;
    struct str message;
    size_t chars = 0;

    if (!doc)
        return;
    if (policy_compile(text, POLICY_IDENTITY, &policy, call->arena, &message) != ERR_OK) {
        call_fail(call, "MalformedPolicyDocument", STR_FMT, STR_ARG(message));
        return;
    }
    policy_free(policy);
    struct json *policies = iam__member(call, doc, "Inline", JSON_OBJECT);
    json_put(policies, call_str(call, "PolicyName"), json_new_str(call->arena, text));
    for JSON_EACH (one, policies)
        chars += iam__policy_chars(one->text);
    if (chars > kind->inline_chars_max) {
        call_fail(call, "LimitExceeded", "Maximum policy size of %zu bytes exceeded for %s " STR_FMT, kind->inline_chars_max,
                  kind->noun, STR_ARG(json_str(doc, "Name")));
        return;
    }
    iam__entity_save(call, txn, kind, doc);
}

/* The document's inline policy that the call names, or NULL: failed. */
static const struct json *find_inline(struct call *call, const struct json *doc)
{
    const struct entity_kind *kind = iam__kind(call);
    struct str name = call_str(call, "PolicyName");
    const struct json *policy = json_get(json_at(doc, "Inline"), name);

    if (!policy)
        call_fail(call, "NoSuchEntity", "The %s policy with name " STR_FMT " cannot be found.", kind->noun, STR_ARG(name));
    return policy;
}

void iam__delete_inline(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_attached_to(call, txn);

    if (!doc || !find_inline(call, doc))
        return;
    json_remove(json_at(doc, "Inline"), call_str(call, "PolicyName"));
    iam__entity_save(call, txn, iam__kind(call), doc);
}

void iam__get_inline(struct call *call)
{
    const struct entity_kind *kind = iam__kind(call);
    struct json *doc = load_attached_to(call, iam__reader(call));
    const struct json *policy = doc ? find_inline(call, doc) : NULL;

    if (!policy)
        return;
    json_add_str(call->arena, iam__output(call), kind->name_member, json_str(doc, "Name"));
    json_add_str(call->arena, call->output, "PolicyName", call_str(call, "PolicyName"));
    iam__add_document(call, call->output, "PolicyDocument", policy->text);
}

void iam__list_inline(struct call *call)
{
    struct json *doc = load_attached_to(call, iam__reader(call));
    struct listing page;
    struct str *name;

    if (!doc || !iam__page_begin(call, &page))
        return;
    struct json *list = json_add_array(call->arena, iam__output(call), "PolicyNames");
    size_t count = iam__sorted(call, json_at(doc, "Inline"), &name);
    for (size_t i = 0; i < count; i++)
        if (listing_take(&page, name[i]))
            json_add_str(call->arena, list, NULL, name[i]);
    iam__page_end(call, &page);
}

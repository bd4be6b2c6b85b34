/* entity_tags.c -- tags of users, roles and policies: a list of Key and Value, keys unique whatever their letter case. */
#include "services/iam/iam_internal.h"
#include "call/tags.h"
#include "store/doc.h"
#include <stdlib.h>

static bool iam_tags_ok(struct call *call, const struct json *given)
{
    struct tag tag;

    switch (tags_check(given, true, &tag)) {
    case TAGS_RESERVED:
        call_fail(call, "InvalidInput", "System tags cannot be added/updated by requester");
        return false;
    case TAGS_TWICE:
        call_fail(call, "InvalidInput", "Duplicate tag keys found. Please note that Tag keys are case insensitive.");
        return false;
    default:                    /* lengths are the model's; too many are told by the merge */
        return true;
    }
}

bool iam__tags_merge(struct call *call, struct json *doc, const char *quota)
{
    const struct json *given = json_at(call->input, "Tags");

    if (!given)
        return true;
    if (!iam_tags_ok(call, given))
        return false;
    if (tags_merge(call->arena, iam__member(call, doc, "Tags", JSON_ARRAY), given, true) == TAGS_FINE)
        return true;
    call_fail(call, "LimitExceeded", "Cannot exceed quota for %s: %d", quota, TAGS_MAX);
    return false;
}

static int tag_key_order(const void *a, const void *b)
{
    const struct json *const *x = a, *const *y = b;

    return str_cmp(json_str(*x, "Key"), json_str(*y, "Key"));
}

static void list_tags(struct call *call, const struct json *doc)
{
    const struct json *tags = json_at(doc, "Tags"), **tag = arena_array(call->arena, const struct json *, TAGS_MAX + 1);
    struct listing page;
    size_t count = 0;

    if (!doc || !iam__page_begin(call, &page))
        return;
    struct json *list = json_add_array(call->arena, iam__output(call), "Tags");
    for JSON_EACH (one, tags)
        if (count < TAGS_MAX)
            tag[count++] = one;
    qsort(tag, count, sizeof *tag, tag_key_order);
    for (size_t i = 0; i < count; i++)
        if (listing_take(&page, json_str(tag[i], "Key")))
            json_add(list, NULL, json_clone(call->arena, tag[i]));
    iam__page_end(call, &page);
}

/* ---- users and roles ---- */

static struct json *load_tagged_entity(struct call *call, struct store_txn *txn)
{
    const struct entity_kind *kind = iam__kind(call);

    return iam__entity_load(call, txn, kind, json_str(call->input, kind->name_member));
}

void iam__tag(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_tagged_entity(call, txn);

    if (doc && iam__tags_merge(call, doc, iam__kind(call)->tags_quota))
        iam__entity_save(call, txn, iam__kind(call), doc);
}

void iam__untag(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_tagged_entity(call, txn);

    if (!doc)
        return;
    tags_remove(json_at(doc, "Tags"), json_at(call->input, "TagKeys"), true);
    iam__entity_save(call, txn, iam__kind(call), doc);
}

void iam__list_tags(struct call *call)
{
    list_tags(call, load_tagged_entity(call, iam__reader(call)));
}

/* ---- policies ---- */

static void save_policy(struct call *call, struct store_txn *txn, const struct json *doc)
{
    doc_put(txn, iam__place(call->arena, call->account, "policies", json_str(doc, "Name")), doc, call->arena);
}

static struct json *load_policy(struct call *call, struct store_txn *txn)
{
    struct str arn = call_str(call, "PolicyArn");

    if (!iam__is_managed(arn))
        return iam__policy_load(call, txn, arn, IAM_NOT_FOUND_POLICY);
    call_fail(call, "InvalidInput", "Tags of AWS managed policies cannot be read or changed: " STR_FMT, STR_ARG(arn));
    return NULL;
}

void iam__tag_policy(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_policy(call, txn);

    if (doc && iam__tags_merge(call, doc, "TagsPerPolicy"))
        save_policy(call, txn, doc);
}

void iam__untag_policy(struct call *call, struct store_txn *txn)
{
    struct json *doc = load_policy(call, txn);

    if (!doc)
        return;
    tags_remove(json_at(doc, "Tags"), json_at(call->input, "TagKeys"), true);
    save_policy(call, txn, doc);
}

void iam__list_policy_tags(struct call *call)
{
    list_tags(call, load_policy(call, iam__reader(call)));
}

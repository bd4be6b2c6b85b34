/* groups.c -- operations on log groups: create, describe, delete, retention, tags. Source: CloudWatch Logs API reference. */
#include "base/clock.h"
#include "call/listing.h"
#include "call/tags.h"
#include "services/logs/logs_internal.h"
#include "store/doc.h"

#define GROUPS_PAGE_MAX 50 /* API reference, DescribeLogGroups */

static struct str group_arn(struct call *call, struct str name)
{
    return call_arn(call, "logs", "log-group:" STR_FMT, STR_ARG(name));
}

static struct store_key group_key(struct call *call, struct str name)
{
    return logs__group_key(call->account, call->region, name, call->arena);
}

void logs__prepare_create_group(struct call *call)
{
    struct str class = call_str(call, "logGroupClass");
    if (class.n && !str_eq(class, STR("STANDARD")))
        call_fail_not_implemented(call, "logGroupClass other than STANDARD");
    else
        logs__prepare_tags(call);
}

void logs__create_group(struct call *call, struct store_txn *txn)
{
    struct logs__group group;
    struct str name = call_str(call, "logGroupName");
    enum err err = logs__group_find(txn, call->account, call->region, name, call->arena, &group);
    if (err == ERR_OK)
        call_fail(call, "ResourceAlreadyExistsException", "The specified log group already exists");
    else if (err == ERR_NOT_FOUND)
        logs__group_make(txn, call->account, call->region, name, json_at(call->input, "tags"), call->now_ms, call->arena,
                         &group);
    else
        call_fail_err(call, err);
}

void logs__delete_group(struct call *call, struct store_txn *txn)
{
    struct logs__group group;
    if (!logs__call_group(call, txn, &group))
        return;
    store_delete(txn, group_key(call, logs__call_group_name(call)));
    logs__retention_cancel(call, txn, logs__call_group_name(call));
    jobs_drop_space(txn, group.space);
}

static void set_retention(struct call *call, struct store_txn *txn, int64_t days)
{
    struct logs__group group;
    if (!logs__call_group(call, txn, &group))
        return;
    json_put(group.doc, STR("retentionDays"), json_new_i64(call->arena, days));
    doc_put(txn, group_key(call, logs__call_group_name(call)), group.doc, call->arena);
    if (days)
        logs__retention_ask(call, txn, logs__call_group_name(call));
    else
        logs__retention_cancel(call, txn, logs__call_group_name(call));
}

void logs__prepare_retention(struct call *call)
{
    static const int64_t allowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                      365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    int64_t days = json_i64(call->input, "retentionInDays", 0);
    for (size_t i = 0; i < COUNT_OF(allowed); i++)
        if (allowed[i] == days)
            return;
    call_fail(call, "InvalidParameterException",
              "1 validation error detected: Value '%lld' at 'retentionInDays' failed to satisfy constraint: "
              "Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, "
              "2192, 2557, 2922, 3288, 3653]",
              (long long)days);
}

void logs__put_retention(struct call *call, struct store_txn *txn)
{
    set_retention(call, txn, json_i64(call->input, "retentionInDays", 0));
}

void logs__delete_retention(struct call *call, struct store_txn *txn)
{
    set_retention(call, txn, 0);
}

/* A list by pattern tells less, as on AWS. */
static void describe_group(struct call *call, struct json *list, struct json *doc, bool by_pattern)
{
    struct json *out = json_add(list, NULL, json_new(call->arena, JSON_OBJECT));
    struct str name = json_str(doc, "name"), arn = group_arn(call, name);
    uint64_t space = 0;
    json_add_str(call->arena, out, "logGroupName", name);
    json_add_i64(call->arena, out, "creationTime", json_i64(doc, "createdMs", 0));
    if (json_i64(doc, "retentionDays", 0))
        json_add_i64(call->arena, out, "retentionInDays", json_i64(doc, "retentionDays", 0));
    json_add_i64(call->arena, out, "metricFilterCount", 0);
    json_add_str(call->arena, out, "arn", arena_printf(call->arena, STR_FMT ":*", STR_ARG(arn)));
    if (!by_pattern)
        json_add_bool(call->arena, out, "deletionProtectionEnabled", false); /* protecting is refused */
    if (!by_pattern && str_to_u64(json_str(doc, "space"), &space))
        json_add_i64(call->arena, out, "storedBytes", logs__bytes(logs__reader(call), space, call->arena));
    json_add_str(call->arena, out, "logGroupClass", STR("STANDARD"));
    json_add_str(call->arena, out, "logGroupArn", arn);
}

void logs__page_bad_token(struct call *call)
{
    call_fail(call, "InvalidParameterException", "The specified nextToken is invalid.");
}

bool logs__page(struct call *call, enum err err)
{
    if (err == ERR_INVALID)
        logs__page_bad_token(call);
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK;
}

void logs__describe_groups(struct call *call)
{
    struct json *page, *list;
    size_t limit = (size_t)json_i64(call->input, "limit", GROUPS_PAGE_MAX);
    struct str pattern = call_str(call, "logGroupNamePattern"), token;

    if (pattern.n && call_has(call, "logGroupNamePrefix")) {
        call_fail(call, "InvalidParameterException",
                  "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
        return;
    }
    const struct store_key groups =
        logs__group_key(call->account, call->region, call_str(call, "logGroupNamePrefix"), call->arena);
    if (!logs__page(call, listing_docs(call, logs__reader(call), groups, limit, "nextToken", STR_NONE, &page, &token)))
        return;
    call->output = json_new(call->arena, JSON_OBJECT);
    list = json_add_array(call->arena, call->output, "logGroups");
    for JSON_EACH (entry, page) {
        if (str_contains(json_str(entry, "k"), pattern))
            describe_group(call, list, json_at(entry, "d"), pattern.n > 0);
    }
    if (token.n)
        json_add_str(call->arena, call->output, "nextToken", token);
}

/* ---- tags ---- */

void logs__prepare_tags(struct call *call)
{
    struct tag tag;
    if (tags_check(json_at(call->input, "tags"), false, &tag) == TAGS_RESERVED)
        call_fail(call, "InvalidParameterException", "Tag keys must not begin with aws: " STR_FMT, STR_ARG(tag.key));
}

void logs__list_tags(struct call *call)
{
    struct logs__group group;
    if (!logs__call_group(call, logs__reader(call), &group))
        return;
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add(call->output, "tags", tags_object(call->arena, json_at(group.doc, "tags")));
}

void logs__tag(struct call *call, struct store_txn *txn)
{
    struct logs__group group;
    if (!logs__call_group(call, txn, &group))
        return;
    if (tags_merge(call->arena, json_at(group.doc, "tags"), json_at(call->input, "tags"), false) != TAGS_FINE)
        call_fail(call, "TooManyTagsException", "A resource can have at most %d tags.", TAGS_MAX);
    doc_put(txn, group_key(call, json_str(group.doc, "name")), group.doc, call->arena);
}

void logs__untag(struct call *call, struct store_txn *txn)
{
    struct logs__group group;
    if (!logs__call_group(call, txn, &group))
        return;
    tags_remove(json_at(group.doc, "tags"), json_at(call->input, "tagKeys"), false);
    doc_put(txn, group_key(call, json_str(group.doc, "name")), group.doc, call->arena);
}

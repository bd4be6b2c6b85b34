/* table_tags.c -- TagResource, UntagResource, ListTagsOfResource. Source: API reference; "Tagging for DynamoDB". */
#include "services/dynamodb/table_tags.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/tables.h"
#include "store/doc.h"

struct tagging { struct str name, arn; };

bool tags_check(struct call *call, const struct json *list)
{
    const char *problem = NULL;
    if (list && list->count > TAGS_MAX)
        problem = "One or more parameter values were invalid: Too many tags: the limit is 50";
    for JSON_EACH (tag, list)
        if (str_starts(json_str(tag, "Key"), STR("aws:")))
            problem = "One or more parameter values were invalid: Tag keys must not begin with aws:";
    return !problem || request_invalid(call, str_of(problem), false);
}

void tags_put(struct arena *arena, struct json *tags, const struct json *list)
{
    for JSON_EACH (tag, list)
        json_put(tags, json_str(tag, "Key"), json_new_str(arena, json_str(tag, "Value")));
}

static void read_arn(struct call *call, struct needs *needs, const char *action)
{
    struct tagging *tagging = arena_new_of(call->arena, struct tagging);
    struct str arn = call_str(call, "ResourceArn");
    call->state = tagging;
    if (!str_starts(arn, STR("arn:"))) {
        call_fail(call, "ValidationException", "Invalid TableArn: Invalid ResourceArn provided as input " STR_FMT, STR_ARG(arn));
        return;
    }
    tagging->arn = arn;
    if (table_name_read(call, arn, "resourceArn", &tagging->name))
        need_add(needs, action, arn);
}

#define NEEDS(function, action)                                 \
    void function(struct call *call, struct needs *needs)       \
    {                                                           \
        read_arn(call, needs, action);                          \
    }
NEEDS(tag_resource_needs, "dynamodb:TagResource")
NEEDS(untag_resource_needs, "dynamodb:UntagResource")
NEEDS(list_tags_needs, "dynamodb:ListTagsOfResource")
#undef NEEDS

static struct json *tagged_document(struct call *call, struct store_txn *txn)
{
    const struct tagging *tagging = call->state;
    struct json *document = NULL;
    enum err err = doc_get(txn, table_key(call, tagging->name), call->arena, &document);
    if (err == ERR_NOT_FOUND)                                   /* AWS's sentence lacks the e, too */
        call_fail(call, "ResourceNotFoundException", "Requested resource not found: ResourcArn: " STR_FMT " not found",
                  STR_ARG(tagging->arn));
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK ? document : NULL;
}

void tag_resource_prepare(struct call *call)
{
    const struct json *list = json_at(call->input, "Tags");
    if (!list->count)
        request_invalid(call, STR("Atleast one Tag needs to be provided as Input."), false);
    else
        tags_check(call, list);
}

void tag_resource_mutate(struct call *call, struct store_txn *txn)
{
    const struct tagging *tagging = call->state;
    struct json *document = tagged_document(call, txn);
    if (!document)
        return;
    struct json *tags = json_at(document, "Tags");
    tags_put(call->arena, tags, json_at(call->input, "Tags"));
    if (tags->count > TAGS_MAX)
        request_invalid(call, STR("One or more parameter values were invalid: Too many tags: the limit is 50"), false);
    else
        doc_put(txn, table_key(call, tagging->name), document, call->arena);
}

void untag_resource_prepare(struct call *call)
{
    size_t count = json_at(call->input, "TagKeys")->count;
    if (count == 0)
        request_invalid(call, STR("Atleast one Tag Key needs to be provided as Input."), false);
    else if (count > TAGS_MAX)          /* no resource has more, and the committer looks each of them up */
        request_invalid(call, STR("One or more parameter values were invalid: Too many tag keys: the limit is 50"), false);
}

void untag_resource_mutate(struct call *call, struct store_txn *txn)
{
    const struct tagging *tagging = call->state;
    struct json *document = tagged_document(call, txn);
    if (!document)
        return;
    for JSON_EACH (key, json_at(call->input, "TagKeys"))
        json_remove(json_at(document, "Tags"), key->text);
    doc_put(txn, table_key(call, tagging->name), document, call->arena);
}

void list_tags_handle(struct call *call)
{
    struct json *document = tagged_document(call, store_reader(table_store()));
    if (!document)
        return;
    struct json *list = json_add_array(call->arena, request_output(call), "Tags");
    for JSON_EACH (tag, json_at(document, "Tags")) {
        struct json *shown = json_new(call->arena, JSON_OBJECT);
        json_add_str(call->arena, shown, "Key", tag->key);
        json_add_str(call->arena, shown, "Value", tag->text);
        json_add(list, NULL, shown);
    }
}

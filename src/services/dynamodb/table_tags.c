/* table_tags.c -- TagResource, UntagResource, ListTagsOfResource. Source: API reference; "Tagging for DynamoDB". */
#include "services/dynamodb/table_tags.h"
#include "call/tags.h"
#include "services/dynamodb/request.h"
#include "services/dynamodb/tables.h"
#include "store/doc.h"

struct tagging { struct str name, arn; };

#define TABLE_TAGS_TOO_MANY DYNAMODB_INVALID "Too many tags: the limit is 50"

bool table_tags_check(struct call *call)
{
    struct tag tag;
    switch (tags_check(json_at(call->input, "Tags"), false, &tag)) {
    case TAGS_TOO_MANY:
        return request_invalid(call, STR(TABLE_TAGS_TOO_MANY), false);
    case TAGS_RESERVED:
        return request_invalid(call, STR("One or more parameter values were invalid: Tag keys must not begin with aws:"), false);
    default:                            /* lengths are the model's */
        return true;
    }
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
    if (!table_name_read(call, arn, "resourceArn", &tagging->name))
        return;
    need_add(needs, action, arn);
    tags_need_request(call, needs, json_at(call->input, "Tags"), json_at(call->input, "TagKeys"));
}

#define TAGS_NEEDS(function, action)                                                                                               \
    void function(struct call *call, struct needs *needs)                                                                          \
    {                                                                                                                              \
        read_arn(call, needs, action);                                                                                             \
    }
TAGS_NEEDS(tag_resource_needs, "dynamodb:TagResource")
TAGS_NEEDS(untag_resource_needs, "dynamodb:UntagResource")
TAGS_NEEDS(list_tags_needs, "dynamodb:ListTagsOfResource")
#undef TAGS_NEEDS

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
        table_tags_check(call);
}

void tag_resource_mutate(struct call *call, struct store_txn *txn)
{
    const struct tagging *tagging = call->state;
    struct json *document = tagged_document(call, txn);
    if (!document)
        return;
    if (tags_merge(call->arena, json_at(document, "Tags"), json_at(call->input, "Tags"), false) != TAGS_FINE)
        request_invalid(call, STR(TABLE_TAGS_TOO_MANY), false);
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
    tags_remove(json_at(document, "Tags"), json_at(call->input, "TagKeys"), false);
    doc_put(txn, table_key(call, tagging->name), document, call->arena);
}

void list_tags_handle(struct call *call)
{
    struct json *document = tagged_document(call, table_reader(call));
    if (!document)
        return;
    json_add(request_output(call), "Tags", tags_list(call->arena, json_at(document, "Tags")));
}

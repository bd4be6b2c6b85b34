/* restapi_tags.c -- GetTags, TagResource, UntagResource on REST APIs and stages. Tags stand in the document of what they are on.
 * GetTags answers all of them: its position and limit are "not currently supported" on AWS either (API reference). */
#include "services/apigateway/document.h"
#include "base/arn.h"
#include "call/tags.h"
#include "services/apigateway/handlers.h"

/* arn:aws:apigateway:REGION::/restapis/ID[/stages/NAME]; fills in input's restApiId, by which the finders go. */
static bool load_tagged(struct call *call, struct store_txn *txn, struct store_key *ret_key, struct json **ret)
{
    struct arn arn;
    struct str prefix = STR("/restapis/");
    bool ours = arn_parse_of(call_str(call, "resourceArn"), "apigateway", &arn);
    if (!ours || !str_eq(arn.region, call->region) || arn.account.n || !str_starts(arn.resource, prefix)) {
        call_fail(call, ours ? "NotFoundException" : "BadRequestException",
                  ours ? "Invalid resource identifier specified" : "Invalid ARN specified in the request");
        return false;
    }
    struct str rest = str_slice(arn.resource, prefix.n, arn.resource.n);
    struct str id = str_cut(&rest, '/'), kind = str_cut(&rest, '/'), name = rest;
    json_put(call->input, STR("restApiId"), json_new_str(call->arena, id));
    if (kind.n == 0) {
        *ret_key = apigateway__key(call, APIGATEWAY_RESTAPIS, id, STR_NONE);
        return apigateway__load_api(call, txn, ret);
    }
    if (!str_eq(kind, STR("stages")) || name.n == 0) {
        call_fail(call, "NotFoundException", "Invalid resource identifier specified");
        return false;
    }
    *ret_key = apigateway__key(call, APIGATEWAY_STAGES, id, name);
    return apigateway__load(call, txn, *ret_key, "Invalid stage identifier specified", ret);
}

/* All tags are one page. */
void apigateway__get_tags(struct call *call)
{
    struct store_key key;
    struct json *document;
    if (!load_tagged(call, apigateway__reader(call), &key, &document))
        return;
    if (call_str(call, "position").n) {
        call_fail(call, "BadRequestException", "Invalid position parameter specified");
        return;
    }
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add(call->output, "tags", tags_object(call->arena, json_at(document, "tags")));
}

void apigateway__tag_resource(struct call *call, struct store_txn *txn)
{
    struct store_key key;
    struct json *document;
    if (!load_tagged(call, txn, &key, &document) || !apigateway__check_tags(call, json_at(call->input, "tags")))
        return;
    struct json *tags = json_at(document, "tags");
    if (!tags)
        tags = json_add_object(call->arena, document, "tags");
    tags_merge(call->arena, tags, json_at(call->input, "tags"), false);
    if (apigateway__check_tags(call, tags))
        doc_put(txn, key, document, call->arena);
}

void apigateway__untag_resource(struct call *call, struct store_txn *txn)
{
    struct store_key key;
    struct json *document;
    if (!load_tagged(call, txn, &key, &document))
        return;
    tags_remove(json_at(document, "tags"), json_at(call->input, "tagKeys"), false);
    doc_put(txn, key, document, call->arena);
}

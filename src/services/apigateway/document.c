/* document.c -- keys, loading and saving of API Gateway's documents. See document.h for the layout. No state. */
#include "services/apigateway/document.h"
#include "base/clock.h"
#include "base/hash.h"
#include "call/listing.h"
#include "call/tags.h"
#include "services/apigateway/apigateway.h"
#include "services/apigateway/mapping.h"

struct store_txn *apigateway__reader(const struct call *call)
{
    return store_reader(call->service_state);
}

static struct store_key document_key(struct arena *arena, struct str account, struct str region, const char *type,
                                     struct str api_id, struct str child)
{
    struct str key = child.n ? arena_printf(arena, STR_FMT "/" STR_FMT, STR_ARG(api_id), STR_ARG(child)) : api_id;
    return (struct store_key){APIGATEWAY_SPACE, doc_collection(arena, account, region, type), key};
}

struct store_key apigateway__key(struct call *call, const char *type, struct str api_id, struct str child)
{
    return document_key(call->arena, call->account, call->region, type, api_id, child);
}

struct store_key apigateway__index_key(struct str api_id)
{
    return (struct store_key){APIGATEWAY_SPACE, STR("api-ids"), api_id};
}

struct str apigateway__prefix(struct call *call, struct str api_id)
{
    return arena_printf(call->arena, STR_FMT "/", STR_ARG(api_id));
}

bool apigateway__load(struct call *call, struct store_txn *txn, struct store_key key, const char *message, struct json **ret)
{
    struct str api_id = call_str(call, "restApiId");
    /* An API id with the separator would reach into another level of the key. */
    bool valid = api_id.n && key.key.n <= STORE_KEY_MAX && str_find(api_id, '/') == api_id.n;
    enum err err = valid ? doc_get(txn, key, call->arena, ret) : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND)
        call_fail(call, "NotFoundException", "%s", message);
    else if (err != ERR_OK)
        call_fail_err(call, err);
    return err == ERR_OK;
}

bool apigateway__load_api(struct call *call, struct store_txn *txn, struct json **ret)
{
    struct str id = call_str(call, "restApiId");
    struct str message = arena_printf(call->arena, "Invalid API identifier specified " STR_FMT ":" STR_FMT,
                                      STR_ARG(call->account), STR_ARG(id));
    return apigateway__load(call, txn, apigateway__key(call, APIGATEWAY_RESTAPIS, id, STR_NONE), message.p, ret);
}

bool apigateway__load_resource(struct call *call, struct store_txn *txn, struct str id, struct json **ret)
{
    struct store_key key = apigateway__key(call, APIGATEWAY_RESOURCES, call_str(call, "restApiId"), id);
    return apigateway__load(call, txn, key, "Invalid Resource identifier specified", ret);
}

bool apigateway__load_method(struct call *call, struct store_txn *txn, struct json **ret_resource, struct json **ret_method)
{
    if (!apigateway__load_resource(call, txn, call_str(call, "resourceId"), ret_resource))
        return false;
    *ret_method = json_get(json_at(*ret_resource, "resourceMethods"), call_str(call, "httpMethod"));
    if (!*ret_method)
        call_fail(call, "NotFoundException", "Invalid Method identifier specified");
    return *ret_method != NULL;
}

bool apigateway__load_integration(struct call *call, struct store_txn *txn, struct json **ret_resource, struct json **ret_method,
                                  struct json **ret)
{
    if (!apigateway__load_method(call, txn, ret_resource, ret_method))
        return false;
    *ret = json_at(*ret_method, "methodIntegration");
    if (!*ret)
        call_fail(call, "NotFoundException", "Invalid Integration identifier specified");
    return *ret != NULL;
}

bool apigateway__load_all(struct call *call, struct store_txn *txn, const char *type, struct json **ret)
{
    struct str api_id = call_str(call, "restApiId"), after = STR_NONE;
    struct store_key key = apigateway__key(call, type, api_id, STR_NONE);
    struct json *all = json_new(call->arena, JSON_ARRAY);
    bool more = true;
    while (more) {
        struct json *page;
        enum err err = doc_list(txn, key.space, key.collection, apigateway__prefix(call, api_id), after, APIGATEWAY_PAGE_MAX,
                                call->arena, &page, &more);
        if (err != ERR_OK) {
            call_fail_err(call, err);
            return false;
        }
        for JSON_EACH (entry, page) {
            after = json_str(entry, "k");
            struct json *document = json_at(entry, "d");
            document->next = NULL;
            json_add(all, NULL, document);
        }
    }
    *ret = all;
    return true;
}

bool apigateway__save_resource(struct call *call, struct store_txn *txn, struct json *resource)
{
    if (json_text(call->arena, resource).n > APIGATEWAY_RESOURCE_BYTES_MAX) {
        call_fail(call, "LimitExceededException", "The definitions of a resource's methods are limited to %u bytes",
                  APIGATEWAY_RESOURCE_BYTES_MAX);
        return false;
    }
    doc_put(txn, apigateway__key(call, APIGATEWAY_RESOURCES, call_str(call, "restApiId"), json_str(resource, "id")), resource,
            call->arena);
    return true;
}

void apigateway__delete_all(struct call *call, struct store_txn *txn, const char *type, struct str api_id)
{
    struct store_key key = apigateway__key(call, type, api_id, STR_NONE);
    struct store_range range = {
        .space = key.space,
        .collection = key.collection,
        .from = apigateway__prefix(call, api_id),
        .to = arena_printf(call->arena, STR_FMT "0", STR_ARG(api_id)),     /* '0' follows '/' */
    };
    store_delete_range(txn, &range);
}

struct str apigateway__new_id(struct call *call, size_t n)
{
    return call_random_chars(call, "abcdefghijklmnopqrstuvwxyz0123456789", n);
}

void apigateway__add_now(struct call *call, struct json *document, const char *member)
{
    json_put(document, str_of(member), json_new_i64(call->arena, call->now_ms / 1000));
}

static size_t page_limit(struct call *call)
{
    int64_t limit = json_i64(call->input, "limit", APIGATEWAY_PAGE_DEFAULT);
    if (limit < 1)
        return APIGATEWAY_PAGE_DEFAULT;
    return limit > APIGATEWAY_PAGE_MAX ? APIGATEWAY_PAGE_MAX : (size_t)limit;
}

static void bad_position(struct call *call)
{
    call_fail(call, "BadRequestException", "Invalid position parameter specified");
}

static void answer_items(struct call *call, struct str token, struct json *items)
{
    call->output = json_new(call->arena, JSON_OBJECT);
    if (token.n)
        json_add_str(call->arena, call->output, "position", token);
    json_add(call->output, "items", items);
}

/* Ids are short, so a page is read from where the last one ended. */
void apigateway__answer_page_of(struct call *call, struct store_txn *txn, const char *type)
{
    struct str api_id = call_str(call, "restApiId"), token;
    struct json *items = json_new(call->arena, JSON_ARRAY), *rows;
    struct store_key list = apigateway__key(call, type, api_id, STR_NONE);
    list.key = apigateway__prefix(call, api_id);
    enum err err = listing_docs(call, txn, list, page_limit(call), "position", api_id, &rows, &token);
    if (err != ERR_OK) {
        if (err == ERR_INVALID)
            bad_position(call);
        else
            call_fail_err(call, err);
        return;
    }
    for JSON_EACH (entry, rows)
        json_add(items, NULL, json_at(entry, "d"));
    answer_items(call, token, items);
}

void apigateway__answer_page(struct call *call, struct json *items, const char *key)
{
    struct json *shown = json_new(call->arena, JSON_ARRAY), *next;
    struct str scope = call_str(call, "restApiId");
    struct listing page;
    if (!listing_begin(call, &page, page_limit(call), "position", scope)) {
        bad_position(call);
        return;
    }
    for (struct json *item = items->first; item && !page.truncated; item = next) {
        next = item->next;
        if (!listing_take(&page, json_str(item, key)))
            continue;
        item->next = NULL;
        json_add(shown, NULL, item);
    }
    answer_items(call, page.truncated ? listing_token(call, &page, scope) : STR_NONE, shown);
}

void apigateway__copy(struct call *call, struct json *document, const char *const *members)
{
    for (; *members; members++) {
        struct json *value = json_at(call->input, *members);
        if (value && value->type != JSON_NULL)
            json_put(document, str_of(*members), json_clone(call->arena, value));
    }
}

bool apigateway__check_tags(struct call *call, const struct json *tags)
{
    struct tag tag;
    switch (tags_check(tags, false, &tag)) {
    case TAGS_FINE:
        return true;
    case TAGS_TOO_MANY:
        call_fail(call, "BadRequestException", "The number of tags exceeds the limit of %d", TAGS_MAX);
        return false;
    default:
        call_fail(call, "BadRequestException", "Invalid tag key or value specified: " STR_FMT, STR_ARG(tag.key));
        return false;
    }
}

void apigateway__check_templates(struct call *call, const char *member, const struct json *templates)
{
    for JSON_EACH (template, templates) {
        if (template->text.n > MAPPING_TEMPLATE_BYTES_MAX)
            call_fail(call, "LimitExceededException", "Mapping template exceeds the limit of %u bytes", MAPPING_TEMPLATE_BYTES_MAX);
        else if (str_find(template->key, '/') == template->key.n)
            call_fail(call, "BadRequestException",
                      "Validation Result: warnings : [], errors : [Invalid content type specified: " STR_FMT "]",
                      STR_ARG(template->key));
        else if (!mapping_is_literal(template->text))
            call_fail_not_implemented(
                call, arena_printf(call->arena, "%s[" STR_FMT "] with VTL ($ or #)", member, STR_ARG(template->key)).p);
    }
}

/* patch_fuzz.c -- services/apigateway/patch.h: a list of operations, a newline, the document they are for. Properties: each
 * operation is applied or refused with a failure of the service; what is left is a document that can be written and read again as
 * the same. */
#include "base/panic.h"
#include "services/apigateway/apigateway.h"
#include "services/apigateway/patch.h"

static const struct patch_rule rules[] = {
    {"/name", PATCH_REPLACE, apigateway__patch_text},
    {"/description", PATCH_ADD | PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_text},
    {"/flag", PATCH_REPLACE, apigateway__patch_boolean},
    {"/map/*", PATCH_ADD | PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_map},
    {"/flags/*", PATCH_ADD | PATCH_REPLACE | PATCH_REMOVE, apigateway__patch_boolean_map},
    {"/refused/**", PATCH_REPLACE, NULL},
    {0},
};

/* As a validated input has them. */
static bool are_operations(const struct json *list)
{
    if (!json_is(list, JSON_ARRAY))
        return false;
    for JSON_EACH (operation, list)
        for JSON_EACH (member, operation)
            if (!json_is(member, JSON_STRING))
                return false;
    return true;
}

/* As the documents of these rules are: maps are objects. */
static bool is_document(const struct json *document)
{
    const struct json *map = json_at(document, "map"), *flags = json_at(document, "flags");
    return json_is(document, JSON_OBJECT) && (!map || json_is(map, JSON_OBJECT)) && (!flags || json_is(flags, JSON_OBJECT));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct service_api api = {.model = &model_apigateway, .errors = &apigateway_errors};
    static const struct patch_table tables[] = {{.rules = rules},
                                                {.rules = rules, .must_be_one_of = "/name"},
                                                {.rules = rules, .must_be_one_of = "/name", .wrong_path = "Wrong path"}};
    struct arena *arena = arena_new();
    struct str rest = {(const char *)data, size}, text = str_cut(&rest, '\n');
    struct json *list, *document, *again;
    for (size_t i = 0; i < COUNT_OF(tables); i++) {
        if (json_parse(text, arena, &list) != ERR_OK || json_parse(rest, arena, &document) != ERR_OK || !are_operations(list) ||
            !is_document(document))
            break;
        struct call call = {.arena = arena, .api = &api, .input = json_new(arena, JSON_OBJECT)};
        call.operation = model_operation_find(&model_apigateway, STR("UpdateRestApi"));
        json_add(call.input, "patchOperations", list);
        ENSURE(apigateway__patch(&call, &tables[i], document, NULL) == !call.failed);
        ENSURE(!call.failed || call.error_status == 400 || call.error_status == 404 || call.error_status == 501);
        ENSURE(json_parse(json_text(arena, document), arena, &again) == ERR_OK && json_equal(document, again));
    }
    arena_free(arena);
    return 0;
}

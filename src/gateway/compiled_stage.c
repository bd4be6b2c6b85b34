/* compiled_stage.c -- from the documents of a deployment to what requests are served with. Done once a change and loop. A method
 * that cannot work (an ARN with a stage variable that is missing, say) is compiled as broken: it answers 500, as on AWS. */
#include "gateway/compiled_stage.h"
#include "base/panic.h"
#include "services/apigateway/mapping.h"
#include "services/apigateway/selector.h"

#define URI_BYTES_MAX 4096

/* ${stageVariables.NAME} put in; a missing one is nothing. */
static struct str substitute(struct arena *arena, struct str text, const struct json *variables)
{
    const struct str mark = STR("${stageVariables.");
    struct buf out;
    buf_init(&out, arena, URI_BYTES_MAX);
    while (text.n) {
        size_t end = str_find(text, '}');
        if (str_starts(text, mark) && end < text.n) {
            struct str name = str_slice(text, mark.n, end);
            const struct json *value = json_get(variables, name);
            buf_add(&out, value ? value->text : STR_NONE);
            text = str_slice(text, end + 1, text.n);
        } else {
            buf_add_char(&out, text.p[0]);
            text = str_slice(text, 1, text.n);
        }
    }
    return out.failed ? STR_NONE : buf_str(&out);
}

static void free_pattern(void *pattern)
{
    selector_free(pattern);
}

static void compile_headers(struct arena *arena, const struct json *parameters, struct gateway_response *response)
{
    response->headers = arena_array(arena, struct http_header, parameters ? parameters->count + 1 : 1);
    for JSON_EACH (parameter, parameters) {
        struct http_header header;
        if (mapping_response_header(parameter->key, &header.name) && mapping_literal_value(parameter->text, &header.value))
            response->headers[response->header_count++] = header;
    }
}

static void compile_responses(struct arena *arena, const struct json *document, struct gateway_method *method)
{
    const struct json *responses = json_at(json_at(document, "methodIntegration"), "integrationResponses");
    method->responses = arena_array(arena, struct gateway_response, responses ? responses->count + 1 : 1);
    for JSON_EACH (entry, responses) {
        struct gateway_response *response = &method->responses[method->response_count];
        struct str pattern = json_str(entry, "selectionPattern");
        uint64_t status = 0;
        str_to_u64(entry->key, &status);
        response->status = (int)status;
        response->declared = json_get(json_at(document, "methodResponses"), entry->key) != NULL;
        response->templates = json_at(entry, "responseTemplates");
        compile_headers(arena, json_at(entry, "responseParameters"), response);
        if (pattern.n && !(response->pattern = selector_new(pattern)))
            continue;           /* never put: the control plane refuses it */
        if (response->pattern)
            arena_on_free(arena, free_pattern, response->pattern);
        method->response_count++;
    }
}

static void compile_function(struct arena *arena, const struct services *services, const struct json *integration,
                             const struct json *variables, struct gateway_method *method)
{
    struct str arn, uri = substitute(arena, json_str(integration, "uri"), variables);
    if (!str_eq(json_str(integration, "httpMethod"), STR("POST")))
        method->broken_reason = "a Lambda integration's HTTP method must be POST";
    else if (!mapping_lambda_uri(uri, &arn) || !services_target(services, arn, &method->to) ||
             !str_eq(str_of(method->to.target->service), STR("lambda")))
        method->broken_reason = "the integration's URI names no function";
    method->broken = method->broken_reason != NULL;
}

static struct gateway_method *compile_method(struct arena *arena, const struct services *services, const struct json *resource,
                                             const struct json *document, const struct json *variables)
{
    const struct json *integration = json_at(document, "methodIntegration");
    struct str type = json_str(integration, "type"), passthrough = json_str(integration, "passthroughBehavior");
    struct gateway_method *method = arena_new_of(arena, struct gateway_method);
    method->type = str_eq(type, STR("MOCK")) ? GATEWAY_MOCK : str_eq(type, STR("AWS")) ? GATEWAY_AWS : GATEWAY_AWS_PROXY;
    method->passthrough = str_eq(passthrough, STR("NEVER"))               ? GATEWAY_NEVER
                          : str_eq(passthrough, STR("WHEN_NO_TEMPLATES")) ? GATEWAY_WHEN_NO_TEMPLATES
                                                                          : GATEWAY_WHEN_NO_MATCH;
    method->resource_id = json_str(resource, "id");
    method->resource_path = json_str(resource, "path");
    method->timeout_ms = (uint64_t)json_i64(integration, "timeoutInMillis", 29000);
    method->templates = json_at(integration, "requestTemplates");
    if (method->type != GATEWAY_MOCK)
        compile_function(arena, services, integration, variables, method);
    compile_responses(arena, document, method);
    return method;
}

static bool is_edge(const struct json *api)
{
    const struct json *types = json_at(json_at(api, "endpointConfiguration"), "types");
    return types && types->first && str_eq(types->first->text, STR("EDGE"));
}

static struct str variables_text(const struct json *stage, struct arena *arena)
{
    const struct json *variables = json_at(stage, "variables");
    return variables && variables->count ? json_text(arena, variables) : STR("null");
}

struct gateway_stage *gateway__stage_compile(const struct apigateway_stage *documents, const struct services *services,
                                             struct str api_id, struct str name, struct arena *arena)
{
    const struct json *variables = json_at(documents->stage, "variables");
    struct gateway_stage *stage = arena_new_of(arena, struct gateway_stage);
    *stage = (struct gateway_stage){.refs = 1,
                                    .arena = arena,
                                    .routes = route_tree_new(arena),
                                    .account = documents->account,
                                    .region = documents->region,
                                    .api_id = arena_dup(arena, api_id),
                                    .name = arena_dup(arena, name),
                                    .deployment_id = json_str(documents->stage, "deploymentId"),
                                    .variables = variables_text(documents->stage, arena),
                                    .disabled = json_bool(documents->api, "disableExecuteApiEndpoint", false),
                                    .edge = is_edge(documents->api)};
    for JSON_EACH (resource, json_at(documents->snapshot, "resources"))
        for JSON_EACH (method, json_at(resource, "resourceMethods"))
            route_add(stage->routes, json_str(resource, "path"), method->key,
                      compile_method(arena, services, resource, method, variables));
    return stage;
}

/* What compiling reads of the two small documents; a deployment's snapshot never changes. */
static bool is_still(const struct gateway_stage *stage, const struct apigateway_stage *documents, struct arena *arena)
{
    return str_eq(stage->deployment_id, json_str(documents->stage, "deploymentId")) &&
           str_eq(stage->variables, variables_text(documents->stage, arena)) &&
           stage->disabled == json_bool(documents->api, "disableExecuteApiEndpoint", false) &&
           stage->edge == is_edge(documents->api) && str_eq(stage->account, documents->account) &&
           str_eq(stage->region, documents->region);
}

enum err gateway__stage_load(struct store_txn *reader, const struct services *services, struct str api_id, struct str name,
                             struct gateway_stage *known, struct gateway_stage **ret, const char **ret_missing)
{
    struct arena *arena = arena_new();
    struct apigateway_stage documents;
    enum err err = apigateway_find_stage(reader, api_id, name, arena, &documents, ret_missing);
    bool same = err == ERR_OK && known && is_still(known, &documents, arena);
    if (err == ERR_OK && !same)
        err = apigateway_find_snapshot(reader, api_id, arena, &documents, ret_missing);
    if (err != ERR_OK || same) {
        arena_free(arena);
        if (same)
            *ret = known;
        return err;
    }
    *ret = gateway__stage_compile(&documents, services, api_id, name, arena);
    return ERR_OK;
}

void gateway__stage_unref(struct gateway_stage *stage)
{
    if (!stage)
        return;
    ENSURE(stage->refs > 0);
    if (--stage->refs == 0)
        arena_free(stage->arena);
}

/* api_fuzz.c -- requests of the json and rest-json protocols: a service's digit, then the operation or "METHOD /path?query"
 * up to the end of the line, then the body. */
#include "api_input.h"
#include "services/apigateway/apigateway.h"
#include "services/dynamodb/dynamodb.h"
#include "services/lambda/lambda.h"
#include "services/logs/logs.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct service_api apis[] = {{.model = &model_dynamodb, .errors = &dynamodb_errors, .overrides = &dynamodb_overrides},
                                              {.model = &model_logs, .errors = &logs_errors},
                                              {.model = &model_lambda, .errors = &lambda_errors, .overrides = &lambda_overrides},
                                              {.model = &model_apigateway, .errors = &apigateway_errors}};
    if (size < 1) return 0;
    const struct service_api *api = &apis[data[0] & 3];
    struct str body = {(const char *)data + 1, size - 1}, line = str_cut(&body, '\n');
    struct arena *arena = arena_new();
    struct http_header headers[2] = {{STR("Content-Type"), STR("application/json")}, {STR("X-Amz-Target"), STR_NONE}};
    struct http_request request = {.arena = arena, .method = STR("POST"), .path = STR("/"), .headers = headers, .header_count = 2,
                                   .body = body};
    if (api->model->protocol == MODEL_JSON) {
        headers[1].value = arena_printf(arena, "%s." STR_FMT, api->model->target_prefix, STR_ARG(line));
    } else {
        request.method = str_cut(&line, ' ');
        request.path = str_cut(&line, '?');
        request.query = line;
    }
    run_request(api, &request);
    arena_free(arena);
    return 0;
}

/* api_fuzz.c -- requests of the json and rest-json protocols: a service's digit, then the operation or "METHOD /path?query"
 * up to the end of the line, then the body. */
#include "api_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct service services[] = {{.model = &model_dynamodb, .errors = &service_errors_dynamodb},
                                              {.model = &model_logs, .errors = &service_errors_logs},
                                              {.model = &model_lambda, .errors = &service_errors_lambda},
                                              {.model = &model_apigateway, .errors = &service_errors_apigateway}};
    if (size < 1) return 0;
    const struct service *service = &services[data[0] & 3];
    struct str body = {(const char *)data + 1, size - 1}, line = str_cut(&body, '\n');
    struct arena *arena = arena_new();
    struct http_header headers[2] = {{STR("Content-Type"), STR("application/json")}, {STR("X-Amz-Target"), STR_NONE}};
    struct http_request request = {.arena = arena, .method = STR("POST"), .path = STR("/"), .headers = headers, .header_count = 2,
                                   .body = body};
    if (service->model->protocol == MODEL_JSON) {
        headers[1].value = arena_printf(arena, "%s." STR_FMT, service->model->target_prefix, STR_ARG(line));
    } else {
        request.method = str_cut(&line, ' ');
        request.path = str_cut(&line, '?');
        request.query = line;
    }
    run_request(service, &request);
    arena_free(arena);
    return 0;
}

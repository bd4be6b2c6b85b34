/* api_fuzz.c -- requests of the json and rest-json protocols: a service's digit, then the operation or "METHOD /path?query"
 * up to the end of the line, then the body. */
#include "api_input.h"
#include "call/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { APIS_MAX = 64 };

/* Of all services, by name. */
static size_t apis_of_json(const struct service_api *ret[APIS_MAX])
{
    size_t count = 0;
    for (size_t s = 0; services_all[s]; s++)
        for (const struct service_api *const *api = services_all[s]->apis; *api && count < APIS_MAX; api++)
            if ((*api)->model->protocol == MODEL_JSON || (*api)->model->protocol == MODEL_REST_JSON)
                ret[count++] = *api;
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct service_api *apis[APIS_MAX];
    size_t count = apis_of_json(apis);
    if (size < 1) return 0;
    const struct service_api *api = apis[(data[0] - (unsigned)'0') % count];
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

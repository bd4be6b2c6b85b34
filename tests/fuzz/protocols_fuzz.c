/* protocols_fuzz.c -- requests to the tests' own services, which speak every protocol: a digit for the API, then "METHOD /path?query",
 * a line for each header, an empty line, the body. Beside the properties of api_input.h: an input of Echo, written as an answer and
 * read again, is an input again; and once more it is the same (the first time, times and single floats lose digits). */
#include "../unit/wire/test_models.h"
#include "api_input.h"

#define HEADERS_MAX 16

/* Whether an answer of the API can be its request. */
static bool symmetric(const struct model *m, const struct http_request *request)
{
    struct service_api api = {.model = m};
    return wire_protocol_of(&api, request) != &wire_query;
}

static void check_echo(const struct service_api *api, struct http_request *request)
{
    struct str body;
    struct json *second, *third;
    if (!request->body.n || !symmetric(api->model, request) || !echo(api, request, &body)) return;
    request->body = body;
    second = echo(api, request, &body);
    ENSURE(second != NULL);
    request->body = body;
    third = echo(api, request, &body);
    ENSURE(third != NULL && json_equal(second, third));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) return 0;
    const struct service_api *api = &test_apis[data[0] & 3];
    struct str body = {(const char *)data + 1, size - 1}, line = str_cut(&body, '\n'), header;
    struct arena *arena = arena_new();
    struct http_header headers[HEADERS_MAX];
    struct http_request request = {.arena = arena, .headers = headers};
    request.method = str_cut(&line, ' ');
    request.path = str_cut(&line, '?');
    request.query = line;
    while ((header = str_cut(&body, '\n')).n && request.header_count < HEADERS_MAX) {
        size_t colon = str_find(header, ':');
        if (colon > 0 && colon < header.n)
            headers[request.header_count++] = (struct http_header){str_slice(header, 0, colon), str_trim(str_slice(header, colon + 1, header.n))};
    }
    request.body = body.p ? body : STR("");
    run_request(api, &request);
    check_echo(api, &request);
    arena_free(arena);
    return 0;
}

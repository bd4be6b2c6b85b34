/* target_fuzz.c -- front/target.h, and whose call it is (wire/door.h): "METHOD /path?query", the host, then a line for each header.
 * Properties: what a request is for is decided whatever it says; its parts are parts of the request; a form of the data plane has
 * an API and a path that begins with a slash, or is empty. */
#include "../unit/wire/test_models.h"
#include "base/panic.h"
#include "call/dispatch.h"
#include "front/target.h"
#include "wire/door.h"

#define HEADERS_MAX 16

static bool is_within(struct str part, struct str whole)
{
    return !part.n || (part.p >= whole.p && part.p + part.n <= whole.p + whole.n);
}

static void check_door(const struct http_request *request)
{
    static const struct service_binding bindings[] = {
        {.api = &test_apis[0]}, {.api = &test_apis[1]}, {.api = &test_apis[2]}, {.api = &test_apis[3]}, {0}};
    static struct door *door;
    if (!door)
        door = door_new(NULL, bindings);
    const struct service_binding *of = door_find(door, request);
    ENSURE(!of || (of >= bindings && of < bindings + COUNT_OF(bindings) - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct http_header headers[HEADERS_MAX];
    struct http_request request = {.arena = arena, .headers = headers};
    struct str rest = arena_dup(arena, (struct str){(const char *)data, size}), line = str_cut(&rest, '\n'), header;
    request.method = str_cut(&line, ' ');
    request.path = str_cut(&line, '?');
    request.query = line;
    request.host = str_cut(&rest, '\n');
    if (!request.path.n)
        request.path = STR("/");
    while (rest.p && (header = str_cut(&rest, '\n')).n && request.header_count < HEADERS_MAX) {
        struct str value = header, name = str_cut(&value, ':');
        headers[request.header_count++] = (struct http_header){name, str_trim(value)};
    }
    struct front_target target = front_target_of(&request, STR("us-east-1"));
    ENSURE(target.kind <= FRONT_AWS);
    if (target.kind == FRONT_GATEWAY) {
        ENSURE(is_within(target.path, request.path) && is_within(target.stage, request.path) && target.domain.n);
        ENSURE(is_within(target.api_id, request.path) || is_within(target.api_id, request.host));
        ENSURE(!target.path.n || target.path.p[0] == '/');
    }
    check_door(&request);
    arena_free(arena);
    return 0;
}

/* front.c -- hands each request to the part that answers it. One classification (target.c) serves the handler, the body
 * limit asked for after the headers, and the answer to a request that net refuses. Holds no state of a request. */
#include "front/front.h"
#include "base/codec.h"
#include "base/panic.h"
#include "front/target.h"
#include "net/limits.h"
#include <stdlib.h>

struct front {
    struct front_options options;
};

struct front *front_new(void)
{
    return mem_zalloc(sizeof(struct front));
}

void front_connect(struct front *front, const struct front_options *options)
{
    front->options = *options;
}

void front_free(struct front *front)
{
    free(front);
}

static void answer_json(struct http_request *request, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void answer_json(struct http_request *request, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str body = arena_vprintf(request->arena, format, args);
    va_end(args);
    http_respond_text(request, status, "application/json", body);
}

static void answer_health(struct front *front, struct http_request *request)
{
    bool ready = atomic_load(front->options.ready);
    answer_json(request, ready ? 200 : 503, "{\"status\":\"%s\",\"version\":\"" CLOUDLESS_VERSION "\"}", ready ? "ready" : "stopping");
}

/* A signed call for a service that this program does not have, or a request that is nobody's. */
static void answer_nobody(struct http_request *request)
{
    struct sigv4 sig;
    struct buf message;
    if (sigv4_parse(request, request->arena, &sig) != SIGV4_OK || !utf8_valid(sig.service)) {
        answer_json(request, 403, "{\"__type\":\"MissingAuthenticationTokenException\",\"message\":\"Missing Authentication Token\"}");
        return;
    }
    buf_init(&message, request->arena, NET_HEADER_BYTES_MAX * 6 + 256);
    json_write_str(&message, arena_printf(request->arena, "Cloudless does not serve the AWS service '" STR_FMT "'.", STR_ARG(sig.service)));
    answer_json(request, 501, "{\"__type\":\"NotImplemented\",\"message\":" STR_FMT "}", STR_ARG(buf_str(&message)));
}

static void answer(struct front *front, struct http_request *request, const struct front_target *target)
{
    switch (target->kind) {
    case FRONT_GATEWAY:
        gateway_handle(front->options.gateway, request, target->api_id, target->stage, target->path, target->domain);
        return;
    case FRONT_HEALTH:
        answer_health(front, request);
        return;
    case FRONT_LAMBDA_CODE:
        lambda_serve_code(front->options.lambda, request);
        return;
    case FRONT_OWN_UNKNOWN:
        answer_json(request, 404, "{\"message\":\"There is nothing at this path. Try /_cloudless/health.\"}");
        return;
    case FRONT_AWS:
        break;
    }
    const struct service *service = api_find_service(front->options.api, request);
    if (service)
        api_handle(front->options.api, service, request);
    else
        answer_nobody(request);
}

void front_handle(struct http_request *request, void *arg)
{
    struct front *front = arg;
    struct front_target target = front_target_of(request, front->options.default_region);
    answer(front, request, &target);
}

void front_handle_inside(struct http_request *request, void *arg)
{
    struct front *front = arg;
    struct front_target target = front_target_of(request, front->options.default_region);
    if (str_starts(request->path, STR("/_cloudless/")))
        target.kind = FRONT_OWN_UNKNOWN;
    answer(front, request, &target);
}

size_t front_body_limit(const struct http_request *headers_only, void *arg)
{
    struct front *front = arg;
    switch (front_target_of(headers_only, front->options.default_region).kind) {
    case FRONT_GATEWAY:
        return NET_BODY_API_INVOKE_MAX;
    case FRONT_AWS:
        return api_body_limit(front->options.api, headers_only);
    default:
        return 0;
    }
}

void front_refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret, void *arg)
{
    struct front *front = arg;
    enum front_kind kind = front_target_of(request, front->options.default_region).kind;
    if (kind == FRONT_GATEWAY) {
        gateway_refuse(request, status, arena, ret);
        return;
    }
    if (kind == FRONT_AWS && api_refuse(front->options.api, request, status, arena, ret))
        return;
    static const struct http_header json[] = {{{"Content-Type", 12}, {"application/json", 16}}};
    *ret = (struct http_response){.status = status, .headers = (struct http_header *)json, .header_count = 1,
                                  .body = arena_printf(arena, "{\"message\":\"%s\"}", http_status_text(status))};
}

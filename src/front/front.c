/* front.c -- hands each request to the part that answers it. One classification (target.c) serves the handler, the body
 * limit asked for after the headers, and the answer to a request that net refuses. Holds no state of a request.
 * Metrics are gathered once for all that asked before it began: whoever asks for them without end holds workers for two gatherings
 * at most. */
#include "front/front.h"
#include "auth/sigv4.h"
#include "base/clock.h"
#include "base/codec.h"
#include "base/panic.h"
#include "front/target.h"
#include "net/limits.h"
#include "sandbox/sandbox.h"
#include <pthread.h>
#include <stdlib.h>

struct front {
    struct front_options options;
    pthread_mutex_t metrics_lock; /* guards what follows, and is held while metrics are gathered */
    uint64_t metrics_ns;          /* when the gathering of `metrics` began; 0: there are none */
    char *metrics;
    size_t metrics_n;
};

struct front *front_new(void)
{
    struct front *front = mem_zalloc(sizeof *front);
    pthread_mutex_init(&front->metrics_lock, NULL);
    return front;
}

void front_connect(struct front *front, const struct front_options *options)
{
    front->options = *options;
}

void front_free(struct front *front)
{
    if (!front)
        return;
    pthread_mutex_destroy(&front->metrics_lock);
    free(front->metrics);
    free(front);
}

static void front_json(struct http_request *request, int status, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void front_json(struct http_request *request, int status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    struct str body = arena_vprintf(request->arena, format, args);
    va_end(args);
    http_respond_text(request, status, "application/json", body);
}

/* What stands for functions: new environments can be started, at once or (the launcher has died, or is silent) with a delay, or
 * not. */
static const char *sandboxes_word(const struct front *front)
{
    static const char *const words[] = {[SANDBOX_READY] = "ready", [SANDBOX_STALLED] = "stalled", [SANDBOX_LOST] = "lost"};
    return front->options.sandboxes ? words[sandbox_host_state(front->options.sandboxes)] : "unavailable";
}

/* Reads go on when the disk is full, so a store that cannot be written is no reason to take the server away: still 200. */
static void answer_health(struct front *front, struct http_request *request)
{
    struct str words;
    bool ready = atomic_load(front->options.ready);
    const char *status = !ready ? "stopping" : store_writable(front->options.store, request->arena, &words) ? "ready" : "read-only";
    front_json(request, ready ? 200 : 503, "{\"status\":\"%s\",\"sandboxes\":\"%s\",\"version\":\"" CLOUDLESS_VERSION "\"}", status,
               sandboxes_word(front));
}

/* ---- metrics: other parts' locks are taken and the engine is asked, so a worker does it ---- */

struct metrics_answer {
    struct work work;
    struct http_request *request;
    struct front *front;
    uint64_t asked_ns;
    struct str text;
    bool whole;
};

static void gather_metrics(struct work *work)
{
    struct metrics_answer *answer = CONTAINER_OF(work, struct metrics_answer, work);
    struct front *front = answer->front;
    struct arena *arena = answer->request->arena;
    pthread_mutex_lock(&front->metrics_lock);
    answer->whole = front->metrics_ns > answer->asked_ns;
    if (answer->whole) {
        answer->text = arena_dup(arena, (struct str){front->metrics, front->metrics_n});
    } else {
        uint64_t began = clock_mono_ns();
        answer->whole = metrics_render(front->options.metrics, arena, &answer->text);
        if (answer->whole) {
            front->metrics = mem_realloc(front->metrics, answer->text.n);
            memcpy(front->metrics, answer->text.p, answer->text.n);
            front->metrics_n = answer->text.n;
            front->metrics_ns = began;
        }
    }
    pthread_mutex_unlock(&front->metrics_lock);
}

static void metrics_gathered(struct work *work)
{
    struct metrics_answer *answer = CONTAINER_OF(work, struct metrics_answer, work);
    if (answer->whole)
        http_respond_text(answer->request, 200, METRICS_CONTENT_TYPE, answer->text);
    else
        front_json(answer->request, 500, "{\"message\":\"There are more metrics than fit into an answer.\"}");
}

static void answer_metrics(struct front *front, struct http_request *request)
{
    struct metrics_answer *answer = arena_new_of(request->arena, struct metrics_answer);
    *answer = (struct metrics_answer){.request = request, .front = front, .asked_ns = clock_mono_ns()};
    answer->work = (struct work){.run = gather_metrics, .done = metrics_gathered, .loop = request->loop};
    if (workers_submit(front->options.workers, LANE_READ, &answer->work) != ERR_OK)
        front_json(request, 503, "{\"message\":\"The server is too busy.\"}");
}

/* What the program says of itself is one service, with a series for each page. */
static void about_self(struct http_request *request, const char *page)
{
    request->about.series = page;
    request->about.service = STR("cloudless");
    request->about.operation = str_of(page);
}

/* Services that other protocols than JSON speak, beside those whose calls are forms: their clients cannot read JSON. */
static bool speaks_xml(const struct http_request *request, struct str service)
{
    static const char *const rest_xml[] = {"s3", "s3express", "s3-object-lambda", "s3control", "route53", "cloudfront"};
    for (size_t i = 0; i < COUNT_OF(rest_xml); i++)
        if (str_eq(service, str_of(rest_xml[i])))
            return true;
    return str_starts(http_header(request, "Content-Type"), STR("application/x-www-form-urlencoded"));
}

/* A map of two texts, each shorter than 64 KiB (RFC 8949, 3.1). */
static void cbor_text(struct buf *buf, struct str text)
{
    buf_add_char(buf, 0x79);
    buf_add_char(buf, (char)(text.n >> 8));
    buf_add_char(buf, (char)text.n);
    buf_add(buf, text);
}

static void answer_unserved_cbor(struct http_request *request, struct str message)
{
    struct http_header *headers = arena_array(request->arena, struct http_header, 2);
    struct buf body;
    headers[0] = (struct http_header){STR("Content-Type"), STR("application/cbor")};
    headers[1] = (struct http_header){STR("smithy-protocol"), STR("rpc-v2-cbor")};
    buf_init(&body, request->arena, message.n + 64);
    buf_add_char(&body, (char)0xa2);
    cbor_text(&body, STR("__type"));
    cbor_text(&body, STR("NotImplemented"));
    cbor_text(&body, STR("message"));
    cbor_text(&body, message);
    http_respond(request, &(struct http_response){.status = 501, .headers = headers, .header_count = 2, .body = buf_str(&body)});
}

/* 501 in the error form of the protocol that the service has: JSON, CBOR, query's ErrorResponse, EC2's Response, S3's Error. */
static void answer_unserved(struct http_request *request, struct str service)
{
    request->about.service = service;
    request->about.reason = STR("this service is not served");
    static const char sentence[] = "Cloudless does not serve the AWS service '" STR_FMT "'.";
    if (str_eq(http_header(request, "Smithy-Protocol"), STR("rpc-v2-cbor"))) {
        answer_unserved_cbor(request, arena_printf(request->arena, sentence, STR_ARG(service)));
        return;
    }
    if (!speaks_xml(request, service)) {
        struct buf message;
        buf_init(&message, request->arena, NET_HEADER_BYTES_MAX * 6 + 256);
        json_write_str(&message, arena_printf(request->arena, sentence, STR_ARG(service)));
        front_json(request, 501, "{\"__type\":\"NotImplemented\",\"message\":" STR_FMT "}", STR_ARG(buf_str(&message)));
        return;
    }
    const char *open = "<ErrorResponse><Error><Type>Receiver</Type>", *close = "</Error></ErrorResponse>";
    if (str_eq(service, STR("ec2")))
        open = "<Response><Errors><Error>", close = "</Error></Errors></Response>";
    else if (str_starts(service, STR("s3")))
        open = "<Error>", close = "</Error>";
    bool plain = service.n > 0;         /* of letters, digits and hyphens, as all services' names are */
    for (size_t i = 0; i < service.n; i++)
        plain = plain && strchr("abcdefghijklmnopqrstuvwxyz0123456789-", service.p[i]) && service.p[i];
    struct str message = arena_printf(request->arena, sentence, STR_ARG(plain ? service : STR("?")));
    http_respond_text(request, 501, "text/xml",
                      arena_printf(request->arena,
                                   "<?xml version=\"1.0\" encoding=\"UTF-8\"?>%s<Code>NotImplemented</Code>"
                                   "<Message>" STR_FMT "</Message>%s",
                                   open, STR_ARG(message), close));
}

/* A person's browser: it asks for HTML, which no AWS client does, and signs nothing. */
static bool is_browser(const struct http_request *request)
{
    struct str accept = http_header(request, "Accept");
    return str_eq(request->method, STR("GET")) && str_eq(request->path, STR("/")) && !request->query.n &&
           !http_header(request, "Authorization").n && !http_header(request, "X-Amz-Target").n && accept.n &&
           memmem(accept.p, accept.n, "text/html", 9);
}

static void answer_browser(struct http_request *request)
{
    static const char page[] =
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Cloudless</title>\n"
        "<style>body{font:16px/1.5 sans-serif;max-width:44em;margin:3em auto;padding:0 "
        "1em}code{background:#8882}</style></head><body>\n"
        "<h1>Cloudless " CLOUDLESS_VERSION "</h1>\n"
        "<p>This is the endpoint of API Gateway, Lambda, DynamoDB, IAM, STS and CloudWatch Logs on this machine. AWS clients talk "
        "to it; "
        "there is nothing to click here.</p>\n"
        "<p>In a shell, as the user who runs the server:</p>\n"
        "<pre><code>eval \"$(cloudless env)\"\naws dynamodb list-tables --endpoint-url \"$AWS_ENDPOINT_URL\"</code></pre>\n"
        "<ul>\n<li><a href=\"/_cloudless/health\">/_cloudless/health</a>: how the server is</li>\n"
        "<li><a href=\"/_cloudless/metrics\">/_cloudless/metrics</a>: metrics for Prometheus, on this machine only</li>\n"
        "<li><code>/_aws/execute-api/API/STAGE/</code>: an API that was deployed</li>\n"
        "<li>the documentation is in the folder <code>docs</code> of the source, from <code>README.md</code> on</li>\n</ul>\n"
        "</body></html>\n";
    about_self(request, "start");
    http_respond_text(request, 200, "text/html; charset=utf-8", str_of(page));
}

/* A signed call for a service that this program does not have, or a request that is nobody's. */
static void answer_nobody(struct http_request *request)
{
    const struct sigv4_rules any = {.service = NULL};
    struct sigv4 sig;
    if (sigv4_parse(request, &any, request->arena, &sig) == SIGV4_OK && utf8_valid(sig.service)) {
        answer_unserved(request, sig.service);
    } else if (is_browser(request)) {
        answer_browser(request);
    } else {
        request->about.reason =
            STR("neither signed for a service nor the path of an API: `cloudless env` gives a shell this server's key");
        front_json(request, 403,
                   "{\"__type\":\"MissingAuthenticationTokenException\",\"message\":\"Missing Authentication Token\"}");
    }
}

/* A service that signs as one that is served does, and is not: by the first segment of its paths, or its target. STR_NONE: no. */
static struct str unserved_sibling(const struct http_request *request, const struct service_binding *of)
{
    static const struct {
        const char *signing_name, *path, *target, *service;
    } siblings[] = {{"apigateway", "/v2/", NULL, "apigatewayv2"},
                    {"dynamodb", NULL, "DynamoDBStreams_20120810.", "dynamodbstreams"}};
    for (size_t i = 0; i < COUNT_OF(siblings); i++) {
        const char *path = siblings[i].path, *target = siblings[i].target;
        bool fits = (path && str_starts(request->path, str_of(path))) ||
                    (target && str_starts(http_header(request, "X-Amz-Target"), str_of(target)));
        if (fits && strcmp(of->api->model->signing_name, siblings[i].signing_name) == 0 && !door_owns(of, request))
            return str_of(siblings[i].service);
    }
    return STR_NONE;
}

static void front_unknown(struct http_request *request)
{
    request->about.reason = STR("there is nothing at this path");
    front_json(request, 404, "{\"message\":\"There is nothing at this path. Try /_cloudless/health.\"}");
}

static void front_answer(struct front *front, struct http_request *request, const struct front_target *target)
{
    const struct service_page *page;
    void *state;
    switch (target->kind) {
    case FRONT_GATEWAY:
        gateway_handle(front->options.gateway, request, target->api_id, target->stage, target->path, target->domain);
        return;
    case FRONT_HEALTH:
        about_self(request, "health");
        answer_health(front, request);
        return;
    case FRONT_METRICS:
        about_self(request, "metrics");
        if (request->peer_loopback)
            answer_metrics(front, request);
        else
            front_json(request, 403, "{\"message\":\"Metrics are for this machine only.\"}");
        return;
    case FRONT_PAGE:
        page = services_page(front->options.services, request->path, &state);
        if (page) {
            about_self(request, "page");
            page->handle(state, request);
            return;
        }
        front_unknown(request);
        return;
    case FRONT_OWN_UNKNOWN:
        front_unknown(request);
        return;
    case FRONT_AWS:
        break;
    }
    const struct service_binding *of = door_find(front->options.door, request);
    struct str sibling = of ? unserved_sibling(request, of) : STR_NONE;
    if (sibling.n)
        answer_unserved(request, sibling);
    else if (of)
        door_handle(front->options.door, of, request);
    else
        answer_nobody(request);
}

void front_handle(struct http_request *request, void *arg)
{
    struct front *front = arg;
    struct front_target target = front_target_of(request, front->options.default_region);
    front_answer(front, request, &target);
}

void front_handle_inside(struct http_request *request, void *arg)
{
    struct front *front = arg;
    struct front_target target = front_target_of(request, front->options.default_region);
    if (str_starts(request->path, STR("/_cloudless/")))
        target.kind = FRONT_OWN_UNKNOWN;
    front_answer(front, request, &target);
}

struct http_body_plan front_body_plan(const struct http_request *headers_only, void *arg)
{
    struct front *front = arg;
    const struct service_page *page;
    void *state;
    switch (front_target_of(headers_only, front->options.default_region).kind) {
    case FRONT_GATEWAY:
        return (struct http_body_plan){.max = GATEWAY_BODY_BYTES_MAX};
    case FRONT_AWS:
        return door_body_plan(front->options.door, headers_only);
    case FRONT_PAGE:
        page = services_page(front->options.services, headers_only->path, &state);
        return (struct http_body_plan){.max = page ? page->body_max : 0};
    default:
        return (struct http_body_plan){.max = 0};
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
    if (kind == FRONT_AWS && door_refuse(front->options.door, request, status, arena, ret))
        return;
    static struct http_header json = {{"Content-Type", 12}, {"application/json", 16}};
    *ret = (struct http_response){.status = status,
                                  .headers = &json,
                                  .header_count = 1,
                                  .body = arena_printf(arena, "{\"message\":\"%s\"}", http_status_text(status))};
}

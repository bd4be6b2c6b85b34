/* service.c -- Lambda as a service. */
#include "base/metrics.h"
#include "call/service.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/lambda.h"

static enum err lambda_open(const struct platform *platform, void **ret_state)
{
    const struct platform_options *o = platform->options;
    struct lambda_limits limits = lambda_limits_default;
    if (o->environments_max && o->environments_max < limits.environments_max)
        limits.environments_max = o->environments_max;
    const struct lambda_options options = {
        .limits = &limits,
        .store = platform->store,
        .blobs = platform->blobs,
        .auth = platform->auth,
        .logs = services_state(platform->services, "logs"),
        .loops = platform->loops,
        .workers = platform->workers,
        .http = platform->http,
        .sandboxes = platform->sandboxes,
        .sandboxes_missing = platform->sandboxes_missing,
        .cache_dir = o->cache_dir,
        .runtimes_dir = o->runtimes_dir,
        .runtime_flags = o->runtimes,
        .concurrency_max = o->concurrency_max,
        .aws_endpoint = platform->inside,
        .aws_endpoint_arg = platform->inside_arg,
    };
    enum err err = lambda_new(&options, (struct lambda **)ret_state);
    if (err == ERR_OK)
        metrics_add_source(platform->metrics, lambda_write_metrics, *ret_state);
    return err;
}

static void lambda_start(void *state)
{
    lambda_sweep_soon(state);
}

static void lambda_halt(void *state)
{
    lambda_stop(state);
}

static void lambda_close(void *state)
{
    lambda_free(state);
}

static void serve_code(void *state, struct http_request *request)
{
    lambda_serve_code(state, request);
}

static const struct service_api *const lambda_apis[] = {&lambda_api, NULL};
static const char *const lambda_uses[] = {"iam", "logs", NULL};
static const struct service_page lambda_pages[] = {{.prefix = LAMBDA_CODE_PATH, .handle = serve_code}, {0}};
const struct service lambda_service = {.name = "lambda", .apis = lambda_apis, .space = LAMBDA_SPACE, .uses = lambda_uses,
                                       .pages = lambda_pages, .open = lambda_open, .start = lambda_start, .stop = lambda_halt,
                                       .close = lambda_close};

/* service.c -- Lambda as a service: its parts, made in their order, and its life. */
#include "base/metrics.h"
#include "base/panic.h"
#include "call/service.h"
#include "services/lambda/code.h"
#include "services/lambda/download.h"
#include "services/lambda/function.h"
#include "services/lambda/function_doc.h"
#include "services/lambda/interpreter.h"
#include "services/lambda/lambda.h"
#include "services/lambda/lambda_invoke.h"
#include "services/lambda/lambda_parts.h"
#include "services/lambda/package.h"
#include "services/lambda/pool.h"
#include <stdlib.h>

#define LAMBDA_CONCURRENCY_DEFAULT 1000     /* quota: concurrent executions of an account */

static const struct lambda__limits lambda_limits_default = {
    .environments_max = LAMBDA_ENVIRONMENTS_MAX,
    .starts_max = 4,
    .queue_wait_ms = 10,
    .init_ms = 10000,
    .init_error_ms = 1000,
    .idle_ms = 5 * 60 * 1000,
    .permission_ms = 1000,
    .second_ms = 1000,
    .request_bytes_max = LAMBDA_REQUEST_BYTES_MAX,
    .zip_bytes_max = LAMBDA_ZIP_BYTES_MAX,
    .unzipped_bytes_max = LAMBDA_UNZIPPED_BYTES_MAX,
};

static void write_lambda_metrics(struct buf *out, void *arg)
{
    struct lambda *lambda = arg;
    static const struct metric_family in_flight = {"cloudless_invocations_running",
                                                   "Invocations, those that wait for an environment included.", METRIC_GAUGE, 0, 0};
    metrics_single(out, &in_flight, (double)atomic_load(&lambda->in_flight));
    lambda__meters_write(out, &lambda->meters);
}

static enum err lambda_open(const struct platform *platform, void **ret_state)
{
    const struct platform_options *o = platform->options;
    struct lambda *lambda = mem_zalloc(sizeof *lambda);
    lambda->platform = platform;
    lambda->concurrency_max = o->concurrency_max ? o->concurrency_max : LAMBDA_CONCURRENCY_DEFAULT;
    lambda->limits = lambda_limits_default;
    if (o->environments_max && o->environments_max < LAMBDA_ENVIRONMENTS_MAX)
        lambda->limits.environments_max = o->environments_max;
    if (lambda->concurrency_max < lambda->limits.environments_max)
        lambda->limits.environments_max = lambda->concurrency_max;
    lambda->functions = lambda__functions_new(platform->store, loops_count(platform->loops));
    lambda->interpreters = lambda__interpreters_new(o->runtimes_dir, o->runtimes);
    lambda->code = lambda__code_new(platform, 0);
    lambda->downloads = lambda__downloads_new(platform->blobs, platform->workers);
    const struct lambda__environment_parts parts = {
        .platform = platform,
        .limits = &lambda->limits,
        .interpreters = lambda->interpreters,
        .logs = services_state(platform->services, "logs"),
        .code = lambda->code,
        .meters = &lambda->meters,
    };
    lambda->pools = lambda__pools_new(&parts, lambda->functions);
    metrics_add_source(platform->metrics, write_lambda_metrics, lambda);
    *ret_state = lambda;
    return ERR_OK;
}

/* Of packages and unpacked code that nobody needs any more. */
static void lambda_start(void *state)
{
    lambda__code_sweep_soon(((struct lambda *)state)->code);
}

/* Ends environments; what waits for them fails. */
static void lambda_stop(void *state)
{
    lambda__pools_stop(((struct lambda *)state)->pools);
}

static void lambda_close(void *state)
{
    struct lambda *lambda = state;
    lambda__pools_free(lambda->pools);
    lambda__downloads_free(lambda->downloads);
    lambda__code_free(lambda->code);
    lambda__interpreters_free(lambda->interpreters);
    lambda__functions_free(lambda->functions);
    free(lambda);
}

static void serve_code(void *state, struct http_request *request)
{
    lambda__download_serve(((struct lambda *)state)->downloads, request);
}

static const struct service_api *const lambda_apis[] = {&lambda_api, NULL};
static const char *const lambda_uses[] = {"iam", "logs", NULL};
static const struct service_page lambda_pages[] = {{.prefix = LAMBDA_CODE_PATH, .handle = serve_code}, {0}};
const struct service lambda_service = {.name = "lambda",
                                       .apis = lambda_apis,
                                       .space = LAMBDA_SPACE,
                                       .uses = lambda_uses,
                                       .pages = lambda_pages,
                                       .targets = lambda__targets,
                                       .open = lambda_open,
                                       .start = lambda_start,
                                       .stop = lambda_stop,
                                       .close = lambda_close};

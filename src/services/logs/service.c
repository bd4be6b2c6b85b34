/* service.c -- CloudWatch Logs as a service, and its life. */
#include "base/metrics.h"
#include "base/panic.h"
#include "call/service.h"
#include "services/logs/logs_internal.h"
#include <stdlib.h>

static enum err logs_open(const struct platform *platform, void **ret_state)
{
    struct logs *logs = mem_zalloc(sizeof *logs);
    logs->store = platform->store;
    logs->writer = logs__writer_new(platform->store);
    metrics_add_source(platform->metrics, logs__write_metrics, logs);
    *ret_state = logs;
    return ERR_OK;
}

static void logs_close(void *state)
{
    struct logs *logs = state;
    logs__writer_free(logs->writer);
    free(logs);
}

static const struct service_api *const logs_apis[] = {&logs_api, NULL};
const struct service logs_service = {.name = "logs", .apis = logs_apis, .space = LOGS_SPACE, .jobs = logs__job_kinds,
                                     .open = logs_open, .close = logs_close};

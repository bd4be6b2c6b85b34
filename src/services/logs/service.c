/* service.c -- CloudWatch Logs as a service. */
#include "base/metrics.h"
#include "call/service.h"
#include "services/logs/logs_internal.h"

static enum err logs_open(const struct platform *platform, void **ret_state)
{
    enum err err = logs_new(platform->store, (struct logs **)ret_state);
    if (err == ERR_OK)
        metrics_add_source(platform->metrics, logs_write_metrics, *ret_state);
    return err;
}

static void logs_close(void *state)
{
    logs_free(state);
}

static const struct service_api *const logs_apis[] = {&logs_api, NULL};
const struct service logs_service = {.name = "logs", .apis = logs_apis, .space = LOGS_SPACE, .jobs = logs__job_kinds,
                                     .open = logs_open, .close = logs_close};

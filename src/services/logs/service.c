/* service.c -- CloudWatch Logs as a service. */
#include "call/service.h"
#include "services/logs/logs.h"

static enum err logs_open(const struct platform *platform, void **ret_state)
{
    return logs_new(platform->store, (struct logs **)ret_state);
}

static void logs_close(void *state)
{
    logs_free(state);
}

static const struct service_api *const logs_apis[] = {&logs_api, NULL};
const struct service logs_service = {.name = "logs", .apis = logs_apis, .space = LOGS_SPACE, .open = logs_open, .close = logs_close};

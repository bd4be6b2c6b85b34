/* service.c -- STS as a service. It keeps nothing: a session is in its credentials. */
#include "call/service.h"
#include "services/sts/sts.h"

static enum err sts_open(const struct platform *platform, void **ret_state)
{
    return sts_new(platform->store, platform->auth, (struct sts **)ret_state);
}

static void sts_close(void *state)
{
    sts_free(state);
}

static const struct service_api *const sts_apis[] = {&sts_api, NULL};
static const char *const sts_uses[] = {"iam", NULL};
const struct service sts_service = {.name = "sts", .apis = sts_apis, .uses = sts_uses, .open = sts_open, .close = sts_close};

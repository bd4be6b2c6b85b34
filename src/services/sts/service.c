/* service.c -- STS as a service, and its life. It keeps nothing: a session is in its credentials. */
#include "base/panic.h"
#include "call/service.h"
#include "services/sts/sts.h"
#include <stdlib.h>

static enum err sts_open(const struct platform *platform, void **ret_state)
{
    struct sts *sts = mem_zalloc(sizeof *sts);
    *sts = (struct sts){.auth = platform->auth, .store = platform->store};
    *ret_state = sts;
    return ERR_OK;
}

static void sts_close(void *state)
{
    free(state);
}

static const struct service_api *const sts_apis[] = {&sts_api, NULL};
static const char *const sts_uses[] = {"iam", NULL};
const struct service sts_service = {.name = "sts", .apis = sts_apis, .uses = sts_uses, .open = sts_open, .close = sts_close};

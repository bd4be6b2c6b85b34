/* service.c -- IAM as a service, and its life: what keys and policies auth asks for comes from here. */
#include "base/panic.h"
#include "call/service.h"
#include "services/iam/iam_internal.h"
#include <stdlib.h>

static enum err iam_open(const struct platform *platform, void **ret_state)
{
    struct iam *iam = mem_zalloc(sizeof *iam);
    iam->store = platform->store;
    iam->root_account = str_of(platform->options->account);
    const struct auth_source source = iam__auth_source(iam);
    auth_set_source(platform->auth, &source);
    *ret_state = iam;
    return ERR_OK;
}

static void iam_close(void *state)
{
    free(state);
}

static const struct service_api *const iam_apis[] = {&iam_api, NULL};
const struct service iam_service = {.name = "iam", .apis = iam_apis, .space = IAM_SPACE, .open = iam_open, .close = iam_close};

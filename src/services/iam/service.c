/* service.c -- IAM as a service: what keys and policies auth asks for comes from here. */
#include "auth/auth.h"
#include "call/service.h"
#include "services/iam/iam.h"

static enum err iam_open(const struct platform *platform, void **ret_state)
{
    struct iam *iam;
    enum err err = iam_new(platform->store, platform->auth, str_of(platform->options->account), &iam);
    if (err != ERR_OK)
        return err;
    const struct auth_source source = iam_auth_source(iam);
    auth_set_source(platform->auth, &source);
    *ret_state = iam;
    return ERR_OK;
}

static void iam_close(void *state)
{
    iam_free(state);
}

static const struct service_api *const iam_apis[] = {&iam_api, NULL};
const struct service iam_service = {.name = "iam", .apis = iam_apis, .space = IAM_SPACE, .open = iam_open, .close = iam_close};

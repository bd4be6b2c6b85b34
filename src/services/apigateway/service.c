/* service.c -- API Gateway's control plane as a service. Its data plane is src/gateway. */
#include "call/service.h"
#include "services/apigateway/apigateway.h"

/* All that it has are its documents. */
static enum err apigateway_open(const struct platform *platform, void **ret_state)
{
    *ret_state = platform->store;
    return ERR_OK;
}

static const struct service_api *const apigateway_apis[] = {&apigateway_api, NULL};
const struct service apigateway_service = {
    .name = "apigateway", .apis = apigateway_apis, .space = APIGATEWAY_SPACE, .open = apigateway_open};

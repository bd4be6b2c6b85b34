/* service.c -- DynamoDB as a service. */
#include "call/service.h"
#include "services/dynamodb/dynamodb.h"
#include "services/dynamodb/table.h"

static enum err dynamodb_open(const struct platform *platform, void **ret_state)
{
    *ret_state = platform->store;
    return dynamodb_new(platform->store);
}

static void dynamodb_close(void *state)
{
    (void)state;
    dynamodb_free();
}

static const struct service_api *const dynamodb_apis[] = {&dynamodb_api, NULL};
const struct service dynamodb_service = {
    .name = "dynamodb", .apis = dynamodb_apis, .space = DYNAMODB_SPACE, .open = dynamodb_open, .close = dynamodb_close};

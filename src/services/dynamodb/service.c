/* service.c -- DynamoDB as a service, and its life. */
#include "base/panic.h"
#include "call/service.h"
#include "services/dynamodb/dynamodb.h"
#include "services/dynamodb/table.h"
#include "services/dynamodb/table_counts.h"
#include <stdlib.h>

static enum err dynamodb_open(const struct platform *platform, void **ret_state)
{
    struct dynamodb *dynamodb = mem_zalloc(sizeof *dynamodb);
    dynamodb->store = platform->store;
    table_cache_open(dynamodb);
    dynamodb->counts = table_counts_new(platform->store);
    *ret_state = dynamodb;
    return ERR_OK;
}

static void dynamodb_close(void *state)
{
    struct dynamodb *dynamodb = state;
    table_counts_free(dynamodb->counts);
    table_cache_close(dynamodb);
    free(dynamodb);
}

static const struct service_api *const dynamodb_apis[] = {&dynamodb_api, NULL};
const struct service dynamodb_service = {
    .name = "dynamodb", .apis = dynamodb_apis, .space = DYNAMODB_SPACE, .open = dynamodb_open, .close = dynamodb_close};

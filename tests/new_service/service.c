/* service.c -- a small service for tests/new_service_test.py, which puts this folder into a copy of the tree: groups of CloudHSM,
 * whose model nothing else serves, in documents. */
#include "call/service.h"
#include "call/service_errors.h"
#include "store/doc.h"

#define CLOUDHSM_SPACE 63
#define LIST_MAX 100

extern const struct model model_cloudhsm;

static struct store_key hapg_key(struct call *call, struct str label)
{
    return (struct store_key){CLOUDHSM_SPACE, doc_collection(call->arena, call->account, call->region, "hapg"), label};
}

static void need_any(struct call *call, struct needs *needs)
{
    need_add(needs, arena_printf(call->arena, "cloudhsm:%s", call->row->name).p, call_arn(call, "cloudhsm", "*"));
}

static void create_group(struct call *call, struct store_txn *txn)
{
    struct str label = call_str(call, "Label");
    struct json *document = NULL;
    if (doc_get(txn, hapg_key(call, label), call->arena, &document) != ERR_NOT_FOUND) {
        call_fail(call, "InvalidRequestException", "A group has the label " STR_FMT ".", STR_ARG(label));
        return;
    }
    document = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, document, "Label", label);
    doc_put(txn, hapg_key(call, label), document, call->arena);
    call->output = json_new(call->arena, JSON_OBJECT);
    json_add_str(call->arena, call->output, "HapgArn", call_arn(call, "cloudhsm", "hapg-" STR_FMT, STR_ARG(label)));
}

static void list_groups(struct call *call)
{
    const struct store_key all = hapg_key(call, STR_NONE);
    struct json *page = NULL;
    bool more = false;
    enum err err = doc_list(store_reader(call->service_state), all.space, all.collection, STR_NONE, STR_NONE, LIST_MAX, call->arena,
                            &page, &more);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    call->output = json_new(call->arena, JSON_OBJECT);
    struct json *list = json_add_array(call->arena, call->output, "HapgList");
    for JSON_EACH (item, page)
        json_add(list, NULL, json_new_str(call->arena, json_str(json_at(item, "d"), "Label")));
}

static const struct row rows[] = {
    {.name = "CreateHapg", .run = RUN_MUTATION, .needs = need_any, .mutate = create_group},
    {.name = "ListHapgs", .run = RUN_WORKER, .needs = need_any, .handle = list_groups},
};

static const struct service_errors cloudhsm_errors = {
    .model_prefix = "",
    .coral_prefix = "",
    .validate_prefix = "",
    .faults = {
        SERVICE_CALLER_ROWS(400),
        [FAULT_MISSING_TOKEN] = {"MissingAuthenticationTokenException", 400, SERVICE_MESSAGE_MISSING},
        [FAULT_VALIDATION] = {"InvalidRequestException", 400, NULL},
        [FAULT_INTERNAL] = {"CloudHsmInternalException", 500, SERVICE_MESSAGE_INTERNAL},
        [FAULT_UNKNOWN_OPERATION] = {"UnknownOperationException", 400, NULL},
        [FAULT_TOO_LARGE] = {"RequestEntityTooLargeException", 413, NULL},
        [FAULT_BUSY] = {"ServiceUnavailableException", 503, SERVICE_MESSAGE_BUSY},
    },
};

static enum err cloudhsm_open(const struct platform *platform, void **ret_state)
{
    *ret_state = platform->store;
    return ERR_OK;
}

static const struct service_api cloudhsm_api = {
    .model = &model_cloudhsm, .rows = rows, .row_count = COUNT_OF(rows), .errors = &cloudhsm_errors, .body_max = 64u << 10};
static const struct service_api *const cloudhsm_apis[] = {&cloudhsm_api, NULL};
const struct service cloudhsm_service = {.name = "cloudhsm", .apis = cloudhsm_apis, .space = CLOUDHSM_SPACE, .open = cloudhsm_open};

/* service.c -- a small service for tests/new_service_test.py, which puts this folder into a copy of the tree: groups of CloudHSM,
 * whose model nothing else serves, in documents. A group is a target of events too; DescribeHapg asks the one that it is given by
 * its ARN. */
#include "base/panic.h"
#include "call/service.h"
#include "call/service_errors.h"
#include "store/doc.h"
#include <stdlib.h>

#define CLOUDHSM_SPACE 63
#define LIST_MAX 100

extern const struct model model_cloudhsm;

struct cloudhsm {
    struct store *store;
    const struct services *services;
};

static struct cloudhsm *cloudhsm_of(const struct call *call)
{
    return call->service_state;
}

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
    enum err err = doc_list(store_reader(cloudhsm_of(call)->store), all.space, all.collection, STR_NONE, STR_NONE, LIST_MAX,
                            call->arena, &page, &more);
    if (err != ERR_OK) {
        call_fail_err(call, err);
        return;
    }
    call->output = json_new(call->arena, JSON_OBJECT);
    struct json *list = json_add_array(call->arena, call->output, "HapgList");
    for JSON_EACH (item, page)
        json_add(list, NULL, json_new_str(call->arena, json_str(json_at(item, "d"), "Label")));
}

/* ---- a group as a target ---- */

static bool read_group_name(struct str rest, struct event_address *ret)
{
    ret->name = rest;
    return rest.n > 0;
}

static enum err group_permits(const struct event_address *to, const struct event_source *source, struct arena *arena)
{
    (void)to, (void)arena;
    return strcmp(source->service, "cloudhsm.amazonaws.com") == 0 ? ERR_OK : ERR_DENIED;
}

static void deliver_to_group(struct event_delivery *delivery)
{
    const struct event_address *to = &delivery->to;
    const struct cloudhsm *cloudhsm = to->state;
    const struct store_key key = {CLOUDHSM_SPACE, doc_collection(delivery->arena, to->account, to->region, "hapg"), to->name};
    struct json *document = NULL;
    bool found = doc_get(store_reader(cloudhsm->store), key, delivery->arena, &document) == ERR_OK;
    delivery->outcome = found ? EVENT_ANSWERED : EVENT_REFUSED;
    delivery->answer = json_str(document, "Label");
    delivery->error_code = "InvalidRequestException";
    delivery->error_message = STR("There is no such group.");
    delivery->done(delivery);
}

static const struct event_target cloudhsm_targets[] = {{"cloudhsm", "hapg-", read_group_name, group_permits, deliver_to_group},
                                                       {0}};

static void group_answered(struct event_delivery *delivery)
{
    struct call *call = delivery->arg;
    if (delivery->outcome == EVENT_REFUSED) {
        call_fail(call, delivery->error_code, STR_FMT, STR_ARG(delivery->error_message));
    } else {
        call->output = json_new(call->arena, JSON_OBJECT);
        json_add_str(call->arena, call->output, "Label", delivery->answer);
    }
    call_complete(call);
}

static void describe_hapg(struct call *call)
{
    static const struct event_source source = {.service = "cloudhsm.amazonaws.com"};
    struct event_delivery *delivery = arena_new_of(call->arena, struct event_delivery);
    *delivery = (struct event_delivery){
        .loop = call->loop, .arena = call->arena, .payload = STR("{}"), .done = group_answered, .arg = call};
    if (!services_target(cloudhsm_of(call)->services, call_str(call, "HapgArn"), &delivery->to) ||
        delivery->to.target->permits(&delivery->to, &source, call->arena) != ERR_OK) {
        call_fail(call, "InvalidRequestException", "Nothing takes events there.");
        call_complete(call);
        return;
    }
    delivery->to.target->deliver(delivery);
}

static const struct row rows[] = {
    {.name = "CreateHapg", .run = RUN_MUTATION, .needs = need_any, .mutate = create_group},
    {.name = "DescribeHapg", .run = RUN_ASYNC, .needs = need_any, .handle = describe_hapg},
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
    struct cloudhsm *cloudhsm = mem_zalloc(sizeof *cloudhsm);
    *cloudhsm = (struct cloudhsm){.store = platform->store, .services = platform->services};
    *ret_state = cloudhsm;
    return ERR_OK;
}

static void cloudhsm_close(void *state)
{
    free(state);
}

static const struct service_api cloudhsm_api = {
    .model = &model_cloudhsm, .rows = rows, .row_count = COUNT_OF(rows), .errors = &cloudhsm_errors, .body_max = 64u << 10};
static const struct service_api *const cloudhsm_apis[] = {&cloudhsm_api, NULL};
const struct service cloudhsm_service = {.name = "cloudhsm",
                                         .apis = cloudhsm_apis,
                                         .space = CLOUDHSM_SPACE,
                                         .targets = cloudhsm_targets,
                                         .open = cloudhsm_open,
                                         .close = cloudhsm_close};

/* api.c -- the life of an AWS API call, the same for every service:
 *
 *   admit           authenticate → find the operation → its row → read the input → validate → authorise → refuse
 *   prepare         on the loop, or on a worker if it may block
 *   run             inline: handle on the loop
 *                   worker: handle and the writing of the answer on a worker
 *                   mutation: mutate on the committer; once durable, committed on the loop
 *                   async: handle returns; call_complete comes later from any thread
 *   finish          the answer, on the request's loop
 *
 * A request with a large body goes through admit and prepare on a worker, whatever its row says: hashing, parsing and
 * checking it take up to 70 ns a byte. Each kind of work has its lane: bodies, what blocks in prepare, handlers of RUN_WORKER. Nothing is said about operations, input or resources before the caller is
 * authenticated. A call is always in the
 * hands of exactly one thread; it changes hands through the store's mutation, the worker's item or the loop's task that
 * are embedded in it. Its memory is the request's arena, which lives until the answer was sent. */
#include "api/api.h"
#include "api/pattern.h"
#include "api/validate.h"
#include "api/wire.h"
#include "base/codec.h"
#include "base/panic.h"
#include "net/limits.h"
#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#define BODY_INLINE_MAX (64u << 10)     /* of a request that is read on the loop: under 5 ms */
#define SERVICES_MAX 32

struct api {
    struct api_options options;
    size_t service_count;
};

struct api_call {
    struct call call;                   /* first: call_complete gets this address */
    struct api *api;
    struct needs needs;
    struct store_mutation mutation;
    struct work work;
    struct loop_task task;
    struct http_response response;
    enum err err;                       /* of the mutation */
    atomic_bool completed;              /* RUN_ASYNC */
};

static void run(struct api_call *c);

struct api *api_new(const struct api_options *options)
{
    struct api *api = mem_zalloc(sizeof *api);
    api->options = *options;
    while (options->services[api->service_count]) api->service_count++;
    ENSURE(api->service_count <= SERVICES_MAX);
    return api;
}

void api_free(struct api *api)
{
    free(api);
    pattern_free_all();
}

/* ---- whose request is it ---- */

/* A part of a credential, counted from 0: AKIA…/20260131/us-east-1/dynamodb/aws4_request; in a query string "/" is %2F. */
static struct str credential_part(struct str credential, struct str separator, int wanted)
{
    for (int part = 0; credential.n; part++) {
        const char *at = separator.n == 1 ? memchr(credential.p, separator.p[0], credential.n)
                                          : memmem(credential.p, credential.n, separator.p, separator.n);
        size_t n = at ? (size_t)(at - credential.p) : credential.n;
        if (part == wanted) return str_slice(credential, 0, n);
        credential = str_slice(credential, n + separator.n, credential.n);
    }
    return STR_NONE;
}

/* From `from` up to the first `end`. */
static struct str value_at(struct str text, size_t from, char end)
{
    struct str value = str_slice(text, from, text.n);
    return str_slice(value, 0, str_find(value, end));
}

/* What follows `name` in text, up to the first `end`. */
static struct str value_after(struct str text, struct str name, char end)
{
    const char *at = text.n ? memmem(text.p, text.n, name.p, name.n) : NULL;
    return at ? value_at(text, (size_t)(at - text.p) + name.n, end) : STR_NONE;
}

/* The credential of SigV4A names no region. */
static struct str scope_service(const struct http_request *request)
{
    struct str header = http_header(request, "authorization");
    struct str usual = STR("AWS4-HMAC-SHA256 Credential=");
    struct str credential = str_starts(header, usual) ? value_at(header, usual.n, ',') : value_after(header, STR("Credential="), ',');
    if (credential.n) return credential_part(credential, STR("/"), str_starts(header, STR("AWS4-ECDSA-")) ? 2 : 3);
    credential = value_after(request->query, STR("X-Amz-Credential="), '&');
    bool plain = credential.n && memchr(credential.p, '/', credential.n);
    bool ecdsa = value_after(request->query, STR("X-Amz-Algorithm=AWS4-ECDSA-"), '&').n > 0;
    return credential_part(credential, plain ? STR("/") : STR("%2F"), ecdsa ? 2 : 3);
}

static bool owns_path(const struct model *m, struct str path)
{
    path = str_slice(path, 1, path.n);
    struct str first = str_slice(path, 0, str_find(path, '/'));
    for (size_t i = 0; i < m->route_count && first.n; i++) {
        struct str uri = str_of(model_text(m, m->operations[m->routes[i].operation].uri));
        uri = str_slice(uri, 1, uri.n);
        if (str_eq(first, str_slice(uri, 0, str_find(uri, '/')))) return true;
    }
    return false;
}

/* Without a scope: by target, path, or the version in a form. */
static bool owns_unsigned(const struct model *m, const struct http_request *request)
{
    struct str target = http_header(request, "x-amz-target");
    if (m->protocol == MODEL_JSON) return target.n && str_starts(target, str_of(m->target_prefix));
    if (target.n) return false;
    if (m->protocol == MODEL_REST_JSON) return owns_path(m, request->path);
    struct str version = value_after(request->query, STR("Version="), '&');
    bool form = str_starts(http_header(request, "content-type"), STR("application/x-www-form-urlencoded"));
    if (!version.n && form) version = value_after(request->body, STR("Version="), '&');
    return str_eq(request->path, STR("/")) && str_eq(version, str_of(m->api_version));
}

const struct service *api_find_service(struct api *api, const struct http_request *request)
{
    struct str scope = scope_service(request);
    for (size_t i = 0; i < api->service_count; i++) {
        const struct service *service = api->options.services[i];
        if (scope.n ? str_eq(scope, str_of(service->model->signing_name)) : owns_unsigned(service->model, request)) return service;
    }
    return NULL;
}

size_t api_body_limit(struct api *api, const struct http_request *headers_only)
{
    const struct service *service = api_find_service(api, headers_only);
    return service ? service->body_max : NET_BODY_UNKNOWN_MAX;
}

/* ---- ending ---- */

static void respond(struct api_call *c)
{
    http_respond(c->call.http, &c->response);
}

static void finish(struct api_call *c)
{
    wire_answer(&c->call, &c->response);
    respond(c);
}

static void finish_task(struct loop_task *task)
{
    finish((struct api_call *)(void *)((char *)task - offsetof(struct api_call, task)));
}

void call_complete(struct call *call)
{
    struct api_call *c = (struct api_call *)call;
    ENSURE(call->run == RUN_ASYNC);
    ENSURE(!atomic_exchange(&c->completed, true));
    if (loop_current() == call->http->loop) {
        finish(c);
        return;
    }
    c->task.run = finish_task;
    loop_post(call->http->loop, &c->task);
}

/* ---- running ---- */

static struct api_call *of_work(struct work *work)
{
    return (struct api_call *)(void *)((char *)work - offsetof(struct api_call, work));
}

static void submit_work(struct api_call *c, enum lane lane, void (*work)(struct work *), void (*done)(struct work *))
{
    c->work = (struct work){.run = work, .done = done, .loop = c->call.http->loop};
    enum err err = workers_submit(c->api->options.workers, lane, &c->work);
    if (err == ERR_OK) return;
    call_fail_err(&c->call, err);
    finish(c);
}

static void handle_on_worker(struct work *work)
{
    struct api_call *c = of_work(work);
    c->call.row->handle(&c->call);
    wire_answer(&c->call, &c->response);
}

static void handled_on_worker(struct work *work)
{
    respond(of_work(work));
}

static enum err mutate(struct store_txn *txn, void *arg)
{
    struct call *call = arg;
    call->failed = false;       /* may be a second run */
    call->error_fields = NULL;
    call->output = NULL;
    call->row->mutate(call, txn);
    return call->failed ? ERR_ABORTED : ERR_OK;
}

static void mutation_task(struct loop_task *task)
{
    struct api_call *c = (struct api_call *)(void *)((char *)task - offsetof(struct api_call, task));
    if (c->err == ERR_OK) {
        if (c->call.row->committed) c->call.row->committed(&c->call);
    } else if (c->err != ERR_ABORTED) {
        c->call.failed = false;     /* the store's failure is the truth, whatever mutate said in this run */
        c->call.error_fields = NULL;
        call_fail_err(&c->call, c->err);
    }
    finish(c);
}

static void mutation_done(struct store_mutation *mutation, enum err err)
{
    struct api_call *c = (struct api_call *)(void *)((char *)mutation - offsetof(struct api_call, mutation));
    c->err = err;
    c->task.run = mutation_task;
    loop_post(c->call.http->loop, &c->task);
}

static void run_mutation(struct api_call *c)
{
    if (store_queued(c->api->options.store) > STORE_QUEUE_MAX) {
        call_fail_err(&c->call, ERR_BUSY);
        finish(c);
        return;
    }
    c->mutation = (struct store_mutation){.mutate = mutate, .done = mutation_done, .arg = &c->call};
    store_submit(c->api->options.store, &c->mutation);
}

static void run(struct api_call *c)
{
    switch (c->call.run) {
    case RUN_INLINE:
        c->call.row->handle(&c->call);
        finish(c);
        return;
    case RUN_WORKER: ENSURE(c->call.row->handle); submit_work(c, LANE_SCAN, handle_on_worker, handled_on_worker); return;
    case RUN_MUTATION: run_mutation(c); return;
    case RUN_ASYNC: c->call.row->handle(&c->call); return;
    }
    UNREACHABLE();
}

static void prepare(struct api_call *c)
{
    c->call.run = c->call.row->run;
    if (c->call.row->prepare) c->call.row->prepare(&c->call);
}

static void run_or_finish(struct api_call *c)
{
    if (c->call.failed) finish(c);
    else run(c);
}

static void prepare_on_worker(struct work *work)
{
    prepare(of_work(work));
}

static void ready_on_loop(struct work *work)
{
    run_or_finish(of_work(work));
}

/* ---- before running ---- */

static bool authenticate(struct api_call *c)
{
    static_assert((int)FAULT_INTERNAL == (int)AUTH_INTERNAL, "the first faults are those of enum auth_failure");
    struct call *call = &c->call;
    struct sigv4 signature = {0};
    struct str message = STR_NONE;
    enum fault fault = (enum fault)auth_failure_of(sigv4_parse(call->http, call->arena, &signature));
    if (fault == FAULT_NONE)
        fault = (enum fault)auth_authenticate(c->api->options.auth, call->http, &signature, call->service->model->signing_name,
                                              call->arena, &call->caller, &call->region, &message);
    else message = signature.message;
    if (fault == FAULT_NONE) {
        call->account = call->caller->account;
        return true;
    }
    wire_fail(call, fault, message);
    return false;
}

static const struct row *find_row(const struct service *service, const char *name)
{
    size_t low = 0, high = service->row_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int c = strcmp(name, service->rows[middle].name);
        if (c == 0) return &service->rows[middle];
        if (c < 0) high = middle;
        else low = middle + 1;
    }
    return NULL;
}

/* Everything up to the row's own code. */
static bool admit(struct api_call *c)
{
    struct call *call = &c->call;
    const struct wire_protocol *protocol = wire_protocol_of(call->service->model);
    if (!authenticate(c) || !protocol->find(call)) return false;
    call->row = find_row(call->service, model_text(call->service->model, call->operation->name));
    if (!call->row) {
        call_fail_not_implemented(call, "");
        return false;
    }
    protocol->read(call);
    if (call->failed || !validate_input(call)) return false;
    if (!wire_authorize(call, c->api->options.auth, &c->needs)) return false;
    return !call->row->refused || call_refuse_members(call, call->row->refused);
}

static struct api_call *call_new(struct api *api, const struct service *service, struct http_request *request)
{
    struct api_call *c = arena_new_of(request->arena, struct api_call);
    c->api = api;
    c->call.arena = request->arena;
    c->call.http = request;
    c->call.service = service;
    c->call.account = api->options.default_account;
    c->call.region = api->options.default_region;
    c->call.request_id = wire_request_id(request->arena, service->errors);
    return c;
}

static void start_on_worker(struct work *work)
{
    struct api_call *c = of_work(work);
    if (admit(c) && !c->call.row->prepare_blocks) prepare(c);
}

static void started_on_loop(struct work *work)
{
    struct api_call *c = of_work(work);
    if (!c->call.failed && c->call.row->prepare_blocks) submit_work(c, LANE_UNPACK, prepare_on_worker, ready_on_loop);
    else run_or_finish(c);
}

static void start(struct api_call *c)
{
    if (!admit(c)) {
        finish(c);
    } else if (c->call.row->prepare_blocks) {
        submit_work(c, LANE_UNPACK, prepare_on_worker, ready_on_loop);
    } else {
        prepare(c);
        run_or_finish(c);
    }
}

void api_handle(struct api *api, const struct service *service, struct http_request *request)
{
    struct api_call *c = call_new(api, service, request);
    if (request->body.n > BODY_INLINE_MAX) submit_work(c, LANE_BODY, start_on_worker, started_on_loop);
    else start(c);
}

bool api_refuse(struct api *api, const struct http_request *request, int status, struct arena *arena, struct http_response *ret)
{
    const struct service *service = api_find_service(api, request);
    if (!service || status != 413) return false;
    struct http_request copy = *request;
    copy.arena = arena;
    struct api_call *c = call_new(api, service, &copy);
    wire_fail(&c->call, FAULT_TOO_LARGE, STR_NONE);
    wire_answer(&c->call, ret);
    return true;
}

/* handle.c -- the data plane's entry: finds the stage, the route, and hands over to the integration.
 * Each loop keeps the stages that it has served, compiled; a commit to API Gateway's documents changes the store's
 * generation and drops them all. A stage in use by a running exchange lives on until that exchange is over. No locks: a cache
 * belongs to its loop. */
#include "base/gencache.h"
#include "base/panic.h"
#include "gateway/exchange.h"
#include <stdlib.h>

#define STAGES_MAX 1024             /* compiled stages a loop */
#define STAGES_BYTES_MAX (64u << 20)    /* and their memory; more: the loop forgets them and compiles again at need */
#define STAGE_KEY_MAX 256
#define LOAD_TRIES 3

struct gateway {
    struct store *store;
    const struct services *services;
    struct workers *workers;
    size_t cache_count;
    struct gencache *caches[];      /* one a loop: "api/stage" → struct gateway_stage, one reference */
};

static void drop_stage(void *stage)
{
    gateway__stage_unref(stage);
}

enum err gateway_new(const struct platform *platform, struct gateway **ret)
{
    size_t count = loops_count(platform->loops);
    struct gateway *gateway = mem_zalloc(sizeof(*gateway) + count * sizeof(gateway->caches[0]));
    gateway->store = platform->store;
    gateway->services = platform->services;
    gateway->workers = platform->workers;
    gateway->cache_count = count;
    for (size_t i = 0; i < count; i++)
        gateway->caches[i] = gencache_new(STAGES_MAX, STAGES_BYTES_MAX, drop_stage);
    *ret = gateway;
    return ERR_OK;
}

void gateway_free(struct gateway *gateway)
{
    if (!gateway)
        return;
    for (size_t i = 0; i < gateway->cache_count; i++)
        gencache_free(gateway->caches[i]);
    free(gateway);
}

/* Compiles the stage and keeps it. A commit between the reads of its documents may make them disagree, so a stage that
 * seems to be missing is looked up again when the generation has changed meanwhile. */
static enum err stage_load(struct gateway *gateway, struct gencache *cache, struct str api_id, struct str name, struct str key,
                           struct gateway_stage **ret)
{
    enum err err = ERR_NOT_FOUND;
    uint64_t generation = 0;
    for (int tries = 0; tries < LOAD_TRIES; tries++) {
        generation = store_generation(gateway->store, APIGATEWAY_SPACE);
        err = gateway__stage_load(store_reader(gateway->store), gateway->services, api_id, name, ret);
        if (err != ERR_NOT_FOUND || generation == store_generation(gateway->store, APIGATEWAY_SPACE))
            break;
    }
    if (err == ERR_OK)
        gencache_put(cache, generation, key, *ret, arena_bytes((*ret)->arena));
    return err;
}

/* With a reference that the request's arena drops: an answer may point into the stage until its last byte is written. */
static enum err find_stage(struct gateway *gateway, struct http_request *request, struct str api_id, struct str name,
                           struct gateway_stage **ret)
{
    struct gencache *cache = gateway->caches[loop_index(request->loop)];
    char text[STAGE_KEY_MAX];
    if (api_id.n + name.n + 1 > sizeof(text) || api_id.n == 0 || name.n == 0)
        return ERR_NOT_FOUND;
    memcpy(text, api_id.p, api_id.n);
    text[api_id.n] = '/';
    memcpy(text + api_id.n + 1, name.p, name.n);
    struct str key = {text, api_id.n + 1 + name.n};

    struct gateway_stage *stage = gencache_get(cache, store_generation(gateway->store, APIGATEWAY_SPACE), key);
    if (!stage) {
        enum err err = stage_load(gateway, cache, api_id, name, key, &stage);
        if (err != ERR_OK)
            return err;
    }
    stage->refs++;
    arena_on_free(request->arena, drop_stage, stage);
    *ret = stage;
    return ERR_OK;
}

/* All that APIs answer is one series: their names are their users' to choose, and without a bound. */
static void exchange_about(struct gateway_exchange *x, struct str api_id)
{
    static const char series;
    struct http_about *about = &x->request->about;
    about->series = &series;
    about->service = STR("execute-api");
    about->operation = STR("Invoke");
    about->request_id = x->ids.request_id;
    about->route = arena_printf(x->arena, STR_FMT "/" STR_FMT, STR_ARG(api_id), STR_ARG(x->stage_name));
}

void gateway_handle(struct gateway *gateway, struct http_request *request, struct str api_id, struct str stage, struct str path,
                    struct str domain)
{
    struct gateway_exchange *x = arena_new_of(request->arena, struct gateway_exchange);
    *x = (struct gateway_exchange){
        .gateway = gateway, .request = request, .arena = request->arena, .stage_name = stage, .path = path, .domain = domain};
    gateway__make_ids(request, x->arena, &x->ids);
    exchange_about(x, api_id);

    enum err err = find_stage(gateway, request, api_id, stage, &x->stage);
    if (err != ERR_OK || x->stage->disabled) {
        request->about.reason = err == ERR_OK          ? STR("the stage is disabled")
                                : err == ERR_NOT_FOUND ? STR("no such API or stage")
                                                       : STR_NONE;
        gateway__answer_error(x, err == ERR_OK || err == ERR_NOT_FOUND ? GATEWAY_FORBIDDEN : GATEWAY_INTERNAL);
        return;
    }
    struct route_match match;
    if (!route_find(x->stage->routes, path, request->method, x->arena, &match)) {
        request->about.reason = STR("no route for this method and path");
        gateway__answer_error(x, GATEWAY_MISSING_TOKEN);
        return;
    }
    x->method = match.target;
    request->about.route =
        arena_printf(x->arena, STR_FMT " " STR_FMT, STR_ARG(request->about.route), STR_ARG(x->method->resource_path));
    x->params = match.params;
    x->param_count = match.param_count;
    if (x->method->type == GATEWAY_MOCK)
        gateway__answer_mock(x);
    else
        gateway__invoke(x, gateway->workers);
}

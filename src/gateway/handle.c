/* handle.c -- the data plane's entry: finds the stage, the route, and hands over to the integration.
 * Each loop keeps the stages that it has served, compiled. A commit to API Gateway's documents, whosever they are, changes the
 * store's generation; then each stage is looked at when it is next asked for, by the two small documents that say which deployment
 * it serves and how, and compiled again only if they say something else. So a change of one API costs the others these reads. A
 * stage in use by a running exchange lives on until that exchange is over. No locks: a cache belongs to its loop. Over a store
 * whose reads may block, what is not cached is read by a worker (gateway__read). */
#include "base/gencache.h"
#include "base/panic.h"
#include "gateway/exchange.h"
#include "net/worker.h"
#include <stdlib.h>

#define STAGES_MAX 1024             /* compiled stages a loop */
#define STAGES_BYTES_MAX (64u << 20)    /* and their memory; more: the loop forgets them and compiles again at need */
#define STAGE_KEY_MAX 256
#define LOAD_TRIES 3

/* Each entry has a generation of its own; the cache's never changes. */
#define STAGES_GENERATION 0

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

void gateway__read(struct gateway_exchange *x, void (*read)(struct work *work), void (*then)(struct work *work))
{
    x->work = (struct work){.run = read, .done = then, .loop = x->request->loop};
    if (!store_read_may_block(x->gateway->store)) {
        read(&x->work);
        then(&x->work);
    } else if (workers_submit(x->workers, LANE_READ, &x->work) != ERR_OK) {
        gateway__answer_error(x, GATEWAY_UNAVAILABLE);
    }
}

/* ---- the stage ---- */

static struct gateway_exchange *exchange_of_work(struct work *work)
{
    return CONTAINER_OF(work, struct gateway_exchange, work);
}

static struct gencache *cache_of(const struct gateway_exchange *x)
{
    return x->gateway->caches[loop_index(x->request->loop)];
}

/* False: no stage is called that. */
static bool name_stage(struct gateway_exchange *x)
{
    if (x->api_id.n + x->stage_name.n + 1 > STAGE_KEY_MAX || x->api_id.n == 0 || x->stage_name.n == 0)
        return false;
    x->stage_key = arena_printf(x->arena, STR_FMT "/" STR_FMT, STR_ARG(x->api_id), STR_ARG(x->stage_name));
    return true;
}

/* A commit between the reads of its documents may make them disagree, so a stage that seems to be missing is looked up again when
 * the generation has changed meanwhile. */
static void read_stage(struct work *work)
{
    struct gateway_exchange *x = exchange_of_work(work);
    struct gateway *gateway = x->gateway;
    for (int tries = 0; tries < LOAD_TRIES; tries++) {
        x->generation = store_generation(gateway->store, APIGATEWAY_SPACE);
        x->err = gateway__stage_load(store_reader(gateway->store), gateway->services, x->api_id, x->stage_name, x->known, &x->stage,
                                     &x->missing);
        if (x->err != ERR_NOT_FOUND || x->generation == store_generation(gateway->store, APIGATEWAY_SPACE))
            break;
    }
}

/* A reference that the request's arena drops: an answer may point into the stage until its last byte is written. */
static void hold_stage(struct gateway_exchange *x)
{
    x->stage->refs++;
    arena_on_free(x->arena, drop_stage, x->stage);
}

/* All that APIs answer is one series: their names are their users' to choose, and without a bound. */
static void exchange_about(struct gateway_exchange *x)
{
    static const char series;
    struct http_about *about = &x->request->about;
    about->series = &series;
    about->service = STR("execute-api");
    about->operation = STR("Invoke");
    about->request_id = x->ids.request_id;
    about->route = arena_printf(x->arena, STR_FMT "/" STR_FMT, STR_ARG(x->api_id), STR_ARG(x->stage_name));
}

static bool is_preflight(const struct http_request *request)
{
    return str_eq(request->method, STR("OPTIONS")) && http_header(request, "Access-Control-Request-Method").n;
}

static void serve_stage(struct gateway_exchange *x)
{
    struct http_about *about = &x->request->about;
    if (x->stage->disabled) {
        about->reason = STR("the stage is disabled");
        gateway__answer_error(x, GATEWAY_FORBIDDEN);
        return;
    }
    struct route_match match;
    if (!route_find(x->stage->routes, x->path, x->request->method, x->arena, &match)) {
        about->reason = is_preflight(x->request) ? STR("a preflight is not configured: no route for OPTIONS and this path")
                                                 : STR("no route for this method and path");
        gateway__answer_error(x, GATEWAY_MISSING_TOKEN);
        return;
    }
    x->method = match.target;
    about->route = arena_printf(x->arena, STR_FMT " " STR_FMT, STR_ARG(about->route), STR_ARG(x->method->resource_path));
    x->params = match.params;
    x->param_count = match.param_count;
    if (x->method->type == GATEWAY_MOCK)
        gateway__answer_mock(x);
    else
        gateway__invoke(x);
}

static void refuse_stage(struct gateway_exchange *x, enum err err)
{
    if (err == ERR_NOT_FOUND)
        x->request->about.reason = str_of(x->missing);
    gateway__answer_error(x, err == ERR_NOT_FOUND ? GATEWAY_FORBIDDEN : GATEWAY_INTERNAL);
}

static void stage_loaded(struct work *work)
{
    struct gateway_exchange *x = exchange_of_work(work);
    if (x->err != ERR_OK) {
        if (x->err == ERR_NOT_FOUND)
            gencache_remove(cache_of(x), x->stage_key);
        refuse_stage(x, x->err);
        return;
    }
    x->stage->generation = x->generation;
    if (x->stage != x->known) {
        hold_stage(x);
        gencache_put(cache_of(x), STAGES_GENERATION, x->stage_key, x->stage, arena_bytes(x->stage->arena));
    }
    serve_stage(x);
}

static bool is_hex_digit(char c)
{
    return char_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* RFC 3986, 3.4, and what servers let pass beside it: square brackets, and bytes that are no ASCII. AWS answers 400 to braces, for
 * one (yezyilomo/django-restql issue 279, outmoded/lout pull request 179). */
static bool is_query(struct str query)
{
    for (size_t i = 0; i < query.n; i++) {
        unsigned char c = (unsigned char)query.p[i];
        if (c == '%' ? i + 2 >= query.n || !is_hex_digit(query.p[i + 1]) || !is_hex_digit(query.p[i + 2])
                     : c <= ' ' || c == 127 || strchr("\"<>\\^`{|}", c))
            return false;
    }
    return true;
}

void gateway_handle(struct gateway *gateway, struct http_request *request, struct str api_id, struct str stage, struct str path,
                    struct str domain)
{
    struct gateway_exchange *x = arena_new_of(request->arena, struct gateway_exchange);
    *x = (struct gateway_exchange){.gateway = gateway,
                                   .request = request,
                                   .arena = request->arena,
                                   .workers = gateway->workers,
                                   .api_id = api_id,
                                   .stage_name = stage,
                                   .path = path,
                                   .domain = domain};
    gateway__make_ids(request, x->arena, &x->ids);
    exchange_about(x);
    if (!is_query(request->query)) {
        request->about.reason = STR("the query string is no URI's: characters or escapes that are none");
        gateway__answer_error(x, GATEWAY_BAD_REQUEST);
        return;
    }
    if (!name_stage(x)) {
        x->missing = "no such API";
        refuse_stage(x, ERR_NOT_FOUND);
        return;
    }
    x->stage = x->known = gencache_get(cache_of(x), STAGES_GENERATION, x->stage_key);
    if (x->stage)
        hold_stage(x);
    if (x->stage && x->stage->generation == store_generation(gateway->store, APIGATEWAY_SPACE))
        serve_stage(x);
    else
        gateway__read(x, read_stage, stage_loaded);
}

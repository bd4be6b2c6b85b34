/* function.c -- functions compiled from their documents, counted and cached a loop; the cache is dropped when the
 * generation of STORE_SPACE_LAMBDA changes. Off a loop (tests) nothing is cached. */
#include "services/lambda/function.h"
#include "base/map.h"
#include "base/panic.h"
#include "store/doc.h"
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define LOOPS_MAX 256
#define CACHED_MAX 1024         /* functions a loop */

struct cache {
    struct map *functions;
    uint64_t generation;
};
static struct cache caches[LOOPS_MAX];      /* each touched by its loop only */

struct lambda__function *lambda__function_ref(struct lambda__function *function)
{
    atomic_fetch_add(&function->refs, 1);
    return function;
}

void lambda__function_unref(struct lambda__function **function)
{
    struct lambda__function *f = *function;
    *function = NULL;
    if (!f || atomic_fetch_sub(&f->refs, 1) > 1)
        return;
    if (f->policy)
        policy_free(f->policy);
    arena_free(f->arena);
}

static void drop(void *value)
{
    struct lambda__function *function = value;
    lambda__function_unref(&function);
}

void lambda__function_caches_free(void)
{
    for (size_t i = 0; i < LOOPS_MAX; i++) {
        map_free(caches[i].functions);
        caches[i] = (struct cache){0};
    }
}

struct store_key lambda__key(struct arena *arena, struct str account, struct str region, struct str name)
{
    return (struct store_key){STORE_SPACE_LAMBDA, doc_collection(arena, account, region, "function"), name};
}

static enum err compile(struct str account, struct str region, struct str name, struct lambda__function **ret)
{
    struct arena *arena = arena_new();
    struct json *doc;
    enum err err = doc_get(store_reader(lambda__options()->store), lambda__key(arena, account, region, name), arena, &doc);
    if (err != ERR_OK) {
        arena_free(arena);
        return err;
    }
    struct lambda__function *f = arena_new_of(arena, struct lambda__function);
    struct json *config = json_at(doc, "config"), *tmp = json_at(config, "EphemeralStorage");
    struct str policy = lambda__policy_text(doc, NULL, arena), message;
    *f = (struct lambda__function){
        .arena = arena, .refs = 1,
        .account = arena_dup(arena, account), .region = arena_dup(arena, region), .name = arena_dup(arena, name),
        .arn = json_str(config, "FunctionArn"), .runtime = json_str(config, "Runtime"), .handler = json_str(config, "Handler"),
        .role = json_str(config, "Role"), .revision = json_str(config, "RevisionId"), .blob = json_str(doc, "blob"),
        .timeout_ms = json_i64(config, "Timeout", 3) * 1000, .memory_mb = json_i64(config, "MemorySize", 128),
        .tmp_mb = json_i64(tmp, "Size", 512), .variables = json_at(json_at(config, "Environment"), "Variables"),
    };
    if (policy.n)       /* it was checked when it was stored */
        ENSURE(policy_compile(policy, POLICY_RESOURCE, &f->policy, arena, &message) == ERR_OK);
    *ret = f;
    return ERR_OK;
}

enum err lambda__function_get(struct str account, struct str region, struct str name, struct lambda__function **ret)
{
    struct loop *loop = loop_current();
    if (!loop)
        return compile(account, region, name, ret);

    ENSURE(loop_index(loop) < LOOPS_MAX);
    struct cache *cache = &caches[loop_index(loop)];
    uint64_t generation = store_generation(lambda__options()->store, STORE_SPACE_LAMBDA);
    if (!cache->functions || cache->generation != generation) {
        map_free(cache->functions);
        cache->functions = map_new(CACHED_MAX, drop);
        cache->generation = generation;
    }
    char key[256];
    int n = snprintf(key, sizeof key, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(account), STR_ARG(region), STR_ARG(name));
    if (n < 0 || (size_t)n >= sizeof key)
        return ERR_NOT_FOUND;
    struct str id = {key, (size_t)n};
    struct lambda__function *function = map_get(cache->functions, id);
    if (!function) {
        enum err err = compile(account, region, name, &function);
        if (err != ERR_OK)
            return err;
        map_put(cache->functions, id, function);
    }
    *ret = lambda__function_ref(function);
    return ERR_OK;
}

bool lambda_permits(struct lambda *lambda, struct str account, struct str region, struct str function, const char *service_principal,
                    struct str source_arn, struct arena *arena)
{
    (void)lambda;
    struct lambda__function *f = NULL;
    if (lambda__function_get(account, region, function, &f) != ERR_OK)
        return false;
    struct principal principal = {.type = PRINCIPAL_SERVICE, .arn = str_of(service_principal)};
    struct str rest = source_arn, source_account = STR_NONE;
    for (int i = 0; i < 5; i++)
        source_account = str_cut(&rest, ':');
    struct policy_context context[] = {{"aws:SourceArn", source_arn}, {"aws:SourceAccount", source_account}};
    struct policy_request request = {.action = STR("lambda:InvokeFunction"), .resource = arena_dup(arena, f->arn), .principal = &principal,
                                     .context = context, .context_count = COUNT_OF(context)};
    bool by_account;
    bool permitted = f->policy && policy_match(f->policy, &request, &by_account) == POLICY_ALLOW;
    lambda__function_unref(&f);
    return permitted;
}

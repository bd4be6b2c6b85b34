/* function.c -- functions compiled from their documents, counted and cached a loop, and once more for all other threads together;
 * the caches are dropped when the generation of LAMBDA_SPACE changes. Over a store whose reads may block the last one is
 * everybody's, and filled off the loops. */
#include "services/lambda/function.h"
#include "base/gencache.h"
#include "base/panic.h"
#include "net/loop.h"
#include "services/lambda/function_doc.h"
#include "store/doc.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define CACHED_MAX 1024         /* functions a loop */

struct lambda__functions {
    struct store *store;
    pthread_mutex_t lock; /* over the last cache, never while the store is read */
    size_t loops;
    struct gencache *caches[]; /* one a loop and one more: key → struct lambda__function, one reference */
};

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

static void drop_function(void *value)
{
    struct lambda__function *function = value;
    lambda__function_unref(&function);
}

struct lambda__functions *lambda__functions_new(struct store *store, size_t loops)
{
    struct lambda__functions *functions = mem_zalloc(sizeof *functions + (loops + 1) * sizeof functions->caches[0]);
    functions->store = store;
    functions->loops = loops;
    pthread_mutex_init(&functions->lock, NULL);
    for (size_t i = 0; i <= loops; i++)
        functions->caches[i] = gencache_new(CACHED_MAX, 0, drop_function);
    return functions;
}

void lambda__functions_free(struct lambda__functions *functions)
{
    if (!functions)
        return;
    for (size_t i = 0; i <= functions->loops; i++)
        gencache_free(functions->caches[i]);
    pthread_mutex_destroy(&functions->lock);
    free(functions);
}

bool lambda__function_key(char key[LAMBDA_FUNCTION_KEY_BYTES], struct str account, struct str region, struct str name,
                          struct str *ret)
{
    int n =
        snprintf(key, LAMBDA_FUNCTION_KEY_BYTES, STR_FMT "/" STR_FMT "/" STR_FMT, STR_ARG(account), STR_ARG(region), STR_ARG(name));
    if (n < 0 || n >= LAMBDA_FUNCTION_KEY_BYTES)
        return false;
    *ret = (struct str){key, (size_t)n};
    return true;
}

static enum err function_compile(struct store *store, struct str account, struct str region, struct str name,
                                 struct lambda__function **ret)
{
    struct arena *arena = arena_new();
    struct json *doc;
    enum err err = doc_get(store_reader(store), lambda__key(arena, account, region, name), arena, &doc);
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
    if (policy.n && policy_compile(policy, POLICY_RESOURCE, &f->policy, arena, &message) != ERR_OK) {
        arena_free(arena); /* another release wrote it, or something else did */
        return ERR_CORRUPT;
    }
    *ret = f;
    return ERR_OK;
}

/* Of the calling thread: its loop's number, or behind those of all loops. */
static size_t cache_number(const struct lambda__functions *functions)
{
    struct loop *loop = loop_current();
    ENSURE(!loop || loop_index(loop) < functions->loops);
    return loop && !store_read_may_block(functions->store) ? loop_index(loop) : functions->loops;
}

static struct gencache *take_cache(struct lambda__functions *functions)
{
    size_t number = cache_number(functions);
    if (number == functions->loops)
        pthread_mutex_lock(&functions->lock);
    return functions->caches[number];
}

static void give_cache(struct lambda__functions *functions)
{
    if (cache_number(functions) == functions->loops)
        pthread_mutex_unlock(&functions->lock);
}

enum err lambda__functions_get(struct lambda__functions *functions, struct str account, struct str region, struct str name,
                               struct lambda__function **ret)
{
    char key[LAMBDA_FUNCTION_KEY_BYTES];
    struct str id;
    if (!lambda__function_key(key, account, region, name, &id))
        return ERR_NOT_FOUND;
    uint64_t generation = store_generation(functions->store, LAMBDA_SPACE);
    struct lambda__function *function = gencache_get(take_cache(functions), generation, id);
    if (function)
        lambda__function_ref(function);
    give_cache(functions);
    if (!function && loop_current() && store_read_may_block(functions->store))
        return ERR_BUSY;
    if (!function) {
        enum err err = function_compile(functions->store, account, region, name, &function);
        if (err != ERR_OK)
            return err;
        lambda__function_ref(function);
        gencache_put(take_cache(functions), generation, id, function, 0);
        give_cache(functions);
    }
    *ret = function;
    return ERR_OK;
}

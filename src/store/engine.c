/* engine.c -- what all engines share: the list of them, and generations with those who watch them. */
#include "store/engine.h"
#include "base/panic.h"
#include <string.h>

#define ENGINES_ADDED_MAX 4

static const struct engine_ops *const built_in[] = {
#define ENGINE_ROW(folder) &folder##_engine_ops,
    ENGINE_TABLE(ENGINE_ROW)
#undef ENGINE_ROW
};
static const struct engine_ops *engines_added[ENGINES_ADDED_MAX];
static size_t engines_added_n;

const struct engine_ops *engine_find(const char *name)
{
    for (size_t i = 0; i < sizeof built_in / sizeof built_in[0]; i++)
        if (!name || strcmp(built_in[i]->name, name) == 0)
            return built_in[i];
    for (size_t i = 0; i < engines_added_n; i++)
        if (strcmp(engines_added[i]->name, name) == 0)
            return engines_added[i];
    return NULL;
}

void engine_add(const struct engine_ops *ops)
{
    ENSURE(engines_added_n < ENGINES_ADDED_MAX);
    engines_added[engines_added_n++] = ops;
}

void engine_init(struct engine *engine, const struct engine_ops *ops)
{
    memset(engine, 0, sizeof *engine);
    engine->ops = ops;
    pthread_mutex_init(&engine->watch_lock, NULL);
    for (size_t i = 0; i < STORE_SPACE_FIRST; i++)
        atomic_init(&engine->generation[i], 1);
}

void engine_clear(struct engine *engine)
{
    pthread_mutex_destroy(&engine->watch_lock);
}

void engine_bump(struct engine *engine, uint64_t spaces)
{
    if (!spaces)
        return;
    for (size_t space = 0; space < STORE_SPACE_FIRST; space++)
        if (spaces >> space & 1)
            atomic_fetch_add_explicit(&engine->generation[space], 1, memory_order_release);
    pthread_mutex_lock(&engine->watch_lock);
    for (size_t i = 0; i < ENGINE_WATCHES_MAX; i++)
        if (engine->watches[i].spaces & spaces)
            engine->watches[i].fn(engine->watches[i].arg);
    pthread_mutex_unlock(&engine->watch_lock);
}

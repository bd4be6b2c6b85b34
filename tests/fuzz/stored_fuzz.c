/* stored_fuzz.c -- what is read back from a disk, damaged: an engine's key (store/key.h), a lease's (jobs/jobs_internal.h), an
 * event's row (services/logs/logs_internal.h). Properties: what is taken apart is made of parts of the bytes, and put together
 * again it is the same. */
#include "base/panic.h"
#include "jobs/jobs_internal.h"
#include "services/logs/logs_internal.h"
#include "store/key.h"

static void check_key(struct str bytes)
{
    static char scratch[STORE_COLLECTION_MAX];
    static struct engine_key made;
    struct store_key key;
    if (!store__key_split(bytes, scratch, &key) || key.collection.n > STORE_COLLECTION_MAX || key.key.n > STORE_KEY_MAX)
        return;
    uint64_t hash = 0;
    for (size_t i = 0; i < 8; i++)
        hash = hash << 8 | (uint8_t)bytes.p[9 + i];
    ENSURE(store__key_collection(&made, key.space, hash, key.collection) && store__key_add(&made, key.key));
    ENSURE(str_eq(engine_key_str(&made), bytes));
}

static void check_lease(struct str bytes, struct arena *arena)
{
    struct job_place place;
    if (jobs__lease_split(bytes, arena, &place))
        ENSURE(str_eq(jobs__lease_key(arena, place), bytes));
}

static void check_event(struct str bytes)
{
    struct logs__event event;
    struct str key = str_slice(bytes, 0, LOGS_EVENT_KEY_BYTES), value = str_slice(bytes, key.n, bytes.n);
    if (logs__event_decode(key, value, &event))
        ENSURE(event.stream.n + event.message.n + 13 == value.n && memcmp(event.key, key.p, key.n) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str bytes = {(const char *)data, size};
    check_key(bytes);
    check_lease(bytes, arena);
    check_event(bytes);
    arena_free(arena);
    return 0;
}

/* http_pool.c -- exchanges and input blocks of one loop, used again and again.
 *
 * A request costs no malloc while things run evenly: its exchange (with room for its headers), its arena and its input
 * block come from the pool of its loop and go back there, last in first out, so they are warm. The pool keeps a bounded
 * number. Every exchange that is out is in pool->live, so that the server can let go of requests that nobody answers.
 * Large bodies are malloc's, and counted against the budget of the server and that of the process (base/budget.h). What comes
 * through an `only` listener (from inside a sandbox) is counted against that listener's share as well, and against that of its
 * tenant, in the half of the budget that is theirs: a function that sends bodies and never ends them keeps neither other functions
 * nor the outside from sending theirs. In builds with the arena's debug twin nothing is kept, so that AddressSanitizer sees a use
 * after release. */
#include "base/clock.h"
#include "base/panic.h"
#include "net/http_parse.h"
#include <stdlib.h>

#ifdef CLOUDLESS_ARENA_DEBUG
#define SPARE_MAX 0
#else
#define SPARE_MAX 64
#endif
#define BLOCK_BYTES      16384 /* the usual block; only such are kept */
#define ARENA_KEEP_BYTES 65536 /* an arena that grew beyond is not kept */

/* Of a body's memory, doubled as it fills: of one whose length is not known, and of others. */
#define BODY_FIRST_BYTES 4096
#define BODY_SIZED_FIRST_BYTES 65536
#define TRAILER_BYTES_MAX (32u << 10) /* names and values */

const struct http_limits http__limits_default = {
    .header_bytes_max = NET_HEADER_BYTES_MAX,
    .header_count_max = NET_HEADER_COUNT_MAX,
    .target_bytes_max = NET_TARGET_BYTES_MAX,
    .bodies_bytes_max = NET_BODIES_BYTES_MAX,
    .bodies_only_max = NET_BODIES_ONLY_MAX,
    .connections_max = NET_CONNECTIONS_MAX,
    .connections_only_max = NET_CONNECTIONS_ONLY_MAX,
    .connections_inside_max = NET_CONNECTIONS_INSIDE_MAX,
    .pipeline_max = NET_PIPELINE_MAX,
    .h2_noise_max = NET_H2_NOISE_MAX,
    .h2_noise_per_s = NET_H2_NOISE_PER_S,
    .h2_streams_max = NET_H2_STREAMS_MAX,
    .idle_ms = NET_IDLE_MS,
    .header_ms = NET_HEADER_MS,
    .body_stall_ms = NET_BODY_STALL_MS,
    .write_stall_ms = NET_WRITE_STALL_MS,
    .linger_ms = NET_LINGER_MS,
    .drain_ms = NET_DRAIN_MS,
    .handshake_ms = NET_HANDSHAKE_MS,
    .rest_ms = NET_REST_MS,
};

void http__pool_init(struct http_pool *pool, const struct http_limits *limits, struct http_held *bodies_held)
{
    *pool = (struct http_pool){.limits = limits, .bodies_held = bodies_held};
    link_init(&pool->live);
}

static void exchange_free(struct http_exchange *exchange)
{
    arena_free(exchange->request.arena);
    free(exchange);
}

void http__pool_detach(struct http_pool *pool)
{
    while (!link_alone(&pool->live)) {
        struct http_exchange *exchange = CONTAINER_OF(pool->live.next, struct http_exchange, live);
        link_remove(&exchange->live);
        http__exchange_orphan(exchange);
        exchange->pool = NULL;
    }
}

void http__pool_clear(struct http_pool *pool)
{
    while (!link_alone(&pool->live))
        http__exchange_release(CONTAINER_OF(pool->live.next, struct http_exchange, live));
    while (pool->spare) {
        struct http_exchange *exchange = pool->spare;
        pool->spare = exchange->next;
        exchange_free(exchange);
    }
    while (pool->spare_block) {
        struct http_block *block = pool->spare_block;
        pool->spare_block = block->next;
        free(block);
    }
    pool->spare_count = pool->spare_block_count = 0;
}

struct http_exchange *http__exchange_take(struct http_pool *pool)
{
    struct http_exchange *exchange = pool->spare;
    struct arena *arena;
    if (exchange) {
        pool->spare = exchange->next;
        pool->spare_count--;
        arena = exchange->request.arena;
    } else {
        exchange = mem_alloc(sizeof(*exchange));
        arena = arena_new();
    }
    memset(exchange, 0, offsetof(struct http_exchange, headers));
    exchange->request.arena = arena;
    exchange->request.headers = exchange->headers;
    exchange->pool = pool;
    link_add_last(&pool->live, &exchange->live);
    return exchange;
}

void http__exchange_orphan(struct http_exchange *exchange)
{
    if (exchange->share) {
        exchange->share->bodies -= exchange->counted;
        exchange->share->tenant->bodies -= exchange->counted;
    }
    exchange->share = NULL;
    exchange->conn = NULL;
}

static void tell_watch(const struct http_exchange *exchange, const struct http_watch *watch)
{
    struct http_served served = {
        .status = exchange->status,
        .cut = !exchange->written,
        .bytes_in = exchange->in ? exchange->in->total : exchange->request.body.n,
        .bytes_out = exchange->sent,
        .ns = clock_mono_ns() - exchange->begun_ns,
    };
    watch->told(&exchange->request, &served, watch->arg);
}

static void uncount_bodies(struct http_pool *pool, bool inside, size_t n)
{
    atomic_fetch_sub_explicit(&pool->bodies_held->all, n, memory_order_relaxed);
    if (inside)
        atomic_fetch_sub_explicit(&pool->bodies_held->inside, n, memory_order_relaxed);
}

void http__exchange_release(struct http_exchange *exchange)
{
    struct http_pool *pool = exchange->pool;
    if (exchange->in && exchange->in->delivering) {
        exchange->in->release_due = true;
        return;
    }
    if (exchange->watched && pool && pool->watch && pool->watch->told)
        tell_watch(exchange, pool->watch);
    http__exchange_orphan(exchange);
    link_remove(&exchange->live);
    if (exchange->counted || exchange->outflow) {
        free(exchange->body_heap);
        http__inflow_free(exchange);
        http__outflow_free(exchange);
        if (pool)
            uncount_bodies(pool, exchange->account.inside, exchange->counted);
        budget_credit(&exchange->account, exchange->account.held);
    }
    http__block_unref(pool, exchange->block);
    if (!pool || pool->spare_count + 1 > SPARE_MAX || arena_bytes(exchange->request.arena) > ARENA_KEEP_BYTES) {
        exchange_free(exchange);
        return;
    }
    arena_reset(exchange->request.arena);
    exchange->next = pool->spare;
    pool->spare = exchange;
    pool->spare_count++;
}

/* `more` beside what all hold, as far as there is a maximum for that request and for all like it. */
static enum err bodies_verdict(const struct http_exchange *exchange, size_t held, size_t more, size_t max)
{
    if (exchange->counted + more > max)
        return ERR_TOO_LARGE;
    return held + more > max ? ERR_BUSY : ERR_OK;
}

/* The listener's, its tenant's and all tenants' part. */
static enum err shares_verdict(const struct http_exchange *exchange, size_t inside, size_t more)
{
    struct http_pool *pool = exchange->pool;
    const struct http_share *share = exchange->share;
    size_t half = pool->limits->bodies_bytes_max / 2, held = share->tenant->bodies;
    enum err err = bodies_verdict(exchange, share->bodies, more, pool->limits->bodies_only_max);
    if (err == ERR_OK)
        err = bodies_verdict(exchange, inside, more, half);
    if (err != ERR_OK || held + more <= budget_fair_max(held, inside, half))
        return err;
    atomic_store_explicit(&pool->share_refused, atomic_load_explicit(&pool->share_refused, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    return ERR_BUSY;
}

enum err http__exchange_count(struct http_exchange *exchange, size_t more)
{
    struct http_pool *pool = exchange->pool;
    struct http_share *share = exchange->share;
    bool inside = exchange->account.inside;
    size_t held = atomic_fetch_add_explicit(&pool->bodies_held->all, more, memory_order_relaxed);
    size_t held_inside = inside ? atomic_fetch_add_explicit(&pool->bodies_held->inside, more, memory_order_relaxed) : 0;
    enum err err = share ? shares_verdict(exchange, held_inside, more) : ERR_OK;
    if (err == ERR_OK)
        err = bodies_verdict(exchange, held, more, pool->limits->bodies_bytes_max);
    if (err == ERR_OK)
        err = budget_take(&exchange->account, more);
    if (err != ERR_OK) {
        uncount_bodies(pool, inside, more);
        return err;
    }
    exchange->counted += more;
    if (share) {
        share->bodies += more;
        share->tenant->bodies += more;
    }
    return ERR_OK;
}

enum err http__exchange_body_room(struct http_exchange *exchange, size_t n, uint64_t length)
{
    uint64_t cap = exchange->body_cap ? exchange->body_cap : length == UINT64_MAX ? BODY_FIRST_BYTES : BODY_SIZED_FIRST_BYTES;
    while (cap < n)
        cap *= 2;
    if (cap > length)
        cap = length > n ? length : n;
    if (cap <= exchange->body_cap)
        return ERR_OK;
    enum err err = http__exchange_count(exchange, (size_t)cap - exchange->body_cap);
    if (err != ERR_OK)
        return err;
    exchange->body_heap = mem_realloc(exchange->body_heap, (size_t)cap);
    exchange->body_cap = (size_t)cap;
    if (exchange->request.body.n)
        exchange->request.body.p = exchange->body_heap;
    if (exchange->request.trailers.n)
        exchange->request.trailers.p = exchange->body_heap + exchange->request.body.n;
    return ERR_OK;
}

enum err http__exchange_trailer(struct http_exchange *exchange, struct str text)
{
    struct http_request *request = &exchange->request;
    size_t used = request->body.n + request->trailers.n;
    if (text.n > TRAILER_BYTES_MAX - request->trailers.n)
        return ERR_INVALID;
    enum err err = http__exchange_body_room(exchange, used + text.n, UINT64_MAX);
    if (err != ERR_OK)
        return err;
    if (text.n)
        memcpy(exchange->body_heap + used, text.p, text.n);
    request->trailers = (struct str){exchange->body_heap + request->body.n, request->trailers.n + text.n};
    return ERR_OK;
}

bool http__exchange_came_on(struct http_exchange *exchange, size_t n)
{
    exchange->slow_bytes += n;
    if (exchange->body_cap > NET_BODY_SLOW_BYTES && exchange->slow_bytes < NET_BODY_SLOW_BYTES)
        return false;
    exchange->slow_bytes = 0;
    return true;
}

int http__refusal(enum err err)
{
    return err == ERR_TOO_LARGE ? 413 : err == ERR_INVALID ? 400 : 503;
}

struct http_block *http__block_take(struct http_pool *pool, size_t cap)
{
    struct http_block *block = pool->spare_block;
    if (cap <= BLOCK_BYTES && block) {
        pool->spare_block = block->next;
        pool->spare_block_count--;
    } else {
        cap = cap < BLOCK_BYTES ? BLOCK_BYTES : cap;
        block = mem_alloc(sizeof(*block) + cap);
        block->cap = cap;
    }
    block->refs = 1;
    block->n = 0;
    return block;
}

void http__block_unref(struct http_pool *pool, struct http_block *block)
{
    if (!block || --block->refs > 0)
        return;
    if (!pool || block->cap != BLOCK_BYTES || pool->spare_block_count + 1 > SPARE_MAX) {
        free(block);
        return;
    }
    block->next = pool->spare_block;
    pool->spare_block = block;
    pool->spare_block_count++;
}

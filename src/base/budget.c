/* budget.c -- the counts. They are of the whole process, as memory is, and as arenas outlive what made them. Each stands in a
 * cache line of its own; the additions are relaxed: a limit that is passed by a few blocks at once is passed by no more than
 * these blocks. */
#include "base/budget.h"
#include "base/hash.h"
#include "base/panic.h"
#include <pthread.h>
#include <stdatomic.h>

#define TOTAL_DEFAULT ((size_t)1 << 30)
#define SMALL ((size_t)1 << 20)
/* The shares of a total. */
#define LIMITS(all)                                                                                                                \
    {                                                                                                                              \
        .total = (all), .early = (all) / 2, .inside = (all) / 2, .peer = (all) / 2, .sandbox = (all) / 4, .one = (all) / 4,        \
        .small = (all) / 16 < SMALL ? (all) / 16 : SMALL,                                                                          \
    }

struct budget_count { _Alignas(64) atomic_size_t bytes; };

static struct budget_limits limits = LIMITS(TOTAL_DEFAULT);
static struct budget_count total, early, inside;
static atomic_size_t peers[BUDGET_PEERS];
static _Atomic uint64_t refused;
static uint8_t peer_key[16];
static pthread_once_t peer_key_made = PTHREAD_ONCE_INIT;

void budget_share(size_t total_bytes)
{
    limits = (struct budget_limits)LIMITS(total_bytes ? total_bytes : TOTAL_DEFAULT);
}

void budget_set_limits(const struct budget_limits *given)
{
    limits = *given;
}

static void make_peer_key(void)
{
    random_bytes(peer_key, sizeof peer_key);
}

uint16_t budget_peer(struct str identity)
{
    pthread_once(&peer_key_made, make_peer_key);
    return (uint16_t)(siphash13(peer_key, identity) % BUDGET_PEERS);
}

static void budget_add(const struct budget_account *account, size_t bytes)
{
    atomic_fetch_add_explicit(&total.bytes, bytes, memory_order_relaxed);
    atomic_fetch_add_explicit(&peers[account->peer], bytes, memory_order_relaxed);
    if (account->early)
        atomic_fetch_add_explicit(&early.bytes, bytes, memory_order_relaxed);
    if (account->inside)
        atomic_fetch_add_explicit(&inside.bytes, bytes, memory_order_relaxed);
}

void budget_charge(struct budget_account *account, size_t bytes)
{
    account->held += bytes;
    budget_add(account, bytes);
}

void budget_credit(struct budget_account *account, size_t bytes)
{
    ENSURE(bytes <= account->held);
    account->held -= bytes;
    budget_add(account, (size_t)0 - bytes);
}

void budget_known(struct budget_account *account)
{
    if (!account->early)
        return;
    account->early = false;
    atomic_fetch_sub_explicit(&early.bytes, account->held, memory_order_relaxed);
}

static size_t held_of(const atomic_size_t *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

/* With `more` on top. */
static enum err budget_verdict(const struct budget_account *account, size_t more)
{
    size_t one = held_of(&peers[account->peer]);
    const struct {
        size_t held, max;
        bool counts;
    } shares[] = {
        {held_of(&total.bytes), limits.total, true},
        {one, account->inside ? limits.sandbox : limits.peer, true},
        {held_of(&early.bytes), limits.early, account->early},
        {held_of(&inside.bytes), limits.inside, account->inside},
    };
    size_t held = account->held + more, quarters = held <= limits.small ? 4 : 3;
    enum err err = held > limits.one ? ERR_TOO_LARGE : ERR_OK;
    for (size_t i = 0; i < COUNT_OF(shares) && err != ERR_TOO_LARGE; i++) {
        size_t max = shares[i].max / 4 * quarters;
        if (shares[i].counts && shares[i].held + more > max)
            err = held > max ? ERR_TOO_LARGE : ERR_BUSY;
    }
    if (err == ERR_OK && account->inside && one + more > budget_fair_max(one, held_of(&inside.bytes), limits.inside / 4 * quarters))
        err = ERR_BUSY;
    return err;
}

enum err budget_state(struct budget_account *account, size_t more)
{
    bool asks = account->held || (account->counted && more);
    if (asks && account->stopped == ERR_OK) {
        account->stopped = budget_verdict(account, more);
        if (account->stopped != ERR_OK)
            atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    }
    return account->stopped;
}

enum err budget_take(struct budget_account *account, size_t bytes)
{
    enum err err = budget_verdict(account, bytes);
    if (err == ERR_OK)
        budget_charge(account, bytes);
    else
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    return err;
}

bool budget_room(const struct budget_account *account)
{
    bool room = !account->counted || budget_verdict(account, 0) != ERR_BUSY;
    if (!room)
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    return room;
}

void budget_stats(struct budget_figures *ret)
{
    *ret = (struct budget_figures){held_of(&total.bytes), held_of(&early.bytes), held_of(&inside.bytes),
                                 atomic_load_explicit(&refused, memory_order_relaxed)};
}

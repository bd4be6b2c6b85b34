/* budget.h -- the one memory budget of the process: what clients can make it hold, counted together, for each client, and
 * before anybody knows who asks.
 *
 * Counted are bytes received, trees parsed and answers that are not yet taken: the arenas of requests from ARENA_UNCOUNTED on
 * (arena.h), and bodies (net/http_pool.c). Counting is two or three additions for each block, not for each piece.
 * What is counted may go over a limit, as memory that was begun is not taken back; whoever makes more of it asks before: a
 * body before it grows, a parser and a reader of the store as they go. The answer is ERR_BUSY (503, try again) or, where one
 * request alone is too large, ERR_TOO_LARGE (413). Large requests are stopped at three quarters of each limit, so that they
 * never keep small ones out.
 *
 * Clients share a table of counts by a keyed hash of their address, so that nothing has to be made or freed for one. Two clients
 * may meet in one place; nobody can choose whom to meet.
 * Threads: an account belongs to who has its request; the counts are atomic. */
#ifndef CLOUDLESS_BASE_BUDGET_H
#define CLOUDLESS_BASE_BUDGET_H
#include "base/err.h"
#include "base/str.h"

#define BUDGET_PEERS 4096 /* places for clients' addresses */

struct budget_limits {
    size_t total;           /* bytes of all */
    size_t early;           /* of requests whose caller is not known, or never will be */
    size_t inside;          /* of requests from sandboxes */
    size_t peer, sandbox;   /* of one client address; of one function's sandboxes, which leave as much to others as they have */
    size_t one;             /* of one account */
    size_t small;           /* an account up to this may use the last quarter of each */
};
/* Shares out a total; 0: the default, 1 GiB. Before anything is counted. */
void budget_share(size_t total);
void budget_set_limits(const struct budget_limits *limits);             /* for tests */

struct budget_account {     /* zeroed: nothing is counted */
    size_t held;
    uint16_t peer;          /* of budget_peer */
    bool counted, early, inside;
    enum err stopped;       /* by budget_state: what it said stays, so that those who ask later say the same */
};
uint16_t budget_peer(struct str identity);
void budget_charge(struct budget_account *account, size_t bytes);       /* whatever the limits are */
/* ERR_BUSY, ERR_TOO_LARGE: over a limit, nothing is charged. */
enum err budget_take(struct budget_account *account, size_t bytes);
void budget_credit(struct budget_account *account, size_t bytes);
void budget_known(struct budget_account *account);                      /* its caller is authenticated */
/* ERR_OK, ERR_BUSY, ERR_TOO_LARGE: whether it may make more: `more` bytes in one piece, or 0: a little. An account that holds
 * nothing may make a little. */
enum err budget_state(struct budget_account *account, size_t more);

/* Whether something new may begin for that client, though it holds nothing yet. False: ERR_BUSY. */
bool budget_room(const struct budget_account *account);

/* What one that holds `held` may have in all, so that it leaves as much to others as it has: of n who want everything each gets
 * max / (n + 1), and as much is left for those who come. */
static inline size_t budget_fair_max(size_t held, size_t held_by_all, size_t max)
{
    size_t left = max > held_by_all ? max - held_by_all : 0;
    return (left + held) / 2 + (left + held) % 2;
}

struct budget_figures { size_t total, early, inside; uint64_t refused; };
void budget_stats(struct budget_figures *ret);
#endif

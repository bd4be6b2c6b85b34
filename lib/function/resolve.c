/* resolve.c -- a name's addresses, inside a deadline.
 *
 * getaddrinfo waits as long as the system's resolver likes: ten seconds when no name server answers, more than most functions
 * have. With a deadline it therefore runs in a thread. A look-up cannot be called back: one that is still under way at the
 * deadline is left to its thread, which frees it in the end; at most LEFT_MAX are left at a time. Where no thread can be
 * made, a late answer is better than none: it then runs here.
 * `lock` guards what both threads use: done, left, result, found. */
#include "resolve.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define NAME_MAX_BYTES 255          /* RFC 1035 */
#define LEFT_MAX       8

struct look_up {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done, left;
    int result;                     /* of getaddrinfo */
    struct addrinfo *found;
    char host[NAME_MAX_BYTES + 1], port[8];
};

static atomic_int left_behind;

static void release(struct look_up *one)
{
    if (!one)
        return;
    if (one->found)
        freeaddrinfo(one->found);
    pthread_cond_destroy(&one->ended);
    pthread_mutex_destroy(&one->lock);
    free(one);
}

static struct look_up *new_look_up(const char *host, const char *port)
{
    struct look_up *one = cl__malloc(sizeof *one);
    pthread_condattr_t attributes;
    if (!one)
        return NULL;
    *one = (struct look_up){0};
    snprintf(one->host, sizeof one->host, "%s", host);
    snprintf(one->port, sizeof one->port, "%s", port);
    pthread_mutex_init(&one->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&one->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    return one;
}

static int ask(const char *host, const char *port, struct addrinfo **ret)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    return getaddrinfo(host, port, &hints, ret);
}

static void *run(void *arg)
{
    struct look_up *one = arg;
    struct addrinfo *found = NULL;
    int result = ask(one->host, one->port, &found);
    pthread_mutex_lock(&one->lock);
    one->result = result;
    one->found = found;
    one->done = true;
    bool left = one->left;
    pthread_cond_signal(&one->ended);
    pthread_mutex_unlock(&one->lock);
    if (left) {
        release(one);
        atomic_fetch_sub(&left_behind, 1);
    }
    return NULL;
}

/* Without signals: those are for the function's own threads. */
static bool start(struct look_up *one, pthread_t *ret)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(ret, NULL, run, one) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

/* False: the look-up is not done at the deadline, and its thread's from now on. */
static bool finished(struct look_up *one, int64_t deadline_ms)
{
    struct timespec limit = {deadline_ms / 1000, deadline_ms % 1000 * 1000000};
    int error = 0;
    pthread_mutex_lock(&one->lock);
    while (!one->done && error == 0)
        error = pthread_cond_timedwait(&one->ended, &one->lock, &limit);
    bool done = one->done;
    one->left = !done;
    if (!done)
        atomic_fetch_add(&left_behind, 1);
    pthread_mutex_unlock(&one->lock);
    return done;
}

static cl_result answered(int result, const char **ret_why)
{
    if (result == 0)
        return CL_OK;
    *ret_why = gai_strerror(result);
    return CL_UNREACHABLE;
}

static cl_result failed(cl_result result, const char *why, const char **ret_why)
{
    *ret_why = why;
    return result;
}

cl_result cl__resolve(const char *host, const char *port, int64_t deadline_ms, struct addrinfo **ret, const char **ret_why)
{
    static const char late[] = "the name's address was not found in time";
    pthread_t thread;
    if (strlen(host) > NAME_MAX_BYTES)
        return failed(CL_UNREACHABLE, "the name is too long", ret_why);
    if (deadline_ms == CL__NO_DEADLINE)
        return answered(ask(host, port, ret), ret_why);
    if (deadline_ms <= cl__mono_ms())
        return failed(CL_DEADLINE, late, ret_why);
    if (atomic_load(&left_behind) >= LEFT_MAX)
        return failed(CL_UNREACHABLE, "earlier names are still being looked up", ret_why);
    struct look_up *one = new_look_up(host, port);
    if (!one || !start(one, &thread)) {
        release(one);
        return answered(ask(host, port, ret), ret_why);
    }
    if (!finished(one, deadline_ms)) {
        pthread_detach(thread);
        return failed(CL_DEADLINE, late, ret_why);
    }
    pthread_join(thread, NULL);
    int result = one->result;
    *ret = one->found;
    one->found = NULL;
    release(one);
    return answered(result, ret_why);
}

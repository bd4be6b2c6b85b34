/* https.c -- see https.h. The order of certificates is the order of the choice (net/tls.c): those of the command line, then
 * the one for local names, so that a client that names none of them gets the first of the command line.
 *
 * Renewal: whoever connects makes the server look at its files, at most once a second; once in RENEWAL_CHECK_S that look begins
 * with the question whether the certificate for local names is about to end. What is made then is found as a changed file. */
#include "main/https.h"
#include "base/clock.h"
#include "base/panic.h"
#include "main/datadir.h"
#include "net/http.h"
#include "net/tls.h"
#include "net/tls_local.h"
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LEAF_S (365 * (int64_t)86400)
#define RENEW_S (30 * (int64_t)86400)
#define RENEWAL_CHECK_S 3600

struct https {
    const struct options *options;
    struct arena *arena; /* the thread's until https_await, then of refresh */
    pthread_t thread;
    bool joined;
    struct tls_local_options local;
    int64_t checked_s;
    struct tls *tls;
    enum err err;
    struct str message;
};

/* Regions that an account has without asking for them: APIs there have names of their own below .localhost. */
static const char *const regions[] = {
    "us-east-1",      "us-east-2",      "us-west-1",      "us-west-2",      "ca-central-1",   "sa-east-1",
    "eu-central-1",   "eu-north-1",     "eu-west-1",      "eu-west-2",      "eu-west-3",      "ap-south-1",
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-southeast-1", "ap-southeast-2",
};

/* A wildcard stands for one label, so each region needs one. */
static struct str local_names(const struct options *options, struct arena *arena)
{
    const char *own = options->region;
    struct str names = arena_printf(arena,
                                    "DNS:localhost,DNS:*.localhost,IP:127.0.0.1,IP:::1,DNS:*.execute-api.%s.localhost,"
                                    "DNS:*.lambda-url.%s.localhost,DNS:*.s3-website.%s.localhost",
                                    own, own, own);
    for (size_t i = 0; i < COUNT_OF(regions); i++)
        if (strcmp(regions[i], own) != 0)
            names = arena_printf(arena, STR_FMT ",DNS:*.execute-api.%s.localhost", STR_ARG(names), regions[i]);
    return names;
}

/* False: there is no certificate for local names. */
static bool make_local(struct https *https, struct arena *arena)
{
    bool made = false, authority_made = false;
    struct str message;
    https->checked_s = https->local.now_s = clock_epoch_ms() / 1000;
    enum err err = tls_local_make(&https->local, arena, &made, &authority_made, &message);
    if (err != ERR_OK)
        log_to(LOG_WARN, "tls.local_failed", {"reason", message});
    else if (authority_made)
        log_to(LOG_INFO, "tls.authority_made", {"dir", str_of(https->local.dir)}, {"trust", STR("cloudless trust")});
    else if (made)
        log_to(LOG_INFO, "tls.local_renewed", {"dir", str_of(https->local.dir)});
    return err == ERR_OK;
}

static void renew_if_due(void *arg)
{
    struct https *https = arg;
    if (clock_epoch_ms() / 1000 - https->checked_s < RENEWAL_CHECK_S)
        return;
    struct arena *arena = arena_new();
    make_local(https, arena);
    arena_free(arena);
}

static void pair_reloaded(const char *cert, struct str problem, void *arg)
{
    (void)arg;
    if (problem.n)
        log_to(LOG_WARN, "tls.reload_failed", {"certificate", str_of(cert)}, {"reason", problem}, {"served", STR("the old one")});
    else
        log_to(LOG_INFO, "tls.reloaded", {"certificate", str_of(cert)});
}

static void *https_main(void *arg)
{
    struct https *https = arg;
    const struct options *options = https->options;
    struct tls_options tls = {.alpn = HTTP_ALPN, .refresh = renew_if_due, .reloaded = pair_reloaded, .arg = https};
    for (; tls.pair_count < options->tls_cert_count; tls.pair_count++)
        tls.pairs[tls.pair_count] = (struct tls_pair){options->tls_certs[tls.pair_count], options->tls_keys[tls.pair_count]};
    https->local = (struct tls_local_options){.dir = datadir_path(https->arena, options->data, "tls"),
                                              .names = local_names(options, https->arena),
                                              .leaf_s = LEAF_S,
                                              .renew_s = RENEW_S};
    if (make_local(https, https->arena))
        tls.pairs[tls.pair_count++] = (struct tls_pair){datadir_path(https->arena, https->local.dir, "localhost.pem"),
                                                        datadir_path(https->arena, https->local.dir, "localhost.key")};
    if (tls.pair_count > 0)
        https->err = tls_new(&tls, https->arena, &https->tls, &https->message);
    return NULL;
}

struct https *https_begin(const struct options *options)
{
    struct https *https = mem_zalloc(sizeof(*https));
    https->options = options;
    https->arena = arena_new();
    ENSURE(pthread_create(&https->thread, NULL, https_main, https) == 0);
    return https;
}

static void https_join(struct https *https)
{
    if (!https->joined)
        ENSURE(pthread_join(https->thread, NULL) == 0);
    https->joined = true;
}

enum err https_await(struct https *https, struct tls **ret_tls, struct str *ret_message)
{
    https_join(https);
    if (https->err != ERR_OK) {
        *ret_message = https->message;
        return https->err;
    }
    *ret_tls = https->tls;
    return ERR_OK;
}

void https_free(struct https *https)
{
    if (!https)
        return;
    https_join(https);
    tls_free(https->tls);
    arena_free(https->arena);
    free(https);
}

bool https_is_loopback(const char *address)
{
    static const char *const loopback[] = {"127.", "[::1]:", "localhost:"};
    for (size_t i = 0; i < COUNT_OF(loopback); i++)
        if (strncmp(address, loopback[i], strlen(loopback[i])) == 0)
            return true;
    return false;
}

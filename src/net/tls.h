/* tls.h -- the certificates of a server, and how TLS is spoken: versions 1.2 and 1.3, suites with forward secrecy and AEAD
 * only, no renegotiation, no compression, no early data. OpenSSL 3.
 * Certificates are files and are read again when the files change. Thread: any, unless said otherwise. */
#ifndef CLOUDLESS_NET_TLS_H
#define CLOUDLESS_NET_TLS_H
#include "base/arena.h"
#include "base/err.h"

#define TLS_PAIRS_MAX 16

struct tls;
struct workers;

struct tls_pair {
    const char *cert; /* PEM: the server's own certificate, then those between it and the authority */
    const char *key;  /* PEM, without a passphrase */
};

struct tls_options {
    struct tls_pair pairs[TLS_PAIRS_MAX]; /* copied. The first is for clients that name no host, or one that none fits */
    size_t pair_count;                    /* at least one */
    struct str alpn;                      /* protocols as ALPN has them, each with its length in front, preferred first; static */
    /* Called before each look at the files, to renew what it renews; on a worker. May be NULL. */
    void (*refresh)(void *arg);
    /* A changed pair was read again (problem STR_NONE), or cannot be used: then the old one stays. On a worker. May be NULL. */
    void (*reloaded)(const char *cert, struct str problem, void *arg);
    void *arg;
};

/* ERR_INVALID: a file cannot be read or used; message, in the arena, tells which and why. */
enum err tls_new(const struct tls_options *options, struct arena *arena, struct tls **ret, struct str *ret_message);
/* From now on files that change are read again, by workers of the reading lane. Before anything is served. */
void tls_watch(struct tls *tls, struct workers *workers);
/* After the servers that use it and after the workers have been freed. NULL is fine. */
void tls_free(struct tls *tls);
#endif

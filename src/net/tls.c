/* tls.c -- certificates and the settings of TLS.
 *
 * There is one SSL_CTX for the life of the server: it holds the settings and the keys of session tickets, so tickets outlive
 * a change of certificates. Which certificate a handshake shows is decided in choose_pair, when the client's first message
 * has been read: the first pair whose certificate is valid for the name that the client asks for (SNI); for a client that
 * names none, the first that is valid for the address it has connected to; else the first.
 *
 * Changes: the files' stamps (device, inode, size, time) are compared on a worker, at most once in NET_TLS_RELOAD_MS, and
 * only when somebody connects. A pair whose stamp changed is read anew and takes the old one's place under the lock; one that
 * cannot be used (half written, key of another certificate) leaves the old one where it is, and is tried again when its
 * stamp changes once more. Handshakes under way hold references to what they began with.
 *
 * Suites and groups: Mozilla's "intermediate" without finite-field Diffie-Hellman (RFC 9325, 4.2). */
#include "net/tls_internal.h"
#include "base/clock.h"
#include "base/panic.h"
#include "net/limits.h"
#include "net/worker.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHAIN_MAX 16 /* certificates of a file */

struct file_stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec changed;
};

struct cert_pair {
    char *cert_path, *key_path;
    struct file_stamp cert_stamp, key_stamp; /* of what was read or tried last */
    X509 *cert;                              /* the rest under the lock */
    EVP_PKEY *key;
    STACK_OF(X509) * chain;
};

struct tls {
    SSL_CTX *ctx;
    struct tls_options options;
    struct workers *workers; /* NULL: files are not watched */
    struct cert_pair pairs[TLS_PAIRS_MAX];
    pthread_mutex_t lock;
    uint64_t reload_ms;
    _Atomic uint64_t looked_ms; /* monotonic, when the last look began */
    atomic_bool looking;
    struct work look;
};

/* ---- files ---- */

static struct file_stamp stamp_of(const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return (struct file_stamp){0};
    return (struct file_stamp){st.st_dev, st.st_ino, st.st_size, st.st_mtim};
}

static bool stamp_same(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

static struct str why_ssl(struct arena *arena, const char *path, const char *fallback)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    ERR_clear_error();
    return arena_printf(arena, "%s: %s", path, reason ? reason : fallback);
}

/* At most NET_TLS_FILE_BYTES_MAX; NULL: message tells why. */
static BIO *open_pem(const char *path, struct arena *arena, struct str *message)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        *message = arena_printf(arena, "%s: %s", path, strerror(errno));
        return NULL;
    }
    char *text = arena_alloc(arena, NET_TLS_FILE_BYTES_MAX);
    size_t n = 0;
    ssize_t got = 0;
    while (n < NET_TLS_FILE_BYTES_MAX && (got = read(fd, text + n, NET_TLS_FILE_BYTES_MAX - n)) > 0)
        n += (size_t)got;
    if (got < 0)
        *message = arena_printf(arena, "%s: %s", path, strerror(errno));
    else if (n == NET_TLS_FILE_BYTES_MAX)
        *message = arena_printf(arena, "%s: the file is too large", path);
    close(fd);
    return message->n ? NULL : BIO_new_mem_buf(text, (int)n);
}

static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

static void pair_drop(struct cert_pair *pair)
{
    X509_free(pair->cert);
    EVP_PKEY_free(pair->key);
    sk_X509_pop_free(pair->chain, X509_free);
    pair->cert = NULL;
    pair->key = NULL;
    pair->chain = NULL;
}

static bool pair_certs(struct cert_pair *pair, struct arena *arena, struct str *message)
{
    BIO *in = open_pem(pair->cert_path, arena, message);
    if (!in)
        return false;
    pair->cert = PEM_read_bio_X509_AUX(in, NULL, no_passphrase, NULL);
    pair->chain = sk_X509_new_null();
    X509 *next = NULL;
    while (pair->cert && sk_X509_num(pair->chain) < CHAIN_MAX && (next = PEM_read_bio_X509(in, NULL, no_passphrase, NULL)))
        sk_X509_push(pair->chain, next);
    /* The end of the file is the error "no start line"; any other is one. */
    unsigned long error = ERR_peek_last_error();
    bool fine = pair->cert && !next && ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;
    if (!pair->cert && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
        *message = arena_printf(arena, "%s: there is no certificate in it (PEM)", pair->cert_path);
    else if (!fine)
        *message = why_ssl(arena, pair->cert_path, "the certificates cannot be read");
    ERR_clear_error();
    BIO_free(in);
    return fine;
}

static bool pair_key(struct cert_pair *pair, struct arena *arena, struct str *message)
{
    BIO *in = open_pem(pair->key_path, arena, message);
    if (!in)
        return false;
    pair->key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, NULL);
    BIO_free(in);
    ERR_clear_error();
    if (!pair->key)
        *message = arena_printf(arena, "%s: there is no private key in it (PEM, without a passphrase)", pair->key_path);
    return pair->key != NULL;
}

/* Reads into pair, which has its paths and nothing else; false: message tells why, pair is to be dropped. */
static bool pair_read(struct cert_pair *pair, SSL_CTX *ctx, struct arena *arena, struct str *message)
{
    pair->cert_stamp = stamp_of(pair->cert_path);
    pair->key_stamp = stamp_of(pair->key_path);
    if (!pair_certs(pair, arena, message) || !pair_key(pair, arena, message))
        return false;
    if (X509_check_private_key(pair->cert, pair->key) != 1) {
        ERR_clear_error();
        *message = arena_printf(arena, "%s: it is not the key of the certificate in %s", pair->key_path, pair->cert_path);
        return false;
    }
    /* What a handshake will do: refuses keys that are too short, for one. */
    SSL *trial = SSL_new(ctx);
    bool fine = trial && SSL_use_cert_and_key(trial, pair->cert, pair->key, pair->chain, 1) == 1;
    if (!fine)
        *message = why_ssl(arena, pair->cert_path, "the certificate cannot be used");
    SSL_free(trial);
    return fine;
}

/* ---- changes ---- */

static void pair_look(struct tls *tls, struct cert_pair *pair, struct arena *arena)
{
    struct file_stamp cert = stamp_of(pair->cert_path), key = stamp_of(pair->key_path);
    if (stamp_same(&cert, &pair->cert_stamp) && stamp_same(&key, &pair->key_stamp))
        return;
    struct cert_pair fresh = {.cert_path = pair->cert_path, .key_path = pair->key_path};
    struct str problem = STR_NONE;
    bool fine = pair_read(&fresh, tls->ctx, arena, &problem);
    pair->cert_stamp = fresh.cert_stamp;
    pair->key_stamp = fresh.key_stamp;
    if (fine) {
        pthread_mutex_lock(&tls->lock);
        struct cert_pair old = *pair;
        *pair = fresh;
        pthread_mutex_unlock(&tls->lock);
        fresh = old;
    }
    pair_drop(&fresh);
    if (tls->options.reloaded)
        tls->options.reloaded(pair->cert_path, problem, tls->options.arg);
}

static void look_at_files(struct work *work)
{
    struct tls *tls = CONTAINER_OF(work, struct tls, look);
    struct arena *arena = arena_new();
    if (tls->options.refresh)
        tls->options.refresh(tls->options.arg);
    for (size_t i = 0; i < tls->options.pair_count; i++)
        pair_look(tls, &tls->pairs[i], arena);
    arena_free(arena);
}

static void looked(struct work *work)
{
    atomic_store(&CONTAINER_OF(work, struct tls, look)->looking, false);
}

static uint64_t mono_ms(void)
{
    return clock_mono_ns() / 1000000;
}

static void look_if_due(struct tls *tls)
{
    if (!tls->workers || mono_ms() - atomic_load(&tls->looked_ms) < tls->reload_ms || atomic_exchange(&tls->looking, true))
        return;
    atomic_store(&tls->looked_ms, mono_ms());
    tls->look = (struct work){.run = look_at_files, .done = looked, .loop = loop_current()};
    if (workers_submit(tls->workers, LANE_READ, &tls->look) != ERR_OK)
        atomic_store(&tls->looking, false); /* full: the next connection asks again */
}

/* ---- the choice ---- */

/* The address that the client has connected to, as a certificate names it; 0: of another kind. */
static size_t local_address(int fd, unsigned char ret[16])
{
    struct sockaddr_storage local;
    socklen_t n = sizeof(local);
    if (getsockname(fd, (struct sockaddr *)&local, &n) != 0)
        return 0;
    if (local.ss_family == AF_INET) {
        memcpy(ret, &((const struct sockaddr_in *)(const void *)&local)->sin_addr, 4);
        return 4;
    }
    if (local.ss_family != AF_INET6)
        return 0;
    const struct in6_addr *in6 = &((const struct sockaddr_in6 *)(const void *)&local)->sin6_addr;
    bool mapped = IN6_IS_ADDR_V4MAPPED(in6);
    memcpy(ret, in6->s6_addr + (mapped ? 12 : 0), mapped ? 4 : 16);
    return mapped ? 4 : 16;
}

static const struct cert_pair *pair_for(struct tls *tls, SSL *ssl)
{
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    unsigned char address[16];
    size_t address_n = name ? 0 : local_address(SSL_get_fd(ssl), address);
    for (size_t i = 0; i < tls->options.pair_count; i++) {
        const struct cert_pair *pair = &tls->pairs[i];
        if (name ? X509_check_host(pair->cert, name, 0, 0, NULL) == 1
                 : address_n && X509_check_ip(pair->cert, address, address_n, 0) == 1)
            return pair;
    }
    return &tls->pairs[0];
}

static int choose_pair(SSL *ssl, void *arg)
{
    struct tls *tls = arg;
    pthread_mutex_lock(&tls->lock);
    const struct cert_pair *pair = pair_for(tls, ssl);
    int fine = SSL_use_cert_and_key(ssl, pair->cert, pair->key, pair->chain, 1);
    pthread_mutex_unlock(&tls->lock);
    return fine;
}

static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_n, const unsigned char *offered,
                           unsigned offered_n, void *arg)
{
    (void)ssl;
    const struct tls *tls = arg;
    const unsigned char *ours = (const unsigned char *)tls->options.alpn.p;
    unsigned char *found = NULL;
    if (SSL_select_next_proto(&found, ret_n, ours, (unsigned)tls->options.alpn.n, offered, offered_n) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = found;
    return SSL_TLSEXT_ERR_OK;
}

/* ---- life ---- */

static SSL_CTX *make_ctx(struct tls *tls)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (!ctx)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                 SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_ENABLE_KTLS);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF); /* tickets only: they cost us no memory */
    SSL_CTX_set_num_tickets(ctx, 1);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_cert_cb(ctx, choose_pair, tls);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, tls);
    /* The first list needs OpenSSL 3.5. */
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256") == 1 &&
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") == 1 &&
        (SSL_CTX_set1_groups_list(ctx, "X25519MLKEM768:X25519:P-256:P-384") == 1 ||
         SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1)) {
        ERR_clear_error();
        return ctx;
    }
    SSL_CTX_free(ctx);
    return NULL;
}

enum err tls_new(const struct tls_options *options, struct arena *arena, struct tls **ret, struct str *ret_message)
{
    ENSURE(options->pair_count >= 1 && options->pair_count <= TLS_PAIRS_MAX && options->alpn.n > 0);
    struct tls *tls = mem_zalloc(sizeof(*tls));
    struct str message = STR_NONE;
    tls->options = *options;
    tls->reload_ms = NET_TLS_RELOAD_MS;
    pthread_mutex_init(&tls->lock, NULL);
    atomic_store(&tls->looked_ms, mono_ms());
    tls->ctx = make_ctx(tls);
    if (!tls->ctx)
        message = why_ssl(arena, "OpenSSL", "TLS is not to be had");
    for (size_t i = 0; i < options->pair_count && !message.n; i++) {
        struct cert_pair *pair = &tls->pairs[i];
        pair->cert_path = mem_dup(options->pairs[i].cert, strlen(options->pairs[i].cert));
        pair->key_path = mem_dup(options->pairs[i].key, strlen(options->pairs[i].key));
        if (!pair_read(pair, tls->ctx, arena, &message) && !message.n)
            message = STR("out of memory");
    }
    if (message.n) {
        tls_free(tls);
        *ret_message = message;
        return ERR_INVALID;
    }
    *ret = tls;
    return ERR_OK;
}

void tls_watch(struct tls *tls, struct workers *workers)
{
    tls->workers = workers;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    for (size_t i = 0; i < TLS_PAIRS_MAX; i++) {
        pair_drop(&tls->pairs[i]);
        free(tls->pairs[i].cert_path);
        free(tls->pairs[i].key_path);
    }
    SSL_CTX_free(tls->ctx);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

uint64_t *tls__reload_ms(struct tls *tls)
{
    return &tls->reload_ms;
}

struct ssl_st *tls__session(struct tls *tls, int fd)
{
    look_if_due(tls);
    ERR_clear_error();
    SSL *ssl = SSL_new(tls->ctx);
    BIO *in = BIO_new_socket(fd, BIO_NOCLOSE), *out = BIO_new_socket(fd, BIO_NOCLOSE);
    if (!ssl || !in || !out) {
        SSL_free(ssl);
        BIO_free(in);
        BIO_free(out);
        return NULL;
    }
    SSL_set_bio(ssl, in, out); /* two: what bounds the reading costs the writing nothing */
    SSL_set_accept_state(ssl);
    return ssl;
}

/* tls.c -- TLS by OpenSSL over a socket that is never waited for in a call of its own (MSG_DONTWAIT; cl__wait waits).
 *
 * OpenSSL reads and writes through a BIO of our own: its own socket BIO writes without MSG_NOSIGNAL, and a library has no
 * business with the program's SIGPIPE. OpenSSL's configuration file is not read: the library is linked in, and the file
 * of some system may name modules that are not there.
 *
 * Life: new (certificates are read once), then any number of connect … disconnect, then free.
 * Sources: RFC 5246, RFC 8446, RFC 6125 (names), OpenSSL's manual pages. */
#include "tls.h"
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <sys/socket.h>

struct cl__tls {
    SSL_CTX *context;
    BIO_METHOD *method;
    SSL *ssl; /* NULL: no connection */
    int fd;
};

/* Where systems keep the certificates they trust, Amazon Linux as Red Hat. */
static const char *const variables[] = {"AWS_CA_BUNDLE", "SSL_CERT_FILE"};
static const char *const bundles[] = {"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
                                      "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem"};

/* ---- the BIO ---- */

static int bio_result(BIO *bio, ssize_t n, int retry)
{
    BIO_clear_retry_flags(bio);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_flags(bio, retry | BIO_FLAGS_SHOULD_RETRY);
    if (n == 0)
        BIO_set_flags(bio, BIO_FLAGS_IN_EOF);
    return (int)n;
}

static int bio_read(BIO *bio, char *to, int n)
{
    const struct cl__tls *tls = BIO_get_data(bio);
    return n <= 0 ? 0 : bio_result(bio, recv(tls->fd, to, (size_t)n, MSG_DONTWAIT), BIO_FLAGS_READ);
}

static int bio_write(BIO *bio, const char *from, int n)
{
    const struct cl__tls *tls = BIO_get_data(bio);
    return n <= 0 ? 0 : bio_result(bio, send(tls->fd, from, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT), BIO_FLAGS_WRITE);
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)number;
    (void)pointer;
    if (command == BIO_CTRL_EOF)
        return BIO_test_flags(bio, BIO_FLAGS_IN_EOF) != 0;
    return command == BIO_CTRL_FLUSH;
}

/* ---- the context ---- */

static cl_result load_certificates(SSL_CTX *context, cl_str *message)
{
    for (size_t i = 0; i < CL__COUNT(variables); i++) {
        const char *path = getenv(variables[i]);
        if (!path || !*path)
            continue;
        if (SSL_CTX_load_verify_file(context, path) == 1)
            return CL_OK;
        *message = cl__sentence("%s: no certificates in %.200s", variables[i], path);
        return CL_CONFIG;
    }
    for (size_t i = 0; i < CL__COUNT(bundles); i++)
        if (SSL_CTX_load_verify_file(context, bundles[i]) == 1)
            return CL_OK;
    *message = cl__sentence("no trusted certificates: the system has neither %s nor %s, and SSL_CERT_FILE is not set", bundles[0],
                            bundles[1]);
    return CL_CONFIG;
}

static cl_result set_up(struct cl__tls *tls, cl_str *message)
{
    *message = cl__sentence("out of memory");
    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL);
    tls->context = SSL_CTX_new(TLS_client_method());
    tls->method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without SIGPIPE");
    if (!tls->context || !tls->method || !BIO_meth_set_read(tls->method, bio_read) || !BIO_meth_set_write(tls->method, bio_write) ||
        !BIO_meth_set_ctrl(tls->method, bio_ctrl) || !SSL_CTX_set_min_proto_version(tls->context, TLS1_2_VERSION))
        return CL_NO_MEMORY;
    SSL_CTX_set_verify(tls->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(tls->context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_options(tls->context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    return load_certificates(tls->context, message);
}

cl_result cl__tls_new(struct cl__tls **ret, cl_str *message)
{
    struct cl__tls *tls = cl__malloc(sizeof *tls);
    if (!tls) {
        *message = cl__sentence("out of memory");
        return CL_NO_MEMORY;
    }
    *tls = (struct cl__tls){.fd = -1};
    cl_result result = set_up(tls, message);
    ERR_clear_error();
    if (result == CL_OK)
        *ret = tls;
    else
        cl__tls_free(tls);
    return result;
}

void cl__tls_free(struct cl__tls *tls)
{
    if (!tls)
        return;
    cl__tls_disconnect(tls);
    SSL_CTX_free(tls->context);
    BIO_meth_free(tls->method);
    free(tls);
}

/* ---- a connection ---- */

/* After an operation of OpenSSL gave `done`: 1 when it may be tried again, or what ends it. */
static ssize_t again(struct cl__tls *tls, int done, int64_t deadline_ms)
{
    switch (SSL_get_error(tls->ssl, done)) {
    case SSL_ERROR_WANT_READ:
        return cl__wait(tls->fd, false, deadline_ms);
    case SSL_ERROR_WANT_WRITE:
        return cl__wait(tls->fd, true, deadline_ms);
    case SSL_ERROR_ZERO_RETURN:
        return CL__IO_END;
    default: /* an end without close_notify is among these: it may be an attacker's */
        return CL__IO_BROKEN;
    }
}

static cl_result shake_hands(struct cl__tls *tls, const char *host, int64_t deadline_ms, cl_str *message)
{
    for (;;) {
        ERR_clear_error();
        int done = SSL_connect(tls->ssl);
        if (done == 1)
            return CL_OK;
        ssize_t next = again(tls, done, deadline_ms);
        if (next == CL__IO_DEADLINE) {
            *message = cl__sentence("no TLS handshake with %s in time", host);
            return CL_DEADLINE;
        }
        if (next > 0)
            continue;
        long verdict = SSL_get_verify_result(tls->ssl);
        if (verdict != X509_V_OK) {
            *message = cl__sentence("the certificate of %s is refused: %s", host, X509_verify_cert_error_string(verdict));
            return CL_REFUSED;
        }
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        *message = cl__sentence("no TLS handshake with %s: %s", host, reason ? reason : "the connection was closed");
        return CL_UNREACHABLE;
    }
}

/* What the certificate must be for, and, of a name, what SNI says. */
static bool expect(SSL *ssl, const char *host)
{
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1)
        return true;
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

cl_result cl__tls_connect(struct cl__tls *tls, int fd, const char *host, int64_t deadline_ms, cl_str *message)
{
    cl__tls_disconnect(tls);
    tls->fd = fd;
    tls->ssl = SSL_new(tls->context);
    BIO *bio = tls->ssl ? BIO_new(tls->method) : NULL;
    cl_result result = CL_NO_MEMORY;
    if (bio) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
        SSL_set_bio(tls->ssl, bio, bio); /* takes it */
    }
    if (!bio || !expect(tls->ssl, host))
        *message = cl__sentence("out of memory");
    else
        result = shake_hands(tls, host, deadline_ms, message);
    ERR_clear_error();
    if (result != CL_OK) {
        SSL_free(tls->ssl);
        tls->ssl = NULL;
    }
    return result;
}

static ssize_t read_some(void *arg, void *to, size_t n, int64_t deadline_ms)
{
    struct cl__tls *tls = arg;
    for (;;) {
        ERR_clear_error();
        size_t came;
        int done = SSL_read_ex(tls->ssl, to, n, &came);
        if (done == 1)
            return (ssize_t)came;
        ssize_t next = again(tls, done, deadline_ms);
        if (next <= 0)
            return next;
    }
}

static ssize_t write_all(struct cl__tls *tls, const char *from, size_t n, int64_t deadline_ms)
{
    while (n > 0) {
        ERR_clear_error();
        size_t went;
        int done = SSL_write_ex(tls->ssl, from, n, &went);
        if (done == 1) {
            from += went;
            n -= went;
            continue;
        }
        ssize_t next = again(tls, done, deadline_ms);
        if (next <= 0)
            return next == CL__IO_DEADLINE ? next : CL__IO_BROKEN;
    }
    return 1;
}

/* Small pieces are put together, so that head and body of a usual request are one record. */
static ssize_t write_pieces(void *arg, const cl_str *pieces, size_t count, int64_t deadline_ms)
{
    char record[8192];
    size_t held = 0;
    ssize_t done = 1;
    for (size_t i = 0; i < count && done > 0; i++) {
        if (held + pieces[i].n > sizeof record) {
            done = write_all(arg, record, held, deadline_ms);
            held = 0;
        }
        if (pieces[i].n > sizeof record) {
            if (done > 0)
                done = write_all(arg, pieces[i].p, pieces[i].n, deadline_ms);
        } else if (pieces[i].n > 0) {
            memcpy(record + held, pieces[i].p, pieces[i].n);
            held += pieces[i].n;
        }
    }
    return done > 0 ? write_all(arg, record, held, deadline_ms) : done;
}

struct cl__transport cl__tls_transport(struct cl__tls *tls)
{
    return (struct cl__transport){.read = read_some, .write = write_pieces, .arg = tls};
}

bool cl__tls_idle(struct cl__tls *tls)
{
    char byte;
    if (!tls->ssl)
        return false;
    ERR_clear_error();
    int done = SSL_peek(tls->ssl, &byte, 1); /* takes in session tickets, too */
    return done <= 0 && SSL_get_error(tls->ssl, done) == SSL_ERROR_WANT_READ;
}

void cl__tls_disconnect(struct cl__tls *tls)
{
    if (!tls->ssl)
        return;
    SSL_shutdown(tls->ssl);
    ERR_clear_error();
    SSL_free(tls->ssl);
    tls->ssl = NULL;
}

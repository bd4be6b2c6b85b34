/* tls_test.c -- TLS against a server of OpenSSL with a certificate authority made here: names, times, issuers, versions,
 * broken and silent connections; and a call of DynamoDB over it. */
#include "walk.h"
#include "ddb.h"
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define DAY 86400

static EVP_PKEY *key; /* of everyone: what is checked is the certificates */
static X509 *authority, *stranger;
static char bundle[] = "/tmp/tls_test_XXXXXX";

/* ---- certificates ---- */

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/* issuer NULL: an authority that signs itself. names: as in a configuration of OpenSSL, NULL: none. */
static X509 *certificate(const char *common_name, X509 *issuer, const char *names, long from, long until)
{
    static long serial;
    X509 *cert = X509_new();
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), from);
    X509_gmtime_adj(X509_getm_notAfter(cert), until);
    X509_set_pubkey(cert, key);
    X509_NAME *name = X509_get_subject_name(cert);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common_name, -1, -1, 0);
    X509_set_issuer_name(cert, issuer ? X509_get_subject_name(issuer) : name);
    if (!issuer)
        extend(cert, cert, NID_basic_constraints, "critical,CA:TRUE");
    if (names)
        extend(cert, issuer, NID_subject_alt_name, names);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    return cert;
}

/* ---- the server: one connection after the other ---- */

enum mode {
    MODE_ANSWER,  /* answers each request */
    MODE_CLOSE,   /* answers one, then says goodbye and closes */
    MODE_CUT,     /* a body without a length that ends with the connection, and that without a goodbye */
    MODE_GARBAGE, /* no TLS at all */
    MODE_SILENT,  /* accepts and says nothing */
    MODE_OLD      /* nothing newer than TLS 1.1 */
};

static struct {
    enum mode mode;
    SSL_CTX *context;
    int listener, connections;
    char port[6], sni[64];
    size_t body_n; /* of the last request */
    pthread_t thread;
} server;

/* Reads a request whole; false at the end. */
static bool read_request(SSL *ssl)
{
    static char bytes[200000];
    size_t n = 0, whole = 0;
    while (whole == 0 || n < whole) {
        int came = SSL_read(ssl, bytes + n, (int)(sizeof bytes - 1 - n));
        if (came <= 0)
            return false;
        n += (size_t)came;
        bytes[n] = 0;
        const char *end = strstr(bytes, "\r\n\r\n"), *length = strcasestr(bytes, "\r\ncontent-length: ");
        if (whole == 0 && end) {
            server.body_n = length ? strtoul(length + 18, NULL, 10) : 0;
            whole = (size_t)(end + 4 - bytes) + server.body_n;
        }
    }
    return true;
}

static void talk(SSL *ssl)
{
    static const char whole[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
                      open[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}";
    if (SSL_accept(ssl) != 1)
        return;
    snprintf(server.sni, sizeof server.sni, "%s",
             SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) ? SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) : "");
    while (read_request(ssl)) {
        if (server.mode == MODE_CUT) {
            SSL_write(ssl, open, sizeof open - 1);
            return;
        }
        SSL_write(ssl, whole, sizeof whole - 1);
        if (server.mode == MODE_CLOSE) {
            SSL_shutdown(ssl);
            return;
        }
    }
}

static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        char byte;
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        server.connections++;
        if (server.mode == MODE_GARBAGE) {
            if (send(fd, "SSH-2.0-no\r\n", 12, MSG_NOSIGNAL) < 0)
                abort();
        } else if (server.mode == MODE_SILENT) {
            while (recv(fd, &byte, 1, 0) > 0)
                ;
        } else {
            SSL *ssl = SSL_new(server.context);
            SSL_set_fd(ssl, fd);
            talk(ssl);
            SSL_free(ssl);
        }
        close(fd);
    }
}

static void start(enum mode mode, X509 *cert)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    memset(&server, 0, sizeof server);
    server.mode = mode;
    server.context = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate(server.context, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(server.context, key), 1);
    if (mode == MODE_OLD) {
        SSL_CTX_set_security_level(server.context, 0);
        SSL_CTX_set_max_proto_version(server.context, TLS1_1_VERSION);
    }
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(server.listener, 8), 0);
    assert_int_equal(getsockname(server.listener, (struct sockaddr *)&address, &n), 0);
    snprintf(server.port, sizeof server.port, "%hu", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&server.thread, NULL, serve, NULL), 0);
}

static void stop(void)
{
    shutdown(server.listener, SHUT_RDWR);
    pthread_join(server.thread, NULL);
    close(server.listener);
    SSL_CTX_free(server.context);
}

/* ---- the client ---- */

static struct cl__connection connection;

static void open_client(const char *host)
{
    cl_str message = {0};
    memset(&connection, 0, sizeof connection);
    connection.endpoint.tls = true;
    snprintf(connection.endpoint.host, sizeof connection.endpoint.host, "%s", host);
    snprintf(connection.endpoint.port, sizeof connection.endpoint.port, "%s", server.port);
    snprintf(connection.endpoint.authority, sizeof connection.endpoint.authority, "%s:%s", host, server.port);
    assert_int_equal(cl__connection_init(&connection, &message), CL_OK);
}

/* A request with a body of n bytes; what it came to, and the sentence. */
static cl_result exchange(size_t n, int64_t ms, cl_str *message)
{
    cl_arena *arena = cl_arena_new(0);
    char *body = calloc(1, n + 1);
    memset(body, 'x', n);
    cl_str head = cl_printf(arena, "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %zu\r\n\r\n", n);
    cl_result result = cl__connection_exchange(&connection, head, (cl_str){body, n}, arena, 1000, cl__mono_ms() + ms, message);
    if (result == CL_OK)
        assert_str(connection.answer.body, "{}");
    free(body);
    cl_arena_free(arena);
    return result;
}

/* ---- tests ---- */

static void test_names(void **state)
{
    (void)state;
    static const struct {
        const char *names, *host, *sni;
        long from, until;
        bool of_stranger;
        const char *refused; /* NULL: accepted */
    } rows[] = {
        {"DNS:localhost", "localhost", "localhost", -DAY, DAY, false, NULL},
        {"DNS:other,DNS:LocalHost", "localhost", "localhost", -DAY, DAY, false, NULL},
        {"IP:127.0.0.1", "127.0.0.1", "", -DAY, DAY, false, NULL},
        {"DNS:example.com", "localhost", "", -DAY, DAY, false, "hostname mismatch"},
        {"DNS:localhost", "127.0.0.1", "", -DAY, DAY, false, "IP address mismatch"},
        {"DNS:127.0.0.1", "127.0.0.1", "", -DAY, DAY, false, "IP address mismatch"},
        {"IP:127.0.0.2", "127.0.0.1", "", -DAY, DAY, false, "IP address mismatch"},
        {"DNS:*host", "localhost", "", -DAY, DAY, false, "hostname mismatch"},
        {"DNS:*", "localhost", "", -DAY, DAY, false, "hostname mismatch"},
        {NULL, "localhost", "", -DAY, DAY, false, "hostname mismatch"},
        {"DNS:localhost", "localhost", "", -2 * DAY, -DAY, false, "expired"},
        {"DNS:localhost", "localhost", "", DAY, 2 * DAY, false, "not yet valid"},
        {"DNS:localhost", "localhost", "", -DAY, DAY, true, "unable to get local issuer certificate"},
    };
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        X509 *cert =
            certificate("localhost", rows[i].of_stranger ? stranger : authority, rows[i].names, rows[i].from, rows[i].until);
        cl_str message = {0};
        start(MODE_ANSWER, cert);
        open_client(rows[i].host);
        cl_result result = exchange(10, 20000, &message);
        if (result != (rows[i].refused ? CL_REFUSED : CL_OK) || (rows[i].refused && !strstr(message.p, rows[i].refused)))
            fail_msg("row %zu: %s, " CL_FMT, i, cl_result_name(result), CL_ARG(message));
        cl__connection_clear(&connection);
        stop();
        if (!rows[i].refused)
            assert_string_equal(server.sni, rows[i].sni);
        X509_free(cert);
    }
    /* A certificate that is its own authority, and the authority's own. */
    X509 *own = certificate("localhost", NULL, NULL, -DAY, DAY);
    cl_str message = {0};
    start(MODE_ANSWER, own);
    open_client("localhost");
    assert_int_equal(exchange(1, 20000, &message), CL_REFUSED);
    cl__connection_clear(&connection);
    stop();
    X509_free(own);
}

static void test_kept(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 10, 8000, 8192, 100000};
    X509 *cert = certificate("x", authority, "DNS:localhost", -DAY, DAY);
    cl_str message = {0};
    start(MODE_ANSWER, cert);
    open_client("localhost");
    for (size_t i = 0; i < CL__COUNT(sizes); i++) {
        assert_int_equal(exchange(sizes[i], 20000, &message), CL_OK);
        assert_int_equal(server.body_n, sizes[i]);
    }
    cl__connection_clear(&connection);
    stop();
    assert_int_equal(server.connections, 1);
    start(MODE_CLOSE, cert);
    open_client("localhost");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(exchange(10, 20000, &message), CL_OK);
        usleep(20000);
    }
    cl__connection_clear(&connection);
    stop();
    assert_int_equal(server.connections, 3);
    X509_free(cert);
}

static void test_broken(void **state)
{
    (void)state;
    static const struct {
        enum mode mode;
        cl_result result;
        const char *message;
    } rows[] = {{MODE_CUT, CL_UNREACHABLE, "the connection broke"},
                {MODE_GARBAGE, CL_UNREACHABLE, "no TLS handshake with localhost: wrong version number"},
                {MODE_OLD, CL_UNREACHABLE, "no TLS handshake with localhost: "},
                {MODE_SILENT, CL_DEADLINE, "no TLS handshake with localhost in time"}};
    X509 *cert = certificate("x", authority, "DNS:localhost", -DAY, DAY);
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        cl_str message = {0};
        start(rows[i].mode, cert);
        open_client("localhost");
        cl_result result = exchange(10, rows[i].mode == MODE_SILENT ? 100 : 20000, &message);
        if (result != rows[i].result || !strstr(message.p, rows[i].message))
            fail_msg("row %zu: %s, " CL_FMT, i, cl_result_name(result), CL_ARG(message));
        cl__connection_clear(&connection);
        stop();
    }
    X509_free(cert);
}

static void test_bundles(void **state)
{
    (void)state;
    struct cl__tls *tls = NULL;
    cl_str message = {0};
    setenv("AWS_CA_BUNDLE", "/nonexistent/bundle", 1);
    assert_int_equal(cl__tls_new(&tls, &message), CL_CONFIG);
    assert_str(message, "AWS_CA_BUNDLE: no certificates in /nonexistent/bundle");
    setenv("AWS_CA_BUNDLE", "/dev/null", 1);
    assert_int_equal(cl__tls_new(&tls, &message), CL_CONFIG);
    unsetenv("AWS_CA_BUNDLE");
    setenv("SSL_CERT_FILE", "/nonexistent/file", 1);
    assert_int_equal(cl__tls_new(&tls, &message), CL_CONFIG);
    assert_str(message, "SSL_CERT_FILE: no certificates in /nonexistent/file");
    assert_null(tls);
    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_FILE", bundle, 1);
}

/* Of the files below /etc only this one is there, and it is our authority's certificate: OpenSSL calls this program's fopen
 * instead of the C library's. NULL: the system's own files. */
static const char *trusted_file;

static FILE *open_file(const char *name, const char *path, const char *mode)
{
    FILE *(*real)(const char *, const char *);
    *(void **)&real = dlsym(RTLD_NEXT, name);
    if (trusted_file && strncmp(path, "/etc/", 5) == 0) {
        if (strcmp(path, trusted_file) != 0) {
            errno = ENOENT;
            return NULL;
        }
        path = bundle;
    }
    return real(path, mode);
}

FILE *fopen(const char *path, const char *mode)
{
    return open_file("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode)
{
    return open_file("fopen64", path, mode);
}

/* Each system keeps the certificates that it trusts elsewhere: a connection must be accepted because of that file alone. */
static void test_bundles_of_systems(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        bool trusted;
    } rows[] = {{"/etc/ssl/certs/ca-certificates.crt", true}, /* Debian, Ubuntu */
                {"/etc/pki/tls/certs/ca-bundle.crt", true},   /* Amazon Linux, Fedora, Red Hat */
                {"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", true},
                {"/etc/ssl/cert.pem", true}, /* Alpine */
                {"/etc/somewhere/else.pem", false}};
    X509 *cert = certificate("x", authority, "DNS:localhost", -DAY, DAY);
    unsetenv("SSL_CERT_FILE");
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        struct cl__tls *tls = NULL;
        cl_str message = {0};
        trusted_file = rows[i].file;
        if (rows[i].trusted) {
            start(MODE_ANSWER, cert);
            open_client("localhost");
            if (exchange(10, 20000, &message) != CL_OK)
                fail_msg("%s: " CL_FMT, rows[i].file, CL_ARG(message));
            cl__connection_clear(&connection);
            stop();
        } else {
            assert_int_equal(cl__tls_new(&tls, &message), CL_CONFIG);
            assert_str(message, "no trusted certificates: the system has neither /etc/ssl/certs/ca-certificates.crt nor "
                                "/etc/pki/tls/certs/ca-bundle.crt, and SSL_CERT_FILE is not set");
        }
    }
    trusted_file = NULL;
    setenv("SSL_CERT_FILE", bundle, 1);
    X509_free(cert);
}

static void set_environment(void)
{
    char url[64];
    snprintf(url, sizeof url, "https://localhost:%s", server.port);
    setenv("AWS_ENDPOINT_URL_DYNAMODB", url, 1);
    setenv("AWS_REGION", "us-east-1", 1);
    setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
}

static void test_dynamodb(void **state)
{
    (void)state;
    X509 *cert = certificate("x", authority, "DNS:localhost", -DAY, DAY),
         *wrong = certificate("x", authority, "DNS:elsewhere", -DAY, DAY);
    cl_dynamodb *db = NULL;
    cl_str message = {0};
    cl_context ctx = {.arena = cl_arena_new(0), .deadline_ms = cl_now_ms() + 20000};
    start(MODE_ANSWER, cert);
    set_environment();
    assert_int_equal(cl_dynamodb_open(&db, &message), CL_OK);
    assert_int_equal(cl_ddb_call(db, &ctx, "ListTables", NULL, NULL), CL_DDB_OK);
    cl_dynamodb_close(db);
    stop();
    /* A certificate that is not accepted is not tried again. */
    start(MODE_ANSWER, wrong);
    set_environment();
    assert_int_equal(cl_dynamodb_open(&db, &message), CL_OK);
    assert_int_equal(cl_ddb_call(db, &ctx, "ListTables", NULL, NULL), CL_DDB_UNREACHABLE);
    assert_str(cl_dynamodb_message(db), "ListTables: the certificate of localhost is refused: hostname mismatch");
    cl_dynamodb_close(db);
    stop();
    assert_int_equal(server.connections, 1);
    cl_arena_free(ctx.arena);
    X509_free(cert);
    X509_free(wrong);
}

static cl_result step_new(void *arg)
{
    struct cl__tls *tls = NULL;
    cl_str message = {0};
    (void)arg;
    cl_result result = cl__tls_new(&tls, &message);
    assert_int_equal(tls != NULL, result == CL_OK);
    cl__tls_free(tls);
    return result;
}

static void test_memory(void **state)
{
    (void)state;
    assert_true(walk(step_new, NULL) >= 1);
}

static int set_up(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_DFL); /* the client must do without */
    key = EVP_EC_gen("P-256");
    authority = certificate("our authority", NULL, NULL, -DAY, DAY);
    stranger = certificate("another authority", NULL, NULL, -DAY, DAY);
    FILE *file = fdopen(mkstemp(bundle), "w");
    if (!key || !file || !PEM_write_X509(file, authority) || fclose(file) != 0)
        return -1;
    unsetenv("AWS_CA_BUNDLE");
    return setenv("SSL_CERT_FILE", bundle, 1);
}

static int tear_down(void **state)
{
    (void)state;
    unlink(bundle);
    X509_free(authority);
    X509_free(stranger);
    EVP_PKEY_free(key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names),    cmocka_unit_test(test_kept),
                                       cmocka_unit_test(test_broken),   cmocka_unit_test(test_bundles),
                                       cmocka_unit_test(test_bundles_of_systems),
                                       cmocka_unit_test(test_dynamodb), cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

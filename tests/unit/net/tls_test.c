/* tls_test.c -- TLS below HTTP against a client of OpenSSL: both on one port, names and addresses, certificates that change,
 * versions and suites, protocols, bodies and pieces of every size; and clients that mean harm: half handshakes, silence,
 * garbage, floods. Waits are milliseconds here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "client.h"
#include "certs.h"
#include "net/tls_internal.h"
#include <net/if.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sched.h>
#include <sys/ioctl.h>

#define H "Host: a\r\n"

static struct tls *tls;
static SSL_CTX *client;
static atomic_size_t reloads, problems, refreshes;

/* ---- the server ---- */

static void reloaded(const char *cert, struct str problem, void *arg)
{
    (void)arg;
    ENSURE(cert);
    atomic_fetch_add(problem.n ? &problems : &reloads, 1);
}

static void refreshed(void *arg)
{
    (void)arg;
    atomic_fetch_add(&refreshes, 1);
}

static struct tls *make_tls(struct workers *workers)
{
    struct tls_options options = {.pair_count = 3, .alpn = HTTP_ALPN, .refresh = refreshed, .reloaded = reloaded};
    static const char *const names[] = {"first", "second", "third"};
    for (size_t i = 0; i < COUNT_OF(names); i++)
        options.pairs[i] = (struct tls_pair){strdup(certs_path(names[i], "cert")), strdup(certs_path(names[i], "key"))};
    struct arena *arena = arena_new();
    struct str message = STR_NONE;
    if (tls_new(&options, arena, &tls, &message) != ERR_OK)
        fail_msg(STR_FMT, STR_ARG(message));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        free((char *)(uintptr_t)options.pairs[i].cert);
        free((char *)(uintptr_t)options.pairs[i].key);
    }
    arena_free(arena);
    tls_watch(tls, workers);
    *tls__reload_ms(tls) = 0;
    return tls;
}

static int open_tls(void **state)
{
    (void)state;
    certs_make("first", "DNS:first.example", 1);
    certs_make("second", "DNS:*.second.example,DNS:second.example", 2);
    certs_make("third", "DNS:third.example,IP:127.0.0.1", 3);
    struct http_limits limits = http__limits_default;
    limits.handshake_ms = 200;
    limits.idle_ms = 5000;
    limits.linger_ms = 200;
    limits.rest_ms = 1;
    site_tls = make_tls;
    atomic_store(&reloads, 0);
    atomic_store(&problems, 0);
    client = SSL_CTX_new(TLS_client_method());
    struct http_listener_options more = {.plain_loopback_only = true};
    site_open(&limits, &more);
    return 0;
}

static int close_tls(void **state)
{
    close_site(state);
    tls_free(tls);
    SSL_CTX_free(client);
    return 0;
}

/* ---- the client ---- */

/* The handshake is still to be made. */
static SSL *ssl_new(const char *name)
{
    SSL *ssl = SSL_new(client);
    SSL_set_fd(ssl, dial());
    if (name)
        SSL_set_tlsext_host_name(ssl, name);
    return ssl;
}

static SSL *ssl_dial(const char *name)
{
    SSL *ssl = ssl_new(name);
    if (SSL_connect(ssl) != 1)
        fail_msg("handshake: %s", ERR_reason_error_string(ERR_peek_last_error()));
    return ssl;
}

static void hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);
    SSL_free(ssl);
    close(fd);
}

static void ssl_send(SSL *ssl, struct str s)
{
    while (s.n) {
        int n = SSL_write(ssl, s.p, (int)(s.n < 1 << 20 ? s.n : 1 << 20));
        assert_true(n > 0);
        s = str_slice(s, (size_t)n, s.n);
    }
}

/* The body of the next answer, of any length told; the buffer is the caller's to clear. */
static struct buf ssl_answer(SSL *ssl, int status)
{
    char head[4096];
    size_t n = 0;
    int got = 0;
    while (n + 1 < sizeof(head) && (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) && (got = SSL_read(ssl, head + n, 1)) == 1)
        n++;
    if (got != 1)
        fail_msg("no answer: %s", ERR_reason_error_string(ERR_peek_last_error()));
    head[n] = 0;
    assert_int_equal(atoi(head + 9), status);
    const char *length = strstr(head, "\r\nContent-Length: ");
    assert_non_null(length);
    size_t left = strtoul(length + 18, NULL, 10);
    struct buf body;
    buf_init(&body, NULL, 64 << 20);
    while (left) {
        char piece[8192];
        got = SSL_read(ssl, piece, (int)(left < sizeof(piece) ? left : sizeof(piece)));
        assert_true(got > 0);
        buf_add(&body, (struct str){piece, (size_t)got});
        left -= (size_t)got;
    }
    return body;
}

static void ssl_expect(SSL *ssl, int status, const char *text)
{
    struct buf body = ssl_answer(ssl, status);
    if (!str_eq(buf_str(&body), str_of(text)))
        fail_msg("body " STR_FMT, STR_ARG(buf_str(&body)));
    buf_clear(&body);
}

static void ssl_ask(SSL *ssl, const char *path, const char *text)
{
    char request[256];
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\n" H "\r\n", path);
    ssl_send(ssl, str_of(request));
    ssl_expect(ssl, 200, text);
}

static bool ssl_ended(SSL *ssl)
{
    char c;
    ERR_clear_error();
    return SSL_read(ssl, &c, 1) <= 0;
}

static long serial_shown(const char *name)
{
    SSL *ssl = ssl_dial(name);
    X509 *cert = SSL_get1_peer_certificate(ssl);
    long serial = ASN1_INTEGER_get(X509_get0_serialNumber(cert));
    X509_free(cert);
    hang_up(ssl);
    return serial;
}

/* ---- one port ---- */

static void test_both_on_one_port(void **state)
{
    (void)state;
    int fd = dial();
    send_text(fd, "GET /secure HTTP/1.1\r\n" H "\r\n");
    expect(fd, 200, "plain");
    SSL *ssl = ssl_dial(NULL);
    ssl_ask(ssl, "/secure", "secure");
    ssl_ask(ssl, "/late?x", "x");
    send_text(fd, "GET /secure HTTP/1.1\r\n" H "\r\n");
    expect(fd, 200, "plain");
    close(fd);
    hang_up(ssl);
}

/* A byte that is neither a handshake nor HTTP is HTTP's to refuse. */
static void test_other_first_bytes(void **state)
{
    (void)state;
    for (int first = 0; first < 256; first++) {
        if (first == 0x16 || first == '\r' || first == '\n' || (first >= 'A' && first <= 'Z'))
            continue;
        int fd = dial();
        char bytes[] = {(char)first, 3, 1, '\r', '\n', '\r', '\n'};
        send_all(fd, (struct str){bytes, sizeof(bytes)});
        expect(fd, 400, "");
        close(fd);
    }
}

/* Nothing, or the end at once. */
static void test_no_first_byte(void **state)
{
    (void)state;
    int fd = dial();
    shutdown(fd, SHUT_WR);
    assert_true(ended(fd));
    close(fd);
    SSL *ssl = ssl_dial(NULL);
    ssl_ask(ssl, "/", "hello");
    hang_up(ssl);
}

/* ---- which certificate ---- */

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(serial_shown("first.example"), 1);
    assert_int_equal(serial_shown("a.second.example"), 2);
    assert_int_equal(serial_shown("A.SECOND.example"), 2);
    assert_int_equal(serial_shown("second.example"), 2);
    assert_int_equal(serial_shown("a.b.second.example"), 1);
    assert_int_equal(serial_shown("third.example"), 3);
    assert_int_equal(serial_shown("nobody.example"), 1);
    assert_int_equal(serial_shown(NULL), 3); /* by the address connected to */
}

static void wait_for(atomic_size_t *count, size_t wanted)
{
    for (int i = 0; i < 5000 && atomic_load(count) < wanted; i++) {
        serial_shown("second.example"); /* a connection makes it look */
        usleep(1000);
    }
    assert_int_equal(atomic_load(count), wanted);
}

static void test_changed_files(void **state)
{
    (void)state;
    SSL *old = ssl_dial("second.example");
    certs_make("second", "DNS:second.example", 22);
    wait_for(&reloads, 1);
    assert_true(atomic_load(&refreshes) > 0); /* each look begins with it */
    assert_int_equal(serial_shown("second.example"), 22);
    assert_int_equal(serial_shown("first.example"), 1);
    ssl_ask(old, "/secure", "secure");
    hang_up(old);
    /* What cannot be used leaves what there was, and is told once. A look between the two files was one such as well. */
    size_t before = atomic_load(&problems);
    certs_write(certs_path("second", "cert"), "-----BEGIN CERTIFICATE-----\nbroken\n");
    wait_for(&problems, before + 1);
    for (int i = 0; i < 5; i++)
        assert_int_equal(serial_shown("second.example"), 22);
    assert_int_equal(atomic_load(&problems), before + 1);
    assert_int_equal(unlink(certs_path("second", "cert")), 0);
    wait_for(&problems, before + 2);
    assert_int_equal(serial_shown("second.example"), 22);
    certs_make("second", "DNS:second.example", 23);
    for (int i = 0; i < 5000 && serial_shown("second.example") != 23; i++)
        usleep(1000);
    assert_int_equal(serial_shown("second.example"), 23);
}

static void expect_refused(const char *cert, const char *key, const char *words)
{
    struct tls_options options = {.pairs = {{cert, key}}, .pair_count = 1, .alpn = HTTP_ALPN};
    struct arena *arena = arena_new();
    struct str message = STR_NONE;
    struct tls *made = NULL;
    assert_int_equal(tls_new(&options, arena, &made, &message), ERR_INVALID);
    assert_null(made);
    if (!memmem(message.p, message.n, words, strlen(words)))
        fail_msg(STR_FMT, STR_ARG(message));
    arena_free(arena);
}

static void test_unusable_files(void **state)
{
    (void)state;
    expect_refused("/nowhere/cert", certs_path("first", "key"), "/nowhere/cert: No such file");
    expect_refused(certs_path("first", "cert"), "/nowhere/key", "/nowhere/key: No such file");
    expect_refused(certs_path("first", "key"), certs_path("first", "key"), "there is no certificate in it");
    expect_refused(certs_path("first", "cert"), certs_path("first", "cert"), "there is no private key in it");
    expect_refused(certs_path("first", "cert"), certs_path("second", "key"), "it is not the key of the certificate");
    expect_refused("/dev/zero", certs_path("first", "key"), "the file is too large");
    expect_refused("/", certs_path("first", "key"), "Is a directory");
    FILE *out = fopen(certs_path("locked", "key"), "w");
    EVP_PKEY *key = EVP_EC_gen("P-256");
    assert_int_equal(PEM_write_PrivateKey(out, key, EVP_aes_128_cbc(), (const unsigned char *)"word", 4, NULL, NULL), 1);
    fclose(out);
    EVP_PKEY_free(key);
    expect_refused(certs_path("first", "cert"), certs_path("locked", "key"), "without a passphrase");
}

/* The certificate and fifteen above it, and one more. */
static void test_a_chain_is_bounded(void **state)
{
    (void)state;
    enum { CHAIN_LIMIT = 16, PEM_MAX = 4096 };
    char pem[PEM_MAX], *text = calloc(CHAIN_LIMIT + 1, PEM_MAX);
    FILE *in = fopen(certs_path("first", "cert"), "r");
    assert_true(in && text);
    pem[fread(pem, 1, sizeof(pem) - 1, in)] = 0;
    fclose(in);
    for (int i = 0; i < CHAIN_LIMIT; i++)
        strcat(text, pem);
    certs_write(certs_path("chain", "cert"), text);
    struct tls_options options = {
        .pairs = {{certs_path("chain", "cert"), certs_path("first", "key")}}, .pair_count = 1, .alpn = HTTP_ALPN};
    struct arena *arena = arena_new();
    struct str message = STR_NONE;
    struct tls *made = NULL;
    if (tls_new(&options, arena, &made, &message) != ERR_OK)
        fail_msg(STR_FMT, STR_ARG(message));
    tls_free(made);
    arena_free(arena);
    certs_write(certs_path("chain", "cert"), strcat(text, pem));
    expect_refused(certs_path("chain", "cert"), certs_path("first", "key"), "the certificates cannot be read");
    free(text);
}

/* ---- how it is spoken ---- */

static bool connects(int least, int most, const char *suites)
{
    SSL *ssl = ssl_new(NULL);
    SSL_set_security_level(ssl, 0); /* the client would take anything */
    SSL_set_min_proto_version(ssl, least);
    SSL_set_max_proto_version(ssl, most);
    if (suites)
        assert_int_equal(SSL_set_cipher_list(ssl, suites), 1);
    bool made = SSL_connect(ssl) == 1;
    if (made)
        ssl_ask(ssl, "/secure", "secure");
    ERR_clear_error();
    hang_up(ssl);
    return made;
}

static void test_versions(void **state)
{
    (void)state;
    assert_true(connects(TLS1_3_VERSION, TLS1_3_VERSION, NULL));
    assert_true(connects(TLS1_2_VERSION, TLS1_2_VERSION, NULL));
    assert_false(connects(TLS1_1_VERSION, TLS1_1_VERSION, NULL));
    assert_false(connects(TLS1_VERSION, TLS1_VERSION, NULL));
}

static void test_suites(void **state)
{
    (void)state;
    assert_true(connects(TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256"));
    assert_true(connects(TLS1_2_VERSION, TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305"));
    static const char *const weak[] = {"ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256",
                                       "AES128-GCM-SHA256",      "AES128-SHA",
                                       "ECDHE-ECDSA-AES128-CCM", "NULL-SHA",
                                       "ECDHE-ECDSA-NULL-SHA"};
    for (size_t i = 0; i < COUNT_OF(weak); i++)
        if (connects(TLS1_2_VERSION, TLS1_2_VERSION, weak[i]))
            fail_msg("%s is spoken", weak[i]);
}

static void test_no_renegotiation(void **state)
{
    (void)state;
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    SSL *ssl = ssl_dial(NULL);
    ssl_ask(ssl, "/secure", "secure");
    assert_int_equal(SSL_renegotiate(ssl), 1);
    assert_int_not_equal(SSL_do_handshake(ssl), 1);
    hang_up(ssl);
}

static bool speaks(const char *protocols, size_t n, const char *wanted)
{
    SSL *ssl = ssl_new(NULL);
    SSL_set_alpn_protos(ssl, (const unsigned char *)protocols, (unsigned)n);
    bool made = SSL_connect(ssl) == 1;
    if (made) {
        const unsigned char *chosen;
        unsigned chosen_n;
        SSL_get0_alpn_selected(ssl, &chosen, &chosen_n);
        made = str_eq((struct str){(const char *)chosen, chosen_n}, str_of(wanted));
    }
    ERR_clear_error();
    hang_up(ssl);
    return made;
}

static void test_protocols(void **state)
{
    (void)state;
    assert_true(speaks("\5other\10http/1.1", 15, "http/1.1"));
    assert_false(speaks("\5other", 6, ""));
}

static void test_tickets(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial("first.example");
    ssl_ask(ssl, "/", "hello"); /* the ticket has come */
    SSL_SESSION *session = SSL_get1_session(ssl);
    SSL_shutdown(ssl);
    hang_up(ssl);
    certs_make("first", "DNS:first.example", 11); /* they outlive a change */
    wait_for(&reloads, 1);
    ssl = ssl_new("first.example");
    SSL_set_session(ssl, session);
    assert_int_equal(SSL_connect(ssl), 1);
    assert_true(SSL_session_reused(ssl));
    ssl_ask(ssl, "/secure", "secure");
    SSL_SESSION_free(session);
    hang_up(ssl);
}

/* ---- sizes ---- */

static void test_bodies(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 4095, 4096, 4097, 16383, 16384, 16385, 65536, 3000000};
    SSL *ssl = ssl_dial(NULL);
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        struct str body = big_body(arena, sizes[i]);
        ssl_send(ssl, arena_printf(arena, "POST /echo HTTP/1.1\r\n" H "Content-Length: %zu\r\n\r\n", body.n));
        ssl_send(ssl, body);
        struct buf back = ssl_answer(ssl, 200);
        assert_true(str_eq(buf_str(&back), body));
        buf_clear(&back);
    }
    arena_free(arena);
    hang_up(ssl);
}

/* From a file: what the kernel cannot send by itself is read by workers. */
static void test_files(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial(NULL);
    static const size_t sizes[] = {0, 1, 16384, 3000001};
    struct arena *arena = arena_new();
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        ssl_send(ssl, arena_printf(arena, "GET /file?%zu HTTP/1.1\r\n" H "\r\n", sizes[i]));
        struct buf body = ssl_answer(ssl, 200);
        assert_true(str_eq(buf_str(&body), big_body(arena, sizes[i])));
        buf_clear(&body);
    }
    arena_free(arena);
    hang_up(ssl);
}

/* An answer that the client is slow to take: the rest waits for the socket, and is sent again from the same bytes. */
static void test_slow_reader(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial(NULL);
    const size_t n = 20 << 20;
    ssl_send(ssl, STR("GET /big?20971520 HTTP/1.1\r\n" H "\r\nGET /secure HTTP/1.1\r\n" H "\r\n"));
    for (int there = 0, before = -1; there != before || !there;) { /* until the sockets hold no more */
        before = there;
        usleep(20000);
        assert_int_equal(ioctl(SSL_get_fd(ssl), FIONREAD, &there), 0);
    }
    struct buf body = ssl_answer(ssl, 200);
    assert_int_equal(body.n, n);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(buf_str(&body).p[i], 'a' + (int)(i % 26));
    buf_clear(&body);
    ssl_expect(ssl, 200, "secure");
    hang_up(ssl);
}

/* Many requests in one record: more than are parsed ahead, so that input waits inside OpenSSL. */
static void test_pipelined(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial(NULL);
    struct buf all;
    buf_init(&all, NULL, 1 << 20);
    for (int i = 0; i < 300; i++)
        buf_add(&all, STR("GET /late?x HTTP/1.1\r\n" H "\r\n"));
    ssl_send(ssl, buf_str(&all));
    for (int i = 0; i < 300; i++)
        ssl_expect(ssl, 200, "x");
    buf_clear(&all);
    hang_up(ssl);
}

static void test_byte_by_byte(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial(NULL);
    struct str text = STR("GET /secure HTTP/1.1\r\n" H "\r\n");
    for (int times = 0; times < 3; times++) {
        for (size_t i = 0; i < text.n; i++)
            ssl_send(ssl, str_slice(text, i, i + 1));
        ssl_expect(ssl, 200, "secure");
    }
    hang_up(ssl);
}

/* A connection that rested goes on, from both sides. */
static void test_rest(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial(NULL);
    for (int i = 0; i < 3; i++) {
        ssl_ask(ssl, "/secure", "secure");
        assert_true(silent(SSL_get_fd(ssl), 150)); /* several sweeps */
        ssl_ask(ssl, "/late?x", "x");
    }
    hang_up(ssl);
}

/* The client's close_notify ends its sending; what it asked before is answered, and the end is said in TLS's own way. */
static void test_close_notify(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial(NULL);
    ssl_send(ssl, STR("GET /late?y HTTP/1.1\r\n" H "\r\n"));
    SSL_shutdown(ssl);
    ssl_expect(ssl, 200, "y");
    assert_true(ssl_ended(ssl));
    assert_int_equal(SSL_get_shutdown(ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
    hang_up(ssl);
}

/* ---- clients that mean harm ---- */

static void still_serves(void)
{
    SSL *ssl = ssl_dial(NULL);
    ssl_ask(ssl, "/secure", "secure");
    hang_up(ssl);
}

static void test_half_handshakes(void **state)
{
    (void)state;
    static const char *const begins[] = {"\x16", "\x16\x03\x01", "\x16\x03\x01\x02", "\x16\x03\x01\x02\x04\x01"};
    int fds[COUNT_OF(begins)];
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        fds[i] = dial();
        send_text(fds[i], begins[i]);
    }
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        assert_true(ended(fds[i])); /* at handshake_ms, long before idle_ms */
        close(fds[i]);
    }
    still_serves();
}

/* A whole first flight, then bytes that come too slowly to get anywhere. */
static void test_slow_handshake(void **state)
{
    (void)state;
    SSL *ssl = ssl_new(NULL);
    BIO *out = BIO_new(BIO_s_mem()), *in = BIO_new(BIO_s_mem());
    int fd = SSL_get_fd(ssl);
    SSL_set_bio(ssl, in, out);
    assert_int_not_equal(SSL_connect(ssl), 1);
    char *hello;
    long n = BIO_get_mem_data(out, &hello);
    long at = 0;
    while (silent(fd, 10) && at < n - 1)
        send_all(fd, (struct str){hello + at++, 1});
    assert_true(at < n - 1);
    assert_true(ended(fd));
    SSL_free(ssl);
    close(fd);
    still_serves();
}

static void test_garbage(void **state)
{
    (void)state;
    unsigned seed = 1;
    for (int round = 0; round < 50; round++) {
        char bytes[4096];
        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (char)(rand_r(&seed) >> 7);
        memcpy(bytes, "\x16\x03\x01", 3);
        int fd = dial();
        send_all(fd, (struct str){bytes, sizeof(bytes)});
        char answer_bytes[256];
        while (recv(fd, answer_bytes, sizeof(answer_bytes), 0) > 0)
            ;
        close(fd);
    }
    still_serves();
}

/* A request of plain text where the handshake should go on. */
static void test_plain_after_hello(void **state)
{
    (void)state;
    SSL *ssl = ssl_dial(NULL);
    int fd = SSL_get_fd(ssl);
    send_text(fd, "GET /secure HTTP/1.1\r\n" H "\r\n");
    assert_true(ssl_ended(ssl));
    hang_up(ssl);
    still_serves();
}

/* New keys without end, and nothing else. */
static void test_flood_of_keys(void **state)
{
    (void)state;
    SSL_CTX_set_min_proto_version(client, TLS1_3_VERSION);
    SSL *ssl = ssl_dial(NULL);
    for (int i = 0; i < 20; i++) { /* now and then they are anybody's right */
        assert_int_equal(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED), 1);
        ssl_ask(ssl, "/secure", "secure");
    }
    int i = 0;
    const int enough = NET_TLS_SILENT_BYTES_MAX / 10;
    while (i < enough && SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1)
        i++;
    ERR_clear_error();
    if (i == enough)
        assert_true(ssl_ended(ssl));
    assert_int_equal(atomic_load(&site.handled), 20);
    hang_up(ssl);
    still_serves();
}

/* Records with nothing in them. */
static void test_flood_of_empty_records(void **state)
{
    (void)state;
    SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
    SSL *ssl = ssl_dial(NULL);
    SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE);
    /* OpenSSL sends none; what is no record of this connection must end it as well. */
    static const char empty[] = "\x17\x03\x03\x00\x00";
    for (int i = 0; i < 2000 && send_all(SSL_get_fd(ssl), (struct str){empty, 5}); i++)
        ;
    assert_true(ssl_ended(ssl));
    hang_up(ssl);
    still_serves();
}

static void test_vanished(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        SSL *ssl = ssl_dial(NULL);
        ssl_send(ssl, STR("GET /big?4000000 HTTP/1.1\r\n" H "\r\n"));
        struct linger reset = {.l_onoff = 1};
        setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
        hang_up(ssl);
    }
    still_serves();
}

/* ---- plain text from other machines ---- */

static bool has_other_address; /* 10.9.8.7 is this test's */

static int dial_from_outside(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in from = {.sin_family = AF_INET}, to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    ENSURE(inet_pton(AF_INET, "10.9.8.7", &from.sin_addr) == 1);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ENSURE(bind(fd, (struct sockaddr *)&from, sizeof(from)) == 0);
    ENSURE(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
    return fd;
}

static void test_plain_from_outside(void **state)
{
    (void)state;
    if (!has_other_address)
        skip();
    int fd = dial_from_outside(site.port);
    send_text(fd, "POST /echo HTTP/1.1\r\n" H "Content-Length: 6\r\n\r\n");
    expect(fd, 400, "Plain HTTP is answered to this machine only. Use https:// and the same port.\n");
    assert_true(has_line(&answer, "Connection: close"));
    assert_true(ended(fd));
    close(fd);
    fd = dial_from_outside(site.port); /* HTTP/2 without TLS is plain text as well */
    send_text(fd, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 400);
    close(fd);
    assert_int_equal(atomic_load(&site.handled), 0);
    SSL *ssl = SSL_new(client);
    SSL_set_fd(ssl, dial_from_outside(site.port));
    assert_int_equal(SSL_connect(ssl), 1);
    ssl_ask(ssl, "/secure", "secure");
    hang_up(ssl);
}

/* One listener for both families: the addresses are told as what they are. */
static void test_every_address(void **state)
{
    (void)state;
    struct http_listener_options options = {
        .handler = handle, .arg = &site, .body_max = 1000, .tls = tls, .plain_loopback_only = true};
    if (http_bind(STR("[::]:0"), &options.fd) != ERR_OK)
        skip(); /* no IPv6 */
    int port = port_of(options.fd);
    http_listen(site.server, &options);
    int fd = try_connect(port);
    send_text(fd, "GET /peer HTTP/1.1\r\n" H "\r\n");
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 200);
    assert_true(str_starts(buf_str(&answer.body), STR("127.0.0.1 ")));
    close(fd);
    if (!has_other_address)
        return;
    fd = dial_from_outside(port);
    send_text(fd, "GET /peer HTTP/1.1\r\n" H "\r\n");
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, 400);
    close(fd);
}

/* A network of this program's own, whose loopback interface has a second address. */
static bool make_network(void)
{
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP}, other = {.ifr_name = "lo:1"};
    struct sockaddr_in address = {.sin_family = AF_INET};
    ENSURE(inet_pton(AF_INET, "10.9.8.7", &address.sin_addr) == 1);
    memcpy(&other.ifr_addr, &address, sizeof(address));
    bool fine = ioctl(fd, SIOCSIFFLAGS, &lo) == 0 && ioctl(fd, SIOCSIFADDR, &other) == 0;
    close(fd);
    ENSURE(fine);
    return true;
}

#define TLS_TEST(name) cmocka_unit_test_setup_teardown(name, open_tls, close_tls)

int main(void)
{
    has_other_address = make_network();
    certs_begin();
    const struct CMUnitTest tests[] = {
        TLS_TEST(test_both_on_one_port),
        TLS_TEST(test_other_first_bytes),
        TLS_TEST(test_no_first_byte),
        TLS_TEST(test_names),
        TLS_TEST(test_changed_files),
        TLS_TEST(test_unusable_files),
        TLS_TEST(test_a_chain_is_bounded),
        TLS_TEST(test_versions),
        TLS_TEST(test_suites),
        TLS_TEST(test_no_renegotiation),
        TLS_TEST(test_protocols),
        TLS_TEST(test_tickets),
        TLS_TEST(test_bodies),
        TLS_TEST(test_files),
        TLS_TEST(test_slow_reader),
        TLS_TEST(test_pipelined),
        TLS_TEST(test_byte_by_byte),
        TLS_TEST(test_rest),
        TLS_TEST(test_close_notify),
        TLS_TEST(test_half_handshakes),
        TLS_TEST(test_slow_handshake),
        TLS_TEST(test_garbage),
        TLS_TEST(test_plain_after_hello),
        TLS_TEST(test_flood_of_keys),
        TLS_TEST(test_flood_of_empty_records),
        TLS_TEST(test_vanished),
        TLS_TEST(test_plain_from_outside),
        TLS_TEST(test_every_address),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    certs_end();
    return failed;
}

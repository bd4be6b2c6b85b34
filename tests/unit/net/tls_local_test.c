/* tls_local_test.c -- the authority of this machine: what is made, when it is made anew, who may read the keys, and for whom
 * it can speak. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
// clang-format off
#include <cmocka.h>
// clang-format on
#include "base/panic.h"
#include "net/tls_local.h"
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DAY 86400

static char parent[] = "/tmp/tls-local-XXXXXX";
static struct arena *arena;
static struct tls_local_options options;
static bool made, authority_made;

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    strcpy(parent + strlen(parent) - 6, "XXXXXX");
    assert_non_null(mkdtemp(parent));
    options = (struct tls_local_options){.dir = arena_printf(arena, "%s/tls", parent).p,
                                         .names = STR("DNS:localhost,DNS:*.a.localhost,IP:127.0.0.1,IP:::1"),
                                         .now_s = (int64_t)time(NULL),
                                         .leaf_s = 365 * (int64_t)DAY,
                                         .renew_s = 30 * (int64_t)DAY};
    return 0;
}

static int end(void **state)
{
    (void)state;
    assert_int_equal(system(arena_printf(arena, "rm -rf %s", parent).p), 0);
    arena_free(arena);
    return 0;
}

static const char *path(const char *name)
{
    return arena_printf(arena, "%s/%s", options.dir, name).p;
}

static void expect_made(bool leaf, bool authority)
{
    struct str message = STR_NONE;
    if (tls_local_make(&options, arena, &made, &authority_made, &message) != ERR_OK)
        fail_msg(STR_FMT, STR_ARG(message));
    assert_int_equal(made, leaf);
    assert_int_equal(authority_made, authority);
}

static X509 *read_cert(const char *name)
{
    FILE *in = fopen(path(name), "r");
    assert_non_null(in);
    X509 *cert = PEM_read_X509(in, NULL, NULL, NULL);
    fclose(in);
    assert_non_null(cert);
    return cert;
}

/* X509_V_OK, or why a client that trusts ca.pem refuses. */
static int verify(X509 *cert, const char *host, const char *ip)
{
    X509 *authority = read_cert("ca.pem");
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    X509_STORE_add_cert(store, authority);
    X509_STORE_CTX_init(context, store, cert, NULL);
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(context);
    X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
    if (host)
        X509_VERIFY_PARAM_set1_host(param, host, 0);
    if (ip)
        X509_VERIFY_PARAM_set1_ip_asc(param, ip);
    X509_verify_cert(context);
    int result = X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    X509_free(authority);
    return result;
}

static void test_made_once(void **state)
{
    (void)state;
    expect_made(true, true);
    expect_made(false, false);
    static const struct {
        const char *name;
        mode_t mode;
    } files[] = {{"", 0700}, {"ca.key", 0600}, {"localhost.key", 0600}, {"ca.pem", 0644}, {"localhost.pem", 0644}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        struct stat st;
        assert_int_equal(stat(path(files[i].name), &st), 0);
        assert_int_equal(st.st_mode & 0777, files[i].mode);
    }
}

static void test_verifies(void **state)
{
    (void)state;
    expect_made(true, true);
    X509 *cert = read_cert("localhost.pem");
    assert_int_equal(verify(cert, "localhost", NULL), X509_V_OK);
    assert_int_equal(verify(cert, "x.a.localhost", NULL), X509_V_OK);
    assert_int_equal(verify(cert, NULL, "127.0.0.1"), X509_V_OK);
    assert_int_equal(verify(cert, NULL, "::1"), X509_V_OK);
    assert_int_equal(verify(cert, "example.com", NULL), X509_V_ERR_HOSTNAME_MISMATCH);
    X509_free(cert);
}

/* Whoever gets hold of the authority's key can speak for local names only. */
static void test_constrained(void **state)
{
    (void)state;
    expect_made(true, true);
    static const struct {
        const char *names;
        int result;
    } cases[] = {{"DNS:other.localhost", X509_V_OK},
                 {"DNS:example.com", X509_V_ERR_PERMITTED_VIOLATION},
                 {"DNS:localhost,DNS:example.com", X509_V_ERR_PERMITTED_VIOLATION},
                 {"DNS:notlocalhost", X509_V_ERR_PERMITTED_VIOLATION},
                 {"IP:127.9.9.9", X509_V_OK},
                 {"IP:10.0.0.1", X509_V_ERR_PERMITTED_VIOLATION},
                 {"IP:::2", X509_V_ERR_PERMITTED_VIOLATION}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        options.names = str_of(cases[i].names);
        expect_made(true, false);
        X509 *cert = read_cert("localhost.pem");
        assert_int_equal(verify(cert, NULL, NULL), cases[i].result);
        X509_free(cert);
    }
}

static void test_renewed(void **state)
{
    (void)state;
    expect_made(true, true);
    options.now_s += 334 * (int64_t)DAY;
    expect_made(false, false);
    options.now_s += 2 * (int64_t)DAY;
    expect_made(true, false);
    expect_made(false, false);
    options.now_s += 8 * 365 * (int64_t)DAY;
    expect_made(true, false);
    options.now_s += 365 * (int64_t)DAY; /* the authority would end before what it signs */
    expect_made(true, true);
    options.now_s -= 20 * 365 * (int64_t)DAY; /* the clock goes back: nothing has begun */
    expect_made(true, true);
}

static void test_other_names(void **state)
{
    (void)state;
    expect_made(true, true);
    options.names = STR("DNS:localhost,IP:127.0.0.1");
    expect_made(true, false);
    expect_made(false, false);
}

static void spoil(const char *name, const char *text)
{
    FILE *out = fopen(path(name), "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static void test_spoilt_files(void **state)
{
    (void)state;
    expect_made(true, true);
    static const struct {
        const char *name;
        bool authority;
    } files[] = {{"ca.pem", true}, {"localhost.key", false}, {"localhost.pem", false}, {"names", false}};
    for (size_t i = 0; i < COUNT_OF(files); i++) {
        spoil(files[i].name, "");
        expect_made(true, files[i].authority);
        spoil(files[i].name, "-----BEGIN CERTIFICATE-----\nxx\n");
        expect_made(true, files[i].authority);
        assert_int_equal(unlink(path(files[i].name)), 0);
        expect_made(true, files[i].authority);
        expect_made(false, false);
    }
    spoil("ca.key", "");
    expect_made(false, false); /* nothing is to be signed */
    spoil("names", "");
    expect_made(true, true);
    expect_made(false, false);
    spoil("new", "of a crash");
    spoil("names", "");
    expect_made(true, false);
}

static void test_no_place(void **state)
{
    (void)state;
    struct str message = STR_NONE;
    options.dir = arena_printf(arena, "%s/none/tls", parent).p;
    made = authority_made = false;
    assert_int_equal(tls_local_make(&options, arena, &made, &authority_made, &message), ERR_IO);
    assert_non_null(memmem(message.p, message.n, "No such file", 12));
    assert_false(made || authority_made);
    options.dir = parent;
    options.names = STR("no names");
    assert_int_equal(tls_local_make(&options, arena, &made, &authority_made, &message), ERR_IO);
}

#define LOCAL_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCAL_TEST(test_made_once),   LOCAL_TEST(test_verifies),    LOCAL_TEST(test_constrained), LOCAL_TEST(test_renewed),
        LOCAL_TEST(test_other_names), LOCAL_TEST(test_spoilt_files), LOCAL_TEST(test_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

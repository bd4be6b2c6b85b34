/* certs.h -- certificates that sign themselves, written to files, for the tests of TLS. */
#ifndef TESTS_NET_CERTS_H
#define TESTS_NET_CERTS_H
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static char certs_dir[] = "/tmp/net-certs-XXXXXX";

static const char *certs_path(const char *name, const char *end)
{
    static char path[4][128];
    static int turn;
    turn = (turn + 1) % 4;
    snprintf(path[turn], sizeof(path[0]), "%s/%s.%s", certs_dir, name, end);
    return path[turn];
}

/* NAME.cert and NAME.key, for names as OpenSSL's configurations have them: "DNS:a.example,IP:127.0.0.1". Files are renamed
 * into place, as tools that renew certificates do. */
static void certs_make(const char *name, const char *names, long serial)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    ENSURE(key && cert);
    X509_set_version(cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), serial);
    X509_gmtime_adj(X509_getm_notBefore(cert), -60);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(cert));
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
    ENSURE(extension && X509_add_ext(cert, extension, -1) == 1 && X509_sign(cert, key, EVP_sha256()) > 0);
    X509_EXTENSION_free(extension);
    FILE *out = fopen(certs_path("new", "key"), "w");
    ENSURE(out && PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(out) == 0);
    out = fopen(certs_path("new", "cert"), "w");
    ENSURE(out && PEM_write_X509(out, cert) == 1 && fclose(out) == 0);
    ENSURE(rename(certs_path("new", "key"), certs_path(name, "key")) == 0);
    ENSURE(rename(certs_path("new", "cert"), certs_path(name, "cert")) == 0);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static void certs_write(const char *path, const char *text)
{
    FILE *out = fopen(certs_path("new", "text"), "w");
    ENSURE(out && fputs(text, out) >= 0 && fclose(out) == 0);
    ENSURE(rename(certs_path("new", "text"), path) == 0);
}

static void certs_begin(void)
{
    ENSURE(mkdtemp(certs_dir));
}

static void certs_end(void)
{
    char command[160];
    snprintf(command, sizeof(command), "rm -rf %s", certs_dir);
    ENSURE(system(command) == 0);
}
#endif

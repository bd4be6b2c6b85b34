/* tls_local.c -- see tls_local.h. Every file is written under another name and renamed, the keys before the certificates that
 * go with them; a pair that does not fit together (a crash in between) is made anew. RFC 5280: 4.2.1.10 name constraints. */
#include "net/tls_local.h"
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AUTHORITY_S (10 * 365 * (int64_t)86400)
#define BACKDATED_S 86400 /* for clocks that are behind */
#define SERIAL_BYTES 16
#define NAMES_NAME "names" /* DIR/names: what the certificate was made for */
#define NAMES_BYTES_MAX 8192

struct identity {
    X509 *cert;
    EVP_PKEY *key;
};

static void identity_drop(struct identity *identity)
{
    X509_free(identity->cert);
    EVP_PKEY_free(identity->key);
    *identity = (struct identity){0};
}

static const char *local_path(const struct tls_local_options *options, struct arena *arena, const char *name)
{
    return arena_printf(arena, "%s/%s", options->dir, name).p;
}

/* ---- reading ---- */

static X509 *cert_read(const struct tls_local_options *options, struct arena *arena, const char *name)
{
    BIO *in = BIO_new_file(local_path(options, arena, name), "r");
    X509 *cert = in ? PEM_read_bio_X509(in, NULL, NULL, NULL) : NULL;
    BIO_free(in);
    ERR_clear_error();
    return cert;
}

static bool identity_read(const struct tls_local_options *options, struct arena *arena, const char *cert, const char *key,
                          struct identity *ret)
{
    ret->cert = cert_read(options, arena, cert);
    BIO *in = BIO_new_file(local_path(options, arena, key), "r");
    ret->key = in ? PEM_read_bio_PrivateKey(in, NULL, NULL, (void *)(uintptr_t) "") : NULL;
    BIO_free(in);
    bool fine = ret->cert && ret->key && X509_check_private_key(ret->cert, ret->key) == 1;
    ERR_clear_error();
    if (!fine)
        identity_drop(ret);
    return fine;
}

/* Has begun, and lasts for that long. */
static bool lasts(const X509 *cert, int64_t now_s, int64_t for_s)
{
    time_t now = (time_t)now_s, then = (time_t)(now_s + for_s);
    return X509_cmp_time(X509_get0_notBefore(cert), &now) < 0 && X509_cmp_time(X509_get0_notAfter(cert), &then) > 0;
}

static bool names_same(const struct tls_local_options *options, struct arena *arena)
{
    char text[NAMES_BYTES_MAX];
    int fd = open(local_path(options, arena, NAMES_NAME), O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));
    if (fd >= 0)
        close(fd);
    return n >= 0 && str_eq((struct str){text, (size_t)n}, options->names);
}

/* ---- making ---- */

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool fine = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return fine;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* positive, and of its full length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool fine = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert));
    BN_free(number);
    return fine;
}

static bool add_to_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, (const unsigned char *)value, -1, -1, 0) == 1;
}

struct extension {
    int nid;
    const char *value;
};

/* A fresh key and a certificate for it, signed by issuer; NULL: by itself. */
static bool identity_make(struct identity *ret, const struct identity *issuer, const char *common_name, int64_t now_s,
                          int64_t for_s, const struct extension *extensions, size_t count)
{
    ret->key = EVP_EC_gen("P-256");
    X509 *cert = ret->cert = X509_new();
    bool fine = ret->key && cert && X509_set_version(cert, 2) == 1 && set_serial(cert) &&
                ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)(now_s - BACKDATED_S)) &&
                ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)(now_s + for_s)) && X509_set_pubkey(cert, ret->key) == 1 &&
                add_to_name(X509_get_subject_name(cert), "O", "Cloudless") &&
                add_to_name(X509_get_subject_name(cert), "CN", common_name) &&
                X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer->cert : cert)) == 1;
    for (size_t i = 0; i < count && fine; i++)
        fine = add_extension(cert, issuer ? issuer->cert : cert, extensions[i].nid, extensions[i].value);
    fine = fine && X509_sign(cert, issuer ? issuer->key : ret->key, EVP_sha256()) > 0;
    if (!fine)
        identity_drop(ret);
    return fine;
}

static bool make_authority(const struct tls_local_options *options, struct identity *ret)
{
    static const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_name_constraints, "critical,permitted;DNS:localhost,permitted;IP:127.0.0.0/255.0.0.0,"
                               "permitted;IP:::1/ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
        {NID_subject_key_identifier, "hash"},
    };
    unsigned char id[4];
    char name[64];
    if (RAND_bytes(id, sizeof(id)) != 1)
        return false;
    /* Names of their own: a client that trusts the authorities of two data directories tells them apart. */
    snprintf(name, sizeof(name), "Cloudless local authority %02x%02x%02x%02x", id[0], id[1], id[2], id[3]);
    return identity_make(ret, NULL, name, options->now_s, AUTHORITY_S, extensions, COUNT_OF(extensions));
}

static bool make_leaf(const struct tls_local_options *options, struct arena *arena, const struct identity *authority,
                      struct identity *ret)
{
    const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_alt_name, arena_cstr(arena, options->names)},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid"},
    };
    return identity_make(ret, authority, "localhost", options->now_s, options->leaf_s, extensions, COUNT_OF(extensions));
}

/* ---- writing ---- */

static bool local_write(const struct tls_local_options *options, struct arena *arena, const char *name, struct str text,
                        mode_t mode)
{
    const char *path = local_path(options, arena, name), *fresh = local_path(options, arena, "new");
    unlink(fresh); /* of a crash; its mode may be another */
    int fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        return false;
    bool fine = file_write(fd, text) && fsync(fd) == 0;
    fine = close(fd) == 0 && fine;
    return fine && rename(fresh, path) == 0;
}

static bool identity_write(const struct tls_local_options *options, struct arena *arena, const struct identity *identity,
                           const char *cert, const char *key)
{
    BIO *out = BIO_new(BIO_s_secmem());
    char *text;
    bool fine = out && PEM_write_bio_PKCS8PrivateKey(out, identity->key, NULL, NULL, 0, NULL, NULL) == 1;
    if (fine) {
        long n = BIO_get_mem_data(out, &text);
        fine = local_write(options, arena, key, (struct str){text, (size_t)n}, 0600);
    }
    BIO_free(out);
    if (!fine)
        return false;
    out = BIO_new(BIO_s_mem());
    fine = out && PEM_write_bio_X509(out, identity->cert) == 1;
    if (fine) {
        long n = BIO_get_mem_data(out, &text);
        fine = local_write(options, arena, cert, (struct str){text, (size_t)n}, 0644);
    }
    BIO_free(out);
    return fine;
}

/* ---- all of it ---- */

/* The authority's key is read only where something is to be signed. */
static bool local_make(const struct tls_local_options *options, struct arena *arena, struct identity *authority,
                       struct identity *leaf, bool *ret_made, bool *ret_authority_made)
{
    authority->cert = cert_read(options, arena, "ca.pem");
    bool old = authority->cert && lasts(authority->cert, options->now_s, options->leaf_s);
    if (old && identity_read(options, arena, "localhost.pem", "localhost.key", leaf) &&
        X509_verify(leaf->cert, X509_get0_pubkey(authority->cert)) == 1 && lasts(leaf->cert, options->now_s, options->renew_s) &&
        names_same(options, arena))
        return true;
    identity_drop(leaf);
    identity_drop(authority);
    if (!old || !identity_read(options, arena, "ca.pem", "ca.key", authority)) {
        identity_drop(authority);
        if (!make_authority(options, authority) || !identity_write(options, arena, authority, "ca.pem", "ca.key"))
            return false;
        *ret_authority_made = true;
    }
    *ret_made = true;
    return make_leaf(options, arena, authority, leaf) && identity_write(options, arena, leaf, "localhost.pem", "localhost.key") &&
           local_write(options, arena, NAMES_NAME, options->names, 0644);
}

enum err tls_local_make(const struct tls_local_options *options, struct arena *arena, bool *ret_made, bool *ret_authority_made,
                        struct str *ret_message)
{
    struct identity authority = {0}, leaf = {0};
    bool made = false, authority_made = false;
    errno = 0;
    bool fine = folder_make(options->dir, 0700) && local_make(options, arena, &authority, &leaf, &made, &authority_made);
    if (fine) {
        *ret_made = made;
        *ret_authority_made = authority_made;
    } else {
        const char *reason = errno ? strerror(errno) : ERR_reason_error_string(ERR_peek_last_error());
        *ret_message = arena_printf(arena, "%s: %s", options->dir, reason ? reason : "unknown");
    }
    ERR_clear_error();
    identity_drop(&leaf);
    identity_drop(&authority);
    return fine ? ERR_OK : ERR_IO;
}

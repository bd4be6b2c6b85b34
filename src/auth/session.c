/* session.c -- session credentials that need no record: everything about the session is inside its token.
 *
 * Token: base64 of   version byte (1) · nonce (12) · AES-256-GCM(fields) · tag (16)
 * The key of all tokens is made at the first start and kept in the store (system space), so tokens outlive a restart.
 * Nonces are random; 2^32 tokens under one key are safe by NIST SP 800-38D, more than an installation makes.
 * Fields: numbers as 8 bytes, texts as 4 bytes of length and their bytes, in the order of write_fields. The secret
 * access key is one of them, so a token is as good as the credentials for the server, and useless to anyone else.
 * A sealer holds one cipher context for each direction with the key set up; a use changes the nonce only. */
#include "auth/auth_internal.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/ids.h"
#include "base/panic.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define VERSION 1
#define NONCE_BYTES 12
#define TAG_BYTES 16
#define TOKEN_BYTES_MAX 8192            /* sealed; a session policy has 2,048 characters at most */
#define COLLECTION "auth"
#define KEY_NAME "session-key"

struct session_sealer {
    EVP_CIPHER_CTX *seal, *open;
};

struct session_sealer *session__sealer_new(const uint8_t key[SESSION_KEY_BYTES])
{
    struct session_sealer *sealer = mem_zalloc(sizeof *sealer);

    sealer->seal = EVP_CIPHER_CTX_new();
    sealer->open = EVP_CIPHER_CTX_new();
    ENSURE(sealer->seal && sealer->open);
    ENSURE(EVP_EncryptInit_ex(sealer->seal, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
    ENSURE(EVP_DecryptInit_ex(sealer->open, EVP_aes_256_gcm(), NULL, key, NULL) == 1);
    return sealer;
}

void session__sealer_free(struct session_sealer *sealer)
{
    if (!sealer)
        return;
    EVP_CIPHER_CTX_free(sealer->seal);
    EVP_CIPHER_CTX_free(sealer->open);
    free(sealer);
}

/* ---- the key ---- */

static struct store_key key_place(void)
{
    return (struct store_key){STORE_SPACE_SYSTEM, STR(COLLECTION), STR(KEY_NAME)};
}

/* Value: version byte (1) and the key. */
static enum err read_key(struct store_txn *txn, uint8_t ret[SESSION_KEY_BYTES])
{
    struct arena *arena = arena_new();
    struct str value;
    enum err err = store_get(txn, key_place(), arena, &value);

    if (err == ERR_OK && (value.n != 1 + SESSION_KEY_BYTES || value.p[0] != VERSION))
        err = ERR_CORRUPT;
    if (err == ERR_OK)
        memcpy(ret, value.p + 1, SESSION_KEY_BYTES);
    arena_free(arena);
    return err;
}

struct key_making { uint8_t *ret, drawn[SESSION_KEY_BYTES]; };

static enum err make_key(struct store_txn *txn, void *arg)
{
    struct key_making *making = arg;
    uint8_t value[1 + SESSION_KEY_BYTES] = {VERSION};
    enum err err = read_key(txn, making->ret);

    if (err != ERR_NOT_FOUND)
        return err;
    memcpy(value + 1, making->drawn, SESSION_KEY_BYTES);
    store_put(txn, key_place(), (struct str){(const char *)value, sizeof value});
    memcpy(making->ret, making->drawn, SESSION_KEY_BYTES);
    return ERR_OK;
}

enum err session__load_key(struct store *store, uint8_t ret[SESSION_KEY_BYTES])
{
    enum err err = read_key(store_reader(store), ret);

    if (err != ERR_NOT_FOUND)
        return err;
    struct key_making making = {.ret = ret};
    random_bytes(making.drawn, sizeof making.drawn);
    return store_mutate(store, make_key, &making);
}

/* ---- fields ---- */

static void add_u64(struct buf *out, int64_t value)
{
    uint8_t bytes[8];

    put_u64(bytes, (uint64_t)value);
    buf_add(out, (struct str){(const char *)bytes, sizeof bytes});
}

static void write_text(struct buf *out, struct str text)
{
    uint8_t length[4];

    put_u32(length, (uint32_t)text.n);
    buf_add(out, (struct str){(const char *)length, sizeof length});
    buf_add(out, text);
}

static void write_fields(struct buf *out, const struct auth_key *key, struct str access_key_id)
{
    const struct principal *p = &key->principal;
    const struct str text[] = {access_key_id, key->secret, p->account, p->arn, p->id, p->name, p->role_arn, p->session_policy};

    add_u64(out, p->type);
    add_u64(out, p->issued_ms);
    add_u64(out, key->expires_ms);
    for (size_t i = 0; i < COUNT_OF(text); i++)
        write_text(out, text[i]);
}

static bool take_u64(struct str *in, int64_t *ret)
{
    if (in->n < 8)
        return false;
    *ret = (int64_t)get_u64((const uint8_t *)in->p);
    *in = str_slice(*in, 8, in->n);
    return true;
}

static bool read_text(struct str *in, struct str *ret)
{
    if (in->n < 4)
        return false;
    uint32_t n = get_u32((const uint8_t *)in->p);
    *in = str_slice(*in, 4, in->n);
    if (n > in->n)
        return false;
    *ret = n ? str_slice(*in, 0, n) : STR_NONE;
    *in = str_slice(*in, n, in->n);
    return true;
}

static bool read_fields(struct str in, struct auth_key *ret)
{
    struct principal *p = &ret->principal;
    struct str *const text[] = {&p->access_key_id, &ret->secret, &p->account, &p->arn,
                                &p->id,            &p->name,     &p->role_arn, &p->session_policy};
    int64_t type;

    if (!take_u64(&in, &type) || !take_u64(&in, &p->issued_ms) || !take_u64(&in, &ret->expires_ms) ||
        type != PRINCIPAL_ROLE_SESSION)
        return false;
    p->type = PRINCIPAL_ROLE_SESSION;
    for (size_t i = 0; i < COUNT_OF(text); i++)
        if (!read_text(&in, text[i]))
            return false;
    return in.n == 0;
}

/* ---- sealing ---- */

struct str session__seal(struct session_sealer *sealer, const struct auth_key *key, struct str access_key_id, struct arena *arena)
{
    struct buf plain, token;
    uint8_t sealed[TOKEN_BYTES_MAX];
    int n = 0, rest = 0;

    buf_init(&plain, arena, TOKEN_BYTES_MAX - 1 - NONCE_BYTES - TAG_BYTES);
    write_fields(&plain, key, access_key_id);
    ENSURE(!plain.failed);
    sealed[0] = VERSION;
    random_bytes(sealed + 1, NONCE_BYTES);
    uint8_t *out = sealed + 1 + NONCE_BYTES;
    ENSURE(EVP_EncryptInit_ex(sealer->seal, NULL, NULL, NULL, sealed + 1) == 1);
    ENSURE(EVP_EncryptUpdate(sealer->seal, NULL, &n, sealed, 1) == 1);
    ENSURE(EVP_EncryptUpdate(sealer->seal, out, &n, (const uint8_t *)plain.p, (int)plain.n) == 1);
    ENSURE(EVP_EncryptFinal_ex(sealer->seal, out + n, &rest) == 1 && rest == 0);
    ENSURE(EVP_CIPHER_CTX_ctrl(sealer->seal, EVP_CTRL_GCM_GET_TAG, TAG_BYTES, out + n) == 1);
    OPENSSL_cleanse(plain.p, plain.n);
    buf_init(&token, arena, 2 * TOKEN_BYTES_MAX);
    base64_write(&token, (struct str){(const char *)sealed, 1 + NONCE_BYTES + (size_t)n + TAG_BYTES});
    return buf_str(&token);
}

enum err session__open(struct session_sealer *sealer, struct str token, struct arena *arena, struct auth_key *ret)
{
    struct str sealed;
    int n = 0, rest = 0;

    if (token.n > 2 * TOKEN_BYTES_MAX || base64_decode(token, arena, &sealed) != ERR_OK)
        return ERR_INVALID;
    if (sealed.n < 1 + NONCE_BYTES + TAG_BYTES || sealed.n > TOKEN_BYTES_MAX || sealed.p[0] != VERSION)
        return ERR_INVALID;
    const uint8_t *in = (const uint8_t *)sealed.p;
    size_t body = sealed.n - 1 - NONCE_BYTES - TAG_BYTES;
    uint8_t *plain = arena_alloc(arena, body + 1), tag[TAG_BYTES];
    memcpy(tag, in + 1 + NONCE_BYTES + body, TAG_BYTES);
    if (EVP_DecryptInit_ex(sealer->open, NULL, NULL, NULL, in + 1) != 1 ||
        EVP_DecryptUpdate(sealer->open, NULL, &n, in, 1) != 1 ||
        EVP_DecryptUpdate(sealer->open, plain, &n, in + 1 + NONCE_BYTES, (int)body) != 1 ||
        EVP_CIPHER_CTX_ctrl(sealer->open, EVP_CTRL_GCM_SET_TAG, TAG_BYTES, tag) != 1 ||
        EVP_DecryptFinal_ex(sealer->open, plain + n, &rest) != 1)
        return ERR_INVALID;
    struct auth_key key = {.active = true, .session_token = token};
    if (!read_fields((struct str){(const char *)plain, body}, &key))
        return ERR_INVALID;
    *ret = key;
    return ERR_OK;
}

void session__issue(struct session_sealer *sealer, struct auth_key *key, struct arena *arena, struct auth_session *ret)
{
    ret->access_key_id = id_access_key(arena, "ASIA");
    ret->secret = id_secret(arena);
    ret->expires_ms = key->expires_ms;
    key->secret = ret->secret;
    ret->token = session__seal(sealer, key, ret->access_key_id, arena);
}

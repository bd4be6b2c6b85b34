/* page_token.c -- see page_token.h. What the MAC covers is unambiguous: each text goes in with its length before it. */
#include "call/page_token.h"
#include "auth/auth.h"
#include "base/codec.h"
#include "base/hash.h"
#include "base/panic.h"
#include "call/dispatch.h"

#define TOKEN_VERSION 1
#define TOKEN_MAC_BYTES 12
#define TOKEN_HEAD_BYTES (1 + TOKEN_MAC_BYTES)

static void token_mac(const uint8_t *key, const struct str *context, size_t count, struct str position, struct arena *arena,
                      uint8_t ret[TOKEN_MAC_BYTES])
{
    size_t n = 4 + position.n;
    for (size_t i = 0; i < count; i++)
        n += 4 + context[i].n;
    char *text = arena_alloc(arena, n), *at = text;
    for (size_t i = 0; i <= count; i++) {
        struct str part = i < count ? context[i] : position;
        put_u32((uint8_t *)at, (uint32_t)part.n);
        at += 4;
        str_pack(&at, part);
    }
    uint8_t mac[SHA256_BYTES];
    hmac_sha256((struct str){(const char *)key, AUTH_TOKEN_KEY_BYTES}, (struct str){text, n}, mac);
    memcpy(ret, mac, TOKEN_MAC_BYTES);
}

struct str page_token_seal(const uint8_t *key, const struct str *context, size_t count, struct str position, struct arena *arena)
{
    uint8_t head[TOKEN_HEAD_BYTES] = {TOKEN_VERSION};
    struct buf text;
    ENSURE(position.n <= PAGE_POSITION_BYTES_MAX);
    token_mac(key, context, count, position, arena, head + 1);
    char *bytes = arena_alloc(arena, sizeof head + position.n), *at = bytes;
    str_pack(&at, (struct str){(const char *)head, sizeof head});
    str_pack(&at, position);
    buf_init(&text, arena, PAGE_TOKEN_CHARS_MAX);
    base64_write(&text, (struct str){bytes, sizeof head + position.n});
    ENSURE(!text.failed);
    return buf_str(&text);
}

bool page_token_open(const uint8_t *key, const struct str *context, size_t count, struct str token, struct arena *arena,
                     struct str *ret)
{
    struct str bytes;
    uint8_t mac[TOKEN_MAC_BYTES];
    if (token.n > PAGE_TOKEN_CHARS_MAX || base64_decode(token, arena, &bytes) != ERR_OK || bytes.n < TOKEN_HEAD_BYTES ||
        bytes.p[0] != TOKEN_VERSION)
        return false;
    struct str position = str_slice(bytes, TOKEN_HEAD_BYTES, bytes.n);
    token_mac(key, context, count, position, arena, mac);
    if (!bytes_equal_const_time(mac, bytes.p + 1, sizeof mac))
        return false;
    *ret = position;
    return true;
}

enum { CONTEXT_PARTS = 4 };

static void context_of(const struct call *call, struct str scope, struct str ret[CONTEXT_PARTS])
{
    ret[0] = str_of(model_text(call->api->model, call->operation->name));
    ret[1] = call->account;
    ret[2] = call->region;
    ret[3] = scope;
}

static const uint8_t *key_of_call(const struct call *call)
{
    return auth_token_key(calls_auth(call_calls(call)));
}

struct str page_token_make(struct call *call, struct str scope, struct str position)
{
    struct str context[CONTEXT_PARTS];
    context_of(call, scope, context);
    return page_token_seal(key_of_call(call), context, CONTEXT_PARTS, position, call->arena);
}

bool page_token_read(struct call *call, struct str token, struct str scope, struct str *ret)
{
    struct str context[CONTEXT_PARTS];
    context_of(call, scope, context);
    return page_token_open(key_of_call(call), context, CONTEXT_PARTS, token, call->arena, ret);
}

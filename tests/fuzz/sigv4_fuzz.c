/* sigv4_fuzz.c -- a request line and headers as text, then the body behind an empty line; checked against one secret by all rules.
 * Properties: parsing and checking end, and nothing that was not signed with the secret is accepted. The corpus holds
 * requests signed with another secret. */
#include "auth/sigv4.h"
#include "base/panic.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_plain(struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= ' ' || text.p[i] > '~')
            return false;
    return true;
}

static void check_way(const struct http_request *request, struct sigv4_cache *cache, struct sigv4_rules rules, struct arena *arena)
{
    struct sigv4 sig;
    enum sigv4_status status = sigv4_parse(request, &rules, arena, &sig);
    uint8_t digest[SHA256_BYTES];

    if (status != SIGV4_OK) {
        ENSURE(status == SIGV4_MISSING || sig.message.n);
        return;
    }
    if (sig.in_query) {
        ENSURE(is_plain(sig.access_key_id) && is_plain(sig.signed_headers) && is_plain(sig.signature));
        ENSURE(!rules.s3 || (sig.expires_ms >= sig.time_ms && sig.expires_ms - sig.time_ms <= SIGV4_EXPIRES_MAX_S * 1000ll));
    }
    ENSURE(!sig.payload.n || rules.s3 || rules.body_unsigned || rules.body_later);
    status = sigv4_digest(request, &sig, sig.time_ms, arena, digest);
    if (status == SIGV4_OK)
        status = sigv4_check(cache, &sig, STR("the secret of nobody who made these inputs"), digest, arena);
    ENSURE(status == SIGV4_MISMATCH && sig.message.n);
    sigv4_body(&sig, request->body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sigv4_cache *cache;
    struct arena *arena = arena_new();
    struct str rest = arena_dup(arena, (struct str){(const char *)data, size});
    struct str line = str_cut(&rest, '\n');
    struct http_header headers[32];
    struct http_request request = {.arena = arena, .headers = headers};

    if (!cache)
        cache = sigv4_cache_new(8);
    request.method = str_cut(&line, ' ');
    request.target = line;
    request.query = line;
    request.path = str_cut(&request.query, '?');
    while (rest.p && request.header_count < COUNT_OF(headers)) {
        struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
        if (!name.n)
            break;
        headers[request.header_count++] = (struct http_header){name, str_trim(value)};
    }
    request.body = rest;
    for (int way = 0; way < 8; way++)
        check_way(&request, cache, (struct sigv4_rules){.s3 = way & 1, .body_unsigned = way & 2, .body_later = way & 4}, arena);
    arena_free(arena);
    return 0;
}

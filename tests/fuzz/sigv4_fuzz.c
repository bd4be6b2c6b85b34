/* sigv4_fuzz.c -- a request line and headers as text, then the body behind an empty line; checked against one secret.
 * Properties: parsing and checking end, and nothing that was not signed with the secret is accepted. The corpus holds
 * requests signed with another secret. */
#include "auth/sigv4.h"
#include "base/panic.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sigv4_cache *cache;
    struct arena *arena = arena_new();
    struct str rest = arena_dup(arena, (struct str){(const char *)data, size});
    struct str line = str_cut(&rest, '\n');
    struct http_header headers[32];
    struct http_request request = {.arena = arena, .headers = headers};
    struct sigv4 sig;

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
    enum sigv4_status status = sigv4_parse(&request, arena, &sig);
    if (status == SIGV4_OK) {
        for (int twice = 0; twice < 2; twice++) {
            uint8_t digest[SHA256_BYTES];
            status = sigv4_digest(&request, &sig, sig.time_ms, twice, arena, digest);
            if (status == SIGV4_OK)
                status = sigv4_check(cache, &sig, STR("the secret of nobody who made these inputs"), digest, arena);
            ENSURE(status == SIGV4_MISMATCH && sig.message.n);
        }
    } else {
        ENSURE(status == SIGV4_MISSING || sig.message.n);
    }
    arena_free(arena);
    return 0;
}

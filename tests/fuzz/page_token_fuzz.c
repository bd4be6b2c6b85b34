/* page_token_fuzz.c -- call/page_token.h. Properties: only a token that was sealed opens, so nobody's input does; what is sealed of
 * the input opens as the input; changed in one place it does not. */
#include "auth/auth.h"
#include "base/panic.h"
#include "call/page_token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t key[AUTH_TOKEN_KEY_BYTES] = {7};
    const struct str context[] = {STR("ListUsers"), STR("000000000000")};
    struct str input = {(const char *)data, size}, position;
    struct arena *arena = arena_new();
    ENSURE(!page_token_open(key, context, COUNT_OF(context), input, arena, &position));
    input = str_slice(input, 0, PAGE_POSITION_BYTES_MAX);
    struct str token = page_token_seal(key, context, COUNT_OF(context), input, arena);
    ENSURE(page_token_open(key, context, COUNT_OF(context), token, arena, &position) && str_eq(position, input));
    if (size) {
        struct str changed = arena_dup(arena, token);
        ((char *)changed.p)[data[0] % changed.n] ^= 1;
        ENSURE(!page_token_open(key, context, COUNT_OF(context), changed, arena, &position));
    }
    arena_free(arena);
    return 0;
}

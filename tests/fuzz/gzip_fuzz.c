/* gzip_fuzz.c -- base/gzip.h on any bytes. Properties: never more than the bound comes out; what comes out has the length that
 * the file's end says; with a lower bound the same file is too large, and nothing else. */
#include "base/gzip.h"
#include "base/panic.h"

#define OUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new();
    struct str in = {(const char *)data, size}, out = STR("untouched"), less = out;
    enum err err = gzip_decode(in, OUT_MAX, arena, &out);
    uint32_t said = 0;
    if (size >= sizeof said)
        memcpy(&said, data + size - sizeof said, sizeof said);
    ENSURE(err == ERR_OK || err == ERR_INVALID || err == ERR_TOO_LARGE);
    ENSURE((err == ERR_OK) == (out.p != less.p));
    if (err == ERR_OK) {
        ENSURE(out.n == said && out.n <= OUT_MAX);
        if (out.n)
            ENSURE(gzip_decode(in, out.n - 1, arena, &less) == ERR_TOO_LARGE && str_eq(less, STR("untouched")));
        ENSURE(gzip_decode(in, out.n, arena, &less) == ERR_OK && str_eq(less, out));
    }
    arena_free(arena);
    return 0;
}

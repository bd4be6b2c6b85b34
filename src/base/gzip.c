/* gzip.c -- one call of libdeflate. The file's last four bytes say how much comes out; a file that lies there is refused,
 * so memory is taken once and is bounded before a byte is decoded. */
#include "base/gzip.h"
#include "base/panic.h"
#include <libdeflate.h>

#define FILE_BYTES_MIN 18       /* header and trailer */

enum err gzip_decode(struct str bytes, size_t max, struct arena *arena, struct str *ret)
{
    uint32_t n;
    size_t used, made;
    if (bytes.n < FILE_BYTES_MIN)
        return ERR_INVALID;
    memcpy(&n, bytes.p + bytes.n - sizeof n, sizeof n);     /* little-endian, as this machine is */
    if (n > max)
        return ERR_TOO_LARGE;
    enum err over = arena_over_with(arena, n);
    if (over != ERR_OK)
        return over;
    char *out = arena_alloc(arena, (size_t)n + 1);
    struct libdeflate_decompressor *decompressor = libdeflate_alloc_decompressor();
    ENSURE(decompressor);
    enum libdeflate_result result = libdeflate_gzip_decompress_ex(decompressor, bytes.p, bytes.n, out, n, &used, &made);
    libdeflate_free_decompressor(decompressor);
    if (result != LIBDEFLATE_SUCCESS || used != bytes.n || made != n)
        return ERR_INVALID;
    *ret = (struct str){out, n};
    return ERR_OK;
}

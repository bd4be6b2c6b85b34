/* zip.h -- a package for tests: a zip with one stored (not compressed) file. */
#ifndef TESTS_LAMBDA_ZIP_H
#define TESTS_LAMBDA_ZIP_H
#include "base/arena.h"
#include "base/hash.h"
#include <string.h>

static void zip_put16(char *at, unsigned value)
{
    at[0] = (char)value, at[1] = (char)(value >> 8);
}

static void zip_put32(char *at, uint32_t value)
{
    zip_put16(at, value & 0xffff), zip_put16(at + 2, value >> 16);
}

/* `size` bytes of 'x', the first of them `first`. */
static struct str zip_of(struct arena *arena, const char *name, size_t size, char first)
{
    size_t name_bytes = strlen(name), at = 30 + name_bytes + size;
    char *zip = arena_zalloc(arena, at + 46 + name_bytes + 22), *directory = zip + at, *end = directory + 46 + name_bytes,
         *content = zip + 30 + name_bytes;
    memset(content, 'x', size);
    content[0] = first;
    uint32_t crc = crc32_of((struct str){content, size});
    memcpy(zip, "PK\3\4\24\0", 6);
    zip_put32(zip + 14, crc), zip_put32(zip + 18, (uint32_t)size), zip_put32(zip + 22, (uint32_t)size),
        zip_put16(zip + 26, (unsigned)name_bytes);
    memcpy(zip + 30, name, name_bytes);
    memcpy(directory, "PK\1\2\24\3\24\0", 8);
    zip_put32(directory + 16, crc), zip_put32(directory + 20, (uint32_t)size), zip_put32(directory + 24, (uint32_t)size);
    zip_put16(directory + 28, (unsigned)name_bytes);
    zip_put32(directory + 38, 0100755u << 16);
    memcpy(directory + 46, name, name_bytes);
    memcpy(end, "PK\5\6", 4);
    zip_put16(end + 8, 1), zip_put16(end + 10, 1), zip_put32(end + 12, (uint32_t)(46 + name_bytes)),
        zip_put32(end + 16, (uint32_t)at);
    return (struct str){zip, at + 46 + name_bytes + 22};
}
#endif

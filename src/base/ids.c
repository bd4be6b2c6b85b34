/* ids.c -- see ids.h. */
#include "base/ids.h"
#include "base/codec.h"
#include "base/hash.h"

#define ACCESS_KEY_CHARS 16
#define ENTITY_CHARS 17
#define SECRET_CHARS 40

static struct str id_prefixed(struct arena *arena, const char *prefix, size_t n)
{
    struct str tail = random_chars(arena, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", n);
    return arena_printf(arena, "%s" STR_FMT, prefix, STR_ARG(tail));
}

struct str id_access_key(struct arena *arena, const char *prefix)
{
    return id_prefixed(arena, prefix, ACCESS_KEY_CHARS);
}

struct str id_entity(struct arena *arena, const char *prefix)
{
    return id_prefixed(arena, prefix, ENTITY_CHARS);
}

struct str id_secret(struct arena *arena)
{
    return random_chars(arena, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", SECRET_CHARS);
}

struct str id_trace_root(struct arena *arena, int64_t now_ms, const uint8_t random[ID_TRACE_BYTES])
{
    char hex[2 * ID_TRACE_BYTES + 1];
    *hex_put(hex, random, ID_TRACE_BYTES) = '\0';
    return arena_printf(arena, "Root=1-%08x-%s", (unsigned)(now_ms / 1000), hex);
}

void id_uuid4(const uint8_t random[16], char ret[UUID_CHARS])
{
    uint8_t bytes[16];
    memcpy(bytes, random, sizeof bytes);
    bytes[6] = (uint8_t)(0x40 | (bytes[6] & 0x0f));     /* version 4 */
    bytes[8] = (uint8_t)(0x80 | (bytes[8] & 0x3f));     /* variant of RFC 9562 */
    static const struct { uint8_t from, count; } groups[] = {{0, 4}, {4, 2}, {6, 2}, {8, 2}, {10, 6}};
    for (size_t i = 0; i < COUNT_OF(groups); i++) {
        if (i)
            *ret++ = '-';
        ret = hex_put(ret, bytes + groups[i].from, groups[i].count);
    }
}

/* codec.c -- the encodings of codec.h. All are strict: text that another encoder of the same RFC would not have written is
 * refused, since keys, signatures and sizes are computed from the bytes. */
#include "base/codec.h"
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* ---- UTF-8, RFC 3629 table 3-7 of the Unicode standard ---- */

/* Bytes of the sequence at p, or 0. `n` > 0 bytes are readable. */
static size_t utf8_sequence(const uint8_t *p, size_t n)
{
    uint8_t lead = p[0];
    size_t length = lead < 0x80 ? 1 : lead < 0xC2 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF5 ? 4 : 0;
    if (length < 2)
        return length;
    if (length > n)
        return 0;
    uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (p[1] < low || p[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    return length;
}

bool utf8_valid(struct str s)
{
    const uint8_t *p = (const uint8_t *)s.p;
    size_t at = 0;
    while (at < s.n) {
        uint64_t bytes;
        if (s.n - at >= sizeof bytes) {
            memcpy(&bytes, p + at, sizeof bytes);
            if (!(bytes & 0x8080808080808080u)) {
                at += sizeof bytes;
                continue;
            }
        }
        size_t length = utf8_sequence(p + at, s.n - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

size_t utf8_count(struct str s)
{
    size_t count = 0;
    for (size_t i = 0; i < s.n; i++)
        count += ((uint8_t)s.p[i] & 0xC0) != 0x80;
    return count;
}

struct str utf8_mended(struct str s, struct arena *arena)
{
    if (utf8_valid(s))
        return s;
    struct buf buf;
    buf_init(&buf, arena, 3 * s.n);
    for (size_t at = 0, length; at < s.n; at += length ? length : 1) {
        length = utf8_sequence((const uint8_t *)s.p + at, s.n - at);
        if (length)
            buf_add(&buf, str_slice(s, at, at + length));
        else
            buf_lit(&buf, "\xEF\xBF\xBD");
    }
    return buf_str(&buf);
}

size_t utf8_unfinished(struct str s)
{
    for (size_t back = 1; back <= 3 && back <= s.n; back++) {
        uint8_t byte = (uint8_t)s.p[s.n - back];
        size_t length = byte < 0xC2 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : byte < 0xF5 ? 4 : 1;
        if ((byte & 0xC0) != 0x80)
            return length > back ? back : 0;
    }
    return 0;
}

/* ---- base64, RFC 4648 section 4 ---- */

void base64_write(struct buf *buf, struct str bytes)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = (bytes.n / 3 + (bytes.n % 3 != 0)) * 4;
    char *to = buf_reserve(buf, length);
    if (!to)
        return;
    buf->n += length;
    const uint8_t *p = (const uint8_t *)bytes.p;
    size_t left = bytes.n;
    for (; left >= 3; left -= 3, p += 3, to += 4) {
        uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
        to[0] = alphabet[v >> 18];
        to[1] = alphabet[v >> 12 & 63];
        to[2] = alphabet[v >> 6 & 63];
        to[3] = alphabet[v & 63];
    }
    if (left == 0)
        return;
    uint32_t v = (uint32_t)p[0] << 16 | (left == 2 ? (uint32_t)p[1] << 8 : 0);
    to[0] = alphabet[v >> 18];
    to[1] = alphabet[v >> 12 & 63];
    to[2] = left == 2 ? alphabet[v >> 6 & 63] : '=';
    to[3] = '=';
}

/* The six bits of a character, or -1. */
static int base64_bits(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

enum err base64_decode(struct str text, struct arena *arena, struct str *ret)
{
    if (text.n % 4 != 0)
        return ERR_INVALID;
    size_t padding = 0;
    while (padding < 2 && padding < text.n && text.p[text.n - 1 - padding] == '=')
        padding++;
    size_t characters = text.n - padding, n = text.n / 4 * 3 - padding, out = 0;
    char *bytes = arena_alloc(arena, n + 1);
    uint32_t gathered = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < characters; i++) {
        int six = base64_bits(text.p[i]);
        if (six < 0)
            return ERR_INVALID;
        gathered = (gathered << 6 | (uint32_t)six) & 0xFFFFFF;
        bits += 6;
        if (bits < 8)
            continue;
        bits -= 8;
        bytes[out++] = (char)(gathered >> bits & 0xFF);
    }
    if (gathered & ((1u << bits) - 1))
        return ERR_INVALID;
    bytes[n] = '\0';
    *ret = (struct str){bytes, n};
    return ERR_OK;
}

/* ---- hex ---- */

char *hex_put(char *to, const void *bytes, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
#ifdef __SSE2__
    const __m128i nibble = _mm_set1_epi8(15), nine = _mm_set1_epi8(9), zero = _mm_set1_epi8('0'),
                  letter = _mm_set1_epi8('a' - '9' - 1);
    for (; n >= 16; n -= 16, from += 16, to += 32) {
        __m128i in = _mm_loadu_si128((const void *)from);
        __m128i high = _mm_and_si128(_mm_srli_epi16(in, 4), nibble), low = _mm_and_si128(in, nibble);
        __m128i half[2] = {_mm_unpacklo_epi8(high, low), _mm_unpackhi_epi8(high, low)};
        for (size_t i = 0; i < 2; i++) {
            __m128i more = _mm_and_si128(_mm_cmpgt_epi8(half[i], nine), letter);
            _mm_storeu_si128((void *)(to + 16 * i), _mm_add_epi8(_mm_add_epi8(half[i], zero), more));
        }
    }
#endif
    for (; n > 0; n--, from++) {
        *to++ = digits[*from >> 4];
        *to++ = digits[*from & 15];
    }
    return to;
}

void hex_write(struct buf *buf, struct str bytes)
{
    char *to = buf_reserve(buf, 2 * bytes.n);
    if (!to)
        return;
    hex_put(to, bytes.p, bytes.n);
    buf->n += 2 * bytes.n;
}

/* 0 … 15, or -1. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The byte of two digits, or -1. */
static int hex_byte(const char *p)
{
    int high = hex_digit(p[0]), low = hex_digit(p[1]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

bool hex_decode(struct str text, uint8_t *ret)
{
    if (text.n % 2 != 0)
        return false;
    for (size_t i = 0; i < text.n; i += 2)
        if (hex_byte(text.p + i) < 0)
            return false;
    for (size_t i = 0; i < text.n; i += 2)
        ret[i / 2] = (uint8_t)hex_byte(text.p + i);
    return true;
}

/* ---- percent-encoding ---- */

static bool is_unreserved(char c)
{
    return char_is_letter(c) || char_is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void percent_write(struct buf *buf, struct str s, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (is_unreserved(c) || (keep_slash && c == '/')) {
            buf_add_char(buf, c);
            continue;
        }
        buf_add(buf, (struct str){(char[]){'%', digits[(uint8_t)c >> 4], digits[c & 15]}, 3});
    }
}

struct str percent_decode(struct str s, bool plus_is_space, struct arena *arena)
{
    char *bytes = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        int byte = c == '%' && s.n - i > 2 ? hex_byte(s.p + i + 1) : -1;
        if (byte >= 0) {
            c = (char)byte;
            i += 2;
        } else if (c == '+' && plus_is_space) {
            c = ' ';
        }
        bytes[n++] = c;
    }
    bytes[n] = '\0';
    return (struct str){bytes, n};
}

/* ---- ordered integers ---- */

void put_u64(uint8_t ret[8], uint64_t value)
{
    value = __builtin_bswap64(value);
    memcpy(ret, &value, sizeof value);
}

uint64_t get_u64(const uint8_t p[8])
{
    uint64_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap64(value);
}

void put_u32(uint8_t ret[4], uint32_t value)
{
    value = __builtin_bswap32(value);
    memcpy(ret, &value, sizeof value);
}

uint32_t get_u32(const uint8_t p[4])
{
    uint32_t value;
    memcpy(&value, p, sizeof value);
    return __builtin_bswap32(value);
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "put_ and get_ swap on little-endian machines");

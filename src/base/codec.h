/* codec.h -- text encodings: UTF-8, base64 (RFC 4648), hex, percent-encoding (RFC 3986), and integers as ordered bytes. */
#ifndef CLOUDLESS_BASE_CODEC_H
#define CLOUDLESS_BASE_CODEC_H
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

bool utf8_valid(struct str s);                              /* no surrogates, no overlong forms */
size_t utf8_count(struct str s);                            /* code points of valid UTF-8 */
/* s itself if it is valid; else a copy with U+FFFD for each byte that belongs to no character. */
struct str utf8_mended(struct str s, struct arena *arena);
/* How many bytes at the end of s begin a character whose rest is missing; 0 to 3. */
size_t utf8_unfinished(struct str s);

void base64_write(struct buf *buf, struct str bytes);       /* standard alphabet, padded */
/* Strict: padding needed, no white space, zero trailing bits. ERR_INVALID leaves *ret untouched. */
enum err base64_decode(struct str text, struct arena *arena, struct str *ret);

void hex_write(struct buf *buf, struct str bytes);          /* lower case */
char *hex_put(char *to, const void *bytes, size_t n);       /* 2 * n characters; returns the end */
bool hex_decode(struct str text, uint8_t *ret);             /* text.n / 2 bytes; false on anything else */

/* SigV4's URI encoding: A-Z a-z 0-9 - . _ ~ stay, and '/' if keep_slash; the rest %XX in upper case. */
void percent_write(struct buf *buf, struct str s, bool keep_slash);
/* %XX decoded; '+' becomes a space if plus_is_space; a malformed escape stays as it is. */
struct str percent_decode(struct str s, bool plus_is_space, struct arena *arena);

/* Big-endian, so that memcmp order is numeric order. */
void put_u64(uint8_t ret[8], uint64_t value);
uint64_t get_u64(const uint8_t p[8]);
void put_u32(uint8_t ret[4], uint32_t value);
uint32_t get_u32(const uint8_t p[4]);
#endif

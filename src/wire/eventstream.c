/* eventstream.c -- writes one message of eventstream.h: headers first, then the lengths and checksums around them. */
#include "wire/eventstream.h"
#include "base/codec.h"
#include "base/hash.h"

#define PRELUDE_BYTES 12
#define CRC_BYTES 4
#define TEXT_MAX 32767

static void big_endian_add(struct buf *buf, uint64_t value, size_t bytes)
{
    uint8_t all[8];
    put_u64(all, value);
    buf_add(buf, (struct str){(const char *)all + 8 - bytes, bytes});
}

static bool header_write(struct buf *buf, const struct eventstream_header *header)
{
    static const uint8_t widths[] = {[EVENTSTREAM_BYTE] = 1,
                                     [EVENTSTREAM_SHORT] = 2,
                                     [EVENTSTREAM_INT] = 4,
                                     [EVENTSTREAM_LONG] = 8,
                                     [EVENTSTREAM_TIMESTAMP] = 8};
    bool text = header->type == EVENTSTREAM_BYTES || header->type == EVENTSTREAM_STRING;
    if (header->name.n == 0 || header->name.n > UINT8_MAX || (text && header->text.n > TEXT_MAX))
        return false;
    big_endian_add(buf, header->name.n, 1);
    buf_add(buf, header->name);
    big_endian_add(buf, (uint64_t)header->type, 1);
    if (text) {
        big_endian_add(buf, header->text.n, 2);
        buf_add(buf, header->text);
    } else if (header->type > EVENTSTREAM_FALSE) {
        big_endian_add(buf, (uint64_t)header->number, widths[header->type]);
    }
    return true;
}

static bool message_write(struct buf *buf, size_t begin, const struct eventstream_header *headers, size_t count, struct str payload)
{
    char *prelude = buf_reserve(buf, PRELUDE_BYTES);
    if (!prelude)
        return false;
    buf->n += PRELUDE_BYTES;
    for (size_t i = 0; i < count; i++)
        if (!header_write(buf, &headers[i]))
            return false;
    size_t headers_n = buf->n - begin - PRELUDE_BYTES, total = PRELUDE_BYTES + headers_n + payload.n + CRC_BYTES;
    if (headers_n > EVENTSTREAM_HEADERS_MAX || total > EVENTSTREAM_MESSAGE_MAX)
        return false;
    buf_add(buf, payload);
    if (buf->failed)
        return false;
    uint8_t *at = (uint8_t *)buf->p + begin;
    put_u32(at, (uint32_t)total);
    put_u32(at + 4, (uint32_t)headers_n);
    put_u32(at + 8, crc32_of((struct str){buf->p + begin, 8}));
    big_endian_add(buf, crc32_of((struct str){buf->p + begin, total - CRC_BYTES}), CRC_BYTES);
    return !buf->failed;
}

bool eventstream_write(struct buf *buf, const struct eventstream_header *headers, size_t count, struct str payload)
{
    size_t begin = buf->n;
    bool whole = !buf->failed && message_write(buf, begin, headers, count, payload);
    if (!whole)
        buf->n = begin;
    return whole;
}

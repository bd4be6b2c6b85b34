/* eventstream.h -- messages of application/vnd.amazon.eventstream, in which answers send their events one by one.
 *
 *   total length u32 │ headers length u32 │ CRC-32 of both u32 │ headers │ payload │ CRC-32 of all before u32
 *   header: name length u8 │ name │ type u8 │ value (string, bytes: length u16 │ bytes)
 *
 * All numbers are big-endian. Source: "Amazon Event Stream Specification" of Smithy. */
#ifndef CLOUDLESS_WIRE_EVENTSTREAM_H
#define CLOUDLESS_WIRE_EVENTSTREAM_H
#include "base/buf.h"

#define EVENTSTREAM_MESSAGE_MAX (16u << 20)     /* bytes of a message, the specification's bound */
#define EVENTSTREAM_HEADERS_MAX (128u << 10)    /* bytes of its headers, likewise */

enum eventstream_type {
    EVENTSTREAM_TRUE, EVENTSTREAM_FALSE, EVENTSTREAM_BYTE, EVENTSTREAM_SHORT, EVENTSTREAM_INT, EVENTSTREAM_LONG,
    EVENTSTREAM_BYTES, EVENTSTREAM_STRING, EVENTSTREAM_TIMESTAMP        /* milliseconds since the epoch */
};
struct eventstream_header {
    struct str name;            /* 1 to 255 bytes */
    enum eventstream_type type;
    struct str text;            /* BYTES, STRING: at most 32767 bytes */
    int64_t number;             /* of the other types that have a value */
};
/* Appends a whole message. False, and nothing appended: beyond one of the bounds, or the buffer is full. */
bool eventstream_write(struct buf *buf, const struct eventstream_header *headers, size_t count, struct str payload);
#endif

/* payload.h -- the body of a streamed call, as its handler reads it: decoded, and checked against what was signed, as it passes. */
#ifndef CLOUDLESS_WIRE_PAYLOAD_H
#define CLOUDLESS_WIRE_PAYLOAD_H
#include "base/arena.h"
#include "base/checksum.h"
#include "net/body.h"

struct chunked;

#define PAYLOAD_CHECKSUMS_MAX 2         /* Content-MD5, and one of x-amz-checksum-… */
struct payload_checksum {
    enum checksum kind;
    uint8_t digest[CHECKSUM_BYTES_MAX];
};

#define PAYLOAD_BAD_DIGEST "The Content-MD5 or checksum value that you specified did not match what the server received."

struct payload_options {
    struct body_reader *source;
    struct chunked *chunked;        /* the source is in aws-chunked; NULL: it is not */
    struct str sha256_hex;          /* what the body's digest has to be; STR_NONE: nobody has said */
    struct payload_checksum checksums[PAYLOAD_CHECKSUMS_MAX];       /* what headers say of it, decoded */
    size_t checksum_count;
};

/* Lives in the arena. Its end is BODY_DAMAGED if the body is another than was signed or announced; *ret_code and *ret_message
 * are then AWS's words for that. They live as long as the arena, and are written before `end`. */
struct body_reader *payload_new(struct arena *arena, const struct payload_options *options, const char **ret_code,
                                struct str *ret_message);
#endif

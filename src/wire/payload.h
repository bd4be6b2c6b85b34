/* payload.h -- a body out of aws-chunked, held against what was signed and announced: as it passes, or when it has been gathered.
 */
#ifndef CLOUDLESS_WIRE_PAYLOAD_H
#define CLOUDLESS_WIRE_PAYLOAD_H
#include "base/arena.h"
#include "base/checksum.h"
#include "net/body.h"
#include "wire/chunked.h"

#define PAYLOAD_CHECKSUMS_MAX 2         /* Content-MD5, and one of x-amz-checksum-… */
struct payload_checksum {
    enum checksum kind;
    uint8_t digest[CHECKSUM_BYTES_MAX];
};

struct payload_options {
    struct chunked *chunked;                                        /* the body is in aws-chunked; NULL: it is not */
    struct str sha256_hex;                                          /* what its digest has to be; STR_NONE: nobody has said */
    struct chunked_words bad_signature, bad_sha256;                 /* the service's own, of a chunk and of the body */
    struct payload_checksum checksums[PAYLOAD_CHECKSUMS_MAX];       /* what headers say of it, decoded */
    size_t checksum_count;
};

/* A reader of what `source` brings. Lives in the arena. Its end is BODY_DAMAGED if the body is another than was signed or
 * announced; *ret_code and *ret_message are then AWS's words for that. They live as long as the arena, and are written before
 * `end`. */
struct body_reader *payload_new(struct arena *arena, const struct payload_options *options, struct body_reader *source,
                                const char **ret_code, struct str *ret_message);
/* The same of a body that is there: what it holds, in *ret, a span of it or of the arena. ERR_INVALID: it is another than was
 * signed or announced, and *ret_words say so; ERR_BUSY, ERR_TOO_LARGE: the arena is over its budget. */
enum err payload_whole(struct arena *arena, const struct payload_options *options, struct str body, struct str *ret,
                       struct chunked_words *ret_words);
#endif

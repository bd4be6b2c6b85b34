/* chunked.h -- request bodies in the encoding aws-chunked, decoded piece by piece as they arrive.
 *
 * x-amz-content-sha256 says which: STREAMING-AWS4-HMAC-SHA256-PAYLOAD (every chunk is signed, each signature over the one
 * before, the first over the request's own), the same with -TRAILER (headers follow the last chunk, signed too), or
 * STREAMING-UNSIGNED-PAYLOAD-TRAILER. A trailer x-amz-checksum-… is checked against the body; so is
 * x-amz-decoded-content-length.
 * What comes out before the end has not been verified: a chunk's signature stands before it but covers all of it. Nothing
 * may be kept of a body that did not end in CHUNKED_DONE.
 * Source: "Signature calculations for the Authorization header: transferring payload in multiple chunks" and "… including
 * trailing headers", S3's API reference. */
#ifndef CLOUDLESS_WIRE_CHUNKED_H
#define CLOUDLESS_WIRE_CHUNKED_H
#include "base/arena.h"
#include "base/checksum.h"

#define CHUNKED_TRAILERS_MAX (8u << 10)         /* bytes of the trailing headers together */

struct sigv4_chain;

struct chunked_options {
    struct sigv4_chain *chain;  /* of the request's signature; NULL: unsigned. Used up */
    bool trailer;               /* headers follow */
    struct str trailer_names;   /* x-amz-trailer: which ones, joined by commas; all of them must come, and no others */
    uint64_t length;            /* x-amz-decoded-content-length */
};

enum chunked_status {
    CHUNKED_DATA,               /* *ret holds bytes of the body, a part of what was given; call again */
    CHUNKED_MORE,               /* all that was given is used; the body goes on */
    CHUNKED_DONE,               /* verified to its end */
    CHUNKED_MALFORMED,          /* not the encoding, or more than its bounds */
    CHUNKED_LENGTH,             /* another length than the header said */
    CHUNKED_SIGNATURE,          /* a chunk's or the trailer's signature is not the one computed */
    CHUNKED_CHECKSUM,           /* a trailing checksum is not the body's */
    CHUNKED_UNSUPPORTED         /* a trailing checksum that is not one of checksum.h */
};

/* What a body that is not DONE is refused with: AWS's code and sentence. Of a SIGNATURE each service has its own. */
struct chunked_words { const char *code, *message; };
struct chunked_words chunked_words(enum chunked_status status);

struct chunked;
/* Lives in the arena, as the strings of `options` must. */
struct chunked *chunked_new(struct arena *arena, const struct chunked_options *options);
/* Takes from the front of *in. After anything but DATA and MORE it answers the same for ever. */
enum chunked_status chunked_next(struct chunked *chunked, struct str *in, struct str *ret);
/* The headers behind the body, once it is DONE; STR_NONE: it had none by that name (in lower case). */
struct str chunked_trailer(const struct chunked *chunked, struct str name);
#endif

/* request_body.h -- a request's body before its protocol reads it: out of its encodings, and with the checksums that came
 * with it. For calls that are authenticated: the signatures of its chunks continue the request's. */
#ifndef CLOUDLESS_WIRE_REQUEST_BODY_H
#define CLOUDLESS_WIRE_REQUEST_BODY_H
#include "wire/wire.h"

/* Replaces the exchange's body. False: the call has failed. */
bool request_body_open(struct call *call);
/* The same of a body that is streamed, and will be checked as it passes: what its headers say. False: the call has failed. */
struct payload_options;
bool request_body_announced(struct call *call, struct payload_options *ret);
/* Whether the body is in aws-chunked; and what takes it out of it, by what the headers say. NULL: the call has failed. */
struct chunked;
bool request_body_chunked(const struct call *call);
struct chunked *request_body_unchunked(struct call *call);
/* Whether the request has anything for request_body_open to do: most have not. */
bool request_body_encoded(const struct call *call);
#endif

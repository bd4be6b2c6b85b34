/* request_body.h -- a request's body before its protocol reads it: out of its encodings, and with the checksums that came
 * with it. For calls that are authenticated: the signatures of its chunks continue the request's. */
#ifndef CLOUDLESS_WIRE_REQUEST_BODY_H
#define CLOUDLESS_WIRE_REQUEST_BODY_H
#include "wire/wire.h"

/* Replaces the exchange's body. False: the call has failed. */
bool request_body_open(struct call *call);
/* The same of a body that is streamed: sets call->body, which is checked as it passes. */
void request_body_stream(struct call *call);
/* Whether the request has anything for request_body_open to do: most have not. */
bool request_body_encoded(const struct call *call);
#endif

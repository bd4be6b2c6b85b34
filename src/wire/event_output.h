/* event_output.h -- outputs that are event streams: each event as a message of eventstream.h, with its structure in the protocol's
 * format. Source: "Event stream specification" of Smithy. Inside src/wire; handlers have call_event (call/call.h). */
#ifndef CLOUDLESS_WIRE_EVENT_OUTPUT_H
#define CLOUDLESS_WIRE_EVENT_OUTPUT_H
#include "wire/wire.h"

/* Whether the operation's output is an event stream, in a protocol that has such. */
static inline bool events_answer(const struct call *call)
{
    return call->operation && (call->operation->flags & MODEL_OP_EVENTS_OUT) && wire_exchange(call)->protocol->write_tree;
}
/* The head of such an answer: status, headers, and for protocols whose headers carry no members a first message in `body`. */
void events_write_head(struct call *call, struct buf *body, struct http_response *response);
/* One event, an object with one member of the union; the protocol's first message before the first. NULL: the call's failure.
 * False, and nothing written: there is no room, or it is no event of the operation. */
bool events_write(struct call *call, const struct json *event, struct buf *buf);
#endif

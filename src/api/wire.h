/* wire.h -- inside src/api: a call with what dispatch needs around it, and the adapters of the protocols.
 *
 * A protocol adapter does four things: name the operation of a request, read its input into call->input, write
 * call->output, write a failure. It works on struct call and buffers only, so tests drive it without sockets. */
#ifndef CLOUDLESS_API_WIRE_H
#define CLOUDLESS_API_WIRE_H
#include "api/api.h"
#include "api/service_errors.h"
#include "base/buf.h"

#define WIRE_DEPTH_MAX JSON_DEPTH_MAX           /* of shapes within shapes: no deeper than JSON itself */
#define WIRE_ANSWER_BYTES_MAX (64u << 20)       /* of an answer's body */
#define WIRE_PARAMETERS_MAX 4096                /* of a query string: a target of 8 KB has no more */

struct need {
    const char *action;
    struct str resource, resource_policy;
    struct policy_context *context;
    size_t context_count, context_cap;
};
struct needs {
    struct call *call;
    struct need *items;
    size_t count, cap;
    struct need first[2];               /* room for what most rows ask */
};

struct wire_protocol {
    bool (*find)(struct call *call);                /* sets call->operation, or call_fail and false */
    void (*read)(struct call *call);                /* sets call->input and payload, or call_fail */
    /* Append to body and to response->headers; status is set by the caller before and may be changed. */
    void (*write)(struct call *call, struct buf *body, struct http_response *response);
    void (*write_error)(struct call *call, struct buf *body, struct http_response *response);
};
extern const struct wire_protocol wire_json, wire_rest_json, wire_query;
const struct wire_protocol *wire_protocol_of(const struct model *m);

/* A common failure, by the service's own table. message STR_NONE: the table's. */
void wire_fail(struct call *call, enum fault fault, struct str message);

/* The whole answer of a call that ended: body, headers, status. */
void wire_answer(struct call *call, struct http_response *ret);
struct str wire_request_id(struct arena *arena, const struct service_errors *errors);

/* The error shape of a failed call, or NULL for a common failure; and the member that carries the message. */
const struct model_shape *wire_error_shape(const struct call *call);
struct str wire_error_message_member(const struct call *call);

/* bind.c: a parsed body becomes an input tree: names of the model, no unknown members, no nulls, types checked,
 * timestamps as epoch seconds. False: call_fail was called. */
bool wire_bind(struct call *call, const struct model_shape *shape, struct json *tree);
/* Text that travelled in a URI, header, query string or form, as a node of the shape's type; NULL: it is not of that type. */
struct json *wire_bind_text(struct call *call, const struct model_shape *shape, struct str text);

/* The bare XML with which AWS's json and rest-json services answer a request that is none of theirs (404). */
void wire_write_unknown(struct buf *body);
/* An output tree as JSON with wire names. */
void wire_json_write(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree);
/* A timestamp node (epoch seconds) in the given format. */
struct str wire_time_text(struct arena *arena, const struct json *seconds, enum model_time time);

/* needs.c: authorises everything that the call's row asks for. False: call_fail was called. */
bool wire_authorize(struct call *call, struct auth *auth, struct needs *needs);
#endif

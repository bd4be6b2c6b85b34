/* wire.h -- the adapters of the protocols: between an HTTP request and a call. Inside src/wire, and for tests.
 *
 * A protocol adapter says whether a request is its service's, names its operation, reads its input into call->input, writes
 * call->output or a failure, and, for event streams, a structure alone. But for the first it works on struct call and buffers only,
 * so tests drive it without sockets. */
#ifndef CLOUDLESS_WIRE_WIRE_H
#define CLOUDLESS_WIRE_WIRE_H
#include "base/buf.h"
#include "call/bind.h"
#include "call/service_errors.h"

#define WIRE_DEPTH_MAX JSON_DEPTH_MAX           /* of shapes within shapes: no deeper than JSON itself */
#define WIRE_ANSWER_BYTES_MAX (64u << 20)       /* of an answer's body */
#define WIRE_PARAMETERS_MAX 4096                /* of a query string: a target of 8 KB has no more */

struct wire_protocol {
    /* Whether a request is for the model, by what it has beside its signature: target, path, or the version of a form. */
    bool (*owns)(const struct model *m, const struct http_request *request);
    bool (*find)(struct call *call);                /* sets call->operation, or call_fail and false */
    void (*read)(struct call *call);                /* sets call->input and payload, or call_fail */
    /* Append to body and to response->headers; status is set by the caller before and may be changed. */
    void (*write)(struct call *call, struct buf *body, struct http_response *response);
    void (*write_error)(struct call *call, struct buf *body, struct http_response *response);
    /* A structure in the protocol's format, for events; and the media type that it has there. */
    void (*write_tree)(struct call *call, struct buf *body, const struct model_shape *shape, const struct json *tree);
    struct str (*tree_type)(const struct call *call);
};
extern const struct wire_protocol wire_json, wire_rest_json, wire_rest_xml, wire_query, wire_cbor;
/* The one that the request speaks, of those that the API has: by its headers. */
const struct wire_protocol *wire_protocol_of(const struct service_api *api, const struct http_request *request);
/* Whether one of the model's protocols says that the request is for it. */
bool wire_owns(const struct model *m, const struct http_request *request);

struct sigv4;
struct sigv4_chain;
/* What a call that came through HTTP's door has there: its door_state. */
struct wire_exchange {
    struct http_request *request;
    const struct wire_protocol *protocol;
    struct str body;                    /* the request's, out of its encodings */
    struct sigv4 *signature;            /* that was found good; NULL: there is none */
    struct str payload; /* what stands for the body instead of its hash: UNSIGNED-PAYLOAD, how its chunks are signed */
    struct str sha256_hex;              /* of a body on its way: the hash that it has to have; STR_NONE: any */
    struct sigv4_chain *chain;          /* of a body in signed chunks */
    struct http_response response;
    bool begun;                         /* an event has been written */
    size_t nodes;                       /* made of the body: wire_may_grow */
};
static inline struct wire_exchange *wire_exchange(const struct call *call)
{
    return call->door_state;
}
static inline const struct http_request *wire_http(const struct call *call)
{
    return wire_exchange(call)->request;
}

static inline struct str wire_body(const struct call *call)
{
    return wire_exchange(call)->body;
}

/* Of the request's Content-Type, without parameters. */
struct str wire_media_type(const struct http_request *request);
/* Appends a header to an answer. */
void wire_header(struct call *call, struct http_response *response, const char *name, struct str value);
/* Of a body that json_parse or xml_parse did not take. */
void wire_fail_parse(struct call *call, enum err err);
/* Asked with each node that is made of the body: whether the memory budget has room. False: the call has failed. */
bool wire_may_grow(struct call *call);
/* The whole answer of a call that ended: body, headers, status. */
void wire_answer(struct call *call, struct http_response *ret);
/* The bare XML with which AWS's json and rest-json services answer a request that is none of theirs (404). */
void wire_write_unknown(struct buf *body);
/* An output tree as JSON with wire names. */
void wire_json_write(struct buf *buf, const struct model *m, const struct model_shape *shape, const struct json *tree);
/* What stands before the code of a failure in "__type". */
struct str wire_type_prefix(const struct call *call);
/* x-amzn-query-error: code and fault of a service whose clients knew it by query's codes. */
void wire_query_error(struct call *call, struct http_response *response);
/* A timestamp node (epoch seconds) in the given format. */
struct str wire_time_text(struct arena *arena, const struct json *seconds, enum model_time time);
#endif

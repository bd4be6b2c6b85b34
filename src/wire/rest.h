/* rest.h -- what rest-json and rest-xml share: the operation by method and path; members in the path, the query string,
 * headers and the status; and a body that is one member or holds the rest of them. Inside src/wire. */
#ifndef CLOUDLESS_WIRE_REST_H
#define CLOUDLESS_WIRE_REST_H
#include "wire/wire.h"

/* A format of bodies. `payload` is the member that is the body itself, or NULL: the members that travel in it. */
struct rest_format {
    const char *media_type;
    /* `shape` from the body, which is not empty. NULL: call_fault was called. */
    struct json *(*read)(struct call *call, const struct model_shape *shape);
    void (*write)(struct call *call, struct buf *body, const struct model_member *payload, const struct model_shape *shape,
                  const struct json *tree);
};
bool rest_owns(const struct model *m, const struct http_request *request);
bool rest_find(struct call *call);
void rest_read(struct call *call, const struct rest_format *format);
void rest_write(struct call *call, struct buf *body, struct http_response *response, const struct rest_format *format);
/* The members of a structure that travel as headers or as the status. True: Content-Type was among them. */
bool rest_write_located(struct call *call, const struct model_shape *shape, const struct json *tree,
                        struct http_response *response);
#endif

/* front.h -- whose request is it. In this order: the Host names an API; the path begins with
 * /_aws/ or /_cloudless/ or has the /restapis/{id}/{stage}/_user_request_ form; a SigV4 scope, X-Amz-Target or a service's
 * own path prefix says it is an AWS call. From inside a sandbox all of these answer except /_cloudless/. */
#ifndef CLOUDLESS_FRONT_FRONT_H
#define CLOUDLESS_FRONT_FRONT_H
#include "base/metrics.h"
#include "gateway/gateway.h"
#include "wire/door.h"
#include <stdatomic.h>

struct front;
struct front_options {
    struct door *door;
    struct gateway *gateway;
    struct services *services;          /* their pages */
    struct store *store;                /* health tells whether it can be written */
    struct sandbox_host *sandboxes;     /* health tells whether functions can be started; NULL: there are none */
    struct str default_region;
    struct workers *workers;            /* metrics are gathered there */
    struct metrics *metrics;
    const atomic_bool *ready;           /* false while the server drains: health answers 503 */
};
/* Made before the parts it leads to, because the functions' endpoint leads back to it; connected before the first request. */
struct front *front_new(void);
void front_connect(struct front *front, const struct front_options *options);
void front_free(struct front *front);
void front_handle(struct http_request *request, void *front);               /* http_handler of outside listeners */
void front_handle_inside(struct http_request *request, void *front);        /* of sandboxes' AWS endpoints */
/* Every service takes a body of that many bytes, so the limit is asked for longer ones only. */
#define FRONT_BODY_UNASKED (64u << 10)
struct http_body_plan front_body_plan(const struct http_request *headers_only, void *front);
void front_refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret, void *front);
#endif

/* door.h -- HTTP's door to calls: takes a request that front found to be an AWS call, and answers it. */
#ifndef CLOUDLESS_WIRE_DOOR_H
#define CLOUDLESS_WIRE_DOOR_H
#include "call/dispatch.h"

struct door;
/* `bindings` end with one without an API, and live as long as the door, as does calls. */
struct door *door_new(struct calls *calls, const struct service_binding *bindings);
void door_free(struct door *door);
/* By scope, target, path, version; NULL: not an AWS call that any service knows. On any request, cheap. */
const struct service_binding *door_find(const struct door *door, const struct http_request *request);
/* Whether target, path or version say that it is for this API, whatever the signature says. */
bool door_owns(const struct service_binding *of, const struct http_request *request);
void door_handle(struct door *door, const struct service_binding *of, struct http_request *request);
/* What is to become of a body whose headers are there; on its loop. */
struct http_body_plan door_body_plan(struct door *door, const struct http_request *headers_only);
/* The answer to a request that is refused before door_handle (413: over the API's body_max), for http's refuse hook.
 * False: not a status or a request that an AWS service has its own words for. */
bool door_refuse(struct door *door, const struct http_request *request, int status, struct arena *arena, struct http_response *ret);
#endif

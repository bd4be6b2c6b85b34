/* gateway.h -- the data plane of API Gateway: from an HTTP request for a stage to its integration and back.
 * Stages are compiled once per change (routes, integrations, templates) and cached a loop; dropped by store generation. */
#ifndef CLOUDLESS_GATEWAY_GATEWAY_H
#define CLOUDLESS_GATEWAY_GATEWAY_H
#include "net/http.h"
#include "call/service.h"

#define GATEWAY_BODY_BYTES_MAX (10u << 20)      /* payload quota: 10 MB */
#define GATEWAY_INTEGRATION_MS_MAX 29000        /* REST API quota: integration timeout */

struct gateway;
enum err gateway_new(const struct platform *platform, struct gateway **ret);      /* services are open */
void gateway_free(struct gateway *gateway);
/* `path` is the raw path behind the stage, beginning with '/' or empty; `domain` is what requestContext.domainName says.
 * Answers the request, now or later. */
void gateway_handle(struct gateway *gateway, struct http_request *request, struct str api_id, struct str stage, struct str path,
                    struct str domain);
/* For a request that net refuses before its body is read (413 …): AWS's answer. */
void gateway_refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret);

/* A request described instead of received, for `cloudless event`. All borrowed; path is raw, query may be STR_NONE. */
struct gateway_sample {
    struct str method, path, stage, query, body;
    struct str resource;                /* a route's path; of an HTTP API also STR_NONE: its route $default */
    struct http_header *headers;
    size_t header_count;
};
/* False: the resource's pattern is malformed or not the path's, or the event is too large. */
typedef bool gateway_sample_fn(const struct gateway_sample *sample, struct arena *arena, struct str *ret);
gateway_sample_fn gateway_sample_event;             /* of a REST API: format 1.0 */
gateway_sample_fn gateway_sample_http_event;        /* of an HTTP API: format 2.0 */
#endif

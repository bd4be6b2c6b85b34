/* gateway.h -- the data plane of API Gateway: from an HTTP request for a stage to its integration and back.
 * Stages are compiled once per change (routes, integrations, templates) and cached a loop; dropped by store generation. */
#ifndef CLOUDLESS_GATEWAY_GATEWAY_H
#define CLOUDLESS_GATEWAY_GATEWAY_H
#include "net/http.h"
#include "services/lambda/lambda.h"

#define GATEWAY_INTEGRATION_MS_MAX 29000        /* REST API quota: integration timeout */

struct gateway;
enum err gateway_new(struct store *store, struct lambda *lambda, struct loops *loops, struct workers *workers, struct gateway **ret);
void gateway_free(struct gateway *gateway);
/* `path` is the raw path behind the stage, beginning with '/' or empty; `domain` is what requestContext.domainName says.
 * Answers the request, now or later. */
void gateway_handle(struct gateway *gateway, struct http_request *request, struct str api_id, struct str stage, struct str path,
                    struct str domain);
/* For a request that net refuses before its body is read (413 …): AWS's answer. */
void gateway_refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret);
#endif

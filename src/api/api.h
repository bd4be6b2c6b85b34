/* api.h -- the AWS API's door: takes a request that front found to be an AWS call and answers it. */
#ifndef CLOUDLESS_API_API_H
#define CLOUDLESS_API_API_H
#include "api/call.h"
#include "auth/auth.h"
#include "net/worker.h"

struct api;
struct api_options {
    struct store *store;
    struct auth *auth;
    struct workers *workers;
    const struct service *const *services;      /* NULL-terminated */
    struct str default_account, default_region;
};
struct api *api_new(const struct api_options *options);
void api_free(struct api *api);
/* By scope, target prefix, path; NULL: not an AWS call that any service knows. On any request, cheap. */
const struct service *api_find_service(struct api *api, const struct http_request *request);
void api_handle(struct api *api, const struct service *service, struct http_request *request);
size_t api_body_limit(struct api *api, const struct http_request *headers_only);
/* The answer to a request that is refused before api_handle (413: over the service's body_max), for http's refuse hook.
 * False: not a status or a request that an AWS service has its own words for. */
bool api_refuse(struct api *api, const struct http_request *request, int status, struct arena *arena, struct http_response *ret);
#endif

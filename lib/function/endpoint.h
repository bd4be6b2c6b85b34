/* endpoint.h -- where a service is: the address from a URL of the environment, or AWS's own. */
#ifndef CL_ENDPOINT_H
#define CL_ENDPOINT_H
#include "internal.h"

#define CL__HOST_MAX 253        /* RFC 1035, as text */

struct cl__endpoint {
    bool tls;
    char host[CL__HOST_MAX + 1];        /* a name or an address; IPv6 without brackets */
    char port[6];
    char authority[CL__HOST_MAX + 9];   /* of the Host header: with brackets; with the port unless it is the scheme's own */
};

/* scheme://host[:port][/] with scheme http or https. CL_CONFIG and a sentence that names `variable`; *ret is untouched. */
cl_result cl__endpoint_parse(const char *variable, cl_str url, struct cl__endpoint *ret, cl_str *message);
/* AWS_ENDPOINT_URL_<variable_end>, AWS_ENDPOINT_URL, or https://service.region.<the partition's suffix>. */
cl_result cl__endpoint_of(const char *service, const char *variable_end, cl_str region, struct cl__endpoint *ret, cl_str *message);

#endif

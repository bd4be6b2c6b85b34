/* resolve.h -- a name's addresses, inside a deadline. */
#ifndef CL_RESOLVE_H
#define CL_RESOLVE_H
#include "internal.h"
#include <netdb.h>

/* CL_OK: *ret is freeaddrinfo's. CL_UNREACHABLE: there is no such name, or nobody to ask. CL_DEADLINE. Then *ret_why is a
 * phrase. deadline_ms: of cl__mono_ms, or CL__NO_DEADLINE. Without memory for a thread the deadline is not kept. */
cl_result cl__resolve(const char *host, const char *port, int64_t deadline_ms, struct addrinfo **ret, const char **ret_why);

#endif

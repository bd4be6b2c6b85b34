/* connection.h -- a kept connection to one endpoint, plain or TLS, that takes a request and gives its answer. */
#ifndef CL_CONNECTION_H
#define CL_CONNECTION_H
#include "endpoint.h"
#include "http_client.h"
#include "tls.h"

struct cl__connection {
    struct cl__endpoint endpoint;
    struct cl__tls *tls;                /* NULL: plain HTTP */
    int fd;                             /* -1: not connected */
    struct cl__http_answer answer;      /* of the last request */
};

/* endpoint is set by the caller. Reads certificates if it wants TLS; does not connect. As cl__tls_new. */
cl_result cl__connection_init(struct cl__connection *connection, cl_str *message);
void cl__connection_clear(struct cl__connection *connection);
/* Sends head and body, connecting first where needed, and reads the answer into connection->answer, its body into the
 * arena. A kept connection that the server has closed meanwhile is replaced by a new one. As cl__http_read, and CL_REFUSED
 * for a certificate that is not accepted; then, and for every failure, *message is a sentence. */
cl_result cl__connection_exchange(struct cl__connection *connection, cl_str head, cl_str body, cl_arena *arena, size_t body_max,
                                  int64_t deadline_ms, cl_str *message);

#endif

/* tls.h -- TLS as a transport of http_client.h: client side, TLS 1.2 or newer, the server's certificate and name checked.
 * A cl__tls has the trusted certificates and at most one connection at a time, over a socket of the caller's. */
#ifndef CL_TLS_H
#define CL_TLS_H
#include "http_client.h"

struct cl__tls;

/* Reads the trusted certificates: of AWS_CA_BUNDLE or SSL_CERT_FILE, or the system's. CL_CONFIG and a sentence when there
 * are none, CL_NO_MEMORY. */
cl_result cl__tls_new(struct cl__tls **ret, cl_str *message);
void cl__tls_free(struct cl__tls *tls);                 /* NULL is fine */
/* Shakes hands over fd, which stays the caller's. host: a name or an address. CL_OK; CL_REFUSED: the
 * certificate is not accepted, which trying again does not mend; CL_UNREACHABLE, CL_DEADLINE, CL_NO_MEMORY. */
cl_result cl__tls_connect(struct cl__tls *tls, int fd, const char *host, int64_t deadline_ms, cl_str *message);
/* The transport of the connection. */
struct cl__transport cl__tls_transport(struct cl__tls *tls);
/* Is the connection, with no answer under way, still one? False when the server has closed it or sent what nobody asked. */
bool cl__tls_idle(struct cl__tls *tls);
/* Ends the connection, if there is one; says so to the server without waiting. The socket is the caller's to close. */
void cl__tls_disconnect(struct cl__tls *tls);

#endif

/* tls_internal.h -- what the transport needs of the certificates. */
#ifndef CLOUDLESS_NET_TLS_INTERNAL_H
#define CLOUDLESS_NET_TLS_INTERNAL_H
#include "net/tls.h"
#include <stdint.h>

struct ssl_st;

/* A server's side of a handshake over the socket, which stays the caller's; NULL: out of memory. On a loop. */
struct ssl_st *tls__session(struct tls *tls, int fd);
/* Between looks at the files; to be changed before anything is served. */
uint64_t *tls__reload_ms(struct tls *tls);
#endif

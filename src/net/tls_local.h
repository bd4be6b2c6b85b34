/* tls_local.h -- a certificate authority of this machine's own, and a certificate of it for local names.
 *
 *   DIR/ca.pem          the authority: ECDSA P-256, ten years. By its name constraints it can speak for localhost, names
 *                       below it, 127.0.0.0/8 and ::1 only, and only for servers: whoever trusts it risks nothing else
 *   DIR/ca.key          0600; signs again when the certificate is renewed
 *   DIR/localhost.pem   what the server shows
 *   DIR/localhost.key   0600 */
#ifndef CLOUDLESS_NET_TLS_LOCAL_H
#define CLOUDLESS_NET_TLS_LOCAL_H
#include "base/arena.h"
#include "base/err.h"

struct tls_local_options {
    const char *dir;  /* made (0700) when it is not there */
    struct str names; /* as OpenSSL writes them: "DNS:localhost,DNS:*.localhost,IP:127.0.0.1" */
    int64_t now_s;    /* epoch */
    int64_t leaf_s;   /* how long a certificate is good for */
    int64_t renew_s;  /* with less than that left, or for other names, it is made anew */
};

/* Makes what lacks, cannot be used or is about to end. The authority is made anew only when it is one of these; then it has
 * to be trusted anew. *ret_made: the certificate was made; *ret_authority_made: and the authority. ERR_IO, with a message. */
enum err tls_local_make(const struct tls_local_options *options, struct arena *arena, bool *ret_made, bool *ret_authority_made,
                        struct str *ret_message);
#endif

/* https.h -- the certificates that `cloudless serve` shows: those of the command line, and one of this machine's own
 * authority for local names (DIR/tls, see net/tls_local.h), which is made at the first start and renewed while it runs. */
#ifndef CLOUDLESS_MAIN_HTTPS_H
#define CLOUDLESS_MAIN_HTTPS_H
#include "main/command.h"
#include <time.h>

#define HTTPS_AUTHORITY "tls/ca.pem" /* below the data directory */

struct https;
struct tls;

/* Begins on a thread of its own, because keys and OpenSSL's start take a millisecond or two. The data directory is locked. */
struct https *https_begin(const struct options *options);
/* Waits for it. ERR_INVALID: a certificate of the command line cannot be used; *ret_message lives as long as https. *ret_tls is
 * NULL if there are none and those for local names could not be made (logged): then plain text is all that is served. It is
 * https' own. */
enum err https_await(struct https *https, struct tls **ret_tls, struct str *ret_message);
/* After the servers and the workers. NULL is fine. */
void https_free(struct https *https);
/* True: 127.0.0.0/8, [::1] or localhost, as --listen has it. */
bool https_is_loopback(const char *address);
#endif

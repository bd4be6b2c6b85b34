/* download.h -- a URL under which the package can be fetched for ten minutes. Folder-internal. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_DOWNLOAD_H
#define CLOUDLESS_SERVICES_LAMBDA_DOWNLOAD_H
#include "base/arena.h"
#include "base/err.h"

#define LAMBDA_CODE_PATH "/_aws/lambda/code/"   /* of the URLs that GetFunction gives */

struct blobs;
struct http_request;
struct workers;
struct lambda__downloads;
struct lambda__downloads *lambda__downloads_new(struct blobs *blobs,
                                                struct workers *workers); /* with a key of its own; borrows both */
void lambda__downloads_free(struct lambda__downloads *downloads);      /* NULL is fine */
struct str lambda__download_url(const struct lambda__downloads *downloads, bool secure, struct str host, struct str blob,
                                int64_t now_ms, struct arena *arena);
/* ERR_OK: the path names a package; ERR_DENIED: not signed here; ERR_TIMEOUT: expired. */
enum err lambda__download_check(const struct lambda__downloads *downloads, struct str path, struct str query, int64_t now_ms,
                                struct arena *arena);
/* Answers a request below LAMBDA_CODE_PATH, on its loop. */
void lambda__download_serve(const struct lambda__downloads *downloads, struct http_request *request);
#endif

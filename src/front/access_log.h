/* access_log.h -- one line a request, `time=… peer=… method=… path=… …`, to a file or to stdout, by a thread of its own.
 * A loop never waits for it: what does not fit into its queue is dropped, counted, and said in the log itself. */
#ifndef CLOUDLESS_FRONT_ACCESS_LOG_H
#define CLOUDLESS_FRONT_ACCESS_LOG_H
#include "net/http.h"

struct access_log;
/* `path`: appended to, made with mode 0640; "-": stdout. queue_bytes 0: 1 MiB. ERR_IO: it cannot be opened (errno says why). */
enum err access_log_open(const char *path, size_t queue_bytes, struct access_log **ret);
void access_log_close(struct access_log *log);      /* writes what is queued; NULL is fine */
void access_log_reopen(struct access_log *log);     /* any thread: before the next line, for rotation; NULL is fine */
void access_log_add(struct access_log *log, const struct http_request *request, const struct http_served *served);  /* any thread */
uint64_t access_log_dropped(const struct access_log *log);

/* A query string without its secrets: the values of parameters that look like signatures, tokens, keys or passwords are "-". */
struct str access_log_query(struct str query, struct arena *arena);
#endif

/* runtime.h -- the Lambda Runtime API as a client sees it: one connection, asked for an event, told its answer.
 *
 * cl__runtime_send_* write an answer and, with `next`, the request for the next event behind it in the same call of the
 * system, and read what the API says of the answer; cl__runtime_next then waits for the event. Folder-internal. */
#ifndef CL_RUNTIME_H
#define CL_RUNTIME_H
#include "http_client.h"
#include <signal.h>

#define CL__EVENT_MAX        ((size_t)16 << 20)     /* Lambda's own bound is 6 MB */
#define CL__ANSWER_MAX       ((size_t)6291556)      /* Lambda's own */
#define CL__ERROR_TYPE_MAX   128
#define CL__ERROR_TEXT_MAX   2048
#define CL__REQUEST_ID_MAX   128

/* errorType and errorMessage of a function error, kept without malloc, each with a NUL behind. */
struct cl__error {
    size_t type_n, text_n;
    char type[CL__ERROR_TYPE_MAX], text[CL__ERROR_TEXT_MAX];
};
void cl__error_set(struct cl__error *error, const char *type, const char *format, ...) CL_PRINTF(3, 4);
void cl__error_vset(struct cl__error *error, const char *type, const char *format, va_list args) CL_PRINTF(3, 0);

struct cl__runtime {
    char host[256], port[8], authority[272];    /* "127.0.0.1:9001" for Host */
    int fd;                                     /* -1: not connected */
    bool asked;                                 /* a request for the next event is under way on fd */
    volatile sig_atomic_t *waiting_fd;          /* set while waiting for an event, so that SIGTERM can end the wait */
    volatile sig_atomic_t *stop;
    struct cl__http_answer http;
    char trace[1024];                           /* "_X_AMZN_TRACE_ID=…", part of the environment */
    char request_id[CL__REQUEST_ID_MAX + 1];    /* outlives the event's headers: the answer's log lines have it too */
};

/* What waiting for an event came to. */
enum cl__next { CL__NEXT_EVENT, CL__NEXT_TOO_LARGE, CL__NEXT_STOP, CL__NEXT_GONE };

/* `address`: AWS_LAMBDA_RUNTIME_API, "host:port". CL_INVALID when it is none. */
cl_result cl__runtime_open(struct cl__runtime *runtime, const char *address, volatile sig_atomic_t *waiting_fd,
                           volatile sig_atomic_t *stop);
void cl__runtime_close(struct cl__runtime *runtime);
/* Fills ctx but for its arena and arg, from headers that stay until the answer is sent; the request id stays until the next
 * call. CL__NEXT_TOO_LARGE: an event that does not fit in the arena; ctx is filled. */
enum cl__next cl__runtime_next(struct cl__runtime *runtime, cl_context *ctx, cl_str *ret_event);
/* The invocation's answer, once; `next`: ask for the next event too. An answer that is refused is logged; of an API that is
 * gone cl__runtime_next tells. */
void cl__runtime_send_response(struct cl__runtime *runtime, cl_str request_id, cl_str body, bool next);
void cl__runtime_send_error(struct cl__runtime *runtime, cl_str request_id, const struct cl__error *error, bool next);
void cl__runtime_init_error(struct cl__runtime *runtime, const struct cl__error *error);
/* A streamed answer. CL_UNREACHABLE: the server has hung up; then only the end is left to do. */
cl_result cl__runtime_stream_begin(struct cl__runtime *runtime, cl_str request_id, const char *content_type);
cl_result cl__runtime_stream_write(struct cl__runtime *runtime, cl_str bytes);
/* error NULL: all went well. The arena is for the trailers. */
void cl__runtime_stream_end(struct cl__runtime *runtime, const struct cl__error *error, cl_arena *arena, bool next);
/* An answer as the handler makes it. Without a runtime (tests) there are no streams. */
struct cl_answer {
    enum { CL__ANSWER_NULL, CL__ANSWER_JSON, CL__ANSWER_TEXT, CL__ANSWER_ERROR } kind;
    bool streaming;
    const cl_json *json;
    cl_str text;
    struct cl__error error;
    struct cl__runtime *runtime;
    const cl_context *ctx;
};
void cl__answer_too_large(cl_answer *answer);       /* the error that Lambda has for it */

#endif

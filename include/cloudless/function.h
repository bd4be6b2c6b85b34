/* function.h -- a C program as a Lambda function: one handler, called for each event of the Runtime API.
 *
 *     static void handler(cl_context *ctx, cl_str event, cl_answer *answer) { cl_answer_json(answer, …); }
 *     int main(void) { return cl_run(handler, NULL); }
 *
 * The program is the "bootstrap" of runtime provided.al2023. Source: AWS Lambda developer guide, "Using the Lambda
 * runtime API for custom runtimes". One invocation at a time; the memory of one is gone when the next begins. */
#ifndef CLOUDLESS_FUNCTION_H
#define CLOUDLESS_FUNCTION_H
#include "cloudless/json.h"
CL_BEGIN

typedef struct cl_context {
    cl_arena *arena;            /* this invocation's memory */
    cl_str request_id;
    cl_str function_arn;
    cl_str trace_id;            /* X-Ray's; also in the environment as _X_AMZN_TRACE_ID */
    cl_str client_context;      /* JSON, or empty */
    cl_str identity;            /* Cognito's, JSON, or empty */
    int64_t deadline_ms;        /* epoch */
    void *arg;                  /* what cl_run was given */
    void *user;                 /* yours: NULL when an invocation begins; `before` (http.h) leaves here what handlers need */
} cl_context;

CL_API int64_t cl_remaining_ms(const cl_context *ctx);      /* until the deadline, never below 0 */

/* The answer of an invocation. Exactly one of json, text, error, or a stream; the last one said counts. None is null. JSON and
 * text are sent after the handler has returned: of the arena, or literals, never of the handler's stack.
 * More than 6,291,556 bytes of them, Lambda's bound, become the error Function.ResponseSizeTooLarge. */
typedef struct cl_answer cl_answer;
CL_API void cl_answer_json(cl_answer *answer, const cl_json *json);
CL_API void cl_answer_text(cl_answer *answer, cl_str json_text);        /* JSON that is text already, sent as it is */
/* A function error, as Lambda shows it: {"errorType":…,"errorMessage":…}. Both are copied. */
CL_API void cl_answer_error(cl_answer *answer, const char *type, const char *format, ...) CL_PRINTF(3, 4);
/* A streamed answer: begin, then write any number of pieces, each sent at once. content_type NULL:
 * application/octet-stream. After begin the other answers are no longer possible; an error then ends the stream with
 * the Lambda-Runtime-Function-Error trailers. CL_UNREACHABLE when the server has hung up; CL_INVALID: begun twice or not at
 * all, or a content type that is none. */
CL_API cl_result cl_answer_stream(cl_answer *answer, const char *content_type);
CL_API cl_result cl_answer_write(cl_answer *answer, cl_str bytes);

typedef void cl_handler(cl_context *ctx, cl_str event, cl_answer *answer);

typedef struct cl_options {
    /* Once, before the first event; NULL: none. Anything but CL_OK, with a sentence in *message, is an initialisation
     * error: it is reported and the program ends with status 1. Clients and configuration are made here. */
    cl_result (*init)(void *arg, cl_str *message);
    void (*shutdown)(void *arg);        /* at the end, between invocations; NULL: none */
    void *arg;
    size_t memory_max;                  /* bytes an invocation's arena may hold; 0: three quarters of what the function has
                                           (AWS_LAMBDA_FUNCTION_MEMORY_SIZE), no bound where that is not set */
} cl_options;

/* Serves until SIGTERM or the Runtime API's 410, which says that the environment ends (0), or until that API goes away (1).
 * Without AWS_LAMBDA_RUNTIME_API: one line on stderr, 2. */
CL_API int cl_run(cl_handler *handler, void *arg);
CL_API int cl_run_with(cl_handler *handler, const cl_options *options);

/* An environment variable, or CL_CONFIG and a sentence that names it. Empty counts as missing. Sentences of these two stay
 * until the thread's next message of a call without an arena (base.h). */
CL_API cl_result cl_env(const char *name, cl_str *ret, cl_str *message);
/* A file of the package (LAMBDA_TASK_ROOT/name, or ./name), at most 1 MiB, kept for the life of the process; or CL_CONFIG
 * and a sentence that names it. */
CL_API cl_result cl_read_file(const char *name, cl_str *ret, cl_str *message);

CL_END
#endif

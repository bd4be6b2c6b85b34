/* runtime.c -- the life of a function's process: start, init, one invocation after the other, end.
 *
 *     cl_run_with: environment → init → { next event → handler → answer } … → shutdown → exit status
 *
 * One arena serves all invocations, reset between them. The answer of one and the request for the next leave together.
 * SIGTERM: the signal handler notes it and, while the process waits for an event, shuts the reading side of the connection
 * down, so that the wait ends at once. There is no moment between: the wait announces itself before it looks at the note.
 * An invocation whose arena failed is answered with an error, whatever its handler said: NoMemory, or Runtime.MarshalError when
 * the arena says what was no JSON. */
#include "runtime.h"
#include "cloudless/log.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#define EXIT_STOPPED 0
#define EXIT_GONE    1
#define EXIT_ALONE   2              /* no Runtime API was named */

static volatile sig_atomic_t stop, waiting_fd = -1;

static void on_sigterm(int signal_number)
{
    int saved = errno;
    (void)signal_number;
    stop = 1;
    if (waiting_fd >= 0)
        shutdown(waiting_fd, SHUT_RD);
    errno = saved;
}

int64_t cl_remaining_ms(const cl_context *ctx)
{
    int64_t left = ctx->deadline_ms - cl_now_ms();
    return left > 0 ? left : 0;
}

/* ---- answers ---- */

void cl_answer_json(cl_answer *answer, const cl_json *json)
{
    answer->kind = CL__ANSWER_JSON;
    answer->json = json;
}

void cl_answer_text(cl_answer *answer, cl_str json_text)
{
    answer->kind = CL__ANSWER_TEXT;
    answer->text = json_text;
}

void cl_answer_error(cl_answer *answer, const char *type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    cl__error_vset(&answer->error, type, format, args);
    va_end(args);
    answer->kind = CL__ANSWER_ERROR;
}

cl_result cl_answer_stream(cl_answer *answer, const char *content_type)
{
    if (!answer->runtime)
        return CL_UNREACHABLE;
    if (answer->streaming)
        return CL_INVALID;
    cl_result result = cl__runtime_stream_begin(answer->runtime, answer->ctx->request_id, content_type);
    answer->streaming = result == CL_OK;
    return result;
}

cl_result cl_answer_write(cl_answer *answer, cl_str bytes)
{
    return answer->streaming ? cl__runtime_stream_write(answer->runtime, bytes) : CL_INVALID;
}

void cl__answer_too_large(cl_answer *answer)
{
    cl_answer_error(answer, "Function.ResponseSizeTooLarge",
                    "Response payload size exceeded maximum allowed payload size (%zu bytes).", CL__ANSWER_MAX);
}

static void arena_failed(cl_answer *answer, const char *why)
{
    if (why)
        cl_answer_error(answer, "Runtime.MarshalError", "Unable to marshal response: %s", why);
    else
        cl_answer_error(answer, "NoMemory", "The invocation needs more memory than it may have");
}

static void send_answer(struct cl__runtime *runtime, cl_context *ctx, cl_answer *answer)
{
    bool next = !stop;
    cl_str text = {"null", 4};
    if (answer->kind == CL__ANSWER_TEXT)
        text = answer->text;
    if (answer->kind == CL__ANSWER_JSON && !answer->streaming) {
        cl_buf buf;
        cl_buf_init(&buf, ctx->arena, CL__ANSWER_MAX);
        cl_json_write(&buf, answer->json);
        text = cl_buf_str(&buf);
        if (buf.failed)
            cl__answer_too_large(answer);
    }
    if (answer->kind == CL__ANSWER_TEXT && !answer->streaming && text.n > CL__ANSWER_MAX)
        cl__answer_too_large(answer);
    if (cl_arena_failed(ctx->arena))
        arena_failed(answer, cl__arena_why(ctx->arena));
    bool failed = answer->kind == CL__ANSWER_ERROR;
    if (failed)
        cl_log(CL_ERROR, "%.*s: %.*s", (int)answer->error.type_n, answer->error.type, (int)answer->error.text_n,
               answer->error.text);
    if (answer->streaming) {
        if (failed)
            cl_arena_reset(ctx->arena);                         /* nothing of it is needed any more */
        cl__runtime_stream_end(runtime, failed ? &answer->error : NULL, ctx->arena, next);
    } else if (failed) {
        cl__runtime_send_error(runtime, ctx->request_id, &answer->error, next);
    } else {
        cl__runtime_send_response(runtime, ctx->request_id, text, next);
    }
}

/* ---- life ---- */

/* Invocations until the end; the exit status. */
static int serve(struct cl__runtime *runtime, cl_handler *handler, void *arg, cl_arena *arena)
{
    for (;;) {
        cl_context ctx = {.arena = arena, .arg = arg};
        cl_answer answer = {.kind = CL__ANSWER_NULL, .runtime = runtime, .ctx = &ctx};
        cl_str event;
        cl_arena_reset(arena);
        enum cl__next next = cl__runtime_next(runtime, &ctx, &event);
        if (next == CL__NEXT_STOP || next == CL__NEXT_GONE)
            return next == CL__NEXT_STOP ? EXIT_STOPPED : EXIT_GONE;
        cl__request_id = ctx.request_id;
        if (next == CL__NEXT_EVENT)
            handler(&ctx, event, &answer);
        else
            cl__arena_fail(arena);
        send_answer(runtime, &ctx, &answer);
        cl__request_id = (cl_str){NULL, 0};
    }
}

static bool initialise(struct cl__runtime *runtime, const cl_options *options)
{
    struct cl__error error;
    cl_str message = {NULL, 0};
    cl__log_check();
    cl_result result = options->init ? options->init(options->arg, &message) : CL_OK;
    if (result == CL_OK)
        return true;
    cl__error_set(&error, "Runtime.InitError", "%.*s", message.n ? (int)message.n : 21,
                  message.n ? message.p : "initialisation failed");
    cl_log(CL_FATAL, "%s: %.*s", cl_result_name(result), (int)error.text_n, error.text);
    cl__runtime_init_error(runtime, &error);
    return false;
}

/* Three quarters of what the function has, so that an error is answered before the system ends the process. */
static size_t memory_bound(const cl_options *options)
{
    const char *text = getenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    unsigned long mb = text ? strtoul(text, NULL, 10) : 0;
    return options->memory_max ? options->memory_max : mb > 0 && mb <= 1 << 20 ? (size_t)mb * (3 << 18) : 0;
}

int cl_run_with(cl_handler *handler, const cl_options *options)
{
    static struct cl__runtime runtime;
    static const cl_options none;
    const char *address = getenv("AWS_LAMBDA_RUNTIME_API");
    struct sigaction action = {.sa_handler = on_sigterm, .sa_flags = SA_RESTART}, before;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before_pipe;     /* nobody reads the log: no reason to end */
    options = options ? options : &none;
    if (!address || !*address) {
        fputs("environment variable AWS_LAMBDA_RUNTIME_API is missing: this program is a function of AWS Lambda\n", stderr);
        return EXIT_ALONE;
    }
    stop = 0, waiting_fd = -1;
    if (cl__runtime_open(&runtime, address, &waiting_fd, &stop) != CL_OK) {
        fputs("environment variable AWS_LAMBDA_RUNTIME_API is no host:port\n", stderr);
        return EXIT_ALONE;
    }
    cl_arena *arena = cl_arena_new(memory_bound(options));
    if (!arena) {
        fputs("no memory to start with\n", stderr);
        return EXIT_GONE;
    }
    sigaction(SIGTERM, &action, &before);
    sigaction(SIGPIPE, &ignore, &before_pipe);
    int status = EXIT_GONE;
    if (initialise(&runtime, options)) {
        status = serve(&runtime, handler, options->arg, arena);
        if (options->shutdown)
            options->shutdown(options->arg);
    }
    sigaction(SIGTERM, &before, NULL);
    sigaction(SIGPIPE, &before_pipe, NULL);
    cl__runtime_close(&runtime);
    cl_arena_free(arena);
    return status;
}

int cl_run(cl_handler *handler, void *arg)
{
    cl_options options = {.arg = arg};
    return cl_run_with(handler, &options);
}

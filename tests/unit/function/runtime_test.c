/* runtime_test.c -- the loop of the Runtime API against a scripted one: well-behaved, slow, cut into pieces, closing, wrong. */
#include "walk.h"
#include "cloudless/http.h"
#include "cloudless/log.h"
#include "runtime.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- a scripted server, in a thread: what it does at the n-th request ---- */

#define REQUESTS_MAX 64
#define REQUEST_MAX  (16 << 20)

struct act {
    const char *text;           /* sent; NULL: nothing */
    size_t n, piece;            /* 0: all of text; 0: in one piece */
    int delay_ms;               /* between pieces, and before the first */
    bool close;                 /* the connection, afterwards */
    bool stop;                  /* SIGTERM instead of an answer */
    bool keep_reading;          /* answers together with the next request's */
    bool early;                 /* when the request's head has come; the rest is never read */
};

static struct server {
    int listener;
    pthread_t thread;
    bool joined;
    const struct act *acts;
    size_t act_count, count, connections;
    char *requests[REQUESTS_MAX];
    size_t sizes[REQUESTS_MAX];
    char *buffer;
    size_t n;
} server;

static size_t body_end(const char *p, size_t n, size_t head)
{
    const char *length = memmem(p, head, "Content-Length: ", 16);
    if (length)
        return head + (size_t)strtoul(length + 16, NULL, 10);
    if (!memmem(p, head, "Transfer-Encoding: chunked", 26))
        return head;
    const char *end = memmem(p + head, n - head, "\r\n0\r\n", 5);
    if (!end && n - head >= 3 && memcmp(p + head, "0\r\n", 3) == 0)
        end = p + head - 2;
    const char *last = end ? memmem(end + 3, n - (size_t)(end + 3 - p), "\r\n\r\n", 4) : NULL;
    return last ? (size_t)(last + 4 - p) : SIZE_MAX;
}

static pthread_t program;              /* the thread of cl_run: as in a function, where it is the only one, signals are its */

/* One request from the connection into the record, the whole or its head; false: it was closed. */
static bool read_request(int fd, bool head_only)
{
    for (;;) {
        const char *head_end = memmem(server.buffer, server.n, "\r\n\r\n", 4);
        size_t end = head_end && head_only ? server.n : head_end ? body_end(server.buffer, server.n, (size_t)(head_end + 4 - server.buffer)) : SIZE_MAX;
        if (end <= server.n) {
            char *copy = malloc(end + 1);
            memcpy(copy, server.buffer, end);
            copy[end] = 0;
            server.requests[server.count] = copy, server.sizes[server.count++] = end;
            memmove(server.buffer, server.buffer + end, server.n -= end);
            return true;
        }
        ssize_t got = read(fd, server.buffer + server.n, REQUEST_MAX - server.n);
        if (got <= 0)
            return false;
        server.n += (size_t)got;
    }
}

static void perform(int fd, const struct act *act)
{
    size_t n = act->text ? act->n ? act->n : strlen(act->text) : 0, piece = act->piece ? act->piece : n;
    if (act->stop) {
        usleep(20000);
        pthread_kill(program, SIGTERM);
    }
    for (size_t at = 0; at < n; at += piece) {
        size_t give = n - at < piece ? n - at : piece;
        if (act->delay_ms)
            usleep((useconds_t)act->delay_ms * 1000);
        if (send(fd, act->text + at, give, MSG_NOSIGNAL | (act->keep_reading ? MSG_MORE : 0)) < 0)
            return;
    }
}

static void *serve_script(void *arg)
{
    size_t act = 0;
    int fd = -1;
    (void)arg;
    while (act < server.act_count) {
        if (fd < 0) {
            fd = accept(server.listener, NULL, NULL);
            server.n = 0, server.connections++;
        }
        if (!read_request(fd, server.acts[act].early)) {
            close(fd), fd = -1;
            continue;
        }
        perform(fd, &server.acts[act]);
        if (server.acts[act].close)
            shutdown(fd, SHUT_RDWR), close(fd), fd = -1;
        act++;
    }
    close(server.listener);
    if (fd >= 0) {
        shutdown(fd, SHUT_WR);
        char byte;
        while (read(fd, &byte, 1) > 0)
            ;
        close(fd);
    }
    return NULL;
}

static void start(const struct act *acts, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    char text[64];
    memset(&server, 0, sizeof server);
    server.acts = acts, server.act_count = count;
    server.buffer = malloc(REQUEST_MAX);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server.listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(server.listener, 8), 0);
    getsockname(server.listener, (struct sockaddr *)&address, &n);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(address.sin_port));
    setenv("AWS_LAMBDA_RUNTIME_API", text, 1);
    assert_int_equal(pthread_create(&server.thread, NULL, serve_script, NULL), 0);
}

/* The script was played to its end: what it recorded may be read. */
static void join(void)
{
    if (!server.joined)
        pthread_join(server.thread, NULL);
    server.joined = true;
}

static void finish(void)
{
    join();
    for (size_t i = 0; i < server.count; i++)
        free(server.requests[i]);
    free(server.buffer);
}

static int run(const struct act *acts, size_t count, cl_handler *handler, const cl_options *options)
{
    start(acts, count);
    int status = cl_run_with(handler, options);
    join();
    return status;
}
#define RUN(acts, handler, options) run(acts, CL__COUNT(acts), handler, options)

static void assert_starts(size_t i, const char *text)
{
    if (i >= server.count || strncmp(server.requests[i], text, strlen(text)) != 0)
        fail_msg("request %zu is not \"%s\" but \"%.300s\"", i, text, i < server.count ? server.requests[i] : "");
}

static void assert_has(size_t i, const char *text)
{
    if (i >= server.count || !memmem(server.requests[i], server.sizes[i], text, strlen(text)))
        fail_msg("request %zu has no \"%s\": \"%.600s\"", i, text, i < server.count ? server.requests[i] : "");
}

#define GET_NEXT   "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:"
#define EVENT_HEAD "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: id-1\r\n"
#define EVENT(length, body) {.text = EVENT_HEAD "Lambda-Runtime-Deadline-Ms: 99999999999999\r\nContent-Length: " length "\r\n\r\n" body}
#define ACCEPTED   {.text = "HTTP/1.1 202 Accepted\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"}
#define STOP       {.stop = true}
#define POST(what) "POST /2018-06-01/runtime/invocation/id-1/" what " HTTP/1.1\r\n"

/* ---- handlers ---- */

static struct seen {
    int calls;
    cl_str event;
    cl_context ctx;
    char trace[300];
} seen;

static void echo(cl_context *ctx, cl_str event, cl_answer *answer)
{
    seen.calls++;
    const char *trace = getenv("_X_AMZN_TRACE_ID");
    snprintf(seen.trace, sizeof seen.trace, "%s", trace ? trace : "none");
    assert_true(cl_remaining_ms(ctx) >= 0);
    assert_int_equal(strlen(event.p), event.n);
    cl_answer_text(answer, event);
}

static void test_invocations(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("7", "{\"a\":1}"), ACCEPTED, EVENT("2", "17"), ACCEPTED, STOP};
    seen.calls = 0;
    assert_int_equal(RUN(acts, echo, NULL), 0);
    assert_int_equal(seen.calls, 2);
    assert_int_equal(server.count, 5);
    assert_int_equal(server.connections, 1);
    assert_starts(0, GET_NEXT);
    assert_starts(1, POST("response"));
    assert_has(1, "\r\nContent-Length: 7\r\n\r\n{\"a\":1}");
    assert_starts(2, GET_NEXT);
    assert_has(3, "\r\n\r\n17");
    assert_starts(4, GET_NEXT);
    finish();
}

/* The event comes in the same segment as what the API says of the answer before it. */
static void test_answers_together(void **state)
{
    (void)state;
    static const struct act acts[] = {
        EVENT("1", "1"), {.text = "HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\nok", .keep_reading = true}, EVENT("1", "2"),
        {.text = "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", .keep_reading = true}, EVENT("1", "3"), ACCEPTED, STOP};
    seen.calls = 0;
    assert_int_equal(RUN(acts, echo, NULL), 0);
    assert_int_equal(seen.calls, 3);
    assert_int_equal(server.connections, 1);
    assert_has(5, "\r\n\r\n3");
    finish();
}

static void remember(cl_context *ctx, cl_str event, cl_answer *answer)
{
    assert_str(event, "null");
    assert_str(ctx->request_id, "8476a536-e9f4-11e8-9739-2dfe598c3fcd");
    assert_str(ctx->function_arn, "arn:aws:lambda:eu-central-1:000000000000:function:f");
    assert_str(ctx->trace_id, "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1");
    assert_str(ctx->client_context, "{\"client\":{\"app_title\":\"t\"}}");
    assert_str(ctx->identity, "{\"cognitoIdentityId\":\"i\"}");
    assert_true(ctx->deadline_ms == 1542409706888);
    assert_true(cl_remaining_ms(ctx) == 0);
    assert_string_equal(ctx->arg, "the argument");
    assert_string_equal(getenv("_X_AMZN_TRACE_ID"), ctx->trace_id.p);
    assert_str(cl__request_id, ctx->request_id.p);
    seen.calls++;
    (void)answer;                                               /* none: null */
}

static void no_trace(cl_context *ctx, cl_str event, cl_answer *answer)
{
    if (ctx->trace_id.n) {
        remember(ctx, event, answer);
        return;
    }
    assert_null(getenv("_X_AMZN_TRACE_ID"));
    assert_str(ctx->client_context, "");
    assert_true(cl_remaining_ms(ctx) > 800000);
}

#define FULL_EVENT {.text = "HTTP/1.1 200 OK\r\nlambda-runtime-aws-request-id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n" \
        "Lambda-Runtime-Deadline-Ms: 1542409706888\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-central-1:000000000000:function:f\r\n" \
        "Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n" \
        "Lambda-Runtime-Client-Context: {\"client\":{\"app_title\":\"t\"}}\r\nLambda-Runtime-Cognito-Identity: {\"cognitoIdentityId\":\"i\"}\r\n" \
        "Content-Length: 4\r\n\r\nnull"}

static void test_context(void **state)
{
    (void)state;
    static const struct act acts[] = {FULL_EVENT, ACCEPTED, {.text = EVENT_HEAD "Lambda-Runtime-Deadline-Ms: soon\r\nContent-Length: 1\r\n\r\n1"}, ACCEPTED,
                                      FULL_EVENT, ACCEPTED, STOP};
    char arg[] = "the argument";
    cl_options options = {.arg = arg};
    seen.calls = 0;
    assert_int_equal(RUN(acts, no_trace, &options), 0);
    assert_int_equal(seen.calls, 2);
    assert_has(1, "\r\n\r\nnull");
    finish();
}

/* ---- what servers do ---- */

static void test_slow_pieces_and_chunks(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.text = EVENT_HEAD "Content-Length: 5\r\n\r\n[1,2]", .piece = 9, .delay_ms = 1},
        {.text = "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", .piece = 3, .delay_ms = 1},
        {.text = EVENT_HEAD "Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n3;x=y\r\n,3]\r\n0\r\nX: y\r\n\r\n", .piece = 1, .delay_ms = 0},
        ACCEPTED,
        STOP,
    };
    seen.calls = 0;
    assert_int_equal(RUN(acts, echo, NULL), 0);
    assert_int_equal(seen.calls, 2);
    assert_has(1, "\r\n\r\n[1,2]");
    assert_has(3, "\r\n\r\n[1,3]");
    assert_int_equal(server.connections, 1);
    finish();
}

static void test_closing_servers(void **state)
{
    (void)state;
    static const struct act acts[] = {
        {.text = EVENT_HEAD "Connection: close\r\nContent-Length: 1\r\n\r\n1", .close = true},      /* then the answer comes on a new connection */
        {.text = "HTTP/1.1 202 Accepted\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", .close = true},
        {.close = true},                                        /* the request for an event: closed without a word */
        {.text = EVENT_HEAD "Content-Length: 10\r\n\r\n12", .close = true},                         /* cut off */
        {.text = EVENT_HEAD "Content-Length: 1\r\n\r\n2", .close = true},                           /* closed behind the event, unannounced */
        ACCEPTED,
        STOP,
    };
    seen.calls = 0;
    assert_int_equal(RUN(acts, echo, NULL), 0);
    assert_int_equal(seen.calls, 2);
    assert_has(1, "\r\n\r\n1");
    assert_has(5, "\r\n\r\n2");
    finish();
}

/* The connection breaks when the answer is under way: it is sent again. */
static void test_answer_sent_again(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("1", "1"), {.close = true}, ACCEPTED, STOP};
    assert_int_equal(RUN(acts, echo, NULL), 0);
    assert_starts(1, POST("response"));
    assert_starts(2, POST("response"));
    assert_starts(3, GET_NEXT);
    finish();
}

/* As `run`, and what the program logged. */
static int run_logged(const struct act *acts, size_t count, cl_handler *handler, const cl_options *options, const char *level, const char **ret_said)
{
    static char said[4096];
    FILE *file = tmpfile();
    int stderr_fd = dup(STDERR_FILENO);
    setenv("LOG_LEVEL", level, 1);
    dup2(fileno(file), STDERR_FILENO);
    int status = run(acts, count, handler, options);
    dup2(stderr_fd, STDERR_FILENO);
    setenv("LOG_LEVEL", "FATAL", 1);
    close(stderr_fd);
    rewind(file);
    said[fread(said, 1, sizeof said - 1, file)] = 0;
    fclose(file);
    *ret_said = said;
    return status;
}
#define RUN_LOGGED(acts, handler, options, level, said) run_logged(acts, CL__COUNT(acts), handler, options, level, said)

static void test_refused_answers(void **state)
{
    (void)state;
    static const struct act acts[] = {
        EVENT("1", "1"), {.text = "HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}", .close = true},
        EVENT("1", "2"), {.text = "HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\n{}"}, EVENT("1", "3"), ACCEPTED, STOP};
    const char *said;
    seen.calls = 0;
    assert_int_equal(RUN_LOGGED(acts, echo, NULL, "ERROR", &said), 0);
    assert_int_equal(seen.calls, 3);
    /* The request's id is the answer's too, when the event's headers have gone. */
    assert_non_null(strstr(said, "\"requestId\":\"id-1\",\"message\":\"the Runtime API refused an answer with status 400\"}"));
    finish();
}

static void much(cl_context *ctx, cl_str event, cl_answer *answer)
{
    size_t n = event.p[0] == '1' ? 6 << 20 : 1;
    char *text = cl_alloc(ctx->arena, n + 1);
    memset(text, '1', n);
    seen.calls++;
    cl_answer_text(answer, (cl_str){text, n});
}

static void stream_much(cl_context *ctx, cl_str event, cl_answer *answer)
{
    static char large[100000];
    cl_result result = event.p[0] == '1' ? cl_answer_stream(answer, NULL) : CL_UNREACHABLE;
    (void)ctx;
    seen.calls++;
    for (int i = 0; i < 1000 && result == CL_OK; i++)
        result = cl_answer_write(answer, (cl_str){large, sizeof large});
    assert_int_equal(result, CL_UNREACHABLE);
}

/* Refused before it was read, and closed: it is not sent again, and the status is known. */
static void test_answers_refused_early(void **state)
{
    (void)state;
    static const struct act acts[] = {
        EVENT("1", "1"), {.text = "HTTP/1.1 413 Payload Too Large\r\nContent-Length: 2\r\n\r\n{}", .early = true, .close = true}, EVENT("1", "2"), ACCEPTED, STOP};
    static cl_handler *const handlers[] = {much, stream_much};
    for (size_t i = 0; i < CL__COUNT(handlers); i++) {
        const char *said;
        seen.calls = 0;
        assert_int_equal(RUN_LOGGED(acts, handlers[i], NULL, "ERROR", &said), 0);
        assert_int_equal(seen.calls, 2);
        assert_starts(1, POST("response"));
        assert_starts(2, GET_NEXT);
        assert_non_null(strstr(said, "\"message\":\"the Runtime API refused an answer with status 413\"}"));
        assert_null(strstr(said, "did not take"));
        finish();
    }
}

static void test_servers_that_are_wrong(void **state)
{
    (void)state;
    static const struct act wrong[] = {
        {.text = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}"},
        {.text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"},                                 /* no request id */
        {.text = "HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: ../x\r\nContent-Length: 2\r\n\r\n{}"},
    };
    static const struct act broken[] = {{.text = "SMTP ready\r\n", .close = true}, {.text = "HTTP/1.1 20", .close = true}, {.close = true}};
    seen.calls = 0;
    for (size_t i = 0; i < CL__COUNT(wrong); i++) {
        start(&wrong[i], 1);
        assert_int_equal(cl_run(echo, NULL), 1);
        finish();
    }
    assert_int_equal(RUN(broken, echo, NULL), 1);
    assert_int_equal(server.count, 3);
    finish();
    assert_int_equal(cl_run(echo, NULL), 1);                    /* nobody listens there any more */
    assert_int_equal(seen.calls, 0);
}

static void test_large_events_and_answers(void **state)
{
    (void)state;
    size_t n = 6 << 20;
    char *text = malloc(n + 1000);
    int head = sprintf(text, EVENT_HEAD "Content-Length: %zu\r\n\r\n", n);
    memset(text + head, '7', n);
    struct act acts[] = {{.text = text, .n = (size_t)head + n}, ACCEPTED, {.text = EVENT_HEAD "Content-Length: 16777217\r\n\r\n", .close = true},
                         ACCEPTED, EVENT("1", "1"), ACCEPTED, STOP};
    seen.calls = 0;
    assert_int_equal(RUN(acts, echo, NULL), 0);
    assert_int_equal(seen.calls, 2);
    assert_true(server.sizes[1] > n && server.requests[1][server.sizes[1] - 1] == '7');
    assert_starts(3, POST("error"));                            /* the one that was too large */
    assert_has(3, "\r\nLambda-Runtime-Function-Error-Type: NoMemory\r\n");
    assert_has(5, "\r\n\r\n1");
    finish();
    free(text);
}

/* ---- answers ---- */

static void say(cl_context *ctx, cl_str event, cl_answer *answer)
{
    switch (event.p[0]) {
    case '1':
        cl_answer_error(answer, "My Error\n", "says \"%s\"", "no");
        break;
    case '2': {
        cl_json *object = cl_json_object(ctx->arena);
        cl_json_set(object, "a", cl_json_int(ctx->arena, 1));
        cl_answer_error(answer, "X", "y");
        cl_answer_json(answer, object);                         /* the last one said counts */
        break;
    }
    case '3':
        while (cl_alloc(ctx->arena, 1000))
            ;
        cl_answer_text(answer, cl_str_of("\"fine\""));
        break;
    case '4': {
        cl_json *deep = cl_json_array(ctx->arena);
        cl_answer_json(answer, deep);
        for (int i = 0; i < 600; i++)
            deep = cl_json_append(deep, cl_json_array(ctx->arena));
        break;
    }
    case '6':
        cl_answer_json(answer, cl_json_number(ctx->arena, cl_str_of("12,10")));
        break;
    case '7':
    case '8': {                                                 /* one byte more than Lambda takes, and as many as it does */
        static char text[6291558];
        memset(text, '1', sizeof text);
        cl_answer_text(answer, (cl_str){text, event.p[0] == '7' ? 6291557 : 6291556});
        break;
    }
    case '9': {
        static char text[6291556];
        memset(text, 'x', sizeof text - 1);
        cl_answer_json(answer, cl_json_string(ctx->arena, cl_str_of(text)));
        break;
    }
    case '5': {
        char message[5000];
        memset(message, '\x01', sizeof message - 1);
        message[sizeof message - 1] = 0;
        cl_answer_error(answer, message, "%s", message);
        break;
    }
    }
}

static void test_kinds_of_answers(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("1", "1"), ACCEPTED, EVENT("1", "2"), ACCEPTED, EVENT("1", "3"), ACCEPTED, EVENT("1", "4"), ACCEPTED,
                                      EVENT("1", "5"), ACCEPTED, EVENT("1", "6"), ACCEPTED, EVENT("1", "7"), ACCEPTED, EVENT("1", "8"), ACCEPTED,
                                      EVENT("1", "9"), ACCEPTED, STOP};
    cl_options options = {.memory_max = 20 << 20};
    assert_int_equal(RUN(acts, say, &options), 0);
    assert_starts(1, POST("error"));
    assert_has(1, "\r\nLambda-Runtime-Function-Error-Type: My_Error_\r\n");
    assert_has(1, "\r\n\r\n{\"errorType\":\"My Error\\n\",\"errorMessage\":\"says \\\"no\\\"\"}");
    assert_starts(3, POST("response"));
    assert_has(3, "\r\n\r\n{\"a\":1}");
    assert_starts(5, POST("error"));
    assert_has(5, "\"errorType\":\"NoMemory\"");
    assert_starts(7, POST("error"));
    assert_has(7, "{\"errorType\":\"Runtime.MarshalError\",\"errorMessage\":\"Unable to marshal response: JSON is nested too deep\"}");
    assert_starts(9, POST("error"));
    assert_has(9, "\\u0001\"}");
    assert_starts(11, POST("error"));
    assert_has(11, "{\"errorType\":\"Runtime.MarshalError\",\"errorMessage\":\"Unable to marshal response: a JSON number was to be made of text that is none\"}");
    for (size_t i = 13; i <= 17; i += 4) {
        assert_starts(i, POST("error"));
        assert_has(i, "{\"errorType\":\"Function.ResponseSizeTooLarge\",\"errorMessage\":\"Response payload size exceeded maximum allowed payload size (6291556 bytes).\"}");
    }
    assert_starts(15, POST("response"));
    finish();
}

static void takes_much(cl_context *ctx, cl_str event, cl_answer *answer)
{
    cl_alloc(ctx->arena, event.p[0] == '1' ? 700 << 10 : 900 << 10);
    cl_answer_text(answer, event);
}

/* Of a function with 1 MB an invocation may have three quarters. */
static void test_memory_of_the_function(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("1", "1"), ACCEPTED, EVENT("1", "2"), ACCEPTED, STOP};
    setenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "1", 1);
    assert_int_equal(RUN(acts, takes_much, NULL), 0);
    unsetenv("AWS_LAMBDA_FUNCTION_MEMORY_SIZE");
    assert_starts(1, POST("response"));
    assert_starts(3, POST("error"));
    assert_has(3, "NoMemory");
    finish();
}

static void stream(cl_context *ctx, cl_str event, cl_answer *answer)
{
    assert_int_equal(cl_answer_write(answer, cl_str_of("early")), CL_INVALID);
    assert_int_equal(cl_answer_stream(answer, "text/plain\r\nX: y"), CL_INVALID);
    assert_int_equal(cl_answer_stream(answer, event.p[0] == '1' ? "text/plain" : NULL), CL_OK);
    assert_int_equal(cl_answer_stream(answer, NULL), CL_INVALID);
    assert_int_equal(cl_answer_write(answer, cl_str_of("first ")), CL_OK);
    assert_int_equal(cl_answer_write(answer, cl_str_of("")), CL_OK);
    assert_int_equal(cl_answer_write(answer, cl_str_of("second, which is longer")), CL_OK);
    cl_answer_text(answer, cl_str_of("\"ignored\""));
    if (event.p[0] == '2')
        cl_answer_error(answer, "Broken", "in the middle");
    if (event.p[0] == '3')
        cl__arena_fail(ctx->arena);
}

static void test_streams(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("1", "1"), ACCEPTED, EVENT("1", "2"), ACCEPTED, EVENT("1", "3"), ACCEPTED, STOP};
    assert_int_equal(RUN(acts, stream, NULL), 0);
    assert_starts(1, POST("response"));
    assert_has(1, "\r\nContent-Type: text/plain\r\nLambda-Runtime-Function-Response-Mode: streaming\r\nTransfer-Encoding: chunked\r\n"
                  "Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body\r\n\r\n"
                  "6\r\nfirst \r\n17\r\nsecond, which is longer\r\n0\r\n\r\n");
    assert_has(3, "\r\nContent-Type: application/octet-stream\r\n");
    assert_has(3, "\r\n0\r\nLambda-Runtime-Function-Error-Type: Broken\r\nLambda-Runtime-Function-Error-Body: "
                  "eyJlcnJvclR5cGUiOiJCcm9rZW4iLCJlcnJvck1lc3NhZ2UiOiJpbiB0aGUgbWlkZGxlIn0=\r\n\r\n");
    assert_has(5, "\r\n0\r\nLambda-Runtime-Function-Error-Type: NoMemory\r\nLambda-Runtime-Function-Error-Body: ");
    assert_int_equal(server.connections, 1);
    finish();
}

/* No memory for the trailer's body: its type alone tells. */
static void stream_without_memory(cl_context *ctx, cl_str event, cl_answer *answer)
{
    char text[2000];
    (void)ctx;
    cl__malloc_countdown = event.p[0] == '1' ? 0 : -1;
    if (event.p[0] != '1')
        return;
    memset(text, 1, sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(cl_answer_stream(answer, NULL), CL_OK);
    cl_answer_error(answer, "Long", "%s", text);
}

static void test_stream_without_memory(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("1", "1"), ACCEPTED, EVENT("1", "2"), ACCEPTED, STOP};
    assert_int_equal(RUN(acts, stream_without_memory, NULL), 0);
    assert_has(1, "\r\n0\r\nLambda-Runtime-Function-Error-Type: Long\r\n\r\n");
    assert_starts(3, POST("response"));
    finish();
}

static void stream_until_broken(cl_context *ctx, cl_str event, cl_answer *answer)
{
    if (event.p[0] == '2') {
        cl_answer_text(answer, event);
        return;
    }
    (void)ctx;
    assert_int_equal(cl_answer_stream(answer, NULL), CL_OK);
    static char large[100000];
    cl_result result = CL_OK;
    for (int i = 0; i < 1000 && result == CL_OK; i++)
        result = cl_answer_write(answer, (cl_str){large, sizeof large});
    assert_int_equal(result, CL_UNREACHABLE);
    assert_int_equal(cl_answer_write(answer, cl_str_of("x")), CL_UNREACHABLE);
    assert_int_equal(cl_answer_write(answer, cl_str_of("")), CL_UNREACHABLE);
}

/* A server of its own: it closes in the middle of the stream, then gives another event. */
static void *hang_up(void *arg)
{
    char bytes[4096];
    static const char first[] = EVENT_HEAD "Content-Length: 1\r\n\r\n1", second[] = EVENT_HEAD "Content-Length: 1\r\n\r\n2";
    static const char taken[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    int listener = *(int *)arg, fd = accept(listener, NULL, NULL);
    (void)!read(fd, bytes, sizeof bytes);
    (void)!write(fd, first, sizeof first - 1);
    (void)!read(fd, bytes, sizeof bytes);
    close(fd);
    fd = accept(listener, NULL, NULL);
    (void)!read(fd, bytes, sizeof bytes);
    (void)!write(fd, second, sizeof second - 1);
    (void)!read(fd, bytes, sizeof bytes);
    (void)!write(fd, taken, sizeof taken - 1);
    close(listener);
    close(fd);                      /* and now the Runtime API is gone */
    return NULL;
}

static void test_stream_that_breaks(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    char text[64];
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, n), 0);
    assert_int_equal(listen(listener, 8), 0);
    getsockname(listener, (struct sockaddr *)&address, &n);
    snprintf(text, sizeof text, "localhost:%u", ntohs(address.sin_port));
    setenv("AWS_LAMBDA_RUNTIME_API", text, 1);
    assert_int_equal(pthread_create(&thread, NULL, hang_up, &listener), 0);
    assert_int_equal(cl_run(stream_until_broken, NULL), 1);
    pthread_join(thread, NULL);
}

/* ---- life ---- */

static cl_result init_fails(void *arg, cl_str *message)
{
    if (arg)
        *message = cl_str_of(arg);
    return CL_CONFIG;
}

static void test_init_error(void **state)
{
    (void)state;
    static const struct act acts[] = {ACCEPTED};
    char sentence[] = "environment variable TABLE_NAME is missing";
    cl_options options = {.init = init_fails, .arg = sentence};
    assert_int_equal(RUN(acts, echo, &options), 1);
    assert_int_equal(server.count, 1);
    assert_starts(0, "POST /2018-06-01/runtime/init/error HTTP/1.1\r\n");
    assert_has(0, "\r\nLambda-Runtime-Function-Error-Type: Runtime.InitError\r\n");
    assert_has(0, "\r\n\r\n{\"errorType\":\"Runtime.InitError\",\"errorMessage\":\"environment variable TABLE_NAME is missing\"}");
    finish();
    options.arg = NULL;
    assert_int_equal(RUN(acts, echo, &options), 1);
    assert_has(0, "\"initialisation failed\"");
    finish();
}

/* A level that is none is named once, when the program starts. */
static void test_log_level(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("1", "1"), ACCEPTED, EVENT("1", "2"), ACCEPTED, STOP};
    static const struct {
        const char *level, *said;
    } rows[] = {{"silly", "\"level\":\"WARN\",\"message\":\"environment variable LOG_LEVEL is \\\"silly\\\", which is no level: "
                          "expected TRACE, DEBUG, INFO, WARN, ERROR or FATAL\"}\n"}, {"info", NULL}, {"", NULL}};
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const char *said;
        assert_int_equal(RUN_LOGGED(acts, echo, NULL, rows[i].level, &said), 0);
        const char *first = strchr(said, '\n');
        assert_true(rows[i].said ? strstr(said, rows[i].said) && !first[1] : !*said);
        finish();
    }
}

static cl_result init_counts(void *arg, cl_str *message)
{
    (void)message;
    ++*(int *)arg;
    return CL_OK;
}

static void shutdown_counts(void *arg)
{
    *(int *)arg += 10;
}

static void stops_itself(cl_context *ctx, cl_str event, cl_answer *answer)
{
    pthread_kill(program, SIGTERM);
    usleep(10000);
    *(int *)ctx->arg += 100;
    cl_answer_text(answer, event);
}

/* SIGTERM within an invocation: it is answered, and no other event is asked for. Or the API says that this is the end. */
static void test_life(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("1", "1"), ACCEPTED};
    int calls = 0;
    cl_options options = {.init = init_counts, .shutdown = shutdown_counts, .arg = &calls};
    assert_int_equal(RUN(acts, stops_itself, &options), 0);
    assert_int_equal(calls, 111);
    assert_int_equal(server.count, 2);
    assert_has(1, "\r\n\r\n1");
    finish();
    static const struct act ends[] = {EVENT("1", "1"), ACCEPTED, {.text = "HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{}"}};
    assert_int_equal(RUN(ends, echo, &options), 0);
    assert_int_equal(calls, 122);
    finish();
}

static void test_environment(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:123456789", "a b:80", "[]:80", "host\n:80"};
    cl_str value = {NULL, 0}, message = {NULL, 0};
    unsetenv("AWS_LAMBDA_RUNTIME_API");
    assert_int_equal(cl_run(echo, NULL), 2);
    for (size_t i = 0; i < CL__COUNT(wrong); i++) {
        setenv("AWS_LAMBDA_RUNTIME_API", wrong[i], 1);
        assert_int_equal(cl_run(echo, NULL), 2);
    }
    setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1", 1);
    assert_int_equal(cl_run(echo, NULL), 1);
    setenv("AWS_LAMBDA_RUNTIME_API", "[::1]:1", 1);
    assert_int_equal(cl_run(echo, NULL), 1);
    unsetenv("TABLE_NAME");
    assert_int_equal(cl_env("TABLE_NAME", &value, &message), CL_CONFIG);
    assert_str(message, "environment variable TABLE_NAME is missing");
    setenv("TABLE_NAME", "", 1);
    assert_int_equal(cl_env("TABLE_NAME", &value, NULL), CL_CONFIG);
    assert_null(value.p);
    setenv("TABLE_NAME", "todos", 1);
    assert_int_equal(cl_env("TABLE_NAME", &value, &message), CL_OK);
    assert_str(value, "todos");
}

static cl_result read_one(void *arg)
{
    cl_str text = {NULL, 0}, message = {NULL, 0};
    cl_result result = cl_read_file(arg, &text, &message);
    if (result == CL_OK) {
        assert_str(text, "content\n");
        free((void *)(uintptr_t)text.p);
    } else {
        assert_null(text.p);
        assert_non_null(strstr(message.p, "page.html"));
    }
    return result;
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/runtime_test.XXXXXX", path[64], name[] = "page.html";
    assert_non_null(mkdtemp(folder));
    setenv("LAMBDA_TASK_ROOT", folder, 1);
    assert_int_equal(read_one(name), CL_CONFIG);
    snprintf(path, sizeof path, "%s/page.html", folder);
    FILE *file = fopen(path, "w");
    fputs("content\n", file);
    fclose(file);
    assert_int_equal(walk(read_one, name), 1);
    assert_int_equal(truncate(path, (1 << 20) + 1), 0);
    assert_int_equal(read_one(name), CL_CONFIG);
    unlink(path);
    rmdir(folder);
    cl_str text, message;
    assert_int_equal(cl_read_file("", &text, &message), CL_CONFIG);
    unsetenv("LAMBDA_TASK_ROOT");
}

/* ---- an application, from event to answer ---- */

static void greet(cl_context *ctx, const cl_request *request, cl_response *response, void *arg)
{
    cl_json *object = cl_json_object(ctx->arena);
    cl_json_set(object, arg, cl_json_string(ctx->arena, cl_path_parameter(request, "name")));
    cl_body_json(response, object);
}

static const cl_route routes[] = {{"GET", "/hello/{name}", greet}, {0}};
static const cl_app app = {.routes = routes};

static void test_app(void **state)
{
    (void)state;
    static const struct act acts[] = {EVENT("40", "{\"httpMethod\":\"GET\",\"path\":\"/hello/you\"}"), ACCEPTED, EVENT("1", "?"), ACCEPTED, STOP};
    char arg[] = "hello";
    cl_options options = {.arg = arg};
    start(acts, CL__COUNT(acts));
    assert_int_equal(cl_run_app(&app, &options), 0);
    join();
    assert_has(1, "{\"statusCode\":200,\"headers\":{\"Content-Type\":\"application/json\"},\"multiValueHeaders\":{},"
                  "\"body\":\"{\\\"hello\\\":\\\"you\\\"}\",\"isBase64Encoded\":false}");
    assert_has(3, "{\"statusCode\":400,");
    finish();
}

/* A row that is wrong ends the program before its first event, and is named. */
static void test_wrong_routes(void **state)
{
    static const struct {
        cl_route routes[3];
        const char *message;
    } rows[] = {
        {{{"GET", "/a", greet}, {"get", "/b", greet}}, "route 2, \\\"get /b\\\": no method of API Gateway, nor ANY"},
        {{{"GET", "a", greet}}, "route 1, \\\"GET a\\\": a path begins with '/'"},
        {{{"GET", NULL, greet}}, "route 1, \\\"GET \\\": a path begins with '/'"},
        {{{"GET", "/x/{a+}/b", greet}}, "route 1, \\\"GET /x/{a+}/b\\\": {name+} is the last segment"},
        {{{"GET", "/x/{}", greet}}, "route 1, \\\"GET /x/{}\\\": a parameter is a whole segment, {name}"},
        {{{"GET", "/x/a{b}", greet}}, "route 1, \\\"GET /x/a{b}\\\": a parameter is a whole segment, {name}"},
        {{{"GET", "/x/{+}", greet}}, "route 1, \\\"GET /x/{+}\\\": a parameter has a name"},
        {{{"GET", "/a", greet}, {"GET", "/a/", greet}}, "route 2, \\\"GET /a/\\\": a row above takes the same requests"},
        {{{"GET", "/{x}/b", greet}, {"GET", "/{y}/b", greet}}, "route 2, \\\"GET /{y}/b\\\": a row above takes the same requests"},
        {{{"ANY", "/a/{b+}", greet}, {"GET", "/a", NULL}}, "route 2, \\\"GET /a\\\": no function"},
    };
    static const struct act acts[] = {ACCEPTED};
    int calls = 0;
    (void)state;
    for (size_t i = 0; i < CL__COUNT(rows); i++) {
        const cl_app wrong = {.routes = rows[i].routes};
        const cl_options options = {.init = init_counts, .arg = &calls};
        start(acts, CL__COUNT(acts));
        assert_int_equal(cl_run_app(&wrong, &options), 1);
        join();
        assert_starts(0, "POST /2018-06-01/runtime/init/error HTTP/1.1\r\n");
        assert_has(0, rows[i].message);
        finish();
    }
    assert_int_equal(calls, 0);
}

/* ---- without memory: the n-th block, whichever it is, costs at most the invocation that asked for it ---- */

static void builds(cl_context *ctx, cl_str event, cl_answer *answer)
{
    cl_json *json = NULL;
    if (cl_json_parse(ctx->arena, event, &json, NULL) == CL_OK)
        cl_json_set(json, "more", cl_json_string(ctx->arena, cl_dup(ctx->arena, (cl_str){event.p, event.n})));
    cl_alloc(ctx->arena, 50000);
    assert_true(cl_remaining_ms(ctx) > 0);
    cl_answer_text(answer, cl_str_of("7"));
    cl_answer_json(answer, json);
}

static void streams(cl_context *ctx, cl_str event, cl_answer *answer)
{
    assert_int_equal(cl_answer_stream(answer, NULL), CL_OK);
    assert_int_equal(cl_answer_write(answer, event), CL_OK);
    if (!cl_alloc(ctx->arena, 50000))
        cl_answer_error(answer, "Mine", "%s", "no memory");
}

static int run_handler(void)
{
    return cl_run(builds, NULL);
}

static int run_options(void)
{
    return cl_run_with(streams, &(cl_options){.memory_max = 1 << 20});
}

static int run_application(void)
{
    char arg[] = "hello";
    return cl_run_app(&app, &(cl_options){.arg = arg});
}

static cl_result one_life(void *arg)
{
    static const struct act acts[] = {EVENT("40", "{\"httpMethod\":\"GET\",\"path\":\"/hello/you\"}"), ACCEPTED, STOP};
    int (*const *live)(void) = arg;
    long countdown = cl__malloc_countdown;
    cl__malloc_countdown = -1;
    start(acts, CL__COUNT(acts));
    cl__malloc_countdown = countdown;
    int status = (*live)();
    bool ran = status == 0, answered = false;
    if (!ran) {                                                 /* not even the arena: let the script run to its end */
        cl__malloc_countdown = -1;
        assert_int_equal(countdown, 0);
        assert_int_equal((*live)(), 0);
    } else {
        answered = strstr(server.requests[1], "/response HTTP") && !strstr(server.requests[1], "NoMemory");
        assert_true(answered || strstr(server.requests[1], "NoMemory"));
    }
    finish();
    return answered ? CL_OK : CL_NO_MEMORY;
}

static void test_without_memory(void **state)
{
    (void)state;
    static int (*const lives[])(void) = {run_handler, run_options, run_application};
    for (size_t i = 0; i < CL__COUNT(lives); i++)
        assert_true(walk(one_life, (void *)(uintptr_t)&lives[i]) >= 2);
    /* These two need none for their sentences. */
    cl_str value = {NULL, 0}, message = {NULL, 0};
    cl__malloc_countdown = 0;
    unsetenv("TABLE_NAME");
    cl_result missing = cl_env("TABLE_NAME", &value, &message), file = cl_read_file("no-such-file", &value, &message);
    cl__malloc_countdown = -1;
    assert_int_equal(missing, CL_CONFIG);
    assert_int_equal(file, CL_CONFIG);
    assert_str(message, "file no-such-file of the package cannot be opened");
    assert_int_equal(cl_env("TABLE_NAME", &value, NULL), CL_CONFIG);
    assert_int_equal(cl_read_file("no-such-file", &value, NULL), CL_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_invocations),
        cmocka_unit_test(test_answers_together),
        cmocka_unit_test(test_context),
        cmocka_unit_test(test_slow_pieces_and_chunks),
        cmocka_unit_test(test_closing_servers),
        cmocka_unit_test(test_answer_sent_again),
        cmocka_unit_test(test_refused_answers),
        cmocka_unit_test(test_answers_refused_early),
        cmocka_unit_test(test_servers_that_are_wrong),
        cmocka_unit_test(test_large_events_and_answers),
        cmocka_unit_test(test_kinds_of_answers),
        cmocka_unit_test(test_memory_of_the_function),
        cmocka_unit_test(test_streams),
        cmocka_unit_test(test_stream_without_memory),
        cmocka_unit_test(test_stream_that_breaks),
        cmocka_unit_test(test_app),
        cmocka_unit_test(test_wrong_routes),
        cmocka_unit_test(test_log_level),
        cmocka_unit_test(test_init_error),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_without_memory),
    };
    program = pthread_self();
    alarm(120);                         /* a bound for a wait that never ends, not an expectation */
    setenv("LOG_LEVEL", "FATAL", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

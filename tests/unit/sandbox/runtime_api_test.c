/* runtime_api_test.c -- the Runtime API against a scripted client over a socket: every state, every refusal, the hooks. */
#include "sandbox/runtime_api.h"
#include "net/http_conn.h"
#include "base/panic.h"
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <cmocka.h>

#define ID "8476a536-e9f4-11e8-9739-2dfe598c3fcd"
#define WAIT_MS 5000

/* ---- the server's side: what happens is written down, and each ready sends the next event if one is set ---- */

static struct loops *loops;
static struct http_server *server;
static struct runtime_api *api;
static struct runtime_event event;
static atomic_bool send_at_ready, started_anew;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char happened[4096];
static enum err sent;

static void note(const char *what, struct str id, struct str type, struct str body)
{
    pthread_mutex_lock(&lock);
    size_t n = strlen(happened);
    snprintf(happened + n, sizeof happened - n, "%s(%.*s,%.*s,%.*s) ", what, STR_ARG(id), STR_ARG(type),
             (int)(body.n < 60 ? body.n : 60), body.p ? body.p : "");
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_ready(void *arg)
{
    (void)arg;
    note("ready", STR_NONE, STR_NONE, STR_NONE);
    if (send_at_ready)
        assert_int_equal(runtime_api_send(api, &event), ERR_OK);
}

static void on_response(void *arg, struct str id, struct str body)
{
    (void)arg;
    note("response", id, STR_NONE, body);
}

static void on_error(void *arg, struct str id, struct str type, struct str body)
{
    (void)arg;
    note("error", id, type, body);
}

static void on_init_error(void *arg, struct str type, struct str body)
{
    (void)arg;
    note("init_error", STR_NONE, type, body);
}

static void on_too_large(void *arg, struct str id, size_t bytes)
{
    char text[32];
    (void)arg;
    snprintf(text, sizeof text, "%zu", bytes);
    note("too_large", id, str_of(text), STR_NONE);
}

static bool on_asked(void *arg, uint16_t peer_port)
{
    (void)arg;
    assert_int_not_equal(peer_port, 0);
    return started_anew;
}

static void on_closed(void *arg)
{
    (void)arg;
    note("closed", STR_NONE, STR_NONE, STR_NONE);
}

static void wait_for(const char *what)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&lock);
    while (!strstr(happened, what))
        if (pthread_cond_timedwait(&changed, &lock, &limit) != 0)
            fail_msg("no %s in: %s", what, happened);
    pthread_mutex_unlock(&lock);
}

/* How often WHAT has happened so far. */
static int times(const char *what)
{
    int n = 0;
    pthread_mutex_lock(&lock);
    for (const char *at = happened; (at = strstr(at, what)); at++)
        n++;
    pthread_mutex_unlock(&lock);
    return n;
}

/* ---- on the loop ---- */

static struct call {
    struct loop_task task;
    void (*run)(void);
    bool done;
} call;

static void run_call(struct loop_task *task)
{
    (void)task;
    call.run();
    pthread_mutex_lock(&lock);
    call.done = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void on_loop(void (*run)(void))
{
    call = (struct call){.task.run = run_call, .run = run};
    loop_post(loops_at(loops, 0), &call.task);
    pthread_mutex_lock(&lock);
    while (!call.done)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

static int port;
static void open_api(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    ENSURE(bind(fd, (struct sockaddr *)&at, sizeof at) == 0 && listen(fd, 8) == 0);
    getsockname(fd, (struct sockaddr *)&at, &size);
    port = ntohs(at.sin_port);
    const struct runtime_api_hooks hooks = {on_ready,     on_response, on_error, on_init_error,
                                            on_too_large, on_closed,   on_asked, NULL};
    ENSURE(runtime_api_open(server, loops_at(loops, 0), fd, NULL, &hooks, &api) == ERR_OK);
}

static void close_api(void)
{
    runtime_api_close(api);
}

static void dismiss(void)
{
    runtime_api_dismiss(api);
}

static void send_event(void)
{
    sent = runtime_api_send(api, &event);
}

static int start(void **state)
{
    (void)state;
    happened[0] = '\0';
    send_at_ready = true;
    started_anew = false;
    event = (struct runtime_event){.request_id = STR(ID), .function_arn = STR("arn:aws:lambda:us-east-1:123456789012:function:f"),
        .trace_id = STR("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"), .payload = STR("{\"a\":1}"), .deadline_ms = 1542409706888};
    loops = loops_new(1);
    server = http_server_new(loops);
    loops_start(loops);
    on_loop(open_api);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    if (api) {
        on_loop(close_api);
        wait_for("closed(");
    }
    api = NULL;
    loops_stop(loops);
    http_server_free(server);
    loops_free(loops);
    return 0;
}

/* ---- the client ---- */

static char answer[16384];

static int dial(void)
{
    int s = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    assert_int_equal(connect(s, (struct sockaddr *)&at, sizeof at), 0);
    return s;
}

static void say(int s, const char *text)
{
    assert_int_equal(send(s, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until `count` heads with their bodies have come; all of it stands in `answer`. */
static void hear(int s, int count)
{
    size_t n = 0;
    answer[0] = '\0';
    for (const char *from = answer; count > 0;) {
        const char *end = strstr(from, "\r\n\r\n"), *length = end ? strcasestr(from, "\r\nContent-Length:") : NULL;
        if (end && length && length < end && answer + n >= end + 4 + atoi(length + 17)) {
            from = end + 4 + atoi(length + 17);
            count--;
            continue;
        }
        struct pollfd watch = {s, POLLIN, 0};
        assert_int_equal(poll(&watch, 1, WAIT_MS), 1);
        ssize_t got = recv(s, answer + n, sizeof answer - 1 - n, 0);
        if (got <= 0)
            fail_msg("connection ended after: %s", answer);
        n += (size_t)got;
        answer[n] = '\0';
    }
}

static void expect(const char *text)
{
    if (!strstr(answer, text))
        fail_msg("no \"%s\" in: %s", text, answer);
}

#define NEXT "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n\r\n"
#define POST(path, headers, body, length) \
    "POST /2018-06-01/runtime/" path " HTTP/1.1\r\nHost: 127.0.0.1:9001\r\n" headers "Content-Length: " length "\r\n\r\n" body

/* ---- tests ---- */

static void test_an_invocation(void **state)
{
    (void)state;
    event.client_context = STR("{\"custom\":\r\n{\"k\":\"v\"}}");
    event.cognito_identity = STR("{\"cognitoIdentityId\":\"i\"}");
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    expect("HTTP/1.1 200 OK\r\n");
    expect("\r\nContent-Type: application/json\r\n");
    expect("\r\nLambda-Runtime-Aws-Request-Id: " ID "\r\n");
    expect("\r\nLambda-Runtime-Deadline-Ms: 1542409706888\r\n");
    expect("\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:123456789012:function:f\r\n");
    expect("\r\nLambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700\r\n");
    expect("\r\nLambda-Runtime-Client-Context: {\"custom\":  {\"k\":\"v\"}}\r\n");
    expect("\r\nLambda-Runtime-Cognito-Identity: {\"cognitoIdentityId\":\"i\"}\r\n");
    expect("\r\n\r\n{\"a\":1}");
    say(s, POST("invocation/" ID "/response", "", "[2]", "3"));
    hear(s, 1);
    expect("HTTP/1.1 202 Accepted\r\n");
    expect("{\"status\":\"OK\"}\n");
    wait_for("response(" ID ",,[2])");
    close(s);
}

static void test_headers_that_are_absent(void **state)
{
    (void)state;
    event.trace_id = STR_NONE;
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    assert_null(strstr(answer, "Trace-Id"));
    assert_null(strstr(answer, "Client-Context"));
    assert_null(strstr(answer, "Cognito"));
    close(s);
}

static void test_answer_and_next_in_one_piece(void **state)
{
    (void)state;
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    for (int i = 0; i < 50; i++) {
        say(s, POST("invocation/" ID "/response", "", "1", "1") NEXT);
        hear(s, 2);
        expect("HTTP/1.1 202");
        expect("HTTP/1.1 200");
    }
    close(s);
}

static void test_an_error(void **state)
{
    (void)state;
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    say(s, POST("invocation/" ID "/error", "Lambda-Runtime-Function-Error-Type: Unhandled\r\n", "{\"errorMessage\":\"m\"}", "20"));
    hear(s, 1);
    expect("HTTP/1.1 202");
    wait_for("error(" ID ",Unhandled,{\"errorMessage\":\"m\"})");
    close(s);
}

/* A streamed answer that ended badly. */
static void test_an_error_in_trailers(void **state)
{
    (void)state;
    static const struct { const char *trailers, *happened;
    } rows[] = {
        {"Lambda-Runtime-Function-Error-Type: Late\r\nLambda-Runtime-Function-Error-Body: eyJhIjoxfQ==\r\n",
         "error(" ID ",Late,{\"a\":1}) "},
        {"lambda-runtime-function-error-type:Late\r\n", "error(" ID ",Late,) "},
        {"Lambda-Runtime-Function-Error-Type: Late\r\nLambda-Runtime-Function-Error-Body: {}\r\n", "error(" ID ",Late,{}) "},
        {"Other: x\r\n", "response(" ID ",,abc) "},
    };
    int s = dial();
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        say(s, NEXT);
        hear(s, 1);
        say(s, "POST /2018-06-01/runtime/invocation/" ID
               "/response HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n");
        say(s, rows[i].trailers);
        say(s, "\r\n");
        hear(s, 1);
        expect("HTTP/1.1 202");
        wait_for(rows[i].happened);
    }
    close(s);
}

static void test_an_init_error(void **state)
{
    (void)state;
    int s = dial();
    say(s, POST("init/error", "Lambda-Runtime-Function-Error-Type: Runtime.ImportModuleError\r\n", "{}", "2"));
    hear(s, 1);
    expect("HTTP/1.1 202");
    wait_for("init_error(,Runtime.ImportModuleError,{})");
    say(s, NEXT);
    hear(s, 1);
    say(s, POST("init/error", "", "{}", "2"));
    hear(s, 1);
    expect("HTTP/1.1 403");
    expect("\"errorType\":\"InvalidStateTransition\"");
    close(s);
}

static void test_wrong_request_ids(void **state)
{
    (void)state;
    int s = dial();
    say(s, POST("invocation/" ID "/response", "", "1", "1"));       /* nothing runs */
    hear(s, 1);
    expect("HTTP/1.1 400");
    say(s, NEXT);
    hear(s, 1);
    static const char *const wrong[] = {
        POST("invocation/other/response", "", "1", "1"), POST("invocation/other/error", "", "1", "1"),
        POST("invocation/" ID "x/response", "", "1", "1"),
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        say(s, wrong[i]);
        hear(s, 1);
        expect("HTTP/1.1 400 Bad Request\r\n");
        expect("{\"errorMessage\":\"Invalid request ID\",\"errorType\":\"InvalidRequestID\"}");
    }
    say(s, POST("invocation/" ID "/response", "Lambda-Runtime-Function-Response-Mode: odd\r\n", "1", "1"));
    hear(s, 1);
    expect("InvalidResponseFunctionMode");
    say(s, POST("invocation/" ID "/response", "", "1", "1"));
    hear(s, 1);
    expect("HTTP/1.1 202");
    say(s, POST("invocation/" ID "/response", "", "1", "1"));       /* a second time */
    hear(s, 1);
    expect("HTTP/1.1 403");
    expect("InvalidStateTransition");
    assert_int_equal(times("response(" ID ",,1)"), 1);
    assert_int_equal(times("response("), 1);
    close(s);
}

/* What is refused whatever its body says is answered before that comes, and it is not waited for. */
static void test_bodies_that_nobody_wants(void **state)
{
    (void)state;
    static const struct {
        const char *request, *status;
    } cases[] = {
        {POST("invocation/" ID "x/response", "", "", "6000000"), "HTTP/1.1 400"},
        {POST("invocation/" ID "x/error", "", "", "5000000000"), "HTTP/1.1 400"},
        {"POST /2018-06-01/runtime/invocation/other/response HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
         "HTTP/1.1 400"},
        {POST("invocation/" ID "/response", "Lambda-Runtime-Function-Response-Mode: odd\r\n", "", "6000000"), "HTTP/1.1 400"},
        {POST("init/error", "", "", "6000000"), "HTTP/1.1 403"},
        {POST("invocation/" ID "/nothing", "", "", "6000000"), "HTTP/1.1 404"},
        {POST("invocation/next", "", "", "6000000"), "HTTP/1.1 405"},
    };
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        int other = dial();
        say(other, cases[i].request);
        hear(other, 1);
        expect(cases[i].status);
        assert_int_equal(recv(other, answer, sizeof answer, 0), 0); /* it is over */
        close(other);
    }
    say(s, POST("invocation/" ID "/response", "", "1", "1"));
    hear(s, 1);
    expect("HTTP/1.1 202");
    close(s);
}

static void quick_limits(void)
{
    struct http_limits *limits = http__server_limits(server);
    limits->header_ms = limits->body_stall_ms = limits->idle_ms = 100;
    limits->linger_ms = 20;
}

/* Half a head and half an answer end with 408; a runtime that waits, one whose handler works and one that streams go on. */
static void test_time_limits(void **state)
{
    (void)state;
    on_loop(quick_limits);
    int s = dial(), head = dial(), half = dial();
    say(s, NEXT);
    hear(s, 1);
    say(head, "POST /2018-06-01/runtime/invo");
    say(half, POST("invocation/" ID "/response", "", "x", "6000000"));
    hear(head, 1);
    expect("HTTP/1.1 408");
    hear(half, 1);
    expect("HTTP/1.1 408");
    assert_int_equal(times("response("), 0);
    close(head), close(half);
    int stream = dial(), another = dial();
    say(stream, "POST /2018-06-01/runtime/invocation/" ID "/response HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n"
                "Lambda-Runtime-Function-Response-Mode: streaming\r\n\r\n3\r\none\r\n");
    say(another, "POST /2018-06-01/runtime/invo");
    hear(another, 1); /* later than it began, and that one waits still */
    expect("HTTP/1.1 408");
    close(another);
    say(stream, "3\r\ntwo\r\n0\r\n\r\n");
    hear(stream, 1);
    expect("HTTP/1.1 202");
    assert_int_equal(times("response(" ID ",,onetwo)"), 1);
    send_at_ready = false;
    say(s, NEXT);
    wait_for("ready(,,) response(" ID ",,onetwo) ready(");
    say(another = dial(), "POST /2018-06-01/runtime/invo");
    hear(another, 1);
    expect("HTTP/1.1 408");
    on_loop(send_event);
    hear(s, 1);
    expect("HTTP/1.1 200");
    close(s), close(stream), close(another);
}

static void test_next_while_running(void **state)
{
    (void)state;
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    say(s, NEXT);
    hear(s, 1);
    expect("HTTP/1.1 403");
    close(s);
}

static void test_a_second_next_takes_over(void **state)
{
    (void)state;
    send_at_ready = false;
    int first = dial(), second = dial();
    say(first, NEXT);
    wait_for("ready(");
    say(second, NEXT);
    hear(first, 1);
    expect("HTTP/1.1 403");
    on_loop(send_event);
    assert_int_equal(sent, ERR_OK);
    hear(second, 1);
    expect("HTTP/1.1 200");
    on_loop(send_event);
    assert_int_equal(sent, ERR_BUSY);
    assert_int_equal(times("ready("), 1);
    close(first);
    close(second);
}

/* The one before had an invocation, or waited for one. */
static void test_a_program_started_anew(void **state)
{
    (void)state;
    int first = dial(), second = dial();
    say(first, NEXT);
    hear(first, 1);
    started_anew = true;
    say(second, NEXT);
    hear(second, 1);
    expect("HTTP/1.1 200");
    send_at_ready = false;
    say(second, NEXT);
    wait_for("ready(,,) ready(,,) ready(");
    say(first, NEXT);
    hear(second, 1);
    expect("HTTP/1.1 403");
    wait_for("ready(,,) ready(,,) ready(,,) ready(");
    on_loop(send_event);
    hear(first, 1);
    expect("HTTP/1.1 200");
    close(first);
    close(second);
}

static void test_a_client_that_is_dismissed(void **state)
{
    (void)state;
    send_at_ready = false;
    on_loop(dismiss);                       /* nobody waits */
    int s = dial();
    for (int i = 0; i < 2; i++) {
        say(s, NEXT);
        wait_for(i ? "ready(,,) ready(" : "ready(");
        on_loop(dismiss);
        hear(s, 1);
        expect("HTTP/1.1 410");
        expect("Runtime.Closed");
    }
    on_loop(send_event);
    assert_int_equal(sent, ERR_BUSY);
    close(s);
}

static void test_a_client_that_left(void **state)
{
    (void)state;
    send_at_ready = false;
    int s = dial();
    say(s, NEXT);
    wait_for("ready(");
    close(s);
    usleep(50000);
    on_loop(send_event);
    assert_int_equal(sent, ERR_OK);         /* goes nowhere; its process is ending */
}

/* As many as the server takes. */
static void send_bytes(int s, size_t count)
{
    char *body = mem_alloc(count);
    memset(body, 'a', count);
    for (size_t n = 0; n < count;) {
        ssize_t more = send(s, body + n, count - n, MSG_NOSIGNAL);
        if (more <= 0)
            break;
        n += (size_t)more;
    }
    free(body);
}

static void test_too_large(void **state)
{
    (void)state;
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    say(s, POST("invocation/" ID "/response", "", "", "6291557"));
    hear(s, 1);
    expect("HTTP/1.1 413");
    expect("RequestEntityTooLarge");
    wait_for("too_large(" ID ",6291557,)");
    close(s);
    s = dial();                             /* the environment lives on */
    say(s, NEXT);
    hear(s, 1);
    expect("HTTP/1.1 200");
    say(s,
        "POST /2018-06-01/runtime/invocation/" ID "/response HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n600065\r\n");
    send_bytes(s, 0x600065);
    hear(s, 1);
    expect("HTTP/1.1 413");
    wait_for("too_large(" ID ",6291557,) ready(,,) too_large(" ID ",6291557,)");
    close(s);
}

static void test_largest_answer(void **state)
{
    (void)state;
    int s = dial();
    say(s, NEXT);
    hear(s, 1);
    say(s, POST("invocation/" ID "/response", "", "", "6291556"));
    send_bytes(s, RUNTIME_RESPONSE_BYTES_MAX);
    hear(s, 1);
    expect("HTTP/1.1 202");
    close(s);
}

static void test_what_is_not_there(void **state)
{
    (void)state;
    int s = dial();
    static const struct { const char *request, *status; } cases[] = {
        {"GET / HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404"},
        {"GET /2018-06-01/runtime/restore/next HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404"},
        {"GET /2020-01-01/extension/event/next HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404"},
        {"GET /2018-06-01/runtime/invocation//response HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 404"},
        {"GET /2018-06-01/runtime/invocation/" ID "/response HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405"},
        {"GET /2018-06-01/runtime/init/error HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 405"},
        {POST("invocation/next", "", "", "0"), "HTTP/1.1 405"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        say(s, cases[i].request);
        hear(s, 1);
        expect(cases[i].status);
    }
    close(s);
}

static void test_close_while_waiting(void **state)
{
    (void)state;
    send_at_ready = false;
    int s = dial();
    say(s, NEXT);
    wait_for("ready(");
    on_loop(close_api);
    wait_for("closed(");
    api = NULL;
    close(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_an_invocation),
        TEST(test_headers_that_are_absent),
        TEST(test_answer_and_next_in_one_piece),
        TEST(test_an_error),
        TEST(test_an_error_in_trailers),
        TEST(test_an_init_error),
        TEST(test_wrong_request_ids),
        TEST(test_bodies_that_nobody_wants),
        TEST(test_time_limits),
        TEST(test_next_while_running),
        TEST(test_a_second_next_takes_over),
        TEST(test_a_client_that_left),
        TEST(test_too_large),
        TEST(test_largest_answer),
        TEST(test_what_is_not_there),
        TEST(test_close_while_waiting),
        TEST(test_a_program_started_anew),
        TEST(test_a_client_that_is_dismissed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

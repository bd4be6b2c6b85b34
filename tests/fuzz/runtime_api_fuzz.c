/* runtime_api_fuzz.c -- what a function says to sandbox/runtime_api.h: any bytes over a socket, where each GET next gets an
 * invocation at once. The first of an input is that of a program that was started anew.
 *
 * Properties: an answer or an error is of the invocation that was given last, and comes once; there is none before one was given;
 * the connection ends once its client has sent everything. */
#include "server_idle.h"
#include "base/panic.h"
#include "net/http_conn.h"
#include "sandbox/runtime_api.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES_MAX 16384

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct http_server *server;
static struct runtime_api *api;
static int port;
static atomic_bool anew;

/* On the loop only. */
static bool running;

static void on_ready(void *arg)
{
    (void)arg;
    const struct runtime_event event = {.request_id = STR("00000000-0000-4000-8000-000000000001"),
                                        .function_arn = STR("arn:aws:lambda:us-east-1:000000000000:function:f"),
                                        .trace_id = STR("Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
                                        .payload = STR("{}"),
                                        .deadline_ms = 1};
    ENSURE(runtime_api_send(api, &event) == ERR_OK);
    running = true;
}

static void check_end(struct str id)
{
    ENSURE(running && str_eq(id, STR("00000000-0000-4000-8000-000000000001")));
    running = false;
}

static void on_response(void *arg, struct str id, struct str body)
{
    (void)arg;
    check_end(id);
    ENSURE(body.n <= RUNTIME_RESPONSE_BYTES_MAX);
}

static void on_error(void *arg, struct str id, struct str type, struct str body)
{
    (void)arg, (void)type, (void)body;
    check_end(id);
}

static void on_init_error(void *arg, struct str type, struct str body)
{
    (void)arg, (void)type, (void)body;
    ENSURE(!running);
}

static void on_too_large(void *arg, struct str id, size_t bytes)
{
    (void)arg;
    check_end(id);
    ENSURE(bytes > RUNTIME_RESPONSE_BYTES_MAX);
}

static void on_closed(void *arg)
{
    (void)arg;
}

static bool on_asked(void *arg, uint16_t peer_port)
{
    (void)arg, (void)peer_port;
    return atomic_exchange(&anew, false);
}

static struct loops *loops;
static atomic_bool opened;

static void open_api(struct loop_task *task)
{
    (void)task;
    static const struct runtime_api_hooks hooks = {on_ready,     on_response, on_error, on_init_error,
                                                   on_too_large, on_closed,   on_asked, NULL};
    int fd = -1;
    ENSURE(http_bind(STR("127.0.0.1:0"), &fd) == ERR_OK);
    struct sockaddr_in in;
    socklen_t n = sizeof(in);
    ENSURE(getsockname(fd, (struct sockaddr *)&in, &n) == 0);
    port = ntohs(in.sin_port);
    ENSURE(runtime_api_open(server, loops_at(loops, 0), fd, NULL, &hooks, &api) == ERR_OK);
    atomic_store(&opened, true);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    static struct loop_task task = {.run = open_api};
    loops = loops_new(1);
    server = http_server_new(loops);
    struct http_limits *limits = http__server_limits(server);
    limits->body_stall_ms = limits->write_stall_ms = limits->linger_ms = 20;
    loops_start(loops);
    loop_post(loops_at(loops, 0), &task);
    while (!atomic_load(&opened))
        sched_yield();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > INPUT_BYTES_MAX)
        return 0;
    atomic_store(&anew, true);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ENSURE(fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
    struct timeval wait = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger)); /* no ports in TIME_WAIT */
    if (size)
        (void)!send(fd, data, size, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    static char answers[1 << 16];
    while (recv(fd, answers, sizeof answers, 0) > 0)
        ;
    close(fd);
    await_server_idle(server);
    return 0;
}

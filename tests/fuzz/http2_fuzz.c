/* http2_fuzz.c -- any bytes behind the preface of HTTP/2, through nghttp2 and what we do with its frames, over a socket, with
 * handlers that echo, stream, keep pieces and refuse.
 *
 * Properties: a request that reaches its handler has a method, a path and one host, names in lower case, values without
 * control characters, and no more headers than its limits; what comes back is whole frames of at most 16,384 bytes; the
 * connection ends once its client has sent everything; and then no body, no request and no connection is left. */
#include "server_idle.h"
#include "base/panic.h"
#include "net/http_conn.h"
#include "net/worker.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES_MAX 16384
#define HEADERS_MAX 16
#define HEADER_BYTES_MAX 2048

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

static struct http_server *server;
static int port;

struct passing {
    struct body_sink sink;
    struct body_producer producer;
    struct body_reader *reader;
    struct body_writer *writer;
    struct str rest;
};

static enum body_want pass_back(struct body_sink *sink, struct str piece)
{
    struct passing *passing = CONTAINER_OF(sink, struct passing, sink);
    passing->rest = piece;
    return body_write(passing->writer, &passing->rest) == ERR_BUSY ? BODY_KEEP : BODY_MORE;
}

static void pass_on(struct body_producer *producer)
{
    struct passing *passing = CONTAINER_OF(producer, struct passing, producer);
    if (passing->rest.n && body_write(passing->writer, &passing->rest) != ERR_BUSY)
        body_next(passing->reader);
}

static void pass_end(struct body_sink *sink, enum body_end how)
{
    struct passing *passing = CONTAINER_OF(sink, struct passing, sink);
    if (how == BODY_WHOLE)
        body_finish(passing->writer);
    else
        body_abort(passing->writer);
}

static void check_request(const struct http_request *request)
{
    size_t hosts = 0, bytes = 0;
    ENSURE(request->method.n > 0 && request->host.p && request->header_count <= HEADERS_MAX + 1);
    ENSURE(request->path.n > 0 && (request->path.p[0] == '/' || str_eq(request->path, STR("*"))));
    for (size_t i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name, value = request->headers[i].value;
        hosts += str_eq(name, STR("host"));
        bytes += name.n + value.n;
        ENSURE(name.n > 0 && name.p[0] != ':' && !str_eq(name, STR("connection")) && !str_eq(name, STR("transfer-encoding")));
        for (size_t at = 0; at < name.n; at++)
            ENSURE((unsigned char)name.p[at] > ' ' && !(name.p[at] >= 'A' && name.p[at] <= 'Z'));
        for (size_t at = 0; at < value.n; at++)
            ENSURE(value.p[at] != 0 && value.p[at] != '\r' && value.p[at] != '\n');
    }
    ENSURE(hosts == 1 && bytes <= 2 * HEADER_BYTES_MAX && request->body.n <= 4096);
}

static void on_request(struct http_request *request, void *arg)
{
    (void)arg;
    check_request(request);
    if (request->path.n > 1 && request->path.p[1] == 's') { /* comes and goes in pieces */
        struct passing *passing = arena_zalloc(request->arena, sizeof(*passing));
        passing->sink = (struct body_sink){.piece = pass_back, .end = pass_end};
        passing->producer.writable = pass_on;
        passing->reader = http_body(request);
        passing->writer = http_stream(request, &(struct http_response){.status = 200}, HTTP_LENGTH_UNKNOWN, &passing->producer);
        body_read(passing->reader, &passing->sink);
    } else {
        http_respond_text(request, request->path.n > 1 && request->path.p[1] == 'n' ? 403 : 200, "text/plain", request->body);
    }
}

static struct http_body_plan plan(const struct http_request *request, void *arg)
{
    (void)arg;
    bool stream = request->path.n > 1 && (request->path.p[1] == 's' || request->path.p[1] == 'n');
    return (struct http_body_plan){.max = 4096, .stream = stream};
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct loops *loops = loops_new(1);
    server = http_server_new(loops);
    struct http_limits *limits = http__server_limits(server);
    limits->header_count_max = HEADERS_MAX;
    limits->header_bytes_max = HEADER_BYTES_MAX;
    limits->h2_streams_max = 8;
    limits->h2_noise_max = 20;
    limits->body_stall_ms = limits->write_stall_ms = limits->linger_ms = 20;
    struct http_listener_options options = {.handler = on_request, .body_max = 4096, .body_plan = plan, .body_unasked = 8};
    ENSURE(http_bind(STR("127.0.0.1:0"), &options.fd) == ERR_OK);
    struct sockaddr_in in;
    socklen_t n = sizeof(in);
    ENSURE(getsockname(options.fd, (struct sockaddr *)&in, &n) == 0);
    port = ntohs(in.sin_port);
    http_listen(server, &options);
    loops_start(loops);
    return 0;
}

/* Reads to the end; every frame is whole, unless the connection was reset. */
static void check_frames(int fd)
{
    static char all[1 << 20];
    size_t n = 0, at = 0;
    ssize_t got;
    while (n < sizeof all && (got = recv(fd, all + n, sizeof all - n, 0)) > 0)
        n += (size_t)got;
    while (n - at >= 9) {
        const uint8_t *p = (const uint8_t *)all + at;
        size_t length = (size_t)p[0] << 16 | (size_t)p[1] << 8 | p[2];
        ENSURE(length <= 16384 && p[3] <= 9);
        if (n - at < 9 + length)
            break;
        at += 9 + length;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (size > INPUT_BYTES_MAX)
        return 0;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    ENSURE(fd >= 0 && connect(fd, (struct sockaddr *)&in, sizeof in) == 0);
    struct timeval wait = {.tv_sec = 20};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger)); /* no ports in TIME_WAIT */
    if (send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL) > 0 && size)
        (void)!send(fd, data, size, MSG_NOSIGNAL);
    shutdown(fd, SHUT_WR);
    check_frames(fd);
    close(fd);
    await_server_idle(server);
    return 0;
}

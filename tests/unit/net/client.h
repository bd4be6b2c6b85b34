/* client.h -- a server on loopback with a few routes, and a blocking client, for the socket tests of src/net.
 * Each test program has one server at a time. */
#ifndef TESTS_NET_CLIENT_H
#define TESTS_NET_CLIENT_H
#include "base/buf.h"
#include "base/clock.h"
#include "base/panic.h"
#include "net/http_conn.h"
#include "net/worker.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- the client ---- */

static int port_of(int fd)
{
    struct sockaddr_in in;
    socklen_t n = sizeof(in);
    ENSURE(getsockname(fd, (struct sockaddr *)&in, &n) == 0);
    return ntohs(in.sin_port);
}

/* -1: refused */
static int try_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval wait = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&in, sizeof(in)) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool send_all(int fd, struct str s)
{
    while (s.n) {
        ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        s = str_slice(s, (size_t)n, s.n);
    }
    return true;
}

static inline bool send_text(int fd, const char *text)
{
    return send_all(fd, str_of(text));
}

struct answer {
    int status; /* 0: the connection ended before a head */
    char head[8192];
    struct buf body;
    bool until_close;
};

static bool has_line(const struct answer *answer, const char *line)
{
    char wanted[256];
    snprintf(wanted, sizeof(wanted), "\r\n%s\r\n", line);
    return strstr(answer->head, wanted) != NULL;
}

static bool read_byte(int fd, char *ret)
{
    return recv(fd, ret, 1, 0) == 1;
}

static bool read_line(int fd, char *line, size_t max)
{
    size_t n = 0;
    while (n + 1 < max && read_byte(fd, line + n)) {
        n++;
        if (n >= 2 && line[n - 2] == '\r' && line[n - 1] == '\n') {
            line[n - 2] = 0;
            return true;
        }
    }
    return false;
}

static bool read_body(int fd, struct buf *body, size_t n)
{
    char *p = buf_reserve(body, n);
    ENSURE(p);
    while (n > 0) {
        ssize_t got = recv(fd, p, n, 0);
        if (got <= 0)
            return false;
        p += got;
        body->n += (size_t)got;
        n -= (size_t)got;
    }
    return true;
}

/* One answer, also "100 Continue". False: the connection ended or timed out on the way. */
static bool read_answer(int fd, struct answer *answer, bool to_head)
{
    buf_clear(&answer->body);
    buf_init(&answer->body, NULL, 256 << 20);
    answer->status = 0;
    answer->until_close = false;
    size_t n = 0;
    while (n < 4 || memcmp(answer->head + n - 4, "\r\n\r\n", 4) != 0)
        if (n + 1 >= sizeof(answer->head) || !read_byte(fd, answer->head + n++))
            return false;
    answer->head[n] = 0;
    if (sscanf(answer->head, "HTTP/1.1 %d ", &answer->status) != 1)
        return false;
    if (answer->status == 100 || answer->status == 204 || answer->status == 304 || to_head)
        return true;
    const char *length = strstr(answer->head, "\r\nContent-Length: ");
    if (length)
        return read_body(fd, &answer->body, strtoul(length + 18, NULL, 10));
    if (!has_line(answer, "Transfer-Encoding: chunked")) {
        answer->until_close = true;
        char c;
        while (read_byte(fd, &c))
            buf_add_char(&answer->body, c);
        return true;
    }
    char line[64];
    while (read_line(fd, line, sizeof(line))) {
        size_t chunk = strtoul(line, NULL, 16);
        if (!read_body(fd, &answer->body, chunk) || !read_line(fd, line, sizeof(line)) || line[0])
            return false;
        if (chunk == 0)
            return true;
    }
    return false;
}

/* True: the server closed, and sent nothing more. */
static inline bool ended(int fd)
{
    char c;
    return recv(fd, &c, 1, 0) <= 0;
}

/* Nothing to read for that long. */
static inline bool silent(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, ms) == 0;
}

/* ---- the server ---- */

struct site {
    struct loops *loops;
    struct workers *workers;
    struct http_server *server;
    struct http_listener *listener;
    int port;
    bool stopped;
    pthread_mutex_t lock;
    struct http_request *held[64]; /* of /hold, unanswered; under lock */
    size_t held_count;
    struct buf log; /* one letter a request that reached a handler; under lock */
    atomic_size_t handled, gone, on_loop[4], bodies_seen;
};

static struct site site;
static struct tls *(*site_tls)(struct workers *workers); /* makes the listener's; NULL: plain text */

struct late {
    struct work work;
    struct http_request *request;
};

static void answer_late(struct work *work)
{
    struct late *late = CONTAINER_OF(work, struct late, work);
    usleep(2000);
    struct str body = arena_dup(late->request->arena, late->request->query);
    http_respond_from(late->request, &(struct http_response){.status = 200, .body = body});
    free(late);
}

static struct str big_body(struct arena *arena, size_t n)
{
    char *p = arena_alloc(arena, n);
    for (size_t i = 0; i < n; i++)
        p[i] = (char)('a' + i % 26);
    return (struct str){p, n};
}

static int file_of(size_t n)
{
    char path[] = "/tmp/net-test-XXXXXX";
    int fd = mkstemp(path);
    ENSURE(fd >= 0);
    unlink(path);
    struct arena *arena = arena_new();
    struct str body = big_body(arena, n);
    ENSURE(n == 0 || write(fd, body.p, n) == (ssize_t)n);
    arena_free(arena);
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static size_t number_of(struct str s)
{
    uint64_t n = 0;
    str_to_u64(s, &n);
    return (size_t)n;
}

static void handle(struct http_request *request, void *arg)
{
    ENSURE(arg == &site && request->listener_arg == &site && loop_current() == request->loop);
    atomic_fetch_add(&site.handled, 1);
    atomic_fetch_add(&site.on_loop[loop_index(request->loop)], 1);
    pthread_mutex_lock(&site.lock);
    buf_add(&site.log, request->query.n == 1 ? request->query : STR("."));
    pthread_mutex_unlock(&site.lock);
    struct str path = request->path;
    if (str_eq(path, STR("/echo"))) {
        http_respond_text(request, 200, "text/plain", request->body);
    } else if (str_eq(path, STR("/late"))) {
        struct late *late = mem_zalloc(sizeof(*late));
        late->work.run = answer_late;
        late->request = request;
        ENSURE(workers_submit(site.workers, LANE_SCAN, &late->work) == ERR_OK);
    } else if (str_eq(path, STR("/hold"))) {
        pthread_mutex_lock(&site.lock);
        ENSURE(site.held_count < COUNT_OF(site.held));
        site.held[site.held_count++] = request;
        pthread_mutex_unlock(&site.lock);
    } else if (str_eq(path, STR("/big"))) {
        http_respond(request, &(struct http_response){.status = 200, .body = big_body(request->arena, number_of(request->query))});
    } else if (str_eq(path, STR("/file"))) {
        static struct http_header type = {{"Content-Type", 12}, {"text/x", 6}};
        struct http_response head = {.status = 200, .headers = &type, .header_count = 1};
        http_respond_file(request, &head, file_of(number_of(request->query)), 0, HTTP_TO_END, site.workers);
    } else if (str_eq(path, STR("/status"))) {
        http_respond(request, &(struct http_response){.status = (int)number_of(request->query), .body = STR("body")});
    } else if (str_eq(path, STR("/split"))) {
        http_respond_text(request, 200, "a\r\nSet-Cookie: b", STR("body"));
    } else if (str_eq(path, STR("/value"))) { /* a header value of 30 bytes, one of them the query's: 256 * place + byte */
        size_t n = number_of(request->query);
        char *value = arena_alloc(request->arena, 31);
        memset(value, 'v', 30);
        value[30] = '\0';
        value[n / 256 % 30] = (char)n;
        http_respond_text(request, 200, value, STR("body"));
    } else if (str_eq(path, STR("/known"))) { /* how much less is held for strangers, once the caller is known */
        struct budget_figures before, after;
        budget_stats(&before);
        arena_known(request->arena);
        budget_stats(&after);
        http_respond_text(request, 200, "text/plain", arena_printf(request->arena, "%zu", before.early - after.early));
    } else if (str_eq(path, STR("/secure"))) {
        http_respond_text(request, 200, "text/plain", request->secure ? STR("secure") : STR("plain"));
    } else if (str_eq(path, STR("/peer"))) {
        struct str text = arena_printf(request->arena, STR_FMT " %d " STR_FMT, STR_ARG(request->peer_ip), request->peer_port,
                                       STR_ARG(http_header(request, "user-agent")));
        http_respond_text(request, 200, "text/plain", text);
    } else {
        http_respond_text(request, 200, "text/plain", STR("hello"));
    }
}

/* Answers every request of /hold, from this thread. */
static size_t release_held(void)
{
    pthread_mutex_lock(&site.lock);
    size_t count = site.held_count;
    struct http_request *held[COUNT_OF(site.held)];
    memcpy(held, site.held, sizeof(held));
    site.held_count = 0;
    pthread_mutex_unlock(&site.lock);
    for (size_t i = 0; i < count; i++)
        http_respond_from(held[i], &(struct http_response){.status = 200, .body = held[i]->query});
    return count;
}

static size_t held_count(void)
{
    pthread_mutex_lock(&site.lock);
    size_t count = site.held_count;
    pthread_mutex_unlock(&site.lock);
    return count;
}

static inline void wait_held(size_t wanted)
{
    for (int i = 0; i < 5000 && held_count() < wanted; i++)
        usleep(1000);
    ENSURE(held_count() == wanted);
}

static inline void wait_count(atomic_size_t *count, size_t wanted)
{
    for (int i = 0; i < 5000 && atomic_load(count) != wanted; i++)
        usleep(1000);
    ENSURE(atomic_load(count) == wanted);
}

static void site_open(const struct http_limits *limits, const struct http_listener_options *more)
{
    site = (struct site){.loops = loops_new(2), .workers = workers_new(NULL)};
    pthread_mutex_init(&site.lock, NULL);
    buf_init(&site.log, NULL, 1 << 20);
    site.server = http_server_new(site.loops);
    if (limits)
        *http__server_limits(site.server) = *limits;
    struct http_listener_options options = more ? *more : (struct http_listener_options){0};
    ENSURE(http_bind(STR("127.0.0.1:0"), &options.fd) == ERR_OK);
    site.port = port_of(options.fd);
    options.tls = site_tls ? site_tls(site.workers) : NULL;
    options.handler = options.handler ? options.handler : handle;
    options.arg = &site;
    options.body_max = options.body_max ? options.body_max : 4 << 20;
    site.listener = http_listen(site.server, &options);
    loops_start(site.loops);
}

static void site_close(void)
{
    release_held();
    http_server_drain(site.server);
    workers_stop(site.workers);
    loops_stop(site.loops);
    http_server_free(site.server);
    workers_free(site.workers);
    loops_free(site.loops);
    buf_clear(&site.log);
    pthread_mutex_destroy(&site.lock);
}

/* ---- around a test ---- */

static struct answer answer;

static inline int open_default(void **state)
{
    (void)state;
    site_open(NULL, NULL);
    return 0;
}

static int close_site(void **state)
{
    (void)state;
    buf_clear(&answer.body);
    if (!site.stopped)
        site_close();
    return 0;
}

static void expect(int fd, int status, const char *body)
{
    assert_true(read_answer(fd, &answer, false));
    assert_int_equal(answer.status, status);
    if (!str_eq(buf_str(&answer.body), str_of(body)))
        fail_msg("body " STR_FMT, STR_ARG(buf_str(&answer.body)));
}

static inline int dial(void)
{
    int fd = try_connect(site.port);
    ENSURE(fd >= 0);
    return fd;
}
#endif

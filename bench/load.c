/* load.c -- the load generator of the benchmarks: N keep-alive connections over one epoll, one request on the way on each.
 *
 *   load -p PORT -f REQUESTS [-c CONNECTIONS] [-s SECONDS] [-w WARMUP_SECONDS] [-e STATUS] [-o] [-t]
 *
 * The requests are complete HTTP/1.1 messages that were prepared and signed before, so that the generator does nothing
 * but send, wait and compare. The file is a row of records, numbers little-endian:
 *     u32 bytes of the request · u32 bytes of the text · request · text that the answer's body must contain
 * They are sent in the order of the file: over and over for SECONDS after the warm-up, or each exactly once (-o), in
 * which case every one is waited for. An answer counts when its status is STATUS (200) and its body contains the text;
 * everything else is a mismatch, and the first one is shown on stderr. A broken connection is opened again, its request
 * counts as unanswered; too many of these end the run.
 *
 * -t: over TLS, without looking at the certificate; the handshakes are made before the run begins.
 *
 * Latency is from before the send until the whole answer was read, in a histogram of 1.6 % steps. The result is one line
 * of JSON on stdout. Single-threaded; the caller pins it to a core.
 * Limits: a request has to fit into the socket's empty send buffer (REQUEST_MAX), an answer into ANSWER_MAX, and it needs
 * a Content-Length. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX (64u << 10)
#define ANSWER_MAX (256u << 10)
#define CONNECTIONS_MAX 1024
#define BROKEN_MAX 1000
#define STALL_MS 30000          /* no answer at all for that long: the run has failed */
#define STEP_BITS 6             /* 64 steps for each power of two */
#define STEPS (64u << STEP_BITS)
#define NS_PER_S 1000000000ull

struct request {
    const char *bytes, *text;
    uint32_t n, text_n;
};

struct connection {
    int fd;
    SSL *ssl;                   /* NULL: plain text */
    bool waiting;               /* for an answer */
    size_t request, n;
    uint64_t sent_ns;
    char answer[ANSWER_MAX];
};

static struct options {
    uint16_t port;
    const char *file;
    size_t connections;
    double seconds, warmup;
    int status;
    bool once;
    bool tls;
} options = {.connections = 64, .seconds = 3, .status = 200};

static struct request *requests;
static size_t request_count, next_request;
static struct connection *connections;
static int epoll_fd;
static SSL_CTX *ssl_ctx;
static uint64_t counted_from_ns, counted_until_ns;      /* answers in between count */
static uint64_t answered, mismatched, broken, waiting, steps[STEPS];
static uint64_t last_answer_ns;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * NS_PER_S + (uint64_t)t.tv_nsec;
}

/* ---- histogram ---- */

static size_t step_of(uint64_t ns)
{
    if (ns < 1u << STEP_BITS)
        return (size_t)ns;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - STEP_BITS;
    return ((size_t)(shift + 1) << STEP_BITS) + ((ns >> shift) & ((1u << STEP_BITS) - 1));
}

static double step_us(size_t step)      /* its upper end */
{
    size_t shift = step >> STEP_BITS;
    if (shift == 0)
        return (double)(step + 1) / 1000;
    return (double)(((step & ((1u << STEP_BITS) - 1)) + (1u << STEP_BITS) + 1) << (shift - 1)) / 1000;
}

static double percentile_us(double part)
{
    uint64_t wanted = (uint64_t)((double)answered * part), seen = 0;
    for (size_t i = 0; i < STEPS; i++) {
        seen += steps[i];
        if (seen > wanted)
            return step_us(i);
    }
    return 0;
}

/* ---- the file of requests ---- */

static uint32_t take_u32(const unsigned char **p)
{
    uint32_t value;
    memcpy(&value, *p, sizeof value);
    *p += sizeof value;
    return value;
}

static void read_requests(void)
{
    int fd = open(options.file, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        fail(options.file);
    size_t size = (size_t)st.st_size, room = 1024;
    const unsigned char *p = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0), *end = p + size;
    if (p == MAP_FAILED)
        fail(options.file);
    close(fd);
    requests = malloc(room * sizeof *requests);
    while (requests && end - p >= 8) {
        if (request_count == room)
            requests = realloc(requests, (room *= 2) * sizeof *requests);
        if (!requests)
            break;
        struct request *r = &requests[request_count++];
        r->n = take_u32(&p);
        r->text_n = take_u32(&p);
        if (r->n > REQUEST_MAX || (uint64_t)(end - p) < (uint64_t)r->n + r->text_n) {
            errno = EINVAL;
            fail(options.file);
        }
        r->bytes = (const char *)p;
        r->text = r->bytes + r->n;
        p += r->n + r->text_n;
    }
    if (!requests)
        fail("memory");
}

/* ---- connections ---- */

static void connection_open(struct connection *c)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(options.port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&address, sizeof address) != 0)
        fail("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (options.tls) {
        c->ssl = SSL_new(ssl_ctx);
        if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1 || SSL_connect(c->ssl) != 1) {
            errno = EPROTO;
            fail("handshake");
        }
    }
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0)
        fail("epoll_ctl");
    c->n = 0;
    c->waiting = false;
}

static void connection_broke(struct connection *c)
{
    if (++broken > BROKEN_MAX) {
        errno = ECONNRESET;
        fail("the server closes connections");
    }
    waiting -= c->waiting;
    SSL_free(c->ssl);
    close(c->fd);
    connection_open(c);
}

static ssize_t put_bytes(struct connection *c, const char *bytes, size_t n)
{
    return c->ssl ? SSL_write(c->ssl, bytes, (int)n) : send(c->fd, bytes, n, MSG_NOSIGNAL);
}

/* <= 0: broken or ended, but for EAGAIN. */
static ssize_t get_bytes(struct connection *c, char *at, size_t room)
{
    if (!c->ssl)
        return recv(c->fd, at, room, 0);
    int n = SSL_read(c->ssl, at, (int)room);
    errno = n <= 0 && SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? EAGAIN : EPROTO;
    return n > 0 ? n : -1;
}

/* False: there is nothing more to send. */
static bool send_next(struct connection *c, uint64_t now)
{
    if (options.once ? next_request == request_count : now >= counted_until_ns)
        return false;
    c->request = next_request++;
    if (!options.once && next_request == request_count)
        next_request = 0;
    c->sent_ns = now;
    c->n = 0;
    c->waiting = true;
    waiting++;
    const struct request *r = &requests[c->request];
    if (put_bytes(c, r->bytes, r->n) != (ssize_t)r->n) {
        connection_broke(c);
        return send_next(c, now_ns());      /* bounded by BROKEN_MAX */
    }
    return true;
}

/* ---- answers ---- */

static void mismatch(const struct connection *c, size_t n)
{
    if (mismatched++ > 0)
        return;
    const struct request *r = &requests[c->request];
    fprintf(stderr, "load: the first answer that is not as expected (status %d, body with %.*s):\n%.*s\n", options.status,
            (int)(r->text_n < 200 ? r->text_n : 200), r->text, (int)(n < 1500 ? n : 1500), c->answer);
}

/* Bytes of head and body together; 0: the head is not complete; SIZE_MAX: no length is told, or it is over the limit. */
static size_t answer_length(const struct connection *c, size_t *ret_head)
{
    const char *end = memmem(c->answer, c->n, "\r\n\r\n", 4);
    if (!end)
        return c->n == ANSWER_MAX ? SIZE_MAX : 0;
    *ret_head = (size_t)(end - c->answer) + 4;
    for (const char *line = c->answer; line && line < end; line = memchr(line, '\n', (size_t)(end - line))) {
        line += *line == '\n';
        if ((*line | 0x20) != 'c' || strncasecmp(line, "content-length:", 15) != 0)
            continue;
        unsigned long long n = strtoull(line + 15, NULL, 10);
        return n > ANSWER_MAX - *ret_head ? SIZE_MAX : *ret_head + (size_t)n;
    }
    return SIZE_MAX;
}

static bool as_expected(const struct connection *c, size_t head, size_t n)
{
    const struct request *r = &requests[c->request];
    return n >= 12 && atoi(c->answer + 9) == options.status && memmem(c->answer + head, n - head, r->text, r->text_n) != NULL;
}

static void take_answer(struct connection *c, size_t head, size_t n)
{
    uint64_t now = now_ns();
    c->waiting = false;
    waiting--;
    last_answer_ns = now;
    if (!as_expected(c, head, n)) {
        mismatch(c, n);
    } else if (now >= counted_from_ns && (options.once || now < counted_until_ns)) {
        answered++;
        steps[step_of(now - c->sent_ns)]++;
    }
    send_next(c, now);
}

static void take_bytes(struct connection *c)
{
    ssize_t got = get_bytes(c, c->answer + c->n, ANSWER_MAX - c->n);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        bool was_waiting = c->waiting;
        connection_broke(c);
        if (was_waiting)
            send_next(c, now_ns());
        return;
    }
    c->n += (size_t)got;
    size_t head = 0, n = answer_length(c, &head);
    if (!c->waiting || n == SIZE_MAX || (n != 0 && c->n > n)) {
        mismatch(c, c->n);
        connection_broke(c);
        send_next(c, now_ns());
    } else if (n != 0 && c->n == n) {
        take_answer(c, head, n);
    }
}

static void readable(struct connection *c)
{
    do {
        take_bytes(c);
    } while (c->ssl && SSL_pending(c->ssl) > 0);        /* what TLS has read already does not make the socket readable */
}

static void run(void)
{
    uint64_t start = now_ns();
    counted_from_ns = start + (uint64_t)(options.warmup * (double)NS_PER_S);
    counted_until_ns = counted_from_ns + (uint64_t)(options.seconds * (double)NS_PER_S);
    for (size_t i = 0; i < options.connections; i++)
        send_next(&connections[i], now_ns());
    while (waiting > 0) {
        struct epoll_event events[256];
        int n = epoll_wait(epoll_fd, events, 256, STALL_MS);
        if (n < 0 && errno != EINTR)
            fail("epoll_wait");
        if (n == 0) {
            errno = ETIMEDOUT;
            fail("no answer");
        }
        for (int i = 0; i < n; i++)
            readable(events[i].data.ptr);
    }
}

static void read_options(int argc, char **argv)
{
    for (int option; (option = getopt(argc, argv, "p:f:c:s:w:e:ot")) != -1;) {
        switch (option) {
        case 'p': options.port = (uint16_t)atoi(optarg); break;
        case 'f': options.file = optarg; break;
        case 'c': options.connections = (size_t)atoi(optarg); break;
        case 's': options.seconds = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case 'e': options.status = atoi(optarg); break;
        case 'o': options.once = true; break;
        case 't': options.tls = true; break;
        default: exit(2);
        }
    }
    if (!options.port || !options.file || options.connections < 1 || options.connections > CONNECTIONS_MAX) {
        fprintf(stderr, "usage: load -p PORT -f REQUESTS [-c CONNECTIONS] [-s SECONDS] [-w WARMUP_SECONDS] [-e STATUS] [-o] [-t]\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    read_options(argc, argv);
    read_requests();
    ssl_ctx = options.tls ? SSL_CTX_new(TLS_client_method()) : NULL;
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    connections = calloc(options.connections, sizeof *connections);
    if (epoll_fd < 0 || !connections || (options.tls && !ssl_ctx))
        fail("memory");
    for (size_t i = 0; i < options.connections; i++)
        connection_open(&connections[i]);
    run();
    double seconds = options.once ? (double)(last_answer_ns - counted_from_ns) / (double)NS_PER_S : options.seconds;
    printf("{\"answered\": %" PRIu64 ", \"seconds\": %.4f, \"rate\": %.1f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"mismatched\": %" PRIu64
           ", \"broken\": %" PRIu64 "}\n",
           answered, seconds, seconds > 0 ? (double)answered / seconds : 0, percentile_us(0.50), percentile_us(0.99), mismatched, broken);
    return mismatched || broken ? 3 : 0;
}

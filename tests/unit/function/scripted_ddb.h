/* scripted_ddb.h -- a DynamoDB in a thread that answers one request after the other as its script says, and keeps what it
 * was asked. For tests only. */
#ifndef SCRIPTED_DDB_H
#define SCRIPTED_DDB_H
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCRIPT_STEPS_MAX   64
#define SCRIPT_REQUEST_MAX 131072

/* How an answer is given. */
typedef enum step_kind {
    STEP_ANSWER,     /* with its length */
    STEP_CHUNKED,    /* in chunks of three bytes */
    STEP_SLOW,       /* byte by byte, a millisecond apart */
    STEP_CUT,        /* half of the body, then the connection is closed */
    STEP_CLOSE,      /* closed without an answer */
    STEP_THEN_CLOSE, /* answered, then closed without a word about it */
    STEP_GARBAGE,    /* bytes that are no HTTP */
    STEP_HANG,       /* nothing until the client goes away */
    STEP_HUGE        /* a body of 16 MiB and one byte */
} step_kind;

struct step {
    step_kind kind;
    int status;
    const char *body;
    const char *headers; /* further ones, each with its line end; NULL: none */
};

struct request {
    char operation[64];
    char body[4096]; /* its beginning */
    bool is_signed;
    char authorization[512];
};

static struct script {
    int listener, port;
    pthread_t thread;
    const struct step *steps; /* ends with the count; after it everything is answered with the last one */
    size_t count, requests_n, connections;
    struct request requests[SCRIPT_STEPS_MAX]; /* the last ones of so many */
} script;

static void send_all(int fd, const void *from, size_t n)
{
    const char *p = from;
    while (n > 0) {
        ssize_t went = send(fd, p, n, MSG_NOSIGNAL);
        if (went <= 0)
            return;
        p += went;
        n -= (size_t)went;
    }
}

/* The value of a header in the head, as a fresh terminated copy in `to`. */
static void header_of(const char *head, const char *name, char *to, size_t n)
{
    char line[80];
    snprintf(line, sizeof line, "\r\n%s: ", name);
    const char *at = strcasestr(head, line);
    to[0] = 0;
    if (at)
        snprintf(to, n, "%.*s", (int)strcspn(at + strlen(line), "\r"), at + strlen(line));
}

/* Reads a whole request; false at the end of the connection. */
static bool read_request(int fd)
{
    static char bytes[SCRIPT_REQUEST_MAX];
    size_t n = 0, whole = 0;
    char length[32], target[128];
    while (whole == 0 || n < whole) {
        ssize_t came = recv(fd, bytes + n, sizeof bytes - 1 - n, 0);
        if (came <= 0)
            return false;
        n += (size_t)came;
        bytes[n] = 0;
        const char *end = strstr(bytes, "\r\n\r\n");
        if (whole == 0 && end) {
            header_of(bytes, "content-length", length, sizeof length);
            whole = (size_t)(end + 4 - bytes) + strtoul(length, NULL, 10);
        }
    }
    struct request *request = &script.requests[script.requests_n++ % SCRIPT_STEPS_MAX];
    char *end = strstr(bytes, "\r\n\r\n");
    end[2] = 0;
    header_of(bytes, "x-amz-target", target, sizeof target);
    header_of(bytes, "authorization", request->authorization, sizeof request->authorization);
    request->is_signed = strncmp(request->authorization, "AWS4-HMAC-SHA256 Credential=AKID/", 33) == 0;
    const char *dot = strrchr(target, '.');
    snprintf(request->operation, sizeof request->operation, "%.63s", dot ? dot + 1 : "");
    snprintf(request->body, sizeof request->body, "%.4095s", end + 4);
    return true;
}

static void send_body(int fd, const struct step *step)
{
    char chunk[16];
    size_t n = strlen(step->body);
    switch (step->kind) {
    case STEP_CHUNKED:
        for (size_t i = 0; i < n; i += 3) {
            int m = snprintf(chunk, sizeof chunk, "%x\r\n%.3s\r\n", (unsigned)(n - i < 3 ? n - i : 3), step->body + i);
            send_all(fd, chunk, (size_t)m);
        }
        send_all(fd, "0\r\n\r\n", 5);
        break;
    case STEP_SLOW:
        for (size_t i = 0; i < n; i++) {
            send_all(fd, step->body + i, 1);
            usleep(1000);
        }
        break;
    case STEP_HUGE:
        for (size_t i = 0; i < (16u << 20) + 1; i += 4096) {
            static const char zeros[4096];
            send_all(fd, zeros, sizeof zeros);
        }
        break;
    default:
        send_all(fd, step->body, step->kind == STEP_CUT ? n / 2 : n);
    }
}

/* True when the connection goes on. */
static bool answer_request(int fd, const struct step *step)
{
    char head[1024], length[64];
    if (step->kind == STEP_CLOSE)
        return false;
    if (step->kind == STEP_HANG) {
        char byte;
        while (recv(fd, &byte, 1, 0) > 0)
            ;
        return false;
    }
    if (step->kind == STEP_GARBAGE) {
        send_all(fd, "220 smtp ready\r\n\r\n", 18);
        return false;
    }
    snprintf(length, sizeof length, "Content-Length: %zu\r\n", step->kind == STEP_HUGE ? (16u << 20) + 1 : strlen(step->body));
    int n = snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\nContent-Type: application/x-amz-json-1.0\r\n%s%s\r\n", step->status,
                     step->kind == STEP_CHUNKED ? "Transfer-Encoding: chunked\r\n" : length, step->headers ? step->headers : "");
    send_all(fd, head, (size_t)n);
    send_body(fd, step);
    return step->kind != STEP_CUT && step->kind != STEP_THEN_CLOSE;
}

static void *serve(void *arg)
{
    (void)arg;
    for (;;) {
        int fd = accept(script.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        script.connections++;
        while (read_request(fd)) {
            size_t at = script.requests_n - 1;
            if (!answer_request(fd, &script.steps[at < script.count ? at : script.count - 1]))
                break;
        }
        close(fd);
    }
}

static void script_start(const struct step *steps, size_t count)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof address;
    memset(&script, 0, sizeof script);
    script.steps = steps;
    script.count = count;
    script.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(script.listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(script.listener, 16) != 0 ||
        getsockname(script.listener, (struct sockaddr *)&address, &n) != 0 ||
        pthread_create(&script.thread, NULL, serve, NULL) != 0)
        abort();
    script.port = ntohs(address.sin_port);
}

/* The client must have closed its connection. After it, `requests` may be read. */
static void script_stop(void)
{
    shutdown(script.listener, SHUT_RDWR);
    pthread_join(script.thread, NULL);
    close(script.listener);
}

#endif

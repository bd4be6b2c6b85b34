/* site.h -- a door behind a real server, over a store in a temporary directory, and a client that sends it one request. Who uses it
 * brings services and, between the two steps of opening, an auth; or functions of auth of its own. */
#ifndef CLOUDLESS_TESTS_WIRE_SITE_H
#define CLOUDLESS_TESTS_WIRE_SITE_H
#include "base/log.h"
#include "base/panic.h"
#include "wire/door.h"
#include "../base/files.h"
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static struct site {
    char dir[64];
    struct arena *arena;
    struct store *store;
    struct workers *workers;
    struct loops *loops;
    struct http_server *http;
    struct calls *calls;
    struct door *door;
    uint16_t port;
} site;

static void on_request(struct http_request *request, void *arg)
{
    const struct service_binding *of = door_find(site.door, request);
    (void)arg;
    if (of)
        door_handle(site.door, of, request);
    else
        http_respond_text(request, 404, "text/plain", STR("nobody's"));
}

static struct http_body_plan body_plan(const struct http_request *request, void *arg)
{
    (void)arg;
    return door_body_plan(site.door, request);
}

static void refuse(const struct http_request *request, int status, struct arena *arena, struct http_response *ret, void *arg)
{
    (void)arg;
    if (!door_refuse(site.door, request, status, arena, ret))
        ret->status = status;
}

/* Arena and store are there then. */
static void site_make(void)
{
    struct str message;
    log_set_level(LOG_ERROR);
    strcpy(site.dir, "/tmp/site-test-XXXXXX");
    ENSURE(mkdtemp(site.dir) != NULL);
    site.arena = arena_new();
    const struct store_options options = {.dir = site.dir};
    ENSURE(store_open(&options, site.arena, &site.store, &message) == ERR_OK);
}

static void site_serve(const struct service_binding *services, struct auth *auth)
{
    struct sockaddr_in in;
    socklen_t n = sizeof in;
    int fd = -1;
    site.loops = loops_new(2);
    site.workers = workers_new(NULL);
    site.http = http_server_new(site.loops);
    const struct calls_options options = {.store = site.store,
                                          .auth = auth,
                                          .workers = site.workers,
                                          .default_account = STR("000000000000"),
                                          .default_region = STR("us-east-1")};
    site.calls = calls_new(&options);
    site.door = door_new(site.calls, services);
    ENSURE(http_bind(STR("127.0.0.1:0"), &fd) == ERR_OK);
    ENSURE(getsockname(fd, (struct sockaddr *)&in, &n) == 0);
    site.port = ntohs(in.sin_port);
    const struct http_listener_options listener = {
        .fd = fd, .handler = on_request, .body_max = 1 << 20, .body_plan = body_plan, .refuse = refuse};
    http_listen(site.http, &listener);
    loops_start(site.loops);
}

static int close_site(void **state)
{
    (void)state;
    http_server_drain(site.http);
    loops_stop(site.loops);
    workers_free(site.workers);
    door_free(site.door);
    calls_free(site.calls);
    store_close(site.store);
    http_server_free(site.http);
    loops_free(site.loops);
    arena_free(site.arena);
    files_remove_tree(site.dir);
    return 0;
}

/* ---- a client ---- */

static char answer[65536];

/* Sends one request and reads the whole answer (head and body) into `answer`. */
static void exchange(const char *method, const char *target, const char *headers, const char *body)
{
    static char request[512 << 10];
    int n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
                     method, target, headers, strlen(body), body);
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(site.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(send(fd, request, (size_t)n, MSG_NOSIGNAL), n);
    size_t got = 0;
    for (ssize_t r; got < sizeof answer - 1 && (r = recv(fd, answer + got, sizeof answer - 1 - got, 0)) > 0;)
        got += (size_t)r;
    answer[got] = '\0';
    close(fd);
}

#define assert_has(text)                               \
    do {                                               \
        if (!strstr(answer, (text)))                   \
            fail_msg("%s\n--- lacks %s", answer, (text)); \
    } while (0)
#endif

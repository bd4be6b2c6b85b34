/* http_server.c -- the server on all loops: listeners, accepting, drain, statistics.
 *
 * Balance: one loop accepts (loop 0, or the listener's only loop) and hands connections out in turn. Several loops
 * polling one descriptor would all wake for each connection, and the quickest would take them all; SO_REUSEPORT would
 * let a second server share the port without a word. The hand-over costs one wake-up a connection, nothing a request.
 *
 * Lifetimes. A listener is counted: its owner (until http_listener_close or http_server_free) and every connection,
 * from accept on. The last one to let go runs `closed` and frees it; for an `only` listener all of them are on its loop.
 * A server ends in one of two ways: after loops_stop (the hook of each loop has closed the connections there; requests
 * that nobody answered are freed with the pools), or while the loops run: then http_server_free closes everything and
 * waits; requests that are still with a handler free themselves when they are answered.
 *
 * Counts: outside_count is of listeners on every loop and has the limit of the server; an `only` listener has a limit
 * of its own, and its tenant a share (http.h), so that a sandbox can use up neither the connections of the outside nor those of
 * other functions. Turns: libuv's clock stands still within one, so a turn is told by it; two in one millisecond count as one. */
#include "base/budget.h"
#include "base/clock.h"
#include "base/panic.h"
#include "net/http_conn.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define ACCEPT_BATCH    64  /* connections a turn */
#define ACCEPT_RETRY_MS 100 /* after running out of descriptors */
#define BACKLOG         1024

/* The poll handle lives until libuv has let go of it, which may be after its listener. */
struct http_accept {
    uv_poll_t poll;
    struct http_listener *listener;
};

static void loop_ended(struct loop_hook *hook);

/* ---- server ---- */

struct http_server *http_server_new(struct loops *loops)
{
    size_t count = loops_count(loops);
    struct http_server *server = mem_zalloc(sizeof(*server) + count * sizeof(server->loop[0]));
    server->loops = loops;
    server->limits = http__limits_default;
    server->loop_count = count;
    link_init(&server->listeners);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->changed, NULL);
    for (size_t i = 0; i < count; i++) {
        struct http_loop *hl = &server->loop[i];
        hl->server = server;
        hl->loop = loops_at(loops, i);
        hl->date_second = -1;
        hl->scratch = arena_new();
        link_init(&hl->conns);
        link_init(&hl->hook.link);
        hl->hook.run = loop_ended;
        http__pool_init(&hl->pool, &server->limits, &server->bodies_held);
        hl->pool.watch = &server->watch;
    }
    return server;
}

struct http_limits *http__server_limits(struct http_server *server)
{
    return &server->limits;
}

void http_server_watch(struct http_server *server, http_watch_fn *watch, void *arg)
{
    server->watch = (struct http_watch){watch, arg};
}

void http_server_share(struct http_server *server, const struct http_shares *shares)
{
    struct http_limits *limits = &server->limits;
    limits->connections_max = shares->outside ? shares->outside : limits->connections_max;
    limits->connections_inside_max = shares->inside ? shares->inside : limits->connections_inside_max;
    limits->connections_only_max = shares->inside_each ? shares->inside_each : limits->connections_only_max;
    server->full = shares->full;
    server->full_arg = shares->arg;
}

/* On the loop, before its first connection: from then on it tells us when it ends. */
static void open_loop(struct http_loop *hl)
{
    if (hl->opened)
        return;
    hl->opened = true;
    loop__at_stop(hl->loop, &hl->hook);
}

void http_server_stats(const struct http_server *server, struct http_stats *ret)
{
    *ret = (struct http_stats){0};
    for (size_t i = 0; i < server->loop_count; i++) {
        const struct http_loop *hl = &server->loop[i];
        ret->requests += atomic_load_explicit(&hl->requests, memory_order_relaxed);
        ret->connections += atomic_load_explicit(&hl->connections, memory_order_relaxed);
        ret->refused += atomic_load_explicit(&hl->refused, memory_order_relaxed);
        ret->tenant_connections += atomic_load_explicit(&hl->share_refused, memory_order_relaxed);
        ret->tenant_bodies += atomic_load_explicit(&hl->pool.share_refused, memory_order_relaxed);
        ret->tenant_turns += atomic_load_explicit(&hl->turns_put_off, memory_order_relaxed);
    }
    size_t all = atomic_load_explicit(&server->all_count, memory_order_relaxed);
    ret->open = atomic_load_explicit(&server->outside_count, memory_order_relaxed);
    ret->open_inside = all > ret->open ? all - ret->open : 0;
    ret->body_bytes = atomic_load_explicit(&server->bodies_held.all, memory_order_relaxed);
}

struct str http__date_line(struct http_loop *hl)
{
    int64_t now = loop_now_ms();
    if (now / 1000 != hl->date_second) {
        struct str date = clock_http(hl->scratch, now);
        hl->date_second = now / 1000;
        int n = snprintf(hl->date, sizeof(hl->date), "Date: " STR_FMT "\r\n", STR_ARG(date));
        ENSURE(n > 0 && (size_t)n < sizeof(hl->date));
        hl->date_n = (size_t)n;
        arena_reset(hl->scratch);
    }
    return (struct str){hl->date, hl->date_n};
}

/* ---- listeners ---- */

static struct http_loop *loop_of(struct http_server *server, struct loop *loop)
{
    return &server->loop[loop_index(loop)];
}

static void listener_unref(struct http_listener *listener)
{
    if (atomic_fetch_sub_explicit(&listener->refs, 1, memory_order_acq_rel) != 1)
        return;
    if (listener->options.closed)
        listener->options.closed(listener->options.closed_arg ? listener->options.closed_arg : listener->options.arg);
    free(listener);
}

void http__conn_freed(struct http_listener *listener, uint16_t peer)
{
    struct http_server *server = listener->server;
    bool only = listener->options.only != NULL;
    if (only) {
        listener->only_count--;
        listener->share.tenant->connections--;
    }
    listener_unref(listener);
    if (!only)
        atomic_fetch_sub(&server->peer_count[peer], 1);
    pthread_mutex_lock(&server->lock);
    if (!only)
        atomic_fetch_sub(&server->outside_count, 1);
    atomic_fetch_sub(&server->all_count, 1);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void accept_ready(uv_poll_t *poll, int status, int events);

static void accept_again(void *arg)
{
    struct http_listener *listener = arg;
    listener->retry = NULL;
    uv_poll_start(&listener->accept->poll, UV_READABLE, accept_ready);
}

static bool is_full(const struct http_listener *listener, uint16_t peer)
{
    struct http_server *server = listener->server;
    size_t outside = atomic_load(&server->outside_count), most = server->limits.connections_inside_max;
    if (!listener->options.only) {
        size_t max = server->limits.connections_max, last = max / NET_CONNECTIONS_LAST;
        return outside >= max || (outside >= max - last && atomic_load(&server->peer_count[peer]) >= last);
    }
    size_t all = atomic_load(&server->all_count), inside = all > outside ? all - outside : 0;
    if (listener->only_count >= server->limits.connections_only_max || inside >= most)
        return true;
    size_t held = listener->share.tenant->connections;
    bool full = listener->only_count >= NET_CONNECTIONS_FIRST && held >= budget_fair_max(held, inside, most - most / 4);
    if (full)
        http__count(&loop_of(server, listener->loop)->share_refused);
    return full;
}

/* ---- turns ---- */

bool http__turn_begin(struct http_listener *listener, struct http_loop *hl, uint64_t *ret_ns)
{
    struct http_tenant *tenant = listener->share.tenant;
    uint64_t now = uv_now(loop_uv(hl->loop));
    *ret_ns = 0;
    if (!listener->options.only)
        return true;
    if (hl->turn_ms != now) {
        hl->turn_was_shared = hl->turn_shared && now == hl->turn_ms + 1;
        hl->turn_ms = now, hl->turn_ns = 0, hl->turn_one = NULL, hl->turn_shared = false;
    }
    if (tenant->turn_ms != now)
        tenant->turn_ms = now, tenant->turn_ns = 0;
    bool alone = !hl->turn_shared && !hl->turn_was_shared && (!hl->turn_one || hl->turn_one == tenant);
    if (!alone && tenant->turn_ns && tenant->turn_ns >= budget_fair_max(tenant->turn_ns, hl->turn_ns, NET_TURN_INSIDE_US * 1000)) {
        http__count(&hl->turns_put_off);
        return false;
    }
    *ret_ns = clock_mono_ns();
    return true;
}

void http__turn_end(struct http_listener *listener, struct http_loop *hl, uint64_t began_ns)
{
    if (!began_ns)
        return;
    uint64_t ns = clock_mono_ns() - began_ns;
    hl->turn_ns += ns;
    hl->turn_shared |= hl->turn_one && hl->turn_one != listener->share.tenant;
    hl->turn_one = hl->turn_one ? hl->turn_one : listener->share.tenant;
    listener->share.tenant->turn_ns += ns;
}

static void tell_full(struct http_listener *listener)
{
    struct http_server *server = listener->server;
    uint64_t now = uv_now(loop_uv(listener->loop)), told = atomic_load(&server->full_told_ms);
    uint64_t refused = atomic_fetch_add(&server->full_refused, 1) + 1;
    bool due = told == 0 || now - told >= NET_FULL_TOLD_MS;
    if (due && server->full && atomic_compare_exchange_strong(&server->full_told_ms, &told, now ? now : 1))
        server->full(listener->options.only != NULL, refused, server->full_arg);
}

/* An IPv4 client of a listener on every address comes as ::ffff:a.b.c.d, and is told as what it is. */
static void note_peer(struct http_conn *conn, const struct sockaddr_storage *peer)
{
    if (peer->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)peer;
        inet_ntop(AF_INET, &in->sin_addr, conn->peer_ip, sizeof(conn->peer_ip));
        conn->peer_port = ntohs(in->sin_port);
        conn->peer_loopback = ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    } else if (peer->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)peer;
        const unsigned char *bytes = in6->sin6_addr.s6_addr;
        bool mapped = IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr);
        inet_ntop(mapped ? AF_INET : AF_INET6, bytes + (mapped ? 12 : 0), conn->peer_ip, sizeof(conn->peer_ip));
        conn->peer_port = ntohs(in6->sin6_port);
        conn->peer_loopback = mapped ? bytes[12] == IN_LOOPBACKNET : IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
}

static void take_connection(struct http_listener *listener, int fd, const struct sockaddr_storage *peer)
{
    struct http_server *server = listener->server;
    struct loop *only = listener->options.only;
    struct http_conn *conn = mem_zalloc(sizeof(*conn));
    note_peer(conn, peer);
    conn->peer = budget_peer(only ? (struct str){(const char *)&listener->share.tenant, sizeof(void *)} : str_of(conn->peer_ip));
    if (is_full(listener, conn->peer)) {
        free(conn);
        close(fd);
        http__count(&loop_of(server, listener->loop)->refused);
        tell_full(listener);
        return;
    }
    conn->listener = listener;
    conn->fd = fd;
    atomic_fetch_add(&listener->refs, 1);
    atomic_fetch_add(&server->all_count, 1);
    if (only)
        listener->only_count++, listener->share.tenant->connections++;
    else {
        atomic_fetch_add(&server->outside_count, 1);
        atomic_fetch_add(&server->peer_count[conn->peer], 1);
    }
    struct loop *loop = only ? only : loops_at(server->loops, server->next_loop++ % server->loop_count);
    conn->hl = loop_of(server, loop);
    conn->arrive.run = http__conn_arrive;
    if (loop == listener->loop)
        http__conn_arrive(&conn->arrive);
    else
        loop_post(loop, &conn->arrive);
}

static void accept_ready(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct http_accept *accept = poll->data;
    struct http_listener *listener = accept->listener;
    struct http_loop *hl = loop_of(listener->server, listener->loop);
    uint64_t began_ns;
    for (int i = 0; i < ACCEPT_BATCH && http__turn_begin(listener, hl, &began_ns); i++) {
        struct sockaddr_storage peer = {0};
        socklen_t n = sizeof(peer);
        int fd = accept4(listener->options.fd, (struct sockaddr *)&peer, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_connection(listener, fd, &peer);
            http__turn_end(listener, hl, began_ns);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if ((errno != EAGAIN && errno != EWOULDBLOCK) || status < 0) {
            /* Out of descriptors or memory: polling on would spin. */
            uv_poll_stop(poll);
            listener->retry = loop_timer_start(listener->loop, ACCEPT_RETRY_MS, accept_again, listener);
        }
        return;
    }
}

static void start_accepting(struct loop_task *task)
{
    struct http_listener *listener = CONTAINER_OF(task, struct http_listener, start);
    struct http_loop *hl = loop_of(listener->server, listener->loop);
    if (!atomic_load(&listener->closed) && !hl->ended) {
        struct http_accept *accept = mem_zalloc(sizeof(*accept));
        accept->listener = listener;
        ENSURE(uv_poll_init(loop_uv(listener->loop), &accept->poll, listener->options.fd) == 0);
        accept->poll.data = accept;
        ENSURE(uv_poll_start(&accept->poll, UV_READABLE, accept_ready) == 0);
        listener->accept = accept;
    }
    listener_unref(listener);
}

/* Opens the other loops' side of the server there. */
struct opening {
    struct loop_task task;
    struct http_loop *hl;
};

static void open_there(struct loop_task *task)
{
    struct opening *opening = CONTAINER_OF(task, struct opening, task);
    open_loop(opening->hl);
    free(opening);
}

static bool own_thread(struct loop *loop)
{
    return loop_current() == loop || !loop__running(loop);
}

struct http_listener *http_listen(struct http_server *server, const struct http_listener_options *options)
{
    ENSURE(options->handler && options->body_max <= NET_BODY_BYTES_MAX);
    struct http_listener *listener = mem_zalloc(sizeof(*listener));
    listener->server = server;
    listener->options = *options;
    listener->share.tenant = options->tenant ? options->tenant : &listener->own;
    listener->loop = options->only ? options->only : loops_at(server->loops, 0);
    listener->refs = 2; /* the owner's, and the start's */
    link_init(&listener->conns);
    pthread_mutex_lock(&server->lock);
    link_add_last(&server->listeners, &listener->link);
    pthread_mutex_unlock(&server->lock);
    for (size_t i = 0; i < server->loop_count; i++) {
        struct http_loop *hl = &server->loop[i];
        if (options->only && options->only != hl->loop)
            continue;
        if (own_thread(hl->loop)) {
            open_loop(hl);
            continue;
        }
        struct opening *opening = mem_zalloc(sizeof(*opening));
        opening->hl = hl;
        opening->task.run = open_there;
        loop_post(hl->loop, &opening->task);
    }
    listener->start.run = start_accepting;
    if (own_thread(listener->loop))
        start_accepting(&listener->start);
    else
        loop_post(listener->loop, &listener->start);
    return listener;
}

static void accept_freed(uv_handle_t *handle)
{
    free(handle->data);
}

/* On the accepting loop. */
static void stop_accepting(struct http_listener *listener)
{
    loop_timer_cancel(&listener->retry);
    if (listener->accept && !uv_is_closing((uv_handle_t *)&listener->accept->poll))
        uv_close((uv_handle_t *)&listener->accept->poll, accept_freed);
    listener->accept = NULL;
    if (listener->options.fd >= 0)
        close(listener->options.fd);
    listener->options.fd = -1;
}

static void close_conns(struct http_loop *hl, const struct http_listener *listener)
{
    for (struct link *at = hl->conns.next, *next; at != &hl->conns; at = next) {
        next = at->next;
        struct http_conn *conn = CONTAINER_OF(at, struct http_conn, link);
        if (!listener || conn->listener == listener)
            http__conn_close(conn);
    }
}

static void forget_listener(struct http_listener *listener)
{
    pthread_mutex_lock(&listener->server->lock);
    link_remove(&listener->link);
    pthread_mutex_unlock(&listener->server->lock);
}

void http_listener_close(struct http_listener *listener)
{
    ENSURE(own_thread(listener->loop));
    ENSURE(!atomic_exchange(&listener->closed, true));
    forget_listener(listener);
    stop_accepting(listener);
    while (!link_alone(&listener->conns))
        http__conn_close(CONTAINER_OF(listener->conns.next, struct http_conn, of_listener));
    if (!listener->options.only)
        for (size_t i = 0; i < listener->server->loop_count; i++)
            if (own_thread(listener->server->loop[i].loop))
                close_conns(&listener->server->loop[i], listener);
    listener_unref(listener);
}

/* ---- end ---- */

/* On the loop: stops accepting and, with_conns, ends every connection. */
static void end_loop(struct http_loop *hl, bool with_conns, bool outside_only)
{
    struct http_server *server = hl->server;
    pthread_mutex_lock(&server->lock);
    for (struct link *at = server->listeners.next; at != &server->listeners; at = at->next) {
        struct http_listener *listener = CONTAINER_OF(at, struct http_listener, link);
        if (listener->loop == hl->loop && !(outside_only && listener->options.only))
            stop_accepting(listener);
    }
    pthread_mutex_unlock(&server->lock);
    for (struct link *at = hl->conns.next, *next; at != &hl->conns; at = next) {
        next = at->next;
        struct http_conn *conn = CONTAINER_OF(at, struct http_conn, link);
        if (outside_only && conn->listener->options.only)
            continue;
        if (with_conns)
            http__conn_close(conn);
        else
            http__conn_flush(conn);
    }
}

static void loop_ended(struct loop_hook *hook)
{
    struct http_loop *hl = CONTAINER_OF(hook, struct http_loop, hook);
    hl->ended = true;
    end_loop(hl, true, false);
    loop_timer_cancel(&hl->sweep);
}

/* Something that every loop does once while another thread waits. */
struct everywhere {
    struct loop_task task;
    struct http_loop *hl;
    void (*run)(struct http_loop *hl);
    size_t *left; /* under the server's lock */
};

static void run_there(struct loop_task *task)
{
    struct everywhere *one = CONTAINER_OF(task, struct everywhere, task);
    struct http_server *server = one->hl->server;
    one->run(one->hl);
    pthread_mutex_lock(&server->lock);
    --*one->left;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->lock);
}

static void run_everywhere(struct http_server *server, void (*run)(struct http_loop *hl))
{
    ENSURE(!loop_current());
    size_t left = server->loop_count;
    struct everywhere *each = mem_zalloc(server->loop_count * sizeof(*each));
    for (size_t i = 0; i < server->loop_count; i++) {
        each[i] = (struct everywhere){.task.run = run_there, .hl = &server->loop[i], .run = run, .left = &left};
        if (loop__running(server->loop[i].loop))
            loop_post(server->loop[i].loop, &each[i].task);
        else
            run_there(&each[i].task);
    }
    pthread_mutex_lock(&server->lock);
    while (left > 0)
        pthread_cond_wait(&server->changed, &server->lock);
    pthread_mutex_unlock(&server->lock);
    free(each);
}

static void drain_here(struct http_loop *hl)
{
    end_loop(hl, false, true);
}

static void close_outside_here(struct http_loop *hl)
{
    end_loop(hl, true, true);
}

static void close_here(struct http_loop *hl)
{
    hl->ended = true;
    end_loop(hl, true, false);
    loop_timer_cancel(&hl->sweep);
    loop__forget(&hl->hook);
}

static void detach_here(struct http_loop *hl)
{
    http__pool_detach(&hl->pool);
}

/* Waits until that count is 0; false: not within the time. */
static bool wait_for_none(struct http_server *server, atomic_size_t *count, uint64_t ms)
{
    struct timespec until = clock_deadline(ms);
    int result = 0;
    pthread_mutex_lock(&server->lock);
    while (atomic_load(count) > 0 && result == 0)
        result = pthread_cond_clockwait(&server->changed, &server->lock, CLOCK_MONOTONIC, &until);
    bool none = atomic_load(count) == 0;
    pthread_mutex_unlock(&server->lock);
    return none;
}

void http_server_drain(struct http_server *server)
{
    atomic_store(&server->draining, true);
    run_everywhere(server, drain_here);
    if (wait_for_none(server, &server->outside_count, server->limits.drain_ms))
        return;
    run_everywhere(server, close_outside_here);
    wait_for_none(server, &server->outside_count, server->limits.drain_ms);
}

void http_server_free(struct http_server *server)
{
    if (!server)
        return;
    run_everywhere(server, close_here);
    if (loop__running(server->loop[0].loop)) {
        while (!wait_for_none(server, &server->all_count, 1000))
            ;
        run_everywhere(server, detach_here);
    }
    while (!link_alone(&server->listeners)) {
        struct http_listener *listener = CONTAINER_OF(server->listeners.next, struct http_listener, link);
        link_remove(&listener->link);
        atomic_store(&listener->closed, true);
        listener->options.closed = NULL; /* its owner did not ask */
        listener_unref(listener);
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        http__pool_clear(&server->loop[i].pool);
        arena_free(server->loop[i].scratch);
        free(server->loop[i].h2_out);
    }
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->lock);
    free(server);
}

/* ---- binding ---- */

/* "127.0.0.1:4566" or "[::1]:4566" */
static bool parse_address(struct str address, char host[64], char port[8])
{
    size_t colon = address.n;
    while (colon > 0 && address.p[colon - 1] != ':')
        colon--;
    if (colon < 2)
        return false;
    struct str name = str_slice(address, 0, colon - 1), number = str_slice(address, colon, address.n);
    uint64_t value;
    if (!str_to_u64(number, &value) || value > 65535 || number.n > 5)
        return false;
    if (name.p[0] == '[') {
        if (name.n < 3 || name.p[name.n - 1] != ']')
            return false;
        name = str_slice(name, 1, name.n - 1);
    } else if (str_find(name, ':') < name.n) {
        return false;
    }
    if (name.n >= 64)
        return false;
    snprintf(host, 64, STR_FMT, STR_ARG(name));
    snprintf(port, 8, STR_FMT, STR_ARG(number));
    return true;
}

static struct addrinfo *find_address(struct str address)
{
    char host[64], port[8];
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE}, *found;
    return parse_address(address, host, port) && getaddrinfo(host, port, &hints, &found) == 0 ? found : NULL;
}

bool http_is_address(struct str address)
{
    struct addrinfo *found = find_address(address);
    if (found)
        freeaddrinfo(found);
    return found;
}

enum err http_bind(struct str address, int *ret_fd)
{
    struct addrinfo *found = find_address(address);
    if (!found)
        return ERR_INVALID;
    enum err err = ERR_IO;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        goto out;
    /* Only lets a restarted server take over a port with connections in TIME_WAIT; a listening one stays taken. */
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0)
        goto out;
    if (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        err = errno == EADDRINUSE ? ERR_EXISTS : errno == EACCES || errno == EPERM ? ERR_DENIED : ERR_IO;
        goto out;
    }
    *ret_fd = fd;
    fd = -1;
    err = ERR_OK;
out:;
    int why = errno;
    if (fd >= 0)
        close(fd);
    freeaddrinfo(found);
    errno = why;
    return err;
}

/* transport.c -- connections' bytes over a socket: what all transports share, and the row of plain TCP.
 *
 * A transport watches its socket with one poll handle and makes the system calls itself: a request costs one read,
 * straight into the memory that the protocol above gives, and one write, which is tried at once. Only what a socket did
 * not take waits for the poll handle. Reads of one turn are bounded, so that a fast sender leaves room for the others;
 * the poll is level-triggered and calls again.
 *
 * The rows decide what is waited for (`events`): TLS may have to write in order to read. uv_poll_start costs a system call
 * or two, so it is only called when that set changes, which on a kept connection it does not.
 *
 * Closing: the poll handle stops and the descriptor is closed at once (the peer sees the FIN now); the memory is the
 * owner's again when libuv has let go of the handle. */
#include "net/transport.h"
#include "base/panic.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#define READS_MAX      8             /* of one turn, while they fill what they are given, */
#define READ_BYTES_MAX (512u << 10) /* and its bytes */

/* ---- waiting ---- */

static void transport_ready(uv_poll_t *poll, int status, int events)
{
    struct transport *transport = poll->data;
    if (status < 0) {
        /* The socket has an error. libuv has stopped watching; the calls will say what it is. */
        transport->events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    transport->type->ready(transport, events & UV_READABLE, events & UV_WRITABLE);
    if (!transport->closing && !transport__wait(transport))
        transport->user->got(transport, -1);
}

bool transport__wait(struct transport *transport)
{
    int events = transport->type->events(transport);
    if (events == transport->events)
        return true;
    transport->events = events;
    return events ? uv_poll_start(&transport->poll, events, transport_ready) == 0 : uv_poll_stop(&transport->poll) == 0;
}

void transport__opened(struct transport *transport)
{
    if (transport->opened)
        return;
    transport->opened = true;
    if (transport->user->opened)
        transport->user->opened(transport);
}

/* ---- life ---- */

bool transport_open(struct transport *transport, uv_loop_t *loop, int fd, struct tls *tls, const struct transport_user *user)
{
    if (uv_poll_init(loop, &transport->poll, fd) != 0) {
        close(fd);
        return false;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* of no use to a socket of another kind */
    transport->poll.data = transport;
    transport->type = tls ? &transport__first : &transport__tcp;
    transport->tls = tls;
    transport->user = user;
    transport->fd = fd;
    return true;
}

bool transport_read(struct transport *transport, bool on)
{
    transport->reading = on;
    return transport__wait(transport);
}

static void poll_closed(uv_handle_t *handle)
{
    struct transport *transport = handle->data;
    transport->user->closed(transport);
}

void transport_close(struct transport *transport)
{
    ENSURE(!transport->closing);
    transport->closing = true;
    if (transport->type->clear)
        transport->type->clear(transport);
    free(transport->rest);
    transport->rest = NULL;
    uv_close((uv_handle_t *)&transport->poll, poll_closed);
    close(transport->fd);
}

void transport_rest(struct transport *transport)
{
    if (transport->rested || !transport->opened || transport->waiting)
        return;
    transport->rested = true;
    if (transport->type->rest)
        transport->type->rest(transport);
}

void transport_end(struct transport *transport)
{
    transport->type->end(transport);
}

/* ---- writing ---- */

ssize_t transport_write(struct transport *transport, const uv_buf_t *bufs, size_t count)
{
    ENSURE(!transport->closing && !transport->waiting && count >= 1 && count <= TRANSPORT_PIECES_MAX);
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += bufs[i].len;
    ssize_t sent = transport->type->write(transport, bufs, count);
    if (sent < 0 || (size_t)sent == total)
        return sent;
    transport__keep(transport, bufs, count, (size_t)sent);
    return transport__wait(transport) ? sent : -1;
}

ssize_t transport_send_file(struct transport *transport, int fd, off_t offset, size_t n)
{
    ENSURE(!transport->closing && !transport->waiting);
    ssize_t sent = transport->type->send_file(transport, fd, offset, n);
    if (sent == 0 && n > 0) {
        transport->waiting = true;
        return transport__wait(transport) ? 0 : -1;
    }
    return sent;
}

void transport__keep(struct transport *transport, const uv_buf_t *bufs, size_t count, size_t sent)
{
    while (count && sent >= bufs->len) {
        sent -= bufs->len;
        bufs++;
        count--;
    }
    transport->waiting = true;
    transport->rest = mem_alloc(count * sizeof(*bufs));
    memcpy(transport->rest, bufs, count * sizeof(*bufs));
    transport->rest[0].base += sent;
    transport->rest[0].len -= sent;
    transport->rest_at = 0;
    transport->rest_count = count;
    transport->unsent = 0;
    for (size_t i = 0; i < count; i++)
        transport->unsent += transport->rest[i].len;
}

static void rest_out(struct transport *transport, bool fine)
{
    free(transport->rest);
    transport->rest = NULL;
    transport->waiting = false;
    transport->unsent = transport->rest_count = 0;
    transport->user->written(transport, fine);
}

/* Takes what was sent from the rest. */
static void advance(struct transport *transport, size_t sent)
{
    transport->unsent -= sent;
    uv_buf_t *at = transport->rest + transport->rest_at;
    for (; transport->rest_count && sent >= at->len; at++, transport->rest_at++, transport->rest_count--)
        sent -= at->len;
    if (!transport->rest_count)
        return;
    at->base += sent;
    at->len -= sent;
}

void transport__go_on(struct transport *transport, ssize_t (*write)(struct transport *, const uv_buf_t *, size_t))
{
    if (!transport->waiting)
        return;
    if (transport->rest) {
        ssize_t sent = write(transport, transport->rest + transport->rest_at, transport->rest_count);
        if (sent < 0) {
            rest_out(transport, false);
            return;
        }
        advance(transport, (size_t)sent);
        if (transport->rest_count)
            return;
    }
    rest_out(transport, true);
}

/* ---- TCP ---- */

static ssize_t tcp_write(struct transport *transport, const uv_buf_t *bufs, size_t count)
{
    ssize_t n;
    do {
        if (count == 1) {
            n = send(transport->fd, bufs->base, bufs->len, MSG_NOSIGNAL);
        } else {
            struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)bufs, .msg_iovlen = count};
            n = sendmsg(transport->fd, &message, MSG_NOSIGNAL);
        }
    } while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : n;
}

static ssize_t tcp_send_file(struct transport *transport, int fd, off_t offset, size_t n)
{
    ssize_t sent;
    do {
        sent = sendfile(transport->fd, fd, &offset, n);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && (errno == EINVAL || errno == ENOSYS))
        return TRANSPORT_UNABLE;
    if (sent == 0)
        return -1; /* the file ends before n: 0 would wait for the socket */
    return sent < 0 && errno == EAGAIN ? 0 : sent;
}

static void tcp_read(struct transport *transport)
{
    size_t turn = 0;
    for (int i = 0; i < READS_MAX && turn < READ_BYTES_MAX && transport->reading && !transport->closing; i++) {
        if (transport->user->may_read && !transport->user->may_read(transport))
            return;
        size_t room;
        char *at = transport->user->space(transport, &room);
        ssize_t n;
        do {
            n = recv(transport->fd, at, room, 0);
        } while (n < 0 && errno == EINTR);
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        transport->user->got(transport, n);
        if (n < 0 || (size_t)n < room)
            return;
        turn += (size_t)n;
    }
}

static void tcp_ready(struct transport *transport, bool readable, bool writable)
{
    if (writable)
        transport__go_on(transport, tcp_write);
    if (!readable || transport->closing || !transport->reading)
        return;
    transport__opened(transport);
    tcp_read(transport);
}

static int tcp_events(const struct transport *transport)
{
    return (transport->reading ? UV_READABLE : 0) | (transport->waiting ? UV_WRITABLE : 0);
}

static void tcp_end(struct transport *transport)
{
    shutdown(transport->fd, SHUT_WR);
}

const struct transport_type transport__tcp = {
    .name = "tcp",
    .ready = tcp_ready,
    .write = tcp_write,
    .send_file = tcp_send_file,
    .events = tcp_events,
    .end = tcp_end,
};

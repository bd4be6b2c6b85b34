/* net.c -- plain TCP connections and the transport over one.
 *
 * Sockets are blocking where nobody waits with a deadline: a read is then one system call. With a deadline each read or
 * write is tried at once (MSG_DONTWAIT) and waits in poll only when there is nothing to do. Addresses written as numbers
 * are not looked up: the resolver costs a cold start its files and memory.
 * A name's addresses are tried in turn. One that does not answer takes its share of the time, not that of the others. */
#include "http_client.h"
#include "resolve.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define ADDRESSES_MAX 8             /* tried of one name */
#define PIECES_MAX    8             /* given to the system at once */

ssize_t cl__wait(int fd, bool writable, int64_t deadline_ms)
{
    struct pollfd one = {.fd = fd, .events = writable ? POLLOUT : POLLIN};
    for (;;) {
        int64_t left = deadline_ms == CL__NO_DEADLINE ? -1 : deadline_ms - cl__mono_ms();
        if (left < 0 && deadline_ms != CL__NO_DEADLINE)
            return CL__IO_DEADLINE;
        int n = poll(&one, 1, left > 60000 ? 60000 : (int)left);
        if (n > 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return CL__IO_BROKEN;
        if (n == 0 && left <= 60000)
            return CL__IO_DEADLINE;
    }
}

/* ---- connecting ---- */

/* 0, or an error of the system. */
static int finish_connect(int fd, int64_t deadline_ms)
{
    int error = 0;
    socklen_t n = sizeof error;
    ssize_t waited = cl__wait(fd, true, deadline_ms);
    if (waited == CL__IO_DEADLINE)
        return ETIMEDOUT;
    return waited < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0 ? errno : error;
}

static cl_result connect_one(const struct sockaddr *address, socklen_t n, int64_t deadline_ms, int *ret, const char **why)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;
    int error = fd < 0 || connect(fd, address, n) != 0 ? errno : 0;
    if (error == EINPROGRESS || error == EINTR)
        error = finish_connect(fd, deadline_ms);
    int flags = error == 0 ? fcntl(fd, F_GETFL) : 0;
    if (error == 0 && (flags < 0 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0))
        error = errno;
    if (error != 0) {
        if (fd >= 0)
            close(fd);
        *why = strerrordesc_np(error);
        return error == ETIMEDOUT && cl__mono_ms() >= deadline_ms ? CL_DEADLINE : CL_UNREACHABLE;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);         /* without it answers are late, not wrong */
    *ret = fd;
    return CL_OK;
}

/* The deadline of the first of so many attempts, which leaves the others as much each. */
static int64_t share_of(int64_t deadline_ms, int attempts)
{
    int64_t now = cl__mono_ms();
    return deadline_ms == CL__NO_DEADLINE ? deadline_ms : now + (deadline_ms - now) / attempts;
}

static cl_result connect_any(const struct addrinfo *found, int64_t deadline_ms, int *ret, const char **why)
{
    cl_result result = CL_UNREACHABLE;
    int left = 0;
    for (const struct addrinfo *a = found; a && left < ADDRESSES_MAX; a = a->ai_next)
        left++;
    for (const struct addrinfo *a = found; left > 0 && result != CL_OK; a = a->ai_next, left--)
        result = connect_one(a->ai_addr, a->ai_addrlen, share_of(deadline_ms, left), ret, why);
    return result;
}

/* An address in numbers. False: it is a name. */
static bool numeric(const char *host, uint16_t port, struct sockaddr_storage *ret, socklen_t *ret_n)
{
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret;
    memset(ret, 0, sizeof *ret);
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET, four->sin_port = htons(port);
        *ret_n = sizeof *four;
        return true;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6, six->sin6_port = htons(port);
        *ret_n = sizeof *six;
        return true;
    }
    return false;
}

static bool port_of(const char *text, uint16_t *ret)
{
    unsigned value = 0, n = 0;
    for (; text[n]; n++) {
        if (n == 5 || text[n] < '0' || text[n] > '9')
            return false;
        value = value * 10 + (unsigned)(text[n] - '0');
    }
    *ret = (uint16_t)value;
    return value > 0 && value <= 65535;
}

cl_result cl__tcp_connect(const char *host, const char *port, int64_t deadline_ms, int *ret, const char **ret_why)
{
    struct sockaddr_storage address;
    socklen_t n;
    uint16_t number;
    *ret_why = "no port";
    if (!port_of(port, &number))
        return CL_UNREACHABLE;
    if (numeric(host, number, &address, &n))
        return connect_one((const struct sockaddr *)&address, n, deadline_ms, ret, ret_why);
    struct addrinfo *found = NULL;
    cl_result result = cl__resolve(host, port, deadline_ms, &found, ret_why);
    if (result == CL_OK) {
        result = connect_any(found, deadline_ms, ret, ret_why);
        freeaddrinfo(found);
    }
    return result;
}

/* ---- the transport ---- */

static ssize_t tcp_read(void *arg, void *to, size_t n, int64_t deadline_ms)
{
    int fd = *(const int *)arg;
    bool waits = deadline_ms != CL__NO_DEADLINE;
    for (;;) {
        ssize_t got = recv(fd, to, n, waits ? MSG_DONTWAIT : 0);
        if (got >= 0)
            return got == 0 ? CL__IO_END : got;
        if (errno == EINTR)
            continue;
        if (!waits || (errno != EAGAIN && errno != EWOULDBLOCK))
            return CL__IO_BROKEN;
        ssize_t waited = cl__wait(fd, false, deadline_ms);
        if (waited < 0)
            return waited;
    }
}

/* At most PIECES_MAX pieces, from `done` bytes into them on. */
static ssize_t send_some(int fd, const cl_str *pieces, size_t count, size_t done, int flags)
{
    struct iovec vector[PIECES_MAX];
    struct msghdr message = {.msg_iov = vector};
    for (size_t i = 0; i < count && message.msg_iovlen < PIECES_MAX; i++) {
        if (done >= pieces[i].n) {
            done -= pieces[i].n;
            continue;
        }
        vector[message.msg_iovlen++] = (struct iovec){(void *)(uintptr_t)(pieces[i].p + done), pieces[i].n - done};
        done = 0;
    }
    return message.msg_iovlen ? sendmsg(fd, &message, flags | MSG_NOSIGNAL) : 0;
}

static ssize_t tcp_write(void *arg, const cl_str *pieces, size_t count, int64_t deadline_ms)
{
    int fd = *(const int *)arg;
    bool waits = deadline_ms != CL__NO_DEADLINE;
    size_t done = 0, all = 0;
    for (size_t i = 0; i < count; i++)
        all += pieces[i].n;
    while (done < all) {
        ssize_t sent = send_some(fd, pieces, count, done, waits ? MSG_DONTWAIT : 0);
        if (sent >= 0) {
            done += (size_t)sent;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (!waits || (errno != EAGAIN && errno != EWOULDBLOCK))
            return CL__IO_BROKEN;
        ssize_t waited = cl__wait(fd, true, deadline_ms);
        if (waited < 0)
            return waited;
    }
    return all > 0 ? (ssize_t)all : 1;
}

struct cl__transport cl__tcp_transport(const int *fd)
{
    return (struct cl__transport){tcp_read, tcp_write, (void *)(uintptr_t)fd};
}

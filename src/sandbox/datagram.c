/* datagram.c -- datagrams that carry descriptors, between server, launcher and holders (SOCK_SEQPACKET, SCM_RIGHTS).
 * Used on both sides of fork; allocates nothing. */
#include "sandbox/sandbox_internal.h"
#include "base/panic.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

const char *const sandbox__mount_at[SANDBOX__MOUNTS] = {"/var/task", "/opt", "/var/lang", "/var/runtime"};

union control_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(SANDBOX__FDS_MAX * sizeof(int))];
};

int sandbox__send(int socket, const void *bytes, size_t n, const int *fds, size_t fd_count)
{
    ENSURE(fd_count <= SANDBOX__FDS_MAX);
    union control_space space = {0};
    struct iovec part = {(void *)(uintptr_t)bytes, n};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd_count > 0) {
        message.msg_control = space.bytes;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *head = CMSG_FIRSTHDR(&message);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
        memcpy(CMSG_DATA(head), fds, fd_count * sizeof(int));
    }
    ssize_t sent;
    do
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

ssize_t sandbox__recv(int socket, void *bytes, size_t max, int *fds, size_t fd_room, size_t *ret_fd_count)
{
    union control_space space;
    struct iovec part = {bytes, max};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space.bytes, .msg_controllen = sizeof space.bytes};
    ssize_t n;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    size_t count = 0;
    for (struct cmsghdr *head = CMSG_FIRSTHDR(&message); head; head = CMSG_NXTHDR(&message, head)) {
        if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
            continue;
        size_t got = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < got; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
            if (count < fd_room)
                fds[count++] = fd;
            else
                close(fd);
        }
    }
    *ret_fd_count = count;
    return n;
}

int sandbox__wait_readable(int fd, int timeout_ms)
{
    struct pollfd watch = {fd, POLLIN, 0};
    int r;
    do
        r = poll(&watch, 1, timeout_ms);
    while (r < 0 && errno == EINTR);
    return r > 0;
}

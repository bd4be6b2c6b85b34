/* http_client.h -- one HTTP/1.1 answer read from any transport: plain sockets and TLS look the same from here.
 *
 * A request is written with transport.write in as few pieces as the caller likes; its answer is read with cl__http_read.
 * One request at a time: bytes after an answer make the connection unfit for another request, unless the caller says that
 * it has sent the next request already (pipelining); then they are kept for the next read.
 * Bounds: the head (CL__HTTP_HEAD_MAX bytes, CL__HTTP_HEADERS_MAX headers), the body (an argument), the bytes of chunk
 * framing, four interim (1xx) answers, and the deadline. Source: RFC 9112. */
#ifndef CL_HTTP_CLIENT_H
#define CL_HTTP_CLIENT_H
#include "internal.h"

#define CL__HTTP_HEAD_MAX    16384
#define CL__HTTP_HEADERS_MAX 64

/* What a transport says instead of a number of bytes. */
enum { CL__IO_END = 0, CL__IO_BROKEN = -1, CL__IO_DEADLINE = -2 };

/* Deadlines are of cl__mono_ms. */
struct cl__transport {
    /* Waits for at least one byte; how many came, at most n, or CL__IO_…. */
    ssize_t (*read)(void *arg, void *to, size_t n, int64_t deadline_ms);
    /* Writes all pieces, as one segment or record where they fit; above 0 when all went, or CL__IO_BROKEN, CL__IO_DEADLINE. */
    ssize_t (*write)(void *arg, const cl_str *pieces, size_t count, int64_t deadline_ms);
    void *arg;
};

/* A plain TCP connection with CLOEXEC and NODELAY. host: a name or an address, IPv6 without brackets. CL_OK sets *fd;
 * CL_UNREACHABLE, CL_DEADLINE: *ret_why is a phrase, such as "Connection refused". */
cl_result cl__tcp_connect(const char *host, const char *port, int64_t deadline_ms, int *fd, const char **ret_why);
/* The transport of that socket, which is read through fd and stays the caller's to close. */
struct cl__transport cl__tcp_transport(const int *fd);
/* Waits until fd is readable (or writable) or the deadline: 1, or CL__IO_BROKEN, CL__IO_DEADLINE. For TLS. */
ssize_t cl__wait(int fd, bool writable, int64_t deadline_ms);

struct cl__http_answer {
    bool pipelined;         /* by the caller: bytes behind this answer are the next one's. They are in `head` then and the
                               headers are gone. */
    size_t ahead;           /* how many those were. A new connection begins with 0 */
    int status;
    bool began;             /* a byte of it came: the server has seen the request */
    bool keep;              /* the connection may take another request; true with CL_OK only */
    cl_str body;            /* in the arena, NUL-terminated */
    size_t header_count;    /* names and values lie in `head`, with a NUL behind */
    struct {
        cl_str name, value;
    } headers[CL__HTTP_HEADERS_MAX];
    size_t head_n;
    char head[CL__HTTP_HEAD_MAX];
};

/* CL_OK: *ret is whole. CL_NO_MEMORY: the body is longer than body_max or the arena failed; status and headers are there.
 * CL_INVALID: this is no HTTP/1.1, or its head is too long. CL_UNREACHABLE: it broke off. CL_DEADLINE.
 * arena NULL: the body is read and thrown away. ret is large (about 18 KB) and may be used again for the next answer; then the old
 * one's headers are gone. */
cl_result cl__http_read(const struct cl__transport *transport, cl_arena *arena, size_t body_max, int64_t deadline_ms,
                        struct cl__http_answer *ret);
/* The first header of that name, or empty. */
cl_str cl__http_header(const struct cl__http_answer *answer, const char *name);

#endif

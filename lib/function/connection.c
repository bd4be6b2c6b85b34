/* connection.c -- one connection at a time, kept from request to request.
 *
 * A function is frozen between invocations, and a server closes what is idle. So before a kept connection is used it is
 * asked whether it still is one, which costs one call of the system; and when it breaks before a byte of the answer came,
 * the request is sent again on a new connection. That is done once: a new connection that breaks is a failure, and the
 * caller's retries are about those. */
#include "connection.h"
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECT_MS 3000 /* for the connection and TLS's handshake */

cl_result cl__connection_init(struct cl__connection *connection, cl_str *message)
{
    connection->fd = -1;
    connection->tls = NULL;
    return connection->endpoint.tls ? cl__tls_new(&connection->tls, message) : CL_OK;
}

static void disconnect(struct cl__connection *connection)
{
    if (connection->fd < 0)
        return;
    if (connection->tls)
        cl__tls_disconnect(connection->tls);
    close(connection->fd);
    connection->fd = -1;
}

void cl__connection_clear(struct cl__connection *connection)
{
    disconnect(connection);
    cl__tls_free(connection->tls);
    connection->tls = NULL;
}

/* Nothing to read and no end: then the server waits for the next request. */
static bool idle(struct cl__connection *connection)
{
    char byte;
    if (connection->tls)
        return cl__tls_idle(connection->tls);
    return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static cl_result connect_to(struct cl__connection *connection, int64_t deadline_ms, cl_str *message)
{
    const struct cl__endpoint *endpoint = &connection->endpoint;
    int64_t limit = cl__mono_ms() + CONNECT_MS;
    const char *why = NULL;
    if (deadline_ms < limit)
        limit = deadline_ms;
    cl_result result = cl__tcp_connect(endpoint->host, endpoint->port, limit, &connection->fd, &why);
    if (result != CL_OK) {
        *message = cl__sentence("no connection to %s: %s", endpoint->authority, why);
        connection->fd = -1;
    } else if (connection->tls) {
        result = cl__tls_connect(connection->tls, connection->fd, endpoint->host, limit, message);
        if (result != CL_OK)
            disconnect(connection);
    }
    /* What was too slow for this attempt may be tried again while there is time. */
    return result == CL_DEADLINE && limit < deadline_ms ? CL_UNREACHABLE : result;
}

static cl_result talk(struct cl__connection *connection, cl_str head, cl_str body, cl_arena *arena, size_t body_max,
                      int64_t deadline_ms)
{
    struct cl__transport transport = connection->tls ? cl__tls_transport(connection->tls) : cl__tcp_transport(&connection->fd);
    const cl_str pieces[] = {head, body};
    connection->answer.began = connection->answer.keep = false;
    ssize_t written = transport.write(transport.arg, pieces, CL__COUNT(pieces), deadline_ms);
    if (written == CL__IO_DEADLINE)
        return CL_DEADLINE;
    /* A server may answer and close before it has read all of a request; that answer says more than the broken pipe. */
    return cl__http_read(&transport, arena, body_max, deadline_ms, &connection->answer);
}

static cl_str failure(cl_result result, const struct cl__connection *connection)
{
    static const char *const texts[] = {[CL_NO_MEMORY] = "its answer is too long, or memory is out",
                                        [CL_INVALID] = "its answer is no HTTP/1.1",
                                        [CL_UNREACHABLE] = "the connection broke",
                                        [CL_DEADLINE] = "no answer in time"};
    const char *text = (size_t)result < CL__COUNT(texts) && texts[result] ? texts[result] : "no answer";
    return cl__sentence("%s: %s", connection->endpoint.authority, text);
}

cl_result cl__connection_exchange(struct cl__connection *connection, cl_str head, cl_str body, cl_arena *arena, size_t body_max,
                                  int64_t deadline_ms, cl_str *message)
{
    if (connection->fd >= 0 && !idle(connection))
        disconnect(connection);
    for (bool kept = connection->fd >= 0;; kept = false) {
        cl_result result = kept ? CL_OK : connect_to(connection, deadline_ms, message);
        if (result != CL_OK)
            return result;
        result = talk(connection, head, body, arena, body_max, deadline_ms);
        if (result != CL_OK || !connection->answer.keep)
            disconnect(connection);
        if (result == CL_OK)
            return result;
        if (!(kept && result == CL_UNREACHABLE && !connection->answer.began)) {
            *message = failure(result, connection);
            return result;
        }
    }
}

/* transport_fuzz.c -- any bytes into a connection that takes TLS and plain text, over a pair of sockets.
 *
 * The first byte of the input says how the rest is cut. Properties: what does not begin with a handshake comes out as it went
 * in, every byte, in order, as plain text; what begins with one yields nothing before a handshake is made, which nobody makes
 * who does not answer the server; either way the end is told, and closing gives everything back. */
#include "base/panic.h"
#include "net/tls.h"
#include "net/tls_local.h"
#include "net/transport.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INPUT_BYTES_MAX 16384

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uv_loop_t loop;
static struct tls *tls;

struct side {
    struct transport transport;
    char bytes[INPUT_BYTES_MAX + 1];
    size_t n;
    bool ended, closed;
};

static char *side_space(struct transport *transport, size_t *ret_n)
{
    struct side *side = CONTAINER_OF(transport, struct side, transport);
    *ret_n = sizeof(side->bytes) - side->n;
    return side->bytes + side->n;
}

static void side_got(struct transport *transport, ssize_t n)
{
    struct side *side = CONTAINER_OF(transport, struct side, transport);
    ENSURE(!side->ended);
    if (n > 0) {
        side->n += (size_t)n;
        return;
    }
    side->ended = true;
    transport_close(transport);
}

static void side_written(struct transport *transport, bool fine)
{
    (void)transport, (void)fine;
    UNREACHABLE(); /* it writes nothing */
}

static void side_closed(struct transport *transport)
{
    CONTAINER_OF(transport, struct side, transport)->closed = true;
}

static const struct transport_user side_user = {.space = side_space, .got = side_got, .written = side_written, .closed = side_closed};

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    char dir[] = "/tmp/transport-fuzz-XXXXXX";
    struct arena *arena = arena_new();
    struct str message;
    bool made, authority_made;
    ENSURE(mkdtemp(dir) && uv_loop_init(&loop) == 0);
    struct tls_local_options local = {.dir = dir, .names = STR("DNS:localhost"), .now_s = (int64_t)time(NULL), .leaf_s = 86400};
    ENSURE(tls_local_make(&local, arena, &made, &authority_made, &message) == ERR_OK);
    struct tls_options options = {
        .pairs = {{arena_printf(arena, "%s/localhost.pem", dir).p, arena_printf(arena, "%s/localhost.key", dir).p}},
        .pair_count = 1,
        .alpn = STR("\10http/1.1"),
    };
    ENSURE(tls_new(&options, arena, &tls, &message) == ERR_OK);
    ENSURE(system(arena_printf(arena, "rm -rf %s", dir).p) == 0);
    arena_free(arena);
    return 0;
}

/* Into the peer's socket, piece by piece; the transport takes each before the next. */
static void give_pieces(struct side *side, int peer, const uint8_t *data, size_t size, size_t piece)
{
    while (size && !side->ended) {
        ssize_t n = send(peer, data, piece < size ? piece : size, MSG_NOSIGNAL);
        ENSURE(n > 0 || side->ended);
        data += n;
        size -= (size_t)n;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > INPUT_BYTES_MAX)
        return 0;
    static struct side side;
    memset(&side, 0, sizeof(side));
    size_t piece = data[0] ? data[0] * 8u : 1;
    data++;
    size--;
    int fds[2];
    ENSURE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    ENSURE(transport_open(&side.transport, &loop, fds[0], tls, &side_user) && transport_read(&side.transport, true));
    give_pieces(&side, fds[1], data, size, piece);
    shutdown(fds[1], SHUT_WR);
    while (!side.closed)
        uv_run(&loop, UV_RUN_ONCE);
    close(fds[1]);
    bool handshake = size && data[0] == 0x16;
    ENSURE(side.ended && side.n == (handshake ? 0 : size));
    ENSURE(memcmp(side.bytes, data, side.n) == 0);
    return 0;
}

/* bodies.c -- a server for bench/bodies.py: bodies in are hashed piece by piece and thrown away, GET sends the file that argv
 * names. argv: port, file, loop | worker | plain: where they are hashed. Prints "ready", and ends with its input. */
#include "base/panic.h"
#include "net/http.h"
#include "net/limits.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char *file;
static char mode;
static struct workers *workers;

struct counting {
    struct body_sink sink;
    struct http_request *request;
    uint64_t n;
    struct body_worker worker;
    struct sha256_state hash;
};

static enum body_want on_piece(struct body_sink *sink, struct str piece)
{
    CONTAINER_OF(sink, struct counting, sink)->n += piece.n;
    return BODY_MORE;
}

static void on_end(struct body_sink *sink, enum body_end how)
{
    struct counting *counting = CONTAINER_OF(sink, struct counting, sink);
    struct str text =
        arena_printf(counting->request->arena, "%llu %02x%02x", (unsigned long long)counting->n, sink->sha256[0], sink->sha256[1]);
    http_respond_text(counting->request, body_end_status(how), "text/plain", text);
}

static enum err hash_piece(struct body_worker *worker, struct str piece)
{
    struct counting *counting = CONTAINER_OF(worker, struct counting, worker);
    counting->n += piece.n;
    sha256_add(&counting->hash, piece);
    return ERR_OK;
}

static void all_hashed(struct body_worker *worker, enum body_end how, enum err err)
{
    struct counting *counting = CONTAINER_OF(worker, struct counting, worker);
    ENSURE(err == ERR_OK);
    sha256_end(&counting->hash, counting->sink.sha256);
    on_end(&counting->sink, how);
}

static void on_request(struct http_request *request, void *arg)
{
    (void)arg;
    if (str_eq(request->method, STR("GET"))) {
        int fd = open(file, O_RDONLY | O_CLOEXEC);
        ENSURE(fd >= 0);
        http_respond_file(request, &(struct http_response){.status = 200}, fd, 0, HTTP_TO_END, workers);
        return;
    }
    struct counting *counting = arena_zalloc(request->arena, sizeof(*counting));
    counting->sink = (struct body_sink){.piece = on_piece, .end = on_end, .hashed = mode == 'l'};
    counting->request = request;
    counting->worker = (struct body_worker){.run = hash_piece, .done = all_hashed, .workers = workers, .lane = LANE_BODY};
    sha256_begin(&counting->hash);
    if (mode == 'w')
        body_read_on_worker(http_body(request), &counting->worker);
    else
        body_read(http_body(request), &counting->sink);
}

static struct http_body_plan plan(const struct http_request *request, void *arg)
{
    (void)request;
    (void)arg;
    return (struct http_body_plan){.max = NET_BODY_STREAM_MAX, .stream = true};
}

int main(int argc, char **argv)
{
    ENSURE(argc == 4);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%s", argv[1]);
    file = argv[2];
    mode = argv[3][0];
    struct loops *loops = loops_new(1);
    workers = workers_new(NULL);
    struct http_server *server = http_server_new(loops);
    struct http_listener_options options = {.handler = on_request, .body_plan = plan};
    ENSURE(http_bind(str_of(address), &options.fd) == ERR_OK);
    http_listen(server, &options);
    loops_start(loops);
    puts("ready");
    fflush(stdout);
    while (read(0, &(char){0}, 1) > 0)
        ;
    http_server_drain(server);
    workers_stop(workers);
    loops_stop(loops);
    http_server_free(server);
    workers_free(workers);
    loops_free(loops);
    return 0;
}

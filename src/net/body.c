/* body.c -- consumers and sources of bodies that know no protocol: bytes in memory, pieces through a worker, a file.
 *
 * A piece on a worker is kept until its work is done; `done` of the work runs on the reader's loop and asks for the next, so
 * a body has one piece with a worker and one that fills. A full queue of workers is tried again by a timer: the piece
 * stays kept, and the sender waits.
 *
 * The spool is such a consumer: write(2) and SHA-256 on the worker. Its file never has a name (O_TMPFILE), or loses it at
 * once where the file system knows no such files, so that nothing is left behind by a crash. It is made by the first piece's work.
 */
#include "net/body.h"
#include "base/panic.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define BODY_RETRY_MS 10 /* the workers' queue was full */

int body_end_status(enum body_end how)
{
    static const int statuses[] = {
        [BODY_WHOLE] = 200,     [BODY_GONE] = 499,      [BODY_STALLED] = 408,
        [BODY_TOO_LARGE] = 413, [BODY_MALFORMED] = 400, [BODY_DAMAGED] = 400,
    };
    return statuses[how];
}

/* ---- bytes ---- */

static void bytes_end(struct body_bytes *body)
{
    if (body->sink->hashed)
        sha256(body->bytes, body->sink->sha256);
    body->kept = false;
    body->sink->end(body->sink, BODY_WHOLE);
}

static void bytes_read(struct body_reader *reader, struct body_sink *sink)
{
    struct body_bytes *body = CONTAINER_OF(reader, struct body_bytes, reader);
    ENSURE(!body->sink);
    body->sink = sink;
    body->kept = body->bytes.n > 0;
    if (body->kept && sink->piece(sink, body->bytes) != BODY_MORE)
        return;
    bytes_end(body);
}

static void bytes_next_there(struct loop_task *task)
{
    struct body_bytes *body = CONTAINER_OF(task, struct body_bytes, task);
    ENSURE(body->kept);
    bytes_end(body);
}

static void bytes_next(struct body_reader *reader)
{
    struct body_bytes *body = CONTAINER_OF(reader, struct body_bytes, reader);
    body->task.run = bytes_next_there;
    if (loop_current() == reader->loop)
        bytes_next_there(&body->task);
    else
        loop_post(reader->loop, &body->task);
}

static void bytes_stop(struct body_reader *reader)
{
    CONTAINER_OF(reader, struct body_bytes, reader)->kept = false;
}

struct body_reader *body_of_bytes(struct body_bytes *ret, struct loop *loop, struct str bytes)
{
    static const struct body_reader_ops ops = {.read = bytes_read, .next = bytes_next, .stop = bytes_stop};
    *ret = (struct body_bytes){.reader = {.ops = &ops, .loop = loop, .length = (int64_t)bytes.n}, .bytes = bytes};
    return &ret->reader;
}

/* ---- on a worker ---- */

static void piece_on_worker(struct work *work)
{
    struct body_worker *worker = CONTAINER_OF(work, struct body_worker, work);
    worker->err = worker->run(worker, worker->kept);
}

static void piece_off_worker(struct work *work)
{
    struct body_worker *worker = CONTAINER_OF(work, struct body_worker, work);
    if (worker->err == ERR_OK) {
        body_next(worker->reader);
        return;
    }
    body_stop(worker->reader);
    worker->done(worker, BODY_WHOLE, worker->err);
}

static void piece_to_worker(void *arg)
{
    struct body_worker *worker = arg;
    worker->retry = NULL;
    enum err err = workers_submit(worker->workers, worker->lane, &worker->work);
    if (err == ERR_BUSY) {
        worker->retry = loop_timer_start(worker->reader->loop, BODY_RETRY_MS, piece_to_worker, worker);
    } else if (err != ERR_OK) {
        worker->err = err;
        piece_off_worker(&worker->work);
    }
}

static enum body_want worker_piece(struct body_sink *sink, struct str piece)
{
    struct body_worker *worker = CONTAINER_OF(sink, struct body_worker, sink);
    worker->kept = piece;
    enum err err = workers_submit(worker->workers, worker->lane, &worker->work);
    if (err == ERR_OK)
        return BODY_KEEP;
    if (err == ERR_BUSY) {
        worker->retry = loop_timer_start(worker->reader->loop, BODY_RETRY_MS, piece_to_worker, worker);
        return BODY_KEEP;
    }
    worker->done(worker, BODY_WHOLE, err);
    return BODY_STOP;
}

static void worker_end(struct body_sink *sink, enum body_end how)
{
    struct body_worker *worker = CONTAINER_OF(sink, struct body_worker, sink);
    worker->done(worker, how, worker->err);
}

void body_read_on_worker(struct body_reader *reader, struct body_worker *worker)
{
    worker->sink.piece = worker_piece;
    worker->sink.end = worker_end;
    worker->reader = reader;
    worker->work = (struct work){.run = piece_on_worker, .done = piece_off_worker, .loop = reader->loop};
    worker->retry = NULL;
    worker->err = ERR_OK;
    body_read(reader, &worker->sink);
}

/* ---- a file ---- */

struct spool {
    struct body_worker worker;
    struct body_file file;
    struct sha256_state hash;
    void (*done)(const struct body_file *file, void *arg);
    void *arg;
    char folder[];
};

/* -1: errno says why. */
static int nameless_file(const char *folder)
{
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
        return fd;
    char path[4096];
    int n = snprintf(path, sizeof path, "%s/body-XXXXXX", folder);
    if (n < 0 || (size_t)n >= sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0)
        unlink(path);
    return fd;
}

static enum err spool_piece(struct body_worker *worker, struct str piece)
{
    struct spool *spool = CONTAINER_OF(worker, struct spool, worker);
    if (spool->file.fd < 0 && (spool->file.fd = nameless_file(spool->folder)) < 0)
        return ERR_IO;
    sha256_add(&spool->hash, piece);
    spool->file.n += piece.n;
    while (piece.n) {
        ssize_t n = write(spool->file.fd, piece.p, piece.n);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ERR_IO;
        piece = str_slice(piece, (size_t)n, piece.n);
    }
    return ERR_OK;
}

static void spool_done(struct body_worker *worker, enum body_end how, enum err err)
{
    struct spool *spool = CONTAINER_OF(worker, struct spool, worker);
    struct body_file *file = &spool->file;
    file->how = how;
    file->err = err;
    bool fine = how == BODY_WHOLE && err == ERR_OK;
    if (fine && file->fd < 0) /* an empty body: nothing was written */
        file->err = (file->fd = nameless_file(spool->folder)) < 0 ? ERR_IO : ERR_OK;
    if (fine && file->err == ERR_OK && lseek(file->fd, 0, SEEK_SET) != 0)
        file->err = ERR_IO;
    if ((!fine || file->err != ERR_OK) && file->fd >= 0) {
        close(file->fd);
        file->fd = -1;
    }
    sha256_end(&spool->hash, file->sha256);
    spool->done(file, spool->arg);
    free(spool);
}

void body_spool(struct body_reader *reader, const char *folder, struct workers *workers,
                void (*done)(const struct body_file *file, void *arg), void *arg)
{
    size_t n = strlen(folder) + 1;
    struct spool *spool = mem_zalloc(sizeof(*spool) + n);
    spool->worker.run = spool_piece;
    spool->worker.done = spool_done;
    spool->worker.workers = workers;
    spool->worker.lane = LANE_READ;
    spool->file.fd = -1;
    spool->done = done;
    spool->arg = arg;
    memcpy(spool->folder, folder, n);
    sha256_begin(&spool->hash);
    body_read_on_worker(reader, &spool->worker);
}

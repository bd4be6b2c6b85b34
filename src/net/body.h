/* body.h -- bodies that pass by in pieces, both ways, with back-pressure. No protocol is seen here: the pieces come from
 * HTTP/1.1, HTTP/2 or memory (http_body, body_of_bytes), and go where a door of the program sends them (http_stream).
 *
 * In: who wants a body embeds a `body_sink` and calls body_read, at once or later; nothing is taken from the socket
 * before. Then `piece` is called, again and again, and at last `end`, exactly once. Bounds: a body in flight holds at most two
 * pieces of NET_PIECE_BYTES, whatever its length, or of NET_PIECE_LARGE_BYTES behind the first NET_PIECE_LARGE_FROM; a sink that
 * keeps a piece stops the sender's socket.
 * Out: who makes a body calls body_write until it is told ERR_BUSY, and goes on when `writable` is called.
 *
 * Threads: a reader and a writer belong to their `loop`, where every callback runs. body_next, body_write, body_finish and
 * body_abort may be called from any thread, one at a time. */
#ifndef CLOUDLESS_NET_BODY_H
#define CLOUDLESS_NET_BODY_H
#include "base/err.h"
#include "base/hash.h"
#include "net/loop.h"
#include "net/worker.h"

/* ---- in ---- */

/* How a body ended. Whoever reads it still owes the answer. */
enum body_end {
    BODY_WHOLE,     /* all of it was handed over */
    BODY_GONE,      /* the sender went away in the middle; nobody may be there for an answer */
    BODY_STALLED,   /* it sent nothing for too long: 408 */
    BODY_TOO_LARGE, /* more than the request's limit: 413 */
    BODY_MALFORMED, /* its framing is broken: 400 */
    BODY_DAMAGED,   /* it is another than was announced or signed: 400; never of a connection, of readers above it */
};
int body_end_status(enum body_end how); /* the status of an answer; 499 for BODY_GONE, 200 for BODY_WHOLE */

/* What a consumer says to a piece. */
enum body_want {
    BODY_MORE, /* done with it */
    BODY_KEEP, /* it is kept, stays valid, and is the last one until body_next */
    BODY_STOP, /* nothing more is wanted and nothing more is called; the request may have been answered inside */
};

/* The consumer; embedded. */
struct body_sink {
    enum body_want (*piece)(struct body_sink *sink, struct str piece); /* not empty */
    void (*end)(struct body_sink *sink, enum body_end how);            /* not while a piece is kept; may answer */
    bool hashed;                  /* pieces are hashed on the loop (some 0.6 ms a MB); set before body_read */
    uint8_t sha256[SHA256_BYTES]; /* of the whole body, if hashed; valid in end(BODY_WHOLE) */
};

struct body_reader;
struct body_reader_ops {
    void (*read)(struct body_reader *reader, struct body_sink *sink);
    void (*next)(struct body_reader *reader);
    void (*stop)(struct body_reader *reader);
};
struct body_reader {
    const struct body_reader_ops *ops;
    struct loop *loop;
    int64_t length; /* bytes that were announced; -1: not known */
};

/* On the loop, once. `piece` and `end` may be called inside. */
static inline void body_read(struct body_reader *reader, struct body_sink *sink)
{
    reader->ops->read(reader, sink);
}

/* Gives back the piece that `piece` kept; any thread. On the loop the next calls may happen inside; not inside `piece`. */
static inline void body_next(struct body_reader *reader)
{
    reader->ops->next(reader);
}

/* On the loop, not inside `piece`: gives back a piece that is kept; nothing more is called, and what still comes is thrown
 * away. An answer does the same, but may not be given while a piece is kept. Not after `end`. */
static inline void body_stop(struct body_reader *reader)
{
    reader->ops->stop(reader);
}

/* A reader of bytes that are there: one piece, then BODY_WHOLE. They stay valid until the end. */
struct body_bytes {
    struct body_reader reader;
    struct str bytes;
    struct body_sink *sink;
    bool kept;
    struct loop_task task;
};
struct body_reader *body_of_bytes(struct body_bytes *ret, struct loop *loop, struct str bytes);

/* Each piece through `run` on a worker, one after the other, as straight-line code; while it runs the sender waits.
 * After `run` returned an error nothing more is read. `done` is called once, on the loop: err is of `run`, or ERR_CLOSED if the
 * workers have ended; with another than ERR_OK, `how` means nothing. The owner keeps the struct until then. */
struct body_worker {
    enum err (*run)(struct body_worker *worker, struct str piece);
    void (*done)(struct body_worker *worker, enum body_end how, enum err err);
    struct workers *workers;
    enum lane lane;
    /* ours */
    struct body_sink sink;
    struct body_reader *reader;
    struct work work;
    struct loop_timer *retry;
    struct str kept;
    enum err err;
};
void body_read_on_worker(struct body_reader *reader, struct body_worker *worker);

/* The body into a file without a name in `folder`, written and hashed by workers. `done` gets, on the loop: how it ended, or
 * the error (ERR_IO: of the file system, ERR_CLOSED); if how is BODY_WHOLE and err ERR_OK, fd (at its beginning; the receiver's),
 * the length and the digest. */
struct body_file {
    enum body_end how;
    enum err err;
    int fd; /* -1: none */
    uint64_t n;
    uint8_t sha256[SHA256_BYTES];
};
void body_spool(struct body_reader *reader, const char *folder, struct workers *workers,
                void (*done)(const struct body_file *file, void *arg), void *arg);

/* ---- out ---- */

/* The producer; embedded. Each of the three may be NULL. */
struct body_producer {
    void (*writable)(struct body_producer *producer); /* after ERR_BUSY: there is room again */
    void (*gone)(struct body_producer *producer);     /* at most once: nobody reads any more. body_abort is still owed */
    /* The last call, once, after body_finish, body_abort or body_write_file, from where no other call may run beside it: the
     * producer may be freed. sent: all of a whole body has left. */
    void (*ended)(struct body_producer *producer, bool sent);
};

struct body_writer;
struct body_writer_ops {
    enum err (*write)(struct body_writer *writer, struct str *rest);
    void (*file)(struct body_writer *writer, int fd, uint64_t from, uint64_t n, struct workers *workers);
    void (*finish)(struct body_writer *writer, bool whole);
};
struct body_writer {
    const struct body_writer_ops *ops;
    struct loop *loop;
};

/* Copies from *rest what there is room for and cuts it off. ERR_OK: all of it; ERR_BUSY: *rest is left, `writable` will be
 * called; ERR_CLOSED: nobody reads any more. More bytes than were announced: ERR_INVALID, nothing is taken. */
static inline enum err body_write(struct body_writer *writer, struct str *rest)
{
    return writer->ops->write(writer, rest);
}

/* The last piece: n bytes of the file from there on, by sendfile where that goes; the fd is taken. No body_finish. */
static inline void body_write_file(struct body_writer *writer, int fd, uint64_t from, uint64_t n, struct workers *workers)
{
    writer->ops->file(writer, fd, from, n, workers);
}

/* The body is whole. The writer may not be used any more; `ended` will be called. */
static inline void body_finish(struct body_writer *writer)
{
    writer->ops->finish(writer, true);
}

/* It will not be whole, and who reads it sees that it was cut. The same else. */
static inline void body_abort(struct body_writer *writer)
{
    writer->ops->finish(writer, false);
}
#endif

/* http_outflow.c -- an answer's body on its way from its producer, which may be on any thread, to the connection.
 *
 * Two pieces of memory: the producer fills one under the lock, the other is being written. The loop takes what is filled
 * when the other is out; a full one tells the producer ERR_BUSY, and `writable` once the loop has taken it. The producer posts
 * one task for however many writes, and everything else happens on the loop: the head goes out together with the first piece.
 *
 * Framing stands in the margins of a piece: the length of its chunk in front, the end of the body, or the length of the chunk
 * that a file makes, behind. With an announced length there is none, and a body of another length cuts the connection; so
 * does body_abort, and a file that is shorter than it was said to be.
 *
 * A file comes last. If its pages are in memory (asked by reading a byte here and there that must not wait) the loop sends it
 * by sendfile, a window at a time; if not, a worker reads the window first, so that the loop never waits for a disk. A transport
 * that cannot (TLS without the kernel's help) and HTTP/2 get pieces that a worker reads.
 *
 * Lives: the exchange belongs to this file from its head on, and is released when its answer has left the connection (or
 * there is none any more), the producer has finished, and no worker has it; whatever comes last. Tasks of an exchange without a
 * connection settle that, never the caller, so nothing is freed under a callback. */
#include "base/panic.h"
#include "net/http2.h"
#include "net/worker.h"
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define MARGIN_BYTES 32           /* before and behind a piece, for its framing */
#define WINDOW_BYTES (512u << 10) /* of a file, between two looks at the page cache */
#define PROBE_BYTES (128u << 10)  /* between two bytes that are tried */
#define TURN_BYTES (4u << 20)     /* of a file, then the loop's other connections have their turn */
#define FILE_RETRY_MS 10               /* the workers' queue was full */
#define ROOM_BYTES (MARGIN_BYTES + NET_PIECE_BYTES + MARGIN_BYTES)

struct http_outflow {
    struct body_writer writer;
    struct http_exchange *exchange;
    struct body_producer *producer; /* or NULL */
    struct http_response head;
    uint64_t length; /* HTTP_LENGTH_UNKNOWN: in chunks */
    struct loop_task task;

    pthread_mutex_t lock;
    char *fill; /* under lock, as all of these: ROOM_BYTES, or NULL */
    size_t fill_n;
    uint64_t taken; /* from the producer */
    bool posted;    /* task is */
    bool tell_due;  /* of `writable`, by the task */
    bool starved;   /* the producer waits for `writable` */
    bool finished;  /* by the producer, */
    bool whole;     /* which has no more, or gives up */
    bool closed;    /* nobody reads */
    bool swallow;   /* the answer has no body: what comes is dropped */

    int fd; /* of the file behind the pieces, -1: none; set before finished */
    uint64_t file_at, file_left;
    struct workers *workers;

    /* the loop's */
    char *out;            /* as fill; what is being written */
    size_t out_n, out_at; /* of a piece that is pulled */
    bool started, sending, chunked, sent, told_gone, truncated;
    bool done;          /* it saw `finished` */
    bool file_framed;   /* its chunk's length was written */
    bool file_pieces;   /* no sendfile */
    uint64_t file_warm; /* up to there the file is in memory */
    bool reading;       /* a worker has it */
    struct work work;
    struct loop_timer *retry;
    ssize_t work_n;
};

static struct http_outflow *flow_of(struct body_writer *writer)
{
    return CONTAINER_OF(writer, struct http_outflow, writer);
}

/* ---- the producer's side; any thread ---- */

/* Under the lock. */
static void flow_post(struct http_outflow *flow)
{
    if (flow->posted)
        return;
    flow->posted = true;
    loop_post(flow->writer.loop, &flow->task);
}

static enum err flow_add(struct http_outflow *flow, struct str *rest)
{
    if (flow->closed)
        return ERR_CLOSED;
    if (flow->length != HTTP_LENGTH_UNKNOWN && rest->n > flow->length - flow->taken)
        return ERR_INVALID;
    size_t room = flow->swallow ? rest->n : NET_PIECE_BYTES - flow->fill_n, n = rest->n < room ? rest->n : room;
    if (!flow->swallow && n) {
        if (!flow->fill)
            flow->fill = mem_alloc(ROOM_BYTES);
        memcpy(flow->fill + MARGIN_BYTES + flow->fill_n, rest->p, n);
        flow->fill_n += n;
        flow_post(flow);
    }
    flow->taken += n;
    *rest = str_slice(*rest, n, rest->n);
    flow->starved = rest->n > 0;
    return rest->n ? ERR_BUSY : ERR_OK;
}

static enum err flow_write(struct body_writer *writer, struct str *rest)
{
    struct http_outflow *flow = flow_of(writer);
    pthread_mutex_lock(&flow->lock);
    ENSURE(!flow->finished);
    enum err err = flow_add(flow, rest);
    pthread_mutex_unlock(&flow->lock);
    return err;
}

static void flow_finish(struct body_writer *writer, bool whole)
{
    struct http_outflow *flow = flow_of(writer);
    pthread_mutex_lock(&flow->lock);
    ENSURE(!flow->finished);
    flow->finished = true;
    flow->whole = whole && (flow->length == HTTP_LENGTH_UNKNOWN || flow->length == flow->taken);
    flow_post(flow);
    pthread_mutex_unlock(&flow->lock);
}

static void flow_file(struct body_writer *writer, int fd, uint64_t from, uint64_t n, struct workers *workers)
{
    struct http_outflow *flow = flow_of(writer);
    pthread_mutex_lock(&flow->lock);
    ENSURE(!flow->finished);
    flow->fd = fd;
    flow->file_at = flow->file_warm = from;
    flow->file_left = flow->swallow ? 0 : n;
    flow->workers = workers;
    flow->taken += n;
    pthread_mutex_unlock(&flow->lock);
    flow_finish(writer, true);
}

/* ---- its end ---- */

/* With the exchange's release. */
void http__outflow_free(struct http_exchange *exchange)
{
    struct http_outflow *flow = exchange->outflow;
    if (!flow)
        return;
    exchange->outflow = NULL;
    loop_timer_cancel(&flow->retry);
    if (flow->fd >= 0)
        close(flow->fd);
    free(flow->fill);
    free(flow->out);
    pthread_mutex_destroy(&flow->lock);
    free(flow);
}

/* Without a connection: tells the producer, and ends when that has finished. */
static void flow_settle(struct http_outflow *flow)
{
    struct http_exchange *exchange = flow->exchange;
    struct body_producer *producer = flow->producer;
    pthread_mutex_lock(&flow->lock);
    bool finished = flow->finished, tell = !finished && flow->closed && !flow->told_gone;
    bool sent = flow->sent && flow->whole && !flow->closed, posted = flow->posted;
    pthread_mutex_unlock(&flow->lock);
    if (tell) {
        flow->told_gone = true;
        if (producer && producer->gone)
            producer->gone(producer);
    }
    if (!finished || posted || flow->reading) /* a task of it comes here again */
        return;
    if (producer && producer->ended)
        producer->ended(producer, sent);
    http__exchange_release(exchange);
}

static void flow_close(struct http_outflow *flow)
{
    loop_timer_cancel(&flow->retry);
    pthread_mutex_lock(&flow->lock);
    flow->closed = true;
    flow_post(flow);
    pthread_mutex_unlock(&flow->lock);
}

void http__outflow_orphan(struct http_exchange *exchange)
{
    flow_close(exchange->outflow);
}

void http__outflow_left(struct http_exchange *exchange)
{
    struct http_outflow *flow = exchange->outflow;
    flow->sent = true;
    pthread_mutex_lock(&flow->lock);
    bool finished = flow->finished;
    pthread_mutex_unlock(&flow->lock);
    http__exchange_orphan(exchange);
    if (exchange->in && finished)
        http__inflow_drop(exchange->in);
    else if (exchange->in) /* it became another answer: who reads the body may be who makes this one */
        http__inflow_end(exchange->in, BODY_GONE);
    flow_settle(flow);
}

/* ---- the loop's side ---- */

/* Takes what the producer filled, if the other piece is free. */
static size_t flow_take(struct http_outflow *flow, bool *ret_whole, bool *ret_starved)
{
    pthread_mutex_lock(&flow->lock);
    size_t n = flow->fill_n;
    if (n) {
        char *out = flow->out;
        flow->out = flow->fill;
        flow->fill = out;
        flow->fill_n = 0;
    }
    *ret_starved = flow->starved && !flow->finished;
    flow->starved = false;
    flow->done = flow->finished;
    *ret_whole = flow->whole;
    pthread_mutex_unlock(&flow->lock);
    return n;
}

static void flow_tell(struct http_outflow *flow, bool starved)
{
    if (starved && flow->producer && flow->producer->writable)
        flow->producer->writable(flow->producer);
}

/* Sets the piece that goes out next, if there is one, and `more`. */
static void flow_frame(struct http_outflow *flow, size_t n, bool last)
{
    struct http_exchange *exchange = flow->exchange;
    bool file = flow->done && flow->file_left > 0 && !flow->file_framed;
    if (!n && !last && !(file && flow->chunked))
        return;
    if (!flow->out)
        flow->out = mem_alloc(ROOM_BYTES);
    char *data = flow->out + MARGIN_BYTES, *end = data + n;
    if (flow->chunked) {
        char head[MARGIN_BYTES];
        if (n) {
            int head_n = snprintf(head, sizeof(head), "%zx\r\n", n);
            data -= head_n;
            memcpy(data, head, (size_t)head_n);
            memcpy(end, "\r\n", 2);
            end += 2;
        }
        if (file) {
            end += snprintf(end, MARGIN_BYTES - 2, "%llx\r\n", (unsigned long long)flow->file_left);
        } else if (last) {
            const char *tail = flow->file_framed ? "\r\n0\r\n\r\n" : "0\r\n\r\n";
            memcpy(end, tail, strlen(tail));
            end += strlen(tail);
        }
    }
    flow->file_framed |= file;
    exchange->out[exchange->out_count++] = (struct str){data, (size_t)(end - data)};
    exchange->more = !last;
    flow->sending = true;
}

/* What is there goes out, of HTTP/1.1. The connection is to be flushed afterwards. True: then flow_tell is due; as the
 * producer has not finished, the flow is there until then. */
static bool flow_push(struct http_outflow *flow)
{
    if (flow->exchange->h2) {
        http2__body_ready(flow->exchange);
        return false;
    }
    if (flow->sending || flow->reading)
        return false;
    bool whole = false, starved = false;
    size_t n = flow_take(flow, &whole, &starved);
    if (flow->truncated || (flow->done && !whole)) {
        http__conn_close(flow->exchange->conn);
        return false;
    }
    flow_frame(flow, n, flow->done && !flow->file_left);
    return starved;
}

static void flow_answer_begun(struct http_outflow *flow);

static void flow_run(struct loop_task *task)
{
    struct http_outflow *flow = CONTAINER_OF(task, struct http_outflow, task);
    pthread_mutex_lock(&flow->lock);
    flow->posted = false;
    bool due = flow->tell_due && !flow->finished;
    flow->tell_due = false;
    pthread_mutex_unlock(&flow->lock);
    if (!flow->started) {
        flow_answer_begun(flow);
        return;
    }
    struct http_conn *conn = flow->exchange->conn;
    if (!conn) {
        flow_settle(flow);
        return;
    }
    bool starved = flow_push(flow);
    http__conn_flush(conn);
    flow_tell(flow, starved || due);
}

/* From within the connection's engine: what the producer does is done by it afterwards. */
void http__outflow_written(struct http_exchange *exchange)
{
    exchange->outflow->sending = false;
    flow_tell(exchange->outflow, flow_push(exchange->outflow));
}

/* ---- the file ---- */

bool http__outflow_sends_file(const struct http_exchange *exchange)
{
    const struct http_outflow *flow = exchange->outflow;
    return flow && flow->done && flow->file_left && !flow->sending && !flow->reading && (flow->file_framed || !flow->chunked);
}

/* True: reading [at, at + n) would not wait for the disk, as far as bytes here and there tell. */
static bool in_memory(int fd, uint64_t at, uint64_t n)
{
    for (uint64_t i = 0; i < n; i += PROBE_BYTES) {
        char c;
        struct iovec one = {&c, 1};
        if (preadv2(fd, &one, 1, (off_t)(at + i), RWF_NOWAIT) < 0)
            return false; /* not there, or a file system that cannot tell */
    }
    return true;
}

/* On a worker: a piece to be written, or only the window into memory. */
static void read_file_piece(struct work *work)
{
    struct http_outflow *flow = CONTAINER_OF(work, struct http_outflow, work);
    uint64_t window = flow->file_pieces ? NET_PIECE_BYTES : WINDOW_BYTES, done = 0;
    window = window < flow->file_left ? window : flow->file_left;
    while (done < window) {
        size_t at = flow->file_pieces ? (size_t)done : 0, left = (size_t)(window - done);
        size_t most = left < NET_PIECE_BYTES - at ? left : NET_PIECE_BYTES - at;
        ssize_t n = pread(flow->fd, flow->out + MARGIN_BYTES + at, most, (off_t)(flow->file_at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (uint64_t)n;
    }
    flow->work_n = done == window ? (ssize_t)done : -1;
}

static void file_piece_read(struct work *work)
{
    struct http_outflow *flow = CONTAINER_OF(work, struct http_outflow, work);
    struct http_exchange *exchange = flow->exchange;
    flow->reading = false;
    if (!exchange->conn) {
        flow_settle(flow);
        return;
    }
    if (flow->work_n < 0) { /* shorter than it was said to be, or unreadable */
        flow->truncated = true;
        flow_push(flow);
        http__conn_flush(exchange->conn);
        return;
    }
    if (exchange->h2) {
        flow->out_at = 0;
        flow->out_n = (size_t)flow->work_n;
        flow->file_at += (uint64_t)flow->work_n;
        flow->file_left -= (uint64_t)flow->work_n;
        http2__body_ready(exchange);
    } else if (flow->file_pieces) {
        exchange->out[exchange->out_count++] = (struct str){flow->out + MARGIN_BYTES, (size_t)flow->work_n};
        exchange->more = true;
        flow->sending = true;
        flow->file_at += (uint64_t)flow->work_n;
        flow->file_left -= (uint64_t)flow->work_n;
    } else {
        flow->file_warm = flow->file_at + (uint64_t)flow->work_n;
    }
    http__conn_flush(exchange->conn);
}

static void file_to_worker(void *arg)
{
    struct http_outflow *flow = arg;
    flow->retry = NULL;
    flow->reading = true;
    if (!flow->out)
        flow->out = mem_alloc(ROOM_BYTES);
    flow->work = (struct work){.run = read_file_piece, .done = file_piece_read, .loop = flow->writer.loop};
    enum err err = workers_submit(flow->workers, LANE_READ, &flow->work);
    if (err == ERR_OK)
        return;
    flow->reading = false;
    if (err == ERR_BUSY)
        flow->retry = loop_timer_start(flow->writer.loop, FILE_RETRY_MS, file_to_worker, flow);
    else
        http__conn_close(flow->exchange->conn);
}

enum outflow_sent http__outflow_send_file(struct http_exchange *exchange, struct transport *transport)
{
    struct http_outflow *flow = exchange->outflow;
    if (flow->retry)
        return OUTFLOW_LATER;
    for (uint64_t turn = 0; flow->file_left && turn < TURN_BYTES && !flow->file_pieces;) {
        uint64_t n = flow->file_left < WINDOW_BYTES ? flow->file_left : WINDOW_BYTES;
        if (flow->file_at + n > flow->file_warm) {
            if (!in_memory(flow->fd, flow->file_at, n)) {
                file_to_worker(flow);
                return OUTFLOW_LATER;
            }
            flow->file_warm = flow->file_at + n;
        }
        ssize_t sent = transport_send_file(transport, flow->fd, (off_t)flow->file_at, (size_t)n);
        if (sent == TRANSPORT_UNABLE) {
            flow->file_pieces = true;
            break;
        }
        if (sent < 0)
            return OUTFLOW_BROKEN;
        if (sent == 0)
            return OUTFLOW_WAITS;
        flow->file_at += (uint64_t)sent;
        flow->file_left -= (uint64_t)sent;
        exchange->sent += (uint64_t)sent;
        turn += (uint64_t)sent;
    }
    if (!flow->file_left) {
        flow_push(flow);
        return OUTFLOW_SENT;
    }
    if (flow->file_pieces) {
        file_to_worker(flow);
    } else {
        pthread_mutex_lock(&flow->lock);
        flow_post(flow);
        pthread_mutex_unlock(&flow->lock);
    }
    return OUTFLOW_LATER;
}

/* ---- HTTP/2 ---- */

/* Another piece of what the producer filled. */
static void pull_piece(struct http_outflow *flow, bool *ret_whole)
{
    bool starved;
    flow->out_n = flow_take(flow, ret_whole, &starved);
    flow->out_at = 0;
    if (!starved)
        return;
    pthread_mutex_lock(&flow->lock);
    flow->tell_due = true;
    flow_post(flow);
    pthread_mutex_unlock(&flow->lock);
}

ssize_t http__outflow_pull(struct http_exchange *exchange, char *to, size_t room, bool *ret_end)
{
    struct http_outflow *flow = exchange->outflow;
    size_t n = 0;
    while (n < room && !flow->reading) {
        bool whole = true;
        if (flow->out_at == flow->out_n && !(flow->done && flow->file_left))
            pull_piece(flow, &whole);
        if (flow->truncated || (flow->done && !whole))
            return -1;
        size_t left = flow->out_n - flow->out_at, take = left < room - n ? left : room - n;
        if (!take)
            break;
        memcpy(to + n, flow->out + MARGIN_BYTES + flow->out_at, take);
        flow->out_at += take;
        n += take;
    }
    bool empty = flow->out_at == flow->out_n && !flow->reading;
    if (empty && flow->done && flow->file_left) {
        flow->file_pieces = true;
        if (!flow->retry)
            file_to_worker(flow);
    } else {
        *ret_end = empty && flow->done;
    }
    return (ssize_t)n;
}

/* ---- begin ---- */

/* Nobody will read a body: what comes is dropped, or refused if the answer became another one. As flow_push. */
static bool flow_without_body(struct http_outflow *flow, bool refused)
{
    pthread_mutex_lock(&flow->lock);
    flow->swallow = !refused;
    flow->closed = refused;
    flow->fill_n = 0;
    flow->file_left = 0;
    bool starved = flow->starved && !flow->finished && !refused;
    flow->starved = false;
    pthread_mutex_unlock(&flow->lock);
    return starved;
}

/* On the loop: the answer takes its place in the connection's order. */
static void flow_answer_begun(struct http_outflow *flow)
{
    struct http_exchange *exchange = flow->exchange;
    ENSURE(exchange->state == EXCHANGE_RUNNING && !exchange->outflow);
    flow->started = true;
    exchange->outflow = flow;
    if (!exchange->conn) {
        exchange->state = EXCHANGE_ANSWERED;
        exchange->status = flow->head.status;
        flow_close(flow);
        return;
    }
    bool starved = false;
    if (exchange->conn->state != CONN_CLOSING) {
        enum answer_begun begun = ANSWER_REFUSED;
        if (http__exchange_count(exchange, 2 * NET_PIECE_BYTES) == ERR_OK)
            begun = http__answer_begin(exchange, &flow->head, flow->length, &flow->chunked);
        else
            http__refuse(exchange, exchange->conn->listener, 503); /* it is not what the client sent that is too large */
        exchange->more = begun == ANSWER_HAS_BODY;
        starved = exchange->more ? flow_push(flow) : flow_without_body(flow, begun == ANSWER_REFUSED);
        flow->sending = true; /* the head */
    }
    http__conn_answered(exchange);
    flow_tell(flow, starved);
}

struct body_writer *http_stream(struct http_request *request, const struct http_response *head, uint64_t length,
                                struct body_producer *producer)
{
    static const struct body_writer_ops ops = {.write = flow_write, .file = flow_file, .finish = flow_finish};
    struct http_exchange *exchange = (struct http_exchange *)(void *)request;
    struct http_outflow *flow = mem_zalloc(sizeof(*flow));
    flow->writer = (struct body_writer){.ops = &ops, .loop = request->loop};
    flow->exchange = exchange;
    flow->producer = producer;
    flow->head = *head;
    flow->length = length;
    flow->fd = -1;
    flow->task.run = flow_run;
    pthread_mutex_init(&flow->lock, NULL);
    pthread_mutex_lock(&flow->lock);
    flow_post(flow);
    pthread_mutex_unlock(&flow->lock);
    return &flow->writer;
}

void http_respond_file(struct http_request *request, const struct http_response *head, int fd, uint64_t from, uint64_t n,
                       struct workers *workers)
{
    struct stat stat;
    if (n == HTTP_TO_END && (fstat(fd, &stat) != 0 || (uint64_t)stat.st_size < from)) {
        close(fd);
        http_respond(request, &(struct http_response){.status = 500});
        return;
    }
    if (n == HTTP_TO_END)
        n = (uint64_t)stat.st_size - from;
    body_write_file(http_stream(request, head, n, NULL), fd, from, n, workers);
}

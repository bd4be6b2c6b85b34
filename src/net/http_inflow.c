/* http_inflow.c -- a request's body on its way to the handler that reads it in pieces.
 *
 * Two pieces of memory: one fills from the socket, the other is with the sink; the second is only there once a sink keeps
 * a piece. Whatever came is handed over at once, however little, unless the sink still keeps the piece before; then the
 * other fills, and when it is full nothing is read from the socket: http__inflow_wants is what the connection asks. Before
 * body_read nothing is read either, and "100 Continue" is not said.
 *
 * Behind the first megabyte of a body a piece that comes back makes room for a larger one, if there is memory for it: each
 * hand-over to a thread costs as much as hashing 64 KiB.
 *
 * The end is told once, behind the last piece that was kept: BODY_WHOLE behind all bytes, any other without the bytes that
 * nobody took yet. Pieces are handed over from within the connection's engine, where an answer only marks its exchange, or, once
 * the connection is gone, from here, where an answer lets go of it: a release waits until the sink has returned (`delivering`).
 *
 * An answer, or body_stop, makes `stopped`: what still comes is dropped. The connection ends behind an answer that was begun
 * before the body had ended, as what follows cannot be told from the body's rest without reading all of it. */
#include "base/panic.h"
#include "net/http_conn.h"
#include <stdlib.h>

static void inflow_read(struct body_reader *reader, struct body_sink *sink);
static void inflow_next(struct body_reader *reader);
static void inflow_stop(struct body_reader *reader);
static const struct body_reader_ops inflow_ops = {.read = inflow_read, .next = inflow_next, .stop = inflow_stop};

static struct http_inflow *inflow_of(struct body_reader *reader)
{
    return CONTAINER_OF(reader, struct http_inflow, reader);
}

static struct http_piece piece_of(size_t cap)
{
    return (struct http_piece){.p = mem_alloc(cap), .cap = cap};
}

enum err http__inflow_new(struct http_exchange *exchange)
{
    enum err err = http__exchange_count(exchange, NET_PIECE_BYTES);
    if (err != ERR_OK)
        return err;
    struct http_inflow *in = mem_zalloc(sizeof(*in));
    in->reader = (struct body_reader){.ops = &inflow_ops, .loop = exchange->request.loop, .length = -1};
    in->exchange = exchange;
    in->fill = piece_of(NET_PIECE_BYTES);
    in->cap_max = NET_PIECE_LARGE_BYTES;
    in->keep_alive = exchange->keep_alive;
    exchange->in = in;
    exchange->keep_alive = false; /* until the body is whole */
    return ERR_OK;
}

void http__inflow_free(struct http_exchange *exchange)
{
    struct http_inflow *in = exchange->in;
    if (!in)
        return;
    free(in->fill.p);
    free(in->lent.p);
    free(in);
    exchange->in = NULL;
}

enum err http__inflow_both(struct http_inflow *in)
{
    enum err err = http__exchange_count(in->exchange, NET_PIECE_BYTES);
    if (err != ERR_OK)
        return err;
    in->lent = piece_of(NET_PIECE_BYTES);
    in->cap_max = NET_PIECE_BYTES; /* its window is not larger */
    return ERR_OK;
}

size_t http__inflow_held(const struct http_inflow *in)
{
    return (in->stopped ? 0 : in->fill.n) + (in->out ? in->lent.n : 0);
}

void http__inflow_add(struct http_inflow *in, struct str piece)
{
    ENSURE(piece.n <= http__inflow_room(in));
    memcpy(in->fill.p + in->fill.n, piece.p, piece.n);
    in->fill.n += piece.n;
    in->total += piece.n;
}

bool http__inflow_wants(const struct http_inflow *in)
{
    return in->stopped || (in->sink && http__inflow_room(in));
}

/* The filled piece is lent, and another takes its place, if there is memory for one. */
static struct str inflow_lend(struct http_inflow *in)
{
    struct http_piece filled = in->fill;
    in->fill = in->lent;
    in->fill.n = 0;
    in->lent = filled;
    return (struct str){filled.p, filled.n};
}

/* The sink keeps the piece: the other one fills meanwhile. */
static void inflow_keep(struct http_inflow *in)
{
    in->out = true;
    if (!in->fill.p && !in->ended && http__exchange_count(in->exchange, NET_PIECE_BYTES) == ERR_OK)
        in->fill = piece_of(NET_PIECE_BYTES);
}

/* Asked for once: what has no room for it stays as it is. */
static void inflow_widen(struct http_inflow *in)
{
    struct http_piece *piece = &in->lent;
    if (piece->cap >= in->cap_max || in->total < NET_PIECE_LARGE_FROM || in->ended || in->stopped)
        return;
    if (http__exchange_count(in->exchange, in->cap_max - piece->cap) != ERR_OK) {
        in->cap_max = piece->cap;
        return;
    }
    free(piece->p);
    *piece = piece_of(in->cap_max);
}

static void inflow_take_back(struct http_inflow *in)
{
    in->out = false;
    inflow_widen(in);
    if (in->fill.p)
        return;
    in->fill = in->lent;
    in->fill.n = 0;
    in->lent = (struct http_piece){0};
}

static void inflow_hand_over(struct http_inflow *in)
{
    while (in->sink && !in->stopped && !in->out && in->fill.n && !(in->ended && in->how != BODY_WHOLE)) {
        struct str piece = inflow_lend(in);
        if (in->sink->hashed)
            sha256_add(&in->hash, piece);
        switch (in->sink->piece(in->sink, piece)) {
        case BODY_STOP:
            in->stopped = true;
            inflow_take_back(in);
            break;
        case BODY_KEEP:
            inflow_keep(in);
            break;
        case BODY_MORE:
            inflow_take_back(in);
            break;
        }
    }
    if (in->stopped) {
        in->fill.n = 0;
    } else if (in->ended && in->sink && !in->out) {
        in->stopped = true;
        if (in->sink->hashed)
            sha256_end(&in->hash, in->sink->sha256);
        in->sink->end(in->sink, in->how);
    }
}

void http__inflow_deliver(struct http_inflow *in)
{
    if (in->delivering) /* it goes on when the sink returns */
        return;
    in->delivering = true;
    inflow_hand_over(in);
    in->delivering = false;
    if (in->release_due)
        http__exchange_release(in->exchange);
}

void http__inflow_drop(struct http_inflow *in)
{
    ENSURE(!in->out); /* whoever keeps a piece gives it back first */
    in->stopped = true;
}

void http__inflow_end(struct http_inflow *in, enum body_end how)
{
    if (in->ended)
        return;
    in->ended = true;
    in->how = how;
    http__inflow_deliver(in);
}

/* Something changed on the sink's side. */
static void inflow_move_on(struct http_inflow *in)
{
    if (in->exchange->conn)
        http__conn_resume(in->exchange->conn, in->exchange);
    else
        http__inflow_deliver(in);
}

static void inflow_read(struct body_reader *reader, struct body_sink *sink)
{
    struct http_inflow *in = inflow_of(reader);
    ENSURE(!in->sink && !in->stopped && loop_current() == reader->loop);
    in->sink = sink;
    if (sink->hashed)
        sha256_begin(&in->hash);
    inflow_move_on(in);
}

static void inflow_next_there(struct loop_task *task)
{
    struct http_inflow *in = CONTAINER_OF(task, struct http_inflow, next);
    ENSURE(in->out);
    inflow_take_back(in);
    inflow_move_on(in);
}

static void inflow_next(struct body_reader *reader)
{
    struct http_inflow *in = inflow_of(reader);
    in->next.run = inflow_next_there;
    if (loop_current() == reader->loop)
        inflow_next_there(&in->next);
    else
        loop_post(reader->loop, &in->next);
}

static void inflow_stop(struct body_reader *reader)
{
    struct http_inflow *in = inflow_of(reader);
    ENSURE(loop_current() == reader->loop);
    if (in->stopped)
        return;
    if (in->out)
        inflow_take_back(in);
    in->stopped = true;
    inflow_move_on(in);
}

struct body_reader *http_body(struct http_request *request)
{
    struct http_exchange *exchange = (struct http_exchange *)(void *)request;
    if (exchange->in)
        return &exchange->in->reader;
    return body_of_bytes(arena_new_of(request->arena, struct body_bytes), request->loop, request->body);
}

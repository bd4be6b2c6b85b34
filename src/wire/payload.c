/* payload.c -- a reader over a reader. Pieces of a plain body go through as they are; one in aws-chunked is decoded into memory of our
 * own and goes on as one piece, so keeping, giving back and stopping are the source's. Everything runs on the body's loop.
 * Source of the words: "List of error codes", S3's API reference. */
#include "wire/payload.h"
#include "base/codec.h"
#include "base/panic.h"
#include "net/limits.h"
#include "wire/chunked.h"

struct payload {
    struct body_reader reader;      /* first: what the handler holds */
    struct body_sink sink;          /* what the source feeds */
    struct payload_options options;
    uint8_t sha256[SHA256_BYTES];   /* that the body has to have */
    bool sha256_told;               /* what was said is a digest; if not, no body has it */
    struct arena *arena;
    struct body_sink *out;
    char *decoded;                  /* of the source's piece */
    size_t decoded_cap;
    enum chunked_status status;
    struct sha256_state hash;       /* of what was decoded, if the sink wants it */
    struct checksum_state checksums[PAYLOAD_CHECKSUMS_MAX];
    struct loop_task task;
    const char **ret_code;
    struct str *ret_message;
};

static struct payload *payload_of_sink(struct body_sink *sink)
{
    return CONTAINER_OF(sink, struct payload, sink);
}

static void payload_damaged(struct payload *p, const char *code, const char *message)
{
    *p->ret_code = code;
    *p->ret_message = str_of(message);
    p->out->end(p->out, BODY_DAMAGED);
}

static enum body_want payload_give(struct payload *p, struct str data)
{
    for (size_t i = 0; i < p->options.checksum_count; i++)
        checksum_update(&p->checksums[i], data);
    return p->out->piece(p->out, data);
}

static bool checksums_hold(struct payload *p)
{
    uint8_t digest[CHECKSUM_BYTES_MAX];
    for (size_t i = 0; i < p->options.checksum_count; i++) {
        size_t n = checksum_finish(&p->checksums[i], digest);
        if (memcmp(digest, p->options.checksums[i].digest, n) != 0)
            return false;
    }
    return true;
}

static void payload_tell_damage(struct loop_task *task)
{
    struct payload *p = CONTAINER_OF(task, struct payload, task);
    struct chunked_words words = chunked_words(p->status);
    payload_damaged(p, words.code, words.message);
}

/* What the piece holds of the body, in one: decoded it is shorter. */
static struct str payload_decode(struct payload *p, struct str piece)
{
    struct str data, all = STR_NONE;
    if (piece.n > p->decoded_cap) {
        p->decoded_cap = piece.n > NET_PIECE_BYTES ? piece.n : NET_PIECE_BYTES;     /* only a gathered body comes in a larger one */
        p->decoded = arena_alloc(p->arena, p->decoded_cap);
    }
    all.p = p->decoded;
    while ((p->status = chunked_next(p->options.chunked, &piece, &data)) == CHUNKED_DATA) {
        memcpy(p->decoded + all.n, data.p, data.n);
        all.n += data.n;
    }
    if (p->status == CHUNKED_DONE && piece.n)
        p->status = CHUNKED_MALFORMED;
    return all;
}

/* A piece of the source is one of the sink, or none, so that what the sink keeps is what the source keeps. */
static enum body_want payload_piece(struct body_sink *sink, struct str piece)
{
    struct payload *p = payload_of_sink(sink);
    if (!p->options.chunked)
        return payload_give(p, piece);
    struct str data = payload_decode(p, piece);
    if (p->status != CHUNKED_MORE && p->status != CHUNKED_DONE) {
        p->task.run = payload_tell_damage;      /* the sink may answer then, which nobody may inside of a piece */
        loop_post(p->reader.loop, &p->task);
        return BODY_STOP;
    }
    if (!data.n)
        return BODY_MORE;
    if (p->out->hashed)
        sha256_add(&p->hash, data);
    return payload_give(p, data);
}

static void payload_end(struct body_sink *sink, enum body_end how)
{
    struct payload *p = payload_of_sink(sink);
    if (how == BODY_WHOLE && p->options.chunked && p->status != CHUNKED_DONE) {
        payload_damaged(p, chunked_words(CHUNKED_MORE).code, chunked_words(CHUNKED_MORE).message);
        return;
    }
    if (how == BODY_WHOLE && p->options.sha256_hex.n && (!p->sha256_told || memcmp(sink->sha256, p->sha256, SHA256_BYTES) != 0)) {
        payload_damaged(p, "XAmzContentSHA256Mismatch",
                        "The provided 'x-amz-content-sha256' header does not match what was computed.");
        return;
    }
    if (how == BODY_WHOLE && !checksums_hold(p)) {
        payload_damaged(p, "BadDigest", PAYLOAD_BAD_DIGEST);
        return;
    }
    if (how == BODY_WHOLE && p->out->hashed && p->options.chunked)
        sha256_end(&p->hash, p->out->sha256);
    else if (how == BODY_WHOLE && p->out->hashed)
        memcpy(p->out->sha256, sink->sha256, SHA256_BYTES);
    p->out->end(p->out, how);
}

static void payload_read(struct body_reader *reader, struct body_sink *out)
{
    struct payload *p = (struct payload *)reader;
    p->out = out;
    for (size_t i = 0; i < p->options.checksum_count; i++)
        checksum_init(&p->checksums[i], p->options.checksums[i].kind);
    p->sink = (struct body_sink){.piece = payload_piece, .end = payload_end,
                                 .hashed = p->options.sha256_hex.n || (out->hashed && !p->options.chunked)};
    if (out->hashed && p->options.chunked)
        sha256_begin(&p->hash);
    body_read(p->options.source, &p->sink);
}

static void payload_next(struct body_reader *reader)
{
    body_next(((struct payload *)reader)->options.source);
}

static void payload_stop(struct body_reader *reader)
{
    body_stop(((struct payload *)reader)->options.source);
}

struct body_reader *payload_new(struct arena *arena, const struct payload_options *options, const char **ret_code,
                                struct str *ret_message)
{
    static const struct body_reader_ops ops = {payload_read, payload_next, payload_stop};
    struct payload *p = arena_new_of(arena, struct payload);
    p->options = *options;
    p->arena = arena;
    p->sha256_told = options->sha256_hex.n == 2 * SHA256_BYTES && hex_decode(options->sha256_hex, p->sha256);
    p->status = CHUNKED_MORE;
    p->ret_code = ret_code;
    p->ret_message = ret_message;
    p->reader = (struct body_reader){.ops = &ops, .loop = options->source->loop,
                                     .length = options->chunked ? -1 : options->source->length};
    return &p->reader;
}

/* payload.c -- what a body has to be, and a reader over a reader that sees to it. Pieces of a plain body go through as they are;
 * one in aws-chunked is decoded into memory of our own and goes on as one piece, so keeping, giving back and stopping are the
 * source's. Everything runs on the body's loop; of a gathered body, on the thread that has it. Source of the words: "List of error
 * codes", S3's API reference. */
#include "wire/payload.h"
#include "base/buf.h"
#include "base/codec.h"
#include "base/panic.h"
#include "net/limits.h"

struct payload {
    struct body_reader reader;      /* first: what the handler holds */
    struct body_sink sink;          /* what the source feeds */
    struct payload_options options;
    struct body_reader *source;
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

/* ---- what a body has to be ---- */

static struct payload *payload_make(struct arena *arena, const struct payload_options *options)
{
    struct payload *p = arena_new_of(arena, struct payload);
    p->options = *options;
    p->arena = arena;
    p->sha256_told = options->sha256_hex.n == 2 * SHA256_BYTES && hex_decode(options->sha256_hex, p->sha256);
    p->status = CHUNKED_MORE;
    for (size_t i = 0; i < options->checksum_count; i++)
        checksum_init(&p->checksums[i], options->checksums[i].kind);
    return p;
}

static void payload_add(struct payload *p, struct str data)
{
    for (size_t i = 0; i < p->options.checksum_count; i++)
        checksum_update(&p->checksums[i], data);
}

static struct chunked_words undecoded_words(const struct payload *p)
{
    return p->status == CHUNKED_SIGNATURE ? p->options.bad_signature : chunked_words(p->status);
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

/* When all of it has been added; `sha256` is that of the body as it came. False: *ret_words. */
static bool payload_holds(struct payload *p, const uint8_t sha256[SHA256_BYTES], struct chunked_words *ret_words)
{
    static const struct chunked_words bad_digest = {
        "BadDigest", "The Content-MD5 or checksum value that you specified did not match what the server received."};
    bool decoded = !p->options.chunked || p->status == CHUNKED_DONE;
    bool hashed = !p->options.sha256_hex.n || (p->sha256_told && memcmp(sha256, p->sha256, SHA256_BYTES) == 0);
    if (decoded && hashed && checksums_hold(p))
        return true;
    *ret_words = !decoded ? undecoded_words(p) : !hashed ? p->options.bad_sha256 : bad_digest;
    return false;
}

/* ---- a gathered body ---- */

/* Sent in one chunk it stays where it is; more are put together, no longer than what came. False: over the budget. */
static bool payload_join(struct payload *p, struct str body, struct str *ret)
{
    struct str piece, first = STR_NONE;
    struct buf joined;
    buf_init(&joined, p->arena, body.n);
    while ((p->status = chunked_next(p->options.chunked, &body, &piece)) == CHUNKED_DATA) {
        if (!first.p) {
            first = piece;
            continue;
        }
        if (!joined.n)
            buf_add(&joined, first);
        buf_add(&joined, piece);
    }
    if (p->status == CHUNKED_DONE && body.n)
        p->status = CHUNKED_MALFORMED;
    *ret = joined.n ? buf_str(&joined) : first;
    return !joined.failed;
}

enum err payload_whole(struct arena *arena, const struct payload_options *options, struct str body, struct str *ret,
                       struct chunked_words *ret_words)
{
    struct payload *p = payload_make(arena, options);
    struct str data = body;
    uint8_t digest[SHA256_BYTES];
    if (options->chunked && !payload_join(p, body, &data))
        return arena_over(arena);
    payload_add(p, data);
    if (options->sha256_hex.n)
        sha256(body, digest);
    if (!payload_holds(p, digest, ret_words))
        return ERR_INVALID;
    *ret = data;
    return ERR_OK;
}

/* ---- a body on its way ---- */

static void payload_damaged(struct payload *p, struct chunked_words words)
{
    *p->ret_code = words.code;
    *p->ret_message = str_of(words.message);
    p->out->end(p->out, BODY_DAMAGED);
}

static enum body_want payload_give(struct payload *p, struct str data)
{
    payload_add(p, data);
    return p->out->piece(p->out, data);
}

static void payload_tell_damage(struct loop_task *task)
{
    struct payload *p = CONTAINER_OF(task, struct payload, task);
    payload_damaged(p, undecoded_words(p));
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
    struct chunked_words words;
    if (how == BODY_WHOLE && !payload_holds(p, sink->sha256, &words)) {
        payload_damaged(p, words);
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
    p->sink = (struct body_sink){.piece = payload_piece, .end = payload_end,
                                 .hashed = p->options.sha256_hex.n || (out->hashed && !p->options.chunked)};
    if (out->hashed && p->options.chunked)
        sha256_begin(&p->hash);
    body_read(p->source, &p->sink);
}

static void payload_next(struct body_reader *reader)
{
    body_next(((struct payload *)reader)->source);
}

static void payload_stop(struct body_reader *reader)
{
    body_stop(((struct payload *)reader)->source);
}

struct body_reader *payload_new(struct arena *arena, const struct payload_options *options, struct body_reader *source,
                                const char **ret_code, struct str *ret_message)
{
    static const struct body_reader_ops ops = {payload_read, payload_next, payload_stop};
    struct payload *p = payload_make(arena, options);
    p->source = source;
    p->ret_code = ret_code;
    p->ret_message = ret_message;
    p->reader = (struct body_reader){.ops = &ops, .loop = source->loop, .length = options->chunked ? -1 : source->length};
    return &p->reader;
}

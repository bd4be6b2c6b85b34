/* payload_fuzz.c -- wire/payload.h: a body in a piece, and as it passes in pieces. The first byte says what is announced of it, the
 * second how it is cut, the third how long it is when it comes out of aws-chunked.
 * Properties: both ways take the same bodies and refuse the same; what they take is the same bytes; a body that is taken has each
 * checksum and hash that was announced. */
#include "base/buf.h"
#include "base/panic.h"
#include "wire/payload.h"

#define CHUNKED 1u
#define TRAILER 2u
#define CRC32 4u
#define MD5 8u
#define HASHED 16u
#define WRONG 32u /* the announced are another body's */

/* A source that is cut, on no loop. */
struct source {
    struct body_reader reader;
    struct str rest;
    size_t step;
    struct sha256_state hash;
};
struct taken {
    struct body_sink sink;
    struct buf bytes;
    bool ended;
    enum body_end how;
};

static struct loop_task *posted;

void loop_post(struct loop *loop, struct loop_task *task)
{
    (void)loop;
    posted = task;
}

static void source_read(struct body_reader *reader, struct body_sink *sink)
{
    struct source *source = (struct source *)reader;
    sha256_begin(&source->hash);
    while (source->rest.n) {
        struct str piece = str_slice(source->rest, 0, source->step);
        source->rest = str_slice(source->rest, piece.n, source->rest.n);
        sha256_add(&source->hash, piece);
        if (sink->piece(sink, piece) == BODY_STOP)
            return;
    }
    sha256_end(&source->hash, sink->sha256);
    sink->end(sink, BODY_WHOLE);
}

static const struct body_reader_ops source_ops = {.read = source_read};

static enum body_want take_piece(struct body_sink *sink, struct str piece)
{
    struct taken *taken = CONTAINER_OF(sink, struct taken, sink);
    ENSURE(piece.n && !taken->ended);
    buf_add(&taken->bytes, piece);
    return BODY_MORE;
}

static void take_end(struct body_sink *sink, enum body_end how)
{
    struct taken *taken = CONTAINER_OF(sink, struct taken, sink);
    ENSURE(!taken->ended);
    taken->ended = true;
    taken->how = how;
}

/* What comes out of the chunks, as far as it does. */
static struct str decoded(struct arena *arena, struct payload_options *options, const struct chunked_options *chunked,
                          struct str body)
{
    struct buf out;
    struct str piece;
    if (!options->chunked)
        return body;
    struct chunked *c = chunked_new(arena, chunked);
    buf_init(&out, arena, body.n);
    while (chunked_next(c, &body, &piece) == CHUNKED_DATA)
        buf_add(&out, piece);
    return buf_str(&out);
}

static void announce(struct payload_options *options, enum checksum kind, struct str body, bool wrong)
{
    struct payload_checksum *checksum = &options->checksums[options->checksum_count++];
    struct checksum_state state;
    checksum->kind = kind;
    checksum_init(&state, kind);
    checksum_update(&state, body);
    checksum_finish(&state, checksum->digest);
    checksum->digest[0] ^= wrong;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3)
        return 0;
    struct arena *arena = arena_new();
    unsigned says = data[0];
    struct str body = {(const char *)data + 3, size - 3}, whole = STR_NONE, message = STR_NONE;
    struct chunked_options chunked = {.trailer = says & TRAILER, .trailer_names = STR("x-amz-checksum-crc32"), .length = data[2]};
    struct payload_options options = {.bad_signature = {"S", "s"}, .bad_sha256 = {"H", "h"}};
    struct chunked_words words = {NULL, NULL};
    const char *code = NULL;
    if (says & CHUNKED)
        options.chunked = chunked_new(arena, &chunked);
    struct str plain = decoded(arena, &options, &chunked, body);
    if (says & CRC32)
        announce(&options, CHECKSUM_CRC32, plain, says & WRONG);
    if (says & MD5)
        announce(&options, CHECKSUM_MD5, plain, false);
    if (says & HASHED)
        options.sha256_hex = sha256_hex(arena, says & WRONG ? STR("another") : body);
    bool fine = payload_whole(arena, &options, body, &whole, &words) == ERR_OK;
    ENSURE(fine ? str_eq(whole, plain) : words.code && words.message);
    ENSURE(!fine || !(says & WRONG) || !(says & (CRC32 | HASHED)));

    struct source source = {.reader = {.ops = &source_ops, .length = (int64_t)body.n}, .rest = body, .step = 1u + data[1]};
    struct taken taken = {.sink = {.piece = take_piece, .end = take_end, .hashed = says & HASHED}};
    if (says & CHUNKED)
        options.chunked = chunked_new(arena, &chunked);
    buf_init(&taken.bytes, arena, body.n);
    posted = NULL;
    body_read(payload_new(arena, &options, &source.reader, &code, &message), &taken.sink);
    if (posted)
        posted->run(posted);
    ENSURE(taken.ended && taken.how == (fine ? BODY_WHOLE : BODY_DAMAGED));
    ENSURE(!fine || str_eq(buf_str(&taken.bytes), whole));
    ENSURE(fine || (strcmp(code, words.code) == 0 && str_eq(message, str_of(words.message))));
    arena_free(arena);
    return 0;
}

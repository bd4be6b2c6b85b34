/* chunked_fuzz.c -- wire/chunked.h on any bytes. Properties: however the bytes are cut, the same comes out and the same is said;
 * a body that is DONE has the length that was announced, ends where it says, and, written again in one chunk, is read again. */
#include "auth/sigv4.h"
#include "base/panic.h"
#include "wire/chunked.h"
#include "base/buf.h"

static enum chunked_status feed(struct arena *arena, const struct chunked_options *options, struct str text, size_t piece, struct buf *out,
                                size_t *ret_left)
{
    struct chunked *chunked = chunked_new(arena, options);
    for (;;) {
        struct str in = str_slice(text, 0, piece), given = STR_NONE;
        size_t before = in.n;
        enum chunked_status status;
        while ((status = chunked_next(chunked, &in, &given)) == CHUNKED_DATA) {
            ENSURE(given.n > 0 && given.p >= text.p && given.p + given.n <= text.p + text.n);
            buf_add(out, given);
        }
        text = str_slice(text, before - in.n, text.n);
        ENSURE(status != CHUNKED_MORE || in.n == 0);
        if (status != CHUNKED_MORE || text.n == 0) {
            *ret_left = text.n;
            return status;
        }
    }
}

static struct sigv4_chain *any_chain(struct arena *arena)
{
    static const char scope[] = "20130524/us-east-1/s3";
    struct sigv4 sig = {.date = {scope, 8}, .region = {scope + 9, 9}, .service = {scope + 19, 2}, .amz_date = STR("20130524T000000Z"),
                        .signature = STR("4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9")};
    return sigv4_chain_of(&sig, STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), arena);
}

static void read_again(struct arena *arena, struct str body)
{
    struct chunked_options plain = {.length = body.n};
    struct buf text, out;
    size_t left;
    buf_init(&text, arena, 1 << 20);
    buf_init(&out, arena, 1 << 20);
    if (body.n) {
        buf_printf(&text, "%zX\r\n", body.n);
        buf_add(&text, body);
        buf_lit(&text, "\r\n");
    }
    buf_lit(&text, "0\r\n\r\n");
    ENSURE(feed(arena, &plain, buf_str(&text), 3, &out, &left) == CHUNKED_DONE && left == 0);
    ENSURE(str_eq(buf_str(&out), body));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = {"", "x-amz-checksum-crc32", "x-amz-checksum-crc64nvme,x-amz-meta-a", "x-amz-checksum-sha256"};
    if (size < 3)
        return 0;
    struct arena *arena = arena_new();
    struct chunked_options options = {.trailer = data[0] & 1, .trailer_names = str_of(names[data[0] >> 1 & 3]), .length = data[1]};
    bool with_chain = data[0] & 8;
    struct str text = {(const char *)data + 3, size - 3};
    struct buf whole, pieces;
    size_t left_whole, left_pieces;
    buf_init(&whole, arena, 1 << 20);
    buf_init(&pieces, arena, 1 << 20);
    options.chain = with_chain ? any_chain(arena) : NULL;
    enum chunked_status status = feed(arena, &options, text, text.n + 1, &whole, &left_whole);
    options.chain = with_chain ? any_chain(arena) : NULL;
    ENSURE(feed(arena, &options, text, data[2] % 16 + 1u, &pieces, &left_pieces) == status);
    ENSURE(str_eq(buf_str(&whole), buf_str(&pieces)));
    ENSURE(whole.n <= options.length);
    if (status == CHUNKED_DONE) {
        ENSURE(whole.n == options.length && left_whole == left_pieces);
        read_again(arena, buf_str(&whole));
    }
    arena_free(arena);
    return 0;
}

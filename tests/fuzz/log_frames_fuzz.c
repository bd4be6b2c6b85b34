/* log_frames_fuzz.c -- lambda/log_frames.h on any bytes. Properties: every byte is a head's, a message's or text, in order; however
 * the bytes are cut, the same records and the same text come out, and they are those of a decoder that has all at once. */
#include "base/buf.h"
#include "base/codec.h"
#include "base/panic.h"
#include "services/lambda/log_frames.h"

/* What came out, as text: "M time message;" for a whole message, "m" for one that did not end, "T text" without a mark of its pieces. */
struct heard {
    struct buf out;
    char last;
};

static void hear_text(struct heard *h, struct str text)
{
    if (h->last != 'T')
        buf_lit(&h->out, "T ");
    h->last = 'T';
    buf_add(&h->out, text);
}

static void hear_message(struct heard *h, uint64_t time_us, struct str bytes, bool begins, bool ends)
{
    if (begins)
        buf_printf(&h->out, "M %llu ", (unsigned long long)time_us);
    buf_add(&h->out, bytes);
    if (ends)
        buf_lit(&h->out, ";");
    h->last = 'M';
}

static void hear_all(struct str text, size_t piece, struct heard *h)
{
    struct lambda__frames frames = {0};
    struct lambda__log_piece got;
    bool inside = false;
    while (text.n) {
        struct str in = str_slice(text, 0, piece);
        text = str_slice(text, in.n, text.n);
        for (;;) {
            lambda__frames_split(&frames, &in, &got);
            if (got.kind == LOG_PIECE_NONE)
                break;
            ENSURE(got.kind == LOG_PIECE_TEXT ? got.bytes.n > 0 && !inside : got.begins == !inside);
            if (got.kind == LOG_PIECE_TEXT)
                hear_text(h, got.bytes);
            else
                hear_message(h, got.time_us, got.bytes, got.begins, got.ends);
            inside = got.kind == LOG_PIECE_MESSAGE && !got.ends;
        }
        ENSURE(in.n == 0);
    }
    lambda__frames_end(&frames, &got);
    if (got.kind == LOG_PIECE_TEXT)
        hear_text(h, got.bytes);
}

static void decode_all(const uint8_t *p, size_t n, struct heard *h)
{
    for (size_t at = 0; at < n;) {
        const uint8_t *head = p + at;
        size_t left = n - at, size = left > 3 && head[3] & 2 ? 16 : 8;
        bool marked = left >= 3 && head[0] == 0xa5 && head[1] == 0x5a && head[2] == 0;
        if (!marked || left < size) {           /* a head that did not come whole is at the end */
            size_t text = marked ? left : 1;
            hear_text(h, (struct str){(const char *)head, text});
            at += text;
            continue;
        }
        size_t length = get_u32(head + 4), there = left - size < length ? left - size : length;
        hear_message(h, size == 16 ? get_u64(head + 8) : 0, (struct str){(const char *)head + size, there}, true, there == length);
        at += size + there;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    struct heard whole = {0}, pieces = {0}, known = {0};
    struct str text = {(const char *)data + 1, size - 1};
    buf_init(&whole.out, NULL, 1 << 22);
    buf_init(&pieces.out, NULL, 1 << 22);
    buf_init(&known.out, NULL, 1 << 22);
    hear_all(text, text.n, &whole);
    hear_all(text, data[0] % 32 + 1u, &pieces);
    decode_all(data + 1, size - 1, &known);
    ENSURE(str_eq(buf_str(&whole.out), buf_str(&pieces.out)));
    ENSURE(str_eq(buf_str(&whole.out), buf_str(&known.out)));
    buf_clear(&whole.out);
    buf_clear(&pieces.out);
    buf_clear(&known.out);
    return 0;
}

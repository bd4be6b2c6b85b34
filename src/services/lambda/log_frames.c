/* log_frames.c -- see log_frames.h. A head is gathered byte by byte; a byte that cannot belong to one makes text of what was
 * gathered before it and is looked at again, so that pieces of any size give the same. A message passes through, whatever length it
 * claims: nothing is kept of it here. */
#include "services/lambda/log_frames.h"
#include "base/codec.h"

static const uint8_t frame_mark[] = {0xa5, 0x5a, 0x00};
#define FRAME_TIMED 2
#define FRAME_HEAD_MIN 8

static struct lambda__log_piece text_piece(const void *p, size_t n)
{
    return (struct lambda__log_piece){.kind = n ? LOG_PIECE_TEXT : LOG_PIECE_NONE, .bytes = {p, n}};
}

static size_t frame_head_size(const struct lambda__frames *frames)
{
    return frames->have > sizeof frame_mark && frames->head[sizeof frame_mark] & FRAME_TIMED ? LAMBDA_FRAME_HEAD_MAX
                                                                                             : FRAME_HEAD_MIN;
}

static void begin_message(struct lambda__frames *frames)
{
    frames->left = get_u32(frames->head + 4);
    frames->time_us = frames->have == LAMBDA_FRAME_HEAD_MAX ? get_u64(frames->head + 8) : 0;
    frames->have = 0;
    frames->inside = true;
}

/* As much of the message as is there; nothing: it waits for more. */
static void take_record_bytes(struct lambda__frames *frames, struct str *bytes, bool begins, struct lambda__log_piece *ret)
{
    size_t n = bytes->n < frames->left ? bytes->n : frames->left;
    frames->left -= (uint32_t)n;
    frames->inside = frames->left > 0;
    *ret = (struct lambda__log_piece){.kind = begins || n ? LOG_PIECE_MESSAGE : LOG_PIECE_NONE,
                                      .bytes = str_slice(*bytes, 0, n),
                                      .time_us = frames->time_us,
                                      .begins = begins,
                                      .ends = !frames->inside};
    *bytes = str_slice(*bytes, n, bytes->n);
}

/* One byte more of a head. False: it cannot belong to one. */
static bool take_head_byte(struct lambda__frames *frames, uint8_t byte)
{
    if (frames->have < sizeof frame_mark && byte != frame_mark[frames->have])
        return false;
    frames->head[frames->have++] = byte;
    return true;
}

void lambda__frames_split(struct lambda__frames *frames, struct str *bytes, struct lambda__log_piece *ret)
{
    if (frames->inside) {
        take_record_bytes(frames, bytes, false, ret);
        return;
    }
    if (frames->have == 0) {
        size_t n = str_find(*bytes, (char)frame_mark[0]);
        if (n > 0) {
            *ret = text_piece(bytes->p, n);
            *bytes = str_slice(*bytes, n, bytes->n);
            return;
        }
    }
    while (bytes->n) {
        if (!take_head_byte(frames, (uint8_t)bytes->p[0])) {
            *ret = text_piece(frames->head, frames->have);
            frames->have = 0;
            return;
        }
        *bytes = str_slice(*bytes, 1, bytes->n);
        if (frames->have == frame_head_size(frames)) {
            begin_message(frames);
            take_record_bytes(frames, bytes, true, ret);
            return;
        }
    }
    *ret = text_piece(NULL, 0);
}

void lambda__frames_end(struct lambda__frames *frames, struct lambda__log_piece *ret)
{
    *ret = text_piece(frames->head, frames->inside ? 0 : frames->have);
    frames->have = 0;
}

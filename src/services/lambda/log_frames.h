/* log_frames.h -- what a managed runtime writes to its log channel (the descriptor in _LAMBDA_TELEMETRY_LOG_FD), cut into records.
 * Folder-internal. The form is that of AWS's runtime interface clients (FramedTelemetryLogSink in awslambdaric; its like in the
 * clients for Node.js, Java and .NET), all numbers big-endian:
 *
 *   a5 5a 00 · kind 1 · length 4 · [time 8, in microseconds since 1970, if kind & 2] · message, `length` bytes
 *
 * kind & 1: text, else JSON; from bit 2 on: the level. Whatever is no frame is text: a damaged stream loses its framing, not its
 * bytes, and is read as frames again at the next a5 5a 00. */
#ifndef CLOUDLESS_SERVICES_LAMBDA_LOG_FRAMES_H
#define CLOUDLESS_SERVICES_LAMBDA_LOG_FRAMES_H
#include "base/str.h"

#define LAMBDA_FRAME_HEAD_MAX 16

/* All zero at the beginning. The state between two pieces of input; what it holds of a stream is a head at most. */
struct lambda__frames {
    uint8_t head[LAMBDA_FRAME_HEAD_MAX];
    size_t have;      /* of the head */
    uint32_t left;    /* of the message */
    uint64_t time_us; /* of the message; 0: it has none */
    bool inside;      /* a message goes on */
};

struct lambda__log_piece {
    enum lambda__log_piece_kind { LOG_PIECE_NONE, LOG_PIECE_TEXT, LOG_PIECE_MESSAGE } kind;
    struct str bytes;  /* of the input or of *frames: until the next call */
    uint64_t time_us;  /* MESSAGE */
    bool begins, ends; /* MESSAGE: its first, its last piece */
};
/* Takes the next piece off *bytes. NONE: it has all of them, and wants more. */
void lambda__frames_split(struct lambda__frames *frames, struct str *bytes, struct lambda__log_piece *ret);
/* Nothing comes any more: what was held for a head is text. */
void lambda__frames_end(struct lambda__frames *frames, struct lambda__log_piece *ret);
#endif

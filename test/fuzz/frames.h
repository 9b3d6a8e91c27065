/* SPDX-License-Identifier: MIT */
/*
 * fuzz/frames.h - frames of a client from lines of text, and a second judge of what such bytes say.
 *
 * A line is one frame:
 *     letter    t text, b binary, c continuation, p ping, o pong, x close; in capitals: not the
 *               last fragment. Any other: raw bytes, the rest of the line as it stands
 *     how       0 as it should be, 1 unmasked, 2 length in 2 bytes, 3 in 8, 4 one more is
 *               announced than comes, 5 a reserved bit, 6 an opcode that is reserved, 7 a length
 *               beyond all, 8 masked with zeros, 9 cut behind the head
 *     filling   how many bytes stand before the payload: one of fuzz_fillings
 *     payload   the rest of the line
 */
#ifndef WSPOOL_TEST_FUZZ_FRAMES_H
#define WSPOOL_TEST_FUZZ_FRAMES_H

#include "../sim/client.h"
#include "fuzz.h"

/* Appends what the line says. */
void fuzz_frame(blob *wire, fuzz_input line);

/* ---------------------------------------------------------------- the judge */

enum { FUZZ_MESSAGE, FUZZ_PING, FUZZ_PONG, FUZZ_CLOSE, FUZZ_FAULT };

/* What the bytes say, from RFC 6455 alone: messages whole, control frames, and the first fault,
 * behind which nothing is listed. */
typedef struct fuzz_said {
    int what;
    unsigned op; /* MESSAGE: OP_TEXT or OP_BINARY */
    int code;    /* CLOSE: its code or 1005; FAULT: 1002, 1007 or 1009 */
    size_t at;   /* of the payload, in `text` */
    size_t len;
} fuzz_said;

typedef struct fuzz_story {
    fuzz_said *list;
    size_t count;
    size_t cap;
    blob text;
} fuzz_story;

/* `limit`: bytes of a message. */
void fuzz_tell(fuzz_story *story, const uint8_t *bytes, size_t len, size_t limit);
void fuzz_story_free(fuzz_story *story);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * fuzz/frames.h - makes a client's frames from lines of text, and is a second judge of such bytes.
 *
 * The judge follows RFC 6455 alone and shares no code with the library. A line makes one frame:
 *     letter    t text, b binary, c continuation, p ping, o pong, x close; a capital letter
 *               means FIN is 0. Any other letter: the rest of the line is sent as raw bytes
 *     how       0 valid, 1 unmasked, 2 length in 2 bytes, 3 length in 8 bytes, 4 the length is
 *               one too high, 5 a reserved bit, 6 a reserved opcode, 7 a length beyond every
 *               limit, 8 masking key of zeros, 9 cut after the head
 *     filling   how many filler bytes precede the payload: one of fuzz_fillings
 *     payload   the rest of the line
 */
#ifndef WSPOOL_TEST_FUZZ_FRAMES_H
#define WSPOOL_TEST_FUZZ_FRAMES_H

#include "../sim/client.h"
#include "fuzz.h"

/* Appends the frame of one line. */
void fuzz_frame(blob *wire, fuzz_input line);

/* ---------------------------------------------------------------- the judge */

enum { FUZZ_MESSAGE, FUZZ_PING, FUZZ_PONG, FUZZ_CLOSE, FUZZ_FAULT };

/* What the bytes mean by RFC 6455: whole messages, control frames, and the first fault. Nothing
 * is listed after the fault. */
typedef struct fuzz_said {
    int what;
    unsigned op; /* MESSAGE: OP_TEXT or OP_BINARY */
    int code;    /* CLOSE: its code or 1005; FAULT: 1002, 1007 or 1009 */
    size_t at;   /* offset of the payload in `text` */
    size_t len;
} fuzz_said;

typedef struct fuzz_story {
    fuzz_said *list;
    size_t count;
    size_t cap;
    blob text;
} fuzz_story;

/* Judges the bytes. `limit` is the largest message in bytes. */
void fuzz_tell(fuzz_story *story, const uint8_t *bytes, size_t len, size_t limit);
void fuzz_story_free(fuzz_story *story);

#endif

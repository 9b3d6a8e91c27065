/* SPDX-License-Identifier: MIT */
/*
 * unit/frames.h - writes frames as a peer may send them, for the tests of parsers and senders.
 *
 * The file follows RFC 6455 alone and calls nothing of the library, so that the tests compare the
 * codec with an independent source. It can write any bits, any opcode and any form of a length,
 * also invalid ones.
 *
 *     struct frame_form form = {.first = FRAME_FIN | 1, .key = key};
 *     len = frame_write(out, &form, "hello", 5);
 */
#ifndef WSP_TEST_UNIT_FRAMES_H
#define WSP_TEST_UNIT_FRAMES_H

#include "support.h"

#define FRAME_FIN 0x80u
#define FRAME_RSV1 0x40u
#define FRAME_HEAD_MAX 14u

enum frame_length_encoding { FRAME_SHORTEST, FRAME_7_BITS, FRAME_16_BITS, FRAME_64_BITS };

struct frame_form {
    unsigned first;                         /* the first byte: FIN, reserved bits, opcode */
    const uint8_t *key;                     /* four bytes, or NULL: not masked */
    enum frame_length_encoding length_form; /* 0: the shortest form of the length */
};

static inline enum frame_length_encoding frame_shortest(uint64_t length)
{
    return length <= 125 ? FRAME_7_BITS : length <= 0xffff ? FRAME_16_BITS : FRAME_64_BITS;
}

/* Writes the header of a frame. Returns its length. */
static inline size_t frame_head(uint8_t *out, const struct frame_form *form, uint64_t length)
{
    enum frame_length_encoding how = form->length_form ? form->length_form : frame_shortest(length);
    uint8_t mask = form->key ? 0x80 : 0;
    size_t n = 0;
    out[n++] = (uint8_t)form->first;
    if (how == FRAME_7_BITS) {
        out[n++] = (uint8_t)(mask | length);
    } else if (how == FRAME_16_BITS) {
        out[n++] = mask | 126;
        out[n++] = (uint8_t)(length / 256);
        out[n++] = (uint8_t)(length % 256);
    } else {
        out[n++] = mask | 127;
        for (int shift = 56; shift >= 0; shift -= 8) {
            out[n++] = (uint8_t)(length >> shift);
        }
    }
    for (int i = 0; form->key && i < 4; i++) {
        out[n++] = form->key[i];
    }
    return n;
}

/* Writes a whole frame and returns its length. `out` must have space for the payload and
 * FRAME_HEAD_MAX bytes. */
static inline size_t frame_write(uint8_t *out, const struct frame_form *form, const void *payload,
                                 size_t len)
{
    const uint8_t *bytes = payload;
    size_t n = frame_head(out, form, len);
    for (size_t i = 0; i < len; i++) {
        out[n + i] = form->key ? bytes[i] ^ form->key[i % 4] : bytes[i];
    }
    return n + len;
}

/* Writes a frame as a correct client does: masked. */
static inline size_t frame_client(uint8_t *out, unsigned first, const void *payload, size_t len)
{
    static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
    struct frame_form form = {.first = first, .key = key};
    return frame_write(out, &form, payload, len);
}

/* Writes a frame as a correct server does: not masked. */
static inline size_t frame_server(uint8_t *out, unsigned first, const void *payload, size_t len)
{
    struct frame_form form = {.first = first};
    return frame_write(out, &form, payload, len);
}

static inline void frame_fill(uint8_t *out, size_t len, uint64_t *random)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)test_random(random);
    }
}

/* Returns the length of the next piece when `left` bytes come in pieces: often 1 or 2, never 0. */
static inline size_t frame_piece(size_t left, uint64_t *random)
{
    size_t most = test_below(random, 3) ? 1 + (size_t)test_below(random, 7) : left;
    return 1 + (size_t)test_below(random, most < left ? most : left);
}

#endif

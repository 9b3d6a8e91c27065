/* SPDX-License-Identifier: MIT */
/*
 * wire/decoder.h - the frames of peers, by wslay.  Floor 1, and the only room that includes wslay.
 *
 * Of wslay we use the frame layer only: its event layer copies each message for each peer, holds
 * 8.8 KB a peer and decides things that are ours to decide. A context (4.3 KB) is borrowed for
 * one frame, once its head has passed the gate, and goes back at the frame's end. After an error
 * or a cut it is out of step with the peer, so it is freed and never used again. A message that is
 * one frame and there whole needs none: see wsp_frame_is_whole.
 *
 * wslay is shown the head without its mask bit and key, and counts; the payload is unmasked on its
 * way to where it belongs. wslay asks for it in its own buffer of 4 KiB, says where it ends, and
 * never looks at it, so it need not be there: nothing is copied twice. The callback never hands
 * over a byte past the present frame. With `wslay_unmasks` set (tests only) wslay is shown the
 * head as it came and unmasks by itself, so that the two can be held against each other.
 *
 * Invariants:
 * - a spare decoder is between frames: nothing of a head or a payload is outstanding;
 * - spares are as many as `spare_count` says, few, and of this collection.
 */
#ifndef WSP_WIRE_DECODER_H
#define WSP_WIRE_DECODER_H

#include <stddef.h>
#include <stdint.h>
#include "base/mem.h"
#include "wire/frame.h"

struct wslay_frame_context;

struct wsp_decoder {
    struct wslay_frame_context *context;
    struct wsp_decoder *next; /* among the spares */
    struct wsp_decoders *decoders;
    uint64_t missing;   /* payload bytes that wslay was not given yet */
    const uint8_t *src; /* input of the present call */
    size_t len;
    uint8_t *into;  /* where the present call puts payload; NULL: where wslay wants it */
    uint8_t key[4]; /* turned so that its first byte is for the next payload byte */
    uint8_t first;  /* byte of the head */
    uint8_t begins; /* wslay has not seen the head yet */
};

struct wsp_decoders {
    const wspool_mem *mem;
    struct wsp_decoder *spares;
    uint32_t spare_count;
    int wslay_unmasks;
};

/* Must not move afterwards. */
void wsp_decoders_init(struct wsp_decoders *decoders, const wspool_mem *mem);
void wsp_decoders_fini(struct wsp_decoders *decoders);

/* A decoder for the frame with this head, which the gate has passed; NULL when there is no
 * memory. It must be given back, or discarded. */
struct wsp_decoder *wsp_decoder_borrow(struct wsp_decoders *decoders,
                                       const struct wsp_frame *frame);
void wsp_decoder_return(struct wsp_decoders *decoders, struct wsp_decoder *decoder);
void wsp_decoder_discard(struct wsp_decoders *decoders, struct wsp_decoder *decoder);

/* Payload bytes of the frame that have not come yet. */
static inline uint64_t wsp_decoder_missing(const struct wsp_decoder *decoder)
{
    return decoder->missing;
}

/* Of `len` bytes of input, how many are payload of the frame. */
static inline size_t wsp_decoder_ahead(const struct wsp_decoder *decoder, size_t len)
{
    return len < decoder->missing ? len : (size_t)decoder->missing;
}

/* Decodes on: *src is moved by what was taken. Answers 1 and a chunk of unmasked payload (at most
 * 4 KiB, perhaps empty), 0 when it needs more input, -1 when wslay finds fault with the frame:
 * discard the decoder and close with 1002. The frame is complete when a chunk has come and
 * nothing is missing. The chunk lies at `into`, which has room for what is ahead; or, when that is
 * NULL, in the decoder, until the next call. */
int wsp_decoder_pull(struct wsp_decoder *decoder, const uint8_t **src, size_t *len, uint8_t *into,
                     const uint8_t **chunk, size_t *chunk_len);

/* Do the invariants hold? 1 or 0. */
int wsp_decoders_check(const struct wsp_decoders *decoders);

#endif

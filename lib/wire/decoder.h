/* SPDX-License-Identifier: MIT */
/*
 * wire/decoder.h - decodes the frames of peers with wslay.  Layer 1. The only module that includes
 * wslay.
 *
 * Only wslay's frame layer is used. Its event layer copies each message for each peer, holds 8.8 KB
 * per peer and makes decisions that are ours. A frame context (4.3 KB) is borrowed for one frame,
 * after the frame-header parser has accepted the header, and returned at the end of the frame.
 * After an error or a cut a context is out of step with the peer, so it is freed and never reused.
 * A message that is one frame and lies whole in the input needs no context: see wsp_frame_is_whole.
 *
 * wslay gets the header without mask bit and key, and counts the payload. The payload is unmasked
 * on its way to its destination. wslay asks for the payload in its own buffer of 4 KiB, reports
 * where the frame ends, and never looks at the bytes, so they need not be there: nothing is copied
 * twice. The callback never gives wslay a byte beyond the present frame. With `wslay_unmasks` set
 * (tests only) wslay gets the header as it came and unmasks by itself, so that tests can compare
 * both ways.
 *
 * Invariants:
 * - a decoder in the free list is between frames: no byte of a header or payload is outstanding;
 * - the free list has few decoders, and all of this collection.
 */
#ifndef WSP_WIRE_DECODER_H
#define WSP_WIRE_DECODER_H

#include <stddef.h>
#include <stdint.h>
#include "base/freelist.h"
#include "base/mem.h"
#include "wire/frame.h"

struct wslay_frame_context;

struct wsp_decoder {
    struct wsp_free_item item; /* in the free list */
    struct wslay_frame_context *context;
    struct wsp_decoders *decoders;
    uint64_t missing;   /* payload bytes that wslay has not received yet */
    const uint8_t *src; /* input of the present call */
    size_t len;
    uint8_t *into;  /* where the present call writes payload; NULL: into wslay's buffer */
    uint8_t key[4]; /* rotated so that its first byte applies to the next payload byte */
    uint8_t first;  /* first byte of the header */
    uint8_t begins; /* wslay has not seen the header yet */
};

struct wsp_decoders {
    const wspool_mem *mem;
    struct wsp_freelist free_list;
    int wslay_unmasks;
};

/* The struct must not move afterwards. */
void wsp_decoders_init(struct wsp_decoders *decoders, const wspool_mem *mem);
void wsp_decoders_fini(struct wsp_decoders *decoders);

/* Borrows a decoder for the frame with this header, which the frame-header parser has accepted.
 * Returns NULL without memory. It must be returned or discarded. */
struct wsp_decoder *wsp_decoder_borrow(struct wsp_decoders *decoders,
                                       const struct wsp_frame *frame);
void wsp_decoder_return(struct wsp_decoders *decoders, struct wsp_decoder *decoder);
void wsp_decoder_discard(struct wsp_decoders *decoders, struct wsp_decoder *decoder);

/* Memory of a frame context, with what wslay allocates for it; rounded up. */
#define WSP_DECODER_MEMORY 4608u

/* Returns the payload bytes of the frame that have not arrived yet. */
static inline uint64_t wsp_decoder_missing(const struct wsp_decoder *decoder)
{
    return decoder->missing;
}

/* Returns how many of `len` input bytes are payload of the frame. */
static inline size_t wsp_decoder_ahead(const struct wsp_decoder *decoder, size_t len)
{
    return len < decoder->missing ? len : (size_t)decoder->missing;
}

/* Continues decoding and advances *src by what it consumed. Returns 1 and a chunk of unmasked
 * payload (at most 4 KiB, perhaps empty), 0 when it needs more input, or -1 when wslay reports a
 * protocol error: discard the decoder and close with 1002. The frame is complete when a chunk
 * was returned and no payload is missing. The chunk is at `into`, which must have room for
 * wsp_decoder_ahead bytes; or, when `into` is NULL, in the decoder until the next call. */
int wsp_decoder_pull(struct wsp_decoder *decoder, const uint8_t **src, size_t *len, uint8_t *into,
                     const uint8_t **chunk, size_t *chunk_len);

/* Returns 1 if the invariants hold, else 0. */
int wsp_decoders_check(const struct wsp_decoders *decoders);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * link/encodings.h - one message in each encoding that its readers use.  Layer 2.
 *
 * Without a codec there is one encoding: plain. With a codec (wspool/codec.h), peers that
 * negotiated the same parameters share an encoding. A message is encoded once per encoding, when
 * the walk reaches its first reader. Where that does not pay, or there is no room or memory, the
 * plain frame is used: every peer accepts it.
 *
 * Invariants:
 * - the plain frame is made first;
 * - every encoded frame is held until wsp_encodings_fini, so that making one cannot overwrite
 *   another.
 */
#ifndef WSP_LINK_ENCODINGS_H
#define WSP_LINK_ENCODINGS_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/codec.h>
#include "link/link.h"
#include "wire/block.h"

struct wsp_encodings {
    const void *message;
    size_t len;
    uint8_t opcode;
    uint32_t made; /* bit f: runs[f] exists */
    struct wsp_run runs[1 + WSPOOL_ENCODINGS];
};

/* Encodes a message in an encoding other than plain. Returns 1 and *frame, which holds no
 * reference yet; or 0 when the message must be sent plain. */
int wsp_encoding_write(struct wsp_link *link, unsigned encoding, uint8_t opcode,
                       const void *message, size_t len, struct wsp_run *frame);

void wsp_encodings_init(struct wsp_encodings *encodings, const struct wsp_run *plain,
                        uint8_t opcode, const void *message, size_t len);
void wsp_encodings_fini(struct wsp_encodings *encodings);

/* The cold path of wsp_encodings_of. */
const struct wsp_run *wsp_encodings_make(struct wsp_link *link, struct wsp_encodings *encodings,
                                         unsigned encoding);
/* Returns the encoded frame for readers of that encoding; 0 is plain. */
static inline const struct wsp_run *
wsp_encodings_of(struct wsp_link *link, struct wsp_encodings *encodings, unsigned encoding)
{
    return encodings->made >> encoding & 1u ? &encodings->runs[encoding]
                                            : wsp_encodings_make(link, encodings, encoding);
}

#endif

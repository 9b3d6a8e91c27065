/* SPDX-License-Identifier: MIT */
/*
 * link/encodings.h - one message in each variant that its readers use.  Layer 2.
 *
 * Without a codec there is one encoding: plain. With a codec (wspool/codec.h), peers that
 * negotiated the same parameters share an encoding. A message is encoded once per encoding, when
 * the walk reaches its first reader. Where that does not pay, or there is no room or memory, the
 * plain frame is used: every peer accepts it.
 *
 * If several contracts render a publication, each has a plain frame of its own, and its readers
 * have encodings of that. A variant is both: contract * WSP_ENCODINGS + encoding. A message that is
 * published as it is, is the same for the readers of all contracts.
 *
 * Invariants:
 * - the plain frame of contract 0 is made first, and those of the others before the walk;
 * - every encoded frame is held until wsp_encodings_fini, so that making one cannot overwrite
 *   another.
 */
#ifndef WSP_LINK_ENCODINGS_H
#define WSP_LINK_ENCODINGS_H

#include <stddef.h>
#include <stdint.h>

#include <wspool/codec.h>
#include <wspool/handlers.h>
#include "link/link.h"
#include "link/negotiated.h"
#include "wire/block.h"

/* A message as one contract has rendered it. */
struct wsp_message {
    const void *data;
    size_t len;
    uint8_t opcode;
};

#define WSP_VARIANTS (WSPOOL_CONTRACTS * WSP_ENCODINGS)
_Static_assert(WSP_VARIANTS <= 64, "a bit for each variant");

struct wsp_encodings {
    struct wsp_message messages[WSPOOL_CONTRACTS];
    uint32_t rendered; /* bit c: contract c has a message of its own, messages[c] */
    uint64_t made;     /* bit v: runs[v] exists */
    struct wsp_run runs[WSP_VARIANTS];
};

/* Encodes a message in an encoding other than plain. Returns 1 and *frame, which holds no
 * reference yet; or 0 when the message must be sent plain. */
int wsp_encoding_write(struct wsp_link *link, unsigned encoding, const struct wsp_message *message,
                       struct wsp_run *frame);

/* Begins with the plain frame of contract 0. */
void wsp_encodings_init(struct wsp_encodings *encodings, const struct wsp_run *plain,
                        const struct wsp_message *message);
/* Adds the plain frame of another contract, before the walk. */
void wsp_encodings_add(struct wsp_encodings *encodings, unsigned contract,
                       const struct wsp_run *plain, const struct wsp_message *message);
void wsp_encodings_fini(struct wsp_encodings *encodings);

/* The cold path of wsp_encodings_of. */
const struct wsp_run *wsp_encodings_make(struct wsp_link *link, struct wsp_encodings *encodings,
                                         unsigned variant);
/* Returns the encoded frame for readers of that variant; 0 is plain, for contract 0. */
static inline const struct wsp_run *
wsp_encodings_of(struct wsp_link *link, struct wsp_encodings *encodings, unsigned variant)
{
    return encodings->made >> variant & 1u ? &encodings->runs[variant]
                                           : wsp_encodings_make(link, encodings, variant);
}

#endif

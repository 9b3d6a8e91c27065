/* SPDX-License-Identifier: MIT */
/*
 * pool/encode.h - encodes messages into the pool's blocks, within pool_bytes.  Layer 4.
 *
 * What publish.c and send.c have in common. A message is encoded once, and the queues of its
 * readers refer to the frame (wire/block.h).
 */
#ifndef WSP_POOL_ENCODE_H
#define WSP_POOL_ENCODE_H

#include "pool/contracts.h"

/* Writes the plain frame of a message, and sheds peers if there is no room for it: so a peer of the
 * caller may be closing afterwards. Returns 0, FULL, TOO_BIG or NOMEM. */
int wsp_encode(wspool *pool, const struct wsp_rendering *rendering, struct wsp_run *frame);

/* Does the same for the contracts behind the first one that are in use, and adds their frames to
 * *encodings. `list` has a rendering for each contract. */
int wsp_encode_others(wspool *pool, const struct wsp_rendering *list,
                      struct wsp_encodings *encodings);

/* Counts an encoded message. */
static inline void wsp_encode_count(wspool *pool, uint32_t len)
{
    wsp_count_add(&pool->count.encoded, 1);
    wsp_count_add(&pool->count.encoded_bytes, len);
}

/* Messages are encoded with this priority from now on. Returns the one before: choose it again
 * before any hook runs that may call the pool. */
static inline int wsp_encode_choose(wspool *pool, int priority)
{
    int before = pool->link.blocks.priority;
    if (priority != before) {
        wsp_blocks_choose(&pool->link.blocks, priority);
    }
    return before;
}

#endif

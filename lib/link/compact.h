/* SPDX-License-Identifier: MIT */
/*
 * link/compact.h - compacts the loose runs of one queue.  Layer 2.
 *
 * An encoded frame of a little more than half a block leaves the other half unused, and one frame
 * among those of other peers holds the whole block. A queue that keeps up releases the block at
 * once. In a queue that does not, such runs are loose: they hold much more memory than they have
 * bytes. Loose runs are copied, adjacent ones of one priority together, to blocks of exactly their
 * size.
 */
#ifndef WSP_LINK_COMPACT_H
#define WSP_LINK_COMPACT_H

#include <stdint.h>

#include "link/outq.h"
#include "wire/block.h"

/* Keeps the memory that a slow queue holds near `limit`, which its bytes do not exceed. The open
 * blocks do not count. Runs with peeked bytes are not moved. */
void wsp_outq_compact(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_blocks *blocks,
                      uint32_t limit);

#endif

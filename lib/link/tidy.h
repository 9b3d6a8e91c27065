/* SPDX-License-Identifier: MIT */
/*
 * link/tidy.h - loose runs of one peer are moved together.  Floor 2.
 *
 * An image of a bit more than half a block leaves the other half unused, and one among the
 * messages of others holds all of theirs. A queue that keeps up lets go of that at once; in one
 * that does not, such runs are loose: they hold much more memory than they have bytes, and are
 * copied, neighbours together, to blocks of just their size.
 */
#ifndef WSP_LINK_TIDY_H
#define WSP_LINK_TIDY_H

#include <stdint.h>

#include "link/outq.h"
#include "wire/block.h"

/* Keeps the memory that a queue behind holds near `limit`, which its bytes are within. The open
 * blocks don't count. What was peeked stays as it is, and then nothing is done. */
void wsp_outq_tidy(struct wsp_outq *q, struct wsp_stock *stock, struct wsp_blocks *blocks,
                   uint32_t limit);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/budget.h - bounds what the input of peers may cause in a turn of the loop.  Layer 4.
 *
 * A compressed frame of a hundred bytes becomes a message of 64 KiB, and a message to a channel
 * becomes one delivery per member. So the effect of a feed is bounded, not only its bytes
 * (link/receive.c). The rest of the input is kept in the peer's struct wsp_inbound until the next
 * tick. Until then the peer is not read, and wspool_deadline is 0.
 */
#ifndef WSP_POOL_BUDGET_H
#define WSP_POOL_BUDGET_H

#include "pool/pool.h"

/* Resumes a few of the peers whose input waits, in turn. The others come first in the next tick. */
void wsp_budget_resume(wspool *pool);

#endif

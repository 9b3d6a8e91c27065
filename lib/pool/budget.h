/* SPDX-License-Identifier: MIT */
/*
 * pool/budget.h - what peers may cause in a turn of the loop.  Layer 4.
 *
 * A compressed frame of a hundred bytes becomes a message of 64 KiB, and a message to a channel
 * becomes as many deliveries as it has members. So what a feed causes is bounded, not only how many
 * bytes it brings (link/conn.c). The rest of the input waits in the peer's struct wsp_inbound until
 * the next tick; meanwhile nothing is read from the peer, and wspool_deadline is 0.
 */
#ifndef WSP_POOL_BUDGET_H
#define WSP_POOL_BUDGET_H

#include "pool/pool.h"

/* Resumes a few of the peers whose input waits, in the order of their turns. The others come first in
 * the next tick. */
void wsp_budget_resume(wspool *pool);

#endif

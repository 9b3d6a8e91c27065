/* SPDX-License-Identifier: MIT */
/*
 * pool/budget.h - bounds what the input of peers may cause in a turn of the loop.  Layer 4.
 *
 * A compressed frame of a hundred bytes becomes a message of 64 KiB, and a message to a channel
 * becomes one delivery per member. So the effect of input is bounded, not only its bytes, and for
 * all peers together (link/turn.h, link/receive.c). The input of a peer beyond that is kept in its
 * struct wsp_inbound until a later tick. Until then the peer is not read, and wspool_deadline is 0.
 *
 * There are two queues. Peers of which nothing was read since the turn was over have half of each
 * turn: a peer that sends a little now and then does not wait behind those that send without end.
 */
#ifndef WSP_POOL_BUDGET_H
#define WSP_POOL_BUDGET_H

#include "link/receive.h"
#include "pool/pool.h"

/* Call it in each tick when wsp_budget_is_due. A turn begins. Resumes peers whose input waits, as
 * long as the turn is not used up. The others come first in the next tick. */
void wsp_budget_turn(wspool *pool);
static inline int wsp_budget_is_due(const wspool *pool)
{
    const struct wsp_inbounds *inbounds = &pool->link.inbounds;
    return wsp_conn_caused(&pool->link) >= inbounds->turn.renew_at || wsp_inbounds_wait(inbounds);
}

#endif

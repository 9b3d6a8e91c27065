/* SPDX-License-Identifier: MIT */
/*
 * pool/pace.h - shows the messages of channels with a send interval to their members.  Layer 4.
 *
 * The first message after a pause is shown at once; what is published within the interval behind
 * it, when that ends. The members are refilled among the deferred events (pool/refill.h).
 */
#ifndef WSP_POOL_PACE_H
#define WSP_POOL_PACE_H

#include "pool/pool.h"

/* A message was published to a channel that has a pace. */
void wsp_pace_published(wspool *pool, struct wsp_channel *channel);
/* Shows what is due. */
void wsp_pace_tick(wspool *pool);
/* Returns when wsp_pace_tick has something to do. */
static inline uint64_t wsp_pace_next(const wspool *pool)
{
    return pool->registry.paces.next;
}

#endif

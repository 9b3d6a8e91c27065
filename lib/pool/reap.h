/* SPDX-License-Identifier: MIT */
/*
 * pool/reap.h - entering and leaving the pool, and the events that are dealt with last.  Layer 4.
 *
 * Every public call is one of three kinds. Readers look and change nothing. Calls that a hook may make
 * come in with wsp_enter and go out with wsp_leave; the outermost of them deals with the events of the
 * peers (struct wsp_link, `events`), so nothing is freed while a list is walked or a frame is read.
 * Calls that a hook may not make return REENTRANT when the pool is entered already.
 */
#ifndef WSP_POOL_REAP_H
#define WSP_POOL_REAP_H

#include "pool/pool.h"

/* Deals with the peers in `events`. */
void wsp_reap(wspool *pool);
/* If the end of a peer's connection has not been dealt with yet: does so now. */
void wsp_reap_ended(wspool *pool, struct wsp_peer *peer);

static inline void wsp_enter(wspool *pool)
{
    pool->depth++;
}
/* Beyond it sums of times could overflow: wspool.h says that no clock goes there. */
#define WSP_NOW_MAX (UINT64_MAX - WSPOOL_LONGEST - (UINT64_C(1) << 60))

static inline void wsp_enter_at(wspool *pool, uint64_t now)
{
    pool->depth++;
    if (now > pool->link.now && now <= WSP_NOW_MAX) {
        pool->link.now = now;
    }
}
static inline void wsp_leave(wspool *pool)
{
    if (--pool->depth == 0 && pool->link.events.low != WSP_BITSET_END) {
        wsp_reap(pool);
    }
}

#endif

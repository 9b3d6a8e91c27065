/* SPDX-License-Identifier: MIT */
/*
 * pool/reap.h - entering and leaving the pool, and the deferred events.  Layer 4.
 *
 * Every public call is of one of three kinds. Readers change nothing. Calls that are allowed in
 * hooks begin with wsp_enter and end with wsp_leave; the outermost of them processes the deferred
 * events of the peers (struct wsp_link, `due`), so nothing is freed while a list is walked or a
 * frame is parsed. Calls that are not allowed in hooks return REENTRANT when the pool was entered
 * before.
 */
#ifndef WSP_POOL_REAP_H
#define WSP_POOL_REAP_H

#include "pool/pool.h"

/* The end of the outermost call: processes the peers in `due`, then tells a sleeping host. */
void wsp_reap(wspool *pool);
/* Processes the end of a peer's connection now, if that has not happened yet. */
void wsp_reap_ended(wspool *pool, struct wsp_peer *peer);

static inline void wsp_enter(wspool *pool)
{
    pool->depth++;
}
/* Sums of times beyond it could overflow: wspool.h excludes such clocks. */
#define WSP_NOW_MAX (UINT64_MAX - WSPOOL_TIME_MAX - (UINT64_C(1) << 60))

static inline void wsp_enter_at(wspool *pool, uint64_t now)
{
    pool->depth++;
    if (now > pool->link.now && now <= WSP_NOW_MAX) {
        pool->link.now = now;
    }
}
static inline void wsp_leave(wspool *pool)
{
    if (--pool->depth == 0 && pool->link.due.low != WSP_BITSET_END) { /* see deadline.c */
        wsp_reap(pool);
    }
}

#endif

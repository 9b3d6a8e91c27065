/* SPDX-License-Identifier: MIT */
/*
 * pool/renewal.h - what happens while a grant lasts: its end is announced, a new token renews it,
 * and a peer that has none is closed.  Layer 4.
 */
#ifndef WSP_POOL_RENEWAL_H
#define WSP_POOL_RENEWAL_H

#include "pool/grant.h"

/* The host judges a new token in as much time as that of a request; it costs a peer as many units
 * of its abuse budget. */
#define WSP_RENEWAL_COST 50u

static inline uint64_t wsp_renewal_next(const wspool *pool)
{
    return pool->granted > 0 ? wsp_timers_next(&pool->grants) : WSP_TIMERS_NEVER;
}
/* Acts on the timers of grants that have fired. */
void wsp_renewal_run(wspool *pool);
static inline void wsp_renewal_tick(wspool *pool)
{
    if (pool->granted > 0) {
        wsp_renewal_run(pool);
    }
}
/* A verdict on the new token of a peer has arrived, which awaits one. */
void wsp_renewal_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/waiters.h - those who wait for the next message of a channel (wspool_wait).  Layer 4.
 *
 * A waiter is the host's memory. It is in two lists: that of its channel, and that of all waiters
 * in the order of their times. A publication moves the waiters of its channel to the list of those
 * who are woken; they are called when the outermost call ends, as no hook runs during a broadcast.
 *
 * The list of times is sorted by insertion from its end: waits of one length take constant time.
 *
 * Invariants:
 * - a waiter that waits is in the list of its channel, or has no channel and is woken;
 * - `link` points to the pointer to it; it is NULL when it does not wait;
 * - the list of times is in order, and has all of them: as many as the gauge `waiters` says.
 */
#ifndef WSP_POOL_WAITERS_H
#define WSP_POOL_WAITERS_H

#include "pool/pool.h"

/* The waiter must not wait. */
void wsp_waiter_add(wspool *pool, struct wsp_channel *channel, wspool_waiter *waiter,
                    uint64_t until);
/* The waiter must wait. Its channel may cease to exist. */
void wsp_waiter_remove(wspool *pool, wspool_waiter *waiter);

/* A message was published: the channel's waiters are due. */
void wsp_waiters_wake(wspool *pool, struct wsp_channel *channel);
/* Calls those who are woken, and those whose time is over. Some may be left if they wait again. */
void wsp_waiters_call(wspool *pool);
/* Returns when wsp_waiters_call has something to do: 0: now. */
static inline uint64_t wsp_waiters_next(const wspool *pool)
{
    const struct wsp_waiters *waiters = &pool->waiters;
    return waiters->woken ? 0 : waiters->first ? waiters->first->until : UINT64_MAX;
}

/* Forgets all without a call. */
void wsp_waiters_fini(wspool *pool);
/* Returns 1 if the invariants hold, else 0. */
int wsp_waiters_check(const wspool *pool);

#endif

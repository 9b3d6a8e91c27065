/* SPDX-License-Identifier: MIT */
/*
 * pool/deadline.c - see pool/deadline.h.
 *
 * While the pool is idle, the end of every call comes here (wsp_reap_for_sure) without a further
 * check in any call.
 */
#include "pool/deadline.h"

#include "pool/pace.h"
#include "pool/waiters.h"

static void watch(wspool *pool)
{
    wsp_reap_for_sure(pool);
    pool->output_is_timed = 1;
}

static void remember(wspool *pool)
{
    pool->idle_flush_at = pool->link.flush_at;
    pool->idle_wait_at = wsp_waiters_next(pool);
    pool->idle_pace_at = wsp_pace_next(pool);
    wsp_timers_mark(&pool->link.timers);
    wsp_timers_mark(&pool->grants);
    watch(pool);
}

void wsp_deadline_promise(wspool *pool)
{
    if (pool->depth == 0) { /* a call from a hook is not the loop */
        pool->idle = 1;
        remember(pool);
    }
}

void wsp_deadline_tell(wspool *pool)
{
    struct wsp_link *link = &pool->link;
    const wspool_deadline_hook *hook = &pool->config.deadline;
    if (wsp_bitset_has_any(&link->ready) || wsp_bitset_has_any(&link->due) ||
        wsp_inbounds_wait(&link->inbounds) || pool->drain.next <= link->now) {
        pool->idle = 0; /* it cannot become earlier than now */
        pool->output_is_timed = pool->config.flush_delay > 0;
        hook->call(hook->user);
    } else if (link->flush_at < pool->idle_flush_at ||
               wsp_waiters_next(pool) < pool->idle_wait_at ||
               wsp_pace_next(pool) < pool->idle_pace_at || wsp_timers_moved_up(&link->timers) ||
               wsp_timers_moved_up(&pool->grants)) {
        remember(pool); /* the host may sleep until then */
        hook->call(hook->user);
    } else {
        watch(pool);
    }
}

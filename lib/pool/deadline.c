/* SPDX-License-Identifier: MIT */
/*
 * pool/deadline.c - see pool/deadline.h.
 *
 * The outermost call processes deferred events when the walk through `due` would not start at
 * the end. While the pool is idle the start of that walk is set to the beginning, so that the end
 * of every call comes here, without a further check in any call.
 */
#include "pool/deadline.h"

void wsp_deadline_promise(wspool *pool)
{
    struct wsp_link *link = &pool->link;
    if (pool->depth == 0) { /* a call from a hook is not the loop */
        pool->idle = 1;
        pool->idle_flush_at = link->flush_at;
        wsp_timers_mark(&link->timers);
        wsp_bitset_rewind(&link->due);
    }
}

void wsp_deadline_tell(wspool *pool)
{
    struct wsp_link *link = &pool->link;
    const wspool_deadline_hook *hook = &pool->config.deadline;
    if (!wsp_bitset_empty(&link->ready) || !wsp_bitset_empty(&link->due) ||
        link->inbounds.first_kept || link->flush_at < pool->idle_flush_at ||
        wsp_timers_moved_up(&link->timers)) {
        pool->idle = 0;
        hook->call(hook->user);
    } else {
        wsp_bitset_rewind(&link->due);
    }
}

/* SPDX-License-Identifier: MIT */
/* pool/flush.c - see pool/flush.h. */
#include "pool/flush.h"

#include "pool/reap.h"

void wsp_flush_time(wspool *pool)
{
    pool->output_is_timed = 0;
    if (pool->config.flush_delay && pool->link.flush_at == UINT64_MAX) {
        pool->link.flush_at = pool->link.now + pool->config.flush_delay;
    }
    if (pool->depth == 0) { /* the fast path of wspool_send, which does not end with wsp_leave */
        wsp_enter(pool);
        wsp_leave(pool);
    }
}

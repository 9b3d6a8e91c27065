/* SPDX-License-Identifier: MIT */
/*
 * pool/flush.h - when queued messages are to be written: config.flush_delay.  Layer 4.
 */
#ifndef WSP_POOL_FLUSH_H
#define WSP_POOL_FLUSH_H

#include "pool/pool.h"

/* The rare part of wsp_flush_soon. */
void wsp_flush_time(wspool *pool);

/* Messages were queued: they are written flush_delay after the first of them, and a sleeping host
 * is told. */
static inline void wsp_flush_soon(wspool *pool)
{
    if (pool->output_is_timed) {
        wsp_flush_time(pool);
    }
}

#endif

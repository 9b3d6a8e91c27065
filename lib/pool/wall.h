/* SPDX-License-Identifier: MIT */
/*
 * pool/wall.h - the wall clock, which gives messages their time.  Layer 4.
 */
#ifndef WSP_POOL_WALL_H
#define WSP_POOL_WALL_H

#include "pool/pool.h"

/* Returns milliseconds since 1970. The hook is called at most once in a millisecond. */
static inline uint64_t wsp_wall(wspool *pool)
{
    if (pool->link.now - pool->wall_read_at >= WSPOOL_MILLISECOND) {
        pool->wall_read_at = pool->link.now;
        pool->wall = pool->config.wall_clock.call(pool->config.wall_clock.user);
    }
    return pool->wall;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/breaker.h - a circuit breaker: when too many peers are refused for lack of capacity, new ones
 * are turned away before anything is done for them.  Layer 4.
 *
 * A refusal costs a record, the parsing of a request, and an answer: the very processor time that
 * may be short. Refusals draw on a token bucket. When that is empty, nobody is opened for
 * breaker_time; then the bucket decides again, so what has come back of it lets some through.
 */
#ifndef WSP_POOL_BREAKER_H
#define WSP_POOL_BREAKER_H

#include "pool/pool.h"

/* A peer was refused: if that was for lack of capacity, it counts. */
static inline void wsp_breaker_refused(wspool *pool, enum wspool_stage stage)
{
    struct wsp_breaker *breaker = &pool->breaker;
    const wspool_config *config = &pool->config;
    if (stage == WSPOOL_STAGE_CAPACITY && config->breaker_burst > 0 &&
        pool->link.now >= breaker->until &&
        !wsp_bucket_draw(&breaker->bucket, config->breaker_burst, config->breaker_rate, 1,
                         pool->link.now - pool->link.created_at)) {
        breaker->until = pool->link.now + config->breaker_time;
        wsp_count_add(&pool->count.breaker_trips, 1);
    }
}

/* Returns 1 if new peers are turned away now, else 0. */
static inline int wsp_breaker_is_open(const wspool *pool)
{
    return pool->link.now < pool->breaker.until;
}

#endif

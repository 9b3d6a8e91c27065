/* SPDX-License-Identifier: MIT */
/*
 * link/times.h - how a connection stores times, and when it is pinged next.  Layer 2.
 *
 * A connection stores the times of its last input and output as coarse times (base/bucket.h): 32
 * bits, in units of 67 ms since the pool was made. A deadline that is computed from one may be that
 * late and is never early.
 */
#ifndef WSP_LINK_TIMES_H
#define WSP_LINK_TIMES_H

#include <stdint.h>

#include "base/bucket.h"
#include "link/link.h"

static inline uint64_t wsp_earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint32_t wsp_coarse_now(const struct wsp_link *link)
{
    return wsp_coarse_time(link->now - link->created_at);
}

/* Returns the end of the unit that a coarse time names, so that no deadline is early. It counts
 * back from now, so that coarse times may wrap. */
static inline uint64_t wsp_coarse_end(const struct wsp_link *link, uint32_t coarse_time)
{
    uint64_t now = (link->now - link->created_at) >> WSP_COARSE_TIME_BITS;
    uint32_t age = (uint32_t)now - coarse_time;
    return link->created_at + ((now - age + 1) << WSP_COARSE_TIME_BITS);
}

/* Returns a number below 2^53 for jitter: xorshift64*, from link->random. It is no secret. */
uint64_t wsp_random(struct wsp_link *link);
/* Returns now + ping_interval, varied by ping_jitter percent in both directions. Advances
 * link->random. */
uint64_t wsp_next_ping(struct wsp_link *link);

#endif

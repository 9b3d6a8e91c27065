/* SPDX-License-Identifier: MIT */
/* link/times.c - see link/times.h. */
#include "link/times.h"

uint64_t wsp_random(struct wsp_link *link)
{
    uint64_t x = link->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    link->random = x;
    return (x * UINT64_C(2685821657736338717)) >> 11;
}

uint64_t wsp_next_ping(struct wsp_link *link)
{
    uint64_t interval = link->config->ping_interval;
    uint64_t spread = interval / 100 * link->config->ping_jitter;
    uint64_t random = wsp_random(link);
    return link->now + interval - spread + (spread > 0 ? random % (2 * spread + 1) : 0);
}

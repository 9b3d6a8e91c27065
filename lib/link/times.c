/* SPDX-License-Identifier: MIT */
/* link/times.c - see link/times.h. */
#include "link/times.h"

/* The generator is xorshift64*: spread is all that is needed. */
uint64_t wsp_next_ping(struct wsp_link *link)
{
    uint64_t interval = link->config->ping_interval;
    uint64_t spread = interval / 100 * link->config->ping_jitter;
    uint64_t x = link->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    link->random = x;
    x = (x * UINT64_C(2685821657736338717)) >> 11;
    return link->now + interval - spread + (spread > 0 ? x % (2 * spread + 1) : 0);
}

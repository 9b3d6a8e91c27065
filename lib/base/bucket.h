/* SPDX-License-Identifier: MIT */
/*
 * base/bucket.h - a token bucket in eight bytes.  Floor 0.
 *
 * It begins full; each draw takes one token; `rate` come back a second, up to `burst`. Time is a
 * coarse stamp of 2^26 ns (67 ms; wraps never in nine years), so a bucket fits into a record that
 * every peer has.
 *
 * Invariants:
 * - no more is spent than `burst`.
 */
#ifndef WSP_BASE_BUCKET_H
#define WSP_BASE_BUCKET_H

#include <stdint.h>

#define WSP_STAMP_BITS 26u

/* Nanoseconds since the pool was made, as a coarse stamp. */
static inline uint32_t wsp_stamp(uint64_t ns)
{
    return (uint32_t)(ns >> WSP_STAMP_BITS);
}

struct wsp_bucket {
    uint32_t spent; /* all zero is a full bucket */
    uint32_t stamp; /* when tokens last came back */
};

/* Draws `cost` tokens at `ns` (nanoseconds since the pool was made); 1 when they were there, 0
 * when not: then nothing is drawn. */
int wsp_bucket_draw(struct wsp_bucket *bucket, uint32_t burst, uint32_t rate, uint32_t cost,
                    uint64_t ns);
/* Do the invariants hold? 1 or 0. */
int wsp_bucket_check(const struct wsp_bucket *bucket, uint32_t burst);

#endif

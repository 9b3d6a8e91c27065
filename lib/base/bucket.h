/* SPDX-License-Identifier: MIT */
/*
 * base/bucket.h - a token bucket in eight bytes.  Layer 0.
 *
 * The bucket is full at first. A draw takes tokens; `rate` tokens per second come back, up to
 * `burst`. Time is kept as a coarse timestamp in units of 2^26 ns (67 ms), which does not wrap for
 * nine years, so that a bucket fits into the record of every peer.
 *
 * Invariants:
 * - at most `burst` tokens are spent.
 */
#ifndef WSP_BASE_BUCKET_H
#define WSP_BASE_BUCKET_H

#include <stdint.h>

#define WSP_COARSE_TIME_BITS 26u

/* Converts nanoseconds since the pool was made to a coarse timestamp. */
static inline uint32_t wsp_coarse_time(uint64_t ns)
{
    return (uint32_t)(ns >> WSP_COARSE_TIME_BITS);
}

struct wsp_bucket {
    uint32_t spent;       /* an all-zero struct is a full bucket */
    uint32_t coarse_time; /* coarse time at which tokens last came back */
};

/* Draws `cost` tokens at time `ns` (nanoseconds since the pool was made). Returns 1, or 0 when
 * there are fewer than `cost` tokens: then none is drawn. */
int wsp_bucket_draw(struct wsp_bucket *bucket, uint32_t burst, uint32_t rate, uint32_t cost,
                    uint64_t ns);
/* Returns 1 if the invariants hold, else 0. */
int wsp_bucket_check(const struct wsp_bucket *bucket, uint32_t burst);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * base/bucket.c - see base/bucket.h.
 *
 * The tokens that come back between two timestamps are the difference of two counts since the pool
 * was made. So no fraction of a token is stored, and none is lost, however often the bucket is
 * used.
 */
#include "base/bucket.h"

#define SECOND UINT64_C(1000000000)

/* Returns the tokens produced since the pool was made. */
static uint64_t tokens_until(uint32_t coarse_time, uint32_t rate)
{
    uint64_t ns = (uint64_t)coarse_time << WSP_COARSE_TIME_BITS;
    return ns / SECOND * rate + ns % SECOND * rate / SECOND;
}

int wsp_bucket_draw(struct wsp_bucket *bucket, uint32_t burst, uint32_t rate, uint32_t cost,
                    uint64_t ns)
{
    uint32_t now = wsp_coarse_time(ns);
    if (bucket->coarse_time != now) {
        /* A smaller timestamp has wrapped. No tokens come back this once. */
        if (bucket->spent != 0 && now > bucket->coarse_time) {
            uint64_t back = tokens_until(now, rate) - tokens_until(bucket->coarse_time, rate);
            bucket->spent = back < bucket->spent ? bucket->spent - (uint32_t)back : 0;
        }
        bucket->coarse_time = now;
    }
    if (bucket->spent > burst || cost > burst - bucket->spent) {
        return 0;
    }
    bucket->spent += cost;
    return 1;
}

int wsp_bucket_check(const struct wsp_bucket *bucket, uint32_t burst)
{
    return bucket->spent <= burst;
}

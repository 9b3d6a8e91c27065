/* SPDX-License-Identifier: MIT */
/*
 * base/histogram.h - the counters behind a wspool_histogram: one writer, readers on any thread.
 *                    Layer 0.
 *
 * Bucket 0 may be left out by the writer, who then tells how many values there were in all.
 */
#ifndef WSP_BASE_HISTOGRAM_H
#define WSP_BASE_HISTOGRAM_H

#include <wspool/histogram.h>
#include "base/bits.h"
#include "base/count.h"

struct wsp_histogram {
    wsp_count sum;
    wsp_count buckets[WSPOOL_HISTOGRAM_BUCKETS];
};

static inline void wsp_histogram_add(struct wsp_histogram *histogram, uint64_t value)
{
    const uint32_t bits = value > 0 ? wsp_highest_bit(value) + 1 : 0;
    const uint32_t last = WSPOOL_HISTOGRAM_BUCKETS - 1;
    wsp_count_add(&histogram->sum, value);
    wsp_count_add(&histogram->buckets[bits < last ? bits : last], 1);
}

/* Histograms of times have this unit. */
static inline uint64_t wsp_microseconds(uint64_t nanoseconds)
{
    return nanoseconds / 1000;
}

/* Copies it; `all` values were counted, or more than are in the buckets: the rest were 0. */
void wsp_histogram_read(const struct wsp_histogram *histogram, uint64_t all, wspool_histogram *out);

#endif

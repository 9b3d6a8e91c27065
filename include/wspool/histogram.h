/* SPDX-License-Identifier: MIT */
/*
 * wspool/histogram.h - how often values of which size came.
 *
 * Bucket 0 counts the value 0, bucket i the values from 2^(i-1) to 2^i - 1, and the last bucket all
 * that are larger, too. So a quantile is known to a factor of two, whatever the unit, and a value
 * costs a few instructions and no memory.
 */
#ifndef WSPOOL_HISTOGRAM_H
#define WSPOOL_HISTOGRAM_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
#pragma GCC visibility push(default)

#define WSPOOL_HISTOGRAM_BUCKETS 32

typedef struct wspool_histogram {
    uint64_t sum; /* of all values */
    uint64_t buckets[WSPOOL_HISTOGRAM_BUCKETS];
} wspool_histogram;

/* Returns how many values it counts. Any thread. */
uint64_t wspool_histogram_count(const wspool_histogram *histogram);

/* Returns the largest value of a bucket; UINT64_MAX for the last one. Any thread. */
uint64_t wspool_histogram_bound(unsigned bucket);

/* Returns a bound that at least `permille` of a thousand values do not exceed: 990 for the 99th
 * percentile. It is that of a bucket, so less than twice the value. Returns 0 if there are no
 * values. Any thread. */
uint64_t wspool_histogram_quantile(const wspool_histogram *histogram, unsigned permille);

#pragma GCC visibility pop
#ifdef __cplusplus
}
#endif

#endif

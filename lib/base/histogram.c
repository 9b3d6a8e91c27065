/* SPDX-License-Identifier: MIT */
/* base/histogram.c - see base/histogram.h and wspool/histogram.h. */
#include "base/histogram.h"

void wsp_histogram_read(const struct wsp_histogram *histogram, uint64_t all, wspool_histogram *out)
{
    uint64_t counted = 0;
    out->sum = wsp_count_read(&histogram->sum);
    for (unsigned i = 0; i < WSPOOL_HISTOGRAM_BUCKETS; i++) {
        out->buckets[i] = wsp_count_read(&histogram->buckets[i]);
        counted += out->buckets[i];
    }
    out->buckets[0] += all > counted ? all - counted : 0;
}

uint64_t wspool_histogram_count(const wspool_histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; histogram && i < WSPOOL_HISTOGRAM_BUCKETS; i++) {
        count += histogram->buckets[i];
    }
    return count;
}

uint64_t wspool_histogram_bound(unsigned bucket)
{
    return bucket < WSPOOL_HISTOGRAM_BUCKETS - 1 ? (UINT64_C(1) << bucket) - 1 : UINT64_MAX;
}

uint64_t wspool_histogram_quantile(const wspool_histogram *histogram, unsigned permille)
{
    const uint64_t count = wspool_histogram_count(histogram);
    const uint64_t share = permille < 1000 ? permille : 1000;
    /* Rounded up, and without an overflow: how many values must not be above the bound. */
    const uint64_t needed = count / 1000 * share + (count % 1000 * share + 999) / 1000;
    uint64_t seen = 0;
    for (unsigned i = 0; count > 0 && i < WSPOOL_HISTOGRAM_BUCKETS; i++) {
        seen += histogram->buckets[i];
        if (seen >= needed) {
            return wspool_histogram_bound(i);
        }
    }
    return 0;
}

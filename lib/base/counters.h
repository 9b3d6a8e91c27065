/* SPDX-License-Identifier: MIT */
/*
 * base/counters.h - the numbers of a pool: one writer, readers in any thread.  Floor 0.
 *
 * The list stands in wspool/stats.h; this is its storage, but for what is derived. Relaxed loads
 * and stores compile to the plain ones, so counting costs what it always did, and wspool_stats may
 * be called from anywhere. Only the pool's thread adds.
 */
#ifndef WSP_BASE_COUNTERS_H
#define WSP_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdint.h>

#include <wspool/stats.h>

typedef _Atomic uint64_t wsp_count;

struct wsp_stage_counts {
    wsp_count passed, refused, time;
};

struct wsp_counters {
#define WSPOOL_X(name, unit, help) wsp_count name;
#define WSPOOL_DERIVED(name, unit, help)
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES_OR_DERIVED(WSPOOL_X, WSPOOL_DERIVED)
#undef WSPOOL_DERIVED
#undef WSPOOL_X
    wsp_count refused[WSPOOL_REFUSAL_COUNT];
    wsp_count ended[WSPOOL_END_COUNT];
    struct wsp_stage_counts stages[WSPOOL_STAGE_COUNT];
};

static inline uint64_t wsp_count_read(const wsp_count *count)
{
    return atomic_load_explicit(count, memory_order_relaxed);
}

static inline void wsp_count_add(wsp_count *count, uint64_t n)
{
    atomic_store_explicit(count, wsp_count_read(count) + n, memory_order_relaxed);
}

static inline void wsp_count_sub(wsp_count *count, uint64_t n)
{
    atomic_store_explicit(count, wsp_count_read(count) - n, memory_order_relaxed);
}

static inline void wsp_count_set(wsp_count *count, uint64_t n)
{
    atomic_store_explicit(count, n, memory_order_relaxed);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * base/counters.h - the counters of a pool: one writer, readers on any thread.  Layer 0.
 *
 * The list of counters is in wspool/stats.h; this struct stores those that are not derived. Relaxed
 * atomic loads and stores compile to plain ones, so counting is as cheap as with plain integers,
 * and wspool_stats may be called from any thread. Only the pool's thread writes.
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

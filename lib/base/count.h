/* SPDX-License-Identifier: MIT */
/*
 * base/count.h - a number with one writer and readers on any thread.  Layer 0.
 *
 * Relaxed atomic loads and stores compile to plain ones, so counting is as cheap as with plain
 * integers.
 */
#ifndef WSP_BASE_COUNT_H
#define WSP_BASE_COUNT_H

#include <stdatomic.h>
#include <stdint.h>

typedef _Atomic uint64_t wsp_count;

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

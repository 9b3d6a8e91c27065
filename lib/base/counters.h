/* SPDX-License-Identifier: MIT */
/*
 * base/counters.h - the counters of a pool: one writer, readers on any thread.  Layer 0.
 *
 * The lists of counters and histograms are in wspool/stats.h; this struct stores those that are not
 * derived, so that wspool_stats may be called from any thread. Only the pool's thread writes.
 */
#ifndef WSP_BASE_COUNTERS_H
#define WSP_BASE_COUNTERS_H

#include <wspool/stats.h>
#include "base/count.h"
#include "base/histogram.h"

struct wsp_stage_counts {
    wsp_count passed, refused, gone, time;
    struct wsp_histogram times; /* bucket 0 is left out */
};

struct wsp_counters {
#define WSPOOL_X(name, unit, help) wsp_count name;
#define WSPOOL_DERIVED(name, unit, help)
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES_OR_DERIVED(WSPOOL_X, WSPOOL_DERIVED)
#undef WSPOOL_DERIVED
#undef WSPOOL_X
#define WSPOOL_X(name, unit, help) struct wsp_histogram name;
    WSPOOL_HISTOGRAMS(WSPOOL_X)
#undef WSPOOL_X
    wsp_count lost_after[WSPOOL_SILENCE_COUNT];
    wsp_count token_found[WSPOOL_TOKEN_PLACES + 1];
    wsp_count token_blank[WSPOOL_TOKEN_PLACES + 1];
    wsp_count refused[WSPOOL_REFUSAL_COUNT];
    wsp_count ended[WSPOOL_END_COUNT];
    struct wsp_stage_counts stages[WSPOOL_STAGE_COUNT];
};

#endif

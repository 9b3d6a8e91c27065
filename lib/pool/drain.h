/* SPDX-License-Identifier: MIT */
/*
 * pool/drain.h - closing all peers, spread evenly over a window.  Layer 4.
 */
#ifndef WSP_POOL_DRAIN_H
#define WSP_POOL_DRAIN_H

#include "pool/pool.h"

/* When the drain's turn comes for a slot. */
uint64_t wsp_drain_time(const wspool *pool, uint32_t slot);

#endif

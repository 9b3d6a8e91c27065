/* SPDX-License-Identifier: MIT */
/*
 * pool/drain.h - closes all peers, evenly spread over a window.  Layer 4.
 */
#ifndef WSP_POOL_DRAIN_H
#define WSP_POOL_DRAIN_H

#include "pool/pool.h"

/* Returns when the drain closes the peer in a slot. */
uint64_t wsp_drain_time(const wspool *pool, uint32_t slot);

#endif

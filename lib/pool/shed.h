/* SPDX-License-Identifier: MIT */
/*
 * pool/shed.h - which peers are closed when the pool's budget for output is spent.  Layer 4.
 */
#ifndef WSP_POOL_SHED_H
#define WSP_POOL_SHED_H

#include "pool/pool.h"

/* An encoded message of `len` bytes needs room. Sheds those blocked peers that hold most, all with
 * at least half of what the first of them has; but none when `len` bytes would not come back though
 * all were shed, for then others hold them. Returns how many were shed. */
uint32_t wsp_shed(wspool *pool, uint32_t len);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/shed.h - closes peers when the pool's output budget is used up.  Layer 4.
 */
#ifndef WSP_POOL_SHED_H
#define WSP_POOL_SHED_H

#include "pool/pool.h"

/* An encoded frame of `len` bytes needs room. Sheds the blocked peers that hold most memory: all
 * that hold at least half as much as the first. Sheds none when shedding all of them would not
 * free `len` bytes, because other peers hold the blocks too; or when peers that have ended free
 * them as soon as the host releases them. Returns the number of peers that were shed. */
uint32_t wsp_shed(wspool *pool, uint32_t len);

#endif

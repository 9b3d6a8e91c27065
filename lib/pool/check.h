/* SPDX-License-Identifier: MIT */
/*
 * pool/check.h - checks the invariants of all modules and of the pool.  Layer 4.
 */
#ifndef WSP_POOL_CHECK_H
#define WSP_POOL_CHECK_H

#include "pool/pool.h"

/* Returns 1 if all invariants hold, else 0. Linear. It does not check the books: wspool_check
 * does both. */
int wsp_pool_check(const wspool *pool);

#endif

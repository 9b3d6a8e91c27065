/* SPDX-License-Identifier: MIT */
/*
 * pool/check.h - the invariants of all modules, and those of the pool.  Layer 4.
 */
#ifndef WSP_POOL_CHECK_H
#define WSP_POOL_CHECK_H

#include "pool/pool.h"

/* Do they hold? 1 or 0. Linear. The books are another question: wspool_check asks both. */
int wsp_pool_check(const wspool *pool);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/deadline.h - tells a sleeping host that its deadline has become earlier.  Layer 4.
 *
 * A host that has nothing left to do sleeps until wspool_deadline: nothing is due before. Whatever
 * becomes due earlier is reported through the deadline hook: once if it is due now, else again when
 * something is due still earlier, since the host may sleep until what it was told of. Without the
 * hook the pool is never marked idle, and calls cost nothing more.
 */
#ifndef WSP_POOL_DEADLINE_H
#define WSP_POOL_DEADLINE_H

#include "pool/pool.h"

/* wspool_next has nothing to report: the host sleeps until the present deadline. Only for a pool
 * with a deadline hook. */
void wsp_deadline_promise(wspool *pool);
/* The outermost call of an idle pool is finished: runs the hook if the deadline is earlier now. */
void wsp_deadline_tell(wspool *pool);

#endif

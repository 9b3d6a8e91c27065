/* SPDX-License-Identifier: MIT */
/*
 * pool/deadline.h - telling a host that sleeps when it is due sooner.  Layer 4.
 *
 * A host that found nothing left to do sleeps until wspool_deadline: the pool has promised that
 * nothing is due before. Whatever breaks that promise is told through the deadline hook, once.
 * Without the hook the pool is never marked idle, and calls cost what they did.
 */
#ifndef WSP_POOL_DEADLINE_H
#define WSP_POOL_DEADLINE_H

#include "pool/pool.h"

/* wspool_next has nothing more to tell: the host goes to sleep until the present deadline. Only for
 * a pool with a deadline hook. */
void wsp_deadline_promise(wspool *pool);
/* The outermost call of an idle pool is done: calls the hook if the deadline is sooner now. */
void wsp_deadline_tell(wspool *pool);

#endif

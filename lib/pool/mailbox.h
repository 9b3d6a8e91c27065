/* SPDX-License-Identifier: MIT */
/*
 * pool/mailbox.h - verdicts that other threads leave for the pool's thread.  Layer 4.
 */
#ifndef WSP_POOL_MAILBOX_H
#define WSP_POOL_MAILBOX_H

#include "pool/pool.h"

static inline int wsp_mailbox_empty(const wspool *pool)
{
    return atomic_load_explicit(&pool->mailbox.nodes, memory_order_relaxed) == NULL;
}
/* Returns 1 if the mailbox is empty and the next verdict wakes the pool. */
static inline int wsp_mailbox_quiet(const wspool *pool)
{
    return wsp_mailbox_empty(pool) &&
           !atomic_load_explicit(&pool->mailbox.woken, memory_order_relaxed);
}
/* Applies all verdicts in the mailbox. Call it in each tick unless the mailbox is quiet. */
void wsp_mailbox_drain(wspool *pool);
/* Discards the verdicts that will not be applied. */
void wsp_mailbox_fini(wspool *pool);
/* Returns 1 if the invariants hold, else 0. On the pool's thread. */
int wsp_mailbox_check(const wspool *pool);

#endif

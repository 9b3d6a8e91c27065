/* SPDX-License-Identifier: MIT */
/*
 * pool/mailbox.h - verdicts that other threads leave for the pool's thread.  Layer 4.
 */
#ifndef WSP_POOL_MAILBOX_H
#define WSP_POOL_MAILBOX_H

#include "pool/pool.h"

/* Applies all verdicts in the mailbox. */
void wsp_mailbox_drain(wspool *pool);
/* Discards the verdicts that will not be applied. */
void wsp_mailbox_fini(wspool *pool);
int wsp_mailbox_empty(const wspool *pool);
/* Returns 1 if the invariants hold, else 0. On the pool's thread. */
int wsp_mailbox_check(const wspool *pool);

#endif

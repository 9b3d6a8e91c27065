/* SPDX-License-Identifier: MIT */
/*
 * pool/mailbox.h - verdicts that other threads leave for the pool's thread.  Layer 4.
 */
#ifndef WSP_POOL_MAILBOX_H
#define WSP_POOL_MAILBOX_H

#include "pool/pool.h"

/* Acts on all that was left. */
void wsp_mailbox_read(wspool *pool);
/* Throws away what will not be read. */
void wsp_mailbox_fini(wspool *pool);
int wsp_mailbox_empty(const wspool *pool);
/* Do the invariants hold? 1 or 0. The pool's thread. */
int wsp_mailbox_check(const wspool *pool);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/log.h - records of the log hook, and their rate.  Layer 4.
 */
#ifndef WSP_POOL_LOG_H
#define WSP_POOL_LOG_H

#include "pool/pool.h"

/* Tells the log hook, unless the event has come too often. `event` and what follows from it are
 * filled in. */
void wsp_log(wspool *pool, enum wsp_log_event event, wspool_log_record record);
/* Do the invariants hold? 1 or 0. */
int wsp_log_check(const wspool *pool);

#endif

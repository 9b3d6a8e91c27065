/* SPDX-License-Identifier: MIT */
/*
 * pool/log.h - writes records to the log hook and limits their rate.  Layer 4.
 */
#ifndef WSP_POOL_LOG_H
#define WSP_POOL_LOG_H

#include "pool/pool.h"

/* Calls the log hook, unless the event occurred too often. Fills `event` and the members that
 * follow from it. */
void wsp_log(wspool *pool, enum wsp_log_event event, wspool_log_record record);
/* Returns 1 if the invariants hold, else 0. */
int wsp_log_check(const wspool *pool);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/log.h - writes records to the log hook and limits their rate.  Layer 4.
 */
#ifndef WSP_POOL_LOG_H
#define WSP_POOL_LOG_H

#include "pool/pool.h"

/* The rest of wsp_log. */
void wsp_log_write(wspool *pool, enum wsp_log_event event, wspool_log_record *record);
/* Calls the log handlers and hook, unless the event occurred too often. Fills `event` and the
 * members that follow from it. */
static inline void wsp_log(wspool *pool, enum wsp_log_event event, wspool_log_record record)
{
    if (pool->config.log.call || pool->handlers.log) {
        wsp_log_write(pool, event, &record);
    }
}
/* Returns 1 if the invariants hold, else 0. */
int wsp_log_check(const wspool *pool);

#endif

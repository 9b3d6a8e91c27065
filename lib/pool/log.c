/* SPDX-License-Identifier: MIT */
/*
 * pool/log.c - see pool/log.h.
 *
 * Each event has its own token bucket, so that an attack which causes one event can neither fill
 * the disk nor suppress the others.
 *
 * Invariants:
 * - no bucket has given more than it holds;
 * - records that were suppressed and not reported yet are part of the pool's counter.
 */
#include "pool/log.h"

#include "pool/handlers.h"

#define BURST 20u
#define RATE 10u

static const struct {
    const char *word;
    enum wspool_log_level level;
} events[WSP_LOG_EVENT_COUNT] = {
    [WSP_LOG_OPENED] = {"opened", WSPOOL_LOG_DEBUG},
    [WSP_LOG_CLOSED] = {"closed", WSPOOL_LOG_DEBUG},
    [WSP_LOG_REFUSED] = {"refused", WSPOOL_LOG_INFO},
    [WSP_LOG_SLOW] = {"slow", WSPOOL_LOG_WARNING},
    [WSP_LOG_SHED] = {"shed", WSPOOL_LOG_WARNING},
    [WSP_LOG_DRAIN] = {"drain", WSPOOL_LOG_INFO},
    [WSP_LOG_ABUSE] = {"abuse", WSPOOL_LOG_INFO},
    [WSP_LOG_RENEWED] = {"renewed", WSPOOL_LOG_INFO},
};

void wsp_log_write(wspool *pool, enum wsp_log_event event, wspool_log_record *record)
{
    if (!wsp_bucket_draw(&pool->log.events[event].bucket, BURST, RATE, 1,
                         pool->link.now - pool->link.created_at)) {
        pool->log.events[event].suppressed++;
        wsp_count_add(&pool->count.log_suppressed, 1);
        return;
    }
    record->event = events[event].word;
    record->level = events[event].level;
    record->reason = record->reason ? record->reason : "";
    record->now = pool->link.now;
    record->suppressed = pool->log.events[event].suppressed;
    pool->log.events[event].suppressed = 0;
    WSP_TELL(pool, log, record);
}

int wsp_log_check(const wspool *pool)
{
    uint64_t suppressed = 0;
    for (size_t i = 0; i < WSP_LOG_EVENT_COUNT; i++) {
        if (!wsp_bucket_check(&pool->log.events[i].bucket, BURST)) {
            return 0;
        }
        suppressed += pool->log.events[i].suppressed;
    }
    return suppressed <= wsp_count_read(&pool->count.log_suppressed);
}

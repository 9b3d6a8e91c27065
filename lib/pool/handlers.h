/* SPDX-License-Identifier: MIT */
/*
 * pool/handlers.h - calls the handlers of an event: the attached ones, then the configuration's
 * hook.  Layer 4.
 *
 * The list changes only while no hook runs and no peer exists, so it may be walked while handlers
 * run.
 *
 * Invariants:
 * - without handlers there is no list, and no tick is awaited.
 */
#ifndef WSP_POOL_HANDLERS_H
#define WSP_POOL_HANDLERS_H

#include "pool/pool.h"

/* Returns 1 if the event has a handler or hook. If not, its argument need not be made. */
#define WSP_HAS_HANDLER(pool, event) ((pool)->handlers.count > 0 || (pool)->config.event.call)

/* Returns 1 if the handlers at this index hear of this peer: those of a contract hear of its peers
 * only. */
static inline int wsp_handlers_hear(const wspool *pool, uint32_t index, const struct wsp_conn *conn)
{
    return !pool->handlers.list[index].render ||
           pool->contracts.list[conn->contract].handler == index;
}

/* Calls the handlers of an event that hear of it, then its hook. */
#define WSP_TELL_IF(pool, hear, event, ...) \
    do { \
        for (uint32_t i_ = 0; i_ < (pool)->handlers.count; i_++) { \
            const wspool_handlers *each_ = &(pool)->handlers.list[i_]; \
            if (each_->event && (hear)) { \
                each_->event((pool), __VA_ARGS__, each_->user); \
            } \
        } \
        if ((pool)->config.event.call) { \
            (pool)->config.event.call((pool), __VA_ARGS__, (pool)->config.event.user); \
        } \
    } while (0)

/* An event that all hear of: WSP_TELL(pool, log, record). */
#define WSP_TELL(pool, event, ...) WSP_TELL_IF(pool, 1, event, __VA_ARGS__)

/* An event of a peer that was opened: WSP_TELL_OF(pool, peer, close, &closed). */
#define WSP_TELL_OF(pool, peer, event, what) \
    WSP_TELL_IF(pool, wsp_handlers_hear((pool), i_, &(peer)->conn), event, \
                wsp_slot_id(&(peer)->conn.slot), what)

/* The link's hook for messages, until a handler is attached. */
void wsp_on_message(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *data, size_t len,
                    int binary);
/* Calls the tick handlers and stores the earliest of their deadlines. */
void wsp_handlers_call_tick(wspool *pool);
static inline void wsp_handlers_tick(wspool *pool)
{
    if (pool->handlers.count > 0) {
        wsp_handlers_call_tick(pool);
    }
}

void wsp_handlers_fini(wspool *pool);
/* Returns 1 if the invariants hold, else 0. */
int wsp_handlers_check(const wspool *pool);

#endif

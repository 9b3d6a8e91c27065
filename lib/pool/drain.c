/* SPDX-License-Identifier: MIT */
/* pool/drain.c - see pool/drain.h. */
#include "pool/drain.h"

#include "pool/log.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "wire/closing.h"

uint64_t wsp_drain_time(const wspool *pool, uint32_t slot)
{
    const struct wsp_drain *drain = &pool->drain;
    return drain->start + drain->window / drain->slots * (slot < drain->slots ? slot : 0);
}

int wspool_drain(wspool *pool, uint64_t window, int code, uint64_t now)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    code = code ? code : WSPOOL_CLOSE_DRAIN;
    if (!pool || !wsp_close_may_send(code, NULL, 0) || window > WSPOOL_TIME_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    wsp_enter_at(pool, now);
    pool->drain = (struct wsp_drain){.on = 1,
                                     .code = code,
                                     .start = pool->link.now,
                                     .window = window,
                                     .slots = pool->peers.top ? pool->peers.top : 1};
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (peer->conn.state == WSP_OPEN) {
            wsp_timers_sooner(&pool->link.timers, peer->conn.slot.index,
                              wsp_drain_time(pool, peer->conn.slot.index));
        }
    }
    wsp_log(pool, WSP_LOG_DRAIN, (wspool_log_record){.code = code});
    wsp_leave(pool);
    return 0;
}

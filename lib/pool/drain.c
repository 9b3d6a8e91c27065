/* SPDX-License-Identifier: MIT */
/* pool/drain.c - see pool/drain.h. */
#include "pool/drain.h"

#include <string.h>

#include "pool/log.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "pool/refuse.h"
#include "wire/closing.h"

static struct wsp_peer *next_open(wspool *pool)
{
    struct wsp_peer *peer;
    while ((peer = wsp_peer_next(pool, &pool->drain.slot)) != NULL) {
        if (peer->conn.state == WSP_OPEN) {
            return peer;
        }
    }
    return NULL;
}

void wsp_drain_step(wspool *pool)
{
    struct wsp_drain *drain = &pool->drain;
    const char *why = wspool_end_text(WSPOOL_END_DRAIN);
    while (drain->next <= pool->link.now) {
        struct wsp_peer *peer = next_open(pool);
        if (!peer) {
            drain->next = WSP_DRAIN_NEVER;
            return;
        }
        drain->next += drain->interval;
        wsp_conn_close(&pool->link, &peer->conn, WSPOOL_END_DRAIN, drain->code, why, strlen(why),
                       0);
    }
}

void wsp_drain_add(wspool *pool, const struct wsp_peer *peer)
{
    struct wsp_drain *drain = &pool->drain;
    uint32_t slot = peer->conn.slot.index;
    if (!drain->on) {
        return;
    }
    if (drain->next == WSP_DRAIN_NEVER) {
        drain->next = pool->link.now;
    }
    drain->slot = slot < drain->slot ? slot : drain->slot;
}

/* Refuses the handshakes whose request or verdict is awaited. Returns how many peers are open. */
static uint32_t refuse_handshakes(wspool *pool)
{
    struct wsp_peer *peer;
    uint32_t open = 0, slot = 0;
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (peer->conn.state == WSP_HEAD || peer->conn.state == WSP_PENDING) {
            wsp_refuse(pool, peer, WSPOOL_REFUSED_DRAINING);
        }
        open += peer->conn.state == WSP_OPEN;
    }
    return open;
}

int wspool_drain(wspool *pool, uint64_t window, int code, uint64_t now)
{
    code = code ? code : WSPOOL_CLOSE_DRAIN;
    if (!pool || !wsp_close_may_send(code, NULL, 0) || window > WSPOOL_TIME_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    wsp_enter_at(pool, now);
    pool->drain = (struct wsp_drain){.on = 1, .code = code, .next = WSP_DRAIN_NEVER};
    wsp_log(pool, WSP_LOG_DRAIN, (wspool_log_record){.code = code});
    uint32_t open = refuse_handshakes(pool);
    if (open > 0) {
        pool->drain.interval = window / open;
        pool->drain.next = pool->link.now;
    }
    wsp_leave(pool);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* pool/drain.c - see pool/drain.h. */
#include "pool/drain.h"

#include <string.h>

#include "link/times.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "pool/refuse.h"
#include "wire/closing.h"

void wsp_drain_close(wspool *pool, struct wsp_peer *peer)
{
    const char *why = wspool_end_text(WSPOOL_END_DRAIN);
    wsp_conn_close(&pool->link, &peer->conn, WSPOOL_END_DRAIN, pool->drain.code, why, strlen(why),
                   0);
}

/* Returns the slot at a place. Each step maps the numbers up to `last` onto themselves. */
static uint32_t slot_at(const struct wsp_drain *drain, uint32_t place)
{
    uint32_t slot = place;
    for (int i = 0; i < 3; i++) {
        slot = (slot * (drain->random[i] | 1) + (drain->random[i] >> 16)) & drain->last;
        slot ^= slot >> drain->shift;
    }
    return slot;
}

/* Returns the next open peer in the order. NULL: there is none, or *places is used up. */
static struct wsp_peer *next_open(wspool *pool, uint32_t *places)
{
    struct wsp_drain *drain = &pool->drain;
    for (; *places > 0 && drain->place <= drain->last; (*places)--) {
        uint32_t slot = slot_at(drain, drain->place++);
        if (slot < pool->peers.top) {
            struct wsp_peer *peer = wsp_slots_at(&pool->peers, slot);
            if ((peer->conn.slot.generation & 1u) && peer->conn.state == WSP_OPEN) {
                return peer;
            }
        }
    }
    return NULL;
}

void wsp_drain_step(wspool *pool)
{
    struct wsp_drain *drain = &pool->drain;
    uint32_t closes = WSP_DRAIN_CLOSES, places = WSP_DRAIN_PLACES;
    while (drain->next <= pool->link.now && closes-- > 0 && places > 0) {
        struct wsp_peer *peer = next_open(pool, &places);
        if (peer) {
            drain->share += drain->interval;
            drain->next = drain->share;
            if (drain->interval > 0) {
                drain->next += wsp_random(&pool->link) % drain->interval;
            }
            drain->left--;
            wsp_drain_close(pool, peer);
        }
        if (drain->left == 0 || drain->place > drain->last) {
            drain->next = WSP_DRAIN_NEVER;
        }
    }
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

/* Divides the time among the open peers, and puts the slots in an order. */
static void plan(wspool *pool, uint64_t window, uint32_t open)
{
    struct wsp_drain *drain = &pool->drain;
    uint64_t rest = pool->config.closing_time;
    rest = rest < window / 2 ? rest : window / 2;
    drain->interval = (window - rest) / open;
    drain->left = open;
    drain->share = drain->next = pool->link.now;
    unsigned bits = 0;
    while (pool->peers.top > UINT64_C(1) << bits) {
        bits++;
    }
    drain->last = (uint32_t)((UINT64_C(1) << bits) - 1);
    drain->shift = (uint8_t)(bits / 2 + 1);
    for (int i = 0; i < 3; i++) {
        drain->random[i] = (uint32_t)wsp_random(&pool->link);
    }
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
        plan(pool, window, open);
    }
    wsp_leave(pool);
    return 0;
}

int wspool_draining(const wspool *pool)
{
    if (!pool) {
        return WSPOOL_ERR_INVAL;
    }
    return pool->drain.on ? (int)pool->peers.used : WSPOOL_ERR_STATE;
}

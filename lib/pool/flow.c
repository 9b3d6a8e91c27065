/* SPDX-License-Identifier: MIT */
/*
 * pool/flow.c - bytes in and out, what needs attention, and time. See pool/pool.h.
 *
 * peek and ack are called once for each peer and turn, so they do no more than they must; only an
 * ack that has ended something goes the way out.
 *
 * Tried, and not worth it: asking for the record of the next slot early in wspool_next (18.6 ns a
 * peer instead of 17.9: slots come in the order of memory, and the processor sees that).
 */
#include <string.h>

#include "base/seldom.h"
#include "pool/pool.h"
#include "wire/closing.h"

int wspool_feed(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now)
{
    if (!pool || (!bytes && len > 0)) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->depth > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    if (wsp_on_way_in(peer) && (peer->conn.flags & WSP_HOSTED)) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter_at(pool, now);
    wsp_count_add(&pool->count.received_bytes, len);
    if (wsp_on_way_in(peer)) {
        wsp_way_in_feed(pool, peer, bytes, len);
    } else if (len > 0 && (peer->conn.flags & WSP_ACCEPTED)) { /* who was refused is not heard */
        wsp_conn_receive(&pool->link, &peer->conn, bytes, len, wsp_message_limit(pool, peer));
    }
    wsp_leave(pool);
    return 0;
}

int wspool_peek(wspool *pool, wspool_id id, struct iovec *vectors, int max)
{
    if (!pool || !vectors || max < 1) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    if (!peer->conn.out.open && peer->conn.state == WSP_CLOSED) {
        return 0;
    }
    return wsp_outq_peek(&peer->conn.out, vectors, max);
}

static WSP_SELDOM int ack_part(wspool *pool, struct wsp_peer *peer, size_t bytes, uint64_t now)
{
    wsp_enter_at(pool, now);
    int error = wsp_conn_ack(&pool->link, &peer->conn, bytes);
    if (!error && (peer->conn.flags & WSP_ANSWERING) && !peer->conn.out.control) {
        wsp_way_in_flushed(pool, peer);
    }
    wsp_leave(pool);
    return error;
}

int wspool_ack(wspool *pool, wspool_id id, size_t bytes, uint64_t now)
{
    if (!pool) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    struct wsp_outq *out = &peer->conn.out;
    uint32_t messages = out->open && !out->marks ? wsp_outq_whole(out, bytes) : 0;
    if (messages == 0) {
        return ack_part(pool, peer, bytes, now);
    }
    /* It keeps up: nothing follows from that but a few numbers. */
    wsp_count_add(&pool->count.sent, messages);
    wsp_count_add(&pool->count.sent_bytes, bytes);
    wsp_count_sub(&pool->count.waiting_bytes, bytes);
    wsp_outq_ack_whole(out);
    return 0;
}

int wspool_writable(wspool *pool, wspool_id id, uint64_t now)
{
    struct wsp_peer *peer = pool ? wsp_find_peer(pool, id) : NULL;
    if (!peer) {
        return pool ? WSPOOL_ERR_GONE : WSPOOL_ERR_INVAL;
    }
    wsp_enter_at(pool, now);
    wsp_conn_writable(&pool->link, &peer->conn);
    wsp_leave(pool);
    return 0;
}

int wspool_gone(wspool *pool, wspool_id id, enum wspool_gone_why why, uint64_t now)
{
    if (!pool || (why != WSPOOL_GONE_EOF && why != WSPOOL_GONE_FAILED)) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    wsp_enter_at(pool, now);
    if (wsp_on_way_in(peer)) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_GONE);
    } else {
        wsp_conn_end(&pool->link, &peer->conn,
                     why == WSPOOL_GONE_EOF ? WSPOOL_END_EOF : WSPOOL_END_FAILED);
    }
    wsp_leave(pool);
    return 0;
}

int wspool_release(wspool *pool, wspool_id id)
{
    if (!pool) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->depth > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    if (peer->conn.state != WSP_CLOSED) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter(pool);
    wsp_way_out_end(pool, peer);
    wsp_give_peer(pool, peer);
    wsp_leave(pool);
    return 0;
}

int wspool_close(wspool *pool, wspool_id id, int code, const char *reason, unsigned flags)
{
    size_t len = reason ? strlen(reason) : 0;
    if (!pool || !wsp_close_may_send(code, reason, len) || (flags & ~WSPOOL_CLOSE_NOW) != 0) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    if (!wsp_on_way_in(peer) && peer->conn.state != WSP_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter(pool);
    if (wsp_on_way_in(peer)) {
        wsp_way_in_refuse(pool, peer, WSPOOL_REFUSED_NOT_ALLOWED);
    } else {
        wsp_conn_close(&pool->link, &peer->conn, WSPOOL_END_HOST_CLOSED, code, reason, len,
                       (flags & WSPOOL_CLOSE_NOW) != 0);
    }
    wsp_leave(pool);
    return 0;
}

int wspool_nuisance(wspool *pool, wspool_id id, uint32_t cost, const char *what)
{
    if (!pool || cost == 0) {
        return WSPOOL_ERR_INVAL;
    }
    struct wsp_peer *peer = wsp_find_peer(pool, id);
    if (!peer) {
        return WSPOOL_ERR_GONE;
    }
    if (peer->conn.state != WSP_OPEN) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter(pool);
    wsp_conn_nuisance(&pool->link, &peer->conn, cost);
    wsp_log(pool, WSP_LOG_NUISANCE, (wspool_log_record){.id = id, .reason = what});
    wsp_leave(pool);
    return 0;
}

/* --------------------------------------------------------------- attention */

/* What it wants now, when that is news: 1. Otherwise 0. */
static int news_of(struct wsp_peer *peer, wspool_id *id, unsigned *wants)
{
    struct wsp_conn *conn = &peer->conn;
    int was_closed = (conn->flags & WSP_TOLD_CLOSE) != 0;
    int was_paused = (conn->out.marks & WSP_MARK_PAUSED) != 0;
    *wants = wsp_conn_wants(conn);
    *id = wsp_peer_id(peer);
    int close = (*wants & WSPOOL_CLOSE) != 0;
    int paused = !close && !(*wants & WSPOOL_READ);
    conn->flags = (uint16_t)((conn->flags & ~WSP_TOLD_CLOSE) | (close ? WSP_TOLD_CLOSE : 0));
    conn->out.marks =
        (uint8_t)((conn->out.marks & ~WSP_MARK_PAUSED) | (paused ? WSP_MARK_PAUSED : 0));
    return close != was_closed || paused != was_paused || (*wants & WSPOOL_WRITE);
}

/* The first peer with news, from this slot of the set on. What is not in wspool_next is apart from
 * it, so that what is nearly always the case there needs no stack. */
static WSP_SELDOM int next_news(wspool *pool, uint32_t slot, wspool_id *id, unsigned *wants)
{
    for (; slot != WSP_BITSET_END; slot = wsp_bitset_take(&pool->link.attention)) {
        if (news_of(wsp_slots_at(&pool->peers, slot), id, wants)) {
            return 1;
        }
    }
    return 0;
}

/* The same from the beginning. */
static WSP_SELDOM int next_far(wspool *pool, wspool_id *id, unsigned *wants)
{
    return next_news(pool, wsp_bitset_take(&pool->link.attention), id, wants);
}

/* Those who waited for more messages have waited long enough. */
static WSP_SELDOM int next_of_delayed(wspool *pool, wspool_id *id, unsigned *wants)
{
    struct wsp_link *link = &pool->link;
    uint32_t slot;
    while ((slot = wsp_bitset_take(&link->delayed)) != WSP_BITSET_END) {
        wsp_bitset_add(&link->attention, slot);
    }
    link->flush_at = UINT64_MAX;
    return wspool_next(pool, id, wants);
}

int wspool_next(wspool *pool, wspool_id *id, unsigned *wants)
{
    uint32_t slot;
    if (!pool || !id || !wants) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->link.flush_at <= pool->link.now) {
        return next_of_delayed(pool, id, wants);
    }
    if (!wsp_bitset_take_near(&pool->link.attention, &slot)) {
        return next_far(pool, id, wants);
    }
    const struct wsp_peer *peer = wsp_slots_at(&pool->peers, slot);
    const struct wsp_outq *out = &peer->conn.out;
    if (!out->open || out->blocked || out->bytes == 0 || (out->marks & WSP_MARK_PAUSED)) {
        return next_news(pool, slot, id, wants);
    }
    *id = wsp_peer_id(peer);
    *wants = WSPOOL_READ | WSPOOL_WRITE;
    return 1;
}

/* -------------------------------------------------------------------- time */

uint64_t wspool_deadline(const wspool *pool)
{
    if (!pool) {
        return WSP_TIMERS_NEVER;
    }
    if (wsp_bitset_next(&pool->link.attention, 0) != WSP_BITSET_END ||
        wsp_bitset_next(&pool->link.events, 0) != WSP_BITSET_END || !wsp_mailbox_empty(pool)) {
        return 0;
    }
    uint64_t timer = wsp_timers_next(&pool->link.timers);
    return timer < pool->link.flush_at ? timer : pool->link.flush_at;
}

uint64_t wsp_drain_time(const wspool *pool, uint32_t slot)
{
    const struct wsp_drain *drain = &pool->drain;
    return drain->start + drain->window / drain->slots * (slot < drain->slots ? slot : 0);
}

static void on_timer(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    if (wsp_on_way_in(peer)) {
        wsp_way_in_timer(pool, peer);
        return;
    }
    if (conn->state == WSP_REFUSED) {
        wsp_conn_end(&pool->link, conn, WSPOOL_END_HOST_CLOSED);
        return;
    }
    if (conn->state == WSP_OPEN && pool->drain.on) {
        uint64_t turn = wsp_drain_time(pool, conn->slot.index);
        if (turn <= pool->link.now) {
            const char *why = wspool_end_text(WSPOOL_END_DRAIN);
            wsp_conn_close(&pool->link, conn, WSPOOL_END_DRAIN, pool->drain.code, why, strlen(why),
                           0);
            return;
        }
        wsp_conn_timer(&pool->link, conn);
        if (conn->state == WSP_OPEN) {
            wsp_timers_sooner(&pool->link.timers, conn->slot.index, turn);
        }
        return;
    }
    wsp_conn_timer(&pool->link, conn);
}

int wspool_tick(wspool *pool, uint64_t now)
{
    uint32_t slot;
    if (!pool) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->depth > 0) {
        return WSPOOL_ERR_REENTRANT;
    }
    wsp_enter_at(pool, now);
    wsp_mailbox_read(pool);
    while ((slot = wsp_timers_fire(&pool->link.timers, pool->link.now)) != WSP_TIMER_NONE) {
        on_timer(pool, wsp_slots_at(&pool->peers, slot));
    }
    wsp_leave(pool);
    return 0;
}

int wspool_drain(wspool *pool, uint64_t window, int code, uint64_t now)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    code = code ? code : WSPOOL_CLOSE_DRAIN;
    if (!pool || !wsp_close_may_send(code, NULL, 0) || window > WSPOOL_LONGEST) {
        return WSPOOL_ERR_INVAL;
    }
    wsp_enter_at(pool, now);
    pool->drain = (struct wsp_drain){.on = 1,
                                     .code = code,
                                     .start = pool->link.now,
                                     .window = window,
                                     .slots = pool->peers.top ? pool->peers.top : 1};
    while ((peer = wsp_next_peer(pool, &slot)) != NULL) {
        if (peer->conn.state == WSP_OPEN) {
            wsp_timers_sooner(&pool->link.timers, peer->conn.slot.index,
                              wsp_drain_time(pool, peer->conn.slot.index));
        }
    }
    wsp_log(pool, WSP_LOG_DRAIN, (wspool_log_record){.code = code});
    wsp_leave(pool);
    return 0;
}

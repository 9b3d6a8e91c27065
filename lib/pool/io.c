/* SPDX-License-Identifier: MIT */
/*
 * pool/io.c - the public calls that move bytes, and the ready list.  Layer 4.
 *
 * wspool/wspool.h documents them. peek and ack run once per peer and turn, so they do only what is
 * necessary; only an ack that ended something processes deferred events.
 *
 * Rejected: prefetching the record of the next slot in wspool_next (18.6 ns a peer instead of 17.9:
 * slots come in memory order, and the processor prefetches them by itself).
 */
#include "base/noinline.h"
#include "link/receive.h"
#include "link/transmit.h"
#include "pool/accept.h"
#include "pool/call.h"
#include "pool/deadline.h"
#include "pool/peers.h"
#include "pool/reap.h"

/* Returns 1 if the key of the peer has sent too many bytes. */
static WSP_NOINLINE int is_too_much(wspool *pool, const struct wsp_peer *peer, size_t len)
{
    return peer->side &&
           !wsp_limits_draw(&pool->limits, peer->side->place, WSP_LIMITED_BYTES,
                            len < UINT32_MAX ? (uint32_t)len : UINT32_MAX, pool->link.now);
}

int wspool_feed(wspool *pool, wspool_id id, const void *bytes, size_t len, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, bytes || len == 0, WSP_OUTSIDE, &peer);
    if (error) {
        return error;
    }
    if (wsp_in_handshake(peer) && (peer->conn.flags & WSP_HOSTED)) {
        return WSPOOL_ERR_STATE;
    }
    wsp_enter_at(pool, now);
    wsp_count_add(&pool->count.received_bytes, len);
    if (wsp_in_handshake(peer)) {
        wsp_accept_feed(pool, peer, bytes, len);
    } else if (len > 0 && (peer->conn.flags & WSP_ACCEPTED)) { /* the bytes of a refused peer are
                                                                  discarded */
        if (pool->limits.traffic && is_too_much(pool, peer, len)) {
            wsp_conn_fail(&pool->link, &peer->conn, WSPOOL_END_RATE, 0);
        } else {
            wsp_conn_receive(&pool->link, &peer->conn, bytes, len, wsp_message_limit(pool, peer));
        }
    }
    wsp_leave(pool);
    return 0;
}

int wspool_peek(wspool *pool, wspool_id id, struct iovec *vectors, int max)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, vectors && max > 0, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    if (!peer->conn.out.accepts && peer->conn.state == WSP_CLOSED) {
        return 0;
    }
    return wsp_outq_peek(&peer->conn.out, vectors, max);
}

static WSP_NOINLINE int ack_part(wspool *pool, struct wsp_peer *peer, size_t bytes, uint64_t now)
{
    wsp_enter_at(pool, now);
    int error = wsp_conn_ack(&pool->link, &peer->conn, bytes);
    if (!error && (peer->conn.flags & WSP_ANSWERING) && !peer->conn.out.control) {
        wsp_accept_flushed(pool, peer);
    }
    wsp_leave(pool);
    return error;
}

int wspool_ack(wspool *pool, wspool_id id, size_t bytes, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, 1, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    struct wsp_outq *out = &peer->conn.out;
    uint32_t messages = out->accepts && !out->marks ? wsp_outq_whole(out, bytes) : 0;
    if (messages == 0) {
        return ack_part(pool, peer, bytes, now);
    }
    /* The peer keeps up: only counters change. */
    wsp_count_add(&pool->count.sent, messages);
    wsp_count_add(&pool->count.sent_bytes, bytes);
    wsp_count_sub(&pool->count.waiting_bytes, bytes);
    wsp_outq_ack_whole(out);
    return 0;
}

int wspool_under_way(wspool *pool, wspool_id id, size_t bytes, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, 1, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    wsp_enter_at(pool, now);
    error = wsp_conn_under_way(&pool->link, &peer->conn, bytes);
    wsp_leave(pool);
    return error;
}

int wspool_writable(wspool *pool, wspool_id id, uint64_t now)
{
    struct wsp_peer *peer;
    int error = wsp_call_on(pool, id, 1, WSP_ANYWHERE, &peer);
    if (error) {
        return error;
    }
    wsp_enter_at(pool, now);
    wsp_conn_writable(&pool->link, &peer->conn);
    wsp_leave(pool);
    return 0;
}

int wspool_queued(const wspool *pool, wspool_id id, size_t *bytes)
{
    const struct wsp_peer *peer = pool ? wsp_slots_find(&pool->peers, id) : NULL;
    if (!peer) {
        return pool ? WSPOOL_ERR_STALE : WSPOOL_ERR_INVAL;
    }
    int ended = !peer->conn.out.accepts && peer->conn.state == WSP_CLOSED; /* as in wspool_peek */
    if (bytes) {
        *bytes = ended ? 0 : wsp_outq_size(&peer->conn.out);
    }
    return ended ? 0 : (int)peer->conn.out.count;
}

/* --------------------------------------------------------------- ready list */

#define MEASURED 16u /* ticks until a queue is measured again */

/* The output of a peer is about to be flushed. */
static void measure(wspool *pool, const struct wsp_outq *out)
{
    const uint64_t written_at = wsp_run_written_at(&out->first);
    pool->unmeasured = 0;
    if (written_at > 0) { /* messages of a history are older, and nobody has waited for them here */
        wsp_histogram_add(&pool->count.queue_age, wsp_microseconds(pool->link.now - written_at));
    }
}

/* Returns 1 and what the peer wants if that has changed or it has output, else 0. */
static int wants_changed(struct wsp_peer *peer, wspool_id *id, unsigned *wants)
{
    struct wsp_conn *conn = &peer->conn;
    int was_closed = (conn->flags & WSP_CLOSE_REPORTED) != 0;
    int was_paused = (conn->out.marks & WSP_MARK_PAUSED) != 0;
    *wants = wsp_conn_wants(conn);
    *id = wsp_peer_id(peer);
    int close = (*wants & WSPOOL_CLOSE) != 0;
    int paused = !close && !(*wants & WSPOOL_READ);
    conn->flags =
        (uint16_t)((conn->flags & ~WSP_CLOSE_REPORTED) | (close ? WSP_CLOSE_REPORTED : 0));
    conn->out.marks =
        (uint8_t)((conn->out.marks & ~WSP_MARK_PAUSED) | (paused ? WSP_MARK_PAUSED : 0));
    return close != was_closed || paused != was_paused || (*wants & WSPOOL_WRITE);
}

/* Returns the first peer of the set, from this slot on, that has something to report. It is not
 * part of wspool_next, so that the usual case needs no stack frame. It measures each queue: it is
 * called for one in 16 turns and for those that were blocked. */
static WSP_NOINLINE int next_changed(wspool *pool, uint32_t slot, wspool_id *id, unsigned *wants)
{
    for (; slot != WSP_BITSET_END; slot = wsp_bitset_pop(&pool->link.ready)) {
        struct wsp_peer *peer = wsp_slots_at(&pool->peers, slot);
        if (wants_changed(peer, id, wants)) {
            if ((*wants & WSPOOL_WRITE) && peer->conn.out.bytes > 0) {
                measure(pool, &peer->conn.out);
            }
            return 1;
        }
    }
    if (pool->config.deadline.call) {
        wsp_deadline_promise(pool);
    }
    return 0;
}

/* As next_changed, from the start of the set. */
static WSP_NOINLINE int next_from_start(wspool *pool, wspool_id *id, unsigned *wants)
{
    return next_changed(pool, wsp_bitset_pop(&pool->link.ready), id, wants);
}

/* Moves the peers whose flush_delay has passed to the ready list. */
static WSP_NOINLINE int flush_delayed(wspool *pool, wspool_id *id, unsigned *wants)
{
    struct wsp_link *link = &pool->link;
    uint32_t slot;
    while ((slot = wsp_bitset_pop(&link->delayed)) != WSP_BITSET_END) {
        wsp_bitset_add(&link->ready, slot);
    }
    link->flush_at = UINT64_MAX;
    pool->output_is_timed = 1;
    return wspool_next(pool, id, wants);
}

int wspool_next(wspool *pool, wspool_id *id, unsigned *wants)
{
    uint32_t slot;
    if (!pool || !id || !wants) {
        return WSPOOL_ERR_INVAL;
    }
    if (pool->link.flush_at <= pool->link.now) {
        return flush_delayed(pool, id, wants);
    }
    if (!wsp_bitset_pop_near(&pool->link.ready, &slot)) {
        return next_from_start(pool, id, wants);
    }
    const struct wsp_peer *peer = wsp_slots_at(&pool->peers, slot);
    const struct wsp_outq *out = &peer->conn.out;
    if (!out->accepts || out->blocked || out->bytes == 0 ||
        (out->marks & (WSP_MARK_PAUSED | WSP_MARK_KEPT)) || pool->unmeasured >= MEASURED) {
        return next_changed(pool, slot, id, wants);
    }
    *id = wsp_peer_id(peer);
    *wants = WSPOOL_READ | WSPOOL_WRITE;
    return 1;
}

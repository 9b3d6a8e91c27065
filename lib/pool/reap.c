/* SPDX-License-Identifier: MIT */
/*
 * pool/reap.c - see pool/reap.h.
 *
 * Peers that were marked during a walk, or in the middle of a frame, are processed here: they leave
 * their channels, the host is told, and their resources are freed. Waiters that were woken are
 * called. A hook may mark more peers, so the number of rounds is bounded. The rest waits for the
 * next call, and wspool_deadline is 0 until then.
 */
#include "pool/reap.h"

#include "base/noinline.h"
#include "link/times.h"
#include "pool/deadline.h"
#include "pool/refill.h"
#include "pool/handlers.h"
#include "pool/input.h"
#include "pool/log.h"
#include "pool/peers.h"
#include "pool/waiters.h"

#define BRIEF (10 * WSPOOL_SECOND)

/* Which of the times in WSPOOL_SILENCES it was, within 2 % or a second. */
static enum wspool_silence silence_of(uint64_t seconds)
{
    static const uint16_t times[] = {
#define WSPOOL_X(name, seconds) seconds,
        WSPOOL_SILENCES(WSPOOL_X)
#undef WSPOOL_X
    };
    for (unsigned i = 0; i < WSPOOL_SILENCE_OTHER; i++) {
        const uint64_t near = times[i] / 50u > 0 ? times[i] / 50u : 1;
        if (seconds + near < times[i]) {
            break;
        }
        if (seconds <= times[i] + near) {
            return (enum wspool_silence)i;
        }
    }
    return WSPOOL_SILENCE_OTHER;
}

/* The transport was lost. What ends silent connections does so after a round time. */
static WSP_NOINLINE void count_lost(wspool *pool, const struct wsp_conn *conn)
{
    const uint32_t silent = wsp_coarse_now(&pool->link) - conn->last_received;
    const uint64_t time = (uint64_t)silent << WSP_COARSE_TIME_BITS;
    wsp_count_add(&pool->count.lost_after[silence_of(time / WSPOOL_SECOND)], 1);
}

/* Whoever publishes to channels and subjects does not find the peer any more. */
static void leave_all(wspool *pool, struct wsp_peer *peer)
{
    if (peer->side) {
        wsp_subjects_leave(peer);
    }
    wsp_registry_leave_all(&pool->registry, peer);
}

void wsp_reap_ended(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    if (!(conn->flags & WSP_DUE_ENDED)) {
        return;
    }
    conn->flags = (uint16_t)(conn->flags & ~WSP_DUE_ENDED);
    leave_all(pool, peer);
    wsp_conn_fini(&pool->link, conn, 0);
    if (!(conn->flags & WSP_ACCEPTED)) {
        return;
    }
    if (conn->flags & WSP_ANSWERING) {
        conn->flags = (uint16_t)(conn->flags & ~WSP_ANSWERING);
        wsp_count_add(&pool->count.stages[WSPOOL_STAGE_FLUSHED].refused, 1);
    }
    wsp_count_sub(&pool->count.peers, 1);
    wsp_count_add(&pool->count.ended[conn->end], 1);
    if (pool->link.now - conn->since < BRIEF) {
        wsp_count_add(&pool->count.brief, 1);
    }
    if (conn->end == WSPOOL_END_EOF || conn->end == WSPOOL_END_FAILED) {
        count_lost(pool, conn);
    }
    wspool_closed closed = {
        .why = (enum wspool_end)conn->end,
        .code_sent = conn->code_sent,
        .code_received = conn->code_received ? conn->code_received : WSPOOL_CLOSE_ABNORMAL,
        .open_for = pool->link.now - conn->since,
        .messages_lost = conn->lost,
    };
    wsp_log(pool, WSP_LOG_CLOSED,
            (wspool_log_record){.id = wsp_peer_id(peer),
                                .reason = wspool_end_text(closed.why),
                                .code = closed.code_received});
    WSP_TELL_OF(pool, peer, close, &closed);
}

static void reap_peer(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    unsigned due = conn->flags;
    conn->flags = (uint16_t)(due & ~(WSP_DUE_LEAVE | WSP_DUE_PRESSURE));
    if (due & WSP_DUE_LEAVE) {
        leave_all(pool, peer);
        if ((conn->end == WSPOOL_END_SHED || conn->end == WSPOOL_END_INPUT_SHED) &&
            conn->state == WSP_CLOSING) {
            wsp_log(pool, WSP_LOG_SHED, (wspool_log_record){.id = wsp_peer_id(peer)});
        }
    }
    if ((due & WSP_DUE_PRESSURE) && conn->state == WSP_OPEN) {
        int above = (conn->out.marks & WSP_MARK_ABOVE_HIGH) != 0;
        WSP_TELL_OF(pool, peer, pressure, above);
    }
    if ((conn->out.marks & WSP_MARK_BEHIND) && conn->state == WSP_OPEN) {
        wsp_refill_peer(pool, peer); /* it may rise above the watermark again */
    }
    wsp_reap_ended(pool, peer);
    if (conn->state == WSP_CLOSED && (conn->flags & WSP_HOSTED) && !(conn->flags & WSP_ACCEPTED)) {
        wsp_peer_free(pool, peer); /* it never had a transport here */
    }
}

static WSP_NOINLINE void reap_due(wspool *pool)
{
    uint64_t bound = 64 + 4 * (uint64_t)pool->peers.used;
    uint32_t slot;
    wsp_enter(pool); /* hooks run */
    if (wsp_input_is_over(pool)) {
        wsp_input_shed(pool);
    }
    while (bound-- > 0 && (slot = wsp_bitset_pop(&pool->link.due)) != WSP_BITSET_END) {
        struct wsp_peer *peer = wsp_slots_at(&pool->peers, slot);
        reap_peer(pool, peer);
    }
    if (pool->waiters.woken) {
        wsp_waiters_call(pool);
    }
    pool->depth--;
}

static int is_due(const wspool *pool)
{
    return wsp_bitset_may_have(&pool->link.due) || pool->waiters.woken;
}

void wsp_reap(wspool *pool)
{
    if (is_due(pool)) {
        reap_due(pool);
    }
    if (is_due(pool)) { /* waiters that were called may have marked peers */
        reap_due(pool);
    }
    if (!wsp_bitset_may_have(&pool->link.due)) {
        pool->link.due.low = WSP_BITSET_END;
    }
    if (pool->waiters.woken) {
        wsp_reap_for_sure(pool);
    }
    if (pool->idle) {
        wsp_deadline_tell(pool);
    }
}

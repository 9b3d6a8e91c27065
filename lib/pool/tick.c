/* SPDX-License-Identifier: MIT */
/* pool/tick.c - the public calls about time: the next deadline, and the tick.  Layer 4. */
#include "channel/record.h"
#include "link/liveness.h"
#include "pool/accept.h"
#include "pool/budget.h"
#include "pool/call.h"
#include "pool/drain.h"
#include "pool/handlers.h"
#include "pool/mailbox.h"
#include "pool/pace.h"
#include "pool/peers.h"
#include "pool/reap.h"
#include "pool/renewal.h"
#include "pool/waiters.h"

uint64_t wspool_deadline(const wspool *pool)
{
    if (!pool) {
        return WSP_TIMERS_NEVER;
    }
    if (wsp_bitset_has_any(&pool->link.ready) || wsp_bitset_has_any(&pool->link.due) ||
        !wsp_mailbox_empty(pool) || wsp_inbounds_wait(&pool->link.inbounds)) {
        return 0;
    }
    uint64_t deadline = wsp_timers_next(&pool->link.timers);
    deadline = deadline < wsp_renewal_next(pool) ? deadline : wsp_renewal_next(pool);
    deadline = deadline < pool->link.flush_at ? deadline : pool->link.flush_at;
    deadline = deadline < pool->drain.next ? deadline : pool->drain.next;
    deadline = deadline < wsp_waiters_next(pool) ? deadline : wsp_waiters_next(pool);
    deadline = deadline < wsp_pace_next(pool) ? deadline : wsp_pace_next(pool);
    return deadline < pool->handlers.deadline ? deadline : pool->handlers.deadline;
}

static void on_timer(wspool *pool, struct wsp_peer *peer)
{
    struct wsp_conn *conn = &peer->conn;
    if (wsp_in_handshake(peer)) {
        wsp_accept_timer(pool, peer);
        return;
    }
    if (conn->state == WSP_REFUSED) {
        wsp_conn_expire(&pool->link, conn);
        return;
    }
    wsp_conn_timer(&pool->link, conn);
}

int wspool_tick(wspool *pool, uint64_t now)
{
    uint32_t slot;
    int error = wsp_call(pool, 1, WSP_OUTSIDE);
    if (error) {
        return error;
    }
    wsp_enter_at(pool, now);
    pool->unmeasured++;
    if (!wsp_mailbox_quiet(pool)) {
        wsp_mailbox_drain(pool);
    }
    while ((slot = wsp_timers_fire(&pool->link.timers, pool->link.now)) != WSP_TIMER_NONE) {
        on_timer(pool, wsp_slots_at(&pool->peers, slot));
    }
    wsp_renewal_tick(pool);
    if (pool->drain.next <= pool->link.now) {
        wsp_drain_step(pool);
    }
    if (wsp_budget_is_due(pool)) {
        wsp_budget_turn(pool);
    }
    wsp_waiters_call(pool);
    if (wsp_pace_next(pool) <= pool->link.now) {
        wsp_pace_tick(pool);
    }
    if (pool->histories.store.bytes > 0) {
        wsp_record_tick(&pool->registry, pool->link.now);
    }
    wsp_handlers_tick(pool);
    wsp_leave(pool);
    return 0;
}

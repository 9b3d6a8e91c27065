/* SPDX-License-Identifier: MIT */
/* pool/check.c - see pool/check.h. */
#include "pool/check.h"

#include "pool/contracts.h"
#include "pool/drain.h"
#include "pool/grant.h"
#include "pool/handlers.h"
#include "pool/heads.h"
#include "pool/log.h"
#include "pool/mailbox.h"
#include "pool/peers.h"
#include "pool/side.h"
#include "pool/waiters.h"

static int layers_are_valid(const wspool *pool)
{
    const struct wsp_link *link = &pool->link;
    uint64_t memberships;
    return wsp_slots_check(&pool->peers) && wsp_timers_check(&link->timers) &&
           wsp_timers_check(&pool->grants) && wsp_bitset_check(&link->ready) &&
           wsp_bitset_check(&link->delayed) && wsp_bitset_check(&link->due) &&
           wsp_blocks_check(&link->blocks) && wsp_outqs_check(&link->outqs) &&
           wsp_decoders_check(&link->decoders) && wsp_inbounds_check(&link->inbounds) &&
           wsp_routes_check(&pool->routes) && wsp_origins_check(&pool->origins) &&
           wsp_hosts_check(&pool->hosts) && wsp_registry_check(&pool->registry, &memberships) &&
           wsp_handshakes_check(&pool->handshakes) && wsp_mailbox_check(pool) &&
           wsp_handlers_check(pool) && wsp_contracts_check(pool) && wsp_log_check(pool) &&
           wsp_waiters_check(pool);
}

/* Returns 1 if the set contains slots of taken records only. */
static int set_is_valid(const wspool *pool, const struct wsp_bitset *set)
{
    uint32_t slot = wsp_bitset_next(set, 0);
    for (; slot != WSP_BITSET_END; slot = wsp_bitset_next(set, slot + 1)) {
        const struct wsp_slot *record =
            slot < pool->peers.top ? wsp_slots_at(&pool->peers, slot) : NULL;
        if (!record || !(record->generation & 1u)) {
            return 0;
        }
    }
    return 1;
}

static int handshake_is_valid(const wspool *pool, const struct wsp_conn *conn)
{
    const struct wsp_handshake *handshake = conn->work.handshake;
    if (!handshake) {
        return conn->state == WSP_HEAD || conn->state == WSP_REFUSED;
    }
    return conn->state != WSP_REFUSED && (conn->state == WSP_PENDING || handshake->pending == 0) &&
           (conn->state == WSP_HEAD || handshake->entry.query.len <= handshake->head.len) &&
           wsp_handshake_check(&pool->handshakes, handshake);
}

static int peer_is_valid(const wspool *pool, const struct wsp_peer *peer)
{
    const struct wsp_conn *conn = &peer->conn;
    const unsigned events = WSP_DUE_LEAVE | WSP_DUE_ENDED | WSP_DUE_PRESSURE;
    int accepted = (conn->flags & WSP_ACCEPTED) != 0;
    if (!wsp_conn_check(conn) || !wsp_side_check(peer->side) || !wsp_grant_check(peer) ||
        (accepted && conn->contract > 0 && conn->contract >= pool->contracts.count) ||
        (!accepted && peer->memberships.count > 0) ||
        (accepted && conn->route >= pool->routes.count)) {
        return 0;
    }
    if (pool->depth == 0 && (conn->flags & events) != 0 &&
        !wsp_bitset_has(&pool->link.due, conn->slot.index)) {
        return 0;
    }
    if (wsp_side_subject(peer->side) && conn->state <= WSP_OPEN && !wsp_subjects_has(peer)) {
        return 0;
    }
    switch ((enum wsp_state)conn->state) {
    case WSP_OPEN:
        return accepted && (pool->config.abuse_burst == 0 ||
                            wsp_bucket_check(&conn->abuse, pool->config.abuse_burst));
    case WSP_CLOSING:
        return accepted;
    case WSP_CLOSED:
        return (conn->flags & WSP_DUE_ENDED) ||
               (!conn->work.inbound && peer->memberships.count == 0 && !wsp_subjects_has(peer));
    default:
        return handshake_is_valid(pool, conn);
    }
}

int wsp_pool_check(const wspool *pool)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    uint64_t keyed = 0, granted = 0, counted, named = 0, held, listed = 0, found;
    if (!layers_are_valid(pool) || !set_is_valid(pool, &pool->link.ready) ||
        !set_is_valid(pool, &pool->link.delayed) || !set_is_valid(pool, &pool->link.due) ||
        pool->link.now < pool->link.created_at || (pool->depth == 0 && pool->judged) ||
        (!pool->drain.on && pool->drain.next != WSP_DRAIN_NEVER) || !wsp_heads_check(pool)) {
        return 0;
    }
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (!peer_is_valid(pool, peer)) {
            return 0;
        }
        keyed += wsp_side_key(peer->side).len > 0;
        named += wsp_side_subject(peer->side) != NULL;
        granted += wsp_grant_of(peer) != NULL;
        listed += (uint64_t)wsp_subjects_has(peer);
    }
    if (!wsp_subjects_check(&pool->subjects, &held, &found) || held != named || found != listed) {
        return 0;
    }
    return granted == pool->granted && wsp_revocations_check(&pool->revocations) &&
           wsp_limits_check(&pool->limits, &counted) && counted == (pool->limits.list ? keyed : 0);
}

/* SPDX-License-Identifier: MIT */
/* pool/peers.c - see pool/peers.h. */
#include "pool/peers.h"

#include "base/noinline.h"
#include "pool/breaker.h"
#include "pool/grant.h"
#include "pool/side.h"

struct wsp_peer *wsp_peer_next(const wspool *pool, uint32_t *slot)
{
    while (*slot < pool->peers.top) {
        struct wsp_peer *peer = wsp_slots_at(&pool->peers, (*slot)++);
        if (peer->conn.slot.generation & 1u) {
            return peer;
        }
    }
    return NULL;
}

static struct wsp_peer *take_record(wspool *pool, int *error)
{
    const wspool_config *config = &pool->config;
    const wspool_mem *mem = &config->mem;
    /* Refused peers have a record until their transport is closed, so they count. */
    if (wsp_count_read(&pool->count.handshakes) >= config->max_handshakes ||
        pool->peers.used >= config->max_peers + config->max_handshakes) {
        *error = WSPOOL_ERR_FULL;
        return NULL;
    }
    uint32_t slots = pool->peers.top + 1;
    struct wsp_peer *peer = NULL;
    if (!wsp_bitset_reserve(&pool->link.ready, mem, slots) &&
        !wsp_bitset_reserve(&pool->link.delayed, mem, slots) &&
        !wsp_bitset_reserve(&pool->link.due, mem, slots)) {
        peer = wsp_slots_alloc(&pool->peers, mem);
    }
    if (!peer) {
        *error = WSPOOL_ERR_NOMEM;
        return NULL;
    }
    wsp_count_add(&pool->count.attempts, 1);
    wsp_count_add(&pool->count.handshakes, 1);
    return peer;
}

/* The address, key and subject of a new peer go to a side record, and its key counts one peer more.
 * Returns 0 or an error with nothing changed. */
static WSP_NOINLINE int begin_named(wspool *pool, const wspool_open_options *newcomer,
                                    struct wsp_side **side)
{
    const wspool_mem *mem = &pool->config.mem;
    uint32_t place;
    if (newcomer->key.len > WSP_PEER_KEY_MAX) {
        return WSPOOL_ERR_INVAL;
    }
    int error = wsp_limits_enter(&pool->limits, newcomer->key, pool->link.now, &place);
    if (error) { /* nothing is allocated for those who come too often */
        return error;
    }
    error = wsp_side_make(side, mem, newcomer->address, newcomer->key);
    if (!error && newcomer->subject.len > 0) {
        error = wsp_subjects_hold(&pool->subjects, side, newcomer->subject);
    }
    if (error) {
        wsp_limits_leave(&pool->limits, place);
        (void)wsp_side_free(side, mem);
        return error;
    }
    (*side)->place = place;
    return 0;
}

/* Releases the side record. Returns the identity in it. */
static WSP_NOINLINE void *end_named(wspool *pool, struct wsp_side **side)
{
    wsp_limits_leave(&pool->limits, (*side)->place);
    wsp_subjects_drop(&pool->subjects, *side);
    return wsp_side_free(side, &pool->config.mem);
}

struct wsp_peer *wsp_peer_new(wspool *pool, const wspool_open_options *newcomer, int *error)
{
    struct wsp_side *side = NULL;
    *error = pool->freeing ? WSPOOL_ERR_STATE : wsp_breaker_is_open(pool) ? WSPOOL_ERR_FULL : 0;
    if (!*error &&
        (newcomer->address.len > 0 || newcomer->key.len > 0 || newcomer->subject.len > 0)) {
        *error = begin_named(pool, newcomer, &side);
    }
    struct wsp_peer *peer = *error ? NULL : take_record(pool, error);
    if (peer) {
        peer->user = newcomer->user;
        peer->side = side;
        if (wsp_side_subject(side)) {
            wsp_subjects_enter(peer);
        }
    } else if (side) {
        end_named(pool, &side);
    }
    return peer;
}

int wsp_peer_name(wspool *pool, struct wsp_peer *peer, wspool_text subject, wspool_text client)
{
    int error = 0;
    if (client.len > 0 && wsp_side_client(peer->side).len == 0) {
        error = wsp_side_name(&peer->side, &pool->config.mem, client, NULL);
    }
    if (!error && subject.len > 0 && !wsp_side_subject(peer->side)) {
        error = wsp_subjects_hold(&pool->subjects, &peer->side, subject);
        if (!error) {
            peer->side->party->is_judged = 1;
            wsp_subjects_enter(peer);
        }
    }
    return error;
}

int wsp_peer_enter(wspool *pool, struct wsp_peer *peer)
{
    if (peer->conn.state != WSP_OPEN) {
        return 0;
    }
    if (wsp_side_client(peer->side).len > 0 && !wsp_side_subject(peer->side) &&
        wsp_subjects_hold_anonymous(&pool->subjects, &peer->side)) {
        return WSPOOL_ERR_NOMEM;
    }
    if (wsp_side_subject(peer->side)) {
        wsp_subjects_enter(peer);
    }
    return 0;
}

void wsp_identity_free(wspool *pool, void *identity)
{
    const wspool_identity_free_hook *hook = &pool->config.identity_free;
    if (identity && hook->call) {
        hook->call(identity, hook->user);
    }
}

void wsp_peer_free(wspool *pool, struct wsp_peer *peer)
{
    void *identity = NULL, *renewed = NULL;
    if (peer->side) {
        renewed = wsp_grant_free(pool, peer);
        wsp_subjects_leave(peer);
        identity = end_named(pool, &peer->side);
    }
    wsp_conn_fini(&pool->link, &peer->conn, 1);
    wsp_bitset_remove(&pool->link.ready, peer->conn.slot.index);
    wsp_bitset_remove(&pool->link.delayed, peer->conn.slot.index);
    wsp_bitset_remove(&pool->link.due, peer->conn.slot.index);
    wsp_slots_free(&pool->peers, peer);
    wsp_identity_free(pool, renewed);
    wsp_identity_free(pool, identity);
}

/* ------------------------------------------------------------------- public */

void *wspool_user(const wspool *pool, wspool_id id)
{
    const struct wsp_peer *peer = pool ? wsp_slots_find(&pool->peers, id) : NULL;
    return peer ? peer->user : NULL;
}

void *wspool_identity(const wspool *pool, wspool_id id)
{
    const struct wsp_peer *peer = pool ? wsp_slots_find(&pool->peers, id) : NULL;
    return peer ? wsp_side_identity(peer->side) : NULL;
}

int wspool_set_user(wspool *pool, wspool_id id, void *user)
{
    struct wsp_peer *peer = pool ? wsp_peer_find(pool, id) : NULL;
    if (!peer) {
        return pool ? WSPOOL_ERR_STALE : WSPOOL_ERR_INVAL;
    }
    peer->user = user;
    return 0;
}

int wspool_address(const wspool *pool, wspool_id id, wspool_text *address)
{
    if (!pool || !address) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    *address = wsp_side_address(peer ? peer->side : NULL);
    return peer ? 0 : WSPOOL_ERR_STALE;
}

int wspool_subject(const wspool *pool, wspool_id id, wspool_text *subject)
{
    if (!pool || !subject) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    *subject = wsp_subject_text(wsp_side_subject(peer ? peer->side : NULL));
    return peer ? 0 : WSPOOL_ERR_STALE;
}

int wspool_client(const wspool *pool, wspool_id id, wspool_text *client)
{
    if (!pool || !client) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    *client = wsp_side_client(peer ? peer->side : NULL);
    return peer ? 0 : WSPOOL_ERR_STALE;
}

int wspool_peers_of(const wspool *pool, wspool_text subject, wspool_id *ids, size_t max)
{
    size_t count = 0;
    if (!pool || !wsp_subject_valid(subject) || (!ids && max > 0)) {
        return WSPOOL_ERR_INVAL;
    }
    const struct wsp_peer *peer = wsp_subjects_first(&pool->subjects, subject);
    for (; peer; peer = wsp_subjects_next(peer)) {
        if (peer->conn.state == WSP_OPEN) {
            if (count < max) {
                ids[count] = wsp_peer_id(peer);
            }
            count++;
        }
    }
    return (int)count;
}

int wspool_peers(const wspool *pool, wspool_id *ids, size_t max)
{
    struct wsp_peer *peer;
    uint32_t slot = 0;
    size_t count = 0;
    if (!pool || (!ids && max > 0)) {
        return WSPOOL_ERR_INVAL;
    }
    while ((peer = wsp_peer_next(pool, &slot)) != NULL) {
        if (peer->conn.state == WSP_OPEN || peer->conn.state == WSP_CLOSING) {
            if (count < max) {
                ids[count] = wsp_peer_id(peer);
            }
            count++;
        }
    }
    return (int)count;
}

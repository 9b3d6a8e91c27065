/* SPDX-License-Identifier: MIT */
/*
 * pool/peers.h - records of peers: taken, given back, found, walked.  Layer 4.
 *
 * A record is taken when a transport or a hosted request comes, and given back when its host releases
 * it. What else a peer holds is given back with it: what its connection holds, its side record and the identity in it.
 */
#ifndef WSP_POOL_PEERS_H
#define WSP_POOL_PEERS_H

#include "pool/pool.h"

/* The peer with that id, or NULL; a stale one is counted. */
static inline struct wsp_peer *wsp_find_peer(wspool *pool, wspool_id id)
{
    struct wsp_peer *peer = wsp_slots_find(&pool->peers, id);
    if (!peer) {
        wsp_count_add(&pool->count.stale_ids, 1);
    }
    return peer;
}
static inline wspool_id wsp_peer_id(const struct wsp_peer *peer)
{
    return wsp_slot_id(&peer->conn.slot);
}
/* Walks the taken records: 0 begins; NULL is the end. */
struct wsp_peer *wsp_next_peer(const wspool *pool, uint32_t *slot);

/* A record for a newcomer, in its slot and sets; *error says why not. */
struct wsp_peer *wsp_take_peer(wspool *pool, const wspool_open_options *newcomer, int *error);
/* Gives the record back; its id is stale from then on. */
void wsp_give_peer(wspool *pool, struct wsp_peer *peer);
/* Hands an identity to its hook; NULL is nothing. */
void wsp_free_identity(wspool *pool, void *identity);

/* ------------------------------------------------------------ its handshake */

/* Is it neither open nor refused yet? 1 or 0. */
static inline int wsp_in_handshake(const struct wsp_peer *peer)
{
    return peer->conn.state <= WSP_HELD;
}
/* The peer's handshake, a new one when it has none; NULL: no memory. */
static inline struct wsp_handshake *wsp_need_handshake(wspool *pool, struct wsp_peer *peer)
{
    if (!peer->conn.work.handshake) {
        peer->conn.work.handshake = wsp_handshake_take(&pool->handshakes);
    }
    return peer->conn.work.handshake;
}
/* Takes a peer's handshake away from it; the caller gives it back. */
static inline struct wsp_handshake *wsp_detach_handshake(struct wsp_peer *peer)
{
    struct wsp_handshake *handshake = peer->conn.work.handshake;
    peer->conn.work.handshake = NULL;
    return handshake;
}

#endif

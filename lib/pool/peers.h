/* SPDX-License-Identifier: MIT */
/*
 * pool/peers.h - the records of peers: allocate, free, find, walk.  Layer 4.
 *
 * A record is allocated for a new transport or hosted request, and freed when the host releases the
 * peer. Everything else that the peer holds is freed with it: the resources of its connection, and
 * its side record with the identity.
 */
#ifndef WSP_POOL_PEERS_H
#define WSP_POOL_PEERS_H

#include "pool/pool.h"

/* Returns the peer with that id, or NULL; counts a stale id. */
static inline struct wsp_peer *wsp_peer_find(wspool *pool, wspool_id id)
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
/* Returns the next taken record from *slot on, and advances *slot; NULL ends the walk. *slot is
 * 0 at first. */
struct wsp_peer *wsp_peer_next(const wspool *pool, uint32_t *slot);

/* Allocates a record for a new peer. Returns NULL on failure. Sets *error in both cases. */
struct wsp_peer *wsp_peer_new(wspool *pool, const wspool_open_options *newcomer, int *error);
/* Sets the subject and the client instance of a peer, each unless it is empty or there is one
 * already. Both have a possible length. Returns 0 or NOMEM. */
int wsp_peer_name(wspool *pool, struct wsp_peer *peer, wspool_text subject, wspool_text client);
/* The peer has opened: if it is still open, it is the newest one of its subject, or of its client instance that has no
 * subject. Returns 0 or NOMEM. */
int wsp_peer_enter(wspool *pool, struct wsp_peer *peer);
/* Frees the record. Its id is stale from now on. */
void wsp_peer_free(wspool *pool, struct wsp_peer *peer);
/* Passes an identity to identity_free; NULL is allowed. */
void wsp_identity_free(wspool *pool, void *identity);

/* ------------------------------------------------------------ its handshake */

/* Returns 1 if the peer is in its handshake: neither open nor refused. Else 0. */
static inline int wsp_in_handshake(const struct wsp_peer *peer)
{
    return peer->conn.state <= WSP_RESERVED;
}
/* Returns the peer's handshake object, a new one if it has none; NULL without memory. */
static inline struct wsp_handshake *wsp_need_handshake(wspool *pool, struct wsp_peer *peer)
{
    if (!peer->conn.work.handshake) {
        peer->conn.work.handshake = wsp_handshake_new(&pool->handshakes);
    }
    return peer->conn.work.handshake;
}
/* Detaches the handshake object from the peer. The caller must free it. */
static inline struct wsp_handshake *wsp_detach_handshake(struct wsp_peer *peer)
{
    struct wsp_handshake *handshake = peer->conn.work.handshake;
    peer->conn.work.handshake = NULL;
    return handshake;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/accept.h - the handshake, from the first byte of a transport or a hosted request to an open
 * peer.  Layer 4.
 */
#ifndef WSP_POOL_ACCEPT_H
#define WSP_POOL_ACCEPT_H

#include "pool/pool.h"

/* Feeds bytes to a peer in its handshake. */
void wsp_accept_feed(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len);
/* The timer of a peer in its handshake fired. */
void wsp_accept_timer(wspool *pool, struct wsp_peer *peer);
/* Applies a verdict from another thread. Its identity is freed when the peer is not pending. */
void wsp_accept_verdict(wspool *pool, wspool_id id, const wspool_verdict *verdict);
/* A peer's 101 was written. */
void wsp_accept_flushed(wspool *pool, struct wsp_peer *peer);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/accept.h - from a transport's first byte, or a hosted request, to an open peer.  Layer 4.
 */
#ifndef WSP_POOL_ACCEPT_H
#define WSP_POOL_ACCEPT_H

#include "pool/pool.h"

/* Bytes for a peer that is in its handshake. */
void wsp_accept_feed(wspool *pool, struct wsp_peer *peer, const uint8_t *bytes, size_t len);
/* The timer of such a peer fired. */
void wsp_accept_timer(wspool *pool, struct wsp_peer *peer);
/* A verdict that another thread has left. Its identity is freed when the peer is not pending. */
void wsp_accept_verdict(wspool *pool, wspool_id id, const wspool_verdict *verdict);
/* A peer's 101 has left the pool. */
void wsp_accept_flushed(wspool *pool, struct wsp_peer *peer);

#endif

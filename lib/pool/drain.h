/* SPDX-License-Identifier: MIT */
/*
 * pool/drain.h - closes all peers, evenly spread over a window.  Layer 4.
 *
 * A drain walks the peers in the order of their slots, and closes one per `interval`: the window
 * divided by the peers that are open when it begins. Handshakes are refused at its beginning.
 *
 * Invariants:
 * - a drain that has not begun, or has closed all peers, is due never.
 */
#ifndef WSP_POOL_DRAIN_H
#define WSP_POOL_DRAIN_H

#include "pool/pool.h"

#define WSP_DRAIN_NEVER UINT64_MAX

/* Closes the peers whose turn has come. */
void wsp_drain_step(wspool *pool);
/* A peer became open. During a drain it is closed in its turn, or soon if that has passed. */
void wsp_drain_add(wspool *pool, const struct wsp_peer *peer);

#endif

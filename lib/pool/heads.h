/* SPDX-License-Identifier: MIT */
/*
 * pool/heads.h - the raw peers whose request has not come yet, the oldest first.  Layer 4.
 *
 * When all handshakes are taken, the oldest of them gives way to a newcomer (pool/accept.c). The
 * links are in the record of the peer, in place of the abuse budget that an open peer has.
 *
 * Invariants:
 * - a peer in the list is in the state HEAD;
 * - a peer that is not in the list has zero links.
 */
#ifndef WSP_POOL_HEADS_H
#define WSP_POOL_HEADS_H

#include "pool/pool.h"

/* Puts a peer at the end of the list. It is not in it. */
void wsp_heads_add(wspool *pool, struct wsp_peer *peer);
/* Takes a peer out of the list; harmless if it is not in it. */
void wsp_heads_remove(wspool *pool, struct wsp_peer *peer);
/* Returns the oldest; NULL: the list is empty. */
struct wsp_peer *wsp_heads_oldest(const wspool *pool);
/* Returns 1 if the invariants hold, else 0. Linear. */
int wsp_heads_check(const wspool *pool);

#endif

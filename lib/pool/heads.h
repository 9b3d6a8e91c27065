/* SPDX-License-Identifier: MIT */
/*
 * pool/heads.h - the raw peers whose request has not come yet, the oldest first.  Layer 4.
 *
 * Two lists: those that have sent nothing, and those that have sent a part of their head. When all
 * handshakes are taken, the oldest of them gives way to a newcomer (pool/accept.c). The links are
 * in the record of the peer, in place of the abuse budget that an open peer has.
 *
 * Invariants:
 * - a peer in a list is in the state HEAD, and in the list of its stage;
 * - a peer in no list has zero links.
 */
#ifndef WSP_POOL_HEADS_H
#define WSP_POOL_HEADS_H

#include "pool/pool.h"

/* Puts a peer at the end of a list. It is in none. */
void wsp_heads_add(wspool *pool, struct wsp_peer *peer, enum wsp_head_list list);
/* Takes a peer out of the list of its stage; harmless if it is in none. */
void wsp_heads_remove(wspool *pool, struct wsp_peer *peer);
/* Returns the oldest of a list; NULL: it is empty. */
struct wsp_peer *wsp_heads_oldest(const wspool *pool, enum wsp_head_list list);
/* Returns 1 if the invariants hold, else 0. Linear. */
int wsp_heads_check(const wspool *pool);

#endif

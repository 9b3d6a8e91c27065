/* SPDX-License-Identifier: MIT */
/*
 * pool/drain.h - closes all peers, spread over a window.  Layer 4.
 *
 * The peers that are open when a drain begins are closed one by one, in a random order. Each has an
 * equal share of the time, and is closed at a random moment of its share; the first one at once.
 * The shares end before the window does, by closing_time or half of the window, so that the last
 * peer has time to take what is queued for it, and its Close.
 *
 *     now |--- 1 ---|- 2 -----|------ 3 |.................| end of the window
 *         1          2               3    closing_time
 *
 * The order is a permutation of the slots that is computed, not stored. Handshakes are refused when
 * the drain begins. A hosted peer that was accepted before is closed as soon as it is open.
 *
 * Work of one tick: at most WSP_DRAIN_CLOSES closes and WSP_DRAIN_PLACES places. If that is not
 * enough, the drain is still due, so the next tick follows at once.
 *
 * Invariants:
 * - a drain that has not begun, or has closed all peers, is due never.
 */
#ifndef WSP_POOL_DRAIN_H
#define WSP_POOL_DRAIN_H

#include "pool/pool.h"

#define WSP_DRAIN_NEVER UINT64_MAX
#define WSP_DRAIN_CLOSES 256u
#define WSP_DRAIN_PLACES 4096u

/* Closes the peers whose turn has come. */
void wsp_drain_step(wspool *pool);
/* Closes a peer, if it is open. */
void wsp_drain_close(wspool *pool, struct wsp_peer *peer);

#endif

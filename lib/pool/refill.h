/* SPDX-License-Identifier: MIT */
/*
 * pool/refill.h - refills a peer that is behind in some of its channels.  Layer 4.
 *
 * Runs among the deferred events: after an ack that leaves room, a resume, and a publication that
 * made the peer fall behind.
 */
#ifndef WSP_POOL_REFILL_H
#define WSP_POOL_REFILL_H

#include "pool/pool.h"

/* Queues what the peer's queue takes now, and tells the missed hook at its place. Channels of a
 * lower priority wait until those of a higher one have caught up. */
void wsp_refill_peer(wspool *pool, struct wsp_peer *peer);

#endif

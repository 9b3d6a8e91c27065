/* SPDX-License-Identifier: MIT */
/*
 * pool/refuse.h - the end of a handshake that comes to nothing, and how it is answered.  Layer 4.
 */
#ifndef WSP_POOL_REFUSE_H
#define WSP_POOL_REFUSE_H

#include "pool/pool.h"

/* Refuses a peer that is in its handshake. A peer that hooks are being asked about is refused when
 * they have returned. */
void wsp_refuse(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal);

/* Queues an HTTP answer for a raw peer. 0 or NOMEM. */
int wsp_queue_answer(wspool *pool, struct wsp_peer *peer, const wspool_answer *answer);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/refuse.h - refuses a peer in its handshake, and answers it.  Layer 4.
 */
#ifndef WSP_POOL_REFUSE_H
#define WSP_POOL_REFUSE_H

#include "pool/pool.h"

/* Refuses a peer in its handshake. A peer that hooks are judging is refused when they have
 * returned. */
void wsp_refuse(wspool *pool, struct wsp_peer *peer, enum wspool_refusal refusal);
/* Refuses a raw peer whose head, of which these bytes are there, could not be read to its end. */
void wsp_refuse_head(wspool *pool, struct wsp_peer *peer, const uint8_t *head, size_t len,
                     enum wspool_refusal refusal);

#endif

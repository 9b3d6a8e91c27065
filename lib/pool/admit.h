/* SPDX-License-Identifier: MIT */
/*
 * pool/admit.h - a peer that was admitted becomes open.  Layer 4.
 *
 * In this order: it has its contract, is a member of its route's channel, has its client instance
 * and is in the list of its subject; the rule for duplicates closes it or others; the open hook
 * runs; a drain closes it.
 */
#ifndef WSP_POOL_ADMIT_H
#define WSP_POOL_ADMIT_H

#include "pool/pool.h"

/* Opens the peer. It may be closing afterwards. */
void wsp_admit(wspool *pool, struct wsp_peer *peer, const struct wsp_entry *entry);

#endif

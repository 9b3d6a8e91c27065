/* SPDX-License-Identifier: MIT */
/*
 * pool/duplicates.h - the duplicate rule: peers of one subject and one client instance on a route.
 * Layer 4.
 *
 * Nothing is stored for the rule. The list of the subject (pool/subjects.h) has its peers in the
 * order of their opening, and a peer whose place is contested has a mark (link/liveness.h).
 */
#ifndef WSP_POOL_DUPLICATES_H
#define WSP_POOL_DUPLICATES_H

#include "pool/pool.h"

/* A peer has opened, and is a member of its route's channel: closes its older duplicates, which
 * leave their channels, or asks them for a sign of life. Channel hooks run inside. */
void wsp_duplicates_opened(wspool *pool, struct wsp_peer *peer);
/* An older peer has given a sign of life: closes its newer duplicates. */
void wsp_duplicates_answered(struct wsp_link *link, struct wsp_conn *conn);

#endif

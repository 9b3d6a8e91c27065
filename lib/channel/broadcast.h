/* SPDX-License-Identifier: MIT */
/*
 * channel/broadcast.h - one message to all members of a channel.  Floor 3.
 *
 * The walk touches one cache line of each member and calls nobody: what it finds out (a slow
 * peer, a dropped message) is marked, and dealt with on the way out of the call. So nothing can
 * change the list while it is walked.
 */
#ifndef WSP_CHANNEL_BROADCAST_H
#define WSP_CHANNEL_BROADCAST_H

#include "channel/registry.h"
#include "link/link.h"
#include <wspool/wspool.h>

/* Queues the image for every member but `except` (which may be NULL). Fills the counts of
 * *tally. */
void wsp_broadcast(struct wsp_link *link, struct wsp_channel *channel, const struct wsp_run *image,
                   const struct wsp_peer *except, wspool_tally *tally);

#endif

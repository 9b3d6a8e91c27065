/* SPDX-License-Identifier: MIT */
/*
 * channel/broadcast.h - one message to all members of a channel.  Layer 3.
 *
 * The walk touches one cache line of each member and calls nobody but the codec, which must not
 * call the pool: what it finds out (a slow peer, a dropped message) is marked, and dealt with on
 * the way out of the call. So nothing can change the list while it is walked.
 */
#ifndef WSP_CHANNEL_BROADCAST_H
#define WSP_CHANNEL_BROADCAST_H

#include "channel/registry.h"
#include "link/forms.h"
#include "link/link.h"
#include <wspool/wspool.h>

/* Queues the message for every member but `except` (which may be NULL), in the form that it takes.
 * Fills the counts of *tally. */
void wsp_broadcast(struct wsp_link *link, struct wsp_channel *channel, struct wsp_images *images,
                   const struct wsp_peer *except, wspool_tally *tally);

#endif

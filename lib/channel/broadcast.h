/* SPDX-License-Identifier: MIT */
/*
 * channel/broadcast.h - queues one message for all members of a channel.  Layer 3.
 *
 * The walk touches one cache line per member. It calls nothing but the codec, which must not call
 * the pool: a peer that is slow is marked, and handled when the outermost call returns. So nothing
 * can change the list of members during the walk.
 */
#ifndef WSP_CHANNEL_BROADCAST_H
#define WSP_CHANNEL_BROADCAST_H

#include "channel/registry.h"
#include "link/encodings.h"
#include "link/link.h"
#include <wspool/wspool.h>

/* Queues the channel's newest message for every live member whose queue takes messages, each in its
 * own variant. Fills the counts of *tally. `excepted` is the number of members that are behind and
 * will not get the message. */
void wsp_broadcast(struct wsp_link *link, struct wsp_channel *channel,
                   struct wsp_encodings *encodings, uint32_t excepted, wspool_tally *tally);

#endif

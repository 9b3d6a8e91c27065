/* SPDX-License-Identifier: MIT */
/*
 * channel/record.h - keeps publications in the histories, within their budget.  Layer 3.
 *
 * When the budget is used up, the channel with the oldest last message gives up its oldest segment;
 * so busy channels keep what they have, and forgotten ones give way. A message that cannot be kept
 * clears its own channel's history: a reader is told that it missed it, but never gets the messages
 * after a hole as if there were none.
 *
 * A time limit applies when a history is used, and in each tick to the one with the oldest last
 * message. So a history may hold memory longer than its limit says, but never gives out a message
 * that is older.
 */
#ifndef WSP_CHANNEL_RECORD_H
#define WSP_CHANNEL_RECORD_H

#include "channel/registry.h"

/* Reserves room in the history of the channel for the frame of its next message. Returns the
 * address to write to, or NULL when it cannot be kept: then the channel has no history, and the
 * next one begins behind that message. */
uint8_t *wsp_record_room(struct wsp_registry *registry, struct wsp_channel *channel, uint32_t len,
                         uint64_t now);
/* The frame is written: it is that of the channel's next message. */
static inline void wsp_record_commit(struct wsp_registry *registry, struct wsp_channel *channel,
                                     uint32_t len, uint64_t now, wspool_id except)
{
    wsp_history_commit(registry->histories, channel->history, len, now, except);
}

/* Forgets messages of this channel whose time is over. The channel continues to exist. */
void wsp_record_expire(struct wsp_registry *registry, struct wsp_channel *channel, uint64_t now);
/* Forgets the histories of which every message is too old. */
void wsp_record_tick(struct wsp_registry *registry, uint64_t now);
/* Forgets everything: at the end of a pool. */
void wsp_record_fini(struct wsp_registry *registry);

#endif

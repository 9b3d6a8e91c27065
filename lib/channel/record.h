/* SPDX-License-Identifier: MIT */
/*
 * channel/record.h - keeps publications in the histories, within their budget.  Layer 3.
 *
 * When the budget is used up, the channel with the oldest last message gives up its oldest segment;
 * so busy channels keep what they have, and forgotten ones give way. A message that cannot be kept
 * clears its own channel's history: a reader is told that it missed it, but never gets the messages
 * after a hole as if there were none.
 *
 * A time limit applies when a history is used, and in each tick to the one of each kind with the
 * oldest last message. So a history whose last message is not too old may hold older ones, but never
 * gives them out.
 */
#ifndef WSP_CHANNEL_RECORD_H
#define WSP_CHANNEL_RECORD_H

#include "channel/registry.h"

/* The next message of the channel gets the offset behind this position. The channel is not behind
 * it, and if it is in another epoch it has no members. What is kept before a hole is forgotten; a
 * keyed history forgets the window only. Returns 0; or FULL or NOMEM, only for a keyed history. */
int wsp_record_seek(struct wsp_registry *registry, struct wsp_channel *channel,
                    const wspool_channel_position *position);

/* Reserves room in the history of the channel for the frame of its next message. Returns its
 * entry, or NULL with *error set to FULL or NOMEM when it cannot be kept: then the channel has no
 * history, and the next one begins behind that message. */
struct wsp_kept *wsp_record_room(struct wsp_registry *registry, struct wsp_channel *channel,
                                 uint32_t len, uint64_t now, int *error);
/* The same for a keyed history. `key` may be empty. Sets *found to its record, which is to be
 * committed. Here nothing is forgotten when it cannot be kept. *error may also be TOO_BIG. */
struct wsp_kept *wsp_record_keyed(struct wsp_registry *registry, struct wsp_channel *channel,
                                  uint32_t len, uint64_t now, wspool_text key, int removed,
                                  struct wsp_key **found, int *error);
/* Gives back what wsp_record_keyed has reserved: the message is not published. */
void wsp_record_cancel_keyed(struct wsp_registry *registry, struct wsp_channel *channel,
                             const struct wsp_kept *kept, struct wsp_key *key);
/* The frame is written, and the rest of its entry: it is that of the channel's next message. */
static inline void wsp_record_commit(struct wsp_channel *channel, const struct wsp_kept *kept)
{
    wsp_history_commit(channel->history, kept);
}

/* Forgets what the channel keeps, but not the ids of publishers. The channel continues to exist. */
void wsp_record_clear(struct wsp_registry *registry, struct wsp_channel *channel);

/* Remembers the publisher's id of the channel's next message. Histories give way to it. Returns 0,
 * FULL or NOMEM. */
int wsp_record_id(struct wsp_registry *registry, struct wsp_channel *channel, wspool_text id,
                  uint64_t now);

/* Forgets a key of a keyed history. Returns 0, ABSENT, FULL or NOMEM. */
int wsp_record_erase(struct wsp_registry *registry, struct wsp_channel *channel, wspool_text key);

/* Forgets messages of this channel whose time is over. The channel continues to exist. */
void wsp_record_expire(struct wsp_registry *registry, struct wsp_channel *channel, uint64_t now);
/* Forgets the histories of which every message is too old, and the ids that are. */
void wsp_record_tick(struct wsp_registry *registry, uint64_t now);
/* Forgets everything: at the end of a pool. */
void wsp_record_fini(struct wsp_registry *registry);

#endif

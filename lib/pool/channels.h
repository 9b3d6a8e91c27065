/* SPDX-License-Identifier: MIT */
/*
 * pool/channels.h - joining and leaving channels, and the channel hook.  Layer 4.
 */
#ifndef WSP_POOL_CHANNELS_H
#define WSP_POOL_CHANNELS_H

#include "pool/pool.h"

/* Makes a new peer a member of its route's channel. If that has a history, the peer is behind until
 * its open hooks have run: they may resume it from an earlier position, and nothing overtakes what
 * they send to it. */
int wsp_join_route(wspool *pool, struct wsp_peer *peer, wspool_channel channel);
/* Judges a position, and fills *resumed. The messages from `first` to `head` can be had. */
void wsp_judge_position(wspool_channel_position head, uint64_t first,
                        const wspool_channel_position *since, wspool_resumed *resumed);
/* Judges a position again, for a channel with a keyed history (may be NULL). Returns 1 if the reader
 * gets the whole state, and there is one, else 0 with *next set to the offset that it is due, if
 * that is not the one behind `count` messages. */
int wsp_judge_keyed(const struct wsp_history *history, const wspool_channel_position *since,
                    wspool_resumed *resumed, uint64_t *next);
/* The registry's hook: a channel became active or inactive. `owner` is the pool. */
void wsp_on_active(void *owner, const struct wsp_channel *channel, int active);

#endif

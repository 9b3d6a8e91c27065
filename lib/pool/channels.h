/* SPDX-License-Identifier: MIT */
/*
 * pool/channels.h - joining and leaving channels, and the channel hook.  Layer 4.
 */
#ifndef WSP_POOL_CHANNELS_H
#define WSP_POOL_CHANNELS_H

#include "pool/pool.h"

/* As wsp_registry_join, with the policy of the channel's route. */
int wsp_join(wspool *pool, struct wsp_peer *peer, wspool_channel channel);
/* The registry's hook: a channel became active or inactive. `owner` is the pool. */
void wsp_on_active(void *owner, const struct wsp_channel *channel, int active);

#endif

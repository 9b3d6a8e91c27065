/* SPDX-License-Identifier: MIT */
/* json/client_channels.h - subscriptions, positions, and what the server says about channels. */
#ifndef WSP_JSON_CLIENT_CHANNELS_H
#define WSP_JSON_CLIENT_CHANNELS_H

#include "json/client_state.h"

struct wsp_json_channel *wsp_json_client_channel(const wspool_json_client *client,
                                                 const char *name);
/* Makes a channel that is not wanted yet. Returns NULL without memory. */
struct wsp_json_channel *wsp_json_client_add_channel(wspool_json_client *client, const char *name);

/* Sends what was not sent on this connection yet. */
void wsp_json_client_flush_channels(wspool_json_client *client);
/* A connection has ended: what was awaited on it will not come. */
void wsp_json_client_channels_down(wspool_json_client *client);
/* Frees channels that nobody needs. */
void wsp_json_client_sweep(wspool_json_client *client);
void wsp_json_client_channels_free(wspool_json_client *client);

/* Messages of the server. The channel may be NULL: it is none of ours. */
void wsp_json_client_subscribed(wspool_json_client *client, struct wsp_json_channel *channel,
                                const json_t *data);
void wsp_json_client_missed(wspool_json_client *client, struct wsp_json_channel *channel,
                            const json_t *data);
void wsp_json_client_unsubscribed(wspool_json_client *client, struct wsp_json_channel *channel);
void wsp_json_client_refused(wspool_json_client *client, struct wsp_json_channel *channel,
                             const json_t *data);
void wsp_json_client_publication(wspool_json_client *client, struct wsp_json_channel *channel,
                                 const json_t *message);

#endif

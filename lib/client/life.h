/* SPDX-License-Identifier: MIT */
/* client/life.h - lookups that the public calls share. */
#ifndef WSP_CLIENT_LIFE_H
#define WSP_CLIENT_LIFE_H

#include "client/client.h"

/* Returns the client of this id, or NULL: it is stale. */
struct wsp_client *wsp_clients_find(const struct wspool_clients *clients, wspool_id id);
/* Returns the client whose transport is this stream, or NULL: it was given up, or the host was not
 * told of it. */
struct wsp_client *wsp_clients_find_stream(const struct wspool_clients *clients,
                                           wspool_stream stream);
/* The transport of a removed client was closed, or it has none: its slot is free. */
void wsp_clients_release(struct wspool_clients *clients, struct wsp_client *client);

#endif

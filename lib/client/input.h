/* SPDX-License-Identifier: MIT */
/*
 * client/input.h - the bytes of a server: its answer to the request, then frames. Calls the hook
 * `message`.
 */
#ifndef WSP_CLIENT_INPUT_H
#define WSP_CLIENT_INPUT_H

#include "client/client.h"

/* The client is in SHAKING or beyond. It may be removed when this returns. */
void wsp_client_receive(struct wspool_clients *clients, struct wsp_client *client,
                        const uint8_t *bytes, size_t len);

#endif

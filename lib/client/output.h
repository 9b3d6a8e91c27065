/* SPDX-License-Identifier: MIT */
/*
 * client/output.h - what a client writes: its request, then masked frames, in one buffer of bytes.
 *
 * Control frames may exceed queue_bytes, by a little: so a client with a full queue still closes
 * and pings. A pong is left out while the queue is half full: the server that pings does not read.
 */
#ifndef WSP_CLIENT_OUTPUT_H
#define WSP_CLIENT_OUTPUT_H

#include "client/client.h"

#define WSP_CLIENT_CONTROL_ROOM 1024u

/* Queues the request: `query` and `token` as in wire/opening.h. Makes a new nonce. Returns 0,
 * NOMEM, ENTROPY, or INVAL if it has more than 64 KiB. */
int wsp_client_put_request(struct wspool_clients *clients, struct wsp_client *client,
                           wspool_text query, wspool_text token);

/* Queues a frame. Returns 0, FULL (of a message only), NOMEM or ENTROPY. */
int wsp_client_put_frame(struct wspool_clients *clients, struct wsp_client *client, unsigned opcode,
                         const void *payload, size_t len);

/* Queues a Close; code 1005 has no payload. Returns as wsp_client_put_frame. */
int wsp_client_put_close(struct wspool_clients *clients, struct wsp_client *client, int code);

/* So many bytes were written. */
void wsp_client_written(struct wspool_clients *clients, struct wsp_client *client, size_t bytes);

void wsp_client_drop_output(struct wspool_clients *clients, struct wsp_client *client);

#endif

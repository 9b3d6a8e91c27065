/* SPDX-License-Identifier: MIT */
/* sockets/transport.h - the transports of peers: read, write, close and linger. */
#ifndef WSP_SOCKETS_TRANSPORT_H
#define WSP_SOCKETS_TRANSPORT_H

#include "sockets/engine.h"

/* Reads and writes this peer's descriptor from now on. Returns 0, or -1 with errno; then the caller
 * still owns the descriptor. */
int wsp_transport_add(wspool_sockets *s, wspool_id id, int fd, int spoke);

/* Returns the transport of a peer, or NULL if it has none or the id is stale. The upper half of
 * `id` is not 0. */
wsp_transport *wsp_transport_find(const wspool_sockets *s, wspool_id id);

/* Handles events of a peer's transport, or of one that lingers. */
void wsp_transport_event(wspool_sockets *s, wspool_id id, unsigned events);

/* Closes a transport that `count` counts, and the loop forgets its descriptor if it is watched. */
void wsp_transport_close(wspool_sockets *s, int fd, uint64_t tag, unsigned watched, void *handle,
                         int reset);

/* Serves every peer that wspool_next reports: writes, closes, and watches for what it waits for
 * next. */
void wsp_transport_flush(wspool_sockets *s);

/* Checks each peer that is watched for END only. For a loop that cannot report END. */
void wsp_transport_look(wspool_sockets *s);

/* Closes the transports whose time to linger is over at `now`. */
void wsp_transport_expire(wspool_sockets *s, uint64_t now);

/* Closes all transports. The pool is freed already. */
void wsp_transport_close_all(wspool_sockets *s);

#endif

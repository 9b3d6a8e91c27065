/* SPDX-License-Identifier: MIT */
/* sockets/transport.h - the transports of peers: read, write, close and linger. */
#ifndef WSP_SOCKETS_TRANSPORT_H
#define WSP_SOCKETS_TRANSPORT_H

#include "sockets/engine.h"

/* Moves the bytes of this peer from now on. 0, or -1 with errno: the descriptor is the caller's
 * still. */
int wsp_transport_add(wspool_sockets *s, wspool_id id, int fd);

/* The transport of a peer; NULL when it has none here, or the id is stale. `id` is not 0. */
wsp_transport *wsp_transport_find(const wspool_sockets *s, wspool_id id);

/* Events of a peer's transport, or of one that lingers. */
void wsp_transport_event(wspool_sockets *s, wspool_id id, unsigned events);

/* Does what the pool wants done: writes, closes, and watches for what is wanted next. */
void wsp_transport_flush(wspool_sockets *s);

/* Looks for the end of each peer that is watched for its end alone, in place of a loop that cannot
 * report it. */
void wsp_transport_look(wspool_sockets *s);

/* Closes those that have lingered long enough by `now`. */
void wsp_transport_expire(wspool_sockets *s, uint64_t now);

/* Closes all transports. The pool is freed already. */
void wsp_transport_close_all(wspool_sockets *s);

#endif

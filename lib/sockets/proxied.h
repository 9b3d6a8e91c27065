/* SPDX-License-Identifier: MIT */
/*
 * sockets/proxied.h - connections of a proxy whose PROXY header has not come whole.
 *
 * The pool counts a client by its address from the beginning, so it gets a connection when the
 * address is known. Until then the connection has a place here: bounded in number, bytes and time.
 *
 * Invariants
 *   - A place has a tag of its own (engine.h), with a generation, as a listener has.
 *   - `proxied` may move when a place is added: no pointer into it is used after that.
 */
#ifndef WSP_SOCKETS_PROXIED_H
#define WSP_SOCKETS_PROXIED_H

#include "sockets/engine.h"

/* Waits for the header of a connection that was accepted. Closes it if there is no place. */
void wsp_proxied_add(wspool_sockets *s, int fd);

/* Such a connection is readable. A stale tag is ignored. */
void wsp_proxied_event(wspool_sockets *s, uint64_t tag, unsigned events);

/* Resets the connections whose time is over. */
void wsp_proxied_expire(wspool_sockets *s);

/* Closes all of them. */
void wsp_proxied_close_all(wspool_sockets *s);

#endif

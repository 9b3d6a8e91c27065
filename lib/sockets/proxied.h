/* SPDX-License-Identifier: MIT */
/*
 * sockets/proxied.h - connections of a proxy, until their PROXY header has come whole: the engine's
 * part of sockets/waiting.h.
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

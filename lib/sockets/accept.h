/* SPDX-License-Identifier: MIT */
/* sockets/accept.h - listeners, and the connections that come in on them. */
#ifndef WSP_SOCKETS_ACCEPT_H
#define WSP_SOCKETS_ACCEPT_H

#include "sockets/engine.h"

/* Accepts on this socket from now on. Returns 0, or -1 with errno; then the caller still owns the
 * descriptor. */
int wsp_accept_add(wspool_sockets *s, int fd);

/* Closes the listener with that descriptor. Leaves errno unchanged. */
void wsp_accept_remove(wspool_sockets *s, int fd);

/* A listener is readable. A stale tag is ignored. */
void wsp_accept_event(wspool_sockets *s, uint64_t tag);

/* Accepting rests: goes on with it if it is time to. */
void wsp_accept_resume(wspool_sockets *s);

/* Closes every listener. */
void wsp_accept_stop(wspool_sockets *s);

#endif

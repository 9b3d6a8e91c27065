/* SPDX-License-Identifier: MIT */
/* sockets/open.h - makes an accepted connection a peer of the pool, with its address. */
#ifndef WSP_SOCKETS_OPEN_H
#define WSP_SOCKETS_OPEN_H

#include "sockets/engine.h"

/* Hands a connection to the pool. `from` is its address when it is known already, else NULL. -1
 * with errno: the descriptor was closed. */
int wsp_open_peer(wspool_sockets *s, int fd, const struct sockaddr_storage *from, void *user,
                  wspool_id *id);

#endif

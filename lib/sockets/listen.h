/* SPDX-License-Identifier: MIT */
/* sockets/listen.h - listening sockets: from the text of an address, or the host's own. */
#ifndef WSP_SOCKETS_LISTEN_H
#define WSP_SOCKETS_LISTEN_H

#include "sockets/tune.h"

#define WSP_LISTENERS 8 /* of one engine */

/* Opens non-blocking sockets that listen on a numeric IPv4 or IPv6 address, perhaps with a zone, on
 * "unix:/path", or on each address of a name. Looking up a name may block. An address of the name
 * that this machine does not have is left out. Port 0 takes a free port, the same for all. Returns
 * how many were opened, or -1 with errno. EINVAL: not an address, and not a known name. */
int wsp_listen_open(const char *address, unsigned port, int fds[WSP_LISTENERS]);

/* Makes a listening socket non-blocking and sets the options, which accepted connections inherit.
 * Returns 0, or -1 with errno. EINVAL: it does not listen. */
int wsp_listen_prepare(int fd, const wsp_tune *tune);

/* Returns the port of a listening socket, 0 if it has none, or -1 with errno. */
int wsp_listen_port(int fd);

#endif

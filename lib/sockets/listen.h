/* SPDX-License-Identifier: MIT */
/* sockets/listen.h - listening sockets: from the text of an address, or the host's own. */
#ifndef WSP_SOCKETS_LISTEN_H
#define WSP_SOCKETS_LISTEN_H

#define WSP_LISTENERS 8 /* of one engine */

/* Opens a non-blocking socket that listens on a numeric IPv4 or IPv6 address, or on "unix:/path".
 * Port 0 takes a free port. Returns the descriptor, or -1 with errno. EINVAL: not an address. */
int wsp_listen_open(const char *address, unsigned port);

/* Makes a listening socket non-blocking and sets TCP_NODELAY, which accepted connections inherit.
 * Returns 0, or -1 with errno. EINVAL: it does not listen. */
int wsp_listen_prepare(int fd);

/* Returns the port of a listening socket, 0 if it has none, or -1 with errno. */
int wsp_listen_port(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* sockets/listen.h - listening sockets: from the text of an address, or the host's own. */
#ifndef WSP_SOCKETS_LISTEN_H
#define WSP_SOCKETS_LISTEN_H

#define WSP_LISTENERS 8 /* that one loop may have */

/* A non-blocking socket that listens on a numeric IPv4 or IPv6 address, or on "unix:/path". Port 0
 * takes a free one. -1 with errno; EINVAL: not an address. */
int wsp_listen_open(const char *address, unsigned port);

/* Prepares a listening socket for accepting: non-blocking, and a connection accepted from now on
 * inherits TCP_NODELAY from it. EINVAL: it does not listen, so waiting for a connection there would
 * never end. */
int wsp_listen_prepare(int fd);

/* The port of a listening socket, 0 when it has none; -1 with errno. */
int wsp_listen_port(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * sockets/proxy.h - the header of the PROXY protocol, versions 1 and 2: a proxy sends it before the
 * client's bytes, and it names the client's address.
 *
 * Strict: one space between fields, no leading zeros, TCP only. Of version 2 the addresses are
 * read and all that follows them is skipped.
 */
#ifndef WSP_SOCKETS_PROXY_H
#define WSP_SOCKETS_PROXY_H

#include <stddef.h>
#include <sys/socket.h>

#define WSP_PROXY_V1_MAX 107 /* bytes, with its CRLF */
#define WSP_PROXY_MAX 536    /* of version 2: addresses, and 304 bytes or more behind them */

/* Reads a header from the first bytes of a connection. Returns its length, 0 if it is not whole
 * yet, or -1 if it is malformed or too long. Sets *from to the client's address. Its family is
 * AF_UNSPEC if the header names none: then the connection is the proxy's own (LOCAL, UNKNOWN). */
int wsp_proxy_read(const unsigned char *bytes, size_t len, struct sockaddr_storage *from);

#endif

/* SPDX-License-Identifier: MIT */
/* sockets/address.h - the address of a client, as the pool wants it. */
#ifndef WSP_SOCKETS_ADDRESS_H
#define WSP_SOCKETS_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>

#define WSP_ADDRESS_TEXT 46 /* of an IPv6 address, with its 0: INET6_ADDRSTRLEN */

typedef struct wsp_address {
    char text[WSP_ADDRESS_TEXT]; /* numeric, without a port; empty: neither IPv4 nor IPv6 */
    size_t text_len;
    unsigned char key[8]; /* whom it counts for: an IPv4 address, or the /64 of an IPv6 address */
    size_t key_len;
} wsp_address;

/* Of what accept or getpeername has said. An IPv4 address in an IPv6 one is taken as IPv4. */
void wsp_address_of(wsp_address *out, const struct sockaddr_storage *from);

#endif

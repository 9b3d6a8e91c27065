/* SPDX-License-Identifier: MIT */
/* sockets/address.h - the address of a client, as text and as the key of its peer. */
#ifndef WSP_SOCKETS_ADDRESS_H
#define WSP_SOCKETS_ADDRESS_H

#include <stddef.h>
#include <sys/socket.h>
#include <wspool/config.h>

#define WSP_ADDRESS_TEXT 46 /* INET6_ADDRSTRLEN: an IPv6 address and a 0 */

typedef struct wsp_address {
    char text[WSP_ADDRESS_TEXT]; /* numeric, without a port; empty if it is neither IPv4 nor IPv6 */
    size_t text_len;
    unsigned char key[8]; /* an IPv4 address, or the /64 of an IPv6 address */
    size_t key_len;
} wsp_address;

/* Returns 1 if a pool of this configuration counts by key, so that addresses are switched on. */
static inline int wsp_address_is_needed(const wspool_config *config)
{
    return config->max_per_key > 0 || config->key_attempts_burst > 0 ||
           config->key_messages_burst > 0 || config->key_bytes_burst > 0 ||
           config->key_subscribes_burst > 0;
}

/* Reads the result of accept or getpeername. An IPv4-mapped IPv6 address counts as IPv4. */
void wsp_address_of(wsp_address *out, const struct sockaddr_storage *from);

/* Reads an address that is text. 0: it is not exactly one numeric address; `out` is then empty. */
int wsp_address_read(wsp_address *out, const char *text, size_t len);

#endif

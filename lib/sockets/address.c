/* SPDX-License-Identifier: MIT */
/* sockets/address.c - see sockets/address.h. */
#define _GNU_SOURCE
#include "sockets/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

_Static_assert(WSP_ADDRESS_TEXT == INET6_ADDRSTRLEN, "room for each address");

void wsp_address_of(wsp_address *out, const struct sockaddr_storage *from)
{
    const void *bytes = NULL;
    int family = from->ss_family;

    memset(out, 0, sizeof *out);
    if (family == AF_INET) {
        bytes = &((const struct sockaddr_in *)from)->sin_addr;
    } else if (family == AF_INET6) {
        const struct in6_addr *v6 = &((const struct sockaddr_in6 *)from)->sin6_addr;
        bytes = v6;
        if (IN6_IS_ADDR_V4MAPPED(v6)) {
            family = AF_INET;
            bytes = &v6->s6_addr[12];
        }
    }
    if (bytes && inet_ntop(family, bytes, out->text, sizeof out->text)) {
        out->text_len = strlen(out->text);
        out->key_len = family == AF_INET ? 4 : 8;
        memcpy(out->key, bytes, out->key_len);
    }
}

int wsp_address_read(wsp_address *out, const char *text, size_t len)
{
    struct sockaddr_storage from = {0};
    char ended[WSP_ADDRESS_TEXT] = "";

    /* inet_pton stops at a 0, and would accept what stands before it. */
    if (len > 0 && len < sizeof ended && !memchr(text, 0, len)) {
        memcpy(ended, text, len);
        if (inet_pton(AF_INET, ended, &((struct sockaddr_in *)&from)->sin_addr) == 1) {
            from.ss_family = AF_INET;
        } else if (inet_pton(AF_INET6, ended, &((struct sockaddr_in6 *)&from)->sin6_addr) == 1) {
            from.ss_family = AF_INET6;
        }
    }
    wsp_address_of(out, &from);
    return out->key_len > 0;
}

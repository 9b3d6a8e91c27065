/* SPDX-License-Identifier: MIT */
/* hosts.c - see hosts.h. */
#define _GNU_SOURCE
#include "hosts.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <arpa/inet.h>

int host_is_loopback(wspool_text host)
{
    char name[64], *end;
    struct in6_addr v6;
    struct in_addr v4;

    if (host.len == 0 || host.len >= sizeof(name) || memchr(host.data, 0, host.len)) {
        return 0;
    }
    snprintf(name, sizeof(name), "%.*s", (int)host.len, host.data);
    end = name[0] == '[' ? strchr(name, ']') : name + strcspn(name, ":");
    if (!end) {
        return 0;
    }
    const char *port = end + (*end == ']');
    if (*port && (*port != ':' || port[1 + strspn(port + 1, "0123456789")])) {
        return 0;
    }
    *end = '\0';
    if (name[0] == '[') {
        return inet_pton(AF_INET6, name + 1, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
    }
    return strcasecmp(name, "localhost") == 0 ||
           (inet_pton(AF_INET, name, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

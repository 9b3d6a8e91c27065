/* SPDX-License-Identifier: MIT */
/* sockets/listen.c - see sockets/listen.h. */
#define _GNU_SOURCE
#include "sockets/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "sockets/system.h"

typedef union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
} address;

/* Reads the text. Returns the length of the address, or 0 if the text is not an address. */
static socklen_t address_read(address *out, const char *text, unsigned port)
{
    memset(out, 0, sizeof *out);
    if (strncmp(text, "unix:", 5) == 0) {
        size_t len = strlen(text + 5);
        if (len == 0 || len >= sizeof out->local.sun_path) {
            return 0;
        }
        out->local.sun_family = AF_UNIX;
        memcpy(out->local.sun_path, text + 5, len + 1);
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
    }
    if (port > UINT16_MAX) {
        return 0;
    }
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        return sizeof out->v4;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        return sizeof out->v6;
    }
    return 0;
}

/* SO_REUSEADDR has no meaning for a path. IPV6_V6ONLY makes "::" and "0.0.0.0" two listeners,
 * whatever the system's default is. */
static int set_options(int fd, int family)
{
    int one = 1;
    if (family != AF_UNIX && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) < 0) {
        return -1;
    }
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) {
        return -1;
    }
    return 0;
}

int wsp_listen_open(const char *text, unsigned port)
{
    address here;
    socklen_t len = text ? address_read(&here, text, port) : 0;
    if (len == 0) {
        errno = EINVAL;
        return -1;
    }
    int fd = socket(here.any.sa_family, SOCK_STREAM, 0);
    if (fd >= 0 && (wsp_system_prepare(fd) < 0 || set_options(fd, here.any.sa_family) < 0 ||
                    bind(fd, &here.any, len) < 0 || listen(fd, SOMAXCONN) < 0)) {
        wsp_system_close(fd);
        return -1;
    }
    return fd;
}

int wsp_listen_prepare(int fd)
{
    int one = 1, listens = 0;
    socklen_t len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0) {
        return -1;
    }
    if (!listens) {
        errno = EINVAL;
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* fails harmlessly without TCP */
    return wsp_system_prepare(fd);
}

int wsp_listen_port(int fd)
{
    address here;
    socklen_t len = sizeof here;
    memset(&here, 0, sizeof here);
    if (getsockname(fd, &here.any, &len) < 0) {
        return -1;
    }
    switch (here.any.sa_family) {
    case AF_INET:
        return ntohs(here.v4.sin_port);
    case AF_INET6:
        return ntohs(here.v6.sin6_port);
    default:
        return 0;
    }
}

/* SPDX-License-Identifier: MIT */
/* sockets/listen.c - see sockets/listen.h. */
#define _GNU_SOURCE
#include "sockets/listen.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
_Static_assert(offsetof(struct sockaddr_in, sin_port) == offsetof(struct sockaddr_in6, sin6_port),
               "one port for both families");

/* "unix:/path". Returns the length of the address, or 0: the path is empty or too long. */
static socklen_t path_read(address *out, const char *path)
{
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof out->local.sun_path) {
        return 0;
    }
    memset(out, 0, sizeof *out);
    out->local.sun_family = AF_UNIX;
    memcpy(out->local.sun_path, path, len + 1);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
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

static int open_one(const struct sockaddr *here, socklen_t len)
{
    int fd = socket(here->sa_family, SOCK_STREAM, 0);
    if (fd >= 0 && (wsp_system_prepare(fd) < 0 || set_options(fd, here->sa_family) < 0 ||
                    bind(fd, here, len) < 0 || listen(fd, SOMAXCONN) < 0)) {
        wsp_system_close(fd);
        return -1;
    }
    return fd;
}

static int close_all(const int *fds, int count)
{
    while (count > 0) {
        wsp_system_close(fds[--count]);
    }
    return -1;
}

/* An address that this machine does not have is left out, as long as it has another one. */
static int open_each(struct addrinfo *found, int fds[WSP_LISTENERS])
{
    int count = 0, port = 0;
    for (; found && count < WSP_LISTENERS; found = found->ai_next) {
        address here;
        memcpy(&here, found->ai_addr, found->ai_addrlen);
        if (port > 0) { /* the one that the first was given, in the same place for both families */
            here.v4.sin_port = htons((uint16_t)port);
        }
        fds[count] = open_one(&here.any, found->ai_addrlen);
        if (fds[count] >= 0) {
            port = wsp_listen_port(fds[count++]);
        } else if (errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT) {
            return close_all(fds, count);
        }
    }
    return count > 0 ? count : -1;
}

int wsp_listen_open(const char *text, unsigned port, int fds[WSP_LISTENERS])
{
    const struct addrinfo wanted = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                                    .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    int unix_path = text && strncmp(text, "unix:", 5) == 0;
    if (unix_path) {
        address here;
        socklen_t len = path_read(&here, text + 5);
        fds[0] = len > 0 ? open_one(&here.any, len) : -1;
        errno = len > 0 ? errno : EINVAL;
        return fds[0] < 0 ? -1 : 1;
    }
    (void)snprintf(service, sizeof service, "%u", port);
    if (!text || !*text || port > UINT16_MAX || getaddrinfo(text, service, &wanted, &found) != 0) {
        errno = EINVAL;
        return -1;
    }
    int count = open_each(found, fds), error = errno;
    freeaddrinfo(found);
    errno = error;
    return count;
}

int wsp_listen_prepare(int fd, const wsp_tune *tune)
{
    int listens = 0;
    socklen_t len = sizeof listens;
    if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len) < 0) {
        return -1;
    }
    if (!listens) {
        errno = EINVAL;
        return -1;
    }
    wsp_tune_set(tune, fd);
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

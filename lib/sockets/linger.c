/* SPDX-License-Identifier: MIT */
/* sockets/linger.c - see sockets/linger.h. */
#define _GNU_SOURCE
#include "sockets/linger.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#ifdef __linux__
#include <linux/sockios.h>
#include <sys/ioctl.h>
#endif

wsp_linger_place *wsp_linger_add(wsp_linger *all, int fd, uint64_t id, uint64_t until)
{
    wsp_linger_place *place = all->places;
    if (all->count == WSP_LINGER_PLACES) {
        return NULL;
    }
    while (place->until) {
        place++;
    }
    place->until = until;
    place->id = id;
    place->left = WSP_LINGER_BYTES;
    place->fd = fd;
    place->unwatched = 0;
    place->handle = NULL;
    all->next = all->count++ == 0 || until < all->next ? until : all->next;
    return place;
}

void wsp_linger_remove(wsp_linger *all, wsp_linger_place *place)
{
    place->until = 0;
    all->count--;
}

void wsp_linger_shorten(wsp_linger *all, uint64_t until)
{
    for (int i = 0; all->count > 0 && i < WSP_LINGER_PLACES; i++) {
        uint64_t *const its = &all->places[i].until;
        *its = *its && *its != UINT64_MAX && *its > until ? until : *its;
    }
    all->next = all->next > until ? until : all->next;
}

wsp_linger_place *wsp_linger_find(wsp_linger *all, uint64_t id)
{
    for (int i = 0; all->count > 0 && i < WSP_LINGER_PLACES; i++) {
        if (all->places[i].until && all->places[i].id == id) {
            return &all->places[i];
        }
    }
    return NULL;
}

wsp_linger_place *wsp_linger_due(wsp_linger *all, uint64_t now)
{
    if (all->count == 0 || all->next > now) {
        return NULL;
    }
    all->next = UINT64_MAX;
    for (int i = 0; i < WSP_LINGER_PLACES; i++) {
        uint64_t until = all->places[i].until;
        if (until && until <= now) {
            all->next = 0; /* more places may be due */
            return &all->places[i];
        }
        all->next = until && until < all->next ? until : all->next;
    }
    return NULL;
}

int wsp_linger_discard(wsp_linger_place *place, void *buffer, size_t size)
{
    ssize_t n = recv(place->fd, buffer, size, MSG_DONTWAIT);
    if (n < 0) {
        return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    }
    if (n == 0 || (size_t)n > place->left) {
        return 1;
    }
    place->left -= (size_t)n;
    return 0;
}

#ifdef __linux__
int wsp_linger_holds(int fd, size_t allowed)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    int unsent = 0;
    return ioctl(fd, SIOCOUTQ, &unsent) == 0 && unsent > 0 && (size_t)unsent > allowed &&
           getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 && info.tcpi_state != TCP_CLOSE;
}
#else
int wsp_linger_holds(int fd, size_t allowed)
{
    (void)fd;
    (void)allowed;
    return 0; /* there is no portable way to ask */
}
#endif

void wsp_linger_discard_all(int fd, void *buffer, size_t size)
{
    size_t left = WSP_LINGER_DISCARD_BYTES;
    ssize_t n;
    while ((n = recv(fd, buffer, size, MSG_DONTWAIT)) > 0 && left > (size_t)n) {
        left -= (size_t)n;
    }
}

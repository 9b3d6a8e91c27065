/* SPDX-License-Identifier: MIT */
/* sockets/proxied.c - see sockets/proxied.h. */
#include "sockets/proxied.h"

#include <string.h>

#include "sockets/open.h"
#include "sockets/transport.h"

void wsp_proxied_add(wspool_sockets *s, int fd)
{
    wsp_waiting_place *place = wsp_waiting_add(&s->waiting, fd, s->now + s->handshake_time);
    if (place && wsp_engine_watch(s, fd, WSPOOL_WATCH_READ, WSP_TAG_PROXIED + place->tag,
                                  &place->handle) == 0) {
        s->count++;
        return;
    }
    if (place) {
        wsp_waiting_remove(&s->waiting, place);
    }
    wsp_system_close(fd);
    s->turned_away++;
}

static void leave(wspool_sockets *s, wsp_waiting_place *place, int reset)
{
    int fd = wsp_waiting_remove(&s->waiting, place);
    wsp_transport_close(s, fd, WSP_TAG_PROXIED + place->tag, WSPOOL_WATCH_READ, place->handle,
                        reset);
}

static void refuse(wspool_sockets *s, wsp_waiting_place *place)
{
    leave(s, place, 1);
    s->turned_away++;
    wsp_waiting_log(&s->waiting, s->pool, s->now);
}

/* The header has come: the connection becomes a peer, which gets the bytes behind it. */
static void serve(wspool_sockets *s, wsp_waiting_place *place, size_t header,
                  const struct sockaddr_storage *from)
{
    unsigned char rest[WSP_PROXY_MAX];
    size_t len = place->len - header;
    wspool_id id;
    memcpy(rest, place->bytes + header, len);
    wsp_engine_watch(s, place->fd, 0, WSP_TAG_PROXIED + place->tag, &place->handle);
    s->count--;
    int fd = wsp_waiting_remove(&s->waiting, place);
    if (wsp_open_peer(s, fd, from->ss_family == AF_UNSPEC ? NULL : from, NULL, &id) == 0 &&
        len > 0) {
        wsp_transport *peer = wsp_transport_find(s, id);
        if (peer) {
            peer->spoke = 1;
        }
        wspool_feed(s->pool, id, rest, len, s->now);
        s->fed += len;
    }
}

void wsp_proxied_event(wspool_sockets *s, uint64_t tag, unsigned events)
{
    struct sockaddr_storage from;
    wsp_waiting_place *place = wsp_waiting_find(&s->waiting, tag - WSP_TAG_PROXIED);
    if (!place) {
        return;
    }
    int header = wsp_waiting_read(place, &from);
    if (header > 0) {
        serve(s, place, (size_t)header, &from);
    } else if (header == WSP_WAITING_ENDED || (header == 0 && events & WSPOOL_WATCH_FAILED)) {
        leave(s, place, 0);
    } else if (header < 0 || place->until == UINT64_MAX) {
        refuse(s, place);
    }
}

/* After a standstill of the host the header may lie in the socket: it is read first. */
void wsp_proxied_expire(wspool_sockets *s)
{
    uint32_t at = 0;
    wsp_waiting_place *place;
    while ((place = wsp_waiting_due(&s->waiting, s->now, &at))) {
        wsp_proxied_event(s, WSP_TAG_PROXIED + place->tag, 0);
    }
}

void wsp_proxied_close_all(wspool_sockets *s)
{
    uint32_t at = 0;
    wsp_waiting_place *place;
    while ((place = wsp_waiting_due(&s->waiting, WSP_WAITING_ALL_DUE, &at))) {
        leave(s, place, 0);
    }
}

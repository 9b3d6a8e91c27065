/* SPDX-License-Identifier: MIT */
/* sockets/proxied.c - see sockets/proxied.h. */
#include "sockets/proxied.h"

#include <stdlib.h>
#include <string.h>

#include "sockets/open.h"
#include "sockets/transport.h"

#define LOG_INTERVAL (100 * WSPOOL_MILLISECOND)

/* Returns a free place, or NULL. */
static wsp_proxied *free_place(wspool_sockets *s)
{
    uint32_t room = s->proxied_room;
    for (uint32_t i = 0; s->proxied_count < room && i < room; i++) {
        if (s->proxied[i].fd < 0) {
            return &s->proxied[i];
        }
    }
    uint32_t larger = room ? 2 * room : 16;
    wsp_proxied *places =
        room < WSP_PROXIED_MAX ? realloc(s->proxied, larger * sizeof *places) : NULL;
    if (!places) {
        return NULL;
    }
    for (uint32_t i = room; i < larger; i++) {
        places[i].fd = -1;
    }
    s->proxied = places;
    s->proxied_room = larger;
    return &places[room];
}

void wsp_proxied_add(wspool_sockets *s, int fd)
{
    wsp_proxied *place = free_place(s);
    if (place) {
        uint64_t low = WSP_TAG_PROXIED + (uint64_t)(place - s->proxied);
        place->tag = (uint64_t)++s->generation << 32 | low;
        place->handle = NULL;
        place->len = 0;
        place->until = s->now + s->handshake_time;
        if (wsp_engine_watch(s, fd, WSPOOL_WATCH_READ, place->tag, &place->handle) == 0) {
            place->fd = fd;
            s->count++;
            if (s->proxied_count++ == 0) {
                s->proxied_next = place->until; /* all have the same time: the first is due first */
            }
            return;
        }
    }
    wsp_system_close(fd);
    s->turned_away++;
}

static wsp_proxied *find(const wspool_sockets *s, uint64_t tag)
{
    uint32_t index = (uint32_t)tag - WSP_TAG_PROXIED;
    wsp_proxied *place = index < s->proxied_room ? &s->proxied[index] : NULL;
    return place && place->fd >= 0 && place->tag == tag ? place : NULL;
}

static void leave(wspool_sockets *s, wsp_proxied *place, int reset)
{
    int fd = place->fd;
    place->fd = -1;
    s->proxied_count--;
    wsp_transport_close(s, fd, place->tag, WSPOOL_WATCH_READ, place->handle, reset);
}

/* The pool does not know the connection, so the record is made here. */
static void refuse(wspool_sockets *s, wsp_proxied *place)
{
    const wspool_log_hook *log = &wspool_config_of(s->pool)->log;
    leave(s, place, 1);
    s->turned_away++;
    if (log->call && s->now - s->proxied_logged >= LOG_INTERVAL) {
        wspool_log_record record = {.level = WSPOOL_LOG_WARNING,
                                    .event = "refused",
                                    .reason = "proxy_header",
                                    .stage = WSPOOL_STAGE_BYTES,
                                    .now = s->now,
                                    .suppressed = s->proxied_suppressed};
        s->proxied_logged = s->now;
        s->proxied_suppressed = 0;
        log->call(s->pool, &record, log->user);
    } else {
        s->proxied_suppressed++;
    }
}

/* The header has come: the connection becomes a peer, which gets the bytes behind it. */
static void serve(wspool_sockets *s, wsp_proxied *place, size_t header,
                  const struct sockaddr_storage *from)
{
    unsigned char rest[WSP_PROXY_MAX];
    size_t len = place->len - header;
    int fd = place->fd;
    wspool_id id;
    memcpy(rest, place->bytes + header, len);
    wsp_engine_watch(s, fd, 0, place->tag, &place->handle);
    place->fd = -1;
    s->proxied_count--;
    s->count--;
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
    wsp_proxied *place = find(s, tag);
    if (!place) {
        return;
    }
    ssize_t n =
        recv(place->fd, place->bytes + place->len, sizeof place->bytes - place->len, MSG_DONTWAIT);
    if (n < 0 && !(events & WSPOOL_WATCH_FAILED) &&
        (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) {
        return;
    }
    if (n <= 0) {
        leave(s, place, 0);
        return;
    }
    place->len = (uint16_t)(place->len + n);
    int header = wsp_proxy_read(place->bytes, place->len, &from);
    if (header < 0) {
        refuse(s, place);
    } else if (header > 0) {
        serve(s, place, (size_t)header, &from);
    }
}

/* After a standstill of the host the header may lie in the socket: it is read first. */
void wsp_proxied_expire(wspool_sockets *s)
{
    uint64_t next = UINT64_MAX;
    for (uint32_t i = 0; i < s->proxied_room; i++) {
        if (s->proxied[i].fd >= 0 && s->proxied[i].until <= s->now) {
            uint64_t tag = s->proxied[i].tag;
            wsp_proxied_event(s, tag, 0);
            if (find(s, tag)) {
                refuse(s, &s->proxied[i]);
            }
        }
        if (s->proxied[i].fd >= 0 && s->proxied[i].until < next) {
            next = s->proxied[i].until;
        }
    }
    s->proxied_next = next;
}

void wsp_proxied_close_all(wspool_sockets *s)
{
    for (uint32_t i = 0; i < s->proxied_room; i++) {
        if (s->proxied[i].fd >= 0) {
            leave(s, &s->proxied[i], 0);
        }
    }
}

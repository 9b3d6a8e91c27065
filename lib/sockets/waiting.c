/* SPDX-License-Identifier: MIT */
/* sockets/waiting.c - see sockets/waiting.h. */
#include "sockets/waiting.h"

#include <errno.h>
#include <stdlib.h>

#define LOG_INTERVAL (100 * WSPOOL_MILLISECOND)

/* Returns a free place, or NULL. */
static wsp_waiting_place *free_place(wsp_waiting *all)
{
    uint32_t room = all->room;
    for (uint32_t i = 0; all->count < room && i < room; i++) {
        if (all->places[i].fd < 0) {
            return &all->places[i];
        }
    }
    uint32_t larger = room ? 2 * room : 16;
    wsp_waiting_place *places =
        room < WSP_WAITING_PLACES ? realloc(all->places, larger * sizeof *places) : NULL;
    if (!places) {
        return NULL;
    }
    for (uint32_t i = room; i < larger; i++) {
        places[i].fd = -1;
    }
    all->places = places;
    all->room = larger;
    return &places[room];
}

wsp_waiting_place *wsp_waiting_add(wsp_waiting *all, int fd, uint64_t until)
{
    wsp_waiting_place *place = free_place(all);
    if (place) {
        place->tag = (uint64_t)++all->added << 32 | (uint64_t)(place - all->places);
        place->handle = NULL;
        place->until = until;
        place->len = 0;
        place->fd = fd;
        if (all->count++ == 0 || until < all->next) {
            all->next = until;
        }
    }
    return place;
}

int wsp_waiting_remove(wsp_waiting *all, wsp_waiting_place *place)
{
    int fd = place->fd;
    place->fd = -1;
    all->count--;
    return fd;
}

wsp_waiting_place *wsp_waiting_find(const wsp_waiting *all, uint64_t tag)
{
    uint32_t index = (uint32_t)tag;
    wsp_waiting_place *place = index < all->room ? &all->places[index] : NULL;
    return place && place->fd >= 0 && place->tag == tag ? place : NULL;
}

int wsp_waiting_read(wsp_waiting_place *place, struct sockaddr_storage *from)
{
    ssize_t n =
        recv(place->fd, place->bytes + place->len, sizeof place->bytes - place->len, MSG_DONTWAIT);
    if (n <= 0) {
        return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)
                   ? 0
                   : WSP_WAITING_ENDED;
    }
    place->len = (uint16_t)(place->len + n);
    return wsp_proxy_read(place->bytes, place->len, from);
}

wsp_waiting_place *wsp_waiting_due(wsp_waiting *all, uint64_t now, uint32_t *at)
{
    if (*at == 0) {
        all->next = UINT64_MAX;
    }
    while (*at < all->room) {
        wsp_waiting_place *place = &all->places[(*at)++];
        if (place->fd >= 0 && place->until <= now) {
            place->until = UINT64_MAX;
            return place;
        }
        if (place->fd >= 0 && place->until < all->next) {
            all->next = place->until;
        }
    }
    return NULL;
}

void wsp_waiting_log(wsp_waiting *all, wspool *pool, uint64_t now)
{
    const wspool_log_hook *log = &wspool_config_of(pool)->log;
    if (log->call && now - all->logged >= LOG_INTERVAL) {
        wspool_log_record record = {.level = WSPOOL_LOG_WARNING,
                                    .event = "refused",
                                    .reason = "proxy_header",
                                    .stage = WSPOOL_STAGE_BYTES,
                                    .now = now,
                                    .suppressed = all->suppressed};
        all->logged = now;
        all->suppressed = 0;
        log->call(pool, &record, log->user);
    } else {
        all->suppressed++;
    }
}

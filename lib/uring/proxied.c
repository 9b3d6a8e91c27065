/* SPDX-License-Identifier: MIT */
/*
 * uring/proxied.c - connections of a proxy, until their PROXY header has come whole.
 *
 * A poll is under way for each place of sockets/waiting.h, and a place is freed only when its poll
 * has completed: the kernel would keep a socket that is closed earlier. A place that is due has
 * its poll cancelled.
 */
#include "uring/internal.h"

#include <poll.h>
#include <string.h>

static void leave(wspool_uring *loop, wsp_waiting_place *place, int reset)
{
    wsp_uring_shut(loop, wsp_waiting_remove(&loop->waiting, place), reset);
}

static void refuse(wspool_uring *loop, wsp_waiting_place *place, uint64_t now)
{
    leave(loop, place, 1);
    loop->turned_away++;
    wsp_waiting_log(&loop->waiting, loop->pool, now);
}

/* Waits for more bytes. Closes the connection if the ring takes no request. */
static void await(wspool_uring *loop, wsp_waiting_place *place)
{
    struct io_uring_sqe *sqe =
        wsp_uring_request(loop, WSP_LINGER_PLACES + place->tag, WSP_URING_PLACE);
    if (sqe) {
        io_uring_prep_poll_add(sqe, place->fd, POLLIN);
    } else {
        leave(loop, place, 0);
        loop->turned_away++;
    }
}

void wsp_uring_proxied_add(wspool_uring *loop, int fd, uint64_t now)
{
    wsp_waiting_place *place = wsp_waiting_add(&loop->waiting, fd, now + loop->handshake_time);
    loop->count++;
    if (place) {
        await(loop, place);
    } else {
        wsp_uring_shut(loop, fd, 0);
        loop->turned_away++;
    }
}

/* The header has come: the connection becomes a peer, which gets the bytes behind it. */
static void serve(wspool_uring *loop, wsp_waiting_place *place, size_t header,
                  const struct sockaddr_storage *from, uint64_t now)
{
    unsigned char rest[WSP_PROXY_MAX];
    size_t len = place->len - header;
    wspool_id id;
    memcpy(rest, place->bytes + header, len);
    loop->count--;
    int fd = wsp_waiting_remove(&loop->waiting, place);
    if (wsp_uring_open(loop, fd, from->ss_family == AF_UNSPEC ? NULL : from, NULL, &id) == 0 &&
        len > 0) {
        wsp_uring_read(loop, id, (int)len, rest, now);
    }
}

void wsp_uring_proxied_event(wspool_uring *loop, uint64_t number, int result, uint64_t now)
{
    struct sockaddr_storage from;
    wsp_waiting_place *place = wsp_waiting_find(&loop->waiting, number - WSP_LINGER_PLACES);
    int is_due = place->until == UINT64_MAX;
    int header = loop->draining ? WSP_WAITING_ENDED : wsp_waiting_read(place, &from);
    if (header > 0) {
        serve(loop, place, (size_t)header, &from, now);
    } else if (header == WSP_WAITING_ENDED || (header == 0 && result < 0 && !is_due)) {
        leave(loop, place, 0);
    } else if (header < 0 || is_due) {
        refuse(loop, place, now);
    } else {
        await(loop, place);
    }
}

void wsp_uring_proxied_expire(wspool_uring *loop, uint64_t now)
{
    uint32_t at = 0;
    wsp_waiting_place *place;
    if (loop->waiting.count == 0 || loop->waiting.next > now) {
        return;
    }
    while ((place = wsp_waiting_due(&loop->waiting, now, &at))) {
        wsp_uring_cancel(loop, WSP_LINGER_PLACES + place->tag, WSP_URING_PLACE);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * uring/linger.c - closing a transport.
 *
 *     close       the pool is done: our direction is shut down, and the transport's operations are
 *                 cancelled
 *     closed      its last completion has come: the peer is released, and the socket lingers or is
 *                 closed
 *     lingers_on  the client has sent something, which is discarded, or has closed
 *     expire      its time is over
 *
 * sockets/linger.h says why a transport lingers.
 */
#include "uring/internal.h"

#include <poll.h>
#include <unistd.h>

void wsp_uring_shut(wspool_uring *loop, int fd, int reset)
{
    if (reset) {
        wsp_system_reset(fd);
    } else {
        close(fd);
    }
    loop->count--;
    loop->paused_until = loop->paused_until ? 1 : 0; /* a descriptor is free again */
}

/* Waits for input of the client. Closes the socket if the ring takes no request. */
static void await_end(wspool_uring *loop, wsp_linger_place *place)
{
    struct io_uring_sqe *sqe =
        wsp_uring_request(loop, (uint64_t)(place - loop->lingering.places), WSP_URING_PLACE);
    if (sqe) {
        io_uring_prep_poll_add(sqe, place->fd, POLLIN);
    } else {
        wsp_linger_remove(&loop->lingering, place);
        wsp_uring_shut(loop, place->fd, wsp_linger_holds(place->fd, WSP_LINGER_UNSENT));
    }
}

void wsp_uring_lingers_on(wspool_uring *loop, uint64_t number, int result)
{
    wsp_linger_place *place = &loop->lingering.places[number];
    if (result < 0 || place->until == UINT64_MAX) {
        wsp_linger_discard_all(place->fd, loop->scratch, WSP_URING_BUFFER);
    } else if (!wsp_linger_discard(place, loop->scratch, WSP_URING_BUFFER)) {
        await_end(loop, place);
        return;
    } else if (wsp_linger_holds(place->fd, WSP_LINGER_UNSENT)) {
        place->unwatched = 1; /* the client has ended its direction, and still takes output */
        return;
    }
    wsp_linger_remove(&loop->lingering, place);
    wsp_uring_shut(loop, place->fd, wsp_linger_holds(place->fd, 1));
}

void wsp_uring_expire(wspool_uring *loop, uint64_t now)
{
    wsp_linger_place *place;
    while ((place = wsp_linger_due(&loop->lingering, now))) {
        if (place->unwatched) {
            wsp_linger_remove(&loop->lingering, place);
            wsp_uring_shut(loop, place->fd, wsp_linger_holds(place->fd, 1));
            continue;
        }
        place->until = UINT64_MAX;
        wsp_uring_cancel(loop, (uint64_t)(place - loop->lingering.places), WSP_URING_PLACE);
    }
}

void wsp_uring_closed(wspool_uring *loop, struct wsp_uring_peer *peer, uint64_t now)
{
    wspool_id id = peer->id;
    wsp_linger_place *place = NULL;
    int holds = peer->ended && !peer->reset && wsp_linger_holds(peer->fd, WSP_LINGER_UNSENT);
    if ((!peer->ended || holds) && peer->spoke && loop->linger > 0) {
        place = wsp_linger_add(&loop->lingering, peer->fd, id,
                               now + wsp_linger_time(loop->linger, loop->draining));
    }
    if (place && holds) {
        place->unwatched = 1;
    } else if (place) {
        await_end(loop, place);
    } else {
        if (!peer->ended) {
            wsp_linger_discard_all(peer->fd, loop->scratch, WSP_URING_BUFFER);
        }
        wsp_uring_shut(loop, peer->fd,
                       peer->reset || holds ||
                           (!peer->ended && wsp_linger_holds(peer->fd, WSP_LINGER_UNSENT)));
    }
    peer->id = 0;
    wspool_release(loop->pool, id);
}

void wsp_uring_close(wspool_uring *loop, wspool_id id, int reset, uint64_t now)
{
    struct wsp_uring_peer *peer = wsp_uring_peer(loop, id);
    if (!peer) {
        wspool_release(loop->pool, id);
        return;
    }
    peer->reset = reset != 0;
    if (reset) {
        peer->ended = WSP_URING_ENDED;
    } else if (!peer->ended && shutdown(peer->fd, SHUT_WR) < 0) {
        peer->ended = WSP_URING_ENDED;
    }
    peer->closing = 1;
    wsp_uring_forget(loop, peer);
    for (unsigned op = WSP_URING_READ; op <= WSP_URING_FEED; op++) {
        wsp_uring_disarm(loop, peer, (enum wsp_uring_op)op);
    }
    if (!peer->armed) {
        wsp_uring_closed(loop, peer, now);
    }
}

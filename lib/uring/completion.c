/* SPDX-License-Identifier: MIT */
/*
 * uring/completion.c - what a completion for a peer means: bytes, room, the end, or a failure.
 */
#include "uring/internal.h"

#include <poll.h>

/* A poll has completed with none of the events that it was for: the client has half closed. */
static unsigned char says_half_closed(int result)
{
    return result > 0 && !(result & (POLLOUT | POLLERR | POLLHUP));
}

/* Returns 1 if the client has half closed and nothing is left to read. */
static int at_end(int fd)
{
    char byte;
    return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static int has_failed(const struct wsp_uring_peer *peer)
{
    struct pollfd about;
    about.fd = peer->fd;
    about.events = about.revents = 0;
    return poll(&about, 1, 0) == 1;
}

void wsp_uring_peer_completed(wspool_uring *loop, wspool_id id, enum wsp_uring_op op,
                              const struct io_uring_cqe *cqe, uint64_t now)
{
    struct wsp_uring_peer *peer = wsp_uring_peer(loop, id);
    unsigned number = cqe->flags >> IORING_CQE_BUFFER_SHIFT;

    if (!peer) {
        return;
    }
    /* The operation stays in `armed` until the end, because a flush below may close the transport.
     * */
    switch (op) {
    case WSP_URING_READ:
        wsp_uring_read(loop, id, cqe->res, wsp_uring_buffer(loop, number), now);
        break;
    case WSP_URING_FEED:
        wsp_uring_feed_kept(loop, id, now);
        break;
    case WSP_URING_WRITE:
        peer->half_closed |= says_half_closed(cqe->res);
        if (peer->blocked && !peer->closing && !says_half_closed(cqe->res)) {
            peer->blocked = 0;
            wspool_writable(loop->pool, id, now);
        }
        break;
    default: /* reading finds the failure of a peer that is read */
        peer->half_closed |= says_half_closed(cqe->res);
        if (!peer->reading && !peer->closing && has_failed(peer)) {
            peer->ended = WSP_URING_ENDED;
            wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
        } else if (peer->half_closed && peer->waiting && !peer->closing && !peer->kept &&
                   peer->ended < WSP_URING_ENDED && (peer->ended || at_end(peer->fd))) {
            peer->ended = WSP_URING_ENDED;
            wspool_gone(loop->pool, id, WSPOOL_GONE_EOF, now);
        }
    }
    peer = wsp_uring_peer(loop, id);
    if (!peer || cqe->flags & IORING_CQE_F_MORE) {
        return;
    }
    peer->armed = (unsigned char)(peer->armed & ~(1u << op));
    peer->cancelled = (unsigned char)(peer->cancelled & ~(1u << op));
    if (!peer->closing) {
        wsp_uring_ask(loop, peer);
    } else if (!peer->armed) {
        wsp_uring_closed(loop, peer, now);
    }
}

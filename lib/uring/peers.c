/* SPDX-License-Identifier: MIT */
/*
 * uring/peers.c - the transports by slot, and the operations that are under way for each of them.
 *
 * The operations follow from the peer's state (wsp_uring_ask):
 *
 *     READ wanted                  a multishot read; FEED (a NOP) while something is kept
 *     READ absent, not blocked     a poll for errors
 *     blocked                      a poll for room (POLLOUT)
 *     half closed by its peer      a timer of 100 ms in place of each poll, which would return at
 *     once
 */
#include "uring/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct wsp_uring_peer *wsp_uring_peer(const wspool_uring *loop, wspool_id id)
{
    uint32_t slot = wspool_slot(id);
    return slot < loop->room && loop->peers[slot].id == id ? &loop->peers[slot] : NULL;
}

void wsp_uring_forget(wspool_uring *loop, struct wsp_uring_peer *peer)
{
    loop->kept -= peer->kept_len;
    free(peer->kept);
    peer->kept = NULL;
    peer->kept_at = peer->kept_len = 0;
}

/* ------------------------------------------------------------------ asking */

/* Requests an operation for a peer, unless it is under way already. */
void wsp_uring_arm(wspool_uring *loop, struct wsp_uring_peer *peer, enum wsp_uring_op op)
{
    static struct __kernel_timespec later = {0, WSP_URING_REST}; /* never written to */
    struct io_uring_sqe *sqe;
    if (peer->armed & 1u << op || !(sqe = wsp_uring_request(loop, peer->id, op))) {
        return;
    }
    if (op == WSP_URING_READ) {
        io_uring_prep_recv_multishot(sqe, peer->fd, NULL, 0, 0);
        sqe->flags = IOSQE_BUFFER_SELECT;
        sqe->buf_group = 0;
    } else if (op == WSP_URING_FEED) {
        io_uring_prep_nop(sqe);
    } else if (peer->half_closed) {
        io_uring_prep_timeout(sqe, &later, 0, 0);
    } else {
        io_uring_prep_poll_add(sqe, peer->fd,
                               POLLERR | POLLHUP | (op == WSP_URING_WRITE ? POLLOUT : 0));
    }
    peer->armed = (unsigned char)(peer->armed | 1u << op);
}

void wsp_uring_disarm(wspool_uring *loop, struct wsp_uring_peer *peer, enum wsp_uring_op op)
{
    if ((peer->armed & ~peer->cancelled) & 1u << op) {
        wsp_uring_cancel(loop, peer->id, op);
        peer->cancelled = (unsigned char)(peer->cancelled | 1u << op);
    }
}

void wsp_uring_ask(wspool_uring *loop, struct wsp_uring_peer *peer)
{
    if (peer->closing || !loop->enabled) {
        return;
    }
    if (!peer->reading) {
        wsp_uring_disarm(loop, peer, WSP_URING_READ);
    } else if (peer->kept || (peer->ended == WSP_URING_EOF_SEEN && !peer->blocked)) {
        wsp_uring_arm(loop, peer, WSP_URING_FEED);
    } else if (!peer->ended && !(peer->armed & 1u << WSP_URING_FEED)) {
        wsp_uring_arm(loop, peer, WSP_URING_READ);
    }
    if (peer->blocked) {
        wsp_uring_arm(loop, peer, WSP_URING_WRITE);
    } else if (!peer->reading) {
        wsp_uring_arm(loop, peer, WSP_URING_ERROR);
    }
}

/* ------------------------------------------------------------------ adding */

/* Makes the record of a peer; the loop owns the descriptor from then on. On failure returns NULL
 * with errno. */
static struct wsp_uring_peer *attach(wspool_uring *loop, wspool_id id, int fd)
{
    uint32_t slot = wspool_slot(id);
    struct wsp_uring_peer *peers = wsp_table_reserve(loop->peers, &loop->room, slot, sizeof *peers);
    if (!peers) {
        return NULL;
    }
    loop->peers = peers;
    struct wsp_uring_peer *peer = &peers[slot];
    memset(peer, 0, sizeof *peer);
    peer->id = id;
    peer->fd = fd;
    peer->reading = 1;
    wsp_uring_ask(loop, peer);
    if (loop->broken || (loop->enabled && !peer->armed)) {
        peer->id = 0;
        errno = loop->broken ? loop->broken : EEXIST;
        return NULL;
    }
    loop->count++;
    return peer;
}

static int turn_away(wspool_uring *loop, int fd, int error)
{
    if (fd >= 0) {
        close(fd);
    }
    loop->turned_away++;
    errno = error;
    return -1;
}

int wsp_uring_open(wspool_uring *loop, int fd, const struct sockaddr_storage *from, void *user,
                   wspool_id *out)
{
    uint64_t now = wspool_clock();
    wspool_id id = 0;
    wspool_open_options options = {.size = sizeof options, .user = user};
    struct sockaddr_storage asked = {.ss_family = AF_UNSPEC};
    socklen_t len = sizeof asked;
    wsp_address address;
    if (loop->addresses) {
        if (!from) {
            (void)getpeername(fd, (struct sockaddr *)&asked, &len); /* or it stays empty */
            from = &asked;
        }
        wsp_address_of(&address, from);
        options.address = (wspool_text){address.text, address.text_len};
        options.key = (wspool_text){(const char *)address.key, address.key_len};
    }
    int error = wspool_open(loop->pool, &options, now, &id);
    *out = id;
    if (error < 0) {
        return turn_away(loop, fd, wsp_system_errno(error));
    }
    if (!attach(loop, id, fd)) {
        error = errno;
        wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
        wspool_release(loop->pool, id);
        *out = 0;
        return turn_away(loop, fd, error);
    }
    return 0;
}

int wspool_uring_add(wspool_uring *loop, int fd, void *user, wspool_id *out)
{
    wspool_id id;
    if (!loop || fd < 0) {
        errno = loop ? EBADF : EINVAL;
        return -1;
    }
    return wsp_uring_open(loop, fd, NULL, user, out ? out : &id);
}

int wspool_uring_adopt(wspool_uring *loop, wspool_id id, int fd, const void *bytes, size_t len)
{
    uint64_t now = wspool_clock();
    if (!loop) {
        errno = EINVAL;
        return -1;
    }
    int error = fd < 0 ? EBADF : wsp_system_errno(wspool_adopt(loop->pool, id, bytes, len, now));
    if (!error) {
        struct wsp_uring_peer *peer = attach(loop, id, fd);
        if (peer) {
            peer->spoke = 1;
            return 0;
        }
        error = errno;
    }
    wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now); /* wspool_next reports it with CLOSE */
    return turn_away(loop, fd, error);
}

int wspool_uring_descriptor(const wspool_uring *loop, wspool_id id)
{
    const struct wsp_uring_peer *peer = loop ? wsp_uring_peer(loop, id) : NULL;
    if (!peer || peer->closing) {
        errno = ENOENT;
        return -1;
    }
    return peer->fd;
}

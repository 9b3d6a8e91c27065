/* SPDX-License-Identifier: MIT */
/*
 * uring/write.c - the batch of writes, and the flush.
 *
 * A flush asks the pool which peers need attention, gathers the output of up to 128 of them, and
 * writes it with one system call. None of the writes waits, so the call returns when all have
 * completed. Their bytes lie in the pool until the ack.
 */
#include "uring/internal.h"

#include <errno.h>
#include <string.h>

/* Puts the output of a peer into the batch. */
static void gather(wspool_uring *loop, struct wsp_uring_peer *peer)
{
    struct wsp_uring_send *send = &loop->batch[loop->batched];
    int count = wspool_peek(loop->pool, peer->id, send->vectors, WSP_URING_VECTORS);
    struct io_uring_sqe *sqe = count > 0 ? io_uring_get_sqe(&loop->sends) : NULL;

    if (!sqe) {
        return;
    }
    send->id = peer->id;
    send->result = -EAGAIN;
    send->total = 0;
    for (int i = 0; i < count; i++) {
        send->total += send->vectors[i].iov_len;
    }
    if (count == 1) { /* the usual case; send is faster than sendmsg */
        io_uring_prep_send(sqe, peer->fd, send->vectors[0].iov_base, send->total,
                           MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
        memset(&send->message, 0, sizeof send->message);
        send->message.msg_iov = send->vectors;
        send->message.msg_iovlen = (size_t)count;
        io_uring_prep_sendmsg(sqe, peer->fd, &send->message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    sqe->user_data = loop->batched++;
    peer->sending = 1;
}

static void sent(wspool_uring *loop, const struct wsp_uring_send *send, uint64_t now)
{
    struct wsp_uring_peer *peer = wsp_uring_peer(loop, send->id);
    int n = send->result;
    if (!peer) {
        return;
    }
    peer->sending = 0;
    if (n < 0 && n != -EAGAIN && n != -EINTR) {
        peer->ended = WSP_URING_ENDED;
        wspool_gone(loop->pool, send->id, WSPOOL_GONE_FAILED, now);
        return;
    }
    peer->blocked = n < 0 || (size_t)n < send->total;
    wspool_ack(loop->pool, send->id, n < 0 ? 0 : (size_t)n, now);
    peer = wsp_uring_peer(loop, send->id);
    if (peer && peer->blocked) {
        wsp_uring_ask(loop, peer);
    }
}

static void write_batch(wspool_uring *loop, uint64_t now)
{
    unsigned ended = 0, count = loop->batched;
    int tries = WSP_URING_TRIES;
    while (ended < count && !loop->broken) {
        int result = io_uring_submit_and_wait(&loop->sends, count - ended);
        struct io_uring_cqe *cqe = NULL;
        if (result < 0 && (!wsp_uring_passes(result) || --tries == 0)) {
            loop->broken = -result;
        }
        for (; io_uring_peek_cqe(&loop->sends, &cqe) == 0; ended++) {
            loop->batch[cqe->user_data].result = cqe->res;
            io_uring_cqe_seen(&loop->sends, cqe);
        }
    }
    for (unsigned i = 0; i < count; i++) {
        sent(loop, &loop->batch[i], now);
    }
    loop->batched = 0;
}

void wsp_uring_flush(wspool_uring *loop, uint64_t now)
{
    uint64_t left = 2 * (uint64_t)loop->count + 16;
    int wrote;

    loop->fed = 0;
    do {
        wspool_id id;
        unsigned wants;
        while (loop->batched < WSP_URING_SENDS && left > 0 &&
               wspool_next(loop->pool, &id, &wants) == 1) {
            struct wsp_uring_peer *peer = wsp_uring_peer(loop, id);
            left--;
            if (peer && peer->sending) { /* a hook has queued more for it */
                write_batch(loop, now);
                peer = wsp_uring_peer(loop, id);
            }
            if (wants & WSPOOL_CLOSE) {
                wsp_uring_close(loop, id, (wants & WSPOOL_RESET) != 0, now);
            } else if (peer) {
                peer->reading = (wants & WSPOOL_READ) != 0;
                peer->waiting = !peer->reading && !peer->blocked;
                wsp_uring_ask(loop, peer);
                if (wants & WSPOOL_WRITE) {
                    gather(loop, peer);
                }
            }
        }
        wrote = loop->batched > 0;
        write_batch(loop, now);
    } while (wrote && left > 0);
}

/* SPDX-License-Identifier: MIT */
/*
 * uring/read.c - bytes of peers, and those that are kept while READ is absent.
 *
 * When READ is withdrawn, the kernel may have read more already. Those bytes are kept in order, and
 * fed when READ is back. Bytes beyond WSP_URING_KEPT for all peers together are fed at once, and
 * count against the peer's queue.
 *
 * Fairness: a turn has WSP_URING_BUFFERS buffers for all peers. A peer that found none is read from
 * first in the next turn, before those that took them. The output is flushed whenever `burst` bytes
 * have been fed, so that a reader that keeps up is never taken for a slow one.
 */
#include "uring/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Feeds bytes in bursts, while the peer exists and READ is among its wants. Returns how many bytes
 * were fed. */
static size_t feed(wspool_uring *loop, wspool_id id, const unsigned char *bytes, size_t len,
                   uint64_t now)
{
    size_t burst = loop->burst ? loop->burst : SIZE_MAX, taken = 0;
    struct wsp_uring_peer *peer;

    while (taken < len && (peer = wsp_uring_peer(loop, id)) && peer->reading && !peer->closing) {
        size_t n = burst > loop->fed ? burst - loop->fed : 1;
        n = n < len - taken ? n : len - taken;
        wspool_feed(loop->pool, id, bytes + taken, n, now);
        taken += n;
        loop->fed += n;
        if (loop->fed >= burst) {
            wsp_uring_flush(loop, now);
        }
    }
    return taken;
}

/* Keeps bytes until READ is back, behind those that are kept already. If too many are kept for all
 * peers together, this peer's are fed now. */
static void keep(wspool_uring *loop, struct wsp_uring_peer *peer, const unsigned char *bytes,
                 size_t len, uint64_t now)
{
    wspool_id id = peer->id;
    unsigned char *kept = NULL;
    if (loop->kept + len <= WSP_URING_KEPT) {
        kept = realloc(peer->kept, peer->kept_len + len);
    }
    if (kept) {
        memcpy(kept + peer->kept_len, bytes, len);
        peer->kept = kept;
        peer->kept_len += len;
        loop->kept += len;
        return;
    }
    if (peer->kept) {
        wspool_feed(loop->pool, id, peer->kept + peer->kept_at, peer->kept_len - peer->kept_at,
                    now);
        wsp_uring_forget(loop, wsp_uring_peer(loop, id)); /* a hook may have moved it */
    }
    wspool_feed(loop->pool, id, bytes, len, now);
}

/* The peer's input has ended. The answers to its last bytes go out first, and so does
 * blocked output: the client may go on reading. */
static void end(wspool_uring *loop, wspool_id id, uint64_t now)
{
    struct wsp_uring_peer *peer;
    if (loop->fed > 0) {
        wsp_uring_flush(loop, now);
    }
    peer = wsp_uring_peer(loop, id); /* it is there: an operation is under way */
    if (peer->ended == WSP_URING_EOF_SEEN && !peer->kept && peer->reading && !peer->blocked &&
        !peer->closing) {
        peer->ended = WSP_URING_ENDED;
        wspool_gone(loop->pool, id, WSPOOL_GONE_EOF, now);
    }
}

void wsp_uring_feed_kept(wspool_uring *loop, wspool_id id, uint64_t now)
{
    struct wsp_uring_peer *peer = wsp_uring_peer(loop, id);
    if (peer->kept) {
        size_t taken =
            feed(loop, id, peer->kept + peer->kept_at, peer->kept_len - peer->kept_at, now);
        peer = wsp_uring_peer(loop, id); /* not NULL: this operation was under way */
        peer->kept_at += taken;
        if (peer->kept_at >= peer->kept_len) {
            wsp_uring_forget(loop, peer);
        }
    }
    if (peer->ended == WSP_URING_EOF_SEEN) {
        end(loop, id, now);
    }
}

void wsp_uring_read(wspool_uring *loop, wspool_id id, int result, const unsigned char *bytes,
                    uint64_t now)
{
    struct wsp_uring_peer *peer = wsp_uring_peer(loop, id);
    size_t taken = 0, len = result > 0 ? (size_t)result : 0;

    if (peer->closing || peer->ended) {
        return;
    }
    if (len > 0) {
        peer->last_read = loop->turns;
        peer->spoke = 1;
        if (!peer->kept) {
            taken = feed(loop, id, bytes, len, now);
            peer = wsp_uring_peer(loop, id);
        }
        if (taken < len && peer && !peer->closing) {
            keep(loop, peer, bytes + taken, len - taken, now);
        }
    } else if (result == 0) {
        peer->ended = WSP_URING_EOF_SEEN;
        end(loop, id, now);
    } else if (result == -ENOBUFS) {
        if (peer->last_read == loop->turns &&
            peer->reading) { /* it got bytes in this turn: other peers come first */
            wsp_uring_arm(loop, peer, WSP_URING_FEED);
        }
    } else if (result != -ECANCELED && result != -EAGAIN && result != -EINTR) {
        peer->ended = WSP_URING_ENDED;
        wspool_gone(loop->pool, id, WSPOOL_GONE_FAILED, now);
    }
}

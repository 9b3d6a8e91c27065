/* SPDX-License-Identifier: MIT */
/*
 * pool/call.h - the beginning of a public call: checks its arguments and context, and finds its
 * peer.  Layer 4.
 *
 *     struct wsp_peer *peer;
 *     int error = wsp_call_on(pool, id, len > 0, WSP_OUTSIDE, &peer);
 *     if (error) {
 *         return error;
 *     }
 *
 * Then the call makes checks of its own, for example of the peer's state, and calls wsp_enter
 * (reap.h).
 */
#ifndef WSP_POOL_CALL_H
#define WSP_POOL_CALL_H

#include "pool/peers.h"
#include "pool/pool.h"

enum wsp_where {
    WSP_ANYWHERE, /* also in hooks */
    WSP_CHANNELS, /* it may change a channel: not while a message is rendered or committed */
    WSP_OUTSIDE   /* not in hooks */
};

/* `valid`: the other arguments are valid. Returns 0, INVAL or REENTRANT. */
static inline int wsp_call(const wspool *pool, int valid, enum wsp_where where)
{
    if (!pool || !valid) {
        return WSPOOL_ERR_INVAL;
    }
    return (where == WSP_OUTSIDE && pool->depth > 0) || (where == WSP_CHANNELS && pool->composing)
               ? WSPOOL_ERR_REENTRANT
               : 0;
}

/* A call on a peer. Returns also STALE, and counts it. */
static inline int wsp_call_on(wspool *pool, wspool_id id, int valid, enum wsp_where where,
                              struct wsp_peer **peer)
{
    int error = wsp_call(pool, valid, where);
    if (!error && (*peer = wsp_peer_find(pool, id)) == NULL) {
        error = WSPOOL_ERR_STALE;
    }
    return error;
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/judge.h - decides whether a peer is admitted: calls policies and hooks.  Layer 4.
 */
#ifndef WSP_POOL_JUDGE_H
#define WSP_POOL_JUDGE_H

#include "pool/pool.h"

/* What several handlers said of a token together. */
struct wsp_asked {
    uint32_t pending;    /* how many are pending */
    void *identity;      /* the first identity that a handler returned */
    wspool_text subject; /* the first that is not empty; valid during the call that judges */
    wspool_text client;  /* likewise */
    struct wsp_validity validity;
};

/* Judges a request, and fills the entry and the peer's identity. Returns WSP_ADMITTED,
 * WSP_POSTPONED or a refusal (wire/refusal.h). After WSP_POSTPONED the peer is pending, and its
 * handshake holds the entry. */
int wsp_judge(wspool *pool, struct wsp_peer *peer, wspool_request *request,
              struct wsp_entry *entry);
/* Asks the plain hook about a raw request that is no WebSocket handshake. Returns 1 and *page if
 * the hook answers it, 0 if the request has to be judged like any other, or a refusal: the hook
 * closed the peer. *page may point to memory of the hook. */
int wsp_judge_plain(wspool *pool, struct wsp_peer *peer, const wspool_request *request,
                    wspool_page *page);
/* Returns 1 if tokens are judged on a route: there is a hook, and the route has no exception. */
int wsp_judge_has_token(const wspool *pool, uint32_t route);
/* Judges the new token of an open peer, whose bytes were checked, and fills `asked`, which is zero.
 * The identity in it is the caller's then. Returns WSP_ADMITTED, WSP_POSTPONED or a refusal. */
int wsp_judge_token(wspool *pool, struct wsp_peer *peer, wspool_text token,
                    struct wsp_asked *asked);
/* Continues with a pending peer whose verdict has arrived. */
int wsp_judge_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/judge.h - decides whether a peer is admitted: calls policies and hooks.  Layer 4.
 */
#ifndef WSP_POOL_JUDGE_H
#define WSP_POOL_JUDGE_H

#include "pool/pool.h"

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
/* Continues with a pending peer whose verdict has arrived. */
int wsp_judge_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/judge.h - may a peer come in: policy and hooks are asked.  Layer 4.
 */
#ifndef WSP_POOL_JUDGE_H
#define WSP_POOL_JUDGE_H

#include "pool/pool.h"

/* Asks all that is to be asked about a request and fills the entry. An identity goes to the peer's
 * side record.
 * WSP_ADMITTED, WSP_PUT_OFF, or a refusal (wire/refusal.h). With WSP_PUT_OFF the peer is pending
 * and its handshake holds the entry. */
int wsp_judge(wspool *pool, struct wsp_peer *peer, wspool_request *request,
              struct wsp_entry *entry);
/* Goes on with a pending peer for which a verdict has come. WSP_PUT_OFF: others are awaited. */
int wsp_judge_verdict(wspool *pool, struct wsp_peer *peer, const wspool_verdict *verdict);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * pool/answer.h - HTTP answers in raw mode, and what the host adds to them.  Layer 4.
 *
 * Headers that the host adds (wspool_add_header) are stored in the peer's handshake object until
 * its 101, or its page, is queued.
 */
#ifndef WSP_POOL_ANSWER_H
#define WSP_POOL_ANSWER_H

#include "pool/pool.h"

/* Queues an answer for a raw peer, with the headers that the host added unless it is a refusal: a
 * refused peer has no handshake object any more. Returns 0 or WSPOOL_ERR_NOMEM. */
int wsp_queue_answer(wspool *pool, struct wsp_peer *peer, const wspool_answer *answer);

/* Answers a raw request that is no WebSocket handshake with a page that wsp_judge_plain returned.
 * The peer ends when the page was sent. */
void wsp_answer_page(wspool *pool, struct wsp_peer *peer, const wspool_page *page);

#endif

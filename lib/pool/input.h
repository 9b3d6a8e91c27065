/* SPDX-License-Identifier: MIT */
/*
 * pool/input.h - what happens when the pool's budget for incomplete input is spent.  Layer 4.
 *
 * A peer may hold a message that has not come whole, and input that waits for the next turn: both
 * are bounded for each peer, and config.input_bytes bounds their sum. It is looked at when a feed
 * leaves something behind, not for each message.
 */
#ifndef WSP_POOL_INPUT_H
#define WSP_POOL_INPUT_H

#include "pool/pool.h"

static inline int wsp_input_is_over(const wspool *pool)
{
    return wsp_count_read(&pool->link.inbounds.held) > pool->config.input_bytes;
}

/* Closes peers, until at most three quarters of the budget are in use: those that hold at least
 * half of what the first of them holds, then half of that, and so on; by slot among these. */
void wsp_input_shed(wspool *pool);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * link/peek.h - gives out what an output queue has, and takes back what was written.  Layer 2.
 *
 * A peek returns vectors that point into blocks and into the control buffer, in the order of
 * sending. An ack says how many of these bytes the transport took. A transport that keeps bytes
 * (an asynchronous write, or TLS, which must repeat a write unchanged) pins them.
 *
 * Invariants, besides those of link/outq.h:
 * - peeked bytes are the first of their lane;
 * - while bytes are pinned, nothing is given out before them.
 */
#ifndef WSP_LINK_PEEK_H
#define WSP_LINK_PEEK_H

#include <sys/uio.h>

#include "link/outq.h"

/* See wspool_peek. A peer that keeps up has one run and nothing else, which is handled inline. */
int wsp_outq_peek_all(struct wsp_outq *q, struct iovec *vectors, int max);
static inline int wsp_outq_peek(struct wsp_outq *q, struct iovec *vectors, int max)
{
    if (q->control || q->more || q->bytes == 0) {
        return wsp_outq_peek_all(q, vectors, max);
    }
    q->peeked = q->bytes;
    q->tail_peeked = 1;
    vectors[0].iov_base = q->first.block->bytes + q->first.offset;
    vectors[0].iov_len = q->bytes;
    return 1;
}

/* The transport keeps the first `bytes` of what was peeked. Until all of them are acked they do not
 * change, and each peek gives them out first, whatever is queued meanwhile. Returns 0, or
 * WSPOOL_ERR_INVAL for no bytes or more than were peeked. */
int wsp_outq_pin(struct wsp_outq *q, size_t bytes);

struct wsp_acked {
    uint32_t messages; /* messages completed by it */
    int partly;        /* fewer bytes than were peeked */
};
/* Returns 0, or WSPOOL_ERR_INVAL for more bytes than were peeked. */
int wsp_outq_ack(struct wsp_outq *q, struct wsp_outqs *outqs, size_t bytes,
                 struct wsp_acked *acked);

/* The fast path of an ack, in two steps. First step: returns the number of messages if the whole
 * of the only run was written, else 0. */
static inline uint32_t wsp_outq_whole(const struct wsp_outq *q, size_t bytes)
{
    return !q->control && !q->more && bytes == q->bytes && bytes == q->peeked ? q->count : 0;
}
/* Second step, after a result above 0: releases them. */
static inline void wsp_outq_ack_whole(struct wsp_outq *q)
{
    struct wsp_block *block = q->first.block;
    q->first = (struct wsp_run){0};
    q->bytes = q->count = q->peeked = 0;
    q->tail_peeked = 0;
    wsp_block_release(block);
}

#endif

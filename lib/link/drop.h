/* SPDX-License-Identifier: MIT */
/*
 * link/drop.h - removes messages from an output queue before they are written.  Layer 2.
 *
 * What the last peek gave out is never removed, because the host may be writing it. When the first
 * message of a run is partly sent, the rest of its run can still be removed: the two are separated
 * first, which may need a chunk.
 *
 * Invariants: those of link/outq.h.
 */
#ifndef WSP_LINK_DROP_H
#define WSP_LINK_DROP_H

#include "link/outq.h"

/* Drops the oldest messages that are not peeked, until `bytes` more fit under `max_bytes` and
 * one more under `max_count`. Returns how many were dropped: fewer than needed when the rest is
 * peeked, or when there was no memory to split a run. */
uint32_t wsp_outq_drop_oldest(struct wsp_outq *q, struct wsp_outqs *outqs, uint32_t bytes,
                              uint32_t max_bytes, uint32_t max_count);
/* Drops all messages that are not peeked. Returns how many. */
uint32_t wsp_outq_drop_all(struct wsp_outq *q, struct wsp_outqs *outqs);

/* Frees the chunks that have no run with a block. */
void wsp_outq_drop_empty(struct wsp_outq *q, struct wsp_outqs *outqs);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * link/transmit.h - what the host wrote of a peer's output, and what the transport did not take.
 * Layer 2.
 *
 * A connection is blocked from an ack of fewer bytes than were peeked (or from wspool_under_way)
 * until the transport takes bytes again. Nothing is peeked for it meanwhile. flush_time runs from
 * the last progress, `last_progress`.
 *
 * Invariants:
 * - link->blocked is the number of blocked connections;
 * - WSP_MARK_UNDER_WAY is set only while the queue's output is pinned (link/peek.h).
 */
#ifndef WSP_LINK_TRANSMIT_H
#define WSP_LINK_TRANSMIT_H

#include "link/conn.h"
#include "link/peek.h"

/* See wspool_ack. Returns 0 or INVAL. */
int wsp_conn_ack(struct wsp_link *link, struct wsp_conn *conn, size_t bytes);
/* See wspool_under_way. Returns 0 or INVAL. */
int wsp_conn_under_way(struct wsp_link *link, struct wsp_conn *conn, size_t bytes);
/* See wspool_writable. */
void wsp_conn_writable(struct wsp_link *link, struct wsp_conn *conn);

#endif

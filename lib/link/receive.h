/* SPDX-License-Identifier: MIT */
/*
 * link/receive.h - what arrives from a peer: frames become events of its connection.  Layer 2.
 *
 * A message goes to the link's hook. A ping is answered, a Close is answered and ends the
 * connection, and a frame that serves no purpose draws on the peer's abuse budget.
 *
 * The input of all peers may cause a bounded number of deliveries in a turn (link/turn.h). The rest
 * of a peer's input is kept until wsp_conn_resume. Later input, and the end of the transport, wait
 * behind it.
 *
 * Invariants:
 * - WSP_MARK_KEPT is set exactly while input is kept (wsp_inbound_keep); the peer is not read then;
 * - nothing is parsed after the peer's Close.
 */
#ifndef WSP_LINK_RECEIVE_H
#define WSP_LINK_RECEIVE_H

#include "link/conn.h"

/* Bytes have arrived from a peer that is open, closing or closed. A message may have `limit` bytes
 * after decoding. */
void wsp_conn_receive(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *bytes,
                      size_t len, size_t limit);
/* Reads on in the input that was kept, until it has caused `most` (wsp_conn_caused). The rest is
 * kept again. `limit` as in wsp_conn_receive. */
void wsp_conn_resume(struct wsp_link *link, struct wsp_conn *conn, size_t limit, uint64_t most);
/* What the input of all peers has caused so far: deliveries, and what stands for other work. */
static inline uint64_t wsp_conn_caused(const struct wsp_link *link)
{
    return wsp_count_read(&link->count->deliveries) + link->inbounds.turn.others;
}
/* The transport has ended. After an orderly end (EOF) kept input is read first. */
void wsp_conn_gone(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end);

/* Gives up what has arrived of a message or is kept, and frees its memory. An open peer is closed
 * for it, with `end`. The peer has an inbound object. */
void wsp_conn_abandon_input(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end);

/* Draws on the abuse budget, and closes the connection when the budget is spent. */
void wsp_conn_abuse(struct wsp_link *link, struct wsp_conn *conn, uint32_t cost);

#endif

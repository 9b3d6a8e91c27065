/* SPDX-License-Identifier: MIT */
/*
 * link/liveness.h - the deadlines of a connection: pings, idle, slow messages, blocked output.
 * Layer 2.
 *
 * One timer serves all deadlines of a peer. It is armed for the nearest one, and when it fires all
 * are computed again. So input and output only store a coarse time; they do not touch the wheel.
 *
 * Three rules keep a peer from being ended for what the host or the network did:
 * - A peer is judged only after it could be read. A deadline that has passed gives one last chance
 *   (WSP_LAST_CHANCE), which is as long as the host is late, between 33 ms and 1 s.
 * - While its output is blocked, a peer is read only once for each write that made progress, and
 *   its deadlines pause. Only flush_time runs.
 * - The deadline of a pong begins when the ping has left, and grows by 1 s for each 4 KiB that was
 *   sent before it, up to flush_time.
 */
#ifndef WSP_LINK_LIVENESS_H
#define WSP_LINK_LIVENESS_H

#include "link/conn.h"
#include "link/times.h"

/* A message that is slower on average is too slow, and so is blocked output. */
#define WSP_BYTES_PER_SECOND 4096u

/* Acts on the deadlines that have passed, and arms the timer for the next one. Only for a peer that
 * is open, closing or closed. */
void wsp_conn_timer(struct wsp_link *link, struct wsp_conn *conn);
/* The timer of a peer that is closing or refused has fired: ends the peer if its deadline has
 * passed. */
void wsp_conn_expire(struct wsp_link *link, struct wsp_conn *conn);
/* A deadline of the peer was `due` and has passed. Returns 1 if the peer is to be judged now. If it
 * returns 0, the peer has its last chance, and the timer is armed for its end. */
int wsp_conn_is_judged(struct wsp_link *link, struct wsp_conn *conn, uint64_t due);

/* -------------------------------------------------------------------- input */

/* Returns the deadline of the message or frame header that is arriving, or UINT64_MAX. */
static inline uint64_t wsp_conn_message_deadline(const struct wsp_link *link,
                                                 const struct wsp_conn *conn)
{
    uint64_t time = link->config->message_time;
    const struct wsp_inbound *in = conn->work.inbound;
    if (time == 0) {
        return UINT64_MAX;
    }
    if (in && (in->decoder || in->message)) {
        return in->started + time + in->received / WSP_BYTES_PER_SECOND * WSPOOL_SECOND;
    }
    return conn->parser.have > 0 ? wsp_coarse_end(link, conn->last_received) + time : UINT64_MAX;
}

/* The cold path of wsp_conn_note_received. */
void wsp_conn_end_wait(struct wsp_link *link, struct wsp_conn *conn);
/* Bytes have arrived: any byte answers a ping. */
static inline void wsp_conn_note_received(struct wsp_link *link, struct wsp_conn *conn, size_t len)
{
    conn->last_received = wsp_coarse_now(link);
    if ((conn->flags & (WSP_PINGED | WSP_READ_ONCE)) && len > 0) {
        wsp_conn_end_wait(link, conn);
    }
}

/* The host stops reading the peer. If it is open, its deadlines stand still. */
void wsp_conn_pause_input(struct wsp_link *link, struct wsp_conn *conn);
/* The host reads an open peer again: its deadlines move by the length of the pause. */
void wsp_conn_resume_input(struct wsp_link *link, struct wsp_conn *conn);

/* Pings an open connection at once, unless a ping waits for its answer, and calls link->on_answer
 * when it has answered: with any byte that comes after the ping has left. Needs a pong_time. */
void wsp_conn_contest(struct wsp_link *link, struct wsp_conn *conn);

/* ------------------------------------------------------------------- output */

/* The Pong that was awaited is here. */
void wsp_conn_note_pong(struct wsp_link *link, const struct wsp_conn *conn);
/* The cold path of wsp_conn_note_sent. */
void wsp_conn_note_sent_much(struct wsp_link *link, struct wsp_conn *conn, size_t bytes);
/* That many bytes of an open peer were written: perhaps much, perhaps a ping. */
static inline void wsp_conn_note_sent(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    if (bytes >= WSP_BYTES_PER_SECOND || (conn->flags & WSP_PING_WAITS)) {
        wsp_conn_note_sent_much(link, conn, bytes);
    }
}

/* The transport was full and has taken more, so the peer has taken something. */
void wsp_conn_note_progress(struct wsp_link *link, struct wsp_conn *conn);

#endif

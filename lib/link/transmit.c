/* SPDX-License-Identifier: MIT */
/* link/transmit.c - see link/transmit.h. */
#include "link/transmit.h"

#include "link/liveness.h"

/* Some output of a queue with marks was written. */
static void check_low_watermark(struct wsp_link *link, struct wsp_conn *conn, int partly)
{
    struct wsp_outq *out = &conn->out;
    if (!partly) {
        out->marks = (uint8_t)(out->marks & ~WSP_MARK_STUCK);
    }
    if (out->marks & WSP_MARK_BEHIND) {
        wsp_conn_defer(link, conn, 0); /* it may be refilled */
    }
    if ((out->marks & WSP_MARK_ABOVE_HIGH) && out->bytes <= link->low_bytes &&
        out->count <= link->low_messages) {
        out->marks = (uint8_t)(out->marks & ~WSP_MARK_ABOVE_HIGH);
        wsp_conn_defer(link, conn, WSP_DUE_PRESSURE);
    }
}

/* Returns by how much coarse time these bytes move the deadline of blocked output: by the time that
 * they take at WSP_BYTES_PER_SECOND, but not beyond now. */
static uint32_t earned(uint32_t most, size_t bytes)
{
    uint64_t time = bytes * (WSPOOL_SECOND / WSP_BYTES_PER_SECOND);
    time = (time + (UINT64_C(1) << (WSP_COARSE_TIME_BITS - 1))) >> WSP_COARSE_TIME_BITS;
    return time < most ? (uint32_t)time : most;
}

/* Nothing more is written to the peer for now. `bytes` of its output were written since it was
 * last blocked. Returns 1 if it was not blocked before, else 0. */
static int hold_back(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    if (conn->out.marks & WSP_MARK_STUCK) {
        conn->last_progress += earned(wsp_coarse_now(link) - conn->last_progress, bytes);
    } else {
        conn->last_progress = wsp_coarse_now(link);
        conn->out.marks |= WSP_MARK_STUCK;
    }
    if (conn->out.blocked) {
        return 0;
    }
    conn->out.blocked = 1;
    link->blocked++;
    if (link->config->flush_time) {
        wsp_timers_sooner(&link->timers, conn->slot.index,
                          wsp_coarse_end(link, conn->last_progress) + link->config->flush_time);
    }
    return 1;
}

/* The transport did not take everything: the peer is not read either. */
static void block(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    if (hold_back(link, conn, bytes)) {
        wsp_count_add(&link->count->blocked, 1);
        wsp_conn_pause_input(link, conn);
    }
}

int wsp_conn_under_way(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    if (conn->state == WSP_CLOSED) {
        return 0;
    }
    int error = wsp_outq_pin(&conn->out, bytes);
    if (!error) {
        if (wsp_conn_is_unread(conn)) {
            wsp_conn_writable(link, conn);
        }
        hold_back(link, conn, 0);
        conn->out.marks |= WSP_MARK_UNDER_WAY;
    }
    return error;
}

/* The bytes under way were written, or the transport no longer keeps them. */
static void arrive(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->out.marks = (uint8_t)(conn->out.marks & ~WSP_MARK_UNDER_WAY);
    wsp_conn_unblock(link, conn);
}

/* Returns 1 if the transport was full before this ack. Bytes that were under way for less than a
 * unit of the coarse time do not tell that. */
static int was_full(const struct wsp_link *link, const struct wsp_conn *conn)
{
    unsigned marks = conn->out.marks;
    return (marks & WSP_MARK_STUCK) &&
           (!(marks & WSP_MARK_UNDER_WAY) || wsp_coarse_now(link) != conn->last_progress);
}

void wsp_conn_writable(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->out.marks & WSP_MARK_UNDER_WAY) {
        return; /* until the ack */
    }
    if (conn->state == WSP_OPEN && wsp_conn_is_unread(conn)) {
        wsp_conn_resume_input(link, conn);
    }
    wsp_conn_unblock(link, conn);
    wsp_conn_mark_ready(link, conn);
}

int wsp_conn_ack(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    struct wsp_outq *out = &conn->out;
    struct wsp_acked acked;
    uint32_t before = out->bytes;
    if (!out->accepts && conn->state == WSP_CLOSED) {
        return 0;
    }
    int error = wsp_outq_ack(out, &link->outqs, bytes, &acked);
    if (error) {
        return error;
    }
    wsp_count_add(&link->count->sent, acked.messages);
    wsp_count_add(&link->count->sent_bytes, bytes);
    wsp_count_sub(&link->count->waiting_bytes, before - out->bytes);
    if (!out->accepts) {
        conn->flags |= bytes > 0 ? WSP_TAKES : 0;
    } else {
        wsp_conn_note_sent(link, conn, bytes);
    }
    int drained = 0;
    if (out->marks) {
        drained = bytes > 0 && was_full(link, conn);
        if (out->marks & WSP_MARK_UNDER_WAY) {
            arrive(link, conn);
        }
        check_low_watermark(link, conn, acked.partly);
    }
    if (acked.partly) {
        block(link, conn, bytes);
    } else if (!wsp_outq_empty(out)) {
        if (!out->blocked) {
            wsp_conn_mark_ready(link, conn);
        }
    } else if (!out->accepts) {
        wsp_conn_end_if_closed(link, conn);
    }
    if (drained) {
        wsp_conn_note_progress(link, conn);
    }
    return 0;
}

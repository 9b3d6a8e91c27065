/* SPDX-License-Identifier: MIT */
/* link/conn.c - see link/conn.h. */
#include "link/conn.h"

#include <string.h>

#include <wspool/error.h>
#include "link/negotiated.h"
#include "link/times.h"
#include "wire/closing.h"

static const struct {
    int code;
    const char *text;
} ends[] = {
#define WSPOOL_X(name, code, text) {code, text},
    WSPOOL_ENDS(WSPOOL_X)
#undef WSPOOL_X
};

void wsp_conn_init(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->state = WSP_HEAD;
    conn->last_received = wsp_coarse_now(link);
    conn->since = link->now;
    wsp_timer_init(&conn->timer);
    wsp_conn_await(link, conn, link->config->handshake_time);
}

void wsp_conn_await(struct wsp_link *link, struct wsp_conn *conn, uint64_t time)
{
    conn->flags = (uint16_t)(conn->flags & ~WSP_LAST_CHANCE);
    conn->deadline = link->now + time;
    wsp_timers_arm(&link->timers, conn->slot.index, conn->deadline);
}

void wsp_conn_take_messages(struct wsp_conn *conn, int take)
{
    unsigned encoding = wsp_negotiated_encoding(conn->parser.negotiated);
    conn->out.accepts = take ? (uint8_t)(1 + encoding + conn->contract * WSP_ENCODINGS) : 0;
}

void wsp_conn_open(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->state = WSP_OPEN;
    wsp_conn_take_messages(conn, 1);
    conn->since = link->now;
    conn->last_received = wsp_coarse_now(link);
    conn->deadline = link->config->ping_interval ? wsp_next_ping(link) : UINT64_MAX;
    conn->flags = (uint16_t)(conn->flags & ~WSP_LAST_CHANCE);
    uint64_t next = conn->deadline;
    if (link->config->lifetime) {
        next = wsp_earlier(next, link->now + link->config->lifetime);
    }
    if (link->config->idle_time) {
        next =
            wsp_earlier(next, wsp_coarse_end(link, conn->last_received) + link->config->idle_time);
    }
    wsp_timers_arm(&link->timers, conn->slot.index, next);
    wsp_conn_mark_ready(link, conn);
}

/* Leaves a state before CLOSING. Fields that an open peer uses get their second meaning. */
static void leave_open(struct wsp_conn *conn, enum wspool_end end)
{
    conn->end = (uint8_t)end;
    conn->flags = (uint16_t)(conn->flags & ~(WSP_PINGED | WSP_PING_WAITS | WSP_LAST_CHANCE));
    conn->out.marks = (uint8_t)(conn->out.marks & ~WSP_MARK_CONTESTED);
    conn->lost = 0;
    conn->code_sent = conn->code_received = 0;
}

void wsp_conn_end(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end)
{
    if (conn->state == WSP_CLOSED) {
        return;
    }
    if (conn->state != WSP_CLOSING) {
        leave_open(conn, end);
    } else if (!wsp_outq_close_sent(&conn->out)) {
        conn->code_sent = 0;
    }
    wsp_conn_unblock(link, conn);
    conn->state = WSP_CLOSED;
    conn->out.accepts = 0;
    wsp_timers_disarm(&link->timers, conn->slot.index);
    wsp_conn_defer(link, conn, WSP_DUE_ENDED | WSP_DUE_LEAVE);
    wsp_conn_mark_ready(link, conn);
}

void wsp_conn_reset(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end)
{
    conn->flags |= WSP_RESET;
    wsp_conn_end(link, conn, end);
}

void wsp_conn_end_if_closed(struct wsp_link *link, struct wsp_conn *conn)
{
    if ((conn->state == WSP_CLOSING && (conn->flags & WSP_CLOSE_RECEIVED)) ||
        conn->state == WSP_REFUSED) {
        if (wsp_outq_empty(&conn->out)) {
            wsp_conn_end(link, conn, (enum wspool_end)conn->end);
        }
    }
}

static void drop_queued(struct wsp_link *link, struct wsp_conn *conn)
{
    uint32_t bytes = conn->out.bytes;
    uint32_t dropped = wsp_outq_drop_all(&conn->out, &link->outqs);
    conn->lost += dropped;
    wsp_count_add(&link->count->dropped_closed, dropped);
    wsp_count_sub(&link->count->waiting_bytes, bytes - conn->out.bytes);
}

void wsp_conn_close(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end, int code,
                    const char *reason, size_t reason_len, int drop)
{
    uint8_t payload[WSP_CONTROL_MAX];
    uint8_t frame[WSP_CLOSE_FRAME_MAX];
    if (conn->state != WSP_OPEN) {
        return;
    }
    conn->state = WSP_CLOSING;
    leave_open(conn, end);
    conn->out.accepts = 0;
    if (drop) {
        drop_queued(link, conn);
    }
    size_t len = wsp_close_write(payload, code, reason, reason_len);
    wsp_frame_write(frame, WSP_CLOSE, payload, len);
    wsp_conn_defer(link, conn, WSP_DUE_LEAVE);
    if (wsp_outq_close(&conn->out, &link->outqs, frame, len + 2)) {
        wsp_conn_end(link, conn, end);
        return;
    }
    conn->code_sent = (uint16_t)code;
    wsp_conn_await(link, conn, link->config->closing_time);
    wsp_conn_mark_ready(link, conn);
}

void wsp_conn_fail(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end, int drop)
{
    wsp_conn_close(link, conn, end, ends[end].code, ends[end].text, strlen(ends[end].text), drop);
}

void wsp_conn_drop_output(struct wsp_link *link, struct wsp_conn *conn, int released)
{
    conn->lost += conn->out.count;
    wsp_count_add(&link->count->dropped_closed, conn->out.count);
    wsp_count_sub(&link->count->waiting_bytes, conn->out.bytes);
    if (released || !wsp_outq_under_way(&conn->out)) {
        wsp_outq_fini(&conn->out, &link->outqs);
    }
    conn->out.count = 0;
    conn->out.bytes = 0;
}

void wsp_conn_fini(struct wsp_link *link, struct wsp_conn *conn, int released)
{
    wsp_conn_drop_output(link, conn, released);
    wsp_inbound_fini(&link->inbounds, &conn->work.inbound);
}

void wsp_conn_above_high(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->out.marks |= WSP_MARK_ABOVE_HIGH;
    wsp_conn_mark_ready(link, conn); /* whatever flush_delay says */
    wsp_conn_defer(link, conn, WSP_DUE_PRESSURE);
}

int wsp_conn_check(const struct wsp_conn *conn)
{
    const struct wsp_control *control = conn->out.control;
    int armed = conn->timer.prev != WSP_TIMER_OFF;
    if (conn->state > WSP_CLOSED || (conn->out.accepts != 0) != (conn->state == WSP_OPEN) ||
        ((conn->flags & WSP_PINGED) && conn->state != WSP_OPEN) ||
        ((conn->out.marks & WSP_MARK_CONTESTED) && conn->state != WSP_OPEN) ||
        ((conn->flags & WSP_CLOSE_RECEIVED) && conn->state < WSP_CLOSING) ||
        !wsp_frame_parser_check(&conn->parser)) {
        return 0;
    }
    if (conn->state == WSP_CLOSED) {
        return !armed && !conn->out.blocked; /* its output may be released in part */
    }
    /* An open peer without pings and deadlines waits for nothing. */
    if (!armed && conn->state != WSP_OPEN) {
        return 0;
    }
    if (conn->state >= WSP_OPEN && conn->work.inbound && !wsp_inbound_check(conn->work.inbound)) {
        return 0;
    }
    return (!control || control->close_end == 0 || conn->state == WSP_CLOSING) &&
           conn->out.blocked <= 1 && wsp_outq_check(&conn->out);
}

/* SPDX-License-Identifier: MIT */
/* link/liveness.c - see link/liveness.h. */
#include "link/liveness.h"

/* The shortest and the longest last chance. */
#define SHORTEST_CHANCE (33 * WSPOOL_MILLISECOND)
#define LONGEST_CHANCE WSPOOL_SECOND

/* Returns the deadline for answering a ping that has left now. What was sent in bulk before it may
 * still be on its way, behind a slow link, and the ping is behind that. */
static uint64_t pong_deadline(const struct wsp_link *link, const struct wsp_conn *conn)
{
    uint64_t bulk = conn->bulk * WSPOOL_SECOND;
    uint64_t flush = link->config->flush_time;
    return link->now + link->config->pong_time + (flush ? wsp_earlier(bulk, flush) : bulk);
}

/* -------------------------------------------------------------------- input */

/* Returns 1 if what has arrived answers the ping. */
static int is_answer(const struct wsp_conn *conn)
{
    return (conn->flags & WSP_PINGED) &&
           !((conn->out.marks & WSP_MARK_CONTESTED) && (conn->flags & WSP_PING_WAITS));
}

/* Any byte answers a ping. If these bytes are the Pong itself, their way is a round trip. The
 * deadline tells when the ping had left, unless much was sent behind it. */
static void note_answer(struct wsp_link *link, const struct wsp_conn *conn)
{
    const uint64_t left = conn->deadline - link->config->pong_time;
    if (!(conn->flags & WSP_PING_WAITS) && conn->bulk == 0 && left <= link->now) {
        link->answer.at = link->now;
        link->answer.took = link->now - left;
        link->answer.slot = conn->slot.index;
    }
}

void wsp_conn_note_pong(struct wsp_link *link, const struct wsp_conn *conn)
{
    if (link->answer.slot == conn->slot.index && link->answer.at == link->now) {
        wsp_histogram_add(&link->count->round_trip, wsp_microseconds(link->answer.took));
        link->answer.at = UINT64_MAX;
    }
}

void wsp_conn_end_wait(struct wsp_link *link, struct wsp_conn *conn)
{
    if (is_answer(conn)) {
        note_answer(link, conn);
        conn->flags = (uint16_t)(conn->flags & ~(WSP_PINGED | WSP_PING_WAITS));
        conn->bulk = 0;
        conn->deadline = link->config->ping_interval ? wsp_next_ping(link) : UINT64_MAX;
        wsp_timers_sooner(&link->timers, conn->slot.index, conn->deadline);
        if (conn->out.marks & WSP_MARK_CONTESTED) {
            conn->out.marks = (uint8_t)(conn->out.marks & ~WSP_MARK_CONTESTED);
            link->on_answer(link, conn);
        }
    }
    if (conn->flags & WSP_READ_ONCE) {
        conn->flags = (uint16_t)(conn->flags & ~WSP_READ_ONCE);
        if (wsp_conn_is_unread(conn)) {
            wsp_conn_pause_input(link, conn);
        }
    }
}

void wsp_conn_pause_input(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->state == WSP_OPEN) {
        conn->unread = wsp_coarse_now(link);
    }
    wsp_conn_mark_ready(link, conn);
}

/* The timer may have fired during the pause without a reason to be armed again, so it is armed
 * here. */
void wsp_conn_resume_input(struct wsp_link *link, struct wsp_conn *conn)
{
    uint64_t next = UINT64_MAX;
    uint32_t now = wsp_coarse_now(link), pause = now - conn->unread;
    uint64_t time = (uint64_t)pause << WSP_COARSE_TIME_BITS;
    conn->last_received = now - conn->last_received > pause ? conn->last_received + pause : now;
    if (conn->work.inbound) {
        conn->work.inbound->started = wsp_earlier(conn->work.inbound->started + time, link->now);
    }
    if (conn->deadline != UINT64_MAX) {
        conn->deadline += time;
        next = conn->deadline;
    }
    if (link->config->idle_time) {
        next =
            wsp_earlier(next, wsp_coarse_end(link, conn->last_received) + link->config->idle_time);
    }
    wsp_timers_sooner(&link->timers, conn->slot.index,
                      wsp_earlier(next, wsp_conn_message_deadline(link, conn)));
}

/* ------------------------------------------------------------------- output */

void wsp_conn_note_sent_much(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    const struct wsp_control *control = conn->out.control;
    size_t bulk = conn->bulk + bytes / WSP_BYTES_PER_SECOND;
    conn->bulk = (uint8_t)(bulk < UINT8_MAX ? bulk : UINT8_MAX);
    if ((conn->flags & WSP_PING_WAITS) && (!control || control->start == control->end)) {
        conn->flags = (uint16_t)(conn->flags & ~WSP_PING_WAITS);
        conn->deadline = pong_deadline(link, conn);
        wsp_timers_sooner(&link->timers, conn->slot.index, conn->deadline);
    }
}

void wsp_conn_note_progress(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->state != WSP_OPEN) {
        return;
    }
    if ((conn->flags & (WSP_PINGED | WSP_PING_WAITS)) == WSP_PINGED) {
        conn->deadline = pong_deadline(link, conn);
    }
    if (wsp_conn_is_unread(conn)) {
        wsp_conn_resume_input(link, conn);
        conn->flags |= WSP_READ_ONCE;
        wsp_conn_mark_ready(link, conn);
    }
}

/* ---------------------------------------------------------------- deadlines */

int wsp_conn_is_judged(struct wsp_link *link, struct wsp_conn *conn, uint64_t due)
{
    if (conn->flags & WSP_LAST_CHANCE) {
        conn->flags = (uint16_t)(conn->flags & ~WSP_LAST_CHANCE);
        return 1;
    }
    uint64_t chance = link->now - due;
    chance = chance < SHORTEST_CHANCE ? SHORTEST_CHANCE : wsp_earlier(chance, LONGEST_CHANCE);
    conn->flags |= WSP_LAST_CHANCE;
    wsp_timers_arm(&link->timers, conn->slot.index, link->now + chance);
    return 0;
}

void wsp_conn_expire(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->deadline > link->now) {
        wsp_timers_arm(&link->timers, conn->slot.index, conn->deadline);
        return;
    }
    if (!wsp_conn_is_judged(link, conn, conn->deadline)) {
        return;
    }
    if (!(conn->flags & WSP_TAKES)) {
        wsp_conn_reset(link, conn, (enum wspool_end)conn->end);
    } else {
        wsp_conn_end(link, conn, (enum wspool_end)conn->end);
    }
}

static void ping(struct wsp_link *link, struct wsp_conn *conn)
{
    static const uint8_t frame[2] = {0x80u | WSP_PING, 0};
    if (wsp_outq_control(&conn->out, &link->outqs, frame, sizeof frame)) {
        conn->deadline = link->now + link->config->pong_time; /* no room: tries again then */
        return;
    }
    wsp_count_add(&link->count->pings_sent, 1);
    conn->flags |= WSP_PINGED | WSP_PING_WAITS | WSP_PONG_DUE;
    conn->deadline = UINT64_MAX; /* until it has left: see wsp_conn_note_sent */
    if (!conn->out.blocked) {
        wsp_conn_mark_ready(link, conn);
    }
}

void wsp_conn_contest(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->out.marks |= WSP_MARK_CONTESTED;
    if (!(conn->flags & WSP_PINGED)) {
        ping(link, conn);
        wsp_timers_sooner(&link->timers, conn->slot.index, conn->deadline);
    }
}

void wsp_conn_timer(struct wsp_link *link, struct wsp_conn *conn)
{
    const wspool_config *config = link->config;
    const uint64_t now = link->now, never = UINT64_MAX;
    if (conn->state == WSP_CLOSING) {
        wsp_conn_expire(link, conn);
    }
    if (conn->state != WSP_OPEN) {
        return;
    }
    uint64_t lifetime = config->lifetime ? conn->since + config->lifetime : never;
    if (lifetime <= now) {
        wsp_conn_fail(link, conn, WSPOOL_END_LIFETIME, 0);
        return;
    }
    int unread = wsp_conn_is_unread(conn); /* then only flush_time runs */
    uint64_t deadline = unread ? never : conn->deadline;
    uint64_t flush = conn->out.blocked && config->flush_time
                         ? wsp_coarse_end(link, conn->last_progress) + config->flush_time
                         : never;
    uint64_t idle = config->idle_time && !unread
                        ? wsp_coarse_end(link, conn->last_received) + config->idle_time
                        : never;
    uint64_t message = unread ? never : wsp_conn_message_deadline(link, conn);
    uint64_t judged = wsp_earlier(flush, wsp_earlier(idle, message));
    if (conn->flags & WSP_PINGED) {
        judged = wsp_earlier(judged, deadline);
    }
    if (judged <= now) {
        if (!wsp_conn_is_judged(link, conn, judged)) {
            return;
        }
        if (flush <= now) {
            wsp_conn_reset(link, conn, WSPOOL_END_FLUSH_TIMEOUT);
        } else if (idle <= now) {
            wsp_conn_fail(link, conn, WSPOOL_END_IDLE, 0);
        } else if (message <= now) {
            wsp_conn_fail(link, conn, WSPOOL_END_MESSAGE_TIMEOUT, 0);
        } else {
            wsp_conn_reset(link, conn, WSPOOL_END_PONG_TIMEOUT);
        }
        return;
    }
    conn->flags = (uint16_t)(conn->flags & ~WSP_LAST_CHANCE);
    if (deadline <= now) {
        ping(link, conn);
        deadline = conn->deadline;
    }
    wsp_timers_arm(&link->timers, conn->slot.index,
                   wsp_earlier(wsp_earlier(lifetime, judged), deadline));
}

/* SPDX-License-Identifier: MIT */
/*
 * link/conn.c - see link/conn.h.
 *
 * One timer serves all deadlines of a peer. It is armed for the nearest, and when it fires all
 * are looked at again; so bytes that come or go only write a stamp, and never touch the wheel.
 */
#include "link/conn.h"

#include <string.h>

#include "base/noinline.h"

#include <wspool/error.h>
#include <wspool/wspool.h>
#include "link/negotiated.h"
#include "wire/closing.h"

#define BYTES_PER_SECOND 4096u /* a message that is slower than this on the whole is too slow */

/* A last chance is as long as the host is late, within these. */
#define SHORTEST_CHANCE (33 * WSPOOL_MILLISECOND)
#define LONGEST_CHANCE WSPOOL_SECOND

static const struct {
    int code;
    const char *text;
} ends[] = {
#define WSPOOL_X(name, code, text) {code, text},
    WSPOOL_ENDS(WSPOOL_X)
#undef WSPOOL_X
};

/* Its transport takes bytes again, or is no more. */
static void unblock(struct wsp_link *link, struct wsp_conn *conn)
{
    link->blocked -= conn->out.blocked;
    conn->out.blocked = 0;
}

static uint32_t coarse_now(const struct wsp_link *link)
{
    return wsp_coarse_time(link->now - link->created_at);
}

/* The end of the time that a stamp names, so that no deadline comes early. Counted back from now,
 * so that stamps may wrap. */
static uint64_t coarse_to_ns(const struct wsp_link *link, uint32_t coarse_time)
{
    uint64_t now = (link->now - link->created_at) >> WSP_COARSE_TIME_BITS;
    uint32_t age = (uint32_t)now - coarse_time;
    return link->created_at + ((now - age + 1) << WSP_COARSE_TIME_BITS);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* now + interval, varied by +-jitter percent (xorshift64*: spread is all that is asked). */
static uint64_t next_ping(struct wsp_link *link)
{
    uint64_t interval = link->config->ping_interval;
    uint64_t spread = interval / 100 * link->config->ping_jitter;
    uint64_t x = link->random;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    link->random = x;
    x = (x * UINT64_C(2685821657736338717)) >> 11;
    return link->now + interval - spread + (spread > 0 ? x % (2 * spread + 1) : 0);
}

/* ----------------------------------------------------------------- states */

void wsp_conn_init(struct wsp_link *link, struct wsp_conn *conn, enum wsp_state state)
{
    conn->state = (uint8_t)state;
    conn->last_received = coarse_now(link);
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

void wsp_conn_open(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->state = WSP_OPEN;
    conn->out.accepts = (uint8_t)(1 + wsp_negotiated_encoding(conn->parser.negotiated));
    conn->since = link->now;
    conn->last_received = coarse_now(link);
    conn->deadline = link->config->ping_interval ? next_ping(link) : UINT64_MAX;
    conn->flags = (uint16_t)(conn->flags & ~WSP_LAST_CHANCE);
    uint64_t next = conn->deadline;
    if (link->config->lifetime) {
        next = earlier(next, link->now + link->config->lifetime);
    }
    if (link->config->idle_time) {
        next = earlier(next, coarse_to_ns(link, conn->last_received) + link->config->idle_time);
    }
    wsp_timers_arm(&link->timers, conn->slot.index, next);
    wsp_conn_mark_ready(link, conn);
}

/* From here on it is being closed, or over: what was noted of an open peer makes room. */
static void leave_open(struct wsp_conn *conn, enum wspool_end end)
{
    conn->end = (uint8_t)end;
    conn->flags = (uint16_t)(conn->flags & ~(WSP_PINGED | WSP_PING_WAITS | WSP_LAST_CHANCE));
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
    unblock(link, conn);
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

int wsp_conn_is_judged(struct wsp_link *link, struct wsp_conn *conn, uint64_t due)
{
    if (conn->flags & WSP_LAST_CHANCE) {
        conn->flags = (uint16_t)(conn->flags & ~WSP_LAST_CHANCE);
        return 1;
    }
    uint64_t chance = link->now - due;
    chance = chance < SHORTEST_CHANCE ? SHORTEST_CHANCE : earlier(chance, LONGEST_CHANCE);
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

/* Our Close is away and the peer's is here (RFC 6455, 7.1.1: the server closes first). */
static void end_if_closed(struct wsp_link *link, struct wsp_conn *conn)
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
    leave_open(conn, end); /* the deadline is the Close's from here on */
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

/* --------------------------------------------------------------------- in */

static void answer_ping(struct wsp_link *link, struct wsp_conn *conn,
                        const struct wsp_input_result *ping)
{
    uint8_t frame[2 + WSP_CONTROL_MAX];
    wsp_frame_write(frame, WSP_PONG, ping->data, ping->len);
    int replaced = wsp_outq_pong(&conn->out, &link->outqs, frame, ping->len + 2);
    if (replaced < 0) {
        wsp_conn_fail(link, conn, WSPOOL_END_NOMEM, 1);
        return;
    }
    wsp_count_add(&link->count->pongs_dropped, (uint64_t)replaced);
    if (!conn->out.blocked) {
        wsp_conn_mark_ready(link, conn);
    }
}

void wsp_conn_abuse(struct wsp_link *link, struct wsp_conn *conn, uint32_t cost)
{
    const wspool_config *config = link->config;
    wsp_count_add(&link->count->abuse_cost, cost);
    if (config->abuse_burst > 0 &&
        !wsp_bucket_draw(&conn->abuse, config->abuse_burst, config->abuse_rate, cost,
                         link->now - link->created_at)) {
        wsp_conn_fail(link, conn, WSPOOL_END_ABUSE, 0);
    }
}

static void take_close(struct wsp_link *link, struct wsp_conn *conn,
                       const struct wsp_input_result *close)
{
    int code = WSPOOL_CLOSE_NO_STATUS;
    int fault = wsp_close_parse(close->data, close->len, &code);
    conn->flags |= WSP_CLOSE_RECEIVED;
    if (conn->state == WSP_OPEN) {
        if (fault) {
            wsp_conn_fail(
                link, conn,
                fault == WSPOOL_CLOSE_BAD_DATA ? WSPOOL_END_BAD_UTF8 : WSPOOL_END_PROTOCOL, 0);
        } else {
            wsp_conn_close(link, conn, WSPOOL_END_PEER_CLOSED, code, NULL, 0, 0);
        }
    }
    conn->code_received = (uint16_t)code;
    end_if_closed(link, conn);
}

static void take_control(struct wsp_link *link, struct wsp_conn *conn,
                         const struct wsp_input_result *control)
{
    switch (control->opcode) {
    case WSP_PING:
        wsp_count_add(&link->count->pings_received, 1);
        wsp_conn_abuse(link, conn, 1);
        if (conn->state == WSP_OPEN) {
            answer_ping(link, conn, control);
        }
        break;
    case WSP_PONG:
        /* Any byte is a sign of life, so our ping was settled by the first of these already. */
        wsp_count_add(&link->count->pongs_received, 1);
        if (conn->flags & WSP_PONG_DUE) {
            conn->flags = (uint16_t)(conn->flags & ~WSP_PONG_DUE);
        } else {
            wsp_conn_abuse(link, conn, 1);
        }
        break;
    default:
        take_close(link, conn, control);
        break;
    }
}

static void take_result(struct wsp_link *link, struct wsp_conn *conn,
                        const struct wsp_input_result *result)
{
    switch (result->kind) {
    case WSP_INPUT_MESSAGE:
        wsp_count_add(&link->count->frames, 1);
        wsp_count_add(&link->count->received, 1);
        wsp_count_add(&link->count->codec_decoded, (uint64_t)result->encoded);
        link->on_message(link, conn, result->data, result->len, result->opcode == WSP_BINARY);
        break;
    case WSP_INPUT_CONTROL:
        wsp_count_add(&link->count->frames, 1);
        take_control(link, conn, result);
        break;
    case WSP_INPUT_FRAME:
        wsp_count_add(&link->count->frames, 1);
        if (result->len < WSP_TINY_FRAGMENT) {
            wsp_conn_abuse(link, conn, 1);
        }
        break;
    case WSP_INPUT_ERROR:
        wsp_conn_fail(link, conn, result->end, 0);
        break;
    case WSP_INPUT_MORE:
        break;
    }
}

static uint64_t message_deadline(const struct wsp_link *link, const struct wsp_conn *conn)
{
    uint64_t time = link->config->message_time;
    const struct wsp_inbound *in = conn->work.inbound;
    if (time == 0) {
        return UINT64_MAX;
    }
    if (in && (in->decoder || in->message)) {
        return in->started + time + in->received / BYTES_PER_SECOND * WSPOOL_SECOND;
    }
    return conn->parser.have > 0 ? coarse_to_ns(link, conn->last_received) + time : UINT64_MAX;
}

/* Reading from an open peer stops: what is awaited from it is not awaited meanwhile. */
static void pause_input(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->state == WSP_OPEN) {
        conn->unread = coarse_now(link);
    }
    wsp_conn_mark_ready(link, conn);
}

/* Bytes came from a peer that was pinged, or was given a sip. */
static WSP_NOINLINE void hear(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->flags & WSP_PINGED) {
        conn->flags = (uint16_t)(conn->flags & ~(WSP_PINGED | WSP_PING_WAITS));
        conn->bulk = 0;
        conn->deadline = next_ping(link);
        wsp_timers_sooner(&link->timers, conn->slot.index, conn->deadline);
    }
    if (conn->flags & WSP_SIP) {
        conn->flags = (uint16_t)(conn->flags & ~WSP_SIP);
        if (wsp_conn_is_unread(conn)) {
            pause_input(link, conn);
        }
    }
}

/* What it caused is as much as a peer may cause in a turn. The rest of the input waits for the
 * next, and nothing is read from the peer until then. */
static WSP_NOINLINE void keep(struct wsp_link *link, struct wsp_conn *conn,
                              const struct wsp_input *input)
{
    if (input->len == 0 || conn->state > WSP_CLOSING || !conn->work.inbound) {
        return;
    }
    if (wsp_inbound_keep(&link->inbounds, conn->work.inbound, conn->slot.index, input)) {
        wsp_conn_fail(link, conn, WSPOOL_END_NOMEM, 0);
        return;
    }
    conn->out.marks |= WSP_MARK_KEPT;
    wsp_count_add(&link->count->turns_spent, 1);
    wsp_conn_mark_ready(link, conn);
}

void wsp_conn_receive(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *bytes,
                      size_t len, size_t limit)
{
    struct wsp_input input = {.bytes = bytes, .len = len, .limit = limit, .now = link->now};
    struct wsp_input_result result;
    conn->last_received = coarse_now(link);
    if ((conn->flags & (WSP_PINGED | WSP_SIP)) && len > 0) {
        hear(link, conn);
    }
    if (conn->out.marks & WSP_MARK_KEPT) {
        keep(link, conn, &input);
        return;
    }
    link->inbounds.stop_at = wsp_count_read(&link->count->deliveries) + link->inbounds.turn;
    for (;;) {
        if (conn->flags & WSP_CLOSE_RECEIVED) {
            return;
        }
        if (conn->state == WSP_OPEN) {
            wsp_inbound_next(&link->inbounds, &conn->work.inbound, &conn->parser, &input, &result);
        } else if (conn->state == WSP_CLOSING) {
            wsp_inbound_discard(&link->inbounds, &conn->work.inbound, &conn->parser, &input,
                                &result);
            if (result.kind == WSP_INPUT_ERROR) {
                wsp_conn_end(link, conn, result.end);
            }
        } else {
            return;
        }
        if (result.kind == WSP_INPUT_MORE) {
            break;
        }
        take_result(link, conn, &result);
        if (wsp_count_read(&link->count->deliveries) >= link->inbounds.stop_at) {
            keep(link, conn, &input);
            break;
        }
    }
    if (conn->state == WSP_OPEN) {
        wsp_timers_sooner(&link->timers, conn->slot.index, message_deadline(link, conn));
    }
}

void wsp_conn_resume(struct wsp_link *link, struct wsp_conn *conn, size_t limit)
{
    struct wsp_inbound *in = conn->work.inbound;
    uint8_t ended = in->ended;
    conn->out.marks = (uint8_t)(conn->out.marks & ~WSP_MARK_KEPT);
    wsp_inbound_unkeep(&link->inbounds, in);
    wsp_conn_receive(link, conn, in->tail.data + in->tail_at, in->tail.len - in->tail_at, limit);
    if (conn->out.marks & WSP_MARK_KEPT) {
        return;
    }
    if (conn->state <= WSP_CLOSING && conn->work.inbound) {
        wsp_inbound_drop_tail(&link->inbounds, conn->work.inbound);
    }
    wsp_conn_mark_ready(link, conn);
    if (ended) {
        wsp_conn_end(link, conn, (enum wspool_end)(ended - 1));
    }
}

void wsp_conn_gone(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end)
{
    if ((conn->out.marks & WSP_MARK_KEPT) && conn->state <= WSP_CLOSING && end == WSPOOL_END_EOF) {
        conn->work.inbound->ended = (uint8_t)(1 + end);
        return;
    }
    wsp_conn_end(link, conn, end);
}

/* -------------------------------------------------------------------- out */

void wsp_conn_above_high(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->out.marks |= WSP_MARK_ABOVE_HIGH;
    wsp_conn_mark_ready(link, conn); /* it doesn't wait any longer */
    wsp_conn_defer(link, conn, WSP_DUE_PRESSURE);
}

/* Some of a marked queue was written. */
static void check_low_watermark(struct wsp_link *link, struct wsp_conn *conn, int partly)
{
    struct wsp_outq *out = &conn->out;
    if (!partly) {
        out->marks = (uint8_t)(out->marks & ~WSP_MARK_STUCK);
    }
    if ((out->marks & WSP_MARK_ABOVE_HIGH) && out->bytes <= link->config->queue_bytes / 8 &&
        out->count <= link->config->queue_messages / 8) {
        out->marks = (uint8_t)(out->marks & ~WSP_MARK_ABOVE_HIGH);
        wsp_conn_defer(link, conn, WSP_DUE_PRESSURE);
    }
}

/* No more is written to it for now; so much of its output has gone since it last was so. 1 when
 * that is new. */
static int hold_back(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    if (bytes > 0 || !(conn->out.marks & WSP_MARK_STUCK)) {
        conn->last_progress = coarse_now(link);
        conn->out.marks |= WSP_MARK_STUCK;
    }
    if (conn->out.blocked) {
        return 0;
    }
    conn->out.blocked = 1;
    link->blocked++;
    if (link->config->flush_time) {
        wsp_timers_sooner(&link->timers, conn->slot.index,
                          coarse_to_ns(link, conn->last_progress) + link->config->flush_time);
    }
    return 1;
}

/* The transport could not take all. */
static void block(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    if (hold_back(link, conn, bytes)) {
        wsp_count_add(&link->count->blocked, 1);
        pause_input(link, conn);
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
        conn->out.marks |= WSP_MARK_AWAY;
    }
    return error;
}

/* What was under way has gone, or has come back. */
static void arrive(struct wsp_link *link, struct wsp_conn *conn)
{
    conn->out.marks = (uint8_t)(conn->out.marks & ~WSP_MARK_AWAY);
    unblock(link, conn);
}

/* Until when a ping of ours is to be answered that has left now. What was sent in bulk before it is
 * perhaps still on its way, behind a slow link, and the ping behind that: so much longer, but no
 * longer than output may stand still. */
static uint64_t pong_deadline(const struct wsp_link *link, const struct wsp_conn *conn)
{
    uint64_t bulk = conn->bulk * WSPOOL_SECOND;
    uint64_t flush = link->config->flush_time;
    return link->now + link->config->pong_time + (flush ? earlier(bulk, flush) : bulk);
}

/* So much of an open peer's output was written, on the slow path: with it, perhaps, our ping. */
static void note_sent(struct wsp_link *link, struct wsp_conn *conn, size_t bytes)
{
    const struct wsp_control *control = conn->out.control;
    if (bytes >= BYTES_PER_SECOND) {
        size_t bulk = conn->bulk + bytes / BYTES_PER_SECOND;
        conn->bulk = (uint8_t)(bulk < UINT8_MAX ? bulk : UINT8_MAX);
    }
    if ((conn->flags & WSP_PING_WAITS) && (!control || control->start == control->end)) {
        conn->flags = (uint16_t)(conn->flags & ~WSP_PING_WAITS);
        conn->deadline = pong_deadline(link, conn);
        wsp_timers_sooner(&link->timers, conn->slot.index, conn->deadline);
    }
}

/* Had the transport no room for what is acked now? What was only under way, for less than a stamp
 * is counted in, says nothing of that. */
static int was_full(const struct wsp_link *link, const struct wsp_conn *conn)
{
    unsigned marks = conn->out.marks;
    return (marks & WSP_MARK_STUCK) &&
           (!(marks & WSP_MARK_AWAY) || coarse_now(link) != conn->last_progress);
}

/* Reading from an open peer goes on: its deadlines have stood still meanwhile. The timer may have
 * fired without looking at them, and with no other reason to be armed again. */
static void resume_input(struct wsp_link *link, struct wsp_conn *conn)
{
    uint64_t next = UINT64_MAX;
    uint32_t now = coarse_now(link), pause = now - conn->unread;
    uint64_t time = (uint64_t)pause << WSP_COARSE_TIME_BITS;
    conn->last_received = now - conn->last_received > pause ? conn->last_received + pause : now;
    if (conn->work.inbound) {
        conn->work.inbound->started = earlier(conn->work.inbound->started + time, link->now);
    }
    if (conn->deadline != UINT64_MAX) {
        conn->deadline += time;
        next = conn->deadline;
    }
    if (link->config->idle_time) {
        next = earlier(next, coarse_to_ns(link, conn->last_received) + link->config->idle_time);
    }
    wsp_timers_sooner(&link->timers, conn->slot.index, earlier(next, message_deadline(link, conn)));
}

void wsp_conn_writable(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->out.marks & WSP_MARK_AWAY) {
        return; /* until the ack */
    }
    if (conn->state == WSP_OPEN && wsp_conn_is_unread(conn)) {
        resume_input(link, conn);
    }
    unblock(link, conn);
    wsp_conn_mark_ready(link, conn);
}

/* The transport had been full, and has taken more: so the peer has taken something. */
static void progress(struct wsp_link *link, struct wsp_conn *conn)
{
    if (conn->state != WSP_OPEN) {
        return;
    }
    if ((conn->flags & (WSP_PINGED | WSP_PING_WAITS)) == WSP_PINGED) {
        conn->deadline = pong_deadline(link, conn);
    }
    if (wsp_conn_is_unread(conn)) {
        resume_input(link, conn);
        conn->flags |= WSP_SIP;
        wsp_conn_mark_ready(link, conn);
    }
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
        note_sent(link, conn, bytes);
    }
    int drained = 0;
    if (out->marks) {
        drained = bytes > 0 && was_full(link, conn);
        if (out->marks & WSP_MARK_AWAY) {
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
        end_if_closed(link, conn);
    }
    if (drained) {
        progress(link, conn);
    }
    return 0;
}

/* ------------------------------------------------------------------- time */

static void ping(struct wsp_link *link, struct wsp_conn *conn)
{
    static const uint8_t frame[2] = {0x80u | WSP_PING, 0};
    if (wsp_outq_control(&conn->out, &link->outqs, frame, sizeof frame)) {
        conn->deadline = link->now + link->config->pong_time; /* no room: then again */
        return;
    }
    wsp_count_add(&link->count->pings_sent, 1);
    conn->flags |= WSP_PINGED | WSP_PING_WAITS | WSP_PONG_DUE;
    conn->deadline = UINT64_MAX; /* until it has left: see note_sent */
    if (!conn->out.blocked) {
        wsp_conn_mark_ready(link, conn);
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
    int unread = wsp_conn_is_unread(conn); /* then only flush_time rules */
    uint64_t deadline = unread ? never : conn->deadline;
    uint64_t flush = conn->out.blocked && config->flush_time
                         ? coarse_to_ns(link, conn->last_progress) + config->flush_time
                         : never;
    uint64_t idle = config->idle_time && !unread
                        ? coarse_to_ns(link, conn->last_received) + config->idle_time
                        : never;
    uint64_t message = unread ? never : message_deadline(link, conn);
    uint64_t judged = earlier(flush, earlier(idle, message));
    if (conn->flags & WSP_PINGED) {
        judged = earlier(judged, deadline);
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
    wsp_timers_arm(&link->timers, conn->slot.index, earlier(earlier(lifetime, judged), deadline));
}

/* ------------------------------------------------------------------ check */

int wsp_conn_check(const struct wsp_conn *conn)
{
    const struct wsp_control *control = conn->out.control;
    int armed = conn->timer.prev != WSP_TIMER_OFF;
    if (conn->state > WSP_CLOSED || (conn->out.accepts != 0) != (conn->state == WSP_OPEN) ||
        ((conn->flags & WSP_PINGED) && conn->state != WSP_OPEN) ||
        ((conn->flags & WSP_CLOSE_RECEIVED) && conn->state < WSP_CLOSING) ||
        !wsp_frame_parser_check(&conn->parser)) {
        return 0;
    }
    if (conn->state == WSP_CLOSED) {
        return !armed && !conn->out.blocked; /* its output may be half given back */
    }
    /* Without pings and deadlines an open peer waits for nothing. */
    if (!armed && conn->state != WSP_OPEN) {
        return 0;
    }
    if (conn->state >= WSP_OPEN && conn->work.inbound && !wsp_inbound_check(conn->work.inbound)) {
        return 0;
    }
    return (!control || control->close_end == 0 || conn->state == WSP_CLOSING) &&
           conn->out.blocked <= 1 && wsp_outq_check(&conn->out);
}

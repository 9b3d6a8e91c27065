/* SPDX-License-Identifier: MIT */
/* link/receive.c - see link/receive.h. */
#include "link/receive.h"

#include "base/noinline.h"
#include "link/liveness.h"
#include "wire/closing.h"

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
    wsp_conn_end_if_closed(link, conn);
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
        /* Any byte answers a ping: wsp_conn_note_received has dealt with ours. */
        wsp_count_add(&link->count->pongs_received, 1);
        if (conn->flags & WSP_PONG_DUE) {
            conn->flags = (uint16_t)(conn->flags & ~WSP_PONG_DUE);
            wsp_conn_note_pong(link, conn);
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
        if (result->encoded) {
            wsp_count_add(&link->count->codec_decoded, 1);
            wsp_count_add(&link->count->codec_decoded_bytes, result->len);
        }
        wsp_turn_note(&link->inbounds.turn, conn->slot.index, link->now);
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

/* A feed has left something behind. If all peers together hold too much, the pool sheds some at the
 * end of the call. */
static void charge(struct wsp_link *link, struct wsp_conn *conn)
{
    wsp_inbound_charge(&link->inbounds, conn->work.inbound);
    if (wsp_count_read(&link->inbounds.held) > link->config->input_bytes) {
        wsp_conn_defer(link, conn, 0);
    }
}

/* The rest of the input waits for a later turn, and nothing is read from the peer until then. An
 * open peer without any rest waits too: else it could cause as much again with its next input. */
static WSP_NOINLINE void keep(struct wsp_link *link, struct wsp_conn *conn,
                              struct wsp_input_queue *queue, const struct wsp_input *input)
{
    if (conn->state > WSP_CLOSING || (input->len == 0 && conn->state != WSP_OPEN)) {
        return;
    }
    if (wsp_inbound_keep(&link->inbounds, &conn->work.inbound, queue, conn->slot.index, input)) {
        wsp_conn_fail(link, conn, WSPOOL_END_NOMEM, 0);
        return;
    }
    conn->out.marks |= WSP_MARK_KEPT;
    wsp_count_add(&link->count->turns_spent, 1);
    wsp_conn_mark_ready(link, conn);
}

/* The turn is used up, or nearly, or the input has waited. What comes behind input that waits has
 * to wait, too; and so has compressed input when the turn is used up. Returns 1 if this input does,
 * or else says how much it may cause. */
static WSP_NOINLINE int waits(struct wsp_link *link, struct wsp_conn *conn,
                              const struct wsp_input *input)
{
    struct wsp_turn *turn = &link->inbounds.turn;
    uint64_t caused = wsp_conn_caused(link);
    if (!(conn->out.marks & WSP_MARK_KEPT) &&
        (caused < turn->end || !conn->parser.negotiated || conn->state != WSP_OPEN)) {
        turn->stop_at = caused + (turn->part > 0 ? turn->part : turn->share);
        return 0;
    }
    if (input->len > 0) {
        keep(link, conn, &link->inbounds.unread, input);
    }
    return 1;
}

void wsp_conn_receive(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *bytes,
                      size_t len, size_t limit)
{
    struct wsp_input input = {.bytes = bytes, .len = len, .limit = limit, .now = link->now};
    struct wsp_input_result result;
    struct wsp_turn *turn = &link->inbounds.turn;
    wsp_conn_note_received(link, conn, len);
    turn->stop_at = turn->end;
    uint64_t caused = wsp_conn_caused(link);
    if (((conn->out.marks & WSP_MARK_KEPT) || turn->part > 0 || caused + turn->share > turn->end) &&
        waits(link, conn, &input)) {
        if (conn->work.inbound) {
            charge(link, conn);
        }
        return;
    }
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
        const uint64_t before = caused;
        caused = wsp_conn_caused(link);
        if (caused == before && result.kind != WSP_INPUT_FRAME) {
            turn->others++;
            caused++;
        }
        if (caused >= turn->stop_at) {
            keep(link, conn, &link->inbounds.partly, &input);
            break;
        }
    }
    if (conn->work.inbound) {
        charge(link, conn);
    }
    if (conn->state == WSP_OPEN && (conn->work.inbound || conn->parser.have > 0)) {
        wsp_timers_sooner(&link->timers, conn->slot.index, wsp_conn_message_deadline(link, conn));
    }
}

void wsp_conn_resume(struct wsp_link *link, struct wsp_conn *conn, size_t limit, uint64_t most)
{
    struct wsp_inbound *in = conn->work.inbound;
    size_t left = in->tail.len - in->tail_at;
    uint8_t ended = in->ended;
    conn->out.marks = (uint8_t)(conn->out.marks & ~WSP_MARK_KEPT);
    wsp_inbound_unkeep(in);
    if (left > 0) {
        link->inbounds.turn.part = most;
        wsp_conn_receive(link, conn, in->tail.data + in->tail_at, left, limit);
        link->inbounds.turn.part = 0;
    }
    if (conn->out.marks & WSP_MARK_KEPT) {
        return;
    }
    if (conn->state <= WSP_CLOSING && conn->work.inbound) {
        wsp_inbound_drop_tail(&link->inbounds, conn->work.inbound);
        wsp_inbound_charge(&link->inbounds, conn->work.inbound);
    }
    wsp_conn_mark_ready(link, conn);
    if (conn->state == WSP_OPEN) { /* the timer may have fired without looking at the deadlines */
        wsp_timers_sooner(&link->timers, conn->slot.index, link->now);
    }
    if (ended) {
        wsp_conn_end(link, conn, (enum wspool_end)(ended - 1));
    }
}

void wsp_conn_abandon_input(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end)
{
    struct wsp_inbound *in = conn->work.inbound;
    if (conn->out.marks & WSP_MARK_KEPT) {
        uint8_t ended = in->ended;
        conn->out.marks = (uint8_t)(conn->out.marks & ~WSP_MARK_KEPT);
        wsp_inbound_drop_tail(&link->inbounds, in);
        if (ended) {
            wsp_conn_end(link, conn, (enum wspool_end)(ended - 1));
            return;
        }
        conn->flags |= WSP_CLOSE_RECEIVED; /* the beginning of its next frame is lost */
    }
    wsp_conn_fail(link, conn, end, 0);
    wsp_inbound_abandon(&link->inbounds, in);
    wsp_inbound_charge(&link->inbounds, in);
    wsp_conn_end_if_closed(link, conn);
    wsp_conn_mark_ready(link, conn);
}

void wsp_conn_gone(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end)
{
    if ((conn->out.marks & WSP_MARK_KEPT) && conn->state <= WSP_CLOSING && end == WSPOOL_END_EOF) {
        conn->work.inbound->ended = (uint8_t)(1 + end);
        return;
    }
    wsp_conn_end(link, conn, end);
}

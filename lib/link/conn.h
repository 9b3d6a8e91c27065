/* SPDX-License-Identifier: MIT */
/*
 * link/conn.h - the state machine of one peer's connection.  Layer 2.
 *
 *     HEAD ---> PENDING ---> RESERVED      HEAD      raw mode: the request is being read
 *       |  \       |  \        |           PENDING   the verdict on its token is awaited
 *       |   \      |   \       |           RESERVED  hosted mode: accepted, not adopted yet
 *       |    +-----|----+----> OPEN        OPEN      messages go both ways
 *       v          v           |           REFUSED   an HTTP refusal is being written
 *     REFUSED <----+           v           CLOSING   our Close is queued or sent; input is
 *       |                   CLOSING                  discarded, except for the peer's Close
 *       |                      |           CLOSED    the host closes the transport and releases
 *       +------> CLOSED <------+                     the id; every state can lead here
 *
 * A state is never entered again. A connection knows no channel: what others must do about it is
 * marked with WSP_DUE_ flags and in the link's set `due`. Nothing is freed while a frame is being
 * read: an ended connection is cleaned up by wsp_conn_fini at the end of the call.
 *
 * This module has the states and what closes or ends a connection. link/receive.h has its input,
 * link/transmit.h its output, and link/liveness.h its deadlines.
 *
 * Invariants:
 * - out.accepts is set exactly in OPEN, but for a broadcast that leaves the peer out. A Close is queued in CLOSING only, so nothing is queued
 *   behind it;
 * - the timer is armed in every state but CLOSED (in OPEN only if there is a deadline);
 * - a CLOSED connection is not blocked and awaits no pong;
 * - a pong is awaited in OPEN only, and only an open connection is contested; the peer's Close has
 *   come in CLOSING or CLOSED only;
 * - the partial message and the frame-header parser are valid;
 * - `end` is set when CLOSING, REFUSED or CLOSED is entered and never changes then. `lost` is used
 *   from then on, `abuse` before. (wsp_conn_check cannot see this; tests of the transitions do.)
 */
#ifndef WSP_LINK_CONN_H
#define WSP_LINK_CONN_H

#include <stdint.h>

#include <wspool/close.h>
#include <wspool/wspool.h>
#include "base/bucket.h"
#include "base/slots.h"
#include "base/timers.h"
#include "link/link.h"
#include "link/outq.h"
#include "wire/frame.h"

enum wsp_state {
    WSP_HEAD,
    WSP_PENDING,
    WSP_RESERVED,
    WSP_REFUSED,
    WSP_OPEN,
    WSP_CLOSING,
    WSP_CLOSED
};

/* Flags of a connection. */
#define WSP_HOSTED 0x0001u         /* came through wspool_upgrade */
#define WSP_ACCEPTED 0x0002u       /* the open hook was called, or is about to be */
#define WSP_ANSWERING 0x0004u      /* its 101 is not written yet */
#define WSP_PINGED 0x0008u         /* our ping awaits an answer: any byte */
#define WSP_CLOSE_RECEIVED 0x0010u /* the peer's Close has come: later input is ignored */
#define WSP_RESET 0x0020u          /* it ended because the peer takes nothing */
#define WSP_CLOSE_REPORTED 0x0040u /* wspool_next has reported CLOSE */
#define WSP_PONG_DUE 0x0080u       /* one pong is expected: it is no abuse */
#define WSP_BODILESS WSP_PONG_DUE  /* HEAD: the method is HEAD too, so the answer has no body */
#define WSP_TAKES 0x1000u          /* CLOSING, REFUSED: some output was written since then */
#define WSP_LAST_CHANCE 0x2000u    /* a deadline has passed; judged when the timer fires again */
#define WSP_PING_WAITS 0x4000u     /* our ping is not written yet */
#define WSP_READ_ONCE 0x8000u      /* it is blocked, but its output makes progress: one read */
/* Deferred events: what is done at the end of the call. */
#define WSP_DUE_LEAVE 0x0100u    /* leave all channels */
#define WSP_DUE_ENDED 0x0200u    /* clean up, and tell the host */
#define WSP_DUE_PRESSURE 0x0800u /* WSP_MARK_ABOVE_HIGH has changed */
/* Marks of its queue, which are there because wspool_next and wspool_ack read them. */
#define WSP_MARK_ABOVE_HIGH 0x01u /* above half of a limit: the host was told, or is about to be */
#define WSP_MARK_STUCK 0x02u      /* blocked since `last_progress`, even if it was tried again */
#define WSP_MARK_PAUSED 0x04u     /* wspool_next has reported no READ */
#define WSP_MARK_UNDER_WAY 0x08u  /* blocked only because the transport keeps what was peeked */
#define WSP_MARK_KEPT 0x10u       /* some of its input waits for the next turn */
#define WSP_MARK_BEHIND 0x20u     /* it may be behind in a channel: see channel/refill.h */
#define WSP_MARK_CONTESTED 0x40u  /* a newer peer stays if this one does not answer its ping */

struct wsp_handshake; /* pool/handshake.h */

struct wsp_conn {
    struct wsp_slot slot;
    struct wsp_outq out; /* up to here: the cache line that a broadcast touches */

    uint8_t state; /* enum wsp_state */
    uint8_t end;   /* enum wspool_end */
    uint16_t flags;
    uint16_t route; /* index of its route */
    union {
        uint8_t stage;    /* until it is open: how far the handshake came, enum wspool_stage */
        uint8_t contract; /* from then on: see pool/contracts.h */
    };
    uint8_t bulk; /* seconds that a slow link may need for what was sent in large writes since
                       the last answer to a ping */
    union {
        struct wsp_handshake *handshake; /* HEAD, PENDING, RESERVED; NULL before the first byte */
        struct wsp_inbound *inbound;     /* OPEN, CLOSING; NULL between messages, unless a codec
                                        keeps state for the next one */
    } work;
    struct wsp_frame_parser parser;
    struct wsp_timer timer;
    uint64_t since;         /* when it was opened; before that, when it passed its last stage */
    uint32_t last_received; /* coarse time of the last input */
    uint32_t last_progress; /* coarse time until which blocked output went fast enough */

    uint64_t deadline; /* OPEN: of the next ping, or of its answer; else of the state */
    union {
        struct {
            uint32_t older, newer;
        } links;                 /* HEAD: see pool/heads.h; zero in no list */
        struct wsp_bucket abuse; /* from then on until OPEN ends */
        uint32_t lost;           /* from then on: messages that were queued and dropped */
    };
    union {
        uint32_t took;   /* until it is open: microseconds that the stages so far have taken */
        uint32_t unread; /* OPEN: coarse time at which reading was paused */
        struct {         /* from then on */
            uint16_t code_sent;
            uint16_t code_received;
        };
    };
};

/* ------------------------------------------------------------------- states */

/* Begins in HEAD. */
void wsp_conn_init(struct wsp_link *link, struct wsp_conn *conn);
/* Sets the deadline of a state before OPEN or after it: now + time. */
void wsp_conn_await(struct wsp_link *link, struct wsp_conn *conn, uint64_t time);
/* The handshake is complete: OPEN, and the timer runs for pings and deadlines. The caller has set
 * what was negotiated, and the contract. */
void wsp_conn_open(struct wsp_link *link, struct wsp_conn *conn);

/* Closes an open connection, otherwise does nothing: queues a Close with `code` behind the queued
 * messages, or after dropping them. Code 1005: a Close without a code. Without memory for the Close
 * the connection ends at once. */
void wsp_conn_close(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end, int code,
                    const char *reason, size_t reason_len, int drop_queued);
/* As wsp_conn_close, with the code and text that WSPOOL_ENDS has for `end`. */
void wsp_conn_fail(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end,
                   int drop_queued);

/* CLOSED, without a Close. Does nothing if it is CLOSED already. */
void wsp_conn_end(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end);
/* As wsp_conn_end, because the peer takes no output: the host resets the transport. */
void wsp_conn_reset(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end);
/* Ends the connection when both Closes, or a refusal, are complete (RFC 6455, 7.1.1: the server
 * closes the transport first). */
void wsp_conn_end_if_closed(struct wsp_link *link, struct wsp_conn *conn);

/* Releases the output of an ended connection. Its other resources may still be in use up the
 * stack. */
void wsp_conn_drop_output(struct wsp_link *link, struct wsp_conn *conn, int released);
/* Releases all resources of an ended connection, and counts queued messages as lost. What a peek
 * gave out is kept until `released` is 1, because the host may still be writing it. */
void wsp_conn_fini(struct wsp_link *link, struct wsp_conn *conn, int released);

/* ------------------------------------------------------------- what it wants */

/* Returns 1 if the host must not read it because its transport is full; else 0. */
static inline int wsp_conn_is_unread(const struct wsp_conn *conn)
{
    return conn->out.blocked && !(conn->out.marks & WSP_MARK_UNDER_WAY) &&
           !(conn->flags & WSP_READ_ONCE);
}

/* Returns what it wants now: WSPOOL_READ, WSPOOL_WRITE, WSPOOL_CLOSE, WSPOOL_RESET. */
static inline unsigned wsp_conn_wants(const struct wsp_conn *conn)
{
    if (conn->state == WSP_CLOSED) {
        return WSPOOL_CLOSE | (conn->flags & WSP_RESET ? WSPOOL_RESET : 0);
    }
    unsigned read = conn->state == WSP_PENDING || conn->state == WSP_RESERVED ||
                            (conn->out.marks & WSP_MARK_KEPT)
                        ? 0
                        : WSPOOL_READ;
    if (conn->out.blocked) {
        return wsp_conn_is_unread(conn) ? 0 : read;
    }
    return read | (wsp_outq_empty(&conn->out) ? 0 : WSPOOL_WRITE);
}

/* Adds it to the ready list: wspool_next may have something to report. */
static inline void wsp_conn_mark_ready(struct wsp_link *link, struct wsp_conn *conn)
{
    wsp_bitset_add(&link->ready, conn->slot.index);
}
/* Marks events that the end of the present call deals with. */
static inline void wsp_conn_defer(struct wsp_link *link, struct wsp_conn *conn, unsigned due)
{
    conn->flags = (uint16_t)(conn->flags | due);
    wsp_bitset_add(&link->due, conn->slot.index);
}

/* The transport takes bytes again, or has ended. */
static inline void wsp_conn_unblock(struct wsp_link *link, struct wsp_conn *conn)
{
    link->blocked -= conn->out.blocked;
    conn->out.blocked = 0;
}

/* --------------------------------------------------------- its message queue */

/* As wsp_outq_push, for an open connection. The caller has checked the limits, and calls
 * wsp_conn_update_watermark when the frame was queued. */
static inline int wsp_conn_push(struct wsp_link *link, struct wsp_conn *conn,
                                const struct wsp_run *frame)
{
    int result = wsp_outq_push(&conn->out, &link->outqs, frame);
    if (result >= 0 && !conn->out.blocked) {
        wsp_bitset_add(link->new_output, conn->slot.index);
    }
    return result;
}

/* Lets an open connection take messages, or not (0) while one is broadcast that it must not get. */
void wsp_conn_take_messages(struct wsp_conn *conn, int take);

/* A queue with more than this is above its high watermark: half of the limits that hold for the
 * message that was queued. It is below the low one with an eighth of the lowest limits of all kinds
 * of channels and of the pool: so it cannot be above one and below the other. */
struct wsp_watermark {
    uint32_t bytes, count;
};
static inline struct wsp_watermark wsp_conn_high_watermark(uint32_t queue_bytes,
                                                           uint32_t queue_messages)
{
    return (struct wsp_watermark){queue_bytes / 2, queue_messages / 2};
}
/* There are queues with these limits. */
static inline void wsp_conn_lower_watermark(struct wsp_link *link, uint32_t queue_bytes,
                                            uint32_t queue_messages)
{
    uint32_t bytes = queue_bytes / 8, messages = queue_messages / 8;
    link->low_bytes = bytes < link->low_bytes ? bytes : link->low_bytes;
    link->low_messages = messages < link->low_messages ? messages : link->low_messages;
}

/* Returns 1 if its queue stays below the high watermark with one more frame of that length, else
 * 0. */
static inline int wsp_conn_stays_below_high(const struct wsp_conn *conn, struct wsp_watermark high,
                                            uint32_t len)
{
    return conn->out.bytes + len <= high.bytes && conn->out.count < high.count;
}

/* Its queue has passed the high watermark: the host is told, and flush_delay does not apply. */
void wsp_conn_above_high(struct wsp_link *link, struct wsp_conn *conn);
/* To be called after its queue has grown. */
static inline void wsp_conn_update_watermark(struct wsp_link *link, struct wsp_conn *conn,
                                             struct wsp_watermark high)
{
    if ((conn->out.bytes > high.bytes || conn->out.count > high.count) &&
        !(conn->out.marks & WSP_MARK_ABOVE_HIGH)) {
        wsp_conn_above_high(link, conn);
    }
}

/* Returns 1 if the invariants hold, else 0. */
int wsp_conn_check(const struct wsp_conn *conn);

#endif

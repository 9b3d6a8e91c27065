/* SPDX-License-Identifier: MIT */
/*
 * link/conn.h - the state machine of one peer's connection.  Layer 2.
 *
 *     HEAD ---> PENDING ---> RESERVED      HEAD     raw: the request is being read
 *       |  \       |  \        |           PENDING  the token's verdict is awaited
 *       |   \      |   \       |           RESERVED hosted: accepted, not adopted yet
 *       |    +-----|----+----> OPEN        OPEN     messages go both ways
 *       v          v           |           REFUSED  an HTTP refusal is being flushed
 *     REFUSED <----+           v           CLOSING  our Close is queued or sent; what comes in
 *       |                   CLOSING                 is thrown away but for the peer's Close
 *       |                      |           CLOSED   over: the host closes the transport and
 *       +------> CLOSED <------+                    releases the id. Reached from everywhere
 *
 * Never back. It knows no channel: what a state means to others is told by the set `due` of
 * the link. Nothing is freed while a frame is being read: ended connections are cleaned up on the
 * way out of the call, with wsp_conn_fini.
 *
 * Invariants:
 * - out.accepts exactly in OPEN; a Close is queued in CLOSING only, so nothing can get behind it;
 * - the timer is armed in every state but CLOSED (in OPEN, unless there is nothing to wait for);
 * - CLOSED excludes what belongs to life: a blocked transport, a ping that awaits an answer;
 * - a ping awaits its answer in OPEN only, the peer's Close has come in CLOSING or CLOSED only;
 * - what is under way from the peer, and its frame parser, are in order;
 * - states never go back; `end` is set from CLOSING on, and never changes after that; `lost` is
 *   used from then on, `abuse` before (no look at one moment can show this; tests of the
 *   transitions do).
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
#define WSP_ANSWERING 0x0004u      /* its 101 has not left the pool yet */
#define WSP_PINGED 0x0008u         /* a ping of ours awaits a sign of life */
#define WSP_CLOSE_RECEIVED 0x0010u /* the peer's Close has come: nothing after it counts */
#define WSP_RESET 0x0020u          /* it ended because it takes nothing */
#define WSP_CLOSE_REPORTED 0x0040u /* wspool_next has said: CLOSE */
#define WSP_PONG_DUE 0x0080u       /* a pong would be an answer: it is no abuse */
#define WSP_LAST_CHANCE 0x2000u /* a deadline has passed; it is judged when the timer fires again */
#define WSP_PING_WAITS 0x4000u  /* that ping has not left the pool yet */
#define WSP_SIP 0x8000u         /* its output makes progress: one read, though it is blocked */
#define WSP_TAKES 0x1000u       /* CLOSING, REFUSED: some of its output has gone since then */
/* Marks of its queue, kept there since wspool_next and an ack look at them. */
#define WSP_MARK_ABOVE_HIGH 0x01u /* above half of a limit: the host was told, or is about to be */
#define WSP_MARK_STUCK 0x02u  /* blocked since `last_progress`, however often it was tried again */
#define WSP_MARK_PAUSED 0x04u /* wspool_next has said: no READ */
#define WSP_MARK_KEPT 0x10u   /* input of it waits for the next turn */
#define WSP_MARK_AWAY 0x08u   /* blocked, but only as the transport keeps what was peeked */
/* What is to be done on the way out. */
#define WSP_DUE_LEAVE 0x0100u    /* leave all channels */
#define WSP_DUE_ENDED 0x0200u    /* tidy up, and tell the host */
#define WSP_DUE_DROPPED 0x0400u  /* messages were dropped */
#define WSP_DUE_PRESSURE 0x0800u /* WSP_MARK_ABOVE_HIGH has changed */

struct wsp_handshake; /* of the pool: what is kept of one that is under way */

struct wsp_conn {
    struct wsp_slot slot;
    struct wsp_outq out; /* up to here: the cache line that a broadcast touches */

    uint8_t state; /* enum wsp_state */
    uint8_t end;   /* enum wspool_end */
    uint16_t flags;
    uint16_t route; /* number of the route it came in on */
    uint8_t stage;  /* how far the handshake came: enum wspool_stage */
    uint8_t bulk;   /* seconds that a slow link needs for what it was sent at a time when much was
                       queued, since it last answered a ping */
    union {
        struct wsp_handshake *handshake; /* HEAD, PENDING, RESERVED; NULL before the first byte */
        struct wsp_inbound *inbound;     /* OPEN, CLOSING; NULL between messages, but for what a
                                        codec keeps for the next */
    } work;
    struct wsp_frame_parser parser;
    struct wsp_timer timer;
    uint64_t since;         /* when it was accepted; before that, when the last stage was passed */
    uint32_t last_received; /* stamp of the last byte from the peer */
    uint32_t last_progress; /* stamp of the last progress of blocked output */

    uint64_t deadline; /* OPEN: next ping, or deadline of its answer; else deadline of the state */
    union {
        struct wsp_bucket abuse; /* until OPEN ends */
        uint32_t lost;           /* from then on: messages that were queued and dropped */
    };
    union {
        uint32_t unread; /* until OPEN ends: stamp of when reading from it was stopped */
        struct {         /* from then on */
            uint16_t code_sent;
            uint16_t code_received;
        };
    };
    uint32_t dropped; /* messages dropped since the drop hook was called */
};

/* A raw connection begins in HEAD, a hosted one is put where its verdict says. */
void wsp_conn_init(struct wsp_link *link, struct wsp_conn *conn, enum wsp_state state);

/* Not open yet, or not any more: its state lasts no longer than this from now on. */
void wsp_conn_await(struct wsp_link *link, struct wsp_conn *conn, uint64_t time);

/* The handshake is done: OPEN, with pings and deadlines running. */
void wsp_conn_open(struct wsp_link *link, struct wsp_conn *conn);

/* Bytes came for a connection that is open, closing or over. `limit`: of a message. */
void wsp_conn_receive(struct wsp_link *link, struct wsp_conn *conn, const uint8_t *bytes,
                      size_t len, size_t limit);

/* The turn of the input that was kept has come. `limit` as above. */
void wsp_conn_resume(struct wsp_link *link, struct wsp_conn *conn, size_t limit);
/* Its transport has ended. Input that is kept is read first, when the peer has ended it in order.
 *  */
void wsp_conn_gone(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end);

/* Closes an open connection: Close with `code` behind what is queued, or after dropping that.
 * code 1005: a Close without a code. */
void wsp_conn_close(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end, int code,
                    const char *reason, size_t reason_len, int drop_queued);
/* The same with the code and text that belong to the end. */
void wsp_conn_fail(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end,
                   int drop_queued);

/* Draws on its abuse budget; closes it when that is spent. */
void wsp_conn_abuse(struct wsp_link *link, struct wsp_conn *conn, uint32_t cost);

/* Over, at once and without a word. Harmless when it is over already. */
void wsp_conn_end(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end);

/* So much was written (see wspool_ack). 0 or INVAL. */
int wsp_conn_ack(struct wsp_link *link, struct wsp_conn *conn, size_t bytes);
void wsp_conn_writable(struct wsp_link *link, struct wsp_conn *conn);

/* Its timer fired: acts on the deadlines that have passed and arms it for the next. Only in
 * OPEN, CLOSING and CLOSED. `limit` as above. */
void wsp_conn_timer(struct wsp_link *link, struct wsp_conn *conn);

/* The transport keeps so much of what was peeked (see wspool_under_way). 0 or INVAL. */
int wsp_conn_under_way(struct wsp_link *link, struct wsp_conn *conn, size_t bytes);
/* Is its transport full, so that nothing is read from it? 1 or 0. */
static inline int wsp_conn_is_unread(const struct wsp_conn *conn)
{
    return conn->out.blocked && !(conn->out.marks & WSP_MARK_AWAY) && !(conn->flags & WSP_SIP);
}

/* A deadline of the peer has passed, at `due`: is it judged now? 0: it has a last chance, and the
 * timer is armed for its end. What came while the host stood still is read before anybody is judged
 * by what did not come. */
int wsp_conn_is_judged(struct wsp_link *link, struct wsp_conn *conn, uint64_t due);

/* Over, as its deadline for taking output has passed: its transport is to be reset. */
void wsp_conn_reset(struct wsp_link *link, struct wsp_conn *conn, enum wspool_end end);
/* The timer of what is being closed, or was refused: is closing_time over? */
void wsp_conn_expire(struct wsp_link *link, struct wsp_conn *conn);

/* WSPOOL_READ, WSPOOL_WRITE, WSPOOL_CLOSE, WSPOOL_RESET: what it wants now. */
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

/* Something that wspool_next may have to tell. */
static inline void wsp_conn_mark_ready(struct wsp_link *link, struct wsp_conn *conn)
{
    wsp_bitset_add(&link->ready, conn->slot.index);
}
/* Something to do on the way out. */
static inline void wsp_conn_defer(struct wsp_link *link, struct wsp_conn *conn, unsigned due)
{
    conn->flags = (uint16_t)(conn->flags | due);
    wsp_bitset_add(&link->due, conn->slot.index);
}

/* Queues one frame for an open connection; the limits have been looked at. As wsp_outq_push; where
 * it was queued, wsp_conn_update_watermark is next. */
static inline int wsp_conn_push(struct wsp_link *link, struct wsp_conn *conn,
                                const struct wsp_run *frame)
{
    int result = wsp_outq_push(&conn->out, &link->outqs, frame);
    if (result >= 0 && !conn->out.blocked) {
        wsp_bitset_add(link->new_output, conn->slot.index);
    }
    return result;
}

/* From how much on a queue is under pressure. */
struct wsp_watermark {
    uint32_t bytes, count;
};
static inline struct wsp_watermark wsp_conn_high_watermark(const wspool_config *config)
{
    return (struct wsp_watermark){config->queue_bytes / 2, config->queue_messages / 2};
}

/* Will its queue, with one more frame of that length, still not be under pressure? 1 or 0. */
static inline int wsp_conn_stays_below_high(const struct wsp_conn *conn, struct wsp_watermark high,
                                            uint32_t len)
{
    return conn->out.bytes + len <= high.bytes && conn->out.count < high.count;
}

/* Its queue came under pressure: the host is to be told. */
void wsp_conn_above_high(struct wsp_link *link, struct wsp_conn *conn);
/* Its queue has grown: is it under pressure now? */
static inline void wsp_conn_update_watermark(struct wsp_link *link, struct wsp_conn *conn,
                                             struct wsp_watermark high)
{
    if ((conn->out.bytes > high.bytes || conn->out.count > high.count) &&
        !(conn->out.marks & WSP_MARK_ABOVE_HIGH)) {
        wsp_conn_above_high(link, conn);
    }
}

/* Lets go of the output of an ended connection; the rest may still be in use up the stack. */
void wsp_conn_drop_output(struct wsp_link *link, struct wsp_conn *conn, int released);
/* Lets go of all that an ended connection holds, and counts what was still queued as lost. What a
 * peek gave out stays until the release, for the host may still be writing it: then `released` is
 * 1. */
void wsp_conn_fini(struct wsp_link *link, struct wsp_conn *conn, int released);

/* Do the invariants hold? 1 or 0. */
int wsp_conn_check(const struct wsp_conn *conn);

#endif

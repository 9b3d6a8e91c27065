/* SPDX-License-Identifier: MIT */
/*
 * link/outq.h - the output queue of one peer.  Layer 2.
 *
 * Two lanes and a final Close, sent in this order:
 *
 *     rest of a partly sent message | control | messages ............ | Close
 *                                     (bytes)   (runs in shared blocks) (bytes)
 *
 * Messages are runs in shared blocks. A message published right behind the previous one extends the
 * last run. The first run is in the queue itself, so a peer that keeps up needs no memory; further
 * runs are in chunks from a free list.
 *
 * The runs are in the order of sending. A run whose block has a higher priority than that of the
 * last one is inserted: behind all of its own or a higher priority, and behind what is partly sent
 * or was peeked. So limits, peeks, acks and closes know no priorities, and messages of one priority
 * are never reordered. While all runs have one priority, this costs nothing.
 *
 * Control frames, and the HTTP answer of the handshake before
 * them, are bytes of the queue's own, in a buffer from a free list that exists only while it has
 * bytes. The Close is in the same buffer, and waits until all messages before it are sent.
 *
 * This module queues. link/peek.h gives out what is queued and takes back what was written.
 *
 * Invariants:
 * - at most one frame is partly sent: the first message, or one in the control lane, or the Close,
 *   and then no message is left. Lanes change only between frames;
 * - `bytes` and `count` are the sums over the runs. A run consists of whole frames, except for a
 *   partly sent one at its beginning;
 * - `more` is NULL when the first run is empty; no chunk is empty, and the first chunk knows the
 *   last;
 * - peeked bytes do not change until the ack, and are never more than the queue has;
 * - the control buffer exists as long as it has bytes;
 * - nothing is queued after a Close (the caller shuts the queue first: link/conn.h);
 * - control frames are never dropped, except for a pong that a newer one replaces.
 */
#ifndef WSP_LINK_OUTQ_H
#define WSP_LINK_OUTQ_H

#include <stddef.h>
#include <stdint.h>

#include "base/freelist.h"
#include "link/negotiated.h"
#include "wire/block.h"
#include "wire/frame.h"

#define WSP_RUNS_PER_CHUNK 9u

struct wsp_runs { /* a chunk of runs after the first */
    struct wsp_runs *next;
    struct wsp_runs *last; /* last chunk of the list; valid in the first chunk only */
    uint16_t start, end;   /* runs[start..end) are used */
    struct wsp_run runs[WSP_RUNS_PER_CHUNK];
};

#define WSP_CONTROL_BYTES 1904u
#define WSP_CLOSE_FRAME_MAX (2u + WSP_CONTROL_MAX)
#define WSP_NO_PONG UINT16_MAX

struct wsp_control {
    uint16_t start, end; /* bytes[start..end) are queued */
    uint16_t peeked;     /* of these, how many the last peek gave out */
    uint16_t last_pong;  /* start of the last frame if it is a pong that may be replaced */
    uint16_t close_start, close_end, close_peeked; /* the same for the Close */
    uint8_t close[WSP_CLOSE_FRAME_MAX];
    uint8_t bytes[WSP_CONTROL_BYTES];
};

/* Free lists that the queues of one pool share. */
struct wsp_outqs {
    const wspool_mem *mem;
    struct wsp_freelist runs;
    struct wsp_freelist controls;
};

struct wsp_outq {
    struct wsp_run first;
    struct wsp_runs *more; /* runs after it, oldest chunk first */
    struct wsp_control *control;
    uint32_t bytes;      /* bytes in the message lane */
    uint32_t count;      /* messages in the message lane */
    uint32_t peeked;     /* bytes of the message lane that the last peek gave out */
    uint8_t tail_peeked; /* the last run is among them: it must not grow */
    uint8_t accepts;     /* 0: no message may be queued; else 1 + the peer's variant */
    uint8_t blocked;     /* the transport could not take everything */
    uint8_t marks;       /* WSP_MARK_PINNED, and those of whoever owns the queue; 0 when there is
                            nothing special */
};
#define WSP_MARK_PINNED 0x80u /* the transport keeps what was peeked: see link/peek.h */

void wsp_outqs_init(struct wsp_outqs *outqs, const wspool_mem *mem);
void wsp_outqs_fini(struct wsp_outqs *outqs);
/* Returns 1 if the free lists are valid, else 0. */
int wsp_outqs_check(const struct wsp_outqs *outqs);

/* The cold path of wsp_outq_push: adds a run to the message lane, at the place that its priority
 * gives it. */
int wsp_outq_push_behind(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_run run);

/* Returns 1 if the run extends the only run of the queue, else 0. */
static inline int wsp_outq_joins(const struct wsp_outq *q, const struct wsp_run *run)
{
    return !q->more && !q->tail_peeked && q->first.block == run->block &&
           q->first.offset + q->bytes == run->offset;
}

/* Queues one encoded frame, or more. The caller checks the limits. Returns 0, WSPOOL_ERR_NOMEM, or 1
 * when the frame is in the second or a later block of a slow queue. */
static inline int wsp_outq_push(struct wsp_outq *q, struct wsp_outqs *outqs,
                                const struct wsp_run *run)
{
    if (q->bytes == 0) {
        q->first = *run;
        wsp_block_hold(run->block);
        q->tail_peeked = 0;
    } else if (wsp_outq_joins(q, run)) {
        q->first.bytes = q->bytes + run->bytes;
        q->first.count = q->count + run->count;
    } else {
        return wsp_outq_push_behind(q, outqs, *run);
    }
    q->bytes += run->bytes;
    q->count += run->count;
    return 0;
}

/* Queues bytes in the control lane: an HTTP answer, or a whole control frame. Returns 0,
 * WSPOOL_ERR_NOMEM, or WSPOOL_ERR_FULL when the lane has no room or a Close is queued. */
int wsp_outq_control(struct wsp_outq *q, struct wsp_outqs *outqs, const void *bytes, size_t len);
/* Queues a pong. When the lane is full, it replaces the last pong that is not peeked (RFC 6455,
 * section 5.5.3 allows answering only the latest ping). Returns 1 when a pong was replaced or
 * this one was left out, 0, or WSPOOL_ERR_NOMEM. */
int wsp_outq_pong(struct wsp_outq *q, struct wsp_outqs *outqs, const void *frame, size_t len);
/* Queues the Close after everything else; once only. Returns 0 or WSPOOL_ERR_NOMEM. */
int wsp_outq_close(struct wsp_outq *q, struct wsp_outqs *outqs, const void *frame, size_t len);

/* Returns the variant in which an open queue takes messages, and its parts: see link/encodings.h.
 */
static inline unsigned wsp_outq_variant(const struct wsp_outq *q)
{
    return q->accepts - 1u;
}
static inline unsigned wsp_outq_encoding(const struct wsp_outq *q)
{
    return (q->accepts - 1u) % WSP_ENCODINGS;
}
static inline unsigned wsp_outq_contract(const struct wsp_outq *q)
{
    return (q->accepts - 1u) / WSP_ENCODINGS;
}

/* Returns 1 if the queue takes messages, in plain encoding; else 0. */
static inline int wsp_outq_takes_plain(const struct wsp_outq *q)
{
    return q->accepts % WSP_ENCODINGS == 1;
}

static inline int wsp_outq_empty(const struct wsp_outq *q)
{
    return q->bytes == 0 && !q->control;
}

/* Returns the bytes of all lanes. */
static inline size_t wsp_outq_size(const struct wsp_outq *q)
{
    const struct wsp_control *control = q->control;
    return q->bytes + (control ? (size_t)(control->end - control->start) +
                                     (size_t)(control->close_end - control->close_start)
                               : 0);
}

/* Returns 1 if the queued Close was written completely, else 0. */
static inline int wsp_outq_close_sent(const struct wsp_outq *q)
{
    return !q->control || q->control->close_start == q->control->close_end;
}

/* Returns 1 if bytes are peeked and not acked, else 0. */
static inline int wsp_outq_under_way(const struct wsp_outq *q)
{
    const struct wsp_control *control = q->control;
    return q->peeked > 0 || (control && (control->peeked > 0 || control->close_peeked > 0));
}

/* Removes all messages but what is peeked or partly sent. Returns how many. */
uint32_t wsp_outq_drop_all(struct wsp_outq *q, struct wsp_outqs *outqs);
/* Releases everything. */
void wsp_outq_fini(struct wsp_outq *q, struct wsp_outqs *outqs);

/* --------------------------------------- steps of link/peek.c and link/compact.c */

/* Begins as {0}. It is behind the run that wsp_outq_next_run returned last. */
struct wsp_run_walk {
    struct wsp_runs *chunk; /* NULL: behind the first run, and there is no other */
    uint16_t i;             /* index in the chunk */
    uint16_t begun;
};
/* Returns the next run of the message lane, or NULL at its end. */
static inline struct wsp_run *wsp_outq_next_run(struct wsp_outq *q, struct wsp_run_walk *walk)
{
    if (!walk->begun) {
        *walk = (struct wsp_run_walk){q->more, q->more ? q->more->start : 0, 1};
        if (q->first.block) {
            return &q->first;
        }
    }
    while (walk->chunk && walk->i == walk->chunk->end) {
        walk->chunk = walk->chunk->next;
        walk->i = walk->chunk ? walk->chunk->start : 0;
    }
    return walk->chunk ? &walk->chunk->runs[walk->i++] : NULL;
}

/* The first run is finished: the next one becomes the first. */
void wsp_outq_advance(struct wsp_outq *q, struct wsp_outqs *outqs);
/* Closes the gaps: takes the runs behind the first that have no block any more out of the list. */
void wsp_outq_close_gaps(struct wsp_outq *q, struct wsp_outqs *outqs);
/* Returns how many bytes of the first message of a run are left. */
static inline uint32_t wsp_run_first_frame(const struct wsp_run *run)
{
    return run->partial ? run->partial : wsp_frame_encoded_len(run->block->bytes + run->offset);
}

/* ------------------------------------------------------------------ checks */

/* Calls `visit` for each run. */
void wsp_outq_each(const struct wsp_outq *q, void (*visit)(const struct wsp_run *run, void *user),
                   void *user);
/* Returns 1 if the invariants hold, else 0. */
int wsp_outq_check(const struct wsp_outq *q);

#endif

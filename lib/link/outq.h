/* SPDX-License-Identifier: MIT */
/*
 * link/outq.h - what waits to be sent to one peer.  Floor 2.
 *
 * Two lanes and a last word, sent in this order:
 *
 *     rest of a half-sent message | control | messages ............ | Close
 *                                   (bytes)   (runs in shared blocks) (bytes)
 *
 * Messages are runs in shared blocks; one published right behind the other just makes the last
 * run longer. The first run lies in the queue itself, so a peer that keeps up needs no memory;
 * more of them go into chunks from a stock. Control frames (and the HTTP answer of the handshake,
 * which comes before everything) are a few bytes of the queue's own, borrowed from the stock
 * while there are any; so is the Close, which waits until the messages before it are gone.
 *
 * Invariants:
 * - at most one frame is half sent: a message, and that is the first one; or one in the control
 *   lane; or the Close, and then no message is left. The lanes change only between frames;
 * - `bytes` and `count` are the sums over the runs, and a run is made of whole images, but for
 *   the rest of a half-sent one at its beginning;
 * - `more` is NULL when the first run is empty; no chunk of it is empty, and its first one knows
 *   the last;
 * - what was peeked stays as it is until the ack, and is never more than there is; what was pinned
 *   stays so, and comes first, until all of it was acked;
 * - control bytes are there as long as anything waits in them;
 * - nothing is queued behind a Close (who queues one shuts the queue first: link/conn.h);
 * - control frames are never dropped, but for a pong that a newer one replaces.
 */
#ifndef WSP_LINK_OUTQ_H
#define WSP_LINK_OUTQ_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/freelist.h"
#include "wire/block.h"
#include "wire/frame.h"

#define WSP_RUNS_PER_CHUNK 9u

struct wsp_runs { /* a chunk of the runs behind the first */
    struct wsp_runs *next;
    struct wsp_runs *last; /* of the whole list; right in the first chunk only */
    uint16_t start, end;   /* runs[start..end) are in use; one without a block was dropped */
    struct wsp_run runs[WSP_RUNS_PER_CHUNK];
};

#define WSP_CONTROL_BYTES 1904u
#define WSP_CLOSE_IMAGE_MAX (2u + WSP_CONTROL_MAX)
#define WSP_NO_PONG UINT16_MAX

struct wsp_control {
    uint16_t start, end; /* bytes[start..end) wait */
    uint16_t peeked;     /* of them, how many the last peek gave out */
    uint16_t last_pong;  /* where the last frame begins if it is a pong that may be replaced */
    uint16_t close_start, close_end, close_peeked; /* the same for the Close */
    uint8_t close[WSP_CLOSE_IMAGE_MAX];
    uint8_t bytes[WSP_CONTROL_BYTES];
};

/* What the queues of one pool share. */
struct wsp_stock {
    const wspool_mem *mem;
    struct wsp_freelist runs;
    struct wsp_freelist controls;
};

struct wsp_outq {
    struct wsp_run first;
    struct wsp_runs *more; /* runs behind it, oldest chunk first */
    struct wsp_control *control;
    uint32_t bytes;      /* in the message lane */
    uint32_t count;      /* messages in it */
    uint32_t peeked;     /* bytes of it that the last peek gave out */
    uint8_t tail_peeked; /* the last run is among them: it may not grow */
    uint8_t open;        /* 0: no message may be queued; else 1 + the form it takes them in */
    uint8_t blocked;     /* the transport could not take all */
    uint8_t marks;       /* WSP_MARK_PINNED, and those of whoever owns the queue; 0 when there is
                            nothing special */
};
#define WSP_MARK_PINNED 0x80u /* the transport keeps what was peeked: see wsp_outq_pin */

void wsp_stock_init(struct wsp_stock *stock, const wspool_mem *mem);
void wsp_stock_fini(struct wsp_stock *stock);
/* Do its spares hold what they should? 1 or 0. */
int wsp_stock_check(const struct wsp_stock *stock);

/* The slow half of wsp_outq_push: puts a run behind the others in the message lane. */
int wsp_outq_push_behind(struct wsp_outq *q, struct wsp_stock *stock, struct wsp_run run);

/* Does a run just make the queue's only one longer? 1 or 0. */
static inline int wsp_outq_joins(const struct wsp_outq *q, const struct wsp_run *run)
{
    return !q->more && !q->tail_peeked && q->first.block == run->block &&
           q->first.offset + q->bytes == run->offset;
}

/* Queues one image. Limits are the caller's to check. 0 or NOMEM; 1 when it is the second block, or
 * one more, of a queue that is behind. */
static inline int wsp_outq_push(struct wsp_outq *q, struct wsp_stock *stock,
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
        return wsp_outq_push_behind(q, stock, *run);
    }
    q->bytes += run->bytes;
    q->count += run->count;
    return 0;
}

/* Takes the oldest messages that are not under way out of the queue until `bytes` more fit under
 * `max_bytes` and one more under `max_count`. Answers how many were taken; fewer than needed when
 * the rest is under way (or no memory was left to cut a run in two). */
uint32_t wsp_outq_drop_oldest(struct wsp_outq *q, struct wsp_stock *stock, uint32_t bytes,
                              uint32_t max_bytes, uint32_t max_count);
/* Takes out all messages that are not under way; how many. */
uint32_t wsp_outq_drop_all(struct wsp_outq *q, struct wsp_stock *stock);

/* Queues bytes in the control lane: an HTTP answer, or a whole control frame. 0, NOMEM, or FULL
 * when the lane has no room (or the Close was queued). */
int wsp_outq_control(struct wsp_outq *q, struct wsp_stock *stock, const void *bytes, size_t len);
/* Queues a pong. When the lane is full it takes the place of the last one that is not under way
 * (RFC 6455, 5.5.3 allows to answer the latest ping only). 1 when one was replaced or this one
 * was left out, 0, or NOMEM. */
int wsp_outq_pong(struct wsp_outq *q, struct wsp_stock *stock, const void *image, size_t len);
/* Queues the Close, behind everything. 0 or NOMEM; once only. */
int wsp_outq_close(struct wsp_outq *q, struct wsp_stock *stock, const void *image, size_t len);

/* See wspool_peek. Whoever keeps up has one run and nothing else, so that is answered here. */
int wsp_outq_peek_all(struct wsp_outq *q, struct iovec *vectors, int max);
static inline int wsp_outq_peek(struct wsp_outq *q, struct iovec *vectors, int max)
{
    if (q->control || q->more || q->bytes == 0) {
        return wsp_outq_peek_all(q, vectors, max);
    }
    q->peeked = q->bytes;
    q->tail_peeked = 1;
    vectors[0].iov_base = q->first.block->bytes + q->first.offset;
    vectors[0].iov_len = q->bytes;
    return 1;
}

/* Of what was peeked, the first `bytes` are kept by the transport: they stay as they are, and come
 * first in what is peeked, whatever is queued meanwhile, until all of them were acked. 0, or INVAL:
 * more than was peeked, or nothing. */
int wsp_outq_pin(struct wsp_outq *q, size_t bytes);

/* Gives back the chunks in which no run has a block any more. */
void wsp_outq_drop_hollow(struct wsp_outq *q, struct wsp_stock *stock);

struct wsp_acked {
    uint32_t messages; /* sent whole by it */
    int partly;        /* fewer bytes than were peeked, or are pinned */
};
/* 0, or INVAL when it is more than was peeked. */
int wsp_outq_ack(struct wsp_outq *q, struct wsp_stock *stock, size_t bytes,
                 struct wsp_acked *acked);

/* The same for a peer that keeps up, in two steps: first, how many messages those were when all of
 * its one run was written; 0 when it is anything else. */
static inline uint32_t wsp_outq_whole(const struct wsp_outq *q, size_t bytes)
{
    return !q->control && !q->more && bytes == q->bytes && bytes == q->peeked ? q->count : 0;
}
/* Then, when there were any: lets go of them. */
static inline void wsp_outq_ack_whole(struct wsp_outq *q)
{
    struct wsp_block *block = q->first.block;
    q->first = (struct wsp_run){0};
    q->bytes = q->count = q->peeked = 0;
    q->tail_peeked = 0;
    wsp_block_release(block);
}

/* The form in which an open queue takes messages: see link/forms.h. */
static inline unsigned wsp_outq_form(const struct wsp_outq *q)
{
    return q->open - 1u;
}

/* Does it take messages, and in the plain form? 1 or 0. */
static inline int wsp_outq_takes_plain(const struct wsp_outq *q)
{
    return q->open == 1;
}

static inline int wsp_outq_empty(const struct wsp_outq *q)
{
    return q->bytes == 0 && !q->control;
}

/* Has the Close that was queued left whole? 1 or 0. */
static inline int wsp_outq_close_left(const struct wsp_outq *q)
{
    return !q->control || q->control->close_start == q->control->close_end;
}

/* Is anything under way that the last peek gave out? 1 or 0. */
static inline int wsp_outq_under_way(const struct wsp_outq *q)
{
    const struct wsp_control *control = q->control;
    return q->peeked > 0 || (control && (control->peeked > 0 || control->close_peeked > 0));
}

/* Lets go of everything. */
void wsp_outq_fini(struct wsp_outq *q, struct wsp_stock *stock);

/* Calls `visit` for each run. */
void wsp_outq_each(const struct wsp_outq *q, void (*visit)(const struct wsp_run *run, void *user),
                   void *user);
/* Do the invariants hold? 1 or 0. */
int wsp_outq_check(const struct wsp_outq *q);

#endif

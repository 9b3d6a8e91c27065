/* SPDX-License-Identifier: MIT */
/* link/peek.c - see link/peek.h. */
#include "link/peek.h"

#include <wspool/error.h>

/* `bytes` from the front of the lane were written. Returns how many messages that completes. */
static uint32_t consume(struct wsp_outq *q, struct wsp_outqs *outqs, uint32_t bytes)
{
    uint32_t completed = 0;
    while (bytes > 0) {
        struct wsp_run *run = &q->first;
        if (bytes >= run->bytes) {
            bytes -= run->bytes;
            completed += run->count;
            q->bytes -= run->bytes;
            q->count -= run->count;
            wsp_outq_advance(q, outqs);
            continue;
        }
        uint32_t frame = wsp_run_first_frame(run);
        uint32_t taken = bytes < frame ? bytes : frame;
        run->offset += taken;
        run->bytes -= taken;
        q->bytes -= taken;
        bytes -= taken;
        run->partial = frame - taken;
        if (run->partial == 0) {
            run->count--;
            q->count--;
            completed++;
        }
    }
    return completed;
}

static int add_vector(struct iovec *vectors, int n, const void *bytes, size_t len)
{
    /* struct iovec is also used for reading, so its pointer is not const. These bytes are only
     * read. */
    union {
        const void *in;
        void *out;
    } base = {.in = bytes};
    vectors[n].iov_base = base.out;
    vectors[n].iov_len = len;
    return n + 1;
}

static int peek_run(struct wsp_outq *q, const struct wsp_run *run, uint32_t skip, uint32_t bytes,
                    struct iovec *vectors, int n)
{
    q->peeked += bytes;
    return add_vector(vectors, n, run->block->bytes + run->offset + skip, bytes);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Returns how many of the peeked bytes of the message lane come before the control lane. */
static uint32_t peeked_before_control(const struct wsp_outq *q)
{
    int control = q->control && q->control->peeked > 0;
    return control ? (uint32_t)least(q->first.partial, q->peeked) : q->peeked;
}

static size_t peeked_in_all(const struct wsp_outq *q)
{
    const struct wsp_control *control = q->control;
    return q->peeked + (control ? (size_t)control->peeked + control->close_peeked : 0);
}

/* Position of a walk through the message lane: the next run, and where it begins in the lane. */
struct lane_walk {
    const struct wsp_run *run;
    const struct wsp_runs *chunk;
    uint16_t i;
    uint32_t at;
};

static void next_of_lane(struct lane_walk *walk)
{
    walk->at += walk->run->bytes;
    if (walk->chunk && walk->i == walk->chunk->end) {
        walk->chunk = walk->chunk->next;
        walk->i = walk->chunk ? walk->chunk->start : 0;
    }
    walk->run = walk->chunk ? &walk->chunk->runs[walk->i++] : NULL;
}

/* Adds vectors for bytes from..to of the message lane. */
static int peek_lane(struct lane_walk *walk, uint32_t from, uint32_t to, struct iovec *vectors,
                     int n, int max)
{
    const struct wsp_run *run;
    while (from < to && n < max && (run = walk->run)) {
        uint32_t skip = from - walk->at;
        uint32_t len = (uint32_t)least(run->bytes - skip, to - from);
        n = add_vector(vectors, n, run->block->bytes + run->offset + skip, len);
        from += len;
        if (skip + len == run->bytes) {
            next_of_lane(walk);
        }
    }
    return n;
}

int wsp_outq_pin(struct wsp_outq *q, size_t bytes)
{
    struct wsp_control *control = q->control;
    uint32_t half = peeked_before_control(q), lane = q->peeked;
    if (bytes == 0 || bytes > peeked_in_all(q)) {
        return WSPOOL_ERR_INVAL;
    }
    q->peeked = (uint32_t)least(bytes, half);
    bytes -= q->peeked;
    if (control) {
        control->peeked = (uint16_t)least(bytes, control->peeked);
        bytes -= control->peeked;
    }
    half = (uint32_t)least(bytes, lane - half);
    q->peeked += half;
    if (control) {
        control->close_peeked = (uint16_t)(bytes - half);
    }
    q->marks |= WSP_MARK_PINNED;
    return 0;
}

/* Gives out the pinned bytes again, in the order of the first peek. Bytes for which there is no
 * vector are not pinned any more, so that an ack of everything given out is complete. */
static int peek_pinned(struct wsp_outq *q, struct iovec *vectors, int max)
{
    const struct wsp_control *control = q->control;
    struct lane_walk walk = {&q->first, q->more, q->more ? q->more->start : 0, 0};
    uint32_t half = peeked_before_control(q);
    int n = peek_lane(&walk, 0, half, vectors, 0, max);
    if (control && control->peeked > 0 && n < max) {
        n = add_vector(vectors, n, control->bytes + control->start, control->peeked);
    }
    n = peek_lane(&walk, half, q->peeked, vectors, n, max);
    if (control && control->close_peeked > 0 && n < max) {
        n = add_vector(vectors, n, control->close + control->close_start, control->close_peeked);
    }
    size_t given = 0;
    for (int i = 0; i < n; i++) {
        given += vectors[i].iov_len;
    }
    (void)wsp_outq_pin(q, given);
    return n;
}

int wsp_outq_peek_all(struct wsp_outq *q, struct iovec *vectors, int max)
{
    struct wsp_control *control = q->control;
    int n = 0;
    uint32_t skip = 0;
    if (q->marks & WSP_MARK_PINNED) {
        return peek_pinned(q, vectors, max);
    }
    q->peeked = 0;
    q->tail_peeked = 0;
    if (control) {
        control->peeked = control->close_peeked = 0;
        if (control->start < control->end) {
            skip = q->first.partial;
            if (skip > 0 && n < max) {
                n = peek_run(q, &q->first, 0, skip, vectors, n);
            }
            if (n < max) {
                control->peeked = (uint16_t)(control->end - control->start);
                n = add_vector(vectors, n, control->bytes + control->start, control->peeked);
            }
        }
    }
    if (q->first.bytes > skip) {
        if (n == max) {
            return n;
        }
        n = peek_run(q, &q->first, skip, q->first.bytes - skip, vectors, n);
    }
    for (struct wsp_runs *chunk = q->more; chunk; chunk = chunk->next) {
        for (uint16_t i = chunk->start; i < chunk->end; i++) {
            if (n == max) {
                return n;
            }
            n = peek_run(q, &chunk->runs[i], 0, chunk->runs[i].bytes, vectors, n);
        }
    }
    q->tail_peeked = 1;
    if (control && control->close_start < control->close_end && n < max) {
        control->close_peeked = (uint16_t)(control->close_end - control->close_start);
        n = add_vector(vectors, n, control->close + control->close_start, control->close_peeked);
    }
    return n;
}

/* Nothing is peeked any more, and nothing is pinned. */
static void unpin(struct wsp_outq *q)
{
    q->marks = (uint8_t)(q->marks & ~WSP_MARK_PINNED);
    q->peeked = 0;
    q->tail_peeked = 0;
    if (q->control) {
        q->control->peeked = q->control->close_peeked = 0;
    }
}

int wsp_outq_ack(struct wsp_outq *q, struct wsp_outqs *outqs, size_t bytes, struct wsp_acked *acked)
{
    struct wsp_control *control = q->control;
    size_t total = peeked_in_all(q);
    uint32_t lane = q->peeked, half = peeked_before_control(q), n;
    if (bytes > total) {
        return WSPOOL_ERR_INVAL;
    }
    acked->partly = bytes < total;
    acked->messages = 0;
    /* The same order as in peek: control bytes follow a partly sent message. */
    if (half > 0) {
        n = (uint32_t)least(bytes, half);
        acked->messages = consume(q, outqs, n);
        bytes -= n;
        lane -= n;
        half -= n;
    }
    if (control) {
        n = (uint32_t)least(bytes, control->peeked);
        control->start = (uint16_t)(control->start + n);
        control->peeked = (uint16_t)(control->peeked - n);
        bytes -= n;
        if (lane > half) {
            n = (uint32_t)least(bytes, lane - half);
            acked->messages += consume(q, outqs, n);
            bytes -= n;
            lane -= n;
        }
        control->close_start = (uint16_t)(control->close_start + bytes);
        control->close_peeked = (uint16_t)(control->close_peeked - bytes);
    }
    if (acked->partly && (q->marks & WSP_MARK_PINNED)) {
        q->peeked = lane; /* the rest stays pinned */
    } else {
        unpin(q);
    }
    if (control && control->start == control->end && control->close_start == control->close_end) {
        wsp_freelist_give(&outqs->controls, outqs->mem, control);
        q->control = NULL;
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * link/outq.c - see link/outq.h.
 *
 * Message boundaries are not stored: a run consists of frames, and a frame contains its length. So
 * a run needs no list of its messages. It is parsed only when a write was short, or when the oldest
 * message must be dropped.
 *
 * A message dropped from the middle leaves a run without a block, which every function skips:
 * moving the later runs would cost more, and peeked bytes must not move at all.
 */
#include "link/outq.h"

#include <string.h>

#include <wspool/error.h>

/* Enough for a few hundred peers that fall behind at the same time. */
#define KEEP_RUNS 256u
#define KEEP_CONTROLS 64u

void wsp_outqs_init(struct wsp_outqs *outqs, const wspool_mem *mem)
{
    outqs->mem = mem;
    wsp_freelist_init(&outqs->runs, sizeof(struct wsp_runs), KEEP_RUNS);
    wsp_freelist_init(&outqs->controls, sizeof(struct wsp_control), KEEP_CONTROLS);
}

void wsp_outqs_fini(struct wsp_outqs *outqs)
{
    wsp_freelist_fini(&outqs->runs, outqs->mem);
    wsp_freelist_fini(&outqs->controls, outqs->mem);
}

/* ------------------------------------------------------------ message lane */

static struct wsp_runs *new_chunk(struct wsp_outqs *outqs, uint16_t at)
{
    struct wsp_runs *chunk = wsp_freelist_take(&outqs->runs, outqs->mem);
    if (chunk) {
        chunk->next = NULL;
        chunk->last = chunk;
        chunk->start = chunk->end = at;
    }
    return chunk;
}

int wsp_outq_push_behind(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_run run)
{
    struct wsp_runs *last = q->more ? q->more->last : NULL;
    struct wsp_run *tail = last ? &last->runs[last->end - 1] : &q->first;
    int another = tail->block != run.block; /* no block: its message was dropped */
    if (last && !q->tail_peeked && tail->block == run.block &&
        tail->offset + tail->bytes == run.offset) {
        tail->bytes += run.bytes;
        tail->count += run.count;
        goto counted;
    }
    if (!last || last->end == WSP_RUNS_PER_CHUNK) {
        struct wsp_runs *chunk = new_chunk(outqs, 0);
        if (!chunk) {
            return WSPOOL_ERR_NOMEM;
        }
        if (last) {
            last->next = chunk;
            q->more->last = chunk;
        } else {
            q->more = chunk;
        }
        last = chunk;
    }
    last->runs[last->end++] = run;
    wsp_block_hold(run.block);
    q->tail_peeked = 0;
counted:
    q->bytes += run.bytes;
    q->count += run.count;
    return another;
}

/* Inserts a run right after the first one. */
static int push_second(struct wsp_outq *q, struct wsp_outqs *outqs, const struct wsp_run *run)
{
    if (!q->more || q->more->start == 0) {
        struct wsp_runs *chunk = new_chunk(outqs, WSP_RUNS_PER_CHUNK);
        if (!chunk) {
            return WSPOOL_ERR_NOMEM;
        }
        if (q->more) {
            chunk->next = q->more;
            chunk->last = q->more->last;
        }
        q->more = chunk;
    }
    q->more->runs[--q->more->start] = *run;
    wsp_block_hold(run->block);
    return 0;
}

static void drop_first_chunk(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    struct wsp_runs *chunk = q->more;
    q->more = chunk->next;
    if (q->more) {
        q->more->last = chunk->last;
    }
    wsp_freelist_give(&outqs->runs, outqs->mem, chunk);
}

/* The first run is finished: the next run with bytes becomes the first. */
static void advance(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    wsp_block_release(q->first.block);
    q->first = (struct wsp_run){0};
    while (q->more && !q->first.block) {
        struct wsp_runs *chunk = q->more;
        q->first = chunk->runs[chunk->start++];
        if (chunk->start == chunk->end) {
            drop_first_chunk(q, outqs);
        }
    }
}

static uint32_t first_frame_len(const struct wsp_run *run)
{
    return run->partial ? run->partial : wsp_frame_encoded_len(run->block->bytes + run->offset);
}

static void shorten(struct wsp_outq *q, struct wsp_run *run, uint32_t bytes)
{
    run->offset += bytes;
    run->bytes -= bytes;
    q->bytes -= bytes;
}

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
            advance(q, outqs);
            continue;
        }
        uint32_t frame = first_frame_len(run);
        uint32_t taken = bytes < frame ? bytes : frame;
        shorten(q, run, taken);
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

/* Separates a partly sent message from the first run, so that the rest of the run can be
 * dropped. */
static int isolate_partial(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    struct wsp_run *first = &q->first;
    if (first->count == 1) {
        return 0;
    }
    struct wsp_run rest = {.block = first->block,
                           .offset = first->offset + first->partial,
                           .bytes = first->bytes - first->partial,
                           .count = first->count - 1};
    int error = push_second(q, outqs, &rest);
    if (error) {
        return error;
    }
    first->bytes = first->partial;
    first->count = 1;
    return 0;
}

/* Drops the oldest message of a run, which may leave the run without a block. */
static void drop_front(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_run *run)
{
    shorten(q, run, first_frame_len(run));
    run->count--;
    q->count--;
    if (run->bytes > 0) {
        return;
    }
    if (run == &q->first) {
        advance(q, outqs);
    } else {
        wsp_block_release(run->block);
        run->block = NULL;
    }
}

/* Removes a chunk without runs from the list. */
static void drop_empty_chunk(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_runs *before,
                             struct wsp_runs *chunk)
{
    if (!chunk->next) {
        q->tail_peeked = q->peeked > 0; /* the last run has changed */
    }
    if (!before) {
        drop_first_chunk(q, outqs);
        return;
    }
    before->next = chunk->next;
    if (!chunk->next) {
        q->more->last = before;
    }
    wsp_freelist_give(&outqs->runs, outqs->mem, chunk);
}

/* Returns the oldest run of which nothing is peeked, or NULL. Removes chunks that earlier drops
 * have emptied: otherwise a blocked peer with a steady flow of messages would collect empty
 * chunks without limit. */
static struct wsp_run *oldest_droppable(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    uint32_t under_way = q->peeked;
    if (under_way == 0 && q->first.partial == 0) {
        return q->first.block ? &q->first : NULL;
    }
    if (under_way <= q->first.partial && isolate_partial(q, outqs)) {
        return NULL;
    }
    under_way -= under_way < q->first.bytes ? under_way : q->first.bytes;
    struct wsp_runs *before = NULL, *next;
    for (struct wsp_runs *chunk = q->more; chunk; chunk = next) {
        int empty = 1;
        for (uint16_t i = chunk->start; i < chunk->end; i++) {
            struct wsp_run *run = &chunk->runs[i];
            if (!run->block) {
                continue;
            }
            if (under_way == 0) {
                return run;
            }
            under_way -= under_way < run->bytes ? under_way : run->bytes;
            empty = 0;
        }
        next = chunk->next;
        if (empty) {
            drop_empty_chunk(q, outqs, before, chunk);
        } else {
            before = chunk;
        }
    }
    return NULL;
}

uint32_t wsp_outq_drop_oldest(struct wsp_outq *q, struct wsp_outqs *outqs, uint32_t bytes,
                              uint32_t max_bytes, uint32_t max_count)
{
    uint32_t dropped = 0;
    while (q->count > 0 && (q->bytes + bytes > max_bytes || q->count + 1 > max_count)) {
        struct wsp_run *run = oldest_droppable(q, outqs);
        if (!run) {
            break;
        }
        drop_front(q, outqs, run);
        dropped++;
    }
    return dropped;
}

uint32_t wsp_outq_drop_all(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    uint32_t before = q->count;
    struct wsp_run *run;
    while ((run = oldest_droppable(q, outqs)) != NULL) {
        q->bytes -= run->bytes;
        q->count -= run->count;
        if (run == &q->first) {
            advance(q, outqs);
        } else {
            wsp_block_release(run->block);
            *run = (struct wsp_run){0};
        }
    }
    return before - q->count;
}

void wsp_outq_drop_empty(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    struct wsp_runs *before = NULL, *next;
    for (struct wsp_runs *chunk = q->more; chunk; chunk = next) {
        uint16_t i = chunk->start;
        next = chunk->next;
        while (i < chunk->end && !chunk->runs[i].block) {
            i++;
        }
        if (i == chunk->end) {
            drop_empty_chunk(q, outqs, before, chunk);
        } else {
            before = chunk;
        }
    }
}

/* ------------------------------------------------- control lane and Close */

static int need_control(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    if (q->control) {
        return 0;
    }
    struct wsp_control *control = wsp_freelist_take(&outqs->controls, outqs->mem);
    if (!control) {
        return WSPOOL_ERR_NOMEM;
    }
    control->start = control->end = control->peeked = 0;
    control->close_start = control->close_end = control->close_peeked = 0;
    control->last_pong = WSP_NO_PONG;
    q->control = control;
    return 0;
}

static int control_has_room(struct wsp_control *control, size_t len)
{
    if (control->end + len > WSP_CONTROL_BYTES && control->peeked == 0 && control->start > 0) {
        uint16_t by = control->start;
        memmove(control->bytes, control->bytes + by, (size_t)(control->end - by));
        control->start = 0;
        control->end = (uint16_t)(control->end - by);
        control->last_pong = control->last_pong == WSP_NO_PONG || control->last_pong < by
                                 ? WSP_NO_PONG
                                 : (uint16_t)(control->last_pong - by);
    }
    return control->end + len <= WSP_CONTROL_BYTES && control->close_end == 0;
}

static void control_append(struct wsp_control *control, const void *bytes, size_t len)
{
    memcpy(control->bytes + control->end, bytes, len);
    control->end = (uint16_t)(control->end + len);
}

int wsp_outq_control(struct wsp_outq *q, struct wsp_outqs *outqs, const void *bytes, size_t len)
{
    if (len > WSP_CONTROL_BYTES) {
        return WSPOOL_ERR_FULL;
    }
    if (need_control(q, outqs)) {
        return WSPOOL_ERR_NOMEM;
    }
    if (!control_has_room(q->control, len)) {
        return WSPOOL_ERR_FULL;
    }
    control_append(q->control, bytes, len);
    q->control->last_pong = WSP_NO_PONG;
    return 0;
}

int wsp_outq_pong(struct wsp_outq *q, struct wsp_outqs *outqs, const void *frame, size_t len)
{
    if (need_control(q, outqs)) {
        return WSPOOL_ERR_NOMEM;
    }
    struct wsp_control *control = q->control;
    int replaced = 0;
    if (!control_has_room(control, len)) {
        if (control->close_end > 0 || control->last_pong == WSP_NO_PONG ||
            control->last_pong < control->start + control->peeked ||
            control->last_pong + len > WSP_CONTROL_BYTES) {
            return 1;
        }
        control->end = control->last_pong;
        replaced = 1;
    }
    control->last_pong = control->end;
    control_append(control, frame, len);
    return replaced;
}

int wsp_outq_close(struct wsp_outq *q, struct wsp_outqs *outqs, const void *frame, size_t len)
{
    if (need_control(q, outqs)) {
        return WSPOOL_ERR_NOMEM;
    }
    memcpy(q->control->close, frame, len);
    q->control->close_end = (uint16_t)len;
    return 0;
}

/* ------------------------------------------------------------ peek and ack */

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

/* Of what was peeked of the message lane: how much comes before the control frames. */
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

/* Where a walk through the message lane is: the next run, and where its bytes begin in the lane. */
struct lane_walk {
    const struct wsp_run *run;
    const struct wsp_runs *chunk;
    uint16_t i;
    uint32_t at;
};

static void next_of_lane(struct lane_walk *walk)
{
    walk->at += walk->run->bytes;
    do {
        if (walk->chunk && walk->i == walk->chunk->end) {
            walk->chunk = walk->chunk->next;
            walk->i = walk->chunk ? walk->chunk->start : 0;
        }
        walk->run = walk->chunk ? &walk->chunk->runs[walk->i++] : NULL;
    } while (walk->run && !walk->run->block);
}

/* Bytes from..to of the message lane. */
static int peek_lane(struct lane_walk *walk, uint32_t from, uint32_t to, struct iovec *vectors,
                     int n, int max)
{
    while (from < to && n < max) {
        const struct wsp_run *run = walk->run;
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

/* The pinned bytes again, in the order in which they were peeked first. Those for which there is no
 * vector are not pinned any more, so that an ack of all that was given out is one of all. */
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
            if (!chunk->runs[i].block) {
                continue;
            }
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

/* Nothing is under way any more. */
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
    uint32_t lane = q->peeked;
    if (bytes > total) {
        return WSPOOL_ERR_INVAL;
    }
    acked->partly = bytes < total;
    if (!control) {
        acked->messages = consume(q, outqs, (uint32_t)bytes);
        lane -= (uint32_t)bytes;
    } else {
        /* The same order as in peek: control bytes follow a partly sent message. */
        uint32_t half = peeked_before_control(q);
        uint32_t n = (uint32_t)least(bytes, half);
        acked->messages = consume(q, outqs, n);
        bytes -= n;
        lane -= n;
        half -= n;
        n = (uint32_t)least(bytes, control->peeked);
        control->start = (uint16_t)(control->start + n);
        control->peeked = (uint16_t)(control->peeked - n);
        bytes -= n;
        n = (uint32_t)least(bytes, lane - half);
        acked->messages += consume(q, outqs, n);
        bytes -= n;
        lane -= n;
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

void wsp_outq_fini(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    q->peeked = 0;
    while (q->first.block) {
        advance(q, outqs);
    }
    q->bytes = q->count = 0;
    if (q->control) {
        wsp_freelist_give(&outqs->controls, outqs->mem, q->control);
        q->control = NULL;
    }
}

/* ------------------------------------------------------------------ checks */

void wsp_outq_each(const struct wsp_outq *q, void (*visit)(const struct wsp_run *run, void *user),
                   void *user)
{
    if (q->first.block) {
        visit(&q->first, user);
    }
    for (const struct wsp_runs *chunk = q->more; chunk; chunk = chunk->next) {
        for (uint16_t i = chunk->start; i < chunk->end; i++) {
            if (chunk->runs[i].block) {
                visit(&chunk->runs[i], user);
            }
        }
    }
}

struct sum {
    uint64_t bytes, count;
    int bad;
};

static void add_run(const struct wsp_run *run, void *user)
{
    struct sum *sum = user;
    uint32_t at = run->partial, encodings = run->partial ? 1 : 0;
    if (sum->bad || run->offset + run->bytes > run->block->used ||
        (run->partial && sum->bytes > 0)) {
        sum->bad = 1;
        return;
    }
    while (at < run->bytes) {
        at += wsp_frame_encoded_len(run->block->bytes + run->offset + at);
        encodings++;
    }
    sum->bad = at != run->bytes || encodings != run->count;
    sum->bytes += run->bytes;
    sum->count += run->count;
}

static int chunks_are_valid(const struct wsp_runs *first)
{
    const struct wsp_runs *last = first;
    for (const struct wsp_runs *chunk = first; chunk; chunk = chunk->next) {
        if (chunk->start >= chunk->end || chunk->end > WSP_RUNS_PER_CHUNK) {
            return 0;
        }
        last = chunk;
    }
    return !first || first->last == last;
}

static int control_is_valid(const struct wsp_control *control, uint32_t messages)
{
    return control->start <= control->end && control->end <= WSP_CONTROL_BYTES &&
           control->close_start <= control->close_end &&
           control->close_end <= WSP_CLOSE_FRAME_MAX &&
           control->peeked <= control->end - control->start &&
           control->close_peeked <= control->close_end - control->close_start &&
           (control->last_pong == WSP_NO_PONG || control->last_pong < control->end) &&
           (control->start < control->end || control->close_start < control->close_end) &&
           (control->close_start == 0 || messages == 0);
}

int wsp_outqs_check(const struct wsp_outqs *outqs)
{
    return wsp_freelist_check(&outqs->runs) && wsp_freelist_check(&outqs->controls);
}

int wsp_outq_check(const struct wsp_outq *q)
{
    struct sum sum = {0};
    if (!chunks_are_valid(q->more) || (q->control && !control_is_valid(q->control, q->bytes))) {
        return 0;
    }
    wsp_outq_each(q, add_run, &sum);
    return !sum.bad && sum.bytes == q->bytes && sum.count == q->count && q->peeked <= q->bytes &&
           (q->bytes > 0 || (!q->more && !q->first.block));
}

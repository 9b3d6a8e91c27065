/* SPDX-License-Identifier: MIT */
/*
 * link/outq.c - see link/outq.h.
 *
 * Message boundaries are not stored: a run consists of frames, and a frame contains its length. So
 * a run needs no list of its messages. It is parsed only when a write was short (link/peek.c).
 */
#include "link/outq.h"

#include <string.h>

#include <wspool/error.h>
#include "base/noinline.h"

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

static struct wsp_runs *new_chunk(struct wsp_outqs *outqs)
{
    struct wsp_runs *chunk = wsp_freelist_take(&outqs->runs, outqs->mem);
    if (chunk) {
        chunk->next = NULL;
        chunk->last = chunk;
        chunk->start = chunk->end = 0;
    }
    return chunk;
}

/* Returns how many bytes at the front of the lane nothing may overtake. */
static uint32_t bytes_at_front(const struct wsp_outq *q)
{
    return q->peeked > q->first.partial ? q->peeked : q->first.partial;
}

/* Makes a place for a run at `at`, which must not be the first run's. Returns NULL without memory;
 * the runs before it do not move. */
static struct wsp_run *open_gap(struct wsp_outq *q, struct wsp_outqs *outqs,
                                struct wsp_run_walk *at)
{
    struct wsp_runs *chunk = at->chunk;
    if (chunk && chunk->end < WSP_RUNS_PER_CHUNK) {
        struct wsp_run *gap = &chunk->runs[at->i];
        memmove(gap + 1, gap, (size_t)(chunk->end++ - at->i) * sizeof *gap);
        return gap;
    }
    struct wsp_runs *rest = new_chunk(outqs);
    if (!rest) {
        return NULL;
    }
    if (!chunk) {
        q->more = rest;
        rest->end = 1;
        *at = (struct wsp_run_walk){rest, 0, 1};
        return &rest->runs[0];
    }
    rest->next = chunk->next;
    chunk->next = rest;
    q->more->last = q->more->last == chunk ? rest : q->more->last;
    if (at->i == WSP_RUNS_PER_CHUNK) {
        rest->end = 1;
        *at = (struct wsp_run_walk){rest, 0, 1};
        return &rest->runs[0];
    }
    rest->end = (uint16_t)(chunk->end - at->i);
    memcpy(rest->runs, &chunk->runs[at->i], rest->end * sizeof *rest->runs);
    chunk->end = (uint16_t)(at->i + 1);
    return &chunk->runs[at->i];
}

/* Divides a run behind the message that contains its byte number `bytes`, if there is another one;
 * `behind` is the place behind the run. Returns 0 or NOMEM. */
static int divide(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_run *run, uint32_t bytes,
                  struct wsp_run_walk *behind)
{
    uint32_t at = wsp_run_first_frame(run), count = 1;
    for (; at < bytes; count++) {
        at += wsp_frame_encoded_len(run->block->bytes + run->offset + at);
    }
    if (at == run->bytes) {
        return 0;
    }
    struct wsp_run *rest = open_gap(q, outqs, behind);
    if (!rest) {
        return WSPOOL_ERR_NOMEM;
    }
    *rest = (struct wsp_run){.block = run->block,
                             .offset = run->offset + at,
                             .bytes = run->bytes - at,
                             .count = run->count - count};
    wsp_block_hold(run->block);
    run->bytes = at;
    run->count = count;
    return 0;
}

/* The last run has a lower priority than this one. */
static WSP_NOINLINE int insert(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_run run)
{
    const uint32_t front = bytes_at_front(q);
    struct wsp_run_walk walk = {0}, place = {q->more, q->more ? q->more->start : 0, 1};
    struct wsp_run *each, *before = NULL;
    uint32_t at = 0, start = 0;
    for (; (each = wsp_outq_next_run(q, &walk)) != NULL; at += each->bytes) {
        if (at < front || each->block->priority >= run.block->priority) {
            before = each;
            start = at;
            place = walk;
        }
    }
    if (before && before->block == run.block && before->offset + before->bytes == run.offset &&
        start >= front) {
        before->bytes += run.bytes;
        before->count += run.count;
        goto counted;
    }
    if (before && before->block->priority < run.block->priority &&
        divide(q, outqs, before, front - start, &place)) {
        return WSPOOL_ERR_NOMEM;
    }
    struct wsp_run *gap = open_gap(q, outqs, &place);
    if (!gap) {
        return WSPOOL_ERR_NOMEM;
    }
    if (!before) {
        *gap = q->first;
        gap = &q->first;
    }
    *gap = run;
    wsp_block_hold(run.block);
counted:
    q->bytes += run.bytes;
    q->count += run.count;
    return 1;
}

int wsp_outq_push_behind(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_run run)
{
    struct wsp_runs *last = q->more ? q->more->last : NULL;
    struct wsp_run *tail = last ? &last->runs[last->end - 1] : &q->first;
    int another = tail->block != run.block;
    if (tail->block->priority < run.block->priority && bytes_at_front(q) < q->bytes) {
        return insert(q, outqs, run);
    }
    if (last && !q->tail_peeked && !another && tail->offset + tail->bytes == run.offset) {
        tail->bytes += run.bytes;
        tail->count += run.count;
        goto counted;
    }
    if (!last || last->end == WSP_RUNS_PER_CHUNK) {
        struct wsp_runs *chunk = new_chunk(outqs);
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

static void free_first_chunk(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    struct wsp_runs *chunk = q->more;
    q->more = chunk->next;
    if (q->more) {
        q->more->last = chunk->last;
    }
    wsp_freelist_give(&outqs->runs, outqs->mem, chunk);
}

void wsp_outq_advance(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    wsp_block_release(q->first.block);
    q->first = (struct wsp_run){0};
    struct wsp_runs *chunk = q->more;
    if (chunk) {
        q->first = chunk->runs[chunk->start++];
        if (chunk->start == chunk->end) {
            free_first_chunk(q, outqs);
        }
    }
}

void wsp_outq_close_gaps(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    struct wsp_runs *last = NULL, *chunk = q->more, *next;
    q->more = NULL;
    for (; chunk; chunk = next) {
        uint16_t end = chunk->start;
        next = chunk->next;
        for (uint16_t i = chunk->start; i < chunk->end; i++) {
            if (chunk->runs[i].block) {
                chunk->runs[end++] = chunk->runs[i];
            }
        }
        chunk->end = end;
        chunk->next = NULL;
        if (end == chunk->start) {
            wsp_freelist_give(&outqs->runs, outqs->mem, chunk);
            continue;
        }
        *(last ? &last->next : &q->more) = chunk;
        last = chunk;
    }
    if (q->more) {
        q->more->last = last;
    }
}

/* The first `bytes` bytes of a run stay, which are `count` messages. */
static void cut(struct wsp_outq *q, struct wsp_run *run, uint32_t bytes, uint32_t count)
{
    q->bytes -= run->bytes - bytes;
    q->count -= run->count - count;
    run->bytes = bytes;
    run->count = count;
    if (bytes == 0 && run->block) {
        wsp_block_release(run->block);
        *run = (struct wsp_run){0};
    }
}

uint32_t wsp_outq_drop_all(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    const uint32_t before = q->count, partial = q->first.partial;
    uint32_t at = q->first.bytes;
    for (struct wsp_runs *chunk = q->more; chunk; chunk = chunk->next) {
        for (uint16_t i = chunk->start; i < chunk->end; i++) {
            uint32_t bytes = chunk->runs[i].bytes;
            if (at >= q->peeked) {
                cut(q, &chunk->runs[i], 0, 0);
            }
            at += bytes;
        }
    }
    wsp_outq_close_gaps(q, outqs);
    if (q->peeked <= partial) {
        cut(q, &q->first, partial, partial > 0);
    }
    q->tail_peeked = q->peeked > 0;
    return before - q->count;
}

void wsp_outq_fini(struct wsp_outq *q, struct wsp_outqs *outqs)
{
    q->peeked = 0;
    while (q->first.block) {
        wsp_outq_advance(q, outqs);
    }
    q->bytes = q->count = 0;
    if (q->control) {
        wsp_freelist_give(&outqs->controls, outqs->mem, q->control);
        q->control = NULL;
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

/* ------------------------------------------------------------------ checks */

void wsp_outq_each(const struct wsp_outq *q, void (*visit)(const struct wsp_run *run, void *user),
                   void *user)
{
    if (q->first.block) {
        visit(&q->first, user);
    }
    for (const struct wsp_runs *chunk = q->more; chunk; chunk = chunk->next) {
        for (uint16_t i = chunk->start; i < chunk->end; i++) {
            visit(&chunk->runs[i], user);
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
    if (sum->bad || !run->block || run->offset + run->bytes > run->block->used ||
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

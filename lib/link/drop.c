/* SPDX-License-Identifier: MIT */
/*
 * link/drop.c - see link/drop.h.
 *
 * A message dropped from the middle leaves a run without a block, which every function skips:
 * moving the later runs would cost more, and peeked bytes must not move at all.
 */
#include "link/drop.h"

#include <wspool/error.h>

/* Inserts a run right after the first one. */
static int push_second(struct wsp_outq *q, struct wsp_outqs *outqs, const struct wsp_run *run)
{
    if (!q->more || q->more->start == 0) {
        struct wsp_runs *chunk = wsp_outq_new_chunk(outqs, WSP_RUNS_PER_CHUNK);
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
    wsp_outq_shorten(q, run, wsp_run_first_frame(run));
    run->count--;
    q->count--;
    if (run->bytes > 0) {
        return;
    }
    if (run == &q->first) {
        wsp_outq_advance(q, outqs);
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
        wsp_outq_free_first_chunk(q, outqs);
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
            wsp_outq_advance(q, outqs);
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

/* SPDX-License-Identifier: MIT */
/*
 * link/compact.c - see link/compact.h.
 *
 * Each run is copied once: its new block is exactly as large as its bytes, so it is no longer
 * loose.
 */
#include "link/compact.h"

#include <string.h>

#define SHARE 32u /* share of the memory that may be unused */
#define GROUP_RUNS 16u
#define GROUP_BYTES WSP_BLOCK_BYTES

struct walk {
    struct wsp_runs *chunk;
    uint16_t i;
    int begun;
};

static struct wsp_run *next_run(struct wsp_outq *q, struct walk *at)
{
    if (!at->begun) {
        *at = (struct walk){.chunk = q->more, .i = q->more ? q->more->start : 0, .begun = 1};
        if (q->first.block) {
            return &q->first;
        }
    }
    while (at->chunk) {
        if (at->i < at->chunk->end) {
            return &at->chunk->runs[at->i++];
        }
        at->chunk = at->chunk->next;
        at->i = at->chunk ? at->chunk->start : 0;
    }
    return NULL;
}

static uint64_t memory_used(struct wsp_outq *q, const struct wsp_blocks *blocks)
{
    struct walk at = {0};
    const struct wsp_block *before = blocks->current;
    const struct wsp_run *run;
    uint64_t sum = 0;
    while ((run = next_run(q, &at)) != NULL) {
        if (run->block != before && !wsp_block_is_current(blocks, run->block)) {
            sum += wsp_block_size(run->block);
        }
        before = run->block;
    }
    return sum;
}

/* Moves adjacent runs into one block. Returns 1, or 0 when there is no room for it. */
static int move_together(struct wsp_run **group, uint32_t n, uint32_t bytes,
                         struct wsp_blocks *blocks)
{
    struct wsp_block *block = n > 0 ? wsp_blocks_exact(blocks, bytes) : NULL;
    uint32_t at = 0, count = 0;
    if (!block) {
        return n == 0;
    }
    for (uint32_t i = 0; i < n; i++) {
        memcpy(block->bytes + at, group[i]->block->bytes + group[i]->offset, group[i]->bytes);
        at += group[i]->bytes;
        count += group[i]->count;
        wsp_block_release(group[i]->block);
        if (i > 0) {
            *group[i] = (struct wsp_run){0};
        }
    }
    wsp_blocks_trim(blocks); /* otherwise the saved memory would only move to the free list */
    *group[0] = (struct wsp_run){
        .block = block, .bytes = bytes, .count = count, .partial = group[0]->partial};
    return 1;
}

void wsp_outq_compact(struct wsp_outq *q, struct wsp_outqs *outqs, struct wsp_blocks *blocks,
                      uint32_t limit)
{
    struct wsp_run *group[GROUP_RUNS], *run;
    struct walk at = {0};
    uint32_t n = 0, bytes = 0, peeked = q->peeked;
    if (!q->more) {
        return;
    }
    uint64_t memory = memory_used(q, blocks);
    if (memory <= limit || memory - limit / SHARE < q->bytes) {
        return;
    }
    int room = 1;
    while (room && (run = next_run(q, &at)) != NULL) {
        if (peeked > 0) {
            peeked -= peeked < run->bytes ? peeked : run->bytes;
            continue;
        }
        uint32_t cap = run->block->cap;
        int loose = !wsp_block_is_current(blocks, run->block) && cap - run->bytes > cap / SHARE;
        if (!loose || n == GROUP_RUNS || bytes + run->bytes > GROUP_BYTES) {
            room = move_together(group, n, bytes, blocks);
            n = bytes = 0;
        }
        if (loose) {
            group[n++] = run;
            bytes += run->bytes;
        }
    }
    (void)move_together(group, n, bytes, blocks);
    wsp_outq_close_gaps(q, outqs);
}

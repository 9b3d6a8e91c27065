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

static uint64_t memory_used(struct wsp_outq *q)
{
    struct wsp_run_walk walk = {0};
    const struct wsp_block *before = NULL;
    const struct wsp_run *run;
    uint64_t sum = 0;
    while ((run = wsp_outq_next_run(q, &walk)) != NULL) {
        if (run->block != before && !run->block->current) {
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
    struct wsp_block *block =
        n > 0 ? wsp_blocks_exact(blocks, bytes, group[0]->block->priority) : NULL;
    uint32_t at = 0, count = 0;
    if (!block) {
        return n == 0;
    }
    block->newest_at = wsp_run_written_at(group[0]);
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
    struct wsp_run_walk walk = {0};
    uint32_t n = 0, bytes = 0, peeked = q->peeked;
    if (!q->more) {
        return;
    }
    uint64_t memory = memory_used(q);
    if (memory <= limit || memory - limit / SHARE < q->bytes) {
        return;
    }
    int room = 1;
    while (room && (run = wsp_outq_next_run(q, &walk)) != NULL) {
        if (peeked > 0) {
            peeked -= peeked < run->bytes ? peeked : run->bytes;
            continue;
        }
        uint32_t cap = run->block->cap;
        int loose = !run->block->current && cap - run->bytes > cap / SHARE;
        if (!loose || n == GROUP_RUNS || bytes + run->bytes > GROUP_BYTES ||
            (n > 0 && group[0]->block->priority != run->block->priority)) {
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

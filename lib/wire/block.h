/* SPDX-License-Identifier: MIT */
/*
 * wire/block.h - wire images in shared, counted blocks.  Floor 1.
 *
 * A message is encoded once. Its image is written behind the one before it in the pool's open
 * block, and every queue that gets it refers to those bytes:
 *
 *     block   [ image 1 | image 2 | image 3 | ... free ... ]
 *     queue A  <------- run ------>                             (joined: one write)
 *     queue B            <--------- run ------->
 *
 * Images never change once written. A block is held by each run that refers to it and, while it
 * is an open one, by the store; the last to let go gives it back. When nobody but the store
 * holds the open block it is written from its beginning again, so a pool whose peers keep up
 * lives in the same few cache lines. Plain counters: a block belongs to one pool, one thread.
 *
 * Invariants:
 * - a block that can be reached is held, a spare is not;
 * - `used` is within `cap`; bytes below `used` are never written again while anybody but the
 *   store holds the block;
 * - the store's `bytes` is the sum of the memory of all blocks that are held, which only the pool
 *   can count (pool/stats.c); it stands in the gauge too, and is within the limit;
 * - spares are as many, and hold as much memory, as the store says, and both are few.
 */
#ifndef WSP_WIRE_BLOCK_H
#define WSP_WIRE_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include "base/counters.h"
#include "base/mem.h"

/* Bytes of images in an ordinary block; a larger image gets a block of its own. */
#define WSP_BLOCK_BYTES (16384u - 64u)

struct wsp_block {
    struct wsp_block *next; /* among the spares */
    struct wsp_blocks *store;
    uint32_t holds;
    uint32_t used;
    uint32_t cap;
    uint32_t seen; /* scratch of the check of the books */
    uint8_t bytes[];
};

struct wsp_blocks {
    const wspool_mem *mem;
    struct wsp_block *open;   /* where the next image goes; NULL before the first */
    struct wsp_block *aside;  /* the same for images of the other sort: see wsp_blocks_swap */
    struct wsp_block *spares; /* kept for later: a few, of any size */
    uint32_t spare_count;
    uint64_t bytes;       /* memory of all blocks that somebody holds, the open one included */
    wsp_count *gauge;     /* the same, where other threads may read it */
    uint64_t spare_bytes; /* memory of the spares */
    uint64_t limit;       /* `bytes` may not pass it */
};

/* Images of two sorts, plain and coded, are seldom in one queue: each sort has an open block of its
 * own, so that what lies in a queue lies together. Changes over to the other sort. */
static inline void wsp_blocks_swap(struct wsp_blocks *blocks)
{
    struct wsp_block *open = blocks->open;
    blocks->open = blocks->aside;
    blocks->aside = open;
}

/* Is it where the next image of either sort goes? */
static inline int wsp_block_is_open(const struct wsp_blocks *blocks, const struct wsp_block *block)
{
    return block == blocks->open || block == blocks->aside;
}

/* Part of a block: what one queue has to send, images one behind the other. */
struct wsp_run {
    struct wsp_block *block;
    uint32_t offset;
    uint32_t bytes;
    uint32_t count;   /* images in it, the one sent in part included */
    uint32_t partial; /* bytes left of the first image when it was sent in part; 0: it is whole */
};

void wsp_blocks_init(struct wsp_blocks *blocks, const wspool_mem *mem, uint64_t limit,
                     wsp_count *gauge);
/* All runs must have been let go of. */
void wsp_blocks_fini(struct wsp_blocks *blocks);

/* Frees what is kept for later. */
void wsp_blocks_trim(struct wsp_blocks *blocks);

/* Memory of the block that an image of `len` bytes would get if it needed a new one. */
static inline uint64_t wsp_block_memory(uint32_t len)
{
    return sizeof(struct wsp_block) + (uint64_t)(len > WSP_BLOCK_BYTES ? len : WSP_BLOCK_BYTES);
}

/* Memory that a block takes. */
static inline uint64_t wsp_block_size(const struct wsp_block *block)
{
    return sizeof *block + block->cap;
}

/* Has the open block room for an image of `len` bytes? 1 or 0. */
static inline int wsp_blocks_have_room(struct wsp_blocks *blocks, uint32_t len)
{
    struct wsp_block *open = blocks->open;
    if (open && open->holds == 1) {
        open->used = 0;
    }
    return open && open->cap - open->used >= len;
}
/* Room for it in the open block, which may be a new one for it. Answers where to write it, or NULL:
 * *error is WSPOOL_ERR_FULL (limit) or WSPOOL_ERR_NOMEM. */
uint8_t *wsp_blocks_room(struct wsp_blocks *blocks, uint32_t len, int *error);
/* The run that the image in that room will be. It holds nothing yet. */
static inline struct wsp_run wsp_blocks_next(const struct wsp_blocks *blocks, uint32_t len)
{
    struct wsp_block *open = blocks->open;
    return (struct wsp_run){.block = open, .offset = open->used, .bytes = len, .count = 1};
}
/* That image is there: what comes next goes behind it. Answers the run that it is. */
static inline struct wsp_run wsp_blocks_commit(struct wsp_blocks *blocks, uint32_t len)
{
    struct wsp_run run = wsp_blocks_next(blocks, len);
    run.block->used += len;
    return run;
}

static inline uint8_t *wsp_run_bytes(const struct wsp_run *run)
{
    return run->block->bytes + run->offset;
}

/* A block of exactly `len` bytes, for images that are there already: held by the caller, never the
 * open one. NULL when the limit or the memory does not allow it. */
struct wsp_block *wsp_blocks_exact(struct wsp_blocks *blocks, uint32_t len);

static inline void wsp_block_hold(struct wsp_block *block)
{
    block->holds++;
}
void wsp_block_retire(struct wsp_block *block);
/* Do the invariants hold that the store can see? 1 or 0. */
int wsp_blocks_check(const struct wsp_blocks *blocks);
static inline void wsp_block_release(struct wsp_block *block)
{
    if (--block->holds == 0) {
        wsp_block_retire(block);
    }
}

#endif

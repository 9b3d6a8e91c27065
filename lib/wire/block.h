/* SPDX-License-Identifier: MIT */
/*
 * wire/block.h - encoded frames in shared, reference-counted blocks.  Layer 1.
 *
 * A message is encoded once. Its encoded frame is written behind the previous one in the pool's
 * current block, and every queue that gets it refers to those bytes:
 *
 *     block   [ frame 1 | frame 2 | frame 3 | ... free ... ]
 *     queue A  <------- run ------>                             (joined: one write)
 *     queue B            <--------- run ------->
 *
 * Encoded frames never change. Each run that refers to a block holds a reference to it, and so does
 * the store while the block is current. The last release frees the block. When only the store holds
 * the current block, it is written from its beginning again: a pool whose peers keep up uses the
 * same few cache lines. The counts are plain integers, because a block belongs to one pool and one
 * thread.
 *
 * All frames of a block have one priority, which queues read there (link/outq.h). So the frames of
 * one priority are adjacent, whatever is published between them.
 *
 * Invariants:
 * - a block in use has at least one reference, a block of the free list has none;
 * - `used` is at most `cap`; bytes below `used` are never rewritten while anything but the store
 *   holds the block;
 * - a current block has the priority that it is current for, and is marked;
 * - `bytes` of the store is the memory of all blocks in use, which only the pool can count
 *   (pool/stats.c). The gauge has the same value, and it is within the limit;
 * - the free list has as many blocks, and as much memory, as the store says, and both are small.
 */
#ifndef WSP_WIRE_BLOCK_H
#define WSP_WIRE_BLOCK_H

#include <stddef.h>
#include <stdint.h>
#include "base/counters.h"
#include "base/freelist.h"
#include "base/mem.h"

/* Bytes of encoded frames in an ordinary block. A larger frame gets a block of its own. */
#define WSP_BLOCK_BYTES (16384u - 64u)

struct wsp_block {
    struct wsp_free_item item; /* in the free list */
    struct wsp_blocks *store;
    uint32_t holds;
    uint32_t used;
    uint32_t cap;
    uint32_t seen;    /* scratch: counts references, for shedding and for the check of the books */
    int32_t priority; /* of its frames: a higher one is sent first; 0: normal */
    uint32_t current; /* 1: it is a current block of its store */
    uint32_t newest;  /* what is at this offset or behind it was written at newest_at */
    uint64_t newest_at;
    uint64_t oldest_at; /* when the first frame was written; both 0: not known */
    uint8_t bytes[];
};

#define WSP_PRIORITIES 3u /* -1, 0 and 1: low, normal, high */

struct wsp_blocks {
    const wspool_mem *mem;
    struct wsp_block *current;   /* the next frame goes here; NULL before the first */
    struct wsp_block *alternate; /* the same for frames of the other kind: see wsp_blocks_swap */
    int32_t priority;            /* of both */
    const uint64_t *now;         /* the clock of what is written */
    struct wsp_block *others[WSP_PRIORITIES][2]; /* of the other priorities: wsp_blocks_choose */
    struct wsp_freelist free_list;               /* a few blocks of any size */
    uint64_t bytes;      /* memory of all blocks in use, current ones included */
    wsp_count *gauge;    /* the same value, readable from other threads */
    uint64_t free_bytes; /* memory of the free list */
    uint64_t limit;      /* upper bound of `bytes` */
};

/* Switches to the current block of the other kind of frames, plain or compressed. One queue seldom
 * has both, so each kind has a current block of its own, and the frames of one queue are adjacent.
 *  */
static inline void wsp_blocks_swap(struct wsp_blocks *blocks)
{
    struct wsp_block *current = blocks->current;
    blocks->current = blocks->alternate;
    blocks->alternate = current;
}

/* Switches to the current blocks of a priority. It is normal outside of a publication. */
void wsp_blocks_choose(struct wsp_blocks *blocks, int priority);
/* Calls `visit` for each current block. */
void wsp_blocks_each_current(const struct wsp_blocks *blocks,
                             void (*visit)(struct wsp_block *block, void *user), void *user);

/* A run: adjacent encoded frames of one block that one queue has to send. */
struct wsp_run {
    struct wsp_block *block;
    uint32_t offset;
    uint32_t bytes;
    uint32_t count;   /* frames in it, the partly sent one included */
    uint32_t partial; /* bytes left of the first frame if it was partly sent; 0: none was */
};

void wsp_blocks_init(struct wsp_blocks *blocks, const wspool_mem *mem, uint64_t limit,
                     wsp_count *gauge);
/* All runs must have been released. */
void wsp_blocks_fini(struct wsp_blocks *blocks);

/* Frees the blocks of the free list. */
void wsp_blocks_trim(struct wsp_blocks *blocks);

/* Returns the memory of the block that a frame of `len` bytes would get if it needed a new one. */
static inline uint64_t wsp_block_memory(uint32_t len)
{
    return sizeof(struct wsp_block) + (uint64_t)(len > WSP_BLOCK_BYTES ? len : WSP_BLOCK_BYTES);
}

/* Returns the memory of a block. */
static inline uint64_t wsp_block_size(const struct wsp_block *block)
{
    return sizeof *block + block->cap;
}

/* The next frame is written now. */
static inline void wsp_block_note_time(struct wsp_block *block, uint64_t now)
{
    if (block->newest_at != now) {
        if (block->used == 0) {
            block->oldest_at = now;
        }
        block->newest = block->used;
        block->newest_at = now;
    }
}
/* Returns 1 if the current block has room for a frame of `len` bytes, else 0. */
static inline int wsp_blocks_have_room(struct wsp_blocks *blocks, uint32_t len)
{
    struct wsp_block *current = blocks->current;
    if (current && current->holds == 1) {
        current->used = 0;
        current->newest_at = UINT64_MAX;
    }
    if (!current || current->cap - current->used < len) {
        return 0;
    }
    wsp_block_note_time(current, *blocks->now);
    return 1;
}
/* Reserves room for a frame in the current block, or in a new one. Returns the address to write to,
 * or NULL with *error set to WSPOOL_ERR_FULL (limit) or WSPOOL_ERR_NOMEM. */
uint8_t *wsp_blocks_room(struct wsp_blocks *blocks, uint32_t len, int *error);
/* Returns the run of the frame in that room. It holds no reference yet. */
static inline struct wsp_run wsp_blocks_next(const struct wsp_blocks *blocks, uint32_t len)
{
    struct wsp_block *current = blocks->current;
    return (struct wsp_run){.block = current, .offset = current->used, .bytes = len, .count = 1};
}
/* The frame is written: the next one goes behind it. Returns its run. */
static inline struct wsp_run wsp_blocks_commit(struct wsp_blocks *blocks, uint32_t len)
{
    struct wsp_run run = wsp_blocks_next(blocks, len);
    run.block->used += len;
    return run;
}

/* Returns when the first frame of a run was written, or earlier: when the first frame of its block
 * was, if that is not among the newest. 0: not known. A time for each frame would be exact, and
 * would have to be kept. */
static inline uint64_t wsp_run_written_at(const struct wsp_run *run)
{
    const struct wsp_block *block = run->block;
    return run->offset >= block->newest ? block->newest_at : block->oldest_at;
}

static inline uint8_t *wsp_run_bytes(const struct wsp_run *run)
{
    return run->block->bytes + run->offset;
}

/* Makes a block of exactly `len` bytes, for frames that exist already. The caller holds the only
 * reference; it never becomes a current block. Returns NULL when the limit or the memory does not
 * allow it. */
struct wsp_block *wsp_blocks_exact(struct wsp_blocks *blocks, uint32_t len, int priority);

/* Makes an empty block with room for `cap` bytes, or a little more, for frames that its owner
 * writes. The caller holds the only reference; it never becomes a current block. Returns NULL with
 * *error set to FULL or NOMEM. */
struct wsp_block *wsp_blocks_segment(struct wsp_blocks *blocks, uint32_t cap, int priority,
                                     int *error);
/* The block counts in another store's budget from now on, if that has room. */
void wsp_block_move(struct wsp_block *block, struct wsp_blocks *to);

/* Counts other memory in the budget of a store. Returns 0 if it does not fit, else 1. */
int wsp_blocks_charge(struct wsp_blocks *blocks, uint64_t memory);
void wsp_blocks_discharge(struct wsp_blocks *blocks, uint64_t memory);

static inline void wsp_block_hold(struct wsp_block *block)
{
    block->holds++;
}
void wsp_block_retire(struct wsp_block *block);
/* Returns 1 if the invariants that the store can see hold, else 0. */
int wsp_blocks_check(const struct wsp_blocks *blocks);
static inline void wsp_block_release(struct wsp_block *block)
{
    if (--block->holds == 0) {
        wsp_block_retire(block);
    }
}

#endif

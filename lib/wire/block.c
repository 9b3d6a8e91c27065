/* SPDX-License-Identifier: MIT */
/*
 * wire/block.c - see wire/block.h.
 *
 * Rejected: blocks of 64 KiB (one small message to a slow peer pinned a whole block, and a thousand
 * such peers the pool's whole budget); one allocation per message (frames would not be adjacent,
 * and bursts could not be joined).
 */
#include "wire/block.h"

#include <wspool/error.h>
#include "base/noinline.h"

/* The free list is short: the steady state needs one or two blocks, a burst of large messages a
 * handful. */
#define KEEP 16u
#define KEEP_BYTES (UINT64_C(1) << 20)

void wsp_blocks_init(struct wsp_blocks *blocks, const wspool_mem *mem, uint64_t limit,
                     wsp_count *gauge)
{
    static const uint64_t unknown = 0;
    *blocks = (struct wsp_blocks){.mem = mem, .limit = limit, .gauge = gauge, .now = &unknown};
    wsp_freelist_init(&blocks->free_list, sizeof(struct wsp_block), KEEP);
}

/* Releases a current block. */
static void shut(struct wsp_block **current)
{
    if (*current) {
        (*current)->current = 0;
        wsp_block_release(*current);
        *current = NULL;
    }
}

static int is_idle(const struct wsp_block *current)
{
    return current && current->holds == 1;
}

/* Releases the current blocks that nothing but the store holds: they must not use up the limit. */
static WSP_NOINLINE void shut_idle(struct wsp_blocks *blocks)
{
    struct wsp_block **each = &blocks->others[0][0];
    for (unsigned i = 0; i < 2 * WSP_PRIORITIES; i++) {
        if (is_idle(each[i])) {
            shut(&each[i]);
        }
    }
    if (is_idle(blocks->alternate)) {
        shut(&blocks->alternate);
    }
}

void wsp_blocks_choose(struct wsp_blocks *blocks, int priority)
{
    struct wsp_block **from = blocks->others[1 + blocks->priority];
    struct wsp_block **to = blocks->others[1 + priority];
    from[0] = blocks->current;
    from[1] = blocks->alternate;
    blocks->current = to[0];
    blocks->alternate = to[1];
    to[0] = to[1] = NULL;
    blocks->priority = priority;
}

void wsp_blocks_each_current(const struct wsp_blocks *blocks,
                             void (*visit)(struct wsp_block *block, void *user), void *user)
{
    if (blocks->current) {
        visit(blocks->current, user);
    }
    if (blocks->alternate) {
        visit(blocks->alternate, user);
    }
    for (unsigned i = 0; i < 2 * WSP_PRIORITIES; i++) {
        struct wsp_block *other = blocks->others[i / 2][i % 2];
        if (other) {
            visit(other, user);
        }
    }
}

void wsp_blocks_trim(struct wsp_blocks *blocks)
{
    wsp_freelist_fini(&blocks->free_list, blocks->mem);
    blocks->free_bytes = 0;
}

void wsp_blocks_fini(struct wsp_blocks *blocks)
{
    for (int priority = -1; priority <= 1; priority++) {
        wsp_blocks_choose(blocks, priority);
        shut(&blocks->current);
        shut(&blocks->alternate);
    }
    wsp_blocks_trim(blocks);
}

void wsp_block_retire(struct wsp_block *block)
{
    struct wsp_blocks *blocks = block->store;
    uint64_t memory = wsp_block_size(block);
    blocks->bytes -= memory;
    wsp_count_set(blocks->gauge, blocks->bytes);
    if (!wsp_freelist_is_full(&blocks->free_list) && blocks->free_bytes + memory <= KEEP_BYTES) {
        wsp_freelist_push(&blocks->free_list, &block->item);
        blocks->free_bytes += memory;
    } else {
        wsp_free(blocks->mem, block);
    }
}

/* Returns a free block that fits. A large frame must not waste more than half of it, and the
 * limit must not be exceeded because the block is larger than necessary. */
static struct wsp_block *reuse(struct wsp_blocks *blocks, uint32_t cap)
{
    for (struct wsp_free_item **link = &blocks->free_list.first; *link; link = &(*link)->next) {
        struct wsp_block *block = (void *)*link;
        if (block->cap >= cap && block->cap / 2 <= cap &&
            wsp_block_size(block) <= blocks->limit - blocks->bytes) {
            wsp_freelist_unlink(&blocks->free_list, link);
            blocks->free_bytes -= wsp_block_size(block);
            return block;
        }
    }
    return NULL;
}

static struct wsp_block *new_block(struct wsp_blocks *blocks, uint32_t cap, int priority, int exact,
                                   int *error)
{
    uint64_t memory = sizeof(struct wsp_block) + (uint64_t)cap;
    if (blocks->limit - blocks->bytes < memory) {
        *error = WSPOOL_ERR_FULL;
        return NULL;
    }
    struct wsp_block *block = exact ? NULL : reuse(blocks, cap);
    if (!block) {
        block = wsp_alloc(blocks->mem, (size_t)memory);
        if (!block) {
            *error = WSPOOL_ERR_NOMEM;
            return NULL;
        }
        block->store = blocks;
        block->cap = cap;
    }
    block->holds = 1;
    block->used = 0;
    block->priority = priority;
    block->current = 0;
    block->newest = 0;
    block->newest_at = block->oldest_at = 0;
    blocks->bytes += wsp_block_size(block);
    wsp_count_set(blocks->gauge, blocks->bytes);
    return block;
}

uint8_t *wsp_blocks_room(struct wsp_blocks *blocks, uint32_t len, int *error)
{
    if (wsp_blocks_have_room(blocks, len)) {
        return blocks->current->bytes + blocks->current->used;
    }
    if (blocks->current && blocks->current->holds == 1) {
        shut(&blocks->current); /* it is empty: it must not use up the limit */
    }
    uint32_t cap = (uint32_t)(wsp_block_memory(len) - sizeof(struct wsp_block));
    struct wsp_block *block = new_block(blocks, cap, blocks->priority, 0, error);
    if (!block && *error == WSPOOL_ERR_FULL) {
        shut_idle(blocks);
        block = new_block(blocks, cap, blocks->priority, 0, error);
    }
    if (!block) {
        return NULL;
    }
    shut(&blocks->current);
    blocks->current = block;
    block->current = 1;
    wsp_block_note_time(block, *blocks->now);
    return block->bytes;
}

struct wsp_block *wsp_blocks_exact(struct wsp_blocks *blocks, uint32_t len, int priority)
{
    int error;
    struct wsp_block *block = new_block(blocks, len, priority, 1, &error);
    if (block) {
        block->used = len;
    }
    return block;
}

struct wsp_block *wsp_blocks_segment(struct wsp_blocks *blocks, uint32_t cap, int priority,
                                     int *error)
{
    return new_block(blocks, cap, priority, 0, error);
}

int wsp_blocks_charge(struct wsp_blocks *blocks, uint64_t memory)
{
    if (blocks->bytes + memory > blocks->limit) {
        return 0;
    }
    blocks->bytes += memory;
    wsp_count_set(blocks->gauge, blocks->bytes);
    return 1;
}

void wsp_blocks_discharge(struct wsp_blocks *blocks, uint64_t memory)
{
    blocks->bytes -= memory;
    wsp_count_set(blocks->gauge, blocks->bytes);
}

void wsp_block_move(struct wsp_block *block, struct wsp_blocks *to)
{
    if (wsp_blocks_charge(to, wsp_block_size(block))) {
        wsp_blocks_discharge(block->store, wsp_block_size(block));
        block->store = to;
    }
}

static int current_check(const struct wsp_blocks *blocks, const struct wsp_block *current,
                         int priority)
{
    return !current || (current->store == blocks && current->holds > 0 && current->current == 1 &&
                        current->priority == priority && current->used <= current->cap &&
                        blocks->bytes >= wsp_block_size(current));
}

int wsp_blocks_check(const struct wsp_blocks *blocks)
{
    uint64_t bytes = 0;
    if (!wsp_freelist_check(&blocks->free_list) ||
        !current_check(blocks, blocks->current, blocks->priority) ||
        !current_check(blocks, blocks->alternate, blocks->priority) ||
        (blocks->current && blocks->current == blocks->alternate)) {
        return 0;
    }
    for (unsigned i = 0; i < 2 * WSP_PRIORITIES; i++) {
        if (!current_check(blocks, blocks->others[i / 2][i % 2], (int)(i / 2) - 1)) {
            return 0;
        }
    }
    for (const struct wsp_free_item *item = blocks->free_list.first; item; item = item->next) {
        const struct wsp_block *block = (const void *)item;
        if (block->store != blocks || block->holds != 0) {
            return 0;
        }
        bytes += wsp_block_size(block);
    }
    return bytes == blocks->free_bytes && bytes <= KEEP_BYTES && blocks->bytes <= blocks->limit &&
           blocks->bytes == wsp_count_read(blocks->gauge);
}

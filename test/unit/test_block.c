/* SPDX-License-Identifier: MIT */
/*
 * unit/test_block.c - wire/block.h: encoded frames lie side by side in blocks, never change while a
 * reference is held, and all blocks together stay within their limit.
 *
 * Each step compares the module's counters with what the counting allocator gave out. A random test
 * holds and releases frames in any order, and compares every held frame with what was written.
 */
#include "support.h"
#include "frames.h"

#include <wspool/error.h>
#include "wire/block.h"

struct world {
    struct test_mem mem;
    wspool_mem hooks;
    wsp_count gauge;
    struct wsp_blocks blocks;
};

static void world_open(struct world *w, uint64_t limit)
{
    memset(&w->mem, 0, sizeof w->mem);
    w->hooks = test_mem_hooks(&w->mem);
    atomic_init(&w->gauge, 0);
    wsp_blocks_init(&w->blocks, &w->hooks, limit, &w->gauge);
}

static void world_close(struct world *w)
{
    wsp_blocks_fini(&w->blocks);
    assert_int_equal(w->blocks.bytes, 0);
    assert_int_equal(wsp_count_read(&w->gauge), 0);
    assert_int_equal(w->mem.live, 0);
}

static uint64_t memory_for(uint32_t cap)
{
    return sizeof(struct wsp_block) + cap;
}

/* Checks that the counters agree with the memory that was allocated. */
static void check(const struct world *w)
{
    const struct wsp_blocks *blocks = &w->blocks;
    uint64_t free_bytes = 0;
    uint32_t free_count = 0;
    for (const struct wsp_block *unused = (const void *)blocks->free_list.first; unused;
         unused = (const void *)unused->item.next) {
        assert_int_equal(unused->holds, 0);
        free_bytes += memory_for(unused->cap);
        free_count++;
    }
    assert_int_equal(blocks->free_bytes, free_bytes);
    assert_int_equal(blocks->free_list.count, free_count);
    assert_true(free_count <= 16);
    assert_true(free_bytes <= 1u << 20);
    assert_int_equal(w->mem.bytes, blocks->bytes + free_bytes);
    assert_int_equal(wsp_count_read(&w->gauge), blocks->bytes);
    assert_true(blocks->bytes <= blocks->limit);
    if (blocks->current) {
        assert_true(blocks->current->holds >= 1);
        assert_true(blocks->current->used <= blocks->current->cap);
    }
}

/* Writes an encoded frame of `len` times the byte. No reference to the run is held. */
static struct wsp_run publish(struct world *w, uint32_t len, uint8_t byte)
{
    int error = 1;
    uint8_t *room = wsp_blocks_room(&w->blocks, len, &error);
    assert_non_null(room);
    memset(room, byte, len);
    struct wsp_run run = wsp_blocks_commit(&w->blocks, len);
    assert_int_equal(run.bytes, len);
    assert_int_equal(run.count, 1);
    assert_int_equal(run.partial, 0);
    assert_ptr_equal(run.block->bytes + run.offset, room);
    assert_ptr_equal(run.block->store, &w->blocks);
    check(w);
    return run;
}

static struct wsp_run publish_held(struct world *w, uint32_t len, uint8_t byte)
{
    struct wsp_run run = publish(w, len, byte);
    wsp_block_hold(run.block);
    return run;
}

static void let_go(struct world *w, const struct wsp_run *run)
{
    wsp_block_release(run->block);
    check(w);
}

static void expect_filled(const struct wsp_run *run, uint8_t byte)
{
    for (uint32_t i = 0; i < run->bytes; i++) {
        assert_int_equal(run->block->bytes[run->offset + i], byte);
    }
}

/* ------------------------------------------------------ one current block */

TEST(frames_when_published_in_a_row_lie_side_by_side)
{
    struct world w;
    struct wsp_run runs[100];
    world_open(&w, UINT64_MAX);
    for (uint32_t i = 0; i < 100; i++) {
        runs[i] = publish_held(&w, 10 + i, (uint8_t)i);
        if (i > 0) {
            assert_ptr_equal(runs[i].block, runs[0].block);
            assert_int_equal(runs[i].offset, runs[i - 1].offset + runs[i - 1].bytes);
        } else {
            assert_int_equal(runs[0].offset, 0);
        }
    }
    assert_int_equal(w.mem.calls, 1);
    assert_int_equal(runs[0].block->holds, 101);
    for (uint32_t i = 0; i < 100; i++) {
        expect_filled(&runs[i], (uint8_t)i);
        let_go(&w, &runs[i]);
    }
    world_close(&w);
}

TEST(block_when_nobody_but_the_store_holds_it_is_written_from_its_beginning)
{
    struct world w;
    world_open(&w, UINT64_MAX);
    struct wsp_run first = publish(&w, 1000, 1);
    for (int i = 0; i < 1000; i++) {
        struct wsp_run run = publish_held(&w, 999, 2);
        assert_ptr_equal(run.block, first.block);
        assert_int_equal(run.offset, 0);
        let_go(&w, &run);
    }
    assert_int_equal(w.mem.calls, 1);
    world_close(&w);
}

TEST(block_when_held_is_never_written_below_its_end)
{
    struct world w;
    world_open(&w, UINT64_MAX);
    struct wsp_run held = publish_held(&w, 100, 1);
    struct wsp_run second = publish(&w, 100, 2); /* no reference is held */
    struct wsp_run third = publish_held(&w, 100, 3);
    assert_int_equal(second.offset, 100);
    assert_int_equal(third.offset, 200);
    let_go(&w, &third);
    struct wsp_run fourth = publish(&w, 100, 4);
    assert_int_equal(fourth.offset, 300); /* the first frame is still held */
    expect_filled(&held, 1);
    expect_filled(&second, 2);
    expect_filled(&third, 3);
    let_go(&w, &held);
    struct wsp_run fifth = publish(&w, 100, 5);
    assert_int_equal(fifth.offset, 0);
    world_close(&w);
}

TEST(block_when_full_is_followed_by_another_and_lives_until_it_is_let_go)
{
    struct world w;
    struct wsp_run runs[40];
    world_open(&w, UINT64_MAX);
    /* Four frames fit into a block: the fifth would end behind it. */
    for (uint32_t i = 0; i < 40; i++) {
        runs[i] = publish_held(&w, WSP_BLOCK_BYTES / 4, (uint8_t)i);
        assert_int_equal(runs[i].offset, i % 4 * (WSP_BLOCK_BYTES / 4));
        if (i % 4) {
            assert_ptr_equal(runs[i].block, runs[i - 1].block);
        } else if (i > 0) {
            assert_ptr_not_equal(runs[i].block, runs[i - 1].block);
            /* the store released its reference to the full block */
            assert_int_equal(runs[i - 1].block->holds, 4);
        }
    }
    assert_int_equal(w.mem.live, 10);
    assert_int_equal(w.blocks.bytes, 10 * memory_for(WSP_BLOCK_BYTES));
    for (uint32_t i = 0; i < 40; i++) {
        expect_filled(&runs[i], (uint8_t)i);
    }
    /* The references may go in any order: the last release of a block frees it. */
    for (uint32_t i = 0; i < 40; i++) {
        uint32_t at = i * 7 % 40;
        let_go(&w, &runs[at]);
    }
    assert_int_equal(w.blocks.bytes, memory_for(WSP_BLOCK_BYTES));
    assert_int_equal(w.blocks.free_list.count, 9);
    world_close(&w);
}

TEST(frame_when_exactly_a_block_fits_and_one_byte_more_gets_its_own)
{
    struct world w;
    world_open(&w, UINT64_MAX);
    struct wsp_run exact = publish_held(&w, WSP_BLOCK_BYTES, 1);
    assert_int_equal(exact.block->cap, WSP_BLOCK_BYTES);
    struct wsp_run larger = publish_held(&w, WSP_BLOCK_BYTES + 1, 2);
    assert_ptr_not_equal(larger.block, exact.block);
    assert_int_equal(larger.block->cap, WSP_BLOCK_BYTES + 1);
    assert_int_equal(larger.offset, 0);
    struct wsp_run huge = publish_held(&w, 5000000, 3);
    assert_int_equal(huge.block->cap, 5000000);
    /* The block is full, so the next frame goes into another one. */
    struct wsp_run small = publish_held(&w, 5, 4);
    assert_ptr_not_equal(small.block, huge.block);
    assert_int_equal(small.block->cap, WSP_BLOCK_BYTES);
    expect_filled(&exact, 1);
    expect_filled(&larger, 2);
    expect_filled(&huge, 3);
    let_go(&w, &huge);
    assert_int_equal(w.blocks.free_list.count, 0); /* the block is too large to be kept for reuse */
    let_go(&w, &larger);
    let_go(&w, &exact);
    let_go(&w, &small);
    world_close(&w);
}

TEST(room_when_asked_for_but_not_used_changes_nothing)
{
    struct world w;
    int error = 0;
    world_open(&w, UINT64_MAX);
    struct wsp_run held = publish_held(&w, 100, 1);
    uint8_t *room = wsp_blocks_room(&w.blocks, 50, &error);
    assert_ptr_equal(wsp_blocks_room(&w.blocks, 5000, &error), room);
    assert_ptr_equal(wsp_blocks_room(&w.blocks, WSP_BLOCK_BYTES - 100, &error), room);
    check(&w);
    struct wsp_run next = publish(&w, 10, 2);
    assert_int_equal(next.offset, 100);
    let_go(&w, &held);
    world_close(&w);
}

/* ---------------------------------------------- current and alternate block */

TEST(frames_when_of_two_sorts_lie_side_by_side_with_their_own)
{
    struct world w;
    struct wsp_run runs[2][20];
    world_open(&w, UINT64_MAX);
    for (uint32_t i = 0; i < 20; i++) {
        for (uint32_t sort = 0; sort < 2; sort++) {
            runs[sort][i] = publish_held(&w, 10 + i, (uint8_t)(20 * sort + i));
            wsp_blocks_swap(&w.blocks);
            if (i > 0) {
                const struct wsp_run *before = &runs[sort][i - 1];
                assert_ptr_equal(runs[sort][i].block, before->block);
                assert_int_equal(runs[sort][i].offset, before->offset + before->bytes);
            }
        }
    }
    assert_ptr_not_equal(runs[0][0].block, runs[1][0].block);
    assert_ptr_equal(w.blocks.current, runs[0][0].block);
    assert_ptr_equal(w.blocks.alternate, runs[1][0].block);
    for (uint32_t i = 0; i < 40; i++) {
        expect_filled(&runs[i % 2][i / 2], (uint8_t)(20 * (i % 2) + i / 2));
        let_go(&w, &runs[i % 2][i / 2]);
    }
    assert_int_equal(w.blocks.bytes, 2 * memory_for(WSP_BLOCK_BYTES));
    /* each block is written from its beginning again */
    for (uint32_t sort = 0; sort < 2; sort++) {
        struct wsp_run again = publish(&w, 5, 1);
        assert_ptr_equal(again.block, runs[sort][0].block);
        assert_int_equal(again.offset, 0);
        wsp_blocks_swap(&w.blocks);
    }
    world_close(&w); /* frees both */
}

TEST(alternate_block_when_nobody_holds_it_is_replaced)
{
    struct world w;
    int error = 0;
    world_open(&w, memory_for(WSP_BLOCK_BYTES) + memory_for(50000) - 1);
    struct wsp_run plain = publish(&w, 100, 1);
    wsp_blocks_swap(&w.blocks);
    struct wsp_run other = publish(&w, 100, 2); /* a block has space for two small frames */
    assert_ptr_not_equal(other.block, plain.block);
    wsp_blocks_swap(&w.blocks);
    /* a large and a small frame do not fit into one block */
    struct wsp_run large = publish_held(&w, 50000, 3);
    assert_null(w.blocks.alternate);
    /* a block that is held stays */
    wsp_blocks_swap(&w.blocks);
    assert_null(wsp_blocks_room(&w.blocks, 1, &error));
    assert_int_equal(error, WSPOOL_ERR_FULL);
    assert_ptr_equal(w.blocks.alternate, large.block);
    expect_filled(&large, 3);
    let_go(&w, &large);
    struct wsp_run small = publish_held(&w, 1, 4);
    assert_null(w.blocks.alternate);
    let_go(&w, &small);
    world_close(&w);
}

/* The block set aside is freed only when the limit stands in the way, and not for nothing. */
TEST(alternate_block_when_there_is_room_or_no_memory_stays)
{
    struct world w;
    int error = 0;
    world_open(&w, UINT64_MAX);
    publish(&w, 100, 1);
    wsp_blocks_swap(&w.blocks);
    struct wsp_block *alternate = w.blocks.alternate;
    publish(&w, 50000, 2);
    assert_ptr_equal(w.blocks.alternate, alternate);
    w.mem.fail_at = 1;
    assert_null(wsp_blocks_room(&w.blocks, 100000, &error));
    assert_int_equal(error, WSPOOL_ERR_NOMEM);
    assert_ptr_equal(w.blocks.alternate, alternate);
    check(&w);
    world_close(&w);
}

/* Frames of one priority are adjacent, whatever comes between them; and what no queue holds of one
 * does not stand in the way of another. */
TEST(frames_of_each_priority_have_blocks_of_their_own)
{
    struct world w;
    struct wsp_run runs[2][3];
    world_open(&w, 3 * memory_for(WSP_BLOCK_BYTES));
    for (int i = 0; i < 2; i++) {
        for (int priority = -1; priority <= 1; priority++) {
            wsp_blocks_choose(&w.blocks, priority);
            runs[i][1 + priority] = publish_held(&w, 10, (uint8_t)i);
        }
    }
    for (int priority = -1; priority <= 1; priority++) {
        const struct wsp_run *run = &runs[0][1 + priority];
        assert_int_equal(run->block->priority, priority);
        assert_ptr_equal(runs[1][1 + priority].block, run->block);
        assert_int_equal(runs[1][1 + priority].offset, run->offset + run->bytes);
        assert_true(wsp_blocks_check(&w.blocks));
    }
    for (int i = 0; i < 2; i++) {
        let_go(&w, &runs[i][0]);
        let_go(&w, &runs[i][1]);
    }
    let_go(&w, &runs[0][2]);
    wsp_blocks_choose(&w.blocks, 0);
    publish(&w, 10, 1);
    publish(&w, 2 * WSP_BLOCK_BYTES, 2); /* in place of the low one, and of its own */
    assert_true(wsp_blocks_check(&w.blocks));
    let_go(&w, &runs[1][2]);
    world_close(&w);
}

TEST(room_when_over_the_limit_is_full_and_changes_nothing)
{
    struct world w;
    struct wsp_run runs[3];
    int error = 0;
    world_open(&w, 3 * memory_for(WSP_BLOCK_BYTES));
    for (uint32_t i = 0; i < 3; i++) {
        runs[i] = publish_held(&w, WSP_BLOCK_BYTES - 10, (uint8_t)i);
    }
    assert_int_equal(w.blocks.bytes, w.blocks.limit);
    assert_null(wsp_blocks_room(&w.blocks, 11, &error));
    assert_int_equal(error, WSPOOL_ERR_FULL);
    check(&w);
    /* The current block can still be used. */
    struct wsp_run rest = publish_held(&w, 10, 9);
    assert_ptr_equal(rest.block, runs[2].block);
    expect_filled(&runs[2], 2);
    let_go(&w, &runs[0]);
    struct wsp_run after = publish_held(&w, 11, 10);
    assert_int_equal(after.offset, 0);
    assert_int_equal(w.mem.calls, 3); /* the block that was freed is used again */
    let_go(&w, &after);
    let_go(&w, &rest);
    let_go(&w, &runs[2]);
    let_go(&w, &runs[1]);
    world_close(&w);
}

TEST(room_when_one_byte_over_the_limit_is_full)
{
    struct world w;
    int error = 0;
    world_open(&w, memory_for(WSP_BLOCK_BYTES) - 1);
    assert_null(wsp_blocks_room(&w.blocks, 1, &error));
    assert_int_equal(error, WSPOOL_ERR_FULL);
    assert_int_equal(w.mem.calls, 0);
    world_close(&w);

    world_open(&w, memory_for(WSP_BLOCK_BYTES) + memory_for(50000));
    struct wsp_run small = publish_held(&w, 1, 1);
    assert_null(wsp_blocks_room(&w.blocks, 50001, &error));
    assert_int_equal(error, WSPOOL_ERR_FULL);
    struct wsp_run large = publish_held(&w, 50000, 2);
    let_go(&w, &large);
    let_go(&w, &small);
    world_close(&w);
}

/* A free block that is larger than requested counts with all of its memory. */
TEST(unused_one_when_it_would_pass_the_limit_is_not_taken)
{
    struct world w;
    int error = 0;
    world_open(&w, UINT64_MAX);
    struct wsp_run large = publish_held(&w, WSP_BLOCK_BYTES + 5000, 1);
    struct wsp_run current = publish_held(&w, WSP_BLOCK_BYTES, 2);
    let_go(&w, &large);
    assert_int_equal(w.blocks.free_list.count, 1);
    w.blocks.limit = w.blocks.bytes + memory_for(WSP_BLOCK_BYTES) - 1;
    assert_null(wsp_blocks_room(&w.blocks, 100, &error));
    assert_int_equal(error, WSPOOL_ERR_FULL);
    check(&w);
    w.blocks.limit = w.blocks.bytes + memory_for(WSP_BLOCK_BYTES + 5000) - 1;
    struct wsp_run small = publish_held(&w, 100, 3);
    assert_int_equal(small.block->cap, WSP_BLOCK_BYTES);
    let_go(&w, &small);
    w.blocks.limit = w.blocks.bytes + memory_for(WSP_BLOCK_BYTES + 5000);
    struct wsp_run next = publish_held(&w, WSP_BLOCK_BYTES + 1, 4);
    assert_int_equal(next.block->cap, WSP_BLOCK_BYTES + 5000);
    let_go(&w, &next);
    let_go(&w, &current);
    world_close(&w);
}

TEST(room_when_there_is_no_memory_is_nomem_and_changes_nothing)
{
    struct world w;
    int error = 0;
    world_open(&w, UINT64_MAX);
    w.mem.fail_at = 1;
    assert_null(wsp_blocks_room(&w.blocks, 10, &error));
    assert_int_equal(error, WSPOOL_ERR_NOMEM);
    assert_null(w.blocks.current);
    check(&w);
    struct wsp_run held = publish_held(&w, WSP_BLOCK_BYTES - 10, 1);
    w.mem.fail_at = 1;
    error = 0;
    assert_null(wsp_blocks_room(&w.blocks, 11, &error));
    assert_int_equal(error, WSPOOL_ERR_NOMEM);
    check(&w);
    struct wsp_run rest = publish_held(&w, 10, 2);
    assert_ptr_equal(rest.block, held.block);
    expect_filled(&held, 1);
    let_go(&w, &rest);
    let_go(&w, &held);
    world_close(&w);
}

TEST(free_lists_when_too_many_or_too_large_are_freed)
{
    struct world w;
    struct wsp_run runs[30];
    world_open(&w, UINT64_MAX);
    for (uint32_t i = 0; i < 30; i++) {
        runs[i] = publish_held(&w, WSP_BLOCK_BYTES, 0);
    }
    for (uint32_t i = 0; i < 30; i++) {
        let_go(&w, &runs[i]);
    }
    assert_int_equal(w.blocks.free_list.count, 16);
    assert_int_equal(w.mem.live, 17);
    world_close(&w);

    world_open(&w, UINT64_MAX);
    for (uint32_t i = 0; i < 10; i++) {
        runs[i] = publish_held(&w, 300000, 0);
    }
    for (uint32_t i = 0; i < 10; i++) {
        let_go(&w, &runs[i]);
    }
    assert_int_equal(w.blocks.free_list.count, 3); /* a fourth would exceed 1 MiB */
    world_close(&w);
}

TEST(unused_one_when_it_fits_serves_again_without_an_allocation)
{
    struct world w;
    world_open(&w, UINT64_MAX);
    struct wsp_run runs[3];
    for (int round = 0; round < 50; round++) {
        for (uint32_t i = 0; i < 3; i++) {
            runs[i] = publish_held(&w, WSP_BLOCK_BYTES - (uint32_t)round, (uint8_t)round);
        }
        for (uint32_t i = 0; i < 3; i++) {
            expect_filled(&runs[i], (uint8_t)round);
            let_go(&w, &runs[i]);
        }
    }
    assert_int_equal(w.mem.calls, 3);
    world_close(&w);
}

TEST(unused_one_when_more_than_twice_too_large_or_too_small_is_not_taken)
{
    struct world w;
    world_open(&w, UINT64_MAX);
    struct wsp_run large = publish_held(&w, 100000, 1);
    struct wsp_run hold = publish_held(&w, WSP_BLOCK_BYTES, 2); /* opens another block */
    let_go(&w, &large);
    assert_int_equal(w.blocks.free_list.count, 1);
    struct wsp_run small = publish_held(&w, 100, 3);
    assert_int_equal(small.block->cap, WSP_BLOCK_BYTES); /* not 100000 */
    struct wsp_run larger = publish_held(&w, 100001, 4);
    assert_int_equal(larger.block->cap, 100001);
    struct wsp_run less_than_half = publish_held(&w, 49999, 5);
    assert_int_equal(less_than_half.block->cap, 49999);
    struct wsp_run half = publish_held(&w, 50000, 6);
    assert_int_equal(half.block->cap, 100000);
    assert_int_equal(half.offset, 0);
    assert_int_equal(w.blocks.free_list.count, 0);
    let_go(&w, &half);
    let_go(&w, &less_than_half);
    let_go(&w, &larger);
    let_go(&w, &small);
    let_go(&w, &hold);
    world_close(&w);
}

/* After each step every held frame is compared with what was written. */
TEST(frames_when_held_at_random_never_change)
{
    enum { HELD = 60 };
    size_t full = 0, failed = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t random = seed;
        struct world w;
        struct wsp_run runs[HELD];
        uint8_t bytes[HELD];
        size_t held = 0;
        uint8_t next = 0;
        world_open(&w, seed % 2 ? 150000 : UINT64_MAX);
        for (int step = 0; step < 2000; step++) {
            uint64_t size = test_below(&random, 20);
            uint32_t len = size ? 2 + (uint32_t)test_below(&random, size < 15 ? 400 : 9000)
                                : 2 + (uint32_t)test_below(&random, 100000);
            int error = 0;
            w.mem.fail_at = test_below(&random, 10) ? 0 : 1;
            uint8_t *room = wsp_blocks_room(&w.blocks, len, &error);
            w.mem.fail_at = 0;
            check(&w);
            if (!room) {
                full += error == WSPOOL_ERR_FULL;
                failed += error == WSPOOL_ERR_NOMEM;
                assert_true(error == WSPOOL_ERR_FULL || error == WSPOOL_ERR_NOMEM);
            } else if (test_below(&random, 20)) {
                memset(room, ++next, len);
                struct wsp_run run = wsp_blocks_commit(&w.blocks, len);
                if (held < HELD && test_below(&random, 3)) {
                    wsp_block_hold(run.block);
                    runs[held] = run;
                    bytes[held++] = next;
                }
            }
            for (uint64_t n = test_below(&random, held > HELD / 2 ? 6 : 3); n > 0 && held > 0;
                 n--) {
                size_t at = (size_t)test_below(&random, held);
                expect_filled(&runs[at], bytes[at]);
                let_go(&w, &runs[at]);
                runs[at] = runs[--held];
                bytes[at] = bytes[held];
            }
            if (step % 50 == 0) {
                for (size_t i = 0; i < held; i++) {
                    expect_filled(&runs[i], bytes[i]);
                }
            }
        }
        while (held > 0) {
            held--;
            expect_filled(&runs[held], bytes[held]);
            let_go(&w, &runs[held]);
        }
        world_close(&w);
    }
    assert_int_not_equal(failed, 0);
    assert_int_not_equal(full, 0);
}

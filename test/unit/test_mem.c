/* SPDX-License-Identifier: MIT */
/*
 * unit/test_mem.c - base/mem.h: the allocation functions on top of the host's hooks.
 *
 * The cases check sizes (zero, overflowing products), contents after a resize, alignment to a cache
 * line whatever address malloc returns, failed allocations, and the default allocator.
 */
#include "support.h"
#include "base/mem.h"

#include <malloc.h>

TEST(alloc_uses_the_hosts_hooks_when_given)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    void *block = wsp_alloc(&hooks, 40);
    assert_non_null(block);
    assert_int_equal(mem.live, 1);
    assert_int_equal(mem.bytes, 40);
    wsp_free(&hooks, block);
    assert_int_equal(mem.live, 0);
}

TEST(alloc_is_null_when_size_is_zero)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    assert_null(wsp_alloc(&hooks, 0));
    assert_null(wsp_calloc(&hooks, 0, 8));
    assert_null(wsp_calloc(&hooks, 8, 0));
    assert_null(wsp_calloc_aligned(&hooks, 0));
    assert_int_equal(mem.calls, 0);
}

TEST(calloc_is_zero_when_memory_was_dirty)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    uint8_t *block = wsp_calloc(&hooks, 7, 9);
    assert_non_null(block);
    assert_int_equal(mem.bytes, 63);
    for (size_t i = 0; i < 63; i++) {
        assert_int_equal(block[i], 0);
    }
    wsp_free(&hooks, block);
    assert_int_equal(mem.live, 0);
}

TEST(sizes_are_refused_when_the_product_overflows)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    assert_null(wsp_calloc(&hooks, SIZE_MAX / 2 + 1, 2));
    assert_null(wsp_calloc(&hooks, SIZE_MAX, SIZE_MAX));
    assert_null(wsp_resize(&hooks, NULL, SIZE_MAX / 8 + 1, 8));
    assert_null(wsp_calloc_aligned(&hooks, SIZE_MAX));
    assert_null(wsp_calloc_aligned(&hooks, SIZE_MAX - WSP_CACHE_LINE));
    assert_int_equal(mem.calls, 0);
}

TEST(resize_keeps_contents_when_it_moves)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    uint32_t *block = wsp_resize(&hooks, NULL, 3, sizeof(*block));
    assert_non_null(block);
    block[0] = 11;
    block[1] = 22;
    block[2] = 33;
    block = wsp_resize(&hooks, block, 300, sizeof(*block));
    assert_non_null(block);
    assert_int_equal(block[0], 11);
    assert_int_equal(block[1], 22);
    assert_int_equal(block[2], 33);
    assert_int_equal(mem.bytes, 300 * sizeof(*block));
    wsp_free(&hooks, block);
    assert_int_equal(mem.live, 0);
}

TEST(resize_leaves_the_block_when_it_answers_null)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    uint8_t *block = wsp_alloc(&hooks, 4);
    assert_non_null(block);
    block[3] = 77;
    assert_null(wsp_resize(&hooks, block, 0, 1));
    assert_null(wsp_resize(&hooks, block, 1, 0));
    assert_null(wsp_resize(&hooks, block, SIZE_MAX, 2));
    mem.fail_at = 1;
    assert_null(wsp_resize(&hooks, block, 8, 1));
    assert_int_equal(mem.failures, 1);
    assert_int_equal(block[3], 77);
    assert_int_equal(mem.live, 1);
    wsp_free(&hooks, block);
}

TEST(free_does_nothing_when_given_null)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    wsp_free(&hooks, NULL);
    wsp_free_aligned(&hooks, NULL);
    assert_int_equal(mem.calls, 0);
}

TEST(aligned_blocks_are_zero_and_on_a_line_when_malloc_gives_any_address)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    void *blocks[40];
    for (size_t i = 0; i < 40; i++) {
        size_t size = i * 13 + 1;
        uint8_t *block = blocks[i] = wsp_calloc_aligned(&hooks, size);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % WSP_CACHE_LINE, 0);
        for (size_t j = 0; j < size; j++) {
            assert_int_equal(block[j], 0);
        }
        memset(block, 0xff, size); /* the allocator's own data must not lie in the block */
    }
    for (size_t i = 0; i < 40; i++) {
        wsp_free_aligned(&hooks, blocks[i]);
    }
    assert_int_equal(mem.live, 0);
}

TEST(everything_is_null_when_the_allocator_says_no)
{
    struct test_mem mem = {.fail_at = 1, .fail_on = 1};
    wspool_mem hooks = test_mem_hooks(&mem);
    assert_null(wsp_alloc(&hooks, 1));
    assert_null(wsp_calloc(&hooks, 1, 1));
    assert_null(wsp_resize(&hooks, NULL, 1, 1));
    assert_null(wsp_calloc_aligned(&hooks, 1));
    assert_int_equal(mem.failures, 4);
    assert_int_equal(mem.live, 0);
}

TEST(default_hooks_work_when_the_host_gives_none)
{
    uint8_t *block = wsp_calloc(&wsp_mem_default, 100, 1);
    assert_non_null(block);
    block[99] = 5;
    block = wsp_resize(&wsp_mem_default, block, 5000, 1);
    assert_non_null(block);
    assert_int_equal(block[99], 5);
    wsp_free(&wsp_mem_default, block);
}

/* Under a sanitizer both numbers are 0; the sanitizer reports leaks itself. */
TEST(default_free_gives_back_what_the_default_malloc_gave)
{
    size_t before = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++) {
        wsp_free(&wsp_mem_default, wsp_alloc(&wsp_mem_default, 1000));
    }
    assert_true(mallinfo2().uordblks < before + 100000);
}

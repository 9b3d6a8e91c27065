/* SPDX-License-Identifier: MIT */
/*
 * unit/test_freelist.c - base/freelist.h: the free list.
 *
 * The cases count allocations: a block that was given back is used again, at most `keep` blocks are
 * kept, and a failed allocation returns NULL only when the list is empty.
 */
#include "support.h"
#include "base/freelist.h"

TEST(block_is_used_again_when_it_was_given_back)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_freelist list;
    wsp_freelist_init(&list, 100, 4);
    void *block = wsp_freelist_take(&list, &hooks);
    assert_non_null(block);
    assert_int_equal(mem.bytes, 100);
    for (int i = 0; i < 50; i++) {
        memset(block, i, 100);
        wsp_freelist_give(&list, &hooks, block);
        assert_int_equal(list.count, 1);
        assert_ptr_equal(wsp_freelist_take(&list, &hooks), block);
        assert_int_equal(list.count, 0);
    }
    assert_int_equal(mem.calls, 1);
    wsp_freelist_give(&list, &hooks, block);
    wsp_freelist_fini(&list, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(blocks_are_freed_when_enough_are_kept)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_freelist list;
    wsp_freelist_init(&list, 64, 3);
    void *blocks[10];
    for (size_t i = 0; i < 10; i++) {
        blocks[i] = wsp_freelist_take(&list, &hooks);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)i, 64);
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(blocks[i], blocks[j]);
        }
    }
    for (size_t i = 0; i < 10; i++) {
        wsp_freelist_give(&list, &hooks, blocks[i]);
        assert_int_equal(list.count, i < 3 ? i + 1 : 3);
    }
    assert_int_equal(mem.live, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(wsp_freelist_take(&list, &hooks), blocks[2 - i]);
    }
    assert_int_equal(list.count, 0);
    assert_int_equal(mem.calls, 10);
    for (size_t i = 0; i < 3; i++) {
        wsp_freelist_give(&list, &hooks, blocks[i]);
    }
    wsp_freelist_fini(&list, &hooks);
    assert_int_equal(list.count, 0);
    assert_int_equal(mem.live, 0);
}

TEST(nothing_is_kept_when_keep_is_zero)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_freelist list;
    wsp_freelist_init(&list, 64, 0);
    wsp_freelist_give(&list, &hooks, wsp_freelist_take(&list, &hooks));
    assert_int_equal(mem.live, 0);
    wsp_freelist_fini(&list, &hooks);
}

TEST(blocks_hold_a_pointer_when_the_size_is_smaller)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_freelist list;
    wsp_freelist_init(&list, 1, 2);
    void *one = wsp_freelist_take(&list, &hooks);
    void *two = wsp_freelist_take(&list, &hooks);
    assert_int_equal(mem.bytes, 2 * sizeof(void *));
    wsp_freelist_give(&list, &hooks, one);
    wsp_freelist_give(&list, &hooks, two);
    wsp_freelist_fini(&list, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(get_is_null_only_when_there_is_no_memory_and_nothing_free)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_freelist list;
    wsp_freelist_init(&list, 64, 2);
    void *block = wsp_freelist_take(&list, &hooks);
    wsp_freelist_give(&list, &hooks, block);
    mem.fail_at = 1;
    mem.fail_on = 1;
    assert_ptr_equal(wsp_freelist_take(&list, &hooks), block);
    assert_null(wsp_freelist_take(&list, &hooks));
    assert_int_equal(list.count, 0);
    wsp_freelist_give(&list, &hooks, NULL);
    assert_int_equal(list.count, 0);
    wsp_freelist_give(&list, &hooks, block);
    wsp_freelist_fini(&list, &hooks);
    assert_int_equal(mem.live, 0);
}

/* SPDX-License-Identifier: MIT */
/* unit/test_spares.c - base/spares.h: what is kept, what is freed, and no memory. */
#include "support.h"
#include "base/spares.h"

TEST(block_is_used_again_when_it_was_given_back)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_spares spares;
    wsp_spares_init(&spares, 100, 4);
    void *block = wsp_spares_take(&spares, &hooks);
    assert_non_null(block);
    assert_int_equal(mem.bytes, 100);
    for (int i = 0; i < 50; i++) {
        memset(block, i, 100);
        wsp_spares_give(&spares, &hooks, block);
        assert_int_equal(spares.count, 1);
        assert_ptr_equal(wsp_spares_take(&spares, &hooks), block);
        assert_int_equal(spares.count, 0);
    }
    assert_int_equal(mem.calls, 1);
    wsp_spares_give(&spares, &hooks, block);
    wsp_spares_fini(&spares, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(blocks_are_freed_when_enough_are_kept)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_spares spares;
    wsp_spares_init(&spares, 64, 3);
    void *blocks[10];
    for (size_t i = 0; i < 10; i++) {
        blocks[i] = wsp_spares_take(&spares, &hooks);
        assert_non_null(blocks[i]);
        memset(blocks[i], (int)i, 64);
        for (size_t j = 0; j < i; j++) {
            assert_ptr_not_equal(blocks[i], blocks[j]);
        }
    }
    for (size_t i = 0; i < 10; i++) {
        wsp_spares_give(&spares, &hooks, blocks[i]);
        assert_int_equal(spares.count, i < 3 ? i + 1 : 3);
    }
    assert_int_equal(mem.live, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_ptr_equal(wsp_spares_take(&spares, &hooks), blocks[2 - i]);
    }
    assert_int_equal(spares.count, 0);
    assert_int_equal(mem.calls, 10);
    for (size_t i = 0; i < 3; i++) {
        wsp_spares_give(&spares, &hooks, blocks[i]);
    }
    wsp_spares_fini(&spares, &hooks);
    assert_int_equal(spares.count, 0);
    assert_int_equal(mem.live, 0);
}

TEST(nothing_is_kept_when_keep_is_zero)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_spares spares;
    wsp_spares_init(&spares, 64, 0);
    wsp_spares_give(&spares, &hooks, wsp_spares_take(&spares, &hooks));
    assert_int_equal(mem.live, 0);
    wsp_spares_fini(&spares, &hooks);
}

TEST(blocks_hold_a_pointer_when_the_size_is_smaller)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_spares spares;
    wsp_spares_init(&spares, 1, 2);
    void *one = wsp_spares_take(&spares, &hooks);
    void *two = wsp_spares_take(&spares, &hooks);
    assert_int_equal(mem.bytes, 2 * sizeof(void *));
    wsp_spares_give(&spares, &hooks, one);
    wsp_spares_give(&spares, &hooks, two);
    wsp_spares_fini(&spares, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(take_is_null_only_when_there_is_no_memory_and_no_spare)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_spares spares;
    wsp_spares_init(&spares, 64, 2);
    void *block = wsp_spares_take(&spares, &hooks);
    wsp_spares_give(&spares, &hooks, block);
    mem.fail_at = 1;
    mem.fail_on = 1;
    assert_ptr_equal(wsp_spares_take(&spares, &hooks), block);
    assert_null(wsp_spares_take(&spares, &hooks));
    assert_int_equal(spares.count, 0);
    wsp_spares_give(&spares, &hooks, NULL);
    assert_int_equal(spares.count, 0);
    wsp_spares_give(&spares, &hooks, block);
    wsp_spares_fini(&spares, &hooks);
    assert_int_equal(mem.live, 0);
}

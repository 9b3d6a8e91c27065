/* SPDX-License-Identifier: MIT */
/*
 * unit/test_bitset.c - base/bitset.h: a set of small numbers that is walked in ascending order.
 *
 * Random additions, removals and walks are compared with an array of flags, at several capacities.
 * Other cases make the allocations fail, and check the ends of the range and of each word.
 */
#include "support.h"
#include "base/bitset.h"
#include <wspool/error.h>

TEST(set_is_empty_when_it_has_no_room_yet)
{
    struct wsp_bitset set = {0};
    assert_true(wsp_bitset_check(&set));
    assert_int_equal(wsp_bitset_next(&set, 0), WSP_BITSET_END);
    assert_int_equal(wsp_bitset_pop(&set), WSP_BITSET_END);
    assert_int_equal(wsp_bitset_empty(&set), 1);
    assert_false(wsp_bitset_has(&set, 0));
    assert_int_equal(wsp_bitset_reserve(&set, &wsp_mem_default, 100), 0);
    wsp_bitset_add(&set, 7);
    assert_int_equal(wsp_bitset_empty(&set), 0);
    assert_int_equal(wsp_bitset_pop(&set), 7);
    wsp_bitset_fini(&set, &wsp_mem_default);
    assert_int_equal(set.capacity, 0);
}

TEST(next_finds_members_when_they_lie_on_edges_of_words)
{
    static const uint32_t edges[] = {
        0,    1,    63,   64,   65,    127,   128,   4031,          4032,
        4095, 4096, 4097, 8191, 12288, 20479, 99999, WSP_BITSET_END};
    const size_t count = sizeof(edges) / sizeof(edges[0]) - 1;
    struct wsp_bitset set = {0};
    assert_int_equal(wsp_bitset_reserve(&set, &wsp_mem_default, 100000), 0);
    for (size_t i = 0; i < count; i++) {
        wsp_bitset_add(&set, edges[i]);
    }
    assert_true(wsp_bitset_check(&set));
    size_t expected = 0;
    for (uint32_t from = 0; from < 100000; from++) {
        assert_int_equal(wsp_bitset_next(&set, from), edges[expected]);
        assert_int_equal(wsp_bitset_has(&set, from), from == edges[expected]);
        expected += from == edges[expected];
    }
    assert_int_equal(wsp_bitset_next(&set, 100000), WSP_BITSET_END);
    assert_int_equal(wsp_bitset_next(&set, UINT32_MAX), WSP_BITSET_END);
    assert_false(wsp_bitset_has(&set, UINT32_MAX));
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(wsp_bitset_pop(&set), edges[i]);
    }
    assert_int_equal(wsp_bitset_pop(&set), WSP_BITSET_END);
    assert_int_equal(wsp_bitset_empty(&set), 1);
    wsp_bitset_fini(&set, &wsp_mem_default);
}

TEST(take_finds_a_member_when_it_was_added_below_those_taken)
{
    struct wsp_bitset set = {0};
    assert_int_equal(wsp_bitset_reserve(&set, &wsp_mem_default, 10000), 0);
    wsp_bitset_add(&set, 9000);
    assert_int_equal(wsp_bitset_pop(&set), 9000);
    /* adds the number just taken, as a host does with a peer that is ready again */
    wsp_bitset_add(&set, 9000);
    assert_int_equal(wsp_bitset_pop(&set), 9000);
    assert_int_equal(wsp_bitset_empty(&set), 1);
    wsp_bitset_add(&set, 5);
    wsp_bitset_add(&set, 9001);
    assert_int_equal(wsp_bitset_pop(&set), 5);
    assert_int_equal(wsp_bitset_pop(&set), 9001);
    assert_int_equal(wsp_bitset_pop(&set), WSP_BITSET_END);
    assert_int_equal(set.low, WSP_BITSET_END); /* a second walk costs nothing */
    wsp_bitset_fini(&set, &wsp_mem_default);
}

TEST(add_and_remove_change_nothing_when_done_twice)
{
    struct wsp_bitset set = {0};
    assert_int_equal(wsp_bitset_reserve(&set, &wsp_mem_default, 200), 0);
    wsp_bitset_add(&set, 130);
    wsp_bitset_add(&set, 130);
    wsp_bitset_add(&set, 131);
    wsp_bitset_remove(&set, 130);
    wsp_bitset_remove(&set, 130);
    assert_true(wsp_bitset_check(&set));
    assert_int_equal(wsp_bitset_pop(&set), 131);
    assert_int_equal(wsp_bitset_pop(&set), WSP_BITSET_END);
    wsp_bitset_fini(&set, &wsp_mem_default);
}

TEST(set_agrees_with_an_array_when_it_changes_and_grows)
{
    enum { MOST = 30000 };
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bitset set = {0};
    static uint8_t model[MOST];
    uint64_t seed = 4;
    uint32_t room = 0;
    for (int step = 0; step < 30000; step++) {
        if (step % 300 == 0 && room < MOST) {
            room += 1 + (uint32_t)test_below(&seed, 700);
            room = room > MOST ? MOST : room;
            assert_int_equal(wsp_bitset_reserve(&set, &hooks, room), 0);
            assert_true(set.capacity >= room);
        }
        /* Sparse for a while, then dense, so that both levels get holes. */
        uint32_t number = (uint32_t)test_below(&seed, room);
        unsigned what = (unsigned)test_below(&seed, 8);
        if (what < (step / 3000 % 2 ? 2u : 5u)) {
            wsp_bitset_add(&set, number);
            model[number] = 1;
        } else if (what < 6) {
            wsp_bitset_remove(&set, number);
            model[number] = 0;
        } else if (what == 6) {
            uint32_t expected = 0;
            while (expected < room && !model[expected]) {
                expected++;
            }
            assert_int_equal(wsp_bitset_empty(&set), expected == room);
            assert_int_equal(wsp_bitset_pop(&set), expected == room ? WSP_BITSET_END : expected);
            if (expected < room) {
                model[expected] = 0;
            }
        } else {
            uint32_t expected = number;
            while (expected < room && !model[expected]) {
                expected++;
            }
            assert_int_equal(wsp_bitset_next(&set, number),
                             expected == room ? WSP_BITSET_END : expected);
            assert_int_equal(wsp_bitset_has(&set, number), model[number]);
        }
        if (step % 50 == 0) {
            assert_true(wsp_bitset_check(&set));
        }
    }
    wsp_bitset_fini(&set, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(members_stay_when_there_is_no_memory_to_grow)
{
    for (size_t n = 1; n <= 2; n++) {
        struct test_mem mem = {0};
        wspool_mem hooks = test_mem_hooks(&mem);
        struct wsp_bitset set = {0};
        mem.fail_at = n;
        assert_int_equal(wsp_bitset_reserve(&set, &hooks, 10), WSPOOL_ERR_NOMEM);
        assert_int_equal(set.capacity, 0);
        assert_int_equal(wsp_bitset_pop(&set), WSP_BITSET_END);
        assert_true(wsp_bitset_check(&set));
        assert_int_equal(wsp_bitset_reserve(&set, &hooks, 10), 0);
        wsp_bitset_add(&set, 9);
        uint32_t before = set.capacity;
        mem.fail_at = n;
        assert_int_equal(wsp_bitset_reserve(&set, &hooks, before + 1), WSPOOL_ERR_NOMEM);
        assert_int_equal(set.capacity, before);
        assert_int_equal(wsp_bitset_next(&set, 0), 9);
        assert_true(wsp_bitset_check(&set));
        assert_int_equal(wsp_bitset_reserve(&set, &hooks, before + 1), 0);
        wsp_bitset_add(&set, before);
        assert_true(wsp_bitset_check(&set));
        assert_int_equal(wsp_bitset_pop(&set), 9);
        assert_int_equal(wsp_bitset_pop(&set), before);
        assert_int_equal(wsp_bitset_pop(&set), WSP_BITSET_END);
        wsp_bitset_fini(&set, &hooks);
        assert_int_equal(mem.live, 0);
    }
}

TEST(reserve_allocates_rarely_when_it_grows_by_one)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bitset set = {0};
    for (uint32_t i = 1; i <= 100000; i++) {
        assert_int_equal(wsp_bitset_reserve(&set, &hooks, i), 0);
    }
    assert_true(mem.calls <= 12);
    wsp_bitset_fini(&set, &hooks);
}

TEST(check_fails_when_the_levels_disagree)
{
    struct wsp_bitset set = {0};
    assert_int_equal(wsp_bitset_reserve(&set, &wsp_mem_default, 5000), 0);
    wsp_bitset_add(&set, 4100);
    assert_true(wsp_bitset_check(&set));
    set.summary[1] = 0;
    assert_false(wsp_bitset_check(&set));
    set.summary[1] = 3;
    assert_false(wsp_bitset_check(&set));
    set.summary[1] = 1;
    set.low = 4101;
    assert_false(wsp_bitset_check(&set));
    wsp_bitset_fini(&set, &wsp_mem_default);
}

/* SPDX-License-Identifier: MIT */
/*
 * unit/test_bytes.c - base/bytes.h: a byte buffer that grows up to a limit.
 *
 * The cases append to buffers with different limits and check each capacity, and that a failed
 * allocation leaves the contents unchanged.
 */
#include "support.h"
#include "base/bytes.h"
#include <wspool/error.h>

#define MOST ((size_t)65536) /* the limit, in tests that are not about it */

static int append(struct wsp_bytes *bytes, const wspool_mem *mem, const void *data, size_t len)
{
    return wsp_bytes_append(bytes, mem, data, len, MOST);
}

static int reserve(struct wsp_bytes *bytes, const wspool_mem *mem, size_t more)
{
    return wsp_bytes_reserve(bytes, mem, more, MOST);
}

TEST(append_keeps_all_bytes_when_it_grows)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    static uint8_t expected[MOST];
    uint64_t seed = 1;
    size_t len = 0;
    while (len < 60000) {
        uint8_t piece[900];
        size_t size = (size_t)test_below(&seed, sizeof(piece));
        for (size_t i = 0; i < size; i++) {
            piece[i] = (uint8_t)test_random(&seed);
        }
        memcpy(expected + len, piece, size);
        len += size;
        assert_int_equal(append(&bytes, &hooks, piece, size), 0);
        assert_int_equal(bytes.len, len);
        assert_true(bytes.len <= bytes.cap);
        assert_int_equal(mem.bytes, bytes.cap);
    }
    assert_memory_equal(bytes.data, expected, len);
    wsp_bytes_fini(&bytes, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(capacity_starts_at_256_and_doubles_when_pieces_are_small)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    for (size_t i = 1; i <= 256 * 16; i++) {
        assert_int_equal(append(&bytes, &hooks, "x", 1), 0);
        size_t cap = 256;
        while (cap < i) {
            cap *= 2;
        }
        assert_int_equal(bytes.cap, cap);
    }
    assert_int_equal(mem.calls, 5);
    wsp_bytes_fini(&bytes, &hooks);
}

TEST(capacity_is_a_power_of_two_when_much_is_needed_at_once)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    assert_int_equal(reserve(&bytes, &hooks, 300), 0);
    assert_int_equal(bytes.cap, 512);
    bytes.len = 10;
    assert_int_equal(reserve(&bytes, &hooks, 5000), 0);
    assert_int_equal(bytes.cap, 8192);
    assert_int_equal(bytes.len, 10);
    assert_int_equal(mem.calls, 2);
    wsp_bytes_fini(&bytes, &hooks);
}

TEST(capacity_ends_at_the_most)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    for (size_t i = 1; i <= 1500; i++) {
        assert_int_equal(wsp_bytes_append(&bytes, &hooks, "x", 1, 1500), 0);
        assert_int_equal(bytes.cap, i <= 256 ? 256 : i <= 512 ? 512 : i <= 1024 ? 1024 : 1500);
    }
    wsp_bytes_fini(&bytes, &hooks);
    /* a step that would come near the limit goes to the limit at once */
    for (size_t i = 1; i <= 1300; i++) {
        assert_int_equal(wsp_bytes_append(&bytes, &hooks, "x", 1, 1300), 0);
        assert_int_equal(bytes.cap, i <= 256 ? 256 : i <= 512 ? 512 : 1300);
    }
    wsp_bytes_fini(&bytes, &hooks);
    assert_int_equal(wsp_bytes_append(&bytes, &hooks, "xx", 2, 3), 0);
    assert_int_equal(bytes.cap, 3);
    wsp_bytes_fini(&bytes, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(reserve_allocates_nothing_when_there_is_room)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    assert_int_equal(reserve(&bytes, &hooks, 0), 0);
    assert_int_equal(append(&bytes, &hooks, NULL, 0), 0);
    assert_null(bytes.data);
    assert_int_equal(mem.calls, 0);
    assert_int_equal(append(&bytes, &hooks, "abc", 3), 0);
    assert_int_equal(reserve(&bytes, &hooks, 253), 0);
    assert_int_equal(mem.calls, 1);
    assert_int_equal(reserve(&bytes, &hooks, 254), 0);
    assert_int_equal(mem.calls, 2);
    wsp_bytes_fini(&bytes, &hooks);
}

TEST(nothing_changes_when_the_allocator_says_no)
{
    struct test_mem mem = {.fail_at = 1};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    assert_int_equal(append(&bytes, &hooks, "abc", 3), WSPOOL_ERR_NOMEM);
    assert_null(bytes.data);
    assert_int_equal(bytes.cap, 0);
    assert_int_equal(append(&bytes, &hooks, "abc", 3), 0);
    mem.fail_at = 1;
    uint8_t large[300] = {0};
    const uint8_t *before = bytes.data;
    assert_int_equal(append(&bytes, &hooks, large, 300), WSPOOL_ERR_NOMEM);
    assert_ptr_equal(bytes.data, before);
    assert_int_equal(bytes.len, 3);
    assert_int_equal(bytes.cap, 256);
    assert_memory_equal(bytes.data, "abc", 3);
    wsp_bytes_fini(&bytes, &hooks);
    assert_int_equal(mem.live, 0);
}

TEST(fini_leaves_an_empty_one_when_called_twice)
{
    struct test_mem mem = {0};
    wspool_mem hooks = test_mem_hooks(&mem);
    struct wsp_bytes bytes = {0};
    assert_int_equal(append(&bytes, &hooks, "abc", 3), 0);
    wsp_bytes_fini(&bytes, &hooks);
    assert_null(bytes.data);
    assert_int_equal(bytes.len, 0);
    assert_int_equal(bytes.cap, 0);
    wsp_bytes_fini(&bytes, &hooks);
    assert_int_equal(mem.live, 0);
}

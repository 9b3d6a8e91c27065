/* SPDX-License-Identifier: MIT */
/* sockets/test_table.c - sockets/table.h: an array that is indexed by slots. */
#include "sockets/table.h"

#include <errno.h>
#include <stdlib.h>

#include "../tools/test.h"

TEST(reserve_within_the_room_leaves_the_table)
{
    uint32_t room = 0;
    uint64_t *table = wsp_table_reserve(NULL, &room, 0, sizeof *table);
    assert_non_null(table);
    assert_true(room > 0);
    uint32_t before = room;
    assert_ptr_equal(wsp_table_reserve(table, &room, before - 1, sizeof *table), table);
    assert_int_equal(room, before);
    free(table);
}

TEST(reserve_keeps_what_is_there_and_zeroes_the_rest)
{
    uint32_t room = 0;
    uint64_t *table = wsp_table_reserve(NULL, &room, 0, sizeof *table);
    for (uint32_t slot = 0; slot < 1000; slot++) {
        table = wsp_table_reserve(table, &room, slot, sizeof *table);
        assert_non_null(table);
        assert_true(slot < room);
        assert_true(table[slot] == 0);
        table[slot] = slot + 1;
    }
    for (uint32_t slot = 0; slot < room; slot++) {
        assert_true(table[slot] == (slot < 1000 ? slot + 1 : 0));
    }
    free(table);
}

/* A table of that size would be larger than any memory, or its size would wrap around. */
TEST(reserve_without_memory_keeps_the_table)
{
    uint32_t room = 0;
    uint64_t *table = wsp_table_reserve(NULL, &room, 0, sizeof *table), *kept = table;
    uint32_t before = room;
    table[7] = 7;
    errno = 0;
    assert_null(wsp_table_reserve(table, &room, UINT32_MAX, sizeof *table));
    assert_int_equal(errno, ENOMEM);
    errno = 0;
    assert_null(wsp_table_reserve(table, &room, before, SIZE_MAX / 8));
    assert_int_equal(room, before);
    assert_true(kept[7] == 7);
    free(kept);
}

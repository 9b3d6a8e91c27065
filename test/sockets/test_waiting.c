/* SPDX-License-Identifier: MIT */
/*
 * sockets/test_waiting.c - the table of connections whose PROXY header is awaited. The descriptors
 * are numbers: the table does not use them but to read.
 */
#include "sockets/waiting.h"

#include <stdlib.h>

#include "../tools/test.h"

TEST(table_is_full_when_1024_connections_wait)
{
    wsp_waiting all = {0};
    for (int fd = 0; fd < 1024; fd++)
        assert_non_null(wsp_waiting_add(&all, fd, 1));
    assert_null(wsp_waiting_add(&all, 1024, 1));
    assert_int_equal(wsp_waiting_remove(&all, &all.places[700]), 700);
    assert_ptr_equal(wsp_waiting_add(&all, 1024, 1), &all.places[700]);
    assert_null(wsp_waiting_add(&all, 1025, 1));
    free(all.places);
}

TEST(tag_is_stale_when_its_place_was_taken_again)
{
    wsp_waiting all = {0};
    wsp_waiting_place *place = wsp_waiting_add(&all, 5, 1);
    uint64_t first = place->tag;
    assert_ptr_equal(wsp_waiting_find(&all, first), place);
    wsp_waiting_remove(&all, place);
    assert_null(wsp_waiting_find(&all, first));
    assert_ptr_equal(wsp_waiting_add(&all, 6, 1), place);
    assert_null(wsp_waiting_find(&all, first));
    assert_ptr_equal(wsp_waiting_find(&all, place->tag), place);
    assert_null(wsp_waiting_find(&all, place->tag + 40)); /* there is no such place */
    free(all.places);
}

TEST(each_place_is_due_once_and_the_next_time_is_known)
{
    wsp_waiting all = {0};
    uint32_t at = 0;
    for (int fd = 0; fd < 20; fd++)
        wsp_waiting_add(&all, fd, 100 + (uint64_t)(fd % 3)); /* 7 until 100, 7 until 101 */
    assert_int_equal(all.next, 100);
    for (int i = 0; i < 7; i++)
        assert_int_equal(wsp_waiting_due(&all, 100, &at)->fd, 3 * i);
    assert_null(wsp_waiting_due(&all, 100, &at));
    assert_int_equal(all.next, 101);
    at = 0;
    for (int i = 0; i < 13; i++)
        assert_non_null(wsp_waiting_due(&all, WSP_WAITING_ALL_DUE, &at));
    assert_null(wsp_waiting_due(&all, WSP_WAITING_ALL_DUE, &at));
    free(all.places);
}

/* SPDX-License-Identifier: MIT */
/*
 * unit/test_refill.c - channel/refill.h: what a member remembers of the era in which it began. The
 * sim tests have the refills themselves.
 */
#include "support.h"
#include "channel/keyed.h"
#include "channel/refill.h"

/* 16 bits remember an era, so a member that has waited for 65,534 eras would seem to have begun just
 * now, and miss what was removed since. */
TEST(member_that_waits_for_all_eras_does_not_seem_to_begin_now)
{
    enum { LIVE, NONE, OLD, NEW, MEMBERS };
    struct wsp_keyed keyed = {.era = 0};
    struct wsp_history history = {.first = 1, .keyed = &keyed};
    struct wsp_member members[MEMBERS] = {[LIVE] = {.state = 1}};
    struct wsp_channel channel = {
        .members = members, .count = MEMBERS, .live = 1, .history = &history};
    wsp_refill_state(&channel, &members[OLD]);
    uint16_t first = members[OLD].state;
    assert_int_not_equal(first, 0);
    for (uint32_t era = 1; era < 70000; era++) {
        keyed.era_has_removals = 1;
        wsp_refill_state(&channel, &members[NEW]);
        assert_int_equal(keyed.era, era);
        assert_int_not_equal(members[NEW].state, members[OLD].state);
        if (era < 16384)
            assert_int_equal(members[OLD].state, first);
    }
    assert_int_equal(members[OLD].state, UINT16_MAX);
    assert_int_equal(members[LIVE].state, 1);
    assert_int_equal(members[NONE].state, 0);
}

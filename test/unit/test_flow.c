/* SPDX-License-Identifier: MIT */
/* unit/test_flow.c - pool/flow.c: what the whole pools of test/sim never meet. */
#include "pool.h"

/* A hook that marks again and again leaves something for the next call: no host may sleep on it,
 * whichever slot it is. */
static void deadline_is_0_when_anything_is_left_to_be_told(void **state)
{
    (void)state;
    static struct host h;
    wspool_id ids[2];
    host_init(&h);
    host_start(&h);
    for (uint32_t slot = 0; slot < 2; slot++) {
        ids[slot] = host_come(&h, "/room/a", "Authorization: Bearer t");
        assert_int_equal(wspool_slot(ids[slot]), slot);
    }
    host_settle(&h);
    for (uint32_t slot = 0; slot < 2; slot++) {
        assert_true(wspool_deadline(h.pool) > h.now);
        wsp_bitset_add(&h.pool->link.events, slot);
        assert_true(wspool_deadline(h.pool) == 0);
        assert_int_equal(wspool_tick(h.pool, h.now), 0);
        assert_true(wspool_deadline(h.pool) > h.now);
        wsp_bitset_add(&h.pool->link.attention, slot);
        assert_true(wspool_deadline(h.pool) == 0);
        host_settle(&h);
    }
    host_end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_is_0_when_anything_is_left_to_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/*
 * unit/test_io.c - pool/io.c and pool/tick.c: the cases that the pools of test/sim do not reach.
 *
 * A hook that keeps marking peers must not let the host sleep. Bytes of an asynchronous write must
 * stay valid when the peer ends. The pool's time never goes back, and never beyond the largest
 * valid time.
 */
#include "pool.h"

/* A hook that marks peers again and again leaves events for the next call. The deadline is 0
 * then, whichever slot is marked, so that no host sleeps. */
TEST(deadline_is_0_when_anything_is_left_to_be_told)
{
    static struct host h;
    wspool_id ids[2];
    host_init(&h);
    host_start(&h);
    for (uint32_t slot = 0; slot < 2; slot++) {
        ids[slot] = host_come(&h, "/room/a", "Authorization: Bearer t");
        assert_int_equal(wspool_slot(ids[slot]), slot);
    }
    host_run(&h);
    for (uint32_t slot = 0; slot < 2; slot++) {
        assert_true(wspool_deadline(h.pool) > h.now);
        wsp_bitset_add(&h.pool->link.due, slot);
        assert_true(wspool_deadline(h.pool) == 0);
        assert_int_equal(wspool_tick(h.pool, h.now), 0);
        assert_true(wspool_deadline(h.pool) > h.now);
        wsp_bitset_add(&h.pool->link.ready, slot);
        assert_true(wspool_deadline(h.pool) == 0);
        host_run(&h);
    }
    host_end(&h);
}

/* The bytes that an asynchronous write may still read stay allocated. A peek returns nothing
 * more, and an ack of these bytes changes nothing. */
TEST(peek_is_empty_when_the_peer_has_ended_in_the_middle_of_a_write)
{
    static struct host h;
    struct iovec vectors[4];
    host_init(&h);
    host_start(&h);
    wspool_id id = host_come(&h, "/room/a", "Authorization: Bearer t");
    host_run(&h);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wspool_send(h.pool, id, "hello", 5, NULL), 0);
    }
    assert_int_equal(wspool_peek(h.pool, id, vectors, 4), 1);
    assert_int_equal(vectors[0].iov_len, 3 * 7);
    assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_FAILED, h.now), 0);
    assert_memory_equal(vectors[0].iov_base, "\x81\5hello", 7);
    assert_int_equal(wspool_peek(h.pool, id, vectors, 4), 0);
    assert_int_equal(wspool_ack(h.pool, id, 21, h.now), 0);
    wspool_statistics s = host_stats(&h);
    assert_int_equal(s.sent, 0);
    assert_int_equal(s.dropped_closed, 3);
    assert_int_equal(h.closed.messages_lost, 3);
    host_run(&h);
    assert_int_equal(h.released, 1);
    host_end(&h);
}

TEST(queued_is_what_waits_in_all_lanes)
{
    static struct host h;
    struct iovec vectors[4];
    size_t bytes = 99;
    host_init(&h);
    host_start(&h);
    wspool_id id = host_come(&h, "/room/a", "Authorization: Bearer t");
    assert_int_equal(wspool_queued(h.pool, id, &bytes), 0);
    assert_true(bytes > 100); /* the 101 */
    host_run(&h);
    assert_int_equal(wspool_queued(h.pool, id, &bytes), 0);
    assert_int_equal(bytes, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(wspool_send(h.pool, id, "hello", 5, NULL), 0);
    }
    assert_int_equal(wspool_queued(h.pool, id, &bytes), 3);
    assert_int_equal(bytes, 3 * 7);
    assert_int_equal(wspool_peek(h.pool, id, vectors, 4), 1);
    assert_int_equal(wspool_queued(h.pool, id, NULL), 3); /* and the peek is still valid */
    assert_int_equal(wspool_ack(h.pool, id, 8, h.now), 0);
    assert_int_equal(wspool_queued(h.pool, id, &bytes), 2);
    assert_int_equal(bytes, 13);
    assert_int_equal(wspool_close(h.pool, id, 1000, NULL, 0), 0);
    assert_int_equal(wspool_queued(h.pool, id, &bytes), 2);
    assert_int_equal(bytes, 13 + 4); /* and the Close */
    assert_int_equal(wspool_gone(h.pool, id, WSPOOL_GONE_FAILED, h.now), 0);
    assert_int_equal(wspool_queued(h.pool, id, &bytes), 0);
    assert_int_equal(bytes, 0);
    host_run(&h);
    assert_int_equal(wspool_queued(h.pool, id, &bytes), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_queued(NULL, id, &bytes), WSPOOL_ERR_INVAL);
    host_end(&h);
}

TEST(time_is_taken_over_when_it_is_later_and_not_beyond_the_last_moment)
{
    static struct host h;
    host_init(&h);
    host_start(&h);
    const uint64_t *now = &h.pool->link.now;
    assert_true(*now == h.now);
    assert_int_equal(wspool_tick(h.pool, h.now + 5), 0);
    assert_true(*now == h.now + 5);
    assert_int_equal(wspool_tick(h.pool, h.now + 4), 0);
    assert_true(*now == h.now + 5);
    assert_int_equal(wspool_tick(h.pool, WSP_NOW_MAX + 1), 0);
    assert_true(*now == h.now + 5);
    assert_int_equal(wspool_tick(h.pool, WSP_NOW_MAX), 0);
    assert_true(*now == WSP_NOW_MAX);
    host_end(&h);
}

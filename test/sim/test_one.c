/* SPDX-License-Identifier: MIT */
/*
 * sim/test_one.c - messages to one peer.
 *
 * Nearly all messages take the fast path of wspool_send. The tests reach each of its limits, where
 * the general path must go on: full queues, messages of any size, memory of nearly empty blocks.
 * Both paths must return the same error when there are two.
 */
#include "sim.h"

static sim *sim_with(uint32_t bytes, uint32_t messages)
{
    sim *s = sim_new(1);
    s->config.queue_bytes = bytes;
    s->config.queue_messages = messages;
    s->config.ping_interval = 0;
    sim_start(s);
    return s;
}

/* Sends until the pool returns FULL. Returns how many messages it took. */
static unsigned fill(sim *s, const sim_peer *p, size_t payload)
{
    char text[1000];
    unsigned count = 0;
    int rc;
    assert_true(payload <= sizeof text);
    memset(text, 'o', sizeof text);
    while ((rc = SIM_IN(wspool_send(s->pool, p->id, text, payload, NULL))) == 0) {
        count++;
        assert_true(count < 100000);
    }
    assert_int_equal(rc, WSPOOL_ERR_FULL);
    return count;
}

TEST(queue_when_limited_in_messages_takes_just_these)
{
    for (uint32_t limit = 1; limit < 20; limit++) {
        sim *s = sim_with(262144, limit);
        sim_peer *p = sim_join(s, "/echo");
        for (int round = 0; round < 2; round++) {
            assert_int_equal(fill(s, p, 10), limit);
            assert_int_equal(p->above, 1);
            sim_pump(s);
            assert_int_equal(p->above, 0);
            assert_int_equal(p->reader.messages, limit * (unsigned)(round + 1));
        }
        assert_int_equal(s->counts[SIM_PRESSURE], 4);
        sim_free(s);
    }
}

TEST(queue_when_limited_in_bytes_takes_just_these)
{
    for (uint32_t limit = 256; limit < 20000; limit += limit / 3) {
        sim *s = sim_with(limit, 100000);
        sim_peer *p = sim_join(s, "/echo");
        for (size_t payload = 0; payload < 240; payload += 40) {
            size_t frame = payload + (payload < 126 ? 2 : 4);
            assert_int_equal(fill(s, p, payload), limit / frame);
            assert_int_equal(p->above, 1);
            sim_pump(s);
            assert_int_equal(p->above, 0);
        }
        sim_free(s);
    }
}

/* Messages of all sizes, which fill many blocks or do not fit into one, some of them while a
 * write is under way. */
TEST(messages_when_of_any_size_come_as_they_were_sent)
{
    enum { MESSAGES = 4000, SIZE = 40000 };
    sim *s = sim_with(262144, 1024);
    sim_peer *p = sim_join(s, "/echo");
    char *text = sim_malloc(SIZE + 1);
    struct iovec iov[4];
    s->async = 30;
    for (int i = 0; i < MESSAGES; i++) {
        size_t len = (size_t)sim_below(s, i % 50 == 0 ? SIZE : 300);
        memset(text, 'a' + i % 26, len);
        text[len] = '\0';
        int rc = SIM_IN(wspool_send(s->pool, p->id, text, len, NULL));
        if (rc == WSPOOL_ERR_FULL) {
            sim_pump(s);
            rc = SIM_IN(wspool_send(s->pool, p->id, text, len, NULL));
        }
        assert_int_equal(rc, 0);
        if (sim_below(s, 20) == 0) {
            sim_turn(s);
        } else if (p->flights == 0) {
            assert_true(wspool_peek(s->pool, p->id, iov, 1 + (int)sim_below(s, 4)) > 0);
        }
        if (i % 100 == 99) {
            sim_pump(s);
            assert_int_equal(p->reader.messages, (size_t)i + 1);
            sim_expect_message(p, (size_t)i, text);
        }
    }
    free(text);
    sim_free(s);
}

/* A few bytes for a peer that reads nothing, among many bytes for another peer. */
TEST(memory_when_each_block_holds_a_little_stays_near_the_limit)
{
    enum { SIZE = 15000 };
    sim *s = sim_with(262144, 100000);
    sim_peer *slow = sim_join(s, "/echo");
    sim_peer *other = sim_join(s, "/echo");
    char *text = sim_malloc(SIZE);
    memset(text, 'm', SIZE);
    sim_stall(slow);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(sim_send(slow, "a little"), 0);
        assert_int_equal(SIM_IN(wspool_send(s->pool, other->id, text, SIZE, NULL)), 0);
        sim_pump(s);
        assert_true(sim_stats(s).block_bytes <= 262144 + 4 * 16384);
    }
    sim_flow(slow);
    sim_pump(s);
    assert_int_equal(slow->reader.messages, 300);
    free(text);
    sim_free(s);
}

TEST(errors_when_there_are_two_are_the_same_on_both_ways)
{
    sim *s = sim_with(1000, 10);
    sim_peer *p = sim_join(s, "/echo");
    uint64_t stale = sim_stats(s).stale_ids;
    wspool_send_options options = {.size = sizeof options, .flags = 2};
    assert_int_equal(wspool_send(s->pool, 12345, "x", 999, NULL), WSPOOL_ERR_TOO_BIG);
    assert_int_equal(sim_stats(s).stale_ids, stale);
    assert_int_equal(wspool_send(s->pool, 12345, "x", 1, NULL), WSPOOL_ERR_STALE);
    assert_int_equal(sim_stats(s).stale_ids, stale + 1);
    assert_int_equal(wspool_send(s->pool, 12345, "x", 1, &options), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_send(s->pool, 12345, NULL, 1, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(sim_stats(s).stale_ids, stale + 1);
    fill(s, p, 100);
    assert_int_equal(wspool_send(s->pool, p->id, "x", 999, NULL), WSPOOL_ERR_TOO_BIG);
    wspool_close(s->pool, p->id, 1000, NULL, 0);
    assert_int_equal(wspool_send(s->pool, p->id, "x", 999, NULL), WSPOOL_ERR_TOO_BIG);
    assert_int_equal(wspool_send(s->pool, p->id, "x", 1, NULL), WSPOOL_ERR_STATE);
    sim_pump(s);
    sim_free(s);
}

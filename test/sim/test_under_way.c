/* SPDX-License-Identifier: MIT */
/*
 * sim/test_under_way.c - wspool_under_way: bytes that the transport keeps, as with asynchronous
 * writes or TLS.
 *
 * These bytes must stay where they are and come first at the next peek, whatever is queued
 * meanwhile. The tests also check what wspool_next reports until the ack, and the deadline of
 * blocked output.
 */
#include "sim.h"

/* Peeks all output, and reports it as under way. Returns the number of bytes. */
static size_t send_off(sim_peer *p, struct iovec *vectors)
{
    sim *s = p->sim;
    size_t total = 0;
    int n = SIM_IN(wspool_peek(s->pool, p->id, vectors, 16));
    for (int i = 0; i < n; i++)
        total += vectors[i].iov_len;
    assert_int_equal(SIM_IN(wspool_under_way(s->pool, p->id, total, s->now)), 0);
    return total;
}

/* Returns what the pool wants of its only peer; 0: nothing new. */
static unsigned wanted(sim *s)
{
    wspool_id id;
    unsigned wants, all = 0;
    while (SIM_IN(wspool_next(s->pool, &id, &wants)) == 1)
        all |= wants;
    return all;
}

static sim_peer *slow_peer(enum wspool_slow slow)
{
    sim *s = sim_new(1);
    s->config.ping_interval = 0;
    s->config.slow = slow;
    s->config.queue_messages = 4;
    s->config.flush_time = 3 * SEC;
    sim_start(s);
    return sim_join(s, "/all");
}

TEST(bytes_when_under_way_stay_whatever_is_published)
{
    sim_peer *p = slow_peer(WSPOOL_SLOW_BEHIND);
    sim *s = p->sim;
    struct iovec v[16], again[16];
    sim_broadcast(s, wspool_global("all"), "message 0");
    sim_broadcast(s, wspool_global("all"), "message 1");
    assert_int_equal(send_off(p, v), 22);
    /* As TLS does: it would block, and needs the same bytes again. */
    assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, 0, s->now)), 0);
    for (int i = 0; i < 20; i++)
        sim_broadcast(s, wspool_global("all"), "later");
    assert_int_equal(wanted(s), 0); /* READ is not wanted either: the transport is full */
    sim_ping(p, "x");
    assert_int_equal(SIM_IN(wspool_feed(s->pool, p->id, p->in.data, p->in.len, s->now)), 0);
    s->fed += p->in.len;
    p->fed = p->in.len;
    assert_int_equal(SIM_IN(wspool_writable(s->pool, p->id, s->now)), 0);
    assert_int_equal(wanted(s), WSPOOL_READ | WSPOOL_WRITE);
    assert_int_equal(SIM_IN(wspool_peek(s->pool, p->id, again, 16)), 1);
    assert_ptr_equal(again[0].iov_base, v[0].iov_base);
    assert_memory_equal((char *)again[0].iov_base + 2, "message 0", 9);
    assert_int_equal(again[0].iov_len, 22);
    assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, 22, s->now)), 0);
    assert_int_equal(wanted(s), WSPOOL_READ | WSPOOL_WRITE);
    s->acked += 22; /* the test wrote them in place of the sim */
    sim_free(s);
}

TEST(peer_when_its_bytes_are_under_way_is_read_and_not_written_to)
{
    sim_peer *p = slow_peer(WSPOOL_SLOW_CLOSE);
    sim *s = p->sim;
    struct iovec v[16];
    sim_broadcast(s, wspool_global("all"), "one");
    assert_int_equal(wanted(s), WSPOOL_READ | WSPOOL_WRITE);
    size_t n = send_off(p, v);
    sim_broadcast(s, wspool_global("all"), "two");
    assert_int_equal(SIM_IN(wspool_writable(s->pool, p->id, s->now)), 0);
    assert_int_equal(wanted(s) & WSPOOL_WRITE, 0);   /* one write at a time, until the ack */
    sim_broadcast(s, wspool_global("all"), "three"); /* half of the queue: the peer is checked */
    wspool_id id;
    unsigned wants;
    assert_int_equal(SIM_IN(wspool_next(s->pool, &id, &wants)), 0); /* READ has not changed */
    assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, n, s->now)), 0);
    assert_int_equal(wanted(s), WSPOOL_READ | WSPOOL_WRITE);
    n = send_off(p, v);
    assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, n, s->now)), 0);
    assert_int_equal(wanted(s), 0);
    assert_int_equal(sim_stats(s).blocked, 0);
    sim_free(s);
}

TEST(peer_when_the_rest_of_a_short_write_is_under_way_is_read_again)
{
    sim_peer *p = slow_peer(WSPOOL_SLOW_CLOSE);
    sim *s = p->sim;
    struct iovec v[16];
    sim_broadcast(s, wspool_global("all"), "one");
    assert_int_equal(wspool_peek(s->pool, p->id, v, 16), 1);
    assert_int_equal(wspool_ack(s->pool, p->id, 1, s->now), 0);
    assert_int_equal(wanted(s), 0); /* its transport is full */
    size_t n = send_off(p, v);
    assert_int_equal(wanted(s), WSPOOL_READ);
    assert_int_equal(wspool_ack(s->pool, p->id, n, s->now), 0);
    sim_free(s);
}

TEST(bytes_when_under_way_for_too_long_end_the_peer)
{
    for (int way = 0; way < 2; way++) {
        sim_peer *p = slow_peer(WSPOOL_SLOW_BEHIND);
        sim *s = p->sim;
        struct iovec v[16];
        sim_broadcast(s, wspool_global("all"), "one");
        (void)send_off(p, v);
        s->now += SEC;
        if (way == 1) { /* a byte is too little to restart the time */
            assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, 1, s->now)), 0);
            s->acked++;
            (void)send_off(p, v);
        }
        for (uint64_t end = s->now + 2 * SEC - 1; s->now < end;) {
            uint64_t next = wspool_deadline(s->pool);
            s->now = next > s->now && next < end ? next : end;
            assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
            assert_int_equal(wanted(s) & WSPOOL_CLOSE, 0);
        }
        for (int i = 0; i < 2; i++) { /* in the second round its last chance is over */
            s->now += 150 * MS;
            assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
        }
        sim_pump(s);
        sim_expect_end(p, WSPOOL_END_FLUSH_TIMEOUT);
        assert_int_equal(p->reset, 1);
        sim_free(s);
    }
}

/* Fills the budget with messages to a peer whose transport stands still. It keeps the first ones,
 * as TLS does; or all of them. */
static void fill(sim_peer *p, const char *text, int keeps_all)
{
    sim *s = p->sim;
    struct iovec v[16];
    for (int i = 0; i < 8; i++) {
        assert_int_equal(sim_send(p, text), 0);
        if (i == (keeps_all ? 7 : 0)) {
            (void)send_off(p, v);
            assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, 0, s->now)), 0);
        }
    }
    assert_int_equal(sim_stats(s).shed, 0);
}

TEST(pool_budget_when_held_by_bytes_under_way_comes_back)
{
    static char text[20001];
    memset(text, 'x', sizeof text - 1);
    for (int keeps_all = 0; keeps_all < 2; keeps_all++) {
        sim *s = sim_new(1);
        s->config.ping_interval = 0;
        s->config.pool_bytes = 14 * (sizeof text + 100);
        sim_start(s);
        sim_peer *p = sim_join(s, "/echo"), *little = sim_join(s, "/echo");
        sim_peer *other = sim_join(s, "/echo");
        sim_stall(p);
        sim_stall(little);
        assert_int_equal(sim_send(little, text), 0);
        sim_pump(s);
        fill(p, text, keeps_all);
        int result = 0;
        for (int i = 0; i < 8 && result == 0; i++)
            result = sim_send(other, text);
        /* What the transport keeps is there until the host has closed it. */
        assert_int_equal(result, keeps_all ? WSPOOL_ERR_FULL : 0);
        assert_int_equal(sim_stats(s).shed, 1);
        sim_pump(s);
        for (int i = 0; i < 4; i++)
            assert_int_equal(sim_send(other, text), 0);
        sim_pump(s);
        sim_expect_open(little);
        assert_int_equal(sim_stats(s).shed, 1);
        sim_pass(s, 6 * SEC);
        sim_expect_end(p, WSPOOL_END_SHED);
        sim_free(s);
    }
}

/* A bit more than half of a block each: without compaction they hold twice their bytes. */
TEST(queue_when_its_first_bytes_are_under_way_holds_no_more_than_its_limit)
{
    static char text[8401];
    sim *s = sim_new(1);
    struct iovec v[16], again[16];
    memset(text, 'x', sizeof text - 1);
    s->config.ping_interval = 0;
    sim_start(s);
    sim_peer *p = sim_join(s, "/echo");
    sim_stall(p);
    assert_int_equal(sim_send(p, text), 0);
    size_t kept = send_off(p, v);
    assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, 0, s->now)), 0);
    while (sim_send(p, text) == 0) {
    }
    assert_true(sim_stats(s).waiting_bytes > s->config.queue_bytes - sizeof text);
    assert_true(sim_stats(s).block_bytes < s->config.queue_bytes / 32 * 33 + 2 * 16384);
    assert_int_equal(SIM_IN(wspool_peek(s->pool, p->id, again, 16)), 1);
    assert_ptr_equal(again[0].iov_base, v[0].iov_base);
    assert_int_equal(again[0].iov_len, kept);
    sim_flow(p);
    assert_int_equal(SIM_IN(wspool_writable(s->pool, p->id, s->now)), 0);
    sim_pump(s);
    assert_int_equal(p->reader.messages, sim_stats(s).sent);
    assert_int_equal(sim_stats(s).waiting, 0);
    sim_free(s);
}

TEST(under_way_when_it_can_not_be_is_an_error)
{
    sim_peer *p = slow_peer(WSPOOL_SLOW_CLOSE);
    sim *s = p->sim;
    struct iovec v[16];
    assert_int_equal(wspool_under_way(NULL, p->id, 1, s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_under_way(s->pool, p->id + 1000, 1, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_under_way(s->pool, p->id, 1, s->now), WSPOOL_ERR_INVAL);
    sim_broadcast(s, wspool_global("all"), "one");
    assert_int_equal(wspool_peek(s->pool, p->id, v, 16), 1);
    assert_int_equal(wspool_under_way(s->pool, p->id, 6, s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_under_way(s->pool, p->id, 0, s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_ack(s->pool, p->id, 5, s->now), 0);
    assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_EOF, s->now)), 0);
    p->told = 1;
    assert_int_equal(SIM_IN(wspool_under_way(s->pool, p->id, 1, s->now)), 0); /* it has ended */
    sim_free(s);
}

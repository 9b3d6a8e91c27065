/* SPDX-License-Identifier: MIT */
/*
 * sim/test_standstill.c - no peer is ended by a deadline before its input could be read.
 *
 * The cases: a host that did nothing for a minute, a peer that reads slowly but steadily, a ping
 * behind much output, and deadlines that are suspended while nothing is read. In each case a live
 * peer must stay, and a dead one must still be ended.
 */
#include "sim.h"

#define SOON (200 * MS)

/* One turn of a host that reads from at most `count` sockets before it ticks. */
static void turn_of(sim *s, size_t from, size_t count)
{
    for (size_t i = from; i < from + count && i < s->peer_count; i++) {
        sim_peer *p = s->peers[i];
        if (p->in.len > p->fed && !p->released) {
            assert_int_equal(SIM_IN(wspool_feed(s->pool, p->id, p->in.data + p->fed,
                                                p->in.len - p->fed, s->now)),
                             0);
            s->fed += p->in.len - p->fed;
            p->fed = p->in.len = 0;
        }
    }
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
}

/* All peers are alive and have sent input, which lies in the sockets when the host continues. */
TEST(peers_when_the_host_stood_still_all_live)
{
    enum { PEERS = 600 };
    for (int way = 0; way < 2; way++) {
        sim *s = sim_new(1);
        s->keep_journal = 0;
        s->config.idle_time = way ? 40 * SEC : 0;
        sim_start(s);
        for (int i = 0; i < PEERS - 200; i++)
            sim_join(s, i % 2 ? "/all" : "/echo");
        for (int i = 0; i < 100; i++) /* new peers, whose requests come a little later */
            sim_open(s, NULL);
        for (int i = 0; i < 100; i++) { /* these have an unfinished message */
            sim_peer *p = sim_join(s, "/all");
            sim_frame(p, OP_TEXT, "half", 4);
        }
        sim_pump(s);
        sim_pass(s, SEC);
        /* For a minute the host does nothing, while the kernel goes on receiving. */
        for (size_t i = 0; i < s->peer_count; i++) {
            sim_peer *p = s->peers[i];
            if (!p->opened) {
                client_request request = {.target = "/all"};
                client_put_request(&p->in, &request);
            } else {
                sim_frame(p, FIN | (i < PEERS - 100 ? OP_PONG : OP_CONT), "", 0);
            }
        }
        s->now += 60 * SEC;
        for (size_t from = 0; from < PEERS; from += 64) {
            turn_of(s, from, 64);
            s->now += 2 * MS;
        }
        sim_pass(s, 5 * SEC);
        assert_int_equal(s->counts[SIM_CLOSED], 0);
        assert_int_equal(sim_stats(s).peers, PEERS);
        assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_TIMEOUT], 0);
        sim_free(s);
    }
}

/* A dead peer is still found, at most a second later. */
TEST(dead_peer_when_the_host_stood_still_dies)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all"), *q = sim_join(s, "/all");
    p->mute_pings = 1;
    while (p->reader.pings == 0 || q->reader.pings == 0)
        sim_pass(s, SEC);
    s->now += 60 * SEC;
    sim_pump(s);
    assert_int_equal(p->ended, 0);
    sim_pass(s, SEC + SOON);
    sim_expect_end(p, WSPOOL_END_PONG_TIMEOUT);
    sim_expect_open(q);
    sim_free(s);
}

/* The last chance comes once: further bytes of a message do not extend it. */
TEST(message_when_it_drips_has_one_last_chance)
{
    sim *s = sim_new(1);
    s->config.message_time = 20 * SEC;
    s->config.ping_interval = 0;
    sim_start(s);
    sim_peer *p = sim_join(s, "/all");
    client_frame frame = {.first = FIN | OP_TEXT, .announced = 4000, .key = 0};
    client_put_head(&p->in, &frame);
    sim_pass(s, 20 * SEC - 10 * MS);
    for (int i = 0; i < 40; i++) {
        sim_write(p, "x", 1);
        sim_pass(s, 10 * MS);
    }
    assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_POLICY);
    sim_free(s);
}

/* A peer that reads steadily, but slower than the feed: its input is read now and then. */
TEST(slow_reader_when_it_takes_steadily_is_received)
{
    sim *s = sim_new(1);
    s->config.slow = WSPOOL_SLOW_BEHIND;
    s->config.queue_messages = 8;
    sim_start(s);
    sim_peer *p = sim_join(s, "/all");
    sim_stall(p);
    for (int i = 0; i < 8; i++)
        sim_broadcast(s, wspool_global("all"), "0123456789 0123456789 0123456789");
    sim_pump(s);
    assert_int_equal(p->reading, 0);
    for (size_t i = 1; i <= 30; i++) {
        sim_text(p, "hear me");
        sim_text(p, "and me");
        sim_pass(s, SEC);
        assert_int_equal(p->heards, 2 * (i - 1)); /* it took nothing, so nothing was read */
        p->room = 20;
        for (int k = 0; k < 4; k++)
            sim_broadcast(s, wspool_global("all"), "0123456789 0123456789 0123456789");
        sim_pump(s);
        assert_int_equal(p->heards, 2 * i);
        assert_int_equal(p->reading, 0); /* one read for each time, no more */
        assert_int_equal(p->blocked, 1);
    }
    sim_say_close(p, 1000, NULL);
    p->room = 20;
    sim_pass(s, SEC);
    assert_int_equal(p->closed.why, 0);
    sim_flow(p);
    sim_pass(s, SEC);
    sim_expect_end(p, WSPOOL_END_PEER_CLOSED);
    sim_free(s);
}

/* The ping waits behind much output on a slow link. Its time begins when it was sent, and
 * progress of the output is a sign of life. */
TEST(ping_when_behind_a_slow_link_has_its_time)
{
    sim *s = sim_new(1);
    s->config.ping_interval = 5 * SEC;
    s->config.ping_jitter = 0;
    s->config.pong_time = 2 * SEC;
    sim_start(s);
    sim_peer *p = sim_join(s, "/all");
    char *page = sim_malloc(200000);
    memset(page, 'x', 200000);
    assert_int_equal(wspool_send(s->pool, p->id, page, 200000, NULL), 0);
    free(page);
    sim_stall(p);
    for (int i = 0; i < 40; i++) { /* 5 KB per second */
        sim_pass(s, SEC);
        sim_expect_open(p);
        p->room = 5000;
    }
    sim_flow(p);
    sim_pass(s, 20 * SEC);
    sim_expect_open(p);
    assert_int_equal(p->reader.messages, 1);
    sim_free(s);
}

TEST(pong_when_output_goes_on_is_awaited_on)
{
    sim *s = sim_new(1);
    s->config.ping_interval = 5 * SEC;
    s->config.ping_jitter = 0;
    s->config.pong_time = 2 * SEC;
    sim_start(s);
    sim_peer *p = sim_join(s, "/all");
    p->mute_pings = 1;
    while (p->reader.pings == 0)
        sim_pass(s, 100 * MS);
    char *page = sim_malloc(50000);
    memset(page, 'x', 50000);
    assert_int_equal(wspool_send(s->pool, p->id, page, 50000, NULL), 0);
    free(page);
    sim_stall(p);
    for (int i = 0; i < 20; i++) {
        sim_pass(s, SEC);
        sim_expect_open(p);
        p->room = 2000;
    }
    sim_flow(p);
    sim_pass(s, 20 * SEC);
    sim_expect_end(p, WSPOOL_END_PONG_TIMEOUT);
    sim_free(s);
}

/* The kernel has taken all output at once. The pong can come only after the link has carried the
 * output and the ping. */
TEST(ping_when_much_was_sent_before_it_has_longer)
{
    for (int late = 0; late < 2; late++) {
        sim *s = sim_new(1);
        s->config.ping_interval = 5 * SEC;
        s->config.ping_jitter = 0;
        s->config.pong_time = 2 * SEC;
        s->config.flush_time = 20 * SEC;
        sim_start(s);
        sim_peer *p = sim_join(s, "/all");
        char *page = sim_malloc(200000);
        memset(page, 'x', 200000);
        assert_int_equal(wspool_send(s->pool, p->id, page, 200000, NULL), 0);
        free(page);
        p->mute_pings = 1;
        while (p->reader.pings == 0)
            sim_pass(s, 100 * MS);
        sim_pass(s, 2 * SEC + 20 * SEC - SOON);
        sim_expect_open(p);
        if (late) { /* the longer time is over: it is dead */
            sim_pass(s, 2 * SOON);
            sim_expect_end(p, WSPOOL_END_PONG_TIMEOUT);
        } else {
            p->mute_pings = 0;
            sim_frame(p, FIN | OP_PONG, "", 0);
            sim_pass(s, 4 * SEC);
            p->mute_pings = 1; /* and the next ping has the usual time */
            while (p->reader.pings == 1)
                sim_pass(s, 100 * MS);
            sim_pass(s, 2 * SEC + SOON);
            sim_expect_end(p, WSPOOL_END_PONG_TIMEOUT);
        }
        sim_free(s);
    }
}

/* Repeated stalls of a peer suspend the deadline of its message, and do not restart it. */
TEST(message_when_its_peer_stalls_now_and_then_has_an_end)
{
    sim *s = sim_new(1);
    s->config.message_time = 30 * SEC;
    s->config.ping_interval = 0;
    sim_start(s);
    sim_peer *p = sim_join(s, "/all");
    sim_frame(p, OP_TEXT, "0123456789abcdef", 16);
    sim_pump(s);
    int rounds = 0;
    for (; rounds < 20 && p->reader.close_code == 0; rounds++) {
        sim_stall(p);
        sim_broadcast(s, wspool_global("all"), "x");
        sim_pass(s, 20 * SEC);
        sim_flow(p);
        sim_pass(s, 5 * SEC); /* it is read for a sixth of its time */
    }
    assert_in_range(rounds, 6, 8);
    assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_POLICY);
    sim_free(s);
}

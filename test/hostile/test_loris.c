/* SPDX-License-Identifier: MIT */
/*
 * hostile/test_loris.c - peers that are as slow as they can be, or stall: in the HTTP head, in a
 * frame, or in reading.
 *
 * The clock is set by hand. The tests check when such a peer is ended and what it holds until then,
 * and that no other peer is affected.
 */
#include "hostile.h"

#define PEERS (sim_slow() ? 40 : 400)

/* The HTTP head: 10 s from the opening, however often a byte comes. */
TEST(head_that_comes_by_the_byte_is_408_after_ten_seconds)
{
    static const uint64_t steps[] = {20 * MS, 500 * MS, 1 * SEC, 3 * SEC, 9999 * MS};
    for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
        sim *s = hostile_sim(k + 1, 1000);
        hostile_bound bound;
        uint64_t begun;
        sim_start(s);
        for (int i = 0; i < PEERS; i++)
            sim_open(s, NULL);
        begun = s->now;
        sim_pass(s, 5 * SEC); /* nothing yet */
        bound = hostile_begin(s);
        for (size_t n = 0; sim_stats(s).handshakes > 0 && s->now < begun + 60 * SEC; n++) {
            for (size_t i = 0; i < s->peer_count; i++)
                if (!s->peers[i]->released)
                    sim_write(s->peers[i],
                              n == 0   ? "G"
                              : n == 1 ? "E"
                              : n == 2 ? "T"
                              : n == 3 ? " "
                              : n == 4 ? "/"
                                       : "a",
                              1);
            sim_pump(s);
            hostile_expect(s, bound, (size_t)PEERS * 1024 + HOSTILE_TABLES);
            sim_pass(s, steps[k]);
        }
        assert_in_range(s->now - begun, 10 * SEC, 10 * SEC + steps[k] + 200 * MS);
        sim_pump(s);
        for (size_t i = 0; i < s->peer_count; i++)
            sim_expect_refusal(s->peers[i], 408, "handshake_timeout");
        assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_TIMEOUT], PEERS);
        sim_free(s);
    }
}

/* A message: 30 s, and 1 s for each 4 KiB received, whatever else the peer sends. */
TEST(message_that_comes_by_the_byte_is_closed_when_its_time_is_over)
{
    static const struct {
        size_t step;    /* bytes per second */
        uint64_t least; /* seconds */
        uint64_t most;
    } cases[] = {{1, 30, 31}, {100, 30, 31}, {1000, 37, 40}};
    for (int fragments = 0; fragments < 2; fragments++) {
        for (size_t k = 0; k < 3; k++) {
            sim *s = hostile_sim(k + 1, 1000);
            hostile_bound bound;
            uint64_t begun;
            size_t all = (size_t)PEERS / 4;
            static uint8_t bytes[1000];
            sim_start(s);
            for (size_t i = 0; i < all; i++)
                sim_connect_to(s, "/echo");
            sim_pump(s);
            bound = hostile_begin(s);
            begun = s->now;
            for (size_t i = 0; i < all && !fragments; i++) {
                client_frame frame = {.first = FIN | OP_BINARY, .announced = 65536, .key = 5};
                client_put_head(&s->peers[i]->in, &frame);
            }
            for (int n = 0; s->now < begun + 100 * SEC; n++) {
                size_t open = 0;
                for (size_t i = 0; i < all; i++) {
                    sim_peer *p = s->peers[i];
                    if (p->reader.close_code != 0)
                        continue;
                    open++;
                    if (fragments) {
                        sim_frame(p, n == 0 ? OP_BINARY : OP_CONT, bytes, cases[k].step);
                        sim_ping(p, "I am alive"); /* does not extend the deadline */
                    } else {
                        sim_write(p, bytes, cases[k].step);
                    }
                }
                if (open == 0)
                    break;
                sim_pump(s);
                hostile_expect(s, bound, all * (65536 + 4400 + 600) + HOSTILE_TABLES);
                sim_pass(s, 1 * SEC);
            }
            assert_in_range(s->now - begun, cases[k].least * SEC, cases[k].most * SEC);
            for (size_t i = 0; i < all; i++)
                assert_int_equal(s->peers[i]->reader.close_code, 1008);
            sim_pass(s, 6 * SEC);
            assert_int_equal(sim_stats(s).ended[WSPOOL_END_MESSAGE_TIMEOUT], all);
            sim_free(s);
        }
    }
}

/* T14, T21: a frame header whose last byte does not come holds no memory, and the peer is
 * closed. */
TEST(head_of_a_frame_that_does_not_end_holds_nothing_and_is_closed)
{
    for (size_t len = 1; len < 14; len++) {
        static const uint8_t head[14] = {0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0};
        sim *s = hostile_sim(len, 1000);
        hostile_bound bound;
        s->config.message_bytes = 1 << 20;
        /* no ping: the client's Pong would continue the frame header */
        s->config.ping_interval = 0;
        sim_start(s);
        for (int i = 0; i < PEERS / 4; i++)
            sim_connect_to(s, "/echo");
        sim_pump(s);
        bound = hostile_begin(s);
        for (size_t i = 0; i < s->peer_count; i++)
            sim_write(s->peers[i], head, len);
        sim_pump(s);
        hostile_expect(s, bound, 4096);
        for (int i = 0; i < 29; i++) {
            sim_pass(s, 1 * SEC);
            assert_int_equal(sim_stats(s).peers, s->peer_count);
        }
        sim_pass(s, 8 * SEC);
        assert_int_equal(sim_stats(s).ended[WSPOOL_END_MESSAGE_TIMEOUT], s->peer_count);
        sim_free(s);
    }
}

/* -------------------------------------------------------------------- reading */

#define MESSAGES 2000

/* One peer reads nothing, one reads a byte now and then; the others get every message at once. */
TEST(peer_that_never_reads_costs_its_queue_and_nobody_notices)
{
    static const enum wspool_slow policies[] = {WSPOOL_SLOW_CLOSE, WSPOOL_SLOW_BEHIND};
    for (size_t k = 0; k < 2; k++) {
        sim *s = hostile_sim(k + 1, 100);
        static char text[1000];
        sim_peer *never, *hardly;
        hostile_bound bound;
        s->config.slow = policies[k];
        sim_start(s);
        for (int i = 0; i < 12; i++)
            sim_connect_to(s, "/all");
        sim_pump(s);
        never = s->peers[3];
        hardly = s->peers[7];
        sim_stall(never);
        sim_stall(hardly);
        bound = hostile_begin(s);
        for (int n = 1; n <= MESSAGES; n++) {
            memset(text, 'a' + n % 26, sizeof text);
            SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, sizeof text, NULL, NULL));
            if (n % 100 == 0 && hardly->room == 0)
                hardly->room = 1;
            sim_pump(s);
            for (size_t i = 0; i < s->peer_count; i++)
                if (s->peers[i] != never && s->peers[i] != hardly)
                    assert_int_equal(s->peers[i]->reader.messages, n);
            /* Both wait for the same blocks, those of one queue; and each has chunks of runs. */
            hostile_expect(s, bound, 2 * 262144 + 65536);
            sim_pass(s, 10 * MS);
        }
        assert_true(sim_stats(s).waiting_bytes <= 2 * 262144);
        if (policies[k] == WSPOOL_SLOW_CLOSE)
            assert_in_range(sim_stats(s).slow_closes, 2, 2);
        sim_pass(s, 40 * SEC); /* flush_time */
        assert_int_equal(never->ended, 1);
        for (size_t i = 0; i < s->peer_count; i++)
            if (s->peers[i] != never && s->peers[i] != hardly)
                sim_expect_open(s->peers[i]);
        sim_free(s);
    }
}

/* The largest allowed number of peers stall, each in a channel of its own. pool_bytes bounds
 * them all, and peers that read are served to the end. */
TEST(pool_budget_holds_however_many_stand_still)
{
    sim *s = hostile_sim(1, 400);
    static char text[4000];
    size_t all = (size_t)PEERS / 2;
    sim_peer *good;
    uint64_t sent = 0;
    s->config.pool_bytes = 2 << 20;
    sim_start(s);
    for (size_t i = 0; i < all; i++) {
        char target[32];
        snprintf(target, sizeof target, "/room/%zu", i);
        sim_connect_to(s, target);
    }
    sim_pump(s);
    good = sim_join(s, "/all");
    for (size_t i = 0; i < all; i++)
        sim_stall(s->peers[i]);
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < all; i++) {
            char name[16];
            snprintf(name, sizeof name, "%zu", i);
            SIM_IN(wspool_broadcast(s->pool, wspool_item(name), text, sizeof text, NULL, NULL));
            assert_true(sim_stats(s).block_bytes <= 2 << 20);
        }
        assert_int_equal(
            SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, 100, NULL, NULL)), 1);
        sent++;
        sim_pump(s);
        assert_int_equal(good->reader.messages, sent);
    }
    assert_true(sim_stats(s).shed > 0);
    /* and the free lists */
    assert_true(s->heap.live_bytes < (2 << 20) + (1 << 20) + all * 2400 + 262144);
    sim_free(s);
}

/* Many peers hold a block of 16 KiB each through a single byte. They are shed, not the peers
 * that wait for many bytes. A message that is larger than all their bytes together finds space. */
TEST(budget_held_by_single_bytes_is_given_back_by_those_who_hold_it)
{
    sim *s = hostile_sim(1, 400);
    static char text[40000];
    sim_peer *good, *slow;
    uint64_t before;
    int n = 0;
    s->config.pool_bytes = 2 << 20;
    sim_start(s);
    for (int i = 0; i < 8; i++) {
        char target[32];
        snprintf(target, sizeof target, "/room/%d", i);
        sim_connect_to(s, target);
    }
    good = sim_join(s, "/all");
    slow = sim_join(s, "/room/slow");
    for (size_t i = 0; i < 8; i++)
        sim_stall(s->peers[i]);
    sim_stall(slow);
    for (int i = 0; i < 2; i++) /* it waits for most bytes, in few blocks */
        SIM_IN(wspool_broadcast(s->pool, wspool_item("slow"), text, 16000, NULL, NULL));
    sim_pump(s);
    while (sim_stats(s).block_bytes + 16384 <= 2 << 20) {
        char name[16];
        int rc;
        snprintf(name, sizeof name, "%d", n++ % 8);
        rc = SIM_IN(wspool_broadcast(s->pool, wspool_item(name), "x", 1, NULL, NULL));
        assert_int_equal(rc, 1);
        rc = SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, 16000, NULL, NULL));
        assert_int_equal(rc, 1);
        sim_pump(s);
    }
    assert_int_equal(sim_stats(s).shed, 0);
    assert_true(sim_stats(s).waiting_bytes < 33000);
    before = good->reader.messages;
    assert_int_equal(
        SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, sizeof text, NULL, NULL)), 1);
    sim_pump(s);
    assert_int_equal(good->reader.messages, before + 1);
    assert_true(sim_stats(s).shed > 0);
    /* this peer was not shed */
    assert_int_equal(SIM_IN(wspool_send(s->pool, slow->id, "x", 1, NULL)), 0);
    sim_expect_open(good);
    sim_free(s);
}

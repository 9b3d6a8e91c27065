/* SPDX-License-Identifier: MIT */
/*
 * hostile/test_frame_abuse.c - frames that cost the sender next to nothing: fragments without end,
 * lengths without bytes, pings without reading.
 *
 * Each test bounds the memory that many such peers hold together, and the number of frames that a
 * peer may send before it is closed.
 */
#include "hostile.h"

#define PEERS (sim_slow() ? 40 : 400)
#define BURST 10000 /* the default of the abuse budget */

/* ---------------------------------------------------------------- fragments */

/* T2; ws CVE-2026-48779 and CVE-2026-62389, undici CVE-2026-12151: fragments that never end. */
static void fragments_that_never_end(size_t len)
{
    sim *s = sim_new(1);
    sim_peer *p;
    hostile_bound bound;
    size_t sent = 0;
    sim_start(s);
    p = sim_join(s, "/echo");
    bound = hostile_begin(s);
    sim_frame(p, OP_BINARY, "x", 1);
    while (p->reader.close_code == 0 && sent <= 2 * BURST) {
        for (int i = 0; i < 100; i++, sent++)
            sim_frame(p, OP_CONT, "x", len);
        sim_pump(s);
        hostile_expect(s, bound, 2 * BURST + 8192);
    }
    assert_in_range(sent, BURST - 1, BURST + 400); /* and those that came in the same read */
    sim_expect_close(p, WSPOOL_END_ABUSE, WSPOOL_CLOSE_ABUSE);
    assert_in_range(sim_stats(s).abuse_cost, BURST, BURST + 1);
    assert_int_equal(s->counts[SIM_MESSAGE], 0);
    sim_free(s);
}

TEST(fragments_of_no_bytes_without_end_spend_the_budget)
{
    fragments_that_never_end(0);
}

TEST(fragments_of_one_byte_without_end_spend_the_budget)
{
    fragments_that_never_end(1);
}

/* T2, T3: without an abuse budget the limit of a message still holds, over all its fragments. */
TEST(fragments_without_a_budget_end_at_the_message_limit)
{
    sim *s = sim_new(1);
    sim_peer *p;
    hostile_bound bound;
    size_t sent = 0;
    s->config.abuse_burst = 0;
    s->config.message_bytes = 5000;
    sim_start(s);
    p = sim_join(s, "/echo");
    bound = hostile_begin(s);
    sim_frame(p, OP_BINARY, "x", 1);
    for (; p->reader.close_code == 0 && sent < 10000; sent++) {
        sim_frame(p, OP_CONT, "x", sent % 2);
        sim_pump(s);
        hostile_expect(s, bound, 5000 + 5120);
    }
    assert_in_range(sent, 9998, 10000);
    sim_expect_close(p, WSPOOL_END_TOO_BIG, WSPOOL_CLOSE_TOO_BIG);
    assert_true(s->heap.peak_bytes < bound.before + 5000 / 4 * 7 + 4096);
    sim_free(s);
}

/* ------------------------------------------------------------------ lengths */

static void put_announcement(sim_peer *p, unsigned first, uint64_t length)
{
    client_frame frame = {.first = first, .announced = length, .key = 7};
    client_put_head(&p->in, &frame);
}

/* T1, T21: many peers announce 2^62 bytes and the like. Each is refused at its frame header, and
 * nothing is kept. */
TEST(announcement_beyond_the_limit_is_refused_by_its_head)
{
    static const uint64_t lengths[] = {UINT64_C(1) << 62, (UINT64_C(1) << 63) - 1,
                                       UINT64_C(1) << 63, UINT64_MAX,
                                       UINT64_C(1) << 31, 65537};
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
        sim *s = hostile_sim(k + 1, 1000);
        hostile_bound bound;
        sim_start(s);
        for (int i = 0; i < PEERS; i++)
            sim_connect_to(s, "/echo");
        sim_pump(s);
        bound = hostile_begin(s);
        for (size_t i = 0; i < s->peer_count; i++) {
            s->peers[i]->mute_close = 1;
            put_announcement(s->peers[i], FIN | OP_BINARY, lengths[k]);
        }
        sim_pump(s);
        for (size_t i = 0; i < s->peer_count; i++) {
            int wrong = lengths[k] >> 63 != 0;
            assert_int_equal(s->peers[i]->reader.close_code, wrong ? 1002 : 1009);
        }
        /* Peers whose Close is awaited hold the state for it, but no context and no buffer. */
        hostile_expect(s, bound, (size_t)PEERS * 512 + HOSTILE_TABLES);
        if (sim_libc_counts())
            assert_true(sim_c.live < 40);
        for (size_t i = 0; i < s->peer_count; i++) /* and the announced bytes are not awaited */
            sim_write(s->peers[i], "payload, for ever", 17);
        sim_pump(s);
        hostile_expect(s, bound, (size_t)PEERS * 512 + HOSTILE_TABLES);
        sim_pass(s, 6 * SEC);
        assert_int_equal(sim_stats(s).peers, 0);
        sim_free(s);
    }
}

/* T1, T13: many peers send the largest valid length and one byte of it. Each holds a context and
 * that byte. */
TEST(announcement_within_the_limit_costs_what_has_come)
{
    sim *s = hostile_sim(1, 1000);
    hostile_bound bound;
    sim_start(s);
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/echo");
    sim_pump(s);
    bound = hostile_begin(s);
    for (size_t i = 0; i < s->peer_count; i++)
        put_announcement(s->peers[i], FIN | OP_BINARY, 65536);
    sim_pump(s);
    hostile_expect(s, bound, (size_t)PEERS * (4400 + 400) + HOSTILE_TABLES);
    for (size_t i = 0; i < s->peer_count; i++)
        sim_write(s->peers[i], "x", 1);
    sim_pump(s);
    hostile_expect(s, bound, (size_t)PEERS * (4400 + 400 + 256) + HOSTILE_TABLES);
    sim_pass(s, 37 * SEC); /* message_time, whatever was announced, and closing_time */
    assert_int_equal(sim_stats(s).ended[WSPOOL_END_MESSAGE_TIMEOUT], PEERS);
    hostile_expect(s, bound, 524288);
    sim_free(s);
}

/* ----------------------------------------------------------------- controls */

/* libsoup CVE-2026-15711; T19: a control frame over 125 bytes gets 1002. Nothing is allocated
 * for it except the Close and the decoder that looks for the peer's own Close. */
TEST(control_frame_over_125_is_1002_and_allocates_nothing)
{
    static const unsigned ops[] = {OP_PING, OP_PONG, OP_CLOSE};
    static const uint64_t lengths[] = {126, 127, 65535, 65536, UINT64_C(1) << 40};
    for (size_t o = 0; o < 3; o++) {
        for (size_t k = 0; k < 5; k++) {
            sim *s = sim_default(1);
            sim_peer *p = sim_join(s, "/echo");
            size_t calls = s->heap.calls;
            size_t libc = sim_c.calls;
            p->mute_close = 1;
            put_announcement(p, FIN | ops[o], lengths[k]);
            sim_pump(s);
            assert_int_equal(p->reader.close_code, 1002);
            assert_true(s->heap.calls <= calls + 2);
            if (sim_libc_counts())
                assert_int_equal(sim_c.calls, libc);
            sim_pass(s, 6 * SEC);
            assert_int_equal(p->ended, 1);
            sim_free(s);
        }
    }
}

/* T4; curl CVE-2026-11586, ws 8.23.0: many peers send pings and read nothing. */
TEST(ping_flood_by_many_who_do_not_read_holds_one_lane_each)
{
    sim *s = hostile_sim(1, 1000);
    size_t peers = (size_t)PEERS / 4;
    hostile_bound bound;
    s->config.abuse_burst = 0;           /* the bound does not come from the abuse budget */
    s->config.turn_deliveries = 1000000; /* nor is input kept for the next turn */
    sim_start(s);
    for (size_t i = 0; i < peers; i++)
        sim_connect_to(s, "/echo");
    sim_pump(s);
    bound = hostile_begin(s);
    for (size_t i = 0; i < peers; i++) {
        uint8_t payload[125] = {0};
        sim_stall(s->peers[i]);
        for (int k = 0; k < 500; k++)
            sim_frame(s->peers[i], FIN | OP_PING, payload, 1 + (size_t)k % 125);
    }
    for (int turn = 0; turn < 50; turn++) {
        sim_turn(s);
        hostile_expect(s, bound, peers * 2112 + HOSTILE_TABLES);
    }
    for (size_t i = 0; i < peers; i++)
        assert_int_equal(s->peers[i]->reading, 0); /* T4: output is blocked: do not read */
    assert_true(sim_stats(s).pongs_dropped > peers * 100);
    sim_flow_all(s);
    sim_pump(s);
    for (size_t i = 0; i < peers; i++) /* the last ping is answered */
        assert_true(s->peers[i]->reader.pongs > 0 && s->peers[i]->reader.pongs < 500);
    sim_pump(s);
    hostile_expect(s, bound, 64 * 2112 + HOSTILE_TABLES); /* what the pool keeps for reuse */
    sim_free(s);
}

/* Unsolicited pongs and pings draw from one budget. Each peer has its own, and time refills it. */
TEST(budget_of_abuse_is_one_for_all_kinds_and_each_peers_own)
{
    sim *s = sim_new(1);
    sim_peer *bad, *good;
    uint64_t before;
    s->config.abuse_burst = 30;
    s->config.abuse_rate = 10;
    sim_start(s);
    bad = sim_join(s, "/echo");
    good = sim_join(s, "/echo");
    before = sim_stats(s).abuse_cost;
    for (int i = 0; i < 10; i++) {
        sim_ping(bad, "p");
        sim_frame(bad, FIN | OP_PONG, "q", 1);
    }
    sim_frame(bad, OP_BINARY, "", 0);
    for (int i = 0; i < 9; i++)
        sim_frame(bad, OP_CONT, "1", 1);
    sim_pump(s);
    sim_expect_open(bad);
    assert_int_equal(sim_stats(s).abuse_cost, before + 30);
    sim_pass(s, 2 * SEC); /* twenty tokens come back, or one less */
    for (int i = 0; i < 19; i++)
        sim_frame(bad, OP_CONT, "1", 1);
    sim_pump(s);
    sim_expect_open(bad);
    sim_frame(bad, OP_CONT, "1", 1);
    sim_frame(bad, OP_CONT, "1", 1);
    sim_pump(s);
    sim_expect_close(bad, WSPOOL_END_ABUSE, 4103);
    assert_int_equal(sim_stats(s).ended[WSPOOL_END_ABUSE], 1);
    assert_in_range(sim_stats(s).abuse_cost, before + 50, before + 51);
    sim_ping(good, "p");
    sim_pump(s);
    sim_expect_open(good);
    sim_free(s);
}

/* ------------------------------------------------------------------- closes */

/* T9, T5: all peers close at once, in every way; the counters include each of them. */
TEST(closes_by_all_at_once_balance_and_give_all_back)
{
    sim *s = hostile_sim(1, 1000);
    hostile_bound bound;
    sim_start(s);
    sim_join(s, "/all");            /* it stays */
    for (int i = 0; i < PEERS; i++) /* so that the tables grow only once */
        sim_connect_to(s, "/all");
    sim_pump(s);
    for (size_t i = 1; i < s->peer_count; i++)
        sim_cut(s->peers[i], WSPOOL_GONE_EOF);
    sim_pump(s);
    bound = hostile_begin(s);
    for (int round = 0; round < 3; round++) {
        size_t from = s->peer_count;
        s->chop = round == 1 ? SIM_RANDOM : SIM_WHOLE;
        for (int i = 0; i < PEERS; i++)
            sim_connect_to(s, "/all");
        sim_pump(s);
        sim_broadcast(s, wspool_global("all"), "to all of them");
        for (size_t i = from; i < s->peer_count; i++) {
            static const int codes[] = {1000, 1001, 1012, 1013, 1014, 3000, 4999};
            static const int unlawful[] = {1004, 1005, 1006, 1015, 999, 2999, 5000};
            sim_peer *p = s->peers[i];
            switch (i % 8) {
            case 0:
                sim_say_close(p, codes[i / 8 % 7], "bye");
                break;
            case 1:
                sim_say_close(p, unlawful[i / 8 % 7], "bye");
                break;
            case 2:
                sim_say_close(p, 0, NULL);
                sim_say_close(p, 1000, "again");
                break;
            case 3:
                sim_frame(p, FIN | OP_CLOSE, "x", 1); /* T18 */
                break;
            case 4:
                sim_stall(p);
                sim_say_close(p, 1000, NULL);
                break;
            case 5:
                sim_write(p, "\x88\xfd\x01\x02", 4); /* a Close that is not completed */
                sim_cut(p, WSPOOL_GONE_FAILED);
                break;
            case 6:
                SIM_IN(wspool_close(s->pool, p->id, 1000, "you first", 0));
                sim_say_close(p, 1000, "no, you");
                break;
            default:
                sim_frame(p, OP_TEXT, "half", 4);
                sim_cut(p, WSPOOL_GONE_EOF);
                break;
            }
        }
        sim_pump(s); /* checks the counters after each turn */
        /* closing_time; flush_time for a peer that was blocked before it was read */
        sim_pass(s, 40 * SEC);
        assert_int_equal(sim_stats(s).peers, 1);
        assert_int_equal(sim_stats(s).waiting, 0);
        hostile_expect(s, bound, 262144 + 64 * 2112);
    }
    sim_free(s);
}

/* Each end is broadcast to all other peers: their queues bound the number of messages. */
static void tell_all(sim *s, const sim_event *event)
{
    static char text[1000];
    if (event->what == SIM_CLOSED)
        SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, sizeof text, NULL, NULL));
}

TEST(ends_that_are_told_to_all_stay_within_the_queues)
{
    sim *s = hostile_sim(1, 1000);
    size_t peers = (size_t)PEERS / 2;
    wspool_statistics stats;
    s->react = tell_all;
    s->config.queue_messages = 20;
    sim_start(s);
    for (size_t i = 0; i < peers; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    for (size_t i = 0; i < peers; i++)
        sim_stall(s->peers[i]);
    for (size_t i = 0; i < peers; i += 2)
        sim_cut(s->peers[i], WSPOOL_GONE_FAILED);
    while (sim_turn(s)) {
        stats = sim_stats(s);
        assert_true(stats.waiting <= peers * 20);
        assert_true(stats.block_bytes <= 2 * peers * 1024 + 65536);
    }
    sim_pass(s, 60 * SEC);
    assert_int_equal(sim_stats(s).peers, 0);
    sim_free(s);
}

/* SPDX-License-Identifier: MIT */
/*
 * sim/test_drain.c - the end of the service: who is refused, who is closed when, and who remains.
 *
 * Proves a part of law 1 (the drain knows only the time that it is given), of law 5 (its work in
 * one tick is bounded) and of law 10 (its order comes from the entropy of the pool).
 */
#include "sim.h"

#define SOON (200 * MS)
#define CLOSING (5 * SEC) /* config.closing_time */

static void begin(sim *s, uint64_t window)
{
    assert_int_equal(SIM_IN(wspool_drain(s->pool, window, 0, s->now)), 0);
}

static sim *sim_of(int peers, uint64_t seed)
{
    sim *s = sim_default(seed);
    for (int i = 0; i < peers; i++)
        sim_join(s, "/all");
    return s;
}

TEST(drain_is_spread_evenly_and_leaves_time_to_take_the_rest)
{
    enum { PEERS = 100 };
    sim *s = sim_of(PEERS, 1);
    size_t last = 0;
    begin(s, 20 * SEC + CLOSING);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_CLOSED], 1); /* it begins at once */
    for (int i = 1; i <= 10; i++) {             /* in each tenth of the time a tenth of the peers */
        sim_pass(s, 2 * SEC);
        assert_in_range(s->counts[SIM_CLOSED], last + 9 - (i == 1), last + 11);
        last = s->counts[SIM_CLOSED];
    }
    assert_int_equal(sim_stats(s).peers, 0);
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    for (int i = 0; i < PEERS; i++)
        sim_expect_close(s->peers[i], WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
    sim_free(s);
}

TEST(drain_with_a_short_window_uses_half_of_it)
{
    sim *s = sim_of(100, 1);
    begin(s, 4 * SEC);
    sim_pass(s, 2 * SEC - SOON);
    assert_in_range(sim_stats(s).peers, 1, 20);
    sim_pass(s, SOON);
    assert_int_equal(sim_stats(s).peers, 0);
    sim_free(s);
}

/* A peer that takes nothing, and one that does not answer: both have ended with the window. */
TEST(drain_ends_within_a_window_of_twice_closing_time)
{
    sim *s = sim_of(20, 1);
    for (int i = 0; i < 10; i++)
        sim_stall(s->peers[i]);
    for (int i = 10; i < 20; i++)
        s->peers[i]->mute_close = 1;
    begin(s, 2 * CLOSING);
    sim_pass(s, 2 * CLOSING);
    assert_int_equal(sim_stats(s).peers, 0);
    assert_int_equal(wspool_draining(s->pool), 0);
    sim_free(s);
}

TEST(drain_without_a_window_closes_all_at_once)
{
    sim *s = sim_of(10, 1);
    sim_broadcast(s, wspool_global("all"), "last words");
    assert_int_equal(wspool_drain(s->pool, 0, 1012, s->now), 0);
    sim_pump(s);
    for (int i = 0; i < 10; i++) {
        sim_expect_close(s->peers[i], WSPOOL_END_DRAIN, 1012);
        sim_expect_message(s->peers[i], 0, "last words");
    }
    sim_free(s);
}

TEST(drain_closes_a_bounded_number_in_one_tick_and_is_due_again)
{
    enum { PEERS = 700 };
    sim *s = sim_of(PEERS, 1);
    begin(s, 0);
    for (uint64_t before = PEERS, left; before > 0; before = left) {
        assert_true(wspool_deadline(s->pool) <= s->now);
        assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
        left = before;
        for (int i = 0; i < PEERS; i++) /* a peer that is closing is in no channel */
            left -= !s->peers[i]->test &&
                    SIM_IN(wspool_is_member(s->pool, s->peers[i]->id, wspool_global("all"))) == 0 &&
                    (s->peers[i]->test = s) != NULL;
        assert_in_range(before - left, 1, 256);
    }
    sim_pump(s);
    assert_int_equal(sim_stats(s).peers, 0);
    sim_free(s);
}

/* Each peer's place in the order in which the peers are closed, and the times of the closes. */
static uint64_t order(uint64_t entropy, int places[100])
{
    sim *s = sim_new(1);
    uint64_t times = 0;
    s->entropy = entropy;
    sim_start(s);
    for (int i = 0; i < 100; i++)
        sim_join(s, "/all");
    begin(s, 100 * SEC);
    sim_pass(s, 100 * SEC);
    for (int i = 0; i < 100; i++) {
        places[s->peers[i]->number] = 0;
        for (int k = 0; k < 100; k++)
            places[i] += s->peers[k]->ended_at < s->peers[i]->ended_at;
        times = times * 31 + s->peers[i]->ended_at;
    }
    sim_free(s);
    return times;
}

TEST(order_and_times_come_from_the_entropy)
{
    int first[100], again[100], other[100], ups = 0, same = 0;
    assert_true(order(1, first) == order(1, again));
    assert_memory_equal(first, again, sizeof first);
    assert_true(order(2, other) != order(1, again));
    for (int i = 0; i < 100; i++) {
        ups += i > 0 && first[i] > first[i - 1];
        same += first[i] == other[i];
    }
    assert_in_range(ups, 30, 70); /* of a random order about half rise */
    assert_in_range(same, 0, 10);
}

TEST(drain_when_slots_are_free_divides_its_time_among_the_peers)
{
    sim *s = sim_of(40, 1);
    for (int i = 0; i < 40; i++)
        if (i % 10)
            sim_say_close(s->peers[i], 1000, NULL);
    sim_pump(s);
    size_t gone = s->counts[SIM_CLOSED];
    begin(s, 40 * SEC + CLOSING);
    sim_pump(s);
    for (size_t i = 1; i <= 4; i++) {
        assert_in_range(s->counts[SIM_CLOSED] - gone, i > 2 ? i - 1 : 1, i);
        sim_pass(s, 10 * SEC);
    }
    assert_int_equal(s->counts[SIM_CLOSED] - gone, 4);
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    sim_free(s);
}

TEST(drain_when_handshakes_are_under_way_refuses_them_at_once)
{
    sim *s = sim_new(1);
    s->ask_token = 1;
    s->verdict.kind = WSPOOL_PENDING;
    sim_start(s);
    sim_peer *silent = sim_open(s, NULL), *half = sim_open(s, NULL);
    sim_write(half, "GET /all HT", 11);
    client_request request = {.target = "/all?token=t"};
    sim_peer *pending = sim_connect(s, &request), *hosted, *reserved;
    sim_pump(s);
    wspool_answer answer;
    assert_int_equal(sim_upgrade(s, &request, &answer, &hosted), WSPOOL_UPGRADE_PENDING);
    s->verdict.kind = WSPOOL_ACCEPT;
    assert_int_equal(sim_upgrade(s, &request, &answer, &reserved), WSPOOL_UPGRADE_ACCEPTED);
    wspool_id late = pending->id, later = hosted->id;
    assert_int_equal(wspool_draining(s->pool), WSPOOL_ERR_STATE);
    begin(s, 10 * SEC);
    assert_int_equal(wspool_draining(s->pool), 4); /* the hosted one has its answer */
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_DRAINING], 4);
    assert_int_equal(s->counts[SIM_VERDICT], 1);
    assert_int_equal(sim_event_of(s, SIM_VERDICT, 0)->number, 503);
    sim_pump(s);
    sim_expect_refusal(silent, 503, "draining");
    sim_expect_refusal(half, 503, "draining");
    sim_expect_refusal(pending, 503, "draining");
    /* Verdicts that come now change nothing, and their identities are freed. */
    wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    verdict.identity = sim_identity_new(s);
    assert_int_equal(wspool_auth_complete(s->pool, late, &verdict), 0);
    verdict.identity = sim_identity_new(s);
    assert_int_equal(wspool_auth_complete(s->pool, later, &verdict), 0);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_IDENTITY_FREED], 2);
    assert_int_equal(s->counts[SIM_OPENED], 0);
    /* A peer that was accepted may still be adopted, and is closed then. */
    assert_int_equal(wspool_draining(s->pool), 1);
    assert_int_equal(sim_adopt(reserved, NULL, 0), 0);
    assert_int_equal(s->counts[SIM_OPENED], 1);
    sim_pump(s);
    sim_expect_close(reserved, WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
    assert_int_equal(wspool_draining(s->pool), 0);
    sim_free(s);
}

TEST(drain_refuses_newcomers_raw_and_hosted)
{
    sim *s = sim_of(1, 1);
    client_request request = {.target = "/all"};
    begin(s, 10 * SEC);
    sim_refused(s, &request, 503, "draining");
    wspool_answer answer;
    sim_peer *p;
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_REFUSED);
    assert_int_equal(answer.status, 503);
    sim_free(s);
}

TEST(drain_of_an_empty_pool_waits_for_nobody)
{
    sim *s = sim_default(1);
    begin(s, 10 * SEC);
    assert_int_equal(wspool_draining(s->pool), 0);
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    sim_free(s);
}

TEST(drain_when_a_peer_dies_before_its_turn_notices)
{
    sim *s = sim_new(1);
    s->config.ping_interval = 5 * SEC;
    s->config.pong_time = 5 * SEC;
    sim_start(s);
    for (int i = 0; i < 10; i++)
        sim_join(s, "/all");
    for (int i = 0; i < 10; i++)
        s->peers[i]->mute_pings = i % 2;
    begin(s, 1000 * SEC);
    sim_pass(s, 20 * SEC);
    assert_in_range(sim_stats(s).ended[WSPOOL_END_PONG_TIMEOUT], 4, 5);
    assert_in_range(sim_stats(s).peers, 4, 5);
    sim_free(s);
}

TEST(drain_when_called_again_takes_the_new_window_and_code)
{
    sim *s = sim_of(30, 1);
    begin(s, 1000 * SEC);
    sim_pass(s, 5 * SEC);
    assert_in_range(sim_stats(s).peers, 29, 30);
    assert_int_equal(wspool_drain(s->pool, 5 * SEC, 1001, s->now), 0);
    sim_pass(s, 1 * SEC);
    assert_in_range(sim_stats(s).peers, 12, 24);
    assert_int_equal(wspool_drain(s->pool, 0, 1012, s->now), 0);
    sim_pump(s);
    assert_int_equal(sim_stats(s).peers, 0);
    int codes[3] = {0};
    for (int i = 0; i < 30; i++) {
        int code = s->peers[i]->reader.close_code;
        codes[code == 4200 ? 0 : code == 1001 ? 1 : 2]++;
    }
    assert_true(codes[0] == 1 && codes[1] > 5 && codes[2] > 10);
    assert_int_equal(wspool_drain(s->pool, 5 * SEC, 1005, s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_drain(s->pool, UINT64_MAX, 0, s->now), WSPOOL_ERR_INVAL);
    sim_free(s);
}

/* What is queued comes, then the Close; the rest waits in the history for the next connection. */
TEST(drain_closes_a_member_that_is_behind_after_what_is_queued)
{
    sim *s = sim_new(1);
    wspool_route_options options;
    s->config.queue_messages = 8;
    sim_start_bare(s);
    wspool_route_options_init(&options, &s->config);
    options.slow = WSPOOL_SLOW_BEHIND;
    options.history.messages = 100;
    assert_int_equal(wspool_route(s->pool, "/all", WSPOOL_GLOBAL, &options), 0);
    sim_peer *p = sim_join(s, "/all");
    sim_stall(p);
    for (int i = 0; i < 20; i++)
        sim_broadcast(s, wspool_global(""), "x");
    begin(s, 0);
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    sim_flow(p);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
    assert_in_range(p->reader.messages, 1, 9);
    sim_free(s);
}

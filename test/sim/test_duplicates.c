/* SPDX-License-Identifier: MIT */
/*
 * sim/test_duplicates.c - peers of one subject and one client instance on a route: all stay, the
 * newest wins, or the oldest wins if it is alive.
 */
#include "sim.h"

/* How late a deadline may be: the wheel, and the last chance of a peer. */
#define SOON (300 * MS)

/* /new, /new2 (newest wins), /old (oldest wins), each with a channel of its own. */
static void add_routes(sim *s)
{
    static const struct {
        const char *pattern, *name;
        enum wspool_duplicates duplicates;
    } routes[] = {
        {"/new", "new", WSPOOL_DUPLICATES_NEWEST},
        {"/new2", "new2", WSPOOL_DUPLICATES_NEWEST},
        {"/old", "old", WSPOOL_DUPLICATES_OLDEST},
    };
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.name = routes[i].name;
        options.duplicates = routes[i].duplicates;
        assert_int_equal(wspool_route(s->pool, routes[i].pattern, WSPOOL_TOPIC, &options), 0);
    }
}

static sim *sim_with_rules(uint64_t seed)
{
    sim *s = sim_default(seed);
    add_routes(s);
    s->subject = "me";
    return s;
}

static int members(sim *s, const char *name)
{
    return wspool_member_count(s->pool, wspool_topic(name));
}

TEST(duplicates_when_allowed_all_stay)
{
    sim *s = sim_with_rules(1);
    sim_peer *p = sim_join(s, "/all?client=a"), *q = sim_join(s, "/all?client=a");
    sim_pass(s, 40 * SEC);
    sim_expect_open(p);
    sim_expect_open(q);
    sim_free(s);
}

TEST(duplicates_when_a_part_differs_are_none)
{
    static const struct {
        const char *subject, *target;
    } others[] = {{"me", "/new"},           {"me", "/new?client="},   {"me", "/new?client=b"},
                  {"me", "/new?client=aa"}, {"me", "/new2?client=a"}, {"me", "/all?client=a"},
                  {"you", "/new?client=a"}, {NULL, "/new?client=a"},  {NULL, "/new?client=a"}};
    sim *s = sim_with_rules(1);
    sim_peer *p = sim_join(s, "/new?client=a");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        s->subject = others[i].subject;
        sim_join(s, others[i].target);
    }
    s->subject = "me";
    sim_join(s, "/new");
    for (size_t i = 0; i < s->peer_count; i++) {
        sim_expect_open(s->peers[i]);
    }
    sim_peer *q = sim_join(s, "/new?client=%61");
    sim_expect_close(p, WSPOOL_END_REPLACED, 4003);
    for (size_t i = 1; i < s->peer_count; i++) {
        sim_expect_open(s->peers[i]);
    }
    sim_expect_open(q);
    sim_free(s);
}

/* ------------------------------------------------------------ the newest wins */

/* In the open hook of the new peer the old one is gone. */
static void look(sim *s, const sim_event *event)
{
    if (event->what == SIM_OPENED) {
        wspool_id ids[4];
        wspool_text me = {"me", 2};
        assert_int_equal(wspool_members(s->pool, wspool_topic("new"), ids, 4), 1);
        assert_true(ids[0] == event->id);
        assert_int_equal(wspool_peers_of(s->pool, me, ids, 4), 1);
        assert_int_equal(sim_broadcast(s, wspool_topic("new"), "welcome"), 1);
        assert_int_equal(SIM_IN(wspool_send_to(s->pool, me, "hello", 5, NULL, NULL)), 1);
    }
}

TEST(newest_when_it_opens_has_the_place_at_once)
{
    for (int hosted = 0; hosted < 2; hosted++) {
        sim *s = sim_with_rules(1);
        client_request request = {.target = "/new?client=a"};
        wspool_channel_position before, after;
        wspool_answer answer;
        sim_peer *p = sim_join(s, request.target), *q;
        sim_stall(p);
        sim_broadcast(s, wspool_topic("new"), "not taken");
        sim_pump(s);
        sim_broadcast(s, wspool_topic("new"), "still queued");
        assert_int_equal(wspool_position(s->pool, wspool_topic("new"), &before), 0);
        size_t channels = s->counts[SIM_CHANNEL];
        s->react = look;
        if (hosted) {
            assert_int_equal(sim_upgrade(s, &request, &answer, &q), WSPOOL_UPGRADE_ACCEPTED);
            sim_expect_open(p);
            assert_int_equal(sim_adopt(q, NULL, 0), 0);
        } else {
            q = sim_join(s, request.target);
        }
        s->react = NULL;
        sim_flow(p);
        sim_pump(s);
        sim_expect_close(p, WSPOOL_END_REPLACED, 4003);
        assert_string_equal(p->reader.close_reason, "replaced by a newer connection");
        assert_true(p->reader.messages <= 1); /* what was written in part */
        assert_true(p->closed.messages_lost >= 1);
        assert_int_equal(s->counts[SIM_CHANNEL], channels); /* it was active all the time */
        assert_int_equal(wspool_position(s->pool, wspool_topic("new"), &after), 0);
        assert_true(after.epoch == before.epoch && after.offset == before.offset + 1);
        sim_expect_message(q, 0, "welcome");
        sim_expect_message(q, 1, "hello");
        sim_expect_open(q);
        assert_int_equal(sim_stats(s).ended[WSPOOL_END_REPLACED], 1);
        sim_free(s);
    }
}

TEST(newest_when_many_come_is_the_only_one)
{
    sim *s = sim_with_rules(1);
    for (int i = 0; i < 20; i++) {
        sim_peer *p = sim_connect_to(s, "/new?client=a"); /* all in one turn */
        p->mute_close = i % 2;
    }
    sim_pump(s);
    assert_int_equal(members(s, "new"), 1);
    assert_int_equal(s->counts[SIM_OPENED], 20);
    sim_pass(s, 6 * SEC);
    assert_int_equal(sim_stats(s).ended[WSPOOL_END_REPLACED], 19);
    assert_int_equal(wspool_peers_of(s->pool, wspool_text_of("me"), NULL, 0), 1);
    sim_free(s);
}

/* ------------------------------------------------------------ the oldest wins */

/* One that may not stay. */
static sim_peer *late(sim *s)
{
    sim_peer *p = sim_connect_to(s, "/old?client=a");
    sim_pump(s);
    return p;
}

TEST(oldest_when_it_answers_keeps_the_place)
{
    for (int pings = 0; pings < 2; pings++) {
        sim *s = sim_new(1);
        s->config.ping_interval = pings ? 30 * SEC : 0;
        sim_start(s);
        add_routes(s);
        s->subject = "me";
        sim_peer *p = sim_join(s, "/old?client=a");
        sim_pass(s, 5 * SEC);
        uint64_t now = s->now;
        for (int i = 0; i < 3; i++) {
            sim_peer *q = late(s);
            sim_expect_close(q, WSPOOL_END_PLACE_TAKEN, 4004);
            assert_string_equal(q->reader.close_reason, "an older connection has the place");
            assert_int_equal(p->reader.pings, i + 1);
            assert_int_equal(members(s, "old"), 1);
        }
        assert_true(s->now == now);
        sim_expect_open(p);
        sim_pass(s, 100 * SEC); /* its deadlines are as before */
        sim_expect_open(p);
        assert_true(pings ? p->reader.pings > 5 : p->reader.pings == 3);
        assert_int_equal(sim_stats(s).ended[WSPOOL_END_PLACE_TAKEN], 3);
        sim_free(s);
    }
}

TEST(oldest_when_it_is_dead_locks_nobody_out)
{
    for (int pings = 0; pings < 2; pings++) {
        sim *s = sim_new(1);
        s->config.ping_interval = pings ? 30 * SEC : 0;
        sim_start(s);
        add_routes(s);
        s->subject = "me";
        sim_peer *p = sim_join(s, "/old?client=a");
        sim_pass(s, 5 * SEC);
        p->mute_pings = 1;
        sim_peer *q = sim_join(s, "/old?client=a");
        assert_int_equal(sim_broadcast(s, wspool_topic("old"), "to both"), 2);
        sim_pump(s);
        sim_expect_message(q, 0, "to both"); /* it need not wait */
        sim_pass(s, 10 * SEC - 1);
        assert_int_equal(p->ended, 0);
        sim_pass(s, SOON);
        sim_expect_end(p, WSPOOL_END_PONG_TIMEOUT);
        sim_expect_open(q);
        sim_pass(s, 100 * SEC);
        sim_expect_open(q);
        assert_int_equal(members(s, "old"), 1);
        sim_free(s);
    }
}

TEST(oldest_when_it_takes_nothing_ends_after_flush_time)
{
    sim *s = sim_with_rules(1);
    sim_peer *p = sim_join(s, "/old?client=a");
    sim_stall(p);
    sim_send(p, "x");
    sim_pump(s);
    sim_peer *q = sim_join(s, "/old?client=a");
    sim_pass(s, 31 * SEC);
    sim_expect_end(p, WSPOOL_END_FLUSH_TIMEOUT);
    sim_expect_open(q);
    sim_free(s);
}

/* Bytes that it sent before it died may be read after the new peer has opened. */
TEST(oldest_when_only_its_last_words_are_left_is_dead)
{
    sim *s = sim_with_rules(1);
    client_request request = {.target = "/old?client=a"};
    wspool_answer answer;
    sim_peer *p = sim_join(s, request.target), *q;
    p->mute_pings = 1;
    assert_int_equal(sim_upgrade(s, &request, &answer, &q), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_adopt(q, NULL, 0), 0);
    sim_text(p, "last words");
    const uint8_t *bytes = p->in.data + p->fed;
    assert_int_equal(SIM_IN(wspool_feed(s->pool, p->id, bytes, p->in.len - p->fed, s->now)), 0);
    s->fed += p->in.len - p->fed;
    p->fed = p->in.len;
    sim_pump(s);
    assert_int_equal(p->heards, 1);
    sim_expect_open(q);
    sim_pass(s, 10 * SEC + SOON);
    sim_expect_end(p, WSPOOL_END_PONG_TIMEOUT);
    sim_expect_open(q);
    sim_free(s);
}

/* Each peer has the place against those that came after it. */
TEST(oldest_when_several_wait_is_the_oldest_that_lives)
{
    sim *s = sim_with_rules(1);
    sim_peer *dead = sim_join(s, "/old?client=a");
    dead->mute_pings = 1;
    sim_peer *second = sim_join(s, "/old?client=a");
    sim_expect_open(second);
    for (int i = 0; i < 4; i++) {
        sim_pass(s, 2 * SEC); /* a client that tries again does not prolong the wait */
        sim_peer *next = late(s);
        sim_expect_close(next, WSPOOL_END_PLACE_TAKEN, 4004);
        sim_expect_open(second);
    }
    sim_pass(s, 2 * SEC + SOON);
    sim_expect_end(dead, WSPOOL_END_PONG_TIMEOUT);
    sim_expect_open(second);
    sim_free(s);
}

/* A hosted peer is as old as its adoption, whenever its verdict came. */
TEST(oldest_is_the_one_that_opened_first)
{
    sim *s = sim_with_rules(1);
    client_request request = {.target = "/old?client=a"};
    wspool_answer answer;
    sim_peer *held;
    assert_int_equal(sim_upgrade(s, &request, &answer, &held), WSPOOL_UPGRADE_ACCEPTED);
    sim_peer *p = sim_join(s, "/old?client=a");
    sim_expect_open(p);
    assert_int_equal(sim_adopt(held, NULL, 0), 0);
    sim_pump(s);
    sim_expect_close(held, WSPOOL_END_PLACE_TAKEN, 4004);
    sim_expect_open(p);
    sim_free(s);
}

TEST(oldest_when_it_leaves_while_it_is_asked_gives_the_place)
{
    for (int how = 0; how < 3; how++) {
        sim *s = sim_with_rules(1);
        sim_peer *p = sim_join(s, "/old?client=a");
        p->mute_pings = 1;
        sim_peer *q = sim_join(s, "/old?client=a");
        if (how == 0) {
            sim_cut(p, WSPOOL_GONE_EOF);
        } else if (how == 1) {
            assert_int_equal(SIM_IN(wspool_close(s->pool, p->id, 1000, NULL, 0)), 0);
        } else {
            assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now)), 0);
            p->told = 1;
        }
        sim_pump(s);
        sim_expect_open(q);
        sim_pass(s, 40 * SEC);
        sim_expect_open(q);
        sim_free(s);
    }
}

/* -------------------------------------------------------------------- hooks */

/* When the loser's own channel becomes inactive, the hook closes the winner. */
static void close_winner(sim *s, const sim_event *event)
{
    if (event->what == SIM_CHANNEL && event->number == 0) {
        for (size_t i = 0; i < s->peer_count; i++) {
            int result = SIM_IN(wspool_close(s->pool, s->peers[i]->id, 1000, NULL, 0));
            assert_true(result == 0 || result == WSPOOL_ERR_STATE || result == WSPOOL_ERR_STALE);
        }
        assert_true(SIM_IN(wspool_close_all(s->pool, wspool_text_of("me"), 1000, NULL, 0)) >= 0);
    }
}

TEST(winner_when_closed_in_the_hook_of_the_loser_ends_too)
{
    sim *s = sim_with_rules(1);
    sim_peer *p = sim_join(s, "/new?client=a");
    assert_int_equal(SIM_IN(wspool_subscribe(s->pool, p->id, wspool_topic("own"))), 0);
    s->react = close_winner;
    sim_peer *q = sim_connect_to(s, "/new?client=a");
    sim_pump(s);
    s->react = NULL;
    sim_expect_close(p, WSPOOL_END_REPLACED, 4003);
    sim_expect_close(q, WSPOOL_END_HOST_CLOSED, 1000);
    assert_int_equal(members(s, "new"), 0);
    sim_free(s);
}

/* ------------------------------------------------------------ bad arguments */

TEST(rule_when_it_can_not_be_is_inval)
{
    sim *s = sim_new(1);
    s->config.ping_interval = s->config.pong_time = 0;
    sim_start(s);
    wspool_route_options options;
    wspool_route_options_init(&options, &s->config);
    assert_int_equal(options.duplicates, WSPOOL_DUPLICATES_ALLOW);
    options.duplicates = WSPOOL_DUPLICATES_OLDEST; /* how long would it wait? */
    assert_int_equal(wspool_route(s->pool, "/x", WSPOOL_NONE, &options), WSPOOL_ERR_INVAL);
    options.duplicates = (enum wspool_duplicates)(WSPOOL_DUPLICATES_OLDEST + 1);
    assert_int_equal(wspool_route(s->pool, "/x", WSPOOL_NONE, &options), WSPOOL_ERR_INVAL);
    options.duplicates = (enum wspool_duplicates) - 1;
    assert_int_equal(wspool_route(s->pool, "/x", WSPOOL_NONE, &options), WSPOOL_ERR_INVAL);
    options.duplicates = WSPOOL_DUPLICATES_NEWEST;
    assert_int_equal(wspool_route(s->pool, "/x", WSPOOL_NONE, &options), 0);
    sim_free(s);
}

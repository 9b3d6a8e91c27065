/* SPDX-License-Identifier: MIT */
/*
 * sim/test_priority.c - channels of high, normal and low priority.
 *
 * Proves that a message overtakes those of a lower priority that wait for the same peer, and none
 * that is partly sent; that members that are behind are refilled in that order; and that limits,
 * closes and the books hold for all priorities together. sim/test_delivery has the order within
 * each channel.
 */
#include "sim.h"

enum { QUEUE = 16 };

static wspool_channel high, normal, low;

/* Items have high priority, topics low, and sessions normal. A queue may have `high_messages` when a
 * message of high priority is published. */
static sim *begin_with(enum wspool_slow slow, wspool_history history, uint32_t high_messages)
{
    static const enum wspool_kind kinds[] = {WSPOOL_TOPIC, WSPOOL_SESSION, WSPOOL_ITEM};
    static const char *const paths[] = {"/topic/{x}", "/session/{x}", "/item/{x}"};
    sim *s = sim_new(1);
    s->config.ping_interval = 0;
    s->config.flush_time = 0;
    s->config.queue_messages = QUEUE;
    s->config.queue_bytes = 65536;
    assert_int_equal(sim_start_bare(s), 0);
    for (int i = 0; i < 3; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        assert_int_equal(options.priority, WSPOOL_NORMAL);
        options.slow = slow;
        options.history = history;
        options.queue_messages = i == 2 ? high_messages : QUEUE;
        options.priority = (enum wspool_priority)(i - 1);
        assert_int_equal(wspool_route(s->pool, paths[i], kinds[i], &options), 0);
    }
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, NULL), 0);
    high = wspool_item("a");
    normal = wspool_session("a");
    low = wspool_topic("a");
    return s;
}

static sim *begin(enum wspool_slow slow)
{
    const wspool_history history = {.messages = slow == WSPOOL_SLOW_BEHIND ? 100 : 0};
    return begin_with(slow, history, QUEUE);
}

static wspool_tally publish(sim *s, wspool_channel channel, const char *text)
{
    wspool_tally tally = {.size = sizeof tally};
    int n = SIM_IN(wspool_broadcast(s->pool, channel, text, strlen(text), NULL, &tally));
    assert_int_equal(n, (int)tally.queued);
    return tally;
}

static sim_peer *member_of_all(sim *s)
{
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(SIM_IN(wspool_subscribe(s->pool, p->id, low)), 0);
    assert_int_equal(SIM_IN(wspool_subscribe(s->pool, p->id, normal)), 0);
    assert_int_equal(SIM_IN(wspool_subscribe(s->pool, p->id, high)), 0);
    return p;
}

static void expect_all(const sim_peer *p, const char *const *texts, size_t count)
{
    assert_int_equal(p->reader.messages, count);
    for (size_t i = 0; i < count; i++)
        sim_expect_message(p, i, texts[i]);
}

TEST(message_overtakes_those_of_a_lower_priority)
{
    static const char *const order[] = {"low 1",  "high 1",   "high 2", "normal 1",
                                        "to one", "normal 2", "low 2",  "low 3"};
    sim *s = begin(WSPOOL_SLOW_CLOSE);
    sim_peer *p = member_of_all(s);
    sim_stall(p);
    publish(s, low, "low 1");
    p->room = 3;
    sim_pump(s); /* of the first message a part has left */
    publish(s, low, "low 2");
    publish(s, normal, "normal 1");
    publish(s, low, "low 3");
    publish(s, high, "high 1");
    sim_send(p, "to one");
    publish(s, normal, "normal 2");
    publish(s, high, "high 2");
    assert_int_equal(wspool_check(s->pool), 0);
    assert_int_equal(sim_stats(s).waiting, 8);
    sim_flow(p);
    sim_pump(s);
    expect_all(p, order, 8);
    sim_free(s);
}

TEST(message_to_one_keeps_its_place_among_those_of_a_kind)
{
    static const char *const order[] = {"high",   "to one", "second", "high",
                                        "normal", "normal", "last"};
    sim *s = begin(WSPOOL_SLOW_CLOSE);
    sim_peer *p = member_of_all(s);
    wspool_send_options options = {.size = sizeof options, .kind = WSPOOL_ITEM};
    wspool_tally tally = {.size = sizeof tally};
    sim_stall(p);
    publish(s, normal, "normal");
    publish(s, high, "high");
    assert_int_equal(SIM_IN(wspool_send(s->pool, p->id, "to one", 6, &options)), 0);
    assert_int_equal(SIM_IN(wspool_send(s->pool, p->id, "second", 6, &options)), 0);
    publish(s, high, "high");
    options = (wspool_send_options){.size = sizeof options, .priority = WSPOOL_LOW};
    assert_int_equal(SIM_IN(wspool_send(s->pool, p->id, "last", 4, &options)), 0);
    publish(s, normal, "normal");
    sim_flow(p);
    sim_pump(s);
    expect_all(p, order, 7);
    options.priority = WSPOOL_HIGH; /* the kind decides */
    options.kind = (enum wspool_kind)5;
    assert_int_equal(wspool_send(s->pool, p->id, "x", 1, &options), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_send_to(s->pool, (wspool_text){"a", 1}, "x", 1, &options, &tally),
                     WSPOOL_ERR_INVAL);
    options.kind = WSPOOL_NONE;
    options.priority = (enum wspool_priority)2;
    assert_int_equal(wspool_send(s->pool, p->id, "x", 1, &options), WSPOOL_ERR_INVAL);
    options.priority = WSPOOL_LOW;
    assert_int_equal(wspool_broadcast(s->pool, high, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    options.priority = WSPOOL_NORMAL;
    options.kind = WSPOOL_ITEM;
    assert_int_equal(wspool_broadcast(s->pool, high, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    sim_free(s);
}

TEST(limits_hold_for_all_priorities_together)
{
    sim *s = begin(WSPOOL_SLOW_CLOSE);
    sim_peer *p = member_of_all(s);
    const wspool_channel channels[] = {low, high, normal};
    sim_stall(p);
    for (int i = 0; i < QUEUE; i++)
        assert_int_equal(publish(s, channels[i % 3], "x").queued, 1);
    assert_int_equal(publish(s, high, "x").closed, 1);
    assert_int_equal(wspool_check(s->pool), 0);
    sim_pass(s, 6 * SEC);
    sim_expect_end(p, WSPOOL_END_SLOW);
    assert_int_equal(p->closed.messages_lost, QUEUE);
    assert_int_equal(sim_stats(s).dropped_closed, QUEUE);
    assert_int_equal(wspool_check(s->pool), 0);
    sim_free(s);
}

TEST(close_follows_what_waits_in_every_priority)
{
    static const char *const order[] = {"high", "normal", "low"};
    sim *s = begin(WSPOOL_SLOW_CLOSE);
    sim_peer *p = member_of_all(s);
    sim_stall(p);
    publish(s, low, "low");
    publish(s, normal, "normal");
    publish(s, high, "high");
    assert_int_equal(SIM_IN(wspool_close(s->pool, p->id, 4000, NULL, 0)), 0);
    sim_flow(p);
    sim_pump(s);
    sim_pass(s, 6 * SEC);
    expect_all(p, order, 3);
    assert_int_equal(p->closed.code_sent, 4000);
    assert_int_equal(p->closed.messages_lost, 0);
    sim_free(s);
}

/* Joins a peer whose transport accepts nothing, and resumes these channels from their beginning. */
static sim_peer *resume_stalled(sim *s, const wspool_channel *channels, size_t count)
{
    sim_peer *p = sim_join(s, "/none");
    wspool_channel_position since;
    sim_stall(p);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(wspool_position(s->pool, channels[i], &since), 0);
        since.offset = 0;
        assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, channels[i], &since, NULL)), 0);
    }
    return p;
}

/* The messages of all channels, of which the queue takes a few at a time. */
TEST(refill_serves_high_priority_first_and_low_last)
{
    sim *s = begin(WSPOOL_SLOW_BEHIND);
    const wspool_channel channels[] = {low, normal, high};
    static const char *const names[] = {"low", "normal", "high"};
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < 60; i++)
            publish(s, channels[k], names[k]);
    sim_peer *p = resume_stalled(s, channels, 3);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(p->reader.messages, 180);
    /* Of low priority there was a queue half full before the others resumed. */
    const size_t ends[] = {QUEUE / 2, QUEUE / 2 + 60, QUEUE / 2 + 120, 180};
    static const char *const order[] = {"low", "high", "normal", "low"};
    for (size_t i = 0, at = 0; i < 180; i++) {
        at += i == ends[at];
        sim_expect_message(p, i, order[at]);
    }
    assert_int_equal(wspool_check(s->pool), 0);
    sim_free(s);
}

TEST(refill_of_low_priority_leaves_the_room_to_high)
{
    sim *s = begin_with(WSPOOL_SLOW_BEHIND, (wspool_history){.messages = 100}, QUEUE / 2);
    const wspool_channel both[] = {high, low};
    for (int i = 0; i < 60; i++) {
        publish(s, low, "low");
        publish(s, high, "high");
    }
    sim_peer *p = resume_stalled(s, both, 2);
    assert_int_equal(sim_stats(s).waiting, QUEUE / 4); /* half of the limit of high ones */
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(p->reader.messages, 120);
    for (size_t i = 0; i < 120; i++)
        sim_expect_message(p, i, i < 60 ? "high" : "low");
    sim_free(s);
}

/* What a keyed history keeps beyond its window was copied to other segments. */
TEST(state_of_a_keyed_history_has_its_priority)
{
    sim *s = begin_with(WSPOOL_SLOW_BEHIND, (wspool_history){.messages = 2, .max_keys = 10}, QUEUE);
    static const char *const order[] = {"high", "high", "high", "high", "normal"};
    for (char key = 'a'; key < 'e'; key++) {
        wspool_send_options options = {.size = sizeof options, .key = {&key, 1}};
        assert_int_equal(SIM_IN(wspool_broadcast(s->pool, high, "high", 4, &options, NULL)), 0);
    }
    sim_peer *p = sim_join(s, "/none");
    sim_stall(p);
    assert_int_equal(SIM_IN(wspool_subscribe(s->pool, p->id, normal)), 0);
    publish(s, normal, "normal");
    wspool_channel_position since = {0, 0};
    assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, high, &since, NULL)), 0);
    sim_flow(p);
    sim_pump(s);
    expect_all(p, order, 5);
    sim_free(s);
}

TEST(route_is_refused_when_its_priority_is_none)
{
    sim *s = begin(WSPOOL_SLOW_CLOSE);
    wspool_route_options options;
    wspool_route_options_init(&options, &s->config);
    for (int i = -3; i <= 3; i++) {
        options.priority = (enum wspool_priority)i;
        assert_int_equal(wspool_route(s->pool,
                                      i == -1 ? "/a"
                                      : i     ? "/b"
                                              : "/c",
                                      WSPOOL_NONE, &options),
                         i >= -1 && i <= 1 ? 0 : WSPOOL_ERR_INVAL);
    }
    sim_free(s);
}

/* SPDX-License-Identifier: MIT */
/*
 * sim/test_seed.c - channels that a host seeds and clears, and the time of messages.
 */
#include "sim.h"

#define EPOCH 42

static sim *begin(void)
{
    sim *s = sim_new(1);
    wspool_route_options options;
    s->config.ping_interval = 0;
    s->config.queue_messages = 8;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.slow = WSPOOL_SLOW_BEHIND;
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, &options), 0);
    assert_int_equal(wspool_route(s->pool, "/plain/{name}", WSPOOL_ITEM, &options), 0);
    options.history.messages = 100;
    options.history.time = 1000 * SEC;
    assert_int_equal(wspool_route(s->pool, "/kept/{name}", WSPOOL_TOPIC, &options), 0);
    return s;
}

static wspool_channel_position at(uint64_t offset)
{
    return (wspool_channel_position){EPOCH, offset};
}

/* Seeds the number `offset`. */
static int seed(sim *s, wspool_channel channel, uint64_t offset, uint64_t time)
{
    char text[24];
    wspool_channel_position position = at(offset);
    snprintf(text, sizeof text, "%d", (int)offset);
    wspool_seed_message message = {
        .size = sizeof message, .data = text, .len = strlen(text), .time = time};
    return SIM_IN(wspool_seed(s->pool, channel, &position, &message));
}

static int seed_position(sim *s, wspool_channel channel, uint64_t offset)
{
    wspool_channel_position position = at(offset);
    return SIM_IN(wspool_seed(s->pool, channel, &position, NULL));
}

static void expect_position(sim *s, wspool_channel channel, uint64_t offset)
{
    wspool_channel_position position;
    assert_int_equal(wspool_position(s->pool, channel, &position), 0);
    assert_int_equal(position.epoch, EPOCH);
    assert_int_equal(position.offset, offset);
}

static wspool_resumed resume(sim_peer *p, wspool_channel channel, uint64_t offset)
{
    wspool_channel_position since = at(offset);
    wspool_resumed resumed = {.size = sizeof resumed};
    assert_int_equal(SIM_IN(wspool_resume(p->sim->pool, p->id, channel, &since, &resumed)), 0);
    return resumed;
}

static void expect_numbers(sim_peer *p, int from, int to)
{
    for (size_t i = 0; from <= to; from++, i++) {
        char text[24];
        snprintf(text, sizeof text, "%d", from);
        assert_true(i < p->reader.messages);
        sim_expect_message(p, i, text);
    }
}

TEST(seeded_channel_goes_on_where_it_was)
{
    sim *s = begin();
    wspool_channel channel = wspool_topic("a");
    for (uint64_t i = 7; i <= 20; i++)
        assert_int_equal(seed(s, channel, i, 0), 0);
    expect_position(s, channel, 20);
    sim_peer *p = sim_join(s, "/none");
    wspool_resumed resumed = resume(p, channel, 6);
    assert_int_equal(resumed.recovered, 1);
    assert_int_equal(resumed.count, 14);
    assert_int_equal(sim_broadcast(s, channel, "21"), 0);
    sim_pump(s);
    expect_numbers(p, 7, 21);
    assert_int_equal(p->reader.messages, 15);
    expect_position(s, channel, 21);
    sim_peer *q = sim_join(s, "/none");
    resumed = resume(q, channel, 5);
    assert_int_equal(resumed.lost, WSPOOL_LOST_TOO_OLD);
    sim_free(s);
}

TEST(seeded_position_is_met_when_there_are_no_messages)
{
    for (int kept = 0; kept < 2; kept++) {
        sim *s = begin();
        wspool_channel channel = kept ? wspool_topic("a") : wspool_item("a");
        assert_int_equal(seed_position(s, channel, 20), 0);
        expect_position(s, channel, 20);
        sim_pass(s, 5000 * SEC);
        sim_peer *p = sim_join(s, kept ? "/kept/a" : "/plain/a");
        assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
        wspool_resumed resumed = resume(p, channel, 20);
        assert_int_equal(resumed.recovered, 1);
        assert_int_equal(sim_broadcast(s, channel, "21"), 1);
        sim_pump(s);
        expect_numbers(p, 21, 21);
        assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
        expect_position(s, channel, 21); /* it exists without members */
        sim_free(s);
    }
}

TEST(message_that_is_larger_than_its_history_is_neither_seeded_nor_published)
{
    static const char large[200];
    sim *s = sim_new(1);
    wspool_route_options options;
    wspool_channel channel = wspool_topic("a");
    wspool_channel_position position = at(1);
    wspool_seed_message message = {
        .size = sizeof message, .data = large, .len = sizeof large, .key = {"k", 1}};
    wspool_send_options key = {.size = sizeof key, .key = {"k", 1}};
    sim_start(s);
    wspool_route_options_init(&options, &s->config);
    options.history.messages = 10;
    options.history.max_keys = 10;
    options.history.bytes = 100;
    assert_int_equal(wspool_route(s->pool, "/keyed/{name}", WSPOOL_TOPIC, &options), 0);
    assert_int_equal(wspool_seed(s->pool, channel, &position, &message), WSPOOL_ERR_TOO_BIG);
    assert_int_equal(wspool_broadcast(s->pool, channel, large, sizeof large, &key, NULL),
                     WSPOOL_ERR_TOO_BIG);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    sim_free(s);
}

TEST(seeded_history_has_no_hole)
{
    sim *s = begin();
    wspool_channel channel = wspool_topic("a");
    assert_int_equal(seed(s, channel, 1, 0), 0);
    assert_int_equal(seed(s, channel, 2, 0), 0);
    assert_int_equal(seed(s, channel, 5, 0), 0);
    assert_int_equal(seed(s, channel, 6, 0), 0);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, channel, 3).lost, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
    assert_int_equal(resume(p, channel, 4).count, 2);
    sim_pump(s);
    expect_numbers(p, 5, 6);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
    assert_int_equal(seed_position(s, channel, 9), 0);
    expect_position(s, channel, 9);
    assert_int_equal(resume(p, channel, 8).lost, WSPOOL_LOST_TOO_OLD);
    sim_free(s);
}

TEST(seed_that_cannot_be_is_refused)
{
    static char large[300000];
    sim *s = begin();
    wspool_channel channel = wspool_topic("a");
    wspool_channel_position position = at(1), bad = {0, 1}, late = at(UINT64_C(1) << 53);
    wspool_seed_message message = {.size = sizeof message, .data = "x", .len = 1};
    assert_int_equal(wspool_seed(s->pool, channel, &bad, &message), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_seed(s->pool, channel, &late, &message), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_seed(s->pool, channel, NULL, &message), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_seed(NULL, channel, &position, &message), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_seed(s->pool, wspool_item("a"), &position, &message),
                     WSPOOL_ERR_INVAL); /* this kind keeps nothing */
    bad = at(0);
    assert_int_equal(wspool_seed(s->pool, channel, &bad, &message), WSPOOL_ERR_INVAL);
    message.flags = ~WSPOOL_BINARY;
    assert_int_equal(wspool_seed(s->pool, channel, &position, &message), WSPOOL_ERR_INVAL);
    message = (wspool_seed_message){.size = sizeof message, .len = 1};
    assert_int_equal(wspool_seed(s->pool, channel, &position, &message), WSPOOL_ERR_INVAL);
    message = (wspool_seed_message){.size = 1, .data = "x", .len = 1};
    assert_int_equal(wspool_seed(s->pool, channel, &position, &message), WSPOOL_ERR_INVAL);
    message = (wspool_seed_message){.size = sizeof message, .data = large, .len = sizeof large};
    assert_int_equal(wspool_seed(s->pool, channel, &position, &message), WSPOOL_ERR_TOO_BIG);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    assert_int_equal(wspool_clear(s->pool, channel), WSPOOL_ERR_ABSENT);

    assert_int_equal(seed(s, channel, 5, 0), 0);
    assert_int_equal(seed(s, channel, 5, 0), WSPOOL_ERR_EXISTS);
    assert_int_equal(seed_position(s, channel, 4), WSPOOL_ERR_EXISTS);
    position = (wspool_channel_position){EPOCH + 1, 6};
    assert_int_equal(wspool_seed(s->pool, channel, &position, NULL), WSPOOL_ERR_EXISTS);
    expect_position(s, channel, 5);
    sim_join(s, "/kept/a");
    assert_int_equal(seed(s, channel, 6, 0), WSPOOL_ERR_STATE);
    assert_int_equal(seed_position(s, channel, 6), WSPOOL_ERR_STATE);
    sim_free(s);
}

TEST(cleared_channel_keeps_nothing)
{
    sim *s = begin();
    wspool_channel channel = wspool_topic("a");
    wspool_channel_position position;
    assert_int_equal(seed(s, channel, 5, 0), 0);
    assert_int_equal(SIM_IN(wspool_clear(s->pool, channel)), 0);
    assert_int_equal(wspool_position(s->pool, channel, &position), 0);
    assert_true(position.epoch != EPOCH);
    assert_int_equal(sim_stats(s).history_bytes, 0);

    /* With members it keeps its position, and the one that is behind is told. */
    assert_int_equal(seed(s, channel, 1, 0), 0);
    sim_peer *p = sim_join(s, "/kept/a");
    sim_stall(p);
    for (int i = 2; i <= 20; i++)
        assert_int_equal(sim_broadcast(s, channel, "x"), i <= 9);
    assert_int_equal(SIM_IN(wspool_clear(s->pool, channel)), 0);
    expect_position(s, channel, 20);
    sim_flow(p);
    sim_pump(s);
    const sim_event *event = sim_event_of(s, SIM_MISSED, 0);
    assert_non_null(event);
    assert_int_equal(event->count, 10);
    assert_int_equal(event->last, 20);
    assert_int_equal(sim_broadcast(s, channel, "x"), 1);
    expect_position(s, channel, 21);
    sim_cut(p, WSPOOL_GONE_FAILED);
    sim_pump(s);
    expect_position(s, channel, 21); /* the last message */
    assert_int_equal(SIM_IN(wspool_clear(s->pool, channel)), 0);
    assert_int_equal(wspool_position(s->pool, channel, &position), 0);
    assert_int_equal(position.offset, 0);
    sim_free(s);
}

TEST(clear_forgets_no_ids)
{
    sim *s = begin();
    wspool_channel channel = wspool_topic("a");
    wspool_send_options options = {.size = sizeof options, .id = {"one", 3}};
    wspool_tally tally = {.size = sizeof tally};
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, "1", 1, &options, NULL)), 0);
    assert_int_equal(SIM_IN(wspool_clear(s->pool, channel)), 0);
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, "1", 1, &options, &tally)), 0);
    assert_int_equal(tally.repeated, 1);
    sim_free(s);
}

/* A seeded message ages from the time that the host gives, also when that was before the pool's
 * clock began. */
TEST(seeded_message_has_the_age_that_the_host_gives)
{
    sim *s = begin();
    wspool_channel channel = wspool_topic("a");
    uint64_t wall = SIM_EPOCH + s->now / MS;
    assert_int_equal(seed(s, channel, 1, wall - 990 * 1000), 0);
    assert_int_equal(seed(s, channel, 2, wall - 995 * 1000), 0); /* not before that */
    assert_int_equal(seed(s, channel, 3, wall - 980 * 1000), 0);
    assert_int_equal(seed(s, channel, 4, wall + 980 * 1000), 0); /* not in the future */
    sim_pass(s, 9 * SEC);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, channel, 0).count, 4);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
    sim_pass(s, SEC);
    assert_int_equal(resume(p, channel, 0).lost, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
    assert_int_equal(resume(p, channel, 2).count, 2);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
    sim_pass(s, 990 * SEC);
    assert_int_equal(resume(p, channel, 3).lost, WSPOOL_LOST_TOO_OLD);
    sim_pump(s);
    sim_free(s);
}

TEST(message_has_the_time_of_the_wall_clock)
{
    sim *s = begin();
    wspool_tally tally = {.size = sizeof tally};
    sim_join(s, "/plain/a");
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, wspool_item("a"), "1", 1, NULL, &tally)), 1);
    assert_int_equal(tally.time, SIM_EPOCH + s->now / MS);
    sim_pass(s, 3 * SEC);
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, wspool_item("a"), "1", 1, NULL, &tally)), 1);
    assert_int_equal(tally.time, SIM_EPOCH + s->now / MS);
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, wspool_item("b"), "1", 1, NULL, &tally)), 0);
    assert_int_equal(tally.time, 0); /* nothing was published */
    sim_free(s);
}

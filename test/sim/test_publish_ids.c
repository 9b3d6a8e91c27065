/* SPDX-License-Identifier: MIT */
/*
 * sim/test_publish_ids.c - the ids that publishers give to messages.
 *
 * Proves that a message whose id a channel remembers is published once, uses one offset, and that
 * its repetition returns the first position; and that ids are bounded in number, time and memory.
 */
#include "sim.h"

static sim *begin_with(sim *s)
{
    wspool_route_options options;
    s->config.ping_interval = 0;
    if (sim_start_bare(s) != 0)
        return s;
    wspool_route_options_init(&options, &s->config);
    assert_int_equal(wspool_route(s->pool, "/plain/{name}", WSPOOL_ITEM, &options), 0);
    options.history.messages = 1000;
    assert_int_equal(wspool_route(s->pool, "/kept/{name}", WSPOOL_TOPIC, &options), 0);
    return s;
}

static sim *begin(void)
{
    return begin_with(sim_new(1));
}

/* Publishes a text with an id. */
static wspool_tally publish(sim *s, wspool_channel channel, const char *id, const char *text)
{
    wspool_send_options options = {.size = sizeof options, .id = {id, strlen(id)}};
    wspool_tally tally = {.size = sizeof tally};
    int n = SIM_IN(wspool_broadcast(s->pool, channel, text, strlen(text), &options, &tally));
    assert_int_equal(n, (int)tally.queued);
    return tally;
}

static void expect_first(const wspool_tally *tally, uint64_t offset)
{
    assert_int_equal(tally->repeated, 0);
    assert_int_equal(tally->position.offset, offset);
}

static void expect_repeated(const wspool_tally *tally, uint64_t offset)
{
    assert_int_equal(tally->repeated, 1);
    assert_int_equal(tally->queued, 0);
    assert_int_equal(tally->position.offset, offset);
}

static void expect_offset(sim *s, wspool_channel channel, uint64_t offset)
{
    wspool_channel_position position;
    assert_int_equal(wspool_position(s->pool, channel, &position), 0);
    assert_int_equal(position.offset, offset);
}

TEST(message_with_an_id_is_published_once)
{
    for (int kept = 0; kept < 2; kept++) {
        sim *s = begin();
        wspool_channel channel = kept ? wspool_topic("a") : wspool_item("a");
        sim_peer *p = sim_join(s, kept ? "/kept/a" : "/plain/a");
        wspool_tally tally = publish(s, channel, "one", "1");
        uint64_t epoch = tally.position.epoch;
        expect_first(&tally, 1);
        tally = publish(s, channel, "two", "2");
        expect_first(&tally, 2);
        tally = publish(s, channel, "one", "other bytes");
        expect_repeated(&tally, 1);
        assert_true(tally.position.epoch == epoch);
        expect_offset(s, channel, 2);
        tally = publish(s, channel, "", "3"); /* no id */
        expect_first(&tally, 3);
        tally = publish(s, channel, "", "4");
        expect_first(&tally, 4);
        tally = publish(s, channel, "two", "2");
        expect_repeated(&tally, 2);
        sim_pump(s);
        assert_int_equal(p->reader.messages, 4);
        sim_expect_message(p, 2, "3");
        assert_int_equal(sim_stats(s).published, 4);
        sim_free(s);
    }
}

TEST(ids_of_two_channels_are_apart)
{
    sim *s = begin();
    wspool_tally tally = publish(s, wspool_topic("a"), "one", "1");
    tally = publish(s, wspool_topic("b"), "one", "1");
    expect_first(&tally, 1);
    sim_free(s);
}

TEST(channel_remembers_its_last_ids)
{
    char id[16];
    sim *s = begin();
    wspool_tally tally;
    for (int i = 1; i <= WSPOOL_PUBLISH_IDS + 1; i++) {
        snprintf(id, sizeof id, "%d", i);
        tally = publish(s, wspool_topic("a"), id, id);
        expect_first(&tally, (uint64_t)i);
    }
    tally = publish(s, wspool_topic("a"), "2", "2");
    expect_repeated(&tally, 2);
    tally = publish(s, wspool_topic("a"), "1", "1");
    expect_first(&tally, WSPOOL_PUBLISH_IDS + 2);
    sim_free(s);
}

TEST(id_is_forgotten_when_its_time_is_over)
{
    sim *s = begin();
    wspool_channel channel = wspool_item("a");
    sim_peer *p = sim_join(s, "/plain/a");
    publish(s, channel, "one", "1");
    sim_pass(s, WSPOOL_PUBLISH_ID_TIME - SEC);
    wspool_tally tally = publish(s, channel, "two", "2");
    tally = publish(s, channel, "one", "1");
    expect_repeated(&tally, 1);
    sim_pass(s, SEC);
    tally = publish(s, channel, "one", "1");
    expect_first(&tally, 3);
    /* The channel exists until the last one is forgotten; so the id is found when no member is
     * left. */
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    tally = publish(s, channel, "one", "1");
    expect_repeated(&tally, 3);
    assert_true(sim_stats(s).history_bytes > 0);
    sim_pass(s, WSPOOL_PUBLISH_ID_TIME);
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    expect_offset(s, channel, 0);
    sim_free(s);
}

/* Messages without ids, and with bad ones. */
TEST(id_that_cannot_be_is_refused)
{
    static char id[WSPOOL_PUBLISH_ID_MAX + 1];
    sim *s = begin();
    wspool_send_options options = {.size = sizeof options, .id = {id, sizeof id}};
    wspool_channel channel = wspool_topic("a");
    assert_int_equal(wspool_broadcast(s->pool, channel, "1", 1, &options, NULL), WSPOOL_ERR_INVAL);
    options.id.data = NULL;
    options.id.len = 1;
    assert_int_equal(wspool_broadcast(s->pool, channel, "1", 1, &options, NULL), WSPOOL_ERR_INVAL);
    expect_offset(s, channel, 0);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    options.id = (wspool_text){id, WSPOOL_PUBLISH_ID_MAX}; /* zero bytes are bytes */
    assert_int_equal(wspool_broadcast(s->pool, channel, "1", 1, &options, NULL), 0);
    options.id.len--;
    assert_int_equal(wspool_broadcast(s->pool, channel, "1", 1, &options, NULL), 0);
    expect_offset(s, channel, 2);
    sim_free(s);
}

static int fails(const wspool_publication *publication, wspool_text *message, void *user)
{
    (void)publication;
    (void)message;
    (void)user;
    return WSPOOL_ERR_NOMEM;
}

/* A message that was not published may be repeated with its id. */
TEST(id_of_a_message_that_failed_is_not_remembered)
{
    static char large[60000];
    sim *s = sim_new(1);
    s->config.pool_bytes = 65536;
    begin_with(s);
    wspool_channel channel = wspool_topic("a");
    wspool_send_options options = {.size = sizeof options, .id = {"one", 3}};
    wspool_handlers contract = {.size = sizeof contract, .render = fails};
    assert_int_equal(wspool_attach(s->pool, &contract), 0);
    assert_int_equal(SIM_IN(wspool_publish(s->pool, channel, wspool_text_of("t"), (wspool_text){0},
                                           &options, NULL)),
                     WSPOOL_ERR_NOMEM);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    sim_peer *p = sim_join(s, "/plain/b"); /* its queue keeps the budget */
    sim_stall(p);
    assert_int_equal(wspool_broadcast(s->pool, wspool_item("b"), large, 40000, NULL, NULL), 1);
    assert_int_equal(
        SIM_IN(wspool_broadcast(s->pool, channel, large, sizeof large, &options, NULL)),
        WSPOOL_ERR_FULL);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    wspool_tally tally = publish(s, channel, "one", "1");
    expect_first(&tally, 1);
    sim_free(s);
}

/* Ids share the budget of the histories. Messages give way to them, and when there are no more
 * messages, a message with an id is refused: it would not be published once. */
TEST(ids_stay_within_the_budget_of_the_histories)
{
    char id[WSPOOL_PUBLISH_ID_MAX + 1];
    sim *s = sim_new(1);
    int n = 0, error = 0;
    s->config.history_bytes = 65536;
    begin_with(s);
    for (; error == 0 && n < 10000; n++) {
        wspool_send_options options = {.size = sizeof options, .id = {id, sizeof id - 1}};
        char name[8];
        snprintf(name, sizeof name, "%d", n / 100);
        snprintf(id, sizeof id, "%064d", n);
        error = SIM_IN(wspool_broadcast(s->pool, wspool_topic(name), id, 4, &options, NULL));
        assert_true(sim_stats(s).history_bytes <= 65536);
        if (n % 50 == 0)
            assert_int_equal(wspool_check(s->pool), 0);
    }
    assert_int_equal(error, WSPOOL_ERR_FULL);
    assert_in_range(n, 65536 / 250, 65536 / 64);
    assert_int_equal(sim_broadcast(s, wspool_topic("0"), "without an id"), 0);
    for (int i = 0; i < n - 1; i++) { /* each of the others is remembered */
        char name[8];
        snprintf(name, sizeof name, "%d", i / 100);
        snprintf(id, sizeof id, "%064d", i);
        wspool_tally tally = publish(s, wspool_topic(name), id, "x");
        expect_repeated(&tally, (uint64_t)(i % 100) + 1);
    }
    sim_pass(s, WSPOOL_PUBLISH_ID_TIME);
    wspool_tally tally = publish(s, wspool_topic("0"), "one", "1");
    assert_int_equal(tally.repeated, 0);
    sim_free(s);
}

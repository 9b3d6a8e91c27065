/* SPDX-License-Identifier: MIT */
/*
 * json/test_keyed.c - channels with a keyed history: publications with keys, removals, and whole
 * states, for clients and for readers that are no peers.
 *
 * talk.c checks the order of all publications: offsets rise, and may jump.
 */
#include "talk.h"

#define X wspool_session("x")
#define WINDOW 4

static talk *keyed(void)
{
    talk *t = talk_new();
    t->history = (wspool_history){.messages = WINDOW, .max_keys = 6, .tombstone_time = SEC};
    t->s->config.queue_messages = 16;
    assert_int_equal(talk_start(t), 0);
    return t;
}

static int publish(talk *t, const char *type, const char *data, const wspool_send_options *options)
{
    return SIM_IN(wspool_json_broadcast(t->json, t->s->pool, X, type,
                                        data == NULL ? NULL : talk_json(data), options, NULL));
}

static int put(talk *t, const char *key, const char *data)
{
    wspool_send_options options = {.size = sizeof options, .key = wspool_text_of(key)};
    return publish(t, "put", data, &options);
}

static int removal(talk *t, const char *key)
{
    wspool_send_options options = {
        .size = sizeof options, .flags = WSPOOL_REMOVE, .key = wspool_text_of(key)};
    return publish(t, "removed", NULL, &options);
}

/* The state: "b" at 2, "a" at 3, then the window with four of "w", 4 to 7. */
static void publish_state(talk *t)
{
    put(t, "a", "{'n':1}");
    put(t, "b", "{'n':1}");
    put(t, "a", "{'n':2}");
    for (int i = 0; i < WINDOW; i++)
        put(t, "w", "{}");
}

static void expect_state(sim_peer *p)
{
    talk_expect_keyed(p, X, 2, "b", "{'n':1}");
    talk_expect_keyed(p, X, 3, "a", "{'n':2}");
    for (uint64_t offset = 4; offset <= 7; offset++)
        talk_expect_keyed(p, X, offset, "w", "{}");
}

TEST(publication_with_a_key_names_it_and_a_removal_says_so)
{
    talk *t = keyed();
    sim_peer *p = talk_join(t, "/kept/x");
    assert_int_equal(put(t, "a \xc3\xa4\"", "{'n':1}"), 1);
    assert_int_equal(removal(t, "a \xc3\xa4\""), 1);
    assert_int_equal(publish(t, "put", "{}", NULL), 1);
    sim_pump(t->s);
    talk_expect_keyed(p, X, 1, "a \xc3\xa4\"", "{'n':1}");
    talk_expect_keyed(p, X, 2, "a \xc3\xa4\"", NULL);
    talk_expect_keyed(p, X, 3, NULL, "{}");
    talk_expect_silence(p);
    talk_free(t);
}

TEST(key_that_is_not_text_is_refused)
{
    talk *t = keyed();
    sim_peer *p = talk_join(t, "/kept/x");
    assert_int_equal(put(t, "\xff", "{}"), WSPOOL_ERR_INVAL);
    assert_int_equal(removal(t, "\xc3"), WSPOOL_ERR_INVAL);
    wspool_send_options options = {.size = sizeof options, .flags = WSPOOL_REMOVE};
    assert_int_equal(publish(t, "removed", NULL, &options), WSPOOL_ERR_INVAL);
    options = (wspool_send_options){.size = 0};
    assert_int_equal(publish(t, "put", NULL, &options), WSPOOL_ERR_INVAL);
    for (int i = 0; i < 6; i++)
        assert_int_equal(put(t, (char[]){(char)('a' + i), '\0'}, "{}"), 1);
    assert_int_equal(put(t, "one more", "{}"), WSPOOL_ERR_FULL);
    assert_int_equal(talk_at(t, X).offset, 6);
    talk_skip(p);
    talk_free(t);
}

/* Without an epoch the offset 0 asks for the state, in a message and in the path. */
TEST(offset_0_without_an_epoch_asks_for_the_state)
{
    static const char *const paths[] = {"/kept/x?offset=0", "/kept/x?epoch=&offset=0"};
    talk *t = keyed();
    publish_state(t);
    sim_peer *p = talk_join(t, "/echo");
    talk_say(p, "{'type':'subscribe','data':{'channel':'session:x','since':{'offset':0}}}");
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
    expect_state(p);
    for (size_t i = 0; i < 2; i++) {
        sim_peer *q = sim_join(t->s, paths[i]);
        talk_next(q);
        talk_expect_subscribed(q, "session:x", talk_at(t, X), "recovered");
        expect_state(q);
        talk_expect_silence(q);
    }
    talk_expect_silence(p);
    talk_free(t);
}

/* A text that is no epoch does not ask for the state. */
TEST(epoch_that_is_none_does_not_ask_for_the_state)
{
    talk *t = keyed();
    sim_peer *p = talk_join(t, "/echo");
    publish_state(t);
    talk_say(p, "{'type':'subscribe','data':{'channel':'session:x',"
                "'since':{'epoch':'?','offset':0}}}");
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "epoch_changed reset");
    expect_state(p);
    sim_peer *q = sim_join(t->s, "/kept/x?epoch=A&offset=0");
    talk_next(q);
    talk_expect_subscribed(q, "session:x", talk_at(t, X), "epoch_changed reset");
    expect_state(q);
    q = sim_join(t->s, "/kept/x?offset=7"); /* no position */
    talk_next(q);
    talk_expect_subscribed(q, "session:x", talk_at(t, X), "");
    talk_expect_silence(q);
    talk_free(t);
}

TEST(since_without_an_epoch_is_malformed_unless_it_is_0)
{
    static const char *const since[] = {"{'offset':1}",
                                        "{'offset':-1}",
                                        "{}",
                                        "{'epoch':'a'}",
                                        "{'epoch':null,'offset':0}",
                                        "{'epoch':7,'offset':0}"};
    talk *t = keyed();
    sim_peer *p = talk_join(t, "/echo");
    for (size_t i = 0; i < sizeof since / sizeof *since; i++) {
        char text[200];
        snprintf(text, sizeof text,
                 "{'type':'subscribe','data':{'channel':'session:x','since':%s}}", since[i]);
        talk_say(p, text);
        talk_expect_channel_error(p, "malformed", 0, "session:x");
    }
    talk_free(t);
}

/* A history that is not keyed gives everything from its first message on, or says why not. */
TEST(offset_0_without_an_epoch_asks_a_plain_history_for_everything)
{
    talk *t = talk_new();
    t->history.messages = 2;
    assert_int_equal(talk_start(t), 0);
    talk_publish(t, X, "news", NULL);
    talk_publish(t, X, "news", NULL);
    sim_peer *p = sim_join(t->s, "/kept/x?offset=0");
    talk_next(p);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
    wspool_channel_position at = talk_at(t, X);
    for (at.offset = 1; at.offset <= 2; at.offset++)
        talk_expect_publication(p, "news", "session:x", at, "{}");
    talk_publish(t, X, "news", NULL);
    p = sim_join(t->s, "/kept/x?offset=0");
    talk_next(p);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "too_old");
    talk_expect_silence(p);
    talk_free(t);
}

/* A removal that the client has not got was forgotten: what it knows is void. */
TEST(position_before_a_forgotten_removal_gets_reset_and_the_state)
{
    talk *t = keyed();
    put(t, "gone", "{'n':1}"); /* 1 */
    removal(t, "gone");        /* 2 */
    for (int i = 0; i < WINDOW; i++)
        put(t, "w", "{}"); /* 3 to 6 */
    sim_peer *p = sim_join(t->s, talk_target_at(t, X, 1));
    talk_next(p);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
    talk_expect_keyed(p, X, 2, "gone", NULL);
    talk_skip(p);
    sim_pass(t->s, 2 * SEC);
    put(t, "w", "{}"); /* 7; the removal is forgotten */
    p = sim_join(t->s, talk_target_at(t, X, 1));
    talk_next(p);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "too_old reset");
    for (uint64_t offset = 4; offset <= 7; offset++)
        talk_expect_keyed(p, X, offset, "w", "{}");
    p = sim_join(t->s, talk_target_at(t, X, 2)); /* it has got the removal */
    talk_next(p);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
    talk_expect_keyed(p, X, 4, "w", "{}");
    talk_skip(p);
    talk_free(t);
}

/* A slow client is overtaken by a removal that is forgotten. */
TEST(missed_with_reset_stands_before_the_state)
{
    talk *t = keyed();
    sim_peer *p = talk_join(t, "/kept/x");
    put(t, "gone", "{'n':1}"); /* 1 */
    sim_pump(t->s);
    talk_expect_keyed(p, X, 1, "gone", "{'n':1}");
    sim_stall(p);
    for (int i = 0; i < 16; i++)
        put(t, "w", "{}"); /* 2 to 17 fill its queue */
    removal(t, "gone");    /* 18 */
    for (int i = 0; i < WINDOW; i++)
        put(t, "w", "{}"); /* 19 to 22 */
    sim_pass(t->s, 2 * SEC);
    put(t, "w", "{}"); /* 23 */
    sim_flow(p);
    sim_pump(t->s);
    for (uint64_t offset = 2; offset <= 17; offset++)
        talk_expect_keyed(p, X, offset, "w", "{}");
    talk_expect(p, "missed",
                "{'channel':'session:x','from':18,'to':18,'reason':'too_old','reset':true}");
    for (uint64_t offset = 20; offset <= 23; offset++)
        talk_expect_keyed(p, X, offset, "w", "{}");
    talk_expect_silence(p);
    talk_free(t);
}

/* A publisher that repeats itself is told the first position, and nobody gets it twice. */
TEST(publication_with_an_id_is_published_once)
{
    talk *t = keyed();
    sim_peer *p = talk_join(t, "/kept/x");
    wspool_send_options options = {
        .size = sizeof options, .id = wspool_text_of("i1"), .key = wspool_text_of("k")};
    for (int i = 0; i < 3; i++) {
        wspool_tally tally = {.size = sizeof tally};
        assert_int_equal(SIM_IN(wspool_json_broadcast(t->json, t->s->pool, X, "put", json_object(),
                                                      &options, &tally)),
                         i == 0);
        assert_int_equal(tally.repeated, i > 0);
        assert_int_equal(tally.position.offset, 1);
    }
    sim_pump(t->s);
    talk_expect_keyed(p, X, 1, "k", "{}");
    talk_expect_silence(p);
    talk_free(t);
}

/* A long poll: the state first, and then what came since; after a forgotten removal the state. */
TEST(reader_that_is_no_peer_gets_the_state_and_then_what_follows)
{
    talk *t = keyed();
    wspool_read_message list[20];
    wspool_resumed resumed = {.size = sizeof resumed};
    wspool_channel_position since = wspool_json_position_read(NULL, "0");
    static const char first[] = "{\"type\":\"put\",\"channel\":\"session:x\",\"epoch\":";
    publish_state(t);
    assert_int_equal(wspool_read(t->s->pool, X, &since, list, 20, &resumed), 6);
    assert_int_equal(resumed.recovered, 1);
    assert_int_equal(list[0].offset, 2);
    assert_memory_equal(list[0].data, first, sizeof first - 1);
    since = resumed.position;
    assert_int_equal(wspool_read(t->s->pool, X, &since, list, 20, &resumed), 0);
    assert_int_equal(resumed.count, 0);
    removal(t, "a"); /* 8 */
    assert_int_equal(wspool_read(t->s->pool, X, &since, list, 20, &resumed), 1);
    for (int i = 0; i < WINDOW; i++)
        put(t, "w", "{}");
    sim_pass(t->s, 2 * SEC);
    put(t, "b", "{}"); /* 13 */
    assert_int_equal(wspool_read(t->s->pool, X, &since, list, 20, &resumed), 4);
    assert_int_equal(resumed.recovered, 0);
    assert_int_equal(resumed.reset, 1);
    assert_int_equal(resumed.lost, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(list[3].offset, 13);
    talk_free(t);
}

/* While a channel has members, its epoch stays, whatever the host does. So `subscribed` is said
 * once, until the client subscribes again. */
TEST(channel_keeps_its_epoch_while_it_has_members)
{
    talk *t = keyed();
    sim_peer *p = talk_join(t, "/kept/x");
    wspool_channel_position at = talk_at(t, X);
    put(t, "a", "{}");
    assert_int_equal(SIM_IN(wspool_clear(t->s->pool, X)), 0);
    assert_true(talk_at(t, X).epoch == at.epoch);
    at.epoch++;
    assert_int_equal(SIM_IN(wspool_seed(t->s->pool, X, &at, NULL)), WSPOOL_ERR_STATE);
    put(t, "b", "{}");
    sim_pump(t->s);
    talk_expect_keyed(p, X, 1, "a", "{}");
    talk_expect_keyed(p, X, 2, "b", "{}");
    talk_expect_silence(p);
    talk_free(t);
}

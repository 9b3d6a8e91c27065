/* SPDX-License-Identifier: MIT */
/*
 * json/test_resume.c - channels with a history: a client that comes back gets what it has missed, or
 * is told why not; one that was too slow is told what it misses.
 *
 * talk.c checks the order of all publications and `missed`.
 */
#include "talk.h"

#define X wspool_session("x")

/* Sessions keep this many messages; a queue holds 16. */
static talk *keeping_with(uint32_t messages, enum wspool_priority priority)
{
    talk *t = talk_new();
    t->history.messages = messages;
    t->priority = priority;
    t->s->config.queue_messages = 16;
    assert_int_equal(talk_start(t), 0);
    return t;
}

static talk *keeping(uint32_t messages)
{
    return keeping_with(messages, WSPOOL_NORMAL);
}

static void publish(talk *t, int count)
{
    for (int i = 0; i < count; i++)
        assert_true(talk_publish(t, X, "news", NULL) >= 0);
}

static void say_since(const talk *t, sim_peer *p, uint64_t offset)
{
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_json_epoch_write(talk_at(t, X).epoch, epoch);
    talk_print(p,
               "{\"type\":\"subscribe\",\"data\":{\"channel\":\"session:x\","
               "\"since\":{\"epoch\":\"%s\",\"offset\":%d}}}",
               epoch, (int)offset);
}

static void expect_news(const talk *t, sim_peer *p, uint64_t from, uint64_t to)
{
    wspool_channel_position at = talk_at(t, X);
    for (at.offset = from; at.offset <= to; at.offset++)
        talk_expect_publication(p, "news", "session:x", at, "{}");
}

/* ------------------------------------------------------------------- resumes */

TEST(position_in_the_query_brings_what_was_missed_by_every_way)
{
    for (int way = 0; way < TALK_WAYS; way++) {
        talk *t = talk_new();
        sim_peer *p;
        t->history.messages = 5;
        t->s->ask_token = way == TALK_PENDING || way == TALK_HOSTED_PENDING;
        t->s->verdict.kind = WSPOOL_PENDING;
        assert_int_equal(talk_start(t), 0);
        publish(t, 5); /* there is no member */
        p = talk_come(t, (enum talk_way)way, talk_target_at(t, X, 2));
        talk_next(p); /* connection_established */
        talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
        expect_news(t, p, 3, 5);
        publish(t, 2);
        sim_pump(t->s);
        expect_news(t, p, 6, 7);
        talk_expect_silence(p);
        talk_free(t);
    }
}

TEST(since_brings_what_was_missed)
{
    for (uint64_t since = 0; since <= 5; since++) {
        talk *t = keeping(5);
        sim_peer *p = talk_join(t, "/echo");
        publish(t, 5);
        say_since(t, p, since);
        talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
        expect_news(t, p, since + 1, 5);
        publish(t, 1);
        sim_pump(t->s);
        expect_news(t, p, 6, 6);
        talk_expect_silence(p);
        talk_free(t);
    }
}

TEST(subscribe_without_since_brings_nothing_old)
{
    talk *t = keeping(5);
    sim_peer *p = talk_join(t, "/echo");
    sim_peer *q = sim_join(t->s, "/kept/x");
    publish(t, 3);
    talk_say(p, "{'type':'subscribe','data':{'channel':'session:x'}}");
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "");
    talk_expect_silence(p);
    sim_pump(t->s);
    talk_next(q);
    talk_expect_subscribed(q, "session:x", (wspool_channel_position){talk_at(t, X).epoch, 0}, "");
    expect_news(t, q, 1, 3);
    publish(t, 1);
    sim_pump(t->s);
    expect_news(t, p, 4, 4);
    talk_free(t);
}

/* The history has the messages 4 to 6. */
TEST(position_that_cannot_be_met_says_why_and_brings_nothing_old)
{
    static const struct {
        uint64_t offset;
        const char *met;
    } table[] = {{0, "too_old"}, {2, "too_old"}, {7, "unknown_offset"}, {90, "unknown_offset"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        talk *t = keeping(3);
        sim_peer *p = talk_join(t, "/echo");
        sim_peer *q;
        publish(t, 6);
        say_since(t, p, table[i].offset);
        talk_expect_subscribed(p, "session:x", talk_at(t, X), table[i].met);
        q = sim_join(t->s, talk_target_at(t, X, table[i].offset));
        talk_next(q);
        talk_expect_subscribed(q, "session:x", talk_at(t, X), table[i].met);
        talk_expect_silence(q);
        publish(t, 1);
        sim_pump(t->s);
        expect_news(t, p, 7, 7);
        expect_news(t, q, 7, 7);
        talk_free(t);
    }
}

TEST(position_of_another_epoch_brings_nothing_old)
{
    talk *t = keeping(3);
    sim_peer *p;
    publish(t, 2);
    p = sim_join(t->s, "/kept/x?epoch=1a2b&offset=1");
    talk_next(p);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "epoch_changed");
    talk_expect_silence(p);
    talk_free(t);
}

/* ------------------------------------------------------------------ the order */

static void publish_at_open(sim *s, const sim_event *event)
{
    if (event->what == SIM_OPENED)
        publish(s->test, 1);
}

TEST(nothing_overtakes_what_was_missed)
{
    talk *t = keeping(5);
    sim_peer *p;
    publish(t, 3);
    t->s->react = publish_at_open;
    p = sim_join(t->s, talk_target_at(t, X, 1));
    t->s->react = NULL;
    publish(t, 1);
    sim_pump(t->s);
    talk_next(p);
    talk_expect_subscribed(p, "session:x", (wspool_channel_position){talk_at(t, X).epoch, 3},
                           "recovered");
    expect_news(t, p, 2, 5);
    talk_expect_silence(p);
    talk_free(t);
}

/* Messages are taken out of no queue: the first ones of those that it missed are the ones that the
 * history has forgotten. */
static void miss_and_tell(enum wspool_priority priority)
{
    talk *t = keeping_with(4, priority);
    sim_peer *p = talk_join(t, "/kept/x");
    const json_t *told, *data;
    uint64_t from, to;
    sim_stall(p);
    publish(t, 40);
    sim_pump(t->s);
    publish(t, 20);
    sim_flow(p);
    sim_pump(t->s);
    for (from = 1; told = talk_next(p), json_object_get(told, "offset") != NULL; from++)
        assert_int_equal(json_integer_value(json_object_get(told, "offset")), from);
    data = json_object_get(told, "data");
    assert_string_equal(json_string_value(json_object_get(told, "type")), "missed");
    assert_string_equal(json_string_value(json_object_get(data, "channel")), "session:x");
    assert_string_equal(json_string_value(json_object_get(data, "reason")), "too_old");
    assert_int_equal(json_integer_value(json_object_get(data, "from")), from);
    to = (uint64_t)json_integer_value(json_object_get(data, "to"));
    assert_int_equal(to, 56); /* the history has 57 to 60 */
    assert_true(from > 8 && from < 20);
    expect_news(t, p, 57, 60);
    publish(t, 1);
    sim_pump(t->s);
    expect_news(t, p, 61, 61);
    talk_expect_silence(p);
    talk_free(t);
}

TEST(slow_client_is_told_what_it_misses_in_its_place)
{
    miss_and_tell(WSPOOL_NORMAL);
    miss_and_tell(WSPOOL_HIGH);
    miss_and_tell(WSPOOL_LOW);
}

TEST(client_that_subscribes_again_is_told_where_it_is)
{
    talk *t = keeping(100);
    sim_peer *p = talk_join(t, "/kept/x");
    wspool_channel_position at = talk_at(t, X);
    publish(t, 2);
    sim_pump(t->s);
    expect_news(t, p, 1, 2);
    at.offset = 2;
    say_since(t, p, 2);
    talk_expect_subscribed(p, "session:x", at, "recovered");
    say_since(t, p, 1); /* it has these messages: they do not come twice */
    talk_expect_subscribed(p, "session:x", at, "too_old");
    say_since(t, p, 3);
    talk_expect_subscribed(p, "session:x", at, "unknown_offset");
    talk_expect_silence(p);
    talk_free(t);
}

/* Three long messages fill its queue but for a short answer, and the fourth waits in the history. */
TEST(client_that_is_behind_and_subscribes_again_is_told_where_it_is)
{
    char data[1200];
    talk *t = talk_new();
    sim_peer *p;
    wspool_channel_position at;
    t->history.messages = 10;
    t->s->config.queue_bytes = 4096;
    talk_start(t);
    snprintf(data, sizeof data, "{'text':'%01100d'}", 0);
    p = talk_join(t, "/kept/x");
    for (int i = 0; i < 4; i++)
        assert_int_equal(talk_publish(t, X, "news", data), i < 3);
    talk_say(p, "{'type':'subscribe','data':{'channel':'session:x'}}");
    for (at = talk_at(t, X), at.offset = 1; at.offset <= 3; at.offset++)
        talk_expect_publication(p, "news", "session:x", at, data);
    at.offset = 3;
    talk_expect_subscribed(p, "session:x", at, "");
    at.offset = 4;
    talk_expect_publication(p, "news", "session:x", at, data);
    talk_expect_silence(p);
    talk_free(t);
}

/* ----------------------------------------------- a client that cannot be told */

/* Names that are too long for a `subscribed` in so small a queue. */
static talk *tiny(char name[256], size_t len)
{
    talk *t = talk_new();
    t->history.messages = 2;
    t->s->config.queue_bytes = 300;
    assert_int_equal(talk_start(t), 0);
    memset(name, 'n', len);
    name[len] = '\0';
    return t;
}

TEST(client_that_cannot_be_told_that_it_is_a_member_is_none)
{
    char name[256], target[300];
    talk *t = tiny(name, 255);
    sim_peer *p = talk_join(t, "/echo");
    talk_print(p, "{\"type\":\"subscribe\",\"data\":{\"channel\":\"topic:%s\"}}", name);
    assert_int_equal(wspool_channels_of(t->s->pool, p->id, NULL, 0), 0);
    talk_expect_silence(p);
    snprintf(target, sizeof target, "/kept/%s", name);
    p = sim_connect_to(t->s, target);
    sim_pump(t->s);
    assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_INTERNAL);
    talk_free(t);
}

TEST(client_that_cannot_be_told_what_it_missed_is_closed)
{
    char name[256];
    wspool_send_options binary = {.size = sizeof binary, .flags = WSPOOL_BINARY};
    talk *t = tiny(name, 220);
    sim_peer *p = talk_join(t, "/echo");
    assert_int_equal(SIM_IN(wspool_subscribe(t->s->pool, p->id, wspool_session(name))), 0);
    sim_stall(p);
    for (int i = 0; i < 50; i++)
        SIM_DO(wspool_broadcast(t->s->pool, wspool_session(name), "12345678", 8, &binary, NULL));
    sim_flow(p);
    sim_pump(t->s);
    assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_INTERNAL);
    talk_free(t);
}

TEST(client_that_missed_something_of_a_channel_that_is_no_text_is_closed)
{
    wspool_send_options binary = {.size = sizeof binary, .flags = WSPOOL_BINARY};
    wspool_channel channel = wspool_session("\xff");
    talk *t = keeping(2);
    sim_peer *p = talk_join(t, "/echo");
    assert_int_equal(SIM_IN(wspool_subscribe(t->s->pool, p->id, channel)), 0);
    sim_stall(p);
    for (int i = 0; i < 50; i++)
        SIM_DO(wspool_broadcast(t->s->pool, channel, "12345678", 8, &binary, NULL));
    sim_flow(p);
    sim_pump(t->s);
    assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_INTERNAL);
    talk_free(t);
}

/* SPDX-License-Identifier: MIT */
/*
 * json/test_contract.c - the contract, type by type: messages of a client, their answers, and the
 * other messages of the server.
 *
 * First messages are in test_greeting.c, malformed ones in test_malformed.c, handlers with side
 * effects in test_handlers.c.
 */
#include "talk.h"

static uint64_t abuse_cost(const talk *t)
{
    return sim_stats(t->s).abuse_cost;
}

/* -------------------------------------------------------------- subscribe */

TEST(subscribe_when_the_hook_says_yes_answers_subscribed_and_delivers)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    wspool_channel_position at;
    talk_say(p, "{'type':'subscribe','data':{'channel':'topic:weather'}}");
    at = talk_at(t, wspool_topic("weather"));
    assert_int_equal(at.offset, 0);
    talk_expect_subscribed(p, "topic:weather", at, "");
    assert_int_equal(t->asked, 1);
    assert_true(t->asker == p->id);
    assert_string_equal(t->asked_for, "4 weather"); /* WSPOOL_TOPIC */
    assert_true(talk_is_member(t, wspool_topic("weather"), p));
    assert_int_equal(talk_publish(t, wspool_topic("weather"), "rain", "{'mm':3}"), 1);
    sim_pump(t->s);
    at.offset = 1;
    talk_expect_publication(p, "rain", "topic:weather", at, "{'mm':3}");
    talk_expect_silence(p);
    assert_int_equal(abuse_cost(t), 0);
    talk_free(t);
}

TEST(subscribe_when_the_hook_says_no_answers_not_allowed)
{
    static const int noes[] = {1, -1, WSPOOL_ERR_STALE};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    for (size_t i = 0; i < 3; i++) {
        t->may = noes[i];
        talk_say(p, "{'type':'subscribe','data':{'channel':'global:secret'}}");
        talk_expect_error(p, "not_allowed", 0, NULL);
        assert_int_equal(t->asked, i + 1);
        assert_int_equal(abuse_cost(t), i + 1);
    }
    assert_int_equal(wspool_channels_of(t->s->pool, p->id, NULL, 0), 0);
    talk_expect_silence(p);
    talk_free(t);
}

/* A client asks for several at a time. */
TEST(error_of_a_subscribe_or_unsubscribe_names_the_channel)
{
    talk *t = talk_new();
    sim_peer *p;
    char text[400], channel[300];
    t->s->config.channels_per_peer = 1;
    talk_start(t);
    p = talk_join(t, "/all");
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:a'}}");
    talk_expect_channel_error(p, "too_many_channels", 1, "item:a");
    talk_say(p, "{'type':'unsubscribe','data':{'channel':'item:b'}}");
    talk_expect_channel_error(p, "not_subscribed", 0, "item:b");
    talk_say(p, "{'type':'subscribe','data':{'channel':'nothing'}}");
    talk_expect_channel_error(p, "bad_channel", 0, "nothing");
    talk_say(p, "{'type':'subscribe','data':{'channel':7}}");
    talk_expect_channel_error(p, "bad_channel", 0, NULL);
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:a','since':7}}");
    talk_expect_channel_error(p, "malformed", 0, "item:a");
    talk_say(p, "{'type':'what','data':{'channel':'item:a'}}");
    talk_expect_channel_error(p, "unknown_type", 0, NULL);
    t->may = 1;
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:a'}}");
    talk_expect_channel_error(p, "not_allowed", 0, "item:a");
    for (int len = 263; len < 265; len++) { /* bounded */
        memset(channel, 'n', sizeof channel);
        channel[len] = '\0';
        snprintf(text, sizeof text, "{'type':'subscribe','data':{'channel':'%s'}}", channel);
        talk_say(p, text);
        talk_expect_channel_error(p, "bad_channel", 0, len == 263 ? channel : NULL);
    }
    talk_free(t);
}

TEST(subscribe_without_a_hook_answers_not_allowed)
{
    talk *t = talk_new();
    sim_peer *p;
    t->config.subscribe.call = NULL;
    talk_start(t);
    p = talk_join(t, "/echo");
    talk_say(p, "{'type':'subscribe','data':{'channel':'global:all'}}");
    talk_expect_error(p, "not_allowed", 0, NULL);
    assert_int_equal(wspool_channels_of(t->s->pool, p->id, NULL, 0), 0);
    p = talk_join(t, "/all"); /* the path's is not asked for */
    assert_true(talk_is_member(t, wspool_global("all"), p));
    talk_free(t);
}

TEST(subscribe_twice_answers_twice_and_delivers_once)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/room/x"); /* a member by its path */
    wspool_channel_position at;
    talk_publish(t, wspool_item("x"), "news", NULL);
    at = talk_at(t, wspool_item("x"));
    sim_pump(t->s);
    talk_expect_publication(p, "news", "item:x", at, "{}");
    for (int i = 0; i < 2; i++) {
        talk_say(p, "{'type':'subscribe','data':{'channel':'item:x'}}");
        talk_expect_subscribed(p, "item:x", at, "");
    }
    assert_int_equal(talk_publish(t, wspool_item("x"), "news", NULL), 1);
    sim_pump(t->s);
    at.offset++;
    talk_expect_publication(p, "news", "item:x", at, "{}");
    talk_expect_silence(p);
    talk_free(t);
}

TEST(subscribe_to_each_kind_is_to_another_channel)
{
    static const char *const names[] = {"global:x", "item:x", "session:x", "topic:x"};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    for (size_t i = 0; i < 4; i++) {
        wspool_channel channel = wspool_channel_of((enum wspool_kind)(WSPOOL_GLOBAL + i), "x", 1);
        talk_print(p, "{\"type\":\"subscribe\",\"data\":{\"channel\":\"%s\"}}", names[i]);
        talk_expect_subscribed(p, names[i], talk_at(t, channel), "");
        assert_int_equal(wspool_channels(t->s->pool, NULL, 0), (int)i + 1);
        assert_true(talk_is_member(t, channel, p));
    }
    talk_free(t);
}

TEST(subscribe_takes_every_name_that_is_text)
{
    char longest[256] = "";
    /* two of them poison objects of JavaScript, when they are keys: here they are values only */
    const char *names[] = {"",          ":",           "item:x",
                           " ",         "/",           "\xf0\x9f\x8e\xa8 caf\xc3\xa9",
                           "__proto__", "constructor", longest};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    memset(longest, 'n', 255);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[300];
        talk_print(p, "{\"type\":\"subscribe\",\"data\":{\"channel\":\"session:%s\"}}", names[i]);
        snprintf(text, sizeof text, "session:%s", names[i]);
        talk_expect_subscribed(p, text, talk_at(t, wspool_session(names[i])), "");
        assert_true(talk_is_member(t, wspool_session(names[i]), p));
    }
    talk_say(p,
             "{'type':'subscribe','data':{'channel':'session:\\u0041\\\"\\\\\\/\\ud83c\\udfa8'}}");
    talk_expect_subscribed(p, "session:A\"\\/\xf0\x9f\x8e\xa8",
                           talk_at(t, wspool_session("A\"\\/\xf0\x9f\x8e\xa8")), "");
    talk_free(t);
}

/* JSON values that are not channels. */
static const char *const no_channels[] = {
    "''",       "'x'",       "':x'",      "'global'", "'item'",     "'Item:x'",
    "'ITEM:x'", "' item:x'", "'items:x'", "'none:x'", "'global=x'", "7",
    "null",     "true",      "{}",        "[]",       "['item:x']", "{'item':'x'}"};

TEST(channel_that_is_none_answers_bad_channel)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    char text[400];
    char longer[257] = "";
    uint64_t wrong = 0;
    memset(longer, 'n', 256);
    for (int twice = 0; twice < 2; twice++) {
        const char *type = twice ? "unsubscribe" : "subscribe";
        for (size_t i = 0; i < sizeof no_channels / sizeof *no_channels; i++) {
            snprintf(text, sizeof text, "{'type':'%s','data':{'channel':%s}}", type,
                     no_channels[i]);
            talk_say(p, text);
            talk_expect_error(p, "bad_channel", 0, NULL);
            wrong++;
        }
        snprintf(text, sizeof text, "{'type':'%s','data':{'channel':'item:%s'}}", type, longer);
        talk_say(p, text);
        talk_expect_error(p, "bad_channel", 0, NULL);
        snprintf(text, sizeof text, "{'type':'%s','data':{'Channel':'item:x'}}", type);
        talk_say(p, text);
        talk_expect_error(p, "bad_channel", 0, NULL);
        snprintf(text, sizeof text, "{'type':'%s','channel':'item:x'}", type);
        talk_say(p, text);
        talk_expect_error(p, "bad_channel", 0, NULL);
        wrong += 3;
    }
    assert_int_equal(abuse_cost(t), wrong);
    assert_int_equal(t->asked, 0);
    assert_int_equal(wspool_channels(t->s->pool, NULL, 0), 0);
    talk_free(t);
}

TEST(subscribe_beyond_channels_per_peer_answers_too_many_channels)
{
    talk *t = talk_new();
    sim_peer *p;
    t->s->config.channels_per_peer = 3;
    talk_start(t);
    p = talk_join(t, "/all");
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:a'}}");
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:b'}}");
    talk_skip(p);
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:c'}}");
    talk_expect_error(p, "too_many_channels", 1, NULL);
    assert_int_equal(abuse_cost(t), 1);
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:b'}}"); /* it is there already */
    talk_expect_subscribed(p, "item:b", talk_at(t, wspool_item("b")), "");
    talk_say(p, "{'type':'unsubscribe','data':{'channel':'global:all'}}");
    talk_expect(p, "unsubscribed", "{'channel':'global:all'}");
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:c'}}");
    talk_expect_subscribed(p, "item:c", talk_at(t, wspool_item("c")), "");
    talk_free(t);
}

/* ------------------------------------------------------------------ since */

/* $E is the epoch, $N another one; the channel is at offset 3. */
static const struct {
    const char *since;
    const char *met; /* NULL: malformed */
} sinces[] = {
    {"{'epoch':'$E','offset':3}", "recovered"},
    {"{'offset':3,'epoch':'$E','more':[1]}", "recovered"},
    {"{'epoch':'$E','offset':2}", "too_old"},
    {"{'epoch':'$E','offset':0}", "too_old"},
    {"{'epoch':'$E','offset':-0}", "too_old"},
    {"{'epoch':'$E','offset':4}", "unknown_offset"},
    {"{'epoch':'$E','offset':9007199254740991}", "unknown_offset"},
    {"{'epoch':'$N','offset':3}", "epoch_changed"},
    {"{'epoch':'$N','offset':9007199254740991}", "epoch_changed"},
    {"{'epoch':'','offset':3}", "epoch_changed"},
    {"{'epoch':'0','offset':3}", "epoch_changed"},
    {"{'epoch':'0$E','offset':3}", "epoch_changed"},
    {"{'epoch':'$E ','offset':3}", "epoch_changed"},
    {"{'epoch':'zzzzzzzzzzzzz','offset':3}", "epoch_changed"},
    {"{'epoch':'\xc3\xa4','offset':3}", "epoch_changed"},
    {"{'epoch':'f81d4fae-7dec-11d0-a765-00a0c91e6bf6','offset':3}", "epoch_changed"},
    {"{'epoch':'$E','offset':9007199254740992}", NULL}, /* 2^53 */
    {"{'epoch':'$E','offset':9223372036854775807}", NULL},
    {"{'epoch':'$E','offset':-1}", NULL},
    {"{'epoch':'$E','offset':3.0}", NULL},
    {"{'epoch':'$E','offset':3e0}", NULL},
    {"{'epoch':'$E','offset':'3'}", NULL},
    {"{'epoch':'$E','offset':null}", NULL},
    {"{'epoch':'$E','offset':true}", NULL},
    {"{'epoch':'$E','offset':[3]}", NULL},
    {"{'epoch':7,'offset':3}", NULL},
    {"{'epoch':null,'offset':3}", NULL},
    {"{'epoch':['$E'],'offset':3}", NULL},
    {"{'epoch':'$E'}", NULL},
    {"{'offset':3}", NULL},
    {"{}", NULL},
    {"[]", NULL},
    {"['$E',3]", NULL},
    {"null", NULL},
    {"false", NULL},
    {"3", NULL},
    {"'$E'", NULL},
};

TEST(since_is_met_or_says_why_not_or_is_malformed)
{
    for (size_t i = 0; i < sizeof sinces / sizeof *sinces; i++) {
        talk *t = talk_default();
        sim_peer *p = talk_join(t, "/echo");
        char text[200] = "{'type':'subscribe','data':{'channel':'item:x','since':";
        char *to = text + strlen(text);
        wspool_channel_position at;
        talk_join(t, "/room/x");
        for (int n = 0; n < 3; n++)
            talk_publish(t, wspool_item("x"), "news", NULL);
        at = talk_at(t, wspool_item("x"));
        for (const char *from = sinces[i].since; *from != '\0'; from++) {
            if (*from == '$')
                wspool_json_epoch_write(*++from == 'E' ? at.epoch : at.epoch + 1, to);
            else
                snprintf(to, 2, "%c", *from);
            to += strlen(to);
        }
        snprintf(to, 4, "}}");
        talk_say(p, text);
        if (sinces[i].met != NULL) {
            talk_expect_subscribed(p, "item:x", at, sinces[i].met);
            assert_int_equal(abuse_cost(t), 0);
        } else {
            talk_expect_error(p, "malformed", 0, NULL);
            assert_int_equal(abuse_cost(t), 1);
            assert_int_equal(t->asked, 0);
        }
        assert_int_equal(talk_is_member(t, wspool_item("x"), p), sinces[i].met != NULL);
        talk_expect_silence(p);
        talk_free(t);
    }
}

TEST(since_of_a_channel_that_has_gone_and_come_back_is_of_another_epoch)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/room/x");
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_channel_position before = talk_at(t, wspool_item("x"));
    wspool_channel_position after;
    talk_say(p, "{'type':'unsubscribe','data':{'channel':'item:x'}}");
    talk_expect(p, "unsubscribed", "{'channel':'item:x'}");
    wspool_json_epoch_write(before.epoch, epoch);
    talk_print(p,
               "{\"type\":\"subscribe\",\"data\":{\"channel\":\"item:x\","
               "\"since\":{\"epoch\":\"%s\",\"offset\":0}}}",
               epoch);
    after = talk_at(t, wspool_item("x"));
    assert_true(after.epoch != before.epoch);
    talk_expect_subscribed(p, "item:x", after, "epoch_changed");
    talk_free(t);
}

TEST(since_asked_before_the_channel_was_there_is_met)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    wspool_channel_position at = talk_at(t, wspool_item("x"));
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_json_epoch_write(at.epoch, epoch);
    talk_print(p,
               "{\"type\":\"subscribe\",\"data\":{\"channel\":\"item:x\","
               "\"since\":{\"epoch\":\"%s\",\"offset\":0}}}",
               epoch);
    talk_expect_subscribed(p, "item:x", at, "recovered");
    talk_free(t);
}

/* ------------------------------------------------------- unsubscribe, ping */

TEST(unsubscribe_answers_unsubscribed_and_delivers_no_more)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/all");
    talk_say(a, "{'type':'unsubscribe','data':{'channel':'global:all'}}");
    talk_expect(a, "unsubscribed", "{'channel':'global:all'}");
    assert_int_equal(talk_publish(t, wspool_global("all"), "news", NULL), 1);
    sim_pump(t->s);
    talk_expect_silence(a);
    talk_expect_publication(b, "news", "global:all", talk_at(t, wspool_global("all")), "{}");
    assert_int_equal(abuse_cost(t), 0);
    talk_free(t);
}

TEST(unsubscribe_when_it_is_no_member_answers_not_subscribed)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/room/x");
    talk_join(t, "/all");
    talk_say(p, "{'type':'unsubscribe','data':{'channel':'global:all'}}"); /* another's */
    talk_expect_error(p, "not_subscribed", 0, NULL);
    talk_say(p, "{'type':'unsubscribe','data':{'channel':'topic:nothing'}}"); /* nobody's */
    talk_expect_error(p, "not_subscribed", 0, NULL);
    talk_say(p, "{'type':'unsubscribe','data':{'channel':'item:x'}}");
    talk_expect(p, "unsubscribed", "{'channel':'item:x'}");
    talk_say(p, "{'type':'unsubscribe','data':{'channel':'item:x'}}"); /* its own no more */
    talk_expect_error(p, "not_subscribed", 0, NULL);
    assert_int_equal(abuse_cost(t), 3);
    talk_free(t);
}

TEST(ping_answers_pong_whatever_its_data)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/all");
    talk_say(a, "{'type':'ping'}");
    talk_expect(a, "pong", "{}");
    sim_expect_message(a, 2, "{\"type\":\"pong\",\"data\":{},\"timestamp\":\"" TALK_TIME "\"}");
    talk_say(a, "{'data':{'n':[1,2,{}]},'type':'ping','more':null}");
    talk_expect(a, "pong", "{}");
    talk_expect_silence(b);
    assert_int_equal(abuse_cost(t), 0);
    talk_free(t);
}

/* ----------------------------------------------------------------- action */

/* A handler that records its calls. */
typedef struct note {
    size_t calls;
    const char *answer; /* what it answers */
    const talk *talk;
    wspool_id id;
    char data[600]; /* of the last call */
} note;

static const char *take_note(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                             void *user)
{
    note *n = user;
    int inside = sim_inside;
    char *text;
    sim_inside = 0;
    assert_ptr_equal(json, n->talk->json);
    assert_ptr_equal(pool, n->talk->s->pool);
    assert_true(json_is_object(data));
    text = json_dumps(data, JSON_COMPACT);
    snprintf(n->data, sizeof n->data, "%s", text);
    free(text);
    n->id = id;
    n->calls++;
    sim_inside = inside;
    return n->answer;
}

static int on_action(talk *t, const char *name, note *n)
{
    if (n != NULL)
        n->talk = t;
    return SIM_IN(wspool_json_on_action(t->json, name, n != NULL ? take_note : NULL, n));
}

static int on_type(talk *t, const char *type, note *n)
{
    if (n != NULL)
        n->talk = t;
    return SIM_IN(wspool_json_on(t->json, type, n != NULL ? take_note : NULL, n));
}

TEST(action_is_done_and_acknowledged)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/all");
    note n = {0};
    assert_int_equal(on_action(t, "chat", &n), 0);
    talk_say(a, "{'type':'action','data':{'id':'c0-1','name':'chat','text':'hello'}}");
    talk_expect_ack(a, 1, "done");
    assert_int_equal(n.calls, 1);
    assert_true(n.id == a->id);
    assert_string_equal(n.data, "{\"id\":\"c0-1\",\"name\":\"chat\",\"text\":\"hello\"}");
    talk_expect_silence(a);
    talk_expect_silence(b);
    assert_int_equal(abuse_cost(t), 0);
    talk_free(t);
}

TEST(action_with_a_repeated_id_is_acknowledged_and_not_done_again)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {0};
    note other = {0};
    on_action(t, "chat", &n);
    on_action(t, "other", &other);
    for (int i = 0; i < 5; i++) {
        talk_act(p, 1, "chat");
        talk_expect_ack(p, 1, i == 0 ? "done" : "repeated");
    }
    talk_say(p, "{'type':'action','data':{'id':'c0-1','name':'chat','text':'changed'}}");
    talk_expect_ack(p, 1, "repeated");
    talk_say(p, "{'type':'action','data':{'id':'c0-1','name':'other'}}");
    talk_expect_ack(p, 1, "repeated");
    assert_int_equal(n.calls, 1);
    assert_int_equal(other.calls, 0);
    talk_expect_silence(p);
    talk_free(t);
}

TEST(action_that_was_done_is_acknowledged_when_nobody_handles_it_any_more)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {0};
    on_action(t, "chat", &n);
    talk_act(p, 1, "chat");
    talk_expect_ack(p, 1, "done");
    assert_int_equal(on_action(t, "chat", NULL), 0);
    talk_act(p, 1, "chat");
    talk_expect_ack(p, 1, "repeated");
    talk_act(p, 2, "chat");
    talk_expect_error(p, "unknown_action", 0, "c0-2");
    assert_int_equal(n.calls, 1);
    talk_free(t);
}

TEST(action_that_its_handler_refuses_names_the_code_and_may_be_repeated)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {.answer = "unknown_card"};
    on_action(t, "chat", &n);
    for (int i = 0; i < 2; i++) {
        talk_act(p, 1, "chat");
        talk_expect_error(p, "unknown_card", 0, "c0-1");
    }
    n.answer = "unavailable"; /* a code of the contract says whether to come again */
    talk_act(p, 1, "chat");
    talk_expect_error(p, "unavailable", 1, "c0-1");
    n.answer = "not_allowed";
    talk_act(p, 1, "chat");
    talk_expect_error(p, "not_allowed", 0, "c0-1");
    n.answer = NULL;
    talk_act(p, 1, "chat");
    talk_expect_ack(p, 1, "done");
    assert_int_equal(n.calls, 5);
    talk_act(p, 1, "chat");
    talk_expect_ack(p, 1, "repeated");
    assert_int_equal(n.calls, 5);
    assert_int_equal(abuse_cost(t), 4);
    talk_free(t);
}

TEST(action_that_nobody_handles_answers_unknown_action)
{
    static const char *const names[] = {"", "Chat", "chat ", "cha", "subscribe", "ping", "own"};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {0};
    on_action(t, "chat", &n);
    on_type(t, "own", &n); /* types and actions have nothing to do with one another */
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        talk_print(p, "{\"type\":\"action\",\"data\":{\"id\":\"c0-1\",\"name\":\"%s\"}}", names[i]);
        talk_expect_error(p, "unknown_action", 0, "c0-1");
    }
    assert_int_equal(n.calls, 0);
    assert_int_equal(abuse_cost(t), sizeof names / sizeof *names);
    talk_act(p, 1, "chat"); /* it was not done then */
    talk_expect_ack(p, 1, "done");
    assert_int_equal(n.calls, 1);
    talk_free(t);
}

TEST(action_without_a_name_answers_malformed_and_names_the_id)
{
    static const char *const names[] = {"", ",'name':7", ",'name':null", ",'name':['chat']",
                                        ",'Name':'chat'"};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    char text[100];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(text, sizeof text, "{'type':'action','data':{'id':'c0-1'%s}}", names[i]);
        talk_say(p, text);
        talk_expect_error(p, "malformed", 0, "c0-1");
    }
    talk_free(t);
}

/* --------------------------------------------------------------- own types */

TEST(own_type_is_handled_and_answered_only_when_refused)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {0};
    assert_int_equal(on_type(t, "typing", &n), 0);
    talk_say(p, "{'type':'typing','data':{'card':'7','x':[1,2.5,null]}}");
    assert_string_equal(n.data, "{\"card\":\"7\",\"x\":[1,2.5,null]}");
    assert_true(n.id == p->id);
    talk_say(p, "{'type':'typing'}");
    assert_string_equal(n.data, "{}");
    talk_say(p, "{'data':{'id':'c0-1'},'type':'typing'}");
    assert_int_equal(n.calls, 3);
    talk_expect_silence(p);
    assert_int_equal(abuse_cost(t), 0);
    n.answer = "too_fast";
    talk_say(p, "{'type':'typing','data':{'id':'c0-1'}}");
    talk_expect_error(p, "too_fast", 0, NULL); /* an id names an action */
    assert_int_equal(abuse_cost(t), 1);
    talk_free(t);
}

TEST(own_type_can_be_replaced_and_taken_away)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n[4] = {{0}, {0}, {0}, {0}};
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(on_type(t, names[i], &n[i]), 0);
    assert_int_equal(on_type(t, "b", &n[3]), 0);
    talk_say(p, "{'type':'b'}");
    assert_int_equal(n[1].calls, 0);
    assert_int_equal(n[3].calls, 1);
    for (int again = 0; again < 2; again++) { /* what isn't there may be taken away, too */
        assert_int_equal(on_type(t, "b", NULL), 0);
        talk_say(p, "{'type':'b'}");
        talk_expect_error(p, "unknown_type", 0, NULL);
    }
    talk_say(p, "{'type':'a'}");
    talk_say(p, "{'type':'c'}");
    assert_int_equal(n[0].calls, 1);
    assert_int_equal(n[2].calls, 1);
    assert_int_equal(on_type(t, "b", &n[1]), 0); /* and come back */
    talk_say(p, "{'type':'b'}");
    assert_int_equal(n[1].calls, 1);
    assert_int_equal(n[3].calls, 1);
    assert_int_equal(on_type(t, "a", NULL), 0);
    assert_int_equal(on_type(t, "c", NULL), 0);
    talk_say(p, "{'type':'b'}");
    assert_int_equal(n[1].calls, 2);
    talk_expect_silence(p);
    talk_free(t);
}

TEST(own_action_can_be_replaced_and_taken_away)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {0};
    note m = {0};
    on_action(t, "chat", &n);
    on_action(t, "chat", &m);
    talk_act(p, 1, "chat");
    talk_expect_ack(p, 1, "done");
    assert_int_equal(n.calls, 0);
    assert_int_equal(m.calls, 1);
    on_action(t, "chat", NULL);
    talk_act(p, 2, "chat");
    talk_expect_error(p, "unknown_action", 0, "c0-2");
    talk_free(t);
}

TEST(types_of_the_contract_cannot_be_replaced)
{
    static const char *const own[] = {"subscribe", "unsubscribe", "ping", "action"};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {0};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(on_type(t, own[i], &n), WSPOOL_ERR_INVAL);
        assert_int_equal(on_type(t, own[i], NULL), WSPOOL_ERR_INVAL);
        assert_int_equal(on_action(t, own[i], &n), 0); /* as names of actions they are free */
    }
    talk_say(p, "{'type':'ping'}");
    talk_expect(p, "pong", "{}");
    assert_int_equal(n.calls, 0);
    talk_say(p, "{'type':'action','data':{'id':'c0-1','name':'ping'}}");
    talk_expect_ack(p, 1, "done");
    assert_int_equal(n.calls, 1);
    talk_free(t);
}

TEST(registration_when_something_is_missing_answers_inval)
{
    talk *t = talk_default();
    assert_int_equal(wspool_json_on(NULL, "x", take_note, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_on(t->json, NULL, take_note, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_on(t->json, "", take_note, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_on_action(NULL, "x", take_note, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_on_action(t->json, NULL, take_note, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_on_action(t->json, "", take_note, NULL), WSPOOL_ERR_INVAL);
    talk_free(t);
}

TEST(registration_copies_the_name)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    char name[] = "typing";
    note n = {0};
    on_type(t, name, &n);
    memset(name, 'x', sizeof name - 1);
    talk_say(p, "{'type':'typing'}");
    assert_int_equal(n.calls, 1);
    talk_free(t);
}

TEST(type_that_nobody_handles_answers_unknown_type)
{
    static const char *const types[] = {"",     "Ping",  "ping ",      "pin",         "chat",
                                        "pong", "error", "subscribed", "\xc3\xa4\\n", "draining"};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    note n = {0};
    on_action(t, "chat", &n);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        talk_print(p, "{\"type\":\"%s\",\"data\":{\"id\":\"x\"}}", types[i]);
        talk_expect_error(p, "unknown_type", 0, NULL);
        assert_int_equal(abuse_cost(t), i + 1);
    }
    sim_expect_open(p);
    assert_int_equal(n.calls, 0);
    talk_free(t);
}

/* ------------------------------------------------------------ publications */

TEST(publication_carries_channel_epoch_offset_data_and_time)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/room/K%C3%A4se");
    wspool_tally tally = {.size = sizeof tally};
    wspool_channel_position at;
    char text[300];
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    int n;
    at = talk_at(t, wspool_item("K\xc3\xa4se"));
    for (uint64_t i = 1; i <= 3; i++) {
        n = SIM_IN(
            wspool_json_broadcast(t->json, t->s->pool, wspool_item("K\xc3\xa4se"), "card_updated",
                                  json_pack("{s:s, s:n}", "id", "7", "title"), NULL, &tally));
        assert_int_equal(n, 1);
        assert_int_equal(tally.queued, 1);
        assert_true(tally.position.epoch == at.epoch);
        assert_true(tally.position.offset == i);
        sim_pump(t->s);
        talk_expect_publication(p, "card_updated", "item:K\xc3\xa4se", tally.position,
                                "{'id':'7','title':null}");
    }
    wspool_json_epoch_write(at.epoch, epoch);
    snprintf(text, sizeof text,
             "{\"type\":\"card_updated\",\"channel\":\"item:K\xc3\xa4se\",\"epoch\":\"%s\","
             "\"offset\":3,\"data\":{\"id\":\"7\",\"title\":null},\"timestamp\":\"" TALK_TIME "\"}",
             epoch);
    sim_expect_message(p, 4, text); /* as the header shows it */
    talk_free(t);
}

TEST(publication_says_the_time_of_its_clock)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    t->clock = UINT64_C(1709251199999);
    sim_pass(t->s, MS); /* the pool's clock is read once in a millisecond */
    t->time = "2024-02-29T23:59:59.999Z";
    talk_publish(t, wspool_global("all"), "news", NULL);
    sim_pump(t->s);
    talk_expect_publication(p, "news", "global:all", talk_at(t, wspool_global("all")), "{}");
    t->clock++;
    t->time = "2024-03-01T00:00:00.000Z";
    talk_say(p, "{'type':'ping'}");
    talk_expect(p, "pong", "{}");
    talk_free(t);
}

TEST(publication_is_encoded_once_whatever_the_members)
{
    static const int members[] = {0, 1, 2, 17, 60};
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        talk *t = talk_default();
        wspool_statistics before;
        wspool_statistics after;
        for (int n = 0; n < members[i]; n++)
            talk_join(t, "/all");
        before = sim_stats(t->s);
        assert_int_equal(talk_publish(t, wspool_global("all"), "news", "{'n':1}"), members[i]);
        after = sim_stats(t->s);
        assert_int_equal(after.encoded - before.encoded, members[i] > 0);
        assert_int_equal(after.queued - before.queued, members[i]);
        sim_pump(t->s);
        for (int n = 0; n < members[i]; n++)
            talk_expect_publication(t->s->peers[n], "news", "global:all",
                                    talk_at(t, wspool_global("all")), "{'n':1}");
        talk_free(t);
    }
}

TEST(publications_count_for_each_channel_by_itself)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/room/x");
    wspool_channel_position x = talk_at(t, wspool_item("x"));
    wspool_channel_position y;
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:y'}}");
    talk_skip(p);
    y = talk_at(t, wspool_item("y"));
    assert_true(x.epoch != y.epoch);
    for (int i = 0; i < 5; i++) {
        talk_publish(t, wspool_item("x"), "news", NULL);
        talk_publish(t, wspool_item("y"), "news", NULL);
        talk_publish(t, wspool_item("y"), "news", NULL);
        sim_pump(t->s);
        x.offset++;
        talk_expect_publication(p, "news", "item:x", x, "{}");
        y.offset++;
        talk_expect_publication(p, "news", "item:y", y, "{}");
        y.offset++;
        talk_expect_publication(p, "news", "item:y", y, "{}");
    }
    talk_free(t);
}

TEST(publication_free_list_the_one_that_the_options_name)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/all");
    wspool_send_options options = {.size = sizeof options, .except = a->id};
    int n;
    t->loose = 1; /* `a` will miss an offset */
    n = SIM_IN(wspool_json_broadcast(t->json, t->s->pool, wspool_global("all"), "news", NULL,
                                     &options, NULL));
    assert_int_equal(n, 1);
    sim_pump(t->s);
    talk_expect_silence(a);
    talk_expect_publication(b, "news", "global:all", talk_at(t, wspool_global("all")), "{}");
    talk_free(t);
}

TEST(publication_may_have_any_data)
{
    static const char *const data[] = {"{}", "{'deep':[[[{'x':[]}]]]}",
                                       "{'n':-1,'r':0.1,'b':true,'z':null}", "[1,'two']",
                                       "{'\\\"\\\\\\n':'\xe2\x80\xa8\xf0\x9f\x8e\xa8'}"};
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    for (size_t i = 0; i < sizeof data / sizeof *data; i++) {
        talk_publish(t, wspool_global("all"), "news", data[i]);
        sim_pump(t->s);
        talk_expect_publication(p, "news", "global:all", talk_at(t, wspool_global("all")), data[i]);
    }
    talk_free(t);
}

/* ----------------------------------------------------------------- refusals */

/* Data with two references: one of the test, one to give away. */
static json_t *shared(json_t *data)
{
    return json_incref(data);
}

TEST(broadcast_releases_its_data_whatever_it_answers)
{
    static const struct {
        enum wspool_kind kind;
        const char *name;
        size_t len;
        int answer;
    } table[] = {
        {WSPOOL_GLOBAL, "all", 3, 1},
        {WSPOOL_GLOBAL, "nobody", 6, 0},
        {WSPOOL_ITEM, "\xff", 1, WSPOOL_ERR_INVAL},
        {WSPOOL_ITEM, "a\xc3", 2, WSPOOL_ERR_INVAL},
        {WSPOOL_ITEM, "\xed\xa0\x80", 3, WSPOOL_ERR_INVAL}, /* half a surrogate pair */
        {WSPOOL_ITEM, "\xc0\xaf", 2, WSPOOL_ERR_INVAL},     /* longer than need be */
        {WSPOOL_ITEM, "a\0b", 3, WSPOOL_ERR_INVAL},
        {WSPOOL_ITEM, "\0", 1, WSPOOL_ERR_INVAL},
        {WSPOOL_NONE, "all", 3, WSPOOL_ERR_INVAL},
        {(enum wspool_kind)5, "all", 3, WSPOOL_ERR_INVAL},
        {WSPOOL_GLOBAL, NULL, 3, WSPOOL_ERR_INVAL},
    };
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    json_t *data = json_pack("{s:i}", "n", 1);
    wspool *pool = t->s->pool;
    wspool_channel all = wspool_global("all");
    wspool_send_options bad = {.size = sizeof bad, .flags = 0xff};
    wspool_tally none = {.size = 1};
#define BROADCAST(...) SIM_IN(wspool_json_broadcast(__VA_ARGS__))
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        wspool_channel channel = wspool_channel_of(table[i].kind, table[i].name, table[i].len);
        assert_int_equal(BROADCAST(t->json, pool, channel, "news", shared(data), NULL, NULL),
                         table[i].answer);
        assert_int_equal(data->refcount, 1);
    }
    assert_int_equal(BROADCAST(NULL, pool, all, "news", shared(data), NULL, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(BROADCAST(t->json, NULL, all, "news", shared(data), NULL, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(BROADCAST(t->json, pool, all, NULL, shared(data), NULL, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(BROADCAST(t->json, pool, all, "news", shared(data), &bad, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(BROADCAST(t->json, pool, all, "news", shared(data), NULL, &none),
                     WSPOOL_ERR_INVAL);
    assert_true(BROADCAST(t->json, pool, all, "\xff", shared(data), NULL, NULL) < 0);
    assert_int_equal(data->refcount, 1);
    assert_int_equal(talk_at(t, all).offset, 1); /* what failed has used no offset */
    sim_pump(t->s);
    talk_expect_publication(p, "news", "global:all", talk_at(t, all), "{'n':1}");
    talk_expect_silence(p);
    json_decref(data);
    talk_free(t);
}

TEST(broadcast_that_fits_no_queue_answers_too_big_and_uses_no_offset)
{
    talk *t = talk_new();
    sim_peer *p;
    char text[5000] = "";
    int n;
    t->s->config.queue_bytes = 4096;
    talk_start(t);
    p = talk_join(t, "/all");
    memset(text, 'x', sizeof text - 1);
    n = SIM_IN(wspool_json_broadcast(t->json, t->s->pool, wspool_global("all"), "news",
                                     json_pack("{s:s}", "text", text), NULL, NULL));
    assert_int_equal(n, WSPOOL_ERR_TOO_BIG);
    assert_int_equal(talk_at(t, wspool_global("all")).offset, 0);
    n = SIM_IN(
        wspool_json_send(t->json, t->s->pool, p->id, "news", json_pack("{s:s}", "text", text)));
    assert_int_equal(n, WSPOOL_ERR_TOO_BIG);
    sim_pump(t->s);
    talk_expect_silence(p);
    talk_free(t);
}

TEST(send_says_it_to_one_peer)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/all");
    json_t *data = json_pack("{s:i}", "n", 1);
    int n;
    n = SIM_IN(wspool_json_send(t->json, t->s->pool, a->id, "hint", shared(data)));
    assert_int_equal(n, 0);
    assert_int_equal(data->refcount, 1);
    n = SIM_IN(wspool_json_send(t->json, t->s->pool, a->id, "hint", NULL));
    assert_int_equal(n, 0);
    sim_pump(t->s);
    talk_expect(a, "hint", "{'n':1}");
    talk_expect(a, "hint", "{}");
    talk_expect_silence(a);
    talk_expect_silence(b);
    json_decref(data);
    talk_free(t);
}

TEST(send_and_error_answer_what_is_wrong_and_release_the_data)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    sim_peer *gone = talk_join(t, "/all");
    json_t *data = json_pack("{s:i}", "n", 1);
    wspool *pool = t->s->pool;
#define SEND(...) SIM_IN(wspool_json_send(__VA_ARGS__))
#define ERROR(...) SIM_IN(wspool_json_error(__VA_ARGS__))
    sim_cut(gone, WSPOOL_GONE_FAILED);
    sim_pump(t->s);
    assert_int_equal(SEND(t->json, pool, gone->id, "x", shared(data)), WSPOOL_ERR_STALE);
    assert_int_equal(ERROR(t->json, pool, gone->id, "x", "x", 0), WSPOOL_ERR_STALE);
    assert_int_equal(SEND(t->json, pool, 0, "x", shared(data)), WSPOOL_ERR_STALE);
    assert_int_equal(SEND(NULL, pool, p->id, "x", shared(data)), WSPOOL_ERR_INVAL);
    assert_int_equal(SEND(t->json, NULL, p->id, "x", shared(data)), WSPOOL_ERR_INVAL);
    assert_int_equal(SEND(t->json, pool, p->id, NULL, shared(data)), WSPOOL_ERR_INVAL);
    assert_int_equal(ERROR(NULL, pool, p->id, "x", "x", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(ERROR(t->json, NULL, p->id, "x", "x", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(ERROR(t->json, pool, p->id, NULL, "x", 0), WSPOOL_ERR_INVAL);
    assert_int_equal(ERROR(t->json, pool, p->id, "x", NULL, 0), WSPOOL_ERR_INVAL);
    /* what can't be written is not said, rather than said without its members */
    assert_true(SEND(t->json, pool, p->id, "\xff", shared(data)) < 0);
    assert_true(ERROR(t->json, pool, p->id, "\xff", "x", 0) < 0);
    assert_true(ERROR(t->json, pool, p->id, "x", "\xff", 0) < 0);
    assert_int_equal(data->refcount, 1);
    sim_pump(t->s);
    talk_expect_silence(p);
    assert_int_equal(SIM_IN(wspool_close(pool, p->id, 1000, NULL, 0)), 0);
    assert_int_equal(SEND(t->json, pool, p->id, "x", shared(data)), WSPOOL_ERR_STATE);
    assert_int_equal(data->refcount, 1);
    json_decref(data);
    talk_free(t);
}

TEST(error_says_code_message_and_retry)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    assert_int_equal(ERROR(t->json, t->s->pool, p->id, "busy", "the board is full", 0), 0);
    assert_int_equal(ERROR(t->json, t->s->pool, p->id, "busy", "caf\xc3\xa9", 42), 0);
    sim_pump(t->s);
    talk_expect(p, "error", "{'code':'busy','message':'the board is full','retry':false}");
    talk_expect(p, "error", "{'code':'busy','message':'caf\xc3\xa9','retry':true}");
    assert_int_equal(abuse_cost(t), 0); /* the host's own decision */
    talk_free(t);
}

/* ----------------------------------------------------------------- draining */

TEST(drain_tells_everybody_and_then_drains)
{
    static const struct {
        uint64_t window;
        const char *data;
    } table[] = {{5 * SEC, "{'seconds':5}"},
                 {5 * SEC + 1, "{'seconds':6}"},
                 {1, "{'seconds':1}"},
                 {0, "{'seconds':0}"},
                 {WSPOOL_TIME_MAX, "{'seconds':3162240000}"}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        talk *t = talk_default();
        sim_peer *peers[5];
        for (size_t n = 0; n < 5; n++)
            peers[n] = talk_join(t, n % 2 ? "/all" : "/echo");
        assert_int_equal(SIM_IN(wspool_close(t->s->pool, peers[4]->id, 1000, NULL, 0)), 0);
        peers[4]->mute_close = 1;
        assert_int_equal(SIM_IN(wspool_json_drain(t->json, t->s->pool, table[i].window, t->s->now)),
                         0);
        sim_pump(t->s);
        for (size_t n = 0; n < 4; n++) {
            talk_expect(peers[n], "draining", table[i].data);
            talk_expect_silence(peers[n]);
        }
        talk_expect_silence(peers[4]); /* it is closing already */
        sim_pump(t->s);
        sim_refused(t->s, &(client_request){0}, 503, "draining");
        if (table[i].window < 10 * SEC) {
            sim_pass(t->s, 10 * SEC);
            for (size_t n = 0; n < 4; n++)
                sim_expect_close(peers[n], WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
        }
        talk_free(t);
    }
}

TEST(drain_tells_the_only_one_there_is)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, t->s->pool, 60 * SEC, t->s->now)), 0);
    sim_pump(t->s);
    talk_expect(p, "draining", "{'seconds':60}");
    talk_free(t);
}

TEST(drain_when_called_again_tells_the_new_window)
{
    talk *t = talk_default();
    sim_peer *peers[] = {talk_join(t, "/all"), talk_join(t, "/all"), talk_join(t, "/all")};
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, t->s->pool, 600 * SEC, t->s->now)), 0);
    sim_pump(t->s);
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, t->s->pool, 0, t->s->now)), 0);
    sim_pump(t->s);
    int told = 0;
    for (size_t i = 0; i < 3; i++) {
        talk_expect(peers[i], "draining", "{'seconds':600}");
        if (peers[i]->reader.messages ==
            4) { /* the one that was closed at once is not told again */
            talk_expect(peers[i], "draining", "{'seconds':0}");
            told++;
        }
        sim_expect_close(peers[i], WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
    }
    assert_int_equal(told, 2);
    talk_free(t);
}

TEST(drain_that_cannot_be_tells_nobody)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    wspool *pool = t->s->pool;
    assert_int_equal(wspool_json_drain(NULL, pool, SEC, t->s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_drain(t->json, NULL, SEC, t->s->now), WSPOOL_ERR_INVAL);
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, pool, WSPOOL_TIME_MAX + 1, t->s->now)),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, pool, UINT64_MAX, t->s->now)),
                     WSPOOL_ERR_INVAL);
    sim_pump(t->s);
    talk_expect_silence(p);
    sim_expect_open(talk_join(t, "/all"));
    talk_free(t);
}

TEST(drain_of_an_empty_pool_works)
{
    talk *t = talk_default();
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, t->s->pool, SEC, t->s->now)), 0);
    sim_refused(t->s, &(client_request){0}, 503, "draining");
    talk_free(t);
}

TEST(drain_while_a_hosted_peer_is_not_adopted_yet_lets_it_hear_its_greeting_first)
{
    talk *t = talk_default();
    wspool_answer answer;
    sim_peer *p;
    assert_int_equal(sim_upgrade(t->s, &(client_request){.target = "/all"}, &answer, &p),
                     WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, t->s->pool, 60 * SEC, t->s->now)), 0);
    assert_int_equal(sim_adopt(p, NULL, 0), 0);
    sim_pump(t->s);
    talk_skip(p); /* the judge wants connection_established first */
    sim_pass(t->s, 61 * SEC);
    sim_expect_close(p, WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
    talk_free(t);
}

/* SPDX-License-Identifier: MIT */
/*
 * json/test_shared.c - a second, tiny contract beside wspool.v1.json: lines of text,
 * "OFFSET TYPE DATA\n", with the subprotocol "lines". Peers of both share channels, live, after an
 * absence, and with keys.
 */
#include "talk.h"

#define X wspool_session("x")

static char line[300];
static int rendered;

static int render_line(const wspool_publication *p, wspool_text *message, void *user)
{
    (void)user;
    rendered++;
    int n = snprintf(line, sizeof line, "%d %.*s%s %.*s\n", (int)p->offset, (int)p->type.len,
                     p->type.data, p->removed ? " removed" : "", (int)p->data.len, p->data.data);
    *message = (wspool_text){line, (size_t)n};
    return 0;
}

static int hear_line(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    (void)user;
    assert_int_equal(wspool_send(pool, id, message->data, message->len, NULL), 0);
    return 0;
}

/* A history of sessions; JSON is attached first, so it is the contract of peers without
 * subprotocol. */
static talk *begin(uint32_t messages, uint32_t max_keys)
{
    talk *t = talk_new();
    t->history = (wspool_history){.messages = messages, .max_keys = max_keys};
    assert_int_equal(talk_start(t), 0);
    wspool_handlers lines = {
        .size = sizeof lines, .subprotocol = "lines", .message = hear_line, .render = render_line};
    assert_int_equal(SIM_IN(wspool_attach(t->s->pool, &lines)), 0);
    rendered = 0;
    return t;
}

static sim_peer *join(talk *t, const char *target, const char *subprotocol)
{
    client_request request = {.target = target, .protocol = subprotocol};
    sim_peer *p = sim_connect(t->s, &request);
    if (subprotocol != NULL && strcmp(subprotocol, "lines") == 0)
        t->others |= UINT64_C(1) << p->number;
    sim_pump(t->s);
    sim_expect_open(p);
    return p;
}

static int put(talk *t, const char *key, const char *data)
{
    wspool_send_options options = {.size = sizeof options, .key = wspool_text_of(key)};
    options.flags = data == NULL ? WSPOOL_REMOVE : 0;
    return SIM_IN(wspool_json_broadcast(t->json, t->s->pool, X, data == NULL ? "removed" : "put",
                                        data == NULL ? NULL : talk_json(data), &options, NULL));
}

static void resume(sim_peer *p, uint64_t offset)
{
    talk *t = p->sim->test;
    wspool_channel_position since = {talk_at(t, X).epoch, offset};
    wspool_resumed resumed = {.size = sizeof resumed};
    assert_int_equal(SIM_IN(wspool_resume(t->s->pool, p->id, X, &since, &resumed)), 0);
    assert_int_equal(resumed.recovered, 1);
    sim_pump(t->s);
}

TEST(publication_reaches_peers_of_both_contracts)
{
    talk *t = begin(10, 0);
    sim_peer *lines = join(t, "/kept/x", "lines");
    sim_peer *p = join(t, "/kept/x", WSPOOL_JSON_SUBPROTOCOL), *q = join(t, "/kept/x", NULL);
    assert_int_equal(lines->reader.messages, 0); /* it is no peer of the JSON contract */
    talk_next(p);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "");
    talk_skip(q);
    assert_int_equal(talk_publish(t, X, "news", "{'n':1}"), 3);
    wspool_text data = {"[1, 2]", 6}; /* by the host itself */
    assert_int_equal(
        SIM_IN(wspool_publish(t->s->pool, X, wspool_text_of("news"), data, NULL, NULL)), 3);
    sim_pump(t->s);
    sim_expect_message(lines, 0, "1 news {\"n\":1}\n");
    sim_expect_message(lines, 1, "2 news [1, 2]\n");
    for (int i = 0; i < 2; i++) {
        wspool_channel_position at = {talk_at(t, X).epoch, 1};
        talk_expect_publication(i ? q : p, "news", "session:x", at, "{'n':1}");
        at.offset = 2;
        talk_expect_publication(i ? q : p, "news", "session:x", at, "[1,2]");
    }
    assert_int_equal(rendered, 2);
    talk_free(t);
}

TEST(peers_of_both_contracts_resume_the_same_messages)
{
    talk *t = begin(10, 0);
    for (int i = 0; i < 5; i++)
        talk_publish(t, X, "news", NULL);
    sim_peer *lines = join(t, "/echo", "lines"), *p = talk_join(t, "/echo");
    resume(lines, 2);
    assert_int_equal(lines->reader.messages, 3);
    sim_expect_message(lines, 0, "3 news {}\n");
    sim_expect_message(lines, 2, "5 news {}\n");
    char epoch[WSPOOL_JSON_EPOCH_MAX];
    wspool_json_epoch_write(talk_at(t, X).epoch, epoch);
    talk_print(p,
               "{\"type\":\"subscribe\",\"data\":{\"channel\":\"session:x\","
               "\"since\":{\"epoch\":\"%s\",\"offset\":2}}}",
               epoch);
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
    wspool_channel_position at = talk_at(t, X);
    for (at.offset = 3; at.offset <= 5; at.offset++)
        talk_expect_publication(p, "news", "session:x", at, "{}");
    assert_int_equal(rendered, 5); /* when they were published */
    talk_free(t);
}

TEST(peers_of_both_contracts_get_the_state_of_a_keyed_channel)
{
    talk *t = begin(2, 10);
    put(t, "a", "{'n':1}");
    put(t, "b", "{'n':2}");
    put(t, "a", NULL);
    put(t, "c", "{'n':3}");
    put(t, "c", "{'n':4}");
    sim_peer *lines = join(t, "/echo", "lines"), *p = talk_join(t, "/echo");
    resume(lines, 0);
    assert_int_equal(lines->reader.messages, 4);
    sim_expect_message(lines, 0, "2 put {\"n\":2}\n");
    sim_expect_message(lines, 1, "3 removed removed {}\n");
    sim_expect_message(lines, 2, "4 put {\"n\":3}\n");
    sim_expect_message(lines, 3, "5 put {\"n\":4}\n");
    talk_say(p, "{'type':'subscribe','data':{'channel':'session:x','since':{'offset':0}}}");
    talk_expect_subscribed(p, "session:x", talk_at(t, X), "recovered");
    talk_expect_keyed(p, X, 2, "b", "{'n':2}");
    talk_expect_keyed(p, X, 3, "a", NULL);
    talk_expect_keyed(p, X, 4, "c", "{'n':3}");
    talk_expect_keyed(p, X, 5, "c", "{'n':4}");
    talk_expect_silence(p);
    talk_free(t);
}

/* The JSON companion leaves other contracts' peers alone: their messages, and a drain. */
TEST(companion_speaks_to_its_own_peers_only)
{
    talk *t = begin(10, 0);
    sim_peer *lines = join(t, "/kept/x", "lines"), *p = talk_join(t, "/kept/x");
    sim_text(lines, "no JSON");
    sim_pump(t->s);
    assert_int_equal(lines->reader.messages, 1);
    sim_expect_message(lines, 0, "no JSON");
    assert_int_equal(sim_stats(t->s).abuse_cost, 0);
    assert_int_equal(SIM_IN(wspool_json_drain(t->json, t->s->pool, SEC, t->s->now)), 0);
    sim_pump(t->s);
    talk_expect(p, "draining", "{'seconds':1}");
    assert_int_equal(lines->reader.messages, 1);
    sim_pass(t->s, 2 * SEC);
    talk_free(t);
}

/* What the JSON contract cannot write is published to nobody. */
TEST(publication_that_is_not_json_is_refused)
{
    talk *t = begin(10, 0);
    static const struct {
        const char *type, *data;
        size_t len;
    } bad[] = {{"news", "{", 1}, {"news", "{}}", 3}, {"\xff", "{}", 2}, {"news", "\"\xff\"", 3}};
    sim_peer *lines = join(t, "/kept/x", "lines");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(SIM_IN(wspool_publish(t->s->pool, X, wspool_text_of(bad[i].type),
                                               (wspool_text){bad[i].data, bad[i].len}, NULL, NULL)),
                         WSPOOL_ERR_INVAL);
    wspool_send_options options = {.size = sizeof options, .key = {"\xff", 1}};
    assert_int_equal(SIM_IN(wspool_publish(t->s->pool, X, wspool_text_of("news"), (wspool_text){0},
                                           &options, NULL)),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(SIM_IN(wspool_publish(t->s->pool, wspool_session("\xff"),
                                           wspool_text_of("news"), (wspool_text){0}, NULL, NULL)),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(talk_at(t, X).offset, 0);
    sim_pump(t->s);
    assert_int_equal(lines->reader.messages, 0);
    talk_free(t);
}

/* Without an attached companion there is no contract. */
TEST(broadcast_without_a_contract_is_refused)
{
    sim *s = sim_default(1);
    wspool_json *json;
    assert_int_equal(wspool_json_new(&json, NULL), 0);
    assert_int_equal(
        wspool_json_broadcast(json, s->pool, wspool_global("all"), "t", NULL, NULL, NULL),
        WSPOOL_ERR_STATE);
    sim_free(s);
    wspool_json_free(json);
}

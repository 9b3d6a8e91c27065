/* SPDX-License-Identifier: MIT */
/*
 * json/test_greeting.c - the first messages to a peer, for each way to connect; creating and
 * attaching the companion.
 */
#include "talk.h"

#include "json/json.h"

/* The next message is connection_established of this peer. */
static void expect_established(sim_peer *p, int heartbeat, const char *server)
{
    const talk *t = p->sim->test;
    char data[200];
    snprintf(data, sizeof data,
             "{'connection':'%llu','heartbeat_seconds':%d,'server':'%s','action_epoch':'%s',"
             "'reconnect_spread':1}",
             (unsigned long long)p->id, heartbeat, server, t->json->config.action_epoch);
    talk_expect(p, "connection_established", data);
}

static void expect_greeting(sim_peer *p)
{
    expect_established(p, 30, "wspool/" WSPOOL_VERSION);
}

/* ---------------------------------------------------------- first messages */

TEST(open_without_a_channel_says_connection_established_only)
{
    for (int way = 0; way < TALK_WAYS; way++) {
        talk *t = talk_by((enum talk_way)way);
        sim_peer *p = talk_come(t, (enum talk_way)way, "/echo");
        expect_greeting(p);
        talk_expect_silence(p);
        talk_free(t);
    }
}

TEST(open_on_a_channels_path_says_subscribed_behind_it)
{
    for (int way = 0; way < TALK_WAYS; way++) {
        talk *t = talk_by((enum talk_way)way);
        sim_peer *a = talk_come(t, (enum talk_way)way, "/all");
        sim_peer *b = talk_come(t, (enum talk_way)way, "/room/x");
        expect_greeting(a);
        talk_expect_subscribed(a, "global:all", talk_at(t, wspool_global("all")), "");
        talk_expect_silence(a); /* nor a message about the other peer */
        expect_greeting(b);
        talk_expect_subscribed(b, "item:x", talk_at(t, wspool_item("x")), "");
        talk_expect_silence(b);
        talk_free(t);
    }
}

TEST(open_says_exactly_what_the_header_shows)
{
    talk *t = talk_new();
    char text[200];
    sim_peer *p;
    t->config.server = "s";
    t->config.action_epoch = "e1";
    talk_start(t);
    p = sim_join(t->s, "/echo");
    snprintf(text, sizeof text,
             "{\"type\":\"connection_established\",\"data\":{\"connection\":\"%llu\","
             "\"heartbeat_seconds\":30,\"server\":\"s\",\"action_epoch\":\"e1\","
             "\"reconnect_spread\":1},\"timestamp\":"
             "\"" TALK_TIME "\"}",
             (unsigned long long)p->id);
    sim_expect_message(p, 0, text);
    talk_free(t);
}

TEST(open_says_the_head_of_a_channel_that_has_gone_on)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/room/x");
    sim_peer *b;
    wspool_channel_position at;
    for (int i = 0; i < 3; i++)
        assert_int_equal(talk_publish(t, wspool_item("x"), "news", "{}"), 1);
    b = sim_join(t->s, "/room/x");
    at = talk_at(t, wspool_item("x"));
    assert_int_equal(at.offset, 3);
    expect_greeting(b);
    talk_expect_subscribed(b, "item:x", at, "");
    talk_expect_silence(b); /* earlier messages are not sent */
    assert_int_equal(talk_publish(t, wspool_item("x"), "news", NULL), 2);
    sim_pump(t->s);
    at.offset = 4;
    talk_expect_publication(b, "news", "item:x", at, "{}");
    (void)a;
    talk_free(t);
}

TEST(open_writes_the_paths_name_as_it_is_decoded)
{
    talk *t = talk_default();
    sim_peer *p = sim_join(t->s, "/room/K%C3%A4se%20%22%5Cx%22%0A");
    const json_t *data;
    expect_greeting(p);
    data = json_object_get(talk_next(p), "data");
    assert_string_equal(json_string_value(json_object_get(data, "channel")),
                        "item:K\xc3\xa4se \"\\x\"\n");
    talk_free(t);
}

/* Publications to this channel cannot be written, so the peer could not receive any. */
TEST(open_when_the_paths_name_is_no_text_is_closed_with_4005)
{
    static const char *const targets[] = {"/room/%FF", "/room/%ED%A0%80", "/room/a%C3",
                                          "/room/%C0%80"};
    talk *t = talk_default();
    for (size_t i = 0; i < 4; i++) {
        sim_peer *p = sim_connect_to(t->s, targets[i]);
        sim_pump(t->s);
        assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_CONTRACT);
    }
    assert_int_equal(sim_stats(t->s).channels, 0);
    talk_free(t);
}

TEST(connection_is_another_for_each_that_comes)
{
    talk *t = talk_default();
    sim_peer *a = sim_join(t->s, "/echo");
    sim_peer *b;
    expect_greeting(a);
    sim_cut(a, WSPOOL_GONE_EOF);
    sim_pump(t->s);
    b = sim_join(t->s, "/echo");
    assert_int_equal(wspool_slot(a->id), wspool_slot(b->id));
    assert_true(a->id != b->id);
    expect_greeting(b); /* which compares with the id */
    talk_free(t);
}

TEST(heartbeat_is_the_ping_interval_in_seconds)
{
    static const struct {
        uint64_t interval;
        int seconds;
    } table[] = {{45 * SEC, 45}, {0, 0}, {1500 * MS, 1}, {999 * MS, 0}, {3600 * SEC, 3600}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        talk *t = talk_new();
        t->s->config.ping_interval = table[i].interval;
        talk_start(t);
        expect_established(sim_join(t->s, "/echo"), table[i].seconds, "wspool/" WSPOOL_VERSION);
        talk_free(t);
    }
}

static double spread_of(sim_peer *p)
{
    json_t *said = json_loadb((char *)p->reader.list[0].data, p->reader.list[0].len, 0, NULL);
    double spread =
        json_number_value(json_object_get(json_object_get(said, "data"), "reconnect_spread"));
    json_decref(said);
    return spread;
}

TEST(reconnect_spread_is_that_of_the_config)
{
    static const uint64_t times[] = {10 * SEC, 1500 * MS, 250 * MS, WSPOOL_TIME_MAX};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        talk *t = talk_new();
        t->config.reconnect_spread = times[i];
        talk_start(t);
        sim_peer *p = sim_join(t->s, "/echo");
        assert_true(spread_of(p) == (double)times[i] / 1e9);
        talk_free(t);
    }
}

/* Those that have gone do not count. */
TEST(reconnect_spread_grows_with_the_peers_that_are_there)
{
    talk *t = talk_new();
    t->s->config.max_peers = 1001;
    talk_start(t);
    for (int i = 1; i <= 1001; i++)
        assert_true(spread_of(sim_join(t->s, "/echo")) == (i <= 500 ? 1 : i <= 1000 ? 3 : 5));
    for (int i = 0; i < 600; i++)
        sim_cut(t->s->peers[i], WSPOOL_GONE_EOF);
    sim_pump(t->s);
    assert_true(spread_of(sim_join(t->s, "/echo")) == 1);
    t->json->peers = 7500;
    assert_true(spread_of(sim_join(t->s, "/echo")) == 30);
    t->json->peers = 100000;
    assert_true(spread_of(sim_join(t->s, "/echo")) == 30);
    talk_free(t);
}

TEST(server_is_the_hosts_own_and_is_copied)
{
    char name[16] = "board/2.0";
    talk *t = talk_new();
    t->config.server = name;
    talk_start(t);
    memset(name, 'x', sizeof name);
    expect_established(sim_join(t->s, "/echo"), 30, "board/2.0");
    talk_free(t);
}

/* --------------------------------------------------- a position in the query */

/* $E is the epoch, $U the same in capitals, $N another one. */
static const struct {
    const char *query;
    const char *met;
} queries[] = {
    {"", ""},
    {"?", ""},
    {"?a=b", ""},
    {"?epoch=$E&offset=3", "recovered"},
    {"?offset=3&epoch=$E", "recovered"},
    {"?&&epoch=$E&&offset=3&", "recovered"},
    {"?a=b&epoch=$E&c&offset=3&d=", "recovered"},
    {"?epoch=$E&epoch=1&offset=3", "recovered"}, /* the first one counts */
    {"?epoch=$E&offset=2", "too_old"},
    {"?epoch=$E&offset=0", "too_old"},
    {"?epoch=$E&offset=4", "unknown_offset"},
    {"?epoch=$E&offset=9007199254740991", "unknown_offset"},
    {"?epoch=$E&offset=9007199254740992", "unknown_offset"},
    {"?epoch=$E&offset=9223372036854775807", "unknown_offset"},
    {"?epoch=$E&offset=9223372036854775811", "unknown_offset"},  /* 2^63 + 3 */
    {"?epoch=$E&offset=18446744073709551619", "unknown_offset"}, /* 2^64 + 3 */
    {"?epoch=$E&offset=99999999999999999999999999999999999999", "unknown_offset"},
    {"?epoch=$E", "unknown_offset"},
    {"?epoch=$E&offset", "unknown_offset"},
    {"?epoch=$E&offset=", "unknown_offset"},
    {"?epoch=$E&offset=-3", "unknown_offset"},
    {"?epoch=$E&offset=+3", "unknown_offset"},
    {"?epoch=$E&offset=3x", "unknown_offset"},
    {"?epoch=$E&offset=0x3", "unknown_offset"},
    {"?epoch=$E&offset=3.0", "unknown_offset"},
    {"?epoch=$E&offset=3e0", "unknown_offset"},
    {"?epoch=$E&offset=%203", "unknown_offset"},
    {"?epoch=$E&offsets=3", "unknown_offset"},
    {"?epoch=$N&offset=3", "epoch_changed"},
    {"?epoch=$N&offset=0", "epoch_changed"},
    {"?epoch=$N", "epoch_changed"},
    {"?epoch=0&offset=3", "epoch_changed"},
    {"?epoch=0$E&offset=3", "epoch_changed"},
    {"?epoch=$E0&offset=3", "epoch_changed"},
    {"?epoch=$U&offset=3", "epoch_changed"},
    {"?epoch=%31&offset=3", "epoch_changed"},
    {"?epoch=zzzzzzzzzzzzz&offset=3", "epoch_changed"},  /* beyond 64 bits */
    {"?epoch=zzzzzzzzzzzzzz&offset=3", "epoch_changed"}, /* and beyond 13 digits */
    {"?epoch=f81d4fae-7dec-11d0-a765-00a0c91e6bf6&offset=3", "epoch_changed"},
    {"?epoch=&offset=3", ""},
    {"?epoch&offset=3", ""},
    {"?offset=3", ""},
    {"?xepoch=$E&offset=3", ""},
    {"?epochs=$E&offset=3", ""},
    {"?Epoch=$E&offset=3", ""},
};

static void write_query(char *out, const char *query, uint64_t epoch)
{
    for (; *query != '\0'; query++) {
        if (*query != '$') {
            *out++ = *query;
            continue;
        }
        wspool_json_epoch_write(*++query == 'N' ? epoch + 1 : epoch, out);
        for (; *out != '\0'; out++)
            if (*query == 'U' && *out >= 'a' && *out <= 'z')
                *out = (char)(*out - 'a' + 'A');
    }
    *out = '\0';
}

TEST(position_in_the_query_is_met_or_says_why_not_by_every_way)
{
    for (int way = 0; way < TALK_WAYS; way++)
        for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
            talk *t = talk_by((enum talk_way)way);
            char target[200] = "/room/x";
            wspool_channel_position at;
            sim_peer *p;
            talk_come(t, (enum talk_way)way, "/room/x");
            for (int n = 0; n < 3; n++)
                assert_int_equal(talk_publish(t, wspool_item("x"), "news", NULL), 1);
            at = talk_at(t, wspool_item("x"));
            assert_int_equal(at.offset, 3);
            write_query(target + strlen(target), queries[i].query, at.epoch);
            p = talk_come(t, (enum talk_way)way, target);
            expect_greeting(p);
            talk_expect_subscribed(p, "item:x", at, queries[i].met);
            talk_expect_silence(p);
            talk_free(t);
        }
}

TEST(position_without_a_channel_says_nothing)
{
    talk *t = talk_default();
    sim_peer *p = sim_join(t->s, "/echo?epoch=1a2b&offset=7");
    expect_greeting(p);
    talk_expect_silence(p);
    talk_free(t);
}

/* A host asks for the position and renders a page; then the client of the page connects. */
TEST(position_of_an_empty_channel_is_met_when_nothing_was_published)
{
    for (int missed = 0; missed < 2; missed++) {
        talk *t = talk_default();
        wspool_channel_position at = talk_at(t, wspool_item("x"));
        char target[200] = "/room/x";
        sim_peer *p;
        assert_int_equal(at.offset, 0);
        if (missed)
            assert_int_equal(talk_publish(t, wspool_item("x"), "news", NULL), 0);
        write_query(target + strlen(target), "?epoch=$E&offset=0", at.epoch);
        p = sim_join(t->s, target);
        expect_greeting(p);
        talk_expect_subscribed(p, "item:x", talk_at(t, wspool_item("x")),
                               missed ? "epoch_changed" : "recovered");
        talk_free(t);
    }
}

/* ------------------------------------------------------------- subprotocol */

static sim_peer *offer(talk *t, const char *protocol, const char *chosen)
{
    client_request request = {.target = "/all", .protocol = protocol};
    char room[80];
    const char *answer;
    sim_peer *p = sim_connect(t->s, &request);
    sim_pump(t->s);
    sim_expect_open(p);
    answer = reader_header(&p->reader, "Sec-WebSocket-Protocol", room, sizeof room);
    if (chosen == NULL)
        assert_null(answer);
    else
        assert_string_equal(answer, chosen);
    return p;
}

TEST(subprotocol_is_chosen_when_offered_and_the_contract_is_the_same_when_not)
{
    static const struct {
        const char *offered;
        const char *chosen;
    } table[] = {{NULL, NULL},
                 {"wspool.v1.json", WSPOOL_JSON_SUBPROTOCOL},
                 {"chat, wspool.v1.json", WSPOOL_JSON_SUBPROTOCOL},
                 {"wspool.v2.json", NULL},
                 {"chat", NULL}};
    talk *t = talk_default();
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        sim_peer *p = offer(t, table[i].offered, table[i].chosen);
        expect_greeting(p);
        talk_expect_subscribed(p, "global:all", talk_at(t, wspool_global("all")), "");
        talk_say(p, "{'type':'ping'}");
        talk_expect(p, "pong", "{}");
    }
    talk_free(t);
}

TEST(subprotocol_is_offered_beside_those_of_the_application)
{
    static const char *const own[] = {"board.v9", NULL};
    talk *t = talk_new();
    t->s->config.subprotocols = own;
    talk_start(t);
    expect_greeting(offer(t, "board.v9", "board.v9"));
    expect_greeting(offer(t, "wspool.v1.json", WSPOOL_JSON_SUBPROTOCOL));
    expect_greeting(offer(t, "wspool.v2.json", NULL));
    talk_free(t);
}

/* --------------------------------------------------- the application's hooks */

static void speak(sim *s, const sim_event *event)
{
    const talk *t = s->test;
    if (event->what == SIM_OPENED)
        assert_int_equal(wspool_json_send(t->json, s->pool, event->id, "welcome", NULL), 0);
}

TEST(open_hook_of_the_application_is_called_behind_the_greeting)
{
    talk *t = talk_default();
    sim_peer *p;
    t->s->react = speak;
    p = sim_join(t->s, "/all");
    assert_int_equal(t->s->counts[SIM_OPENED], 1);
    assert_string_equal(sim_event_of(t->s, SIM_OPENED, 0)->text, "all");
    expect_greeting(p);
    talk_expect_subscribed(p, "global:all", talk_at(t, wspool_global("all")), "");
    talk_expect(p, "welcome", "{}");
    talk_expect_silence(p);
    t->s->react = NULL;
    talk_free(t);
}

TEST(close_hook_of_the_application_is_called_once_with_the_reason)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/all");
    sim_say_close(p, 1000, "bye");
    sim_pump(t->s);
    sim_expect_close(p, WSPOOL_END_PEER_CLOSED, 1000);
    assert_int_equal(t->s->counts[SIM_CLOSED], 1);
    talk_free(t);
}

TEST(hooks_need_not_be_there)
{
    talk *t = talk_new();
    sim_peer *p;
    t->hookless = 1;
    talk_start(t);
    p = talk_join(t, "/room/x");
    talk_say(p, "{'type':'ping'}");
    talk_expect(p, "pong", "{}");
    sim_say_close(p, 1000, NULL);
    sim_pump(t->s);
    sim_expect_close(p, WSPOOL_END_PEER_CLOSED, 1000);
    talk_free(t);
}

static void close_at_once(sim *s, const sim_event *event)
{
    if (event->what == SIM_OPENED)
        assert_int_equal(SIM_IN(wspool_close(s->pool, event->id, 4002, "no", 0)), 0);
}

TEST(open_hook_that_closes_lets_the_greeting_through)
{
    talk *t = talk_default();
    sim_peer *p;
    t->s->react = close_at_once;
    p = sim_connect_to(t->s, "/all");
    sim_pump(t->s);
    sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 4002);
    expect_greeting(p);
    talk_skip(p);
    t->s->react = NULL;
    talk_free(t);
}

static void publish_at_once(sim *s, const sim_event *event)
{
    talk *t = s->test;
    if (event->what == SIM_OPENED)
        assert_true(talk_publish(t, wspool_global("all"), "came", NULL) > 0);
}

TEST(open_hook_that_publishes_is_received_behind_subscribed)
{
    talk *t = talk_default();
    sim_peer *a;
    sim_peer *b;
    wspool_channel_position at;
    t->s->react = publish_at_once;
    a = sim_join(t->s, "/all");
    b = sim_join(t->s, "/all");
    t->s->react = NULL;
    at = talk_at(t, wspool_global("all"));
    assert_int_equal(at.offset, 2);
    expect_greeting(b);
    at.offset = 1;
    talk_expect_subscribed(b, "global:all", at, "");
    at.offset = 2;
    talk_expect_publication(b, "came", "global:all", at, "{}");
    talk_expect_silence(b);
    (void)a; /* the judge looks at it */
    talk_free(t);
}

/* ----------------------------------------------------------- made, attached */

TEST(config_holds_the_defaults_of_the_header)
{
    wspool_json_config config;
    memset(&config, 0xee, sizeof config);
    wspool_json_config_init(&config);
    assert_int_equal(config.size, sizeof config);
    assert_string_equal(config.server, "wspool/" WSPOOL_VERSION);
    assert_int_equal(config.depth, 16);
    assert_int_equal(config.binary, 0);
    assert_true(config.reconnect_spread == 0);
    assert_null(config.subscribe.call);
    assert_non_null(config.clock.call);
    assert_true(config.clock.call(config.clock.user) > TALK_CLOCK / 2);
}

TEST(config_of_an_older_header_gets_what_it_knows)
{
    struct {
        wspool_json_config config;
        unsigned char behind[8];
    } room;
    size_t older = offsetof(wspool_json_config, subscribe);
    wspool_json *json;
    memset(&room, 0xee, sizeof room);
    wspool_json_config_init_sized(&room.config, older);
    assert_int_equal(room.config.size, older);
    assert_int_equal(room.config.depth, 16);
    for (size_t i = older; i < sizeof room; i++)
        assert_int_equal(((unsigned char *)&room)[i], 0xee);
    assert_int_equal(wspool_json_new(&json, &room.config), 0);
    wspool_json_free(json);
    wspool_json_config_init_sized(NULL, sizeof room.config);
    memset(&room, 0xee, sizeof room);
    wspool_json_config_init_sized(&room.config, sizeof(size_t) - 1);
    assert_int_equal(((unsigned char *)&room)[0], 0xee);
    wspool_json_config_init_sized(&room.config, sizeof room); /* of a newer one */
    assert_int_equal(room.config.size, sizeof room);
    assert_int_equal(room.config.depth, 16);
    assert_int_equal(room.behind[0], 0);
}

TEST(new_when_the_config_is_no_good_answers_inval)
{
    wspool_json_config config;
    wspool_json *json = NULL;
    assert_int_equal(wspool_json_new(NULL, NULL), WSPOOL_ERR_INVAL);
#define REFUSES(change) \
    do { \
        wspool_json_config_init(&config); \
        change; \
        json = (wspool_json *)&config; \
        assert_int_equal(wspool_json_new(&json, &config), WSPOOL_ERR_INVAL); \
        assert_null(json); \
    } while (0)
    REFUSES(config.size = 0);
    REFUSES(config.size = sizeof(size_t) - 1);
    REFUSES(config.size = SIZE_MAX);
    REFUSES(config.depth = 0);
    REFUSES(config.depth = 513);
    REFUSES(config.server = NULL);
    REFUSES(config.reconnect_spread = WSPOOL_TIME_MAX + 1);
    REFUSES(config.clock.call = NULL);
    REFUSES(config.action_instances = 0);
    static const char longest[] =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01";
    static const char *const no_epochs[] = {"", "-", "a b", "a-1", "\xc3\xa9", NULL};
    for (size_t i = 0; no_epochs[i] != NULL; i++)
        REFUSES(config.action_epoch = no_epochs[i]);
    char longer[sizeof longest + 1];
    snprintf(longer, sizeof longer, "%s2", longest);
    REFUSES(config.action_epoch = longer);
#undef REFUSES
    wspool_json_config_init(&config);
    config.depth = 512;
    config.action_epoch = longest;
    assert_int_equal(wspool_json_new(&json, &config), 0);
    wspool_json_free(json);
    struct { /* a newer host's: it may know of more, but wish nothing that we can't do */
        wspool_json_config known;
        uint64_t more;
    } newer = {.known = config};
    newer.known.size = sizeof newer;
    assert_int_equal(wspool_json_new(&json, &newer.known), 0);
    wspool_json_free(json);
    newer.more = 1;
    assert_int_equal(wspool_json_new(&json, &newer.known), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_new(&json, NULL), 0);
    wspool_json_free(json);
    wspool_json_free(NULL);
}

TEST(attach_when_an_argument_is_missing_returns_inval)
{
    talk *t = talk_default();
    wspool_json *json;
    assert_int_equal(wspool_json_new(&json, NULL), 0);
    assert_int_equal(wspool_json_attach(NULL, t->s->pool), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_attach(json, NULL), WSPOOL_ERR_INVAL);
    wspool_json_free(json);
    talk_free(t);
}

TEST(attach_a_second_time_returns_exists_and_greets_once)
{
    talk *t = talk_default();
    sim_peer *p;
    assert_int_equal(wspool_json_attach(t->json, t->s->pool), WSPOOL_ERR_EXISTS);
    p = sim_join(t->s, "/echo");
    expect_greeting(p);
    talk_expect_silence(p);
    talk_free(t);
}

static int no_entropy(void *bytes, size_t len, void *user)
{
    (void)bytes, (void)len;
    int *left = user;
    return (*left)-- > 0 ? 0 : -1;
}

TEST(attach_without_entropy_returns_entropy_unless_the_host_gives_an_epoch)
{
    for (int given = 0; given < 2; given++) {
        int left = 1; /* the pool's own */
        wspool_json_config contract;
        wspool_config config;
        wspool_json *json;
        wspool *pool;
        wspool_json_config_init(&contract);
        contract.action_epoch = given ? "7" : NULL;
        wspool_config_init(&config);
        config.entropy = (wspool_entropy_hook){no_entropy, &left};
        assert_int_equal(wspool_new(&pool, &config, SEC), 0);
        assert_int_equal(wspool_json_new(&json, &contract), 0);
        assert_int_equal(wspool_json_attach(json, pool), given ? 0 : WSPOOL_ERR_ENTROPY);
        left = 1; /* after an error it can be attached */
        assert_int_equal(wspool_json_attach(json, pool), given ? WSPOOL_ERR_EXISTS : 0);
        wspool_free(pool);
        wspool_json_free(json);
    }
}

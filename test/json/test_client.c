/* SPDX-License-Identifier: MIT */
/*
 * json/test_client.c - wspool/json_client.h against a pool with the companion, in memory, with a
 * clock that is set by hand: channels, positions, actions, and what a cut or a restart does to
 * them.
 */
#include "../unit/support.h"

#include <stdio.h>

#include <wspool/json_client.h>
#include <wspool/wspool.h>

#define SEC WSPOOL_SECOND
#define PEERS 64

/* ------------------------------------------------------------------- world */

struct world {
    uint64_t now;
    wspool *pool; /* NULL: the server is down */
    wspool_json *json;
    wspool_json_config json_config;
    wspool_history history;
    wspool_clients *clients;
    wspool_json_client *client;
    wspool_json_client_config config;
    wspool_stream streams[PEERS]; /* of each slot of a peer */
    wspool_id peers[PEERS];       /* of each slot of a client */
    int swallow;                  /* the server's output is lost, and then the connection */
    int done;                     /* actions that the server has done */
    int refuses;                  /* the server refuses actions */
    uint64_t expires;             /* of the tokens, in seconds since 1970; 0: none is asked for */
    char token[16];               /* the last one that the server has judged */
    const char *next_token;       /* what the client shows next; NULL: it does nothing */

    char got[4096]; /* what the handlers were told, in words */
    char results[1024];
    int problems;
    void (*in_message)(struct world *w, const wspool_json_publication *publication);
    void (*in_reset)(struct world *w);
    void (*in_subscribed)(struct world *w);
};

static struct world w;

static void note(const char *text)
{
    size_t len = strlen(w.got);
    snprintf(w.got + len, sizeof w.got - len, "%s%s", len ? " " : "", text);
}

/* Compares what was told since the last call. */
static void expect(const char *text)
{
    assert_string_equal(w.got, text);
    w.got[0] = '\0';
}

static int may_subscribe(wspool *pool, wspool_id id, wspool_channel channel, void *user)
{
    (void)pool;
    (void)id;
    (void)user;
    return channel.len == 6 && memcmp(channel.name, "secret", 6) == 0;
}

static const char *do_action(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                             void *user)
{
    (void)json;
    (void)pool;
    (void)id;
    (void)data;
    (void)user;
    if (w.refuses) {
        return "not_now";
    }
    w.done++;
    return NULL;
}

static uint64_t wall_clock(void *user)
{
    (void)user;
    return w.now / WSPOOL_MILLISECOND;
}

static void judge(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                  void *user)
{
    (void)pool;
    (void)id;
    (void)user;
    snprintf(w.token, sizeof w.token, "%.*s", (int)request->token.len, request->token.data);
    out->kind = strcmp(w.token, "bad") == 0 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
    out->expires = w.expires;
}

static void serve(void)
{
    wspool_config config;
    wspool_route_options options;
    wspool_config_init(&config);
    config.wall_clock.call = wall_clock;
    config.token.call = w.expires ? judge : NULL;
    wspool_route_options_init(&options, &config);
    options.history = w.history;
    assert_int_equal(wspool_new(&w.pool, &config, w.now), 0);
    assert_int_equal(wspool_json_new(&w.json, &w.json_config), 0);
    assert_int_equal(wspool_json_on_action(w.json, "act", do_action, NULL), 0);
    assert_int_equal(wspool_json_attach(w.json, w.pool), 0);
    assert_int_equal(wspool_route(w.pool, "/all", WSPOOL_GLOBAL, NULL), 0);
    assert_int_equal(wspool_route(w.pool, "/item/{id}", WSPOOL_ITEM, &options), 0);
}

static void pump(void);

/* The server is killed. */
static void kill_server(void)
{
    wspool_free(w.pool);
    wspool_json_free(w.json);
    w.pool = NULL;
    for (int i = 0; i < PEERS; i++) {
        if (w.streams[i]) {
            wspool_stream stream = w.streams[i];
            w.streams[i] = 0;
            w.peers[stream & UINT32_MAX] = 0;
            wspool_clients_gone(w.clients, stream, w.now);
        }
    }
    pump();
}

static void to_server(void)
{
    wspool_stream stream;
    wspool_id id;
    unsigned wants;
    while (wspool_clients_next(w.clients, &stream, &id, &wants) == 1) {
        uint32_t slot = (uint32_t)(stream & UINT32_MAX);
        if (wants == WSPOOL_CLIENT_CONNECT) {
            if (!w.pool || wspool_open(w.pool, NULL, w.now, &id) < 0) {
                wspool_clients_gone(w.clients, stream, w.now);
                continue;
            }
            w.peers[slot] = id;
            w.streams[wspool_slot(id)] = stream;
            wspool_clients_connected(w.clients, stream, w.now);
        } else if (wants == WSPOOL_CLIENT_WRITE) {
            const void *bytes;
            size_t len;
            assert_int_equal(wspool_clients_peek(w.clients, stream, &bytes, &len), 0);
            wspool_feed(w.pool, w.peers[slot], bytes, len, w.now);
            wspool_clients_ack(w.clients, stream, len, w.now);
        } else {
            w.streams[wspool_slot(w.peers[slot])] = 0;
            wspool_gone(w.pool, w.peers[slot], WSPOOL_GONE_EOF, w.now);
            w.peers[slot] = 0;
        }
    }
}

static int to_clients(void)
{
    wspool_id id;
    unsigned wants;
    int some = 0;
    while (w.pool && wspool_next(w.pool, &id, &wants) == 1) {
        wspool_stream stream = w.streams[wspool_slot(id)];
        if (wants & WSPOOL_WRITE) {
            struct iovec vectors[16];
            char bytes[65536];
            size_t len = 0;
            int count = wspool_peek(w.pool, id, vectors, 16);
            for (int i = 0; i < count; i++) {
                assert_true(len + vectors[i].iov_len <= sizeof bytes);
                memcpy(bytes + len, vectors[i].iov_base, vectors[i].iov_len);
                len += vectors[i].iov_len;
            }
            wspool_ack(w.pool, id, len, w.now);
            if (stream && !w.swallow) {
                wspool_clients_feed(w.clients, stream, bytes, len, w.now);
            }
        }
        if (wants & WSPOOL_CLOSE) {
            wspool_release(w.pool, id);
            w.streams[wspool_slot(id)] = 0;
            if (stream) {
                w.peers[stream & UINT32_MAX] = 0;
                wspool_clients_gone(w.clients, stream, w.now);
            }
        }
        some = 1;
    }
    return some;
}

static void pump(void)
{
    do {
        to_server();
    } while (to_clients() || wspool_clients_deadline(w.clients) == 0);
    assert_true(wspool_clients_check(w.clients));
}

static void pass(uint64_t time)
{
    for (uint64_t end = w.now + time; w.now < end;) {
        w.now += SEC / 20;
        if (w.pool) {
            wspool_tick(w.pool, w.now);
        }
        wspool_clients_tick(w.clients, w.now);
        pump();
    }
}

/* The connection is cut. What the server has written meanwhile is lost. */
static void cut(void)
{
    for (int i = 0; i < PEERS; i++) {
        if (w.streams[i]) {
            wspool_stream stream = w.streams[i];
            w.streams[i] = 0;
            wspool_gone(w.pool, w.peers[stream & UINT32_MAX], WSPOOL_GONE_FAILED, w.now);
            w.peers[stream & UINT32_MAX] = 0;
            wspool_clients_gone(w.clients, stream, w.now);
        }
    }
    w.swallow = 0;
    pump();
}

static void publish(const char *item, const char *type)
{
    if (w.pool) {
        wspool_json_broadcast(w.json, w.pool, wspool_item(item), type, NULL, NULL, NULL);
    }
}

/* ---------------------------------------------------------------- handlers */

static void on_publication(wspool_json_client *client, const wspool_json_publication *publication,
                           void *user)
{
    char text[64];
    (void)user;
    snprintf(text, sizeof text, "%s@%d", publication->type, (int)publication->offset);
    note(text);
    const char *epoch;
    uint64_t offset;
    if (wspool_json_client_position(client, publication->channel, &epoch, &offset) == 1) {
        assert_int_equal(offset, publication->offset); /* it is moved before the handler runs */
    }
    if (w.in_message) {
        w.in_message(&w, publication);
    }
}

static void on_reset(wspool_json_client *client, const wspool_json_reset *reset, void *user)
{
    char text[64];
    (void)client;
    (void)user;
    snprintf(text, sizeof text, "%s:%d", reset->reason, (int)reset->offset);
    note(text);
    if (w.in_reset) {
        w.in_reset(&w);
    }
}

static void on_subscribed(wspool_json_client *client, const char *channel, int recovered,
                          uint64_t behind, void *user)
{
    char text[64];
    (void)client;
    (void)channel;
    (void)user;
    snprintf(text, sizeof text, recovered ? "recovered+%d" : "subscribed", (int)behind);
    note(text);
    if (w.in_subscribed) {
        w.in_subscribed(&w);
    }
}

static void on_ended(wspool_json_client *client, const char *channel, const char *code, int retry,
                     void *user)
{
    (void)client;
    (void)channel;
    (void)retry;
    (void)user;
    note(code);
}

static void on_problem(wspool_json_client *client, const char *what, void *user)
{
    (void)client;
    (void)user;
    (void)what;
    w.problems++;
}

static const wspool_json_subscription handlers = {
    .size = sizeof handlers,
    .message = on_publication,
    .reset = on_reset,
    .subscribed = on_subscribed,
    .ended = on_ended,
};

static void on_done(wspool_json_client *client, const char *result, int retry, void *user)
{
    size_t len = strlen(w.results);
    (void)client;
    (void)retry;
    snprintf(w.results + len, sizeof w.results - len, "%s%s:%s", len ? " " : "", (const char *)user,
             result);
}

static void expect_results(const char *text)
{
    assert_string_equal(w.results, text);
    w.results[0] = '\0';
}

static int act(const char *mark)
{
    int error = wspool_json_client_action(w.client, "act", NULL, on_done, (void *)(uintptr_t)mark);
    pump();
    return error;
}

/* ------------------------------------------------------------------- begin */

static void init(void)
{
    memset(&w, 0, sizeof w);
    w.now = 1000 * SEC;
    w.history = (wspool_history){.messages = 10};
    wspool_json_config_init(&w.json_config);
    w.json_config.subscribe.call = may_subscribe;
    wspool_json_client_config_init(&w.config);
    w.config.problem = on_problem;
}

static int first_token(wspool_clients *clients, wspool_id id, int renew, wspool_text *token,
                       void *user)
{
    (void)clients;
    (void)id;
    (void)user;
    *token = wspool_text_of(renew ? "renewed" : "first");
    return 1;
}

static void begin(const char *path)
{
    char url[64];
    wspool_clients_config config;
    serve();
    snprintf(url, sizeof url, "ws://x%s", path);
    wspool_clients_config_init(&config);
    config.url = url;
    config.token.call = w.expires ? first_token : NULL;
    wspool_json_client_prepare(&config);
    assert_int_equal(wspool_clients_new(&w.clients, &config, w.now), 0);
    assert_int_equal(wspool_json_client_new(&w.client, w.clients, &w.config), 0);
    wspool_clients_connect(w.clients, wspool_json_client_id(w.client), w.now);
}

static void end(void)
{
    wspool_json_client_free(w.client);
    if (w.pool) {
        pump();
        kill_server();
    }
    wspool_clients_free(w.clients);
}

static int state(void)
{
    wspool_client_status status;
    wspool_clients_status(w.clients, wspool_json_client_id(w.client), &status);
    return (int)status.state;
}

/* ---------------------------------------------------------------- channels */

TEST(a_channel_comes_back_with_what_was_missed)
{
    init();
    begin("/all");
    assert_int_equal(wspool_json_client_subscribe(w.client, "item:1", &handlers), 0);
    assert_int_equal(wspool_json_client_subscribe(w.client, "item:1", &handlers),
                     WSPOOL_ERR_EXISTS);
    pump();
    assert_int_equal(state(), WSPOOL_CLIENT_CONNECTED);
    publish("1", "a");
    pump();
    expect("subscribed first:0 a@1");
    w.swallow = 1;
    publish("1", "b");
    publish("1", "c");
    pump();
    cut();
    pass(2 * SEC);
    publish("1", "d");
    pump();
    expect("recovered+2 b@2 c@3 d@4");
    assert_int_equal(w.problems, 0);
    end();
}

TEST(the_channel_of_the_path_comes_back_by_the_query)
{
    init();
    w.config.route = "item:7";
    begin("/item/7");
    assert_int_equal(wspool_json_client_subscribe(w.client, "item:7", &handlers), 0);
    pump();
    publish("7", "a");
    pump();
    expect("subscribed first:0 a@1");
    w.swallow = 1;
    publish("7", "b");
    pump();
    cut();
    pass(2 * SEC);
    expect("recovered+1 b@2");
    end();
}

TEST(what_cannot_be_recovered_is_a_reset)
{
    init();
    begin("/all");
    wspool_json_client_subscribe(w.client, "item:1", &handlers);
    pump();
    publish("1", "a");
    pump();
    expect("subscribed first:0 a@1");
    w.swallow = 1;
    for (int i = 0; i < 20; i++) { /* more than the history keeps */
        publish("1", "b");
    }
    cut();
    pass(2 * SEC);
    expect("subscribed too_old:21");
    kill_server();
    serve();
    pass(3 * SEC);
    expect("subscribed epoch_changed:0");
    publish("1", "c");
    pump();
    expect("c@1");
    end();
}

TEST(a_position_that_the_application_has_is_given)
{
    const char *epoch;
    uint64_t offset;
    char copy[64];
    init();
    begin("/all");
    wspool_json_client_subscribe(w.client, "item:1", &handlers);
    pump();
    for (int i = 0; i < 3; i++) {
        publish("1", "a");
    }
    pump();
    assert_int_equal(wspool_json_client_position(w.client, "item:1", &epoch, &offset), 1);
    assert_int_equal(offset, 3);
    snprintf(copy, sizeof copy, "%s", epoch);
    wspool_json_client_unsubscribe(w.client, "item:1");
    pump();
    w.got[0] = '\0';
    wspool_json_subscription mine = handlers;
    mine.epoch = copy;
    mine.offset = 1;
    assert_int_equal(wspool_json_client_subscribe(w.client, "item:1", &mine), 0);
    pump();
    expect("recovered+2 a@2 a@3");
    end();
}

TEST(what_is_in_a_fetched_state_is_not_given_again)
{
    const char *epoch;
    uint64_t offset;
    init();
    begin("/all");
    wspool_json_client_subscribe(w.client, "item:1", &handlers);
    pump();
    publish("1", "a");
    pump();
    w.got[0] = '\0';
    assert_int_equal(wspool_json_client_position(w.client, "item:1", &epoch, &offset), 1);
    assert_int_equal(wspool_json_client_fetched(w.client, "item:1", epoch, 3), 0);
    assert_int_equal(wspool_json_client_fetched(w.client, "item:1", "other", 3), WSPOOL_ERR_STATE);
    assert_int_equal(wspool_json_client_fetched(w.client, "item:2", epoch, 3), WSPOOL_ERR_ABSENT);
    for (int i = 0; i < 3; i++) {
        publish("1", "b");
    }
    pump();
    expect("b@4");
    end();
}

static void publish_key(const char *key, const char *type, unsigned flags)
{
    wspool_send_options options = {.size = sizeof options, .flags = flags};
    options.key = (wspool_text){key, strlen(key)};
    wspool_json_broadcast(w.json, w.pool, wspool_item("k"), type, NULL, &options, NULL);
}

static void note_key(struct world *world, const wspool_json_publication *publication)
{
    (void)world;
    note(publication->removed ? "removes" : "sets");
    note(publication->key);
}

TEST(a_keyed_channel_gives_its_state)
{
    init();
    w.history = (wspool_history){.messages = 2, .max_keys = 100};
    begin("/all");
    pump();
    for (int i = 0; i < 3; i++) {
        publish_key("a", "x", 0);
        publish_key("b", "x", 0);
    }
    publish_key("b", "y", WSPOOL_REMOVE);
    wspool_json_subscription mine = handlers;
    mine.state = 1;
    w.in_message = note_key;
    assert_int_equal(wspool_json_client_subscribe(w.client, "item:k", &mine), 0);
    pump();
    w.in_message = NULL;
    expect("subscribed first:7 x@5 sets a x@6 sets b y@7 removes b");
    assert_int_equal(w.problems, 0);
    end();
}

TEST(a_refused_channel_is_told)
{
    init();
    begin("/all");
    wspool_json_client_subscribe(w.client, "item:secret", &handlers);
    pump();
    expect("not_allowed");
    assert_int_equal(wspool_json_client_subscribe(w.client, "secret", &handlers), WSPOOL_ERR_INVAL);
    end();
}

/* Unsubscribe and resubscribe from inside of each handler. */
static int deed;

static void act_here(struct world *world)
{
    if (deed == 0) {
        return;
    }
    int now = deed;
    deed = 0;
    if (now == 3) {
        wspool_json_client_free(world->client);
        world->client = NULL;
        return;
    }
    assert_int_equal(wspool_json_client_unsubscribe(world->client, "item:1"), 0);
    if (now == 2) {
        assert_int_equal(wspool_json_client_subscribe(world->client, "item:1", &handlers), 0);
    }
}

static void act_in_message(struct world *world, const wspool_json_publication *publication)
{
    (void)publication;
    act_here(world);
}

TEST(handlers_may_unsubscribe_resubscribe_and_free)
{
    static const char *const results[3][3] = {
        {"subscribed", "subscribed first:0", "subscribed first:0 a@1"},
        {"subscribed subscribed first:0 a@1 b@2", "subscribed first:0 subscribed first:0 a@1 b@2",
         "subscribed first:0 a@1 subscribed first:1 b@2"},
        {"subscribed", "subscribed first:0", "subscribed first:0 a@1"},
    };
    for (int what = 1; what <= 3; what++) {
        for (int where = 0; where < 3; where++) {
            init();
            begin("/all");
            deed = what;
            w.in_subscribed = where == 0 ? act_here : NULL;
            w.in_reset = where == 1 ? act_here : NULL;
            w.in_message = where == 2 ? act_in_message : NULL;
            wspool_json_client_subscribe(w.client, "item:1", &handlers);
            pump();
            publish("1", "a");
            pump();
            publish("1", "b");
            pump();
            expect(results[what - 1][where]);
            assert_int_equal(w.problems, 0);
            end();
        }
    }
}

/* Two publications in one read: the second is that of the subscription that has ended. */
TEST(nothing_of_an_old_subscription_reaches_a_new_one)
{
    init();
    begin("/all");
    wspool_json_client_subscribe(w.client, "item:1", &handlers);
    pump();
    w.in_message = act_in_message;
    deed = 2;
    publish("1", "a");
    publish("1", "b");
    pump();
    expect("subscribed first:0 a@1 subscribed first:2");
    assert_int_equal(w.problems, 0);
    end();
}

/* ----------------------------------------------------------------- actions */

TEST(an_action_is_answered)
{
    init();
    begin("/all");
    assert_int_equal(act("a"), 0); /* connects meanwhile */
    expect_results("a:done");
    w.refuses = 1;
    act("b");
    expect_results("b:not_now");
    assert_int_equal(wspool_json_client_waiting(w.client), 0);
    assert_int_equal(wspool_json_client_action(w.client, "", NULL, NULL, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(
        wspool_json_client_action(w.client, "x", json_pack("{s:s}", "id", "y"), NULL, NULL),
        WSPOOL_ERR_INVAL);
    end();
}

TEST(an_action_whose_answer_was_lost_is_done_once)
{
    init();
    begin("/all");
    act("a");
    w.swallow = 1;
    act("b");
    act("c");
    assert_int_equal(w.done, 3);
    cut();
    act("d"); /* waits for the connection */
    pass(2 * SEC);
    expect_results("a:done b:repeated c:repeated d:done");
    assert_int_equal(w.done, 4);
    end();
}

TEST(what_was_not_sent_survives_a_replaced_connection)
{
    init();
    begin("/all");
    pump();
    wspool_json_client_action(w.client, "act", NULL, on_done, (void *)(uintptr_t) "a");
    wspool_clients_reconnect(w.clients, wspool_json_client_id(w.client), w.now); /* not written */
    pump();
    expect_results("a:done");
    assert_int_equal(w.done, 1);
    end();
}

TEST(after_a_restart_what_was_sent_is_in_doubt_and_the_rest_is_done)
{
    init();
    begin("/all");
    pump();
    w.swallow = 1;
    act("b");
    kill_server();
    w.swallow = 0;
    act("c");
    act("d");
    serve();
    pass(3 * SEC);
    expect_results("b:in_doubt c:done d:done");
    assert_int_equal(w.done, 3);
    act("e");
    expect_results("e:done");
    end();
}

TEST(the_queue_of_actions_is_bounded)
{
    init();
    w.config.queue = 3;
    begin("/all");
    kill_server();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(act("x"), 0);
    }
    assert_int_equal(act("x"), WSPOOL_ERR_FULL);
    wspool_json_client_free(w.client);
    w.client = NULL;
    expect_results("x:closed x:closed x:closed");
    end();
}

/* ------------------------------------------------------------- connections */

TEST(the_server_says_spread_and_heartbeat)
{
    wspool_client_status status;
    init();
    w.json_config.reconnect_spread = 20 * SEC;
    begin("/all");
    pump();
    pass(6 * SEC);
    uint64_t latest = 0;
    for (int i = 0; i < 40; i++) {
        cut();
        wspool_clients_status(w.clients, wspool_json_client_id(w.client), &status);
        assert_int_equal(status.state, WSPOOL_CLIENT_DISCONNECTED);
        latest = status.until - w.now > latest ? status.until - w.now : latest;
        wspool_clients_connect(w.clients, wspool_json_client_id(w.client), w.now);
        pump();
    }
    assert_true(latest > 10 * SEC && latest <= 20 * SEC);
    end();
}

/* The server accepts, and the contract does not begin. */
TEST(connected_is_when_the_contract_has_begun)
{
    init();
    begin("/all");
    w.swallow = 0;
    to_server(); /* the request */
    assert_int_equal(state(), WSPOOL_CLIENT_CONNECTING);
    pump();
    assert_int_equal(state(), WSPOOL_CLIENT_CONNECTED);
    end();
}

/* ------------------------------------------------------------------ tokens */

static void on_expiring(wspool_json_client *client, uint64_t expires_at, void *user)
{
    (void)user;
    assert_int_equal(expires_at, w.expires);
    note("expiring");
    if (w.next_token) {
        w.expires += 100;
        assert_int_equal(wspool_json_client_auth(client, w.next_token), 0);
    }
}

static void on_other(wspool_json_client *client, const char *type, const json_t *data, void *user)
{
    const char *code = json_string_value(json_object_get(data, "code"));
    (void)client;
    (void)user;
    if (strcmp(type, "connection_established") != 0) {
        note(code ? code : type);
    }
}

static void begin_with_token(void)
{
    init();
    w.expires = 1100; /* in 100 s */
    w.config.expiring = on_expiring;
    w.config.message = on_other;
    begin("/all");
    pump();
    assert_int_equal(state(), WSPOOL_CLIENT_CONNECTED);
    assert_string_equal(w.token, "first");
}

TEST(a_token_is_renewed_and_the_connection_goes_on)
{
    wspool_client_status status;
    begin_with_token();
    w.next_token = "second";
    pass(90 * SEC);
    expect("expiring auth_renewed");
    assert_string_equal(w.token, "second");
    pass(50 * SEC);
    wspool_clients_status(w.clients, wspool_json_client_id(w.client), &status);
    assert_int_equal(status.state, WSPOOL_CLIENT_CONNECTED);
    assert_int_equal(status.code, 0);
    end();
}

TEST(a_token_that_is_refused_is_told_and_the_next_connection_asks_for_another)
{
    begin_with_token();
    w.next_token = "bad";
    pass(90 * SEC);
    expect("expiring token_refused");
    pass(12 * SEC);
    assert_int_equal(state(), WSPOOL_CLIENT_CONNECTED);
    assert_string_equal(w.token, "renewed");
    end();
}

TEST(without_a_connection_no_token_is_shown)
{
    begin_with_token();
    assert_int_equal(wspool_json_client_auth(NULL, "x"), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_auth(w.client, NULL), WSPOOL_ERR_INVAL);
    wspool_clients_disconnect(w.clients, wspool_json_client_id(w.client), w.now);
    assert_int_equal(wspool_json_client_auth(w.client, "x"), WSPOOL_ERR_STATE);
    end();
}

/* ------------------------------------------------------------------ memory */

static size_t allocations, fails_at;
static int failed;

static void *failing_malloc(size_t size)
{
    if (fails_at && ++allocations == fails_at) {
        failed = 1;
        return NULL;
    }
    return malloc(size);
}

/* Each allocation of jansson fails in turn, those of the server included. The sanitizer finds what
 * leaks. A message may be lost, and its connection with it, but the client goes on. */
TEST(without_memory_for_json_it_goes_on)
{
    json_set_alloc_funcs(failing_malloc, free);
    failed = 1;
    for (fails_at = 1; failed; fails_at++) {
        failed = 0;
        allocations = 0;
        init();
        w.config.route = "item:7";
        begin("/item/7");
        wspool_json_client_subscribe(w.client, "item:7", &handlers);
        wspool_json_client_subscribe(w.client, "item:1", &handlers);
        pump();
        publish("7", "a");
        act("x");
        cut();
        pass(2 * SEC);
        publish("1", "b");
        pump();
        size_t now = fails_at;
        fails_at = 0;
        cut();
        /* A server without memory may close with 4005: then only connect tries again. */
        wspool_clients_connect(w.clients, wspool_json_client_id(w.client), w.now);
        pass(3 * SEC);
        assert_int_equal(state(), WSPOOL_CLIENT_CONNECTED);
        assert_int_equal(act("y"), 0);
        assert_int_equal(wspool_json_client_waiting(w.client), 0);
        fails_at = now;
        end();
    }
    fails_at = 0;
    json_set_alloc_funcs(malloc, free);
}

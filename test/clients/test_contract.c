/* SPDX-License-Identifier: MIT */
/*
 * clients/test_contract.c - wspool/json_client.h against a scripted server: each message of
 * wspool.v1.json, those that break the contract, and what a host may do wrong. JSON is written with
 * ' for ". (test/json/test_client.c has a real server.)
 */
#include "../sim/heap.h"
#include "fake.h"

#include <stdio.h>

#include <wspool/json_client.h>

static struct fake fake;
static wspool_json_client *client;
static wspool_json_client_config config;
static char got[1024]; /* what the handlers were told */
static char payload[4096];
static size_t len;
static void (*in_reset)(void);

__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    size_t at = strlen(got);
    va_list list;
    va_start(list, format);
    at += (size_t)snprintf(got + at, sizeof got - at, at ? ", " : "");
    vsnprintf(got + at, sizeof got - at, format, list);
    va_end(list);
}

/* Compares what was told since the last call. */
static void expect(const char *text)
{
    assert_string_equal(got, text);
    got[0] = '\0';
}

static void on_publication(wspool_json_client *c, const wspool_json_publication *publication,
                           void *user)
{
    (void)c;
    (void)user;
    note("%s@%d", publication->type, (int)publication->offset);
}

static void on_reset(wspool_json_client *c, const wspool_json_reset *reset, void *user)
{
    (void)c;
    (void)user;
    note("reset %s %s:%d%s", reset->reason, reset->epoch, (int)reset->offset,
         reset->follows ? " follows" : "");
    if (in_reset) {
        in_reset();
    }
}

static void on_ended(wspool_json_client *c, const char *channel, const char *code, int retry,
                     void *user)
{
    (void)c;
    (void)user;
    note("ended %s %s%s", channel, code, retry ? " retry" : "");
}

static void on_message(wspool_json_client *c, const char *type, const json_t *data, void *user)
{
    (void)c;
    (void)data;
    (void)user;
    note("message %s", type);
}

static void on_problem(wspool_json_client *c, const char *what, void *user)
{
    (void)c;
    (void)user;
    note("problem: %s", what);
}

static void on_done(wspool_json_client *c, const char *result, int retry, void *user)
{
    (void)c;
    note("%s %s%s", (const char *)user, result, retry ? " retry" : "");
}

static const wspool_json_subscription handlers = {
    .size = sizeof handlers, .message = on_publication, .reset = on_reset, .ended = on_ended};

static void say(const char *text)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", text);
    for (char *at = copy; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    fake_text(&fake, copy);
}

/* The next message of the client. */
static void said(const char *text)
{
    fake_pump(&fake);
    assert_int_equal(fake_take(&fake, payload, &len), FAKE_TEXT);
    for (char *at = payload; *at; at++) {
        *at = *at == '"' ? '\'' : *at;
    }
    assert_string_equal(payload, text);
}

static void dial(const char *route)
{
    fake_init(&fake);
    wspool_json_client_prepare(&fake.config);
    fake.config.mem = (wspool_mem){0};
    got[0] = '\0';
    in_reset = NULL;
    wspool_json_client_config_init(&config);
    config.message = on_message;
    config.problem = on_problem;
    config.route = route;
    assert_int_equal(wspool_clients_new(&fake.clients, &fake.config, fake.now), 0);
    assert_int_equal(wspool_json_client_new(&client, fake.clients, &config), 0);
    fake.id = wspool_json_client_id(client);
}

static void connect_it(void)
{
    wspool_clients_connect(fake.clients, fake.id, fake.now);
    fake_pump(&fake);
    fake_accept_as(&fake, WSPOOL_JSON_SUBPROTOCOL);
}

static void begin(const char *route)
{
    dial(route);
    connect_it();
    say("{'type':'connection_established','data':{'action_epoch':'A'}}");
    expect("message connection_established");
}

static void end(void)
{
    wspool_json_client_free(client);
    fake_end(&fake);
}

#define SUBSCRIBED "{'type':'subscribed','data':{'channel':'item:1','epoch':'E','offset':5}}"

static void subscribe(void)
{
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &handlers), 0);
    said("{'type':'subscribe','data':{'channel':'item:1'}}");
    say(SUBSCRIBED);
    expect("reset first E:5");
}

/* ---------------------------------------------------------------- messages */

TEST(what_is_no_message_is_told_and_ignored)
{
    static const char *const bad[][2] = {
        {"[]", "problem: not a JSON object"},
        {"{'type':", "problem: not a JSON object"},
        {"{'data':{}}", "problem: not a message of the contract"},
        {"{'type':'x'}", "problem: not a message of the contract"},
        {"{'type':'x','data':1}", "problem: not a message of the contract"},
        {"{'type':'connection_established','data':{}}", "problem: connection_established twice"},
    };
    begin(NULL);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        say(bad[i][0]);
        expect(bad[i][1]);
        assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTED);
    }
    end();
}

TEST(nothing_is_believed_before_the_contract_has_begun)
{
    dial(NULL);
    connect_it();
    say("{'type':'update','data':{}}");
    expect("problem: a message before connection_established");
    assert_int_equal(fake_state(&fake), WSPOOL_CLIENT_CONNECTING);
    end();
}

TEST(a_message_of_the_applications_own_is_given)
{
    begin(NULL);
    say("{'type':'hello','data':{}}");
    say("{'type':'pong','data':{}}");
    say("{'type':'error','data':{'code':'x','message':'of no channel'}}");
    expect("message hello, message error");
    end();
}

TEST(the_application_may_send_messages_of_its_own)
{
    begin(NULL);
    assert_int_equal(wspool_json_client_send(client, "ping", NULL), 0);
    said("{'type':'ping','data':{}}");
    assert_int_equal(wspool_json_client_send(client, "hello", json_pack("{s:i}", "n", 1)), 0);
    said("{'type':'hello','data':{'n':1}}");
    assert_int_equal(wspool_json_client_send(client, NULL, json_object()), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_send(NULL, "x", NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_send(client, "\xff", NULL), WSPOOL_ERR_NOMEM);
    end();
}

/* ---------------------------------------------------------------- channels */

TEST(missed_moves_the_position_and_is_a_reset)
{
    begin(NULL);
    say("{'type':'missed','data':{'channel':'item:1','from':1,'to':2}}"); /* of no subscription */
    subscribe();
    say("{'type':'missed','data':{'channel':'item:1','from':6,'to':8,'reason':'too_slow'}}");
    expect("reset missed E:8");
    say("{'type':'x','channel':'item:1','epoch':'E','offset':8,'data':{}}");
    expect("problem: a publication twice");
    say("{'type':'x','channel':'item:1','epoch':'E','offset':9,'data':{}}");
    expect("x@9");
    say("{'type':'missed','data':{'channel':'item:1','from':10,'to':12,'reset':true}}");
    expect("reset missed E:12 follows");
    say("{'type':'x','channel':'item:1','epoch':'E','offset':4,'data':{}}"); /* of the state */
    expect("x@4");
    end();
}

TEST(a_position_that_is_none_is_told_and_ignored)
{
    static const char *const bad[][2] = {
        {"{'type':'subscribed','data':{'channel':'item:1','offset':5}}",
         "problem: subscribed without a position"},
        {"{'type':'subscribed','data':{'channel':'item:1','epoch':'E','offset':-1}}",
         "problem: subscribed without a position"},
        {"{'type':'subscribed','data':{'channel':'item:1','epoch':'E','offset':9007199254740992}}",
         "problem: subscribed without a position"},
        {"{'type':'subscribed','data':{'channel':'item:1','epoch':'E-1','offset':5}}",
         "problem: subscribed with an epoch that is none"},
        {"{'type':'missed','data':{'channel':'item:1','from':1}}",
         "problem: missed without a range"},
        {"{'type':'x','channel':'item:1','epoch':'E','offset':'9','data':{}}",
         "problem: a publication before subscribed, or without a position"},
        {"{'type':'x','channel':'item:1','offset':9,'data':{}}",
         "problem: a publication before subscribed, or without a position"},
    };
    begin(NULL);
    subscribe();
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *epoch;
        uint64_t offset;
        say(bad[i][0]);
        expect(bad[i][1]);
        assert_int_equal(wspool_json_client_position(client, "item:1", &epoch, &offset), 1);
        assert_string_equal(epoch, "E");
        assert_int_equal(offset, 5);
    }
    end();
}

TEST(a_publication_of_another_epoch_is_a_reset)
{
    begin(NULL);
    subscribe();
    say("{'type':'x','channel':'item:1','epoch':'F','offset':2,'data':{}}");
    expect("reset epoch_changed F:2, problem: a publication of another epoch");
    say("{'type':'x','channel':'item:1','epoch':'F','offset':3,'data':{}}");
    expect("x@3");
    say("{'type':'x','channel':'item:1','epoch':'','offset':4,'data':{}}");
    expect("problem: a publication of another epoch");
    end();
}

TEST(an_end_that_nobody_asked_for_is_told)
{
    begin(NULL);
    subscribe();
    say("{'type':'unsubscribed','data':{'channel':'item:1','reason':'gone'}}");
    expect("ended item:1 unsubscribed");
    say("{'type':'x','channel':'item:1','epoch':'E','offset':6,'data':{}}");
    expect("problem: a publication before subscribed, or without a position");
    say("{'type':'error','data':{'channel':'item:1','code':'not_allowed','retry':true}}");
    expect("ended item:1 not_allowed retry");
    end();
}

/* An error about a channel that is being left answers either of the two requests under way. */
TEST(what_follows_an_unsubscribe_is_not_for_the_next_subscription)
{
    begin(NULL);
    subscribe();
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), 0);
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &handlers), 0);
    said("{'type':'unsubscribe','data':{'channel':'item:1'}}");
    said("{'type':'subscribe','data':{'channel':'item:1'}}");
    say("{'type':'error','data':{'channel':'item:1','code':'full'}}"); /* of the old one */
    say("{'type':'x','channel':'item:1','epoch':'E','offset':6,'data':{}}");
    say("{'type':'missed','data':{'channel':'item:1','from':6,'to':7}}");
    say(SUBSCRIBED);
    expect("");
    say("{'type':'error','data':{'channel':'item:1','code':'not_subscribed'}}");
    say(SUBSCRIBED);
    expect("reset first E:5");
    end();
}

/* The server has joined the path's channel already when the application subscribes to it. */
TEST(a_channel_of_the_path_is_joined_without_a_question)
{
    wspool_json_subscription later = handlers;
    begin("item:1");
    say(SUBSCRIBED);
    expect("");
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &later), 0);
    expect("reset first E:5");
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), 0);
    later.epoch = "E"; /* it has that state already, or a newer one */
    later.offset = 5;
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &later), 0);
    expect("");
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), 0);
    later.offset = 4;
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &later), 0);
    expect("reset first E:5");
    fake_pump(&fake);
    assert_int_equal(fake_take(&fake, payload, &len), 0);
    end();
}

TEST(the_state_of_the_paths_channel_is_asked_for_in_the_query)
{
    wspool_json_subscription all = handlers;
    all.state = 1;
    dial("item:1");
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &all), 0);
    wspool_clients_connect(fake.clients, fake.id, fake.now);
    fake_pump(&fake);
    assert_non_null(strstr(fake_request(&fake), "&offset=0 HTTP/1.1\r\n"));
    end();
}

/* -------------------------------------------------------------------- full */

static void fill(void)
{
    static char large[8192];
    memset(large, 'x', sizeof large - 1);
    while (wspool_json_client_send(client, "x", json_pack("{s:s}", "x", large)) == 0) {
    }
    while (wspool_json_client_send(client, "x", NULL) == 0) {
    }
}

TEST(an_unsubscribe_that_has_no_room_goes_later)
{
    begin(NULL);
    subscribe();
    fake.stuck = 1;
    fill();
    fake_pump(&fake);
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), 0);
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &handlers), 0);
    fake.stuck = 0;
    wspool_clients_writable(fake.clients, fake.stream);
    fake_pump(&fake);
    fake.sent_len = 0;
    say("{'type':'pong','data':{}}"); /* any message, or another call, sends what waits */
    said("{'type':'unsubscribe','data':{'channel':'item:1'}}");
    said("{'type':'subscribe','data':{'channel':'item:1'}}");
    end();
}

/* ----------------------------------------------------------------- actions */

TEST(answers_may_come_in_any_order)
{
    static char first[] = "first", second[] = "second", third[] = "third";
    char text[256];
    begin(NULL);
    wspool_json_client_action(client, "a", NULL, on_done, first);
    wspool_json_client_action(client, "a", NULL, on_done, second);
    wspool_json_client_action(client, "a", NULL, on_done, third);
    fake_pump(&fake);
    const char *instance = wspool_clients_instance(fake.clients, fake.id);
    snprintf(text, sizeof text, "{'type':'ack','data':{'id':'%s-2','result':'done'}}", instance);
    say(text);
    snprintf(text, sizeof text, "{'type':'error','data':{'id':'%s-3','retry':true}}", instance);
    say(text);
    snprintf(text, sizeof text, "{'type':'ack','data':{'id':'%s-1'}}", instance);
    say(text);
    expect("second done, third error retry, first done");
    assert_int_equal(wspool_json_client_waiting(client), 0);
    end();
}

/* --------------------------------------------------------------- arguments */

TEST(a_bad_client_is_not_made)
{
    static wspool_json_client *const none = NULL;
    wspool_json_client *made = client;
    fake_init(&fake);
    wspool_json_client_prepare(&fake.config);
    assert_int_equal(wspool_clients_new(&fake.clients, &fake.config, fake.now), 0);
    wspool_json_client_config_init(&config);
    assert_int_equal(wspool_json_client_new(NULL, fake.clients, &config), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_new(&made, NULL, &config), WSPOOL_ERR_INVAL);
    config.queue = 65;
    assert_int_equal(wspool_json_client_new(&made, fake.clients, &config), WSPOOL_ERR_INVAL);
    config.queue = 64;
    config.route = "card";
    assert_int_equal(wspool_json_client_new(&made, fake.clients, &config), WSPOOL_ERR_INVAL);
    config.route = "item:1";
    config.size = 1;
    assert_int_equal(wspool_json_client_new(&made, fake.clients, &config), WSPOOL_ERR_INVAL);
    config.size = sizeof config;
    int error = 0; /* what was drawn of the entropy already lasts for a while */
    fake.no_entropy = 1;
    for (int i = 0; i < 100 && !error; i++) {
        error = wspool_json_client_new(&made, fake.clients, &config);
        wspool_json_client_free(made);
    }
    assert_int_equal(error, WSPOOL_ERR_ENTROPY);
    assert_ptr_equal(made, none);
    fake_end(&fake);
}

TEST(a_bad_call_is_an_error_and_changes_nothing)
{
    wspool_json_subscription bad = handlers;
    const char *epoch;
    uint64_t offset;
    begin(NULL);
    assert_int_equal(wspool_json_client_subscribe(client, "card", &handlers), WSPOOL_ERR_INVAL);
    bad.epoch = "no letters: -";
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &bad), WSPOOL_ERR_INVAL);
    bad.epoch = "E";
    bad.offset = UINT64_C(1) << 53;
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &bad), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_subscribe(NULL, "item:1", &handlers), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_unsubscribe(client, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), WSPOOL_ERR_ABSENT);
    assert_int_equal(wspool_json_client_fetched(client, "item:1", NULL, 0), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_fetched(client, "item:1", "E", 0), WSPOOL_ERR_ABSENT);
    assert_int_equal(wspool_json_client_position(client, "item:1", &epoch, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_json_client_position(client, "item:1", &epoch, &offset),
                     WSPOOL_ERR_ABSENT);
    fake_pump(&fake);
    assert_int_equal(fake_take(&fake, payload, &len), 0);
    end();
}

/* Each allocation of the C library fails in turn. */
static int subscribe_failing_at(size_t n)
{
    sim_libc_reset();
    sim_c.fail_at = n;
    sim_inside++;
    int error = wspool_json_client_subscribe(client, "item:1", &handlers);
    sim_inside--;
    sim_c.fail_at = 0;
    return error;
}

TEST(a_subscription_without_memory_is_an_error_and_can_be_repeated)
{
    if (!sim_libc_fails())
        skip();
    dial(NULL);
    assert_int_equal(subscribe_failing_at(1), WSPOOL_ERR_NOMEM);
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), WSPOOL_ERR_ABSENT);
    assert_int_equal(subscribe_failing_at(1000), 0);
    assert_int_equal(subscribe_failing_at(1000), WSPOOL_ERR_EXISTS);
    end();
}

/* A handler that ends the subscription which it is told of. */
static void leave_it(void)
{
    in_reset = NULL;
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), 0);
}

TEST(a_reset_may_end_its_subscription)
{
    begin("item:1");
    say(SUBSCRIBED);
    in_reset = leave_it;
    assert_int_equal(wspool_json_client_subscribe(client, "item:1", &handlers), 0);
    expect("reset first E:5");
    assert_int_equal(wspool_json_client_unsubscribe(client, "item:1"), WSPOOL_ERR_ABSENT);
    end();
}

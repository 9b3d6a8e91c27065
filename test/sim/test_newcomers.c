/* SPDX-License-Identifier: MIT */
/*
 * sim/test_newcomers.c - what the host tells about a transport: its address, its key, and the user
 * pointer.
 *
 * The tests check that texts are copied and shown to the hooks, which values are refused, the limit
 * of peers per key, also in hosted mode, and that the user pointer can be changed.
 */
#include "sim.h"

#define ADDRESS "2001:db8::1%eth0 port 4711"

static wspool_text text_of(const char *text)
{
    return (wspool_text){text, strlen(text)};
}

static int open_as(sim *s, const char *address, const char *key, wspool_id *id)
{
    wspool_open_options options = {
        .size = sizeof options, .address = text_of(address), .key = text_of(key)};
    return wspool_open(s->pool, &options, s->now, id);
}

static void expect_address(sim *s, wspool_id id, const char *address)
{
    wspool_text text;
    assert_int_equal(wspool_address(s->pool, id, &text), 0);
    assert_int_equal(text.len, strlen(address));
    assert_memory_equal(text.data, address, text.len);
}

TEST(address_when_given_is_shown_to_the_hooks)
{
    sim *s = sim_new(1);
    s->ask_token = 1;
    s->grant = 1;
    s->verdict.kind = WSPOOL_ACCEPT;
    sim_start(s);
    char address[] = ADDRESS;
    s->address = address;
    client_request request = {.target = "/all", .extra = "Authorization: Bearer t\r\n"};
    sim_peer *p = sim_connect(s, &request);
    memset(address, '?', sizeof address - 1); /* the pool has copied it */
    sim_pump(s);
    sim_expect_open(p);
    expect_address(s, p->id, ADDRESS);
    assert_string_equal(sim_event_of(s, SIM_TOKEN, 0)->address, ADDRESS);
    assert_string_equal(sim_event_of(s, SIM_OPENED, 0)->address, ADDRESS);

    s->address = "unix";
    sim_peer *q;
    wspool_answer answer;
    assert_int_equal(sim_upgrade(s, &request, &answer, &q), WSPOOL_UPGRADE_ACCEPTED);
    assert_string_equal(sim_event_of(s, SIM_TOKEN, 1)->address, "unix");
    assert_int_equal(sim_adopt(q, NULL, 0), 0);
    assert_string_equal(sim_event_of(s, SIM_OPENED, 1)->address, "unix");
    expect_address(s, q->id, "unix");

    s->address = NULL;
    p = sim_connect(s, &request);
    sim_pump(s);
    expect_address(s, p->id, "");
    assert_string_equal(sim_event_of(s, SIM_OPENED, 2)->address, "");
    sim_free(s);
}

TEST(options_when_they_can_not_be_are_inval)
{
    char long_text[110];
    memset(long_text, 'x', sizeof long_text);
    sim *s = sim_default(1);
    wspool_id id = 7;
    wspool_open_options options = {.size = sizeof options};
    options.address = (wspool_text){long_text, 108};
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), WSPOOL_ERR_INVAL);
    options.address = (wspool_text){NULL, 1};
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), WSPOOL_ERR_INVAL);
    options.address = (wspool_text){long_text, 107};
    options.key = (wspool_text){long_text, 65};
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), WSPOOL_ERR_INVAL);
    options.key = (wspool_text){NULL, 1};
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), WSPOOL_ERR_INVAL);
    options.key = (wspool_text){long_text, 64};
    options.size = 1;
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), WSPOOL_ERR_INVAL);
    assert_int_equal(sim_stats(s).attempts, 0);
    options.size = sizeof options;
    assert_int_equal(wspool_open(s->pool, &options, s->now, &id), 0);
    assert_int_equal(wspool_check(s->pool), 0);

    wspool_request request = {.size = sizeof request, .key = {long_text, 65}};
    wspool_answer answer;
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    request.key = (wspool_text){NULL, 1};
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_INVAL);
    s->attempts++; /* the upgrade above */
    sim_free(s);
}

TEST(key_when_it_has_its_most_gets_no_more_until_a_release)
{
    sim *s = sim_new(1);
    s->config.max_per_key = 3;
    sim_start(s);
    wspool_id ids[3], id = 7;
    for (int i = 0; i < 3; i++)
        assert_int_equal(open_as(s, "", "a", &ids[i]), 0);
    assert_int_equal(open_as(s, "where it is from is no matter", "a", &id), WSPOOL_ERR_FULL);
    assert_true(id == 0);
    assert_int_equal(sim_stats(s).key_full, 1);
    assert_int_equal(sim_stats(s).attempts, 3);
    assert_string_equal(sim_event_of(s, SIM_LOG, 0)->reason, "too_many");
    /* Other peers are accepted, also peers without a key. */
    for (int i = 0; i < 5; i++)
        assert_int_equal(open_as(s, "", "", &id), 0);
    assert_int_equal(open_as(s, "", "b", &id), 0);
    /* So is a peer with this key, but only after the transport of another one is closed. */
    assert_int_equal(wspool_gone(s->pool, ids[1], WSPOOL_GONE_EOF, s->now), 0);
    assert_int_equal(open_as(s, "", "a", &id), WSPOOL_ERR_FULL);
    assert_int_equal(wspool_release(s->pool, ids[1]), 0);
    assert_int_equal(open_as(s, "", "a", &id), 0);
    assert_int_equal(open_as(s, "", "a", &id), WSPOOL_ERR_FULL);
    assert_int_equal(sim_stats(s).key_full, 3);
    assert_int_equal(wspool_check(s->pool), 0);
    sim_free_pool(s);
    sim_free(s);
}

TEST(key_when_hosted_counts_too)
{
    sim *s = sim_new(1);
    client_request request = {.target = "/all"};
    wspool_answer answer;
    sim_peer *p, *q;
    s->config.max_per_key = 1;
    s->key = "a";
    sim_start(s);
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_upgrade(s, &request, &answer, &q), WSPOOL_ERR_FULL);
    sim_pass(s, 11 * SEC); /* a slot that the host does not adopt becomes free */
    assert_int_equal(sim_upgrade(s, &request, &answer, &p), WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(sim_adopt(p, NULL, 0), 0);
    assert_int_equal(sim_upgrade(s, &request, &answer, &q), WSPOOL_ERR_FULL);
    sim_free(s);
}

TEST(full_when_it_is_not_the_key_is_not_counted_for_it)
{
    sim *s = sim_new(1);
    wspool_id id;
    static const char request[] = "GET /all HTTP/1.1\r\nHost: a\r\n"
                                  "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                                  "Sec-WebSocket-Version: 13\r\nAuthorization: Bearer t\r\n\r\n";
    s->config.max_per_key = 100;
    s->config.max_handshakes = 1;
    s->ask_token = 1;
    s->verdict.kind = WSPOOL_PENDING; /* so it does not give way */
    sim_start(s);
    assert_int_equal(open_as(s, "x", "a", &id), 0);
    assert_int_equal(wspool_feed(s->pool, id, request, sizeof request - 1, s->now), 0);
    s->fed++;
    assert_int_equal(open_as(s, "x", "a", &id), WSPOOL_ERR_FULL);
    assert_int_equal(sim_stats(s).key_full, 0);
    assert_int_equal(wspool_check(s->pool), 0);
    sim_free_pool(s);
    sim_free(s);
}

TEST(nobody_gives_way_when_the_newcomers_key_is_full)
{
    sim *s = sim_new(1);
    wspool_id id;
    s->config.max_per_key = 1;
    s->config.max_handshakes = 1;
    sim_start(s);
    assert_int_equal(open_as(s, "x", "a", &id), 0);
    assert_int_equal(open_as(s, "x", "a", &id), WSPOOL_ERR_FULL);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_GAVE_WAY], 0);
    assert_int_equal(open_as(s, "x", "b", &id), 0);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_GAVE_WAY], 1);
    sim_free_pool(s);
    sim_free(s);
}

TEST(user_when_set_is_another)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    int other;
    assert_ptr_equal(wspool_user(s->pool, p->id), p);
    assert_int_equal(wspool_set_user(s->pool, p->id, &other), 0);
    assert_ptr_equal(wspool_user(s->pool, p->id), &other);
    assert_int_equal(wspool_set_user(s->pool, p->id, p), 0);
    assert_int_equal(wspool_set_user(s->pool, p->id + 1000, p), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_set_user(NULL, p->id, p), WSPOOL_ERR_INVAL);
    wspool_text text;
    assert_int_equal(wspool_address(NULL, p->id, &text), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_address(s->pool, p->id, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_address(s->pool, p->id + 1000, &text), WSPOOL_ERR_STALE);
    sim_free(s);
}

TEST(member_when_asked_for_is_one_or_none)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all"), *q = sim_join(s, "/room/a");
    assert_int_equal(wspool_is_member(s->pool, p->id, wspool_global("all")), 1);
    assert_int_equal(wspool_is_member(s->pool, q->id, wspool_global("all")), 0);
    assert_int_equal(wspool_is_member(s->pool, q->id, wspool_item("a")), 1);
    assert_int_equal(wspool_is_member(s->pool, q->id, wspool_topic("a")), 0);
    assert_int_equal(wspool_is_member(s->pool, q->id + 1000, wspool_item("a")), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_is_member(NULL, q->id, wspool_item("a")), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_is_member(s->pool, q->id, wspool_channel_of(WSPOOL_NONE, "a", 1)),
                     WSPOOL_ERR_INVAL);
    sim_free(s);
}

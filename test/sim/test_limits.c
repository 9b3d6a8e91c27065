/* SPDX-License-Identifier: MIT */
/*
 * sim/test_limits.c - the limits of a peer key on a pool: what happens to who passes one, and that
 * others are served. The table itself is tested in unit/test_limits.c.
 */
#include "accept.h"

#include <stdio.h>

static sim_peer *join_as(sim *s, const char *key, const char *target)
{
    s->key = key;
    sim_peer *p = sim_join(s, target);
    s->key = NULL;
    return p;
}

static int open_as(sim *s, const char *key)
{
    int why = 0;
    s->key = key;
    (void)sim_open(s, &why);
    s->key = NULL;
    return why;
}

TEST(attempts_beyond_the_rate_are_full_before_anything_is_allocated)
{
    sim *s = sim_new(1);
    s->config.key_attempts_burst = 5;
    s->config.key_attempts_rate = 1;
    sim_start(s);
    sim_peer *honest = join_as(s, "honest", "/all");
    for (int i = 0; i < 5; i++)
        sim_cut(join_as(s, "flood", "/all"), WSPOOL_GONE_EOF);
    sim_pump(s);
    const size_t before = s->heap.calls;
    for (int i = 0; i < 1000; i++) {
        const wspool_open_options options = {.size = sizeof options, .key = {"flood", 5}};
        wspool_id id;
        assert_int_equal(SIM_IN(wspool_open(s->pool, &options, s->now, &id)), WSPOOL_ERR_FULL);
    }
    assert_int_equal(s->heap.calls, before);
    assert_int_equal(sim_stats(s).key_full, 1000);
    assert_int_equal(sim_broadcast(s, wspool_global("all"), "x"), 1);
    sim_pump(s);
    sim_expect_message(honest, 0, "x");
    sim_pass(s, 2 * SEC);
    sim_expect_open(join_as(s, "flood", "/all"));
    sim_free(s);
}

TEST(messages_beyond_the_rate_close_the_sender_with_4102)
{
    sim *s = sim_new(1);
    s->config.key_messages_burst = 10;
    s->config.key_messages_rate = 2;
    sim_start(s);
    sim_peer *first = join_as(s, "a", "/echo"), *second = join_as(s, "a", "/echo");
    sim_peer *other = join_as(s, "b", "/echo"), *nobody = sim_join(s, "/echo");
    for (int i = 0; i < 5; i++) {
        sim_text(first, "one");
        sim_text(second, "two");
        sim_text(other, "three");
    }
    for (int i = 0; i < 50; i++)
        sim_text(nobody, "a peer without a key");
    sim_pump(s);
    sim_expect_open(first);
    sim_text(second, "one too many");
    sim_pump(s);
    sim_expect_close(second, WSPOOL_END_RATE, 4102);
    assert_int_equal(second->heards, 6); /* the host has the one that was too many */
    sim_pass(s, 2 * SEC);
    for (int i = 0; i < 3; i++)
        sim_text(first, "some have come back");
    sim_pump(s);
    sim_expect_open(first);
    sim_expect_open(other);
    sim_expect_open(nobody);
    sim_free(s);
}

TEST(bytes_beyond_the_rate_close_the_sender_with_4102)
{
    sim *s = sim_new(1);
    static char text[50000];
    memset(text, 'x', sizeof text);
    s->config.key_bytes_burst = 131072;
    s->config.key_bytes_rate = 10000;
    sim_start(s);
    sim_peer *p = join_as(s, "a", "/echo"), *other = join_as(s, "b", "/echo");
    for (int i = 0; i < 2; i++)
        sim_frame(p, FIN | OP_TEXT, text, sizeof text);
    sim_pump(s);
    sim_expect_open(p);
    sim_frame(p, FIN | OP_TEXT, text, sizeof text);
    sim_frame(other, FIN | OP_TEXT, text, sizeof text);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_RATE, 4102);
    sim_expect_open(other);
    sim_free(s);
}

TEST(subscribes_beyond_the_rate_are_full)
{
    sim *s = sim_new(1);
    s->config.key_subscribes_burst = 3;
    s->config.key_subscribes_rate = 1;
    sim_start(s);
    sim_peer *p = join_as(s, "a", "/all"), *other = join_as(s, "b", "/all");
    char name[8];
    for (int i = 0; i < 5; i++) { /* the channel of the route is no subscribe */
        snprintf(name, sizeof name, "%d", i);
        const int error = SIM_IN(wspool_subscribe(s->pool, p->id, wspool_item(name)));
        assert_int_equal(error, i < 3 ? 0 : WSPOOL_ERR_FULL);
    }
    assert_int_equal(sim_stats(s).key_subscribes, 2);
    assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, wspool_item("9"), NULL, NULL)),
                     WSPOOL_ERR_FULL);
    assert_int_equal(SIM_IN(wspool_subscribe(s->pool, other->id, wspool_item("0"))), 0);
    sim_pass(s, 2 * SEC);
    assert_int_equal(SIM_IN(wspool_subscribe(s->pool, p->id, wspool_item("9"))), 0);
    sim_free(s);
}

TEST(honest_key_is_served_while_a_million_keys_come)
{
    sim *s = sim_new(1);
    s->config.key_table = 64;
    s->config.key_attempts_burst = 10;
    s->config.key_attempts_rate = 1;
    sim_start(s);
    sim_peer *honest = join_as(s, "honest", "/all");
    uint32_t admitted = 0;
    for (uint32_t i = 0; i < (sim_slow() ? 20000u : 1000000u); i++) {
        const wspool_open_options options = {.size = sizeof options,
                                             .key = {(const char *)&i, sizeof i}};
        wspool_id id;
        if (wspool_open(s->pool, &options, s->now, &id) == 0) {
            admitted++;
            wspool_gone(s->pool, id, WSPOOL_GONE_FAILED, s->now);
            wspool_release(s->pool, id);
        }
    }
    assert_in_range(admitted, 64, 64 + 10 + 1);
    s->attempts += admitted;
    sim_text(honest, "still here");
    sim_pump(s);
    assert_int_equal(honest->heards, 1);
    assert_int_equal(open_as(s, "honest"), 0);
    sim_free(s);
}

TEST(limits_are_checked)
{
    wspool_config config;
    wspool_config_init(&config);
    config.key_bytes_burst = 131071;
    assert_string_equal(wspool_config_fault(&config), "key_bytes_burst");
    config.key_bytes_burst = 131072;
    assert_null(wspool_config_fault(&config));
    config.key_table = 0;
    assert_string_equal(wspool_config_fault(&config), "key_table");
}

static int hear(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    (void)pool, (void)id, (void)message, (void)user;
    return 0;
}

/* Also where companions listen. */
TEST(messages_count_for_the_key_where_handlers_are_attached)
{
    sim *s = sim_new(1);
    const wspool_handlers handlers = {.size = sizeof handlers, .message = hear};
    s->config.key_messages_burst = 3;
    s->config.key_messages_rate = 1;
    sim_start(s);
    assert_int_equal(SIM_IN(wspool_attach(s->pool, &handlers)), 0);
    sim_peer *p = join_as(s, "a", "/echo");
    for (int i = 0; i < 4; i++)
        sim_text(p, "one");
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_RATE, 4102);
    sim_free(s);
}

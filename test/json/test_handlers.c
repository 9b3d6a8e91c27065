/* SPDX-License-Identifier: MIT */
/*
 * json/test_handlers.c - handlers and hooks with side effects: on the peer whose message they
 * handle, on other peers, and on the list of handlers. With the sanitizers these tests find uses
 * after free.
 */
#include "talk.h"

/* What a handler does, with all that it needs. */
typedef struct deed {
    talk *t;
    void (*act)(struct deed *d, wspool_id id);
    const char *answer;
    const char *name; /* under which it is registered */
    sim_peer *other;
    size_t calls;
} deed;

static const char *doing(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                         void *user)
{
    deed *d = user;
    (void)json, (void)pool;
    d->calls++;
    d->act(d, id);
    /* the data are valid after any side effect */
    assert_string_equal(json_string_value(json_object_get(data, "text")), "hello");
    return d->answer;
}

static void register_it(deed *d)
{
    assert_int_equal(SIM_IN(wspool_json_on_action(d->t->json, d->name, doing, d)), 0);
    assert_int_equal(SIM_IN(wspool_json_on(d->t->json, d->name, doing, d)), 0);
}

static void act(sim_peer *p, const char *name)
{
    talk_print(p,
               "{\"type\":\"action\",\"data\":{\"id\":\"c%zu-1\",\"name\":\"%s\","
               "\"text\":\"hello\"}}",
               p->number, name);
}

static void say(sim_peer *p, const char *name)
{
    talk_print(p, "{\"type\":\"%s\",\"data\":{\"text\":\"hello\"}}", name);
}

/* ------------------------------------------------------------- to the peer */

static void close_it(deed *d, wspool_id id)
{
    assert_int_equal(wspool_close(d->t->s->pool, id, 4002, "out", 0), 0);
}

static void close_it_now(deed *d, wspool_id id)
{
    assert_int_equal(wspool_close(d->t->s->pool, id, 4002, "out", WSPOOL_CLOSE_NOW), 0);
}

static void say_it_is_gone(deed *d, wspool_id id)
{
    sim_peer *p = wspool_user(d->t->s->pool, id);
    assert_int_equal(wspool_gone(d->t->s->pool, id, WSPOOL_GONE_FAILED, d->t->s->now), 0);
    p->told = 1;
}

static void spend_its_budget(deed *d, wspool_id id)
{
    assert_int_equal(wspool_report_abuse(d->t->s->pool, id, 65535, NULL), 0);
}

TEST(handler_that_ends_its_peer_is_neither_acknowledged_nor_refused)
{
    static void (*const ends[])(deed *, wspool_id) = {close_it, close_it_now, say_it_is_gone,
                                                      spend_its_budget};
    static const char *const answers[] = {NULL, "no_more"};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; k < 2; k++)
            for (int as_action = 0; as_action < 2; as_action++) {
                talk *t = talk_default();
                deed d = {.t = t, .act = ends[i], .answer = answers[k], .name = "end"};
                sim_peer *a = talk_join(t, "/all");
                sim_peer *b = talk_join(t, "/all");
                register_it(&d);
                if (as_action)
                    act(a, "end");
                else
                    say(a, "end");
                assert_int_equal(d.calls, 1);
                sim_expect_end(a, i == 2   ? WSPOOL_END_FAILED
                                  : i == 3 ? WSPOOL_END_ABUSE
                                           : WSPOOL_END_HOST_CLOSED);
                talk_expect_silence(a);
                talk_expect_silence(b);
                a = talk_join(t, "/all"); /* in its place; and it has done nothing yet */
                act(a, "end");
                assert_int_equal(d.calls, 2);
                talk_free(t);
            }
}

/* -------------------------------------------------------- to the registry */

static void unregister_it(deed *d, wspool_id id)
{
    (void)id;
    assert_int_equal(wspool_json_on(d->t->json, d->name, NULL, NULL), 0);
    assert_int_equal(wspool_json_on_action(d->t->json, d->name, NULL, NULL), 0);
}

TEST(handler_that_takes_itself_away_is_answered_for_the_last_time)
{
    static const char *const around[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++) /* first, in the middle, last */
        for (int refuses = 0; refuses < 2; refuses++) {
            talk *t = talk_default();
            deed d[3];
            sim_peer *p = talk_join(t, "/echo");
            for (size_t n = 0; n < 3; n++) {
                d[n] = (deed){.t = t, .act = unregister_it, .name = around[n]};
                register_it(&d[n]);
            }
            d[i].answer = refuses ? "gone_away" : NULL;
            act(p, around[i]);
            if (refuses)
                talk_expect_error(p, "gone_away", 0, "c0-1");
            else
                talk_expect_ack(p, 1, "done");
            say(p, around[i]);
            talk_expect_error(p, "unknown_type", 0, NULL);
            assert_int_equal(d[i].calls, 1);
            say(p, around[(i + 1) % 3]); /* the others are there */
            say(p, around[(i + 2) % 3]);
            assert_int_equal(d[(i + 1) % 3].calls, 1);
            assert_int_equal(d[(i + 2) % 3].calls, 1);
            talk_expect_silence(p);
            talk_free(t);
        }
}

static const char *of_another(wspool_json *json, wspool *pool, wspool_id id, const json_t *data,
                              void *user)
{
    (void)json, (void)pool, (void)id, (void)data, (void)user;
    return "another";
}

static void replace_it(deed *d, wspool_id id)
{
    (void)id;
    assert_int_equal(wspool_json_on(d->t->json, d->name, of_another, NULL), 0);
    assert_int_equal(wspool_json_on_action(d->t->json, d->name, of_another, NULL), 0);
}

TEST(handler_that_replaces_itself_answers_for_itself_once_more)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = replace_it, .name = "a"};
    sim_peer *p = talk_join(t, "/echo");
    register_it(&d);
    act(p, "a");
    talk_expect_ack(p, 1, "done");
    say(p, "a");
    talk_expect_error(p, "another", 0, NULL);
    assert_int_equal(d.calls, 1);
    talk_free(t);
}

static void register_many(deed *d, wspool_id id)
{
    (void)id;
    for (int i = 0; i < 50; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%d", i);
        assert_int_equal(wspool_json_on(d->t->json, name, of_another, NULL), 0);
        if (i % 3 == 0)
            assert_int_equal(wspool_json_on(d->t->json, name, NULL, NULL), 0);
    }
}

TEST(handler_that_registers_others_makes_them_known)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = register_many, .name = "a"};
    sim_peer *p = talk_join(t, "/echo");
    register_it(&d);
    say(p, "a");
    say(p, "n49");
    talk_expect_error(p, "another", 0, NULL);
    say(p, "n48");
    talk_expect_error(p, "unknown_type", 0, NULL);
    talk_free(t);
}

/* ---------------------------------------------------------------- to others */

static void publish_it(deed *d, wspool_id id)
{
    (void)id;
    assert_true(talk_publish(d->t, wspool_global("all"), "chat_message", "{'text':'hello'}") >= 0);
}

TEST(handler_that_publishes_is_received_before_its_ack)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = publish_it, .name = "chat"};
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/all");
    register_it(&d);
    act(a, "chat");
    for (int i = 0; i < 2; i++)
        talk_expect_publication(i == 0 ? a : b, "chat_message", "global:all",
                                talk_at(t, wspool_global("all")), "{'text':'hello'}");
    talk_expect_ack(a, 1, "done");
    talk_expect_silence(a);
    talk_expect_silence(b);
    talk_free(t);
}

static void end_the_other(deed *d, wspool_id id)
{
    (void)id;
    assert_int_equal(wspool_close(d->t->s->pool, d->other->id, 4003, NULL, 0), 0);
}

TEST(handler_that_closes_another_is_acknowledged)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = end_the_other, .name = "kick"};
    sim_peer *p = talk_join(t, "/all");
    d.other = talk_join(t, "/all");
    register_it(&d);
    act(p, "kick");
    talk_expect_ack(p, 1, "done");
    sim_expect_close(d.other, WSPOOL_END_HOST_CLOSED, 4003);
    talk_skip(d.other);
    talk_free(t);
}

static void end_everybody(deed *d, wspool_id id)
{
    wspool_id ids[32];
    int n = wspool_peers(d->t->s->pool, ids, 32);
    (void)id;
    while (n-- > 0)
        (void)wspool_close(d->t->s->pool, ids[n], 4003, NULL, n % 2 ? WSPOOL_CLOSE_NOW : 0);
}

TEST(handler_that_closes_everybody_does_no_harm)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = end_everybody, .name = "end"};
    register_it(&d);
    for (int i = 0; i < 20; i++)
        talk_join(t, "/all");
    act(t->s->peers[7], "end");
    for (size_t i = 0; i < 20; i++)
        sim_expect_close(t->s->peers[i], WSPOOL_END_HOST_CLOSED, 4003);
    assert_int_equal(wspool_channels(t->s->pool, NULL, 0), 0);
    talk_free(t);
}

static void drain_it(deed *d, wspool_id id)
{
    (void)id;
    assert_int_equal(wspool_json_drain(d->t->json, d->t->s->pool, 0, d->t->s->now), 0);
}

TEST(handler_that_drains_ends_everybody_after_telling_them)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = drain_it, .name = "drain"};
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/echo");
    register_it(&d);
    act(a, "drain");
    talk_expect(a, "draining", "{'seconds':0}");
    talk_expect(b, "draining", "{'seconds':0}");
    talk_skip(a);
    talk_expect_silence(b);
    sim_pass(t->s, SEC);
    sim_expect_close(a, WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
    sim_expect_close(b, WSPOOL_END_DRAIN, WSPOOL_CLOSE_DRAIN);
    talk_free(t);
}

static void move_about(deed *d, wspool_id id)
{
    wspool *pool = d->t->s->pool;
    assert_int_equal(wspool_unsubscribe(pool, id, wspool_global("all")), 0);
    assert_int_equal(wspool_subscribe(pool, id, wspool_item("new")), 0);
    assert_int_equal(wspool_unsubscribe(pool, d->other->id, wspool_global("all")), 0);
    assert_int_equal(wspool_json_error(d->t->json, pool, id, "moved", "you were moved", 0), 0);
    assert_int_equal(wspool_json_send(d->t->json, pool, d->other->id, "moved", NULL), 0);
}

TEST(handler_that_moves_peers_about_finds_them_there)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = move_about, .name = "move"};
    sim_peer *p = talk_join(t, "/all");
    t->loose = 1;
    d.other = talk_join(t, "/all");
    register_it(&d);
    act(p, "move");
    assert_true(talk_is_member(t, wspool_item("new"), p));
    assert_int_equal(wspool_member_count(t->s->pool, wspool_global("all")), 0);
    talk_expect(p, "error", "{'code':'moved','message':'you were moved','retry':false}");
    talk_expect_ack(p, 1, "done");
    talk_expect(d.other, "moved", "{}");
    talk_free(t);
}

static void try_what_is_forbidden(deed *d, wspool_id id)
{
    wspool *pool = d->t->s->pool;
    uint64_t now = d->t->s->now;
    assert_int_equal(wspool_tick(pool, now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_feed(pool, id, "x", 1, now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_release(pool, id), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_free(pool), WSPOOL_ERR_REENTRANT);
}

TEST(handler_that_does_what_no_hook_may_is_told_so)
{
    talk *t = talk_default();
    deed d = {.t = t, .act = try_what_is_forbidden, .name = "try"};
    sim_peer *p = talk_join(t, "/all");
    register_it(&d);
    act(p, "try");
    talk_expect_ack(p, 1, "done");
    sim_expect_open(p);
    talk_free(t);
}

/* --------------------------------------------------------- the other hooks */

static void ask_and_close(talk *t, wspool_id id)
{
    assert_int_equal(wspool_close(t->s->pool, id, 4002, NULL, 0), 0);
}

TEST(subscribe_hook_that_closes_the_peer_does_no_harm)
{
    for (int may = 0; may < 2; may++) {
        talk *t = talk_default();
        sim_peer *p = talk_join(t, "/all");
        t->may = may;
        t->asking = ask_and_close;
        talk_say(p, "{'type':'subscribe','data':{'channel':'item:x'}}");
        sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 4002);
        talk_expect_silence(p);
        assert_int_equal(wspool_channels(t->s->pool, NULL, 0), 0);
        talk_free(t);
    }
}

static void ask_and_join(talk *t, wspool_id id)
{
    assert_int_equal(wspool_subscribe(t->s->pool, id, wspool_item("x")), 0);
}

TEST(subscribe_hook_that_subscribes_itself_is_answered_once)
{
    talk *t = talk_default();
    sim_peer *p = talk_join(t, "/echo");
    t->asking = ask_and_join;
    talk_say(p, "{'type':'subscribe','data':{'channel':'item:x'}}");
    talk_expect_subscribed(p, "item:x", talk_at(t, wspool_item("x")), "");
    talk_expect_silence(p);
    assert_int_equal(wspool_member_count(t->s->pool, wspool_item("x")), 1);
    talk_free(t);
}

static void ask_and_publish(talk *t, wspool_id id)
{
    (void)id;
    (void)talk_publish(t, wspool_item("x"), "before", NULL);
}

TEST(subscribe_hook_that_publishes_does_so_before_the_peer_is_there)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/room/x");
    sim_peer *b = talk_join(t, "/echo");
    t->asking = ask_and_publish;
    talk_say(b, "{'type':'subscribe','data':{'channel':'item:x'}}");
    talk_expect_publication(a, "before", "item:x", talk_at(t, wspool_item("x")), "{}");
    talk_expect_subscribed(b, "item:x", talk_at(t, wspool_item("x")), "");
    assert_int_equal(talk_at(t, wspool_item("x")).offset, 1);
    talk_expect_silence(b);
    talk_free(t);
}

static void speak_to_the_dead(sim *s, const sim_event *event)
{
    talk *t = s->test;
    wspool_json *json = t->json;
    if (event->what != SIM_CLOSED)
        return;
    assert_int_equal(SIM_IN(wspool_json_send(json, s->pool, event->id, "late", json_object())),
                     WSPOOL_ERR_STATE);
    assert_int_equal(SIM_IN(wspool_json_error(json, s->pool, event->id, "late", "late", 0)),
                     WSPOOL_ERR_STATE);
    assert_true(talk_publish(t, wspool_global("all"), "left", NULL) >= 0);
}

TEST(close_hook_that_speaks_reaches_the_others_only)
{
    talk *t = talk_default();
    sim_peer *a = talk_join(t, "/all");
    sim_peer *b = talk_join(t, "/all");
    t->s->react = speak_to_the_dead;
    sim_cut(a, WSPOOL_GONE_FAILED);
    sim_pump(t->s);
    talk_expect_silence(a);
    talk_expect_publication(b, "left", "global:all", talk_at(t, wspool_global("all")), "{}");
    talk_expect_silence(b);
    t->s->react = NULL;
    talk_free(t);
}

/* Handlers of all kinds, many peers, input and output split at random. */
TEST(handlers_of_all_kinds_at_random_do_no_harm)
{
    static void (*const acts[])(deed *, wspool_id) = {publish_it,     close_it,   register_many,
                                                      say_it_is_gone, replace_it, unregister_it};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    talk *t = talk_new();
    deed d[6];
    size_t calls = 0;
    t->loose = 1; /* peers end in the middle of what they hear */
    t->s->chop = SIM_RANDOM;
    t->s->async = 20;
    talk_start(t);
    for (int round = 0; round < 150; round++) {
        sim_peer *p = NULL;
        for (size_t i = 0; i < 6; i++) {
            d[i] = (deed){.t = t, .act = acts[i], .name = names[i]};
            d[i].answer = sim_below(t->s, 3) == 0 ? "no" : NULL;
            register_it(&d[i]);
        }
        char target[40];
        snprintf(target, sizeof target, "%s?client=c%zu", sim_below(t->s, 2) ? "/all" : "/echo",
                 t->s->peer_count);
        sim_connect_to(t->s, target);
        for (int n = 0; n < 6; n++) {
            size_t which = sim_below(t->s, t->s->peer_count);
            char text[100];
            p = t->s->peers[which];
            if (!p->opened || p->ended)
                continue;
            snprintf(text, sizeof text,
                     "{\"type\":\"%s\",\"data\":{\"id\":\"c%zu-%d\",\"name\":\"%s\",",
                     sim_below(t->s, 2) ? "action" : names[n], which, (int)sim_below(t->s, 40),
                     names[n]);
            snprintf(text + strlen(text), sizeof text - strlen(text), "\"text\":\"hello\"}}");
            sim_text(p, text);
        }
        sim_pump(t->s);
        for (size_t i = 0; i < 6; i++)
            calls += d[i].calls;
    }
    assert_true(calls > 100);
    sim_pass(t->s, 20 * SEC);
    talk_free(t);
}

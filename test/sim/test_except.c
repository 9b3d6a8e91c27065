/* SPDX-License-Identifier: MIT */
/*
 * sim/test_except.c - whom a message with `except` leaves out: the peer that is named and the other
 * peers of its client instance, when it is published and when they resume.
 */
#include "sim.h"

static const wspool_channel channel = {WSPOOL_GLOBAL, "", 0};

/* `max_keys` above 0: the history is keyed. */
static sim *begin(uint32_t messages, uint32_t max_keys)
{
    sim *s = sim_new(1);
    wspool_route_options options;
    s->config.queue_messages = 8;
    sim_start_bare(s);
    wspool_route_options_init(&options, &s->config);
    options.slow = WSPOOL_SLOW_BEHIND;
    options.history = (wspool_history){.messages = messages, .max_keys = max_keys};
    assert_int_equal(wspool_route(s->pool, "/all", WSPOOL_GLOBAL, &options), 0);
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, NULL), 0);
    return s;
}

static int publish(sim *s, const char *text, const char *key, wspool_id except)
{
    wspool_send_options options = {
        .size = sizeof options, .except = except, .key = {key, strlen(key)}};
    return SIM_IN(wspool_broadcast(s->pool, channel, text, strlen(text), &options, NULL));
}

static void resume(sim_peer *p, uint64_t offset)
{
    wspool_channel_position since;
    assert_int_equal(wspool_position(p->sim->pool, channel, &since), 0);
    since.offset = offset;
    assert_int_equal(SIM_IN(wspool_resume(p->sim->pool, p->id, channel, &since, NULL)), 0);
}

/* Expects exactly these messages, one letter each. */
static void expect(sim_peer *p, const char *letters)
{
    sim_pump(p->sim);
    assert_int_equal(p->reader.messages, strlen(letters));
    for (size_t i = 0; letters[i] != 0; i++)
        sim_expect_message(p, i, (char[]){letters[i], 0});
}

/* Who is who: the first one is the publisher. */
static const struct {
    const char *subject, *target;
    int same;
} crowd[] = {
    {"ann", "?client=p1", 1},
    {"ann", "?client=p1", 1},
    {"ann", "?client=p2", 0},
    {"ann", "", 0},
    {"bob", "?client=p1", 0},
    {NULL, "?client=p1", 0},
    {NULL, "", 0},
    {"an", "?client=np1", 0},
    {"annp", "?client=1", 0},
};
static const struct {
    const char *subject, *target;
    int same;
} anonymous[] = {
    {NULL, "?client=p1", 1}, {NULL, "?client=p1", 1}, {NULL, "?client=p2", 0},
    {NULL, "", 0},           {"p1", "", 0},           {"p1", "?client=p1", 0},
};
static const struct {
    const char *subject, *target;
    int same;
} alone[] = {{"ann", "", 1}, {"ann", "", 0}, {NULL, "", 0}};

#define EACH(list, i) for (size_t i = 0; i < sizeof(list) / sizeof *(list); i++)

/* Live, and later from the history, of a keyed one too. */
#define EXCEPTS(list) \
    for (int keyed = 0; keyed < 2; keyed++) { \
        sim *s = begin(10, keyed ? 10 : 0); \
        sim_peer *peers[10]; \
        size_t same = 0, all = sizeof(list) / sizeof *(list); \
        EACH(list, i) \
        { \
            char target[32]; \
            snprintf(target, sizeof target, "/all%s", (list)[i].target); \
            peers[i] = sim_join_as(s, (list)[i].subject, target); \
            same += (size_t)(list)[i].same; \
        } \
        assert_int_equal(publish(s, "a", "", 0), all); \
        assert_int_equal(publish(s, "b", "", peers[0]->id), all - same); \
        assert_int_equal(publish(s, "c", "", 0), all); \
        EACH(list, i) \
        { \
            expect(peers[i], (list)[i].same ? "ac" : "abc"); \
            sim_cut(peers[i], WSPOOL_GONE_FAILED); \
        } \
        sim_pump(s); \
        EACH(list, i) \
        { \
            char target[32]; \
            snprintf(target, sizeof target, "/none%s", (list)[i].target); \
            sim_peer *p = sim_join_as(s, (list)[i].subject, target); \
            resume(p, 1); \
            /* a connection without a client instance is another one */ \
            expect(p, (list)[i].same && (list)[i].target[0] != 0 ? "c" : "bc"); \
        } \
        sim_free(s); \
    }

TEST(message_leaves_out_the_client_instance_of_a_subject)
{
    EXCEPTS(crowd);
}

TEST(message_leaves_out_the_client_instance_of_nobody)
{
    EXCEPTS(anonymous);
}

TEST(message_leaves_out_one_peer_when_it_has_no_client_instance)
{
    EXCEPTS(alone);
}

/* Beyond the window of a keyed history; but the whole state has its message. */
TEST(state_of_a_keyed_history_has_the_own_message_and_a_resume_has_not)
{
    sim *s = begin(2, 10);
    sim_peer *ann = sim_join_as(s, "ann", "/none?client=p1");
    publish(s, "a", "k1", ann->id);
    publish(s, "b", "k2", 0);
    publish(s, "c", "k3", 0);
    publish(s, "d", "k4", ann->id);
    sim_cut(ann, WSPOOL_GONE_FAILED);
    sim_pump(s);
    sim_peer *again = sim_join_as(s, "ann", "/none?client=p1"),
             *other = sim_join_as(s, "ann", "/none?client=p1");
    resume(again, 0); /* before everything: the whole state */
    expect(again, "abcd");
    resume(other, 1);
    expect(other, "bc");
    sim_free(s);
}

/* Bytes of the old connection come late: the new one is there already. */
TEST(peer_that_has_ended_still_names_its_client_instance)
{
    for (int gone = 0; gone < 2; gone++) {
        sim *s = begin(0, 0);
        sim_peer *old = sim_join_as(s, NULL, "/all?client=p1");
        sim_peer *again = sim_join_as(s, NULL, "/all?client=p1");
        if (gone) /* not released yet */
            assert_int_equal(SIM_IN(wspool_gone(s->pool, old->id, WSPOOL_GONE_FAILED, s->now)), 0);
        else
            assert_int_equal(SIM_IN(wspool_close(s->pool, old->id, 1000, NULL, 0)), 0);
        assert_int_equal(publish(s, "a", "", old->id), 0);
        wspool_id stale = old->id;
        sim_cut(old, WSPOOL_GONE_FAILED);
        old->told = gone;
        sim_pump(s);
        assert_int_equal(publish(s, "b", "", stale), 1); /* it names nobody */
        expect(again, "b");
        sim_free(s);
    }
}

/* It is not behind with a message that it does not get. */
TEST(tally_does_not_count_those_that_are_left_out)
{
    sim *s = begin(100, 0);
    sim_peer *peers[] = {sim_join_as(s, NULL, "/all?client=p1"),
                         sim_join_as(s, NULL, "/all?client=p1"),
                         sim_join_as(s, NULL, "/all?client=p2")};
    for (int i = 1; i < 3; i++)
        sim_stall(peers[i]);
    for (int i = 0; i < 20; i++) {
        publish(s, "x", "", 0);
        sim_pump(s);
    }
    wspool_tally tally = {.size = sizeof tally};
    wspool_send_options options = {.size = sizeof options, .except = peers[0]->id};
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, "y", 1, &options, &tally)), 0);
    assert_int_equal(tally.behind, 1);
    options.except = peers[2]->id;
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, "y", 1, &options, &tally)), 1);
    assert_int_equal(tally.behind, 1);
    sim_flow_all(s);
    sim_pump(s);
    assert_int_equal(peers[0]->reader.messages, 21);
    assert_int_equal(peers[1]->reader.messages, 21);
    assert_int_equal(peers[2]->reader.messages, 21);
    sim_free(s);
}

TEST(message_to_a_subject_leaves_out_the_client_instance)
{
    sim *s = begin(0, 0);
    sim_peer *peers[] = {sim_join_as(s, "ann", "/all?client=p1"),
                         sim_join_as(s, "ann", "/all?client=p1"),
                         sim_join_as(s, "ann", "/all?client=p2"), sim_join_as(s, "ann", "/all")};
    wspool_send_options options = {.size = sizeof options, .except = peers[0]->id};
    assert_int_equal(SIM_IN(wspool_send_to(s->pool, wspool_text_of("ann"), "a", 1, &options, NULL)),
                     2);
    for (int i = 0; i < 4; i++)
        expect(peers[i], i < 2 ? "" : "a");
    sim_free(s);
}

/* A client instance without a subject is none that the host can ask for, nor a duplicate. */
TEST(client_instance_of_nobody_is_no_subject)
{
    sim *s = sim_new(1);
    wspool_route_options options;
    sim_start_bare(s);
    wspool_route_options_init(&options, &s->config);
    options.duplicates = WSPOOL_DUPLICATES_NEWEST;
    assert_int_equal(wspool_route(s->pool, "/all", WSPOOL_GLOBAL, &options), 0);
    sim_peer *first = sim_join_as(s, NULL, "/all?client=p1"),
             *second = sim_join_as(s, NULL, "/all?client=p1");
    wspool_text text;
    assert_int_equal(wspool_subject(s->pool, first->id, &text), 0);
    assert_int_equal(text.len, 0);
    assert_int_equal(wspool_peers_of(s->pool, wspool_text_of("p1"), NULL, 0), 0);
    assert_int_equal(wspool_close_all(s->pool, wspool_text_of("p1"), 1000, NULL, 0), 0);
    sim_pump(s);
    sim_expect_open(first);
    sim_expect_open(second);
    sim_free(s);
}

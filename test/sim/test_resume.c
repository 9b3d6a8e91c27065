/* SPDX-License-Identifier: MIT */
/*
 * sim/test_resume.c - histories: what a member gets that resumes, or that was behind.
 *
 * Proves a part of law 7: each member gets every message once and in order, or is told at its place
 * what is missing; and a part of law 5: histories are bounded, all together.
 */
#include "sim.h"

#define QUEUE 16 /* messages */
#define LITTLE 5

/* Adds the routes: items keep much, sessions little, globals nothing, and their members fall
 * behind. Topics keep much, and close. */
static void add_routes(sim *s)
{
    static const struct {
        const char *path;
        enum wspool_kind kind;
        wspool_history history;
        enum wspool_slow slow;
    } routes[] = {{"/item/{name}", WSPOOL_ITEM, {.messages = 1000}, WSPOOL_SLOW_BEHIND},
                  {"/session/{name}", WSPOOL_SESSION, {.messages = LITTLE}, WSPOOL_SLOW_BEHIND},
                  {"/global", WSPOOL_GLOBAL, {0}, WSPOOL_SLOW_BEHIND},
                  {"/topic/{name}", WSPOOL_TOPIC, {.messages = 1000}, WSPOOL_SLOW_CLOSE},
                  {"/none", WSPOOL_NONE, {0}, WSPOOL_SLOW_CLOSE}};
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.slow = routes[i].slow;
        options.history = routes[i].history;
        int rc = SIM_IN(wspool_route(s->pool, routes[i].path, routes[i].kind, &options));
        assert_true(rc == 0 || (s->no_memory && rc == WSPOOL_ERR_NOMEM));
    }
}

static sim *begin_with(sim *s)
{
    s->config.ping_interval = 0;
    s->config.flush_time = 0;
    s->config.queue_messages = QUEUE;
    if (sim_start_bare(s) == 0)
        add_routes(s);
    return s;
}

static sim *begin(void)
{
    return begin_with(sim_new(1));
}

/* Publishes the numbers from `from` to `to`. */
static void publish(sim *s, wspool_channel channel, int from, int to)
{
    for (; from <= to; from++) {
        char text[16];
        wspool_tally tally = {.size = sizeof tally};
        snprintf(text, sizeof text, "%d", from);
        int n = SIM_IN(wspool_broadcast(s->pool, channel, text, strlen(text), NULL, &tally));
        assert_int_equal(n, (int)tally.queued);
    }
}

/* Expects that messages `at` and on of a client are these numbers. Returns the index behind. */
static size_t expect_numbers(const sim_peer *p, size_t at, int from, int to)
{
    for (; from <= to; from++, at++) {
        char text[16];
        snprintf(text, sizeof text, "%d", from);
        assert_true(at < p->reader.messages);
        sim_expect_message(p, at, text);
    }
    return at;
}

static wspool_channel_position position_of(sim *s, wspool_channel channel)
{
    wspool_channel_position position;
    assert_int_equal(wspool_position(s->pool, channel, &position), 0);
    return position;
}

/* Resumes behind `offset` of the present epoch. */
static wspool_resumed resume(sim_peer *p, wspool_channel channel, uint64_t offset)
{
    wspool_channel_position since = position_of(p->sim, channel);
    wspool_resumed resumed = {.size = sizeof resumed};
    since.offset = offset;
    assert_int_equal(SIM_IN(wspool_resume(p->sim->pool, p->id, channel, &since, &resumed)), 0);
    return resumed;
}

static void assert_recovered(const wspool_resumed *resumed, uint64_t count)
{
    assert_int_equal(resumed->recovered, 1);
    assert_int_equal(resumed->lost, WSPOOL_LOST_NOTHING);
    assert_int_equal(resumed->count, count);
}

static void assert_lost(const wspool_resumed *resumed, enum wspool_lost lost)
{
    assert_int_equal(resumed->recovered, 0);
    assert_int_equal(resumed->lost, lost);
    assert_int_equal(resumed->count, 0);
}

static size_t missed(const sim *s)
{
    return s->counts[SIM_MISSED];
}

/* Expects the n-th call of the missed hook. */
static void expect_missed(const sim *s, size_t n, const sim_peer *p, uint64_t from, uint64_t to)
{
    const sim_event *event = sim_event_of(s, SIM_MISSED, n);
    assert_non_null(event);
    assert_ptr_equal(event->peer, p);
    assert_int_equal(event->count, from);
    assert_int_equal(event->last, to);
}

/* ------------------------------------------------------------------ resuming */

TEST(resume_gets_what_was_missed_then_what_is_published)
{
    for (uint64_t offset = 0; offset <= 10; offset++) {
        sim *s = begin();
        wspool_channel channel = wspool_item("a");
        publish(s, channel, 1, 10); /* nobody is a member yet */
        sim_peer *p = sim_join(s, "/none");
        wspool_resumed resumed = resume(p, channel, offset);
        assert_recovered(&resumed, 10 - offset);
        assert_int_equal(resumed.position.offset, 10);
        publish(s, channel, 11, 12);
        sim_pump(s);
        publish(s, channel, 13, 13);
        sim_pump(s);
        assert_int_equal(expect_numbers(p, 0, (int)offset + 1, 13), p->reader.messages);
        assert_true(sim_stats(s).recovered >= 10 - offset);
        assert_int_equal(missed(s), 0);
        sim_free(s);
    }
}

TEST(resume_without_a_position_gets_what_is_published)
{
    sim *s = begin();
    wspool_channel channel = wspool_item("a");
    wspool_resumed resumed = {.size = sizeof resumed};
    publish(s, channel, 1, 10);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, channel, NULL, &resumed)), 0);
    assert_recovered(&resumed, 0);
    publish(s, channel, 11, 11);
    sim_pump(s);
    assert_int_equal(expect_numbers(p, 0, 11, 11), p->reader.messages);
    sim_free(s);
}

TEST(resume_says_why_it_cannot_recover)
{
    sim *s = begin();
    sim_peer *p = sim_join(s, "/none");
    wspool_resumed resumed = {.size = sizeof resumed};
    wspool_channel_position since;
    publish(s, wspool_session("a"), 1, 10);
    publish(s, wspool_item("a"), 1, 3);

    resumed = resume(p, wspool_session("a"), 10 - LITTLE - 1);
    assert_lost(&resumed, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(resumed.position.offset, 10);
    resumed = resume(p, wspool_item("a"), 4);
    assert_lost(&resumed, WSPOOL_LOST_UNKNOWN);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, wspool_item("a")), 0);
    since = position_of(s, wspool_item("a"));
    since.epoch++;
    assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, wspool_item("a"), &since, &resumed)), 0);
    assert_lost(&resumed, WSPOOL_LOST_EPOCH);
    /* A channel without history: only its present position can be met. */
    sim_peer *q = sim_join(s, "/global");
    publish(s, wspool_global(""), 1, 2);
    resumed = resume(p, wspool_global(""), 1);
    assert_lost(&resumed, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, wspool_global("")), 0);
    resumed = resume(p, wspool_global(""), 2);
    assert_recovered(&resumed, 0);

    publish(s, wspool_session("a"), 11, 11);
    publish(s, wspool_item("a"), 4, 4);
    publish(s, wspool_global(""), 3, 3);
    sim_pump(s);
    size_t at = expect_numbers(p, 0, 11, 11);
    at = expect_numbers(p, at, 4, 4);
    assert_int_equal(expect_numbers(p, at, 3, 3), p->reader.messages);
    sim_expect_open(q);
    sim_free(s);
}

TEST(resume_refuses_what_cannot_be_done)
{
    sim *s = begin();
    wspool_channel channel = wspool_item("a");
    sim_peer *p = sim_join(s, "/item/a");
    wspool_resumed resumed = {.size = 3};
    wspool_channel_position since = position_of(s, channel);
    wspool_channel bad = {.kind = WSPOOL_NONE};
    assert_int_equal(wspool_resume(s->pool, p->id, channel, &since, NULL), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_resume(s->pool, p->id, channel, &since, &resumed), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_resume(s->pool, p->id, bad, &since, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_resume(NULL, p->id, channel, &since, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_resume(s->pool, p->id + 1, channel, &since, NULL), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
    assert_int_equal(wspool_resume(s->pool, p->id, channel, &since, NULL), WSPOOL_ERR_STATE);
    sim_free(s);
}

/* The whole history is many times the queue; the member is never closed as slow by it. */
TEST(resume_of_any_length_fits_a_queue)
{
    for (int chop = SIM_WHOLE; chop <= SIM_RANDOM; chop++) {
        sim *s = begin();
        wspool_channel channel = wspool_topic("a");
        s->chop = (enum sim_chop)chop;
        publish(s, channel, 1, 1000);
        sim_peer *p = sim_join(s, "/none");
        sim_stall(p);
        resume(p, channel, 0);
        assert_true(sim_stats(s).waiting <= QUEUE / 2);
        for (int i = 1; i <= 20; i++) { /* it is behind: these are not queued for it */
            publish(s, channel, 1000 + i, 1000 + i);
            assert_true(sim_stats(s).waiting <= QUEUE / 2);
        }
        sim_flow(p);
        sim_pump(s);
        sim_expect_open(p);
        /* the history has 1,000, so the first were overtaken: but never those in the queue */
        size_t first = p->reader.messages - 1000;
        expect_numbers(p, first, 21, 1020);
        sim_free(s);
    }
}

TEST(two_channels_are_resumed_side_by_side)
{
    sim *s = begin();
    publish(s, wspool_item("a"), 1, 100);
    publish(s, wspool_item("b"), 1001, 1100);
    sim_peer *p = sim_join(s, "/none");
    sim_stall(p);
    resume(p, wspool_item("a"), 0);
    resume(p, wspool_item("b"), 0);
    sim_flow(p);
    sim_pump(s);
    int next[2] = {1, 1001}, first_b = 0;
    assert_int_equal(p->reader.messages, 200);
    for (size_t i = 0; i < 200; i++) {
        const got *message = reader_message(&p->reader, i);
        char text[16] = {0};
        memcpy(text, message->data, message->len);
        int number = atoi(text), of_b = number > 1000;
        assert_int_equal(number, next[of_b]++);
        first_b = of_b && first_b == 0 ? (int)i : first_b;
    }
    assert_in_range(first_b, 0, 99); /* it does not wait for the end of the other */
    sim_free(s);
}

/* One channel may fill a quarter of 4 messages by refills, and the other one a quarter of the
 * pool's limit: what is too much for the one does not hold up the other. */
TEST(refill_keeps_to_the_limits_of_each_channel)
{
    sim *s = sim_new(1);
    s->config.ping_interval = 0;
    s->config.queue_messages = QUEUE;
    assert_int_equal(sim_start_bare(s), 0);
    for (int i = 0; i < 2; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.slow = WSPOOL_SLOW_BEHIND;
        options.history.messages = 100;
        options.queue_messages = i ? 4 : 0;
        assert_int_equal(wspool_route(s->pool, i ? "/little/{x}" : "/much/{x}",
                                      i ? WSPOOL_TOPIC : WSPOOL_ITEM, &options),
                         0);
    }
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, NULL), 0);
    publish(s, wspool_item("much"), 1, 100);
    publish(s, wspool_topic("little"), 1001, 1100);
    sim_peer *little = sim_join(s, "/none");
    sim_stall(little);
    resume(little, wspool_topic("little"), 0);
    assert_int_equal(sim_stats(s).waiting, 2); /* half of its limit */
    for (unsigned i = 1; i <= 10; i++) {       /* whichever channel has the first turn */
        sim_peer *p = sim_join(s, "/none");
        sim_stall(p);
        sim_send(p, "one");
        sim_send(p, "two");
        resume(p, wspool_topic("little"), 0);
        resume(p, wspool_item("much"), 0);
        assert_int_equal(sim_stats(s).waiting, 2 + i * QUEUE / 2);
    }
    sim_flow_all(s);
    sim_pump(s);
    assert_int_equal(expect_numbers(little, 0, 1001, 1100), little->reader.messages);
    for (size_t i = 1; i < s->peer_count; i++)
        assert_int_equal(s->peers[i]->reader.messages, 202);
    assert_int_equal(missed(s), 0);
    sim_free(s);
}

/* -------------------------------------------------------------- falling behind */

TEST(slow_member_gets_everything_later_when_the_history_keeps_it)
{
    sim *s = begin();
    wspool_channel channel = wspool_item("a");
    sim_peer *p = sim_join(s, "/item/a");
    sim_peer *q = sim_join(s, "/item/a");
    wspool_tally tally = {.size = sizeof tally};
    sim_stall(p);
    publish(s, channel, 1, QUEUE);
    sim_pump(s);
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, "17", 2, NULL, &tally)), 1);
    assert_int_equal(tally.behind, 1);
    assert_int_equal(tally.closed, 0);
    for (int i = QUEUE + 2; i <= 500; i++) {
        publish(s, channel, i, i);
        sim_pump(s);
        assert_int_equal(sim_stats(s).waiting, QUEUE); /* that of p */
    }
    assert_int_equal(sim_stats(s).left_behind, 500 - QUEUE);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(expect_numbers(p, 0, 1, 500), p->reader.messages);
    assert_int_equal(expect_numbers(q, 0, 1, 500), q->reader.messages);
    publish(s, channel, 501, 501);
    sim_pump(s);
    expect_numbers(p, 500, 501, 501);
    assert_int_equal(missed(s), 0);
    assert_int_equal(sim_stats(s).left_behind, 500 - QUEUE);
    sim_free(s);
}

/* The hook sends a word, which must stand where the missing messages would be. */
static void say_missed(sim *s, const sim_event *event)
{
    (void)s;
    if (event->what == SIM_MISSED)
        sim_send(event->peer, "missed");
}

TEST(slow_member_is_told_at_its_place_what_the_history_has_forgotten)
{
    sim *s = sim_new(1);
    s->react = say_missed;
    begin_with(s);
    wspool_channel channel = wspool_session("a");
    sim_peer *p = sim_join(s, "/session/a");
    sim_stall(p);
    publish(s, channel, 1, 100);
    p->room = 3;
    sim_pump(s);
    assert_int_equal(missed(s), 0); /* it is not told before its queue has room */
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(missed(s), 1);
    expect_missed(s, 0, p, QUEUE + 1, 100 - LITTLE);
    assert_int_equal(sim_stats(s).missed, 100 - LITTLE - QUEUE);
    size_t at = expect_numbers(p, 0, 1, QUEUE);
    sim_expect_message(p, at, "missed");
    assert_int_equal(expect_numbers(p, at + 1, 100 - LITTLE + 1, 100), p->reader.messages);
    sim_free(s);
}

TEST(slow_member_of_a_channel_without_history_misses_what_did_not_fit)
{
    sim *s = begin();
    sim_peer *p = sim_join(s, "/global");
    sim_stall(p);
    publish(s, wspool_global(""), 1, QUEUE + 10);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(missed(s), 1);
    expect_missed(s, 0, p, QUEUE + 1, QUEUE + 10);
    publish(s, wspool_global(""), 100, 100);
    sim_pump(s);
    size_t at = expect_numbers(p, 0, 1, QUEUE);
    assert_int_equal(expect_numbers(p, at, 100, 100), p->reader.messages);
    sim_free(s);
}

TEST(slow_member_is_overtaken_again_and_again)
{
    sim *s = begin();
    wspool_channel channel = wspool_session("a");
    sim_peer *p = sim_join(s, "/session/a");
    int n = 0;
    sim_stall(p);
    for (int round = 0; round < 30; round++) {
        publish(s, channel, n + 1, n + 40);
        n += 40;
        p->room = 20; /* a few messages */
        sim_pump(s);
        sim_stall(p);
    }
    sim_flow(p);
    sim_pump(s);
    /* Each number is read, or lies in a range that was missed; in order. */
    uint64_t next = 1;
    size_t hole = 0;
    for (size_t i = 0; i <= p->reader.messages; i++) {
        uint64_t number = (uint64_t)n + 1;
        if (i < p->reader.messages) {
            const got *message = reader_message(&p->reader, i);
            char text[16] = {0};
            memcpy(text, message->data, message->len);
            number = strtoull(text, NULL, 10);
        }
        while (next < number) {
            const sim_event *event = sim_event_of(s, SIM_MISSED, hole++);
            assert_non_null(event);
            assert_int_equal(event->count, next);
            assert_true(event->last < number);
            next = event->last + 1;
        }
        assert_int_equal(next, number);
        next = number + 1;
    }
    assert_int_equal(hole, missed(s));
    assert_true(hole > 3);
    sim_free(s);
}

/* A queue that another channel has filled does not lose anything to this one. */
TEST(slow_feed_takes_nothing_from_other_messages)
{
    sim *s = begin();
    sim_peer *p = sim_join(s, "/session/a");
    sim_stall(p);
    for (int i = 0; i < QUEUE - 1; i++)
        assert_int_equal(sim_send(p, "mine"), 0);
    publish(s, wspool_session("a"), 1, 100);
    sim_flow(p);
    sim_pump(s);
    for (size_t i = 0; i < QUEUE - 1; i++)
        sim_expect_message(p, i, "mine");
    size_t at = expect_numbers(p, QUEUE - 1, 1, 1);
    assert_int_equal(expect_numbers(p, at, 96, 100), p->reader.messages);
    sim_free(s);
}

static void end_in_missed(sim *s, const sim_event *event)
{
    if (event->what != SIM_MISSED)
        return;
    if (s->test)
        assert_int_equal(wspool_unsubscribe(s->pool, event->id, wspool_session("a")), 0);
    else
        assert_int_equal(wspool_close(s->pool, event->id, 1000, NULL, 0), 0);
}

TEST(member_may_leave_or_be_closed_when_it_is_told_what_it_missed)
{
    for (int leaves = 0; leaves < 2; leaves++) {
        sim *s = sim_new(1);
        s->react = end_in_missed;
        s->test = leaves ? s : NULL;
        begin_with(s);
        sim_peer *p = sim_join(s, "/session/a");
        sim_stall(p);
        publish(s, wspool_session("a"), 1, 100);
        sim_flow(p);
        sim_pump(s);
        assert_int_equal(missed(s), 1);
        assert_int_equal(expect_numbers(p, 0, 1, QUEUE), p->reader.messages);
        assert_int_equal(wspool_member_count(s->pool, wspool_session("a")), 0);
        sim_free(s);
    }
}

/* ------------------------------------------------------------------- `except` */

TEST(publisher_does_not_get_its_own_message_from_the_history)
{
    sim *s = begin();
    wspool_channel channel = wspool_item("a");
    sim_peer *p = sim_join(s, "/none");
    sim_peer *q = sim_join(s, "/none");
    for (int i = 1; i <= 9; i++) {
        wspool_send_options options = {.size = sizeof options};
        char text[2] = {(char)('0' + i), 0};
        options.except = i % 3 == 0 ? p->id : 0;
        assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, text, 1, &options, NULL)), 0);
    }
    resume(p, channel, 0);
    resume(q, channel, 0);
    sim_pump(s);
    size_t at = expect_numbers(p, 0, 1, 2);
    at = expect_numbers(p, at, 4, 5);
    assert_int_equal(expect_numbers(p, at, 7, 8), p->reader.messages);
    assert_int_equal(expect_numbers(q, 0, 1, 9), q->reader.messages);
    publish(s, channel, 10, 10);
    sim_pump(s);
    expect_numbers(p, 6, 10, 10);
    sim_free(s);
}

/* --------------------------------------------------------------- the open hook */

static void resume_in_open(sim *s, const sim_event *event)
{
    wspool_channel channel = wspool_item("a");
    if (event->what != SIM_OPENED || strncmp(event->query, "offset=", 7) != 0)
        return;
    wspool_channel_position since = position_of(s, channel);
    since.offset = strtoull(event->query + 7, NULL, 10);
    publish(s, channel, 11, 11); /* by another part of the program */
    assert_int_equal(wspool_resume(s->pool, event->id, channel, &since, NULL), 0);
    assert_int_equal(sim_send(event->peer, "hello"), 0);
    publish(s, channel, 12, 12);
    assert_int_equal(wspool_resume(s->pool, event->id, wspool_item("b"), &since, NULL), 0);
}

TEST(member_by_its_route_resumes_in_the_open_hook)
{
    sim *s = sim_new(1);
    s->react = resume_in_open;
    begin_with(s);
    publish(s, wspool_item("a"), 1, 10);
    sim_peer *p = sim_join(s, "/item/a?offset=8");
    sim_pump(s);
    sim_expect_message(p, 0, "hello");
    assert_int_equal(expect_numbers(p, 1, 9, 12), p->reader.messages);
    publish(s, wspool_item("a"), 13, 13);
    sim_pump(s);
    expect_numbers(p, 5, 13, 13);
    sim_free(s);
}

static void hello_in_open(sim *s, const sim_event *event)
{
    if (event->what == SIM_OPENED) {
        publish(s, wspool_item("a"), 1, 1);
        assert_int_equal(sim_send(event->peer, "hello"), 0);
    }
}

TEST(member_by_its_route_gets_what_is_published_while_it_opens)
{
    sim *s = sim_new(1);
    s->react = hello_in_open;
    begin_with(s);
    sim_peer *p = sim_join(s, "/item/a");
    sim_pump(s);
    sim_expect_message(p, 0, "hello");
    assert_int_equal(expect_numbers(p, 1, 1, 1), p->reader.messages);
    sim_free(s);
}

/* --------------------------------------------------------------------- limits */

TEST(channel_keeps_its_epoch_while_it_has_history)
{
    sim *s = begin();
    wspool_channel channel = wspool_session("a");
    sim_peer *p = sim_join(s, "/session/a");
    wspool_channel_position before = position_of(s, channel);
    publish(s, channel, 1, 3);
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(s->active, 0);
    assert_int_equal(wspool_channels(s->pool, NULL, 0), 0);
    assert_int_equal(wspool_member_count(s->pool, channel), 0);
    wspool_channel_position after = position_of(s, channel);
    assert_true(after.epoch == before.epoch);
    assert_int_equal(after.offset, 3);
    publish(s, channel, 4, 4);
    p = sim_join(s, "/session/a");
    assert_int_equal(s->active, 1);
    assert_true(position_of(s, channel).epoch == before.epoch);
    sim_free(s);
}

TEST(message_is_forgotten_when_its_time_is_over)
{
    sim *s = sim_new(1);
    wspool_route_options options;
    s->config.ping_interval = 0;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.history = (wspool_history){.messages = 100, .time = 10 * SEC};
    assert_int_equal(wspool_route(s->pool, "/t/{name}", WSPOOL_TOPIC, &options), 0);
    wspool_channel channel = wspool_topic("a");
    uint64_t epoch = position_of(s, channel).epoch;
    publish(s, channel, 1, 2);
    sim_pass(s, 6 * SEC);
    publish(s, wspool_topic("b"), 1, 1); /* the one that a tick looks at first */
    publish(s, channel, 3, 4);
    sim_peer *p = sim_join(s, "/t/other");
    sim_pass(s, 4 * SEC);
    wspool_resumed resumed = resume(p, channel, 1);
    assert_lost(&resumed, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
    resumed = resume(p, channel, 2);
    assert_recovered(&resumed, 2);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel), 0);
    /* With the last message the channel goes, at the next tick. */
    sim_pass(s, 7 * SEC);
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    assert_true(position_of(s, channel).epoch != epoch);
    sim_free(s);
}

/* Items are kept without a limit in time, sessions for long, topics for 10 s. */
TEST(history_of_one_kind_does_not_keep_that_of_another_in_memory)
{
    static const uint64_t times[] = {0, 100 * SEC, 10 * SEC};
    static const char *const paths[] = {"/item/{name}", "/session/{name}", "/topic/{name}"};
    sim *s = sim_new(1);
    s->config.ping_interval = 0;
    sim_start_bare(s);
    for (unsigned i = 0; i < 3; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.history = (wspool_history){.messages = 100, .time = times[i]};
        assert_int_equal(wspool_route(s->pool, paths[i], WSPOOL_ITEM + i, &options), 0);
    }
    publish(s, wspool_item("a"), 1, 3);
    publish(s, wspool_session("a"), 1, 3);
    uint64_t kept = sim_stats(s).history_bytes;
    publish(s, wspool_topic("a"), 1, 3);
    publish(s, wspool_topic("b"), 1, 3);
    s->now += 10 * SEC;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(sim_stats(s).history_bytes, kept);
    s->now += 90 * SEC;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_in_range(sim_stats(s).history_bytes, 1, kept - 1);
    sim_free(s);
}

/* Whatever its kind. */
TEST(history_that_was_published_to_longest_ago_gives_way)
{
    static const wspool_channel channels[] = {
        {WSPOOL_TOPIC, "t", 1}, {WSPOOL_ITEM, "i", 1}, {WSPOOL_SESSION, "s", 1}};
    for (size_t quiet = 0; quiet < 3; quiet++) {
        static char text[20000];
        sim *s = sim_new(1);
        s->config.history_bytes = 65536;
        begin_with(s);
        memset(text, 'x', sizeof text);
        for (size_t i = 0; i < 4; i++) { /* for the fourth there is no room */
            wspool_channel channel = channels[(quiet + i) % 3];
            s->now += MS;
            sim_pump(s);
            assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
            channel.name = i < 3 ? channel.name : "new";
            channel.len = i < 3 ? 1 : 3;
            assert_int_equal(
                SIM_IN(wspool_broadcast(s->pool, channel, text, sizeof text, NULL, NULL)), 0);
        }
        for (size_t i = 0; i < 3; i++) /* a channel that has nothing has gone */
            assert_int_equal(position_of(s, channels[(quiet + i) % 3]).offset, i > 0);
        sim_free(s);
    }
}

TEST(histories_stay_within_their_budget)
{
    static char text[1000];
    sim *s = sim_new(1);
    s->config.history_bytes = 65536;
    begin_with(s);
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 500; i++) {
        char name[8];
        snprintf(name, sizeof name, "%d", i % 20);
        assert_int_equal(
            SIM_IN(wspool_broadcast(s->pool, wspool_item(name), text, sizeof text, NULL, NULL)), 0);
        assert_true(sim_stats(s).history_bytes <= 65536);
    }
    assert_true(sim_stats(s).history_bytes > 65536 / 2);
    /* The one that was published to last has most; none of the books is wrong. */
    sim_peer *p = sim_join(s, "/none");
    wspool_resumed resumed =
        resume(p, wspool_item("19"), position_of(s, wspool_item("19")).offset - 1);
    assert_recovered(&resumed, 1);
    /* One large message for each channel: all others give way. */
    static char large[60000];
    memset(large, 'y', sizeof large);
    assert_int_equal(
        SIM_IN(wspool_broadcast(s->pool, wspool_item("big"), large, sizeof large, NULL, NULL)), 0);
    assert_true(sim_stats(s).history_bytes <= 65536);
    resumed = resume(p, wspool_item("big"), 0);
    assert_recovered(&resumed, 1);
    sim_pump(s);
    sim_free(s);
}

TEST(message_too_large_for_a_history_is_missed_by_who_comes_later)
{
    sim *s = sim_new(1);
    wspool_route_options options;
    s->config.ping_interval = 0;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.history = (wspool_history){.messages = 100, .bytes = 50};
    assert_int_equal(wspool_route(s->pool, "/t/{name}", WSPOOL_TOPIC, &options), 0);
    wspool_channel channel = wspool_topic("a");
    static char large[100];
    memset(large, 'y', sizeof large);
    sim_peer *p = sim_join(s, "/t/a");
    publish(s, channel, 1, 3);
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, large, sizeof large, NULL, NULL)),
                     1);
    publish(s, channel, 5, 20);
    sim_peer *q = sim_join(s, "/t/other");
    wspool_resumed resumed = resume(q, channel, 3);
    assert_lost(&resumed, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(wspool_unsubscribe(s->pool, q->id, channel), 0);
    resumed = resume(q, channel, 20 - 14);
    assert_lost(&resumed, WSPOOL_LOST_TOO_OLD);
    assert_int_equal(wspool_unsubscribe(s->pool, q->id, channel), 0);
    resumed = resume(q, channel, 20 - 13); /* 3 bytes for 8 and 9, 4 for 10 and up */
    assert_recovered(&resumed, 13);
    sim_pump(s);
    assert_int_equal(p->reader.messages, 20);
    assert_int_equal(expect_numbers(q, 0, 8, 20), q->reader.messages);
    sim_free(s);
}

/* What a queue still needs of a history that has forgotten it counts in the budget of the
 * queues. */
TEST(segment_moves_to_the_budget_of_the_queues_when_its_history_lets_it_go)
{
    static char text[4000];
    sim *s = begin();
    wspool_channel channel = wspool_session("a");
    memset(text, 'x', sizeof text);
    sim_peer *p = sim_join(s, "/none");
    for (int i = 0; i < LITTLE; i++)
        wspool_broadcast(s->pool, channel, text, sizeof text, NULL, NULL);
    sim_stall(p);
    resume(p, channel, 0);
    uint64_t blocks = sim_stats(s).block_bytes;
    for (int i = 0; i < 4 * LITTLE; i++)
        assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel, text, sizeof text, NULL, NULL)),
                         0);
    assert_true(sim_stats(s).block_bytes > blocks);
    sim_flow(p);
    sim_pump(s);
    assert_true(sim_stats(s).missed > 0);
    assert_int_equal(p->reader.messages + sim_stats(s).missed, 5 * LITTLE);
    assert_int_equal(sim_stats(s).block_bytes, blocks);
    sim_free(s);
}

/* ---------------------------------------------------------------- at any time */

/* Peers come, stall, resume and go, and messages of any size are published, with short reads and
 * writes. Each reader has a hash of what it must have got: see expect below. */
TEST(pool_is_valid_when_histories_and_members_change_at_random)
{
    static uint8_t text[20000];
    unsigned rounds = sim_slow() ? 300 : 2000;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        sim *s = sim_new(seed);
        s->chop = SIM_RANDOM;
        s->config.history_bytes = 100000;
        s->config.pool_bytes = 300000;
        s->config.queue_bytes = 32768;
        begin_with(s);
        memset(text, 'x', sizeof text);
        for (unsigned i = 0; i < rounds; i++) {
            char name[2] = {(char)('a' + sim_below(s, 4)), 0};
            wspool_channel channel =
                wspool_channel_of((enum wspool_kind)(1 + sim_below(s, 4)), name, 1);
            sim_peer *p = s->peer_count > 0 ? s->peers[sim_below(s, s->peer_count)] : NULL;
            p = p && p->opened && !p->ended && !p->cut ? p : NULL;
            switch (sim_below(s, 9)) {
            case 0:
                if (s->peer_count < 100)
                    sim_join(s, "/none");
                break;
            case 1:
                if (p && sim_below(s, 4) == 0)
                    sim_cut(p, WSPOOL_GONE_FAILED);
                break;
            case 2:
                if (p)
                    sim_stall(p);
                break;
            case 3:
                if (p)
                    sim_flow(p);
                break;
            case 4:
            case 5:
                if (p) {
                    wspool_channel_position since = position_of(s, channel);
                    since.offset -= sim_below(s, since.offset + 1 < 20 ? since.offset + 1 : 20);
                    SIM_IN(wspool_resume(s->pool, p->id, channel, &since, NULL));
                }
                break;
            case 6:
                if (p)
                    SIM_IN(wspool_unsubscribe(s->pool, p->id, channel));
                break;
            default:
                SIM_IN(wspool_broadcast(
                    s->pool, channel, text,
                    sim_below(s, 3) == 0 ? sim_below(s, 20000) : sim_below(s, 300), NULL, NULL));
            }
            if (sim_below(s, 5) == 0)
                sim_pump(s);
            if (sim_below(s, 50) == 0)
                assert_int_equal(wspool_check(s->pool), 0);
        }
        sim_flow_all(s);
        sim_pump(s);
        sim_free(s);
    }
}

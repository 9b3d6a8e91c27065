/* SPDX-License-Identifier: MIT */
/*
 * sim/test_pace.c - channels with a send interval.
 *
 * Proves that a member gets messages at most once in an interval, and then the newest of each key;
 * that the first after a pause comes at once; that nothing is lost but what a newer message of its
 * key replaces; and that a sleeping host is told when it is time.
 */
#include "sim.h"

#define INTERVAL (100 * MS)

static wspool_channel paced;

static sim *begin_with(sim *s, uint32_t window)
{
    wspool_route_options options;
    s->config.ping_interval = 0;
    s->config.flush_time = 0;
    s->config.queue_messages = 16;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.history = (wspool_history){.messages = window, .max_keys = 20};
    options.send_interval = INTERVAL;
    assert_int_equal(wspool_route(s->pool, "/item/{x}", WSPOOL_ITEM, &options), 0);
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, NULL), 0);
    paced = wspool_item("a");
    return s;
}

/* Publishes a text whose first letter is its key; '-': no key. */
static wspool_tally publish(sim *s, const char *text)
{
    wspool_send_options options = {.size = sizeof options};
    wspool_tally tally = {.size = sizeof tally};
    if (text[0] != '-')
        options.key = (wspool_text){text, 1};
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, paced, text, strlen(text), &options, &tally)),
                     0);
    return tally;
}

/* Returns how many messages the peer has, the last of which are these. */
static size_t expect_last(const sim_peer *p, const char *const *texts, size_t count)
{
    assert_true(p->reader.messages >= count);
    for (size_t i = 0; i < count; i++)
        sim_expect_message(p, p->reader.messages - count + i, texts[i]);
    return p->reader.messages;
}
#define EXPECT(p, total, ...) \
    do { \
        static const char *const texts_[] = {__VA_ARGS__}; \
        sim_pump((p)->sim); \
        assert_int_equal(expect_last(p, texts_, sizeof texts_ / sizeof *texts_), total); \
    } while (0)

TEST(member_gets_the_first_at_once_and_the_newest_of_each_key_later)
{
    for (uint32_t window = 1; window <= 100; window += 33) { /* in the window, and beyond it */
        sim *s = begin_with(sim_new(1), window);
        sim_peer *p = sim_join(s, "/none"), *q = sim_join(s, "/item/a");
        assert_int_equal(SIM_IN(wspool_subscribe(s->pool, p->id, paced)), 0);
        wspool_tally tally = publish(s, "a1");
        assert_int_equal(tally.queued, 0);
        assert_int_equal(tally.behind, 2);
        EXPECT(p, 1, "a1");
        EXPECT(q, 1, "a1");
        publish(s, "b1");
        publish(s, "a2");
        publish(s, "c1");
        publish(s, "a3");
        publish(s, "b2");
        sim_pass(s, INTERVAL / 2);
        EXPECT(p, 1, "a1");
        sim_pass(s, INTERVAL / 2 + 2 * MS);
        EXPECT(p, 4, "c1", "a3", "b2");
        EXPECT(q, 4, "c1", "a3", "b2");
        publish(s, "a4"); /* within the next interval */
        EXPECT(p, 4, "b2");
        sim_pass(s, INTERVAL + 2 * MS);
        EXPECT(p, 5, "a4");
        sim_pass(s, 2 * INTERVAL);
        publish(s, "a5"); /* after a pause */
        EXPECT(p, 6, "a5");
        assert_int_equal(s->counts[SIM_MISSED], 0);
        assert_int_equal(wspool_check(s->pool), 0);
        sim_free(s);
    }
}

TEST(message_without_a_key_is_sent_too)
{
    sim *s = begin_with(sim_new(1), 100);
    sim_peer *p = sim_join(s, "/item/a");
    publish(s, "a1");
    publish(s, "-1");
    publish(s, "a2");
    publish(s, "-2");
    sim_pass(s, INTERVAL + 2 * MS);
    EXPECT(p, 4, "a1", "-1", "a2", "-2");
    sim_free(s);
}

TEST(member_that_resumes_gets_what_was_shown_at_once)
{
    sim *s = begin_with(sim_new(1), 100);
    sim_peer *p = sim_join(s, "/item/a"), *q = sim_join(s, "/none");
    wspool_channel_position since;
    assert_int_equal(wspool_position(s->pool, paced, &since), 0);
    publish(s, "a1");
    publish(s, "b1");
    EXPECT(p, 1, "a1");
    assert_int_equal(SIM_IN(wspool_resume(s->pool, q->id, paced, &since, NULL)), 0);
    EXPECT(q, 1, "a1");
    sim_pass(s, INTERVAL + 2 * MS);
    EXPECT(q, 2, "b1");
    EXPECT(p, 2, "b1");
    sim_free(s);
}

TEST(member_that_is_slow_holds_up_nobody_and_gets_the_newest)
{
    sim *s = begin_with(sim_new(1), 100);
    sim_peer *p = sim_join(s, "/item/a"), *q = sim_join(s, "/item/a");
    sim_stall(p);
    for (int i = 0; i < 10; i++) {
        char text[3] = {'a', (char)('0' + i), 0};
        publish(s, text);
        text[0] = 'b';
        publish(s, text);
        sim_pass(s, INTERVAL + 2 * MS);
    }
    EXPECT(q, 20, "a9", "b9");
    assert_int_equal(wspool_check(s->pool), 0);
    sim_flow(p);
    sim_pass(s, INTERVAL + 2 * MS);
    EXPECT(p, p->reader.messages, "a9", "b9");
    assert_true(p->reader.messages < 20);
    sim_expect_open(p);
    sim_free(s);
}

/* What is behind in a channel that waits keeps no other channel waiting. */
TEST(host_is_told_when_it_is_time)
{
    sim *s = begin_with(sim_new(1), 100);
    sim_peer *p = sim_join(s, "/item/a");
    sim_pass(s, INTERVAL);
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    publish(s, "a1");
    publish(s, "a2");
    sim_pump(s);
    assert_true(wspool_deadline(s->pool) == s->now + INTERVAL);
    sim_pass(s, INTERVAL / 2);
    publish(s, "a3");
    sim_pump(s);
    assert_true(wspool_deadline(s->pool) == s->now + INTERVAL / 2);
    sim_pass(s, INTERVAL / 2);
    EXPECT(p, 2, "a1", "a3");
    sim_pass(s, INTERVAL);
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    assert_int_equal(SIM_IN(wspool_unsubscribe(s->pool, p->id, paced)), 0);
    publish(s, "a4"); /* to nobody */
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    assert_int_equal(SIM_IN(wspool_clear(s->pool, paced)), 0);
    sim_free(s);
}

static int told;

static void on_deadline(void *user)
{
    (void)user;
    told++;
}

/* The member takes nothing, so nothing but the end of the interval comes. */
TEST(sleeping_host_is_told_that_an_interval_has_begun)
{
    sim *s = sim_new(1);
    s->config.deadline = (wspool_deadline_hook){on_deadline, NULL};
    begin_with(s, 100);
    sim_peer *p = sim_join(s, "/item/a");
    sim_stall(p);
    sim_send(p, "x");
    sim_pump(s);
    told = 0;
    publish(s, "a1");
    assert_int_equal(told, 1);
    publish(s, "a2");
    assert_int_equal(told, 1);
    sim_free(s);
}

TEST(channel_that_ends_while_it_waits_is_forgotten)
{
    sim *s = begin_with(sim_new(1), 100);
    sim_peer *p = sim_join(s, "/item/a");
    publish(s, "a1");
    publish(s, "a2");
    assert_int_equal(SIM_IN(wspool_unsubscribe(s->pool, p->id, paced)), 0);
    assert_int_equal(SIM_IN(wspool_clear(s->pool, paced)), 0);
    assert_int_equal(wspool_check(s->pool), 0);
    sim_pass(s, INTERVAL + 2 * MS);
    EXPECT(p, 1, "a1");
    sim_free(s);
}

TEST(seeded_channel_gives_what_it_has)
{
    sim *s = begin_with(sim_new(1), 100);
    wspool_channel_position at = {7, 1};
    for (; at.offset <= 3; at.offset++) {
        wspool_seed_message message = {
            .size = sizeof message, .data = "k", .len = 1, .key = {"k", 1}};
        assert_int_equal(SIM_IN(wspool_seed(s->pool, paced, &at, &message)), 0);
    }
    assert_int_equal(wspool_check(s->pool), 0);
    sim_peer *p = sim_join(s, "/none");
    at.offset = 0;
    assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, paced, &at, NULL)), 0);
    EXPECT(p, 1, "k");
    sim_free(s);
}

TEST(interval_needs_a_keyed_history)
{
    sim *s = begin_with(sim_new(1), 100);
    wspool_route_options options;
    wspool_route_options_init(&options, &s->config);
    assert_int_equal(options.send_interval, 0);
    options.send_interval = 1;
    assert_int_equal(wspool_route(s->pool, "/a", WSPOOL_TOPIC, &options), WSPOOL_ERR_INVAL);
    options.history.messages = 5;
    assert_int_equal(wspool_route(s->pool, "/a", WSPOOL_TOPIC, &options), WSPOOL_ERR_INVAL);
    options.history.max_keys = 5;
    options.send_interval = WSPOOL_TIME_MAX + 1;
    assert_int_equal(wspool_route(s->pool, "/a", WSPOOL_TOPIC, &options), WSPOOL_ERR_INVAL);
    options.send_interval = 1;
    assert_int_equal(wspool_route(s->pool, "/a", WSPOOL_TOPIC, &options), 0);
    options.send_interval = 2;
    assert_int_equal(wspool_route(s->pool, "/b", WSPOOL_TOPIC, &options), WSPOOL_ERR_INVAL);
    sim_free(s);
}

/* Whatever is published when: nothing twice, offsets rise, the newest of each key arrives, and not
 * more often than once in an interval. */
TEST(member_gets_the_newest_at_the_rate_of_its_channel)
{
    for (uint64_t seed = 1; seed <= 40; seed++) {
        sim *s = begin_with(sim_new(seed), 1 + (uint32_t)(seed * 7 % 60));
        sim_peer *p = sim_join(s, "/item/a");
        char newest[8][12] = {{0}};
        uint64_t sent_at = 0;
        size_t had = 0;
        int number = 0, last = 0;
        for (int step = 0; step < 400; step++) {
            for (uint64_t n = sim_below(s, 4); n > 0; n--) {
                size_t key = (size_t)sim_below(s, 8);
                snprintf(newest[key], sizeof newest[key], "%c%d", (char)('a' + key), ++number);
                publish(s, newest[key]);
            }
            for (int pause = sim_below(s, 30) == 0 ? 30 : 1; pause > 0; pause--) {
                sim_pass(s, sim_below(s, 10) * MS);
                if (p->reader.messages == had)
                    continue;
                assert_true(sent_at == 0 || s->now - sent_at >= INTERVAL - 10 * MS);
                sent_at = s->now;
                had = p->reader.messages;
            }
        }
        sim_pass(s, 2 * INTERVAL);
        for (size_t key = 0; key < 8; key++) {
            size_t found = 0;
            for (size_t i = 0; i < p->reader.count; i++)
                found += p->reader.list[i].len == strlen(newest[key]) &&
                         memcmp(p->reader.list[i].data, newest[key], strlen(newest[key])) == 0;
            assert_int_equal(found, 1);
        }
        for (size_t i = 0; i < p->reader.count; i++) {
            char text[12] = {0};
            memcpy(text, p->reader.list[i].data, p->reader.list[i].len);
            int at = atoi(text + 1);
            assert_true(at > last);
            last = at;
        }
        assert_int_equal(s->counts[SIM_MISSED], 0);
        assert_true(p->reader.messages < (size_t)number);
        assert_int_equal(wspool_check(s->pool), 0);
        sim_free(s);
    }
}

/* The second half of the state is not shown yet when its reader comes. */
TEST(whole_state_has_own_messages_that_are_shown_later)
{
    sim *s = begin_with(sim_new(1), 100);
    sim_peer *p = sim_join(s, "/item/a"), *q = sim_join(s, "/none");
    wspool_channel_position all = {0, 0};
    wspool_send_options own = {.size = sizeof own, .except = q->id, .key = {"b", 1}};
    publish(s, "a1");
    EXPECT(p, 1, "a1");
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, paced, "b1", 2, &own, NULL)), 0);
    assert_int_equal(SIM_IN(wspool_resume(s->pool, q->id, paced, &all, NULL)), 0);
    EXPECT(q, 1, "a1");
    sim_pass(s, INTERVAL + 2 * MS);
    EXPECT(q, 2, "a1", "b1");
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, paced, "b2", 2, &own, NULL)), 0);
    sim_pass(s, INTERVAL + 2 * MS);
    EXPECT(q, 2, "b1"); /* it had everything, so its own messages are left out again */
    sim_free(s);
}

/* SPDX-License-Identifier: MIT */
/*
 * sim/test_keyed.c - keyed histories: the newest message of each key, removals, and whole states.
 *
 * Proves that a reader which resumes from any position, is slow, or is cut off, ends with the
 * present state, or is told that it must begin anew.
 */
#include "sim.h"

#define QUEUE 16  /* messages */
#define WINDOW 10 /* messages */
#define KEYS 40
#define TOMBSTONE (10 * SEC)

static sim *begin_with(sim *s, uint32_t max_keys)
{
    wspool_route_options options;
    s->config.ping_interval = 0;
    s->config.flush_time = 0;
    s->config.queue_messages = QUEUE;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.slow = WSPOOL_SLOW_BEHIND;
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, &options), 0);
    options.history =
        (wspool_history){.messages = WINDOW, .max_keys = max_keys, .tombstone_time = TOMBSTONE};
    assert_int_equal(wspool_route(s->pool, "/t/{name}", WSPOOL_TOPIC, &options), 0);
    return s;
}

static sim *begin(void)
{
    return begin_with(sim_new(1), KEYS);
}

static wspool_channel channel_of(void)
{
    return wspool_topic("a");
}

static wspool_channel_position position_of(const sim *s)
{
    wspool_channel_position position;
    assert_int_equal(wspool_position(s->pool, channel_of(), &position), 0);
    return position;
}

static int publish_with(sim *s, const char *text, const char *key, unsigned flags, wspool_id except)
{
    wspool_send_options options = {
        .size = sizeof options, .flags = flags, .except = except, .key = {key, strlen(key)}};
    return SIM_IN(wspool_broadcast(s->pool, channel_of(), text, strlen(text), &options, NULL));
}

/* Publishes a message whose text is its key and a value. */
static int put(sim *s, const char *key, int value)
{
    char text[64];
    snprintf(text, sizeof text, "%s=%d", key, value);
    return publish_with(s, text, key, 0, 0);
}

static int removal(sim *s, const char *key)
{
    char text[64];
    snprintf(text, sizeof text, "-%s", key);
    return publish_with(s, text, key, WSPOOL_REMOVE, 0);
}

/* Fills the window with messages of one key. */
static void fill(sim *s)
{
    for (int i = 1; i <= WINDOW; i++)
        assert_true(put(s, "fill", i) >= 0);
}

static wspool_resumed resume_at(sim_peer *p, wspool_channel_position since)
{
    wspool_resumed resumed = {.size = sizeof resumed};
    assert_int_equal(SIM_IN(wspool_resume(p->sim->pool, p->id, channel_of(), &since, &resumed)), 0);
    return resumed;
}

static wspool_resumed resume(sim_peer *p, uint64_t offset)
{
    wspool_channel_position since = position_of(p->sim);
    since.offset = offset;
    return resume_at(p, since);
}

static wspool_resumed ask_state(sim_peer *p)
{
    return resume_at(p, (wspool_channel_position){0, 0});
}

/* Expects the texts, divided by spaces, and no other message since message `from`. */
static void expect_texts(const sim_peer *p, size_t from, const char *texts)
{
    while (*texts) {
        char text[64];
        size_t len = strcspn(texts, " ");
        memcpy(text, texts, len);
        text[len] = '\0';
        assert_true(from < p->reader.messages);
        sim_expect_message(p, from++, text);
        texts += len + (texts[len] == ' ');
    }
    assert_int_equal(p->reader.messages, from);
}

/* ------------------------------------------------------------------------ state */

TEST(state_is_the_newest_message_of_each_key_then_the_window)
{
    sim *s = begin();
    put(s, "a", 1);
    put(s, "b", 1);
    put(s, "a", 2);
    put(s, "c", 1);
    publish_with(s, "without", "", 0, 0);
    for (int i = 1; i <= WINDOW; i++)
        put(s, "b", i % 2 ? 7 : 8);
    sim_peer *p = sim_join(s, "/none");
    wspool_resumed resumed = ask_state(p);
    assert_int_equal(resumed.recovered, 1);
    assert_int_equal(resumed.reset, 0);
    assert_int_equal(resumed.count, 2 + WINDOW);
    sim_pump(s);
    expect_texts(p, 0, "a=2 c=1 b=7 b=8 b=7 b=8 b=7 b=8 b=7 b=8 b=7 b=8");
    put(s, "d", 1);
    sim_pump(s);
    expect_texts(p, 2 + WINDOW, "d=1");
    assert_int_equal(s->counts[SIM_MISSED], 0);
    sim_free(s);
}

TEST(resume_beyond_the_window_skips_what_is_not_the_newest)
{
    sim *s = begin();
    put(s, "a", 1); /* offset 1 */
    put(s, "b", 1);
    put(s, "c", 1);
    put(s, "a", 2);
    removal(s, "b"); /* 5 */
    fill(s);
    static const char *const wanted[] = {"c=1 a=2 -b", "c=1 a=2 -b", "c=1 a=2 -b",
                                         "a=2 -b",     "-b",         ""};
    static const uint64_t counts[] = {3, 3, 3, 2, 1, 0};
    for (uint64_t offset = 0; offset < 6; offset++) {
        sim_peer *p = sim_join(s, "/none");
        wspool_resumed resumed = resume(p, offset);
        char texts[200];
        size_t at = (size_t)snprintf(texts, sizeof texts, "%s", wanted[offset]);
        for (int i = 1; i <= WINDOW; i++)
            at += (size_t)snprintf(texts + at, sizeof texts - at, "%sfill=%d", at ? " " : "", i);
        assert_int_equal(resumed.recovered, 1);
        assert_int_equal(resumed.count, counts[offset] + WINDOW);
        sim_pump(s);
        expect_texts(p, 0, texts);
    }
    sim_free(s);
}

TEST(superfluous_messages_of_the_log_are_skipped)
{
    sim *s = begin();
    put(s, "a", 1);
    put(s, "b", 1);
    put(s, "c", 1);
    put(s, "d", 1);
    put(s, "e", 1);
    fill(s);
    put(s, "b", 2);
    fill(s);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, 1).count, 4 + WINDOW);
    sim_pump(s);
    sim_expect_message(p, 0, "c=1");
    sim_expect_message(p, 1, "d=1");
    sim_expect_message(p, 2, "e=1");
    sim_expect_message(p, 3, "b=2");
    assert_int_equal(p->reader.messages, 4 + WINDOW);
    p = sim_join(s, "/none");
    assert_int_equal(ask_state(p).count, 5 + WINDOW);
    sim_pump(s);
    sim_expect_message(p, 0, "a=1");
    sim_expect_message(p, 1, "c=1");
    assert_int_equal(p->reader.messages, 5 + WINDOW);
    sim_free(s);
}

TEST(position_before_a_forgotten_removal_gets_the_whole_state)
{
    sim *s = begin();
    put(s, "a", 1);
    put(s, "b", 1);
    removal(s, "b"); /* 3 */
    put(s, "c", 1);
    fill(s);
    sim_pass(s, TOMBSTONE - SEC);
    sim_peer *p = sim_join(s, "/none");
    wspool_resumed resumed = resume(p, 2); /* it is still there */
    assert_int_equal(resumed.recovered, 1);
    assert_int_equal(resumed.count, 2 + WINDOW);
    sim_pass(s, SEC);
    for (uint64_t offset = 0; offset <= 3; offset++) {
        sim_peer *q = sim_join(s, "/none");
        resumed = resume(q, offset);
        int met = offset == 0 || offset == 3; /* the horizon */
        assert_int_equal(resumed.recovered, met);
        assert_int_equal(resumed.reset, !met);
        assert_int_equal(resumed.lost, met ? WSPOOL_LOST_NOTHING : WSPOOL_LOST_TOO_OLD);
        assert_int_equal(resumed.count, (offset == 3 ? 1 : 2) + WINDOW);
        sim_pump(s);
        sim_expect_message(q, 0, offset == 3 ? "c=1" : "a=1");
        assert_int_equal(q->reader.messages, resumed.count);
    }
    /* Another epoch and an offset that was never reached get it, too. */
    wspool_channel_position since = position_of(s);
    since.epoch++;
    sim_peer *q = sim_join(s, "/none");
    resumed = resume_at(q, since);
    assert_int_equal(resumed.lost, WSPOOL_LOST_EPOCH);
    assert_int_equal(resumed.reset, 1);
    q = sim_join(s, "/none");
    resumed = resume(q, since.offset + 1);
    assert_int_equal(resumed.lost, WSPOOL_LOST_UNKNOWN);
    assert_int_equal(resumed.reset, 1);
    sim_pump(s);
    sim_expect_message(q, 0, "a=1");
    assert_int_equal(q->reader.messages, 2 + WINDOW);
    sim_free(s);
}

/* A state includes the reader's own messages; a resume does not. */
TEST(state_includes_own_messages)
{
    sim *s = begin();
    sim_peer *p = sim_join(s, "/none");
    publish_with(s, "a=1", "a", 0, p->id);
    put(s, "b", 1);
    resume(p, 0);
    sim_pump(s);
    expect_texts(p, 0, "a=1 b=1");
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    publish_with(s, "a=2", "a", 0, p->id);
    put(s, "b", 2);
    fill(s);
    resume(p, 2);
    sim_pump(s);
    sim_expect_message(p, 2, "b=2");
    sim_expect_message(p, 3, "fill=1");
    assert_int_equal(p->reader.messages, 2 + 1 + WINDOW);
    sim_free(s);
}

/* ------------------------------------------------------------------------ limits */

TEST(key_beyond_max_keys_is_refused)
{
    sim *s = begin_with(sim_new(1), 3);
    put(s, "a", 1);
    put(s, "b", 1);
    put(s, "c", 1);
    uint64_t offset = position_of(s).offset;
    assert_int_equal(put(s, "d", 1), WSPOOL_ERR_FULL);
    assert_int_equal(position_of(s).offset, offset);
    assert_int_equal(put(s, "a", 2), 0);
    assert_int_equal(publish_with(s, "x", "", 0, 0), 0);
    assert_int_equal(removal(s, "d"), 0); /* it was never there */
    assert_int_equal(removal(s, "b"), 0);
    assert_int_equal(put(s, "d", 1), 0); /* the removal gives way, in the window */
    assert_int_equal(put(s, "e", 1), WSPOOL_ERR_FULL);
    assert_int_equal(removal(s, "c"), 0); /* 9 */
    for (int i = 0; i < WINDOW; i++)
        put(s, "a", i);
    assert_int_equal(put(s, "e", 1), 0); /* and in the log: the horizon is 9 */
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, 8).reset, 1);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    sim_pump(s);
    assert_int_equal(resume(p, 9).recovered, 1);
    sim_pump(s);
    sim_free(s);
}

/* A removal that gave way in the window is given as long as it is there. */
TEST(removal_that_gave_way_in_the_window_is_the_horizon_when_it_leaves)
{
    sim *s = begin_with(sim_new(1), 2);
    put(s, "a", 1);
    put(s, "b", 1);
    removal(s, "b"); /* 3 */
    put(s, "c", 1);  /* it gives way */
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, 2).recovered, 1);
    sim_pump(s);
    expect_texts(p, 0, "-b c=1");
    for (int i = 0; i < WINDOW; i++)
        put(s, "c", i);
    p = sim_join(s, "/none");
    assert_int_equal(resume(p, 2).reset, 1);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    assert_int_equal(resume(p, 3).recovered, 1);
    sim_pump(s);
    sim_free(s);
}

TEST(keyed_arguments_that_cannot_be_are_refused)
{
    static char key[WSPOOL_KEY_MAX + 1];
    sim *s = begin();
    wspool_send_options options = {.size = sizeof options, .flags = WSPOOL_REMOVE};
    assert_int_equal(wspool_broadcast(s->pool, channel_of(), "x", 1, &options, NULL),
                     WSPOOL_ERR_INVAL);
    options.key = (wspool_text){key, sizeof key};
    assert_int_equal(wspool_broadcast(s->pool, channel_of(), "x", 1, &options, NULL),
                     WSPOOL_ERR_INVAL);
    options.key = (wspool_text){NULL, 1};
    assert_int_equal(wspool_broadcast(s->pool, channel_of(), "x", 1, &options, NULL),
                     WSPOOL_ERR_INVAL);
    options.flags = 8;
    options.key = (wspool_text){key, 1};
    assert_int_equal(wspool_broadcast(s->pool, channel_of(), "x", 1, &options, NULL),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_erase(s->pool, channel_of(), options.key), WSPOOL_ERR_ABSENT);
    assert_int_equal(wspool_erase(s->pool, channel_of(), (wspool_text){key, 0}), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_erase(s->pool, channel_of(), (wspool_text){key, sizeof key}),
                     WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_erase(NULL, channel_of(), options.key), WSPOOL_ERR_INVAL);
    sim_peer *p = sim_join(s, "/none");
    options.flags = WSPOOL_REMOVE;
    assert_int_equal(wspool_send(s->pool, p->id, "x", 1, &options), WSPOOL_ERR_INVAL);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    options.flags = 0;
    options.key = (wspool_text){key, WSPOOL_KEY_MAX};
    assert_int_equal(SIM_IN(wspool_broadcast(s->pool, channel_of(), "x", 1, &options, NULL)), 0);
    sim_free(s);
}

/* When there is no room for a message, it is not published: the state would be another one. */
TEST(message_without_room_is_not_published)
{
    static char text[3000];
    sim *s = sim_new(1);
    s->config.history_bytes = 65536;
    begin_with(s, 1000);
    int n = 0, error = 0;
    memset(text, 'x', sizeof text - 1);
    for (; error == 0 && n < 1000; n++) {
        char key[8];
        uint64_t offset = position_of(s).offset;
        snprintf(key, sizeof key, "%d", n);
        error = publish_with(s, text, key, 0, 0);
        assert_int_equal(position_of(s).offset, offset + (error == 0));
    }
    assert_int_equal(error, WSPOOL_ERR_FULL);
    assert_in_range(n, 10, 22);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(ask_state(p).count, n - 1); /* nothing gave way */
    sim_pump(s);
    assert_int_equal(p->reader.messages, n - 1);
    for (int i = 0; i < 1000; i++) { /* the channel can still be used */
        char key[8];
        snprintf(key, sizeof key, "%d", i % (n - 2));
        publish_with(s, "", key, i < 900 ? 0 : WSPOOL_REMOVE, 0);
    }
    assert_true(put(s, "new", 1) >= 0);
    sim_free(s);
}

TEST(memory_follows_the_state)
{
    sim *s = begin_with(sim_new(1), 1000);
    uint64_t most = 0;
    int rounds = sim_slow() ? 10000 : 40000;
    s->keep_journal = 0;
    for (int i = 0; i < rounds; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", (int)sim_below(s, 500));
        assert_int_equal(publish_with(s, "some text of thirty-two bytes...", key, 0, 0), 0);
        most = sim_stats(s).history_bytes > most ? sim_stats(s).history_bytes : most;
    }
    /* 500 keys: an entry, a key, its slot in the table, and at most three times the text. */
    assert_true(most < 500 * (4 * 56 + 80 + 16 + 3 * 40) + 20000);
    assert_int_equal(wspool_check(s->pool), 0);
    sim_peer *p = sim_join(s, "/none");
    assert_in_range(ask_state(p).count, 500, 500 + WINDOW);
    sim_pump(s);
    for (int i = 0; i < 500; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        removal(s, key);
    }
    sim_pass(s, TOMBSTONE + SEC);
    for (int i = 0; i < 1000; i++)
        publish_with(s, "x", "", 0, 0);
    assert_true(sim_stats(s).history_bytes < most / 3);
    sim_free(s);
}

/* Each tick looks at one channel. The publication itself forgets the removal of its key first. */
TEST(key_whose_removal_is_too_old_is_a_new_key)
{
    wspool_send_options options = {.size = sizeof options, .key = {"a", 1}};
    sim *s = begin();
    SIM_IN(wspool_broadcast(s->pool, wspool_topic("b"), "x", 1, &options, NULL));
    put(s, "a", 1);
    removal(s, "a");
    fill(s);
    s->now += TOMBSTONE + SEC;
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0); /* looks at "b" */
    put(s, "a", 2);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, 1).reset, 1);
    sim_pump(s);
    sim_expect_message(p, p->reader.messages - 1, "a=2");
    sim_free(s);
}

/* A channel exists while it has a key, and no longer than it has removals. */
TEST(keyed_channel_goes_when_it_has_nothing)
{
    sim *s = sim_new(1);
    wspool_route_options options;
    s->config.ping_interval = 0;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.history = (wspool_history){
        .messages = WINDOW, .time = 5 * SEC, .max_keys = 5, .tombstone_time = TOMBSTONE};
    assert_int_equal(wspool_route(s->pool, "/t/{name}", WSPOOL_TOPIC, &options), 0);
    put(s, "a", 1);
    sim_pass(s, 100 * SEC);
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(position_of(s).offset, 1);
    removal(s, "a");
    sim_pass(s, 6 * SEC);
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(position_of(s).offset, 2);
    sim_pass(s, 5 * SEC);
    assert_int_equal(SIM_IN(wspool_tick(s->pool, s->now)), 0);
    assert_int_equal(position_of(s).offset, 0);
    assert_int_equal(sim_stats(s).history_bytes, 0);
    sim_free(s);
}

/* ------------------------------------------------------------------- slow members */

static void say_reset(sim *s, const sim_event *event)
{
    (void)s;
    if (event->what == SIM_MISSED) {
        assert_string_equal(event->reason, "reset");
        sim_send(event->peer, "reset");
    }
}

TEST(slow_member_gets_the_newest_of_each_key)
{
    sim *s = begin();
    sim_peer *p = sim_join(s, "/t/a");
    sim_pump(s);
    sim_stall(p);
    for (int i = 1; i <= QUEUE; i++)
        put(s, "a", i);
    put(s, "b", 1);
    put(s, "c", 1);
    put(s, "b", 2);
    removal(s, "c");
    fill(s);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_MISSED], 0);
    sim_expect_message(p, QUEUE - 1, "a=16");
    sim_expect_message(p, QUEUE, "b=2");
    sim_expect_message(p, QUEUE + 1, "-c");
    sim_expect_message(p, QUEUE + 2, "fill=1");
    assert_int_equal(p->reader.messages, QUEUE + 2 + WINDOW);
    sim_free(s);
}

TEST(slow_member_that_a_forgotten_removal_overtakes_begins_anew)
{
    sim *s = sim_new(1);
    s->react = say_reset;
    begin_with(s, KEYS);
    sim_peer *p = sim_join(s, "/t/a");
    sim_pump(s);
    put(s, "a", 1);
    put(s, "b", 1);
    sim_pump(s);
    sim_stall(p);
    for (int i = 1; i <= QUEUE; i++)
        put(s, "c", i);
    removal(s, "a");
    fill(s);
    sim_pass(s, TOMBSTONE + SEC);
    put(s, "d", 1);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_MISSED], 1);
    assert_int_equal(sim_event_of(s, SIM_MISSED, 0)->count, 2 + QUEUE + 1);
    assert_int_equal(sim_event_of(s, SIM_MISSED, 0)->last, 2 + QUEUE + 1);
    sim_expect_message(p, 2 + QUEUE, "reset");
    sim_expect_message(p, 2 + QUEUE + 1, "b=1");
    sim_expect_message(p, 2 + QUEUE + 2, "c=16");
    assert_int_equal(p->reader.messages, 2 + QUEUE + 3 + WINDOW);
    sim_free(s);
}

/* A reader of the whole state is behind the horizon from the beginning. */
TEST(reader_of_the_state_begins_anew_only_for_removals_behind_its_beginning)
{
    for (int after = 0; after < 2; after++) {
        char key[8];
        sim *s = sim_new(1);
        s->react = say_reset;
        begin_with(s, KEYS);
        for (int i = 0; i < 30; i++) {
            snprintf(key, sizeof key, "%d", i);
            put(s, key, 1);
        }
        if (!after)
            removal(s, "29");
        fill(s);
        sim_peer *p = sim_join(s, "/none");
        sim_stall(p);
        ask_state(p);
        if (after) {
            removal(s, "0");
            fill(s);
        }
        sim_pass(s, TOMBSTONE + SEC);
        put(s, "new", 1);
        sim_flow(p);
        sim_pump(s);
        assert_int_equal(s->counts[SIM_MISSED], after);
        sim_expect_message(p, p->reader.messages - 1, "new=1");
        sim_free(s);
    }
}

/* The window of a state has messages that are not the newest of their keys. A reader that got one
 * of them must not miss the removal that follows. */
TEST(reader_of_the_state_in_the_window_begins_anew_for_a_removal_in_it)
{
    sim *s = sim_new(1);
    s->react = say_reset;
    begin_with(s, KEYS);
    for (int i = 1; i < QUEUE / 2; i++)
        put(s, "x", i);
    put(s, "a", 1);
    removal(s, "a");
    put(s, "y", 1);
    sim_peer *p = sim_join(s, "/none");
    sim_stall(p);
    ask_state(p);
    sim_pump(s); /* half of a queue: a=1 is the last of it */
    fill(s);
    sim_pass(s, TOMBSTONE + SEC);
    put(s, "z", 1);
    sim_flow(p);
    sim_pump(s);
    sim_expect_message(p, QUEUE / 2 - 1, "a=1");
    sim_expect_message(p, QUEUE / 2, "reset");
    sim_expect_message(p, QUEUE / 2 + 1, "x=7");
    sim_free(s);
}

/* -------------------------------------------------------------- seed, erase, clear */

static int seed(sim *s, uint64_t offset, const char *key, unsigned flags, const char *text)
{
    wspool_channel_position position = {42, offset};
    wspool_seed_message message = {.size = sizeof message,
                                   .flags = flags,
                                   .data = text,
                                   .len = strlen(text),
                                   .key = {key, strlen(key)}};
    return SIM_IN(wspool_seed(s->pool, channel_of(), &position, text[0] ? &message : NULL));
}

TEST(seeded_state_is_given)
{
    sim *s = begin();
    assert_int_equal(seed(s, 10, "a", 0, "a=1"), 0);
    assert_int_equal(seed(s, 20, "b", 0, "b=1"), 0);
    assert_int_equal(seed(s, 21, "c", 0, "c=1"), 0);
    assert_int_equal(seed(s, 22, "b", WSPOOL_REMOVE, "-b"), 0);
    assert_int_equal(seed(s, 30, "", 0, ""), 0);
    assert_int_equal(seed(s, 29, "d", 0, "d"), WSPOOL_ERR_EXISTS);
    assert_int_equal(position_of(s).offset, 30);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, 29).reset, 1); /* 30 may have been a removal */
    sim_pump(s);
    expect_texts(p, 0, "a=1 c=1 -b");
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    wspool_resumed resumed = resume(p, 30);
    assert_int_equal(resumed.recovered, 1);
    assert_int_equal(resumed.count, 0);
    put(s, "e", 1);
    sim_pump(s);
    expect_texts(p, 3, "e=1");
    sim_free(s);
}

/* The host left out the message that the removal is about. */
TEST(seeded_removal_of_an_unknown_key_is_the_horizon_when_it_leaves_the_window)
{
    sim *s = begin();
    assert_int_equal(seed(s, 10, "a", 0, "a=1"), 0);
    assert_int_equal(seed(s, 12, "b", 0, "b=1"), 0);
    assert_int_equal(seed(s, 13, "c", WSPOOL_REMOVE, "-c"), 0);
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, 12).recovered, 1); /* the window has it */
    sim_pump(s);
    expect_texts(p, 0, "-c");
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    fill(s);
    assert_int_equal(resume(p, 12).reset, 1);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    assert_int_equal(resume(p, 13).recovered, 1);
    sim_free(s);
}

TEST(erased_key_is_given_to_nobody)
{
    for (int in_window = 0; in_window < 2; in_window++) {
        sim *s = begin();
        put(s, "a", 1);
        put(s, "secret", 1);
        put(s, "b", 1);
        if (!in_window)
            fill(s);
        uint64_t head = position_of(s).offset;
        assert_int_equal(SIM_IN(wspool_erase(s->pool, channel_of(), (wspool_text){"secret", 6})),
                         0);
        assert_int_equal(SIM_IN(wspool_erase(s->pool, channel_of(), (wspool_text){"secret", 6})),
                         WSPOOL_ERR_ABSENT);
        for (uint64_t offset = 0; offset <= head; offset++) {
            sim_peer *p = sim_join(s, "/none");
            wspool_resumed resumed = resume(p, offset);
            assert_int_equal(resumed.reset, offset > 0 && offset < head);
            sim_pump(s);
            for (size_t i = 0; i < p->reader.messages; i++) {
                const got *message = reader_message(&p->reader, i);
                assert_true(message->len < 6 || memcmp(message->data, "secret", 6) != 0);
            }
            if (offset < head)
                sim_expect_message(p, 0, "a=1");
            assert_int_equal(p->reader.messages, offset == head ? 0 : in_window ? 2 : 3);
        }
        sim_free(s);
    }
}

/* Members are told of an erased key by a removal, also those that come back later. */
TEST(removal_of_an_erased_key_is_the_horizon_when_it_leaves_the_window)
{
    sim *s = begin();
    put(s, "a", 1);
    put(s, "b", 1);
    assert_int_equal(SIM_IN(wspool_erase(s->pool, channel_of(), (wspool_text){"a", 1})), 0);
    removal(s, "a"); /* 3 */
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(resume(p, 2).recovered, 1);
    sim_pump(s);
    expect_texts(p, 0, "-a");
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    fill(s);
    assert_int_equal(resume(p, 2).reset, 1);
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, channel_of()), 0);
    assert_int_equal(resume(p, 3).recovered, 1);
    sim_free(s);
}

TEST(cleared_state_is_empty)
{
    sim *s = sim_new(1);
    s->react = say_reset;
    begin_with(s, KEYS);
    sim_peer *p = sim_join(s, "/t/a");
    sim_pump(s);
    sim_stall(p);
    for (int i = 0; i < QUEUE + 3; i++)
        put(s, "a", i);
    assert_int_equal(SIM_IN(wspool_clear(s->pool, channel_of())), 0);
    sim_peer *q = sim_join(s, "/none");
    wspool_resumed resumed = resume(q, 3);
    assert_int_equal(resumed.reset, 1);
    assert_int_equal(resumed.count, 0);
    put(s, "b", 1);
    sim_flow(p);
    sim_pump(s);
    expect_texts(q, 0, "b=1");
    expect_texts(p, QUEUE, "reset b=1");
    sim_free(s);
}

/* The eras of a history end with it. */
TEST(reader_of_a_state_that_was_cleared_begins_anew)
{
    sim *s = sim_new(1);
    s->react = say_reset;
    begin_with(s, KEYS);
    for (int i = 0; i < 3; i++) { /* eras */
        sim_peer *q = sim_join(s, "/none");
        put(s, "x", i);
        removal(s, "x");
        ask_state(q);
        sim_pump(s);
    }
    for (int i = 0; i < QUEUE; i++) {
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        put(s, key, 1);
    }
    fill(s);
    sim_peer *p = sim_join(s, "/none");
    sim_stall(p);
    ask_state(p); /* it has some of the keys */
    assert_int_equal(SIM_IN(wspool_clear(s->pool, channel_of())), 0);
    removal(s, "0");
    fill(s);
    put(s, "new", 1);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(s->counts[SIM_MISSED], 1);
    sim_expect_message(p, p->reader.messages - 1, "new=1");
    sim_free(s);
}

/* Positions, keys, ids and ranges that cannot be: each has its error, and nothing is lost. */
TEST(bad_call_about_a_channel_changes_nothing)
{
    static char large[70000], key[WSPOOL_KEY_MAX + 1], id[WSPOOL_PUBLISH_ID_MAX + 1];
    static const wspool_text long_key = {key, sizeof key}, no_key = {NULL, 0}, no_data = {NULL, 1};
    static const wspool_channel bad = {.kind = WSPOOL_NONE};
    sim *s = begin();
    assert_int_equal(seed(s, 1, "a", 0, "a=1"), 0);
    assert_int_equal(seed(s, 2, "b", 0, "b=1"), 0);
    wspool *pool = s->pool;
    wspool_channel channel = channel_of();
    wspool_channel_position at = {42, 3}, none = {0, 3}, late = {42, UINT64_C(1) << 53};
    wspool_seed_message message = {.size = sizeof message, .data = "x", .len = 1};
    wspool_seed_message keys[] = {message, message, message, message};
    keys[0].key = long_key;
    keys[1].key = no_data;
    keys[2].flags = WSPOOL_REMOVE; /* of what? */
    keys[3].flags = 1u << 9;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        assert_int_equal(wspool_seed(pool, channel, &at, &keys[i]), WSPOOL_ERR_INVAL);
    message.data = large;
    message.len = sizeof large * 4;
    assert_int_equal(wspool_seed(pool, channel, &at, &message), WSPOOL_ERR_TOO_BIG);
    assert_int_equal(wspool_seed(pool, channel, &none, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_seed(pool, channel, &late, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_seed(pool, bad, &at, NULL), WSPOOL_ERR_INVAL);
    at.offset = 1;
    assert_int_equal(wspool_seed(pool, channel, &at, NULL), WSPOOL_ERR_EXISTS);
    assert_int_equal(wspool_erase(pool, bad, (wspool_text){"a", 1}), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_erase(pool, channel, no_key), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_erase(pool, channel, no_data), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_erase(pool, channel, long_key), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_erase(pool, channel, (wspool_text){"c", 1}), WSPOOL_ERR_ABSENT);
    assert_int_equal(wspool_clear(pool, bad), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clear(NULL, channel), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_clear(pool, wspool_topic("b")), WSPOOL_ERR_ABSENT);
    wspool_send_options options = {.size = sizeof options, .id = {id, sizeof id}, .key = {"a", 1}};
    assert_int_equal(wspool_broadcast(pool, channel, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    options.id = (wspool_text){id, 1};
    assert_int_equal(wspool_broadcast(pool, channel, large, sizeof large * 4, &options, NULL),
                     WSPOOL_ERR_TOO_BIG);
    assert_int_equal(wspool_broadcast(pool, bad, "x", 1, &options, NULL), WSPOOL_ERR_INVAL);
    sim_peer *p = sim_join(s, "/none");
    wspool_channel_position since = {42, UINT64_MAX};
    assert_int_equal(SIM_IN(wspool_resume(pool, p->id, bad, &since, NULL)), WSPOOL_ERR_INVAL);
    assert_int_equal(resume_at(p, since).lost, WSPOOL_LOST_UNKNOWN);
    sim_pump(s);
    expect_texts(p, 0, "a=1 b=1"); /* the whole state, as it was */
    assert_int_equal(position_of(s).offset, 2);
    options.id = (wspool_text){id, 1};
    assert_int_equal(SIM_IN(wspool_broadcast(pool, channel, "a=2", 3, &options, NULL)), 1);
    sim_pump(s);
    expect_texts(p, 2, "a=2"); /* its id was not remembered before */
    sim_free(s);
}

/* ------------------------------------------------------ readers that are no peers */

/* wspool_read gives from `since` what a peer gets, with the same result; a whole state only at
 * once. */
static void expect_same_read(sim *s, wspool_channel_position since)
{
    wspool_read_message list[200];
    wspool_resumed peers, resumed = {.size = sizeof resumed};
    sim_peer *p = sim_join(s, "/none");
    peers = resume_at(p, since);
    sim_pump(s);
    int state = since.offset == 0 || peers.reset, read = 0, n = 0;
    size_t max = state ? 200 : 3;
    do {
        n = SIM_IN(wspool_read(s->pool, channel_of(), &since, list, max, &resumed));
        if (read == 0) {
            assert_memory_equal(&resumed.position, &peers.position, sizeof resumed.position);
            assert_int_equal(resumed.recovered, peers.recovered);
            assert_int_equal(resumed.reset, peers.reset);
            assert_int_equal(resumed.lost, peers.lost);
            assert_int_equal(resumed.count, peers.count);
        }
        for (int i = 0; i < n; i++, read++) {
            const got *message = reader_message(&p->reader, (size_t)read);
            assert_non_null(message);
            assert_int_equal(list[i].len, message->len);
            assert_memory_equal(list[i].data, message->data, message->len);
            assert_true(i == 0 || list[i].offset > list[i - 1].offset);
            since = (wspool_channel_position){resumed.position.epoch, list[i].offset};
        }
    } while (!state && n > 0);
    assert_int_equal(read, p->reader.messages);
    if (state && read > 0) {
        since = (wspool_channel_position){0, 0};
        assert_int_equal(wspool_read(s->pool, channel_of(), &since, list, (size_t)read - 1, NULL),
                         0);
    }
    since = resumed.position; /* it continues here */
    assert_int_equal(wspool_read(s->pool, channel_of(), &since, list, 200, &resumed), 0);
    assert_int_equal(resumed.recovered, 1);
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
}

TEST(read_of_a_keyed_history_gives_what_a_peer_gets)
{
    sim *s = begin();
    s->config.queue_messages = 1024;
    expect_same_read(s, (wspool_channel_position){0, 0}); /* the channel does not exist */
    for (int round = 0; round < 6; round++) {
        for (int i = 0; i < 9; i++) {
            char key[2] = {(char)('a' + sim_below(s, 12)), '\0'};
            if (sim_below(s, 4) == 0)
                removal(s, key);
            else
                put(s, key, i);
        }
        wspool_channel_position head = position_of(s);
        for (uint64_t offset = 0; offset <= head.offset + 1; offset++)
            expect_same_read(s, (wspool_channel_position){head.epoch, offset});
        expect_same_read(s, (wspool_channel_position){0, 0});
        expect_same_read(s, (wspool_channel_position){head.epoch + 1, 3});
        sim_pass(s, 4 * SEC); /* removals of the first rounds are forgotten */
    }
    put(s, "a", 1);
    assert_int_equal(SIM_IN(wspool_erase(s->pool, channel_of(), wspool_text_of("a"))), 0);
    expect_same_read(s, position_of(s));
    expect_same_read(s, (wspool_channel_position){position_of(s).epoch, 1});
    sim_free(s);
}

/* ---------------------------------------------------------------------- the model */

#define NAMES 14
#define READERS 4

struct value {
    uint64_t offset; /* of the message; 0: never heard of */
    int value;       /* -1: removed */
};

struct client {
    sim_peer *peer; /* NULL: cut off */
    size_t seen;
    uint64_t last; /* offset of the last message received in order */
    uint64_t epoch;
    struct value values[NAMES];
    int resets;
};

struct model {
    struct value values[NAMES];
    struct client readers[READERS];
};

static void forget_all(struct client *client)
{
    memset(client->values, 0, sizeof client->values);
    client->last = 0;
}

/* Reads what a reader has received. */
static void read_all(struct client *client)
{
    sim_peer *p = client->peer;
    for (; client->seen < p->reader.messages; client->seen++) {
        const got *message = reader_message(&p->reader, client->seen);
        char text[64] = {0};
        int key, value;
        unsigned long long offset;
        memcpy(text, message->data, message->len < 63 ? message->len : 63);
        if (strcmp(text, "reset") == 0) {
            forget_all(client);
            client->resets++;
            continue;
        }
        int own = strncmp(text, "ack ", 4) == 0;
        assert_int_equal(sscanf(text + (own ? 4 : 0), "%llu %d %d", &offset, &key, &value), 3);
        assert_true(own || offset > client->last);
        client->last = own ? client->last : offset;
        if (key >= 0 && client->values[key].offset < offset)
            client->values[key] = (struct value){offset, value};
    }
}

static void publish_any(sim *s, struct model *m)
{
    static char text[600];
    char name[8];
    int key = (int)sim_below(s, NAMES + 1) - 1, value = (int)sim_below(s, 1000);
    int removed = key >= 0 && sim_below(s, 4) == 0;
    uint64_t offset = position_of(s).offset + 1;
    struct client *own = &m->readers[sim_below(s, READERS)];
    wspool_send_options options = {.size = sizeof options, .flags = removed ? WSPOOL_REMOVE : 0};
    if (key >= 0)
        options.key = (wspool_text){name, (size_t)snprintf(name, sizeof name, "key%d", key)};
    own = own->peer && own->peer->room == SIZE_MAX && sim_below(s, 3) == 0 ? own : NULL;
    if (own)
        sim_pump(s); /* its queue has room */
    options.except = own ? own->peer->id : 0;
    value = removed ? -1 : value;
    int len = snprintf(text, sizeof text, "%llu %d %d ", (unsigned long long)offset, key, value);
    size_t padded = (size_t)len + sim_below(s, sim_below(s, 8) == 0 ? 500 : 20);
    memset(text + len, '.', padded - (size_t)len);
    int n = SIM_IN(wspool_broadcast(s->pool, channel_of(), text, padded, &options, NULL));
    if (n < 0) {
        assert_int_equal(n, WSPOOL_ERR_FULL);
        assert_int_equal(position_of(s).offset, offset - 1);
        return;
    }
    if (key >= 0) {
        m->values[key] = (struct value){offset, value};
        if (own) { /* the publisher is told in another way */
            char ack[64];
            snprintf(ack, sizeof ack, "ack %llu %d %d", (unsigned long long)offset, key, value);
            assert_int_equal(sim_send(own->peer, ack), 0);
        }
    }
}

static void resume_any(sim *s, struct model *m, struct client *client)
{
    wspool_resumed resumed = {.size = sizeof resumed};
    wspool_channel_position since = {client->epoch, client->last};
    sim_peer *p = sim_join(s, "/none");
    int asks = sim_below(s, 6) == 0;
    (void)m;
    client->peer = p;
    client->seen = 0;
    if (asks)
        since = (wspool_channel_position){0, 0};
    else if (sim_below(s, 4) == 0)
        since.offset -= sim_below(s, since.offset + 1); /* it repeats some */
    if (sim_below(s, 2) == 0)
        sim_stall(p);
    assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, channel_of(), &since, &resumed)), 0);
    assert_int_equal(resumed.reset, !resumed.recovered);
    if (resumed.reset || asks)
        forget_all(client);
    client->last = resumed.reset || asks ? 0 : since.offset;
    client->epoch = resumed.position.epoch;
    client->resets += resumed.reset;
}

static void play(sim *s, struct model *m, unsigned rounds)
{
    for (unsigned i = 0; i < rounds; i++) {
        struct client *client = &m->readers[sim_below(s, READERS)];
        switch (sim_below(s, 12)) {
        case 0:
            if (client->peer) {
                sim_cut(client->peer, WSPOOL_GONE_FAILED);
                sim_pump(s);
                read_all(client);
                client->peer = NULL;
            } else {
                resume_any(s, m, client);
            }
            break;
        case 1:
            if (client->peer)
                sim_stall(client->peer);
            break;
        case 2:
            if (client->peer)
                sim_flow(client->peer);
            break;
        case 3:
            sim_pass(s, sim_below(s, 3) * SEC);
            break;
        case 4: {
            int key = (int)sim_below(s, NAMES);
            char name[8];
            wspool_text text = {name, (size_t)snprintf(name, sizeof name, "key%d", key)};
            if (m->values[key].value == -1 && sim_below(s, 10) == 0)
                SIM_IN(wspool_erase(s->pool, channel_of(), text));
            break;
        }
        default:
            publish_any(s, m);
        }
        if (sim_below(s, 4) == 0)
            sim_pump(s);
        for (int k = 0; k < READERS; k++)
            if (m->readers[k].peer)
                read_all(&m->readers[k]);
    }
}

TEST(reader_from_any_position_ends_with_the_present_state)
{
    size_t resets = 0, missed = 0;
    unsigned seeds = sim_slow() ? 6 : 30;
    for (uint64_t seed = 1; seed <= seeds; seed++) {
        static struct model model;
        struct model *m = &model;
        sim *s = sim_new(seed);
        memset(m, 0, sizeof *m);
        s->chop = SIM_RANDOM;
        s->react = say_reset;
        s->keep_journal = 0;
        s->config.history_bytes = seed % 5 == 0 ? 65536 : 1 << 20;
        begin_with(s, seed % 3 == 0 ? 9 : KEYS);
        sim_join(s, "/t/a"); /* the channel exists */
        for (int i = 0; i < READERS; i++)
            resume_any(s, m, &m->readers[i]);
        play(s, m, 600);
        for (int i = 0; i < READERS; i++)
            if (!m->readers[i].peer)
                resume_any(s, m, &m->readers[i]);
        sim_flow_all(s);
        sim_pump(s);
        assert_int_equal(wspool_check(s->pool), 0);
        for (int i = 0; i < READERS; i++) {
            struct client *client = &m->readers[i];
            read_all(client);
            resets += (size_t)client->resets;
            for (int key = 0; key < NAMES; key++) {
                const struct value *wanted = &m->values[key], *has = &client->values[key];
                int is_there = wanted->offset > 0 && wanted->value >= 0;
                int has_it = has->offset > 0 && has->value >= 0;
                if (is_there != has_it ||
                    (is_there && (has->value != wanted->value || has->offset != wanted->offset)))
                    fail_msg("seed %d: reader %d has another value of key %d", (int)seed, i, key);
            }
        }
        missed += s->counts[SIM_MISSED];
        sim_free(s);
    }
    print_message("%zu resets, %zu of them behind\n", resets, missed);
    assert_true(missed > 0 && resets > missed); /* both ways occur */
}

/* Days of a busy channel may lie between two messages of its state. */
TEST(reader_of_a_state_gets_what_is_trillions_of_messages_behind)
{
    static const char *const keys[] = {"a", "b", "c", "d"};
    wspool_route_options options;
    wspool_resumed resumed = {.size = sizeof resumed};
    sim *s = sim_new(1);
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.history = (wspool_history){.messages = 2, .max_keys = 5};
    assert_int_equal(wspool_route(s->pool, "/t/{name}", WSPOOL_TOPIC, &options), 0);
    assert_int_equal(wspool_route(s->pool, "/none", WSPOOL_NONE, NULL), 0);
    for (unsigned i = 0; i < 4; i++) {
        wspool_channel_position at = {7, i == 0 ? 3 : (UINT64_C(1) << 40) + i};
        wspool_seed_message message = {
            .size = sizeof message, .data = keys[i], .len = 1, .key = wspool_text_of(keys[i])};
        assert_int_equal(SIM_IN(wspool_seed(s->pool, wspool_topic("a"), &at, &message)), 0);
    }
    sim_peer *p = sim_join(s, "/none");
    assert_int_equal(SIM_IN(wspool_resume(s->pool, p->id, wspool_topic("a"),
                                          &(wspool_channel_position){0, 0}, &resumed)),
                     0);
    assert_int_equal(resumed.count, 4);
    sim_pump(s);
    for (size_t i = 0; i < 4; i++)
        sim_expect_message(p, i, keys[i]);
    sim_free(s);
}

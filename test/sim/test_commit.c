/* SPDX-License-Identifier: MIT */
/*
 * sim/test_commit.c - an application commits a message before it is published.
 *
 * Proves that the application gets what wspool_seed takes, exactly when the message is about to be
 * published, and that a message which it does not commit leaves nothing behind.
 */
#include "sim.h"

/* The database of an application: the last message. */
struct database {
    sim *s;
    int refuses;
    void (*does)(struct database *db); /* something inside the hook */
    sim_peer *peer;
    int answers[16];
    int calls;
    wspool_channel_position position;
    wspool_seed_message message;
    char text[32], key[8], type[8];
};

static int on_commit(const wspool_channel_position *position, const wspool_seed_message *message,
                     void *user)
{
    struct database *db = user;
    db->calls++;
    if (db->does) {
        db->does(db);
    }
    if (!db->refuses) {
        db->position = *position;
        db->message = *message;
        assert_true(message->len < sizeof db->text && message->key.len < sizeof db->key);
        memcpy(db->text, message->data, message->len);
        memcpy(db->key, message->key.data ? message->key.data : "", message->key.len);
        assert_true(message->type.len < sizeof db->type);
        memcpy(db->type, message->type.len > 0 ? message->type.data : "", message->type.len);
        db->message.data = db->text;
        db->message.key.data = db->key;
    }
    return db->refuses;
}

static sim *begin(void)
{
    wspool_route_options options;
    sim *s = sim_new(1);
    s->config.ping_interval = 0;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    assert_int_equal(wspool_route(s->pool, "/plain/{name}", WSPOOL_ITEM, &options), 0);
    options.history.messages = 10;
    assert_int_equal(wspool_route(s->pool, "/kept/{name}", WSPOOL_TOPIC, &options), 0);
    options.history.max_keys = 2;
    assert_int_equal(wspool_route(s->pool, "/keyed/{name}", WSPOOL_SESSION, &options), 0);
    return s;
}

static int publish(struct database *db, wspool_channel channel, const char *text,
                   wspool_send_options options, wspool_tally *tally)
{
    options.size = sizeof options;
    options.commit = (wspool_commit){on_commit, db};
    return SIM_IN(wspool_broadcast(db->s->pool, channel, text, strlen(text), &options, tally));
}

/* A channel without a history, one with a plain one, and one with a keyed one. */
static const struct {
    const char *path;
    wspool_channel channel;
} kinds[] = {{"/plain/a", {WSPOOL_ITEM, "a", 1}},
             {"/kept/a", {WSPOOL_TOPIC, "a", 1}},
             {"/keyed/a", {WSPOOL_SESSION, "a", 1}}};

static wspool_send_options none(void)
{
    return (wspool_send_options){.flags = 0};
}

static wspool_send_options of_key(const char *key, unsigned flags)
{
    return (wspool_send_options){.flags = flags, .key = {key, strlen(key)}};
}

TEST(commit_has_what_is_published)
{
    for (size_t i = 0; i < 3; i++) {
        struct database db = {.s = begin()};
        sim_peer *p = sim_join(db.s, kinds[i].path);
        wspool_tally tally = {.size = sizeof tally};
        assert_int_equal(publish(&db, kinds[i].channel, "one", none(), &tally), 1);
        assert_int_equal(publish(&db, kinds[i].channel, "two", of_key("k", 0), &tally), 1);
        assert_int_equal(db.calls, 2);
        assert_int_equal(db.position.offset, 2);
        assert_memory_equal(&db.position, &tally.position, sizeof db.position);
        assert_int_equal(db.message.size, sizeof db.message);
        assert_true(db.message.len == 3 && memcmp(db.text, "two", 3) == 0);
        assert_true(db.message.key.len == 1 && db.key[0] == 'k');
        assert_int_equal(db.message.flags, 0);
        assert_true(db.message.time > 0 && db.message.time == tally.time);
        sim_pump(db.s);
        sim_expect_message(p, 1, "two");
        sim_free(db.s);
    }
}

/* A contract that writes: offset, type, data. */
static int render(const wspool_publication *p, wspool_text *message, void *user)
{
    static char text[32];
    (void)user;
    int n = snprintf(text, sizeof text, "%d %.*s %.*s", (int)p->offset, (int)p->type.len,
                     p->type.data, (int)p->data.len, p->data.data);
    *message = (wspool_text){text, (size_t)n};
    return 0;
}

TEST(commit_has_the_parts_of_a_publication)
{
    struct database db = {.s = begin()};
    wspool_handlers contract = {.size = sizeof contract, .render = render};
    assert_int_equal(wspool_attach(db.s->pool, &contract), 0);
    sim_peer *p = sim_join(db.s, "/kept/a");
    wspool_send_options options = {.size = sizeof options, .commit = {on_commit, &db}};
    assert_int_equal(SIM_IN(wspool_publish(db.s->pool, wspool_topic("a"), wspool_text_of("moved"),
                                           wspool_text_of("here"), &options, NULL)),
                     1);
    assert_true(db.message.type.len == 5 && memcmp(db.type, "moved", 5) == 0);
    assert_true(db.message.len == 4 && memcmp(db.text, "here", 4) == 0);
    sim_pump(db.s);
    sim_expect_message(p, 0, "1 moved here");
    sim_free(db.s);
}

TEST(message_that_was_committed_can_be_seeded)
{
    struct database db = {.s = begin()};
    wspool_tally tally = {.size = sizeof tally};
    assert_int_equal(publish(&db, wspool_session("a"), "one", of_key("k", 0), NULL), 0);
    assert_int_equal(publish(&db, wspool_session("a"), "gone", of_key("k", WSPOOL_REMOVE), &tally),
                     0);
    sim_free(db.s);
    db.s = begin();
    assert_int_equal(
        SIM_IN(wspool_seed(db.s->pool, wspool_session("a"), &db.position, &db.message)), 0);
    sim_peer *p = sim_join(db.s, "/plain/x");
    wspool_channel_position since = {tally.position.epoch, 1};
    wspool_resumed resumed = {.size = sizeof resumed};
    assert_int_equal(
        SIM_IN(wspool_resume(db.s->pool, p->id, wspool_session("a"), &since, &resumed)), 0);
    assert_int_equal(resumed.recovered, 1);
    sim_pump(db.s);
    sim_expect_message(p, 0, "gone");
    sim_free(db.s);
}

TEST(message_that_is_not_committed_leaves_nothing)
{
    for (size_t i = 0; i < 3; i++) {
        struct database db = {.s = begin()};
        sim_peer *p = sim_join(db.s, kinds[i].path);
        wspool_tally tally = {.size = sizeof tally};
        wspool_send_options with_id = {.id = {"id", 2}, .key = {"new", 3}};
        for (int first = 0; first < 2; first++) {
            db.refuses = 1;
            assert_int_equal(publish(&db, kinds[i].channel, "no", with_id, &tally),
                             WSPOOL_ERR_STATE);
            db.refuses = 0;
            assert_int_equal(publish(&db, kinds[i].channel, "yes", none(), &tally), 1);
            assert_int_equal(tally.position.offset, first + 1);
        }
        assert_int_equal(publish(&db, kinds[i].channel, "id", with_id, &tally),
                         1); /* no repetition */
        assert_int_equal(tally.position.offset, 3);
        sim_pump(db.s);
        assert_int_equal(p->reader.messages, 3);
        sim_expect_message(p, 0, "yes");
        assert_int_equal(sim_stats(db.s).published, 3);
        sim_free(db.s);
    }
}

/* With histories but no member, so that nothing but the refused message is there. */
TEST(refused_message_gives_its_memory_back)
{
    for (int keyed = 0; keyed < 2; keyed++) {
        struct database db = {.s = begin(), .refuses = 1};
        wspool_channel channel = keyed ? wspool_session("a") : wspool_topic("a");
        for (int i = 0; i < 3; i++) {
            assert_int_equal(publish(&db, channel, "no", of_key("k", 0), NULL), WSPOOL_ERR_STATE);
            assert_int_equal(sim_stats(db.s).history_bytes, 0);
        }
        sim_free(db.s);
    }
}

TEST(message_that_goes_nowhere_is_not_committed)
{
    struct database db = {.s = begin()};
    wspool_send_options with_id = {.id = {"id", 2}};
    assert_int_equal(publish(&db, wspool_item("a"), "one", none(), NULL), 0);
    assert_int_equal(db.calls, 0);
    assert_int_equal(publish(&db, wspool_topic("a"), "one", with_id, NULL), 0);
    assert_int_equal(publish(&db, wspool_topic("a"), "one", with_id, NULL), 0);
    assert_int_equal(db.calls, 1);
    assert_int_equal(publish(&db, wspool_session("a"), "1", of_key("one", 0), NULL), 0);
    assert_int_equal(publish(&db, wspool_session("a"), "2", of_key("two", 0), NULL), 0);
    assert_int_equal(publish(&db, wspool_session("a"), "3", of_key("three", 0), NULL),
                     WSPOOL_ERR_FULL);
    assert_int_equal(db.calls, 3);
    sim_free(db.s);
}

/* Every call that may change a channel, of whatever name. */
static void change_channels(struct database *db)
{
    wspool *pool = db->s->pool;
    const wspool_channel channel = wspool_session("a");
    const wspool_channel_position at = {7, 7};
    wspool_waiter waiter = {.call = NULL};
    wspool_read_message list[1];
    const int answers[] = {wspool_broadcast(pool, channel, "inner", 5, NULL, NULL),
                           wspool_clear(pool, channel),
                           wspool_erase(pool, channel, wspool_text_of("k")),
                           wspool_seed(pool, wspool_session("b"), &at, NULL),
                           wspool_read(pool, channel, &at, list, 1, NULL),
                           wspool_wait_cancel(pool, &waiter),
                           wspool_subscribe(pool, db->peer->id, wspool_item("b")),
                           wspool_resume(pool, db->peer->id, wspool_item("b"), NULL, NULL),
                           wspool_unsubscribe(pool, db->peer->id, channel)};
    memcpy(db->answers, answers, sizeof answers);
    db->answers[9] = wspool_close(pool, db->peer->id, 1000, NULL, WSPOOL_CLOSE_NOW);
}

TEST(commit_that_changes_channels_answers_reentrant)
{
    const wspool_channel channels[] = {wspool_item("a"), wspool_topic("a"), wspool_session("a")};
    const char *const paths[] = {"/plain/a", "/kept/a", "/keyed/a"};
    for (size_t i = 0; i < 3; i++) {
        struct database db = {.s = begin(), .does = change_channels};
        sim_peer *p = sim_join(db.s, paths[i]);
        wspool_tally tally = {.size = sizeof tally};
        db.peer = sim_join(db.s, paths[i]);
        assert_int_equal(publish(&db, channels[i], "outer", of_key("k", 0), &tally), 1);
        assert_int_equal(tally.position.offset, 1);
        for (int k = 0; k < 9; k++)
            assert_int_equal(db.answers[k], WSPOOL_ERR_REENTRANT);
        assert_int_equal(db.answers[9], 0);
        sim_pump(db.s);
        assert_int_equal(p->reader.messages, 1);
        sim_expect_message(p, 0, "outer");
        sim_expect_end(db.peer, WSPOOL_END_HOST_CLOSED);
        sim_free(db.s);
    }
}

static void send_inside(struct database *db)
{
    db->answers[0] = wspool_send(db->s->pool, db->peer->id, "sent", 4, NULL);
    db->answers[1] = sim_send(db->peer, "normal");
}

/* A message that a channel of another priority publishes meanwhile gives it no priority. */
TEST(commit_that_sends_sends_with_normal_priority)
{
    sim *s = sim_new(1);
    struct database db = {.s = s, .does = send_inside};
    wspool_route_options options;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options_init(&options, &s->config);
    options.priority = WSPOOL_LOW;
    assert_int_equal(wspool_route(s->pool, "/low/{name}", WSPOOL_ITEM, &options), 0);
    db.peer = sim_join(s, "/low/a");
    sim_stall(db.peer);
    assert_int_equal(publish(&db, wspool_item("a"), "low", none(), NULL), 1);
    assert_int_equal(db.answers[0] + db.answers[1], 0);
    assert_int_equal(sim_send(db.peer, "last"), 0);
    sim_flow(db.peer);
    sim_pump(s);
    sim_expect_message(db.peer, 0, "sent");
    sim_expect_message(db.peer, 1, "normal");
    sim_expect_message(db.peer, 2, "last");
    sim_expect_message(db.peer, 3, "low");
    sim_free(s);
}

/* SPDX-License-Identifier: MIT */
/*
 * sim/test_hooks.c - from inside every hook the host makes every call, on every peer.
 *
 * Proves law 8: closing is safe anywhere. A call that is allowed in a hook works there, any other
 * returns WSPOOL_ERR_REENTRANT, and nothing crashes, leaks or unbalances the counters. Proves a
 * part of law 6: a peer ends once, by whatever calls it is ended.
 */
#include "sim.h"

enum action {
    DO_CLOSE,
    DO_CLOSE_NOW,
    DO_SEND,
    DO_BROADCAST,
    DO_SUBSCRIBE,
    DO_UNSUBSCRIBE,
    DO_GONE_EOF,
    DO_GONE_FAILED,
    DO_GONE_SELF,
    DO_READ,
    DO_FORBIDDEN,
    DO_OPEN,
    DO_SEND_TO,
    DO_DRAIN,
    DO_PEEK,
    DO_CLOSE_ALL,
    DO_REAUTH,
    DO_ALL, /* all of these, in this order */
    ACTIONS
};

static const char *const action_words[] = {
    "close",   "close now", "send",      "broadcast", "subscribe", "unsubscribe",
    "gone",    "fail",      "gone self", "read",      "forbidden", "open",
    "send to", "drain",     "peek",      "close all", "reauth",    "all"};
static const char *const hook_words[] = {
    "open",    "message", "close", "expiring", "renewed", "missed",       "pressure",
    "channel", "log",     "token", "capacity", "verdict", "identity_free"};

typedef struct plan {
    enum sim_what hook;
    enum action action;
    int depth;
    int most; /* how deep reactions to reactions may go */
    size_t acted;
} plan;

static void forbidden(sim *s, sim_peer *p)
{
    wspool_request request;
    wspool_answer answer;
    wspool_id id;
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.method.data = "GET";
    request.method.len = 3;
    request.target.data = "/echo";
    request.target.len = 5;
    request.http_major = request.http_minor = 1;
    assert_int_equal(wspool_tick(s->pool, s->now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_free(s->pool), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_upgrade(s->pool, &request, s->now, &id, &answer), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_route(s->pool, "/late", WSPOOL_NONE, NULL), WSPOOL_ERR_REENTRANT);
    if (wspool_user(s->pool, p->id) == NULL)
        return;
    assert_int_equal(wspool_feed(s->pool, p->id, "x", 1, s->now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_adopt(s->pool, p->id, NULL, 0, s->now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_release(s->pool, p->id), WSPOOL_ERR_REENTRANT);
}

static void look(sim *s, sim_peer *p)
{
    wspool_id ids[8];
    wspool_channel channels[8];
    wspool_channel_position at;
    (void)wspool_user(s->pool, p->id);
    (void)wspool_identity(s->pool, p->id);
    assert_true(wspool_channels_of(s->pool, p->id, channels, 8) <= 8);
    assert_true(wspool_channels(s->pool, channels, 8) >= 0);
    assert_true(wspool_members(s->pool, wspool_global("all"), ids, 8) >= 0);
    assert_true(wspool_peers(s->pool, ids, 8) >= 0);
    (void)wspool_position(s->pool, wspool_global("all"), &at);
    (void)wspool_deadline(s->pool);
    (void)sim_stats(s);
}

static void gone(sim *s, sim_peer *p, enum wspool_gone_why why)
{
    int rc = SIM_IN(wspool_gone(s->pool, p->id, why, s->now));
    assert_true(rc == 0 || rc == WSPOOL_ERR_STALE);
    if (rc == 0)
        p->told = 1;
}

static void act_on(sim *s, enum action action, sim_peer *p, const sim_event *event)
{
    static const char *const names[] = {"all", "x", "new"};
    struct iovec vectors[4];
    int rc;
    switch (action) {
    case DO_CLOSE:
    case DO_CLOSE_NOW:
        rc = SIM_IN(wspool_close(s->pool, p->id, 4000, "from a hook",
                                 action == DO_CLOSE ? 0 : WSPOOL_CLOSE_NOW));
        assert_true(rc == 0 || rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_STATE);
        break;
    case DO_SEND:
        rc = sim_send(p, "sent from a hook");
        assert_true(rc == 0 || rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_STATE ||
                    rc == WSPOOL_ERR_FULL);
        break;
    case DO_BROADCAST:
        assert_true(sim_broadcast(s, wspool_global("all"), "broadcast from a hook") >= 0);
        assert_true(sim_broadcast(s, wspool_topic("behind"), "broadcast from a hook") >= 0);
        break;
    case DO_SUBSCRIBE:
    case DO_UNSUBSCRIBE:
        for (size_t i = 0; i < 3; i++) {
            wspool_channel c = i == 0 ? wspool_global("all") : wspool_item(names[i]);
            rc = action == DO_SUBSCRIBE ? SIM_IN(wspool_subscribe(s->pool, p->id, c))
                                        : SIM_IN(wspool_unsubscribe(s->pool, p->id, c));
            assert_true(rc == 0 || rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_STATE ||
                        rc == WSPOOL_ERR_EXISTS || rc == WSPOOL_ERR_ABSENT ||
                        rc == WSPOOL_ERR_FULL);
        }
        break;
    case DO_GONE_EOF:
        gone(s, p, WSPOOL_GONE_EOF);
        break;
    case DO_GONE_FAILED:
        gone(s, p, WSPOOL_GONE_FAILED);
        break;
    case DO_GONE_SELF:
        if (event->peer == p)
            gone(s, p, WSPOOL_GONE_FAILED);
        break;
    case DO_READ:
        look(s, p);
        break;
    case DO_FORBIDDEN:
        forbidden(s, p);
        break;
    case DO_OPEN:
        if (s->peer_count < 60)
            (void)sim_open(s, &rc);
        break;
    case DO_DRAIN:
        assert_int_equal(SIM_IN(wspool_drain(s->pool, SEC, 0, s->now)), 0);
        break;
    case DO_PEEK:
        if (p->flights == 0 && !p->blocked)
            (void)SIM_IN(wspool_peek(s->pool, p->id, vectors, 4));
        break;
    case DO_SEND_TO:
        rc = SIM_IN(
            wspool_send_to(s->pool, wspool_text_of("somebody"), "to all of one", 13, NULL, NULL));
        assert_true(rc >= 0 || rc == WSPOOL_ERR_FULL);
        break;
    case DO_CLOSE_ALL:
        rc = SIM_IN(wspool_close_all(s->pool, wspool_text_of("somebody"), 4002, NULL, 0));
        assert_true(rc >= 0);
        assert_int_equal(wspool_peers_of(s->pool, wspool_text_of("somebody"), NULL, 0), 0);
        break;
    case DO_REAUTH:
        rc = SIM_IN(wspool_reauth(s->pool, p->id, wspool_text_of("t2"), s->now));
        assert_true(rc == 0 || rc == WSPOOL_ERR_STALE || rc == WSPOOL_ERR_STATE);
        break;
    default:
        break;
    }
}

static void react(sim *s, const sim_event *event)
{
    plan *pl = s->test;
    size_t count = s->peer_count;
    /* A host that answers each message with more of them would never stop. */
    if (event->what != pl->hook || pl->depth >= pl->most || pl->acted >= 100)
        return;
    pl->depth++;
    pl->acted++;
    for (size_t i = 0; i < count; i++)
        if (pl->action == DO_ALL)
            for (int a = 0; a < DO_ALL; a++)
                act_on(s, (enum action)((a + (int)pl->acted) % DO_ALL), s->peers[i], event);
        else
            act_on(s, pl->action, s->peers[i], event);
    pl->depth--;
}

static sim_peer *come(sim *s, const char *target)
{
    client_request request = {.target = target, .extra = "Authorization: Bearer t\r\n"};
    int why;
    sim_peer *p = sim_open(s, &why);
    if (p != NULL)
        client_put_request(&p->in, &request);
    sim_pump(s);
    return p;
}

static int alive(const sim_peer *p)
{
    return p != NULL && p->opened && !p->ended && !p->released;
}

static void decide(sim *s, sim_peer *p, enum wspool_verdict_kind kind)
{
    wspool_verdict verdict;
    if (p == NULL)
        return;
    memset(&verdict, 0, sizeof verdict);
    verdict.size = sizeof verdict;
    verdict.kind = kind;
    verdict.refusal = WSPOOL_REFUSED_TOKEN_EXPIRED;
    if (kind == WSPOOL_ACCEPT)
        verdict.identity = sim_identity_new(s);
    if (SIM_IN(wspool_auth_complete(s->pool, p->id, &verdict)) != 0 && verdict.identity != NULL)
        ((sim_identity *)verdict.identity)->freed++;
    sim_pump(s);
}

/* A scenario in which every hook is called. Peers may end at any moment, so the test expects
 * nothing of them, only that the pool stays valid. */
static void busy_life(sim *s)
{
    client_request request = {.target = "/all", .extra = "Authorization: Bearer t\r\n"};
    wspool_answer answer;
    sim_peer *p[8];
    sim_peer *q;
    char text[600];
    s->verdict.kind = WSPOOL_ACCEPT;
    p[0] = come(s, "/all");
    p[1] = come(s, "/all");
    p[2] = come(s, "/behind");
    p[3] = come(s, "/room/x");
    p[4] = come(s, "/room/x");
    p[5] = come(s, "/behind");
    /* Messages, several of them in one read. */
    for (int i = 0; i < 3; i++) {
        sim_text(p[0], "hello");
        sim_text(p[3], "hello");
        sim_ping(p[3], "ping");
    }
    sim_pump(s);
    /* A slow peer: above the high watermark, then behind. */
    memset(text, 's', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    SIM_IN(wspool_subscribe(s->pool, p[2]->id, wspool_session("behind")));
    sim_stall(p[2]);
    sim_stall(p[1]);
    for (int i = 0; i < 30; i++) {
        sim_broadcast(s, wspool_topic("behind"), text);
        sim_broadcast(s, wspool_session("behind"), text);
        sim_broadcast(s, wspool_global("all"), text);
        if (i % 4 == 0)
            sim_pump(s);
    }
    sim_pump(s);
    sim_flow(p[2]);
    sim_pump(s);
    /* Refused; pending, accepted and refused, raw and hosted. */
    s->verdict.kind = WSPOOL_REFUSE;
    come(s, "/all");
    s->verdict.kind = WSPOOL_PENDING;
    q = come(s, "/all");
    decide(s, q, WSPOOL_ACCEPT);
    q = come(s, "/all");
    decide(s, q, WSPOOL_REFUSE);
    for (int i = 0; i < 2; i++)
        if (sim_upgrade(s, &request, &answer, &q) == WSPOOL_UPGRADE_PENDING) {
            decide(s, q, i == 0 ? WSPOOL_ACCEPT : WSPOOL_REFUSE);
            if (!q->released && sim_adopt(q, NULL, 0) != 0)
                q->waiting = 1;
        }
    s->verdict.kind = WSPOOL_ACCEPT;
    if (sim_upgrade(s, &request, &answer, &q) == WSPOOL_UPGRADE_ACCEPTED)
        if (!q->released && sim_adopt(q, "\x81\x82\0\0\0\0hi", 8) != 0)
            q->waiting = 1;
    sim_pump(s);
    /* Duplicates: the first loses, and the second. */
    come(s, "/new?client=a");
    q = come(s, "/new?client=a");
    if (alive(q))
        SIM_IN(wspool_subscribe(s->pool, q->id, wspool_topic("own")));
    come(s, "/new?client=a");
    come(s, "/old?client=a");
    come(s, "/old?client=a");
    /* All ways to end. */
    p[6] = come(s, "/room/x");
    p[7] = come(s, "/echo");
    if (alive(p[0]))
        sim_say_close(p[0], 1000, NULL);
    sim_cut(p[3], WSPOOL_GONE_EOF);
    sim_cut(p[4], WSPOOL_GONE_FAILED);
    sim_frame(p[6], FIN | 3, "", 0);
    sim_pump(s);
    if (alive(p[7]))
        SIM_IN(wspool_close(s->pool, p[7]->id, 1000, NULL, 0));
    sim_pump(s);
    if (p[5] != NULL)
        p[5]->mute_pings = 1;
    come(s, "/all");
    come(s, "/room/y");
    /* New tokens: accepted and refused, at once and later; and one that comes too late. */
    s->verdict.expires = SIM_EPOCH / 1000 + s->now / SEC + 60;
    for (int i = 0; i < 5; i++) {
        q = come(s, "/echo");
        s->verdict.kind = i < 2 ? WSPOOL_ACCEPT : i == 4 ? WSPOOL_REFUSE : WSPOOL_PENDING;
        if (i > 0 && alive(q) &&
            SIM_IN(wspool_reauth(s->pool, q->id, wspool_text_of("t2"), s->now)) == 0 && i < 4)
            decide(s, q, i == 2 ? WSPOOL_ACCEPT : WSPOOL_REFUSE);
        s->verdict.kind = WSPOOL_ACCEPT;
    }
    sim_pass(s, 120 * SEC);
    s->verdict.expires = 0;
}

static sim *hooked(uint64_t seed, plan *pl)
{
    sim *s = sim_new(seed);
    wspool_route_options options;
    s->ask_token = 1;
    s->ask_capacity = 1;
    s->grant = 1;
    s->config.queue_bytes = 8192;
    s->config.queue_messages = 16;
    s->chop = SIM_RANDOM;
    s->async = 20;
    s->subject = "somebody";
    sim_start(s);
    wspool_route_options_init(&options, &s->config);
    options.name = "behind";
    options.slow = WSPOOL_SLOW_BEHIND;
    assert_int_equal(wspool_route(s->pool, "/behind", WSPOOL_TOPIC, &options), 0);
    options.name = "new";
    options.duplicates = WSPOOL_DUPLICATES_NEWEST;
    assert_int_equal(wspool_route(s->pool, "/new", WSPOOL_TOPIC, &options), 0);
    options.name = "old";
    options.duplicates = WSPOOL_DUPLICATES_OLDEST;
    assert_int_equal(wspool_route(s->pool, "/old", WSPOOL_TOPIC, &options), 0);
    options.duplicates = WSPOOL_DUPLICATES_ALLOW;
    options.history.messages = 2;
    assert_int_equal(wspool_route(s->pool, "/kept", WSPOOL_SESSION, &options), 0);
    s->test = pl;
    s->react = pl == NULL ? NULL : react;
    return s;
}

TEST(life_when_undisturbed_calls_every_hook)
{
    sim *s = hooked(1, NULL);
    busy_life(s);
    for (int h = 0; h < SIM_WHATS; h++)
        if (s->counts[h] == 0)
            fail_msg("the scenario does not reach the hook %s", hook_words[h]);
    sim_free(s);
}

static void disturb(int most)
{
    for (int h = 0; h < SIM_WHATS; h++)
        for (int a = 0; a < ACTIONS; a++) {
            plan pl = {(enum sim_what)h, (enum action)a, 0, most, 0};
            sim *s = hooked((uint64_t)h * 100 + (uint64_t)a, &pl);
            print_message("%s in the %s hook, %d deep\n", action_words[a], hook_words[h], most);
            busy_life(s);
            sim_free(s); /* the reactions are still on: wspool_free calls hooks, too */
            if (pl.acted == 0)
                fail_msg("the hook was never called");
        }
}

TEST(everything_when_done_in_any_hook_is_safe)
{
    disturb(1);
}

TEST(everything_when_done_in_hooks_of_hooks_is_safe)
{
    disturb(3);
}

/* ------------------------------------------------------------ one by one */

static void close_self(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE)
        assert_int_equal(SIM_IN(wspool_close(s->pool, event->id, 1000, "enough", 0)), 0);
}

TEST(message_when_the_hook_closed_its_peer_is_the_last_received)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    s->react = close_self;
    for (int i = 0; i < 5; i++)
        sim_text(p, "again");
    sim_pump(s);
    assert_int_equal(p->heards, 1);
    sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 1000);
    sim_free(s);
}

static void reply_and_close(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE) {
        assert_int_equal(sim_send(event->peer, "the error"), 0);
        assert_int_equal(SIM_IN(wspool_close(s->pool, event->id, 1008, "see there", 0)), 0);
        assert_int_equal(sim_send(event->peer, "no"), WSPOOL_ERR_STATE);
    }
}

TEST(error_when_sent_before_the_close_arrives)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    s->react = reply_and_close;
    s->chop = SIM_RANDOM;
    sim_text(p, "what");
    sim_pump(s);
    sim_expect_message(p, 0, "the error");
    assert_int_equal(p->reader.messages, 1);
    sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 1008);
    sim_free(s);
}

static void broadcast_in_message(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE)
        SIM_IN(
            wspool_broadcast(s->pool, wspool_global("all"), event->data, event->len, NULL, NULL));
}

TEST(broadcast_when_made_from_the_message_itself_goes_to_all)
{
    sim *s = sim_default(1);
    sim_peer *p[5];
    for (int i = 0; i < 5; i++)
        p[i] = sim_join(s, "/all");
    s->react = broadcast_in_message;
    s->chop = SIM_RANDOM;
    for (int i = 0; i < 5; i++)
        sim_text(p[i], "from one to all");
    sim_pump(s);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(p[i]->reader.messages, 5);
        sim_expect_message(p[i], 4, "from one to all");
    }
    sim_free(s);
}

static void one_kills_another(sim *s, const sim_event *event)
{
    /* When a slow peer is closed, the hook closes the next member of the walk. */
    if (event->what == SIM_CLOSED || event->what == SIM_MISSED)
        for (size_t i = 0; i < s->peer_count; i++)
            if (s->peers[i] != event->peer && i % 2 && !s->peers[i]->ended)
                gone(s, s->peers[i], WSPOOL_GONE_FAILED);
}

TEST(walk_when_hooks_kill_its_next_members_goes_on)
{
    for (int policy = 0; policy < 2; policy++) {
        sim *s = sim_new(1);
        s->config.queue_messages = 4;
        s->config.slow = (enum wspool_slow)policy;
        sim_start(s);
        for (int i = 0; i < 10; i++)
            sim_join(s, "/all");
        sim_stall(s->peers[4]);
        s->react = one_kills_another;
        for (int i = 0; i < 8; i++) {
            assert_true(sim_broadcast(s, wspool_global("all"), "x") >= 4);
            sim_turn(s);
        }
        sim_pump(s);
        sim_pass(s, 40 * SEC);
        sim_expect_open(s->peers[0]);
        sim_expect_end(s->peers[1], WSPOOL_END_FAILED);
        assert_int_equal(s->peers[0]->reader.messages, 8);
        sim_free(s);
    }
}

static void rejoin(sim *s, const sim_event *event)
{
    /* The last member leaves, and another joins in the hook that reports it. */
    if (event->what == SIM_CHANNEL && event->number == 0 && s->peers[1]->opened &&
        !s->peers[1]->ended)
        assert_int_equal(SIM_IN(wspool_subscribe(s->pool, s->peers[1]->id, wspool_topic("t"))), 0);
}

TEST(channel_when_joined_in_the_hook_of_its_end_begins_anew)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    sim_peer *q = sim_join(s, "/echo");
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("t")), 0);
    s->react = rejoin;
    assert_int_equal(wspool_unsubscribe(s->pool, p->id, wspool_topic("t")), 0);
    s->react = NULL;
    assert_int_equal(wspool_member_count(s->pool, wspool_topic("t")), 1);
    assert_int_equal(sim_broadcast(s, wspool_topic("t"), "x"), 1);
    sim_pump(s);
    assert_int_equal(q->reader.messages, 1);
    sim_free(s);
}

/* ----------------------------------------------------------------- chaos */

/* Any call, on any peer, in any hook, in some of the calls. */
static void at_random(sim *s, const sim_event *event)
{
    plan *pl = s->test;
    if (pl->depth >= pl->most || pl->acted >= 1500 || sim_below(s, 3) != 0)
        return;
    pl->depth++;
    for (uint64_t n = sim_below(s, 4); n > 0 && s->peer_count > 0; n--) {
        sim_peer *p = event->peer != NULL && sim_below(s, 2) == 0
                          ? event->peer
                          : s->peers[sim_below(s, s->peer_count)];
        pl->acted++;
        act_on(s, (enum action)sim_below(s, DO_DRAIN), p, event);
    }
    pl->depth--;
}

static void random_step(sim *s, int step)
{
    static const char *const targets[] = {"/all",     "/behind",       "/room/x",      "/echo",
                                          "/nowhere", "/new?client=a", "/old?client=a"};
    sim_peer *p = s->peer_count == 0 ? NULL : s->peers[sim_below(s, s->peer_count)];
    char text[900];
    size_t len = (size_t)sim_below(s, sizeof text);
    memset(text, 'a' + step % 26, sizeof text);
    if (!alive(p) || p->said_close)
        p = NULL;
    switch (sim_below(s, 14)) {
    case 0:
    case 1:
        s->verdict.kind = sim_below(s, 5) == 0 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
        come(s, targets[sim_below(s, 7)]);
        break;
    case 2: {
        sim_peer *q;
        s->verdict.kind = WSPOOL_PENDING;
        q = come(s, "/all");
        decide(s, q, sim_below(s, 2) ? WSPOOL_ACCEPT : WSPOOL_REFUSE);
        break;
    }
    case 3: {
        client_request request = {.target = "/room/x", .extra = "Authorization: Bearer t\r\n"};
        wspool_answer answer;
        sim_peer *q;
        s->verdict.kind = WSPOOL_ACCEPT;
        if (sim_upgrade(s, &request, &answer, &q) == WSPOOL_UPGRADE_ACCEPTED)
            if (sim_adopt(q, NULL, 0) != 0)
                q->waiting = 1;
        break;
    }
    case 4:
    case 5:
        if (p != NULL) {
            sim_frame(p, OP_TEXT, text, len);
            sim_ping(p, "p");
            sim_frame(p, FIN | OP_CONT, text, len / 3);
        }
        break;
    case 6:
    case 7:
        SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, len, NULL, NULL));
        break;
    case 8:
        SIM_IN(wspool_broadcast(s->pool, wspool_topic("behind"), text, len, NULL, NULL));
        break;
    case 9:
        if (p != NULL)
            p->room = sim_below(s, 3) == 0 ? SIZE_MAX : (size_t)sim_below(s, 2000);
        break;
    case 10:
        if (p != NULL && step % 3 == 0)
            sim_cut(p, step % 2 ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED);
        break;
    case 11:
        if (p != NULL && step % 4 == 0)
            sim_say_close(p, 1000, NULL);
        else if (p != NULL && step % 4 == 1)
            sim_frame(p, FIN | 3, "", 0);
        break;
    case 12:
        sim_pass(s, sim_below(s, 9 * SEC));
        break;
    default:
        sim_pump(s);
        break;
    }
}

TEST(chaos_when_hooks_do_anything_to_anybody_is_survived)
{
    int seeds = sim_slow() ? 4 : 60;
    for (int seed = 0; seed < seeds; seed++) {
        plan pl = {SIM_WHATS, ACTIONS, 0, 1 + seed % 3, 0};
        sim *s = hooked((uint64_t)seed + 500, &pl);
        s->react = at_random;
        s->keep_journal = 0;
        s->config.slow = (enum wspool_slow)(seed % 3);
        if (seed % 2)
            s->chop = SIM_WHOLE;
        for (int step = 0; step < 300; step++)
            random_step(s, step);
        sim_pump(s);
        assert_true(pl.acted > 100);
        if (seed % 4 == 0)
            sim_pass(s, 100 * SEC);
        sim_free(s);
    }
}

/* SPDX-License-Identifier: MIT */
/*
 * laws/test_laws.c - the laws of the library (lib/README.md), one test for each.
 *
 * Each test is short enough to be read as the meaning of its law. It builds a whole pool with
 * sim/sim.h. Laws 1 and 2 and a half of law 11 are about the source: laws/t_laws_static.py has
 * them. The details of each law are proved in test/unit, test/sim and test/oom.
 */
#include "../sim/sim.h"

/* Returns the number of bytes that the peer would be sent now. */
static size_t shown(const sim_peer *p, struct iovec *first)
{
    struct iovec vectors[16];
    int n = wspool_peek(p->sim->pool, p->id, vectors, 16);
    size_t total = 0;
    for (int i = 0; i < n; i++) {
        total += vectors[i].iov_len;
    }
    *first = vectors[0];
    return n == 1 ? total : 0; /* it must be one vector */
}

/* --------------------------------------------------------------------------- 3
 * A message is encoded once, however many peers get it. Consecutive messages are joined without a
 * copy. In the steady state nothing is allocated.
 */
TEST(law_3_encode_once_into_runs)
{
    enum { READERS = 100, BURST = 10 };
    sim *s = sim_default(3);
    wspool_statistics before, after;
    struct iovec one, same;
    for (int i = 0; i < READERS; i++) {
        sim_join(s, "/all");
    }
    before = sim_stats(s);
    assert_int_equal(sim_broadcast(s, wspool_global("all"), "hello"), READERS);
    after = sim_stats(s);
    assert_int_equal(after.encoded - before.encoded, 1);
    assert_int_equal(after.encoded_bytes - before.encoded_bytes, 2 + 5);
    assert_int_equal(shown(s->peers[0], &one), 2 + 5);
    for (size_t i = 0; i < READERS; i++) { /* all of them get the very same bytes */
        assert_int_equal(shown(s->peers[i], &same), 2 + 5);
        assert_ptr_equal(same.iov_base, one.iov_base);
    }
    sim_pump(s);

    for (int i = 0; i < BURST; i++) {
        assert_int_equal(sim_broadcast(s, wspool_global("all"), "hello"), READERS);
    }
    for (size_t i = 0; i < READERS; i++) { /* a burst is one write */
        assert_int_equal(shown(s->peers[i], &same), BURST * (2 + 5));
    }
    /* and two writes, when it goes on while the first is under way */
    for (int i = 0; i < BURST; i++) {
        assert_int_equal(sim_broadcast(s, wspool_global("all"), "hello"), READERS);
    }
    struct iovec two[3];
    assert_int_equal(wspool_peek(s->pool, s->peers[0]->id, two, 3), 2);
    assert_ptr_equal((char *)two[0].iov_base + two[0].iov_len, two[1].iov_base);
    sim_pump(s);

    size_t allocations = s->heap.calls + sim_c.calls;
    for (int i = 0; i < 100; i++) {
        assert_int_equal(sim_broadcast(s, wspool_global("all"), "hello"), READERS);
        sim_pump(s);
    }
    assert_int_equal(s->heap.calls + sim_c.calls, allocations);
    assert_int_equal(s->peers[0]->reader.messages, 1 + 2 * BURST + 100);
    sim_free(s);
}

/* --------------------------------------------------------------------------- 4
 * An idle peer costs its record of 192 bytes and nothing else, also when it has sent and received
 * many messages before.
 */
static size_t idle_cost(sim *s, size_t peers, int talk)
{
    for (size_t i = 0; i < peers; i++) {
        sim_peer *p = sim_join(s, "/echo");
        if (talk) {
            sim_text(p, "a message");
            sim_ping(p, "a ping");
            assert_int_equal(sim_send(p, "an answer"), 0);
        }
    }
    sim_pump(s);
    return s->heap.live_bytes + (size_t)sim_c.live_bytes;
}

TEST(law_4_idle_is_nearly_free)
{
    enum { MANY = 2048 };
    for (int talk = 0; talk < 2; talk++) {
        sim *s = sim_new(4);
        s->config.max_peers = 2 * MANY;
        sim_start(s);
        size_t some = idle_cost(s, MANY, talk);
        size_t more = idle_cost(s, MANY, talk);
        /* Records, the ends of the chunks in which they lie, and two bits each. */
        assert_true(more - some >= MANY * (size_t)128); /* the heap does count */
        assert_true(more - some <= MANY * (size_t)(192 + 1));
        sim_free(s);
    }
}

/* --------------------------------------------------------------------------- 5
 * Every queue has a limit, every wait a deadline, every kind of abuse a budget. Each has a name, a
 * counter, and a reason that the host and the peer are told.
 */
static void stand_still(sim_peer *p)
{
    sim_stall(p);
    for (int i = 0; i < 20; i++) {
        sim_broadcast(p->sim, wspool_global("all"), "one of twenty messages of forty-one bytes");
    }
    sim_pump(p->sim);
}

static void flood_the_pool(sim_peer *p)
{
    static const char large[20001];
    sim_stall(p);
    for (int i = 0; i < 8; i++) {
        (void)wspool_broadcast(p->sim->pool, wspool_global("all"), large, 20000, NULL, NULL);
        sim_pump(p->sim);
    }
}

static void say_too_much(sim_peer *p)
{
    sim_text(p, "more than the sixteen bytes that are allowed");
}

static void ping_and_ping(sim_peer *p)
{
    for (int i = 0; i < 20; i++) {
        sim_ping(p, "");
    }
}

static void say_half_of_it(sim_peer *p)
{
    sim_frame(p, OP_TEXT, "half of a message", 17);
}

static void say_nothing(sim_peer *p)
{
    (void)p;
}

static void ignore_pings(sim_peer *p)
{
    p->mute_pings = 1;
}

static void ignore_the_close(sim_peer *p)
{
    p->mute_close = 1;
    assert_int_equal(wspool_close(p->sim->pool, p->id, 1000, NULL, 0), 0);
}

static const struct limit {
    const char *name;
    size_t place; /* offset of the limit in the configuration */
    size_t size;
    uint64_t value; /* a small value */
    void (*abuse)(sim_peer *p);
    enum wspool_end end;
    int code; /* close code that the peer gets; 0: it gets none, or does not read */
} limits[] = {
#define LIMIT(field, value, abuse, end, code) \
    { \
#field, offsetof(wspool_config, field), sizeof(((wspool_config *)0)->field), value, abuse, \
            WSPOOL_END_##end, code \
    }
    LIMIT(queue_messages, 10, stand_still, SLOW, 0),
    LIMIT(queue_bytes, 400, stand_still, SLOW, 0),
    LIMIT(pool_bytes, 65536, flood_the_pool, SHED, 0),
    LIMIT(message_bytes, 16, say_too_much, TOO_BIG, 1009),
    LIMIT(abuse_burst, 5, ping_and_ping, ABUSE, WSPOOL_CLOSE_ABUSE),
    LIMIT(message_time, SEC, say_half_of_it, MESSAGE_TIMEOUT, 1008),
    LIMIT(idle_time, SEC, say_nothing, IDLE, 1001),
    LIMIT(pong_time, SEC, ignore_pings, PONG_TIMEOUT, 0),
    LIMIT(flush_time, SEC, stand_still, FLUSH_TIMEOUT, 0),
    LIMIT(closing_time, SEC, ignore_the_close, HOST_CLOSED, 1000),
    LIMIT(lifetime, SEC, say_nothing, LIFETIME, WSPOOL_CLOSE_LIFETIME),
#undef LIMIT
};

TEST(law_5_bounded)
{
    for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
        const struct limit *limit = &limits[i];
        sim *s = sim_new(5);
        assert_true(limit->size == 4 || limit->size == 8);
        if (limit->size == 8) {
            memcpy((char *)&s->config + limit->place, &limit->value, 8);
        } else {
            uint32_t value = (uint32_t)limit->value;
            memcpy((char *)&s->config + limit->place, &value, 4);
        }
        sim_start(s);
        sim_peer *p = sim_join(s, "/all");
        limit->abuse(p);
        sim_pump(s);
        sim_pass(s, 120 * SEC); /* longer than any deadline */
        if (!p->ended) {
            fail_msg("%s does not bound anything", limit->name);
        }
        sim_expect_end(p, limit->end);
        assert_int_equal(p->reader.close_code, limit->code);
        assert_int_equal(sim_stats(s).ended[limit->end], 1);
        sim_free(s);
    }
}

/* The same in the handshake: there the reason is an HTTP response. */
TEST(law_5_bounded_in_the_handshake)
{
    static const client_request good = {0};
    static const client_request many = {.extra = "A: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n"};
    char huge[600] = "A: ";
    client_request large = {.extra = huge};
    int why;
    memset(huge + 3, 'a', 500);
    memcpy(huge + 503, "\r\n", 3);
    sim *s = sim_new(5);
    s->config.head_bytes = 400;
    s->config.head_count = 8;
    s->config.max_peers = 2;
    s->config.max_handshakes = 2;
    s->config.channels_per_peer = 2;
    s->config.handshake_time = SEC;
    sim_start(s);
    sim_refused(s, &large, 431, "head_too_large");
    sim_refused(s, &many, 431, "head_too_large");
    sim_peer *late = sim_open(s, &why);
    sim_write(late, "GET", 3);
    sim_write(sim_open(s, &why), "GET", 3);
    sim_pump(s);
    sim_peer *later = sim_open(s, &why); /* two peers are in the handshake */
    sim_pump(s);
    sim_expect_refusal(late, 503, "gave_way");
    assert_int_equal(sim_stats(s).handshakes, 2);
    sim_pass(s, 3 * SEC);
    sim_expect_refusal(later, 408, "handshake_timeout");
    sim_peer *p = sim_join(s, "/all");
    sim_join(s, "/echo");
    sim_refused(s, &good, 503, "full");
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("second")), 0);
    assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("third")), WSPOOL_ERR_FULL);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_HEAD_TOO_LARGE], 2);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_TIMEOUT], 2);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_FULL], 1);
    sim_free(s);
}

/* --------------------------------------------------------------------------- 6
 * A peer that can't take a byte now is slow, and the policy of its channel decides. A peer whose
 * transport failed or whose deadline passed is dead: it leaves every channel at once, and the host
 * is told exactly once, with a reason.
 */
TEST(law_6_full_is_not_dead)
{
    for (int policy = WSPOOL_SLOW_CLOSE; policy <= WSPOOL_SLOW_BEHIND; policy++) {
        sim *s = sim_new(6);
        s->config.slow = (enum wspool_slow)policy;
        s->config.queue_messages = 3;
        sim_start(s);
        sim_peer *slow = sim_join(s, "/all");
        sim_peer *quick = sim_join(s, "/all");
        char text[2] = "0";
        sim_stall(slow);
        for (; text[0] < '6'; text[0]++) {
            sim_broadcast(s, wspool_global("all"), text);
            sim_pump(s);
        }
        assert_int_equal(quick->reader.messages, 6); /* no other peer is affected */
        sim_flow(slow);
        sim_pump(s);
        if (policy == WSPOOL_SLOW_CLOSE) {
            sim_expect_close(slow, WSPOOL_END_SLOW, WSPOOL_CLOSE_SLOW_CONSUMER);
        } else {
            sim_expect_open(slow);
            assert_int_equal(slow->missed, 3); /* and the host was told */
            assert_int_equal(slow->reader.messages, 3);
            sim_expect_message(slow, 2, "2");
            sim_broadcast(s, wspool_global("all"), "it goes on");
            sim_pump(s);
            sim_expect_message(slow, 3, "it goes on");
        }
        sim_free(s);
    }
}

TEST(law_6_dead_is_gone_at_once)
{
    for (int way = 0; way < 3; way++) {
        sim *s = sim_default(6);
        sim_peer *p = sim_join(s, "/all");
        assert_int_equal(wspool_subscribe(s->pool, p->id, wspool_topic("other")), 0);
        if (way < 2) {
            p->told = 1;
            assert_int_equal(wspool_gone(s->pool, p->id, (enum wspool_gone_why)way, s->now), 0);
        } else {
            p->mute_pings = 1;
            sim_pass(s, 120 * SEC);
        }
        assert_int_equal(wspool_member_count(s->pool, wspool_global("all")), 0);
        assert_int_equal(wspool_member_count(s->pool, wspool_topic("other")), 0);
        assert_int_equal(s->counts[SIM_CLOSED], 1);
        (void)wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now); /* a second report */
        (void)wspool_close(s->pool, p->id, 1000, NULL, 0);
        sim_pump(s);
        assert_int_equal(s->counts[SIM_CLOSED], 1);
        sim_expect_end(p, way == 0   ? WSPOOL_END_EOF
                          : way == 1 ? WSPOOL_END_FAILED
                                     : WSPOOL_END_PONG_TIMEOUT);
        sim_free(s);
    }
}

/* --------------------------------------------------------------------------- 7
 * What was not delivered is counted by reason, and the counters balance: for each peer, what was
 * published to it is what it received, what it was told to have missed, and what it lost when it
 * ended. (sim_pump checks the pool's own counters after each turn.)
 */
TEST(law_7_nothing_is_lost_in_silence)
{
    enum { STEPS = 600, PEERS = 400 };
    static const char text[] = "of many lengths, so that one may take the place of several others";
    for (int policy = WSPOOL_SLOW_CLOSE; policy <= WSPOOL_SLOW_BEHIND; policy++) {
        static uint64_t published[PEERS]; /* to each of them */
        sim *s = sim_new(7 + (uint64_t)policy);
        uint64_t missing = 0, untold = 0;
        memset(published, 0, sizeof published);
        s->config.slow = (enum wspool_slow)policy;
        s->config.queue_messages = 8;
        s->config.queue_bytes = 256;
        s->chop = SIM_RANDOM;
        sim_start(s);
        for (int i = 0; i < 5; i++) {
            sim_join(s, "/all");
        }
        for (int step = 0; step < STEPS; step++) {
            sim_peer *p = s->peers[sim_below(s, s->peer_count)];
            switch (sim_below(s, 8)) {
            case 0:
                sim_stall(p);
                break;
            case 1:
                sim_flow(p);
                break;
            case 2:
                sim_pump(s);
                break;
            case 3:
                if (!p->ended && sim_below(s, 3) == 0) {
                    sim_cut(p, sim_below(s, 2) ? WSPOOL_GONE_EOF : WSPOOL_GONE_FAILED);
                }
                if (wspool_peers(s->pool, NULL, 0) < 5 && s->peer_count < PEERS) {
                    sim_join(s, "/all");
                }
                break;
            default: {
                wspool_id ids[PEERS];
                int n = wspool_members(s->pool, wspool_global("all"), ids, PEERS);
                for (int i = 0; i < n; i++) {
                    published[((sim_peer *)wspool_user(s->pool, ids[i]))->number]++;
                }
                assert_true(wspool_broadcast(s->pool, wspool_global("all"), text,
                                             sim_below(s, sizeof text), NULL, NULL) >= 0);
                break;
            }
            }
        }
        sim_flow_all(s);
        sim_pump(s);
        for (size_t i = 0; i < s->peer_count; i++) {
            const sim_peer *p = s->peers[i];
            uint64_t lost = p->ended ? p->closed.messages_lost : 0;
            /* the message that was one too many */
            uint64_t refused = p->ended && p->closed.why == WSPOOL_END_SLOW;
            uint64_t known = p->reader.messages + p->missed + lost + refused;
            assert_true(published[i] == known || (p->ended && published[i] > known));
            untold += published[i] - known;
            missing += p->missed + lost + refused;
        }
        /* The rest was published while a peer was behind that ended before it caught up. */
        assert_int_equal(untold, sim_stats(s).left_behind - sim_stats(s).missed);
        assert_true(missing > 50); /* otherwise this would prove nothing */
        sim_free(s);
    }
}

/* --------------------------------------------------------------------------- 8
 * In any hook the host may close, subscribe, unsubscribe and publish. A call that is not possible
 * there returns an error and never crashes. A stale id is WSPOOL_ERR_STALE.
 */
static void do_everything(sim *s, const sim_event *event)
{
    static int inside;
    if (event->what != *(enum sim_what *)s->test || inside) {
        return;
    }
    inside = 1;
    assert_int_equal(wspool_tick(s->pool, s->now), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_free(s->pool), WSPOOL_ERR_REENTRANT);
    assert_int_equal(wspool_route(s->pool, "/x", WSPOOL_NONE, NULL), WSPOOL_ERR_REENTRANT);
    for (size_t i = 0; i < s->peer_count; i++) {
        wspool_id id = s->peers[i]->id;
        assert_int_equal(wspool_feed(s->pool, id, "x", 1, s->now), WSPOOL_ERR_REENTRANT);
        assert_int_equal(wspool_adopt(s->pool, id, NULL, 0, s->now), WSPOOL_ERR_REENTRANT);
        assert_int_equal(wspool_release(s->pool, id), WSPOOL_ERR_REENTRANT);
        (void)sim_send(s->peers[i], "sent from a hook");
        (void)wspool_unsubscribe(s->pool, id, wspool_global("all"));
        (void)wspool_subscribe(s->pool, id, wspool_global("all"));
        (void)wspool_subscribe(s->pool, id, wspool_topic("made in a hook"));
        (void)sim_broadcast(s, wspool_global("all"), "published from a hook");
        int closed = wspool_close(s->pool, id, 4000, "from a hook", 0);
        assert_true(closed == 0 || closed == WSPOOL_ERR_STATE || closed == WSPOOL_ERR_STALE);
    }
    if (event->peer) { /* and the peer that the hook reports about ends */
        event->peer->told = 1;
        assert_int_equal(wspool_gone(s->pool, event->id, WSPOOL_GONE_FAILED, s->now), 0);
    }
    inside = 0;
}

TEST(law_8_closing_is_safe_anywhere)
{
    for (int hook = 0; hook < SIM_WHATS; hook++) {
        enum sim_what what = (enum sim_what)hook;
        sim *s = sim_new(8);
        client_request request = {.target = "/all?token=t"};
        wspool_answer answer;
        sim_peer *p, *q, *hosted;
        s->ask_token = s->ask_capacity = s->grant = 1;
        s->verdict.kind = WSPOOL_ACCEPT;
        s->config.slow = WSPOOL_SLOW_BEHIND;
        s->config.queue_messages = 2;
        sim_start(s);
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.slow = WSPOOL_SLOW_BEHIND;
        assert_int_equal(wspool_route(s->pool, "/behind", WSPOOL_SESSION, &options), 0);
        /* A scenario in which every hook is called. */
        s->verdict.kind = WSPOOL_PENDING;
        if (what == SIM_VERDICT) {
            s->react = do_everything;
            s->test = &what;
        }
        assert_int_equal(sim_upgrade(s, &request, &answer, &hosted), WSPOOL_UPGRADE_PENDING);
        sim_pass(s, 60 * SEC);
        hosted->released = 1;
        s->verdict.kind = WSPOOL_ACCEPT;
        s->verdict.expires = SIM_EPOCH / 1000 + s->now / SEC + 60;
        p = sim_connect(s, &request);
        sim_pump(s);
        q = sim_connect(s, &request);
        sim_pump(s);
        /* In each of them all calls are made on all peers. */
        s->react = do_everything;
        s->test = &what;
        sim_connect(s, &request);
        (void)SIM_IN(wspool_subscribe(s->pool, p->id, wspool_session("behind")));
        (void)SIM_IN(wspool_reauth(s->pool, p->id, wspool_text_of("t"), s->now));
        sim_stall(p);
        sim_text(q, "to all");
        for (int i = 0; i < 4; i++) {
            (void)sim_broadcast(s, wspool_session("behind"), "to who is behind");
            (void)sim_broadcast(s, wspool_global("all"), "to all");
            sim_pump(s);
        }
        sim_flow(p);
        sim_cut(q, WSPOOL_GONE_FAILED);
        sim_pump(s);
        sim_pass(s, 60 * SEC);
        assert_true(s->counts[what] > 0);
        sim_free(s); /* each open peer ended once, each identity was freed once, no block is left */
    }
}

TEST(law_8_a_stale_id_is_gone)
{
    sim *s = sim_default(8);
    sim_peer *p = sim_join(s, "/all");
    wspool_id stale = p->id;
    struct iovec vector;
    sim_cut(p, WSPOOL_GONE_EOF);
    sim_pump(s);
    sim_join(s, "/all"); /* in the same slot */
    assert_int_equal(wspool_slot(stale), wspool_slot(s->peers[1]->id));
    assert_int_equal(wspool_feed(s->pool, stale, "x", 1, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_peek(s->pool, stale, &vector, 1), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_ack(s->pool, stale, 1, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_writable(s->pool, stale, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_gone(s->pool, stale, WSPOOL_GONE_EOF, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_release(s->pool, stale), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_adopt(s->pool, stale, NULL, 0, s->now), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_close(s->pool, stale, 1000, NULL, 0), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_send(s->pool, stale, "x", 1, NULL), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_subscribe(s->pool, stale, wspool_topic("t")), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_unsubscribe(s->pool, stale, wspool_topic("t")), WSPOOL_ERR_STALE);
    assert_int_equal(wspool_channels_of(s->pool, stale, NULL, 0), WSPOOL_ERR_STALE);
    assert_null(wspool_user(s->pool, stale));
    assert_null(wspool_identity(s->pool, stale));
    sim_expect_open(s->peers[1]);
    sim_free(s);
}

/* --------------------------------------------------------------------------- 9
 * A check that can't decide refuses.
 */
#define TOKEN "/echo?token=t"
#define TWO_TOKENS "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n"

static const struct doubt {
    const char *what;
    client_request request; /* the other members are those of a correct client */
    const char *word;
    int status;
    int verdict; /* what the token hook returns; -1: there is no token hook */
    int full;    /* what the capacity hook returns */
    int silence; /* nothing answers any more */
} doubts[] = {
    {"a verdict left as it was", {.target = TOKEN}, "invalid", 401, WSPOOL_REFUSE, 0, 0},
    {"a verdict that nobody knows", {.target = TOKEN}, "invalid", 401, 77, 0, 0},
    {"a verdict that never comes", {.target = TOKEN}, "verdict_timeout", 503, WSPOOL_PENDING, 0, 1},
    {"no token", {0}, "empty_token", 401, WSPOOL_ACCEPT, 0, 0},
    {"two tokens", {.extra = TWO_TOKENS}, "malformed", 401, WSPOOL_ACCEPT, 0, 0},
    {"a broken token", {.target = "/echo?token=%zz"}, "malformed", 401, WSPOOL_ACCEPT, 0, 0},
    {"a probe that failed", {0}, "capacity", 503, -1, -1, 0},
    {"an opaque origin", {.origin = "null"}, "origin", 403, -1, 0, 0},
    {"an origin that is none", {.origin = "https:/example"}, "origin", 403, -1, 0, 0},
    {"a cookie from nowhere", {.extra = "Cookie: session=1\r\n"}, "origin", 403, -1, 0, 0},
    {"two hosts", {.extra = "Host: other.example\r\n"}, "malformed", 400, -1, 0, 0},
    {"a path that leads nowhere", {.target = "/"}, "no_route", 404, -1, 0, 0},
};

TEST(law_9_fail_closed)
{
    for (size_t i = 0; i < sizeof doubts / sizeof *doubts; i++) {
        const struct doubt *doubt = &doubts[i];
        sim *s = sim_new(9);
        s->ask_token = doubt->verdict >= 0;
        s->verdict.kind = (enum wspool_verdict_kind)doubt->verdict;
        s->grant = s->ask_token;
        s->ask_capacity = 1;
        s->full = doubt->full;
        sim_start(s);
        sim_peer *p = sim_connect(s, &doubt->request);
        sim_pump(s);
        if (doubt->silence) {
            sim_pass(s, 60 * SEC);
        }
        if (p->opened) {
            fail_msg("%s lets a peer in", doubt->what);
        }
        sim_expect_refusal(p, doubt->status, doubt->word);
        sim_free(s);
    }
}

static int no_entropy(void *bytes, size_t len, void *user)
{
    (void)bytes, (void)len, (void)user;
    return 1;
}

TEST(law_9_no_pool_is_made_in_doubt)
{
    wspool *pool;
    wspool_config config;
    wspool_config_init(&config);
    config.entropy.call = no_entropy; /* channel names could be made to collide */
    assert_int_equal(wspool_new(&pool, &config, 0), WSPOOL_ERR_ENTROPY);
    assert_null(pool);
    wspool_config_init(&config);
    config.origins = (const char *const[]){"https://a.example", "b.example", NULL};
    assert_int_equal(wspool_new(&pool, &config, 0), WSPOOL_ERR_INVAL);
    wspool_config_init(&config);
    config.handshake_time = 0; /* a wait without an end */
    assert_int_equal(wspool_new(&pool, &config, 0), WSPOOL_ERR_INVAL);
}

/* -------------------------------------------------------------------------- 10
 * The same bytes, times and entropy give the same outputs.
 */
static void echo(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE) {
        (void)wspool_broadcast(s->pool, wspool_global("all"), event->data, event->len, NULL, NULL);
    }
}

/* Runs a scenario with many events. Appends all hook calls and all bytes sent to `story`. */
static void live(uint64_t seed, uint64_t entropy, blob *story)
{
    sim *s = sim_new(seed);
    s->entropy = entropy;
    s->chop = SIM_RANDOM;
    s->react = echo;
    s->config.queue_messages = 6;
    s->config.slow = WSPOOL_SLOW_BEHIND;
    sim_start(s);
    for (int step = 0; step < 200; step++) {
        sim_peer *p = s->peer_count ? s->peers[sim_below(s, s->peer_count)] : NULL;
        switch (sim_below(s, 8)) {
        case 0:
        case 1:
            sim_connect_to(s, "/all");
            break;
        case 2:
            sim_stall(p);
            break;
        case 3:
            sim_flow(p);
            break;
        case 4:
            sim_cut(p, WSPOOL_GONE_EOF);
            break;
        case 5:
            sim_pass(s, sim_below(s, 40 * SEC));
            break;
        default:
            if (p != NULL && p->cut == 0 && !p->ended) {
                sim_text(p, "hello");
            }
            break;
        }
        sim_pump(s);
    }
    blob_add(story, s->journal.data, s->journal.len);
    for (size_t i = 0; i < s->peer_count; i++) {
        blob_add(story, &s->peers[i]->hash, sizeof s->peers[i]->hash);
    }
    sim_free(s);
}

TEST(law_10_replayable)
{
    for (uint64_t seed = 1; seed <= 5; seed++) {
        blob first = {0}, again = {0}, other = {0};
        live(seed, 1, &first);
        live(seed, 1, &again);
        live(seed, 2, &other);
        assert_true(first.len > 5000);
        assert_int_equal(first.len, again.len);
        assert_memory_equal(first.data, again.data, first.len);
        /* Entropy does have an effect: on the times of pings. */
        assert_true(first.len != other.len || memcmp(first.data, other.data, first.len) != 0);
        blob_free(&first);
        blob_free(&again);
        blob_free(&other);
    }
}

/* -------------------------------------------------------------------------- 11
 * Each fact is stated in one place. This test checks it from outside: every row of the public lists
 * is reported, with the text of the list. (laws/t_laws_static.py checks that no other file states
 * it.)
 */
TEST(law_11_said_once)
{
    sim *s = sim_default(11);
    wspool_statistics stats;
    sim_join(s, "/all"); /* through every stage */
    stats = sim_stats(s);
#define WSPOOL_X(name, number, text) assert_string_equal(wspool_strerror(number), text);
    WSPOOL_ERRORS(WSPOOL_X)
#undef WSPOOL_X
#define WSPOOL_X(name, code, text) assert_string_equal(wspool_end_text(WSPOOL_END_##name), text);
    WSPOOL_ENDS(WSPOOL_X)
#undef WSPOOL_X
#define WSPOOL_X(name, status, word) \
    assert_string_equal(wspool_refusal_reason(WSPOOL_REFUSED_##name), word); \
    assert_int_equal(wspool_refusal_status(WSPOOL_REFUSED_##name), status);
    WSPOOL_REFUSALS(WSPOOL_X)
#undef WSPOOL_X
#define WSPOOL_X(name, word) \
    assert_string_equal(wspool_stage_name(WSPOOL_STAGE_##name), word); \
    assert_int_equal(stats.stages[WSPOOL_STAGE_##name].passed, 1);
    WSPOOL_STAGES(WSPOOL_X)
#undef WSPOOL_X
    sim_free(s);
}

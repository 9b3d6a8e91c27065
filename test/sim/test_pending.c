/* SPDX-License-Identifier: MIT */
/*
 * sim/test_pending.c - verdicts that come later, from any thread, too late or never; and what
 * happens to a peer, its early bytes and its identity meanwhile.
 *
 * Proves a part of law 5 (a pending peer is bounded in memory and in time), and that an identity is
 * freed exactly once on every path.
 */
#include "accept.h"

#include <pthread.h>

static sim_peer *pending_peer(sim *s)
{
    sim_peer *p = sim_connect(s, &with_token);
    sim_pump(s);
    assert_int_equal(p->reader.total, 0);
    assert_int_equal(p->opened, 0);
    assert_int_equal(p->released, 0);
    return p;
}

TEST(verdict_when_pending_and_then_good_opens)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    sim_peer *p;
    s->ask_capacity = 1;
    sim_start(s);
    p = pending_peer(s);
    sim_text(p, "early");
    sim_pump(s);
    sim_pass(s, 20 * SEC); /* longer than the handshake's own deadline */
    assert_int_equal(p->reader.total, 0);
    assert_int_equal(atomic_load(&s->wakes), 0);
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
    assert_int_equal(atomic_load(&s->wakes), 1);
    assert_int_equal(p->opened, 0); /* not before the tick */
    assert_int_equal(wspool_deadline(s->pool), 0);
    sim_pump(s);
    sim_expect_open(p);
    assert_int_equal(p->heards, 1);
    assert_true(got_is(&p->heard[0], "early", 5));
    assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[0]);
    assert_int_equal(s->counts[SIM_CAPACITY], 1);
    assert_int_equal(sim_event_of(s, SIM_CAPACITY, 0)->number, 0); /* the request is gone by now */
    sim_free(s);
}

TEST(verdict_when_pending_and_then_bad_refuses)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    sim_peer *p;
    sim_start(s);
    p = pending_peer(s);
    assert_int_equal(complete(s, p->id, WSPOOL_REFUSE, WSPOOL_REFUSED_TOKEN_EXPIRED, NULL), 0);
    sim_pump(s);
    sim_expect_refusal(p, 401, "expired");
    p = pending_peer(s);
    assert_int_equal(complete(s, p->id, WSPOOL_REFUSE, WSPOOL_REFUSED_NO_ROUTE, NULL), 0);
    sim_pump(s);
    sim_expect_refusal(p, 401, "invalid");
    sim_free(s);
}

TEST(verdict_when_late_is_503_and_its_identity_is_freed)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    sim_identity *identity;
    sim_peer *p;
    wspool_id id;
    sim_start(s);
    p = pending_peer(s);
    id = p->id;
    sim_pass(s, 30 * SEC - 200 * MS);
    assert_int_equal(p->reader.total, 0);
    sim_pass(s, 400 * MS);
    sim_expect_refusal(p, 503, "verdict_timeout");
    identity = sim_identity_new(s);
    if (complete(s, id, WSPOOL_ACCEPT, 0, identity) == 0)
        sim_pump(s);
    else
        identity->freed++; /* not taken: the host owns it */
    assert_int_equal(identity->freed, 1);
    assert_int_equal(s->counts[SIM_OPENED], 0);
    sim_free(s);
}

TEST(verdict_when_given_twice_counts_once)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    sim_peer *p;
    sim_start(s);
    p = pending_peer(s);
    for (int i = 0; i < 3; i++) {
        sim_identity *identity = sim_identity_new(s);
        if (complete(s, p->id, i == 1 ? WSPOOL_REFUSE : WSPOOL_ACCEPT, WSPOOL_REFUSED_TOKEN_INVALID,
                     i == 1 ? NULL : identity) != 0 ||
            i == 1)
            identity->freed++;
    }
    sim_pump(s);
    sim_expect_open(p);
    assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[0]);
    assert_int_equal(s->identities[0]->freed, 0);
    assert_int_equal(s->identities[2]->freed, 1);
    sim_free(s);
}

TEST(verdict_when_nobody_asked_changes_nothing)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    sim_peer *q = sim_open(s, NULL);
    sim_peer *peers[2];
    peers[0] = p;
    peers[1] = q;
    for (int i = 0; i < 2; i++) {
        sim_identity *identity = sim_identity_new(s);
        if (complete(s, peers[i]->id, WSPOOL_ACCEPT, 0, identity) != 0)
            identity->freed++;
        sim_pump(s);
        assert_int_equal(identity->freed, 1);
    }
    sim_expect_open(p);
    assert_null(wspool_identity(s->pool, p->id));
    assert_int_equal(q->reader.total, 0);
    sim_free(s);
}

TEST(verdict_when_wrong_is_inval_and_the_host_keeps_the_identity)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    wspool_verdict verdict;
    sim_peer *p;
    sim_start(s);
    p = pending_peer(s);
    assert_int_equal(complete(s, p->id, WSPOOL_PENDING, 0, NULL), WSPOOL_ERR_INVAL);
    assert_int_equal(complete(s, p->id, (enum wspool_verdict_kind)77, 0, NULL), WSPOOL_ERR_INVAL);
    memset(&verdict, 0, sizeof verdict);
    verdict.kind = WSPOOL_ACCEPT;
    assert_int_equal(wspool_auth_complete(s->pool, p->id, &verdict), WSPOOL_ERR_INVAL);
    assert_int_equal(wspool_auth_complete(s->pool, p->id, NULL), WSPOOL_ERR_INVAL);
    sim_pump(s);
    assert_int_equal(p->opened, 0);
    assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, NULL), 0);
    sim_pump(s);
    sim_expect_open(p);
    sim_free(s);
}

/* 0: the transport ends; 1: it fails; 2: the host closes the peer; 3: the pool is freed. In odd
 * rounds a verdict is waiting for the tick. */
TEST(peer_when_it_goes_while_pending_frees_what_the_verdict_brings)
{
    for (int way = 0; way < 8; way++) {
        sim *s = sim_with_token(WSPOOL_PENDING);
        sim_identity *identity = NULL;
        sim_peer *p;
        sim_start(s);
        p = pending_peer(s);
        if (way % 2) {
            identity = sim_identity_new(s);
            assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, identity), 0);
        }
        switch (way / 2) {
        case 0:
        case 1:
            assert_int_equal(
                wspool_gone(s->pool, p->id, way / 2 ? WSPOOL_GONE_FAILED : WSPOOL_GONE_EOF, s->now),
                0);
            p->told = 1;
            sim_pump(s);
            assert_int_equal(p->released, 1);
            assert_int_equal(REFUSED(s, GONE), 1);
            break;
        case 2:
            assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
            sim_pump(s);
            sim_expect_refusal(p, 403, "not_allowed");
            break;
        default:
            break;
        }
        assert_int_equal(p->opened, 0);
        sim_free(s); /* checks the identity */
        (void)identity;
    }
}

/* 0: the pool has become full in the meantime; 1: it has begun to drain; 2: the capacity hook
 * refuses. */
TEST(verdict_when_good_but_too_late_for_the_caps_refuses)
{
    static const char *const words[] = {"full", "draining", "capacity"};
    for (int way = 0; way < 3; way++) {
        sim *s = sim_with_token(WSPOOL_PENDING);
        sim_peer *p;
        s->ask_capacity = 1;
        s->config.max_peers = 1;
        sim_start(s);
        p = pending_peer(s);
        s->verdict.kind = WSPOOL_ACCEPT;
        s->grant = 0;
        if (way == 0) {
            sim_peer *q = sim_connect(s, &with_token);
            sim_pump(s);
            sim_expect_open(q);
        }
        if (way == 1)
            assert_int_equal(SIM_IN(wspool_drain(s->pool, SEC, 0, s->now)), 0);
        s->full = way == 2;
        assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
        sim_pump(s);
        sim_expect_refusal(p, 503, words[way]);
        assert_int_equal(s->identities[0]->freed, 1);
        sim_free(s);
    }
}

static void complete_at_once(sim *s, const sim_event *event)
{
    if (event->what == SIM_TOKEN)
        assert_int_equal(complete(s, event->id, WSPOOL_ACCEPT, 0, sim_identity_new(s)), 0);
}

TEST(verdict_when_brought_inside_the_token_hook_is_taken_at_the_tick)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    sim_peer *p;
    s->react = complete_at_once;
    sim_start(s);
    p = sim_connect(s, &with_token);
    sim_pump(s);
    sim_expect_open(p);
    assert_ptr_equal(wspool_identity(s->pool, p->id), s->identities[0]);
    sim_free(s);
}

static void close_at_open(sim *s, const sim_event *event)
{
    if (event->what == SIM_OPENED)
        assert_int_equal(SIM_IN(wspool_close(s->pool, event->id, 4002, "not you", 0)), 0);
}

static void fail_at_open(sim *s, const sim_event *event)
{
    if (event->what == SIM_OPENED) {
        event->peer->told = 1;
        assert_int_equal(SIM_IN(wspool_gone(s->pool, event->id, WSPOOL_GONE_FAILED, s->now)), 0);
    }
}

TEST(peer_when_closed_in_its_open_hook_says_nothing_more)
{
    for (int way = 0; way < 2; way++) {
        sim *s = sim_default(1);
        blob bytes = whole_request("/all", "never heard");
        sim_peer *p = sim_open(s, NULL);
        s->react = way ? fail_at_open : close_at_open;
        sim_write(p, bytes.data, bytes.len);
        sim_pump(s);
        assert_int_equal(p->heards, 0);
        if (way) {
            sim_expect_end(p, WSPOOL_END_FAILED);
        } else {
            sim_expect_close(p, WSPOOL_END_HOST_CLOSED, 4002);
            assert_int_equal(p->reader.status, 101);
        }
        blob_free(&bytes);
        sim_free(s);
    }
}

/* 0: a few bytes; 1: many, from a host that reads only while READ is set; 2: many in one read. */
TEST(early_bytes_when_pending_are_kept_within_bounds_and_refused_above)
{
    enum { PEERS = 64 };
    for (int way = 0; way < 3; way++) {
        int frames = way == 0 ? 2 : 100;
        sim *s = sim_with_token(WSPOOL_PENDING);
        char text[1001];
        size_t before;
        sim_start(s);
        sim_refused(s, &(client_request){.method = "POST"}, 405, "method_not_allowed");
        memset(text, 'e', sizeof text - 1);
        text[sizeof text - 1] = '\0';
        before = s->heap.live_bytes;
        for (int k = 0; k < PEERS; k++) {
            sim_peer *p = sim_connect(s, &with_token);
            for (int i = 0; i < frames; i++)
                sim_text(p, text);
        }
        s->chop = way == 1 ? SIM_BYTES : SIM_WHOLE;
        sim_pump(s);
        assert_true(s->heap.live_bytes - before <=
                    PEERS * (16384 + 2048 + RECORD) + (way ? 65536 : 0));
        s->chop = SIM_WHOLE;
        for (size_t k = 1; k <= PEERS; k++) {
            sim_peer *p = s->peers[k];
            if (way == 2 || p->released) {
                sim_expect_refusal(p, 400, "early_data");
                continue;
            }
            assert_int_equal(complete(s, p->id, WSPOOL_ACCEPT, 0, NULL), 0);
            sim_pump(s);
            sim_expect_open(p);
            assert_int_equal(p->heards, frames);
        }
        sim_free(s);
    }
}

typedef struct courier {
    sim *s;
    sim_peer *peers[200];
    size_t count;
} courier;

static void *courier_run(void *user)
{
    courier *c = user;
    for (size_t i = 0; i < c->count; i++) {
        wspool_verdict verdict;
        memset(&verdict, 0, sizeof verdict);
        verdict.size = sizeof verdict;
        verdict.kind = i % 3 == 0 ? WSPOOL_REFUSE : WSPOOL_ACCEPT;
        verdict.refusal = WSPOOL_REFUSED_TOKEN_INVALID;
        if (wspool_auth_complete(c->s->pool, c->peers[i]->id, &verdict) != 0)
            return user;
    }
    return NULL;
}

TEST(verdicts_when_another_thread_brings_them_all_arrive)
{
    sim *s = sim_with_token(WSPOOL_PENDING);
    courier c = {0};
    pthread_t thread;
    void *failed = NULL;
    sim_start(s);
    c.s = s;
    for (c.count = 0; c.count < 200; c.count++)
        c.peers[c.count] = sim_connect(s, &with_token);
    sim_pump(s);
    assert_int_equal(pthread_create(&thread, NULL, courier_run, &c), 0);
    for (int i = 0; i < 50; i++)
        sim_turn(s); /* the pool's thread is busy meanwhile */
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    sim_pump(s);
    for (size_t i = 0; i < c.count; i++)
        if (i % 3 == 0)
            sim_expect_refusal(c.peers[i], 401, "invalid");
        else
            sim_expect_open(c.peers[i]);
    assert_in_range(atomic_load(&s->wakes), 1, 200);
    sim_free(s);
}

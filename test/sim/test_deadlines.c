/* SPDX-License-Identifier: MIT */
/*
 * sim/test_deadlines.c - every duration of wspool/config.h: nothing happens before its end, and the
 * right thing happens soon after, in a host that sleeps until wspool_deadline.
 *
 * Proves a part of law 5 (every wait has a deadline), of law 6 (the end of a dead peer is reported
 * with its reason) and of law 1 (the pool knows only the time that it is given).
 */
#include "sim.h"

/* Deadlines come a little late, because the times of traffic are kept as coarse timestamps. */
#define SOON (200 * MS)

/* Lets `time` pass, in which the peer must not end, and a little more, in which it must. */
static void ends_after(sim_peer *p, uint64_t time, enum wspool_end why)
{
    sim *s = p->sim;
    sim_pass(s, time - 1);
    if (p->ended)
        fail_msg("%s: %g s too early", wspool_end_text(p->closed.why),
                 (double)(s->now - p->ended_at) / 1e9);
    sim_pass(s, SOON);
    sim_expect_end(p, why);
}

/* As ends_after, for a Close that the peer reads. */
static void closes_after(sim_peer *p, uint64_t time, int code)
{
    sim *s = p->sim;
    sim_pass(s, time - 1);
    assert_int_equal(p->reader.close_code, 0);
    sim_pass(s, SOON);
    assert_int_equal(p->reader.close_code, code);
}

/* Makes a sim in which only the deadline under test is on. */
static sim *sim_timeless(uint64_t seed)
{
    sim *s = sim_new(seed);
    s->config.ping_interval = 0;
    s->config.flush_time = 0;
    s->config.message_time = 0;
    return s;
}

static sim_peer *timeless_peer(const char *target)
{
    sim *s = sim_timeless(1);
    sim_start(s);
    return sim_join(s, target);
}

/* ------------------------------------------------------------- handshake */

TEST(handshake_when_its_head_does_not_end_is_408)
{
    for (int drip = 0; drip < 2; drip++) {
        sim *s = sim_default(1);
        static const char head[] = "GET /echo HTTP/1.1\r\nHost: a\r\n";
        sim_peer *p = sim_open(s, NULL);
        sim_write(p, head, 1);
        sim_pump(s);
        if (drip) /* a byte every second, as a slow loris does */
            for (int i = 1; i < 10; i++) {
                sim_pass(s, SEC);
                sim_write(p, head + i, 1);
            }
        else
            sim_pass(s, 9 * SEC);
        sim_pass(s, SEC - 1);
        assert_int_equal(p->reader.total, 0);
        sim_pass(s, SOON);
        sim_expect_refusal(p, 408, "handshake_timeout");
        assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_TIMEOUT], 1);
        sim_free(s);
    }
}

TEST(transport_when_it_says_nothing_at_all_is_bounded_too)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_open(s, NULL);
    sim_pass(s, 10 * SEC - 1);
    assert_int_equal(p->released, 0);
    sim_pass(s, 11 * SEC);
    assert_int_equal(p->released, 1);
    assert_int_equal(sim_stats(s).handshakes, 0);
    sim_free(s);
}

TEST(handshake_when_configured_takes_that_long)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.handshake_time = 2 * SEC;
    sim_start(s);
    p = sim_open(s, NULL);
    sim_pass(s, SEC); /* the first byte gives it no more time */
    sim_write(p, "G", 1);
    sim_pass(s, SEC - 1);
    assert_int_equal(p->reader.total, 0);
    sim_pass(s, SOON);
    sim_expect_refusal(p, 408, "handshake_timeout");
    sim_free(s);
}

TEST(refusal_when_not_taken_is_bounded)
{
    sim *s = sim_default(1);
    client_request request = {.method = "POST"};
    sim_peer *p = sim_connect(s, &request);
    sim_stall(p);
    sim_pass(s, 41 * SEC);
    assert_int_equal(p->released, 1);
    assert_int_equal(p->reset, 1);
    assert_int_equal(sim_stats(s).refused[WSPOOL_REFUSED_METHOD], 1);
    assert_int_equal(sim_stats(s).handshakes, 0);
    sim_free(s);
}

TEST(answer_when_not_taken_is_bounded)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_connect_to(s, "/all");
    sim_stall(p);
    sim_pass(s, 41 * SEC);
    assert_int_equal(p->released, 1);
    assert_int_equal(sim_stats(s).handshakes, 0);
    assert_int_equal(sim_stats(s).peers, 0);
    sim_free(s);
}

/* ------------------------------------------------------------------ ping */

TEST(ping_when_a_peer_is_silent_comes_within_its_jitter)
{
    uint64_t least = UINT64_MAX;
    uint64_t most = 0;
    sim *s = sim_default(1);
    enum { PEERS = 20 };
    sim_peer *p[PEERS];
    uint64_t last[PEERS];
    size_t seen[PEERS];
    for (int i = 0; i < PEERS; i++) {
        p[i] = sim_join(s, "/echo");
        last[i] = s->now;
        seen[i] = 0;
    }
    while (s->now < 1000 * SEC) {
        uint64_t deadline = wspool_deadline(s->pool);
        assert_true(deadline != UINT64_MAX);
        s->now = deadline;
        sim_pump(s);
        for (int i = 0; i < PEERS; i++)
            if (p[i]->reader.pings > seen[i]) {
                uint64_t gap = s->now - last[i];
                assert_int_equal(p[i]->reader.pings, seen[i] + 1);
                seen[i]++;
                last[i] = s->now;
                least = gap < least ? gap : least;
                most = gap > most ? gap : most;
                if (gap < 27 * SEC || gap > 33 * SEC + SOON)
                    fail_msg("%g s between pings", (double)gap / 1e9);
            }
    }
    for (int i = 0; i < PEERS; i++) {
        sim_expect_open(p[i]);
        assert_in_range(seen[i], 29, 37);
    }
    /* The interval does vary: 600 draws come near both limits. */
    assert_true(least < 28 * SEC);
    assert_true(most > 32 * SEC);
    assert_true(sim_stats(s).pongs_received == sim_stats(s).pings_sent);
    sim_free(s);
}

TEST(ping_when_without_jitter_comes_on_time)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.ping_jitter = 0;
    s->config.ping_interval = 7 * SEC;
    s->config.pong_time = 2 * SEC;
    sim_start(s);
    p = sim_join(s, "/echo");
    for (size_t i = 0; i < 20; i++) {
        uint64_t from = s->now;
        while (p->reader.pings == i) {
            s->now = wspool_deadline(s->pool);
            sim_pump(s);
        }
        assert_in_range(s->now - from, 7 * SEC, 7 * SEC + SOON);
    }
    sim_free(s);
}

TEST(ping_when_not_answered_kills)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.ping_jitter = 0;
    sim_start(s);
    p = sim_join(s, "/echo");
    p->mute_pings = 1;
    sim_pass(s, 30 * SEC + SOON);
    assert_int_equal(p->reader.pings, 1);
    ends_after(p, 10 * SEC - SOON, WSPOOL_END_PONG_TIMEOUT);
    assert_int_equal(p->reset, 1);
    assert_int_equal(p->closed.code_sent, 0);
    assert_int_equal(p->closed.code_received, 1006);
    sim_free(s);
}

TEST(ping_when_any_sign_of_life_follows_is_answered)
{
    static const char *const signs[] = {"text", "ping", "byte", "pong with another payload"};
    for (int i = 0; i < 4; i++) {
        sim *s = sim_new(1);
        sim_peer *p;
        s->config.ping_jitter = 0;
        sim_start(s);
        p = sim_join(s, "/echo");
        p->mute_pings = 1;
        sim_pass(s, 30 * SEC + SOON);
        assert_int_equal(p->reader.pings, 1);
        sim_pass(s, 9 * SEC);
        if (i == 0)
            sim_text(p, signs[i]);
        else if (i == 1)
            sim_ping(p, signs[i]);
        else if (i == 2)
            sim_write(p, "\x81", 1);
        else
            sim_frame(p, FIN | OP_PONG, signs[i], strlen(signs[i]));
        sim_pass(s, 5 * SEC);
        sim_expect_open(p);
        sim_pass(s, 60 * SEC);
        if (!p->ended) /* the next ping was not answered */
            fail_msg("after a %s it lives for ever", signs[i]);
        sim_free(s);
    }
}

/* A peer from which the host did not read must not be taken for dead. */
TEST(peer_when_we_read_nothing_from_it_is_not_taken_for_dead)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.ping_jitter = 0;
    s->config.flush_time = 100 * SEC;
    s->config.idle_time = 35 * SEC;
    s->config.message_time = 20 * SEC;
    sim_start(s);
    p = sim_join(s, "/all");
    p->mute_pings = 1;
    while (p->reader.pings == 0)
        sim_pass(s, SEC);
    sim_frame(p, OP_TEXT, "half a message", 14);
    sim_pump(s);
    sim_stall(p);
    sim_broadcast(s, wspool_global("all"), "x");
    sim_pump(s);
    assert_int_equal(p->reading, 0);
    p->mute_pings = 0;
    sim_frame(p, FIN | OP_PONG, "", 0); /* the Pongs wait in the socket */
    sim_frame(p, FIN | OP_CONT, "", 0);
    for (int i = 0; i < 90; i++) {
        sim_pass(s, SEC);
        sim_expect_open(p);
    }
    sim_flow(p);
    sim_pass(s, 60 * SEC);
    sim_expect_open(p);
    assert_int_equal(p->heards, 1);
    sim_free(s);
}

/* ------------------------------------------------------------------ idle */

TEST(peer_when_idle_for_too_long_is_closed_with_1001)
{
    sim *s = sim_timeless(1);
    sim_peer *p;
    s->config.idle_time = 60 * SEC;
    sim_start(s);
    p = sim_join(s, "/all");
    sim_pass(s, 50 * SEC);
    sim_text(p, "here");
    sim_pump(s);
    for (int i = 0; i < 5; i++) { /* bytes sent to the peer are no sign of life */
        sim_pass(s, 10 * SEC);
        sim_broadcast(s, wspool_global("all"), "x");
        sim_pump(s);
    }
    closes_after(p, 10 * SEC, WSPOOL_CLOSE_GOING_AWAY);
    sim_expect_close(p, WSPOOL_END_IDLE, 1001);
    sim_free(s);
}

TEST(peer_when_it_answers_pings_is_not_idle)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.idle_time = 60 * SEC;
    sim_start(s);
    p = sim_join(s, "/echo");
    sim_pass(s, 600 * SEC);
    sim_expect_open(p);
    sim_free(s);
}

TEST(peer_when_its_lifetime_is_over_is_closed_with_4202)
{
    sim *s = sim_new(1);
    sim_peer *p;
    s->config.lifetime = 100 * SEC;
    sim_start(s);
    p = sim_join(s, "/echo");
    for (int i = 0; i < 9; i++) {
        sim_text(p, "busy");
        sim_pass(s, 10 * SEC);
    }
    closes_after(p, 10 * SEC, WSPOOL_CLOSE_LIFETIME);
    sim_expect_close(p, WSPOOL_END_LIFETIME, 4202);
    sim_free(s);
}

/* --------------------------------------------------------------- message */

TEST(message_when_it_does_not_end_is_closed_with_1008)
{
    /* Received so far: one byte of a frame header, a header, a begun payload, or a fragment. */
    for (int way = 0; way < 4; way++) {
        sim *s = sim_timeless(1);
        client_frame frame = {.first = FIN | OP_TEXT, .announced = 1000, .key = 0};
        sim_peer *p;
        s->config.message_time = 30 * SEC;
        sim_start(s);
        p = sim_join(s, "/echo");
        sim_pass(s, 100 * SEC); /* nothing was begun: no deadline */
        sim_expect_open(p);
        switch (way) {
        case 0:
            sim_write(p, "\x81", 1);
            break;
        case 1:
            client_put_head(&p->in, &frame); /* T14 */
            break;
        case 2:
            client_put_head(&p->in, &frame);
            sim_write(p, "abc", 3);
            break;
        default:
            sim_frame(p, OP_TEXT, "abc", 3);
            break;
        }
        sim_pump(s);
        sim_pass(s, 20 * SEC);
        if (way == 3)
            sim_ping(p, "control frames are not progress");
        p->mute_close = 1;
        closes_after(p, 10 * SEC, WSPOOL_CLOSE_POLICY);
        ends_after(p, 5 * SEC - SOON, WSPOOL_END_MESSAGE_TIMEOUT);
        assert_int_equal(p->closed.code_sent, 1008);
        sim_free(s);
    }
}

TEST(message_when_more_has_come_has_longer)
{
    sim *s = sim_timeless(1);
    client_frame frame = {.first = FIN | OP_BINARY, .announced = 65536, .key = 0};
    uint8_t *bytes = sim_malloc(65536);
    sim_peer *p;
    memset(bytes, 0, 65536);
    s->config.message_time = 30 * SEC;
    sim_start(s);
    p = sim_join(s, "/echo");
    client_put_head(&p->in, &frame);
    sim_pump(s);
    sim_write(p, bytes, 40 * 1024); /* 10 s more */
    closes_after(p, 40 * SEC, WSPOOL_CLOSE_POLICY);
    /* A peer that completes its message in time is heard, and the next message has the whole
     * time. */
    p = sim_join(s, "/echo");
    for (int i = 0; i < 3; i++) {
        client_put_head(&p->in, &frame);
        sim_pass(s, 29 * SEC);
        sim_write(p, bytes, 65535);
        sim_pass(s, 15 * SEC);
        sim_write(p, bytes, 1);
        sim_pump(s);
        assert_int_equal(p->heards, i + 1);
    }
    sim_expect_open(p);
    free(bytes);
    sim_free(s);
}

TEST(control_frame_when_half_sent_is_bounded)
{
    sim *s = sim_timeless(1);
    sim_peer *p;
    s->config.message_time = 30 * SEC;
    sim_start(s);
    p = sim_join(s, "/echo");
    sim_write(p, "\x89\x85\0\0\0\0ab", 8);
    sim_pass(s, 30 * SEC - 1);
    sim_expect_open(p);
    sim_pass(s, SOON);
    assert_int_equal(p->reader.close_code, WSPOOL_CLOSE_POLICY);
    sim_free(s);
}

/* ----------------------------------------------------------------- flush */

TEST(output_when_it_stands_still_kills)
{
    sim *s = sim_timeless(1);
    sim_peer *p;
    s->config.flush_time = 30 * SEC;
    sim_start(s);
    p = sim_join(s, "/all");
    sim_stall(p);
    sim_pass(s, 100 * SEC); /* nothing to send: no deadline */
    sim_expect_open(p);
    for (int i = 0; i < 100; i++)
        sim_broadcast(s, wspool_global("all"), "0123456789");
    sim_pump(s);
    sim_pass(s, 20 * SEC);
    sim_broadcast(s, wspool_global("all"), "more is no progress");
    ends_after(p, 10 * SEC, WSPOOL_END_FLUSH_TIMEOUT);
    assert_int_equal(p->closed.code_received, 1006);
    assert_int_equal(p->closed.messages_lost + p->reader.messages, 101);
    assert_int_equal(p->reset, 1);
    sim_free(s);
}

/* A peer with 200 KB in its queue that takes so many bytes each second. */
static sim_peer *taking_peer(size_t each, int seconds)
{
    static char page[200001];
    sim *s = sim_timeless(1);
    s->config.flush_time = 30 * SEC;
    sim_start(s);
    sim_peer *p = sim_join(s, "/all");
    memset(page, 'x', 200000);
    sim_stall(p);
    sim_send(p, page);
    sim_pump(s);
    for (int i = 0; i < seconds && !p->ended; i++) {
        sim_pass(s, SEC);
        p->room = each;
        sim_pump(s);
    }
    return p;
}

TEST(output_when_it_goes_at_the_least_rate_lives)
{
    sim_peer *p = taking_peer(4400, 45);
    sim_expect_open(p);
    sim_pass(p->sim, 20 * SEC); /* it had gained no time to stand still */
    sim_expect_open(p);
    sim_pass(p->sim, 11 * SEC);
    sim_expect_end(p, WSPOOL_END_FLUSH_TIMEOUT);
    sim_free(p->sim);
}

TEST(output_when_it_goes_below_the_least_rate_kills)
{
    sim_peer *p = taking_peer(2048, 50); /* half of it: after twice the time */
    sim_expect_open(p);
    sim_pass(p->sim, 10 * SEC);
    sim_expect_end(p, WSPOOL_END_FLUSH_TIMEOUT);
    sim_free(p->sim);
    p = taking_peer(1, 32); /* a byte in time is nothing */
    sim_expect_end(p, WSPOOL_END_FLUSH_TIMEOUT);
    assert_true(p->reset);
    sim_free(p->sim);
}

/* --------------------------------------------------------------- closing */

TEST(close_when_not_answered_ends_after_closing_time)
{
    sim_peer *p = timeless_peer("/echo");
    sim *s = p->sim;
    p->mute_close = 1;
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
    sim_pump(s);
    assert_int_equal(p->reader.close_code, 1000);
    ends_after(p, 5 * SEC, WSPOOL_END_HOST_CLOSED);
    assert_int_equal(p->closed.code_sent, 1000);
    assert_int_equal(p->closed.code_received, 1006);
    assert_int_equal(p->reset, 0); /* the Close was written, and may still be on its way */
    sim_free(s);
}

TEST(close_when_nothing_is_taken_ends_after_closing_time)
{
    sim_peer *p = timeless_peer("/echo");
    sim *s = p->sim;
    sim_stall(p);
    sim_send(p, "stands in front of the Close");
    sim_pump(s);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
    ends_after(p, 5 * SEC, WSPOOL_END_HOST_CLOSED);
    assert_int_equal(p->closed.code_sent, 0);
    assert_int_equal(p->closed.messages_lost, 1);
    assert_int_equal(p->reset, 1);
    sim_free(s);
}

TEST(close_when_a_little_is_taken_ends_without_a_reset)
{
    sim_peer *p = timeless_peer("/echo");
    sim *s = p->sim;
    sim_stall(p);
    sim_send(p, "stands in front of the Close");
    sim_pump(s);
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
    sim_pass(s, SEC);
    p->room = 1;
    sim_pass(s, 5 * SEC);
    sim_expect_end(p, WSPOOL_END_HOST_CLOSED);
    assert_int_equal(p->reset, 0);
    sim_free(s);
}

TEST(peers_when_they_end_in_order_are_not_reset)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all"), *q = sim_join(s, "/all"), *r = sim_join(s, "/all");
    assert_int_equal(wspool_close(s->pool, p->id, 1000, NULL, 0), 0);
    sim_say_close(q, 1000, NULL);
    sim_cut(r, WSPOOL_GONE_FAILED);
    sim_pump(s);
    assert_true(p->released && q->released && r->released);
    assert_int_equal(p->reset + q->reset + r->reset, 0);
    sim_free(s);
}

TEST(close_of_peer_when_its_echo_is_not_taken_ends_after_closing_time)
{
    sim_peer *p = timeless_peer("/echo");
    sim *s = p->sim;
    sim_stall(p);
    sim_say_close(p, 1000, NULL);
    sim_pass(s, 5 * SEC + SOON);
    sim_expect_end(p, WSPOOL_END_PEER_CLOSED);
    assert_int_equal(p->reset, 1);
    sim_free(s);
}

/* -------------------------------------------------------------- deadline */

TEST(deadline_when_nothing_is_awaited_is_never)
{
    sim *s = sim_new(1);
    sim_peer *p;
    int wakes;
    s->config.ping_interval = 0;
    sim_start(s);
    assert_true(wspool_deadline(s->pool) == UINT64_MAX);
    p = sim_join(s, "/all");
    sim_broadcast(s, wspool_global("all"), "x");
    assert_true(wspool_deadline(s->pool) == 0); /* wspool_next has an event of a peer to report */
    sim_pump(s);
    /* An open peer without pings has no deadline; a few old timers may still fire. */
    for (wakes = 0; wspool_deadline(s->pool) != UINT64_MAX; wakes++) {
        assert_true(wakes < 20);
        s->now = wspool_deadline(s->pool);
        sim_pump(s);
    }
    sim_say_close(p, 1000, NULL);
    sim_pump(s);
    for (wakes = 0; wspool_deadline(s->pool) != UINT64_MAX; wakes++) {
        assert_true(wakes < 20);
        s->now = wspool_deadline(s->pool);
        sim_pump(s);
    }
    sim_free(s);
}

TEST(loop_when_it_sleeps_until_the_deadline_does_not_spin)
{
    sim *s = sim_default(1);
    uint64_t wakes = 0;
    uint64_t pings;
    for (int i = 0; i < 100; i++)
        sim_join(s, "/all");
    while (s->now < (sim_slow() ? 600 : 3600) * SEC) {
        s->now = wspool_deadline(s->pool);
        sim_pump(s);
        wakes++;
    }
    pings = sim_stats(s).pings_sent;
    assert_int_equal(sim_stats(s).peers, 100);
    /* Each ping and each awaited pong needs one wake; twice as many are accepted. */
    if (wakes > 4 * pings + 1000)
        fail_msg("%u wakes for %u pings", (unsigned)wakes, (unsigned)pings);
    sim_free(s);
}

/* The same scenario in steps of 10 ms, and from deadline to deadline: the same things happen,
 * within one step. */
TEST(deadline_when_slept_to_is_never_late)
{
    uint64_t when[2][6];
    for (int way = 0; way < 2; way++) {
        sim *s = sim_new(5);
        uint64_t until;
        sim_peer *p[6];
        s->config.idle_time = 47 * SEC;
        s->config.lifetime = 333 * SEC;
        s->config.abuse_burst = 0;
        sim_start(s);
        until = s->now + 400 * SEC;
        p[0] = sim_join(s, "/all"); /* ends by its lifetime */
        p[1] = sim_join(s, "/all"); /* does not answer pings */
        p[1]->mute_pings = 1;
        p[2] = sim_join(s, "/all"); /* reads nothing */
        sim_stall(p[2]);
        p[3] = sim_open(s, NULL); /* does not complete its HTTP head */
        sim_write(p[3], "GET", 3);
        p[4] = sim_join(s, "/all"); /* does not complete its message */
        sim_write(p[4], "\x81\xfe", 2);
        p[5] = sim_join(s, "/all"); /* does not answer the server's Close */
        p[5]->mute_close = 1;
        sim_broadcast(s, wspool_global("all"), "x");
        wspool_close(s->pool, p[5]->id, 1000, NULL, 0);
        if (way)
            sim_pass(s, 400 * SEC);
        else
            for (; s->now < until; s->now += 10 * MS)
                while (sim_turn(s))
                    ;
        for (int i = 0; i < 6; i++) {
            assert_int_equal(p[i]->released, 1);
            when[way][i] = p[i]->released_at;
        }
        sim_free(s);
    }
    for (int i = 0; i < 6; i++) {
        uint64_t a = when[0][i];
        uint64_t b = when[1][i];
        if (a > b + 50 * MS || b > a + 50 * MS)
            fail_msg("peer %d: %g s in steps, %g s from deadline to deadline", i, (double)a / 1e9,
                     (double)b / 1e9);
    }
}

TEST(time_when_it_runs_backwards_stands_still)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    sim_peer *q;
    uint64_t now;
    sim_pass(s, 20 * SEC);
    now = s->now;
    s->now = 1;
    sim_text(p, "back then");
    while (sim_turn(s))
        ;
    sim_send(p, "so be it");
    q = sim_connect_to(s, "/echo");
    while (sim_turn(s))
        ;
    assert_int_equal(p->heards, 1);
    assert_int_equal(q->opened, 1);
    sim_say_close(q, 1000, NULL);
    while (sim_turn(s))
        ;
    assert_true(q->closed.open_for == 0);
    s->now = now;
    sim_pass(s, 200 * SEC);
    sim_expect_open(p);
    assert_true(p->reader.pings >= 5);
    sim_free(s);
}

TEST(time_when_it_leaps_settles_everything_at_once)
{
    for (int i = 0; i < 4; i++) {
        static const uint64_t leaps[] = {3600 * SEC, 365 * 24 * 3600 * SEC,
                                         99 * UINT64_C(365) * 24 * 3600 * SEC,
                                         UINT64_C(5000000000000000000)};
        sim *s = sim_default(1);
        sim_peer *p;
        for (int k = 0; k < 20; k++)
            sim_join(s, "/all");
        p = sim_open(s, NULL);
        sim_write(p, "GET", 3);
        sim_stall(s->peers[3]);
        sim_broadcast(s, wspool_global("all"), "x");
        sim_pump(s);
        s->now += leaps[i];
        sim_pump(s);
        sim_pass(s, SEC + SOON); /* the last chance */
        assert_int_equal(p->released, 1);
        sim_expect_end(s->peers[3], WSPOOL_END_FLUSH_TIMEOUT);
        sim_pass(s, 100 * SEC);
        assert_int_equal(sim_stats(s).peers, 19);
        sim_free(s);
    }
}

TEST(clock_when_its_origin_is_zero_or_far_works_too)
{
    static const uint64_t origins[] = {0, 1, UINT64_C(1) << 62,
                                       UINT64_MAX - 200 * UINT64_C(365) * 24 * 3600 * SEC};
    for (int i = 0; i < 4; i++) {
        sim *s = sim_new(1);
        sim_peer *p;
        s->now = origins[i];
        s->config.ping_jitter = 0;
        sim_start(s);
        p = sim_join(s, "/echo");
        p->mute_pings = 1;
        sim_pass(s, 40 * SEC - 1);
        sim_expect_open(p);
        assert_int_equal(p->reader.pings, 1);
        sim_pass(s, SOON);
        sim_expect_end(p, WSPOOL_END_PONG_TIMEOUT);
        sim_free(s);
    }
}

/* Coarse timestamps are short and wrap after nine years; a peer that comes then is treated like
 * any other. */
TEST(clock_when_the_pool_is_old_works_too)
{
    static const uint64_t years[] = {9, 10, 50};
    for (int i = 0; i < 3; i++) {
        sim *s = sim_new(1);
        sim_peer *p;
        s->config.idle_time = 60 * SEC;
        s->config.ping_interval = 0;
        sim_start(s);
        s->now += years[i] * 365 * 24 * 3600 * SEC + 123 * SEC;
        p = sim_join(s, "/echo");
        sim_pass(s, 59 * SEC);
        sim_expect_open(p);
        sim_pass(s, 2 * SEC);
        sim_expect_end(p, WSPOOL_END_IDLE);
        sim_free(s);
    }
}

/* Control frames between the fragments of a message do not extend its deadline. */
TEST(message_when_kept_open_by_pings_is_closed_all_the_same)
{
    sim *s = sim_new(1);
    sim_peer *p;
    char ping[126];
    memset(ping, 'p', 125);
    ping[125] = '\0';
    sim_start(s);
    p = sim_join(s, "/echo");
    sim_frame(p, 0x01, "part", 4);
    for (int i = 0; i < 40 && !p->ended; i++) {
        for (int k = 0; k < 40; k++)
            sim_ping(p, ping);
        sim_pump(s);
        sim_pass(s, SEC);
    }
    sim_expect_end(p, WSPOOL_END_MESSAGE_TIMEOUT);
    sim_free(s);
}

TEST(deadlines_when_switched_off_never_come)
{
    sim_peer *p = timeless_peer("/all");
    sim *s = p->sim;
    sim_write(p, "\x81\x85\0\0\0\0ab", 8);
    sim_pump(s);
    sim_stall(p);
    sim_broadcast(s, wspool_global("all"), "x");
    sim_pass(s, 30 * 24 * 3600 * SEC);
    sim_expect_open(p);
    sim_flow(p);
    sim_write(p, "cde", 3);
    sim_pump(s);
    assert_int_equal(p->heards, 1);
    sim_free(s);
}

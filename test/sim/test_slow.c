/* SPDX-License-Identifier: MIT */
/*
 * sim/test_slow.c - peers that read less than they are sent: limits, policies, watermarks, blocked
 * output, and the output budget of the pool.
 *
 * Proves law 6 (a full queue is no end), a part of law 5 (every queue is limited in bytes and in
 * messages) and of law 7 (what was not delivered is counted and reported).
 */
#include "sim.h"

/* The channel of each policy: all channels of a kind have one. */
static wspool_channel channel_of(const char *name)
{
    return strcmp(name, "close") == 0 ? wspool_item(name) : wspool_session(name);
}

static const char *const routes[] = {"/close", "/behind"};

/* Makes a pool with small queues and a route for each policy. */
static sim *sim_small(uint64_t seed, uint32_t bytes, uint32_t messages)
{
    static const enum wspool_slow slow[] = {WSPOOL_SLOW_CLOSE, WSPOOL_SLOW_BEHIND};
    sim *s = sim_new(seed);
    s->config.queue_bytes = bytes;
    s->config.queue_messages = messages;
    s->config.ping_interval = 0;
    sim_start(s);
    for (int i = 0; i < 2; i++) {
        wspool_route_options options;
        wspool_route_options_init(&options, &s->config);
        options.name = routes[i] + 1;
        options.slow = slow[i];
        assert_int_equal(wspool_route(s->pool, routes[i], channel_of(options.name).kind, &options),
                         0);
    }
    return s;
}

/* Joins a member whose transport accepts nothing, and the pool knows it. */
static sim_peer *stalled(sim *s, const char *target)
{
    sim_peer *p = sim_join(s, target);
    sim_stall(p);
    return p;
}

static wspool_tally publish(sim *s, const char *channel, const char *text)
{
    wspool_tally tally = {.size = sizeof tally};
    int n =
        SIM_IN(wspool_broadcast(s->pool, channel_of(channel), text, strlen(text), NULL, &tally));
    assert_int_equal(n, (int)tally.queued);
    return tally;
}

static const char *numbered(int i)
{
    static char text[16];
    snprintf(text, sizeof text, "%04d", i);
    return text;
}

TEST(queue_when_full_closes_with_4100)
{
    sim *s = sim_small(1, 262144, 10);
    sim_peer *p = stalled(s, "/close");
    sim_peer *q = sim_join(s, "/close");
    wspool_tally tally;
    for (int i = 0; i < 10; i++) {
        tally = publish(s, "close", numbered(i));
        assert_int_equal(tally.queued, 2);
        assert_int_equal(tally.closed, 0);
        sim_pump(s);
    }
    tally = publish(s, "close", "too much");
    assert_int_equal(tally.queued, 1);
    assert_int_equal(tally.closed, 1);
    assert_int_equal(tally.behind, 0);
    assert_int_equal(wspool_member_count(s->pool, channel_of("close")), 1);
    assert_int_equal(sim_stats(s).slow_closes, 1);
    sim_pump(s);
    sim_pass(s, 6 * SEC); /* it reads nothing, so it does not get the Close either */
    sim_expect_end(p, WSPOOL_END_SLOW);
    assert_int_equal(p->closed.messages_lost, 10);
    assert_int_equal(p->closed.code_sent, 0);
    assert_int_equal(p->closed.code_received, 1006);
    assert_int_equal(q->reader.messages, 11);
    sim_expect_open(q);
    assert_int_equal(sim_logged(s, "slow") >= 1, 1);
    sim_free(s);
}

TEST(peer_when_closed_for_slowness_and_flowing_again_reads_4100)
{
    sim *s = sim_small(1, 262144, 10);
    sim_peer *p = stalled(s, "/close");
    for (int i = 0; i < 11; i++) {
        publish(s, "close", numbered(i));
        sim_pump(s);
    }
    sim_flow(p);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_SLOW, WSPOOL_CLOSE_SLOW_CONSUMER);
    assert_int_equal(p->reader.messages + p->closed.messages_lost, 10);
    for (size_t i = 0; i < p->reader.messages; i++)
        sim_expect_message(p, i, numbered((int)i));
    sim_free(s);
}

TEST(queue_when_limited_in_bytes_holds_no_more)
{
    char text[1001];
    memset(text, 'q', 1000);
    text[1000] = '\0';
    for (int way = 0; way < 2; way++) {
        sim *s = sim_small(1, 10000, 1024);
        sim_peer *p = stalled(s, routes[way]);
        for (int i = 0; i < 9; i++) { /* 9 of 1004 bytes fit under any way of counting */
            assert_int_equal(publish(s, routes[way] + 1, text).queued, 1);
            sim_pump(s);
            assert_true(sim_stats(s).waiting_bytes <= 10000);
        }
        for (int i = 0; i < 2; i++) {
            publish(s, routes[way] + 1, text);
            sim_pump(s);
            assert_true(sim_stats(s).waiting_bytes <= 10000);
        }
        if (way == 0) {
            sim_flow(p);
            sim_pump(s);
            sim_expect_close(p, WSPOOL_END_SLOW, 4100);
        } else {
            assert_in_range(sim_stats(s).left_behind, 1, 2);
            sim_expect_open(p);
        }
        sim_free(s);
    }
}

/* A feed that may fill little of a queue; everything else has the limits of the pool. */
TEST(limits_of_a_queue_are_those_of_the_channel)
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        sim *s = sim_small(1, 10000, 100);
        wspool_channel feed = wspool_topic("feed");
        wspool_route_options options;
        char text[1000];
        memset(text, 'f', sizeof text);
        wspool_route_options_init(&options, &s->config);
        options.slow = WSPOOL_SLOW_BEHIND;
        options.queue_bytes = by_bytes ? 600 : 0;
        options.queue_messages = by_bytes ? 0 : 6;
        assert_int_equal(wspool_route(s->pool, "/feed/{name}", feed.kind, &options), 0);
        sim_peer *p = stalled(s, "/close");
        assert_int_equal(wspool_subscribe(s->pool, p->id, feed), 0);
        for (int i = 0; i < 8; i++) { /* 6 times 2 + 98 bytes fit */
            wspool_tally tally = {.size = sizeof tally};
            SIM_IN(wspool_broadcast(s->pool, feed, text, 98, NULL, &tally));
            assert_int_equal(tally.queued, i < 6);
            assert_int_equal(tally.behind, i >= 6);
        }
        assert_int_equal(publish(s, "close", "more than the feed may have").queued, 1);
        assert_int_equal(sim_send(p, "and more"), 0);
        assert_int_equal(sim_stats(s).waiting, 8);
        /* A message that no queue can take on behalf of this channel. */
        int error = by_bytes ? WSPOOL_ERR_TOO_BIG : 0;
        assert_int_equal(wspool_broadcast(s->pool, feed, text, 597, NULL, NULL), error);
        assert_int_equal(wspool_broadcast(s->pool, feed, text, 596, NULL, NULL), 0);
        assert_int_equal(wspool_send(s->pool, p->id, text, sizeof text, NULL), 0);
        sim_flow(p);
        sim_pump(s);
        sim_expect_open(p);
        assert_int_equal(p->missed, by_bytes ? 3 : 4);
        assert_int_equal(p->reader.messages, 9);
        sim_free(s);
    }
}

TEST(message_when_larger_than_a_queue_is_too_big)
{
    sim *s = sim_small(1, 1000, 10);
    sim_peer *p = sim_join(s, "/close");
    char text[1002];
    memset(text, 'b', 1001);
    text[1001] = '\0';
    assert_int_equal(sim_broadcast(s, channel_of("close"), text), WSPOOL_ERR_TOO_BIG);
    assert_int_equal(sim_send(p, text), WSPOOL_ERR_TOO_BIG);
    text[1000 - 4] = '\0'; /* with its header it is as large as a queue */
    assert_int_equal(sim_broadcast(s, channel_of("close"), text), 1);
    sim_pump(s);
    assert_int_equal(p->reader.messages, 1);
    assert_int_equal(sim_send(p, text), 0);
    sim_pump(s);
    sim_expect_open(p);
    assert_int_equal(p->reader.messages, 2);
    sim_free(s);
}

/* What a channel has queued for it does not stand in the way of an answer. */
TEST(send_to_a_peer_that_is_behind_has_an_eighth_more)
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        sim *s = sim_new(1);
        s->config.slow = WSPOOL_SLOW_BEHIND;
        s->config.queue_messages = by_bytes ? 1000 : 16;
        s->config.queue_bytes = by_bytes ? 16 * 100 : 262144;
        sim_start(s);
        sim_peer *p = sim_join(s, "/all");
        static char text[98]; /* a frame of 100 bytes */
        memset(text, 'a', sizeof text);
        sim_stall(p);
        sim_pump(s);
        for (int i = 0; i < 16; i++)
            assert_int_equal(
                wspool_broadcast(s->pool, wspool_global("all"), text, sizeof text, NULL, NULL), 1);
        assert_int_equal(wspool_send(s->pool, p->id, text, sizeof text, NULL), WSPOOL_ERR_FULL);
        assert_int_equal(
            wspool_broadcast(s->pool, wspool_global("all"), text, sizeof text, NULL, NULL),
            0); /* it falls behind */
        for (int i = 0; i < (by_bytes ? 2 : 3); i++)
            assert_int_equal(wspool_send(s->pool, p->id, text, sizeof text, NULL), 0);
        assert_int_equal(wspool_send(s->pool, p->id, text, sizeof text, NULL), WSPOOL_ERR_FULL);
        sim_flow(p);
        sim_pump(s);
        assert_int_equal(p->reader.messages, by_bytes ? 18 : 19);
        sim_stall(p);
        for (int i = 0; i < 16; i++) /* it is live again, and has no more room than the others */
            assert_int_equal(wspool_send(s->pool, p->id, text, sizeof text, NULL), 0);
        assert_int_equal(wspool_send(s->pool, p->id, text, sizeof text, NULL), WSPOOL_ERR_FULL);
        sim_free(s);
    }
}

TEST(send_when_the_queue_is_full_says_so_whatever_the_policy)
{
    for (int way = 0; way < 2; way++) {
        sim *s = sim_small(1, 262144, 4);
        sim_peer *p = stalled(s, routes[way]);
        for (int i = 0; i < 4; i++)
            assert_int_equal(sim_send(p, numbered(i)), 0);
        assert_int_equal(sim_send(p, "no"), WSPOOL_ERR_FULL);
        assert_int_equal(sim_send(p, "no"), WSPOOL_ERR_FULL);
        sim_pump(s);
        sim_expect_open(p);
        assert_int_equal(sim_stats(s).left_behind, 0); /* the send itself reported it */
        sim_flow(p);
        sim_pump(s);
        assert_int_equal(p->reader.messages, 4);
        assert_int_equal(sim_send(p, "yes"), 0);
        sim_pump(s);
        sim_expect_message(p, 4, "yes");
        sim_free(s);
    }
}

TEST(policy_when_two_channels_differ_is_that_of_the_message)
{
    sim *s = sim_small(1, 262144, 4);
    sim_peer *p = stalled(s, "/close");
    assert_int_equal(wspool_subscribe(s->pool, p->id, channel_of("behind")), 0);
    for (int i = 0; i < 4; i++)
        publish(s, "close", numbered(i));
    sim_pump(s);
    assert_int_equal(sim_logged(s, "slow"), 0);
    for (int i = 0; i < 3; i++) /* the log has it when it falls behind, not for each message */
        assert_int_equal(publish(s, "behind", "later").behind, 1);
    assert_int_equal(sim_logged(s, "slow"), 1);
    sim_pump(s);
    sim_expect_open(p);
    assert_int_equal(publish(s, "close", "too much").closed, 1);
    assert_int_equal(sim_logged(s, "slow"), 2);
    sim_flow(p);
    sim_pump(s);
    sim_expect_close(p, WSPOOL_END_SLOW, 4100);
    assert_int_equal(p->missed, 0); /* it has left the channel */
    sim_free(s);
}

TEST(pressure_when_half_full_and_gone_again_is_told_once)
{
    for (int by_bytes = 0; by_bytes < 2; by_bytes++) {
        sim *s = by_bytes ? sim_small(1, 80000, 1024) : sim_small(1, 262144, 80);
        sim_peer *p = stalled(s, "/behind");
        char text[1000];
        size_t half = 40;
        memset(text, 't', sizeof text);
        text[by_bytes ? 996 : 10] = '\0'; /* 80 of them fill a queue, headers included */
        for (size_t i = 0; i < half; i++) {
            publish(s, "behind", text);
            sim_pump(s);
            assert_int_equal(p->above, 0);
        }
        publish(s, "behind", text);
        sim_pump(s);
        assert_int_equal(p->above, 1);
        for (int i = 0; i < 60; i++)
            publish(s, "behind", text);
        sim_pump(s);
        assert_int_equal(s->counts[SIM_PRESSURE], 1);
        /* Down to an eighth of the limit, message by message. */
        for (size_t left = 80; left > 0; left--) {
            p->room = by_bytes ? 1000 : 12;
            sim_pump(s);
            assert_int_equal(sim_stats(s).waiting, left - 1);
            if (left - 1 != 10) /* at the watermark itself both are allowed */
                assert_int_equal(p->above, left - 1 > 10);
        }
        assert_int_equal(s->counts[SIM_PRESSURE], 2);
        sim_free(s);
    }
}

/* A channel whose queues hold 8 messages, in a pool whose queues hold 1024. */
TEST(pressure_of_a_channel_with_low_limits_is_told_before_it_is_full)
{
    sim *s = sim_new(1);
    s->config.ping_interval = 0;
    assert_int_equal(sim_start_bare(s), 0);
    wspool_route_options options;
    wspool_route_options_init(&options, &s->config);
    options.name = "close";
    options.queue_messages = 8;
    assert_int_equal(wspool_route(s->pool, "/close", WSPOOL_ITEM, &options), 0);
    sim_peer *p = stalled(s, "/close");
    for (int round = 1; round <= 3; round++) {
        for (int i = 0; i < 7; i++) {
            publish(s, "close", numbered(i));
            sim_pump(s);
            assert_int_equal(p->above, i >= 4);
        }
        p->room = 6; /* one message: it stays above */
        sim_pump(s);
        publish(s, "close", "once more");
        sim_pump(s);
        assert_int_equal(s->counts[SIM_PRESSURE], 2 * round - 1);
        sim_flow(p);
        sim_pump(s);
        assert_int_equal(p->above, 0);
        assert_int_equal(s->counts[SIM_PRESSURE], 2 * round);
        sim_stall(p);
    }
    sim_expect_open(p);
    sim_free(s);
}

TEST(tally_when_members_are_blocked_calls_them_slow)
{
    sim *s = sim_small(1, 262144, 100);
    sim_peer *p = stalled(s, "/close");
    wspool_tally tally;
    sim_join(s, "/close");
    sim_join(s, "/close");
    tally = publish(s, "close", "1");
    assert_int_equal(tally.slow, 0);
    sim_pump(s);
    tally = publish(s, "close", "2");
    assert_int_equal(tally.queued, 3);
    assert_int_equal(tally.slow, 1);
    assert_int_equal(sim_stats(s).blocked, s->short_acks);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(publish(s, "close", "3").slow, 0);
    sim_pump(s);
    sim_free(s);
}

TEST(reading_when_output_is_blocked_pauses_until_it_flows)
{
    sim *s = sim_small(1, 262144, 100);
    sim_peer *p = stalled(s, "/close");
    publish(s, "close", "blocks");
    sim_pump(s);
    assert_int_equal(p->blocked, 1);
    assert_int_equal(p->reading, 0);
    sim_text(p, "waits");
    sim_pump(s);
    assert_int_equal(p->heards, 0);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(p->reading, 1);
    assert_int_equal(p->heards, 1);
    sim_free(s);
}

TEST(bytes_when_taken_one_by_one_arrive_whole)
{
    sim *s = sim_small(1, 262144, 100);
    sim_peer *p = stalled(s, "/close");
    uint64_t turns;
    for (int i = 0; i < 30; i++)
        publish(s, "close", numbered(i));
    sim_send(p, "the last");
    for (turns = 0; p->reader.messages < 31; turns++) {
        p->room = 1;
        sim_pump(s);
        assert_true(turns < 400);
    }
    for (int i = 0; i < 30; i++)
        sim_expect_message(p, (size_t)i, numbered(i));
    sim_expect_message(p, 30, "the last");
    assert_int_equal(turns, 30 * 6 + 10);
    sim_free(s);
}

TEST(peeked_bytes_when_much_happens_stay_put_until_the_ack)
{
    for (int way = 0; way < 8; way++) {
        const char *route = routes[way % 2];
        sim *s = sim_small((uint64_t)way, 4000, 20);
        sim_peer *p = sim_join(s, route);
        sim_peer *q = sim_join(s, route);
        struct iovec vectors[16];
        blob before = {0};
        blob after = {0};
        int n;
        for (int i = 0; i < 10; i++)
            publish(s, route + 1, numbered(i));
        n = SIM_IN(wspool_peek(s->pool, p->id, vectors, 16));
        assert_true(n >= 1);
        for (int i = 0; i < n; i++)
            blob_add(&before, vectors[i].iov_base, vectors[i].iov_len);
        for (int i = 10; i < 60; i++) {
            publish(s, route + 1, numbered(i));
            SIM_IN(wspool_send(s->pool, q->id, "x", 1, NULL));
        }
        switch (way / 2) {
        case 1:
            wspool_close(s->pool, p->id, 1000, NULL, 0);
            break;
        case 2:
            wspool_close(s->pool, p->id, 1000, NULL, WSPOOL_CLOSE_NOW);
            break;
        case 3:
            assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now)), 0);
            p->told = 1;
            break;
        default:
            break;
        }
        for (int i = 0; i < 200; i++) /* meanwhile many blocks are freed and reused */
            SIM_IN(wspool_send(s->pool, q->id, "another text", 12, NULL));
        for (int i = 0; i < n; i++)
            blob_add(&after, vectors[i].iov_base, vectors[i].iov_len);
        assert_int_equal(before.len, after.len);
        assert_memory_equal(before.data, after.data, before.len);
        if (way / 2 != 3) {
            reader_take(&p->reader, after.data, after.len);
            assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, after.len, s->now)), 0);
            s->acked += after.len;
        }
        sim_pump(s);
        if (way / 2 != 3)
            for (int i = 0; i < 10; i++)
                sim_expect_message(p, (size_t)i, numbered(i));
        blob_free(&before);
        blob_free(&after);
        sim_free(s);
    }
}

/* An ack refers to the last peek: a second peek replaces the first. */
TEST(bytes_when_peeked_twice_are_acked_by_the_last_look)
{
    sim *s = sim_small(1, 262144, 100);
    sim_peer *p = sim_join(s, "/close");
    struct iovec vectors[16];
    blob seen = {0};
    int n;
    publish(s, "close", "first");
    n = SIM_IN(wspool_peek(s->pool, p->id, vectors, 16));
    assert_int_equal(n, 1);
    assert_int_equal(vectors[0].iov_len, 7);
    publish(s, "close", "second");
    sim_send(p, "third");
    n = SIM_IN(wspool_peek(s->pool, p->id, vectors, 16));
    for (int i = 0; i < n; i++)
        blob_add(&seen, vectors[i].iov_base, vectors[i].iov_len);
    assert_int_equal(seen.len, 7 + 8 + 7);
    /* and a third peek is the same */
    assert_true(SIM_IN(wspool_peek(s->pool, p->id, vectors, 16)) == n);
    reader_take(&p->reader, seen.data, seen.len);
    assert_int_equal(SIM_IN(wspool_ack(s->pool, p->id, seen.len, s->now)), 0);
    s->acked += seen.len;
    assert_int_equal(SIM_IN(wspool_peek(s->pool, p->id, vectors, 16)), 0);
    sim_pump(s);
    sim_expect_message(p, 0, "first");
    sim_expect_message(p, 1, "second");
    sim_expect_message(p, 2, "third");
    blob_free(&seen);
    sim_free(s);
}

TEST(pool_budget_when_spent_sheds_those_with_most_to_receive)
{
    enum { FEW = 2, MANY = 20, SIZE = 50000 };
    sim *s = sim_new(1);
    sim_peer *p[6];
    char *text = sim_malloc(SIZE + 1);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    s->config.pool_bytes = 3000000;
    s->config.queue_bytes = 2000000;
    s->config.ping_interval = 0;
    sim_start(s);
    for (int i = 0; i < 6; i++) {
        p[i] = sim_join(s, "/echo");
        sim_stall(p[i]);
    }
    /* Each gets messages of its own; two of them have most to receive. */
    for (int k = 0; k < MANY; k++) {
        for (int i = 0; i < 6; i++)
            if (i >= 4 || k < FEW)
                assert_int_equal(sim_send(p[i], text), 0);
        sim_pump(s);
    }
    assert_int_equal(sim_stats(s).shed, 0);
    for (int i = 0; i < 40 && sim_stats(s).shed == 0; i++) {
        int rc = sim_send(p[4 + i % 2], text);
        /* The peer may be shed to make space for its own message. */
        assert_true(rc == 0 || rc == WSPOOL_ERR_STATE);
        sim_pump(s);
        assert_true(sim_stats(s).block_bytes <= 3000000);
    }
    assert_in_range(sim_stats(s).shed, 1, 2);
    sim_pass(s, 6 * SEC);
    for (int i = 0; i < 4; i++)
        sim_expect_open(p[i]);
    assert_true(p[4]->ended || p[5]->ended);
    for (int i = 4; i < 6; i++)
        if (p[i]->ended) {
            sim_expect_end(p[i], WSPOOL_END_SHED);
            assert_true(p[i]->closed.messages_lost >= MANY);
        }
    assert_true(sim_logged(s, "shed") >= 1);
    /* There is space again. */
    assert_int_equal(sim_send(p[0], text), 0);
    sim_flow(p[0]);
    sim_pump(s);
    assert_int_equal(p[0]->reader.messages, FEW + 1);
    free(text);
    sim_free(s);
}

TEST(pool_budget_when_one_message_waits_for_many_counts_it_once)
{
    sim *s = sim_new(1);
    char *text = sim_malloc(10001);
    memset(text, 'x', 10000);
    text[10000] = '\0';
    s->config.pool_bytes = 1000000;
    s->config.ping_interval = 0;
    sim_start(s);
    for (int i = 0; i < 200; i++)
        sim_stall(sim_join(s, "/all"));
    for (int i = 0; i < 20; i++) { /* 40 MB if they were counted for each peer */
        assert_int_equal(sim_broadcast(s, wspool_global("all"), text), 200);
        sim_pump(s);
    }
    assert_int_equal(sim_stats(s).shed, 0);
    assert_true(sim_stats(s).waiting_bytes >= 200u * 20u * 10000u);
    assert_true(sim_stats(s).block_bytes <= 1000000);
    free(text);
    sim_free(s);
}

TEST(message_when_no_budget_can_hold_it_is_too_big_and_sheds_nobody)
{
    sim *s = sim_new(1);
    sim_peer *p, *slow;
    char *text = sim_malloc(100001);
    memset(text, 'x', 100000);
    text[100000] = '\0';
    s->config.pool_bytes = 50000;
    sim_start(s);
    p = sim_join(s, "/all");
    slow = sim_join(s, "/all");
    sim_stall(slow);
    sim_broadcast(s, wspool_global("all"), "first");
    sim_pump(s);
    assert_int_equal(sim_broadcast(s, wspool_global("all"), text), WSPOOL_ERR_TOO_BIG);
    assert_int_equal(sim_send(p, text), WSPOOL_ERR_TOO_BIG);
    sim_pump(s);
    assert_int_equal(sim_stats(s).shed, 0);
    sim_flow(slow);
    sim_send(p, "small");
    sim_pump(s);
    sim_expect_open(slow);
    sim_expect_message(slow, 0, "first");
    sim_expect_message(p, 1, "small");
    free(text);
    sim_free(s);
}

/* An idle pool can send any message that fits into its budget: its current block does not count
 * against it. */
TEST(budget_when_nothing_waits_is_all_there)
{
    enum { SIZE = 30000 };
    sim *s = sim_new(1);
    sim_peer *p;
    char *text = sim_malloc(SIZE + 1);
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    s->config.pool_bytes = 34000;
    sim_start(s);
    p = sim_join(s, "/all");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(sim_send(p, "small"), 0);
        sim_pump(s);
        assert_int_equal(sim_send(p, text), 0);
        sim_pump(s);
    }
    assert_int_equal(p->reader.messages, 6);
    free(text);
    sim_free(s);
}

/* Peers that read one byte of a large message and stop hold its block. When they are shed, the
 * block is free at once, so that the other peers are served in the same call. */
TEST(budget_when_held_by_half_sent_messages_is_given_back_at_once)
{
    enum { HOLDERS = 16, SIZE = 60000 };
    sim *s = sim_new(1);
    sim_peer *honest, *p[HOLDERS];
    char *text = sim_malloc(SIZE + 1);
    struct iovec iov[8];
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    s->config.pool_bytes = 1 << 20;
    s->config.ping_interval = 0;
    sim_start(s);
    honest = sim_join(s, "/echo");
    for (int i = 0; i < HOLDERS; i++) {
        p[i] = sim_join(s, "/echo");
        assert_int_equal(sim_send(p[i], text), 0);
        assert_true(wspool_peek(s->pool, p[i]->id, iov, 8) > 0);
        assert_int_equal(wspool_ack(s->pool, p[i]->id, 1, s->now), 0);
        s->acked++;
        sim_stall(p[i]);
    }
    for (int i = 0; i < 60; i++)
        assert_int_equal(wspool_send(s->pool, honest->id, "important", 9, NULL), 0);
    for (int i = 0; i < 3; i++)
        assert_int_equal(wspool_send(s->pool, honest->id, text, SIZE, NULL), 0);
    assert_true(sim_stats(s).shed > 0);
    assert_int_equal(sim_stats(s).budget_refused, 0);
    assert_int_equal(wspool_check(s->pool), 0);
    free(text);
    sim_free(s);
}

/* Shedding slow peers that hold only a few bytes would not help: they are left alone. */
TEST(budget_when_held_by_others_sheds_nobody)
{
    enum { SIZE = 60000 };
    sim *s = sim_new(1);
    sim_peer *busy, *slow;
    char *text = sim_malloc(SIZE + 1);
    int rc = 0;
    memset(text, 'x', SIZE);
    text[SIZE] = '\0';
    s->config.pool_bytes = 200000;
    sim_start(s);
    busy = sim_join(s, "/echo");
    slow = sim_join(s, "/all");
    sim_stall(slow);
    sim_broadcast(s, wspool_global("all"), "ten bytes.");
    sim_pump(s);
    for (int i = 0; i < 5 && rc == 0; i++) /* a burst that was not flushed yet */
        rc = wspool_send(s->pool, busy->id, text, SIZE, NULL);
    assert_int_equal(rc, WSPOOL_ERR_FULL);
    assert_int_equal(sim_stats(s).shed, 0);
    assert_int_equal(wspool_check(s->pool), 0);
    free(text);
    sim_free(s);
}

TEST(room_when_it_comes_back_is_told_by_the_pressure_hook)
{
    sim *s = sim_small(1, 262144, 16);
    sim_peer *p = stalled(s, "/close");
    int sent = 0;
    while (sim_send(p, "x") == 0)
        sent++;
    assert_int_equal(sent, 16);
    assert_int_equal(p->above, 1);
    sim_flow(p);
    sim_pump(s);
    assert_int_equal(p->above, 0);
    assert_int_equal(sim_send(p, "x"), 0);
    sim_pump(s);
    sim_free(s);
}

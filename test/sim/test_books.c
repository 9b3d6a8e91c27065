/* SPDX-License-Identifier: MIT */
/*
 * sim/test_books.c - each counter of the stats, in a scenario where its value is known in advance.
 *
 * Proves law 7: nothing is lost without being counted. sim_books checks after every pump of every
 * scenario that the counters balance; this file checks the values themselves.
 */
#include "sim.h"

TEST(numbers_when_the_pool_is_new_are_zero)
{
    sim *s = sim_default(1);
    wspool_statistics st = sim_stats(s);
#define WSPOOL_X(name, unit, help) assert_true(st.name == 0);
    WSPOOL_COUNTERS(WSPOOL_X)
    WSPOOL_GAUGES(WSPOOL_X)
#undef WSPOOL_X
    for (int i = 0; i < WSPOOL_STATS_REFUSALS; i++)
        assert_true(st.refused[i] == 0);
    for (int i = 0; i < WSPOOL_STATS_ENDS; i++)
        assert_true(st.ended[i] == 0);
    assert_true(WSPOOL_REFUSAL_COUNT <= WSPOOL_STATS_REFUSALS);
    assert_true(WSPOOL_END_COUNT <= WSPOOL_STATS_ENDS);
    assert_true(WSPOOL_STAGE_COUNT <= WSPOOL_STATS_STAGES);
    sim_free(s);
}

TEST(paths_in_when_they_differ_are_counted_apart)
{
    sim *s = sim_default(1);
    wspool_statistics st;
    sim_join(s, "/all");
    sim_join(s, "/room/x");
    sim_open(s, NULL);
    sim_refused(s, &(client_request){.method = "POST"}, 405, "method_not_allowed");
    sim_refused(s, &(client_request){.target = "/no"}, 404, "no_route");
    sim_refused(s, &(client_request){.target = "/no"}, 404, "no_route");
    st = sim_stats(s);
    assert_int_equal(st.attempts, 6);
    assert_int_equal(st.accepted, 2);
    assert_int_equal(st.handshakes, 1);
    assert_int_equal(st.peers, 2);
    assert_int_equal(st.channels, 2);
    assert_int_equal(st.memberships, 2);
    assert_int_equal(st.refused[WSPOOL_REFUSED_METHOD], 1);
    assert_int_equal(st.refused[WSPOOL_REFUSED_NO_ROUTE], 2);
    assert_int_equal(sim_logged(s, "opened"), 2);
    assert_int_equal(sim_logged(s, "refused"), 3);
    sim_free(s);
}

TEST(messages_when_published_are_counted_once_and_per_peer)
{
    sim *s = sim_default(1);
    sim_peer *p[3];
    wspool_statistics st;
    for (int i = 0; i < 3; i++)
        p[i] = sim_join(s, "/all");
    sim_stall(p[2]);
    for (int i = 0; i < 4; i++)
        assert_int_equal(sim_broadcast(s, wspool_global("all"), "12345678"), 3);
    sim_broadcast(s, wspool_global("nobody"), "x");
    sim_send(p[0], "1234");
    st = sim_stats(s);
    assert_int_equal(st.published, 4);
    assert_int_equal(st.encoded, 5);
    assert_int_equal(st.encoded_bytes, 4 * 10 + 6);
    assert_int_equal(st.deliveries, 13);
    assert_int_equal(st.queued, 13);
    assert_int_equal(st.sent, 0);
    assert_int_equal(st.waiting, 13);
    assert_int_equal(st.waiting_bytes, 3 * 40 + 6);
    assert_true(st.block_bytes >= 46);
    sim_pump(s);
    st = sim_stats(s);
    assert_int_equal(st.sent, 9);
    assert_int_equal(st.waiting, 4);
    assert_int_equal(st.waiting_bytes, 40);
    assert_int_equal(st.blocked, 1);
    p[2]->room = 25; /* two and a half messages */
    sim_pump(s);
    st = sim_stats(s);
    assert_int_equal(st.sent, 11);
    assert_int_equal(st.waiting, 2);
    assert_int_equal(st.waiting_bytes, 15);
    assert_int_equal(st.blocked, 2);
    sim_cut(p[2], WSPOOL_GONE_FAILED);
    sim_pump(s);
    st = sim_stats(s);
    assert_int_equal(st.dropped_closed, 2);
    assert_int_equal(p[2]->closed.messages_lost, 2);
    assert_int_equal(st.waiting + st.waiting_bytes, 0);
    assert_int_equal(st.ended[WSPOOL_END_FAILED], 1);
    sim_free(s);
}

TEST(frames_when_received_are_counted_by_kind)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    uint64_t head = sim_stats(s).received_bytes;
    wspool_statistics st;
    assert_int_equal(sim_stats(s).received, 0);
    sim_text(p, "one");
    sim_frame(p, OP_TEXT, "0123456789012345678901234567890123456789", 40);
    sim_ping(p, "x");
    sim_frame(p, OP_CONT, "", 0);
    sim_frame(p, FIN | OP_CONT, "z", 1);
    sim_frame(p, FIN | OP_PONG, "unasked", 7);
    sim_pump(s);
    st = sim_stats(s);
    assert_int_equal(st.received, 2);
    assert_int_equal(st.received_bytes - head,
                     (6 + 3) + (6 + 40) + (6 + 1) + 6 + (6 + 1) + (6 + 7));
    assert_int_equal(st.frames, 6);
    assert_int_equal(st.pings_received, 1);
    assert_int_equal(st.pongs_received, 1);
    /* ping, pong, the empty one; and in some runs the last byte */
    assert_in_range(st.abuse_cost, 3, 4);
    assert_int_equal(st.pongs_dropped, 0);
    sim_pass(s, 40 * SEC);
    st = sim_stats(s);
    assert_int_equal(st.pings_sent, 1);
    assert_int_equal(st.pongs_received, 2);
    sim_free(s);
}

TEST(bytes_when_sent_hold_handshakes_and_heads)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/echo");
    uint64_t answer = sim_stats(s).sent_bytes;
    assert_int_equal(answer, p->reader.total);
    sim_send(p, "abc");
    sim_ping(p, "12");
    sim_pump(s);
    assert_int_equal(sim_stats(s).sent_bytes, answer + 5 + 4);
    assert_int_equal(sim_stats(s).sent, 1);
    sim_free(s);
}

TEST(ends_when_of_every_kind_are_counted_apart)
{
    sim *s = sim_new(1);
    wspool_statistics st;
    sim_peer *p;
    s->config.ping_interval = 0;
    s->config.queue_messages = 2;
    s->config.message_bytes = 1000;
    s->config.abuse_burst = 10;
    s->config.abuse_rate = 1;
    s->config.lifetime = 500 * SEC;
    s->config.idle_time = 200 * SEC;
    sim_start(s);
    sim_say_close(sim_join(s, "/all"), 1000, NULL);
    p = sim_join(s, "/all");
    wspool_close(s->pool, p->id, 1000, NULL, 0);
    sim_frame(sim_join(s, "/all"), FIN | 3, "", 0);
    sim_frame(sim_join(s, "/all"), FIN | OP_TEXT, "\xff", 1);
    p = sim_join(s, "/all");
    client_put_head(&p->in, &(client_frame){.first = FIN | OP_TEXT, .announced = 1001});
    p = sim_join(s, "/echo");
    for (int i = 0; i < 12; i++)
        sim_ping(p, "");
    p = sim_join(s, "/all");
    sim_stall(p);
    sim_pump(s);
    for (int i = 0; i < 3; i++) {
        sim_broadcast(s, wspool_global("all"), "x");
        sim_pump(s);
    }
    sim_cut(sim_join(s, "/all"), WSPOOL_GONE_EOF);
    sim_cut(sim_join(s, "/all"), WSPOOL_GONE_FAILED);
    sim_write(sim_join(s, "/all"), "\x81", 1); /* message timeout */
    p = sim_join(s, "/room/flush");
    sim_stall(p);
    SIM_IN(wspool_send(s->pool, p->id, "x", 1, NULL));
    sim_pass(s, 100 * SEC);
    sim_join(s, "/all"); /* idle */
    sim_pass(s, 201 * SEC);
    p = sim_join(s, "/all"); /* lifetime */
    for (int i = 0; i < 6; i++) {
        sim_text(p, "busy");
        sim_pass(s, 99 * SEC);
    }
    sim_join(s, "/all");
    wspool_drain(s->pool, 0, 0, s->now);
    sim_pass(s, SEC);
    st = sim_stats(s);
    assert_int_equal(st.ended[WSPOOL_END_PEER_CLOSED], 1);
    assert_int_equal(st.ended[WSPOOL_END_HOST_CLOSED], 1);
    assert_int_equal(st.ended[WSPOOL_END_PROTOCOL], 1);
    assert_int_equal(st.ended[WSPOOL_END_BAD_UTF8], 1);
    assert_int_equal(st.ended[WSPOOL_END_TOO_BIG], 1);
    assert_int_equal(st.ended[WSPOOL_END_ABUSE], 1);
    assert_int_equal(st.ended[WSPOOL_END_SLOW], 1);
    assert_int_equal(st.ended[WSPOOL_END_EOF], 1);
    assert_int_equal(st.ended[WSPOOL_END_FAILED], 1);
    assert_int_equal(st.ended[WSPOOL_END_MESSAGE_TIMEOUT], 1);
    assert_int_equal(st.ended[WSPOOL_END_FLUSH_TIMEOUT], 1);
    assert_int_equal(st.ended[WSPOOL_END_IDLE], 1);
    assert_int_equal(st.ended[WSPOOL_END_LIFETIME], 1);
    assert_int_equal(st.ended[WSPOOL_END_DRAIN], 1);
    assert_int_equal(st.accepted, 14);
    assert_int_equal(st.peers, 0);
    assert_int_equal(st.slow_closes, 1);
    assert_int_equal(sim_logged(s, "closed"), 14);
    assert_int_equal(sim_logged(s, "slow") >= 1, 1);
    assert_int_equal(sim_logged(s, "drain") >= 1, 1);
    sim_free(s);
}

TEST(end_when_the_pool_is_freed_is_told_with_its_reason)
{
    sim *s = sim_default(1);
    sim_peer *p = sim_join(s, "/all");
    wspool_closed closed;
    sim_stall(p);
    sim_send(p, "lost");
    sim_join(s, "/all");
    sim_open(s, NULL);
    sim_free_pool(s);
    closed = p->closed;
    assert_int_equal(s->ended[WSPOOL_END_POOL_FREED], 2);
    assert_int_equal(closed.messages_lost, 1);
    assert_int_equal(closed.code_sent, 0);
    assert_int_equal(s->active, 0);
    sim_free(s);
}

TEST(log_when_flooded_is_limited_and_says_so)
{
    sim *s = sim_default(1);
    size_t logged;
    for (int i = 0; i < 200; i++)
        sim_refused(s, &(client_request){.target = "/no"}, 404, "no_route");
    logged = sim_logged(s, "refused");
    assert_in_range(logged, 20, 21);
    assert_int_equal(sim_stats(s).log_suppressed, 200 - logged);
    s->now += 10 * SEC;
    sim_refused(s, &(client_request){.target = "/no"}, 404, "no_route");
    assert_int_equal(sim_logged(s, "refused"), logged + 1);
    sim_free(s);
}

TEST(ids_when_stale_are_counted)
{
    sim *s = sim_default(1);
    wspool_send(s->pool, 12345, "x", 1, NULL);
    wspool_gone(s->pool, 0, WSPOOL_GONE_EOF, s->now);
    assert_int_equal(sim_stats(s).stale_ids, 2);
    sim_free(s);
}

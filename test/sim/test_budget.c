/* SPDX-License-Identifier: MIT */
/*
 * sim/test_budget.c - the work that one peer may cause in one turn of the loop.
 *
 * A peer that reaches config.turn_deliveries or config.turn_bytes waits: the rest of its input is
 * handled in later turns and in order, and other peers are served meanwhile. The tests count the
 * messages in each turn, also with many such peers, at the end of a peer, and with compressed
 * input.
 */
#include "sim.h"

#include "../unit/toy.h"

static size_t received_in_a_turn;

static void echo(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE) {
        received_in_a_turn++;
        wspool_send(s->pool, event->id, event->data, event->len, NULL);
    }
}

static sim *sim_with(uint32_t deliveries)
{
    sim *s = sim_new(1);
    s->config.turn_deliveries = deliveries;
    s->react = echo;
    sim_start(s);
    return s;
}

TEST(peer_when_it_causes_much_goes_on_in_the_next_turn)
{
    sim *s = sim_with(10);
    sim_peer *p = sim_join(s, "/echo"), *q = sim_join(s, "/echo");
    for (int i = 0; i < 95; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        sim_text(p, text);
    }
    sim_ping(p, "amid them");
    for (int turn = 0; turn < 8; turn++) {
        sim_text(q, "me too");
        received_in_a_turn = 0;
        sim_turn(s);
        assert_int_equal(received_in_a_turn, turn == 0 ? 10 + 10 + 1 : 11);
        assert_int_equal(q->heards, turn + 1);
        assert_int_equal(p->reading, 0);
        assert_int_equal(wspool_deadline(s->pool), 0);
        assert_int_equal(p->reader.pongs, 0);
        if (turn == 0)
            sim_text(p, "not read meanwhile");
    }
    sim_pump(s);
    assert_int_equal(p->reading, 1);
    assert_int_equal(p->heards, 96);
    assert_int_equal(p->reader.pongs, 1);
    for (size_t i = 0; i < 95; i++) {
        char text[16];
        snprintf(text, sizeof text, "%zu", i);
        sim_expect_message(p, i, text);
    }
    assert_int_equal(sim_stats(s).turns_spent, 9);
    sim_free(s);
}

/* Many peers that use up each of their turns get turns one after the other. */
TEST(peers_when_many_cause_much_share_a_turn)
{
    enum { PEERS = 20, EACH = 50 };
    sim *s = sim_with(10);
    sim_peer *p[PEERS];
    for (int i = 0; i < PEERS; i++)
        p[i] = sim_join(s, "/echo");
    for (int i = 0; i < PEERS; i++)
        for (int k = 0; k < EACH; k++)
            sim_text(p[i], "x");
    sim_turn(s);
    for (int turn = 1; turn < 10; turn++) {
        size_t least = EACH, most = 0;
        received_in_a_turn = 0;
        sim_turn(s);
        assert_in_range(received_in_a_turn, 1, 4 * 10);
        for (int i = 0; i < PEERS; i++) {
            least = p[i]->heards < least ? p[i]->heards : least;
            most = p[i]->heards > most ? p[i]->heards : most;
        }
        assert_true(most - least <= 10);
    }
    sim_pump(s);
    for (int i = 0; i < PEERS; i++)
        assert_int_equal(p[i]->reader.messages, EACH);
    sim_free(s);
}

/* The Close of a peer, or the end of its transport, takes effect behind the input before it. */
TEST(peer_when_it_ends_behind_its_input_ends_behind_it)
{
    for (int way = 0; way < 4; way++) {
        sim *s = sim_with(10);
        sim_peer *p = sim_join(s, "/echo");
        for (int i = 0; i < 35; i++)
            sim_text(p, "x");
        if (way == 0)
            sim_say_close(p, 1000, NULL);
        sim_turn(s);
        if (way == 1) /* the host reports EOF before it has read the end itself */
            assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_EOF, s->now)), 0);
        if (way == 2)
            assert_int_equal(SIM_IN(wspool_gone(s->pool, p->id, WSPOOL_GONE_FAILED, s->now)), 0);
        if (way == 3)
            assert_int_equal(SIM_IN(wspool_close(s->pool, p->id, 1000, NULL, 0)), 0);
        p->told = way == 1 || way == 2;
        sim_pump(s);
        static const enum wspool_end ends[] = {WSPOOL_END_PEER_CLOSED, WSPOOL_END_EOF,
                                               WSPOOL_END_FAILED, WSPOOL_END_HOST_CLOSED};
        sim_expect_end(p, ends[way]);
        assert_int_equal(p->heards, way < 2 ? 35 : 20);
        sim_free(s);
    }
}

/* A decompression bomb of small frames: each becomes 510 bytes. */
TEST(peer_when_its_input_decodes_to_much_waits_too)
{
    sim *s = sim_new(1);
    struct toy toy = {.mem = &s->config.mem};
    client_request request = {.extra = "Sec-WebSocket-Extensions: x-toy;form=1;reading=1\r\n"};
    s->config.turn_bytes = 5100;
    s->config.codec = toy_hook(&toy);
    sim_start(s);
    sim_peer *p = sim_connect(s, &request);
    p->reader.unfold = toy_read;
    sim_pump(s);
    sim_expect_open(p);
    for (int i = 0; i < 30; i++)
        sim_frame(p, FIN | 0x40 | OP_BINARY, "\xffx\xffx", 4);
    sim_turn(s);
    assert_in_range(p->heards, 10, 22); /* in the feed, and in the tick behind it */
    assert_int_equal(p->reading, 0);
    sim_pump(s);
    assert_int_equal(p->heards, 30);
    assert_int_equal(p->reading, 1);
    sim_free_pool(s);
    toy_forget_frame(&toy);
    sim_free(s);
}

/* SPDX-License-Identifier: MIT */
/*
 * sim/test_budget.c - the work that peers may cause in one turn of the loop.
 *
 * When all of them together reach config.turn_deliveries or config.turn_bytes, the rest of their
 * input is handled in later turns and in order, and peers that send little are served meanwhile.
 * The tests count the messages in each turn, also with many such peers, at the end of a peer, and
 * with compressed input.
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

/* Two peers speak: so a turn is not as long as that of a peer alone. */
static void others_speak(sim *s)
{
    for (int i = 0; i < 2; i++) {
        sim_text(sim_join(s, "/echo"), "x");
        sim_pump(s);
    }
}

TEST(peer_when_it_causes_much_goes_on_in_the_next_turn)
{
    sim *s = sim_with(10);
    sim_peer *p = sim_join(s, "/echo"), *q = sim_join(s, "/echo");
    others_speak(s);
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
        assert_int_equal(received_in_a_turn, turn == 0 ? 10 + 10 : 10); /* with that of q */
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
    assert_int_equal(sim_stats(s).turns_spent, 10);
    sim_free(s);
}

static void leave_at_the_last(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE && event->len == 4) {
        echo(s, event); /* it costs what uses up the turn */
        assert_int_equal(SIM_IN(wspool_gone(s->pool, event->id, WSPOOL_GONE_EOF, s->now)), 0);
        event->peer->told = 1;
    } else {
        echo(s, event);
    }
}

/* Wherever in its turn it ends. */
TEST(peer_when_it_has_ended_leaves_no_input_behind)
{
    for (int before = 0; before < 12; before++) {
        sim *s = sim_with(10);
        sim_peer *p = sim_join(s, "/echo");
        others_speak(s);
        s->react = leave_at_the_last;
        for (int i = 0; i < before; i++)
            sim_text(p, "one more");
        sim_text(p, "last");
        sim_text(p, "nobody is there");
        sim_turn(s);
        sim_turn(s);
        assert_int_equal(p->told, 1);
        assert_int_equal(sim_stats(s).input_bytes, 0);
        sim_free(s);
    }
}

/* Many peers that use up each of their turns get turns one after the other. */
TEST(peers_when_many_cause_much_share_a_turn)
{
    enum { PEERS = 20, EACH = 50 };
    sim *s = sim_with(10);
    sim_peer *p[PEERS];
    for (int i = 0; i < PEERS; i++)
        p[i] = sim_join(s, "/echo");
    others_speak(s);
    for (int i = 0; i < PEERS; i++)
        for (int k = 0; k < EACH; k++)
            sim_text(p[i], "x");
    received_in_a_turn = 0;
    sim_turn(s);
    assert_in_range(received_in_a_turn, 10, 10 + 2 * PEERS); /* each has its share */
    for (int turn = 1; turn < 10; turn++) {
        size_t least = EACH, most = 0;
        received_in_a_turn = 0;
        sim_turn(s);
        assert_in_range(received_in_a_turn, 0, 11);
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
        others_speak(s);
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

/* No peer waits for one that speaks alone: eighty turns are one then. */
TEST(peer_when_alone_may_cause_eighty_turns_in_one)
{
    sim *s = sim_with(4);
    sim_peer *p = sim_join(s, "/echo");
    for (int i = 0; i < 720; i++)
        sim_text(p, "x");
    received_in_a_turn = 0;
    sim_turn(s);
    assert_in_range(received_in_a_turn, 320, 640); /* in the feed, and in the tick behind it */
    sim_free(s);
}

static void fan_out(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE) {
        received_in_a_turn++;
        for (int i = 0; i < 10; i++)
            wspool_send(s->pool, event->id, event->data, event->len, NULL);
    }
}

/* A peer that sends one message at a time waits too, if that causes much. */
TEST(peers_when_each_message_is_a_turn_wait_between_messages)
{
    enum { PEERS = 20, TURNS = 40 };
    sim *s = sim_with(10);
    sim_peer *p[PEERS];
    for (int i = 0; i < PEERS; i++)
        p[i] = sim_join(s, "/echo");
    s->react = fan_out;
    others_speak(s);
    for (int turn = 0; turn < TURNS; turn++) {
        for (int i = 0; i < PEERS; i++)
            sim_text(p[i], "x");
        received_in_a_turn = 0;
        sim_turn(s);
        if (turn > 0)
            assert_in_range(received_in_a_turn, 0, 2);
    }
    for (int i = 0; i < PEERS; i++)
        assert_in_range(p[i]->heards, 1, 4);
    sim_free(s);
}

/* A codec of the tests, and peers that use it. */
static sim *sim_with_toy(struct toy *toy, uint32_t bytes)
{
    sim *s = sim_new(1);
    *toy = (struct toy){.mem = &s->config.mem};
    s->config.turn_bytes = bytes;
    s->config.codec = toy_hook(toy);
    s->react = echo;
    sim_start(s);
    return s;
}

static sim_peer *join_with_toy(sim *s)
{
    client_request request = {.extra = "Sec-WebSocket-Extensions: x-toy;form=1;reading=1\r\n"};
    sim_peer *p = sim_connect(s, &request);
    p->reader.unfold = toy_read;
    sim_pump(s);
    sim_expect_open(p);
    return p;
}

/* Each becomes 510 bytes. */
static void send_bombs(sim_peer *p, int count)
{
    for (int i = 0; i < count; i++)
        sim_frame(p, FIN | 0x40 | OP_BINARY, "\xffx\xffx", 4);
}

TEST(peer_when_its_input_decodes_to_much_waits_too)
{
    struct toy toy;
    sim *s = sim_with_toy(&toy, 5100);
    others_speak(s);
    sim_peer *p = join_with_toy(s);
    send_bombs(p, 30);
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

/* Many bombers share the turn. Meanwhile a plain peer is answered in each turn, and one with a
 * codec in the next one. */
TEST(peers_when_many_send_bombs_do_not_hold_up_the_others)
{
    enum { PEERS = 40, TURNS = 20 };
    struct toy toy;
    sim *s = sim_with_toy(&toy, 5100);
    sim_peer *bombers[PEERS], *plain = sim_join(s, "/echo");
    for (int i = 0; i < PEERS; i++)
        bombers[i] = join_with_toy(s);
    sim_peer *coded = join_with_toy(s);
    others_speak(s);
    for (int i = 0; i < PEERS; i++)
        send_bombs(bombers[i], 30);
    received_in_a_turn = 0;
    sim_turn(s);
    assert_in_range(received_in_a_turn, 10, 10 + 10 + 2);
    for (int i = 0; i < 12; i++) /* until some of each was read: no one is new */
        sim_turn(s);
    for (size_t turn = 0; turn < TURNS; turn++) {
        sim_text(plain, "honest");
        if (turn % 2 == 0)
            sim_frame(coded, FIN | 0x40 | OP_BINARY, "\1x", 2);
        received_in_a_turn = 0;
        sim_turn(s);
        assert_in_range(received_in_a_turn, 1, 10 + 2);
        assert_int_equal(plain->heards, turn + 1);
        if (turn % 2 == 1)
            assert_int_equal(coded->heards, turn / 2 + 1);
    }
    sim_pump(s);
    for (int i = 0; i < PEERS; i++)
        assert_int_equal(bombers[i]->heards, 30);
    sim_free_pool(s);
    toy_forget_frame(&toy);
    sim_free(s);
}

/* -------------------------------------------------------- incomplete input */

/* The client announces a message of 60000 bytes and sends so many of them. */
static void half_a_message(sim_peer *p, size_t len)
{
    static const uint8_t head[] = {0x82, 0xfe, 60000 >> 8, 60000 & 255, 0, 0, 0, 0};
    uint8_t *bytes = sim_malloc(sizeof head + len);
    memcpy(bytes, head, sizeof head);
    memset(bytes + sizeof head, 'x', len);
    sim_write(p, bytes, sizeof head + len);
    free(bytes);
}

TEST(input_that_is_incomplete_is_shed_the_most_first_when_its_budget_is_spent)
{
    enum { PEERS = 20 };
    sim *s = sim_new(1);
    s->config.input_bytes = 16 * 65536;
    sim_start(s);
    sim_peer *p[PEERS], *little = sim_join(s, "/all");
    half_a_message(little, 100);
    for (int i = 0; i < PEERS; i++)
        p[i] = sim_join(s, "/all");
    for (int i = 0; i < PEERS; i++) {
        half_a_message(p[i], 59000);
        sim_pump(s);
        assert_true(sim_stats(s).input_bytes <= s->config.input_bytes);
        if (i == 10)
            assert_true(sim_stats(s).input_bytes > 11 * 59000);
    }
    assert_true(sim_stats(s).input_bytes > s->config.input_bytes / 2);
    assert_in_range(sim_logged(s, "shed"), 4, 12);
    sim_pass(s, 6 * SEC); /* closing_time: the client is in the midst of a message */
    assert_int_equal(sim_stats(s).ended[WSPOOL_END_INPUT_SHED], sim_logged(s, "shed"));
    sim_expect_close(p[0], WSPOOL_END_INPUT_SHED, WSPOOL_CLOSE_SHED);
    sim_expect_open(little);
    sim_expect_open(p[PEERS - 1]);
    uint8_t rest[1000];
    memset(rest, 'y', sizeof rest);
    sim_write(p[PEERS - 1], rest, sizeof rest);
    sim_pump(s);
    assert_int_equal(p[PEERS - 1]->heards, 1);
    for (int i = 0; i < PEERS; i++)
        sim_cut(p[i], WSPOOL_GONE_EOF);
    sim_cut(little, WSPOOL_GONE_EOF);
    sim_pump(s);
    assert_int_equal(sim_stats(s).input_bytes, 0);
    sim_free(s);
}

/* A peer that is shed gets its memory taken away at once, though it answers its Close late. */
TEST(input_of_a_shed_peer_is_discarded_up_to_its_close)
{
    sim *s = sim_new(1);
    s->config.input_bytes = 65536;
    sim_start(s);
    sim_peer *a = sim_join(s, "/all"), *b = sim_join(s, "/all");
    a->mute_close = b->mute_close = 1;
    half_a_message(a, 40000);
    sim_pump(s);
    half_a_message(b, 1000);
    sim_pump(s);
    assert_true(sim_stats(s).input_bytes < 10000);
    assert_int_equal(a->reader.close_code, WSPOOL_CLOSE_SHED);
    assert_int_equal(a->released, 0);
    uint8_t *rest = sim_malloc(20000);
    memset(rest, 'y', 20000);
    sim_write(a, rest, 20000);
    free(rest);
    sim_say_close(a, 1000, NULL);
    sim_pump(s);
    sim_expect_close(a, WSPOOL_END_INPUT_SHED, WSPOOL_CLOSE_SHED);
    assert_int_equal(a->closed.code_received, 1000);
    sim_expect_open(b);
    sim_free(s);
}

/* What waits for the next turn counts, too. */
TEST(input_that_waits_for_its_turn_is_shed_when_its_budget_is_spent)
{
    enum { PEERS = 12 };
    sim *s = sim_new(1);
    s->config.turn_deliveries = 1;
    s->config.input_bytes = 65536;
    s->react = echo;
    sim_start(s);
    sim_peer *p[PEERS];
    static char text[16001];
    memset(text, 'x', 16000);
    for (int i = 0; i < PEERS; i++) {
        p[i] = sim_join(s, "/echo");
    }
    others_speak(s);
    for (int i = 0; i < PEERS; i++) {
        for (int n = 0; n < 4; n++) /* more than a peer may cause in a turn */
            sim_text(p[i], "one");
        sim_text(p[i], text);
        if (i % 2)
            sim_cut(p[i], WSPOOL_GONE_EOF);
    }
    for (int i = 0; i < 3; i++) { /* without a tick, which would resume them */
        size_t len = p[i]->in.len - p[i]->fed;
        assert_int_equal(
            SIM_IN(wspool_feed(s->pool, p[i]->id, p[i]->in.data + p[i]->fed, len, s->now)), 0);
        p[i]->fed += len;
        s->fed += len;
    }
    assert_in_range(sim_stats(s).input_bytes, 3 * 16000, 65536);
    sim_turn(s);
    assert_true(sim_stats(s).input_bytes <= 65536);
    assert_in_range(sim_logged(s, "shed"), 5, PEERS - 1);
    sim_pump(s);
    uint64_t shed = sim_stats(s).ended[WSPOOL_END_INPUT_SHED];
    assert_in_range(shed, 1, PEERS - 1);
    assert_true(sim_stats(s).ended[WSPOOL_END_EOF] >= 1);
    for (int i = 0; i < PEERS; i++)
        if (p[i]->ended && p[i]->closed.why == WSPOOL_END_INPUT_SHED)
            assert_int_equal(p[i]->reader.close_code, WSPOOL_CLOSE_SHED);
    sim_free(s);
}

/* ------------------------------------------------- work that is no delivery */

static size_t subscribed_in_a_turn;

static void subscribe_and_leave(sim *s, const sim_event *event)
{
    const wspool_channel channel = wspool_topic("t");
    if (event->what == SIM_MESSAGE && event->len == 4) {
        subscribed_in_a_turn++;
        wspool_subscribe(s->pool, event->id, channel);
        wspool_unsubscribe(s->pool, event->id, channel);
    }
}

/* Messages that the host takes without an answer, and pings, are work, too. */
TEST(message_and_ping_that_cause_nothing_count_as_one_delivery)
{
    sim *s = sim_with(10);
    sim_peer *p = sim_join(s, "/echo");
    others_speak(s);
    s->react = NULL;
    for (int i = 0; i < 25; i++) {
        sim_text(p, "noted");
        sim_ping(p, "there?");
    }
    for (uint64_t turn = 1; turn <= 4; turn++) {
        const wspool_statistics before = sim_stats(s);
        sim_turn(s);
        const wspool_statistics after = sim_stats(s);
        const uint64_t frames =
            after.received - before.received + after.pings_received - before.pings_received;
        assert_int_equal(frames, turn == 1 ? 20 : 10); /* the first may use two turns */
    }
    sim_pump(s);
    assert_int_equal(sim_stats(s).pings_received, 25);
    sim_expect_open(p);
    sim_free(s);
}

TEST(subscribe_counts_as_four_deliveries)
{
    sim *s = sim_with(40);
    sim_peer *p = sim_join(s, "/echo");
    others_speak(s);
    s->react = subscribe_and_leave;
    for (int i = 0; i < 50; i++) {
        sim_text(p, "join");
    }
    for (int turn = 0; turn < 4; turn++) {
        subscribed_in_a_turn = 0;
        sim_turn(s);
        assert_int_equal(subscribed_in_a_turn, turn == 0 ? 10 : 5);
    }
    sim_pump(s);
    assert_int_equal(p->heards, 50);
    sim_free(s);
}

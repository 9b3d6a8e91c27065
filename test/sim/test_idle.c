/* SPDX-License-Identifier: MIT */
/*
 * sim/test_idle.c - the memory of a peer that sends nothing.
 *
 * Proves law 4: an idle peer holds its record and nothing else, whatever it did before. A
 * membership costs what the header says. An unfinished frame keeps a wslay context only until it
 * ends.
 */
#include "sim.h"

#define PEERS (sim_slow() ? 256 : 1000)

/* The record size that the header states, and a share of the pool's tables per slot. */
#define RECORD 192
#define SHARE 40

static sim *sim_wide(uint64_t seed)
{
    sim *s = sim_new(seed);
    s->config.max_peers = 4000;
    s->config.max_handshakes = 4000;
    s->keep_heard = 0;
    s->keep_journal = 0;
    sim_start(s);
    return s;
}

/* Returns the memory of all peers but the first, per peer, rounded up. */
static size_t per_peer(size_t before, size_t after)
{
    return after <= before ? 0 : (after - before + (size_t)PEERS - 1) / (size_t)PEERS;
}

TEST(peer_when_idle_in_one_channel_holds_its_record)
{
    sim *s = sim_wide(1);
    size_t before;
    size_t cost;
    for (int i = 0; i < PEERS; i++) /* afterwards the pool has its free lists filled */
        sim_connect_to(s, "/all");
    sim_pump(s);
    before = s->heap.live_bytes;
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    assert_int_equal(sim_stats(s).peers, 2 * PEERS);
    cost = per_peer(before, s->heap.live_bytes);
    print_message("%zu bytes a peer\n", cost);
    assert_true(cost <= RECORD + SHARE);
    sim_free(s);
}

/* What the table in README.md says of a peer with a token: a record, a membership, a side record, a
 * party, a grant, and the record of a subject that is its own. */
TEST(peer_with_a_token_holds_what_its_verdict_says)
{
    sim *s = sim_new(1);
    const client_request request = {.target = "/all", .extra = "Authorization: Bearer t\r\n"};
    size_t before = 0;
    char subject[16];
    s->config.max_peers = s->config.max_handshakes = 4000;
    s->ask_token = 1;
    s->keep_heard = s->keep_journal = 0;
    sim_start(s);
    s->verdict =
        (wspool_verdict){.kind = WSPOOL_ACCEPT, .expires = (SIM_EPOCH + s->now / MS) / 1000 + 3600};
    for (int i = 0; i < 2 * PEERS; i++) {
        if (i == PEERS) { /* the pool has its free lists filled */
            before = s->heap.live_bytes;
        }
        snprintf(subject, sizeof subject, "user%08d", i);
        s->verdict.subject = wspool_text_of(subject);
        sim_connect(s, &request);
        sim_pump(s);
    }
    assert_int_equal(sim_stats(s).peers, 2 * PEERS);
    const size_t cost = per_peer(before, s->heap.live_bytes);
    print_message("%zu bytes a peer with a token\n", cost);
    assert_true(cost <= 376 + 12 + SHARE + 16); /* 16: the map of subjects */
    sim_free(s);
}

/* Fragmented messages, pings, and more output than some peers accept; then silence. */
static void traffic(sim *s)
{
    char text[3000];
    memset(text, 't', sizeof text);
    for (int round = 0; round < (sim_slow() ? 1 : 3); round++) {
        for (size_t i = 0; i < s->peer_count; i++) {
            sim_peer *p = s->peers[i];
            if (i % 10 == 0)
                p->room = (size_t)sim_below(s, 2000);
            sim_frame(p, OP_TEXT, text, sizeof text);
            sim_ping(p, "p");
            sim_frame(p, FIN | OP_CONT, text, 1000);
            SIM_IN(wspool_send(s->pool, p->id, text, 100 + i % 900, NULL));
        }
        for (int i = 0; i < 20; i++)
            SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, 50, NULL, NULL));
        sim_pump(s);
        sim_flow_all(s);
        sim_pump(s);
    }
    sim_pass(s, 100 * SEC); /* the server sends pings, too */
    assert_int_equal(sim_stats(s).peers, s->peer_count);
    assert_int_equal(sim_stats(s).waiting, 0);
}

TEST(peer_when_idle_after_much_traffic_holds_its_record)
{
    sim *s = sim_wide(2);
    size_t before;
    size_t cost;
    s->chop = SIM_RANDOM;
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    traffic(s);
    before = s->heap.live_bytes;
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    traffic(s);
    cost = per_peer(before, s->heap.live_bytes);
    print_message("%zu bytes a peer, and %zu in all\n", cost, (size_t)s->heap.live_bytes);
    if (!sim_slow()) /* with fewer peers the free lists are still growing */
        assert_true(cost <= RECORD + SHARE);
    sim_free(s);
}

TEST(channels_when_joined_cost_16_bytes_in_the_peer_and_24_in_the_channel)
{
    sim *s = sim_wide(3);
    size_t before;
    size_t cost;
    char name[16];
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    before = s->heap.live_bytes;
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "%d", i);
        for (int k = 0; k < PEERS; k++)
            assert_int_equal(SIM_IN(wspool_subscribe(s->pool, s->peers[k]->id, wspool_topic(name))),
                             0);
    }
    cost = per_peer(before, s->heap.live_bytes);
    print_message("%zu bytes a peer for 16 channels\n", cost);
    assert_true(cost <= 16 * (16 + 24) + 64);
    for (int i = 0; i < 16; i++) {
        snprintf(name, sizeof name, "%d", i);
        for (int k = 0; k < PEERS; k++)
            assert_int_equal(
                SIM_IN(wspool_unsubscribe(s->pool, s->peers[k]->id, wspool_topic(name))), 0);
    }
    /* Except what the pool keeps for later joins, however many have left. */
    assert_true(s->heap.live_bytes - before <= 64 * 64 + 64 * 128);
    sim_pump(s);
    sim_free(s);
}

TEST(byte_of_a_frame_when_alone_pins_no_context)
{
    sim *s = sim_wide(4);
    size_t before;
    long contexts = 0;
    if (!sim_libc_counts())
        print_message("what wslay asks for can't be counted here\n");
    sim_join(s, "/all");
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    sim_text(s->peers[0], "warm");
    sim_pump(s);
    before = s->heap.live_bytes;
    contexts = sim_c.live;
    for (int i = 1; i <= PEERS; i++)
        sim_write(s->peers[i], "\x81", 1);
    sim_pump(s);
    assert_true(s->heap.live_bytes <= before + 4096);
    assert_true(sim_c.live <= contexts + 4);
    /* The whole frame header except its last byte: no memory yet. */
    for (int i = 1; i <= PEERS; i++)
        sim_write(s->peers[i], "\xfe\x04\x00\x01\x02\x03", 6);
    sim_pump(s);
    assert_true(s->heap.live_bytes <= before + 4096);
    assert_true(sim_c.live <= contexts + 4);
    sim_free(s);
}

TEST(message_when_half_here_gives_all_back_at_its_end)
{
    sim *s = sim_wide(5);
    client_frame frame = {.first = FIN | OP_BINARY, .announced = 1000, .key = 0};
    uint8_t bytes[999] = {0};
    size_t before;
    long contexts;
    sim_join(s, "/all");
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    before = s->heap.live_bytes;
    contexts = sim_c.live;
    for (int i = 1; i <= PEERS; i++) {
        client_put_head(&s->peers[i]->in, &frame);
        sim_write(s->peers[i], bytes, 999);
    }
    sim_pump(s);
    if (sim_libc_counts())
        assert_true(sim_c.live > contexts + PEERS / 2); /* the count does include them */
    assert_true(s->heap.live_bytes > before + (size_t)PEERS * 999);
    for (int i = 1; i <= PEERS; i++)
        if (i % 2)
            sim_write(s->peers[i], "x", 1);
        else
            sim_cut(s->peers[i], WSPOOL_GONE_FAILED); /* cut inside a frame: freed as well */
    sim_pump(s);
    assert_int_equal(s->counts[SIM_MESSAGE], PEERS / 2);
    assert_true(s->heap.live_bytes <= before + 524288); /* what is kept for reuse */
    assert_true(sim_c.live <= contexts + 3 * 64);
    sim_free(s);
}

TEST(peers_when_gone_give_all_back_but_their_slots)
{
    sim *s = sim_wide(6);
    size_t first = 0;
    for (int round = 0; round < 5; round++) {
        size_t from = s->peer_count;
        for (int i = 0; i < PEERS; i++)
            sim_connect_to(s, i % 2 ? "/all" : "/room/r");
        sim_pump(s);
        SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), "x", 1, NULL, NULL));
        sim_pump(s);
        for (size_t i = from; i < s->peer_count; i++)
            sim_cut(s->peers[i], WSPOOL_GONE_EOF);
        sim_pump(s);
        assert_int_equal(sim_stats(s).peers, 0);
        if (round == 0)
            first = s->heap.live_bytes;
        assert_true(s->heap.live_bytes <= first + 65536);
    }
    sim_free(s);
}

/* SPDX-License-Identifier: MIT */
/*
 * sim/test_steady.c - the cost of a broadcast in a pool that has filled its free lists.
 *
 * Proves law 3: a message is encoded once, into bytes that all receivers share. Then a broadcast
 * neither allocates nor copies per peer, and a burst is one vector per peer. Proves also that an
 * hour of joins, leaves, messages and ends allocates nothing.
 */
#include "sim.h"

#define PEERS (sim_slow() ? 40 : 200)

static sim *sim_warm(uint64_t seed)
{
    sim *s = sim_new(seed);
    s->keep_heard = 0;
    s->keep_journal = 0;
    s->config.ping_interval = 0;
    s->config.log.call = NULL;
    sim_start(s);
    for (int i = 0; i < PEERS; i++)
        sim_connect_to(s, "/all");
    sim_pump(s);
    for (int i = 0; i < 300; i++) {
        assert_int_equal(sim_broadcast(s, wspool_global("all"), "warm"), PEERS);
        sim_pump(s);
    }
    return s;
}

TEST(broadcast_when_warm_makes_one_frame_and_allocates_nothing)
{
    static const size_t sizes[] = {0, 5, 125, 126, 1000, 5000};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        sim *s = sim_warm(k);
        char *text = sim_malloc(5000);
        uint64_t encoded;
        size_t calls;
        size_t libc;
        size_t live;
        memset(text, 'x', 5000);
        for (int i = 0; i < 100; i++) {
            SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, sizes[k], NULL, NULL));
            sim_pump(s);
        }
        encoded = sim_stats(s).encoded;
        calls = s->heap.calls;
        live = s->heap.live_bytes;
        libc = sim_c.calls;
        for (int i = 0; i < 500; i++) {
            assert_int_equal(
                SIM_IN(wspool_broadcast(s->pool, wspool_global("all"), text, sizes[k], NULL, NULL)),
                PEERS);
            sim_pump(s);
        }
        assert_int_equal(sim_stats(s).encoded, encoded + 500);
        if (s->heap.calls != calls)
            fail_msg("%zu allocations in 500 broadcasts of %zu bytes",
                     (size_t)(s->heap.calls - calls), sizes[k]);
        assert_int_equal(s->heap.live_bytes, live);
        assert_int_equal(sim_c.calls, libc);
        free(text);
        sim_free(s);
    }
}

TEST(burst_when_published_in_one_turn_is_one_vector_of_the_same_bytes)
{
    sim *s = sim_warm(1);
    const void *base = NULL;
    size_t len = 0;
    wspool_id id;
    unsigned wants;
    size_t listed = 0;
    uint32_t last_slot = 0;
    uint64_t encoded = sim_stats(s).encoded;
    for (int i = 0; i < 50; i++)
        sim_broadcast(s, wspool_global("all"), "a burst");
    assert_int_equal(sim_stats(s).encoded, encoded + 50);
    while (wspool_next(s->pool, &id, &wants) == 1) {
        sim_peer *p = wspool_user(s->pool, id);
        struct iovec vectors[16];
        assert_true(wants & WSPOOL_WRITE);
        assert_true(listed == 0 || wspool_slot(id) > last_slot); /* in memory order */
        last_slot = wspool_slot(id);
        assert_int_equal(wspool_peek(s->pool, id, vectors, 16), 1);
        if (listed++ == 0) {
            base = vectors[0].iov_base;
            len = vectors[0].iov_len;
            assert_int_equal(len, 50 * 9);
        }
        assert_ptr_equal(vectors[0].iov_base, base);
        assert_int_equal(vectors[0].iov_len, len);
        reader_take(&p->reader, vectors[0].iov_base, len);
        assert_int_equal(wspool_ack(s->pool, id, len, s->now), 0);
        s->acked += len;
    }
    assert_int_equal(listed, PEERS);
    for (int i = 0; i < PEERS; i++)
        assert_int_equal(s->peers[i]->reader.messages, 350);
    sim_pump(s);
    sim_free(s);
}

/* When one peer has a message of its own, the others still have the burst in one vector. */
TEST(burst_when_one_peer_has_a_message_of_its_own_is_shared_by_all_others)
{
    sim *s = sim_warm(1);
    struct iovec a[16];
    struct iovec b[16];
    int n;
    sim_broadcast(s, wspool_global("all"), "first");
    sim_send(s->peers[3], "his own");
    sim_broadcast(s, wspool_global("all"), "second");
    n = wspool_peek(s->pool, s->peers[3]->id, b, 16);
    assert_in_range(n, 1, 3);
    n = wspool_peek(s->pool, s->peers[0]->id, a, 16);
    assert_in_range(n, 1, 2);
    assert_ptr_equal(a[0].iov_base, b[0].iov_base);
    sim_pump(s);
    sim_expect_message(s->peers[3], 300, "first");
    sim_expect_message(s->peers[3], 301, "his own");
    sim_expect_message(s->peers[3], 302, "second");
    sim_expect_message(s->peers[0], 301, "second");
    sim_free(s);
}

TEST(publishing_when_peers_lag_allocates_no_more_than_the_lag)
{
    sim *s = sim_warm(1);
    size_t before = s->heap.live_bytes;
    size_t most;
    for (int i = 0; i < PEERS; i += 2)
        sim_stall(s->peers[i]);
    for (int i = 0; i < 500; i++) {
        sim_broadcast(s, wspool_global("all"), "0123456789012345678901234567890123456789");
        sim_pump(s);
    }
    most = s->heap.live_bytes;
    /* 21 KB of encoded frames, shared by a hundred queues */
    assert_true(most - before < 21 * 1024 + 4 * 65536);
    sim_flow_all(s);
    sim_pump(s);
    for (int i = 0; i < PEERS; i++)
        assert_int_equal(s->peers[i]->reader.messages, 800);
    assert_true(s->heap.live_bytes <= most);
    sim_free(s);
}

static void echo(sim *s, const sim_event *event)
{
    if (event->what == SIM_MESSAGE)
        SIM_IN(wspool_send(s->pool, event->id, event->data, event->len, NULL));
}

TEST(echo_when_warm_allocates_nothing)
{
    sim *s = sim_warm(1);
    char text[900];
    size_t calls = 0;
    size_t libc = 0;
    memset(text, 'e', sizeof text);
    s->react = echo;
    for (int round = 0; round < 40; round++) {
        if (round == 20) {
            calls = s->heap.calls;
            libc = sim_c.calls;
        }
        for (int i = 0; i < PEERS; i++)
            sim_frame(s->peers[i], FIN | OP_TEXT, text, (size_t)i * 4);
        sim_pump(s);
    }
    if (s->heap.calls != calls)
        fail_msg("%zu allocations for 4000 echoes", (size_t)(s->heap.calls - calls));
    assert_int_equal(sim_c.calls, libc);
    assert_int_equal(s->messages, 40 * PEERS);
    sim_free(s);
}

/* One second: every peer gets a message, some send one, some change their channels, one peer
 * ends in one of all the ways, and another connects with its head in two pieces. */
static void live_a_second(sim *s, unsigned second)
{
    static const char head[] = "GET /room/abc?x=1 HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n";
    static const char rest[] = "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    sim_peer *comes = sim_open(s, NULL);
    sim_peer *goes = s->peers[s->first_live];
    sim_peer *speaks = s->peers[s->first_live + 1];
    sim_write(comes, head, sizeof head - 1);
    sim_pump(s);
    sim_write(comes, rest, sizeof rest - 1);
    sim_broadcast(s, wspool_global("all"), "a message");
    sim_broadcast(s, wspool_item("abc"), "another");
    sim_text(speaks, "a word");
    sim_frame(speaks, OP_TEXT, "in two", 6);
    sim_ping(speaks, "there?");
    sim_pump(s);
    sim_frame(speaks, FIN | OP_CONT, " pieces", 7);
    SIM_IN(wspool_subscribe(s->pool, speaks->id, wspool_topic("here today")));
    SIM_IN(wspool_subscribe(s->pool, speaks->id, wspool_session("gone tomorrow")));
    SIM_IN(wspool_subscribe(s->pool, comes->id, wspool_global("all")));
    sim_pump(s);
    SIM_IN(wspool_unsubscribe(s->pool, speaks->id, wspool_topic("here today")));
    SIM_IN(wspool_unsubscribe(s->pool, speaks->id, wspool_session("gone tomorrow")));
    switch (second % 3) {
    case 0:
        sim_cut(goes, WSPOOL_GONE_FAILED);
        break;
    case 1:
        sim_say_close(goes, 1000, "bye");
        break;
    default:
        SIM_IN(wspool_close(s->pool, goes->id, 1001, "go", 0));
        break;
    }
    sim_pump(s);
    sim_pass(s, SEC);
}

TEST(hour_when_warm_allocates_nothing)
{
    const unsigned seconds = sim_slow() ? 300 : 3600;
    sim *s = sim_new(7);
    size_t calls = 0;
    size_t libc = 0;
    s->keep_heard = 0;
    s->keep_journal = 0;
    s->react = echo;
    s->config.log.call = NULL;
    s->config.ping_interval = 5 * SEC;
    sim_start(s);
    for (int i = 0; i < 20; i++)
        sim_join(s, "/room/abc");
    for (unsigned second = 0; second < 100 + seconds; second++) {
        if (second == 100) {
            calls = s->heap.calls;
            libc = sim_c.calls;
        }
        live_a_second(s, second);
    }
    if (s->heap.calls != calls || sim_c.calls != libc)
        fail_msg("%zu allocations, and %zu of wslay's", (size_t)(s->heap.calls - calls),
                 (size_t)(sim_c.calls - libc));
    assert_true(sim_stats(s).accepted > seconds);
    assert_true(sim_stats(s).pings_sent > 0);
    sim_free(s);
}

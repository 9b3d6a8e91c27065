/* SPDX-License-Identifier: MIT */
/*
 * loop/test_epoll.c - wspool/adapters/epoll.h, with server and clients in one thread: the scenes
 * of every adapter, and what is to be seen of the engine on one adapter only.
 */
#define _GNU_SOURCE
#include <limits.h>

#include "on_epoll.h"

#include "scenes.h"

TEST(sleep_is_rounded_up_when_the_deadline_is_no_whole_millisecond)
{
    assert_int_equal(wspool_sockets_ms(5, 5), 0);
    assert_int_equal(wspool_sockets_ms(5, 4), 0);
    assert_int_equal(wspool_sockets_ms(5, 0), 0);
    assert_int_equal(wspool_sockets_ms(5, 6), 1);
    assert_int_equal(wspool_sockets_ms(0, WSPOOL_MILLISECOND), 1);
    assert_int_equal(wspool_sockets_ms(0, WSPOOL_MILLISECOND + 1), 2);
    assert_int_equal(wspool_sockets_ms(0, UINT64_MAX - 1), INT_MAX);
    assert_int_equal(wspool_sockets_ms(0, UINT64_MAX), -1);
}

TEST(loop_is_left_alone_when_messages_come_and_go)
{
    struct host host;
    net_client *client;
    unsigned before, timers_before;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    before = net_watches;
    timers_before = net_timers;
    for (size_t i = 1; i <= 1000; i++) {
        net_client_text(client, "hello", 5);
        UNTIL(&host, client->in.messages == i);
    }
    assert_int_equal(net_watches, before);
    assert_true(net_timers - timers_before < 100);
    host_end(&host);
}

/* Three clients have a megabyte each in the kernel's buffers. The fourth sends a short message and
 * is answered in the same turn, in which each of the others is read, but not beyond its bound. */
TEST(descriptor_is_refused_when_it_is_too_large)
{
    struct host host;
    host_init(&host);
    host_start(&host);
    assert_int_equal(wspool_sockets_add(host.loop, 1 << 24, NULL, NULL), -1);
    assert_int_equal(errno, EMFILE);
    assert_int_equal(wspool_sockets_count(host.loop), 0);
    host_client(&host, "/echo");
    host_end(&host);
}

TEST(a_turn_reads_a_share_from_each_when_some_send_at_full_speed)
{
    static const uint32_t queue_messages[] = {1024, 65536}; /* many bursts a turn, and one */
    static uint8_t bytes[1 << 20];
    for (size_t round = 0; round < 2; round++) {
        struct host host;
        uint64_t before, fed;
        host_init(&host);
        host.config.queue_messages = queue_messages[round];
        host.config.message_bytes = 2u << 20;
        host_start(&host);
        for (size_t i = 0; i < 4; i++)
            host_client(&host, i < 3 ? "/room/busy" : "/echo");
        before = net_stats(host.pool).received_bytes;
        for (size_t i = 0; i < 3; i++) {
            net_client_frame(&host.clients[i], FIN | OP_BINARY, bytes, sizeof(bytes));
            net_client_turn(&host.clients[i]);
        }
        net_client_text(&host.clients[3], "word", 4);
        net_client_turn(&host.clients[3]);
        assert_int_equal(wspool_epoll_turn(host.loop, 0), 0);
        net_client_turn(&host.clients[3]);
        assert_int_equal(host.clients[3].in.messages, 1);
        fed = net_stats(host.pool).received_bytes - before - 10;
        assert_true(fed > 3 * 32768);
        assert_true(fed <= 3 * 65536);
        host.react = no_reaction;
        UNTIL(&host, host.messages == 4);
        host_end(&host);
    }
}

/* In one batch, A's bytes cause a flush in which B is closed. C is accepted and gets B's descriptor
 * and slot. Then B's reset is handled: it must not be taken for C's. */
TEST(event_of_a_closed_peer_is_dropped_when_its_descriptor_is_used_again)
{
    struct host host;
    net_client *a, *b, *c;
    wspool_id old;
    int keep, old_fd;
    host_init(&host);
    host.config.queue_messages = 1; /* a burst is 3 bytes: each message is flushed at once */
    host_start(&host);
    a = host_client(&host, "/echo");
    b = host_client(&host, "/echo");
    old = host.ids[1];
    old_fd = wspool_sockets_descriptor(host.loop, old);
    host_turn(&host);                               /* now epoll reports events in order */
    assert_int_equal(shutdown(old_fd, SHUT_WR), 0); /* so that it does not linger */
    assert_int_equal(wspool_gone(host.pool, old, WSPOOL_GONE_EOF, wspool_clock()), 0);
    net_client_text(a, "hello", 5);
    net_client_turn(a);
    c = &host.clients[host.count++];
    net_client_open(c, host.port, "/echo");
    net_client_turn(c);
    net_client_kill(b, NET_KILL_RST);
    keep = dup(0); /* takes the number of B's client */
    assert_int_equal(wspool_epoll_turn(host.loop, 0), 0);

    /* It was as described ... */
    assert_int_equal(host.messages, 1);
    assert_int_equal(host.closed, 1);
    assert_int_equal(host_count(&host), 2);
    assert_int_equal(wspool_sockets_descriptor(host.loop, old), -1);
    /* ... and C comes in. */
    UNTIL(&host, c->in.status == 101 || c->end != NET_HERE);
    assert_int_equal(c->in.status, 101);
    assert_int_equal(wspool_slot(host.ids[2]), wspool_slot(old));
    assert_int_equal(wspool_sockets_descriptor(host.loop, host.ids[2]), old_fd);
    close(keep);
    host_end(&host);
}

/* As a forked child of the host does: it keeps the socket open, which stays readable. */
TEST(loop_sleeps_when_somebody_else_has_the_socket_of_one_who_left)
{
    struct host host;
    net_client *client;
    unsigned before;
    int kept;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    kept = dup(wspool_sockets_descriptor(host.loop, host.ids[0]));
    net_client_kill(client, NET_KILL_FIN);
    UNTIL(&host, host_count(&host) == 0);
    before = net_waits;
    assert_int_equal(host_run(&host, wspool_clock() + 50 * WSPOOL_MILLISECOND), 0);
    assert_true(net_waits - before < 10);
    close(kept);
    host_end(&host);
}

/* SPDX-License-Identifier: MIT */
/*
 * loop/test_epoll.c - wspool/adapters/epoll.h, with server and clients in one thread: the scenes
 * of every adapter, and its own.
 *
 * The adapter is compiled into this program, so some of its system calls can be counted, or made
 * to fail, by standing in for them.
 */
#define _GNU_SOURCE
#include "net.h"

#include <errno.h>
#include <sys/epoll.h>

static unsigned controls; /* calls of epoll_ctl */

static int counted_epoll_ctl(int fd, int what, int about, struct epoll_event *event)
{
    controls++;
    return epoll_ctl(fd, what, about, event);
}

static int counted_epoll_wait(int fd, struct epoll_event *events, int max, int wait)
{
    net_waits++;
    net_wait_time = wait < 0 ? UINT64_MAX : (uint64_t)wait * WSPOOL_MILLISECOND;
    return epoll_wait(fd, events, max, wait);
}

/* Whoever has no epoll_pwait2 to be stood in for never calls this one. */
#ifdef __GLIBC__
#if __GLIBC_PREREQ(2, 35)
static int counted_epoll_pwait2(int fd, struct epoll_event *events, int max,
                                const struct timespec *time, const sigset_t *mask)
{
    net_waits++;
    net_wait_time = (uint64_t)time->tv_sec * WSPOOL_SECOND + (uint64_t)time->tv_nsec;
    return epoll_pwait2(fd, events, max, time, mask);
}
#define epoll_pwait2 counted_epoll_pwait2
#endif
#endif

static int failing_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
{
    int error = net_next_error(net_accept_errors);
    if (error == 0)
        return accept4(fd, address, len, flags);
    errno = error;
    return -1;
}

static ssize_t failing_sendmsg(int fd, const struct msghdr *message, int flags)
{
    int error = net_next_error(net_send_errors);
    struct iovec vector;
    struct msghdr shorter = net_shortened(message, &vector);
    if (error == 0)
        return sendmsg(fd, &shorter, flags);
    errno = error;
    return -1;
}

static ssize_t failing_send(int fd, void *bytes, size_t len, int flags)
{
    struct iovec vector = {bytes, len};
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    return failing_sendmsg(fd, &message, flags);
}

#define epoll_ctl counted_epoll_ctl
#define epoll_wait counted_epoll_wait
#define accept4 failing_accept4
#define sendmsg failing_sendmsg
#define send(fd, bytes, len, flags) failing_send(fd, bytes, len, flags)
#include <wspool/adapters/epoll.h>
#undef epoll_ctl
#undef epoll_wait
#undef epoll_pwait2
#undef accept4
#undef sendmsg
#undef send

#define LOOP(name) wspool_epoll_##name
#define LOOP_TYPE wspool_epoll
#define LOOP_LISTENERS WSPOOL_EPOLL_LISTENERS
#include "scenes.h"

static int is_awaited(const wspool_epoll *loop, wspool_id id, enum awaited what)
{
    static const uint32_t events[] = {EPOLLRDHUP, EPOLLIN, EPOLLOUT};
    return loop->peers[wspool_slot(id)].armed == events[what];
}

static int listener_fd(const wspool_epoll *loop, int number)
{
    return loop->listeners[number];
}

static int sleeps_exactly(void)
{
#ifdef WSPOOL_EPOLL_PWAIT2
    struct epoll_event event;
    return epoll_pwait2(-1, &event, 1, NULL, NULL) < 0 && errno != ENOSYS;
#else
    return 0;
#endif
}

TEST(epoll_is_left_alone_when_messages_come_and_go)
{
    struct host host;
    net_client *client;
    unsigned before;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    before = controls;
    for (size_t i = 1; i <= 1000; i++) {
        net_client_text(client, "hello", 5);
        UNTIL(&host, client->in.messages == i);
    }
    assert_int_equal(controls, before);
    host_end(&host);
}

/* Three have a megabyte each in the kernel's buffers. The fourth says a word, and is answered in
 * the same turn, in which each of the others was read from, but not more than its share. */
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
        before = net_stats(host.loop.pool).received_bytes;
        for (size_t i = 0; i < 3; i++) {
            net_client_frame(&host.clients[i], FIN | OP_BINARY, bytes, sizeof(bytes));
            net_client_turn(&host.clients[i]);
        }
        net_client_text(&host.clients[3], "word", 4);
        net_client_turn(&host.clients[3]);
        assert_int_equal(wspool_epoll_turn(&host.loop, 0), 0);
        net_client_turn(&host.clients[3]);
        assert_int_equal(host.clients[3].in.messages, 1);
        fed = net_stats(host.loop.pool).received_bytes - before - 10;
        assert_true(fed > 3 * 32768);
        assert_true(fed <= 3 * 65536);
        host.react = no_reaction;
        UNTIL(&host, host.messages == 4);
        host_end(&host);
    }
}

/* Within one batch, A's bytes bring about a flush in which B is closed; C is accepted and gets
 * B's descriptor and B's slot; then B's reset is looked at. It must not be taken for C's. */
TEST(event_of_a_closed_peer_is_dropped_when_its_descriptor_is_used_again)
{
    struct host host;
    net_client *a, *b, *c;
    wspool_epoll_peer old;
    int keep;
    host_init(&host);
    host_start(&host);
    host.loop.burst = 1;
    a = host_client(&host, "/echo");
    b = host_client(&host, "/echo");
    old = host.loop.peers[wspool_slot(host.ids[1])];
    host_turn(&host); /* in which epoll forgets who was ready: events come in order then */
    host.loop.peers[wspool_slot(old.id)].ended = 1;
    assert_int_equal(wspool_gone(host.loop.pool, host.ids[1], WSPOOL_GONE_EOF, wspool_clock()), 0);
    net_client_text(a, "hello", 5);
    net_client_turn(a);
    c = &host.clients[host.count++];
    net_client_open(c, host.port, "/echo");
    net_client_turn(c);
    net_client_kill(b, NET_KILL_RST);
    keep = dup(host.loop.fd); /* takes the number of B's client */
    assert_int_equal(wspool_epoll_turn(&host.loop, 0), 0);

    /* It was as described ... */
    assert_int_equal(host.messages, 1);
    assert_int_equal(host.closed, 1);
    assert_int_equal(host.loop.count, 2);
    assert_int_equal(host.loop.peers[wspool_slot(old.id)].fd, old.fd);
    assert_true(host.loop.peers[wspool_slot(old.id)].id != old.id);
    /* ... and C comes in. */
    UNTIL(&host, c->in.status == 101 || c->end != NET_HERE);
    assert_int_equal(c->in.status, 101);
    close(keep);
    host_end(&host);
}

/* As a child does that the host has forked: it has the socket still, which is readable for ever. */
TEST(loop_sleeps_when_somebody_else_has_the_socket_of_one_who_left)
{
    struct host host;
    net_client *client;
    unsigned before;
    int kept;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    kept = dup(host.loop.peers[wspool_slot(host.ids[0])].fd);
    net_client_kill(client, NET_KILL_FIN);
    UNTIL(&host, host.loop.count == 0);
    before = net_waits;
    assert_int_equal(LOOP(run)(&host.loop, wspool_clock() + 50 * WSPOOL_MILLISECOND), 0);
    assert_true(net_waits - before < 10);
    close(kept);
    host_end(&host);
}

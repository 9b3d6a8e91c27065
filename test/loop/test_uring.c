/* SPDX-License-Identifier: MIT */
/*
 * loop/test_uring.c - libwspool_uring, with server and clients in one thread: the scenes of every
 * loop, and its own. Skipped where the kernel refuses io_uring.
 *
 * Its sources are compiled into this program, so its system calls can be counted by standing in
 * for them. What is to fail is handed to the kernel as a NOP, and its completion made to say so.
 */
#define _GNU_SOURCE
#include <liburing.h>

#include "net.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static unsigned writes;         /* system calls that wrote */
static unsigned sends;          /* what they wrote */
static unsigned without_buffer; /* completions that say so */
static struct io_uring *sends_ring;
static int send_result, accept_result; /* the result of the NOP in its place; 0: no NOP */
static uint64_t accept_tag;
static int submit_errors[8], write_errors[8], wait_errors[8], cancel_errors[8]; /* of the next */
static unsigned leavings; /* calls of shutdown and recv */

static int counted_wait(struct io_uring *ring, struct io_uring_cqe **cqe, unsigned count,
                        struct __kernel_timespec *time, sigset_t *mask)
{
    int error = net_next_error(wait_errors);
    net_waits++;
    net_wait_time =
        time ? (uint64_t)time->tv_sec * WSPOOL_SECOND + (uint64_t)time->tv_nsec : UINT64_MAX;
    if (error != 0)
        return -error;
    return io_uring_submit_and_wait_timeout(ring, cqe, count, time, mask);
}

static int counted_write(struct io_uring *ring, unsigned count)
{
    int error = net_next_error(write_errors);
    if (error != 0)
        return -error;
    sends_ring = ring;
    writes++;
    sends += count;
    return io_uring_submit_and_wait(ring, count);
}

static int failing_submit(struct io_uring *ring)
{
    int error = net_next_error(submit_errors);
    return error != 0 ? -error : io_uring_submit(ring);
}

static int failing_get_events(struct io_uring *ring)
{
    int error = net_next_error(cancel_errors);
    return error != 0 ? -error : io_uring_submit_and_get_events(ring);
}

static int counted_shutdown(int fd, int how)
{
    leavings++;
    return shutdown(fd, how);
}

static ssize_t counted_recv(int fd, void *bytes, size_t len, int flags)
{
    leavings++;
    return recv(fd, bytes, len, flags);
}

static void failing_accept(struct io_uring_sqe *sqe, int fd, struct sockaddr *address,
                           socklen_t *len, int flags)
{
    int error = net_next_error(net_accept_errors);
    if (error == 0) {
        io_uring_prep_multishot_accept(sqe, fd, address, len, flags);
        return;
    }
    io_uring_prep_nop(sqe);
    accept_tag = sqe->user_data;
    accept_result = -error;
}

static void failing_send(struct io_uring_sqe *sqe, int fd, const struct msghdr *message,
                         unsigned flags)
{
    static struct msghdr shorter[256];
    static struct iovec vectors[256];
    static unsigned next;
    int error = net_next_error(net_send_errors);
    if (error != 0) {
        io_uring_prep_nop(sqe);
        send_result = -error;
        return;
    }
    next = (next + 1) % 256; /* more than there are in a batch */
    shorter[next] = net_shortened(message, &vectors[next]);
    io_uring_prep_sendmsg(sqe, fd, &shorter[next], flags);
}

static void failing_send_one(struct io_uring_sqe *sqe, int fd, void *bytes, size_t len, int flags)
{
    static struct iovec vectors[256];
    static struct msghdr messages[256];
    static unsigned next;
    next = (next + 1) % 256;
    vectors[next] = (struct iovec){bytes, len};
    messages[next] = (struct msghdr){.msg_iov = &vectors[next], .msg_iovlen = 1};
    failing_send(sqe, fd, &messages[next], (unsigned)flags);
}

static int told_peek(struct io_uring *ring, struct io_uring_cqe **cqe)
{
    int result = io_uring_peek_cqe(ring, cqe);
    if (result != 0)
        return result;
    if (ring == sends_ring) {
        if (send_result != 0)
            (*cqe)->res = send_result;
        send_result = 0;
    } else if (accept_result != 0 && (*cqe)->user_data == accept_tag) {
        (*cqe)->res = accept_result;
        accept_result = 0;
    }
    without_buffer += (*cqe)->res == -ENOBUFS;
    return 0;
}

#define io_uring_submit_and_wait_timeout counted_wait
#define io_uring_submit_and_wait counted_write
#define io_uring_submit failing_submit
#define io_uring_submit_and_get_events failing_get_events
#define io_uring_prep_multishot_accept failing_accept
#define io_uring_prep_sendmsg failing_send
#define io_uring_prep_send failing_send_one
#define io_uring_peek_cqe told_peek
#define shutdown counted_shutdown
#define recv(fd, bytes, len, flags) counted_recv(fd, bytes, len, flags)
#include "uring/accept.c"
#include "uring/completion.c"
#include "uring/linger.c"
#include "uring/nest.c"
#include "uring/peers.c"
#include "uring/proxied.c"
#include "uring/read.c"
#include "uring/ring.c"
#include "uring/turn.c"
#include "uring/uring.c"
#include "uring/write.c"
#undef io_uring_submit_and_wait_timeout
#undef io_uring_submit_and_wait
#undef io_uring_submit
#undef io_uring_submit_and_get_events
#undef io_uring_prep_multishot_accept
#undef io_uring_prep_sendmsg
#undef io_uring_prep_send
#undef io_uring_peek_cqe
#undef shutdown
#undef recv

#define LOOP(name) wspool_uring_##name
#define LOOP_TYPE wspool_uring
#define LOOP_FLUSH(host) wsp_uring_flush((host)->loop, wspool_clock())
#include "scenes.h"

#include "base.h"

static int uring_make(struct host *host)
{
    return wspool_uring_new(&host->loop, &host->config);
}

static int uring_turn(struct host *host, uint64_t until)
{
    int ms = milliseconds(until ? wspool_clock() : 0, until);
    if (host->base)
        return base_sleep(host->base, ms) ? wspool_uring_turn(host->loop, 0) : 0;
    return wspool_uring_turn(host->loop, ms);
}

/* From now on the engine is nested in a loop of the host's. */
static void uring_nest(struct host *host)
{
    if (!host->base) {
        host->base = base_new();
        assert_int_equal(base_watch(host->base, wspool_uring_fd(host->loop)), 0);
    }
}

static void uring_after(struct host *host, uint64_t delay, void (*call)(void *), void *user)
{
    uring_nest(host);
    base_after(host->base, delay, call, user);
}

static void uring_end(struct host *host)
{
    if (host->base)
        base_free(host->base);
}

static int uring_run(struct host *host, uint64_t until)
{
    return wspool_uring_run(host->loop, until);
}

static int uring_sleeps_exactly(void)
{
    return 1;
}

static int uring_is_awaited(struct host *host, wspool_id id, enum awaited what)
{
    static const unsigned bits[] = {0, 1u << WSP_URING_READ, 1u << WSP_URING_WRITE};
    return (host->loop->peers[wspool_slot(id)].armed & ~(1u << WSP_URING_ERROR)) == bits[what];
}

static const struct adapter adapter = {.name = "uring",
                                       .make = uring_make,
                                       .turn = uring_turn,
                                       .end = uring_end,
                                       .after = uring_after,
                                       .run = uring_run,
                                       .sleeps_exactly = uring_sleeps_exactly,
                                       .is_awaited = uring_is_awaited};

/* ------------------------------------------------------------------- bytes */

TEST(everybody_is_written_to_in_one_system_call_when_a_message_goes_to_all)
{
    struct host host;
    host_init(&host);
    host.react = broadcast_to_room;
    host_start(&host);
    for (size_t i = 0; i < CLIENTS; i++)
        host_client(&host, "/room/all");
    writes = sends = 0;
    net_client_text(&host.clients[0], "hello", 5);
    for (size_t i = 0; i < CLIENTS; i++)
        UNTIL(&host, host.clients[i].in.messages == 1);
    assert_int_equal(writes, 1);
    assert_int_equal(sends, CLIENTS);
    host_end(&host);
}

/* No operation is requested or cancelled while messages come and go. */
TEST(nothing_is_asked_for_again_when_messages_come_and_go)
{
    struct host host;
    net_client *client;
    uint64_t under_way;
    unsigned tail;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    host_turn(&host);
    under_way = host.loop->under_way;
    tail = host.loop->ring.sq.sqe_tail;
    for (size_t i = 1; i <= 1000; i++) {
        net_client_text(client, "hello", 5);
        UNTIL(&host, client->in.messages == i);
    }
    assert_int_equal(host.loop->under_way, under_way);
    assert_int_equal(host.loop->ring.sq.sqe_tail, tail);
    host_end(&host);
}

TEST(all_comes_through_when_there_are_not_buffers_enough)
{
    enum { LEN = 1 << 20, COUNT = 4 };
    static uint8_t bytes[LEN];
    struct host host;
    host_init(&host);
    host.config.message_bytes = 2u << 20;
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 1u << 30;
    host_start(&host);
    for (size_t i = 0; i < CLIENTS; i++)
        host_client(&host, "/echo");
    without_buffer = 0;
    for (unsigned n = 0; n < COUNT; n++) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            net_fill(bytes, LEN, n * CLIENTS + i);
            net_client_frame(&host.clients[i], FIN | OP_BINARY, bytes, LEN);
        }
    }
    for (unsigned i = 0; i < CLIENTS; i++)
        net_client_turn(&host.clients[i]);
    for (size_t i = 0; i < CLIENTS; i++)
        UNTIL(&host, host.clients[i].in.messages == COUNT);
    assert_true(without_buffer > 0);
    for (unsigned n = 0; n < COUNT; n++) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            net_fill(bytes, LEN, n * CLIENTS + i);
            assert_true(got_is(reader_message(&host.clients[i].in, n), bytes, LEN));
        }
    }
    host_end(&host);
}

/* Without DEFER_TASKRUN (Linux 6.0) completions come at any time, and a turn bounds less. */
static int is_deferred(const wspool_uring *loop)
{
    return (loop->ring.flags & IORING_SETUP_DEFER_TASKRUN) != 0;
}

/* Three have a megabyte each in the kernel's buffers: more than there are of the loop's. The
 * fourth says a word, and is answered in this turn or the next. */
TEST(a_word_is_answered_at_once_when_others_send_at_full_speed)
{
    static uint8_t bytes[1 << 20];
    struct host host;
    uint64_t before;
    host_init(&host);
    host.config.message_bytes = 2u << 20;
    host.react = answer_words;
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
    for (unsigned turn = 1; turn <= (is_deferred(host.loop) ? 2 : 20); turn++) {
        assert_int_equal(wspool_uring_turn(host.loop, 0), 0);
        assert_true(net_stats(host.pool).received_bytes - before <=
                    turn * (uint64_t)(WSP_URING_BUFFERS * WSP_URING_BUFFER));
    }
    net_client_turn(&host.clients[3]);
    assert_int_equal(host.clients[3].in.messages, 1);
    UNTIL(&host, host.messages == 4);
    host_end(&host);
}

/* The kernel has read on when the pool no longer wants to hear the peer. `room`: there is none to
 * keep it: then it is fed all the same, and the queue is large enough for that here. */
static void flood(size_t room)
{
    enum { LEN = 60000, COUNT = 100 };
    static uint8_t bytes[LEN];
    struct host host;
    net_client *client;
    size_t most = 0;
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host_start(&host);
    client = host_client(&host, "/echo");
    client->deaf = 1;
    host.loop->kept = WSP_URING_KEPT - room;
    for (unsigned i = 0; i < COUNT; i++) {
        net_fill(bytes, LEN, i);
        net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    }
    for (int i = 0; i < 200; i++) {
        net_client_turn(client);
        assert_int_equal(wspool_uring_turn(host.loop, 0), 0);
        if (host.loop->kept - (WSP_URING_KEPT - room) > most)
            most = host.loop->kept - (WSP_URING_KEPT - room);
    }
    assert_true(net_stats(host.pool).blocked > 0);
    assert_true(most <= room);
    assert_true(room < LEN || most > 0);
    client->deaf = 0;
    UNTIL(&host, client->in.messages == COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        net_fill(bytes, LEN, i);
        assert_true(got_is(reader_message(&client->in, i), bytes, LEN));
    }
    assert_int_equal(host.loop->kept, WSP_URING_KEPT - room);
    assert_null(host.loop->peers[wspool_slot(host.ids[0])].kept);
    host_end(&host);
}

TEST(what_was_read_is_kept_in_order_when_reading_is_paused_too_late)
{
    flood(WSP_URING_KEPT);
}

TEST(what_was_read_is_fed_in_order_when_too_much_is_kept_already)
{
    flood(0);
    flood(30000);
}

/* It says much and goes: all of it is heard, and the end behind it, although reading was paused
 * meanwhile. */
TEST(end_is_told_after_the_bytes_when_both_were_kept)
{
    enum { LEN = 16384 };
    struct host host;
    net_client *client;
    struct wsp_uring_peer *peer;
    uint8_t bytes[LEN] = {0};
    host_init(&host);
    host.react = no_reaction;
    host_start(&host);
    client = host_client(&host, "/echo");
    peer = &host.loop->peers[wspool_slot(host.ids[0])];
    peer->reading = 0; /* as the flush does it, but before the kernel was told */
    for (int i = 0; i < 4; i++)
        net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    net_client_turn(client);
    net_client_kill(client, NET_KILL_FIN);
    for (int i = 0; i < 5; i++)
        assert_int_equal(wspool_uring_turn(host.loop, 0), 0);
    assert_int_equal(host.messages, 0);
    assert_int_equal(host.closed, 0);
    assert_true(host.loop->kept >= 4 * LEN);
    peer->reading = 1;
    wsp_uring_ask(host.loop, peer);
    UNTIL(&host, host.closed == 1);
    assert_int_equal(host.messages, 4);
    assert_int_equal(host.last.why, WSPOOL_END_EOF);
    host_end(&host);
}

/* What was kept is fed, as there is room for no more of it, and the hook makes the table move. */
TEST(kept_bytes_are_fed_in_order_when_a_hook_adds_transports_meanwhile)
{
    enum { LEN = 16384, COUNT = 4 };
    struct host host;
    net_client *client;
    struct wsp_uring_peer *peer;
    uint8_t bytes[LEN] = {0};
    uint32_t room;
    host_init(&host);
    host.config.max_handshakes = 2 * TABLE;
    host.react = open_table;
    host_start(&host);
    client = host_client(&host, "/echo");
    peer = &host.loop->peers[wspool_slot(host.ids[0])];
    peer->reading = 0; /* as the flush does it, but before the kernel was told */
    host.loop->kept = WSP_URING_KEPT - 20000; /* one buffer can be kept, and no second one */
    room = host.loop->room;
    for (int i = 0; i < COUNT; i++)
        net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    net_client_turn(client);
    UNTIL(&host, host.messages > 0);
    assert_true(host.loop->room > room);
    peer = &host.loop->peers[wspool_slot(host.ids[0])];
    peer->reading = 1;
    wsp_uring_ask(host.loop, peer);
    UNTIL(&host, host.messages == COUNT);
    host_turn(&host);
    assert_null(host.loop->peers[wspool_slot(host.ids[0])].kept);
    assert_int_equal(host.loop->kept, WSP_URING_KEPT - 20000);
    assert_int_equal(host.closed, 0);
    close_table();
    host_end(&host);
}

/* ------------------------------------------------------------------ events */

/* Bytes and the end of B are in the batch in which B is closed, C is accepted and A speaks: B's
 * are nobody's, B is released when the kernel has nothing of it any more, and C comes in. */
TEST(completion_of_a_closed_peer_is_dropped_when_another_one_comes)
{
    struct host host;
    net_client *a, *b, *c;
    struct wsp_uring_peer old;
    host_init(&host);
    host_start(&host);
    host.loop->burst = 1;
    a = host_client(&host, "/echo");
    b = host_client(&host, "/echo");
    old = host.loop->peers[wspool_slot(host.ids[1])];
    assert_int_equal(wspool_gone(host.pool, host.ids[1], WSPOOL_GONE_EOF, wspool_clock()), 0);
    net_client_text(a, "hello", 5);
    net_client_turn(a);
    net_client_text(b, "nobody hears it", 15);
    net_client_turn(b);
    c = &host.clients[host.count++];
    net_client_open(c, host.port, "/echo");
    net_client_turn(c);
    net_client_kill(b, NET_KILL_RST);
    assert_int_equal(wspool_uring_turn(host.loop, 0), 0);
    assert_int_equal(host.messages, 1);
    UNTIL(&host, c->in.status == 101);
    assert_int_equal(host.messages, 1);
    assert_int_equal(host.loop->count, 2);
    assert_true(host.loop->peers[wspool_slot(old.id)].id != old.id);
    host_end(&host);
}

/* The pool is done with it, but a read is still with the kernel: not before that has come back
 * is the id free for another one. */
TEST(peer_is_released_later_when_something_of_it_is_under_way)
{
    struct host host;
    host_init(&host);
    host_start(&host);
    host_client(&host, "/echo");
    assert_int_equal(wspool_gone(host.pool, host.ids[0], WSPOOL_GONE_EOF, wspool_clock()), 0);
    wsp_uring_flush(host.loop, wspool_clock());
    assert_int_equal(host.closed, 1);
    assert_int_equal(host.loop->count, 1);
    assert_int_equal(host.loop->peers[wspool_slot(host.ids[0])].id, host.ids[0]);
    UNTIL(&host, host.loop->count == 0);
    assert_int_equal(wspool_gone(host.pool, host.ids[0], WSPOOL_GONE_EOF, wspool_clock()),
                     WSPOOL_ERR_STALE);
    host_end(&host);
}

/* The engine neither shuts it down nor reads it: both calls would be useless. */
TEST(socket_is_just_closed_when_the_other_side_has_closed_it)
{
    struct host host;
    host_init(&host);
    host_start(&host);
    net_client_kill(host_client(&host, "/echo"), NET_KILL_FIN);
    leavings = 0;
    UNTIL(&host, host.loop->count == 0);
    assert_int_equal(leavings, 0);
    host_end(&host);
}

static void *run_elsewhere(void *argument)
{
    struct host *host = argument;
    return wspool_uring_run(host->loop, wspool_clock() + NET_PATIENCE) == 0 ? argument : NULL;
}

/* Made and freed in one thread, with turns in another, as a host with threads would do. */
TEST(loop_runs_in_another_thread_when_that_takes_the_first_turn)
{
    struct host host;
    net_client *client;
    pthread_t thread;
    void *result = NULL;
    host_init(&host);
    host_start(&host);
    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, &host), 0);
    client = &host.clients[host.count++];
    net_client_open(client, host.port, "/echo");
    net_client_text(client, "hello", 5);
    for (uint64_t since = 0; client->in.messages == 0 && net_patient(&since);)
        net_client_turn(client);
    net_client_kill(client, NET_KILL_FIN);
    wspool_uring_quit(host.loop);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &host);
    if (is_deferred(host.loop)) { /* that thread owns the rings */
        assert_int_equal(wspool_uring_turn(host.loop, 0), -1);
        assert_int_equal(errno, EEXIST);
    }
    net_client_free(client);
    host_free(&host);
}

/* More transports than the ring takes at a time, from a thread that takes no turns. */
TEST(everybody_is_received_when_another_thread_has_opened_many_before_the_first_turn)
{
    enum { COUNT = 2 * WSP_URING_ENTRIES };
    static int pairs[COUNT][2];
    struct host host;
    pthread_t thread;
    void *result = NULL;
    host_init(&host);
    host.config.max_handshakes = 2 * COUNT;
    host_start(&host);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]), 0);
        assert_int_equal(wspool_uring_add(host.loop, pairs[i][0], NULL, NULL), 0);
        assert_int_equal(write(pairs[i][1], UPGRADE, sizeof(UPGRADE) - 1),
                         (ssize_t)sizeof(UPGRADE) - 1);
    }
    assert_int_equal(pthread_create(&thread, NULL, run_elsewhere, &host), 0);
    for (int i = 0; i < COUNT; i++) {
        char answer[512];
        assert_true(read(pairs[i][1], answer, sizeof(answer)) > 12);
        assert_memory_equal(answer, "HTTP/1.1 101", 12);
        close(pairs[i][1]);
    }
    wspool_uring_quit(host.loop);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &host);
    assert_int_equal(host.opened, COUNT);
    host_free(&host);
}

static int elsewhere[WSP_URING_ENTRIES + 1][2];

/* Opens transports until one fails because this is the wrong thread. Returns how many it opened. */
static void *open_elsewhere(void *argument)
{
    struct host *host = argument;
    for (uintptr_t i = 0; i <= WSP_URING_ENTRIES; i++) {
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, elsewhere[i]) != 0)
            return NULL;
        errno = 0;
        if (wspool_uring_add(host->loop, elsewhere[i][0], NULL, NULL) < 0)
            return errno == EEXIST ? &elsewhere[i] : NULL;
    }
    return NULL;
}

TEST(opening_says_so_when_the_wrong_thread_fills_the_ring)
{
    struct host host;
    pthread_t thread;
    void *last = NULL;
    int(*pair)[2];
    host_init(&host);
    host.config.max_handshakes = 2 * WSP_URING_ENTRIES;
    host_start(&host);
    host_turn(&host);
    if (!is_deferred(host.loop)) {
        host_end(&host);
        skip();
    }
    assert_int_equal(pthread_create(&thread, NULL, open_elsewhere, &host), 0);
    assert_int_equal(pthread_join(thread, &last), 0);
    assert_non_null(last);
    assert_int_equal(host.loop->turned_away, 1);
    host_client(&host, "/echo");
    for (pair = elsewhere; pair != last; pair++)
        close((*pair)[1]);
    close((*pair)[1]);
    UNTIL(&host, host.loop->count == 1);
    host_end(&host);
}

static void *turn_elsewhere(void *argument)
{
    struct host *host = argument;
    return wspool_uring_turn(host->loop, 0) == -1 && errno == EEXIST ? argument : NULL;
}

/* A request to read a new peer was waiting: the right thread hands it over. */
TEST(loop_goes_on_when_the_wrong_thread_has_tried_a_turn)
{
    struct host host;
    net_client *client;
    pthread_t thread;
    void *result = NULL;
    int pair[2];
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    if (!is_deferred(host.loop)) { /* there a turn of another thread may succeed */
        host_end(&host);
        skip();
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(wspool_uring_add(host.loop, pair[0], NULL, NULL), 0);
    assert_int_equal(pthread_create(&thread, NULL, turn_elsewhere, &host), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &host);
    net_client_text(client, "hello", 5);
    UNTIL(&host, client->in.messages == 1);
    assert_int_equal(write(pair[1], UPGRADE, sizeof(UPGRADE) - 1), (ssize_t)sizeof(UPGRADE) - 1);
    UNTIL(&host, host.opened == 2);
    close(pair[1]);
    host_end(&host);
}

/* More transports than the ring takes at a time, and accepted ones. */
TEST(everybody_is_received_when_the_kernel_takes_no_requests_for_a_moment)
{
    enum { COUNT = WSP_URING_ENTRIES + 20 };
    static int pairs[COUNT][2];
    struct host host;
    host_init(&host);
    host.config.max_handshakes = 2 * COUNT;
    host_start(&host);
    host_turn(&host);
    submit_errors[0] = EAGAIN;
    submit_errors[1] = EBUSY;
    submit_errors[2] = EINTR;
    wait_errors[0] = EBUSY;
    wait_errors[1] = EAGAIN;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        assert_int_equal(wspool_uring_add(host.loop, pairs[i][0], NULL, NULL), 0);
        assert_int_equal(write(pairs[i][1], UPGRADE, sizeof(UPGRADE) - 1),
                         (ssize_t)sizeof(UPGRADE) - 1);
    }
    assert_int_equal(submit_errors[0], 0);
    UNTIL(&host, host.opened == COUNT);
    assert_int_equal(wait_errors[0], 0);
    assert_int_equal(host.loop->turned_away, 0);
    host_client(&host, "/echo");
    for (int i = 0; i < COUNT; i++)
        close(pairs[i][1]);
    host_end(&host);
}

TEST(everybody_is_written_to_when_the_kernel_takes_no_writes_for_a_moment)
{
    struct host host;
    host_init(&host);
    host.react = broadcast_to_room;
    host_start(&host);
    for (size_t i = 0; i < CLIENTS; i++)
        host_client(&host, "/room/all");
    write_errors[0] = EAGAIN;
    write_errors[1] = EBUSY;
    write_errors[2] = EINTR;
    net_client_text(&host.clients[0], "hello", 5);
    for (size_t i = 0; i < CLIENTS; i++)
        UNTIL(&host, host.clients[i].in.messages == 1);
    assert_int_equal(write_errors[0], 0);
    assert_int_equal(host.closed, 0);
    host_end(&host);
}

TEST(connection_is_closed_when_it_was_accepted_too_late)
{
    struct host host;
    net_client *client;
    host_init(&host);
    host_start(&host);
    host_turn(&host);
    client = &host.clients[host.count++];
    net_client_open(client, host.port, "/echo");
    /* The kernel accepts; the loop has not handled it yet. */
    assert_int_equal(io_uring_get_events(&host.loop->ring), 0);
    wspool_uring_stop_listening(host.loop);
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->in.status, 0);
    assert_int_equal(host.loop->count, 0);
    host_end(&host);
}

/* A client that connects after the listener was closed is refused: no accept stays with the kernel.
 * */
TEST(listener_is_closed_when_the_kernel_takes_no_requests_for_a_moment)
{
    struct host host;
    net_client *late;
    host_init(&host);
    host_start(&host);
    host_turn(&host);
    cancel_errors[0] = EAGAIN;
    cancel_errors[1] = EBUSY;
    cancel_errors[2] = EINTR;
    wspool_uring_stop_listening(host.loop);
    assert_int_equal(cancel_errors[0], 0);
    late = &host.clients[host.count++];
    net_client_connect(late, host.port, 0);
    for (uint64_t since = 0; late->end == NET_HERE && net_patient(&since);)
        net_client_turn(late);
    assert_int_equal(late->end, NET_RESET); /* ECONNREFUSED */
    host_end(&host);
}

/* ------------------------------------------------------------------ nested */

/* One turn of the host's loop, if something wakes it within `wait` milliseconds. */
static int nested_turn(struct host *host, int wait)
{
    int woken = base_sleep(host->base, wait);
    if (woken)
        assert_int_equal(wspool_uring_turn(host->loop, 0), 0);
    for (size_t i = 0; i < host->count; i++)
        net_client_turn(&host->clients[i]);
    return woken;
}

/* Turns until `condition` holds and nothing is left to do: few, since the loop does not spin. */
#define NESTED_UNTIL(host, condition) \
    do { \
        int turns = 0; \
        for (uint64_t since = 0; !(condition) && net_patient(&since);) \
            turns += nested_turn(host, 20); \
        while (turns < 100 && nested_turn(host, 20)) \
            turns++; \
        assert_in_range(turns, 1, 20); \
    } while (0)

static void nested_start(struct host *host, uint64_t ping_interval)
{
    host_init(host);
    host->config.ping_interval = ping_interval;
    assert_int_equal(uring_make(host), 0);
    uring_nest(host); /* before the first turn */
    host->pool = wspool_uring_pool(host->loop);
    assert_int_equal(wspool_route(host->pool, "/room/{name}", WSPOOL_ITEM, NULL), 0);
    assert_int_equal(wspool_route(host->pool, "/echo", WSPOOL_NONE, NULL), 0);
    host->port = (unsigned)wspool_uring_listen(host->loop, "127.0.0.1", 0);
    host_client(host, "/room/all");
    wspool_uring_wake(host->loop);
    NESTED_UNTIL(host, 1);
}

/* Without pings nothing but the event itself wakes the loop. */
TEST(hosts_loop_sleeps_until_something_happens_when_the_engine_is_nested)
{
    struct host host;
    int pair[2];
    nested_start(&host, 0);
    /* outside of a turn: a publication, a wake-up from this thread, a new transport, a close */
    assert_int_equal(wspool_broadcast(host.pool, wspool_item("all"), "hello", 5, NULL, NULL), 1);
    NESTED_UNTIL(&host, host.clients[0].in.messages == 1);
    wspool_uring_wake(host.loop);
    NESTED_UNTIL(&host, 1);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    assert_int_equal(write(pair[1], UPGRADE, sizeof(UPGRADE) - 1), (ssize_t)sizeof(UPGRADE) - 1);
    assert_int_equal(wspool_uring_add(host.loop, pair[0], NULL, NULL), 0);
    NESTED_UNTIL(&host, host.opened == 2);
    close(pair[1]);
    NESTED_UNTIL(&host, host.closed == 1);
    assert_int_equal(wspool_close(host.pool, host.ids[0], 1000, NULL, 0), 0);
    NESTED_UNTIL(&host, host.clients[0].in.close_code == 1000);
    host_end(&host);
}

TEST(hosts_loop_sleeps_until_something_is_due_when_the_engine_is_nested)
{
    struct host host;
    nested_start(&host, 300 * WSPOOL_MILLISECOND);
    uint64_t pings = net_stats(host.pool).pings_sent;
    NESTED_UNTIL(&host, net_stats(host.pool).pings_sent > pings);
    host_end(&host);
}

/* ----------------------------------------------------------------- refusal */

/* From now on this process gets `error` for io_uring_setup. */
static int forbid(int error)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(rules) / sizeof(*rules), rules};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) |
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

static int refused(int error)
{
    wspool_uring *loop;
    return forbid(error) == 0 && wspool_uring_new(&loop, NULL) == -1 && errno == error && !loop;
}

TEST(init_says_why_when_the_kernel_refuses)
{
    static const int errors[] = {EPERM, ENOSYS, ENOMEM};
    static const char *const words[] = {"forbidden", "Linux 6.0", "memory"};
    for (int i = 0; i < 3; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0)
            _exit(refused(errors[i]) ? 0 : 1);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_non_null(strstr(wspool_uring_why(errors[i]), words[i]));
    }
    assert_string_equal(wspool_uring_why(EMFILE), strerror(EMFILE));
}

TEST(echo_tells_what_to_do_when_the_kernel_refuses)
{
    char said[512] = "";
    int status, out[2];
    pid_t pid;
    ssize_t n;
    assert_int_equal(pipe(out), 0);
    pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        if (forbid(EPERM) == 0)
            execl("build/examples/echo", "echo", "--io", "uring", "--port", "0", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    n = read(out[0], said, sizeof(said) - 1);
    close(out[0]);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 1);
    assert_true(n > 0);
    assert_non_null(strstr(said, "try --io epoll"));
    assert_non_null(strstr(said, "forbidden"));
}

/* Its first line is that of a server that listens. */
TEST(echo_takes_epoll_by_itself_when_the_kernel_refuses)
{
    char said[512] = "";
    int status, out[2];
    size_t len = 0;
    ssize_t n;
    assert_int_equal(pipe(out), 0);
    pid_t pid = fork();
    if (pid == 0) {
        dup2(out[1], STDERR_FILENO);
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        if (forbid(EPERM) == 0)
            execl("build/examples/echo", "echo", "--io", "auto", "--port", "0", (char *)NULL);
        _exit(127);
    }
    close(out[1]);
    while (!strstr(said, "listening on") &&
           (n = read(out[0], said + len, sizeof(said) - 1 - len)) > 0)
        len += (size_t)n;
    assert_int_equal(kill(pid, SIGTERM), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(out[0]);
    assert_int_equal(status, 0);
    assert_non_null(strstr(said, "epoll moves the bytes: io_uring is forbidden"));
    assert_non_null(strstr(said, "listening on"));
}

BEFORE_ALL
{
    wspool_uring *loop;
    if (wspool_uring_new(&loop, NULL) < 0)
        test_skip_all(wspool_uring_why(errno));
    wspool_uring_free(loop);
}

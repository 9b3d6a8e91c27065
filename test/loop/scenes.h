/* SPDX-License-Identifier: MIT */
/*
 * loop/scenes.h - what every adapter must do, with server and clients in one thread.
 *
 * Included once by test_ADAPTER.c, below what host.h asks for: that is all it takes for these tests
 * to run. Those that an adapter has no means for (see struct adapter) are skipped.
 */
#ifndef WSPOOL_TEST_LOOP_SCENES_H
#define WSPOOL_TEST_LOOP_SCENES_H

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host.h"

/* The bounds that wspool/sockets.h states. */
enum { LISTENERS = 8, LINGERING_MAX = 64, LINGER_BYTES = 16 << 20 };

/* ------------------------------------------------------------------- bytes */

TEST(message_comes_back_when_it_is_echoed)
{
    struct host host;
    net_client *client;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    net_client_text(client, "hello", 5);
    UNTIL(&host, client->in.messages == 1);
    assert_true(got_is(reader_message(&client->in, 0), "hello", 5));
    host_end(&host);
    assert_int_equal(host.last.why, WSPOOL_END_EOF);
}

/* 8 MiB go to a client that does not read. The rest waits in the pool, reading pauses, and what the
 * client sends meanwhile stays in the kernel. Later all of it arrives in order. */
TEST(output_waits_and_reading_pauses_when_the_client_does_not_read)
{
    enum { LEN = 1 << 20, COUNT = 8 };
    static uint8_t bytes[LEN];
    struct host host;
    net_client *client;
    uint64_t fed;
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host.config.message_bytes = 2u << 20;
    host_start(&host);
    client = host_client(&host, "/echo");
    client->deaf = 1;
    for (unsigned i = 0; i < COUNT; i++) {
        net_fill(bytes, LEN, i);
        net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    }
    UNTIL(&host, net_stats(host.pool).blocked > 0);
    do { /* until neither kernel takes any more */
        fed = net_stats(host.pool).received_bytes;
        for (int i = 0; i < 50; i++)
            host_turn(&host);
    } while (net_stats(host.pool).received_bytes > fed);
    assert_true(is_awaited(&host, host.ids[0], FOR_ROOM));
    assert_in_range(fed, 1, COUNT / 2 * LEN);
    client->deaf = 0;
    UNTIL(&host, client->in.messages == COUNT);
    for (unsigned i = 0; i < COUNT; i++) {
        net_fill(bytes, LEN, i);
        assert_true(got_is(reader_message(&client->in, i), bytes, LEN));
    }
    UNTIL(&host, is_awaited(&host, host.ids[0], FOR_BYTES));
    host_end(&host);
}

/* Writes of seven bytes, while more messages wait: none is lost, doubled or reordered. */
TEST(messages_arrive_whole_and_in_order_when_each_write_is_short)
{
    enum { LEN = 200, COUNT = 20 };
    uint8_t bytes[LEN];
    struct host host;
    net_client *client;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    net_send_most = 7;
    for (unsigned i = 0; i < COUNT; i++) {
        net_fill(bytes, LEN, i);
        net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    }
    UNTIL(&host, client->in.messages == COUNT);
    net_send_most = 0;
    for (unsigned i = 0; i < COUNT; i++) {
        net_fill(bytes, LEN, i);
        assert_true(got_is(reader_message(&client->in, i), bytes, LEN));
    }
    host_end(&host);
}

TEST(peer_is_ended_when_it_takes_nothing_for_too_long)
{
    enum { LEN = 16 << 20 };
    struct host host;
    net_client *client;
    uint8_t *bytes = calloc(1, LEN);
    assert_non_null(bytes);
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host.config.flush_time = 200 * WSPOOL_MILLISECOND;
    host_start(&host);
    client = host_client(&host, "/echo");
    client->deaf = 1;
    assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, LEN, NULL), 0);
    UNTIL(&host, host.closed == 1);
    assert_int_equal(host.last.why, WSPOOL_END_FLUSH_TIMEOUT);
    free(bytes);
    host_end(&host);
}

/* The client sends its messages, half closes and reads later. Meanwhile the loop sleeps. */
TEST(output_waits_when_the_client_has_half_closed)
{
    enum { LEN = 60000, COUNT = 200 };
    static uint8_t bytes[LEN];
    struct host host;
    net_client *client;
    uint64_t until;
    unsigned before;
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host_start(&host);
    client = host_client(&host, "/echo");
    client->deaf = 1;
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, LEN, NULL), 0);
    UNTIL(&host, net_stats(host.pool).blocked > 0);
    net_client_text(client, "that is all", 11);
    net_client_turn(client);
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
    before = net_waits;
    until = wspool_clock() + 300 * WSPOOL_MILLISECOND;
    while (wspool_clock() < until)
        assert_int_equal(host_sleep(&host, 50), 0);
    assert_true(net_waits - before < 20);
    assert_int_equal(host.closed, 0);
    client->deaf = 0;
    UNTIL(&host, client->in.messages >= COUNT);
    UNTIL(&host, host.closed == 1);
    assert_int_equal(host.last.why, WSPOOL_END_EOF);
    host_end(&host);
}

/* The last messages are answered, although the end comes with them. */
TEST(last_words_are_answered_when_the_client_half_closes_behind_them)
{
    struct host host;
    net_client *client;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    net_client_text(client, "last words", 10);
    net_client_turn(client);
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->in.messages, 1);
    assert_int_equal(host.last.why, WSPOOL_END_EOF);
    host_end(&host);
}

/* Messages before the Close are answered before the Close. */
TEST(close_is_answered_when_the_client_begins_it)
{
    static const uint8_t code[] = {0x03, 0xe8};
    struct host host;
    net_client *client;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    net_client_text(client, "last words", 10);
    net_client_frame(client, FIN | OP_CLOSE, code, sizeof(code));
    client->silent = 1; /* the Close that comes is the answer */
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->end, NET_FIN);
    assert_int_equal(client->in.close_code, 1000);
    assert_int_equal(client->in.messages, 1);
    host_end(&host);
}

/* A FIN or a reset at each stage: before the first byte, within the head, with the answer on its
 * way, open, within a frame, with a Close on its way, and with output that waits. */
TEST(books_balance_when_clients_die_at_every_stage)
{
    enum { STAGES = 7 };
    static uint8_t bytes[16 << 20];
    for (int i = 0; i < 2 * STAGES; i++) {
        enum net_kill how = i % 2 ? NET_KILL_RST : NET_KILL_FIN;
        struct host host;
        net_client *client;
        host_init(&host);
        host.config.queue_bytes = 64u << 20;
        host.config.pool_bytes = 128u << 20;
        host_start(&host);
        client = &host.clients[host.count++];
        net_client_connect(client, host.port, 0);
        UNTIL(&host, host_count(&host) == 1);
        if (i / 2 == 1)
            blob_text(&client->out, "GET /echo HTTP/1.1\r\nHost: pool.exa");
        if (i / 2 >= 2)
            net_client_request(client, "/echo");
        net_client_turn(client);
        if (i / 2 == 1)
            assert_int_equal(host_sleep(&host, 100), 0);
        if (i / 2 >= 3) {
            UNTIL(&host, client->in.status == 101);
        }
        if (i / 2 == 4) {
            blob_text(&client->out, "\x81\xfe");
            host_turn(&host);
        } else if (i / 2 == 5) {
            assert_int_equal(wspool_close(host.pool, host.ids[0], 1000, NULL, 0), 0);
            client->deaf = 1;
            host_turn(&host);
        } else if (i / 2 == 6) {
            client->deaf = 1;
            assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, sizeof(bytes), NULL), 0);
            UNTIL(&host, net_stats(host.pool).blocked > 0);
        }
        net_client_kill(client, how);
        UNTIL(&host, host_count(&host) == 0);
        host_end(&host);
    }
}

/* The socket holds more than one turn reads when the reset follows. */
TEST(all_is_read_when_a_client_sends_much_and_resets)
{
    enum { LEN = 60000, COUNT = 4 };
    static uint8_t bytes[LEN];
    struct host host;
    net_client *client;
    uint64_t before;
    int large = 1 << 20;
    host_init(&host);
    host.react = answer_words;
    host_start(&host);
    assert_int_equal(setsockopt(net_listener(0), SOL_SOCKET, SO_RCVBUF, &large, sizeof(large)), 0);
    LOOP(kernel_bytes)(host.loop, 4u << 20); /* for the answers */
    client = host_client(&host, "/echo");
    before = net_stats(host.pool).received_bytes;
    for (int i = 0; i < COUNT; i++)
        net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    net_client_deliver(client);
    net_client_kill(client, NET_KILL_RST);
    UNTIL(&host, host.closed == 1);
    assert_int_equal(host.last.why, WSPOOL_END_FAILED);
    assert_true(net_stats(host.pool).received_bytes - before > 65536);
    host_end(&host);
}

TEST(message_goes_out_later_when_the_socket_takes_nothing)
{
    struct host host;
    net_client *client;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    net_send_errors[0] = EAGAIN;
    net_send_errors[1] = EINTR;
    net_client_text(client, "hello", 5);
    UNTIL(&host, client->in.messages == 1);
    assert_int_equal(net_send_errors[0], 0);
    assert_int_equal(host.closed, 0);
    host_end(&host);
}

TEST(peer_has_failed_when_writing_to_it_does)
{
    struct host host;
    net_client *client;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    net_send_errors[0] = ETIMEDOUT;
    net_client_text(client, "hello", 5);
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(host.closed, 1);
    assert_int_equal(host.last.why, WSPOOL_END_FAILED);
    host_end(&host);
}

/* The first write to a socket that the client has closed causes a reset, the second a broken pipe.
 * Both come before the loop reads. */
TEST(no_signal_is_raised_when_the_pipe_is_broken)
{
    struct host host;
    assert_true(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    host_init(&host);
    host_start(&host);
    net_client_kill(host_client(&host, "/echo"), NET_KILL_FIN);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(wspool_send(host.pool, host.ids[0], "hello", 5, NULL), 0);
        LOOP_FLUSH(&host);
    }
    assert_int_equal(host.closed, 1);
    assert_int_equal(host.last.why, WSPOOL_END_FAILED);
    host_end(&host);
}

/* The peer is neither read nor written. The wait for room in its socket finds the reset. */
TEST(reset_is_noticed_once_when_reading_is_paused)
{
    enum { LEN = 16 << 20 };
    struct host host;
    net_client *client;
    uint8_t *bytes = calloc(1, LEN);
    unsigned before;
    assert_non_null(bytes);
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host_start(&host);
    client = host_client(&host, "/echo");
    client->deaf = 1;
    assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, LEN, NULL), 0);
    UNTIL(&host, net_stats(host.pool).blocked > 0);
    net_client_kill(client, NET_KILL_RST);
    before = net_waits;
    UNTIL(&host, host.closed == 1);
    assert_int_equal(host.last.why, WSPOOL_END_FAILED);
    assert_true(net_waits - before < 10);
    UNTIL(&host, host_count(&host) == 0);
    free(bytes);
    host_end(&host);
}

static void broadcast_to_room(struct host *host, wspool_id id, const wspool_message *message)
{
    wspool_channel room;
    assert_int_equal(wspool_channels_of(host->pool, id, &room, 1), 1);
    assert_true(wspool_broadcast(host->pool, room, message->data, message->len, NULL, NULL) >= 0);
}

/* 20,000 messages of one byte at once, in a pool with the default limits: far more than a queue may
 * hold, but every member takes them as they come. */
TEST(nobody_is_slow_when_a_member_floods_its_room_with_small_messages)
{
    enum { COUNT = 20000, MEMBERS = 4 };
    struct host host;
    host_init(&host);
    host.react = broadcast_to_room;
    host_start(&host);
    for (size_t i = 0; i < MEMBERS; i++)
        host_client(&host, "/room/flood");
    for (size_t i = 0; i < COUNT; i++)
        net_client_text(&host.clients[0], "x", 1);
    for (size_t i = 0; i < MEMBERS; i++)
        UNTIL(&host, host.clients[i].in.messages == COUNT || host.closed > 0);
    assert_int_equal(host.closed, 0);
    host_end(&host);
}

static inline void no_reaction(struct host *host, wspool_id id, const wspool_message *message)
{
    (void)host;
    (void)id;
    (void)message;
}

/* ------------------------------------------------------------------ events */

static void on_token(wspool *pool, wspool_id id, const wspool_request *request, wspool_verdict *out,
                     void *user)
{
    (void)pool;
    (void)request;
    ((struct host *)user)->asked = id;
    out->kind = WSPOOL_PENDING;
}

/* While a verdict is pending the peer is neither read nor written: only the wait for errors finds
 * the reset. */
TEST(reset_is_noticed_once_when_nothing_is_awaited_from_the_socket)
{
    struct host host;
    net_client *client;
    unsigned before;
    host_init(&host);
    host.config.token.call = on_token;
    host.config.token.user = &host;
    host_start(&host);
    client = &host.clients[host.count++];
    net_client_open(client, host.port, "/echo?token=secret");
    UNTIL(&host, host.asked != 0);
    UNTIL(&host, is_awaited(&host, host.asked, FOR_NOTHING));
    net_client_kill(client, NET_KILL_RST);
    before = net_waits;
    UNTIL(&host, host_count(&host) == 0);
    assert_true(net_waits - before < 10);
    assert_int_equal(net_stats(host.pool).refused[WSPOOL_REFUSED_GONE], 1);
    host_end(&host);
}

/* The same with a FIN, which the wait for errors does not find. */
TEST(end_is_noticed_once_when_nothing_is_awaited_from_the_socket)
{
    struct host host;
    net_client *client;
    host_init(&host);
    host.config.token.call = on_token;
    host.config.token.user = &host;
    host_start(&host);
    client = &host.clients[host.count++];
    net_client_open(client, host.port, "/echo?token=secret");
    UNTIL(&host, host.asked != 0);
    UNTIL(&host, is_awaited(&host, host.asked, FOR_NOTHING));
    net_client_kill(client, NET_KILL_FIN);
    for (int i = 0; i < 1000 && host_count(&host) > 0; i++)
        host_turn(&host);
    assert_int_equal(host_count(&host), 0);
    assert_int_equal(net_stats(host.pool).refused[WSPOOL_REFUSED_GONE], 1);
    host_end(&host);
}

/* The client sends a message and half closes while its verdict is pending. The message is received
 * after the verdict. Until then the loop sleeps. */
TEST(last_words_are_received_when_the_client_half_closes_before_the_verdict)
{
    wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    struct host host;
    net_client *client;
    uint64_t until;
    unsigned before;
    host_init(&host);
    host.config.token.call = on_token;
    host.config.token.user = &host;
    host_start(&host);
    client = &host.clients[host.count++];
    net_client_open(client, host.port, "/echo?token=secret");
    UNTIL(&host, host.asked != 0);
    UNTIL(&host, is_awaited(&host, host.asked, FOR_NOTHING));
    net_client_text(client, "last words", 10);
    net_client_turn(client);
    assert_int_equal(shutdown(client->fd, SHUT_WR), 0);
    before = net_waits;
    until = wspool_clock() + 300 * WSPOOL_MILLISECOND;
    while (wspool_clock() < until)
        assert_int_equal(host_sleep(&host, 50), 0);
    assert_true(net_waits - before < 20);
    assert_int_equal(host_count(&host), 1);
    assert_int_equal(wspool_auth_complete(host.pool, host.asked, &verdict), 0);
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->in.messages, 1);
    assert_int_equal(host.messages, 1);
    assert_int_equal(host.last.why, WSPOOL_END_EOF);
    host_end(&host);
}

/* A peer of hosted mode, with a first message behind the request. */
TEST(messages_flow_when_a_stream_was_adopted)
{
    static const unsigned char hello[] = {0x81, 0x82, 0, 0, 0, 0, 'h', 'i'};
    static const wspool_header headers[] = {
        {{"Host", 4}, {"pool.example", 12}},
        {{"Upgrade", 7}, {"websocket", 9}},
        {{"Connection", 10}, {"Upgrade", 7}},
        {{"Sec-WebSocket-Version", 21}, {"13", 2}},
        {{"Sec-WebSocket-Key", 17}, {"dGhlIHNhbXBsZSBub25jZQ==", 24}}};
    wspool_request request;
    wspool_answer answer;
    wspool_id id = 0;
    struct host host;
    unsigned char back[16];
    int pair[2];
    host_init(&host);
    host_start(&host);
    memset(&request, 0, sizeof(request));
    request.size = sizeof(request);
    request.method = (wspool_text){"GET", 3};
    request.target = (wspool_text){"/echo", 5};
    request.http_major = request.http_minor = 1;
    request.headers = headers;
    request.header_count = 5;
    assert_int_equal(wspool_upgrade(host.pool, &request, wspool_clock(), &id, &answer),
                     WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(LOOP(adopt)(host.loop, id, pair[0], hello, sizeof(hello)), 0);
    assert_int_equal(write(pair[1], hello, sizeof(hello)), (ssize_t)sizeof(hello));
    UNTIL(&host, host.messages == 2);
    host_turn(&host);
    assert_int_equal(read(pair[1], back, sizeof(back)), 8);
    assert_memory_equal(back, "\x81\x02hi\x81\x02hi", 8);

    /* -1 is not a descriptor: it is not adopted, and the peer is gone. */
    assert_int_equal(wspool_upgrade(host.pool, &request, wspool_clock(), &id, &answer),
                     WSPOOL_UPGRADE_ACCEPTED);
    assert_int_equal(LOOP(adopt)(host.loop, id, -1, NULL, 0), -1);
    host_turn(&host);
    assert_null(wspool_user(host.pool, id));
    assert_int_equal(HOST_STAT(&host, turned_away), 1);
    close(pair[1]);
    UNTIL(&host, host_count(&host) == 0);
    host_end(&host);
}

/* The request on a transport that the test has made. */
#define UPGRADE \
    "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" \
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

enum { TABLE = 64 }; /* the first size of the engine's table */

/* From within a hook, opens a transport for which the engine's table has to grow. */
static int next_transport = -1;

static void open_another(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    struct host *host = user;
    (void)pool;
    (void)id;
    (void)closed;
    if (next_transport >= 0)
        assert_int_equal(LOOP(add)(host->loop, next_transport, NULL, NULL), 0);
    next_transport = -1;
}

TEST(loop_goes_on_when_a_hook_adds_a_transport_and_its_table_moves)
{
    static const unsigned char close_frame[] = {0x88, 0x80, 0, 0, 0, 0};
    struct host host;
    int pairs[TABLE + 1][2];
    host_init(&host);
    host.config.close.call = open_another;
    host_start(&host);
    for (int i = 0; i <= TABLE; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pairs[i]), 0);
        if (i < TABLE) {
            assert_int_equal(LOOP(add)(host.loop, pairs[i][0], NULL, NULL), 0);
            assert_int_equal(write(pairs[i][1], UPGRADE, sizeof(UPGRADE) - 1),
                             (ssize_t)sizeof(UPGRADE) - 1);
        }
    }
    UNTIL(&host, host.opened == TABLE);
    next_transport = pairs[TABLE][0];
    assert_int_equal(write(pairs[3][1], close_frame, sizeof(close_frame)),
                     (ssize_t)sizeof(close_frame));
    UNTIL(&host, next_transport < 0);
    host_turn(&host);
    for (int i = 0; i <= TABLE; i++)
        close(pairs[i][1]);
    UNTIL(&host, host_count(&host) == 0);
    host_free(&host);
}

/* The other ends of the transports that open_table opens with the first message. */
static int table[TABLE];

static void open_table(struct host *host, wspool_id id, const wspool_message *message)
{
    (void)id;
    (void)message;
    for (int i = 0; i < TABLE && host->messages == 1; i++) {
        int pair[2];
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
        assert_int_equal(LOOP(add)(host->loop, pair[0], NULL, NULL), 0);
        table[i] = pair[1];
    }
}

static void close_table(void)
{
    for (int i = 0; i < TABLE; i++)
        close(table[i]);
}

/* The same within the input of a peer, while more of it waits. */
TEST(messages_go_on_when_the_hook_adds_transports_and_the_table_moves)
{
    enum { COUNT = 1000 };
    struct host host;
    net_client *client;
    host_init(&host);
    host.config.max_handshakes = 2 * TABLE;
    host.config.queue_messages = 1024 / 30; /* many bursts */
    host.react = open_table;
    host_start(&host);
    client = host_client(&host, "/echo");
    for (size_t i = 0; i < COUNT; i++)
        net_client_text(client, "hello", 5);
    UNTIL(&host, host.messages == COUNT);
    assert_true(host_count(&host) > TABLE);
    assert_int_equal(host.closed, 0);
    close_table();
    host_end(&host);
}

struct thread_task {
    struct host *host;
    wspool_id id;
};

static void *complete_elsewhere(void *argument)
{
    struct thread_task *task = argument;
    wspool_verdict verdict = {.size = sizeof verdict, .kind = WSPOOL_ACCEPT};
    return wspool_auth_complete(task->host->pool, task->id, &verdict) == 0 ? task : NULL;
}

TEST(loop_wakes_when_another_thread_completes_a_verdict)
{
    struct host host;
    struct thread_task task = {&host, 0};
    net_client *client;
    pthread_t thread;
    void *result = NULL;
    host_init(&host);
    host.config.token.call = on_token;
    host.config.token.user = &host;
    host_start(&host);
    client = &host.clients[host.count++];
    net_client_open(client, host.port, "/echo?token=secret");
    UNTIL(&host, host.asked != 0);
    task.id = host.asked;
    assert_int_equal(pthread_create(&thread, NULL, complete_elsewhere, &task), 0);
    /* If it waited for a deadline of the pool, the client would be refused. */
    for (uint64_t since = 0; client->in.status == 0 && net_patient(&since);) {
        assert_int_equal(host_sleep(&host, -1), 0);
        net_client_turn(client);
    }
    assert_int_equal(client->in.status, 101);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &task);
    host_end(&host);
}

static void *quit_elsewhere(void *argument)
{
    LOOP(quit)(argument);
    return NULL;
}

TEST(run_returns_when_another_thread_quits_it)
{
    struct host host;
    pthread_t thread;
    uint64_t until = wspool_clock() + NET_PATIENCE;
    if (!adapter.run)
        skip();
    host_init(&host);
    host_start(&host);
    LOOP(wake)(host.loop);
    assert_int_equal(pthread_create(&thread, NULL, quit_elsewhere, host.loop), 0);
    assert_int_equal(host_run(&host, until), 0);
    assert_true(wspool_clock() < until);
    assert_int_equal(pthread_join(thread, NULL), 0);
    /* Only this run ends. */
    until = wspool_clock() + 20 * WSPOOL_MILLISECOND;
    assert_int_equal(host_run(&host, until), 0);
    assert_true(wspool_clock() >= until);
    host_end(&host);
}

/* A signal may interrupt code that is about to read errno, also when so many wakes are pending that
 * one more fails. The loop still wakes, and quits. */
TEST(errno_is_kept_when_waking_fails)
{
    uint64_t full = UINT64_MAX - 1;
    struct host host;
    if (!adapter.run)
        skip();
    host_init(&host);
    host_start(&host);
    assert_int_equal(write(net_waker(), &full, sizeof(full)), (ssize_t)sizeof(full));
    errno = ETIMEDOUT;
    LOOP(wake)(host.loop);
    assert_int_equal(errno, ETIMEDOUT);
    LOOP(quit)(host.loop);
    assert_int_equal(errno, ETIMEDOUT);
    assert_int_equal(host_run(&host, UINT64_MAX), 0);
    host_end(&host);
}

static struct host *signalled;

static void on_signal(int number)
{
    (void)number;
    LOOP(quit)(signalled->loop);
}

TEST(run_returns_when_a_signal_comes)
{
    struct host host;
    uint64_t until = wspool_clock() + NET_PATIENCE;
    if (!adapter.run)
        skip();
    host_init(&host);
    host_start(&host);
    signalled = &host;
    assert_true(signal(SIGUSR1, on_signal) != SIG_ERR);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(host_run(&host, until), 0);
    assert_true(wspool_clock() < until);
    assert_true(signal(SIGUSR1, SIG_DFL) != SIG_ERR);
    host_end(&host);
}

/* Output that waits for flush_delay does not wait for a whole millisecond. The test does not
 * measure time: it checks for how long the loop asks to sleep. */
TEST(sleep_is_shorter_than_a_millisecond_when_flush_delay_is)
{
    enum { DELAY = 900000 };
    struct host host;
    net_client *client;
    uint64_t longest = 0, since = 0;
    if (!adapter.sleeps_exactly || !adapter.sleeps_exactly())
        skip();
    host_init(&host);
    host.config.flush_delay = DELAY;
    host_start(&host);
    client = host_client(&host, "/echo");
    for (unsigned n = 1; longest == 0 && net_patient(&since); n++) {
        net_client_text(client, "hello", 5);
        for (net_client_turn(client); host.messages < n; net_client_turn(client))
            assert_int_equal(host_sleep(&host, -1), 0);
        for (net_client_turn(client); client->in.messages < n; net_client_turn(client)) {
            assert_int_equal(host_sleep(&host, -1), 0);
            if (net_wait_time > longest)
                longest = net_wait_time;
        }
    }
    assert_true(longest <= DELAY);
    host_end(&host);
}

/* --------------------------------------------------------------- accepting */

TEST(listen_answers_the_port_or_says_why_not)
{
    struct host host;
    unsigned port;
    host_init(&host);
    host_start(&host);
    port = host.port;
    errno = 0;
    assert_int_equal(LOOP(listen)(host.loop, "127.0.0.1", port), -1);
    assert_int_equal(errno, EADDRINUSE);
    assert_int_equal(LOOP(listen)(host.loop, "fe80::1%no such zone", 0), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(LOOP(listen)(host.loop, "", 0), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(LOOP(listen)(host.loop, "127.0.0.1", 65536), -1);
    assert_int_equal(errno, EINVAL);
    for (int i = 1; i < LISTENERS; i++)
        assert_true(LOOP(listen)(host.loop, "127.0.0.1", 0) > 0);
    assert_int_equal(LOOP(listen)(host.loop, "127.0.0.1", 0), -1);
    assert_int_equal(errno, ENOSPC);
    /* Each of them accepts. */
    for (int i = 0; i < LISTENERS; i++) {
        struct sockaddr_in address;
        socklen_t len = sizeof(address);
        assert_int_equal(getsockname(net_listener(i), (struct sockaddr *)&address, &len), 0);
        host.port = ntohs(address.sin_port);
        host_client(&host, "/echo");
    }
    host_end(&host);
}

TEST(ipv6_is_listened_on_when_the_machine_has_it)
{
    struct sockaddr_in6 there;
    struct host host;
    net_client *client;
    int port;
    host_init(&host);
    host_start(&host);
    port = LOOP(listen)(host.loop, "::1", 0);
    if (port < 0 && (errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT)) {
        host_end(&host);
        skip();
    }
    assert_true(port > 0);
    memset(&there, 0, sizeof(there));
    there.sin6_family = AF_INET6;
    there.sin6_port = htons((uint16_t)port);
    there.sin6_addr = in6addr_loopback;
    client = &host.clients[host.count++];
    client->fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&there, sizeof(there)), 0);
    net_client_request(client, "/echo");
    UNTIL(&host, client->in.status == 101);
    host_end(&host);
}

/* As a service manager passes it: made elsewhere, of another family, and blocking. */
TEST(listener_of_the_hosts_own_is_accepted_from_when_it_is_adopted)
{
    struct sockaddr_un here;
    socklen_t len = sizeof(sa_family_t); /* the system chooses the name */
    struct host host;
    net_client *client;
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(&here, 0, sizeof(here));
    here.sun_family = AF_UNIX;
    assert_int_equal(bind(listener, (struct sockaddr *)&here, len), 0);
    assert_int_equal(listen(listener, 8), 0);
    host_init(&host);
    host_start(&host);
    assert_int_equal(LOOP(adopt_listener)(host.loop, listener), 0);
    len = sizeof(here);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    client = &host.clients[host.count++];
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&here, len), 0);
    net_client_request(client, "/echo");
    net_client_text(client, "hello", 5);
    UNTIL(&host, client->in.messages == 1);
    host_end(&host);
}

TEST(socket_is_not_adopted_when_it_does_not_listen)
{
    struct host host;
    unsigned before;
    int plain = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    host_init(&host);
    host_start(&host);
    assert_int_equal(LOOP(adopt_listener)(host.loop, plain), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(LOOP(adopt_listener)(host.loop, -1), -1);
    assert_int_equal(errno, EBADF);
    assert_int_equal(HOST_STAT(&host, listeners), 1);
    assert_int_equal(host_sleep(&host, 0), 0);
    before = net_waits;
    assert_int_equal(host_run(&host, wspool_clock() + 50 * WSPOOL_MILLISECOND), 0);
    assert_true(net_waits - before < 10); /* the loop sleeps */
    assert_false(HOST_STAT(&host, resting));
    assert_int_equal(close(plain), 0); /* the host still owns it */
    host_client(&host, "/echo");
    host_end(&host);
}

/* The host stops listening, before the first turn or later, and listens with a socket of its own,
 * which gets the same descriptor. The engine does not touch it. */
TEST(hosts_own_listener_keeps_its_client_when_its_descriptor_was_the_loops)
{
    for (int turns = 0; turns < 2; turns++) {
        struct sockaddr_in here;
        socklen_t len = sizeof(here);
        struct host host;
        net_client *client;
        int was, own, accepted;
        host_init(&host);
        host_start(&host);
        for (int i = 0; i < turns; i++)
            assert_int_equal(host_sleep(&host, 0), 0);
        was = net_listener(0);
        LOOP(stop_listening)(host.loop);
        own = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        assert_int_equal(own, was);
        memset(&here, 0, sizeof(here));
        here.sin_family = AF_INET;
        here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        assert_int_equal(bind(own, (struct sockaddr *)&here, len), 0);
        assert_int_equal(listen(own, 8), 0);
        assert_int_equal(getsockname(own, (struct sockaddr *)&here, &len), 0);
        client = &host.clients[host.count++];
        net_client_connect(client, ntohs(here.sin_port), 0);
        net_await(own);
        for (int i = 0; i < 5; i++)
            host_turn(&host);
        assert_int_equal(client->end, NET_HERE);
        assert_int_equal(host_count(&host), 0);
        accepted = accept(own, NULL, NULL);
        assert_true(accepted >= 0);
        close(accepted);
        close(own);
        host_end(&host);
    }
}

/* On a listener that the engine made, and on one that the host made. */
TEST(small_messages_do_not_wait_when_their_socket_was_accepted)
{
    struct sockaddr_in here;
    struct host host;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = sizeof(here);
    memset(&here, 0, sizeof(here));
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&here, len), 0);
    assert_int_equal(listen(listener, 8), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    host_init(&host);
    host_start(&host);
    assert_int_equal(LOOP(adopt_listener)(host.loop, listener), 0);
    host_client(&host, "/echo");
    host.port = ntohs(here.sin_port);
    host_client(&host, "/echo");
    for (size_t i = 0; i < 2; i++) {
        int no_delay = 0;
        len = sizeof(no_delay);
        assert_int_equal(getsockopt(LOOP(descriptor)(host.loop, host.ids[i]), IPPROTO_TCP,
                                    TCP_NODELAY, &no_delay, &len),
                         0);
        assert_int_equal(no_delay, 1);
    }
    host_end(&host);
}

TEST(next_one_is_accepted_when_a_connection_was_aborted)
{
    struct host host;
    net_accept_errors[0] = ECONNABORTED;
    net_accept_errors[1] = EPROTO;
    net_accept_errors[2] = EINTR;
    host_init(&host);
    host_start(&host);
    net_client_open(&host.clients[host.count++], host.port, "/echo");
    for (int i = 0; i < 4; i++) /* no time passes: accepting does not pause */
        assert_int_equal(host_sleep(&host, 0), 0);
    assert_int_equal(net_accept_errors[0], 0);
    assert_int_equal(host_count(&host), 1);
    host_end(&host);
}

/* The limit on descriptors is reached. The new client waits in the backlog and the loop sleeps. It
 * is served when a descriptor is free again. */
TEST(accepting_rests_when_descriptors_run_out_and_goes_on_when_one_is_free)
{
    enum { SPARE = 64 };
    struct host host;
    struct rlimit limit, old;
    net_client *newcomer;
    uint64_t until;
    unsigned before;
    int taken[SPARE], count = 0;
    if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "valgrind"))
        skip(); /* there the connection is accepted and lost before EMFILE is returned */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    taken[0] = dup(0);
    limit.rlim_cur = (rlim_t)(taken[0] + SPARE);
    close(taken[0]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    host_init(&host);
    host_start(&host);
    host_client(&host, "/echo");
    while (count < SPARE && (taken[count] = dup(0)) >= 0)
        count++;
    close(taken[--count]); /* the new client's own end takes it */
    newcomer = &host.clients[host.count++];
    net_client_open(newcomer, host.port, "/echo");

    before = net_waits;
    until = wspool_clock() + 250 * WSPOOL_MILLISECOND;
    while (wspool_clock() < until)
        assert_int_equal(host_sleep(&host, 1000), 0);
    assert_true(net_waits - before < 20);
    assert_int_equal(host_count(&host), 1);

    net_client_kill(&host.clients[0], NET_KILL_FIN);
    UNTIL(&host, newcomer->in.status == 101);
    while (count > 0)
        close(taken[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    UNTIL(&host, !HOST_STAT(&host, resting));
    host_end(&host);
}

/* The same, but other processes hold the descriptors: accepting resumes after a time. */
TEST(accepting_goes_on_by_itself_when_the_system_is_short_of_descriptors)
{
    struct host host;
    net_client *client;
    net_accept_errors[0] = ENFILE;
    net_accept_errors[1] = ENOMEM;
    host_init(&host);
    host_start(&host);
    client = &host.clients[host.count++];
    net_client_open(client, host.port, "/echo");
    UNTIL(&host, client->in.status == 101);
    assert_int_equal(net_accept_errors[0], 0);
    host_end(&host);
}

TEST(newcomer_is_turned_away_when_the_pool_has_no_place_for_handshakes)
{
    struct host host;
    host_init(&host);
    host.config.max_handshakes = 2;
    host.config.token.call = on_token; /* the verdict is awaited: they do not give way */
    host.config.token.user = &host;
    host_start(&host);
    for (; host.count < 2; host.count++)
        net_client_open(&host.clients[host.count], host.port, "/echo?token=secret");
    UNTIL(&host, net_stats(host.pool).stages[WSPOOL_STAGE_HEADERS].passed == 2);
    net_client_connect(&host.clients[host.count++], host.port, 0);
    UNTIL(&host, host.clients[2].end != NET_HERE);
    assert_int_equal(HOST_STAT(&host, turned_away), 1);
    assert_int_equal(host_count(&host), 2);
    for (size_t i = 0; i < 2; i++)
        net_client_kill(&host.clients[i], NET_KILL_FIN);
    UNTIL(&host, host_count(&host) == 0);
    net_client_open(&host.clients[host.count++], host.port, "/echo?token=secret");
    UNTIL(&host, net_stats(host.pool).stages[WSPOOL_STAGE_HEADERS].passed == 3);
    host_end(&host);
}

/* Those that say nothing do not shut out one that does. */
TEST(silent_connection_gives_way_when_the_pool_has_no_place_for_handshakes)
{
    struct host host;
    host_init(&host);
    host.config.max_handshakes = 2;
    host_start(&host);
    for (; host.count < 2; host.count++)
        net_client_connect(&host.clients[host.count], host.port, 0);
    UNTIL(&host, net_stats(host.pool).handshakes == 2);
    host_client(&host, "/echo");
    UNTIL(&host, host.clients[0].end != NET_HERE);
    assert_int_equal(host.clients[0].in.status, 503);
    assert_true(reader_says(&host.clients[0].in, "gave_way"));
    assert_int_equal(host.clients[1].end, NET_HERE);
    host_end(&host);
}

/* Its client does not close, and is not waited for. */
TEST(silent_connection_is_closed_at_once_when_the_loop_drains)
{
    struct sockaddr_in there = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct host host;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    host_init(&host);
    host_start(&host);
    there.sin_port = htons((uint16_t)host.port);
    assert_int_equal(connect(fd, (struct sockaddr *)&there, sizeof(there)), 0);
    UNTIL(&host, host_count(&host) == 1);
    uint64_t before = wspool_clock();
    assert_int_equal(LOOP(drain)(host.loop, 60 * WSPOOL_SECOND, 0, NULL, NULL), 0);
    UNTIL(&host, LOOP(drained)(host.loop));
    assert_true(wspool_clock() - before < 900 * WSPOOL_MILLISECOND);
    close(fd);
    host_end(&host);
}

/* A silent connection and half a request do not hold a drain up. */
TEST(drain_does_not_wait_when_connections_have_not_sent_a_request)
{
    struct host host;
    host_init(&host);
    host_start(&host);
    for (; host.count < 2; host.count++)
        net_client_connect(&host.clients[host.count], host.port, 0);
    blob_text(&host.clients[1].out, "GET /echo HTTP/1.1\r\n");
    UNTIL(&host, net_stats(host.pool).stages[WSPOOL_STAGE_BYTES].passed == 1);
    uint64_t before = wspool_clock();
    assert_int_equal(LOOP(drain)(host.loop, 60 * WSPOOL_SECOND, 0, NULL, NULL), 0);
    UNTIL(&host, LOOP(drained)(host.loop));
    assert_true(wspool_clock() - before < 5 * WSPOOL_SECOND);
    for (size_t i = 0; i < 2; i++) {
        UNTIL(&host, host.clients[i].end != NET_HERE);
        assert_int_equal(host.clients[i].in.status, 503);
        assert_true(reader_says(&host.clients[i].in, "draining"));
    }
    host_end(&host);
}

/* ------------------------------------------------------------------ ending */

/* A head of 60 KB, of which the pool reads 16 KB. Closing a socket with unread bytes would reset
 * the connection, and the answer could be lost. */
TEST(refusal_arrives_whole_when_the_client_has_sent_more_than_was_read)
{
    static char head[60000];
    int error;
    socklen_t len = sizeof(error);
    struct host host;
    net_client *client;
    memset(head, 'x', sizeof(head));
    host_init(&host);
    host_start(&host);
    client = &host.clients[host.count++];
    net_client_connect(client, host.port, 0);
    blob_text(&client->out, "GET /echo HTTP/1.1\r\nHost: pool.example\r\nX: ");
    blob_add(&client->out, head, sizeof(head));
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->end, NET_FIN);
    assert_int_equal(client->in.status, 431);
    assert_true(reader_says(&client->in, "head_too_large"));
    assert_int_equal(getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &len), 0);
    assert_int_equal(error, 0);
    host_end(&host);
}

/* The kernel still holds most of a long echo when the pool is done with the client, which goes on
 * sending. Its input is discarded, but it gets the whole echo. */
TEST(echo_arrives_whole_when_the_client_sends_on_behind_its_close)
{
    enum { LEN = 4 << 20, PAGE = 16384 };
    static const uint8_t code[] = {0x03, 0xe8};
    static uint8_t bytes[LEN], page[PAGE];
    struct host host;
    net_client *client;
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host.config.message_bytes = LEN;
    host_start(&host);
    client = host_client(&host, "/echo");
    client->deaf = client->silent = 1;
    net_fill(bytes, LEN, 1);
    net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    net_client_frame(client, FIN | OP_CLOSE, code, sizeof(code));
    for (uint64_t since = 0; host.closed == 0 && net_patient(&since);) {
        ssize_t n = recv(client->fd, page, PAGE, MSG_DONTWAIT);
        if (n > 0)
            reader_take(&client->in, page, (size_t)n);
        host_turn(&host);
    }
    assert_int_equal(client->in.messages, 0);
    assert_int_equal(host_count(&host), 1);
    net_client_frame(client, FIN | OP_BINARY, bytes, LEN);
    for (int i = 0; i < 10; i++)
        host_turn(&host);
    client->deaf = 0;
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->end, NET_FIN);
    assert_int_equal(client->in.messages, 1);
    assert_true(got_is(reader_message(&client->in, 0), bytes, LEN));
    assert_int_equal(client->in.close_code, 1000);
    assert_int_equal(host.messages, 1);
    UNTIL(&host, host_count(&host) == 0);
    host_end(&host);
}

/* Makes a client that is refused and does not close its end. */
static int refused_one(struct host *host)
{
    static const char nonsense[] = "what?\r\n\r\n";
    uint64_t refusals = net_stats(host->pool).handshakes, since = 0;
    char answer[512];
    int pair[2];
    assert_int_equal(refusals, 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    assert_int_equal(LOOP(add)(host->loop, pair[0], NULL, NULL), 0);
    assert_int_equal(write(pair[1], nonsense, sizeof(nonsense) - 1), (ssize_t)sizeof(nonsense) - 1);
    while (recv(pair[1], answer, sizeof(answer), MSG_DONTWAIT) <= 0 && net_patient(&since))
        assert_int_equal(host_sleep(host, 1), 0);
    while (recv(pair[1], answer, sizeof(answer), MSG_DONTWAIT) != 0 && net_patient(&since))
        assert_int_equal(host_sleep(host, 1), 0);
    return pair[1];
}

/* Until then the loop sleeps, and the run of a draining engine goes on. */
TEST(lingering_ends_when_its_time_is_over)
{
    struct host host;
    unsigned before;
    uint64_t since = 0;
    int other;
    host_init(&host);
    host.config.closing_time = 300 * WSPOOL_MILLISECOND;
    host_start(&host);
    other = refused_one(&host);
    before = net_waits;
    assert_int_equal(LOOP(drain)(host.loop, 0, 0, NULL, NULL), 0);
    assert_int_equal(host_run(&host, wspool_clock() + 50 * WSPOOL_MILLISECOND), 0);
    assert_int_equal(host_count(&host), 1);
    assert_int_equal(send(other, "x", 1, MSG_NOSIGNAL), 1);
    while (host_count(&host) > 0 && net_patient(&since)) {
        assert_int_equal(host_sleep(&host, -1), 0);
        assert_true(net_waits - before < 20);
    }
    assert_int_equal(send(other, "x", 1, MSG_NOSIGNAL), -1);
    close(other);
    host_end(&host);
}

TEST(lingering_ends_when_too_much_is_sent)
{
    static char bytes[65536];
    struct host host;
    size_t sent = 0;
    uint64_t since = 0;
    int other;
    host_init(&host);
    host.config.closing_time = 10 * NET_PATIENCE;
    host_start(&host);
    other = refused_one(&host);
    while (host_count(&host) > 0 && net_patient(&since)) {
        ssize_t n = send(other, bytes, sizeof(bytes), MSG_NOSIGNAL | MSG_DONTWAIT);
        sent += n > 0 ? (size_t)n : 0;
        assert_true(sent < LINGER_BYTES + (4u << 20)); /* the kernel holds some of it */
        assert_int_equal(host_sleep(&host, 0), 0);
    }
    assert_true(sent > LINGER_BYTES);
    close(other);
    host_end(&host);
}

/* A transport beyond the bound is closed at once. */
TEST(only_so_many_linger_when_many_do_not_close)
{
    int others[LINGERING_MAX + 4];
    enum { COUNT = sizeof(others) / sizeof(*others) };
    struct host host;
    host_init(&host);
    host_start(&host);
    for (int i = 0; i < COUNT; i++)
        others[i] = refused_one(&host);
    UNTIL(&host, host_count(&host) == LINGERING_MAX);
    for (int i = 0; i < COUNT; i++)
        close(others[i]);
    UNTIL(&host, host_count(&host) == 0);
    host_end(&host);
}

TEST(nobody_lingers_when_newcomers_find_no_descriptors)
{
    enum { SPARE = 64 };
    struct host host;
    struct rlimit limit, old;
    net_client *newcomer;
    int others[2], taken[SPARE], count = 0;
    if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "valgrind"))
        skip(); /* there the connection is accepted and lost before EMFILE is returned */
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    taken[0] = dup(0);
    limit.rlim_cur = (rlim_t)(taken[0] + SPARE);
    close(taken[0]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    host_init(&host);
    host.config.closing_time = 10 * NET_PATIENCE;
    host_start(&host);
    for (int i = 0; i < 2; i++)
        others[i] = refused_one(&host);
    assert_int_equal(host_count(&host), 2);
    while (count < SPARE && (taken[count] = dup(0)) >= 0)
        count++;
    close(taken[--count]); /* the new client's own end takes it */
    newcomer = &host.clients[host.count++];
    net_client_open(newcomer, host.port, "/echo");
    for (int i = 0; i < 1000 && (newcomer->in.status != 101 || host_count(&host) > 1); i++)
        host_turn(&host);
    assert_int_equal(newcomer->in.status, 101);
    assert_int_equal(host_count(&host), 1);
    while (count > 0)
        close(taken[--count]);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    UNTIL(&host, !HOST_STAT(&host, resting));
    for (int i = 0; i < 2; i++)
        close(others[i]);
    host_end(&host);
}

/* One client sends half a head, one sends a byte at a time, one sends nothing. */
TEST(slow_handshakes_end_with_408_when_their_time_is_over)
{
    struct host host;
    unsigned verdicts = 0;
    host_init(&host);
    host.config.handshake_time = 300 * WSPOOL_MILLISECOND;
    host_start(&host);
    for (; host.count < 3; host.count++)
        net_client_connect(&host.clients[host.count], host.port, 0);
    blob_text(&host.clients[0].out, "GET /echo HTTP/1.1\r\nHost: pool.exa");
    blob_text(&host.clients[1].out, "GET /echo HTTP/1.1\r\nX: ");
    for (uint64_t since = 0; net_patient(&since) &&
                             (host.clients[0].end == NET_HERE || host.clients[1].end == NET_HERE ||
                              host.clients[2].end == NET_HERE);) {
        if (host.clients[1].end == NET_HERE && verdicts++ < 1000)
            blob_text(&host.clients[1].out, "x");
        host_turn(&host);
    }
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(host.clients[i].in.status, 408);
        assert_true(reader_says(&host.clients[i].in, "handshake_timeout"));
    }
    assert_int_equal(net_stats(host.pool).handshakes, 0);
    host_end(&host);
}

TEST(everybody_is_told_and_run_returns_when_the_loop_drains)
{
    struct host host;
    struct sockaddr_in there;
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    uint64_t since = 0;
    host_init(&host);
    host_start(&host);
    for (size_t i = 0; i < 4; i++)
        host_client(&host, "/echo");
    assert_int_equal(LOOP(drain)(host.loop, 0, 999, NULL, NULL), -1);
    assert_int_equal(errno, EINVAL);
    assert_int_equal(LOOP(drain)(host.loop, 20 * WSPOOL_MILLISECOND, 0, NULL, NULL), 0);
    /* The run ends by itself. The clients work between its turns. */
    while (host_count(&host) > 0 && net_patient(&since)) {
        assert_int_equal(host_run(&host, wspool_clock() + 5 * WSPOOL_MILLISECOND), 0);
        for (size_t i = 0; i < host.count; i++)
            net_client_turn(&host.clients[i]);
    }
    assert_int_equal(host_run(&host, UINT64_MAX), 0);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(host.clients[i].in.close_code, WSPOOL_CLOSE_DRAIN);
        assert_int_equal(host.clients[i].end, NET_FIN);
    }
    assert_int_equal(host.last.why, WSPOOL_END_DRAIN);

    memset(&there, 0, sizeof(there));
    there.sin_family = AF_INET;
    there.sin_port = htons((uint16_t)host.port);
    there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(late, (struct sockaddr *)&there, sizeof(there)), -1);
    assert_int_equal(errno, ECONNREFUSED);
    close(late);
    host_end(&host);
}

TEST(run_returns_at_the_deadline_when_somebody_does_not_leave)
{
    struct host host;
    host_init(&host);
    host_start(&host);
    host_client(&host, "/echo")->silent = 1;
    assert_int_equal(LOOP(drain)(host.loop, 0, WSPOOL_CLOSE_GOING_AWAY, NULL, NULL), 0);
    assert_int_equal(host_run(&host, wspool_clock() + 50 * WSPOOL_MILLISECOND), 0);
    assert_int_equal(host_count(&host), 1);
    host_end(&host);
}

TEST(nothing_is_left_when_a_loop_ends_before_anything_began)
{
    struct host host;
    int before;
    host_init(&host);
    before = net_descriptors();
    host_make(&host);
    host_free(&host);
    assert_int_equal(net_descriptors(), before);
    assert_int_equal(LOOP(free)(NULL), 0);
}

/* With output that waits, half a head, and a client that sends nothing. When free returns every
 * socket is closed, and the port is free. */
TEST(nothing_is_left_when_a_loop_ends_in_the_midst_of_things)
{
    static uint8_t bytes[16 << 20];
    struct host host;
    int before = net_descriptors(), again;
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host_start(&host);
    for (; host.count < 3; host.count++)
        net_client_connect(&host.clients[host.count], host.port, 0);
    net_client_request(&host.clients[0], "/echo");
    blob_text(&host.clients[1].out, "GET /ec");
    UNTIL(&host, host.clients[0].in.status == 101 && host_count(&host) == 3);
    host.clients[0].deaf = 1;
    assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, sizeof(bytes), NULL), 0);
    UNTIL(&host, net_stats(host.pool).blocked > 0);
    host_free(&host);
    assert_int_equal(net_descriptors(), before + 3);
    for (size_t i = 1; i < host.count; i++) {
        net_client_turn(&host.clients[i]);
        assert_true(host.clients[i].end != NET_HERE);
    }
    for (size_t i = 0; i < host.count; i++) {
        host.clients[i].deaf = 0;
        for (uint64_t since = 0; host.clients[i].end == NET_HERE && net_patient(&since);)
            net_client_turn(&host.clients[i]);
        net_client_free(&host.clients[i]);
    }

    before = (int)host.port;
    host_init(&host);
    host_make(&host);
    again = LOOP(listen)(host.loop, "127.0.0.1", (unsigned)before);
    assert_int_equal(again, before);
    host_free(&host);
}

/* The engine fills these hooks: those of the host would not be called. */
TEST(engine_is_not_made_when_the_host_has_a_wake_or_deadline_hook)
{
    for (int wake = 0; wake < 2; wake++) {
        struct host host;
        int before = net_descriptors();
        host_init(&host);
        host.config.wake.call = wake ? free : NULL;
        host.config.deadline.call = wake ? NULL : free;
        assert_int_equal(adapter.make(&host), -1);
        assert_int_equal(errno, EINVAL);
        assert_null(host.loop);
        if (adapter.end)
            adapter.end(&host);
        assert_int_equal(net_descriptors(), before);
    }
}

/* -------------------------------------------------------- outside of a turn */

struct publication {
    struct host *host;
    int done;
};

static void publish_now(void *user)
{
    struct publication *publication = user;
    wspool *pool = publication->host->pool;
    assert_int_equal(wspool_broadcast(pool, wspool_item("news"), "hello", 5, NULL, NULL), 1);
    publication->done = 1;
}

/* There is no input, and no deadline is near: without the deadline hook the loop would sleep on. */
TEST(publication_goes_out_when_a_timer_of_the_hosts_loop_makes_it)
{
    struct host host;
    struct publication publication = {&host, 0};
    net_client *client;
    if (!adapter.after)
        skip();
    host_init(&host);
    host.config.ping_interval = 0;
    host_start(&host);
    client = host_client(&host, "/room/news");
    for (size_t i = 1; i <= 3; i++) {
        uint64_t since = 0;
        publication.done = 0;
        adapter.after(&host, 5 * WSPOOL_MILLISECOND, publish_now, &publication);
        while (client->in.messages < i && net_patient(&since)) {
            uint64_t until = wspool_clock() + 10 * WSPOOL_SECOND;
            assert_int_equal(adapter.turn(&host, until), 0);
            assert_true(wspool_clock() < until);
            net_client_turn(client);
        }
        assert_true(publication.done);
    }
    host_end(&host);
}

/* The same, and the close of a peer, between two turns. */
TEST(loop_does_not_sleep_when_something_was_done_between_two_turns)
{
    struct host host;
    struct publication publication = {&host, 0};
    net_client *client;
    uint64_t since = 0;
    host_init(&host);
    host.config.ping_interval = 0;
    host_start(&host);
    client = host_client(&host, "/room/news");
    host_turn(&host);
    publish_now(&publication);
    while (client->in.messages < 1 && net_patient(&since)) {
        assert_int_equal(host_sleep(&host, -1), 0);
        net_client_turn(client);
    }
    assert_int_equal(wspool_close(host.pool, host.ids[0], 1000, NULL, 0), 0);
    while (client->end == NET_HERE && net_patient(&since)) {
        assert_int_equal(host_sleep(&host, -1), 0);
        net_client_turn(client);
    }
    assert_int_equal(client->in.close_code, 1000);
    host_end(&host);
}

/* The hooks from which every peer is closed. */
enum closing_hook { IN_NONE, IN_TOKEN, IN_OPEN, IN_CHANNEL, IN_MESSAGE, IN_PRESSURE, IN_CLOSE };
static enum closing_hook closing_hook;

static void close_everybody(struct host *host, enum closing_hook hook)
{
    wspool_id ids[CLIENTS];
    int count = hook == closing_hook ? wspool_peers(host->pool, ids, CLIENTS) : 0;
    for (int i = 0; i < count && i < CLIENTS; i++)
        wspool_close(host->pool, ids[i], WSPOOL_CLOSE_GOING_AWAY, NULL,
                     i % 2 ? WSPOOL_CLOSE_NOW : 0);
}

static void close_in_token(wspool *pool, wspool_id id, const wspool_request *request,
                           wspool_verdict *out, void *user)
{
    (void)pool;
    (void)id;
    (void)request;
    close_everybody(user, IN_TOKEN);
    out->kind = WSPOOL_ACCEPT;
}

static void close_in_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    on_open(pool, id, opened, user);
    close_everybody(user, IN_OPEN);
}

static void close_in_channel(wspool *pool, wspool_channel channel, int present, void *user)
{
    (void)pool;
    (void)channel;
    (void)present;
    close_everybody(user, IN_CHANNEL);
}

static void close_in_pressure(wspool *pool, wspool_id id, int above, void *user)
{
    (void)pool;
    (void)id;
    (void)above;
    close_everybody(user, IN_PRESSURE);
}

static void close_in_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    on_close(pool, id, closed, user);
    close_everybody(user, IN_CLOSE);
}

static void close_in_message(struct host *host, wspool_id id, const wspool_message *message)
{
    static const uint8_t much[200000];
    (void)message;
    close_everybody(host, IN_MESSAGE);
    if (closing_hook == IN_PRESSURE)
        wspool_send(host->pool, id, much, sizeof(much), NULL);
}

/* Among them is the peer whose bytes are being fed, or whose transport has just ended. */
TEST(everybody_is_closed_when_a_hook_does_it)
{
    for (enum closing_hook hook = IN_TOKEN; hook <= IN_CLOSE; hook++) {
        struct host host;
        net_client *acts, *waits, *comes;
        closing_hook = IN_NONE;
        host_init(&host);
        host.config.token.call = close_in_token;
        host.config.open.call = close_in_open;
        host.config.channel.call = close_in_channel;
        host.config.pressure.call = close_in_pressure;
        host.config.close.call = close_in_close;
        host.config.token.user = host.config.channel.user = host.config.pressure.user = &host;
        host.react = close_in_message;
        host_start(&host);
        acts = host_client(&host, "/room/old?token=secret");
        waits = host_client(&host, "/echo?token=secret");
        closing_hook = hook;
        if (hook <= IN_CHANNEL) {
            comes = &host.clients[host.count++];
            net_client_open(comes, host.port, "/room/new?token=secret");
        } else if (hook < IN_CLOSE) {
            net_client_text(acts, "hello", 5);
            net_client_text(acts, "nobody hears it", 15);
        } else {
            net_client_kill(acts, NET_KILL_FIN);
        }
        UNTIL(&host, waits->end != NET_HERE);
        assert_int_equal(waits->in.close_code, WSPOOL_CLOSE_GOING_AWAY);
        host_end(&host);
    }
}

/* ----------------------------------------------------------------- by the id */

TEST(descriptor_is_that_of_the_peer_until_it_has_gone)
{
    struct host host;
    struct sockaddr_in there, here;
    socklen_t len = sizeof(there), length = sizeof(here);
    net_client *client;
    host_init(&host);
    host_start(&host);
    client = host_client(&host, "/echo");
    assert_int_equal(
        getpeername(LOOP(descriptor)(host.loop, host.ids[0]), (struct sockaddr *)&there, &len), 0);
    assert_int_equal(getsockname(client->fd, (struct sockaddr *)&here, &length), 0);
    assert_int_equal(there.sin_port, here.sin_port);
    net_client_kill(client, NET_KILL_RST);
    UNTIL(&host, host_count(&host) == 0);
    assert_int_equal(LOOP(descriptor)(host.loop, host.ids[0]), -1);
    assert_int_equal(errno, ENOENT);
    assert_int_equal(LOOP(descriptor)(host.loop, 0), -1);
    host_end(&host);
}

static void remember_address(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    wspool_text kept;
    assert_int_equal(wspool_address(pool, id, &kept), 0);
    assert_int_equal(kept.len, opened->address.len);
    snprintf(user, 64, "%.*s", (int)kept.len, kept.len ? kept.data : "");
}

TEST(pool_knows_the_address_when_it_is_to_be_told)
{
    struct host host;
    char address[64] = "nothing";
    host_init(&host);
    host.config.open.call = remember_address;
    host.config.open.user = address;
    host_start(&host);
    for (int on = 0; on < 2; on++) {
        net_client *client = &host.clients[host.count++];
        LOOP(addresses)(host.loop, on);
        net_client_open(client, host.port, "/echo");
        UNTIL(&host, client->in.status == 101);
        assert_string_equal(address, on ? "127.0.0.1" : "");
    }
    host.opened = 2;
    host_end(&host);
}

/* Connections from one address count as one client, whatever their ports are. */
TEST(third_connection_of_an_address_is_turned_away_when_it_may_have_two)
{
    struct host host;
    host_init(&host);
    host.config.max_per_key = 2;
    host_start(&host);
    host_client(&host, "/echo");
    host_client(&host, "/echo");
    net_client_open(&host.clients[host.count++], host.port, "/echo");
    UNTIL(&host, host.clients[2].end != NET_HERE || host.clients[2].in.status == 101);
    assert_int_equal(host.clients[2].in.status, 0);
    assert_int_equal(HOST_STAT(&host, turned_away), 1);
    net_client_kill(&host.clients[0], NET_KILL_FIN);
    UNTIL(&host, host_count(&host) == 1);
    host_client(&host, "/echo");
    host_end(&host);
}

/* The client takes nothing, so the transport does not linger: the client's end would not come
 * either. */
TEST(transport_is_reset_when_its_client_takes_nothing_for_too_long)
{
    enum { LEN = 16 << 20 };
    struct host host;
    net_client *client;
    uint8_t *bytes = calloc(1, LEN);
    assert_non_null(bytes);
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host.config.flush_time = 200 * WSPOOL_MILLISECOND;
    host.config.closing_time = 10 * NET_PATIENCE;
    host_start(&host);
    client = host_client(&host, "/echo");
    client->deaf = 1;
    assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, LEN, NULL), 0);
    UNTIL(&host, host.closed == 1);
    for (int i = 0; i < 100 && host_count(&host) > 0; i++)
        host_turn(&host);
    assert_int_equal(host_count(&host), 0);
    assert_int_equal(host.last.why, WSPOOL_END_FLUSH_TIMEOUT);
    client->deaf = 0;
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->end, NET_RESET);
    free(bytes);
    host_end(&host);
}

static void free_in_a_reaction(struct host *host, wspool_id id, const wspool_message *message)
{
    (void)id;
    (void)message;
    errno = 0;
    assert_int_equal(LOOP(free)(host->loop), -1);
    assert_int_equal(errno, EBUSY);
}

TEST(engine_is_not_freed_when_a_hook_asks_for_it)
{
    struct host host;
    host_init(&host);
    host.react = free_in_a_reaction;
    host_start(&host);
    net_client_text(host_client(&host, "/echo"), "hello", 5);
    UNTIL(&host, host.messages == 1);
    host_end(&host);
}

/* A client connects to a path by its name. */
TEST(path_is_listened_on)
{
    struct sockaddr_un there = {.sun_family = AF_UNIX};
    char folder[] = "/tmp/wspool-XXXXXX", name[sizeof(there.sun_path) + 6];
    struct host host;
    net_client *client;
    assert_non_null(mkdtemp(folder));
    snprintf(there.sun_path, sizeof(there.sun_path), "%s/socket", folder);
    snprintf(name, sizeof(name), "unix:%s", there.sun_path);
    host_init(&host);
    host_make(&host);
    assert_int_equal(LOOP(listen)(host.loop, name, 0), 0);
    assert_int_equal(LOOP(listen)(host.loop, name, 0), -1);
    assert_int_equal(errno, EADDRINUSE);
    memset(name + 5, 'x', sizeof(name) - 6);
    name[sizeof(name) - 1] = 0;
    assert_int_equal(LOOP(listen)(host.loop, name, 0), -1);
    assert_int_equal(errno, EINVAL);
    client = &host.clients[host.count++];
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(client->fd, (struct sockaddr *)&there, sizeof(there)), 0);
    net_client_request(client, "/echo");
    net_client_text(client, "hello", 5);
    UNTIL(&host, client->in.messages == 1);
    host_end(&host);
    assert_int_equal(unlink(there.sun_path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* Both listen on the same port. */
TEST(both_families_are_listened_on_when_each_is_asked_for)
{
    struct host host;
    int port;
    host_init(&host);
    host_make(&host);
    port = LOOP(listen)(host.loop, "0.0.0.0", 0);
    assert_true(port > 0);
    if (LOOP(listen)(host.loop, "::", (unsigned)port) != port)
        assert_true(errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT);
    host_free(&host);
}

/* All addresses of it that there are here, on one port. */
TEST(name_is_listened_on)
{
    struct host host;
    host_init(&host);
    host_make(&host);
    int port = LOOP(listen)(host.loop, "localhost", 0);
    assert_true(port > 0);
    host.port = (unsigned)port;
    host_client(&host, "/echo");
    host_end(&host);
    host_init(&host);
    host_make(&host);
    if (LOOP(listen)(host.loop, "::1%lo", 0) < 0)
        assert_true(errno == EADDRNOTAVAIL || errno == EAFNOSUPPORT || errno == EINVAL);
    host_free(&host);
}

/* ------------------------------------------------------------- kernel memory */

/* What a connection inherits from its listener, of what the kernel may hold for it. */
TEST(kernel_holds_little_when_a_client_does_not_read)
{
    static uint8_t bytes[60000];
    struct host host;
    int value = 0, unsent = 0;
    socklen_t len = sizeof(value);
    host_init(&host);
    host.config.queue_bytes = 64u << 20;
    host.config.pool_bytes = 128u << 20;
    host_start(&host);
    net_client *client = host_client(&host, "/echo");
    int fd = LOOP(descriptor)(host.loop, host.ids[0]);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
    assert_int_equal(value, 256 << 10);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &value, &len), 0);
    assert_int_equal(value, 64 << 10);
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &len), 0);
    assert_int_equal(value, 35000);
    client->deaf = 1;
    for (int i = 0; i < 200; i++)
        assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, sizeof(bytes), NULL), 0);
    UNTIL(&host, net_stats(host.pool).blocked > 0);
    assert_int_equal(ioctl(fd, SIOCOUTQ, &unsent), 0);
    assert_true(unsent <= 256 << 10);
    client->deaf = 0;
    UNTIL(&host, client->in.messages == 200);
    LOOP(kernel_bytes)(host.loop, 64 << 10);
    host_client(&host, "/echo");
    fd = LOOP(descriptor)(host.loop, host.ids[1]);
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &value, &len), 0);
    assert_int_equal(value, 64 << 10);
    host_end(&host);
}

/* Its Close has left, so the pool waits for no more; but the kernel holds what was before it. */
TEST(transport_is_reset_when_its_client_takes_nothing_of_what_the_kernel_holds)
{
    static uint8_t bytes[60000];
    struct host host;
    host_init(&host);
    host.config.closing_time = 300 * WSPOOL_MILLISECOND;
    host_start(&host);
    net_client *client = host_client(&host, "/echo");
    int small = 4096;
    assert_int_equal(setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    client->deaf = 1;
    assert_int_equal(wspool_send(host.pool, host.ids[0], bytes, sizeof(bytes), NULL), 0);
    assert_int_equal(wspool_close(host.pool, host.ids[0], 1000, NULL, 0), 0);
    UNTIL(&host, host.closed == 1);
    assert_int_equal(host.last.why, WSPOOL_END_HOST_CLOSED);
    UNTIL(&host, host_count(&host) == 0);
    client->deaf = 0;
    UNTIL(&host, client->end != NET_HERE);
    assert_int_equal(client->end, NET_RESET);
    host_end(&host);
}

/* ------------------------------------------------------------------- batches */

static int hosts_own = -1;

/* The host stops listening, and listens with a socket of its own, which gets the same descriptor
 * and has a client in its backlog. */
static void listen_for_itself(struct host *host, wspool_id id, const wspool_message *message)
{
    struct sockaddr_in here = {.sin_family = AF_INET};
    socklen_t len = sizeof(here);
    int was = net_listener(0);
    (void)id;
    (void)message;
    assert_int_equal(LOOP(drain)(host->loop, 0, 0, NULL, NULL), 0);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    hosts_own = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(hosts_own, (struct sockaddr *)&here, len), 0);
    assert_int_equal(listen(hosts_own, 8), 0);
    assert_int_equal(getsockname(hosts_own, (struct sockaddr *)&here, &len), 0);
    assert_true(hosts_own == was || was < 0);
    net_client_connect(&host->clients[host->count++], ntohs(here.sin_port), 0);
}

/* A message and a connection come in one batch. The hook of the message closes the listener. */
TEST(hosts_own_listener_is_left_alone_when_a_hook_closes_the_loops_in_a_batch)
{
    struct host host;
    net_client *speaker;
    int accepted = -1;
    uint64_t since = 0;
    host_init(&host);
    host.react = listen_for_itself;
    host_start(&host);
    speaker = host_client(&host, "/echo");
    net_client_text(speaker, "hello", 5);
    net_client_turn(speaker);
    net_client_connect(&host.clients[host.count++], host.port, 0);
    while (host.messages == 0 && net_patient(&since))
        assert_int_equal(host_sleep(&host, 1), 0);
    net_await(hosts_own);
    for (int i = 0; i < 10; i++)
        assert_int_equal(host_sleep(&host, 1), 0);
    accepted = accept(hosts_own, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(hosts_own);
    host_end(&host);
}

static void count_done(LOOP_TYPE *loop, void *user)
{
    assert_int_equal(LOOP(count)(loop), 0);
    assert_int_equal(LOOP(free)(loop), -1);
    ++*(unsigned *)user;
}

TEST(host_is_told_once_when_all_have_gone_after_a_drain)
{
    struct host host;
    unsigned done = 0;
    for (size_t clients = 0; clients < 3; clients++) {
        host_init(&host);
        host_start(&host);
        for (size_t i = 0; i < clients; i++)
            host_client(&host, "/echo");
        done = 0;
        assert_int_equal(LOOP(drain)(host.loop, 0, 0, count_done, &done), 0);
        assert_int_equal(done, 0);
        UNTIL(&host, done > 0);
        assert_int_equal(LOOP(drained)(host.loop), 1);
        for (int i = 0; i < 5; i++)
            host_turn(&host);
        assert_int_equal(done, 1);
        host_end(&host);
    }
}

#include "stall.h" /* last: it is skipped but in test_stall.py */

#endif

/* SPDX-License-Identifier: MIT */
/*
 * loop/test_hostile.c - hostile peers on real sockets, against wspool/adapters/epoll.h: resets at
 * every stage, senders at full speed beside a newcomer, one that never reads, floods of
 * connections with and without descriptors left.
 *
 * What is asserted is bytes, messages and turns; the clock only keeps a test from hanging.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define CLIENTS 320
#include "on_epoll.h"

/* The bounds that wspool/sockets.h states. */
enum { READ_BYTES = 65536, BATCH = 16 };
#define REST (100 * WSPOOL_MILLISECOND)

/* ------------------------------------------------------------------- resets */

enum stage {
    CONNECTED,   /* but not accepted yet */
    ACCEPTED,    /* but has sent nothing */
    HALF_A_HEAD, /* of the request */
    PENDING,     /* its verdict is pending */
    ANSWERED,    /* the 101 was sent, but not read */
    REFUSED,     /* a 404 was sent, but not read */
    OPEN,
    HALF_A_FRAME_HEAD,
    HALF_A_FRAME,
    HALF_A_MESSAGE,
    BLOCKED,   /* it does not read, and much output waits for it */
    WE_CLOSE,  /* our Close was sent, its own was not */
    IT_CLOSES, /* its Close was sent, ours may be */
    STAGES
};

static int pending; /* 1: the verdict on the next client is pending */

static void on_token(wspool *pool, wspool_id id, const wspool_request *request,
                     wspool_verdict *verdict, void *user)
{
    (void)pool, (void)id, (void)request, (void)user;
    verdict->kind = pending ? WSPOOL_PENDING : WSPOOL_ACCEPT;
}

/* Brings a client to this stage. */
static void bring_to(struct host *host, net_client *client, enum stage stage)
{
    static uint8_t much[200000];
    client_frame frame = {.first = FIN | OP_BINARY, .announced = 60000, .key = 3};
    unsigned before = host->opened;
    uint32_t count = host_count(host);
    uint64_t blocked = net_stats(host->pool).blocked;
    net_client_connect(client, host->port, stage == BLOCKED ? 4096 : 0);
    client->silent = 1;
    if (stage == CONNECTED)
        return;
    UNTIL(host, host_count(host) > count);
    client->deaf = stage == ANSWERED || stage == REFUSED;
    if (stage == ACCEPTED)
        return;
    if (stage == HALF_A_HEAD) {
        blob_text(&client->out, "GET /echo HTTP/1.1\r\nHost: ");
        host_turn(host);
        host_turn(host);
        return;
    }
    pending = stage == PENDING;
    net_client_request(client, stage == REFUSED   ? "/nowhere"
                               : stage == BLOCKED ? "/room/blocked?token=t"
                                                  : "/echo?token=t");
    if (stage == PENDING || stage == REFUSED) {
        for (int i = 0; i < 4; i++)
            host_turn(host);
        return;
    }
    UNTIL(host, host->opened > before);
    switch (stage) {
    case HALF_A_FRAME_HEAD:
        blob_add(&client->out, "\x82\xfe\x01", 3);
        break;
    case HALF_A_FRAME:
        client_put_head(&client->out, &frame);
        blob_add(&client->out, much, 5000);
        break;
    case HALF_A_MESSAGE:
        net_client_frame(client, OP_BINARY, much, 5000);
        break;
    case BLOCKED:
        client->deaf = 1;
        while (net_stats(host->pool).blocked == blocked) {
            wspool_broadcast(host->pool, wspool_item("blocked"), much, sizeof(much), NULL, NULL);
            host_turn(host);
        }
        break;
    case WE_CLOSE:
        assert_int_equal(wspool_close(host->pool, host->ids[host->opened - 1], 1000, "enough", 0),
                         0);
        break;
    case IT_CLOSES:
        net_client_frame(client, FIN | OP_CLOSE, "\x03\xe8", 2);
        net_client_turn(client);
        return; /* and it is reset before the loop takes a turn */
    default:
        break;
    }
    for (int i = 0; i < 3; i++)
        host_turn(host);
}

TEST(transports_that_are_reset_at_any_stage_are_told_once_and_leave_nothing)
{
    struct host host;
    net_client *good;
    host_init(&host);
    host.config.token.call = on_token;
    host_start(&host);
    good = &host.clients[host.count++];
    net_client_open(good, host.port, "/room/good?token=t");
    UNTIL(&host, good->in.status == 101);
    for (int round = 0; round < 20; round++) {
        for (enum stage stage = CONNECTED; stage < STAGES; stage++) {
            int before = net_descriptors();
            unsigned opened = host.opened, closed = host.closed;
            uint64_t blocks, attempts = net_stats(host.pool).attempts;
            net_client *client = &host.clients[host.count++];
            bring_to(&host, client, stage);
            net_client_kill(client, round % 4 == 3 ? NET_KILL_FIN : NET_KILL_RST);
            /* a connection that was reset in the backlog is accepted anyway */
            UNTIL(&host, host_count(&host) == 1 && net_stats(host.pool).attempts > attempts);
            if (net_descriptors() != before)
                fail_msg("stage %d: %d descriptors, not %d", stage, net_descriptors(), before);
            assert_int_equal(host.opened - opened, host.closed - closed);
            assert_int_equal(host.opened - opened, stage != REFUSED && stage > PENDING);
            net_assert_books(host.pool);
            blocks = net_stats(host.pool).block_bytes;
            assert_true(blocks <= 300000);
            assert_int_equal(net_stats(host.pool).handshakes, 0);
            assert_null(client->in.fault);
            net_client_free(client);
            host.count--;
        }
    }
    assert_int_equal(wspool_broadcast(host.pool, wspool_item("good"), "x", 1, NULL, NULL), 1);
    UNTIL(&host, good->in.messages == 1);
    host_end(&host);
}

/* Clients at all stages reset at once, while one more is served. */
TEST(resets_by_all_at_once_leave_the_others_alone)
{
    struct host host;
    net_client *good;
    int before;
    host_init(&host);
    host_start(&host);
    before = net_descriptors();
    good = host_client(&host, "/room/good");
    for (size_t i = 1; i < 200; i++) {
        net_client *client = &host.clients[host.count++];
        net_client_connect(client, host.port, 0);
        if (i % 4 > 0)
            net_client_request(client, i % 2 ? "/room/all" : "/echo");
        if (i % 4 > 1)
            net_client_text(client, "hello", 5);
    }
    UNTIL(&host, host.opened == 151);
    wspool_broadcast(host.pool, wspool_item("all"), "to all", 6, NULL, NULL);
    for (size_t i = 1; i < 200; i++)
        net_client_kill(&host.clients[i], NET_KILL_RST);
    net_client_text(good, "still here", 10);
    UNTIL(&host, host_count(&host) == 1 && good->in.messages == 1);
    assert_int_equal(net_descriptors(), before + 2);
    net_assert_books(host.pool);
    host_end(&host);
    assert_int_equal(host.ends[WSPOOL_END_FAILED] + host.ends[WSPOOL_END_EOF], 151);
}

/* ----------------------------------------------------------------- fairness */

static uint8_t page[60000];

/* Keeps its socket full. */
static void keep_busy(net_client *client)
{
    if (client->out.len - client->sent < 4 * sizeof(page))
        for (int i = 0; i < 8; i++)
            net_client_frame(client, FIN | OP_BINARY, page, sizeof(page));
}

/* T20: three clients send at full speed, while a fourth connects and gets its echo. */
TEST(newcomer_is_served_when_three_send_at_full_speed)
{
    struct host host;
    net_client *fourth;
    uint64_t before, fed, most = 0;
    unsigned turns = 0;
    host_init(&host);
    host.react = answer_words;
    host_start(&host);
    for (int i = 0; i < 3; i++)
        host_client(&host, "/echo");
    for (int i = 0; i < 50; i++) { /* until they send at full speed */
        for (size_t k = 0; k < 3; k++)
            keep_busy(&host.clients[k]);
        host_turn(&host);
    }
    assert_true(host.messages > 20);
    fourth = &host.clients[host.count++];
    net_client_open(fourth, host.port, "/echo");
    net_client_text(fourth, "me too", 6);
    before = net_stats(host.pool).received_bytes;
    for (; fourth->in.messages == 0 && turns < 100; turns++) {
        uint64_t at = net_stats(host.pool).received_bytes;
        for (size_t k = 0; k < 3; k++)
            keep_busy(&host.clients[k]);
        host_turn(&host);
        fed = net_stats(host.pool).received_bytes - at;
        most = fed > most ? fed : most;
    }
    assert_true(got_is(reader_message(&fourth->in, 0), "me too", 6));
    /* It is accepted in one turn and read in the next. The kernel may need one more to deliver it.
     * */
    assert_in_range(turns, 1, 4);
    assert_true(most <= 3 * READ_BYTES + 4096);
    assert_true(most > READ_BYTES); /* they did send at full speed */
    assert_true(net_stats(host.pool).received_bytes - before <= turns * (3 * READ_BYTES + 4096));
    /* from then on an answer takes one turn or two */
    for (size_t n = 1; n <= 20; n++) {
        net_client_text(fourth, "again", 5);
        for (turns = 0; fourth->in.messages <= n && turns < 100; turns++) {
            for (size_t k = 0; k < 3; k++)
                keep_busy(&host.clients[k]);
            host_turn(&host);
        }
        assert_in_range(turns, 1, 3);
    }
    host_end(&host);
}

/* One client never reads. The others get all messages, at the speed of the pool. */
TEST(others_are_served_at_once_when_one_never_reads)
{
    struct host host;
    net_client *deaf;
    uint64_t waiting = 0;
    host_init(&host);
    host.config.slow = WSPOOL_SLOW_BEHIND;
    host_start(&host);
    deaf = &host.clients[host.count++];
    net_client_connect(deaf, host.port, 4096);
    net_client_request(deaf, "/room/all");
    UNTIL(&host, deaf->in.status == 101);
    deaf->deaf = 1;
    for (int i = 0; i < 3; i++)
        host_client(&host, "/room/all");
    for (size_t n = 1; n <= 2000; n++) {
        unsigned turns = 0;
        net_fill(page, 4000, (unsigned)n);
        assert_in_range(wspool_broadcast(host.pool, wspool_item("all"), page, 4000,
                                         &(wspool_send_options){.size = sizeof(wspool_send_options),
                                                                .flags = WSPOOL_BINARY},
                                         NULL),
                        3, 4);
        while ((host.clients[1].in.messages < n || host.clients[2].in.messages < n ||
                host.clients[3].in.messages < n) &&
               turns++ < 100)
            host_turn(&host);
        assert_in_range(turns, 0, 3);
        waiting = net_stats(host.pool).waiting_bytes;
        assert_true(waiting <= host.config.queue_bytes);
        assert_true(net_stats(host.pool).block_bytes <= 2 * host.config.queue_bytes);
    }
    assert_true(waiting > host.config.queue_bytes / 2);
    assert_true(net_stats(host.pool).left_behind > 500);
    for (int i = 1; i < 4; i++)
        assert_int_equal(host.clients[i].in.messages, 2000);
    host_end(&host);
}

/* ------------------------------------------------------------------- floods */

/* A flood of connections shares the turns with the open peers. */
TEST(insider_is_served_when_connections_flood_in)
{
    struct host host;
    net_client *in;
    size_t said = 0;
    host_init(&host);
    host_start(&host);
    in = host_client(&host, "/echo");
    for (size_t i = 1; i < CLIENTS; i++)
        net_client_connect(&host.clients[host.count++], host.port, 0);
    net_client_text(in, "hello", 5);
    for (int turn = 0; host_count(&host) < CLIENTS && turn < 1000; turn++) {
        uint32_t before = host_count(&host);
        host_turn(&host);
        assert_true(host_count(&host) - before <= BATCH);
        if (in->in.messages > said) {
            said = in->in.messages;
            net_client_text(in, "hello", 5);
        }
    }
    assert_int_equal(host_count(&host), CLIENTS);
    assert_true(said >= 1);
    host_end(&host);
}

/* The same without a free descriptor: accepting pauses, the loop does not spin, and the open peers
 * are served. */
TEST(insider_is_served_when_connections_flood_in_and_descriptors_run_out)
{
    struct host host;
    struct rlimit limit, old;
    net_client *in;
    unsigned before;
    uint64_t since, rests;
    int next;
    if (getenv("LD_PRELOAD") && strstr(getenv("LD_PRELOAD"), "valgrind"))
        skip(); /* its limit of descriptors differs */
    host_init(&host);
    host_start(&host);
    in = host_client(&host, "/echo");
    for (size_t i = 1; i < 60; i++)
        net_client_connect(&host.clients[host.count++], host.port, 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    limit = old;
    next = dup(0);
    close(next);
    limit.rlim_cur = (rlim_t)next + 5; /* five connections fit */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);

    before = net_accepts;
    since = wspool_clock();
    for (size_t n = 0; n < 300; n++) {
        unsigned turns = 0;
        net_client_text(in, "hello", 5);
        while (in->in.messages <= n && turns++ < 100)
            host_turn(&host);
        assert_in_range(turns, 0, 3);
    }
    assert_int_equal(host_count(&host), 6);
    rests = (wspool_clock() - since) / REST + 1;
    assert_true(net_accepts - before <=
                5 + 2 * rests); /* one failure for each pause, not for each turn */

    for (size_t i = 1; i < 60; i++) /* accepted clients make room */
        net_client_kill(&host.clients[i], NET_KILL_RST);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    UNTIL(&host, host_count(&host) == 1 && !HOST_STAT(&host, resting));
    host_end(&host);
}

/* Each silent connection beyond the pool's limit makes the oldest one give way, which is answered
 * and closed. */
TEST(silent_connections_beyond_max_handshakes_give_way)
{
    struct host host;
    int before;
    host_init(&host);
    host.config.max_handshakes = 20;
    host.config.max_peers = 20;
    host_start(&host);
    before = net_descriptors();
    for (size_t i = 0; i < 100; i++)
        net_client_connect(&host.clients[host.count++], host.port, 0);
    UNTIL(&host,
          net_stats(host.pool).refused[WSPOOL_REFUSED_GAVE_WAY] + HOST_STAT(&host, turned_away) ==
              80);
    assert_true(net_stats(host.pool).refused[WSPOOL_REFUSED_GAVE_WAY] > 0);
    UNTIL(&host, host_count(&host) == 20);
    assert_int_equal(net_descriptors(), before + 100 + 20);
    for (size_t i = 0; i < 100; i++)
        net_client_kill(&host.clients[i], NET_KILL_RST);
    UNTIL(&host, host_count(&host) == 0);
    assert_int_equal(net_descriptors(), before);
    host_end(&host);
}

/* SPDX-License-Identifier: MIT */
/*
 * loop/test_thousand.c - a thousand real peers in one room, a hundred broadcasts, and a tenth of
 * the peers dying meanwhile: the others get every message in order.
 *
 * Once with the pool in this process, under a clock held by hand, so that each death is reported
 * for the reason that it had; and once with examples/echo.
 */
#define _GNU_SOURCE
#include "net.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <wspool/adapters/epoll.h>

#define PEERS 1000
#define BROADCASTS 100
#define MESSAGE_LEN 2048
#define QUEUE_BYTES 65536u

/* ------------------------------------------------------------------- crowd */

/* What happens to a peer. Every tenth dies, before a broadcast that follows from its number. */
enum fate { LIVES, RESETS, ENDS, STOPS_READING, IGNORES_PINGS, STANDS_STILL, FATES };

static const enum wspool_end reported[FATES] = {WSPOOL_END_POOL_FREED,   WSPOOL_END_FAILED,
                                                WSPOOL_END_EOF,          WSPOOL_END_SLOW,
                                                WSPOOL_END_PONG_TIMEOUT, WSPOOL_END_FLUSH_TIMEOUT};

static net_client crowd[PEERS];
static net_client publisher;

static enum fate fate_of(size_t peer)
{
    return peer % 10 ? LIVES : (enum fate)(1 + peer / 10 % (FATES - 1));
}

/* A peer that stops reading does so early: more must follow than buffers can hold. */
static unsigned death_of(size_t peer)
{
    unsigned nth = (unsigned)(peer / 10);
    return 1 + (fate_of(peer) == STOPS_READING ? nth / 5 : nth);
}

static void crowd_connect(unsigned port, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        /* A small window: the buffers of a peer that does not read are soon full. */
        net_client_connect(&crowd[i], port, fate_of(i) >= STOPS_READING ? 4096 : 0);
        net_client_request(&crowd[i], "/room/thousand");
    }
}

static void crowd_dies(unsigned broadcast)
{
    for (size_t i = 0; i < PEERS; i++) {
        if (fate_of(i) == LIVES || death_of(i) != broadcast)
            continue;
        switch (fate_of(i)) {
        case RESETS:
            net_client_kill(&crowd[i], NET_KILL_RST);
            break;
        case ENDS:
            net_client_kill(&crowd[i], NET_KILL_FIN);
            break;
        case STOPS_READING:
            crowd[i].deaf = 1;
            break;
        default:
            crowd[i].silent = 1;
            break;
        }
    }
}

/* The messages, by number; made once. */
static const uint8_t *nth_message(unsigned number)
{
    static uint8_t messages[BROADCASTS + 1][MESSAGE_LEN];
    static unsigned made;
    assert_true(number <= BROADCASTS);
    for (; made <= number; made++)
        net_fill(messages[made], MESSAGE_LEN, made);
    return messages[number];
}

/* Asserts that the next messages are the expected ones, and removes them. `heard` counts them. */
static void crowd_judge(size_t peer, unsigned *heard)
{
    reader *in = &crowd[peer].in;
    assert_null(in->fault);
    for (size_t i = 0; i < in->count; i++) {
        got *g = &in->list[i];
        if (g->op == OP_BINARY) {
            assert_true(got_is(g, nth_message(++*heard), MESSAGE_LEN));
        } else {
            assert_int_equal(g->op, OP_PING);
        }
        free(g->data);
    }
    in->count = 0;
    crowd[peer].answered = 0;
}

static void crowd_free(void)
{
    for (size_t i = 0; i < PEERS; i++)
        net_client_free(&crowd[i]);
    net_client_free(&publisher);
}

static void descriptors_allow(rlim_t count)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_cur < count) {
        limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : count;
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (limit.rlim_cur < count)
            skip();
    }
}

/* --------------------------------------------------------- in this process */

static struct {
    wspool_sockets *loop;
    wspool *pool;
    size_t opened;
    size_t closed;
    unsigned published;
    wspool_id ids[PEERS];    /* of each peer of the crowd */
    unsigned reports[PEERS]; /* how often its close hook was called */
    enum wspool_end why[PEERS];
    uint32_t peer_of[4096]; /* by slot */
} host;

static char room_route, publish_route;

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    (void)pool;
    (void)user;
    if (opened->route_user == &room_route) {
        size_t peer = host.opened++;
        host.ids[peer] = id;
        host.peer_of[wspool_slot(id)] = (uint32_t)peer;
    }
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    size_t peer = host.peer_of[wspool_slot(id)];
    (void)pool;
    (void)user;
    if (host.ids[peer] == id) {
        host.reports[peer]++;
        host.why[peer] = closed->why;
        host.closed++;
    }
}

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options options = {.size = sizeof(options), .flags = WSPOOL_BINARY, .except = id};
    (void)user;
    assert_ptr_equal(message->route_user, &publish_route);
    assert_true(wspool_broadcast(pool, wspool_item("thousand"), message->data, message->len,
                                 &options, NULL) > 0);
    host.published++;
}

static void host_turn(unsigned *heard)
{
    assert_int_equal(wspool_epoll_turn(host.loop, 0), 0);
    net_client_turn(&publisher);
    for (size_t i = 0; i < PEERS; i++) {
        net_client_turn(&crowd[i]);
        crowd_judge(i, &heard[i]);
    }
}

static unsigned host_start(void)
{
    struct sockaddr_in here;
    socklen_t len = sizeof(here);
    wspool_config config;
    wspool_route_options options;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    wspool_config_init(&config);
    config.max_peers = PEERS + 1;
    config.queue_bytes = QUEUE_BYTES;
    config.open.call = on_open;
    config.close.call = on_close;
    config.message.call = on_message;
    net_hand_clock = WSPOOL_SECOND;
    assert_int_equal(wspool_epoll_new(&host.loop, &config), 0);
    host.pool = wspool_sockets_pool(host.loop);
    wspool_route_options_init(&options, &config);
    options.user = &room_route;
    assert_int_equal(wspool_route(host.pool, "/room/{name}", WSPOOL_ITEM, &options), 0);
    options.user = &publish_route;
    assert_int_equal(wspool_route(host.pool, "/publish", WSPOOL_NONE, &options), 0);

    /* The kernel holds little of what a peer does not read. */
    wspool_sockets_kernel_bytes(host.loop, 16384);
    memset(&here, 0, sizeof(here));
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(listener, (struct sockaddr *)&here, sizeof(here)), 0);
    assert_int_equal(listen(listener, 128), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&here, &len), 0);
    assert_int_equal(wspool_sockets_adopt_listener(host.loop, listener), 0);
    return ntohs(here.sin_port);
}

TEST(rest_get_all_in_order_and_the_dead_are_reported_once_when_a_tenth_dies)
{
    static unsigned heard[PEERS];
    static uint8_t bytes[QUEUE_BYTES];
    wspool_statistics stats;
    uint64_t since = 0;
    unsigned port;
    descriptors_allow(2 * PEERS + 64);
    port = host_start();
    net_client_open(&publisher, port, "/publish");
    /* One by one, so that they open in the order of their numbers. */
    for (size_t i = 0; i < PEERS; i++) {
        crowd_connect(port, i, i + 1);
        while (host.opened <= i && net_patient(&since)) {
            net_client_turn(&crowd[i]);
            net_client_turn(&publisher);
            assert_int_equal(wspool_epoll_turn(host.loop, 0), 0);
        }
    }
    assert_int_equal(wspool_member_count(host.pool, wspool_item("thousand")), PEERS);
    net_assert_books(host.pool);

    for (unsigned n = 1; n <= BROADCASTS; n++) {
        since = 0;
        crowd_dies(n);
        host_turn(heard);
        net_client_frame(&publisher, FIN | OP_BINARY, nth_message(n), MESSAGE_LEN);
        while (host.published < n && net_patient(&since))
            host_turn(heard);
        /* A peer that reads gets the message before the next one is made, so it is never slow. */
        for (size_t i = 0; i < PEERS; i++) {
            while (crowd[i].fd >= 0 && !crowd[i].deaf && heard[i] < n && net_patient(&since))
                host_turn(heard);
        }
        if (n % 10 == 0)
            net_assert_books(host.pool);
    }

    /* Each of these gets a message that its buffers cannot hold, and reads nothing of it. */
    for (size_t i = 0; i < PEERS; i++) {
        if (fate_of(i) == STANDS_STILL) {
            wspool_send_options options = {.size = sizeof(options), .flags = WSPOOL_BINARY};
            crowd[i].deaf = 1;
            assert_int_equal(wspool_send(host.pool, host.ids[i], bytes, QUEUE_BYTES - 16, &options),
                             0);
        }
    }
    since = 0;
    /* 90 seconds pass: pings, pongs, deadlines. */
    for (unsigned second = 0; second < 90; second++) {
        net_hand_clock += WSPOOL_SECOND;
        for (unsigned i = 0; i < 3; i++)
            host_turn(heard);
    }
    while (host.closed < PEERS / 10 && net_patient(&since))
        host_turn(heard);

    for (size_t i = 0; i < PEERS; i++) {
        if (fate_of(i) == LIVES) {
            assert_int_equal(heard[i], BROADCASTS);
            assert_int_equal(host.reports[i], 0);
            assert_int_equal(crowd[i].end, NET_HERE);
            assert_true(crowd[i].in.pings > 0);
        } else {
            assert_int_equal(host.reports[i], 1);
            assert_string_equal(wspool_end_text(host.why[i]),
                                wspool_end_text(reported[fate_of(i)]));
            assert_null(wspool_user(host.pool, host.ids[i]));
            assert_int_equal(wspool_send(host.pool, host.ids[i], "x", 1, NULL), WSPOOL_ERR_STALE);
        }
    }
    stats = net_stats(host.pool);
    for (unsigned fate = RESETS; fate < FATES; fate++)
        assert_int_equal(stats.ended[reported[fate]], PEERS / 10 / (FATES - 1));
    assert_int_equal(stats.peers, PEERS - PEERS / 10 + 1);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(wspool_sockets_count(host.loop), stats.peers);
    assert_int_equal(wspool_member_count(host.pool, wspool_item("thousand")), PEERS - PEERS / 10);
    net_assert_books(host.pool);

    crowd_free();
    assert_int_equal(wspool_sockets_free(host.loop), 0);
    net_hand_clock = 0;
    for (size_t i = 0; i < PEERS; i++)
        assert_int_equal(host.reports[i], 1);
}

/* -------------------------------------------------------------------- echo */

/* Starts examples/echo. Returns its process, and its port in *port. */
static pid_t echo_start(const char *io, unsigned *port)
{
    const char *path = getenv("WSPOOL_ECHO") ? getenv("WSPOOL_ECHO") : "build/examples/echo";
    int out[2];
    FILE *line;
    pid_t pid;
    assert_int_equal(pipe(out), 0);
    pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* it does not outlive a test that failed */
        dup2(out[1], STDOUT_FILENO);
        close(out[0]);
        close(out[1]);
        execl(path, path, "--port", "0", "--io", io, (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    close(out[1]);
    line = fdopen(out[0], "r");
    if (fscanf(line, "listening on ws://127.0.0.1:%u", port) != 1)
        pid = 0; /* the program has printed the reason */
    fclose(line);
    return pid;
}

static void echo_turn(unsigned *heard)
{
    net_client_turn(&publisher);
    for (size_t i = 0; i < PEERS; i++) {
        net_client_turn(&crowd[i]);
        crowd_judge(i, &heard[i]);
    }
}

static void a_tenth_dies_on_the_echo_server(const char *io)
{
    static unsigned heard[PEERS];
    uint8_t bytes[9 + MESSAGE_LEN];
    uint64_t since = 0;
    unsigned port;
    int status;
    pid_t pid;
    memset(heard, 0, sizeof(heard));
    descriptors_allow(PEERS + 64);
    pid = echo_start(io, &port);
    if (pid == 0 && strcmp(io, "uring") == 0)
        skip(); /* it is forbidden, or too old */
    assert_true(pid > 0);
    net_client_open(&publisher, port, "/publish");
    crowd_connect(port, 0, PEERS);
    for (size_t i = 0; i < PEERS; i++) {
        while (crowd[i].in.status == 0 && net_patient(&since))
            echo_turn(heard);
        assert_int_equal(crowd[i].in.status, 101);
    }
    for (unsigned n = 1; n <= BROADCASTS; n++) {
        since = 0;
        crowd_dies(n);
        memcpy(bytes, "thousand\n", 9);
        memcpy(bytes + 9, nth_message(n), MESSAGE_LEN);
        net_client_frame(&publisher, FIN | OP_BINARY, bytes, sizeof(bytes));
        echo_turn(heard);
    }
    for (size_t i = 0; i < PEERS; i++) {
        while (fate_of(i) == LIVES && heard[i] < BROADCASTS && net_patient(&since))
            echo_turn(heard);
    }
    for (unsigned i = 0; i < 20; i++)
        echo_turn(heard);
    for (size_t i = 0; i < PEERS; i++) {
        if (fate_of(i) == LIVES) {
            assert_int_equal(heard[i], BROADCASTS);
            assert_int_equal(crowd[i].end, NET_HERE);
        }
    }
    assert_int_equal(kill(pid, SIGTERM), 0);
    crowd_free();
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

TEST(rest_get_all_in_order_when_a_tenth_dies_on_the_echo_server)
{
    a_tenth_dies_on_the_echo_server("epoll");
}

TEST(rest_get_all_in_order_when_a_tenth_dies_on_the_echo_server_by_uring)
{
    a_tenth_dies_on_the_echo_server("uring");
}

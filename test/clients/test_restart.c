/* SPDX-License-Identifier: MIT */
/*
 * clients/test_restart.c - clients of the contract, on real sockets, through a restart of their
 * server.
 *
 * A few clients in make check; RESTART_CLIENTS=2000 RESTART_SPREAD=10 RESTART_AWAY=1000 in make
 * nightly. The server, which is in the same thread, publishes all the time. It is killed, is away
 * for so many milliseconds, and comes back on the same port. Each client gets every publication, or
 * is told that its state is void. The first attempts are spread over `reconnect_spread`: their
 * histogram is printed, and no second has more than a fifth of them. (That is judged only where
 * there are enough seconds and clients.)
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <wspool/adapters/epoll.h>
#include <wspool/dial.h>
#include <wspool/json_client.h>

#include "../tools/test.h"

#define SECONDS 64

struct member {
    wspool_json_client *client;
    uint64_t cut_at;   /* when its connection ended; 0: it has one */
    uint64_t tried_at; /* when its first attempt began */
    uint64_t back_at;  /* when it was connected again */
    uint64_t offset;   /* of the last publication, or of a reset */
    unsigned resets;
    int connected;
};

static wspool_sockets *server;
static wspool_json *json;
static unsigned port;
static uint64_t spread;
static wspool_clients *clients;
static wspool_dial *dial;
static struct member *members;
static unsigned count, connected, lost_in_silence;
static uint64_t last_published;

static unsigned number(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

/* ------------------------------------------------------------------ server */

static void serve(void)
{
    wspool_config config;
    wspool_json_config json_config;
    wspool_config_init(&config);
    config.max_peers = config.max_handshakes = count + 10;
    wspool_json_config_init(&json_config);
    json_config.reconnect_spread = spread;
    assert_int_equal(wspool_epoll_new(&server, &config), 0);
    assert_int_equal(wspool_json_new(&json, &json_config), 0);
    wspool *pool = wspool_sockets_pool(server);
    assert_int_equal(wspool_json_attach(json, pool), 0);
    wspool_route_options options;
    wspool_route_options_init(&options, &config);
    options.history.messages = 1000;
    assert_int_equal(wspool_route(pool, "/news", WSPOOL_GLOBAL, &options), 0);
    int result = wspool_sockets_listen(server, "127.0.0.1", port);
    assert_true(result > 0);
    port = (unsigned)result;
}

static void kill_server(void)
{
    wspool_sockets_free(server);
    wspool_json_free(json);
    server = NULL;
}

/* ----------------------------------------------------------------- clients */

static void on_status(wspool_json_client *client, const wspool_client_status *status, void *user)
{
    struct member *member = user;
    uint64_t now = wspool_clock();
    (void)client;
    int is = status->state == WSPOOL_CLIENT_CONNECTED;
    if (member->connected && !is) {
        member->cut_at = now;
        member->tried_at = member->back_at = 0;
    }
    if (member->cut_at && !member->tried_at && status->state == WSPOOL_CLIENT_CONNECTING) {
        member->tried_at = now;
    }
    if (member->cut_at && !member->back_at && is) {
        member->back_at = now;
    }
    connected = connected - (unsigned)member->connected + (unsigned)is;
    member->connected = is;
}

static void on_publication(wspool_json_client *client, const wspool_json_publication *publication,
                           void *user)
{
    struct member *member = user;
    (void)client;
    lost_in_silence += publication->offset != member->offset + 1;
    member->offset = publication->offset;
}

static void on_reset(wspool_json_client *client, const wspool_json_reset *reset, void *user)
{
    struct member *member = user;
    (void)client;
    member->offset = reset->offset;
    member->resets++;
}

static void begin(void)
{
    char url[64];
    wspool_clients_config config;
    wspool_json_client_config mine;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    port = connected = lost_in_silence = 0;
    members = calloc(count, sizeof *members);
    serve();
    snprintf(url, sizeof url, "ws://127.0.0.1:%u/news", port);
    wspool_clients_config_init(&config);
    config.url = url;
    config.stable_time = WSPOOL_SECOND / 10;
    wspool_json_client_prepare(&config);
    assert_int_equal(wspool_clients_new(&clients, &config, wspool_clock()), 0);
    assert_int_equal(wspool_dial_new(&dial, clients, NULL), 0);
    for (unsigned i = 0; i < count; i++) {
        wspool_json_subscription news = {
            .size = sizeof news, .message = on_publication, .reset = on_reset, .user = &members[i]};
        wspool_json_client_config_init(&mine);
        mine.route = "global:";
        mine.user = &members[i];
        mine.status = on_status;
        assert_int_equal(wspool_json_client_new(&members[i].client, clients, &mine), 0);
        assert_int_equal(wspool_json_client_subscribe(members[i].client, "global:", &news), 0);
        wspool_clients_connect(clients, wspool_json_client_id(members[i].client), wspool_clock());
    }
}

static void end(void)
{
    for (unsigned i = 0; i < count; i++) {
        wspool_json_client_free(members[i].client);
    }
    wspool_dial_free(dial);
    wspool_clients_free(clients);
    kill_server();
    free(members);
}

static void turn(void)
{
    uint64_t now = wspool_clock();
    if (server) {
        assert_int_equal(wspool_epoll_turn(server, 0), 0);
        if (now - last_published > WSPOOL_SECOND / 5) {
            last_published = now;
            wspool_json_broadcast(json, wspool_sockets_pool(server), wspool_global(""), "news",
                                  NULL, NULL, NULL);
        }
    }
    assert_int_equal(wspool_dial_turn(dial, now + WSPOOL_MILLISECOND), 0);
}

static uint64_t patience(void)
{
    return number("TEST_PATIENCE", 300) * WSPOOL_SECOND;
}

#define UNTIL(condition) \
    for (uint64_t since_ = wspool_clock(); !(condition);) { \
        assert_true(wspool_clock() - since_ < patience()); \
        turn(); \
    }

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* Prints how the clients came back. Returns the share of the second with most first attempts, and
 * the median of the times. */
static double report(uint64_t *median)
{
    unsigned first[SECONDS] = {0}, most = 0;
    uint64_t *times = calloc(count, sizeof *times);
    for (unsigned i = 0; i < count; i++) {
        uint64_t second = (members[i].tried_at - members[i].cut_at) / WSPOOL_SECOND;
        first[second < SECONDS ? second : SECONDS - 1]++;
        times[i] = members[i].back_at - members[i].cut_at;
    }
    qsort(times, count, sizeof *times, compare);
    printf("# %u clients, spread %.0f s: back after %.2f s in the median, %.2f s at most\n", count,
           (double)spread / 1e9, (double)times[count / 2] / 1e9, (double)times[count - 1] / 1e9);
    for (int i = 0; i < SECONDS; i++) {
        if (first[i]) {
            printf("# second %2d: %4u first attempts\n", i, first[i]);
        }
        most = first[i] > most ? first[i] : most;
    }
    *median = times[count / 2];
    free(times);
    return (double)most / count;
}

/* Each was told of the first state, and of that of the new epoch. */
static int all_were_reset(void)
{
    for (unsigned i = 0; i < count; i++) {
        if (members[i].resets < 2) {
            return 0;
        }
    }
    return 1;
}

TEST(all_come_back_spread_and_nothing_is_lost_in_silence)
{
    count = number("RESTART_CLIENTS", 20);
    spread = number("RESTART_SPREAD", 1) * WSPOOL_SECOND;
    begin();
    UNTIL(connected == count);
    uint64_t until = wspool_clock() + WSPOOL_SECOND / 4;
    UNTIL(wspool_clock() > until);
    kill_server();
    until = wspool_clock() + number("RESTART_AWAY", 100) * WSPOOL_MILLISECOND;
    UNTIL(wspool_clock() > until);
    serve();
    UNTIL(connected == count && all_were_reset());
    uint64_t median;
    double share = report(&median);
    assert_true(median <= number("RESTART_MEDIAN", 3600) * WSPOOL_SECOND);
    if (count >= 1000 && spread >= 10 * WSPOOL_SECOND) {
        assert_true(share <= 0.2);
    }
    assert_int_equal(lost_in_silence, 0);
    end();
}

/* SPDX-License-Identifier: MIT */
/*
 * sockets/test_dial.c - wspool/dial.h: clients on real sockets, against a pool on the epoll adapter
 * in the same thread. Every wait is for a condition.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wspool/adapters/epoll.h>
#include <wspool/dial.h>

#include "../tools/test.h"

enum { CLIENTS = 40, LARGE = 200000 };

static wspool_sockets *server; /* NULL: it is down */
static unsigned port;
static wspool_clients *clients;
static wspool_dial *dial;
static wspool_id ids[CLIENTS];
static unsigned connected, messages, refused;
static size_t bytes;

static void on_server_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    (void)user;
    wspool_send(pool, id, message->data, message->len, NULL);
}

static void serve(void)
{
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_server_message;
    config.message_bytes = LARGE;
    config.queue_bytes = 4 * LARGE;
    assert_int_equal(wspool_epoll_new(&server, &config), 0);
    assert_int_equal(wspool_route(wspool_sockets_pool(server), "/echo", WSPOOL_NONE, NULL), 0);
    int result = wspool_sockets_listen(server, "127.0.0.1", port);
    assert_true(result > 0);
    port = (unsigned)result;
}

static void on_status(wspool_clients *group, wspool_id id, const wspool_client_status *status,
                      void *user)
{
    (void)group;
    (void)id;
    (void)user;
    connected += status->state == WSPOOL_CLIENT_CONNECTED;
    refused += wspool_dial_error(dial) == ECONNREFUSED;
}

static void on_message(wspool_clients *group, wspool_id id, const void *data, size_t len,
                       int binary, void *user)
{
    (void)group;
    (void)id;
    (void)data;
    (void)binary;
    (void)user;
    messages++;
    bytes += len;
}

static void begin(unsigned count)
{
    char url[64];
    wspool_clients_config config;
    port = connected = messages = refused = 0;
    bytes = 0;
    serve();
    snprintf(url, sizeof url, "ws://localhost:%u/echo", port);
    wspool_clients_config_init(&config);
    config.url = url;
    config.queue_bytes = 2 * LARGE;
    config.reconnect_spread = WSPOOL_SECOND / 100;
    config.attempts = UINT32_MAX;
    config.status.call = on_status;
    config.message.call = on_message;
    assert_int_equal(wspool_clients_new(&clients, &config, wspool_clock()), 0);
    assert_int_equal(wspool_dial_new(&dial, clients, "127.0.0.1"), 0);
    for (unsigned i = 0; i < count; i++) {
        assert_int_equal(wspool_clients_add(clients, NULL, &ids[i]), 0);
        assert_int_equal(wspool_clients_connect(clients, ids[i], wspool_clock()), 0);
    }
}

static void end(void)
{
    wspool_dial_free(dial);
    wspool_clients_free(clients);
    wspool_sockets_free(server);
    server = NULL;
}

static void turn(void)
{
    if (server) {
        assert_int_equal(wspool_epoll_turn(server, 0), 0);
    }
    assert_int_equal(wspool_dial_turn(dial, wspool_clock() + WSPOOL_MILLISECOND), 0);
}

/* Only keeps a test that has gone wrong from hanging. */
static uint64_t patience(void)
{
    const char *seconds = getenv("TEST_PATIENCE");
    return (seconds ? strtoul(seconds, NULL, 10) : 120) * WSPOOL_SECOND;
}

#define UNTIL(condition) \
    for (uint64_t since_ = wspool_clock(); !(condition);) { \
        assert_true(wspool_clock() - since_ < patience()); \
        turn(); \
    }

TEST(clients_connect_and_talk)
{
    begin(CLIENTS);
    UNTIL(connected == CLIENTS);
    for (int i = 0; i < CLIENTS; i++) {
        assert_int_equal(wspool_clients_send(clients, ids[i], "hello", 5, 0), 0);
    }
    UNTIL(messages == CLIENTS);
    assert_int_equal(bytes, CLIENTS * 5);
    end();
}

TEST(clients_come_back_to_a_server_that_was_restarted)
{
    begin(CLIENTS);
    UNTIL(connected == CLIENTS);
    wspool_sockets_free(server);
    server = NULL;
    UNTIL(refused > 0);
    serve(); /* on the same port */
    UNTIL(connected == 2 * CLIENTS);
    end();
}

/* More than the socket's buffers take at once. */
TEST(a_full_transport_is_written_when_it_has_room)
{
    char *large = malloc(LARGE);
    memset(large, 'x', LARGE);
    begin(1);
    UNTIL(connected == 1);
    uint64_t since = wspool_clock();
    for (unsigned sent = 0; messages < 40;) {
        assert_true(wspool_clock() - since < patience());
        if (sent < 40 && wspool_clients_send(clients, ids[0], large, LARGE, 1) == 0) {
            sent++;
        } else {
            turn();
        }
    }
    assert_int_equal(bytes, 40 * LARGE);
    free(large);
    end();
}

TEST(a_client_that_disconnects_frees_its_transport)
{
    begin(2);
    UNTIL(connected == 2);
    wspool_clients_disconnect(clients, ids[0], wspool_clock());
    wspool_clients_remove(clients, ids[1]);
    UNTIL(wspool_sockets_count(server) == 0);
    wspool_client_status status;
    assert_int_equal(wspool_clients_status(clients, ids[0], &status), 0);
    assert_int_equal(status.state, WSPOOL_CLIENT_DISCONNECTED);
    end();
}

TEST(what_cannot_be_connected_to_is_refused)
{
    wspool_clients_config config;
    wspool_clients_config_init(&config);
    config.url = "wss://127.0.0.1/";
    assert_int_equal(wspool_clients_new(&clients, &config, 0), 0);
    assert_int_equal(wspool_dial_new(&dial, clients, NULL), -1);
    assert_int_equal(errno, ENOTSUP);
    wspool_clients_free(clients);
    config.url = "ws://127.0.0.1.x.invalid/";
    assert_int_equal(wspool_clients_new(&clients, &config, 0), 0);
    assert_int_equal(wspool_dial_new(&dial, clients, "not an address"), -1);
    assert_int_equal(errno, EINVAL);
    wspool_clients_free(clients);
}

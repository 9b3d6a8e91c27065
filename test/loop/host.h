/* SPDX-License-Identifier: MIT */
/*
 * loop/host.h - a server on an adapter, what its hooks were told, and its clients, in one thread.
 *
 * Included once by a test, behind the adapter and these:
 *
 *     LOOP(turn), LOOP_TYPE   the adapter's names
 *     CLIENTS                 how many a host may have
 *
 *     struct host host;
 *     host_init(&host);       // host.config may be changed now ...
 *     host_start(&host);      // ... and host.react and host.loop from here on
 *     client = host_client(&host, "/echo");
 *     net_client_text(client, "hello", 5);
 *     UNTIL(&host, client->in.messages == 1);
 *     host_end(&host);        // all is told, the books balance
 */
#ifndef WSPOOL_TEST_LOOP_HOST_H
#define WSPOOL_TEST_LOOP_HOST_H

#include "net.h"

struct host {
    LOOP_TYPE loop;
    wspool_config config;
    unsigned port;
    net_client clients[CLIENTS];
    size_t count;
    /* what the hooks were told */
    unsigned opened;
    wspool_id ids[CLIENTS]; /* in the order of opening */
    unsigned closed;
    wspool_closed last;
    unsigned ends[WSPOOL_END_COUNT];
    unsigned messages;
    void (*react)(struct host *host, wspool_id id, const wspool_message *message);
    wspool_id asked; /* whose token is awaited */
};

static void on_open(wspool *pool, wspool_id id, const wspool_opened *opened, void *user)
{
    struct host *host = user;
    (void)pool;
    (void)opened;
    if (host->opened < CLIENTS)
        host->ids[host->opened] = id;
    host->opened++;
}

static void on_close(wspool *pool, wspool_id id, const wspool_closed *closed, void *user)
{
    struct host *host = user;
    (void)pool;
    (void)id;
    host->closed++;
    host->last = *closed;
    host->ends[closed->why]++;
}

/* Without a reaction of the test's own: sends back. */
static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    struct host *host = user;
    wspool_send_options options = {sizeof(options), message->binary ? WSPOOL_BINARY : 0, 0};
    host->messages++;
    if (host->react)
        host->react(host, id, message);
    else
        assert_int_equal(wspool_send(pool, id, message->data, message->len, &options), 0);
}

/* A reaction: words are sent back, and what is longer is only there to keep us busy. */
static inline void answer_words(struct host *host, wspool_id id, const wspool_message *message)
{
    if (message->len < 10)
        wspool_send(host->loop.pool, id, message->data, message->len, NULL);
}

/* The configuration may be changed between these two. */
static void host_init(struct host *host)
{
    memset(host, 0, sizeof(*host));
    wspool_config_init(&host->config);
    host->config.open.call = on_open;
    host->config.open.user = host;
    host->config.close.call = on_close;
    host->config.close.user = host;
    host->config.message.call = on_message;
    host->config.message.user = host;
}

static void host_start(struct host *host)
{
    int port;
    assert_int_equal(LOOP(init)(&host->loop, &host->config), 0);
    assert_int_equal(wspool_new(&host->loop.pool, &host->config, wspool_clock()), 0);
    assert_int_equal(wspool_route(host->loop.pool, "/echo", WSPOOL_NONE, NULL), 0);
    assert_int_equal(wspool_route(host->loop.pool, "/room/{name}", WSPOOL_ITEM, NULL), 0);
    port = LOOP(listen)(&host->loop, "127.0.0.1", 0);
    assert_true(port > 0);
    host->port = (unsigned)port;
}

static void host_turn(struct host *host)
{
    for (size_t i = 0; i < host->count; i++)
        net_client_turn(&host->clients[i]);
    assert_int_equal(LOOP(turn)(&host->loop, 1), 0);
    for (size_t i = 0; i < host->count; i++)
        net_client_turn(&host->clients[i]);
}

/* Takes turns until `condition` holds. */
#define UNTIL(host, condition)                                                                     \
    for (uint64_t since_ = 0; !(condition) && net_patient(&since_);)                               \
    host_turn(host)

static net_client *host_client(struct host *host, const char *target)
{
    net_client *client = &host->clients[host->count++];
    unsigned before = host->opened;
    net_client_open(client, host->port, target);
    UNTIL(host, host->opened > before && client->in.status == 101);
    return client;
}

static void host_end(struct host *host)
{
    for (size_t i = 0; i < host->count; i++) {
        assert_null(host->clients[i].in.fault);
        net_client_free(&host->clients[i]);
    }
    if (host->loop.count > 0)
        UNTIL(host, host->loop.count == 0);
    net_assert_books(host->loop.pool);
    assert_int_equal(host->opened, host->closed);
    assert_int_equal(wspool_free(host->loop.pool), 0);
    LOOP(fini)(&host->loop);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * echo.c - a WebSocket server with echo, rooms, and a path to publish on.
 *
 *   /echo         each message comes back
 *   /room/{name}  each message goes to every other member of the room
 *   /publish      NAME, line feed, PAYLOAD: the payload goes to every member of the room NAME
 *
 * The pool reads the HTTP request itself (raw mode). libwspool_sockets on epoll, or
 * libwspool_uring, moves the bytes.
 */
#define _GNU_SOURCE
#include "options.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <wspool/adapters/epoll.h>
#include <wspool/deflate.h>
#include <wspool/uring.h>

#define DRAIN_WINDOW (4 * WSPOOL_SECOND)   /* every peer is told to go in its first half */
#define DRAIN_DEADLINE (4 * WSPOOL_SECOND) /* a peer that is still there then is cut off */

/* The purpose of a route: its address is the route's user pointer, so each message tells it. */
static char echo_route, room_route, publish_route;

/* One of these moves the bytes. */
static int with_uring;
static wspool_sockets *sockets;
static wspool_uring *uring;

/* ------------------------------------------------------------------- hooks */

/* The name ends at the line feed. The rule is that for names in a path. */
static int publish(wspool *pool, const wspool_message *message, const wspool_send_options *options)
{
    const uint8_t *end = message->len ? memchr(message->data, '\n', message->len) : NULL;
    size_t len = end ? (size_t)(end - message->data) : 0;
    if (len == 0 || len > WSPOOL_NAME_MAX || memchr(message->data, '/', len)) {
        return -1;
    }
    wspool_broadcast(pool, wspool_channel_of(WSPOOL_ITEM, message->data, len), end + 1,
                     message->len - len - 1, options, NULL);
    return 0;
}

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options options = {
        .size = sizeof(options), .flags = message->binary ? WSPOOL_BINARY : 0, .except = id};
    wspool_channel room;
    (void)user;

    if (message->route_user == &echo_route) {
        if (wspool_send(pool, id, message->data, message->len, &options) < 0) {
            wspool_close(pool, id, WSPOOL_CLOSE_SLOW_CONSUMER, NULL, 0);
        }
    } else if (message->route_user == &room_route) {
        if (wspool_channels_of(pool, id, &room, 1) == 1) {
            wspool_broadcast(pool, room, message->data, message->len, &options, NULL);
        }
    } else if (publish(pool, message, &options) < 0) {
        wspool_close(pool, id, WSPOOL_CLOSE_POLICY, "NAME, line feed, PAYLOAD", 0);
    }
}

/* The most that was decoded, and delivered, between two ticks. Decoding without bound, or
 * deliveries, would be a standstill for all peers that wait for their turn. */
static struct {
    uint64_t decoded, deliveries; /* until the last tick */
    uint64_t most_decoded, most_deliveries;
} turns;

static uint64_t on_tick(wspool *pool, uint64_t now, void *user)
{
    wspool_statistics stats = {.size = sizeof(stats)};
    uint64_t decoded, deliveries;
    (void)now, (void)user;
    wspool_stats(pool, &stats);
    decoded = stats.codec_decoded_bytes - turns.decoded;
    deliveries = stats.deliveries - turns.deliveries;
    turns.decoded = stats.codec_decoded_bytes;
    turns.deliveries = stats.deliveries;
    turns.most_decoded = decoded > turns.most_decoded ? decoded : turns.most_decoded;
    turns.most_deliveries = deliveries > turns.most_deliveries ? deliveries : turns.most_deliveries;
    return UINT64_MAX;
}

static void on_signal(int number)
{
    (void)number;
    with_uring ? wspool_uring_quit(uring) : wspool_sockets_quit(sockets);
}

/* -------------------------------------------------------------------- main */

static void add_route(wspool *pool, const wspool_config *config, const char *pattern,
                      enum wspool_kind kind, char *purpose, unsigned codec)
{
    wspool_route_options options;
    int error;
    wspool_route_options_init(&options, config);
    options.user = purpose;
    options.codec = codec;
    error = wspool_route(pool, pattern, kind, &options);
    if (error < 0) {
        fail(1, pattern, wspool_strerror(error));
    }
}

/* Makes the engine and its pool. */
static wspool *make_pool(enum io io, const wspool_config *config)
{
    with_uring = io != IO_EPOLL && wspool_uring_new(&uring, config) == 0;
    if (io == IO_URING && !with_uring) {
        fail(1, "--io uring (try --io epoll)", wspool_uring_why(errno));
    }
    if (io == IO_AUTO && !with_uring) {
        fprintf(stderr, "echo: epoll moves the bytes: %s\n", wspool_uring_why(errno));
    }
    if (!with_uring && wspool_epoll_new(&sockets, config) < 0) {
        fail(1, "epoll", strerror(errno));
    }
    return with_uring ? wspool_uring_pool(uring) : wspool_sockets_pool(sockets);
}

static int run(uint64_t until)
{
    return with_uring ? wspool_uring_run(uring, until) : wspool_epoll_run(sockets, until);
}

int main(int argc, char **argv)
{
    struct options given = options_from(argc, argv);
    struct sigaction action;
    wspool_config config;
    wspool *pool;
    wspool_deflate *deflate = NULL;
    int error, port;

    /* The limits are generous, since tests and benchmarks use this program. The queue of a peer has
     * room for its longest message and for all that one read can ask to be echoed. */
    wspool_config_init(&config);
    config.max_peers = given.connections;
    config.max_handshakes = given.connections;
    config.max_per_key = given.per_address;
    config.message_bytes = given.message_bytes;
    config.queue_bytes = given.message_bytes + (4u << 20);
    config.queue_messages = 65536;
    config.pool_bytes = UINT64_C(2) << 30;
    config.flush_delay = given.flush_delay * WSPOOL_SECOND / 1000000;
    config.message.call = on_message;
    if (given.deflate) {
        error = wspool_deflate_new(&deflate, NULL);
        if (error < 0) {
            fail(1, "deflate", wspool_strerror(error));
        }
        config.codec = wspool_deflate_codec(deflate);
    }
    pool = make_pool(given.io, &config);
    if (given.report) {
        wspool_handlers handlers = {.size = sizeof(handlers), .tick = on_tick};
        wspool_attach(pool, &handlers);
    }
    /* A peer of /echo sends much, which is worth the memory of a compression context. */
    add_route(pool, &config, "/echo", WSPOOL_NONE, &echo_route, WSPOOL_DEFLATE_TAKEOVER);
    add_route(pool, &config, "/room/{name}", WSPOOL_ITEM, &room_route, 0);
    add_route(pool, &config, "/publish", WSPOOL_NONE, &publish_route, 0);

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal;
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);

    port = with_uring ? wspool_uring_listen(uring, given.host, given.port)
                      : wspool_sockets_listen(sockets, given.host, given.port);
    if (port < 0) {
        fail(1, given.host,
             errno == EINVAL ? "not an address, nor a name of one" : strerror(errno));
    }
    printf(strchr(given.host, ':') ? "listening on ws://[%s]:%d\n" : "listening on ws://%s:%d\n",
           given.host, port);
    fflush(stdout);

    if (run(UINT64_MAX) < 0) { /* until a signal comes */
        fail(1, "loop", strerror(errno));
    }
    with_uring ? wspool_uring_drain(uring, DRAIN_WINDOW, WSPOOL_CLOSE_DRAIN, NULL, NULL)
               : wspool_sockets_drain(sockets, DRAIN_WINDOW, WSPOOL_CLOSE_DRAIN, NULL, NULL);
    run(wspool_clock() + DRAIN_DEADLINE); /* or until a second signal comes */

    action.sa_handler = SIG_IGN; /* on_signal must not see what is freed */
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    wspool_uring_free(uring); /* one of them is NULL */
    wspool_sockets_free(sockets);
    wspool_deflate_free(deflate);
    if (given.report) {
        printf("one turn: %llu bytes decoded, %llu deliveries\n",
               (unsigned long long)turns.most_decoded, (unsigned long long)turns.most_deliveries);
    }
    return 0;
}

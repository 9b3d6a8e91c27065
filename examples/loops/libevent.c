/* SPDX-License-Identifier: MIT */
/* loops/libevent.c - a room on a libevent base. Members get messages and the time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wspool/adapters/libevent.h> /* glue { */

static wspool_sockets *sockets; /* } glue */

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options others = {.size = sizeof(others), .except = id};
    (void)user;
    others.flags = message->binary ? WSPOOL_BINARY : 0;
    wspool_broadcast(pool, wspool_global(""), message->data, message->len, &others, NULL);
}

static void on_second(evutil_socket_t fd, short events, void *user)
{
    time_t now = time(NULL);
    (void)fd, (void)events, (void)user;
    wspool_broadcast(wspool_sockets_pool(sockets), wspool_global(""), ctime(&now), 24, NULL, NULL);
}

static void on_drained(wspool_sockets *drained, void *loop) /* glue { */
{
    (void)drained;
    event_base_loopbreak(loop);
}

static void on_signal(evutil_socket_t number, short events, void *base)
{
    (void)number, (void)events;
    wspool_sockets_drain(sockets, 0, WSPOOL_CLOSE_GOING_AWAY, on_drained, base);
} /* } glue */

int main(int argc, char **argv)
{
    struct timeval second = {1, 0};
    struct event_base *base = event_base_new();
    unsigned port = argc > 1 ? (unsigned)atoi(argv[1]) : 9001;
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_message;
    if (wspool_libevent_new(&sockets, base, &config) < 0 || /* glue { */
        wspool_route(wspool_sockets_pool(sockets), "/room", WSPOOL_GLOBAL, NULL) < 0 ||
        wspool_sockets_listen(sockets, "127.0.0.1", port) < 0) {
        return perror("libevent"), 1;
    } /* } glue */
    event_add(evsignal_new(base, SIGINT, on_signal, base), NULL);
    event_add(evsignal_new(base, SIGTERM, on_signal, base), NULL);
    event_add(event_new(base, -1, EV_PERSIST, on_second, NULL), &second);
    event_base_dispatch(base);
    wspool_sockets_free(sockets); /* glue { } glue */
    return 0;
}

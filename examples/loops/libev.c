/* SPDX-License-Identifier: MIT */
/* loops/libev.c - a room on a libev loop. Members get messages and the time. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wspool/adapters/libev.h> /* glue { */

static wspool_sockets *sockets; /* } glue */

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options others = {.size = sizeof(others), .except = id};
    (void)user;
    others.flags = message->binary ? WSPOOL_BINARY : 0;
    wspool_broadcast(pool, wspool_global(""), message->data, message->len, &others, NULL);
}

static void on_second(struct ev_loop *loop, ev_timer *timer, int events)
{
    time_t now = time(NULL);
    (void)loop, (void)timer, (void)events;
    wspool_broadcast(wspool_sockets_pool(sockets), wspool_global(""), ctime(&now), 24, NULL, NULL);
}

static void on_drained(wspool_sockets *drained, void *loop) /* glue { */
{
    (void)drained;
    ev_break(loop, EVBREAK_ALL);
}

static void on_signal(struct ev_loop *loop, ev_signal *signal, int events)
{
    (void)signal, (void)events;
    wspool_sockets_drain(sockets, 0, WSPOOL_CLOSE_GOING_AWAY, on_drained, loop);
} /* } glue */

int main(int argc, char **argv)
{
    struct ev_loop *loop = EV_DEFAULT;
    ev_signal interrupt, terminate;
    ev_timer timer;
    unsigned port = argc > 1 ? (unsigned)atoi(argv[1]) : 9001;
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_message;
    if (wspool_libev_new(&sockets, loop, &config) < 0 || /* glue { */
        wspool_route(wspool_sockets_pool(sockets), "/room", WSPOOL_GLOBAL, NULL) < 0 ||
        wspool_sockets_listen(sockets, "127.0.0.1", port) < 0) {
        return perror("libev"), 1;
    } /* } glue */
    ev_signal_init(&interrupt, on_signal, SIGINT);
    ev_signal_init(&terminate, on_signal, SIGTERM);
    ev_timer_init(&timer, on_second, 1., 1.);
    ev_signal_start(loop, &interrupt);
    ev_signal_start(loop, &terminate);
    ev_timer_start(loop, &timer);
    ev_run(loop, 0);
    wspool_sockets_free(sockets); /* glue { } glue */
}

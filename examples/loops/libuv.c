/* SPDX-License-Identifier: MIT */
/* loops/libuv.c - a room on a libuv loop. Members get messages and the time. */
#define _GNU_SOURCE /* for uv.h */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wspool/adapters/libuv.h> /* glue { */

static wspool_sockets *sockets; /* } glue */

static void on_message(wspool *pool, wspool_id id, const wspool_message *message, void *user)
{
    wspool_send_options others = {.size = sizeof(others), .except = id};
    (void)user;
    others.flags = message->binary ? WSPOOL_BINARY : 0;
    wspool_broadcast(pool, wspool_global(""), message->data, message->len, &others, NULL);
}

static void on_second(uv_timer_t *timer)
{
    time_t now = time(NULL);
    (void)timer;
    wspool_broadcast(wspool_sockets_pool(sockets), wspool_global(""), ctime(&now), 24, NULL, NULL);
}

static void on_drained(wspool_sockets *drained, void *loop) /* glue { */
{
    (void)drained;
    uv_stop(loop);
}

static void on_signal(uv_signal_t *signal, int number)
{
    (void)number;
    wspool_sockets_drain(sockets, 0, WSPOOL_CLOSE_GOING_AWAY, on_drained, signal->loop);
} /* } glue */

int main(int argc, char **argv)
{
    uv_loop_t *loop = uv_default_loop();
    uv_signal_t interrupt, terminate;
    uv_timer_t timer;
    unsigned port = argc > 1 ? (unsigned)atoi(argv[1]) : 9001;
    wspool_config config;
    wspool_config_init(&config);
    config.message.call = on_message;
    if (wspool_libuv_new(&sockets, loop, &config) < 0 || /* glue { */
        wspool_route(wspool_sockets_pool(sockets), "/room", WSPOOL_GLOBAL, NULL) < 0 ||
        wspool_sockets_listen(sockets, "127.0.0.1", port) < 0) {
        return perror("libuv"), 1;
    } /* } glue */
    uv_signal_init(loop, &interrupt);
    uv_signal_init(loop, &terminate);
    uv_timer_init(loop, &timer);
    uv_signal_start(&interrupt, on_signal, SIGINT);
    uv_signal_start(&terminate, on_signal, SIGTERM);
    uv_timer_start(&timer, on_second, 1000, 1000);
    uv_run(loop, UV_RUN_DEFAULT);
    wspool_sockets_free(sockets); /* glue { } glue */
}
